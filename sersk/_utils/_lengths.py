"""The NaN rule: NaN after a clip's end means "no sound here", NaN before it is an error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data


def check_waveforms(
    estimator: BaseEstimator, X: ArrayLike, *, reset: bool
) -> tuple[NDArray[np.floating], NDArray[np.intp]]:
    """Validate waveforms, and count the samples of every clip.

    Parameters
    ----------
    estimator : BaseEstimator
        What gets them.
    X : array-like of shape (n_clips, n_samples)
        Waveforms; NaN after the end of a clip.
    reset : bool
        Whether their width is new to the estimator, as in `fit`.

    Returns
    -------
    waveforms : ndarray of shape (n_clips, n_samples)
        In float32 or float64.
    lengths : ndarray of shape (n_clips,)
        Samples before the padding.

    Raises
    ------
    ValueError
        If `X` is no array of that shape, has another width than in `fit`, or holds infinity or NaN
        before the end of a clip.
    """
    waveforms = validate_data(
        estimator, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
    )
    return waveforms, valid_lengths(waveforms)


def valid_lengths(X: NDArray[np.floating], *, first_row: int = 0) -> NDArray[np.intp]:
    """Count the samples or frames of every clip before its NaN padding.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ..., n_steps)
        Waveforms, frames or images; time is the last axis.
    first_row : int, default=0
        Number of the first clip in error messages, where `X` is a part of something larger.

    Returns
    -------
    lengths : ndarray of shape (n_clips,)
        Number of steps that hold sound; 0 for an all-NaN clip.

    Raises
    ------
    ValueError
        If a clip holds NaN before its end, or infinity.
    """
    lengths = np.zeros(len(X), dtype=np.intp)
    if X.size == 0:
        return lengths
    n_steps = X.shape[-1]
    for row, clip in enumerate(X):
        series = clip.reshape(-1, n_steps)
        # A finite sum proves that there is sound to the end, and nothing but numbers.
        lengths[row] = (
            n_steps if np.isfinite(_sum(series)) else _padded_length(series, first_row + row)
        )
    return lengths


def _padded_length(series: NDArray[np.floating], row: int) -> int:
    """Count the steps of one clip, (n_series, n_steps), that may hold anything."""
    n_series, n_steps = series.shape
    # All steps of all series up to the length are numbers, all after it are NaN.
    missing = np.isnan(series)
    n_missing: int = int(np.count_nonzero(missing))
    length: int = n_steps - n_missing // n_series
    if n_missing % n_series or np.count_nonzero(missing[:, length:]) != n_missing:
        n_valid = n_steps - missing.sum(axis=-1)
        padding = np.arange(n_steps) >= n_valid[:1, np.newaxis]
        step = int(np.argmax((missing != padding).any(axis=0)))
        raise ValueError(
            f"Row {row} holds NaN before its end (near step {step} of {n_steps}). NaN means 'no "
            "sound here' and may only stand after the end of a clip."
        )
    sound = series[:, :length]
    # The sum of large numbers may overflow without any of them being infinite.
    if not np.isfinite(_sum(sound)) and np.isinf(sound).any():
        step = int(np.argmax(np.isinf(sound).any(axis=0)))
        raise ValueError(f"Row {row} holds infinity at step {step} of {n_steps}.")
    return length


def _sum(series: NDArray[np.floating]) -> np.floating:
    with np.errstate(over="ignore", invalid="ignore"):
        total: np.floating = series.sum()
    return total
