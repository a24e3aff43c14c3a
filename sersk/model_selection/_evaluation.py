"""Score a pipeline under a protocol, fold by fold, and keep every prediction."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, _safe_indexing, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_consistent_length, has_fit_parameter

from .._utils._clip_table import paths_as_table
from .._utils._interrupts import interrupts_passed_on
from .._utils._parallel import as_completed
from .._utils._progress import track
from .._utils._sample_rates import check_sample_rates
from .._utils._warnings import repeat_warnings, warnings_recorded
from ..metrics import classification_summary
from ._protocols import PROTOCOLS, ProtocolSplit


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "protocol": [StrOptions(set(PROTOCOLS)), ProtocolSplit],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def evaluate_protocol(
    estimator: BaseEstimator,
    X: Any,
    y: ArrayLike,
    *,
    protocol: str | ProtocolSplit = "speaker",
    groups: Any = None,
    n_splits: int = 5,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Score a pipeline under a protocol.

    A clone is fitted on the training part of each fold, samplers and all, and predicts the test
    part. The predictions of all folds are scored together, with intervals from a bootstrap over
    speakers.

    Parameters
    ----------
    estimator : estimator
        Unfitted pipeline from what `X` holds to emotions.

    X : clip table or array-like of shape (n_clips, ...)
        The clips.

    y : array-like of shape (n_clips,)
        Their emotions.

    protocol : {"random", "speaker", "text", "speaker+text", "corpus"} or ProtocolSplit, \
            default="speaker"
        What training and test must not share.

    groups : DataFrame or array-like of shape (n_clips,), default=None
        Who speaks, what is said, which corpus; by default the columns of `X`. See `ProtocolSplit`.

    n_splits : int, default=5
        Number of folds, >= 2. Not used where `protocol` is a `ProtocolSplit`.

    random_state : int, default=0
        Seed of the folds and of the bootstrap.

    n_jobs : int, default=None
        Number of folds that run at once, in processes. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Returns
    -------
    result : Bunch
        What :func:`sersk.metrics.classification_summary` gives (``scores``, ``per_class``,
        ``per_speaker``, ``confusion``, ``confused_pairs``), and:

        ``protocol`` : str
            Its name.
        ``folds`` : DataFrame of shape (n_splits, 5)
            ``n_train``, ``n_test``, ``n_dropped``, ``balanced_accuracy`` and ``seconds``, by fold.
        ``predictions`` : DataFrame with columns ``row``, ``fold``, ``true``, ``predicted``
            One row for each clip tested, and ``speaker`` where known.
        ``probabilities`` : DataFrame of shape (n_tested, n_classes), or None
            What ``predict_proba`` gives for each row of ``predictions``, a column an emotion; 0 for
            emotions that the training part of the fold does not have. None where `estimator` has
            no ``predict_proba``.
        ``histories`` : list of list of dict, or None
            The ``history_`` of the last step, a row an epoch, for each fold. None where it has
            none.
        ``unreadable`` : dict of str to str
            Files that could not be read, and why. With
            :class:`~sersk.preprocessing.DropUnreadable` in the pipeline they were no part of any
            training; where they were tested, the prediction counts like any other.

    Raises
    ------
    ValueError
        If the protocol does not fit the clips, or steps of `estimator` name different sample rates.

    Warns
    -----
    UnreadableAudioWarning
        If files could not be read.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.model_selection import evaluate_protocol
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> result = evaluate_protocol(
    ...     svm_functionals(), corpus.data, corpus.target, groups=corpus.frame, protocol="speaker"
    ... )
    >>> result.folds[["n_train", "n_test", "n_dropped"]]
          n_train  n_test  n_dropped
    fold
    0          12      12          0
    1          12      12          0
    """
    check_sample_rates(estimator)
    if isinstance(protocol, ProtocolSplit):
        splitter = protocol
    else:
        splitter = ProtocolSplit(protocol, n_splits=n_splits, random_state=random_state)
    emotions = np.asarray(column_or_1d(y))
    X = X if isinstance(X, pd.DataFrame) else paths_as_table(X)
    check_consistent_length(X, emotions, groups)
    speakers = known_speakers(X, groups, splitter)
    who = _who(groups, speakers)
    folds = list(splitter.split(X, emotions, groups))
    jobs = (
        delayed(run_fold)(number, estimator, X, emotions, train, test, os.getpid(), who)
        for number, (train, test) in enumerate(folds)
    )
    done = track(
        as_completed(jobs, n_jobs),
        total=len(folds),
        description=f"{splitter.protocol} split",
        show=bool(verbose),
    )
    # Recorded here for folds that run in this process, be it in threads, and there for the others.
    with warnings_recorded() as said:
        outcomes = sorted(done, key=lambda outcome: outcome.fold)
    said += [warning for outcome in outcomes for warning in outcome.warnings]

    unreadable = {path: why for outcome in outcomes for path, why in outcome.unreadable.items()}
    repeat_warnings(said, unreadable, where="the result's 'unreadable'", stacklevel=3)
    return summarize_folds(
        outcomes,
        protocol=splitter.protocol,
        n_clips=len(emotions),
        speakers=speakers,
        random_state=random_state,
    )


def summarize_folds(
    outcomes: Sequence[Bunch],
    *,
    protocol: str,
    n_clips: int,
    speakers: NDArray[Any] | None,
    random_state: int,
) -> Bunch:
    """Score the predictions of all folds together.

    Parameters
    ----------
    outcomes : sequence of Bunch
        What `run_fold` gives, in the order of the folds.
    protocol : str
        Its name.
    n_clips : int
        How many clips were split.
    speakers : ndarray of shape (n_clips,) or None
        Who speaks in the rows that the folds name.
    random_state : int
        Seed of the bootstrap.

    Returns
    -------
    result : Bunch
        As `evaluate_protocol` describes it.
    """
    predictions = pd.DataFrame(
        {
            "row": np.concatenate([outcome.test for outcome in outcomes]),
            "fold": np.repeat(range(len(outcomes)), [len(outcome.test) for outcome in outcomes]),
            "true": np.concatenate([outcome.true for outcome in outcomes]),
            "predicted": np.concatenate([outcome.predicted for outcome in outcomes]),
        }
    )
    if speakers is not None:
        predictions["speaker"] = speakers[predictions["row"]]
    histories = [outcome.history for outcome in outcomes]
    return Bunch(
        protocol=protocol,
        folds=_describe_folds(outcomes, n_clips),
        predictions=predictions,
        probabilities=gather_probabilities([outcome.probabilities for outcome in outcomes]),
        histories=None if None in histories else histories,
        unreadable={path: why for outcome in outcomes for path, why in outcome.unreadable.items()},
        **classification_summary(
            predictions["true"],
            predictions["predicted"],
            predictions.get("speaker"),
            random_state=random_state,
        ),
    )


def _who(groups: Any, speakers: NDArray[Any] | None) -> pd.DataFrame | None:
    """Give what is known of the clips to an estimator that holds speakers out by itself."""
    if isinstance(groups, pd.DataFrame):
        return groups
    return None if speakers is None else pd.DataFrame({"speaker": speakers})


def run_fold(
    number: int,
    estimator: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    caller: int,
    who: pd.DataFrame | None = None,
) -> Bunch:
    """Fit and predict one fold, in this process or another: all it needs comes as arguments.

    Parameters
    ----------
    number : int
        Of the fold.
    estimator : estimator
        A clone of it is fitted.
    X : DataFrame or array of shape (n_clips, ...)
        All clips.
    y : ndarray of shape (n_clips,)
        Their emotions.
    train, test : ndarray of int
        Rows.
    caller : int
        Id of the process that hands out the folds: warnings pass there, and come back elsewhere.
    who : DataFrame of shape (n_clips, ...), default=None
        Speakers and more, for an estimator whose ``fit`` takes ``groups``.

    Returns
    -------
    outcome : Bunch
        ``fold``, ``n_train``, ``test``, ``true``, ``predicted``, ``probabilities``, ``history``,
        ``balanced_accuracy``, ``unreadable``, ``warnings`` and ``seconds``.
    """
    started = time.perf_counter()
    with warnings_recorded(wanted=os.getpid() != caller) as said:
        fitted = clone(estimator)
        with interrupts_passed_on():
            fit_rows(fitted, X, y, who, train)
        unreadable = unreadable_files(fitted)
        tested = _safe_indexing(X, test)
        predicted, probabilities = _predict(fitted, tested)
        unreadable.update(unreadable_files(fitted))
    return Bunch(
        fold=number,
        n_train=len(train),
        test=test,
        true=y[test],
        predicted=predicted,
        probabilities=probabilities,
        history=history_of(fitted),
        balanced_accuracy=fold_score(y[test], predicted),
        unreadable=unreadable,
        warnings=said,
        seconds=time.perf_counter() - started,
    )


def fit_rows(
    estimator: Any, X: Any, y: Any, groups: Any, rows: NDArray[np.intp] | None = None
) -> None:
    """Fit an estimator to some rows, and tell it who speaks if it wants to know.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X : DataFrame or array-like of shape (n_clips, ...)
        The clips.
    y : array-like of shape (n_clips,)
        Their emotions.
    groups : DataFrame, array-like of shape (n_clips,) or None
        Who speaks.
    rows : ndarray of int, default=None
        By default all.
    """
    known = {}
    if groups is not None and has_fit_parameter(estimator, "groups"):
        known["groups"] = groups
    if rows is not None:
        X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
        known = {name: _safe_indexing(values, rows) for name, values in known.items()}
    estimator.fit(X, y, **known)


def _predict(fitted: Any, X: Any) -> tuple[NDArray[Any], pd.DataFrame | None]:
    """Predict emotions and, where the classifier knows them, probabilities: `X` is read once."""
    if isinstance(fitted, Pipeline):
        for _, step in fitted.steps[:-1]:
            if step not in (None, "passthrough") and not hasattr(step, "fit_resample"):
                X = step.transform(X)
        return _predict(fitted.steps[-1][1], X)
    if hasattr(fitted, "_predicts_with"):
        return _predict(getattr(fitted, fitted._predicts_with), X)
    predicted = fitted.predict(X)
    if not hasattr(fitted, "predict_proba"):
        return predicted, None
    return predicted, pd.DataFrame(fitted.predict_proba(X), columns=fitted.classes_)


def fold_score(y_true: NDArray[Any], y_pred: NDArray[Any]) -> float:
    """Compute the UAR of one fold.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_tested,)
        Emotions.

    Returns
    -------
    score : float
        In [0, 1].
    """
    with warnings.catch_warnings():
        # A small test part need not hold every emotion that is predicted.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return float(balanced_accuracy_score(y_true, y_pred))


def unreadable_files(fitted: Any) -> dict[str, str]:
    """Collect what the readers in an estimator, however deep, could not read just now.

    Parameters
    ----------
    fitted : object
        Pipeline, search, or any nesting of these.

    Returns
    -------
    unreadable : dict of str to str
        Files, and why.
    """
    found = dict(getattr(fitted, "failed_", {}))
    inner = [step for _, step in getattr(fitted, "steps", [])]
    inner += [getattr(fitted, name, None) for name in ("best_estimator_", "estimator_")]
    inner += list(getattr(fitted, "estimators_", []))
    inner += _under_calibration(fitted)
    for step in inner:
        if step is not None:
            found.update(unreadable_files(step))
    return found


def _under_calibration(fitted: Any) -> list[Any]:
    """Give what scikit-learn's CalibratedClassifierCV put its calibration upon."""
    return [each.estimator for each in getattr(fitted, "calibrated_classifiers_", [])]


def history_of(fitted: Any) -> list[dict[str, Any]] | None:
    """Find what an estimator, or the last step of a pipeline, noted of its epochs.

    Parameters
    ----------
    fitted : estimator
        Pipeline, search, or any nesting of these.

    Returns
    -------
    history : list of dict, or None
        A row an epoch.
    """
    if hasattr(fitted, "history_"):
        return list(fitted.history_)
    for name in ("best_estimator_", "estimator_"):
        if hasattr(fitted, name):
            return history_of(getattr(fitted, name))
    # With an ensemble, there are as many histories as folds: none is that of the whole.
    if len(calibrated := _under_calibration(fitted)) == 1:
        return history_of(calibrated[0])
    if getattr(fitted, "steps", None):
        return history_of(fitted.steps[-1][1])
    return None


def gather_probabilities(parts: list[pd.DataFrame | None]) -> pd.DataFrame | None:
    """Stack the probabilities of folds, each of which may know other emotions.

    Parameters
    ----------
    parts : list of DataFrame of shape (n_tested, n_classes), or None
        Of each fold.

    Returns
    -------
    probabilities : DataFrame, or None
        With the emotions of all folds, sorted; None if it is missing of a fold.
    """
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    emotions = sorted({emotion for part in known for emotion in part.columns})
    # Not of the fold's emotions: never predicted. What is NaN otherwise stays so.
    whole = [part.reindex(columns=emotions, fill_value=0.0) for part in known]
    return pd.concat(whole, ignore_index=True)


def _describe_folds(outcomes: Sequence[Bunch], n_clips: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "n_train": outcome.n_train,
                "n_test": len(outcome.test),
                "n_dropped": n_clips - outcome.n_train - len(outcome.test),
                "balanced_accuracy": outcome.balanced_accuracy,
                "seconds": outcome.seconds,
            }
            for outcome in outcomes
        ]
    ).rename_axis("fold")


def known_speakers(X: Any, groups: Any, splitter: ProtocolSplit) -> NDArray[Any] | None:
    """Find who speaks, as the splitter does.

    Parameters
    ----------
    X : clip table or array-like of shape (n_clips, ...)
        The clips.
    groups : DataFrame or array-like of shape (n_clips,)
        Who speaks, what is said, which corpus; or None.
    splitter : ProtocolSplit
        Says what `groups` are, if they are a vector.

    Returns
    -------
    speakers : ndarray of shape (n_clips,), str, or None
        None where they are not known of every clip.
    """
    speakers = None
    for table in (X, groups):
        if isinstance(table, pd.DataFrame) and "speaker" in table.columns:
            speakers = table["speaker"]
    if groups is not None and not isinstance(groups, pd.DataFrame):
        speakers = column_or_1d(groups) if splitter.protocol == "speaker" else speakers
    if speakers is None or pd.isna(speakers).any():
        return None
    return np.asarray(speakers, dtype=str)
