"""Fundamental frequency by autocorrelation: the quick estimate of `TimeDomainStats`.

Boersma's normalised autocorrelation (1993) of the decimated waveform, without his search for the
best path; a second look within the speaker's own range takes out most errors of an octave.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import firwin
from sklearn.utils import gen_batches

Array = NDArray[np.float64]

# The pitch window holds three periods of the lowest pitch, as in Boersma (1993).
_PERIODS_A_WINDOW = 3
# Boersma's cost of a candidate an octave lower: of two equal peaks the higher pitch is meant.
_OCTAVE_COST = 0.01
# The second look for the pitch goes from this share of the lower quartile of the first to this
# multiple of the upper (De Looze and Hirst 2008).
_RANGE = (0.75, 1.5)
# Samples that the shortest period keeps after decimation, and filter taps per decimated sample.
_SAMPLES_A_PERIOD = 6
_TAPS_A_SAMPLE = 9
# Frames whose autocorrelations are held at once.
_FRAMES_AT_ONCE = 128
# Steps of the lag grid between two decimated samples.
_LAGS_A_SAMPLE = 2


class PitchTables(NamedTuple):
    """What the pitch of all clips shares; lags are in decimated samples."""

    factor: int
    taps: Array  # (_TAPS_A_SAMPLE, factor)
    sample_rate: float
    window: NDArray[np.float32]
    n_fft: int
    lags: Array  # (n_lags,)
    kernel: NDArray[np.float32]  # (n_bins, n_lags + 1): power spectrum to lag 0 and the lags
    fmin: float
    fmax: float


class PitchTrack(NamedTuple):
    """Voiced frames, their pitch in Hz and their strength of periodicity."""

    frames: NDArray[np.intp]
    frequency: Array
    strength: Array


@lru_cache(maxsize=16)
def pitch_tables(sample_rate: int, fmin: float, fmax: float) -> PitchTables:
    factor = max(1, int(sample_rate / (_SAMPLES_A_PERIOD * fmax)))
    taps = np.ones((1, 1))
    if factor > 1:
        taps = firwin(_TAPS_A_SAMPLE * factor, 0.85 / factor).reshape(_TAPS_A_SAMPLE, factor)
    rate = sample_rate / factor
    length = max(4, round(_PERIODS_A_WINDOW * rate / fmin))
    # Without its two zeros, and symmetric.
    window = np.hanning(length + 2)[1:-1]
    step = 1 / _LAGS_A_SAMPLE
    # One more on either side, so that each lag within has two neighbours.
    lags = np.arange(rate / fmax - step, rate / fmin + 2 * step, step)
    n_fft = scipy.fft.next_fast_len(length + int(lags[-1]) + 2, real=True)
    bins = np.arange(n_fft // 2 + 1)[:, np.newaxis]
    kernel = np.cos(2 * np.pi / n_fft * bins * np.concatenate([[0.0], lags]))
    kernel[1 : (n_fft + 1) // 2] *= 2
    # Freed of the window's own correlation right here.
    window_correlation = np.abs(scipy.fft.rfft(window, n_fft)) ** 2 @ kernel
    kernel *= window_correlation[0] / window_correlation
    return PitchTables(
        factor=factor,
        taps=taps,
        sample_rate=rate,
        window=window.astype(np.float32),
        n_fft=n_fft,
        lags=lags,
        kernel=kernel.astype(np.float32),
        fmin=fmin,
        fmax=fmax,
    )


def _decimate(samples: Array, factor: int, taps: Array) -> Array:
    """Low-pass and keep every `factor`-th sample; beyond its ends the clip is silent."""
    if factor == 1:
        return samples
    n_kept = -(-len(samples) // factor)
    padded = np.zeros((n_kept + len(taps) - 1) * factor)
    begin = taps.size // 2
    padded[begin : begin + len(samples)] = samples
    parts = taps @ padded.reshape(-1, factor).T
    kept: Array = parts[0, :n_kept].copy()
    for shift in range(1, len(taps)):
        kept += parts[shift, shift : shift + n_kept]
    return kept


def _correlate(
    samples: Array, centres: NDArray[np.intp], tables: PitchTables
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Autocorrelate windows around the given samples.

    Returns the correlation (n_frames, n_lags), 1 at lag 0, and the power of each window.
    """
    length = len(tables.window)
    decimated = _decimate(samples, tables.factor, tables.taps)
    # Single precision: seven digits of the autocorrelation are more than enough.
    padded = np.zeros(len(decimated) + 2 * length, dtype=np.float32)
    padded[length:-length] = decimated
    frames = sliding_window_view(padded, length)
    # In the padded signal sample i stands at i + length: so the window begins half of it later.
    begins = centres // tables.factor + length - length // 2
    weights = np.full((length, 1), 1 / length, dtype=np.float32)
    correlation = np.empty((len(begins), len(tables.lags)), dtype=np.float32)
    power = np.empty(len(begins), dtype=np.float32)
    for some in gen_batches(len(begins), _FRAMES_AT_ONCE):
        deviations = frames[begins[some]]
        deviations -= deviations @ weights
        power[some] = np.einsum("ij,ij->i", deviations, deviations) / length
        deviations *= tables.window
        spectrum = scipy.fft.rfft(deviations, tables.n_fft, axis=1)
        raw = (spectrum.real**2 + spectrum.imag**2) @ tables.kernel
        total = raw[:, :1]
        np.divide(raw[:, 1:], np.where(total > 0, total, np.float32(1)), out=correlation[some])
    return correlation, power


class _Peaks(NamedTuple):
    """All local maxima of the autocorrelations of a clip."""

    frames: NDArray[np.intp]
    lags: NDArray[np.intp]  # indices
    frequency: Array  # Hz
    strength: Array
    score: Array


def _find_peaks(correlation: NDArray[np.float32], tables: PitchTables) -> _Peaks:
    before, inner, after = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    peaks = np.nonzero((inner >= before) & (inner > after))
    # Between lags a peak follows the parabola through it and its neighbours. High pitches need the
    # height there: at few lags a period one of its multiples may by chance lie nearer to a lag.
    lean = 0.5 * (before[peaks] - after[peaks])
    bend = 2 * inner[peaks] - before[peaks] - after[peaks]
    height = (inner[peaks] + 0.5 * lean * lean / bend).astype(np.float64)
    lag = tables.lags[peaks[1] + 1] - lean / bend / _LAGS_A_SAMPLE
    frequency = np.clip(tables.sample_rate / lag, tables.fmin, tables.fmax)
    score = height - _OCTAVE_COST * np.log2(tables.fmin / frequency)
    return _Peaks(peaks[0], peaks[1], frequency, np.clip(height, 0.0, 1.0), score)


def _best_peaks(
    peaks: _Peaks, shape: tuple[int, int], low: float, high: float
) -> tuple[Array, Array]:
    """Take the best peak of each frame in a range of pitch; its strength is 0 if there is none."""
    some = np.flatnonzero((peaks.frequency >= low) & (peaks.frequency <= high))
    n_frames = shape[0]
    scores = np.full(shape, -np.inf)
    scores[peaks.frames[some], peaks.lags[some]] = peaks.score[some]
    which = np.zeros(shape, dtype=np.intp)
    which[peaks.frames[some], peaks.lags[some]] = some
    at = np.arange(n_frames), np.argmax(scores, axis=1)
    found = scores[at] > -np.inf
    frequency, strength = np.ones(n_frames), np.zeros(n_frames)
    frequency[found] = peaks.frequency[which[at][found]]
    strength[found] = peaks.strength[which[at][found]]
    return frequency, strength


def track_pitch(
    samples: Array,
    frames: NDArray[np.intp],
    centres: NDArray[np.intp],
    tables: PitchTables,
    *,
    floor: float,
    threshold: float,
) -> PitchTrack:
    """Find the voiced ones among frames around the given samples, and their pitch."""
    correlation, power = _correlate(samples, centres, tables)
    loud = power >= floor
    peaks = _find_peaks(correlation, tables)
    shape = (correlation.shape[0], correlation.shape[1])
    frequency, strength = _best_peaks(peaks, shape, tables.fmin, tables.fmax)
    voiced = loud & (strength > threshold)
    if voiced.any():
        # Errors of an octave fall out of the speaker's own range, which the first look tells.
        low, high = percentiles(frequency[voiced], (25, 75))
        frequency, strength = _best_peaks(peaks, shape, _RANGE[0] * low, _RANGE[1] * high)
        voiced = loud & (strength > threshold)
    return PitchTrack(frames[voiced], frequency[voiced], strength[voiced])


def percentiles(values: Array, percents: Sequence[int]) -> Array:
    """Interpolate linearly, as numpy does; numpy's own function is slow on few values."""
    positions = np.asarray(percents) / 100 * (len(values) - 1)
    return np.interp(positions, np.arange(len(values)), np.sort(values))
