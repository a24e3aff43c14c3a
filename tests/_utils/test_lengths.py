"""The NaN rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sersk._utils._lengths import valid_lengths


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=150),
    shape=st.sampled_from([(), (3,), (2, 3)]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_counts_what_stands_before_the_padding(lengths, shape, dtype):
    X = np.zeros((len(lengths), *shape, 9), dtype=dtype)
    for row, length in zip(X, lengths, strict=True):
        row[..., length:] = np.nan
    assert_array_equal(valid_lengths(X), lengths)


@pytest.mark.parametrize("place", [(70, 0), (70, 3)])
def test_nan_before_the_end_names_the_row(place):
    X = np.zeros((100, 5))
    X[place] = np.nan
    with pytest.raises(ValueError, match=rf"Row 70 .* \(near step {place[1]} of 5\)"):
        valid_lengths(X)


def test_channels_must_end_together():
    X = np.zeros((2, 3, 5))
    X[1, 2, 4] = np.nan
    with pytest.raises(ValueError, match="Row 1 holds NaN before its end"):
        valid_lengths(X)


def test_nothing_is_of_no_length():
    assert_array_equal(valid_lengths(np.zeros((2, 0))), [0, 0])
