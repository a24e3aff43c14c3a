"""Corpora of emotional speech, each as a Bunch of clip table, emotions and speakers."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
