"""Waveforms of integers, as recording programs and microphones hand them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

# By size in bytes.
_FULL_SCALE = {2: 2.0**15, 4: 2.0**31}


def full_scale(X: Any) -> float | None:
    """Find the full scale of 16- and 32-bit integers, whatever their byte order.

    Parameters
    ----------
    X : object
        Waveforms: an array or a DataFrame.

    Returns
    -------
    scale : float or None
        What they are divided by to lie in [-1, 1]. None for what is taken as it is: floats, other
        integers, columns of several types, and anything that is not an array yet.
    """
    if isinstance(X, pd.DataFrame):
        kinds = set(X.dtypes)
        kind = kinds.pop() if len(kinds) == 1 else None
    else:
        kind = getattr(X, "dtype", None)
    if isinstance(kind, np.dtype) and kind.kind == "i":
        return _FULL_SCALE.get(kind.itemsize)
    return None
