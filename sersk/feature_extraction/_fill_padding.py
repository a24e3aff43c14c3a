"""From NaN padding to plain numbers."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._same_shape import SameShapeTransformer


class FillPadding(SameShapeTransformer):
    """Replace the NaN after the end of each clip by a number.

    For steps of other libraries, which do not know that NaN means "no sound here". Steps of this
    package skip the padding by themselves: what is filled counts as sound for them.

    Parameters
    ----------
    value : float, default=0.0
        What stands after the end of a clip; any finite number.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis seen in `fit`: samples of a waveform, features of frames, channels
        of an image.

    See Also
    --------
    Functionals : Vectors of one length without any filling.

    Notes
    -----
    A clip of which nothing is left (all NaN, as of an unreadable file) is filled from its beginning
    and cannot be told from silence any more: :class:`~sersk.preprocessing.DropUnreadable` belongs
    before this step.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import FillPadding
    >>> waveforms = np.array([[0.5, -0.5, 0.25], [0.125, np.nan, np.nan]])
    >>> FillPadding().fit_transform(waveforms)
    array([[ 0.5  , -0.5  ,  0.25 ],
           [ 0.125,  0.   ,  0.   ]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "value": [Interval(Real, None, None, closed="neither")]
    }

    def __init__(self, *, value: float = 0.0) -> None:
        self.value = value

    def _change(self, clips: NDArray[np.floating], lengths: NDArray[np.intp]) -> None:
        for clip, length in zip(clips, lengths, strict=True):
            clip[..., length:] = self.value
