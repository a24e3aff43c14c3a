"""How a clip was recorded: level, clipping, bandwidth, noise, length and pitch."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._autocorrelation_pitch import pitch_tables, track_pitch
from ._settings import check_pitch_range
from ._vectors import VectorTransformer

Array = NDArray[np.float64]

STATISTICS = (
    "level",
    "clipped_share",
    "bandwidth",
    "noise_floor",
    "duration",
    "pitch",
)

# Frames of 25 ms every 10 ms for levels and pitch, as is usual for speech; spectra of 32 ms.
_FRAME, _HOP, _SPECTRUM = 0.025, 0.010, 0.032
# Lowest level that is told apart, in dB: librosa's floor, and below 16-bit quantisation.
_SILENT = -100.0
# Noise that lies farther below the speech is none: digital silence would have minus infinity.
_NOISELESS = -80.0
# What lies this far below the strongest band of the long-term spectrum is taken for nothing, in dB.
_BAND_RANGE = 60.0
# Rumble and an offset of the microphone are no speech, in Hz.
_LOWEST_BAND = 50.0
# Samples this near to the largest one are at the rail, if there are many of them.
_AT_THE_RAIL = 0.99
_NOISE_PERCENTILE = 10
# Frames within this of the loudest one may be voiced, in dB, and how periodic they have to be.
_SOUNDING = 35.0
_VOICED = 0.45


class RecordingStatistics(VectorTransformer):
    r"""How a clip was recorded, in six numbers: not what was said, nor how.

    A model meets recordings that are quieter, narrower or noisier than those that it was trained
    on, and says nothing of it. These numbers tell.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    fmin : float, default=65.0
        Lowest pitch, in Hz, > 0.

    fmax : float, default=500.0
        Highest pitch, in Hz, above `fmin` and at most half of `sample_rate`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    sersk.persistence.RecordingProfile : Compares recordings with those of the training.
    TimeDomainStats : Loudness, pauses and pitch as features of an emotion.

    Notes
    -----
    The features, in order:

    ================== ====== ====================================================================
    name               unit   meaning
    ================== ====== ====================================================================
    ``level``          dB     root mean square of the samples, relative to full scale, which is 1
    ``clipped_share``  0 to 1 samples whose magnitude is at least 99 % of the largest one; of
                              speech that was not clipped a few in ten thousand
    ``bandwidth``      Hz     highest frequency at which the long-term spectrum lies within 60 dB
                              of its maximum
    ``noise_floor``    dB     10th percentile of the levels of frames, relative to that of the whole
                              clip; not below -80 dB
    ``duration``       s      length of the clip
    ``pitch``          Hz     median over voiced frames; NaN where there is none
    ================== ====== ====================================================================

    With the mean power :math:`P(f)` of frames of 32 ms under a Hann window (Welch's estimate [1]_,
    from 50 Hz on), the bandwidth is the largest :math:`f` with
    :math:`10 \log_{10} P(f) > \max_f 10 \log_{10} P(f) - 60`. So a recording by telephone has one
    of 3.4 to 4 kHz, at whatever rate it was stored later, where a sample rate would tell nothing;
    none is above half of `sample_rate`. Noise up to the top has the full one: ``noise_floor``
    tells. The lowest tenth of the frames of a clip is taken for the noise between words, as in
    estimates by minimum statistics [2]_. In a clip without a pause that is the softest speech.
    Pitch is that of :class:`TimeDomainStats`. ``level`` is not below -100 dB. A clip of
    zeros has neither bandwidth nor noise: NaN.

    References
    ----------
    .. [1] P. D. Welch, "The use of fast Fourier transform for the estimation of power spectra",
       IEEE Transactions on Audio and Electroacoustics 15(2), 1967.
    .. [2] R. Martin, "Noise power spectral density estimation based on optimal smoothing and
       minimum statistics", IEEE Transactions on Speech and Audio Processing 9(5), 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import RecordingStatistics
    >>> tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    >>> statistics = RecordingStatistics()
    >>> vector = statistics.fit_transform([tone])[0]
    >>> dict(zip(statistics.get_feature_names_out(), vector.round(1).tolist()))["level"]
    -23.0
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="neither")],
        "fmax": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, *, sample_rate: int = 16000, fmin: float = 65.0, fmax: float = 500.0
    ) -> None:
        self.sample_rate = sample_rate
        self.fmin = fmin
        self.fmax = fmax

    def _check_parameters(self) -> None:
        check_pitch_range(self.sample_rate, self.fmin, self.fmax)

    def _feature_names(self) -> list[str]:
        return list(STATISTICS)

    def _extract(self, samples: Array) -> Array:
        return recording_statistics(
            samples, sample_rate=self.sample_rate, fmin=self.fmin, fmax=self.fmax
        )


def recording_statistics(samples: Array, *, sample_rate: int, fmin: float, fmax: float) -> Array:
    """Compute the statistics of one clip.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    sample_rate : int
        Of the clip, in Hz.
    fmin, fmax : float
        Range of pitch, in Hz.

    Returns
    -------
    statistics : ndarray of shape (6,)
        In the order of `STATISTICS`.
    """
    peak = np.abs(samples).max()
    # Scaled first: squares of what lies far from full scale could overflow or vanish.
    scaled = samples / peak if peak > 0 else samples
    peak_db = max(_SILENT, 20 * np.log10(peak)) if peak > 0 else _SILENT
    length = min(len(scaled), max(1, round(_FRAME * sample_rate)))
    hop = max(1, round(_HOP * sample_rate))
    frames = sliding_window_view(scaled, length)[::hop]
    power = np.einsum("ij,ij->i", frames, frames) / length
    level = max(_SILENT, peak_db + _decibel(np.mean(np.square(scaled))))
    # Relative to the clip, so that it does not depend on the gain.
    floor = np.percentile(_decibel(power), _NOISE_PERCENTILE) - _decibel(np.mean(scaled**2))
    return np.array(
        [
            level,
            np.mean(np.abs(scaled) >= _AT_THE_RAIL) if peak > 0 else 0.0,
            _bandwidth(scaled, sample_rate),
            max(_NOISELESS, floor) if peak > 0 else np.nan,
            len(samples) / sample_rate,
            _median_pitch(scaled, power, length, hop, sample_rate, fmin, fmax),
        ]
    )


def _decibel(power: Any) -> Any:
    return 10 * np.log10(np.maximum(power, 1e-30))


def _bandwidth(samples: Array, sample_rate: int) -> float:
    """Find the highest frequency at which the mean spectrum is not 60 dB below its maximum."""
    length = max(4, round(_SPECTRUM * sample_rate))
    if (missing := length - len(samples)) > 0:
        # In the middle, where the window is not 0.
        samples = np.pad(samples, (missing // 2, missing - missing // 2))
    frames = sliding_window_view(samples, length)[:: length // 2]
    # Without its first zero, and symmetric to its middle.
    spectrum = scipy.fft.rfft(frames * np.hanning(length + 1)[:-1], axis=1)
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0)
    frequency = np.arange(len(power)) * sample_rate / length
    power[frequency < _LOWEST_BAND] = 0.0
    if not power.any():
        return np.nan
    there = np.flatnonzero(power > power.max() * 10 ** (-_BAND_RANGE / 10))
    return float(frequency[there[-1]])


def _median_pitch(
    samples: Array,
    power: Array,
    length: int,
    hop: int,
    sample_rate: int,
    fmin: float,
    fmax: float,
) -> float:
    if not power.any():
        return np.nan
    floor = power.max() * 10 ** (-_SOUNDING / 10)
    sounding = np.flatnonzero(power >= floor)
    track = track_pitch(
        samples,
        sounding,
        sounding * hop + length // 2,
        pitch_tables(sample_rate, fmin, fmax),
        floor=floor,
        threshold=_VOICED,
    )
    return float(np.median(track.frequency)) if len(track.frequency) else np.nan
