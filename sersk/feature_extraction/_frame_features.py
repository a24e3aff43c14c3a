"""Several features from one spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, Options, StrOptions

from ._base import FrameTransformer
from ._extraction import FEATURES, check_features, split_delta
from ._settings import (
    FrameSettings,
    check_contrast,
    check_mel_bands,
    check_mfcc,
    check_pitch,
    check_spectrum,
)


class FrameFeatures(FrameTransformer):
    r"""Any features of frames, stacked, from one spectrum.

    Each clip is transformed once and everything is taken from that: the many features cost little
    more than the first. (:class:`sklearn.pipeline.FeatureUnion` would compute a spectrum for each,
    and refuses 3-D output.) The default is a stack of 182 that several published systems use.
    Values equal librosa's on the clip without its padding.

    Parameters
    ----------
    features : sequence of str, default=("mel", "mfcc", "chroma", "zcr", "rms")
        What is computed, in this order. Known are:

        - ``"mel"``, ``"log_mel"``, ``"mfcc"``, ``"chroma"``, ``"tonnetz"`` (of the chroma);
        - ``"log_mel_delta"``, ``"log_mel_delta2"``, ``"mfcc_delta"``, ``"mfcc_delta2"``;
        - ``"zcr"``, ``"rms"``, in frames of `n_fft` samples;
        - ``"centroid"``, ``"bandwidth"``, ``"rolloff"``, ``"flatness"``, ``"contrast"``;
        - ``"yin"``, ``"pyin"``, between `pitch_fmin` and `pitch_fmax`.

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
        Exponent of the magnitude spectrum in the mel bands: 1 for amplitude, 2 for power. The
        decibels of log-mel and MFCC are an amplitude's or a power's accordingly.

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

    amin : float, default=1e-10
        Smallest power that is told from silence, > 0.

    top_db : float, default=80.0
        What lies farther than this below the clip's loudest value is raised to that, in dB, >= 0;
        ``None`` for no such limit.

    n_mfcc : int, default=40
        Number of coefficients, at most `n_mels`.

    lifter : float, default=0
        Strength of the cepstral lifter, >= 0; 0 for none. Coefficient :math:`k` (from 0) is
        multiplied by :math:`1 + \frac{L}{2} \sin(\pi (k + 1) / L)`.

    n_chroma : int, default=12
        Number of pitch classes an octave is divided in.

    tuning : float, default=None
        Deviation from A = 440 Hz, in pitch classes, at least -0.5 and below 0.5. By default it is
        estimated for each clip, on a grid of 0.01.

    roll_percent : float, default=0.85
        Part of the spectrum below the rolloff, between 0 and 1.

    n_bands : int, default=6
        Number of octaves of the contrast above 200 Hz; the band below is one more. The highest must
        begin below half of `sample_rate`.

    quantile : float, default=0.02
        Part of a band's bins that is taken for its peaks, and for its valleys; between 0 and 1.

    pitch_fmin : float, default=65.0
        Lowest fundamental frequency, in Hz. Two periods must fit in `n_fft`.

    pitch_fmax : float, default=500.0
        Highest fundamental frequency, in Hz, at most half of `sample_rate`.

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
    LogMelSpectrogram : Images with derivatives as channels.
    Functionals : Summarise the frames in one vector a clip.

    Notes
    -----
    Formulas and sources stand with :class:`MelSpectrogram`, :class:`LogMelSpectrogram`,
    :class:`MFCC`, :class:`Chroma`, :class:`Tonnetz`, :class:`ZeroCrossingRate`,
    :class:`RMSEnergy`, :class:`SpectralShape` and :class:`Pitch`; where a parameter of theirs is
    not here, its default holds.

    Single precision (``fft_precision="fast"``) differs from double by less than 1e-5 of the
    feature's largest magnitude, and 0.002 dB in logarithms within 80 dB of the loudest, if
    the waveform has no strong constant offset.
    With one of the spectral shape among the features everything is computed in double precision.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import FrameFeatures
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> FrameFeatures().fit_transform(waveforms).shape
    (2, 182, 32)
    >>> FrameFeatures(features=["mfcc", "mfcc_delta", "rms"], n_mfcc=13).fit_transform(
    ...     waveforms
    ... ).shape
    (2, 27, 32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "features": [list, tuple],
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
        "amin": [Interval(Real, 0, None, closed="neither")],
        "top_db": [Interval(Real, 0, None, closed="left"), None],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "lifter": [Interval(Real, 0, None, closed="left")],
        "n_chroma": [Interval(Integral, 1, None, closed="left")],
        "tuning": [Interval(Real, -0.5, 0.5, closed="left"), None],
        "roll_percent": [Interval(Real, 0, 1, closed="neither")],
        "n_bands": [Interval(Integral, 1, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "pitch_fmin": [Interval(Real, 0, None, closed="neither")],
        "pitch_fmax": [Interval(Real, 0, None, closed="neither")],
        "backend": [StrOptions({"auto", "numba", "scipy", "reference"})],
        "fft_precision": [StrOptions({"exact", "fast"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        features: Sequence[str] = ("mel", "mfcc", "chroma", "zcr", "rms"),
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
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        n_mfcc: int = 40,
        lifter: float = 0,
        n_chroma: int = 12,
        tuning: float | None = None,
        roll_percent: float = 0.85,
        n_bands: int = 6,
        quantile: float = 0.02,
        pitch_fmin: float = 65.0,
        pitch_fmax: float = 500.0,
        backend: Literal["auto", "numba", "scipy", "reference"] = "auto",
        fft_precision: Literal["exact", "fast"] = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.features = features
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
        self.amin = amin
        self.top_db = top_db
        self.n_mfcc = n_mfcc
        self.lifter = lifter
        self.n_chroma = n_chroma
        self.tuning = tuning
        self.roll_percent = roll_percent
        self.n_bands = n_bands
        self.quantile = quantile
        self.pitch_fmin = pitch_fmin
        self.pitch_fmax = pitch_fmax
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
            power=self.power,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            htk=self.htk,
            norm=self.norm,
            amin=self.amin,
            top_db=self.top_db,
            n_mfcc=self.n_mfcc,
            lifter=self.lifter,
            n_chroma=self.n_chroma,
            tuning=self.tuning,
            roll_percent=self.roll_percent,
            n_bands=self.n_bands,
            quantile=self.quantile,
            pitch_fmin=self.pitch_fmin,
            pitch_fmax=self.pitch_fmax,
        )

    def _check_parameters(self, settings: FrameSettings) -> None:
        check_features(self.features, FEATURES)
        check_spectrum(settings)
        wanted = {split_delta(feature)[0] for feature in self.features}
        if wanted & {"mel", "log_mel", "mfcc"}:
            check_mel_bands(
                self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.htk
            )
        if "mfcc" in wanted:
            check_mfcc(self.n_mfcc, self.n_mels)
        if "contrast" in wanted:
            check_contrast(self.sample_rate, self.n_fft, self.n_bands, self.quantile)
        if wanted & {"yin", "pyin"}:
            check_pitch(settings, "pitch_", "n_fft")

    def _wanted(self) -> tuple[str, ...]:
        return tuple(self.features)
