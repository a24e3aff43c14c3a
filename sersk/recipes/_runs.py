"""A run is computed fold by fold, and no fold twice."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params
from sklearn.utils.parallel import delayed

from .._utils._json import to_plain
from .._utils._parallel import as_completed
from .._utils._progress import track
from .._utils._warnings import repeat_warnings
from ..exceptions import SerskWarning
from ..model_selection._evaluation import run_fold
from ._claims import Claims
from ._prepare import PreparedRun
from ._provenance import command, machine, versions, without_folders
from ._results import ResultsFile

# Warnings of a fold that its line keeps.
_WARNINGS_KEPT = 5
_DIGITS_OF_PROBABILITIES = 4
# No process has this id: all warnings of a fold are recorded, wherever it runs.
_NO_PROCESS = -1


@validate_params(
    {
        "run": [PreparedRun],
        "path": [str, os.PathLike],
        "n_jobs": [Integral, None],
        "probabilities": ["boolean"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compute_run(
    run: PreparedRun,
    path: str | os.PathLike[str],
    *,
    n_jobs: int | None = None,
    probabilities: bool = True,
    verbose: int = 0,
) -> dict[int, str]:
    """Compute the folds of a run that a file of results does not hold yet.

    Each finished fold is a line of the file at once: whatever happens later, it is kept, and not
    computed again.

    Parameters
    ----------
    run : PreparedRun
        What `prepare_run` made.

    path : path-like
        File of results, JSON lines; made if it is not there. Several processes may work on the same
        run: folds that another one computes just now are left to it.

    n_jobs : int, default=None
        Number of folds that run at once, in processes. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores. Nets use all cores by
        themselves: their folds run one after the other.

    probabilities : bool, default=True
        Whether lines hold the probability of each emotion, where there is one.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Returns
    -------
    errors : dict of int to str
        Folds that failed, and why. They are tried again the next time.

    Raises
    ------
    OSError
        If a line cannot be written.
    ValueError
        If the file holds folds of this run that test other clips than its folds do now.

    Warns
    -----
    SerskWarning
        What the folds had to say, once a kind; and if finished folds of the run are of another
        version of this package.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import compute_run, load_runs, prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> run = prepare_run("svm_functionals", corpus, options={"n_mfcc": 13})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     compute_run(run, f"{folder}/results.jsonl")
    ...     results = load_runs(f"{folder}/results.jsonl", [corpus])
    {}
    >>> results[0].folds["n_test"].tolist()
    [12, 12]
    """
    results = ResultsFile(path).refresh()
    refuse_other_folds(run, results)
    n_left = len(run.folds) - len(results.folds.get(run.key, {}))
    done = track(
        compute_folds(run, results, n_jobs=n_jobs, probabilities=probabilities),
        total=n_left,
        description=f"{run.protocol} split",
        show=bool(verbose),
    )
    outcomes = list(done)
    said = [warning for outcome in outcomes for warning in outcome.warnings]
    unreadable = {path: why for outcome in outcomes for path, why in outcome.unreadable.items()}
    repeat_warnings(said, unreadable, where="the result's 'unreadable'", stacklevel=3)
    return {outcome.fold: outcome.error for outcome in outcomes if outcome.error is not None}


def refuse_other_folds(run: PreparedRun, results: ResultsFile) -> None:
    """See that finished folds were cut as they are now: two ways of cutting must not be mixed.

    Parameters
    ----------
    run : PreparedRun
        What `prepare_run` made.
    results : ResultsFile
        Refreshed.

    Raises
    ------
    ValueError
        If one was not, as after sentences were named otherwise, or with another scikit-learn.

    Warns
    -----
    SerskWarning
        If finished folds are of another version of this package.
    """
    there = results.folds.get(run.key, {})
    for number, fold in there.items():
        same = fold.n_folds == len(run.folds)
        if not same or not np.array_equal(fold.test, run.rows[run.folds[number][1]]):
            raise ValueError(
                f"Fold {number} of {run.key} in {str(results.path)!r} tests other clips than it "
                "does now: sentences or corpora of the clips, or scikit-learn, are others. Remove "
                "its lines, or choose another file."
            )
    own = versions()["sersk"]
    others = sorted({fold.versions["sersk"] for fold in there.values()} - {own})
    if others and len(there) < len(run.folds):
        warnings.warn(
            f"{len(there)} finished fold(s) of {run.key} are of sersk {', '.join(others)}, the "
            f"others will be of {own}, and the two may differ. To have all of one, remove their "
            "lines, or choose another file.",
            SerskWarning,
            stacklevel=3,
        )


def compute_folds(
    run: PreparedRun,
    results: ResultsFile,
    *,
    n_jobs: int | None,
    probabilities: bool = True,
) -> Iterator[Bunch]:
    """Compute the folds that are missing, and append each as it comes.

    Parameters
    ----------
    run : PreparedRun
        What `prepare_run` made.
    results : ResultsFile
        Refreshed.
    n_jobs : int or None
        Folds at once.
    probabilities : bool, default=True
        Whether lines hold them.

    Yields
    ------
    outcome : Bunch
        ``fold``, ``error`` (None where there is none), ``unreadable`` and ``warnings``.
    """
    if not _missing(run, results):
        return
    with Claims(results.path) as claims:
        yield from _compute_claimed(run, results, claims, n_jobs, probabilities)


def _missing(run: PreparedRun, results: ResultsFile) -> list[int]:
    there = results.folds.get(run.key, {})
    return [number for number in range(len(run.folds)) if number not in there]


def _compute_claimed(
    run: PreparedRun,
    results: ResultsFile,
    claims: Claims,
    n_jobs: int | None,
    probabilities: bool,
) -> Iterator[Bunch]:
    common = _common_part(run)
    leaked = run.n_leaked
    settled = set()

    def jobs() -> Iterator[Any]:
        """Hand out, as workers get free, what no other process has computed or computes."""
        for number in _missing(run, results):
            # Claimed first, looked for second: a claim ends after its line is written.
            if claims.take(run.key, number) and number in _missing(run, results.refresh()):
                yield delayed(_run_or_tell)(
                    number, run.estimator, run.X, run.y, *run.folds[number], run.who
                )

    done = as_completed(jobs(), 1 if trains_net(run.estimator) else n_jobs)
    failed_here = None
    try:
        for outcome in done:
            line = {**common, **_line(run, outcome, probabilities)}
            if outcome.error is None:
                line["n_leaked"] = leaked[outcome.fold]
            results.append(line)
            settled.add(outcome.fold)
            yield outcome
    except (OSError, KeyboardInterrupt, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - a worker that the system killed, for one
        failed_here = f"{type(error).__name__}: {error}"
    if failed_here is None:
        return
    for number in _missing(run, results.refresh()):
        if number not in settled and claims.take(run.key, number):
            lost = Bunch(fold=number, error=failed_here, warnings=[], unreadable={}, seconds=0.0)
            results.append({**common, **_line(run, lost, probabilities)})
            yield lost


def trains_net(estimator: BaseEstimator) -> bool:
    """Tell whether an estimator is trained in epochs, on all cores.

    Parameters
    ----------
    estimator : estimator
        Pipeline, or what holds one.

    Returns
    -------
    trains_net : bool
        Whether a parameter of it says how many epochs.
    """
    return any(name.rpartition("__")[2] == "max_epochs" for name in estimator.get_params(deep=True))


def _run_or_tell(
    number: int,
    estimator: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    who: pd.DataFrame | None,
) -> Bunch:
    """Compute a fold; an error becomes part of the outcome."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    clock = time.perf_counter()
    try:
        outcome = run_fold(number, estimator, X, y, train, test, _NO_PROCESS, who)
        outcome.error = None
    except Exception as error:  # noqa: BLE001 - whatever it is, the other folds go on
        outcome = Bunch(
            fold=number,
            error=f"{type(error).__name__}: {error}",
            warnings=[],
            unreadable={},
            seconds=time.perf_counter() - clock,
        )
    outcome.started = started
    return outcome


def _common_part(run: PreparedRun) -> dict[str, Any]:
    """Write down what all folds of a run share."""
    key = run.key
    return {
        "recipe": key.recipe,
        "corpus": key.corpus,
        "fingerprint": key.fingerprint,
        "protocol": key.protocol,
        "seed": key.seed,
        "n_splits": key.n_splits,
        "options": to_plain(run.options),
        "condition": run.condition,
        "corpora": run.corpora,
        "n_folds": len(run.folds),
        "n_rows": len(run.rows),
        "classes": np.unique(run.y).tolist(),
        "versions": versions(),
        "machine": machine(),
        "command": command(),
    }


def _line(run: PreparedRun, outcome: Bunch, probabilities: bool) -> dict[str, Any]:
    """Write down a fold; nothing in it tells where files lie."""
    said = [f"{kind.__name__}: {message}" for kind, message in outcome.warnings]
    line: dict[str, Any] = {
        "fold": outcome.fold,
        "seconds": round(outcome.seconds, 3),
        "started": outcome.get("started"),
        "warnings": [
            without_folders(text, run.folders) for text in [*run.notes, *said][:_WARNINGS_KEPT]
        ],
    }
    if outcome.error is not None:
        return {**line, "error": without_folders(outcome.error, run.folders)}
    classes = np.unique(run.y)
    shares = None
    if probabilities and outcome.probabilities is not None:
        whole = outcome.probabilities.reindex(columns=classes, fill_value=0.0)
        shares = whole.to_numpy(dtype=np.float64).round(_DIGITS_OF_PROBABILITIES)
    return to_plain(  # type: ignore[no-any-return]
        {
            **line,
            "n_train": outcome.n_train,
            "rows": run.rows[outcome.test],
            "true": np.searchsorted(classes, outcome.true),
            "predicted": np.searchsorted(classes, np.asarray(outcome.predicted, dtype=str)),
            "probabilities": shares,
            "history": outcome.history,
            "unreadable": {
                without_folders(path, run.folders): without_folders(why, run.folders)
                for path, why in outcome.unreadable.items()
            },
        }
    )
