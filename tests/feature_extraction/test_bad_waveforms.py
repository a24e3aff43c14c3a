"""What cannot be transformed is refused, saying where it is wrong; what can be, has a value."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sersk.feature_extraction import MFCC, FrameFeatures, LogMelSpectrogram

HOLE = np.array([[0.1, np.nan, 0.1, 0.1]])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((0, 10)), ValueError, r"0 sample\(s\)"),
        (np.zeros((1, 0)), ValueError, r"0 feature\(s\)"),
        (np.zeros(10), ValueError, "Reshape your data"),
        (np.zeros((1, 2, 3)), ValueError, "dim 3"),
        (np.array([["a", "b"]]), ValueError, "could not convert string"),
        (np.array([[1j, 1.0]]), ValueError, "Complex data not supported"),
        (np.array([[object(), 1.0]]), TypeError, "must be a string or a real number"),
        (np.array([[0.1, np.inf, 0.1]]), ValueError, "Row 0 holds infinity at step 1 of 3"),
        (np.array([[0.1, -np.inf, np.nan]]), ValueError, "Row 0 holds infinity at step 1 of 3"),
        (HOLE, ValueError, r"Row 0 holds NaN before its end \(near step 1 of 4\)"),
        (np.array([[np.nan, 0.1]]), ValueError, "Row 0 holds NaN before its end"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, np.ndarray) else None,
)
def test_refused(transformer, X, error, message):
    with pytest.raises(error, match=message):
        transformer.transform(X)
    with pytest.raises(error, match=message):
        clone(transformer).fit(X)


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_the_row_is_named_wherever_it_is(n_jobs, fault):
    X = np.zeros((40, 100), dtype=np.float32)
    X[37, 50] = fault
    with pytest.raises(ValueError, match="Row 37 holds"):
        FrameFeatures(features=["rms"], n_jobs=n_jobs).transform(X)


def test_a_clip_of_nothing(transformer):
    """It has no frames, and nothing is said about it."""
    frames = transformer.transform(np.full((3, 300), np.nan))
    assert np.isnan(frames).all()
    assert frames.shape[-1] == 1 + 300 // transformer.hop_length


@pytest.mark.parametrize("n_samples", [1, 2, 63, 64, 65, 255, 256, 257])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, -1e4])
def test_constant_clips_of_any_length(transformer, n_samples, value):
    frames = transformer.transform(np.full((1, n_samples), value))
    assert frames.shape[-1] == 1 + n_samples // 64
    assert np.isfinite(frames).all()


def test_integers_are_numbers(transformer):
    X = np.array([[1, -2, 3] * 50])
    frames = transformer.transform(X)
    assert frames.dtype == np.float64
    np.testing.assert_array_equal(frames, transformer.transform(X.astype(float)))


@pytest.mark.parametrize("backend", ["numba", "scipy", "reference"])
def test_silence(backend):
    values = {
        "mel": 0, "log_mel": -100, "log_mel_delta": 0, "chroma": 0, "tonnetz": 0, "zcr": 0,
        "rms": 0, "centroid": 0, "bandwidth": 0, "rolloff": 0, "flatness": 1, "contrast": 0,
    }  # fmt: skip
    for feature, value in values.items():
        transformer = FrameFeatures(features=[feature], backend=backend)
        frames = transformer.transform(np.zeros((1, 3000)))
        np.testing.assert_allclose(frames, value, atol=1e-12, err_msg=feature)
    frames = MFCC(n_mfcc=2, backend=backend).transform(np.zeros((1, 3000)))
    np.testing.assert_allclose(frames[0, 0], -100 * np.sqrt(128))
    np.testing.assert_allclose(frames[0, 1], 0, atol=1e-9)
    frames = LogMelSpectrogram(ref="max", backend=backend).transform(np.zeros((1, 3000)))
    np.testing.assert_allclose(frames, 0, atol=1e-12)


def test_clips_shorter_than_a_frame_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for backend in ("numba", "scipy", "reference"):
            features = ["mfcc_delta", "chroma", "contrast", "rms", "zcr", "yin"]
            frames = FrameFeatures(features=features, backend=backend).transform(np.ones((2, 1)))
            assert np.isfinite(frames).all()
