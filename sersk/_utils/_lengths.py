"""The NaN rule: NaN after a clip's end means "no sound here", NaN before it is an error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

# Rows whose NaN mask is held at once: bounds the scratch memory at any number of clips.
_ROWS_AT_ONCE = 64


def valid_lengths(X: NDArray[np.floating]) -> NDArray[np.intp]:
    """Count the samples or frames of every clip before its NaN padding.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ..., n_steps)
        Waveforms, frames or images; time is the last axis.

    Returns
    -------
    lengths : ndarray of shape (n_clips,)
        Number of steps that hold sound; 0 for an all-NaN clip.

    Raises
    ------
    ValueError
        If a clip holds NaN before its end.
    """
    n_clips, n_steps = X.shape[0], X.shape[-1]
    lengths = np.zeros(n_clips, dtype=np.intp)
    if X.size == 0:
        return lengths
    for rows in gen_batches(n_clips, _ROWS_AT_ONCE):
        # One line a channel: all channels of a clip must end at the same step.
        missing = np.isnan(X[rows]).reshape(rows.stop - rows.start, -1, n_steps)
        n_valid = n_steps - missing.sum(axis=-1)
        padding = np.arange(n_steps) >= n_valid[:, :1, None]
        broken = np.flatnonzero((missing != padding).any(axis=(1, 2)))
        if broken.size:
            clip = int(broken[0])
            step = int(np.argmax((missing[clip] != padding[clip]).any(axis=0)))
            raise ValueError(
                f"Row {rows.start + clip} holds NaN before its end (near step {step} of "
                f"{n_steps}). NaN means 'no sound here' and may only stand after the end of a clip."
            )
        lengths[rows] = n_valid[:, 0]
    return lengths
