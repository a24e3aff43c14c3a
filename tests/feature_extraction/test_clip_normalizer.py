"""ClipNormalizer: each clip in units of itself, the padding left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from sersk.feature_extraction import ClipNormalizer, LogMelSpectrogram


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    shape=st.sampled_from([(), (3,), (2, 3)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    with_std=st.booleans(),
)
def test_equals_a_scaler_for_each_clip(lengths, shape, dtype, with_std):
    X = (100 + np.random.default_rng(0).normal(size=(len(lengths), *shape, 9))).astype(dtype)
    for clip, length in zip(X, lengths, strict=True):
        clip[..., length:] = np.nan
    before = X.copy()
    X.flags.writeable = False
    found = ClipNormalizer(with_std=with_std).fit_transform(X)
    assert found.dtype == dtype
    assert_array_equal(X, before)
    assert_array_equal(np.isnan(found), np.isnan(X))
    for clip, result, length in zip(X, found, lengths, strict=True):
        if length:
            frames = clip[..., :length].reshape(-1, length).T.astype(np.float64)
            expected = StandardScaler(with_std=with_std).fit_transform(frames)
            # One frame is its own mean, and two in float32 may be equal.
            assert_allclose(
                result[..., :length].reshape(-1, length).T, expected, atol=2e-4, rtol=2e-4
            )


def test_constants_become_zero():
    X = np.full((1, 2, 7), 0.1, dtype=np.float32)
    X[0, 1] = 1e6
    assert_array_equal(ClipNormalizer(with_std=True).fit_transform(X), np.zeros_like(X))


def test_a_filter_and_a_gain_leave_no_trace(rng):
    """What it is for: on log-mel bands the microphone and the level are gone."""
    clip = rng.normal(0, 0.1, size=(1, 16000))
    louder = 3.0 * clip
    log_mel = LogMelSpectrogram(n_mels=20)
    quiet, loud = (ClipNormalizer().fit_transform(log_mel.fit_transform(x)) for x in (clip, louder))
    assert_allclose(quiet, loud, atol=1e-3)
    assert np.abs(log_mel.transform(louder) - log_mel.transform(clip)).min() > 9


@pytest.mark.parametrize("with_std", [None, "yes", 2])
def test_bad_values(with_std):
    with pytest.raises(ValueError, match="'with_std' parameter"):
        ClipNormalizer(with_std=with_std).fit([[0.0]])


def test_nan_before_the_end_is_refused():
    with pytest.raises(ValueError, match="Row 0 holds NaN before its end"):
        ClipNormalizer().fit_transform([[[0.0, 0.0], [0.0, np.nan]]])
