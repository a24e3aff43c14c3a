"""What scikit-learn's metrics lack: speakers are the unit of chance.

Clips of one speaker resemble each other, so an interval that resamples clips is far too narrow.
Everything here resamples, or compares, whole speakers.

UAR, the unweighted average recall of the field, is scikit-learn's ``balanced_accuracy``.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.utils import Bunch, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.multiclass import unique_labels

__all__ = [
    "classification_summary",
    "compare_by_speaker",
    "most_confused_pairs",
    "scores_by_speaker",
    "speaker_bootstrap",
]

MetricName = Literal["accuracy", "balanced_accuracy", "f1_macro"]

# With fewer speakers a bootstrap over them promises more than it can hold.
MIN_SPEAKERS_FOR_INTERVAL = 8

# Resamples whose confusion matrices are summed at once.
_RESAMPLES_AT_ONCE = 256

Counts = NDArray[Any]


def _accuracy(counts: Counts) -> Counts:
    """Share of clips on the diagonal; counts has shape (..., n_classes, n_classes)."""
    total = counts.sum(axis=(-2, -1))
    return _divide(np.trace(counts, axis1=-2, axis2=-1), total)


def _balanced_accuracy(counts: Counts) -> Counts:
    """Mean recall of the classes that occur."""
    support = counts.sum(axis=-1)
    recall = _divide(np.diagonal(counts, axis1=-2, axis2=-1), support)
    return _divide(np.nansum(recall, axis=-1), (support > 0).sum(axis=-1))


def _f1_macro(counts: Counts) -> Counts:
    """Mean F1 of the classes that occur or are predicted."""
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = _divide(2 * np.diagonal(counts, axis1=-2, axis2=-1), both)
    return _divide(np.nansum(f1, axis=-1), (both > 0).sum(axis=-1))


_METRICS: dict[str, Callable[[Counts], Counts]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
}

_LABELS_AND_SPEAKERS: dict[str, list[Any]] = {
    "y_true": ["array-like"],
    "speakers": ["array-like"],
    "metric": [StrOptions(set(_METRICS))],
}
_BOOTSTRAP: dict[str, list[Any]] = {
    "n_resamples": [Interval(Integral, 1, None, closed="left")],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}


@validate_params(
    {**_LABELS_AND_SPEAKERS, "y_pred": ["array-like"]}, prefer_skip_nested_validation=True
)
def scores_by_speaker(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    speakers: ArrayLike,
    *,
    metric: MetricName = "balanced_accuracy",
) -> pd.Series:
    """Score each speaker's clips alone.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    y_pred : array-like of shape (n_clips,)
        Predicted emotions.

    speakers : array-like of shape (n_clips,)
        Who speaks.

    metric : {"accuracy", "balanced_accuracy", "f1_macro"}, default="balanced_accuracy"
        What is computed; the mean over classes is over those a speaker has.

    Returns
    -------
    scores : Series of shape (n_speakers,)
        Indexed by speaker, sorted, in [0, 1].

    Examples
    --------
    >>> from sersk.metrics import scores_by_speaker
    >>> scores_by_speaker(["fear", "anger", "fear"], ["fear", "fear", "fear"], ["a", "a", "b"])
    a    0.5
    b    1.0
    Name: balanced_accuracy, dtype: float64
    """
    names, counts = _confusion_by_speaker(y_true, y_pred, speakers)
    return pd.Series(_METRICS[metric](counts), index=names, name=metric)


@validate_params(
    {**_LABELS_AND_SPEAKERS, **_BOOTSTRAP, "y_pred": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def speaker_bootstrap(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    speakers: ArrayLike,
    *,
    metric: MetricName = "balanced_accuracy",
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = 0,
) -> Bunch:
    """Score all clips, with an interval from resampling the speakers.

    The speakers are drawn with replacement, each with all its clips, and the pooled clips are
    scored (percentile bootstrap [1]_). With fewer than eight speakers there is no interval: look at
    ``by_speaker``.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    y_pred : array-like of shape (n_clips,)
        Predicted emotions.

    speakers : array-like of shape (n_clips,)
        Who speaks.

    metric : {"accuracy", "balanced_accuracy", "f1_macro"}, default="balanced_accuracy"
        What is computed.

    n_resamples : int, default=2000
        Number of draws, >= 1.

    confidence_level : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        Seed of the draws.

    Returns
    -------
    result : Bunch
        ``score`` : float
            The metric over all clips, in [0, 1].
        ``low``, ``high`` : float
            The interval; NaN with fewer than eight speakers.
        ``by_speaker`` : Series of shape (n_speakers,)
            As `scores_by_speaker` gives it.

    See Also
    --------
    compare_by_speaker : Compare two sets of predictions.

    References
    ----------
    .. [1] A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
       University Press, 1997, sections 3.8 (clustered data) and 5.3.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.metrics import speaker_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(20), 12)
    >>> y_true = np.tile(["anger", "fear", "neutral"], 80)
    >>> y_pred = np.where(rng.random(240) < 0.6, y_true, "neutral")
    >>> result = speaker_bootstrap(y_true, y_pred, speakers)
    >>> bool(result.low < result.score < result.high)
    True
    """
    names, counts = _confusion_by_speaker(y_true, y_pred, speakers)
    compute = _METRICS[metric]
    low, high = _interval(
        lambda rows: compute(_pool(counts, rows)),
        len(names),
        n_resamples,
        confidence_level,
        random_state,
    )
    return Bunch(
        score=float(compute(counts.sum(axis=0))),
        low=low,
        high=high,
        by_speaker=pd.Series(compute(counts), index=names, name=metric),
    )


@validate_params(
    {
        **_LABELS_AND_SPEAKERS,
        **_BOOTSTRAP,
        "y_pred_a": ["array-like"],
        "y_pred_b": ["array-like"],
    },
    prefer_skip_nested_validation=True,
)
def compare_by_speaker(
    y_true: ArrayLike,
    y_pred_a: ArrayLike,
    y_pred_b: ArrayLike,
    speakers: ArrayLike,
    *,
    metric: MetricName = "balanced_accuracy",
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = 0,
) -> Bunch:
    """Compare two pipelines on the same clips, speaker by speaker.

    Some speakers are hard for every pipeline. Pairing takes that out: what is resampled are the
    speakers' differences.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    y_pred_a : array-like of shape (n_clips,)
        Predictions of the first pipeline.

    y_pred_b : array-like of shape (n_clips,)
        Predictions of the second.

    speakers : array-like of shape (n_clips,)
        Who speaks.

    metric : {"accuracy", "balanced_accuracy", "f1_macro"}, default="balanced_accuracy"
        What is compared.

    n_resamples : int, default=2000
        Number of draws, >= 1.

    confidence_level : float, default=0.95
        In (0, 1).

    random_state : int, RandomState instance or None, default=0
        Seed of the draws.

    Returns
    -------
    result : Bunch
        ``difference`` : float
            Mean over speakers of score b less score a, in [-1, 1]; above 0 where b is better.
        ``low``, ``high`` : float
            Its interval; NaN with fewer than eight speakers. Where it holds 0, the data do not tell
            which pipeline is better.
        ``by_speaker`` : Series of shape (n_speakers,)
            The difference of each speaker.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.metrics import compare_by_speaker
    >>> speakers = np.repeat(np.arange(10), 2)
    >>> y_true = np.tile(["anger", "fear"], 10)
    >>> result = compare_by_speaker(y_true, np.full(20, "fear"), y_true, speakers)
    >>> result.difference, result.low, result.high
    (0.5, 0.5, 0.5)
    """
    names, a = _confusion_by_speaker(y_true, y_pred_a, speakers)
    _, b = _confusion_by_speaker(y_true, y_pred_b, speakers)
    differences = _METRICS[metric](b) - _METRICS[metric](a)
    low, high = _interval(
        lambda rows: differences[rows].mean(axis=-1),
        len(names),
        n_resamples,
        confidence_level,
        random_state,
    )
    return Bunch(
        difference=float(differences.mean()),
        low=low,
        high=high,
        by_speaker=pd.Series(differences, index=names, name=metric),
    )


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def most_confused_pairs(y_true: ArrayLike, y_pred: ArrayLike, *, n_pairs: int = 5) -> pd.DataFrame:
    """List the pairs of emotions that are mistaken most often.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    y_pred : array-like of shape (n_clips,)
        Predicted emotions.

    n_pairs : int, default=5
        Longest list, >= 1.

    Returns
    -------
    pairs : DataFrame with columns ``true``, ``predicted``, ``count``, ``share``
        Sorted by ``share``, the part of the clips of the true emotion that were taken for the
        other; only pairs that occur.

    Examples
    --------
    >>> from sersk.metrics import most_confused_pairs
    >>> most_confused_pairs(["calm", "calm", "fear"], ["neutral", "calm", "fear"])
       true predicted  count  share
    0  calm   neutral      1    0.5
    """
    y_true, y_pred = _check_labels(y_true, y_pred)
    labels = unique_labels(y_true, y_pred)
    counts = confusion_matrix(y_true, y_pred, labels=labels)
    shares = _divide(counts, counts.sum(axis=1, keepdims=True))
    rows, columns = np.nonzero(counts * (1 - np.eye(len(labels), dtype=int)))
    pairs = pd.DataFrame(
        {
            "true": labels[rows],
            "predicted": labels[columns],
            "count": counts[rows, columns],
            "share": shares[rows, columns],
        }
    )
    order = pairs.sort_values(["share", "count"], ascending=False, kind="stable")
    return order.head(n_pairs).reset_index(drop=True)


@validate_params(
    {
        **_BOOTSTRAP,
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "speakers": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def classification_summary(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    speakers: ArrayLike | None = None,
    *,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = 0,
) -> Bunch:
    """Compute every figure that an evaluation reports.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    y_pred : array-like of shape (n_clips,)
        Predicted emotions.

    speakers : array-like of shape (n_clips,), default=None
        Who speaks; without it there are no intervals.

    n_resamples : int, default=2000
        Number of draws of the speakers, >= 1.

    confidence_level : float, default=0.95
        Of the intervals, in (0, 1).

    random_state : int, RandomState instance or None, default=0
        Seed of the draws.

    Returns
    -------
    summary : Bunch
        ``scores`` : DataFrame of shape (3, 3)
            Rows ``accuracy``, ``balanced_accuracy`` (UAR) and ``f1_macro``; columns ``score``,
            ``low``, ``high``; NaN where there is no interval.
        ``per_class`` : DataFrame of shape (n_classes, 4)
            ``precision``, ``recall``, ``f1`` and ``support`` of each emotion.
        ``per_speaker`` : DataFrame of shape (n_speakers, 3) or None
            The three scores of each speaker.
        ``confusion`` : DataFrame of shape (n_classes, n_classes)
            Counts; rows are true emotions, columns predicted ones.
        ``confused_pairs`` : DataFrame
            As `most_confused_pairs` gives it.

    Examples
    --------
    >>> from sersk.metrics import classification_summary
    >>> summary = classification_summary(["fear", "calm", "calm"], ["fear", "calm", "fear"])
    >>> float(summary.scores.loc["balanced_accuracy", "score"])
    0.75
    """
    y_true, y_pred = _check_labels(y_true, y_pred)
    labels = unique_labels(y_true, y_pred)
    who = np.zeros(len(y_true)) if speakers is None else speakers
    results = {
        metric: speaker_bootstrap(
            y_true,
            y_pred,
            who,
            metric=metric,
            n_resamples=n_resamples,
            confidence_level=confidence_level,
            random_state=random_state,
        )
        for metric in _METRICS
    }
    precision, recall, f1, support = precision_recall_fscore_support(
        y_true, y_pred, labels=labels, zero_division=0.0
    )
    return Bunch(
        scores=pd.DataFrame(
            {name: [r.score, r.low, r.high] for name, r in results.items()},
            index=["score", "low", "high"],
        ).T,
        per_class=pd.DataFrame(
            {"precision": precision, "recall": recall, "f1": f1, "support": support}, index=labels
        ),
        per_speaker=(
            None
            if speakers is None
            else pd.DataFrame({name: r.by_speaker for name, r in results.items()})
        ),
        confusion=pd.DataFrame(
            confusion_matrix(y_true, y_pred, labels=labels), index=labels, columns=labels
        ),
        confused_pairs=most_confused_pairs(y_true, y_pred),
    )


def _divide(numerator: Any, denominator: Any) -> Counts:
    """Divide; NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _check_labels(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    true, predicted = np.asarray(column_or_1d(y_true)), np.asarray(column_or_1d(y_pred))
    check_consistent_length(true, predicted)
    if not len(true):
        raise ValueError("There is no clip to score.")
    return true, predicted


def _confusion_by_speaker(
    y_true: ArrayLike, y_pred: ArrayLike, speakers: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the speakers, sorted, and the confusion matrix of each, stacked."""
    y_true, y_pred = _check_labels(y_true, y_pred)
    speakers = np.asarray(column_or_1d(speakers))
    check_consistent_length(y_true, speakers)
    if pd.isna(speakers).any():
        raise ValueError(f"Row {int(np.argmax(pd.isna(speakers)))} has no speaker.")
    if speakers.dtype == object:
        speakers = speakers.astype(str)
    labels = unique_labels(y_true, y_pred)
    names, rows = np.unique(speakers, return_inverse=True)
    counts = np.zeros((len(names), len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (rows, np.searchsorted(labels, y_true), np.searchsorted(labels, y_pred)), 1)
    return names, counts


def _pool(counts: NDArray[np.int64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Sum the confusion matrices of each resample of speakers (n_resamples, n_speakers)."""
    drawn = np.apply_along_axis(np.bincount, -1, rows, minlength=len(counts))
    return np.tensordot(drawn, counts, axes=1)


def _interval(
    statistic: Callable[[NDArray[np.intp]], Counts],
    n_speakers: int,
    n_resamples: int,
    confidence_level: float,
    random_state: int | RandomState | None,
) -> tuple[float, float]:
    """Percentile bootstrap of a statistic of speakers, given as rows of indices."""
    if n_speakers < MIN_SPEAKERS_FOR_INTERVAL:
        return np.nan, np.nan
    result = bootstrap(
        (np.arange(n_speakers),),
        lambda rows, axis=-1: statistic(rows.reshape(-1, n_speakers)).reshape(rows.shape[:-1]),
        vectorized=True,
        n_resamples=n_resamples,
        batch=_RESAMPLES_AT_ONCE,
        confidence_level=confidence_level,
        method="percentile",
        rng=np.random.default_rng(check_random_state(random_state).randint(2**31)),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
