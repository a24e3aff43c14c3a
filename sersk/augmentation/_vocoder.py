"""Other durations and other pitches, by the phase vocoder: plain functions of samples.

They compute what librosa's `effects` do, with the same frames.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from .._utils._compile import kernels_work, numba_usable
from .._utils._overlap_add import overlap_add

# Those of librosa.stft: its effects take no others unless told.
_N_FFT = 2048
_HOP_LENGTH = 512
# Few enough to stay in the processor's cache from one step to the next, enough that threads seldom
# wait for each other between them.
_FRAMES_AT_ONCE = 24


def time_stretch(samples: NDArray[Any], rate: float) -> NDArray[Any]:
    """Change the duration of a clip and leave its pitch.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32 or float64
        One clip, of at least one sample.
    rate : float
        How many times as fast, > 0.

    Returns
    -------
    stretched : ndarray of shape (n_samples_out,)
        Of the same type; ``n_samples_out = max(round(n_samples / rate), 1)``.
    """
    n_samples_out = max(round(len(samples) / rate), 1)
    n_frames = 1 + len(samples) // _HOP_LENGTH
    steps = np.arange(0, n_frames, rate, dtype=np.float64)
    stretch = _stretch_by_kernels if _kernels_work() else _stretch_by_numpy
    return stretch(np.ascontiguousarray(samples), steps, n_frames, n_samples_out)


def pitch_shift(samples: NDArray[Any], sample_rate: float, semitones: float) -> NDArray[Any]:
    """Change the pitch of a clip and leave its duration.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32 or float64
        One clip, of at least one sample.
    sample_rate : float
        Samples a second.
    semitones : float
        By how much, twelve an octave; up where positive.

    Returns
    -------
    shifted : ndarray of shape (n_samples,)
        Of the same type.
    """
    rate = 2 ** (-semitones / 12)
    stretched = time_stretch(samples, rate)
    resampled = soxr.resample(stretched, sample_rate / rate, sample_rate, quality="HQ")
    shifted = np.zeros_like(samples)
    shifted[: len(resampled)] = resampled[: len(samples)]
    return shifted


@lru_cache(maxsize=1)
def _kernels_work() -> bool:
    return numba_usable() and kernels_work(_load_kernels, "clips are stretched with NumPy")


def _load_kernels() -> None:
    from . import _kernels  # noqa: F401


@lru_cache(maxsize=2)
def _window(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Compute a Hann window whose period is the frame."""
    window = (0.5 - 0.5 * np.cos(2 * math.pi / _N_FFT * np.arange(_N_FFT))).astype(dtype)
    window.flags.writeable = False
    return window  # type: ignore[no-any-return]


def _stretch_by_kernels(
    samples: NDArray[Any], steps: NDArray[np.float64], n_frames: int, n_samples_out: int
) -> NDArray[Any]:
    from scipy.fft import irfft, rfft

    from . import _kernels

    dtype = samples.dtype
    window = _window(dtype)
    stretched = np.zeros(n_samples_out, dtype=dtype)
    weights = np.zeros_like(stretched)
    running = None
    for first_out in range(0, len(steps), _FRAMES_AT_ONCE):
        block = steps[first_out : first_out + _FRAMES_AT_ONCE]
        first, last = int(block[0]), int(block[-1]) + 1
        frames = np.empty((last - first + 1, _N_FFT), dtype=dtype)
        _kernels.cut_frames(samples, window, _HOP_LENGTH, first, frames)
        phasors = rfft(frames, axis=1).view(dtype)
        levels = np.empty((len(phasors), _N_FFT // 2 + 1), dtype=dtype)
        _kernels.part_levels(phasors, levels)
        if running is None:
            running = phasors[0].copy()
        spectrum = np.empty((len(block), phasors.shape[1]), dtype=dtype)
        _kernels.carry_phases(phasors, levels, block - first, running, spectrum)
        frames = irfft(spectrum.view(np.result_type(dtype, np.complex64)), _N_FFT, axis=1)
        _kernels.overlap_add(frames, window, _HOP_LENGTH, first_out, weights, stretched)
    stretched /= weights
    return stretched


def _stretch_by_numpy(
    samples: NDArray[Any], steps: NDArray[np.float64], n_frames: int, n_samples_out: int
) -> NDArray[Any]:
    from scipy.fft import irfft, rfft

    dtype = samples.dtype
    window = _window(dtype)
    padded = np.zeros((n_frames - 1) * _HOP_LENGTH + _N_FFT, dtype=dtype)
    inside = padded[_N_FFT // 2 :][: len(samples)]
    inside[:] = samples[: len(inside)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP_LENGTH]
    spectrum = np.pad(rfft(frames * window, axis=1), ((0, 1), (0, 0)))
    levels = np.abs(spectrum)
    phasors = np.divide(spectrum, levels, out=np.ones_like(spectrum), where=levels > 0)
    before = steps.astype(np.intp)
    later = (steps - before).astype(dtype)[:, np.newaxis]
    turns = np.concatenate([phasors[:1], phasors[before + 1] * phasors[before].conj()])[:-1]
    running = np.cumprod(turns, axis=0)
    running /= np.abs(running)
    running *= (1 - later) * levels[before] + later * levels[before + 1]
    frames = irfft(running, _N_FFT, axis=1) * window
    total = overlap_add(frames, _HOP_LENGTH)[_N_FFT // 2 :][:n_samples_out]
    weights = overlap_add(np.broadcast_to(np.square(window), frames.shape), _HOP_LENGTH)
    stretched: NDArray[Any] = total / weights[_N_FFT // 2 :][:n_samples_out]
    return stretched
