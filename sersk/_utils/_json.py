"""What JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def to_plain(value: Any) -> Any:
    """Turn what NumPy and pandas made into what JSON can hold; what is not finite becomes null.

    Parameters
    ----------
    value : object
        Numbers, texts, tables, and mappings and sequences of them.

    Returns
    -------
    plain : object
        Of dict, list, str, int, float, bool and None; anything else as its text.
    """
    if isinstance(value, pd.DataFrame):
        ordinal = isinstance(value.index, pd.RangeIndex)
        rows = [dict(zip(value.columns, row, strict=True)) for row in value.itertuples(index=False)]
        return to_plain(rows if ordinal else dict(zip(value.index, rows, strict=True)))
    if isinstance(value, Mapping):
        return {str(name): to_plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple | set | pd.Series):
        return [to_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
