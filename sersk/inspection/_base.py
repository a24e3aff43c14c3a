"""What the displays share: reading the one clip that is shown, and the axes it is drawn on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What becomes of other columns, numbers of any kind, is no matter of the reader.
_COLUMNS = ("path", "start", "stop", "augment")


def read_one_clip(clip: Any, sample_rate: int) -> NDArray[np.float32]:
    """Read one clip, in whichever form it is given.

    Parameters
    ----------
    clip : path-like, Series, DataFrame of one row or array-like of shape (n_samples,)
        A file; a row of a clip table; or a waveform, NaN after its end.
    sample_rate : int
        Sample rate in Hz: files are resampled to it, waveforms are taken to have it.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        The clip without padding, n_samples >= 1.

    Raises
    ------
    AudioReadError
        If the file cannot be read.
    TypeError
        If `clip` is nothing of the kind.
    ValueError
        If `clip` is not one clip, holds no sound, or has NaN before its end.
    """
    from ..preprocessing import AudioReader

    samples: NDArray[np.float32] = AudioReader(sample_rate=sample_rate).fit_transform(
        _as_input_of_reader(clip)
    )[0]
    return samples


def _as_input_of_reader(clip: Any) -> Any:
    if isinstance(clip, str | bytes | os.PathLike):
        return [clip]
    if isinstance(clip, pd.Series) and not pd.api.types.is_numeric_dtype(clip.dtype):
        clip = clip.to_frame().T
    if isinstance(clip, pd.DataFrame):
        return _check_row(clip)
    if isinstance(clip, pd.Series | np.ndarray | list | tuple):
        return [_check_samples(np.asarray(clip))]
    raise TypeError(
        "clip must be a path, a row of a clip table or a 1-D waveform, got "
        f"{type(clip).__name__}. Of a corpus, give corpus.data.iloc[0] or corpus.data[0]."
    )


def _check_row(table: pd.DataFrame) -> pd.DataFrame:
    if "path" not in table.columns:
        raise ValueError(
            "A row of a clip table needs a 'path'; this one has "
            f"{', '.join(map(repr, table.columns))}."
        )
    if len(table) != 1:
        raise ValueError(
            f"One clip is shown, the clip table has {len(table)} rows: choose one, "
            "as in table.iloc[0]."
        )
    return table[[column for column in _COLUMNS if column in table.columns]]


def _check_samples(samples: NDArray[Any]) -> NDArray[Any]:
    if samples.ndim != 1:
        raise ValueError(
            f"One waveform of shape (n_samples,) is shown, got shape {samples.shape}: choose a "
            "row, as in waveforms[0]."
        )
    if samples.dtype.kind not in "iuf":
        raise TypeError(f"A waveform holds numbers, this one has values of type {samples.dtype}.")
    if samples.dtype.kind == "f" and np.isnan(samples).all():  # of no sample at all, too
        raise ValueError(
            "The clip holds no sound: it is empty or NaN throughout. AudioReader makes such rows "
            "of files that it could not read; their reasons stand in its failed_."
        )
    return samples


def check_axes(ax: Any, figsize: tuple[float, float]) -> Axes:
    """Return the axes to draw on: the given ones, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        None for a new figure.
    figsize : tuple of (float, float)
        Width and height of a new figure, in inches.

    Returns
    -------
    ax : matplotlib Axes
        To draw on.

    Raises
    ------
    TypeError
        If `ax` is something else.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is None:
        return plt.subplots(figsize=figsize, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be one matplotlib Axes, got {type(ax).__name__}.")
    return ax


def check_result(result: Any, function: str, display: str) -> None:
    """Refuse what a function of another room does not return.

    Parameters
    ----------
    result : object
        Shall be a Bunch with a ``table``.
    function : str
        The function of `sersk.model_selection`.
    display : str
        The class that draws it.

    Raises
    ------
    TypeError
        If `result` is something else.
    """
    if not isinstance(result, Mapping) or "table" not in result:
        raise TypeError(
            f"result must be what {function} of sersk.model_selection returns, got "
            f"{type(result).__name__}. A table of your own: {display}(table).plot()."
        )
