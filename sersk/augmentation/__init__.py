"""New training clips from old ones: what is drawn by chance is frozen, and applied when read."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
