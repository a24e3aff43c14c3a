"""Pitch: librosa's values, and tones whose pitch is known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersk.feature_extraction import Pitch


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"fmin": 100.0, "fmax": 300.0, "trough_threshold": 0.3},
        {"frame_length": 1024, "hop_length": 160},
        {"frame_length": 1023, "hop_length": 300},
        {"sample_rate": 8000, "frame_length": 512},
    ],
    ids=str,
)
def test_yin(clips, padded, parameters):
    clips = [clips[0], clips[1][:300]]
    frames = Pitch(**parameters).transform(padded(clips))
    options = {"fmin": 65.0, "fmax": 500.0, "sr": 16000, "hop_length": 512, **parameters}
    options["sr"] = options.pop("sample_rate", 16000)
    for found, clip in zip(frames, clips, strict=True):
        expected = librosa.yin(clip, **options)
        assert_array_equal(found[0, : len(expected)], expected)
        assert np.isnan(found[0, len(expected) :]).all()


@pytest.mark.parametrize("parameters", [{}, {"fmin": 80.0, "frame_length": 1024}], ids=str)
def test_pyin(clips, parameters):
    clip = clips[0][:16000]
    options = {"fmin": 65.0, "fmax": 500.0, "frame_length": 2048, **parameters}
    expected = librosa.pyin(clip, sr=16000, hop_length=512, fill_na=None, **options)
    pitch = Pitch(method="pyin", **parameters)
    assert_array_equal(pitch.transform([clip])[0], np.array(expected, dtype=float))
    assert pitch.get_feature_names_out().tolist() == ["f0_pyin", "voiced", "voiced_probability"]


@pytest.mark.parametrize("method", ["yin", "pyin"])
@pytest.mark.parametrize("frequency", [80, 160, 400])
def test_tones(method, frequency):
    tone = np.sin(2 * np.pi * frequency * np.arange(8000) / 16000)
    found = Pitch(method=method).transform([tone])[0, 0, 3:-3]
    # Yin interpolates between lags; pyin's grid is a tenth of a semitone.
    assert_allclose(found, frequency, rtol=0.01)


def test_silence_has_a_frequency_and_no_voice():
    frequency, voiced, probability = Pitch(method="pyin").transform(np.zeros((1, 4000)))[0]
    assert np.isfinite(frequency).all()
    assert (voiced == 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()
    assert np.isfinite(Pitch().transform(np.zeros((1, 4000)))).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmax": 9000.0}, "fmax=9000 Hz lies above half the sample rate"),
        ({"fmin": 500.0}, "fmin=500 Hz must lie below fmax=500 Hz"),
        ({"frame_length": 256}, "lasts 246 samples: a frame of 256 does not hold two"),
        ({"fmin": 0.0}, "'fmin' parameter"),
        ({"method": "crepe"}, "'method' parameter"),
        ({"trough_threshold": 0.0}, "'trough_threshold' parameter"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["yin", "pyin"])
def test_refused(method, parameters, message):
    pitch = Pitch(**{"method": method, **parameters})
    with pytest.raises(ValueError, match=message):
        pitch.fit(np.zeros((1, 1000)))
    with pytest.raises(ValueError, match=message):
        pitch.transform(np.zeros((1, 1000)))


def test_what_is_allowed_does_not_warn():
    """The limit on the frame is where librosa begins to warn."""
    for frame_length in range(490, 520):
        pitch = Pitch(fmin=65.0, frame_length=frame_length)
        try:
            pitch.fit(np.zeros((1, 1000)))
        except ValueError:
            continue
        assert np.isfinite(pitch.transform(np.ones((1, 1000)))).all()
