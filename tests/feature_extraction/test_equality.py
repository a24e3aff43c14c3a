"""Every feature equals librosa's on the clip without its padding."""

from __future__ import annotations

import numpy as np
import pytest

from sersk.feature_extraction import FrameFeatures

# Largest error over the feature's largest magnitude on the set. In double precision only the order
# of additions differs from librosa's; single precision has 24 bits for a transform of ten passes.
TOLERANCE = {"exact": 1e-6, "fast": 1e-5}
# In dB, where a ratio has no meaning: their zero is arbitrary.
TOLERANCE_DB = {"exact": 1e-4, "fast": 2e-3}
IN_DB = {"log_mel", "log_mel_delta", "log_mel_delta2", "contrast"}

# Steps of what is counted: an error of rounding can move it by one, in few frames.
STEPS = {
    "rolloff": lambda p: p.get("sample_rate", 16000) / p.get("n_fft", 2048),
    "zcr": lambda p: 1 / p.get("n_fft", 2048),
}
MAX_SHARE = {"rolloff": 1e-3, "zcr": 1e-3, "yin": 5e-3}
# One more in a thousand is chance, where a set has hardly more than a thousand frames.
FEW = 2

PARAMETERS = {
    "defaults": {},
    "25 ms": {
        "n_fft": 512, "win_length": 400, "hop_length": 160, "window": "hamming", "n_mels": 40,
        "htk": True, "norm": None, "power": 1.0, "fmin": 50.0, "fmax": 7000.0, "n_mfcc": 13,
        "lifter": 22, "amin": 1e-8, "n_chroma": 24, "tuning": 0.1, "roll_percent": 0.95,
        "n_bands": 5, "quantile": 0.1, "pitch_fmin": 80.0, "pitch_fmax": 400.0,
    },
    "22 kHz": {"sample_rate": 22050, "n_fft": 1024, "hop_length": 333, "n_mels": 80, "n_mfcc": 20},
    "8 kHz": {
        "sample_rate": 8000, "n_fft": 256, "hop_length": 64, "n_mels": 24, "n_mfcc": 24,
        "n_bands": 4, "quantile": 0.2, "pitch_fmin": 70.0, "tuning": -0.2,
    },
    "48 kHz": {"sample_rate": 48000, "n_fft": 4096, "hop_length": 4096, "window": "blackman"},
    # librosa estimates the tuning of an odd transform as if it were one sample shorter.
    "odd": {"n_fft": 1023, "hop_length": 511, "n_mels": 40, "n_mfcc": 13, "tuning": 0.0},
    "composite": {"n_fft": 1500, "hop_length": 777, "win_length": 1499, "n_mels": 60},
}  # fmt: skip

WAYS = [(backend, "exact") for backend in ("numba", "scipy", "reference")]
WAYS += [("numba", "fast"), ("scipy", "fast")]


@pytest.fixture(scope="module")
def expected(by_librosa, all_features, clips):
    """librosa's values, computed once for each set of parameters."""
    known = {}

    def compute(name):
        if name not in known:
            known[name] = [by_librosa(all_features, clip, **PARAMETERS[name]) for clip in clips]
        return known[name]

    return compute


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_equals_librosa(expected, all_features, clips, padded, backend, precision, name):
    parameters = PARAMETERS[name]
    ways = {"backend": backend, "fft_precision": precision}
    # With the contrast among them, all are computed in double precision.
    features = [f for f in all_features if precision == "exact" or f != "contrast"]
    frames = FrameFeatures(features=features, **ways, **parameters).fit_transform(padded(clips))
    wanted = [dict(zip(all_features, clip, strict=True)) for clip in expected(name)]
    sizes = [len(wanted[0][feature]) for feature in features]
    assert frames.shape[1] == sum(sizes)
    parts = np.split(frames, np.cumsum(sizes)[:-1], axis=1)
    for feature, found in zip(features, parts, strict=True):
        truth = np.full_like(found, np.nan)
        for row, clip in zip(truth, wanted, strict=True):
            row[:, : clip[feature].shape[1]] = clip[feature]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(truth), err_msg=feature)
        error = np.abs(found - truth)
        tolerance = TOLERANCE[precision] * np.nanmax(np.abs(truth))
        if feature in IN_DB:
            tolerance = TOLERANCE_DB[precision]
        if feature in MAX_SHARE:
            elsewhere = error > tolerance
            allowed = max(MAX_SHARE[feature] * np.isfinite(truth).sum(), FEW)
            assert elsewhere.sum() <= allowed, feature
            if feature in STEPS:
                assert (error[elsewhere] <= 1.001 * STEPS[feature](parameters)).all(), feature
        else:
            assert np.nanmax(error) <= tolerance, (feature, np.nanmax(error) / tolerance)


@pytest.mark.parametrize("backend", ["numba", "scipy", "reference"])
def test_silence_a_tone_and_a_click(by_librosa, all_features, padded, backend):
    """Where nearly all bins hold nothing but rounding errors, double precision still agrees."""
    time = np.arange(8000) / 16000
    tone = np.sin(2 * np.pi * 1000 * time)
    clips = [np.zeros(8000), np.ones(3000), tone, np.eye(1, 4000, 2000)[0], np.ones(1)]
    features = [f for f in all_features if f not in MAX_SHARE]
    frames = FrameFeatures(features=features, tuning=0.0, backend=backend).transform(padded(clips))
    for found, clip in zip(frames, clips, strict=True):
        rows = 0
        for feature, truth in zip(features, by_librosa(features, clip, tuning=0.0), strict=True):
            part = found[rows : rows + len(truth), : truth.shape[1]]
            scale = TOLERANCE_DB["exact"]
            if feature not in IN_DB:
                scale = TOLERANCE["exact"] * np.abs(truth).max() + 1e-12
            assert np.abs(part - truth).max() <= scale, feature
            rows += len(truth)


@pytest.mark.parametrize("parameters", [{"n_fft": 8192}, {"hop_length": 100}], ids=str)
def test_a_long_clip_is_one_piece(by_librosa, parameters):
    """Clips are worked on in stretches of frames; all of them decide about the tuning."""
    rng = np.random.default_rng(0)
    time = np.arange(20 * 16000) / 16000
    clip = np.sin(2 * np.pi * np.cumsum(200 + 100 * np.sin(time)) / 16000) * np.cos(2 * time)
    clip += rng.normal(scale=0.05, size=len(clip))
    features = ["mel", "log_mel_delta", "chroma", "rms", "centroid", "contrast"]
    for backend in ("numba", "scipy"):
        frames = FrameFeatures(features=features, backend=backend, **parameters).transform([clip])
        truth = by_librosa(features, clip, **parameters)
        parts = np.split(frames[0], np.cumsum([len(rows) for rows in truth])[:-1])
        for feature, found, wanted in zip(features, parts, truth, strict=True):
            tolerance = TOLERANCE_DB["exact"] if feature in IN_DB else TOLERANCE["exact"]
            scale = 1 if feature in IN_DB else np.abs(wanted).max()
            assert np.abs(found - wanted).max() <= tolerance * scale, (backend, feature)


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_pyin(by_librosa, clips, padded, backend):
    clips = [clips[0][:16000], clips[0][:2000]]
    frames = FrameFeatures(features=["rms", "pyin"], backend=backend).transform(padded(clips))
    for found, clip in zip(frames, clips, strict=True):
        (truth,) = by_librosa(["pyin"], clip)
        np.testing.assert_array_equal(found[1:, : truth.shape[1]], truth)
        assert np.isnan(found[:, truth.shape[1] :]).all()
