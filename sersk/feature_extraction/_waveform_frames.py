"""Features of frames that need no spectrum."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from ._base import FrameTransformer
from ._settings import FrameSettings


class ZeroCrossingRate(FrameTransformer):
    r"""Share of samples in each frame at which the waveform changes its sign.

    High in hiss and low in voiced sound. Values equal
    :func:`librosa.feature.zero_crossing_rate` on the clip without its padding.

    Parameters
    ----------
    frame_length : int, default=2048
        Length of a frame, in samples.

    hop_length : int, default=512
        Distance of two frames, in samples.

    threshold : float, default=1e-10
        Samples whose magnitude is at most this have no sign, >= 0.

    backend : {"auto", "numba", "scipy", "reference"}, default="auto"
        Who computes. ``"numba"`` are compiled kernels, ``"scipy"`` takes any `n_fft` and is several
        times slower, ``"reference"`` is librosa, clip by clip. ``"auto"`` takes the kernels where
        they can; so does ``"numba"``, which is an error where numba is missing.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. The result does not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    RMSEnergy : The other feature that needs no spectrum.
    TimeDomainStats : Statistics of both and more, one vector a clip.

    Notes
    -----
    .. math::

        Z_t = \frac{1}{N} \sum_{n=1}^{N-1} [\operatorname{sgn} x_{n + th - N/2} \neq
              \operatorname{sgn} x_{n - 1 + th - N/2}]

    for frames of :math:`N` samples and a hop of :math:`h`, where zero counts as positive [1]_.
    Beyond the ends of a clip nothing crosses.

    References
    ----------
    .. [1] L. Rabiner and R. Schafer, "Digital processing of speech signals", Prentice-Hall, 1978,
       section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import ZeroCrossingRate
    >>> tone = np.sin(2 * np.pi * 400 * np.arange(16000) / 16000 + 0.1)
    >>> rate = ZeroCrossingRate().fit_transform([tone])
    >>> rate.shape, round(float(rate[0, 0, 16]), 2)  # 800 crossings in 16,000 samples
    ((1, 1, 32), 0.05)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "frame_length": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        threshold: float = 1e-10,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.threshold = threshold
        self.backend = backend
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            n_fft=self.frame_length,
            hop_length=self.hop_length,
            threshold=self.threshold,
        )

    def _wanted(self) -> tuple[str, ...]:
        return ("zcr",)


class RMSEnergy(FrameTransformer):
    r"""Root of the mean square of each frame: the level of the waveform.

    Values equal :func:`librosa.feature.rms` on the clip without its padding.

    Parameters
    ----------
    frame_length : int, default=2048
        Length of a frame, in samples.

    hop_length : int, default=512
        Distance of two frames, in samples.

    backend : {"auto", "numba", "scipy", "reference"}, default="auto"
        Who computes. ``"numba"`` are compiled kernels, ``"scipy"`` takes any `n_fft` and is several
        times slower, ``"reference"`` is librosa, clip by clip. ``"auto"`` takes the kernels where
        they can; so does ``"numba"``, which is an error where numba is missing.

    fft_precision : {"exact", "fast"}, default="exact"
        ``"exact"`` computes in double precision, ``"fast"`` in single.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. The result does not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    ZeroCrossingRate : The other feature that needs no spectrum.
    TimeDomainStats : Statistics of both and more, one vector a clip.

    Notes
    -----
    .. math:: E_t = \sqrt{\frac{1}{N} \sum_{n=0}^{N-1} x_{n + th - N/2}^2}

    for frames of :math:`N` samples and a hop of :math:`h` [1]_. Around the clip there is silence.

    References
    ----------
    .. [1] L. Rabiner and R. Schafer, "Digital processing of speech signals", Prentice-Hall, 1978,
       section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import RMSEnergy
    >>> tone = np.sin(2 * np.pi * 400 * np.arange(16000) / 16000)
    >>> level = RMSEnergy().fit_transform([tone])
    >>> level.shape, round(float(level[0, 0, 16]), 2)
    ((1, 1, 32), 0.71)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "frame_length": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.backend = backend
        self.fft_precision = fft_precision
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            n_fft=self.frame_length,
            hop_length=self.hop_length,
        )

    def _wanted(self) -> tuple[str, ...]:
        return ("rms",)
