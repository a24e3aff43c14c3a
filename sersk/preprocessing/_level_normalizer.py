"""The step that brings all clips to one level."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import WaveformTransformer

# Targets where none is given, in dB.
_DEFAULT_TARGETS = {"peak": 0.0, "rms": -20.0}


def normalize_level(
    samples: NDArray[np.float64], *, method: str, target_db: float | None
) -> NDArray[np.float64]:
    """Scale one clip to a level.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    method : {"peak", "rms", "zscore"}
        What is brought to the target: the largest magnitude, the root mean square, or mean and
        standard deviation to 0 and 1.
    target_db : float or None
        The level, in dB relative to 1; None for the default of the method.

    Returns
    -------
    scaled : ndarray of shape (n_samples,)
        The clip at its new level.
    """
    peak = np.abs(samples).max()
    if peak == 0:
        return samples
    # Divided first, whatever comes next: magnitudes up to 1 have squares that neither overflow nor
    # vanish, and a constant becomes exactly 1, which leaves nothing of its mean.
    scaled = samples / peak
    if method == "zscore":
        scaled -= scaled.mean()
        deviation = np.sqrt(np.mean(np.square(scaled)))
        return np.asarray(scaled / deviation) if deviation > 0 else scaled
    target = 10 ** ((_DEFAULT_TARGETS[method] if target_db is None else target_db) / 20)
    level = np.sqrt(np.mean(np.square(scaled))) if method == "rms" else 1.0
    normalized: NDArray[np.float64] = scaled * (target / level)
    return normalized


class LevelNormalizer(WaveformTransformer):
    r"""Bring each clip to the same level.

    Takes away how far the microphone was and how its gain was set, and how loud the voice was.

    Parameters
    ----------
    method : {"peak", "rms", "zscore"}, default="peak"
        ``"peak"`` scales the largest magnitude of a clip, ``"rms"`` its root mean square, to
        `target_db`. ``"zscore"`` subtracts the mean of the samples and divides by their standard
        deviation.

    target_db : float, default=None
        Level after scaling, in dB relative to full scale, which is a magnitude of 1; from -120 to
        0. By default 0 with ``"peak"`` and -20 with ``"rms"``. Has to be None with ``"zscore"``.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    SilenceTrimmer : Before ``"rms"`` and ``"zscore"``, to which silence counts as well.
    sersk.feature_extraction.RMSEnergy : The level as a feature; within a clip it still varies.

    Notes
    -----
    With samples :math:`x_0, \ldots, x_{N-1}`, their mean :math:`\mu` and target :math:`L` in dB:

    .. math::

        \text{peak:} \quad y_n &= 10^{L/20} \; x_n \,/\, \max_k |x_k| \\
        \text{rms:} \quad y_n &= 10^{L/20} \; x_n \,/\, \sqrt{\tfrac{1}{N} \sum_k x_k^2} \\
        \text{zscore:} \quad
        y_n &= (x_n - \mu) \,/\, \sqrt{\tfrac{1}{N} \sum_k (x_k - \mu)^2}

    The root mean square of a sine is 3.01 dB below its peak; no allowance is made for that, nor for
    how the ear weighs frequencies.

    **Full scale.** Nothing is clipped. ``"rms"`` may pass full scale where a clip has rare high
    peaks, and ``"zscore"`` does so for every clip. Features take it as it is, a sound file would
    not.

    **Silence.** A clip of zeros is left as it is: no factor makes it louder. ``"zscore"`` turns any
    constant clip, and one of a single sample, into zeros.

    **What is lost.** Loudness: anger and joy are loud, sadness is quiet, and among clips of one
    microphone and one distance that helps more than most features. Keep it there, and normalise
    where recordings of different origin meet.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import LevelNormalizer
    >>> waveforms = np.array([[0.2, -0.4, 0.1], [0.01, 0.02, np.nan]])
    >>> LevelNormalizer().fit_transform(waveforms)
    array([[ 0.5 , -1.  ,  0.25],
           [ 0.5 ,  1.  ,   nan]])
    >>> LevelNormalizer(method="rms", target_db=0).fit_transform([[0.1, -0.1]])
    array([[ 1., -1.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "method": [StrOptions({"peak", "rms", "zscore"})],
        "target_db": [Interval(Real, -120, 0, closed="both"), None],
    }

    def __init__(
        self,
        *,
        method: Literal["peak", "rms", "zscore"] = "peak",
        target_db: float | None = None,
    ) -> None:
        self.method = method
        self.target_db = target_db

    def _check_parameters(self) -> None:
        if self.method == "zscore" and self.target_db is not None:
            raise ValueError(
                f"target_db={self.target_db:g} has no meaning with method='zscore', which sets the "
                "standard deviation to 1. Leave it None, or take method='peak' or 'rms'."
            )

    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return normalize_level(samples, method=self.method, target_db=self.target_db)
