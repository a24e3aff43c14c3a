"""The panels of a corpus: a table of numbers drawn on given axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Longest label in characters; what is longer is cut in its middle.
_LONGEST_LABEL = 24
# Columns of a heat map that can be labelled one by one, and characters of counts in one row of it.
_MAX_LABELS = 40
_MAX_CHARACTERS = 72


def draw_bars(ax: Axes, counts: pd.DataFrame) -> None:
    """One bar an emotion, made of one part a sex, its total at the end."""
    left = np.zeros(len(counts))
    places = np.arange(len(counts))
    for name in counts.columns:
        ax.barh(places, counts[name], left=left, height=0.7, label=str(name))
        left += counts[name].to_numpy()
    for place, total in zip(places, left, strict=True):
        ax.annotate(
            f"{total:.0f}", (total, place), (3, 0), textcoords="offset points", va="center",
            fontsize="small",
        )  # fmt: skip
    ax.set_xlim(0, 1.12 * left.max())
    ax.set_xlabel("Clips")
    _count_in_whole_clips(ax.xaxis)
    split = counts.shape[1] > 1
    ax.set_title("Clips by emotion", loc="left", fontsize="medium", pad=20 if split else None)
    if split:
        # Between title and axes: inside, it would hide the bars of a balanced corpus.
        ax.legend(
            loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=counts.shape[1], frameon=False,
            fontsize="small", borderaxespad=0.0, handlelength=1.0, columnspacing=1.0,
        )  # fmt: skip
    _label_emotions(ax, counts.index)


def draw_durations(ax: Axes, durations: pd.DataFrame) -> None:
    """A line from the shortest to the longest, a box of the middle half, a dot at the median."""
    places = np.arange(len(durations))
    ax.hlines(places, durations["min"], durations["max"], color="0.5", linewidth=1.0)
    ax.barh(
        places,
        durations["75%"] - durations["25%"],
        left=durations["25%"],
        height=0.5,
        color="C0",
        alpha=0.6,
    )
    ax.plot(durations["50%"], places, "o", color="black", markersize=4)
    longest = float(np.nanmax(durations["max"]))
    ax.set(xlim=(0, 1.05 * longest or 1.0), xlabel="Duration (s): range, quartiles, median")
    ax.set_title("Durations by emotion", loc="left", fontsize="medium")
    _label_emotions(ax, durations.index)


def draw_counts(ax: Axes, counts: pd.DataFrame, what: str, cmap: Any) -> None:
    """A table in colours: emotions downwards, speakers or sentences to the right."""
    values = counts.to_numpy().T
    largest = int(values.max())
    mesh = ax.pcolormesh(
        values,
        cmap=cmap,
        vmin=0,
        vmax=max(largest, 1),
        edgecolors="white",
        linewidth=1.0 if len(counts) <= _MAX_LABELS else 0.0,
    )
    ax.set_title(f"Clips by {what} and emotion", loc="left", fontsize="medium")
    _label_emotions(ax, counts.columns, middle=0.5)
    shared = _shared_beginning([str(name) for name in counts.index])
    step = -(-len(counts) // _MAX_LABELS)
    labels = [_shorten(str(name)[len(shared) :]) for name in counts.index[::step]]
    # Upright text needs the width of a line only: names of any length stay apart.
    upright = sum(map(len, labels)) * 1.5 > _MAX_CHARACTERS
    ax.set_xticks(
        np.arange(len(counts))[::step] + 0.5,
        labels,
        rotation=90 if upright else 0,
        fontsize="small",
    )
    ax.set_xlabel(what.capitalize() + (f" ({shared}...)" if shared else ""))
    if len(counts) * (len(str(largest)) + 1) <= _MAX_CHARACTERS:
        _write_numbers(ax, values, mesh)
    else:
        colorbar = ax.figure.colorbar(mesh, ax=ax, label="Clips", pad=0.01)
        _count_in_whole_clips(colorbar.ax.yaxis)


def _write_numbers(ax: Axes, values: np.ndarray[Any, Any], mesh: Any) -> None:
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = mesh.cmap(mesh.norm(value))
        bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        ax.text(
            column + 0.5, row + 0.5, str(value), ha="center", va="center", fontsize="small",
            color="black" if bright else "white",
        )  # fmt: skip


def _count_in_whole_clips(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _label_emotions(ax: Axes, emotions: pd.Index, middle: float = 0.0) -> None:
    """Name the rows, of which the first one has its middle at `middle`."""
    places = np.arange(len(emotions)) + middle
    ax.set_yticks(places, [_shorten(str(name)) for name in emotions])
    # Downwards, as one reads.
    ax.set_ylim(len(emotions) - 0.5 + middle, middle - 0.5)


def _shared_beginning(names: list[str]) -> str:
    """Return what all names begin with, up to an underscore: the name of the corpus, as a rule."""
    if len(names) < 2:
        return ""
    # What the first and the last in order share, all share.
    first, last = min(names), max(names)
    length = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return first[: first.rfind("_", 0, length) + 1]


def _shorten(name: str) -> str:
    """Cut a long name in its middle: names that begin alike, as numbered ones do, stay apart."""
    if len(name) <= _LONGEST_LABEL:
        return name
    end = _LONGEST_LABEL // 2
    return name[: _LONGEST_LABEL - end - 1] + "…" + name[-end:]
