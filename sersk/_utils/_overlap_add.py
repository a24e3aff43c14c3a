"""Back from frames to samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def overlap_add(frames: NDArray[Any], hop_length: int) -> NDArray[Any]:
    """Add frames, each a hop after the one before: in blocks of a hop, all frames at once.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_fft)
        Windowed frames.
    hop_length : int
        Samples from the start of one to that of the next.

    Returns
    -------
    samples : ndarray of shape (n_samples,)
        Their sum, of the same type; after the last frame it may hold zeros.
    """
    n_frames, n_fft = frames.shape
    n_blocks = -(-n_fft // hop_length)
    if n_fft % hop_length:
        frames = np.pad(frames, ((0, 0), (0, n_blocks * hop_length - n_fft)))
    blocks = frames.reshape(n_frames, n_blocks, hop_length)
    added = np.zeros((n_frames + n_blocks - 1, hop_length), dtype=frames.dtype)
    for block in range(n_blocks):
        added[block : block + n_frames] += blocks[:, block]
    return added.ravel()
