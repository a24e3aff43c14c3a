"""Honest evaluation: protocols that keep voices and sentences apart, and what they measure."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
