"""What the displays share: reading the one clip that is shown, and the axes it is drawn on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._utils._clip_table import SOUND_COLUMNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where meta-estimators keep what they fitted.
_INNER = ("estimator_", "best_estimator_")


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
    # Cells of other columns, numbers of any kind, are no matter of the reader.
    return table[[column for column in SOUND_COLUMNS if column in table.columns]]


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


def check_axes_of_panels(axes: Any, panels: Sequence[str], advice: str = "") -> NDArray[Any]:
    """Return the axes of some panels, as a flat array.

    Parameters
    ----------
    axes : matplotlib Axes or array-like of them
        Those that were given.
    panels : sequence of str
        What is drawn, one on each.
    advice : str, default=""
        Ends the error.

    Returns
    -------
    axes : ndarray of shape (n_panels,), object
        In the order of the panels.

    Raises
    ------
    ValueError
        If there are not as many, or one is no Axes.
    """
    flat = _flat_axes(axes)
    if len(flat) != len(panels) or not _are_axes(flat):
        raise ValueError(
            f"axes must be {len(panels)} matplotlib Axes, one for each of {', '.join(panels)}; got "
            f"{len(flat)} object(s).{advice}"
        )
    return flat


def check_pair_of_axes(ax: Any, new: Callable[[], Any], panels: str, such_as: str) -> NDArray[Any]:
    """Return the axes of both panels: the given ones, or those of a new figure.

    Parameters
    ----------
    ax : sequence of two matplotlib Axes, or None
        None for a new figure.
    new : callable
        Makes the axes of a new figure.
    panels : str
        What is drawn on them, for the error.
    such_as : str
        Code that makes such axes, for the error.

    Returns
    -------
    axes : ndarray of shape (2,), object
        To draw on.

    Raises
    ------
    TypeError
        If `ax` is something else.
    """
    axes = _flat_axes(new() if ax is None else ax)
    if len(axes) != 2 or not _are_axes(axes):
        raise TypeError(
            f"ax must be two matplotlib Axes, for {panels}, such as the axes of {such_as}, got "
            f"{type(ax).__name__}."
        )
    return axes


def _flat_axes(axes: Any) -> NDArray[Any]:
    from matplotlib.axes import Axes

    return np.array([axes] if isinstance(axes, Axes) else axes, dtype=object).ravel()


def _are_axes(axes: NDArray[Any]) -> bool:
    from matplotlib.axes import Axes

    return all(isinstance(one, Axes) for one in axes)


def check_columns(
    table: Any, columns: Sequence[str], needed: str, what: str = "table"
) -> pd.DataFrame:
    """Refuse a table that cannot be drawn.

    Parameters
    ----------
    table : object
        Shall be a DataFrame with a row or more.
    columns : sequence of str
        What it must have.
    needed : str
        What a table of this kind is, for the error.
    what : str, default="table"
        How it is called in errors.

    Returns
    -------
    table : DataFrame
        The same.

    Raises
    ------
    ValueError
        If it is none, has no row or lacks a column.
    """
    if not isinstance(table, pd.DataFrame) or not len(table):
        raise ValueError(f"There is nothing to draw: {needed}.")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"The {what} has no column {', '.join(map(repr, missing))}.")
    return table


def find_part(estimator: Any, is_it: Callable[[Any], bool], lack: str) -> tuple[Any, list[Any]]:
    """Look for a net in pipelines and in what meta-estimators have fitted.

    Parameters
    ----------
    estimator : object
        Net, pipeline that ends in one, or meta-estimator around either.
    is_it : callable
        Tells whether an estimator is what is looked for.
    lack : str
        What the innermost estimator is not, or has not, for the error.

    Returns
    -------
    part : estimator
        What was found.
    steps : list of estimator
        The steps before it.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not found in an estimator that is not fitted.
    TypeError
        If it is not found.
    """
    part, steps = estimator, []
    while not is_it(part):
        inner = [getattr(part, name) for name in _INNER if hasattr(part, name)]
        if isinstance(part, Pipeline):
            steps += [step for _, step in part.steps[:-1]]
            part = part.steps[-1][1]
        elif inner:
            part = inner[0]
        else:
            if hasattr(part, "fit"):
                check_is_fitted(part)
            raise TypeError(
                "estimator must be a fitted net of sersk.neural_network, a pipeline that ends in "
                f"one, or a ValidationHoldout around either. {type(part).__name__} {lack}."
            )
    return part, steps


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
