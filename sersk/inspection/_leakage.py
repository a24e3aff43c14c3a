"""How much of a score is leak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ._base import check_axes, check_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

_COLUMNS = ("leaks", "balanced_accuracy", "low", "high", "above_speaker")
_STRANGERS = "speaker"

# By whether something leaks.
_LABELS = {True: "tested clips, or copies, in training", False: "tested clips kept out"}

# Of a new figure, in inches.
_WIDTH = 8.0
_HEIGHT_OF_ROW = 0.42
_HEIGHT_OF_REST = 1.5


class LeakageDisplay:
    """The scores of one pipeline with leaks and without.

    It is recommended to use `from_audit` to make one. Each condition is a point, UAR in percent,
    with its interval as a line where there is one. At the right stands its score and how many
    points it is above that on speakers never heard.

    Parameters
    ----------
    table : DataFrame of shape (n_conditions, n_columns)
        Indexed by condition, with the columns ``leaks``, ``balanced_accuracy``, ``low``, ``high``
        and ``above_speaker``, scores in [0, 1].

    chance : float, default=None
        UAR of guessing, in [0, 1]; None draws no line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scores.

    figure_ : matplotlib Figure
        Figure that holds them.

    points_ : list of matplotlib Line2D
        The score of each condition.

    intervals_ : list of matplotlib Line2D
        The interval of each condition that has one.

    gaps_ : list of matplotlib Annotation
        What stands at the right of each condition.

    See Also
    --------
    sersk.model_selection.audit_leakage : Scores the conditions.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import LeakageDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "leaks": [True, False],
    ...         "balanced_accuracy": [0.86, 0.48],
    ...         "low": [0.82, 0.43],
    ...         "high": [0.89, 0.53],
    ...         "above_speaker": [0.38, 0.0],
    ...     },
    ...     index=["copies before the split", "speaker"],
    ... )
    >>> display = LeakageDisplay(table, chance=0.125).plot()
    >>> [gap.get_text() for gap in display.gaps_]
    ['86.0  (+38.0)', '48.0']
    """

    def __init__(self, table: pd.DataFrame, *, chance: float | None = None) -> None:
        self.table = table
        self.chance = chance

    def plot(
        self,
        ax: Axes | None = None,
        *,
        color: Any = "C0",
        leak_color: Any = "C3",
        title: str | None = None,
    ) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        color : matplotlib colour, default="C0"
            Colour of the conditions in which nothing leaks.

        leak_color : matplotlib colour, default="C3"
            Colour of those in which clips, or copies of them, are trained on and tested.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : LeakageDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If the table has no row or lacks a column.
        """
        table = check_columns(self.table, _COLUMNS, "the table of an audit has a row a condition")
        ax = check_axes(ax, figsize=(_WIDTH, _HEIGHT_OF_REST + _HEIGHT_OF_ROW * len(table)))
        self.points_, self.intervals_, self.gaps_ = [], [], []
        strangers = 100 * table["balanced_accuracy"].get(_STRANGERS, np.nan)
        if not np.isnan(strangers):
            ax.axvline(strangers, color="0.4", linewidth=1.0, label="speakers never heard")
        if self.chance is not None:
            ax.axvline(
                100 * self.chance, color="0.4", linestyle="--", linewidth=1.0, label="chance"
            )
        for place, (condition, row) in enumerate(table.iterrows()):
            uar, low, high = (100 * row[name] for name in ("balanced_accuracy", "low", "high"))
            own_color = leak_color if row["leaks"] else color
            if not np.isnan(strangers):
                ax.plot([strangers, uar], [place, place], ":", color=own_color, linewidth=1.0)
            if not np.isnan(low):
                self.intervals_ += ax.plot(
                    [low, high], [place, place], color=own_color, linewidth=5.0, alpha=0.3,
                    solid_capstyle="butt",
                )  # fmt: skip
            self.points_ += ax.plot(uar, place, "o", color=own_color, markersize=5)
            self.gaps_.append(_write_score(ax, place, str(condition), uar, row["above_speaker"]))
        for kind, own_color in ((True, leak_color), (False, color)):
            if (table["leaks"] == kind).any():
                ax.plot([], [], "o", color=own_color, markersize=5, label=_LABELS[kind])
        _frame(ax, table)
        if title is not None:
            # Above the two lines of the legend.
            ax.set_title(title, loc="left", fontsize="medium", pad=38)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_audit(
        cls,
        audit: Mapping[str, Any],
        *,
        ax: Axes | None = None,
        color: Any = "C0",
        leak_color: Any = "C3",
        title: str | None = None,
    ) -> Self:
        """Draw an audit.

        Parameters
        ----------
        audit : Bunch
            What :func:`sersk.model_selection.audit_leakage` returns; its ``table`` and ``chance``
            are used.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        color : matplotlib colour, default="C0"
            Colour of the conditions in which nothing leaks.

        leak_color : matplotlib colour, default="C3"
            Colour of those in which clips, or copies of them, are trained on and tested.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : LeakageDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `audit` is no audit, or `ax` no Axes.
        ValueError
            If its table has no row or lacks a column.

        Examples
        --------
        >>> from sersk.datasets import make_emotional_speech
        >>> from sersk.inspection import LeakageDisplay
        >>> from sersk.model_selection import audit_leakage
        >>> from sersk.recipes import svm_functionals
        >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
        >>> audit = audit_leakage(
        ...     svm_functionals(duration=2.0), corpus.data, corpus.target, corpus.frame,
        ...     conditions=["copies before the split", "speaker"], n_splits=2,
        ... )
        >>> display = LeakageDisplay.from_audit(audit, title="Synthetic speech")
        >>> len(display.points_)
        2
        """
        if not isinstance(audit, Mapping) or "table" not in audit:
            raise TypeError(
                "audit must be what audit_leakage of sersk.model_selection returns, got "
                f"{type(audit).__name__}. A table of your own: LeakageDisplay(table).plot()."
            )
        display = cls(audit["table"], chance=audit.get("chance"))
        return display.plot(ax, color=color, leak_color=leak_color, title=title)


def _write_score(ax: Axes, place: int, condition: str, uar: float, above: float) -> Annotation:
    """Write the score at the right of the axes, and by how much it is above strangers."""
    text = f"{uar:.1f}"
    if condition != _STRANGERS and not np.isnan(above):
        text += f"  ({100 * above:+.1f})"
    return ax.annotate(
        text, (1.0, place), (6, 0), xycoords=ax.get_yaxis_transform(),
        textcoords="offset points", va="center", fontsize="small", annotation_clip=False,
    )  # fmt: skip


def _frame(ax: Axes, table: pd.DataFrame) -> None:
    """Name the rows, and tell below the axes what the colours mean."""
    ax.set_yticks(range(len(table)), labels=[str(name) for name in table.index])
    ax.set(xlim=(0, 100), ylim=(len(table) - 0.5, -0.5), xlabel="UAR (%)")
    if table["above_speaker"].notna().any():
        ax.set_xlabel("UAR (%); in brackets: points above speakers never heard")
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize="small",
        borderaxespad=0.2, handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip
