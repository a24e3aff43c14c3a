"""The trials of a search: each in this process, or in one of several workers."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Generator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from numpy.typing import NDArray
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import delayed

from .._utils._interrupts import Interrupts
from .._utils._parallel import as_completed
from .._utils._warnings import Said, warnings_recorded
from ..exceptions import TuningError
from ._evaluation import fit_rows
from ._protocols import Fold
from ._search_claims import RESULT, WHOLE, claim, lose, n_begun, renew_lost, trials_of
from ._search_space import Choice, apply_parameters, as_parameters, suggest
from ._search_study import SeededByTrial, Storage, open_study, quiet
from ._validation_holdout import ValidationHoldout


@dataclass(frozen=True)
class Search:
    """All that a trial needs, wherever it is computed.

    Attributes
    ----------
    token : str
        Names this call of `fit`.
    study_name : str
        Of the study.
    storage : str, path-like, BaseStorage or None
        Where the study is kept; None for the memory of this process.
    sampler : SeededByTrial
        Draws parameters.
    pruner : BasePruner
        Ends trials that promise little.
    n_trials : int
        How many are to be finished, those of earlier calls included.
    estimator : estimator
        What is tuned.
    space : mapping of str to distribution or Choice
        What is searched.
    X : DataFrame or array-like of shape (n_clips, ...)
        The clips.
    y : ndarray of shape (n_clips,)
        Their emotions.
    groups : DataFrame, array-like of shape (n_clips,) or None
        Who speaks, for an estimator whose `fit` wants to know.
    folds : list of (train, test)
        Rows.
    scorer : callable
        Takes a fitted estimator, clips and emotions.
    max_epochs : int
        Steps of a fold, of which there is a report.
    raises : bool
        Whether a trial that fails ends the search.
    chatter : bool
        Whether Optuna may tell what it does.
    """

    token: str
    study_name: str
    storage: Storage | None
    sampler: SeededByTrial
    pruner: BasePruner
    n_trials: int
    estimator: Any
    space: Mapping[str, Any]
    X: Any
    y: NDArray[Any]
    groups: Any
    folds: list[Fold]
    scorer: Callable[..., float]
    max_epochs: int
    raises: bool
    chatter: bool

    def open(self, *, anew: bool) -> Study:
        """Open the study, for one trial of several in this process unless `anew`."""
        return open_study(
            self.storage,
            self.study_name,
            self.sampler,
            self.pruner,
            search=None if anew else self.token,
        )


def count_epochs(estimator: Any, space: Mapping[str, Any]) -> int:
    """Count the epochs that a net may be trained for.

    Parameters
    ----------
    estimator : estimator
        What is tuned.
    space : mapping of str to distribution or Choice
        What is searched.

    Returns
    -------
    max_epochs : int
        1 where nothing is a net of ours.
    """
    options = [
        option
        for choice in space.values()
        if isinstance(choice, Choice)
        for option in choice.options.values()
    ]
    nets = [net_of(each) for each in (estimator, *options)]
    return max([net.max_epochs for net in nets if net is not None], default=1)


def net_of(estimator: Any) -> Any:
    """Find the net of ours that an estimator ends in.

    Parameters
    ----------
    estimator : estimator
        Pipeline, `ValidationHoldout` or any nesting of these.

    Returns
    -------
    net : BaseNetClassifier or None
        None where it ends in something else.
    """
    # Torch takes seconds to load, and without it nothing is a net.
    nets = sys.modules.get("sersk.neural_network._base")
    while True:
        if isinstance(estimator, ValidationHoldout):
            estimator = estimator.estimator
        elif getattr(estimator, "steps", None):
            estimator = estimator.steps[-1][1]
        else:
            found = nets is not None and isinstance(estimator, nets.BaseNetClassifier)
            return estimator if found else None


# ------------------------------------------------------------------------------------ many trials


def run_trials(
    search: Search, study: Study, n_jobs: int | None, timeout: float | None
) -> Generator[list[Said]]:
    """Compute trials until there are enough of them, or it is late.

    Parameters
    ----------
    search : Search
        What is computed.
    study : Study
        Opened for this process.
    n_jobs : int or None
        Trials that run at once, in processes.
    timeout : float or None
        Seconds after which none begins, unless there is none yet.

    Yields
    ------
    said : list of (type, str)
        Warnings of each trial.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout

    def is_missing() -> bool:
        if n_begun(study) >= search.n_trials:
            return False
        return time.monotonic() < deadline or not trials_of(study)

    while is_missing():
        if count_workers(n_jobs) == 1:
            yield run_trial(search, study)
        else:
            yield from _run_in_workers(search, study, n_jobs, is_missing)


def count_workers(n_jobs: int | None) -> int:
    """Count the processes that trials may be handed to.

    Parameters
    ----------
    n_jobs : int or None
        As joblib takes it.

    Returns
    -------
    workers : int
        1 for this process alone.
    """
    backend, _ = get_active_backend()
    # In a worker of somebody else joblib would take threads: they share torch's seeds.
    if _is_threads(backend) and backend.nesting_level:
        return 1
    return int(effective_n_jobs(n_jobs))


def _is_threads(backend: Any) -> bool:
    return bool(getattr(backend, "supports_sharedmem", False))


def _run_in_workers(
    search: Search, study: Study, n_jobs: int | None, is_missing: Callable[[], bool]
) -> Generator[list[Said]]:
    """Hand out trials one by one; those of workers that die are handed out again."""
    backend, _ = get_active_backend()
    n_missing = search.n_trials - n_begun(study)
    n_there = len(study.get_trials(deepcopy=False))
    # Looked at when a worker is free: until then it may have become late.
    calls = (delayed(run_trial)(search) for _ in range(n_missing) if is_missing())
    try:
        yield from as_completed(
            calls,
            n_jobs,
            backend="loky" if _is_threads(backend) else None,
            batch_size=1,
            pre_dispatch="n_jobs",
        )
    except BrokenProcessPool as error:
        # joblib has ended the others, too. What none of them could begin, no others will.
        if len(study.get_trials(deepcopy=False)) == n_there:
            raise TuningError(
                "The workers ended before a trial began. What they are handed has to be importable "
                "in another process: put classes and functions of your own into a module, or use "
                "n_jobs=1."
            ) from error
    finally:
        # Nobody works on any of them now. A cluster gives what a dead worker had to another one,
        # which has begun a trial of its own.
        renew_lost(study, search.token)


# -------------------------------------------------------------------------------------- one trial


def run_trial(search: Search, study: Study | None = None) -> list[Said]:
    """Compute one trial, unless there are enough already.

    Parameters
    ----------
    search : Search
        What is computed.
    study : Study, default=None
        As it is open in this process; by default it is opened.

    Returns
    -------
    said : list of (type, str)
        What was warned of.
    """
    with warnings_recorded() as said, quiet(not search.chatter), Interrupts().noted() as interrupts:
        study = search.open(anew=False) if study is None else study
        trial = study.ask()
        try:
            claim(trial, search.token)
            if n_begun(study, before=trial.number) >= search.n_trials:
                lose(study, trial, "one too many")
                return said
            drawn = suggest(trial, search.space)
            trial.set_user_attr(WHOLE, True)
            error = _compute(search, study, trial, drawn, interrupts)
        except BaseException:
            lose(study, trial, "it was interrupted")
            raise
    if error is not None and search.raises:
        raise error
    return said


def _compute(
    search: Search, study: Study, trial: Trial, drawn: Mapping[str, Any], interrupts: Interrupts
) -> Exception | None:
    """Score all folds, note how it went, and end the trial."""
    scores: list[float] = []
    seconds: list[tuple[float, float]] = []
    failure = None
    state = TrialState.COMPLETE
    try:
        parameters = as_parameters(drawn, search.space)
        candidate = apply_parameters(search.estimator, parameters)
        for fold in range(len(search.folds)):
            score, took = _score_fold(search, trial, candidate, fold, scores)
            # A net that is interrupted keeps it to itself.
            interrupts.pass_on()
            scores.append(score)
            seconds.append(took)
            is_last = fold == len(search.folds) - 1
            _report(trial, np.mean(scores), (fold + 1) * search.max_epochs, may_prune=not is_last)
    except optuna.TrialPruned:
        interrupts.pass_on()
        state = TrialState.PRUNED
    except Exception as error:  # noqa: BLE001 - whatever it is, other trials may do better
        interrupts.pass_on()
        failure, state = error, TrialState.FAIL
    said = None if failure is None else f"{type(failure).__name__}: {failure}"
    trial.set_user_attr(RESULT, {"scores": scores, "seconds": seconds, "error": said})
    value = float(np.mean(scores)) if state == TrialState.COMPLETE else None
    study.tell(trial, value, state=state)
    return failure


def _score_fold(
    search: Search, trial: Trial, candidate: Any, fold: int, scores: list[float]
) -> tuple[float, tuple[float, float]]:
    """Fit to the training part of a fold, and score the other."""
    train, test = search.folds[fold]

    def report(row: Mapping[str, Any]) -> None:
        # Behind the last epoch stands the fold itself.
        if row["epoch"] < search.max_epochs:
            step = fold * search.max_epochs + row["epoch"]
            _report(trial, np.mean([*scores, _score_epoch(row)]), step, may_prune=True)

    started = time.perf_counter()
    model = clone(candidate)
    net = net_of(model)
    if net is not None:
        from ._search_epochs import add_report

        add_report(net, report)
    fit_rows(model, search.X, search.y, search.groups, train)
    fitted = time.perf_counter()
    with warnings.catch_warnings():
        # A small test part need not hold every emotion that is predicted.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        score = float(
            search.scorer(model, _safe_indexing(search.X, test), _safe_indexing(search.y, test))
        )
    if not math.isfinite(score):
        raise ValueError(f"the score of fold {fold} is {score}")
    return score, (fitted - started, time.perf_counter() - fitted)


def _score_epoch(row: Mapping[str, Any]) -> float:
    """Score an epoch on clips held out, or else by the loss of training, on the same scale."""
    if "valid_balanced_accuracy" in row:
        return float(row["valid_balanced_accuracy"])
    return math.exp(-row["train_loss"])


def _report(trial: Trial, value: float | np.floating, step: int, *, may_prune: bool) -> None:
    trial.report(float(value), step)
    if may_prune and trial.should_prune():
        raise optuna.TrialPruned
