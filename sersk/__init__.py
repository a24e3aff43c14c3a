"""Speech emotion recognition the scikit-learn way.

Every room (sub-package) is loaded when it is first used, so that ``import sersk`` stays quick.
"""

import lazy_loader as _lazy

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
