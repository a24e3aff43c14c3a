"""PreEmphasis: the values are librosa's."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from sersk.preprocessing import PreEmphasis


def emphasized(samples, coefficient):
    return PreEmphasis(coefficient=coefficient).fit_transform(samples[np.newaxis])[0]


@given(
    samples=arrays(np.float64, st.integers(2, 60), elements=st.floats(-1, 1)),
    coefficient=st.floats(0, 1),
)
def test_equals_librosa(samples, coefficient):
    expected = librosa.effects.preemphasis(samples, coef=coefficient)
    assert_allclose(emphasized(samples, coefficient), expected, rtol=1e-14, atol=1e-15)


def test_equals_librosa_on_speech(speech):
    for clip in speech:
        expected = librosa.effects.preemphasis(clip)
        row = PreEmphasis().fit_transform(np.append(clip, np.nan)[np.newaxis])[0]
        assert_allclose(row[:-1], expected, rtol=1e-13, atol=1e-15)


def test_a_single_sample_goes_on_at_its_level():
    assert emphasized(np.array([0.25]), 0.97) == emphasized(np.array([0.25, 0.25]), 0.97)[0]


@pytest.mark.parametrize(
    ("frequency", "gain"), [(0.0, 0.03), (0.25, np.hypot(1, 0.97)), (0.5, 1.97)]
)
def test_gain(frequency, gain):
    time = np.arange(400)
    tone = np.cos(2 * np.pi * frequency * time + 0.3)
    steady = slice(1, None)
    found = emphasized(tone, 0.97)[steady].std() if frequency else emphasized(tone, 0.97)[9]
    assert_allclose(found, gain * (tone[steady].std() if frequency else tone[9]), rtol=5e-3)


@pytest.mark.parametrize("value", [-0.1, 1.01, np.nan, "0.97", None])
def test_bad_coefficients(value):
    with pytest.raises(ValueError, match="'coefficient' parameter of PreEmphasis"):
        PreEmphasis(coefficient=value).fit([[0.0]])
