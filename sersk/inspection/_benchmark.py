"""The scores of many systems, under several protocols, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ._base import check_axes_of_panels, check_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_COLUMNS = (
    "recipe", "options", "corpus", "protocol", "condition", "balanced_accuracy", "low", "high",
    "published",
)  # fmt: skip

# Colours of the protocols, the same in every picture; others take what is left.
_COLORS = {
    "as-published": "C3",
    "random": "C1",
    "text": "C4",
    "speaker": "C0",
    "speaker+text": "C2",
    "corpus": "C5",
}
_OTHER_COLOR = "0.3"

# Share of the height of a row over which its protocols are spread.
_SPREAD = 0.6

# Of the legend: its columns, and a line in points.
_MARKS_IN_A_LINE = 4
_HEIGHT_OF_LINE = 16.0

# Of a new figure, in inches.
_WIDTH = 8.0
_HEIGHT_OF_POINT = 0.2
_HEIGHT_OF_ROW = 0.25
_HEIGHT_OF_REST = 1.3


class BenchmarkDisplay:
    """The scores of recipes on corpora, by protocol.

    Each recipe on each corpus is a row, each protocol a point in it, in percent UAR, with its
    interval as a line where there is one. An open mark is the figure that the source of the recipe
    reports, whatever score that is. Systems that have several clips of a speaker at hand stand in a
    panel of their own: their scores do not compare with those on single clips.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        With the columns ``recipe``, ``options``, ``corpus``, ``protocol``, ``condition``,
        ``balanced_accuracy``, ``low``, ``high`` and ``published``, scores in [0, 1]:
        :func:`sersk.recipes.benchmark_table` makes it.

    Attributes
    ----------
    panels : list of str
        Conditions, in the order in which axes are taken.

    axes_ : ndarray of shape (n_panels,)
        Axes of the panels.

    figure_ : matplotlib Figure
        Figure that holds them.

    points_ : list of matplotlib Line2D
        The score of each row of the table, in the order of the panels.

    intervals_ : list of matplotlib Line2D
        The interval of each that has one.

    published_ : list of matplotlib Line2D
        The published figures.

    See Also
    --------
    sersk.recipes.benchmark_table : Makes the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import BenchmarkDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "recipe": "cnn_gru_attention",
    ...         "options": "",
    ...         "corpus": "cremad",
    ...         "protocol": ["as-published", "speaker"],
    ...         "condition": "a stranger's single clip",
    ...         "balanced_accuracy": [0.57, 0.53],
    ...         "low": [0.54, 0.51],
    ...         "high": [0.59, 0.55],
    ...         "published": [0.56, 0.56],
    ...     }
    ... )
    >>> display = BenchmarkDisplay(table).plot()
    >>> len(display.points_), len(display.published_)
    (2, 1)
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @property
    def panels(self) -> list[str]:
        """Conditions, in the order in which axes are taken."""
        return [str(name) for name in dict.fromkeys(_check_table(self.table)["condition"])]

    def plot(
        self,
        axes: Axes | Sequence[Axes] | None = None,
        *,
        colors: Mapping[str, Any] | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw the scores.

        Parameters
        ----------
        axes : matplotlib Axes or array-like of them, of shape (n_panels,), default=None
            Where to draw, one for each of `panels`. By default in a new figure.

        colors : mapping of str to matplotlib colour, default=None
            Colours by protocol, in place of the usual ones.

        title : str, default=None
            Title of the figure.

        Returns
        -------
        display : BenchmarkDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the table has no row or lacks a column, or there are not as many axes as panels.
        """
        table = _check_table(self.table)
        panels = self.panels
        self.axes_ = (
            _new_axes(table, panels) if axes is None else check_axes_of_panels(axes, panels)
        )
        self.figure_: Figure = self.axes_[0].figure
        self.points_: list[Line2D] = []
        self.intervals_: list[Line2D] = []
        self.published_: list[Line2D] = []
        known = {**_COLORS, **(colors or {})}
        for ax, panel in zip(self.axes_, panels, strict=True):
            self._draw_panel(ax, table[table["condition"] == panel], known)
        n_lines = _explain(self.axes_[0], table, known, bool(self.published_))
        for ax, panel in zip(self.axes_, panels, strict=True) if len(panels) > 1 else ():
            # Above the lines of the legend.
            pad = 6.0 + (_HEIGHT_OF_LINE * n_lines if ax is self.axes_[0] else 0.0)
            ax.set_title(panel, loc="left", fontsize="medium", pad=pad)
        self.axes_[-1].set_xlabel("UAR (%)")
        if title is not None:
            self.figure_.suptitle(title)
        return self

    def _draw_panel(self, ax: Axes, table: pd.DataFrame, colors: Mapping[str, Any]) -> None:
        names = _names_of_rows(table)
        places = {name: place for place, name in enumerate(dict.fromkeys(names))}
        protocols = _in_order(table["protocol"])
        # The first protocol on top, as in the legend.
        shifts = _SPREAD * (np.arange(len(protocols)) - (len(protocols) - 1) / 2) / len(protocols)
        for name, row in zip(names, table.to_dict("records"), strict=True):
            place = places[name] + shifts[protocols.index(row["protocol"])]
            color = colors.get(row["protocol"], _OTHER_COLOR)
            uar, low, high = (100 * row[key] for key in ("balanced_accuracy", "low", "high"))
            if not np.isnan(low):
                self.intervals_ += ax.plot(
                    [low, high], [place, place], color=color, linewidth=4.0, alpha=0.3,
                    solid_capstyle="butt",
                )  # fmt: skip
            self.points_ += ax.plot(uar, place, "o", color=color, markersize=5)
        published = table.assign(name=names).dropna(subset="published").drop_duplicates("name")
        for row in published.to_dict("records"):
            self.published_ += ax.plot(
                100 * row["published"], places[row["name"]], "D", markerfacecolor="none",
                markeredgecolor="0.2", markersize=7,
            )  # fmt: skip
        ax.set_yticks(list(places.values()), labels=list(places))
        ax.set(xlim=(0, 100), ylim=(len(places) - 0.5, -0.5))
        ax.grid(axis="x", color="0.9")
        ax.set_axisbelow(True)


def _check_table(table: Any) -> pd.DataFrame:
    return check_columns(table, _COLUMNS, "the table of a benchmark has a row or more")


def _names_of_rows(table: pd.DataFrame) -> list[str]:
    names = table["recipe"].astype(str)
    options = table["options"].fillna("").astype(str)
    names = names.where(options == "", names + " (" + options + ")")
    if "n_splits" in table.columns:
        # Runs that differ in nothing but their folds would lie on one another.
        what = [names, table["corpus"], table["protocol"]]
        several = table["n_splits"].groupby(what).transform("nunique") > 1
        names = names.mask(several, names + ", " + table["n_splits"].astype(str) + " folds")
    return [f"{name}\n{corpus}" for name, corpus in zip(names, table["corpus"], strict=True)]


def _in_order(protocols: pd.Series) -> list[str]:
    there = [str(name) for name in dict.fromkeys(protocols)]
    known = [name for name in _COLORS if name in there]
    return known + [name for name in there if name not in known]


def _new_axes(table: pd.DataFrame, panels: list[str]) -> np.ndarray[Any, Any]:
    import matplotlib.pyplot as plt

    heights = []
    for panel in panels:
        part = table[table["condition"] == panel]
        of_a_row = _HEIGHT_OF_ROW + _HEIGHT_OF_POINT * part["protocol"].nunique()
        heights.append(of_a_row * len(set(_names_of_rows(part))))
    height = _HEIGHT_OF_REST + sum(heights) + 0.3 * (len(panels) - 1)
    _, axes = plt.subplots(
        len(panels), 1, figsize=(_WIDTH, height), layout="constrained", squeeze=False, sharex=True,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    return np.array(axes[:, 0], dtype=object)


def _explain(ax: Axes, table: pd.DataFrame, colors: Mapping[str, Any], published: bool) -> int:
    """Tell above a panel what colours and marks mean, in how many lines."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="", color=colors.get(name, _OTHER_COLOR), label=name)
        for name in _in_order(table["protocol"])
    ]
    if published:
        marks.append(
            Line2D([], [], marker="D", linestyle="", markerfacecolor="none",
                   markeredgecolor="0.2", label="published, in the source's own score")
        )  # fmt: skip
    ax.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=_MARKS_IN_A_LINE,
        frameon=False, fontsize="small", borderaxespad=0.2, handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip
    return -(-len(marks) // _MARKS_IN_A_LINE)
