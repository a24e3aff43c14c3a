"""What other corpora leave of a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ._base import check_axes, check_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

# Of a new figure, in inches.
_CELL_SIZE = (1.15, 0.75)
_MARGIN_SIZE = (0.7, 0.9)
_CHARACTER = 0.085
# Longest name, in characters, that stands upright below its column.
_UPRIGHT = 12


class CrossCorpusDisplay:
    """The scores of one pipeline between corpora, as a heat map.

    It is recommended to use `from_result` to make one. Rows are what was trained on, columns what
    was tested. Each cell says UAR in percent, its interval where there is one, and how many
    emotions had to be told apart. What was not scored is grey.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_corpora)
        UAR, in [0, 1], NaN where not scored.

    low, high : DataFrame of shape (n_rows, n_corpora), default=None
        Its interval, NaN where there is none. None, either of them, writes none.

    emotions : DataFrame of shape (n_rows, n_corpora), default=None
        The emotions of each cell, as tuples. None does not write their number.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the heat map.

    figure_ : matplotlib Figure
        Figure that holds them.

    mesh_ : matplotlib QuadMesh
        The cells.

    text_ : ndarray of shape (n_rows, n_corpora), object
        What stands in each cell, as matplotlib Text.

    See Also
    --------
    sersk.model_selection.cross_corpus_table : Computes the tables.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import CrossCorpusDisplay
    >>> names = ["RAVDESS", "SAVEE"]
    >>> table = pd.DataFrame([[0.48, 0.2], [0.25, 0.38]], index=names, columns=names)
    >>> display = CrossCorpusDisplay(table).plot()
    >>> display.text_[0, 1].get_text()
    '20.0'
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        low: pd.DataFrame | None = None,
        high: pd.DataFrame | None = None,
        emotions: pd.DataFrame | None = None,
    ) -> None:
        self.table = table
        self.low = low
        self.high = high
        self.emotions = emotions

    def plot(
        self, ax: Axes | None = None, *, cmap: Any = "Blues", title: str | None = None
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        cmap : str or matplotlib Colormap, default="Blues"
            Colours, from 0 to 100 %.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : CrossCorpusDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If the table is empty, or another one has another shape.
        """
        import matplotlib

        self._check_tables()
        n_rows, n_columns = self.table.shape
        rows, columns = ([str(name) for name in axis] for axis in self.table.axes)
        slanted = max(map(len, columns)) > _UPRIGHT
        margin = np.array(_MARGIN_SIZE) + _CHARACTER * np.array(
            [max(map(len, rows)), max(map(len, columns)) / 2 if slanted else 0]
        )
        width, height = np.multiply(_CELL_SIZE, (n_columns, n_rows)) + margin
        ax = check_axes(ax, figsize=(float(width), float(height)))
        values = 100 * self.table.to_numpy(dtype=float)
        colors = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad="0.92")
        self.mesh_ = ax.pcolormesh(
            np.ma.masked_invalid(values), cmap=colors, vmin=0, vmax=100, edgecolors="white",
            linewidth=1.5,
        )  # fmt: skip
        self.text_ = np.empty(values.shape, dtype=object)
        for row, column in np.ndindex(values.shape):
            red, green, blue, _ = self.mesh_.cmap(self.mesh_.norm(values[row, column]))
            bright = np.isnan(values[row, column]) or 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
            self.text_[row, column] = self._write(ax, row, column, "black" if bright else "white")
        ax.set_xticks(np.arange(n_columns) + 0.5, columns)
        ax.set_yticks(np.arange(n_rows) + 0.5, rows)
        if slanted:
            ax.tick_params("x", rotation=30)
            for label in ax.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        if n_rows > n_columns:
            # Below it, what was trained on is more than one corpus.
            ax.axhline(n_columns, color="white", linewidth=6.0)
        # Downwards, as one reads.
        ax.set(ylim=(n_rows, 0), xlabel="Tested on", ylabel="Trained on")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        if title is not None:
            ax.set_title(title, loc="left", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check_tables(self) -> None:
        if not isinstance(self.table, pd.DataFrame) or not self.table.size:
            raise ValueError("There is nothing to draw: the table has no cell.")
        for name in ("low", "high", "emotions"):
            other = getattr(self, name)
            if other is not None and other.shape != self.table.shape:
                raise ValueError(
                    f"{name} has shape {other.shape}, the table {self.table.shape}: they must be "
                    "the same."
                )

    def _write(self, ax: Axes, row: int, column: int, color: str) -> Text:
        """Write UAR into a cell; below it, smaller, the interval and the number of emotions."""
        uar, low, high = (
            np.nan if table is None else 100 * table.to_numpy(dtype=float)[row, column]
            for table in (self.table, self.low, self.high)
        )
        below = [] if np.isnan(low + high) else [f"{low:.0f} to {high:.0f}"]
        if self.emotions is not None and not np.isnan(uar):
            below.append(f"{len(self.emotions.to_numpy()[row, column])} emotions")
        text = ax.text(
            column + 0.5, row + (0.3 if below else 0.5), "-" if np.isnan(uar) else f"{uar:.1f}",
            ha="center", va="center", color=color,
        )  # fmt: skip
        ax.text(
            column + 0.5, row + 0.68, "\n".join(below), ha="center", va="center", color=color,
            fontsize="x-small",
        )  # fmt: skip
        return text

    @classmethod
    def from_result(
        cls,
        result: Mapping[str, Any],
        *,
        ax: Axes | None = None,
        cmap: Any = "Blues",
        title: str | None = None,
    ) -> Self:
        """Draw a result of `cross_corpus_table`.

        Parameters
        ----------
        result : Bunch
            What :func:`sersk.model_selection.cross_corpus_table` returns; its ``table``, ``low``,
            ``high`` and ``emotions`` are used.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        cmap : str or matplotlib Colormap, default="Blues"
            Colours, from 0 to 100 %.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : CrossCorpusDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `result` is no such result, or `ax` no Axes.
        ValueError
            If its tables are empty or of several shapes.

        Examples
        --------
        >>> import tempfile
        >>> from sersk.datasets import make_emotional_speech, write_corpus
        >>> from sersk.inspection import CrossCorpusDisplay
        >>> from sersk.model_selection import cross_corpus_table
        >>> from sersk.recipes import svm_functionals
        >>> corpora = {}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for seed, name in enumerate(["studio", "street"]):
        ...         made = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=seed)
        ...         made.frame["corpus"] = name
        ...         corpora[name] = write_corpus(made, f"{folder}/{name}")
        ...     result = cross_corpus_table(svm_functionals(duration=2.0), corpora)
        >>> display = CrossCorpusDisplay.from_result(result, title="Synthetic speech")
        >>> display.text_.shape
        (3, 2)
        """
        check_result(result, "cross_corpus_table", cls.__name__)
        display = cls(
            result["table"],
            low=result.get("low"),
            high=result.get("high"),
            emotions=result.get("emotions"),
        )
        return display.plot(ax, cmap=cmap, title=title)
