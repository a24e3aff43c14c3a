"""MelSpectrogram and LogMelSpectrogram: their own parameters, each against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersk.feature_extraction import LogMelSpectrogram, MelSpectrogram

# Largest error over the largest magnitude, and in dB: only the order of additions differs.
RELATIVE_TOLERANCE = 1e-6
TOLERANCE_DB = 1e-4

BACKENDS = ["numba", "scipy", "reference"]


@pytest.fixture
def clip(clips):
    return clips[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"power": 1.0},
        {"htk": True},
        {"norm": None},
        {"n_mels": 1},
        {"n_mels": 20, "fmin": 300.0, "fmax": 3400.0},
        {"fmax": 8000.0},
        {"win_length": 401},
        {"win_length": 1},
        {"window": "boxcar"},
        {"hop_length": 5000},
    ],
    ids=str,
)
def test_mel_spectrogram(clip, backend, parameters):
    expected = librosa.feature.melspectrogram(y=clip, sr=16000, **parameters)
    frames = MelSpectrogram(backend=backend, **parameters).transform([clip])[0]
    assert frames.shape == expected.shape
    assert_allclose(frames, expected, rtol=0, atol=RELATIVE_TOLERANCE * expected.max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize(
    "parameters",
    [
        {"ref": "max"},
        {"ref": 0.3},
        {"ref": 1e-20},  # below amin
        {"ref": "max", "top_db": 20.0},
        {"top_db": None},
        {"top_db": 0.0},
        {"amin": 1e-3},
        {"amin": 1e-3, "ref": "max", "top_db": None},
    ],
    ids=str,
)
def test_levels(clip, backend, power, parameters):
    # Over decibels of an amplitude, librosa's amin is an amplitude too: the root of a power's.
    to_db, exponent = {
        1.0: (librosa.amplitude_to_db, 0.5),
        2.0: (librosa.power_to_db, 1.0),
    }[power]
    bands = librosa.feature.melspectrogram(y=clip, sr=16000, power=power)
    options = {**parameters, "amin": parameters.get("amin", 1e-10) ** exponent}
    if parameters.get("ref") == "max":
        options["ref"] = np.max
    expected = to_db(bands, **options)
    images = LogMelSpectrogram(power=power, backend=backend, **parameters).transform([clip])
    assert images.shape == (1, 1, *expected.shape)
    assert_allclose(images[0, 0], expected, rtol=0, atol=TOLERANCE_DB)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_frames", [1, 2, 8, 9, 10, 20])
def test_channels_are_derivatives(clip, padded, backend, n_frames):
    """In clips under nine frames, the first and the last are held."""
    short = clip[8000 : 8000 + 512 * (n_frames - 1) + 100]
    mel = LogMelSpectrogram(deltas=2, n_mels=20, backend=backend)
    images = mel.transform(padded([short, clip]))[0, ..., :n_frames]
    mode = "interp" if n_frames >= 9 else "nearest"
    for order in (1, 2):
        expected = librosa.feature.delta(images[0], order=order, mode=mode)
        assert_allclose(images[order], expected, rtol=0, atol=TOLERANCE_DB)
    if n_frames == 1:
        assert_allclose(images[1:], 0, atol=1e-9)
    assert mel.get_feature_names_out().tolist() == ["log_mel", "log_mel_delta", "log_mel_delta2"]


def test_names_of_bands():
    assert MelSpectrogram(n_mels=2).get_feature_names_out().tolist() == ["mel0", "mel1"]


@pytest.mark.parametrize("cls", [MelSpectrogram, LogMelSpectrogram])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"win_length": 4096}, "win_length=4096 must not exceed n_fft=2048"),
        ({"fmax": 8001.0}, "fmax=8001 Hz lies above half the sample rate"),
        ({"fmin": 9000.0}, "fmin=9000 Hz must lie below the upper edge, 8000 Hz"),
        ({"n_fft": 256}, "bands are too many for n_fft=256"),
        ({"power": 3.0}, "'power' parameter"),
        ({"hop_length": 0}, "'hop_length' parameter"),
        ({"window": "no such window"}, "[Ww]indow"),
        ({"backend": "cupy"}, "'backend' parameter"),
        ({"device": "tpu"}, "'device' parameter"),
        ({"fft_precision": "half"}, "'fft_precision' parameter"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(cls, parameters, message):
    with pytest.raises(ValueError, match=message):
        cls(**parameters).fit(np.zeros((1, 1000)))
    with pytest.raises(ValueError, match=message):
        cls(**parameters).transform(np.zeros((1, 1000)))


@pytest.mark.parametrize(
    "parameters", [{"ref": 0.0}, {"ref": "min"}, {"amin": 0.0}, {"top_db": -1.0}, {"deltas": 3}]
)
def test_levels_out_of_range(parameters):
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter"):
        LogMelSpectrogram(**parameters).fit(np.zeros((1, 1000)))
