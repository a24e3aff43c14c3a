"""Fundamental frequency."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from ._base import FrameTransformer
from ._settings import FrameSettings, check_pitch


class Pitch(FrameTransformer):
    r"""Fundamental frequency of each frame, in Hz.

    Values equal :func:`librosa.yin` and :func:`librosa.pyin` on the clip without its padding.

    Parameters
    ----------
    method : {"yin", "pyin"}, default="yin"
        ``"yin"`` gives the frequency of each frame by itself, ``"pyin"`` the likeliest course of it
        over the clip, and where there is voice; it takes about 30 times as long.

    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    fmin : float, default=65.0
        Lowest frequency, in Hz. Two periods must fit in `frame_length`.

    fmax : float, default=500.0
        Highest frequency, in Hz, at most half of `sample_rate`.

    frame_length : int, default=2048
        Length of a frame, in samples.

    hop_length : int, default=512
        Distance of two frames, in samples.

    trough_threshold : float, default=0.1
        How deep a trough must lie to be taken for the period, > 0; for ``"yin"`` only.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    TimeDomainStats : Statistics of a quicker estimate.
    VoiceQuality : Praat's pitch, jitter and shimmer.

    Notes
    -----
    YIN takes the shortest lag at which the waveform is nearly like itself [1]_: with the difference
    :math:`d(\tau) = \sum_n (x_n - x_{n + \tau})^2`, the first :math:`\tau` where
    :math:`d(\tau) \tau / \sum_{j \le \tau} d(j)` has a trough below the threshold, or the deepest
    trough if none is. It gives a frequency for silence and noise too. pYIN weighs many thresholds
    and finds the likeliest path with a hidden Markov model [2]_; it has three features: ``f0_pyin``
    (where there is no voice the best guess, not NaN, which would mean that there is no frame),
    ``voiced`` (0 or 1) and ``voiced_probability``.

    References
    ----------
    .. [1] A. de Cheveigne and H. Kawahara, "YIN, a fundamental frequency estimator for speech and
       music", Journal of the Acoustical Society of America 111(4), 2002.
    .. [2] M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic
       threshold distributions", International Conference on Acoustics, Speech and Signal
       Processing, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import Pitch
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    >>> pitch = Pitch().fit_transform([tone])
    >>> pitch.shape, round(float(pitch[0, 0, 16]))
    ((1, 1, 32), 200)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "method": [StrOptions({"yin", "pyin"})],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="neither")],
        "fmax": [Interval(Real, 0, None, closed="neither")],
        "frame_length": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "trough_threshold": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        method: Literal["yin", "pyin"] = "yin",
        sample_rate: int = 16000,
        fmin: float = 65.0,
        fmax: float = 500.0,
        frame_length: int = 2048,
        hop_length: int = 512,
        trough_threshold: float = 0.1,
    ) -> None:
        self.method = method
        self.sample_rate = sample_rate
        self.fmin = fmin
        self.fmax = fmax
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.trough_threshold = trough_threshold

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.frame_length,
            hop_length=self.hop_length,
            pitch_fmin=self.fmin,
            pitch_fmax=self.fmax,
            trough_threshold=self.trough_threshold,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_pitch(settings)

    def _wanted(self) -> tuple[str, ...]:
        return (self.method,)
