"""Counts of what was taken for what, by speaker, and the scores of such counts."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.multiclass import unique_labels

MetricName = Literal["accuracy", "balanced_accuracy", "f1_macro"]

Counts = NDArray[Any]


def _accuracy(counts: Counts) -> Counts:
    """Share of clips on the diagonal; counts has shape (..., n_classes, n_classes)."""
    total = counts.sum(axis=(-2, -1))
    return divide(np.trace(counts, axis1=-2, axis2=-1), total)


def _balanced_accuracy(counts: Counts) -> Counts:
    """Mean recall of the classes that occur."""
    support = counts.sum(axis=-1)
    recall = divide(np.diagonal(counts, axis1=-2, axis2=-1), support)
    return divide(np.nansum(recall, axis=-1), (support > 0).sum(axis=-1))


def _f1_macro(counts: Counts) -> Counts:
    """Mean F1 of the classes that occur or are predicted."""
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = divide(2 * np.diagonal(counts, axis1=-2, axis2=-1), both)
    return divide(np.nansum(f1, axis=-1), (both > 0).sum(axis=-1))


METRICS: dict[str, Callable[[Counts], Counts]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
}

LABELS_AND_SPEAKERS: dict[str, list[Any]] = {
    "y_true": ["array-like"],
    "speakers": ["array-like"],
    "metric": [StrOptions(set(METRICS))],
}


@validate_params(
    {**LABELS_AND_SPEAKERS, "y_pred": ["array-like"]}, prefer_skip_nested_validation=True
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
    names, counts = confusion_by_speaker(y_true, y_pred, speakers)
    return pd.Series(METRICS[metric](counts), index=names, name=metric)


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
    y_true, y_pred = check_labels(y_true, y_pred)
    labels = unique_labels(y_true, y_pred)
    counts = confusion_matrix(y_true, y_pred, labels=labels)
    shares = divide(counts, counts.sum(axis=1, keepdims=True))
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


def divide(numerator: Any, denominator: Any) -> Counts:
    """Divide; NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def check_labels(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    true, predicted = np.asarray(column_or_1d(y_true)), np.asarray(column_or_1d(y_pred))
    check_consistent_length(true, predicted)
    if not len(true):
        raise ValueError("There is no clip to score.")
    return true, predicted


def confusion_by_speaker(
    y_true: ArrayLike, y_pred: ArrayLike, speakers: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the speakers, sorted, and the confusion matrix of each, stacked."""
    y_true, y_pred = check_labels(y_true, y_pred)
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


def pool(counts: NDArray[np.int64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Sum the confusion matrices of each resample of speakers (n_resamples, n_speakers)."""
    drawn = np.apply_along_axis(np.bincount, -1, rows, minlength=len(counts))
    return np.tensordot(drawn, counts, axes=1)
