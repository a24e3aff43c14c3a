"""Each feature the plain way: one clip at a time, through librosa.

This is the truth that every faster path must equal; the transformers may use another way, the
values stay these. Clips come without padding, in the precision in which they are given, and have at
least one sample; each function gives (n_rows, n_frames).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils._librosa import import_librosa
from ._settings import DELTA_WIDTH, FrameSettings

Samples = NDArray[np.floating]
Rows = NDArray[np.floating]

# librosa's default for the chroma of a constant-Q transform.
_CQT_BINS_PER_OCTAVE = 36

_WARNING_FILTERS = threading.Lock()


def mel(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.melspectrogram` does."""
    librosa = import_librosa()

    bands: Rows = librosa.feature.melspectrogram(
        S=_spectrogram(samples, s, s.power),
        sr=s.sample_rate,
        n_fft=s.n_fft,
        n_mels=s.n_mels,
        fmin=s.fmin,
        fmax=s.fmax,
        htk=s.htk,
        norm=s.norm,
    )
    return bands


def log_mel(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.power_to_db`, or amplitude_to_db, makes of mel bands."""
    librosa = import_librosa()

    bands = mel(samples, s)
    ref: Any = np.max if s.ref == "max" else s.ref
    # The amplitude's smallest value is the power's root, as in librosa's defaults.
    if s.power == 1.0:
        return np.asarray(
            librosa.amplitude_to_db(bands, ref=ref, amin=np.sqrt(s.amin), top_db=s.top_db)
        )
    return np.asarray(librosa.power_to_db(bands, ref=ref, amin=s.amin, top_db=s.top_db))


def mfcc(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.mfcc` does."""
    librosa = import_librosa()

    coefficients: Rows = librosa.feature.mfcc(
        S=log_mel(samples, s), n_mfcc=s.n_mfcc, lifter=s.lifter
    )
    return coefficients


def chroma(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.chroma_stft` does."""
    librosa = import_librosa()

    power = _spectrogram(samples, s, 2.0)
    classes: Rows = librosa.feature.chroma_stft(
        S=power,
        sr=s.sample_rate,
        n_fft=s.n_fft,
        n_chroma=s.n_chroma,
        tuning=_tuning(power, s, s.n_chroma) if s.tuning is None else s.tuning,
        norm=s.chroma_norm,
    )
    return classes


def _tuning(spectrum: Rows, s: FrameSettings, bins_per_octave: int) -> float:
    librosa = import_librosa()

    # As librosa.estimate_tuning, which warns where there is no peak and takes 0 there.
    pitches, heights = librosa.piptrack(S=spectrum, sr=s.sample_rate, n_fft=s.n_fft)
    found = pitches > 0
    if not found.any():
        return 0.0
    loud = found & (heights >= np.median(heights[found]))
    return float(librosa.pitch_tuning(pitches[loud], bins_per_octave=bins_per_octave))


def tonnetz(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.tonnetz` does, of one chroma or the other."""
    librosa = import_librosa()

    if s.tonnetz_chroma == "stft":
        return np.asarray(librosa.feature.tonnetz(chroma=chroma(samples, s), sr=s.sample_rate))
    if s.tuning is None:
        # As librosa.cqt estimates it, whatever the length of our own transform.
        plain = FrameSettings(sample_rate=s.sample_rate)
        tuning = _tuning(_spectrogram(samples, plain, 1.0), plain, _CQT_BINS_PER_OCTAVE)
    else:
        # Ours is in pitch classes, that of the transform in its bins.
        tuning = s.tuning * _CQT_BINS_PER_OCTAVE / s.n_chroma
    # librosa warns of every clip that is shorter than the filters of the lowest octave, and pads it
    # with zeros. Filters of warnings belong to the whole process: one thread at a time.
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large", UserWarning)
        classes = librosa.feature.chroma_cqt(
            y=samples,
            sr=s.sample_rate,
            hop_length=s.hop_length,
            n_chroma=s.n_chroma,
            bins_per_octave=_CQT_BINS_PER_OCTAVE,
            tuning=tuning,
        )
    rows = librosa.feature.tonnetz(chroma=classes, sr=s.sample_rate)
    return np.asarray(rows)


def zero_crossing_rate(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.zero_crossing_rate` does."""
    librosa = import_librosa()

    rate: Rows = librosa.feature.zero_crossing_rate(
        samples, frame_length=s.n_fft, hop_length=s.hop_length, threshold=s.threshold
    )
    return rate


def rms(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.rms` does of a waveform."""
    librosa = import_librosa()

    level: Rows = librosa.feature.rms(y=samples, frame_length=s.n_fft, hop_length=s.hop_length)
    return level


def centroid(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.spectral_centroid` does."""
    librosa = import_librosa()

    magnitude = _spectrogram(samples, s, 1.0)
    return np.asarray(
        librosa.feature.spectral_centroid(S=magnitude, sr=s.sample_rate, n_fft=s.n_fft)
    )


def bandwidth(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.spectral_bandwidth` does."""
    librosa = import_librosa()

    magnitude = _spectrogram(samples, s, 1.0)
    return np.asarray(
        librosa.feature.spectral_bandwidth(S=magnitude, sr=s.sample_rate, n_fft=s.n_fft)
    )


def rolloff(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.spectral_rolloff` does."""
    librosa = import_librosa()

    magnitude = _spectrogram(samples, s, 1.0)
    return np.asarray(
        librosa.feature.spectral_rolloff(
            S=magnitude, sr=s.sample_rate, n_fft=s.n_fft, roll_percent=s.roll_percent
        )
    )


def flatness(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.spectral_flatness` does."""
    librosa = import_librosa()

    magnitude = _spectrogram(samples, s, 1.0)
    return np.asarray(librosa.feature.spectral_flatness(S=magnitude, amin=s.amin))


def contrast(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.feature.spectral_contrast` does."""
    librosa = import_librosa()

    magnitude = _spectrogram(samples, s, 1.0)
    return np.asarray(
        librosa.feature.spectral_contrast(
            S=magnitude,
            sr=s.sample_rate,
            n_fft=s.n_fft,
            n_bands=s.n_bands,
            quantile=s.quantile,
        )
    )


def yin(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.yin` does."""
    librosa = import_librosa()

    return np.asarray(
        librosa.yin(
            samples,
            fmin=s.pitch_fmin,
            fmax=s.pitch_fmax,
            sr=s.sample_rate,
            frame_length=s.n_fft,
            hop_length=s.hop_length,
            trough_threshold=s.trough_threshold,
        )
    )[np.newaxis]


def pyin(samples: Samples, s: FrameSettings) -> Rows:
    """Compute what :func:`librosa.pyin` does: frequency, voiced or not, and how probably."""
    librosa = import_librosa()

    frequency, voiced, probability = librosa.pyin(
        samples,
        fmin=s.pitch_fmin,
        fmax=s.pitch_fmax,
        sr=s.sample_rate,
        frame_length=s.n_fft,
        hop_length=s.hop_length,
        # NaN would mean that there is no frame.
        fill_na=None,
    )
    return np.stack([frequency, voiced.astype(frequency.dtype), probability])


def delta(rows: Rows, order: int) -> Rows:
    """Compute what :func:`librosa.feature.delta` does; short clips with their ends held."""
    librosa = import_librosa()

    mode = "interp" if rows.shape[1] >= DELTA_WIDTH else "nearest"
    return np.asarray(librosa.feature.delta(rows, width=DELTA_WIDTH, order=order, mode=mode))


def _spectrogram(samples: Samples, s: FrameSettings, power: float) -> Rows:
    librosa = import_librosa()

    # librosa pads a centred frame with zeros; done here, it does not warn of each short clip.
    transform = librosa.stft(
        np.pad(samples, s.n_fft // 2),
        n_fft=s.n_fft,
        hop_length=s.hop_length,
        win_length=s.win_length,
        window=s.window,
        center=False,
    )
    return np.asarray(np.abs(transform) ** power)


COMPUTE: dict[str, Callable[[Samples, FrameSettings], Any]] = {
    "mel": mel,
    "log_mel": log_mel,
    "mfcc": mfcc,
    "chroma": chroma,
    "tonnetz": tonnetz,
    "zcr": zero_crossing_rate,
    "rms": rms,
    "centroid": centroid,
    "bandwidth": bandwidth,
    "rolloff": rolloff,
    "flatness": flatness,
    "contrast": contrast,
    "yin": yin,
    "pyin": pyin,
}
