"""Pictures of a search: how it went, what mattered, where the good values are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..model_selection import PipelineSearchCV

_COLUMNS = 3


def draw_history(search: PipelineSearchCV) -> Figure:
    """Draw the score of each trial, and the best until then."""
    from matplotlib.figure import Figure

    trials = search.trials_dataframe()
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    ax = figure.subplots()
    complete = trials[trials["state"] == "complete"]
    ax.plot(complete.index, 100 * complete["score"], "o", label="trial")
    ax.step(complete.index, 100 * complete["score"].cummax(), where="post", label="best so far")
    for state, marker in (("pruned", "|"), ("failed", "x")):
        those = trials.index[trials["state"] == state]
        if len(those):
            bottom = np.full(len(those), 100 * complete["score"].min())
            ax.plot(those, bottom, marker, color="grey", label=state)
    ax.set(xlabel="Trial", ylabel="Mean UAR over the folds, %", title="How the search went")
    ax.legend()
    return figure


def draw_slices(search: PipelineSearchCV) -> Figure:
    """Draw the scores over the values of each parameter."""
    from matplotlib.figure import Figure

    trials = search.trials_dataframe()
    complete = trials[trials["state"] == "complete"]
    names = [name for name in trials.columns if name.startswith("param_")]
    rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(4.0 * _COLUMNS, 3.0 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).ravel()
    for ax, name in zip(axes, names, strict=False):
        known = complete[complete[name].notna()]
        values = known[name].tolist()
        are_numbers = all(isinstance(value, int | float) for value in values)
        positions = values if are_numbers else [str(value) for value in values]
        points = ax.scatter(positions, 100 * known["score"], c=known.index, cmap="viridis", s=18)
        if are_numbers and _is_log(search, name.removeprefix("param_")):
            ax.set_xscale("log")
        ax.set_xlabel("__".join(name.removeprefix("param_").split("__")[-2:]))
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax in axes[::_COLUMNS]:
        ax.set_ylabel("Mean UAR, %")
    figure.colorbar(points, ax=list(axes), label="Trial")
    return figure


def _is_log(search: PipelineSearchCV, name: str) -> bool:
    known = (trial.distributions for trial in search.study_.get_trials(deepcopy=False))
    found = next((each[name] for each in known if name in each), None)
    return bool(getattr(found, "log", False))


def draw_importances(search: PipelineSearchCV) -> Figure | None:
    """Draw how much of the differences between trials each parameter explains."""
    from matplotlib.figure import Figure
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = search.trials_dataframe().query("state == 'complete'")
    if complete["score"].nunique() < 2:
        return None
    shares = get_param_importances(search.study_, evaluator=FanovaImportanceEvaluator(seed=0))
    if not shares:
        return None
    figure = Figure(figsize=(7.0, 1.2 + 0.4 * len(shares)), layout="constrained")
    ax = figure.subplots()
    names = ["__".join(name.split("__")[-2:]) for name in shares]
    ax.barh(names[::-1], [100 * share for share in shares.values()][::-1])
    ax.set(
        xlabel="Share of the variance between trials, %",
        title=f"What mattered, by {len(complete)} trials",
    )
    return figure


# File, heading on a page, and who draws it.
PICTURES: dict[str, tuple[str, Callable[[PipelineSearchCV], Figure | None]]] = {
    "history.png": ("How the search went", draw_history),
    "slices.png": ("Where the good values are", draw_slices),
    "importances.png": ("What mattered", draw_importances),
}
