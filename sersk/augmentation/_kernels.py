"""The phase vocoder, compiled: what surrounds its Fourier transforms.

`_vocoder._stretch_by_numpy` says the same in plain NumPy. Imported late, behind `numba_usable`: the
import loads numba and compiles, or loads, the kernels. Spectra are real arrays in which the real
and the imaginary part of a bin stand side by side.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils._compile import compiled


def _precisions(signature: str) -> list[str]:
    """Write out a signature in which T is the precision."""
    written = re.sub(r"const (\w+)\[::1\]", r"Array(\1, 1, 'C', readonly=True)", signature)
    return [re.sub(r"\bT\b", kind, written) for kind in ("float32", "float64")]


@compiled(*_precisions("void(const T[::1], const T[::1], intp, intp, T[:, ::1])"))
def cut_frames(
    samples: NDArray[Any],
    window: NDArray[Any],
    hop_length: int,
    first_frame: int,
    frames: NDArray[Any],
) -> None:
    """Cut windowed frames out of a clip, from the one centred on ``first_frame`` hops on.

    There are zeros around the clip. Frames that are centred behind it are silent.
    """
    n_samples = len(samples)
    n_fft = len(window)
    for t in range(len(frames)):
        centre = (first_frame + t) * hop_length
        if centre > n_samples:
            frames[t] = 0
            continue
        start = centre - n_fft // 2
        first = min(max(-start, 0), n_fft)
        last = max(min(n_samples - start, n_fft), first)
        frame = frames[t]
        frame[:first] = 0
        frame[last:] = 0
        # Slices, because a loop from 0 on is compiled to vectors.
        part = frame[first:last]
        source = samples[start + first : start + last]
        weights = window[first:last]
        for j in range(len(part)):
            part[j] = source[j] * weights[j]


@compiled(*_precisions("void(T[:, ::1], T[:, ::1])"))
def part_levels(spectrum: NDArray[Any], levels: NDArray[Any]) -> None:
    """Take the magnitudes out of a spectrum: what stays has length 1, and phase 0 where it was 0.

    ``spectrum`` is (n_frames, 2 n_bins), ``levels`` (n_frames, n_bins).
    """
    one = spectrum.dtype.type(1)
    for t in range(len(spectrum)):
        phasors = spectrum[t]
        level = levels[t]
        for k in range(len(level)):
            a = phasors[2 * k]
            b = phasors[2 * k + 1]
            length = np.sqrt(a * a + b * b)
            silent = length == 0
            scale = one / (one if silent else length)
            level[k] = length
            phasors[2 * k] = one if silent else a * scale
            phasors[2 * k + 1] = b * scale


@compiled(*_precisions("void(T[:, ::1], T[:, ::1], const float64[::1], T[::1], T[:, ::1])"))
def carry_phases(
    phasors: NDArray[Any],
    levels: NDArray[Any],
    steps: NDArray[np.float64],
    running: NDArray[Any],
    stretched: NDArray[Any],
) -> None:
    """Compute the spectrum at other times: levels in between, phases that go on as they went.

    ``steps`` are times in frames of this spectrum, from 0 to less than ``n_frames - 1``;
    ``running`` holds the phasors at the first of them, and then those that follow the last. The
    phase of a bin advances by what it advances between the two frames around the
    time. That is a product of phasors: no angle is ever computed, and none is unwrapped.
    """
    one_and_half = phasors.dtype.type(1.5)
    half = phasors.dtype.type(0.5)
    for t in range(len(steps)):
        i = int(steps[t])
        later = phasors.dtype.type(steps[t] - i)
        sooner = phasors.dtype.type(1) - later
        this = phasors[i]
        following = phasors[i + 1]
        level = levels[i]
        next_level = levels[i + 1]
        out = stretched[t]
        for k in range(len(level)):
            magnitude = sooner * level[k] + later * next_level[k]
            x = running[2 * k]
            y = running[2 * k + 1]
            out[2 * k] = x * magnitude
            out[2 * k + 1] = y * magnitude
            a = this[2 * k]
            b = this[2 * k + 1]
            c = following[2 * k]
            d = following[2 * k + 1]
            re = a * c + b * d
            im = a * d - b * c
            u = x * re - y * im
            v = x * im + y * re
            # A step of Newton's towards length 1: rounding must not add up over a long clip.
            scale = one_and_half - half * (u * u + v * v)
            running[2 * k] = u * scale
            running[2 * k + 1] = v * scale


@compiled(*_precisions("void(T[:, ::1], const T[::1], intp, intp, T[::1], T[::1])"))
def overlap_add(
    frames: NDArray[Any],
    window: NDArray[Any],
    hop_length: int,
    first_frame: int,
    weights: NDArray[Any],
    samples: NDArray[Any],
) -> None:
    """Add frames up where `cut_frames` would cut them: windowed once more, and what that weighs."""
    n_samples = len(samples)
    n_fft = len(window)
    for t in range(len(frames)):
        start = (first_frame + t) * hop_length - n_fft // 2
        first = min(max(-start, 0), n_fft)
        last = max(min(n_samples - start, n_fft), first)
        part = frames[t, first:last]
        weight = window[first:last]
        target = samples[start + first : start + last]
        for j in range(len(part)):
            target[j] += part[j] * weight[j]
        total = weights[start + first : start + last]
        for j in range(len(part)):
            total[j] += weight[j] * weight[j]
