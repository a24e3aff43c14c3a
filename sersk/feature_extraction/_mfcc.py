"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, Options, StrOptions

from ._base import FrameTransformer
from ._settings import FrameSettings, check_mel_bands, check_mfcc, check_spectrum


class MFCC(FrameTransformer):
    r"""Mel-frequency cepstral coefficients of each frame, and their derivatives.

    The discrete cosine transform of the log-mel spectrum: the coarse shape of the spectrum in few,
    nearly uncorrelated numbers. The zeroth coefficient follows the level, the low ones the tilt of
    the spectrum and the vowel, the high ones its fine structure. Values equal
    :func:`librosa.feature.mfcc` and :func:`librosa.feature.delta` on the clip without its padding.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    n_mfcc : int, default=40
        Number of coefficients, at most `n_mels`.

    n_fft : int, default=2048
        Length of the Fourier transform, in samples. Powers of two from 128 to 8192 are fastest.

    hop_length : int, default=512
        Distance of two frames, in samples.

    win_length : int, default=None
        Length of the window, in samples, at most `n_fft`; shorter ones are padded with zeros on
        both sides. By default `n_fft`.

    window : str, default="hann"
        Name of a window of :func:`scipy.signal.get_window` that takes no parameter.

    n_mels : int, default=128
        Number of mel bands.

    fmin : float, default=0.0
        Lower edge of the lowest band, in Hz.

    fmax : float, default=None
        Upper edge of the highest band, in Hz, at most half of `sample_rate`. By default that half.

    htk : bool, default=False
        Whether mel is HTK's formula instead of Slaney's.

    norm : {"slaney", None}, default="slaney"
        ``"slaney"`` gives bands equal area, ``None`` equal height.

    lifter : float, default=0
        Strength of the cepstral lifter, >= 0; 0 for none. Coefficient :math:`k` (from 0) is
        multiplied by :math:`1 + \frac{L}{2} \sin(\pi (k + 1) / L)`.

    deltas : {0, 1, 2}, default=0
        Number of derivatives over time that follow the coefficients.

    backend : {"auto", "numba", "scipy", "reference"}, default="auto"
        Who computes. ``"numba"`` are compiled kernels, ``"scipy"`` takes any `n_fft` and is several
        times slower, ``"reference"`` is librosa, clip by clip. ``"auto"`` takes the kernels where
        they can; so does ``"numba"``, which is an error where numba is missing.

    fft_precision : {"exact", "fast"}, default="exact"
        ``"exact"`` computes in double precision, ``"fast"`` in single. See Notes.

    device : {"cpu", "cuda"}, default="cpu"
        With ``"cuda"`` torch computes on a GPU; `backend` and `n_jobs` are then without effect.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. The result does not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    Functionals : Summarise the frames in one vector a clip.
    FrameFeatures : Several features from one spectrum.
    sersk.preprocessing.AudioReader : Makes the waveforms.

    Notes
    -----
    With :math:`S_m` the power in mel band :math:`m` of :math:`M` (Slaney's bands, of equal area),

    .. math::

        C_k = \sqrt{\frac{2 - \delta_{k0}}{M}} \sum_{m=0}^{M-1} L_m
              \cos\left(\frac{\pi k (2 m + 1)}{2 M}\right),
        \qquad L_m = \max(10 \log_{10} \max(S_m, 10^{-10}), L_{\max} - 80)

    where :math:`L_{\max}` is the largest value in the clip [1]_.

    Derivatives are Savitzky-Golay filters of nine frames, as in :func:`librosa.feature.delta`:
    the derivative of order :math:`o` of the polynomial of degree :math:`o` that fits the nine
    frames best [2]_. In the first and last four frames of a clip it is that of the first and last
    nine. A clip of fewer than nine frames has no such fit: its first and last frames are held
    beyond its ends (librosa's ``mode="nearest"``), so a clip of one frame has derivatives of 0.

    Single precision (``fft_precision="fast"``) differs from double by less than 1e-5 of the
    feature's largest magnitude, and 0.002 dB in logarithms within 80 dB of the loudest, if
    the waveform has no strong constant offset.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech,
       and Signal Processing 28(4), 1980.
    .. [2] A. Savitzky and M. Golay, "Smoothing and differentiation of data by simplified least
       squares procedures", Analytical Chemistry 36(8), 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import MFCC
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> MFCC(n_mfcc=13, deltas=1).fit_transform(waveforms).shape
    (2, 26, 32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "htk": ["boolean"],
        "norm": [StrOptions({"slaney"}), None],
        "lifter": [Interval(Real, 0, None, closed="left")],
        "deltas": [Options(Integral, {0, 1, 2})],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
        "device": [StrOptions({"cpu", "cuda"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        n_mfcc: int = 40,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: str = "hann",
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: Literal["slaney"] | None = "slaney",
        lifter: float = 0,
        deltas: Literal[0, 1, 2] = 0,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
        self.lifter = lifter
        self.deltas = deltas
        self.backend = backend
        self.fft_precision = fft_precision
        self.device = device
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_mfcc=self.n_mfcc,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=self.norm,
            lifter=self.lifter,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_spectrum(settings)
        check_mfcc(self.n_mfcc, self.n_mels)
        check_mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.htk)

    def _wanted(self) -> tuple[str, ...]:
        return ("mfcc", "mfcc_delta", "mfcc_delta2")[: 1 + self.deltas]
