"""What librosa says of a clip, called for each feature by itself, and clips to ask it about."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from sklearn.base import clone

from sersk._utils._compile import numba_usable
from sersk.feature_extraction import (
    MFCC,
    Chroma,
    FrameFeatures,
    LogMelSpectrogram,
    MelSpectrogram,
    Pitch,
    RMSEnergy,
    SpectralShape,
    Tonnetz,
    ZeroCrossingRate,
)

FRAME_FEATURES = (
    "mel", "log_mel", "log_mel_delta", "log_mel_delta2", "mfcc", "mfcc_delta", "mfcc_delta2",
    "chroma", "tonnetz", "zcr", "rms", "centroid", "bandwidth", "rolloff", "flatness", "contrast",
    "yin",
)  # fmt: skip

# Every public class at settings that give short clips many frames; `Tonnetz` in both its ways.
FRAMES = {"n_fft": 256, "hop_length": 64}
PERIODS = {"frame_length": 256, "hop_length": 64}
TRANSFORMERS = {
    "MelSpectrogram": MelSpectrogram(n_mels=10, **FRAMES),
    "LogMelSpectrogram": LogMelSpectrogram(n_mels=10, deltas=2, ref="max", **FRAMES),
    "MFCC": MFCC(n_mfcc=4, n_mels=10, deltas=2, **FRAMES),
    "Chroma": Chroma(**FRAMES),
    "Tonnetz": Tonnetz(chroma="stft", **FRAMES),
    "Tonnetz-cqt": Tonnetz(hop_length=64),
    "ZeroCrossingRate": ZeroCrossingRate(**PERIODS),
    "RMSEnergy": RMSEnergy(**PERIODS),
    "SpectralShape": SpectralShape(**FRAMES),
    "Pitch": Pitch(fmin=150.0, **PERIODS),
    "FrameFeatures": FrameFeatures(n_mfcc=4, n_mels=10, **FRAMES),
    "FrameFeatures-fast": FrameFeatures(n_mfcc=4, n_mels=10, fft_precision="fast", **FRAMES),
    "FrameFeatures-scipy": FrameFeatures(n_mfcc=4, n_mels=10, backend="scipy", **FRAMES),
    "FrameFeatures-reference": FrameFeatures(n_mfcc=4, n_mels=10, backend="reference", **FRAMES),
}


def librosa_frames(
    features,
    samples,
    *,
    sample_rate=16000,
    n_fft=2048,
    hop_length=512,
    win_length=None,
    window="hann",
    power=2.0,
    n_mels=128,
    fmin=0.0,
    fmax=None,
    htk=False,
    norm="slaney",
    amin=1e-10,
    top_db=80.0,
    n_mfcc=40,
    lifter=0,
    n_chroma=12,
    tuning=None,
    roll_percent=0.85,
    n_bands=6,
    quantile=0.02,
    pitch_fmin=65.0,
    pitch_fmax=500.0,
):
    """Compute features of one clip without padding; parameters are those of `FrameFeatures`."""
    frames = {"frame_length": n_fft, "hop_length": hop_length}
    stft = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "window": window}
    shape = {"y": samples, "sr": sample_rate, **stft}
    pitch = {"fmin": pitch_fmin, "fmax": pitch_fmax, "sr": sample_rate, **frames}

    def mel():
        return librosa.feature.melspectrogram(
            **shape, power=power, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
        )

    def log_mel():
        if power == 1.0:
            return librosa.amplitude_to_db(mel(), amin=np.sqrt(amin), top_db=top_db)
        return librosa.power_to_db(mel(), amin=amin, top_db=top_db)

    def chroma():
        return librosa.feature.chroma_stft(**shape, n_chroma=n_chroma, tuning=tuning)

    def pyin():
        return np.array(librosa.pyin(samples, fill_na=None, **pitch), dtype=np.float64)

    compute = {
        "mel": mel,
        "log_mel": log_mel,
        "mfcc": lambda: librosa.feature.mfcc(S=log_mel(), n_mfcc=n_mfcc, lifter=lifter),
        "chroma": chroma,
        "tonnetz": lambda: librosa.feature.tonnetz(chroma=chroma(), sr=sample_rate),
        "zcr": lambda: librosa.feature.zero_crossing_rate(samples, **frames),
        "rms": lambda: librosa.feature.rms(y=samples, **frames),
        "centroid": lambda: librosa.feature.spectral_centroid(**shape),
        "bandwidth": lambda: librosa.feature.spectral_bandwidth(**shape),
        "rolloff": lambda: librosa.feature.spectral_rolloff(**shape, roll_percent=roll_percent),
        "flatness": lambda: librosa.feature.spectral_flatness(y=samples, **stft, amin=amin),
        "contrast": lambda: librosa.feature.spectral_contrast(
            **shape, n_bands=n_bands, quantile=quantile
        ),
        "yin": lambda: librosa.yin(samples, **pitch)[np.newaxis],
        "pyin": pyin,
    }
    found = {}
    with warnings.catch_warnings():
        # librosa warns of clips that are shorter than a frame, and of those without a pitch.
        warnings.simplefilter("ignore")
        for feature in features:
            base, *derived = feature.split("_delta")
            if base not in found:
                found[base] = compute[base]()
            if derived:
                mode = "interp" if found[base].shape[1] >= 9 else "nearest"
                order = int(derived[0] or 1)
                found[feature] = librosa.feature.delta(found[base], order=order, mode=mode)
    return [found[feature] for feature in features]


@pytest.fixture(scope="session")
def by_librosa():
    return librosa_frames


@pytest.fixture(scope="session")
def all_features():
    """Every feature that `FrameFeatures` knows, but for the slow pyin."""
    return FRAME_FEATURES


@pytest.fixture(scope="session", params=TRANSFORMERS)
def transformer(request):
    """Each public class in turn; none of them keeps anything between calls."""
    return clone(TRANSFORMERS[request.param])


@pytest.fixture
def transformers():
    """All of them at once."""
    return list(map(clone, TRANSFORMERS.values()))


def pad(clips, dtype=np.float64):
    """Put clips in one array, NaN after the end of each."""
    waveforms = np.full((len(clips), max(map(len, clips))), np.nan, dtype=dtype)
    for row, clip in zip(waveforms, clips, strict=True):
        row[: len(clip)] = clip
    return waveforms


@pytest.fixture(scope="session")
def padded():
    return pad


@pytest.fixture(scope="session")
def clips(small_corpus):
    """Clips of 0.02 to 10 s at 16 kHz: synthetic speech, noise, sweeps, clicks and silences."""
    rng = np.random.default_rng(0)
    speech = [clip[~np.isnan(clip)].astype(np.float64) for clip in small_corpus.data[:12:3]]
    time = np.arange(32000) / 16000
    sweep = librosa.chirp(fmin=60, fmax=7500, sr=16000, duration=2.0)
    hum = 0.1 * sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 40))
    # Not without noise: peaks of a flat spectrum are rounding errors, and so is their tuning.
    clicks = rng.normal(scale=1e-3, size=16000)
    clicks[[0, 5000, 5001, 15999]] += 1.0, -0.5, 0.5, 0.25
    broken = rng.normal(scale=0.1, size=24000)
    broken[6000:16000] = 0
    return [
        *speech,
        rng.normal(scale=0.2, size=160000),
        rng.uniform(-1e-4, 1e-4, size=20000),
        sweep + rng.normal(scale=1e-3, size=len(sweep)),
        hum + rng.normal(scale=1e-3, size=len(hum)),
        clicks,
        broken,
        speech[0][3000:3320],
        rng.normal(scale=0.1, size=2600),
    ]


SWITCHED_OFF = "the compiled kernels are switched off"


@pytest.fixture(autouse=True)
def skip_what_asks_for_kernels(monkeypatch):
    """Let the tests pass where the kernels are switched off: what asks for them is skipped."""
    if not numba_usable():
        for module in ("_base", "_functionals"):
            monkeypatch.setattr(
                f"sersk.feature_extraction.{module}.require_numba",
                lambda: pytest.skip(SWITCHED_OFF),
            )


@pytest.fixture
def kernels():
    """For tests of how the kernels are found and loaded."""
    if not numba_usable():
        pytest.skip(SWITCHED_OFF)
