"""Full scale of integers: the reader and the augmenter must mean the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sersk._utils._full_scale import full_scale
from sersk.augmentation import Gain, WaveformAugmenter
from sersk.preprocessing import AudioReader

SAMPLES = np.array([[100, 200], [-300, 400]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("<i2", 2**15), (">i2", 2**15), ("<i4", 2**31), (">i4", 2**31)]
    + [(kind, None) for kind in ("i1", "u1", "u2", "i8", "f4", "f8", "O")],
)
def test_by_type(kind, expected):
    array = SAMPLES.astype(kind)
    assert full_scale(array) == expected
    assert full_scale(pd.DataFrame(array.astype(array.dtype.newbyteorder("=")))) == expected


@pytest.mark.parametrize("kinds", [("i2", "i2"), ("i4", "i4"), ("i2", "i4"), ("i8", "i8")])
def test_reader_and_augmenter_agree(kinds):
    table = pd.DataFrame(
        {
            name: SAMPLES[:, place].astype(kind)
            for place, (name, kind) in enumerate(zip("ab", kinds, strict=True))
        }
    )
    read = AudioReader().fit_transform(table)
    as_it_is = WaveformAugmenter(Gain(gain_db=0), keep_original=False)
    augmented, _ = as_it_is.fit_resample(table, ["anger", "fear"])
    scale = full_scale(table)
    np.testing.assert_array_equal(read, (SAMPLES / (scale or 1)).astype(np.float32))
    np.testing.assert_allclose(augmented.to_numpy(float), SAMPLES / (scale or 1), rtol=1e-6)


def test_what_is_no_array_yet():
    assert full_scale([[1, 2]]) is None
    assert full_scale(pd.DataFrame({"a": [1], "b": [0.5]})) is None
