"""How the training of a net went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._base import check_columns, check_pair_of_axes, find_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# A panel each: what it shows, and by how much that is multiplied.
_PANELS = {"loss": ("Loss", 1.0), "balanced_accuracy": ("UAR (%)", 100.0)}
_PARTS = {"train": "training", "valid": "validation"}

# Of a new figure, in inches.
_FIGSIZE = (9.0, 3.6)

_GUIDE_STYLE: dict[str, Any] = {"color": "0.4", "linewidth": 1.0}


class LearningCurveDisplay:
    """Loss and UAR of a net by epoch, in training and validation.

    It is recommended to use `from_estimator` or `from_history` to make one. The left panel has the
    loss, the right one the UAR in percent. Where weights were chosen by validation, the epoch that
    was kept is marked. Several nets, such as those of the folds of a cross-validation, are drawn as
    thin lines, their mean as a thick one, as far as all of them were trained.

    Parameters
    ----------
    curves : list of DataFrame
        One a net, indexed by epoch, with the columns ``train_loss`` and
        ``train_balanced_accuracy`` and, where there was validation, ``valid_loss`` and
        ``valid_balanced_accuracy``, UAR in [0, 1].

    best_epochs : list of int or None, default=None
        The epoch of each net that is marked, None for none.

    chance : float, default=None
        UAR of guessing, in [0, 1]; None draws no line.

    Attributes
    ----------
    axes_ : ndarray of shape (2,), object
        Axes with the loss, and axes with the UAR.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : dict of str to list of matplotlib Line2D
        By column, the line of each net that has it.

    means_ : dict of str to matplotlib Line2D
        By column, the mean; empty where there is but one net.

    marks_ : list of matplotlib Line2D
        The marks at the epochs that were kept, in the left panel, then in the right one.

    See Also
    --------
    sersk.model_selection.ValidationHoldout : Holds out speakers, so that there is validation.
    sersk.neural_network.CRNNClassifier : One of the nets with a ``history_``.

    Notes
    -----
    The scores of training are taken while the weights still change, with dropout, masks and mixed
    clips; those of validation at the end of an epoch, without. So training may look worse than
    validation for a while. Neither is a score of the test: the kept epoch was chosen by validation,
    and does a little better there than on speakers never heard.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import LearningCurveDisplay
    >>> curve = pd.DataFrame(
    ...     {
    ...         "train_loss": [1.7, 1.2, 0.8],
    ...         "valid_loss": [1.6, 1.3, 1.4],
    ...         "train_balanced_accuracy": [0.2, 0.5, 0.7],
    ...         "valid_balanced_accuracy": [0.25, 0.4, 0.35],
    ...     },
    ...     index=[1, 2, 3],
    ... )
    >>> display = LearningCurveDisplay([curve], best_epochs=[2]).plot()
    >>> display.lines_["valid_loss"][0].get_ydata().tolist()
    [1.6, 1.3, 1.4]
    """

    def __init__(
        self,
        curves: Sequence[pd.DataFrame],
        *,
        best_epochs: Sequence[int | None] | None = None,
        chance: float | None = None,
    ) -> None:
        self.curves = curves
        self.best_epochs = best_epochs
        self.chance = chance

    def plot(
        self,
        ax: Any = None,
        *,
        train_color: Any = "C0",
        valid_color: Any = "C1",
        title: str | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Where to draw loss and UAR. By default in a new figure.

        train_color : matplotlib colour, default="C0"
            Colour of training.

        valid_color : matplotlib colour, default="C1"
            Colour of validation.

        title : str, default=None
            Title, above the left panel.

        Returns
        -------
        display : LearningCurveDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no pair of Axes.
        ValueError
            If there is no curve, one lacks a column or has an epoch twice, or `best_epochs` does
            not fit to them.
        """
        curves = [_check_curve(curve) for curve in self.curves]
        best_epochs = _check_best_epochs(self.best_epochs, curves)
        axes = check_pair_of_axes(ax, _new_axes, "loss and UAR", "plt.subplots(1, 2)")
        colors = {"train": train_color, "valid": valid_color}
        self.lines_: dict[str, list[Line2D]] = {}
        self.means_: dict[str, Line2D] = {}
        self.marks_: list[Line2D] = []
        for panel, (measure, (label, factor)) in zip(axes, _PANELS.items(), strict=True):
            for part, name in _PARTS.items():
                column = f"{part}_{measure}"
                runs = [factor * curve[column].dropna() for curve in curves if column in curve]
                runs = [run for run in runs if len(run)]
                self.lines_[column] = _draw_runs(panel, runs, colors[part], name)
                if len(runs) > 1:
                    mean = pd.concat(runs, axis=1, join="inner").mean(axis=1)
                    self.means_[column] = _draw_mean(panel, mean, colors[part], name)
            self.marks_ += _mark_epochs(panel, measure, factor, curves, best_epochs, colors)
            _frame(panel, label)
        if self.chance is not None:
            axes[1].axhline(100 * self.chance, linestyle="--", label="chance", **_GUIDE_STYLE)
        axes[0].set_ylim(bottom=0, auto=True)  # other nets may follow on the same axes
        axes[1].set_ylim(0, 100)
        _tell_colors(axes)
        if title is not None:
            # Above the line of the legend.
            axes[0].set_title(title, loc="left", fontsize="medium", pad=24)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        train_color: Any = "C0",
        valid_color: Any = "C1",
        title: str | None = None,
    ) -> Self:
        """Draw how a fitted net was trained.

        Parameters
        ----------
        estimator : estimator or list of estimators
            A fitted net, a pipeline that ends in one, or a
            :class:`~sersk.model_selection.ValidationHoldout` or search around either. Several of
            them, such as those that scikit-learn's ``cross_validate`` returns, are drawn together.

        ax : sequence of two matplotlib Axes, default=None
            Where to draw loss and UAR. By default in a new figure.

        train_color : matplotlib colour, default="C0"
            Colour of training.

        valid_color : matplotlib colour, default="C1"
            Colour of validation.

        title : str, default=None
            Title, above the left panel.

        Returns
        -------
        display : LearningCurveDisplay
            The display, drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted.
        TypeError
            If no part of `estimator` has a ``history_``, or `ax` is no pair of Axes.

        Examples
        --------
        >>> from sklearn.pipeline import make_pipeline
        >>> from sersk.datasets import make_emotional_speech
        >>> from sersk.feature_extraction import MFCC
        >>> from sersk.inspection import LearningCurveDisplay
        >>> from sersk.model_selection import ValidationHoldout
        >>> from sersk.neural_network import RNNClassifier
        >>> speech = make_emotional_speech(n_speakers=3, n_sentences=1, random_state=0)
        >>> net = RNNClassifier(hidden_sizes=(8,), max_epochs=3, random_state=0)
        >>> model = ValidationHoldout(make_pipeline(MFCC(n_mfcc=13), net), random_state=0)
        >>> model = model.fit(speech.data, speech.target, groups=speech.groups)
        >>> display = LearningCurveDisplay.from_estimator(model)
        >>> len(display.lines_["valid_loss"][0].get_ydata())
        3
        """
        several = isinstance(estimator, list | tuple | np.ndarray)
        nets = [_find_net(one) for one in (estimator if several else [estimator])]
        curves = [_make_curve(net.history_) for net in nets]
        # Without validation there is no choice: what is kept is the end.
        best_epochs = [
            net.best_epoch_ if "valid_loss" in curve else None
            for net, curve in zip(nets, curves, strict=True)
        ]
        n_classes = {len(net.classes_) for net in nets}
        display = cls(
            curves,
            best_epochs=best_epochs,
            chance=1 / n_classes.pop() if len(n_classes) == 1 else None,
        )
        return display.plot(ax, train_color=train_color, valid_color=valid_color, title=title)

    @classmethod
    def from_history(
        cls,
        history: Any,
        best_epoch: int | Sequence[int | None] | None = None,
        *,
        chance: float | None = None,
        ax: Any = None,
        train_color: Any = "C0",
        valid_color: Any = "C1",
        title: str | None = None,
    ) -> Self:
        """Draw the history of a training.

        Parameters
        ----------
        history : list of dict, DataFrame, or list of such
            The ``history_`` of a net, or several of them; as a DataFrame it has a row an epoch.

        best_epoch : int, list of int, default=None
            The epoch that is marked; one a history, where there are several. None marks none.

        chance : float, default=None
            UAR of guessing, in [0, 1]; None draws no line.

        ax : sequence of two matplotlib Axes, default=None
            Where to draw loss and UAR. By default in a new figure.

        train_color : matplotlib colour, default="C0"
            Colour of training.

        valid_color : matplotlib colour, default="C1"
            Colour of validation.

        title : str, default=None
            Title, above the left panel.

        Returns
        -------
        display : LearningCurveDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `history` is none, or `ax` no pair of Axes.
        ValueError
            If it lacks an entry, has an epoch twice, or `best_epoch` is not among its epochs.

        Examples
        --------
        >>> from sersk.inspection import LearningCurveDisplay
        >>> history = [
        ...     {"epoch": 1, "train_loss": 1.7, "train_balanced_accuracy": 0.2},
        ...     {"epoch": 2, "train_loss": 1.2, "train_balanced_accuracy": 0.5},
        ... ]
        >>> display = LearningCurveDisplay.from_history(history, chance=1 / 6)
        >>> display.lines_["train_loss"][0].get_ydata().tolist()
        [1.7, 1.2]
        """
        one = isinstance(history, pd.DataFrame) or (
            isinstance(history, Sequence) and all(isinstance(row, Mapping) for row in history)
        )
        if not one and not isinstance(history, Sequence):
            raise TypeError(
                "history must be the history_ of a net, a list with a dict an epoch, or several "
                f"of them, got {type(history).__name__}. Of a fitted net: "
                "LearningCurveDisplay.from_estimator(net)."
            )
        curves = [_make_curve(rows) for rows in ([history] if one else history)]
        best_epochs: Any = [best_epoch] if isinstance(best_epoch, Integral) else best_epoch
        display = cls(curves, best_epochs=best_epochs, chance=chance)
        return display.plot(ax, train_color=train_color, valid_color=valid_color, title=title)


def _find_net(estimator: Any) -> Any:
    """Find the part of an estimator that has a history."""
    return find_part(estimator, lambda part: hasattr(part, "history_"), "has no history_")[0]


def _make_curve(history: Any) -> pd.DataFrame:
    """Turn the history of a net into a table, indexed by epoch."""
    table = history if isinstance(history, pd.DataFrame) else pd.DataFrame(list(history))
    if not len(table):
        raise ValueError("There is nothing to draw: the history has no epoch.")
    if "epoch" in table.columns:
        table = table.set_index("epoch")
    elif not isinstance(history, pd.DataFrame):
        raise ValueError("The history has no entry 'epoch'.")
    return _check_curve(table)


def _check_curve(curve: Any) -> pd.DataFrame:
    columns = [f"train_{measure}" for measure in _PANELS]
    checked = check_columns(curve, columns, "a curve has a row an epoch", "curve")
    if checked.index.has_duplicates:
        twice = checked.index[checked.index.duplicated()][0]
        raise ValueError(f"Epoch {twice} stands there twice.")
    return checked


def _check_best_epochs(
    best_epochs: Sequence[int | None] | None, curves: list[pd.DataFrame]
) -> Sequence[int | None]:
    if not curves:
        raise ValueError("There is nothing to draw: no net, no curve.")
    if best_epochs is None:
        return [None] * len(curves)
    if len(best_epochs) != len(curves):
        raise ValueError(f"best_epochs has {len(best_epochs)} entries for {len(curves)} curves.")
    for epoch, curve in zip(best_epochs, curves, strict=True):
        if epoch is not None and epoch not in curve.index:
            raise ValueError(
                f"Epoch {epoch} is to be marked, and the curve goes from {curve.index.min()} to "
                f"{curve.index.max()}."
            )
    return best_epochs


def _new_axes() -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(1, 2, figsize=_FIGSIZE, layout="constrained")[1]


def _draw_runs(ax: Axes, runs: list[pd.Series], color: Any, name: str) -> list[Line2D]:
    """Draw a line a run: thick where it is alone, else thin and without a name."""
    alone = len(runs) == 1
    style = {"linewidth": 1.8, "label": name} if alone else {"linewidth": 0.8, "alpha": 0.45}
    # Of a single epoch there is a point, and no line.
    return [
        ax.plot(run.index, run, "." if len(run) == 1 else "-", color=color, **style)[0]
        for run in runs
    ]


def _draw_mean(ax: Axes, mean: pd.Series, color: Any, name: str) -> Line2D:
    return ax.plot(mean.index, mean, color=color, linewidth=2.2, label=name)[0]


def _mark_epochs(
    ax: Axes,
    measure: str,
    factor: float,
    curves: list[pd.DataFrame],
    best_epochs: Sequence[int | None],
    colors: dict[str, Any],
) -> list[Line2D]:
    """Mark the epoch of each run that was kept: on validation, where there is some."""
    marks: list[Line2D] = []
    for curve, epoch in zip(curves, best_epochs, strict=True):
        if epoch is None:
            continue
        part = "valid" if not np.isnan(_value(curve, f"valid_{measure}", epoch)) else "train"
        if len(curves) == 1:
            ax.axvline(epoch, linestyle=":", zorder=1, **_GUIDE_STYLE)
        marks += ax.plot(
            epoch, factor * _value(curve, f"{part}_{measure}", epoch), "o", color=colors[part],
            markeredgecolor="black", markersize=7 if len(curves) == 1 else 5,
            label="" if marks else "kept epoch",
        )  # fmt: skip
    return marks


def _value(curve: pd.DataFrame, column: str, epoch: int) -> float:
    return (
        float(curve[column].to_numpy()[curve.index.get_loc(epoch)]) if column in curve else np.nan
    )


def _frame(ax: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel="Epoch", ylabel=label)
    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True, min_n_ticks=1))
    ax.grid(color="0.9")
    ax.set_axisbelow(True)


def _tell_colors(axes: NDArray[Any]) -> None:
    """Write one legend for both panels, above the left one."""
    named: dict[str, Any] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    axes[0].legend(
        named.values(), named, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(named),
        frameon=False, fontsize="small", borderaxespad=0.2, handlelength=1.5, columnspacing=1.2,
    )  # fmt: skip
