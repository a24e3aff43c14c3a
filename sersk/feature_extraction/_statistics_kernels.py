"""Statistics over time, compiled. `_functionals._Series` says the same in plain NumPy.

Imported late, behind `numba_usable`: the import loads numba and compiles, or loads, the kernel.
What it calls stands here too, because numba does not notice changes in other files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils._compile import compiled

# What a column of the output holds.
MEAN, STD, PERCENTILE, RANGE, SKEW, KURTOSIS, SLOPE = range(7)
KINDS = {
    "mean": MEAN,
    "std": STD,
    "range": RANGE,
    "skew": SKEW,
    "kurtosis": KURTOSIS,
    "slope": SLOPE,
}

# Below this share of the mean, deviations are its rounding errors.
_RESOLUTION = float(np.finfo(np.float64).resolution)

# Sums may be taken in another order, which lets the compiler take several steps at once; values
# change by rounding errors alone. No other rule of arithmetic is given up.
_ANY_ORDER = {"reassoc"}


@compiled(fastmath=_ANY_ORDER)
def _mean(series: NDArray[Any], length: int) -> float:
    # From the first value on: a series that does not vary has then exactly its value as mean.
    first = np.float64(series[0])
    total = 0.0
    for step in range(length):
        total += np.float64(series[step]) - first
    return first + total / length


@compiled(fastmath=_ANY_ORDER)
def _sums_of_deviations(series: NDArray[Any], length: int, mean: float) -> tuple[float, float]:
    """Sum the squared deviations, and the deviations times the steps from the middle."""
    squares = 0.0
    tilt = 0.0
    middle = (length - 1) / 2
    for step in range(length):
        deviation = np.float64(series[step]) - mean
        squares += deviation * deviation
        tilt += deviation * (step - middle)
    return squares, tilt


@compiled(fastmath=_ANY_ORDER)
def _sums_of_powers(
    series: NDArray[Any], length: int, mean: float, scale: float
) -> tuple[float, float]:
    """Sum the third and fourth powers of the deviations, each times `scale` first."""
    cubes = 0.0
    fourths = 0.0
    for step in range(length):
        deviation = (np.float64(series[step]) - mean) * scale
        square = deviation * deviation
        cubes += square * deviation
        fourths += square * square
    return cubes, fourths


@compiled()
def _percentile(ordered: NDArray[Any], length: int, percent: float) -> float:
    position = (length - 1) * (percent / 100)
    below = int(np.floor(position))
    above = int(np.ceil(position))
    low = np.float64(ordered[below])
    return low + (np.float64(ordered[above]) - low) * (position - below)


@compiled(
    *(
        f"void(Array({real}, 3, 'C', readonly=True), Array({real}, 3, 'C', readonly=True), "
        f"Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
        f"Array(float64, 1, 'C', readonly=True), {real}[:, :, ::1])"
        for real in ("float32", "float64")
    )
)
def statistics_of_series(
    values: NDArray[Any],
    ordered: NDArray[Any],
    lengths: NDArray[np.int64],
    kinds: NDArray[np.int64],
    percents: NDArray[np.float64],
    out: NDArray[Any],
) -> None:
    """Describe every series of some clips.

    Shapes: values (n_clips, n_series, n_steps); ordered, the same sorted along the last axis, or of
    no clips where no order statistic is wanted; lengths (n_clips,); kinds and percents
    (n_statistics,), the latter used by PERCENTILE alone; out (n_clips, n_series, n_statistics).
    """
    # The highest power of the deviations that is wanted: what is not wanted is not computed.
    highest = 0
    for kind in kinds:
        if kind in (STD, SLOPE):
            highest = max(highest, 2)
        elif kind in (SKEW, KURTOSIS):
            highest = 4
        elif kind == MEAN:
            highest = max(highest, 1)
    for clip in range(values.shape[0]):
        length = lengths[clip]
        if length == 0:
            out[clip] = np.nan
            continue
        spread = (np.float64(length) ** 2 - 1) / 12
        for number in range(values.shape[1]):
            series = values[clip, number]
            mean = 0.0
            variance = 0.0
            slope = 0.0
            skew = 0.0
            kurtosis = 0.0
            if highest >= 1:
                mean = _mean(series, length)
            if highest >= 2:
                squares, tilt = _sums_of_deviations(series, length, mean)
                variance = squares / length
                if length > 1:
                    slope = tilt / length / spread
            if highest >= 4 and variance > (_RESOLUTION * abs(mean)) ** 2:
                cubes, fourths = _sums_of_powers(series, length, mean, 1 / np.sqrt(variance))
                skew = cubes / length
                if fourths > 0:
                    kurtosis = fourths / length - 3.0
            for column in range(len(kinds)):
                kind = kinds[column]
                if kind == PERCENTILE:
                    value = _percentile(ordered[clip, number], length, percents[column])
                elif kind == MEAN:
                    value = mean
                elif kind == STD:
                    value = np.sqrt(variance)
                elif kind == SKEW:
                    value = skew
                elif kind == KURTOSIS:
                    value = kurtosis
                elif kind == SLOPE:
                    value = slope
                else:
                    value = np.float64(ordered[clip, number, length - 1]) - np.float64(
                        ordered[clip, number, 0]
                    )
                out[clip, number, column] = value
