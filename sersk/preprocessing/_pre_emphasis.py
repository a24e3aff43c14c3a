"""The step that lifts high frequencies."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._base import WaveformTransformer


def pre_emphasize(samples: NDArray[np.float64], coefficient: float) -> NDArray[np.float64]:
    """Subtract from each sample a share of the one before.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    coefficient : float
        The share.

    Returns
    -------
    emphasized : ndarray of shape (n_samples,)
        The filtered clip.
    """
    emphasized = samples.copy()
    emphasized[1:] -= coefficient * samples[:-1]
    # librosa's start; a single sample is taken to go on at its level.
    emphasized[0] = 3 * samples[0] - samples[min(1, len(samples) - 1)]
    return emphasized


class PreEmphasis(WaveformTransformer):
    r"""Lift high frequencies by a difference filter of first order.

    The values are those of :func:`librosa.effects.preemphasis`. A voice loses some 6 dB an octave
    on its way out of the mouth; the filter gives that back.

    Parameters
    ----------
    coefficient : float, default=0.97
        Share of the sample before that is subtracted, from 0 (nothing changes, but for the first
        sample) to 1 (the plain difference). 0.95 to 0.97 is usual at 16,000 Hz.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    sersk.feature_extraction.MFCC : What is usually computed of it.
    LevelNormalizer : After this step, which changes the level.

    Notes
    -----
    With coefficient :math:`k` [1]_:

    .. math:: y_n = x_n - k \, x_{n-1}, \qquad y_0 = 3 x_0 - x_1

    The gain is :math:`1 - k` at 0 Hz (-30 dB by default) and :math:`1 + k` at half the sample rate
    (+6 dB), so an offset nearly vanishes. The first sample is librosa's: it hands the extrapolated
    sample :math:`2 x_0 - x_1` to the filter as its state, whatever :math:`k` is. Where a clip does
    not begin in silence, that is a click. A clip of one sample is taken to go on at its level:
    :math:`y_0 = 2 x_0`, where librosa fails.

    **Silence.** A clip of zeros stays one.

    **What is lost.** The balance of low and high frequencies is still there, tilted alike for all
    clips. Features of loudness then hear consonants and hiss more than vowels, and noise at high
    frequencies is lifted as well. Log-mel values and MFCC are only shifted, each band by nearly a
    constant, which a scaler takes away again.

    References
    ----------
    .. [1] S. Young et al., "The HTK Book", version 3.4, Cambridge University Engineering
       Department, 2006, section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import PreEmphasis
    >>> waveforms = np.array([[0.0, 0.0, 0.5, 0.5, 0.5, np.nan]])
    >>> PreEmphasis(coefficient=0.5).fit_transform(waveforms)
    array([[0.  , 0.  , 0.5 , 0.25, 0.25,  nan]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "coefficient": [Interval(Real, 0, 1, closed="both")]
    }

    def __init__(self, *, coefficient: float = 0.97) -> None:
        self.coefficient = coefficient

    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return pre_emphasize(samples, self.coefficient)
