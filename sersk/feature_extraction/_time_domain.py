"""Statistics of loudness, pauses, zero crossings and pitch, all from the time domain."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._autocorrelation_pitch import percentiles, pitch_tables, track_pitch
from ._settings import check_pitch_range
from ._vectors import VectorTransformer

Array = NDArray[np.float64]

FEATURE_NAMES = (
    "duration",
    "sounding_duration",
    "pause_share",
    "pauses_per_second",
    "pause_length_mean",
    "voiced_share",
    "voiced_segments_per_second",
    "voiced_length_mean",
    "level_mean",
    "level_std",
    "level_percentile_5",
    "level_percentile_50",
    "level_percentile_95",
    "level_slope",
    "zcr_mean",
    "zcr_std",
    "zcr_percentile_5",
    "zcr_percentile_50",
    "zcr_percentile_95",
    "crest_factor",
    "skew",
    "kurtosis",
    "attack_time",
    "decay_time",
    "pitch_mean",
    "pitch_std",
    "pitch_percentile_5",
    "pitch_percentile_50",
    "pitch_percentile_95",
    "pitch_range",
    "pitch_slope",
    "pitch_change",
    "periodicity_mean",
)

# What a clip of nothing but zeros has for a level: -100 dB.
_SILENT_LEVEL = -100.0
# Attack and decay run between these shares of the loudest frame (Peeters 2004).
_ATTACK_FROM, _ATTACK_TO = 0.2, 0.9
_PERCENTILES = (5, 50, 95)


class TimeDomainStats(VectorTransformer):
    r"""Loudness, pauses, zero crossings and pitch of a clip, without its spectrum.

    How long, how loud, how fluent, how high and how lively a clip is, in 33 numbers with a meaning.
    The clip is cut into frames; those within `top_db` of the loudest one are *sounding*, and all
    but ``duration`` is about the *sounding part*, from the first sounding frame to the last: quiet
    edges of a recording change nothing.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    frame_length : int, default=400
        Length of a frame, in samples. Frames begin at multiples of `hop_length` and lie inside the
        clip; a clip shorter than a frame is one frame of its own length.

    hop_length : int, default=160
        Distance of two frames, in samples.

    top_db : float, default=30.0
        A frame sounds when its level is at most this far below that of the loudest frame, in dB.

    min_pause : float, default=0.1
        Shortest silence inside the sounding part that is a pause, in seconds; shorter ones are
        taken for the closures of plosives.

    fmin : float, default=75.0
        Lowest pitch, in Hz.

    fmax : float, default=600.0
        Highest pitch, in Hz, above `fmin` and at most half of `sample_rate`.

    voicing_threshold : float, default=0.45
        Strength of periodicity above which a sounding frame is voiced, in [0, 1].

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    VoiceQuality : Pitch, jitter, shimmer and formants as Praat measures them; slower.
    Functionals : Statistics of frames, such as those of `MFCC`.

    Notes
    -----
    The features, in order:

    =============================== ============ ==================================================
    name                            unit         meaning
    =============================== ============ ==================================================
    ``duration``                    s            length of the clip
    ``sounding_duration``           s            from the begin of the first sounding frame to the
                                                 end of the last
    ``pause_share``                 0 to 1       frames of the sounding part that lie in pauses
    ``pauses_per_second``           1/s          pauses over the sounding duration
    ``pause_length_mean``           s            mean length of a pause
    ``voiced_share``                0 to 1       frames of the sounding part that are voiced
    ``voiced_segments_per_second``  1/s          runs of voiced frames over the sounding duration
    ``voiced_length_mean``          s            mean length of such a run
    ``level_*``                     dB           level of sounding frames: mean, std, percentiles
    ``level_slope``                 dB/s         of the least-squares line through them
    ``zcr_*``                       0 to 1       zero crossings a sample in sounding frames: mean,
                                                 std, percentiles
    ``crest_factor``                             peak over root mean square of the sounding part
    ``skew``, ``kurtosis``                       of its samples, as in `Functionals`
    ``attack_time``                 s            from the first frame with 20 % of the loudest
                                                 frame's amplitude to the first with 90 %
    ``decay_time``                  s            from the last frame with 90 % to the last with 20 %
    ``pitch_*``                     Hz           of voiced frames: mean, std, percentiles
    ``pitch_range``                 semitones    from the 5th to the 95th percentile
    ``pitch_slope``                 semitones/s  of the least-squares line through voiced frames
    ``pitch_change``                semitones/s  mean absolute change between neighbours both voiced
    ``periodicity_mean``            0 to 1       mean strength of voiced frames
    =============================== ============ ==================================================

    With the samples :math:`x_0, \dots, x_{N-1}` of a frame, its level and zero-crossing rate are

    .. math::

        L = 10 \log_{10} \frac{1}{N} \sum_n x_n^2, \qquad
        Z = \frac{1}{N} \sum_{n=1}^{N-1} \left[ (x_n < 0) \ne (x_{n-1} < 0) \right].

    Attack and decay follow [1]_. The pitch is Boersma's [2]_, without his search for the best path:
    around the middle of each sounding frame, three periods of `fmin` are freed of their mean and
    weighted by a Hann window :math:`w`. The autocorrelation is divided by that of the window,

    .. math::

        r(\tau) = \frac{r_{xw}(\tau)}{r_{xw}(0)} \bigg/ \frac{r_w(\tau)}{r_w(0)},

    and the local maximum with the largest :math:`r(\tau) - 0.01 \log_2(f_\text{min} \tau)` gives
    the pitch :math:`1 / \tau` and the strength :math:`r(\tau)`, at most 1. A first look goes from
    `fmin` to `fmax`, a second from 0.75 times the lower quartile of what it found to 1.5 times the
    upper, which spares most errors of an octave [3]_. For speed this is done
    on the clip low-passed and decimated to at least six samples per period of `fmax`;
    :math:`r` between these samples is the band-limited interpolation by the Fourier series. A frame
    is voiced if the strength exceeds `voicing_threshold` and what is windowed lies within `top_db`
    of the loudest frame.

    All values are finite. A clip of nothing but zeros has the level -100 dB; all else is 0 but for
    its duration. Without pauses or voiced frames what is said of them is 0, so is the slope of a
    single frame, and the skew and kurtosis of equal samples. Only levels depend on the gain. A row
    of nothing but NaN has an all-NaN vector.

    References
    ----------
    .. [1] G. Peeters, "A large set of audio features for sound description (similarity and
       classification) in the CUIDADO project", Ircam, 2004.
    .. [2] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.
    .. [3] C. De Looze and D. Hirst, "Detecting changes in key and range for the automatic modelling
       and coding of intonation", Speech Prosody, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import TimeDomainStats
    >>> time = np.arange(16000) / 16000
    >>> waveforms = np.sin(2 * np.pi * np.array([[110.0], [220.0]]) * time)
    >>> stats = TimeDomainStats()
    >>> vectors = stats.fit_transform(waveforms)
    >>> vectors[:, stats.get_feature_names_out() == "pitch_mean"].round(1)
    array([[110.],
           [220.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "frame_length": [Interval(Integral, 1, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "top_db": [Interval(Real, 0, None, closed="neither")],
        "min_pause": [Interval(Real, 0, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="neither")],
        "fmax": [Interval(Real, 0, None, closed="neither")],
        "voicing_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        frame_length: int = 400,
        hop_length: int = 160,
        top_db: float = 30.0,
        min_pause: float = 0.1,
        fmin: float = 75.0,
        fmax: float = 600.0,
        voicing_threshold: float = 0.45,
    ) -> None:
        self.sample_rate = sample_rate
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.top_db = top_db
        self.min_pause = min_pause
        self.fmin = fmin
        self.fmax = fmax
        self.voicing_threshold = voicing_threshold

    def _check_parameters(self) -> None:
        check_pitch_range(self.sample_rate, self.fmin, self.fmax)

    def _feature_names(self) -> list[str]:
        return list(FEATURE_NAMES)

    def _extract(self, samples: Array) -> Array:
        features = _time_domain_stats(
            samples,
            sample_rate=self.sample_rate,
            frame_length=self.frame_length,
            hop_length=self.hop_length,
            top_db=self.top_db,
            min_pause=self.min_pause,
            fmin=self.fmin,
            fmax=self.fmax,
            voicing_threshold=self.voicing_threshold,
        )
        return np.array([features[name] for name in FEATURE_NAMES])


def _time_domain_stats(
    samples: Array,
    *,
    sample_rate: int,
    frame_length: int,
    hop_length: int,
    top_db: float,
    min_pause: float,
    fmin: float,
    fmax: float,
    voicing_threshold: float,
) -> dict[str, float]:
    """Compute all features of one clip of at least one sample."""
    features = dict.fromkeys(FEATURE_NAMES, 0.0)
    features["duration"] = len(samples) / sample_rate
    peak = float(np.abs(samples).max())
    if peak == 0:
        return features | _statistics("level", np.array([_SILENT_LEVEL]))
    # Free of the gain from here on: no square overflows or vanishes.
    samples = samples / peak
    frame_length = min(frame_length, len(samples))
    hop = hop_length / sample_rate
    power = _frame_power(samples, frame_length, hop_length)
    if not power.any():  # all sound lies after the last whole frame, or between two
        return features | _statistics("level", np.array([_SILENT_LEVEL]))
    floor = power.max() * 10 ** (-top_db / 10)
    sounding = np.flatnonzero((power >= floor) & (power > 0))
    first, last = int(sounding[0]), int(sounding[-1])
    n_frames = last - first + 1
    duration = (last - first) * hop + frame_length / sample_rate
    features["sounding_duration"] = duration
    features |= _pause_statistics(np.diff(sounding) - 1, n_frames, hop, duration, min_pause)

    level = 10 * np.log10(power[sounding]) + 20 * np.log10(peak)
    features |= _statistics("level", level)
    features["level_slope"] = _slope(sounding * hop, level)
    features |= _statistics("zcr", _zero_crossings(samples, frame_length, hop_length)[sounding])
    part = samples[first * hop_length : last * hop_length + frame_length]
    features |= _sample_statistics(part)
    features["attack_time"], features["decay_time"] = _attack_and_decay(np.sqrt(power), hop)

    centres = sounding * hop_length + frame_length // 2
    tables = pitch_tables(sample_rate, fmin, fmax)
    track = track_pitch(
        samples, sounding, centres, tables, floor=floor, threshold=voicing_threshold
    )
    if len(track.frames):
        features["voiced_share"] = len(track.frames) / n_frames
        features["periodicity_mean"] = track.strength.mean()
        features |= _pitch_statistics(track.frames, track.frequency, hop, duration)
    return features


def _frame_power(samples: Array, frame_length: int, hop_length: int) -> Array:
    frames = sliding_window_view(samples, frame_length)[::hop_length]
    power: Array = np.einsum("ij,ij->i", frames, frames) / frame_length
    return power


def _zero_crossings(samples: Array, frame_length: int, hop_length: int) -> Array:
    negative = samples < 0
    # A crossing stands at the sample before the change of sign.
    crossings = np.flatnonzero(negative[1:] != negative[:-1])
    begins = np.arange(0, len(samples) - frame_length + 1, hop_length)
    ends = begins + frame_length - 1
    n_crossings = np.searchsorted(crossings, ends) - np.searchsorted(crossings, begins)
    return n_crossings / frame_length


def _pause_statistics(
    gaps: NDArray[np.intp], n_frames: int, hop: float, duration: float, min_pause: float
) -> dict[str, float]:
    """Tell of pauses from the numbers of silent frames between neighbours that sound."""
    # A rounding error must not decide on a pause of just that length.
    pauses = gaps[gaps >= max(1.0, min_pause / hop * (1 - 1e-9))]
    if not len(pauses):
        return {}
    return {
        "pause_share": pauses.sum() / n_frames,
        "pauses_per_second": len(pauses) / duration,
        "pause_length_mean": pauses.mean() * hop,
    }


def _sample_statistics(samples: Array) -> dict[str, float]:
    root_mean_square = np.sqrt(samples @ samples / len(samples))
    features = {"crest_factor": np.abs(samples).max() / root_mean_square}
    deviations = samples - samples.mean()
    squares = deviations * deviations
    variance = deviations @ deviations / len(samples)
    # Below this the deviations are rounding errors of the mean.
    if variance > (np.finfo(np.float64).resolution * np.abs(samples).max()) ** 2:
        features["skew"] = squares @ deviations / len(samples) / variance**1.5
        features["kurtosis"] = squares @ squares / len(samples) / variance**2 - 3
    return features


def _attack_and_decay(amplitude: Array, hop: float) -> tuple[float, float]:
    begun = np.flatnonzero(amplitude >= _ATTACK_FROM * amplitude.max())
    full = np.flatnonzero(amplitude >= _ATTACK_TO * amplitude.max())
    return float(full[0] - begun[0]) * hop, float(begun[-1] - full[-1]) * hop


def _pitch_statistics(
    frames: NDArray[np.intp], pitch: Array, hop: float, duration: float
) -> dict[str, float]:
    """Summarise the pitch of voiced frames, of which there is at least one."""
    adjacent = np.diff(frames) == 1
    n_segments = len(frames) - np.count_nonzero(adjacent)
    semitones = 12 * np.log2(pitch)
    change = np.abs(np.diff(semitones))[adjacent]
    features = _statistics("pitch", pitch)
    high, low = features["pitch_percentile_95"], features["pitch_percentile_5"]
    return features | {
        "voiced_segments_per_second": n_segments / duration,
        "voiced_length_mean": len(frames) / n_segments * hop,
        "pitch_range": 12 * np.log2(high / low),
        "pitch_slope": _slope(frames * hop, semitones),
        "pitch_change": change.mean() / hop if len(change) else 0.0,
    }


def _statistics(name: str, values: Array) -> dict[str, float]:
    found = percentiles(values, _PERCENTILES)
    return {
        f"{name}_mean": values.mean(),
        f"{name}_std": values.std(),
        **{f"{name}_percentile_{p}": at for p, at in zip(_PERCENTILES, found, strict=True)},
    }


def _slope(times: NDArray[np.floating], values: Array) -> float:
    """Slope of the least-squares line; 0 for a single point."""
    if len(times) < 2:
        return 0.0
    centred = times - times.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))
