"""Models as files that run no code when they are loaded, and say what they were trained on."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
