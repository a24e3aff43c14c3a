"""LevelNormalizer: the level is the one asked for, whatever came in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from sersk.preprocessing import LevelNormalizer

# Samples of any size that float32 holds without losing digits.
numbers = st.floats(-(2.0**127), 2.0**127, width=32, allow_subnormal=False)
clips = arrays(np.float32, st.integers(1, 40), elements=numbers)
scales = st.sampled_from([1e-30, 1e-10, 1.0, 1e10, 1e30])


def normalized(samples, **parameters):
    return LevelNormalizer(**parameters).fit_transform(samples[np.newaxis])[0]


def rms(samples):
    return np.sqrt(np.mean(samples.astype(np.float64) ** 2))


@given(samples=clips, target_db=st.one_of(st.none(), st.floats(-120, 0)))
def test_peak(samples, target_db):
    found = normalized(samples, target_db=target_db)
    if not samples.any():
        assert_array_equal(found, samples)
        return
    assert_allclose(20 * np.log10(np.abs(found).max()), target_db or 0.0, atol=1e-5)
    # Another factor than the one that the peak gives would show in the other samples.
    factor = found[np.abs(samples).argmax()] / np.float64(samples[np.abs(samples).argmax()])
    assert_allclose(found, factor * samples.astype(np.float64), rtol=1e-5, atol=1e-37)


@given(samples=clips, target_db=st.one_of(st.none(), st.floats(-120, 0)))
def test_rms(samples, target_db):
    found = normalized(samples, method="rms", target_db=target_db)
    if not samples.any():
        assert_array_equal(found, samples)
        return
    expected = -20.0 if target_db is None else target_db
    assert_allclose(20 * np.log10(rms(found)), expected, atol=1e-4)
    assert np.all(np.sign(found) * np.sign(samples) >= 0)


@given(samples=clips, scale=scales)
def test_zscore(samples, scale):
    samples = samples.astype(np.float64) * scale
    found = normalized(samples, method="zscore")
    if np.ptp(samples / max(np.abs(samples).max(), 1e-300)) < 1e-9:
        # Rounding is all there is to see, or nothing.
        assert np.isfinite(found).all()
        return
    assert abs(found.mean()) < 1e-6
    assert_allclose(found.std(), 1.0, rtol=1e-6)


@pytest.mark.parametrize("value", [0.1, -3.0, 1e-30, 1e30, 1e-310])
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_zscore_of_a_constant(value, length):
    assert_array_equal(normalized(np.full(length, value), method="zscore"), np.zeros(length))


@pytest.mark.parametrize("method", ["peak", "rms", "zscore"])
@given(scale=st.sampled_from([1e-30, 1e-5, 1e3, 1e30]))
def test_the_level_that_came_in_is_gone(method, scale):
    samples = np.random.default_rng(0).normal(size=100).astype(np.float32)
    loud = normalized((scale * samples.astype(np.float64)).astype(np.float32), method=method)
    assert_allclose(loud, normalized(samples, method=method), rtol=1e-5)


def test_by_hand():
    samples = np.array([3.0, -4.0, 0.0, 5.0])
    assert_allclose(normalized(samples), samples / 5)
    assert_allclose(normalized(samples, target_db=-6.0), samples / 5 * 0.5011872)
    assert_allclose(normalized(samples, method="rms"), 0.1 * samples / np.sqrt(12.5))
    assert_allclose(normalized(samples, method="zscore"), (samples - 1) / np.sqrt(11.5))


def test_nothing_is_clipped():
    samples = np.zeros(10000)
    samples[5000] = 0.5
    assert_allclose(normalized(samples, method="rms").max(), 10.0)


def test_denormal_numbers():
    samples = np.array([5e-324, 0.0])
    assert_array_equal(normalized(samples), [1.0, 0.0])
    assert_allclose(normalized(samples, method="rms", target_db=0), [np.sqrt(2), 0.0])


def test_target_of_zscore():
    with pytest.raises(ValueError, match="target_db=-3 has no meaning with method='zscore'"):
        LevelNormalizer(method="zscore", target_db=-3.0).fit([[0.0]])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("method", "max"), ("target_db", 0.1), ("target_db", -121), ("target_db", "loud")],
)
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of LevelNormalizer"):
        LevelNormalizer(**{parameter: value}).fit([[0.0]])
