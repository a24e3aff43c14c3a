"""Each feature the plain way: one clip at a time, through librosa.

This is the truth that every faster path must equal; the transformers may use another way, the
values stay these. Clips come without padding, in the precision in which they are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mfcc(
    samples: NDArray[np.floating],
    *,
    sample_rate: int,
    n_mfcc: int,
    n_fft: int,
    hop_length: int,
    win_length: int | None,
    window: str,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    lifter: float,
) -> NDArray[np.floating]:
    """Compute mel-frequency cepstral coefficients as :func:`librosa.feature.mfcc` does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, n_samples >= 1.
    sample_rate, n_mfcc, n_fft, hop_length, win_length, window, n_mels, fmin, fmax, lifter
        See `sersk.feature_extraction.MFCC`.

    Returns
    -------
    coefficients : ndarray of shape (n_mfcc, 1 + n_samples // hop_length)
        One column a frame, frames centred on multiples of `hop_length`.
    """
    import librosa

    # librosa pads a centred frame with zeros; done here, it does not warn of each short clip.
    padded = np.pad(samples, n_fft // 2)
    power = librosa.feature.melspectrogram(
        y=padded,
        sr=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        window=window,
        center=False,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
    )
    coefficients: NDArray[np.floating] = librosa.feature.mfcc(
        S=librosa.power_to_db(power), n_mfcc=n_mfcc, lifter=lifter
    )
    return coefficients
