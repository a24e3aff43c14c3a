"""SilenceTrimmer: the edges are librosa's."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sersk.preprocessing import SilenceTrimmer


def trimmed(samples, **parameters):
    row = SilenceTrimmer(**parameters).fit_transform(samples[np.newaxis])[0]
    return row[~np.isnan(row)]


def librosa_trimmed(samples, *, interior=False, **parameters):
    if not interior:
        return librosa.effects.trim(samples, **parameters)[0]
    intervals = librosa.effects.split(samples, **parameters)
    return np.concatenate([samples[start:stop] for start, stop in intervals])


@pytest.mark.parametrize("interior", [False, True])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"top_db": 20.0},
        {"top_db": 35.0, "frame_length": 400, "hop_length": 160},
        {"top_db": 40.0, "frame_length": 401, "hop_length": 1000},
    ],
)
def test_equals_librosa_on_speech(speech, rng, parameters, interior):
    n_shorter = 0
    for clip in speech:
        quiet = rng.normal(scale=1e-6, size=3000)
        samples = np.concatenate([quiet, clip, 0 * quiet, clip / 50, quiet])
        expected = librosa_trimmed(samples, interior=interior, **parameters)
        assert_array_equal(trimmed(samples, interior=interior, **parameters), expected)
        n_shorter += len(expected) < len(samples)
    assert n_shorter >= len(speech) / 2


@given(
    levels=st.lists(st.sampled_from([0.0, 1e-7, 1e-5, 3e-4, 1e-2, 0.5, 30.0]), min_size=1),
    block=st.integers(1, 9),
    top_db=st.sampled_from([0.7, 11.0, 47.0, 61.0, 133.0]),
    frame_length=st.integers(1, 20),
    hop_length=st.integers(1, 25),
    interior=st.booleans(),
    seed=st.integers(0, 9),
)
def test_equals_librosa_on_blocks(levels, block, top_db, frame_length, hop_length, interior, seed):
    samples = np.repeat(levels, block)
    samples *= np.random.default_rng(seed).uniform(0.5, 1.0, size=len(samples))
    parameters = {"top_db": top_db, "frame_length": frame_length, "hop_length": hop_length}
    expected = librosa_trimmed(samples, interior=interior, **parameters)
    found = trimmed(samples, interior=interior, **parameters)
    # The one exception: a clip is never emptied.
    assert_array_equal(found, expected if len(expected) else samples)


def test_a_clip_is_never_emptied():
    samples = np.array([0.0, 0.0, 0.0, 1.0])
    frames = {"frame_length": 2, "hop_length": 4}
    assert not len(librosa_trimmed(samples, **frames))
    assert_array_equal(trimmed(samples, **frames), samples)


def test_pauses_stay_unless_interior():
    samples = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], 100)
    frames = {"frame_length": 1, "hop_length": 1}
    assert_array_equal(trimmed(samples, **frames), samples[100:400])
    assert_array_equal(trimmed(samples, interior=True, **frames), np.ones(200))


def test_quiet_clips_reach_the_floor():
    """Documented: below a level of top_db - 100 dB nothing is cut."""
    samples = np.concatenate([np.zeros(8192), np.full(8192, 1.1e-2), np.zeros(8192)])
    assert len(trimmed(samples)) < len(samples)
    assert_array_equal(trimmed(samples / 1.2), samples / 1.2)


@pytest.mark.parametrize("scale", [1e30, 1e200, 1e300])
def test_huge_values_do_not_overflow(scale):
    samples = scale * np.repeat([1e-5, 1.0, 1e-5], 64)
    found = trimmed(samples, frame_length=8, hop_length=4)
    assert_array_equal(found, scale * trimmed(samples / scale, frame_length=8, hop_length=4))
    assert 64 <= len(found) <= 80


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("top_db", 0),
        ("top_db", -10.0),
        ("top_db", np.nan),
        ("frame_length", 0),
        ("hop_length", 0),
        ("hop_length", 1.5),
        ("interior", "yes"),
    ],
)
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of SilenceTrimmer"):
        SilenceTrimmer(**{parameter: value}).fit([[0.0]])
