"""The clip table: which sound, by whom. Recognised here for all rooms."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# The columns that say which sound. What else a table holds, about speakers or sentences, is for
# others to read: what is computed from the sound must not depend on it.
SOUND_COLUMNS = ("path", "start", "stop", "augment")


@dataclass(frozen=True)
class ClipTable:
    """The columns that say which sound: one entry a row.

    Attributes
    ----------
    paths : list of str
        The files.
    starts, stops : ndarray of shape (n_clips,)
        Seconds into the file; NaN means the file's beginning or end.
    augments : list
        What is done to the sound of each clip; None for nothing.
    """

    paths: list[str]
    starts: NDArray[np.float64]
    stops: NDArray[np.float64]
    augments: list[Any]

    def __len__(self) -> int:
        return len(self.paths)


def as_clip_table(X: Any) -> ClipTable | None:
    """Read `X` as a clip table, or return None where it holds numbers.

    Parameters
    ----------
    X : object
        DataFrame with a ``path`` column, or a 1-D or (n, 1) array-like of paths.

    Returns
    -------
    table : ClipTable or None
        None where `X` is neither: waveforms, then.

    Raises
    ------
    ValueError
        If `X` is a single path, a table without ``path``, or a cell of it is no path or time.
    """
    if isinstance(X, str | bytes | os.PathLike):
        raise ValueError(f"Expected an array-like of paths, got one path. Use [{X!r}].")
    if isinstance(X, pd.DataFrame) and "path" in X.columns:
        return _from_dataframe(X)
    if isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
        if X.shape[1] != 1:
            raise ValueError(
                "A clip table needs a column named 'path'; this one has "
                f"{', '.join(map(repr, X.columns))}. Rename the column that holds the files."
            )
        X = X.iloc[:, 0]
    cells = _cells_of_paths(X)
    if cells is None:
        return None
    nothing = np.full(len(cells), np.nan)
    return ClipTable(_as_paths(cells), nothing, nothing, [None] * len(cells))


def paths_as_table(X: Any) -> Any:
    """Make a clip table of paths: samplers take tables, not lists.

    Parameters
    ----------
    X : object
        As `as_clip_table` takes it.

    Returns
    -------
    X : object
        A table with the column ``path`` where there are paths; all else as it came.
    """
    table = as_clip_table(X)
    if table is None or (isinstance(X, pd.DataFrame) and "path" in X.columns):
        return X
    # As objects: pandas' own strings do not hold every path.
    return pd.DataFrame({"path": pd.Series(table.paths, dtype=object)})


def _from_dataframe(X: pd.DataFrame) -> ClipTable:
    times = []
    for column in ("start", "stop"):
        if column not in X.columns:
            times.append(np.full(len(X), np.nan))
            continue
        try:
            times.append(X[column].astype(object).where(X[column].notna(), np.nan).to_numpy(float))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Column {column!r} of the clip table must hold seconds or nothing: {error}."
            ) from error
    starts, stops = times
    begins = np.where(np.isnan(starts), 0.0, starts)
    wrong = np.flatnonzero((begins < 0) | np.isinf(begins) | (stops <= begins))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"Row {row} of the clip table has start={starts[row]:g}, stop={stops[row]:g}: "
            "0 <= start < stop is needed, in seconds."
        )
    augments = [None] * len(X)
    if "augment" in X.columns:
        augments = [None if _is_missing(cell) else cell for cell in X["augment"].tolist()]
    return ClipTable(_as_paths(X["path"].tolist()), starts, stops, augments)


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))


def _cells_of_paths(X: Any) -> list[Any] | None:
    """List the cells of a 1-D or (n, 1) array-like of paths; None where it holds numbers."""
    if not isinstance(
        X, list | tuple | np.ndarray | pd.Series | pd.Index | pd.api.extensions.ExtensionArray
    ):
        return None
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    elif isinstance(X, list | tuple) and all(_is_row_of_one(row) for row in X):
        X = [row[0] for row in X]
    if isinstance(X, np.ndarray) and (X.ndim != 1 or X.dtype.kind not in "OUTS"):
        return None
    cells = list(X)
    return cells if any(isinstance(cell, str | bytes | os.PathLike) for cell in cells) else None


def _is_row_of_one(row: Any) -> TypeGuard[list[Any]]:
    return isinstance(row, list | tuple) and len(row) == 1


def _as_paths(cells: list[Any]) -> list[str]:
    paths = []
    for row, cell in enumerate(cells):
        if not isinstance(cell, str | bytes | os.PathLike):
            raise ValueError(f"Row {row} of the clip table holds {cell!r} where a path should be.")
        paths.append(os.fsdecode(cell))
    return paths
