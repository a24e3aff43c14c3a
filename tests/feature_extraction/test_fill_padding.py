"""FillPadding: the padding goes, the sound stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline

from sersk.feature_extraction import MFCC, FillPadding


@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=70),
    shape=st.sampled_from([(), (3,), (2, 3)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    value=st.floats(-1e6, 1e6),
)
def test_equals_numpy(lengths, shape, dtype, value):
    X = np.random.default_rng(0).normal(size=(len(lengths), *shape, 6)).astype(dtype)
    for clip, length in zip(X, lengths, strict=True):
        clip[..., length:] = np.nan
    before = X.copy()
    X.flags.writeable = False
    filled = FillPadding(value=value).fit_transform(X)
    assert filled.dtype == dtype
    assert_array_equal(filled, np.where(np.isnan(X), dtype(value), X))
    assert_array_equal(X, before)


def test_without_padding_a_copy_comes_back():
    X = np.zeros((2, 3))
    filled = FillPadding(value=1).fit_transform(X)
    assert_array_equal(filled, X)
    assert not np.shares_memory(filled, X)


def test_number_of_frames_may_vary():
    filler = FillPadding().fit(np.zeros((2, 3, 5)))
    assert filler.transform(np.full((1, 3, 9), np.nan)).tolist() == np.zeros((1, 3, 9)).tolist()
    with pytest.raises(ValueError, match="expecting 3 features"):
        filler.transform(np.zeros((2, 4, 5)))


def test_names_go_through(rng):
    pipeline = make_pipeline(MFCC(n_mfcc=2), FillPadding())
    pipeline.fit(rng.normal(size=(2, 4000)))
    assert pipeline.get_feature_names_out().tolist() == ["mfcc0", "mfcc1"]
    assert pipeline.set_output(transform="pandas").transform(np.zeros((1, 4000))).shape == (1, 2, 8)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0.0, np.inf]], "infinity"),
        ([[np.nan, 0.0]], "Row 0 holds NaN before its end"),
        ([[[0.0, 0.0], [0.0, np.nan]]], "Row 0 holds NaN before its end"),
    ],
)
def test_bad_clips(X, message):
    with pytest.raises(ValueError, match=message):
        FillPadding().fit(X)
    with pytest.raises(ValueError, match=message):
        FillPadding().transform(X)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "0", None])
def test_bad_values(value):
    with pytest.raises(ValueError, match="'value' parameter"):
        FillPadding(value=value).fit([[0.0]])
