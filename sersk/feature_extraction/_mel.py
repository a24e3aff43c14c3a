"""Mel spectrograms, as powers and as levels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ._base import FrameTransformer
from ._settings import FrameSettings, check_mel_bands, check_spectrum


class MelSpectrogram(FrameTransformer):
    r"""Power in mel bands, of each frame.

    Mel bands are narrow where hearing is fine, at low frequencies, and wide above. Values equal
    :func:`librosa.feature.melspectrogram` on the clip without its padding.

    Parameters
    ----------
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

    power : {1.0, 2.0}, default=2.0
        Exponent of the magnitude spectrum: 1 for amplitude, 2 for power.

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
    LogMelSpectrogram : The same in decibels, with derivatives.
    FrameFeatures : Several features from one spectrum.

    Notes
    -----
    With the window :math:`w` and the filter bank :math:`W` of triangles [1]_,

    .. math::

        S_m = \sum_k W_{mk} \Big| \sum_{n=0}^{N-1} w_n x_{n + th - N/2} e^{-2 \pi i k n / N} \Big|^p

    in frame :math:`t`, where :math:`h` is the hop, :math:`N` the length of the transform and
    :math:`p` the exponent. Around the clip there is silence.

    Single precision (``fft_precision="fast"``) differs from double by less than 1e-5 of the
    feature's largest magnitude, and 0.002 dB in logarithms within 80 dB of the loudest, if
    the waveform has no strong constant offset.

    References
    ----------
    .. [1] M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import MelSpectrogram
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> MelSpectrogram(n_mels=64).fit_transform(waveforms).shape
    (2, 64, 32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "power": [Options(Real, {1.0, 2.0})],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "htk": ["boolean"],
        "norm": [StrOptions({"slaney"}), None],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
        "device": [StrOptions({"cpu", "cuda"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: str = "hann",
        power: float = 2.0,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: Literal["slaney"] | None = "slaney",
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.power = power
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
        self.backend = backend
        self.fft_precision = fft_precision
        self.device = device
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            power=self.power,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=self.norm,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_spectrum(settings)
        check_mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.htk)

    def _wanted(self) -> tuple[str, ...]:
        return ("mel",)


class LogMelSpectrogram(FrameTransformer):
    r"""Level in mel bands and its derivatives: an image of each clip.

    The picture that convolutional nets look at: time across, frequency up, and a channel for the
    level and each derivative. Values equal :func:`librosa.power_to_db` of
    :func:`librosa.feature.melspectrogram` (amplitude_to_db for ``power=1``), and
    :func:`librosa.feature.delta`, on the clip without its padding.

    Parameters
    ----------
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

    power : {1.0, 2.0}, default=2.0
        Exponent of the magnitude spectrum: 1 for amplitude, 2 for power.

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

    ref : float or "max", default=1.0
        What 0 dB means, > 0; ``"max"`` is the largest value in the clip.

    amin : float, default=1e-10
        Smallest power that is told from silence, > 0.

    top_db : float, default=80.0
        What lies farther than this below the clip's loudest value is raised to that, in dB, >= 0;
        ``None`` for no such limit.

    deltas : {0, 1, 2}, default=0
        Number of derivatives over time that are added as channels.

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
    MelSpectrogram : Not in decibels.
    MFCC : The same in few numbers.

    Notes
    -----
    With the power :math:`S_m` in mel band :math:`m` [1]_,

    .. math::

        L_m = \max\left(10 \log_{10} \frac{\max(S_m, a)}{r}, \; L_{\max} - D\right)

    where :math:`a` is `amin`, :math:`r` is `ref`, :math:`D` is `top_db` and :math:`L_{\max}` the
    largest value in the clip.

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
    .. [1] M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research, 1998.
    .. [2] A. Savitzky and M. Golay, "Smoothing and differentiation of data by simplified least
       squares procedures", Analytical Chemistry 36(8), 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import LogMelSpectrogram
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> LogMelSpectrogram(n_mels=64, deltas=2).fit_transform(waveforms).shape
    (2, 3, 64, 32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "power": [Options(Real, {1.0, 2.0})],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "htk": ["boolean"],
        "norm": [StrOptions({"slaney"}), None],
        "ref": [Interval(Real, 0, None, closed="neither"), StrOptions({"max"})],
        "amin": [Interval(Real, 0, None, closed="neither")],
        "top_db": [Interval(Real, 0, None, closed="left"), None],
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
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: str = "hann",
        power: float = 2.0,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: Literal["slaney"] | None = "slaney",
        ref: float | Literal["max"] = 1.0,
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        deltas: Literal[0, 1, 2] = 0,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.power = power
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
        self.ref = ref
        self.amin = amin
        self.top_db = top_db
        self.deltas = deltas
        self.backend = backend
        self.fft_precision = fft_precision
        self.device = device
        self.n_jobs = n_jobs

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the images.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        Returns
        -------
        images : ndarray of shape (n_clips, 1 + deltas, n_mels, 1 + n_samples // hop_length)
            Of type float32 if `X` is, else float64; NaN after the last frame of a clip.

        Raises
        ------
        ValueError
            If a waveform holds infinity, or NaN before its end.
        SerskError
            If `backend` or `device` asks for what is not there.
        """
        frames = super().transform(X)
        n_clips, _, n_frames = frames.shape
        return frames.reshape(n_clips, 1 + self.deltas, self.n_mels, n_frames)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the channels.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored: the names do not depend on what comes in.

        Returns
        -------
        names : ndarray of shape (1 + deltas,), object
            One name a channel, the second axis of the output.
        """
        return np.array(self._wanted(), dtype=object)

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            power=self.power,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=self.norm,
            ref=self.ref,
            amin=self.amin,
            top_db=self.top_db,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_spectrum(settings)
        check_mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.htk)

    def _wanted(self) -> tuple[str, ...]:
        return ("log_mel", "log_mel_delta", "log_mel_delta2")[: 1 + self.deltas]
