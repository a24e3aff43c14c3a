"""PadOrTrim: one length, and what stands after the end."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sersk.preprocessing import PadOrTrim

FILL = {
    "nan": lambda clip: [*clip, *[np.nan] * 99],
    "zero": lambda clip: [*clip, *[0.0] * 99],
    "repeat": lambda clip: list(islice(cycle(clip), 99)) if clip else [np.nan] * 99,
}


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    extra=st.integers(0, 5),
    width=st.integers(1, 40),
    keep=st.booleans(),
    pad=st.sampled_from(sorted(FILL)),
)
def test_every_clip_by_hand(lengths, extra, width, keep, pad):
    waveforms = np.full((len(lengths), max(lengths) + extra), np.nan)
    for row, length in zip(waveforms, lengths, strict=True):
        row[:length] = np.arange(1, length + 1)
    fitter = PadOrTrim(duration=None if keep else width / 100, pad=pad, sample_rate=100)
    fitted = fitter.fit_transform(waveforms)
    width = waveforms.shape[1] if keep else width
    expected = [FILL[pad](list(range(1, length + 1)))[:width] for length in lengths]
    assert_array_equal(fitted, np.array(expected, dtype=float))


@pytest.mark.parametrize("pad", sorted(FILL))
def test_unreadable_stays_so(pad):
    waveforms = np.full((1, 4), np.nan)
    assert np.isnan(PadOrTrim(duration=2.0, sample_rate=3, pad=pad).fit_transform(waveforms)).all()


@pytest.mark.parametrize(
    ("duration", "sample_rate", "width"), [(0.5, 16000, 8000), (0.00011, 16000, 2), (1e-9, 10, 1)]
)
def test_width(duration, sample_rate, width):
    fitter = PadOrTrim(duration=duration, sample_rate=sample_rate).fit(np.zeros((1, 9)))
    assert fitter.transform(np.zeros((1, 9))).shape == (1, width)
    assert len(fitter.get_feature_names_out()) == width


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("duration", 0),
        ("duration", -1.0),
        ("duration", np.inf),
        ("pad", "edge"),
        ("sample_rate", 0),
        ("sample_rate", 16000.0),
    ],
)
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of PadOrTrim"):
        PadOrTrim(**{parameter: value}).fit([[0.0]])
