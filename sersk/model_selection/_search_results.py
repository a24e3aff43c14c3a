"""What the trials of a search come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.ma import MaskedArray
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import rankdata

from ..exceptions import TuningError
from ._search_claims import RESULT

_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
_NO_RESULT: dict[str, Any] = {"scores": [], "seconds": [], "error": None}


def tabulate(trials: Sequence[FrozenTrial], n_folds: int, error_score: Any) -> dict[str, Any]:
    """Put trials into a table as scikit-learn's searches have it.

    Parameters
    ----------
    trials : sequence of FrozenTrial
        Those that count, in their order.
    n_folds : int
        Number of folds.
    error_score : float or "raise"
        Mean score of those that failed.

    Returns
    -------
    cv_results : dict of str to array or list
        As `PipelineSearchCV` describes it.
    """
    scores = np.full((len(trials), n_folds), np.nan)
    seconds = np.full((len(trials), n_folds, 2), np.nan)
    errors: list[str | None] = []
    for row, trial in enumerate(trials):
        result = trial.user_attrs.get(RESULT, _NO_RESULT)
        n_done = len(result["scores"])
        scores[row, :n_done] = result["scores"]
        seconds[row, :n_done] = np.reshape(result["seconds"], (n_done, 2))
        errors.append(result["error"])
    states = np.array([_STATES[trial.state] for trial in trials], dtype=object)
    done = states == "complete"
    # A mean over fewer folds is no score.
    means = np.where(
        done, [np.nan if trial.value is None else trial.value for trial in trials], np.nan
    )
    means[states == "failed"] = np.nan if error_score == "raise" else error_score
    ranks = np.full(len(trials), 1 + done.sum(), dtype=np.int32)
    ranks[done] = rankdata(-means[done], method="min")
    results: dict[str, Any] = {"params": [dict(trial.params) for trial in trials]}
    for name in dict.fromkeys(name for trial in trials for name in trial.params):
        column = MaskedArray(np.empty(len(trials), dtype=object), mask=True)
        for row, trial in enumerate(trials):
            if name in trial.params:
                column[row] = trial.params[name]
        results[f"param_{name}"] = column
    results |= {f"split{fold}_test_score": scores[:, fold] for fold in range(n_folds)}
    results["mean_test_score"] = means
    results["std_test_score"] = np.where(done, scores.std(axis=1), np.nan)
    results["rank_test_score"] = ranks
    for part, name in enumerate(("fit", "score")):
        taken = MaskedArray(seconds[:, :, part], mask=np.isnan(seconds[:, :, part]))
        results[f"mean_{name}_time"] = taken.mean(axis=1).filled(np.nan)
        results[f"std_{name}_time"] = taken.std(axis=1).filled(np.nan)
    results["state"] = states
    results["error"] = np.array(errors, dtype=object)
    return results


def choose_best(results: dict[str, Any]) -> int:
    """Find the best of the trials that went through all folds.

    Parameters
    ----------
    results : dict of str to array or list
        What `tabulate` gives.

    Returns
    -------
    index : int
        The first of equals.

    Raises
    ------
    TuningError
        If there is none.
    """
    complete = np.flatnonzero(results["state"] == "complete")
    if len(complete):
        return int(complete[np.argmax(results["mean_test_score"][complete])])
    ended = [f"{np.count_nonzero(results['state'] == how)} {how}" for how in ("failed", "pruned")]
    first = next((error for error in results["error"] if error is not None), None)
    raise TuningError(
        f"None of {len(results['state'])} trials went through all folds: {', '.join(ended)}."
        + (f" The first error is: {first}" if first else " Let the pruner wait for longer.")
    )


def as_frame(results: dict[str, Any]) -> pd.DataFrame:
    """Turn the table of a search into a DataFrame.

    Parameters
    ----------
    results : dict of str to array or list
        What `tabulate` gives.

    Returns
    -------
    trials : DataFrame of shape (n_trials, n_columns)
        A row a trial.
    """
    parameters = {
        name: pd.Series([None if value is np.ma.masked else value for value in column])
        for name, column in results.items()
        if name.startswith("param_")
    }
    splits = {name: column for name, column in results.items() if name.startswith("split")}
    return pd.DataFrame(
        {
            "state": results["state"],
            "score": results["mean_test_score"],
            "std": results["std_test_score"],
            "rank": results["rank_test_score"],
            **parameters,
            **splits,
            "fit_seconds": results["mean_fit_time"],
            "score_seconds": results["mean_score_time"],
            "error": results["error"],
        }
    ).rename_axis("trial")
