"""The shape of the spectrum in few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from ._base import FrameTransformer
from ._extraction import check_features
from ._settings import FrameSettings, check_contrast, check_spectrum

SHAPES = ("centroid", "bandwidth", "rolloff", "flatness", "contrast")


class SpectralShape(FrameTransformer):
    r"""Where in frequency the sound of each frame lies, and how it is spread.

    Centroid, bandwidth and rolloff in Hz, flatness between 0 (a tone) and 1 (noise), contrast of
    peaks and valleys in octave bands in dB. Values equal librosa's ``spectral_*`` features on the
    clip without its padding.

    Parameters
    ----------
    features : sequence of str, default=("centroid", ..., "contrast")
        What is computed, of ``"centroid"``, ``"bandwidth"``, ``"rolloff"``, ``"flatness"`` and
        ``"contrast"`` (all of them by default), in this order.

    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    n_fft : int, default=2048
        Length of the Fourier transform, in samples. Powers of two from 128 to 8192 are fastest.

    hop_length : int, default=512
        Distance of two frames, in samples.

    win_length : int, default=None
        Length of the window, in samples, at most `n_fft`; shorter ones are padded with zeros on
        both sides. By default `n_fft`.

    window : str, default="hann"
        Name of a window of :func:`scipy.signal.get_window` that takes no parameter.

    roll_percent : float, default=0.85
        Part of the spectrum below the rolloff, between 0 and 1.

    amin : float, default=1e-10
        Smallest power that is told from silence, > 0.

    n_bands : int, default=6
        Number of octaves of the contrast above 200 Hz; the band below is one more. The highest must
        begin below half of `sample_rate`.

    quantile : float, default=0.02
        Part of a band's bins that is taken for its peaks, and for its valleys; between 0 and 1.

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
    FrameFeatures : These and others from one spectrum.

    Notes
    -----
    With the magnitudes :math:`m_k` at frequencies :math:`f_k` and :math:`p_k = m_k / \sum_j m_j`,

    .. math::

        \text{centroid} = \sum_k p_k f_k, \qquad
        \text{bandwidth} = \sqrt{\sum_k p_k (f_k - \text{centroid})^2}, \qquad
        \text{flatness} = \frac{\exp \frac{1}{K} \sum_k \ln m_k^2}{\frac{1}{K} \sum_k m_k^2};

    the rolloff is the lowest frequency with :math:`\sum_{j \le k} p_j \ge` `roll_percent`. The
    contrast of a band is the level of its strongest bins over that of its weakest [1]_. Silence has
    a centroid, bandwidth, rolloff and contrast of 0 and a flatness of 1.

    All is computed in double precision: single precision has its rounding errors in nearly empty
    bins, and the shape would be made of them.

    References
    ----------
    .. [1] D. Jiang, L. Lu, H. Zhang, J. Tao and L. Cai, "Music type classification by spectral
       contrast feature", International Conference on Multimedia and Expo, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import SpectralShape
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> shape = SpectralShape()
    >>> shape.fit_transform(waveforms).shape
    (2, 11, 32)
    >>> shape.get_feature_names_out()[:5].tolist()
    ['centroid', 'bandwidth', 'rolloff', 'flatness', 'contrast0']
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "features": [list, tuple],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "roll_percent": [Interval(Real, 0, 1, closed="neither")],
        "amin": [Interval(Real, 0, None, closed="neither")],
        "n_bands": [Interval(Integral, 1, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        features: Sequence[str] = SHAPES,
        sample_rate: int = 16000,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: str = "hann",
        roll_percent: float = 0.85,
        amin: float = 1e-10,
        n_bands: int = 6,
        quantile: float = 0.02,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.features = features
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.roll_percent = roll_percent
        self.amin = amin
        self.n_bands = n_bands
        self.quantile = quantile
        self.backend = backend
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            roll_percent=self.roll_percent,
            amin=self.amin,
            n_bands=self.n_bands,
            quantile=self.quantile,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_features(self.features, SHAPES)
        check_spectrum(settings)
        if "contrast" in self.features:
            check_contrast(self.sample_rate, self.n_fft, self.n_bands, self.quantile)

    def _wanted(self) -> tuple[str, ...]:
        return tuple(self.features)
