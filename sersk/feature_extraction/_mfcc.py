"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import get_window
from sklearn.utils._param_validation import Interval

from . import _reference
from ._base import FrameTransformer


class MFCC(FrameTransformer):
    r"""Mel-frequency cepstral coefficients of each frame.

    The discrete cosine transform of the log-mel spectrum: the coarse shape of the spectrum in few,
    nearly uncorrelated numbers. The zeroth coefficient follows the level, the low ones the tilt of
    the spectrum and the vowel, the high ones its fine structure. Values equal
    :func:`librosa.feature.mfcc` on the clip without its padding.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    n_mfcc : int, default=40
        Number of coefficients, at most `n_mels`.

    n_fft : int, default=2048
        Length of the Fourier transform, in samples.

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

    lifter : float, default=0
        Strength of the cepstral lifter, >= 0; 0 for none. Coefficient :math:`k` (from 0) is
        multiplied by :math:`1 + \frac{L}{2} \sin(\pi (k + 1) / L)`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    Functionals : Summarise the frames in one vector a clip.
    sersk.preprocessing.AudioReader : Makes the waveforms.

    Notes
    -----
    With :math:`S_m` the power in mel band :math:`m` of :math:`M` (Slaney's bands, of equal area),

    .. math::

        C_k = \sqrt{\frac{2 - \delta_{k0}}{M}} \sum_{m=0}^{M-1} L_m
              \cos\left(\frac{\pi k (2 m + 1)}{2 M}\right),
        \qquad L_m = \max(10 \log_{10} \max(S_m, 10^{-10}), L_{\max} - 80)

    where :math:`L_{\max}` is the largest value in the clip [1]_.

    References
    ----------
    .. [1] S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech,
       and Signal Processing 28(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import MFCC
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> MFCC(n_mfcc=13).fit_transform(waveforms).shape
    (2, 13, 32)
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
        "lifter": [Interval(Real, 0, None, closed="left")],
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
        lifter: float = 0,
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
        self.lifter = lifter

    def _check_parameters(self) -> None:
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc} coefficients cannot come from n_mels={self.n_mels} bands: "
                "n_mfcc <= n_mels is needed."
            )
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ValueError(f"win_length={self.win_length} must not exceed n_fft={self.n_fft}.")
        get_window(self.window, 2)  # raises for a name that is none
        check_mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax)

    def _feature_names(self) -> list[str]:
        return [f"mfcc{index}" for index in range(self.n_mfcc)]

    def _extract(self, samples: NDArray[np.floating]) -> NDArray[np.floating]:
        return _reference.mfcc(
            samples,
            sample_rate=self.sample_rate,
            n_mfcc=self.n_mfcc,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            lifter=self.lifter,
        )


def check_mel_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> None:
    """Refuse bands above half the sample rate, and so many that some hold no spectral bin."""
    nyquist = sample_rate / 2
    if fmax is not None and fmax > nyquist:
        raise ValueError(
            f"fmax={fmax:g} Hz lies above half the sample rate ({nyquist:g} Hz): nothing is there."
        )
    top = nyquist if fmax is None else fmax
    if fmin >= top:
        raise ValueError(f"fmin={fmin:g} Hz must lie below the upper edge, {top:g} Hz.")

    import librosa

    # Edges in bins: a band holds nothing where no whole number lies between its two edges. A band
    # that begins at 0 Hz is allowed to, as librosa does.
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=top) * n_fft / sample_rate
    empty = (np.floor(edges[:-2]) + 1 >= edges[2:]) & (edges[:-2] > 0)
    if empty.any():
        raise ValueError(
            f"n_mels={n_mels} bands are too many for n_fft={n_fft} at {sample_rate} Hz: "
            f"{int(empty.sum())} of them hold no bin of the spectrum and would stay silent. "
            "Lower n_mels or raise n_fft."
        )
