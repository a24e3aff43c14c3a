"""Score a pipeline under a protocol, fold by fold, and keep every prediction."""

from __future__ import annotations

import time
import warnings
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils import Bunch, _safe_indexing, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.parallel import Parallel, delayed

from .._utils._progress import track
from ..exceptions import UnreadableAudioWarning
from ..metrics import classification_summary
from ._protocols import PROTOCOLS, ProtocolSplit


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "protocol": [StrOptions(set(PROTOCOLS)), ProtocolSplit],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Integral],
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
        ``unreadable`` : dict of str to str
            Files that could not be read, and why. They were no part of any training; where they
            were tested, the prediction counts like any other.

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
    if isinstance(protocol, ProtocolSplit):
        splitter = protocol
    else:
        splitter = ProtocolSplit(protocol, n_splits=n_splits, random_state=random_state)
    emotions = np.asarray(column_or_1d(y))
    folds = list(splitter.split(X, emotions, groups))
    jobs = (
        delayed(_run_fold)(number, estimator, X, emotions, train, test)
        for number, (train, test) in enumerate(folds)
    )
    run = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    done = track(
        run(jobs),
        total=len(folds),
        description=f"{splitter.protocol} split",
        show=bool(verbose),
    )
    outcomes = sorted(done, key=lambda outcome: outcome.fold)

    unreadable = {path: why for outcome in outcomes for path, why in outcome.unreadable.items()}
    _repeat_warnings(outcomes, unreadable)
    predictions = pd.DataFrame(
        {
            "row": np.concatenate([outcome.test for outcome in outcomes]),
            "fold": np.repeat(range(len(folds)), [len(outcome.test) for outcome in outcomes]),
            "predicted": np.concatenate([outcome.predicted for outcome in outcomes]),
        }
    )
    predictions.insert(2, "true", emotions[predictions["row"]])
    speakers = _speakers(X, groups, splitter)
    if speakers is not None:
        predictions["speaker"] = speakers[predictions["row"]]
    return Bunch(
        protocol=splitter.protocol,
        folds=_describe_folds(outcomes, len(emotions)),
        predictions=predictions,
        unreadable=unreadable,
        **classification_summary(
            predictions["true"],
            predictions["predicted"],
            predictions.get("speaker"),
            random_state=random_state,
        ),
    )


def _run_fold(
    number: int,
    estimator: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Bunch:
    """Fit and predict one fold. Runs in a process of its own: all it needs comes as arguments."""
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = clone(estimator).fit(_safe_indexing(X, train), y[train])
        unreadable = _unreadable(fitted)
        predicted = fitted.predict(_safe_indexing(X, test))
        unreadable.update(_unreadable(fitted))
    return Bunch(
        fold=number,
        n_train=len(train),
        test=test,
        predicted=predicted,
        balanced_accuracy=_balanced_accuracy(y[test], predicted),
        unreadable=unreadable,
        warnings=[(warning.category, str(warning.message)) for warning in caught],
        seconds=time.perf_counter() - started,
    )


def _balanced_accuracy(y_true: NDArray[Any], y_pred: NDArray[Any]) -> float:
    with warnings.catch_warnings():
        # A small test part need not hold every emotion that is predicted.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return float(balanced_accuracy_score(y_true, y_pred))


def _unreadable(fitted: Any) -> dict[str, str]:
    """Collect what the readers of a pipeline could not read in their latest call."""
    found: dict[str, str] = {}
    for _, step in getattr(fitted, "steps", [("", fitted)]):
        found.update(getattr(step, "failed_", {}))
    return found


def _repeat_warnings(outcomes: list[Bunch], unreadable: dict[str, str]) -> None:
    """Say here, once, what the folds had to say."""
    said: dict[type[Warning], list[str]] = {}
    for outcome in outcomes:
        for category, message in outcome.warnings:
            said.setdefault(category, []).append(message)
    for category, messages in said.items():
        # What the folds could not read overlaps: it is summed up below.
        if not issubclass(category, UnreadableAudioWarning):
            more = f" (And {len(messages) - 1} more of this kind.)" if len(messages) > 1 else ""
            warnings.warn(messages[0] + more, category, stacklevel=4)
    if unreadable:
        path, reason = next(iter(unreadable.items()))
        warnings.warn(
            f"{len(unreadable)} file(s) could not be read, such as {path!r}: {reason}. All of them "
            "stand in the result's 'unreadable'.",
            UnreadableAudioWarning,
            stacklevel=4,
        )


def _describe_folds(outcomes: list[Bunch], n_clips: int) -> pd.DataFrame:
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


def _speakers(X: Any, groups: Any, splitter: ProtocolSplit) -> NDArray[Any] | None:
    for table in (X, groups):
        if isinstance(table, pd.DataFrame) and "speaker" in table.columns:
            return table["speaker"].to_numpy()
    if groups is not None and splitter.protocol == "speaker":
        return np.asarray(column_or_1d(groups))
    return None
