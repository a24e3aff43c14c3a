"""Chroma and Tonnetz: their own parameters, each against librosa."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersk.feature_extraction import Chroma, FrameFeatures, Tonnetz

# Values are between -1 and 1 but for those that are not normalised: over the largest magnitude.
RELATIVE_TOLERANCE = 1e-6

BACKENDS = ["numba", "scipy", "reference"]


@pytest.fixture
def clip(clips):
    return clips[0]


def assert_equals(found, expected):
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=0, atol=RELATIVE_TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_chroma": 24},
        {"n_chroma": 7, "tuning": 0.0},
        {"tuning": -0.5},
        {"tuning": 0.123456},
        {"norm": 1},
        {"norm": 2},
        {"norm": None},
        {"n_fft": 512, "win_length": 400, "hop_length": 160},
    ],
    ids=str,
)
def test_chroma(clip, backend, parameters):
    expected = librosa.feature.chroma_stft(y=clip, sr=16000, **parameters)
    assert_equals(Chroma(backend=backend, **parameters).transform([clip])[0], expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cents", [-45, -20, 0, 13, 40])
def test_the_tuning_of_an_instrument_is_found(backend, cents):
    """Chords a few cents off have the chroma that is asked for by their tuning."""
    time = np.arange(16000) / 16000
    notes = 440 * 2 ** ((np.array([-9, -5, -2, 0, 3]) + cents / 100) / 12)
    chord = np.sin(2 * np.pi * notes[:, np.newaxis] * time).sum(axis=0)
    # The estimate is on a grid of 0.01, and off by some cents: its peaks are broad.
    nearby = [
        Chroma(tuning=(cents + step) / 100, backend=backend).transform([chord])
        for step in range(-9, 10)
        if -50 <= cents + step < 50
    ]
    found = Chroma(backend=backend).transform([chord])
    assert min(np.abs(found - chroma).max() for chroma in nearby) < 1e-9


@pytest.mark.parametrize("parameters", [{}, {"tuning": 0.2}, {"hop_length": 256}], ids=str)
def test_tonnetz(clip, parameters):
    options = dict(parameters)
    if "tuning" in parameters:
        # librosa's are bins of the transform, three to a pitch class.
        options["tuning"] = 3 * parameters["tuning"]
    hop_length = options.setdefault("hop_length", 512)
    chroma = librosa.feature.chroma_cqt(y=clip, sr=16000, **options)
    if not parameters:
        assert_equals(
            librosa.feature.tonnetz(y=clip, sr=16000), librosa.feature.tonnetz(chroma=chroma)
        )
    expected = librosa.feature.tonnetz(chroma=chroma)
    assert expected.shape[1] == 1 + len(clip) // hop_length
    assert_equals(Tonnetz(**parameters).transform([clip])[0], expected)


@pytest.mark.parametrize("n_samples", [1, 100, 3000])
def test_tonnetz_of_short_clips(clip, n_samples):
    clip = clip[8000 : 8000 + n_samples]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.feature.tonnetz(y=clip, sr=16000)
    assert_equals(Tonnetz().transform([clip])[0], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tonnetz_of_the_fourier_transform(clip, backend):
    expected = librosa.feature.tonnetz(chroma=librosa.feature.chroma_stft(y=clip, sr=16000))
    frames = Tonnetz(chroma="stft", backend=backend).transform([clip])
    assert_equals(frames[0], expected)
    stacked = FrameFeatures(features=["tonnetz"], backend=backend).transform([clip])
    np.testing.assert_array_equal(stacked, frames)


def test_names():
    assert Chroma(n_chroma=2).get_feature_names_out().tolist() == ["chroma0", "chroma1"]
    assert Tonnetz().get_feature_names_out().tolist() == [
        "tonnetz_fifth_x", "tonnetz_fifth_y", "tonnetz_minor_x", "tonnetz_minor_y",
        "tonnetz_major_x", "tonnetz_major_y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (Chroma(tuning=0.5), "'tuning' parameter"),
        (Chroma(norm=3), "'norm' parameter"),
        (Chroma(win_length=2049), "must not exceed n_fft"),
        (Tonnetz(sample_rate=8000), "sample_rate=8000 is too low. Take chroma='stft'"),
        (Tonnetz(hop_length=160), "hop_length=160 must be a multiple of 64"),
        (Tonnetz(chroma="cens"), "'chroma' parameter"),
    ],
    ids=str,
)
def test_refused(transformer, message):
    with pytest.raises(ValueError, match=message):
        transformer.fit(np.zeros((1, 1000)))
    with pytest.raises(ValueError, match=message):
        transformer.transform(np.zeros((1, 1000)))


def test_what_the_constant_q_transform_cannot_do_the_fourier_transform_can():
    X = np.ones((1, 1000))
    assert Tonnetz(chroma="stft", sample_rate=8000, hop_length=160).transform(X).shape == (1, 6, 7)


def test_the_limits_of_the_constant_q_transform_are_librosas():
    """What is allowed works, at the lowest rate with every tuning."""
    clip = np.random.default_rng(0).normal(size=(1, 4000))
    for tuning in (-0.5, 0.0, 0.49, None):
        assert np.isfinite(Tonnetz(sample_rate=8801, tuning=tuning).transform(clip)).all()


@pytest.mark.parametrize("level", [3e-8, 1.0, 2.0**31])
def test_lengths_are_not_squared_in_single_precision(level):
    tone = level * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    chroma = Chroma(norm=2, fft_precision="fast").transform([tone.astype(np.float32)])
    exact = Chroma(norm=2).transform([tone.astype(np.float32)])
    assert_allclose(chroma, exact, rtol=0, atol=1e-5)
