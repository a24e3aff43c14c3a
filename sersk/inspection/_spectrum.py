"""The numbers of a spectrogram, by librosa: power, mel bands, decibels, fundamental frequency."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._utils._librosa import import_librosa

Array = NDArray[np.floating]

# A frame has a pitch to show where it is at most so much quieter than the loudest, in dB, below
# the frequency in Hz that parts voices from hiss: there s and f are quiet.
_F0_TOP_DB = 25.0
VOICE_BELOW = 1000.0


def check_frequencies(
    sample_rate: int, kind: str, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> None:
    if kind == "mel":
        from ..feature_extraction._settings import check_mel_bands

        check_mel_bands(sample_rate, n_fft, n_mels, fmin, fmax)
        return
    nyquist = sample_rate / 2
    top = nyquist if fmax is None else fmax
    if not fmin < top <= nyquist:
        raise ValueError(
            f"fmin={fmin:g} and fmax={top:g} Hz do not fit: fmin < fmax <= {nyquist:g} Hz, half "
            "the sample rate, is needed."
        )


def check_f0_range(f0_range: tuple[float, float], sample_rate: int) -> None:
    if len(f0_range) != 2 or not 0 < f0_range[0] < f0_range[1] < sample_rate / 2:
        raise ValueError(
            f"f0_range={f0_range!r} must be two frequencies in Hz, rising, above 0 and below half "
            f"the sample rate ({sample_rate / 2:g} Hz)."
        )


def power(samples: Array, n_fft: int, hop_length: int) -> Array:
    """Power spectrum of shape (1 + n_fft // 2, 1 + n_samples // hop_length), frames centred."""
    librosa = import_librosa()

    # librosa pads a centred frame with zeros; done here, it does not warn of a short clip.
    padded = np.pad(samples, n_fft // 2)
    spectrum = librosa.stft(padded, n_fft=n_fft, hop_length=hop_length, center=False)
    return np.asarray(np.abs(spectrum) ** 2)


def mel_bands(
    power: Array, sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> tuple[Array, Array]:
    """Return the power in mel bands and the frequencies at which the bands peak."""
    librosa = import_librosa()

    bands = librosa.feature.melspectrogram(
        S=power, sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax
    )
    top = sample_rate / 2 if fmax is None else fmax
    # Each band begins where the last but one ends: the outermost two points are no band's middle.
    return bands, librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=top)[1:-1]


def cut(power: Array, bins: Array, fmin: float, fmax: float | None) -> tuple[Array, Array]:
    """Return the bins from `fmin` to `fmax`, and their frequencies."""
    wanted = (bins >= fmin) & (bins <= (bins[-1] if fmax is None else fmax))
    if wanted.sum() < 2:
        raise ValueError(
            f"There are not two bins of the spectrum from fmin={fmin:g} Hz on to fmax: they lie "
            f"{bins[1]:g} Hz apart. Widen the range or raise n_fft."
        )
    return power[wanted], bins[wanted]


def decibels(power: Array, top_db: float | None) -> Array:
    librosa = import_librosa()

    return np.asarray(librosa.power_to_db(power, top_db=top_db))


def f0_of_loud_frames(
    samples: Array,
    low_power: Array,
    sample_rate: int,
    hop_length: int,
    f0_range: tuple[float, float],
) -> Array:
    """Estimate one f0 a frame; NaN in the frames that are quiet where voices are loud."""
    librosa = import_librosa()

    lowest, highest = f0_range
    # Four periods of the lowest voice: yin compares two, and looks up to two away.
    frame_length = 2 ** math.ceil(math.log2(4 * sample_rate / lowest))
    f0 = librosa.yin(
        np.pad(samples, frame_length // 2),
        fmin=lowest,
        fmax=highest,
        sr=sample_rate,
        frame_length=frame_length,
        hop_length=hop_length,
        center=False,
    )
    level = librosa.power_to_db(low_power.sum(axis=0), top_db=None)
    # Below the floor of power_to_db (-100 dB) all is silence, however even.
    loud = (level >= level.max() - _F0_TOP_DB) & (level > -100.0)
    return np.where(loud, f0[: len(level)], np.nan)
