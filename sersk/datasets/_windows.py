"""Long recordings as many short clips."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from .._utils._clip_table import as_clip_table
from .._utils._decoding import ClipRegion, clip_seconds

# Seconds. A window that begins later before the end may lie between two samples of the file, and
# could not be read.
_SHORTEST = 1e-3


@validate_params(
    {
        "paths": "no_validation",  # checked as a clip table
        "length": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=True,
)
def make_windows(paths: Any, *, length: float = 3.0, hop: float | None = None) -> pd.DataFrame:
    """Cut long recordings into windows: a clip table of ``start`` and ``stop``.

    Nothing is decoded: durations come from the file headers.

    Parameters
    ----------
    paths : clip table or array-like of paths
        The recordings; ``start`` and ``stop`` of a clip table are respected, its other columns are
        repeated for each window.

    length : float, default=3.0
        Length of a window, in seconds, > 0.

    hop : float, default=None
        Distance of the beginnings of two windows, in seconds, > 0. By default `length`: windows
        stand side by side.

    Returns
    -------
    table : DataFrame
        One row a window: ``path``, ``start``, ``stop`` and the other columns of `paths`. A window
        that reaches the end of the recording ends there, and is shorter if need be; less than a
        millisecond is no window.

    Raises
    ------
    AudioReadError
        If a file cannot be opened.
    ValueError
        If `paths` is no clip table.

    See Also
    --------
    sersk.preprocessing.AudioReader : Reads the windows, each only its own part of the file.

    Examples
    --------
    >>> from sersk.datasets import make_windows
    >>> table = make_windows(["interview.wav"], length=3.0, hop=1.0)  # doctest: +SKIP
    """
    table = as_clip_table(paths)
    if table is None:
        raise ValueError("make_windows needs paths or a clip table, not numbers.")
    hop = length if hop is None else hop
    rows: list[tuple[int, str, float, float]] = []
    for number, path in enumerate(table.paths):
        first = float(np.nan_to_num(table.starts[number], nan=0.0))
        last = float(np.nan_to_num(table.stops[number], nan=np.inf))
        last = first + clip_seconds(ClipRegion(path, first, last))
        # As many as it takes to reach the end, but for a rounding error.
        n_windows = max(1, int(np.ceil((last - first - length) / hop - 1e-9)) + 1)
        rows += [
            (number, path, start, min(start + length, last))
            for start in (first + hop * np.arange(n_windows)).tolist()
            if start == first or start < last - _SHORTEST
        ]
    windows = pd.DataFrame(rows, columns=["row", "path", "start", "stop"])
    source = windows.pop("row").to_numpy()
    if isinstance(paths, pd.DataFrame):
        for column in paths.columns.difference(["path", "start", "stop"], sort=False):
            windows[column] = paths[column].to_numpy()[source]
    return windows
