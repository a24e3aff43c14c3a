"""MFCC: librosa's values on each clip without its padding."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from sersk.feature_extraction import MFCC

# Largest error over the largest magnitude: the arithmetic is librosa's, only the padding differs.
RELATIVE_TOLERANCE = 1e-6


def assert_equals_librosa(found, samples, **parameters):
    parameters = {"sample_rate": 16000, "n_mfcc": 40, **parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of clips shorter than a frame
        expected = librosa.feature.mfcc(y=samples, sr=parameters.pop("sample_rate"), **parameters)
    assert found[:, : expected.shape[1]].shape == expected.shape
    assert_allclose(
        found[:, : expected.shape[1]], expected, atol=RELATIVE_TOLERANCE * np.abs(expected).max()
    )
    assert np.isnan(found[:, expected.shape[1] :]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"sample_rate": 8000, "n_mfcc": 13, "n_fft": 512, "hop_length": 160, "n_mels": 40},
        {"sample_rate": 22050, "n_fft": 1024, "win_length": 600, "window": "hamming"},
        {"fmin": 50.0, "fmax": 7000.0, "lifter": 22, "n_mfcc": 20, "hop_length": 100},
        {"n_fft": 1500, "hop_length": 777, "n_mels": 60},
        {"n_fft": 1023, "hop_length": 100, "n_mels": 40},
    ],
    ids=str,
)
def test_equals_librosa(small_corpus, dtype, parameters):
    waveforms = small_corpus.data[:4].astype(dtype)
    waveforms[0, 300:] = np.nan
    waveforms[1, 1:] = np.nan
    frames = MFCC(**parameters).fit_transform(waveforms)
    assert frames.dtype == dtype
    n_fft, hop_length = parameters.get("n_fft", 2048), parameters.get("hop_length", 512)
    assert frames.shape[2] == 1 + (waveforms.shape[1] - n_fft % 2) // hop_length
    for found, row in zip(frames, waveforms, strict=True):
        assert_equals_librosa(found, row[~np.isnan(row)], **parameters)


@given(
    lengths=st.lists(st.integers(0, 700), min_size=1, max_size=4),
    hop_length=st.integers(1, 300),
    more=st.integers(0, 400),
)
def test_padding_changes_nothing(lengths, hop_length, more):
    rng = np.random.default_rng(0)
    waveforms = np.full((len(lengths), max(lengths) + 1), np.nan)
    for row, length in zip(waveforms, lengths, strict=True):
        row[:length] = rng.normal(size=length)
    mfcc = MFCC(n_mfcc=5, n_fft=256, hop_length=hop_length, n_mels=10)
    frames = mfcc.transform(waveforms)
    padded = mfcc.transform(np.pad(waveforms, ((0, 0), (0, more)), constant_values=np.nan))
    assert_array_equal(frames, padded[:, :, : frames.shape[2]])
    assert np.isnan(padded[:, :, frames.shape[2] :]).all()
    n_frames = [1 + length // hop_length if length else 0 for length in lengths]
    assert_array_equal((~np.isnan(frames)).all(axis=1).sum(axis=1), n_frames)


def test_short_clips_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(MFCC().fit_transform(np.ones((2, 1)))).all()


def test_silence_has_the_documented_value():
    frames = MFCC(n_mfcc=2).fit_transform(np.zeros((1, 1000)))
    assert_allclose(frames[0, 0], -100 * np.sqrt(128))
    assert_allclose(frames[0, 1], 0, atol=1e-9)


def test_names_go_through_a_pipeline():
    from sersk.feature_extraction import Functionals

    pipeline = make_pipeline(MFCC(n_mfcc=2), Functionals(statistics=["mean", "max"]))
    pipeline.fit(np.zeros((2, 1000)))
    assert pipeline.get_feature_names_out().tolist() == [
        "mfcc0_mean", "mfcc0_max", "mfcc1_mean", "mfcc1_max",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_mfcc": 129}, "n_mfcc <= n_mels"),
        ({"win_length": 4096}, "must not exceed n_fft"),
        ({"fmax": 8001.0}, "above half the sample rate"),
        ({"fmin": 9000.0}, "below the upper edge"),
        ({"n_fft": 256}, "bands are too many for n_fft=256"),
        ({"hop_length": 0}, "'hop_length' parameter"),
        ({"window": "no such window"}, "[Ww]indow"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(parameters, message):
    mfcc = MFCC(**parameters)
    X = np.zeros((1, 1000))
    with pytest.raises(ValueError, match=message):
        mfcc.fit(X)
    with pytest.raises(ValueError, match=message):
        mfcc.transform(X)


def test_as_many_bands_as_librosa_fills_are_taken():
    """The limit on bands is where librosa begins to warn of empty ones."""
    for n_fft in (256, 512, 2048):
        for n_mels in range(10, 140, 3):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=n_mels)
            if caught:
                with pytest.raises(ValueError, match="too many"):
                    MFCC(n_mfcc=5, n_fft=n_fft, n_mels=n_mels).fit(np.zeros((1, 10)))
            else:
                MFCC(n_mfcc=5, n_fft=n_fft, n_mels=n_mels).fit(np.zeros((1, 10)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((1, 10), np.inf), "infinity"),
        (np.array([[0.0, np.nan, 0.0]]), "NaN before its end"),
        (np.zeros((1, 2, 3)), "dim 3"),
        (np.zeros(10), "Reshape your data"),
        (np.zeros((1, 0)), "0 feature"),
    ],
)
def test_bad_waveforms(X, message):
    with pytest.raises(ValueError, match=message):
        MFCC().transform(X)
