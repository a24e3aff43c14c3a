"""What scikit-learn's metrics lack: speakers are the unit of chance.

Clips of one speaker resemble each other, so an interval that resamples clips is far too narrow.
What has an interval here resamples, or compares, whole speakers.

UAR, the unweighted average recall of the field, is scikit-learn's ``balanced_accuracy``.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
