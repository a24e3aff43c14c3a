"""The step that brings all clips to one length."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import WaveformTransformer


def pad_or_trim(samples: NDArray[np.float64], n_samples: int, pad: str) -> NDArray[np.float64]:
    """Cut a clip that is too long, lengthen one that is too short.

    Parameters
    ----------
    samples : ndarray of shape (n_samples_in,)
        One clip, of at least one sample.
    n_samples : int
        Length wanted.
    pad : {"nan", "zero", "repeat"}
        What stands after the end of a shorter clip.

    Returns
    -------
    fitted : ndarray of shape (n_samples,)
        The clip; shorter if that is padded with NaN, which is no sound.
    """
    if pad == "repeat":
        return np.resize(samples, n_samples)
    kept = samples[:n_samples]
    if pad == "zero":
        return np.pad(kept, (0, n_samples - len(kept)))
    return kept


class PadOrTrim(WaveformTransformer):
    """Bring the array of waveforms to one length.

    Longer clips are cut at their end, shorter ones are padded.

    Parameters
    ----------
    duration : float, default=None
        Length of the output in seconds, > 0: ``round(duration * sample_rate)`` samples, at least
        one. By default the width that comes in.

    pad : {"nan", "zero", "repeat"}, default="nan"
        What stands after the end of a shorter clip: NaN, which means that no sound is there; zeros;
        or the clip again, from its beginning, as often as it takes.

    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    AudioReader : Its ``duration`` reads no more than that; its output is padded with NaN.
    sersk.feature_extraction.FillPadding : Numbers for the padding of frames, behind the last step
        that knows where a clip ends.

    Notes
    -----
    Published systems for clips of one length pad with zeros. For all later steps zeros are sound,
    as is the repeated clip: statistics over time take them in, :class:`LevelNormalizer` does with
    ``"rms"`` and ``"zscore"``, and :class:`SilenceTrimmer` would cut the zeros off again. So this
    is the last step on waveforms. With ``"nan"`` the end of a clip stays known, and a statistic
    does not depend on how short the clip is.

    **Silence.** A clip of zeros stays one, of the new length with ``"zero"`` and ``"repeat"``. A
    clip without a sample (all NaN, as of an unreadable file) stays all NaN whatever `pad` says.

    **What is lost.** The duration, unless `pad` is ``"nan"``; and what a long clip says at its end.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import PadOrTrim
    >>> waveforms = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, np.nan, np.nan]])
    >>> PadOrTrim(duration=3, pad="repeat", sample_rate=1).fit_transform(waveforms)
    array([[0.1, 0.2, 0.3],
           [0.5, 0.6, 0.5]])
    >>> PadOrTrim(pad="zero").fit_transform(waveforms)
    array([[0.1, 0.2, 0.3, 0.4],
           [0.5, 0.6, 0. , 0. ]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "pad": [StrOptions({"nan", "zero", "repeat"})],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
    }

    # Padding of zeros reaches to the width that comes in.
    _skips_padding = False

    def __init__(
        self,
        *,
        duration: float | None = None,
        pad: Literal["nan", "zero", "repeat"] = "nan",
        sample_rate: int = 16000,
    ) -> None:
        self.duration = duration
        self.pad = pad
        self.sample_rate = sample_rate

    def _n_samples_out(self, n_samples: int) -> int:
        if self.duration is None:
            return n_samples
        return max(1, round(self.duration * self.sample_rate))

    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return pad_or_trim(samples, width, self.pad)
