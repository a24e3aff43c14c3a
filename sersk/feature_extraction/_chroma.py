"""Pitch classes, and their place in harmony."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ._base import FrameTransformer
from ._settings import FrameSettings, check_constant_q, check_spectrum


class Chroma(FrameTransformer):
    r"""Power in pitch classes, of each frame.

    Frequencies an octave apart are added up, so that what is left is the pitch without its octave:
    twelve numbers for the semitones. Values equal :func:`librosa.feature.chroma_stft` on the clip
    without its padding.

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

    n_chroma : int, default=12
        Number of pitch classes an octave is divided in.

    tuning : float, default=None
        Deviation from A = 440 Hz, in pitch classes, at least -0.5 and below 0.5. By default it is
        estimated for each clip, on a grid of 0.01.

    norm : {inf, 1, 2, None}, default=inf
        Each frame is divided by its largest value, its sum, its Euclidean length, or not at all.

    backend : {"auto", "numba", "scipy", "reference"}, default="auto"
        Who computes. ``"numba"`` are compiled kernels, ``"scipy"`` takes any `n_fft` and is several
        times slower, ``"reference"`` is librosa, clip by clip. ``"auto"`` takes the kernels where
        they can; so does ``"numba"``, which is an error where numba is missing.

    fft_precision : {"exact", "fast"}, default="exact"
        ``"exact"`` computes in double precision, ``"fast"`` in single. See Notes.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. The result does not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    Tonnetz : Chroma in coordinates of harmony.
    FrameFeatures : Several features from one spectrum.

    Notes
    -----
    A bin of frequency :math:`f` is shared among the classes :math:`c` by
    :math:`e^{-2 d^2}`, with :math:`d` the distance from :math:`c` to
    :math:`12 \log_2(f / f_\text{tuned})` around the octave, in classes, and weighed by its octave;
    then the power is summed [1]_. A silent frame has zeros.

    The tuning of a clip is the most frequent deviation of its stronger spectral peaks from the
    semitones. It jumps: where two deviations are nearly as frequent, a rounding error decides. That
    happens in about one clip in a hundred, most often where frames hold a few samples that are not
    zero; librosa itself differs as often between single and double precision. In speech the tuning
    means little; ``tuning=0.0`` is steadier and saves time. (For an odd `n_fft`, librosa estimates
    it as if `n_fft` were one less; here it is not.)

    Single precision (``fft_precision="fast"``) differs from double by less than 1e-5 of the
    feature's largest magnitude, and 0.002 dB in logarithms within 80 dB of the loudest, if
    the waveform has no strong constant offset.

    References
    ----------
    .. [1] D. Ellis, "Chroma feature analysis and synthesis", Columbia University, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import Chroma
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    >>> chroma = Chroma().fit_transform([tone])
    >>> chroma.shape, int(chroma[0, :, 16].argmax())  # A is nine semitones above C
    ((1, 12, 32), 9)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "n_chroma": [Interval(Integral, 1, None, closed="left")],
        "tuning": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "norm": [Options(Real, {np.inf, 1, 2}), None],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
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
        n_chroma: int = 12,
        tuning: float | None = None,
        norm: float | None = np.inf,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.n_chroma = n_chroma
        self.tuning = tuning
        self.norm = norm
        self.backend = backend
        self.fft_precision = fft_precision
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            n_chroma=self.n_chroma,
            tuning=self.tuning,
            chroma_norm=self.norm,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_spectrum(settings)

    def _wanted(self) -> tuple[str, ...]:
        return ("chroma",)


class Tonnetz(FrameTransformer):
    r"""Tonal centroids of each frame: pitch classes as points on three circles.

    The pitch classes of a frame are placed on the circle of fifths, of minor and of major thirds;
    each circle has a centre of gravity with two coordinates. Values equal
    :func:`librosa.feature.tonnetz` on the clip without its padding.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    chroma : {"cqt", "stft"}, default="cqt"
        Transform that the pitch classes come from: constant-Q, which is librosa's default and takes
        tens of milliseconds a clip, or the short-time Fourier transform, which takes a fraction of
        one.

    n_fft : int, default=2048
        Length of the short-time Fourier transform, in samples; with ``chroma="cqt"`` it, and its
        window, have no effect.

    hop_length : int, default=512
        Distance of two frames, in samples; with ``chroma="cqt"`` a multiple of 64.

    win_length : int, default=None
        Length of the window, in samples, at most `n_fft`; shorter ones are padded with zeros on
        both sides. By default `n_fft`.

    window : str, default="hann"
        Name of a window of :func:`scipy.signal.get_window` that takes no parameter.

    tuning : float, default=None
        Deviation from A = 440 Hz, in pitch classes, at least -0.5 and below 0.5. By default it is
        estimated for each clip, on a grid of 0.01.

    backend : {"auto", "numba", "scipy", "reference"}, default="auto"
        Who computes. ``"numba"`` are compiled kernels, ``"scipy"`` takes any `n_fft` and is several
        times slower, ``"reference"`` is librosa, clip by clip. ``"auto"`` takes the kernels where
        they can; so does ``"numba"``, which is an error where numba is missing.

    fft_precision : {"exact", "fast"}, default="exact"
        ``"exact"`` computes in double precision, ``"fast"`` in single. See Notes.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. The result does not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    Chroma : The pitch classes themselves.

    Notes
    -----
    With the chroma :math:`c_l` of sum 1, and :math:`\phi` the angle of class :math:`l` on circle
    :math:`i`, the coordinates are :math:`r_i \sum_l c_l \sin \phi_{il}` and
    :math:`r_i \sum_l c_l \cos \phi_{il}`, with radii 1, 1 and 0.5 [1]_. A silent frame has zeros.

    The constant-Q transform spans seven octaves from 32.7 Hz and takes a `sample_rate` above
    8.8 kHz.

    Single precision (``fft_precision="fast"``) differs from double by less than 1e-5 of the
    feature's largest magnitude, and 0.002 dB in logarithms within 80 dB of the loudest, if
    the waveform has no strong constant offset.

    References
    ----------
    .. [1] C. Harte, M. Sandler and M. Gasser, "Detecting harmonic change in musical audio",
       Workshop on Audio and Music Computing for Multimedia, ACM Multimedia, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import Tonnetz
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> Tonnetz(chroma="stft").fit_transform(waveforms).shape
    (2, 6, 32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "chroma": [StrOptions({"cqt", "stft"})],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "win_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str],
        "tuning": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        chroma: Literal["cqt", "stft"] = "cqt",
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: str = "hann",
        tuning: float | None = None,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.chroma = chroma
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.tuning = tuning
        self.backend = backend
        self.fft_precision = fft_precision
        self.n_jobs = n_jobs

    def _settings(self) -> FrameSettings:
        return FrameSettings(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            tuning=self.tuning,
            tonnetz_chroma=self.chroma,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_spectrum(settings)
        if self.chroma == "cqt":
            check_constant_q(self.sample_rate, self.hop_length)

    def _wanted(self) -> tuple[str, ...]:
        return ("tonnetz",)
