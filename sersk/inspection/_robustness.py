"""What noise leaves of a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._base import check_axes, check_columns, check_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("balanced_accuracy", "low", "high")

# Tick of the clips without noise, and how far it stands from a single level, in dB.
_CLEAN = "clean"
_GAP = 5.0
_CHANCE = "chance"

# Of the legend: names side by side, and height of a line in points.
_NAMES_A_LINE = 3
_LINE_OF_LEGEND = 15

# Of a new figure, in inches.
_CURVES_SIZE = (6.4, 4.0)


class NoiseRobustnessDisplay:
    """The score of a trained system over the level of noise.

    It is recommended to use `from_result` to make one. UAR in percent over the signal-to-noise
    ratio, more noise to the left, with its interval as a band where there is one. The clips as they
    are stand at the right, and the line to them is dashed. To compare systems, draw each on the
    axes of the first.

    Parameters
    ----------
    table : DataFrame of shape (n_levels, n_columns)
        Indexed by signal-to-noise ratio in dB, infinity for the clips as they are, with the columns
        ``balanced_accuracy``, ``low`` and ``high``, in [0, 1].

    chance : float, default=None
        UAR of guessing, in [0, 1]; None draws no line.

    name : str, default=None
        Of the system, for the legend. None leaves it out there.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : list of matplotlib Line2D
        The curve over the noise, and the dashed line to the clips as they are.

    band_ : matplotlib PolyCollection or None
        The interval; None without one.

    See Also
    --------
    sersk.model_selection.noise_robustness : Computes the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import NoiseRobustnessDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "balanced_accuracy": [0.52, 0.45, 0.28],
    ...         "low": [0.46, 0.39, 0.23],
    ...         "high": [0.58, 0.51, 0.33],
    ...     },
    ...     index=[float("inf"), 20, 10],
    ... )
    >>> first = NoiseRobustnessDisplay(table, chance=0.125, name="trained on clean speech").plot()
    >>> other = NoiseRobustnessDisplay(table + 0.1, name="trained on noise").plot(first.ax_)
    >>> [tick.get_text() for tick in other.ax_.get_xticklabels()]
    ['10', '20', 'clean']
    """

    def __init__(
        self, table: pd.DataFrame, *, chance: float | None = None, name: str | None = None
    ) -> None:
        self.table = table
        self.chance = chance
        self.name = name

    def plot(self, ax: Axes | None = None, *, color: Any = None, title: str | None = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: free axes, or those with the curve of another system at the same levels.
            By default in a new figure.

        color : matplotlib colour, default=None
            Colour of the curve. By default the next one of the axes.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : NoiseRobustnessDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If the table has no row or lacks a column, a level stands there twice, or the axes show
            a curve at other levels.
        """
        table = _check_curve(self.table)
        places, labels = _places(table.index.to_numpy())
        ax = check_axes(ax, figsize=_CURVES_SIZE)
        _check_same_levels(ax, labels)
        uar, low, high = (100 * table[column].to_numpy(dtype=float) for column in _COLUMNS)
        noisy = np.isfinite(table.index.to_numpy(dtype=float))
        curve = ax.plot(places[noisy], uar[noisy], "o-", color=color, markersize=5, label=self.name)
        color = curve[0].get_color()
        # To the clips as they are it is no distance in dB.
        to_clean = ax.plot(places[-2:], uar[-2:], "o--", color=color, markersize=5, linewidth=1.0)
        self.lines_ = curve + to_clean * (not noisy.all())
        self.band_ = None
        if not np.isnan(low).all():
            self.band_ = ax.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
        if self.chance is not None:
            _draw_chance(ax, 100 * self.chance)
        ax.set_xticks(places, labels)
        ax.set(xlabel="Signal-to-noise ratio (dB)", ylabel="UAR (%)", ylim=(0, 100))
        ax.grid(axis="y", color="0.9")
        ax.set_axisbelow(True)
        _name_curves(ax, title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_result(
        cls,
        result: Mapping[str, Any],
        *,
        name: str | None = None,
        ax: Axes | None = None,
        color: Any = None,
        title: str | None = None,
    ) -> Self:
        """Draw a result of `noise_robustness`.

        Parameters
        ----------
        result : Bunch
            What :func:`sersk.model_selection.noise_robustness` returns; its ``table`` and
            ``chance`` are used.

        name : str, default=None
            Of the system, for the legend. None leaves it out there.

        ax : matplotlib Axes, default=None
            Where to draw: free axes, or those with the curve of another system at the same levels.
            By default in a new figure.

        color : matplotlib colour, default=None
            Colour of the curve. By default the next one of the axes.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : NoiseRobustnessDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `result` is no such result, or `ax` no Axes.
        ValueError
            If its table cannot be drawn, or the axes show a curve at other levels.

        Examples
        --------
        >>> from sersk.datasets import make_emotional_speech
        >>> from sersk.inspection import NoiseRobustnessDisplay
        >>> from sersk.model_selection import noise_robustness
        >>> from sersk.recipes import svm_functionals
        >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
        >>> known = corpus.groups == "synthetic_01"
        >>> pipeline = svm_functionals(duration=2.0).fit(corpus.data[known], corpus.target[known])
        >>> result = noise_robustness(
        ...     pipeline, corpus.data[~known], corpus.target[~known], snr_db=[20, 0]
        ... )
        >>> display = NoiseRobustnessDisplay.from_result(result, name="SVM")
        >>> display.ax_.get_xlabel()
        'Signal-to-noise ratio (dB)'
        """
        check_result(result, "noise_robustness", cls.__name__)
        display = cls(result["table"], chance=result.get("chance"), name=name)
        return display.plot(ax, color=color, title=title)


def _check_curve(table: Any) -> pd.DataFrame:
    """Return the table from the most noise to the clips as they are."""
    curve = check_columns(table, _COLUMNS, "the table has a row for each level of noise")
    if curve.index.has_duplicates:
        raise ValueError(
            f"The level {curve.index[curve.index.duplicated()][0]} stands there twice."
        )
    return curve.sort_index()


def _places(levels: NDArray[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Tell where levels in dB stand: the last one, infinity, beside the others."""
    places = levels.astype(np.float64)
    labels = [f"{level:g}" for level in places]
    if np.isinf(places[-1]):
        noisy = places[:-1]
        places[-1] = noisy[-1] + max(np.diff(noisy), default=_GAP) if len(noisy) else 0.0
        labels[-1] = _CLEAN
    return places, labels


def _check_same_levels(ax: Axes, labels: list[str]) -> None:
    """Refuse a second curve for which the same ticks would mean other things."""
    shown = [tick.get_text() for tick in ax.get_xticklabels()]
    if _CLEAN in shown and shown != labels:
        raise ValueError(
            f"The axes show a curve at {', '.join(shown)}, this table is at {', '.join(labels)}: "
            "compare systems at the same levels, or on axes of their own."
        )


def _name_curves(ax: Axes, title: str | None) -> None:
    """Put the legend above the axes, out of the way of the curves, and the title above that."""
    known = sorted(
        zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1] == _CHANCE
    )
    if known:
        ax.legend(
            *zip(*known, strict=True), loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False,
            ncols=_NAMES_A_LINE, fontsize="small", borderaxespad=0.2, columnspacing=1.0,
        )  # fmt: skip
    n_lines = -(-len(known) // _NAMES_A_LINE)
    # A title that stands there already moves up with the legend.
    title = ax.get_title(loc="left") if title is None else title
    ax.set_title(title, loc="left", fontsize="medium", pad=6 + _LINE_OF_LEGEND * n_lines)


def _draw_chance(ax: Axes, chance: float) -> None:
    """Draw the line once for all curves of the same chance."""
    for line in ax.get_lines():
        if line.get_label() == _CHANCE and np.allclose(line.get_ydata(), chance):
            return
    ax.axhline(chance, color="0.4", linestyle=":", linewidth=1.0, label=_CHANCE)
