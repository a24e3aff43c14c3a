"""How long a benchmark will take: from folds that were computed, or from a small pilot."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, _safe_indexing

from .._utils._interrupts import interrupts_passed_on
from ..augmentation import WaveformAugmenter, make_transforms
from ._prepare import AS_PUBLISHED, choose_clips
from ._registry import make_recipe, recipe_info
from ._results import ResultsFile, RunKey
from ._runs import trains_net

# A pilot is fitted on as many clips.
N_PILOT = 64


def seconds_known(results: ResultsFile, key: RunKey) -> float | None:
    """Tell what a fold took, from those in a file of results.

    Parameters
    ----------
    results : ResultsFile
        Refreshed.
    key : RunKey
        The run. Of the same recipe, options and corpus, folds under the same protocol tell best.

    Returns
    -------
    seconds : float or None
        Of a fold, on average; None where there is none.
    """
    alike = [
        (other, folds)
        for other, folds in results.folds.items()
        if folds and (other.recipe, other.corpus, other.options)
        == (key.recipe, key.corpus, key.options)
    ]  # fmt: skip
    same = [folds for other, folds in alike if other.protocol == key.protocol]
    chosen = same or [folds for _, folds in alike]
    seconds = [fold.seconds for folds in chosen for fold in folds.values()]
    return float(np.mean(seconds)) if seconds else None


def pilot(recipe: str, corpus: Bunch, options: Mapping[str, Any]) -> tuple[float, float]:
    """Fit a recipe on a few clips, to learn what a clip costs.

    Parameters
    ----------
    recipe : str
        Its name.
    corpus : Bunch
        The corpus.
    options : mapping of str to object
        Of the recipe.

    Returns
    -------
    once : float
        Seconds a clip, whatever the epochs: reading and features.
    an_epoch : float
        Seconds a clip and epoch; 0 for recipes without epochs.
    """
    info = recipe_info(recipe)
    rows, emotions = choose_clips(info, corpus, "random")
    few = _choose_few(emotions)
    X, y = _safe_indexing(corpus.data, rows[few]), emotions[few]
    has_epochs = n_epochs(recipe, options) is not None
    # The first fit loads and compiles; only the others are timed.
    lengths = (1, 1, 2) if has_epochs else (None, None)
    seconds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for epochs in lengths:
            given = dict(options) if epochs is None else {**options, "max_epochs": epochs}
            pipeline = make_recipe(recipe, random_state=0, memory=None, **given)
            started = time.perf_counter()
            with interrupts_passed_on():
                pipeline.fit(X, y)
            seconds.append(time.perf_counter() - started)
    if not has_epochs:
        return seconds[-1] / len(few), 0.0
    # On a machine with other work the second epoch may seem to cost nothing: a tenth, at least.
    epoch = max(seconds[2] - seconds[1], 0.1 * seconds[1])
    return max(seconds[1] - epoch, 0.0) / len(few), epoch / len(few)


def _choose_few(emotions: NDArray[Any]) -> NDArray[np.intp]:
    """Choose as many clips of each emotion, as far as they go."""
    n_of_each = max(2, N_PILOT // len(np.unique(emotions)))
    chosen = [np.flatnonzero(emotions == name)[:n_of_each] for name in np.unique(emotions)]
    return np.sort(np.concatenate(chosen))


def n_epochs(recipe: str, options: Mapping[str, Any]) -> int | None:
    """Tell how many epochs a recipe is trained at most.

    Parameters
    ----------
    recipe : str
        Its name.
    options : mapping of str to object
        Of the recipe.

    Returns
    -------
    n_epochs : int or None
        None for recipes without epochs.
    """
    known = inspect.signature(recipe_info(recipe).function).parameters
    if "max_epochs" not in known:
        return None
    return int(options.get("max_epochs", known["max_epochs"].default))


def seconds_of_fold(
    costs: tuple[float, float], recipe: str, options: Mapping[str, Any], n_train: float,
    protocol: str,
) -> float:  # fmt: skip
    """Scale a pilot to a fold.

    Parameters
    ----------
    costs : tuple of (float, float)
        What `pilot` gives.
    recipe : str
        Its name.
    options : mapping of str to object
        Of the recipe.
    n_train : float
        Clips of the training part, without copies.
    protocol : str
        Under ``"as-published"`` copies come on top, unless the recipe makes its own.

    Returns
    -------
    seconds : float
        At most about that: early stopping and kept features save some.
    """
    once, an_epoch = costs
    n_rows = n_train
    split = recipe_info(recipe).split
    if protocol == AS_PUBLISHED and split is not None and split.copies is not None:
        steps = make_recipe(recipe, **options).steps
        if not any(isinstance(step, WaveformAugmenter) for _, step in steps):
            n_rows *= len(make_transforms(split.copies)) + split.keep_original
    return n_rows * (once + an_epoch * (n_epochs(recipe, options) or 0))


def jobs_at_once(recipe: str, options: Mapping[str, Any], n_jobs: int, n_folds: int) -> int:
    """Tell how many folds of a recipe run at once.

    Parameters
    ----------
    recipe : str
        Its name.
    options : mapping of str to object
        Of the recipe.
    n_jobs : int
        As joblib understands it.
    n_folds : int
        Of the run.

    Returns
    -------
    n : int
        1 for nets.
    """
    from joblib import effective_n_jobs

    if trains_net(make_recipe(recipe, **options)):
        return 1
    return max(1, min(int(effective_n_jobs(n_jobs)), n_folds))


def say_duration(seconds: float) -> str:
    """Write a duration for people.

    Parameters
    ----------
    seconds : float
        How long.

    Returns
    -------
    text : str
        ``"about 3.0 h"``, in the largest unit of which there is one or more; days from two on.
    """
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size * (2 if unit == "days" else 1):
            return f"about {seconds / size:.{1 if seconds < 10 * size else 0}f} {unit}"
    return f"about {max(1, round(seconds))} s"


def total(seconds: Iterable[float | None]) -> tuple[float, int]:
    """Sum what is known.

    Parameters
    ----------
    seconds : iterable of float or None
        Of each run.

    Returns
    -------
    known : float
        Their sum.
    n_unknown : int
        How many are not known.
    """
    given = list(seconds)
    return sum(each for each in given if each is not None), sum(each is None for each in given)
