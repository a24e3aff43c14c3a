"""What JSON can hold."""

import json

import numpy as np
import pandas as pd
import pytest

from sersk._utils._json import to_plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.nan, None),
        (float("-inf"), None),
        (np.array([[1, 2]]), [[1, 2]]),
        ({"a": (np.bool_(True), None)}, {"a": [True, None]}),
        (pd.DataFrame({"x": [1.0, np.nan]}), [{"x": 1.0}, {"x": None}]),
        (pd.DataFrame({"x": [1]}, index=["mean"]), {"mean": {"x": 1}}),
        (pd.Series([1, 2]), [1, 2]),
        (1j, "1j"),
    ],
)
def test_comes_back_from_json_the_same(value, expected):
    plain = to_plain(value)
    assert plain == expected
    assert json.loads(json.dumps(plain, allow_nan=False)) == expected
