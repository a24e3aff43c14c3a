"""The pictures of a report, as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.utils import Bunch

from ._corpus import CorpusDisplay
from ._learning_curve import LearningCurveDisplay
from ._reliability import ReliabilityDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Pixels an inch in the files, and in the page on a screen of usual density.
_FILE_DPI = 160
_PAGE_DPI = 88

# More speakers than this are dots without names: the table beside has them.
_MAX_NAMES = 40


def draw_group(group: Bunch) -> tuple[dict[str, Bunch], dict[str, str]]:
    """Draw what there is to draw of a group of runs.

    Parameters
    ----------
    group : Bunch
        As `gather_groups` returns it.

    Returns
    -------
    pictures : dict of str to Bunch
        ``png`` (bytes), ``width`` in pixels of a page, ``alt``, by what is drawn.
    problems : dict of str to str
        Why something that is there could not be drawn.
    """
    pictures = {
        "confusion": _draw(_draw_confusion, group, alt="Confusion matrix, as in the table.")
    }
    problems: dict[str, str] = {}
    if group.histories:
        try:
            pictures["learning"] = _draw(
                _draw_learning, group, alt="Loss and UAR by epoch, in training and validation."
            )
        except (TypeError, ValueError) as problem:  # notes of another kind of estimator
            problems["learning"] = str(problem)
    calibration = group.calibration
    if calibration is not None and calibration.problem is None:
        pictures["reliability"] = _draw(
            _draw_reliability, group, alt="Reliability diagram: accuracy by confidence."
        )
    if group.per_speaker is not None and len(group.per_speaker) > 1:
        pictures["speakers"] = _draw(
            _draw_speakers, group, alt="UAR of each speaker, as in the table below."
        )
    return pictures, problems


def draw_corpus(corpus: Any) -> Bunch:
    """Draw what is in a corpus.

    Parameters
    ----------
    corpus : Bunch
        As the loaders return it.

    Returns
    -------
    picture : Bunch
        ``png`` (bytes), ``width`` in pixels of a page, ``alt``.
    """
    import matplotlib.pyplot as plt

    def draw(bunch: Any) -> Figure:
        figure = CorpusDisplay.from_corpus(bunch).figure_
        plt.close(figure)  # it is still whole, and nobody's window any more
        return figure

    return _draw(draw, corpus, alt="Clips by emotion, durations, clips by speaker and sentence.")


@contextmanager
def _plain_style() -> Iterator[None]:
    """Draw the same whatever the user's style; names with a dollar sign are names."""
    from matplotlib import style

    with style.context(["default", {"text.parse_math": False}]):
        yield


def _draw(draw: Callable[[Any], Figure], what: Any, *, alt: str) -> Bunch:
    with _plain_style():
        figure = draw(what)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_FILE_DPI)
    return Bunch(png=buffer.getvalue(), width=round(_PAGE_DPI * figure.get_figwidth()), alt=alt)


def _new_figure(width: float, height: float) -> Figure:
    """Make a figure that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_percent(confusion: pd.DataFrame) -> pd.DataFrame:
    """Turn counts into percent of each true emotion.

    Parameters
    ----------
    confusion : DataFrame of shape (n_classes, n_classes)
        Counts; rows are true emotions.

    Returns
    -------
    percent : DataFrame of shape (n_classes, n_classes)
        Rows sum to 100; 0 where an emotion does not occur.
    """
    return 100 * confusion.div(confusion.sum(axis=1).clip(lower=1), axis=0)


def _draw_confusion(group: Bunch) -> Figure:
    size = confusion_size(group.confusion)
    figure = _new_figure(size, size)
    plot_confusion(figure.subplots(), group.confusion)
    return figure


def confusion_size(confusion: pd.DataFrame) -> float:
    """Tell how large the picture of a confusion matrix has to be.

    Parameters
    ----------
    confusion : DataFrame
        Counts, true by predicted.

    Returns
    -------
    size : float
        Width and height in inches.
    """
    return 1.6 + 0.5 * len(confusion)


def plot_confusion(ax: Axes, confusion: pd.DataFrame) -> None:
    """Draw a confusion matrix in percent of each true emotion.

    Parameters
    ----------
    ax : matplotlib axes
        Where.
    confusion : DataFrame
        Counts, true by predicted.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    percent = to_percent(confusion)
    display = ConfusionMatrixDisplay(
        percent.to_numpy(), display_labels=list(map(str, percent.index))
    ).plot(
        ax=ax, cmap="Blues", values_format=".0f", colorbar=False, xticks_rotation=45,
        im_kw={"vmin": 0, "vmax": 100},
    )  # fmt: skip
    # The display chooses white or dark by the largest cell, which may be a light one here.
    dark, light = display.im_.cmap(1.0), display.im_.cmap(0.0)
    for number, share in zip(display.text_.flat, percent.to_numpy().flat, strict=True):
        number.set_color(light if share > 50 else dark)
    ax.set(xlabel="Predicted", ylabel="True (percent of each)")


def _draw_learning(group: Bunch) -> Figure:
    figure = _new_figure(8.0, 3.4)
    LearningCurveDisplay.from_history(
        group.histories, chance=group.chance, ax=figure.subplots(1, 2)
    )
    return figure


def _draw_reliability(group: Bunch) -> Figure:
    figure = _new_figure(4.6, 5.4)
    ReliabilityDisplay(
        group.calibration.curve,
        confidences=group.calibration.confidences,
        calibration_error=group.calibration.error,
    ).plot(figure.subplots(2, height_ratios=(4, 1)))
    return figure


def _draw_speakers(group: Bunch) -> Figure:
    """Draw a dot a speaker, sorted: names downwards, or, of many, ranks to the right."""
    uar = 100 * group.per_speaker["balanced_accuracy"].sort_values(ascending=False, kind="stable")
    named = len(uar) <= _MAX_NAMES
    figure = _new_figure(4.4, 1.1 + 0.2 * len(uar)) if named else _new_figure(8.0, 3.2)
    ax = figure.subplots()
    places = range(len(uar))
    whole = 100 * group.scores.loc["balanced_accuracy", "score"]
    lines = ax.axvline if named else ax.axhline
    lines(whole, color="0.4", linewidth=1.0, label="all clips")
    lines(100 * group.chance, color="0.4", linestyle="--", linewidth=1.0, label="chance")
    if named:
        ax.hlines(places, 0, uar, color="0.85", linewidth=1.0)
        ax.plot(uar, places, "o", color="C0", markersize=5)
        ax.set_yticks(places, [str(name) for name in uar.index], fontsize="small")
        ax.set(xlim=(0, 100), ylim=(len(uar) - 0.4, -0.6), xlabel="UAR (%)")
    else:
        ax.plot([place + 1 for place in places], uar, "o", color="C0", markersize=4)
        ax.set(ylim=(0, 100), ylabel="UAR (%)", xlabel="Speakers, from the best understood")
    ax.grid(axis="x" if named else "y", color="0.9")
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize="small",
        borderaxespad=0.2,
    )  # fmt: skip
    return figure
