"""Whether a classifier is right as often as it says."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

Strategy = Literal["quantile", "uniform"]

# Probabilities that were rounded for a file still sum to about 1.
_SUM_TOLERANCE = 0.01

# A classifier that computes exp(log p) may give a rounding error more than 1.
_ROUNDING = 1e-6

# Emotions that a message names.
_NAMES_SHOWN = 10

_CONSTRAINTS: dict[str, list[Any]] = {
    "y_true": ["array-like"],
    "probabilities": ["array-like"],
    "classes": ["array-like", None],
    "n_bins": [Interval(Integral, 1, None, closed="left")],
    "strategy": [StrOptions({"quantile", "uniform"})],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def calibration_error(
    y_true: ArrayLike,
    probabilities: Any,
    classes: ArrayLike | None = None,
    *,
    n_bins: int = 15,
    strategy: Strategy = "quantile",
) -> float:
    r"""Measure how far the confidence in the top emotion is from how often it is right.

    The expected calibration error [1]_ of the emotion with the largest probability [2]_: clips are
    put into bins by that probability, and

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n} \left| \mathrm{acc}(b) - \mathrm{conf}(b) \right|

    where :math:`n_b` of the :math:`n` clips are in bin :math:`b`, the top emotion is right for a
    share :math:`\mathrm{acc}(b)` of them, and their mean probability is :math:`\mathrm{conf}(b)`.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    probabilities : DataFrame or array-like of shape (n_clips, n_classes)
        Probabilities in [0, 1], each row summing to 1; of a DataFrame the columns are the emotions.

    classes : array-like of shape (n_classes,), default=None
        The emotions of the columns, such as the ``classes_`` of a classifier. Needed unless
        `probabilities` is a DataFrame.

    n_bins : int, default=15
        Number of bins, >= 1.

    strategy : {"quantile", "uniform"}, default="quantile"
        Bins with about as many clips each [3]_, or of equal width in [0, 1]. Clips of the same
        confidence are always in the same bin.

    Returns
    -------
    error : float
        In [0, 1]; 0 is best.

    Raises
    ------
    ValueError
        If a row has a NaN, a number outside [0, 1] or does not sum to 1 (to 0.01), or a label of
        `y_true` is no column.

    See Also
    --------
    reliability_curve : The bins.
    sersk.inspection.ReliabilityDisplay : Draws them.

    Notes
    -----
    The figure depends on the bins, and few clips make it too large, as the accuracy of small bins
    scatters: compare systems on the same clips with the same `n_bins` and `strategy`.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities
       using Bayesian binning", AAAI 2015, pp. 2901-2907.
    .. [2] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017, pp. 1321-1330, equation 3.
    .. [3] J. Nixon, M. W. Dusenberry, L. Zhang, G. Jerfel and D. Tran, "Measuring calibration in
       deep learning", CVPR Workshops 2019, pp. 38-41.

    Examples
    --------
    >>> from sersk.metrics import calibration_error
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
    >>> y_true = ["anger", "anger", "fear", "anger"]
    >>> round(calibration_error(y_true, probabilities, ["anger", "fear"]), 3)
    0.15
    """
    curve = reliability_curve(y_true, probabilities, classes, n_bins=n_bins, strategy=strategy)
    gaps = (curve["accuracy"] - curve["confidence"]).abs()
    return float(np.average(gaps, weights=curve["n_clips"]))


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def reliability_curve(
    y_true: ArrayLike,
    probabilities: Any,
    classes: ArrayLike | None = None,
    *,
    n_bins: int = 15,
    strategy: Strategy = "quantile",
) -> pd.DataFrame:
    """Compare, bin by bin, how sure a classifier is of its top emotion and how often it is right.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.

    probabilities : DataFrame or array-like of shape (n_clips, n_classes)
        Probabilities in [0, 1], each row summing to 1; of a DataFrame the columns are the emotions.

    classes : array-like of shape (n_classes,), default=None
        The emotions of the columns, such as the ``classes_`` of a classifier. Needed unless
        `probabilities` is a DataFrame.

    n_bins : int, default=15
        Number of bins, >= 1.

    strategy : {"quantile", "uniform"}, default="quantile"
        Bins with about as many clips each, or of equal width in [0, 1]. Clips of the same
        confidence are always in the same bin.

    Returns
    -------
    curve : DataFrame with columns ``n_clips``, ``confidence``, ``accuracy``
        Indexed by ``bin``, from the least sure to the surest: how many clips, the mean of their
        largest probability, and the share of them whose top emotion is the true one. Bins without
        a clip are left out.

    Raises
    ------
    ValueError
        If a row has a NaN, a number outside [0, 1] or does not sum to 1 (to 0.01), or a label of
        `y_true` is no column.

    See Also
    --------
    calibration_error : All bins in one figure.

    Examples
    --------
    >>> from sersk.metrics import reliability_curve
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
    >>> y_true = ["anger", "anger", "fear", "anger"]
    >>> reliability_curve(y_true, probabilities, ["anger", "fear"], n_bins=2)
         n_clips  confidence  accuracy
    bin
    0          2         0.7       0.5
    1          2         0.9       1.0
    """
    confidence, right = top_confidences(y_true, probabilities, classes)
    shares = np.linspace(0, 1, n_bins + 1)[1:-1]
    inner = np.quantile(confidence, shares) if strategy == "quantile" else shares
    # A bin holds its upper edge, so that 1 is in the last one.
    clips = pd.DataFrame({"confidence": confidence, "accuracy": right})
    bins = clips.groupby(pd.Index(np.searchsorted(inner, confidence), name="bin"))
    curve = bins.mean()
    curve.insert(0, "n_clips", bins.size())
    return curve


def top_confidences(
    y_true: ArrayLike, probabilities: Any, classes: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the largest probability of each clip, and whether it is that of the true emotion.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        True emotions.
    probabilities : DataFrame or array-like of shape (n_clips, n_classes)
        Probabilities.
    classes : array-like of shape (n_classes,) or None
        The emotions of the columns; None where `probabilities` is a DataFrame.

    Returns
    -------
    confidence : ndarray of shape (n_clips,)
        In [0, 1].
    right : ndarray of shape (n_clips,), bool
        Of two emotions with the same probability the first one counts.

    Raises
    ------
    ValueError
        If the probabilities are none, or do not fit the labels.
    """
    true = np.asarray(column_or_1d(y_true))
    values = np.asarray(probabilities, dtype=float)
    if values.ndim != 2:
        raise ValueError(
            f"probabilities must have a row a clip and a column an emotion, got shape "
            f"{values.shape}."
        )
    check_consistent_length(true, values)
    if not len(true):
        raise ValueError("There is no clip to score.")
    emotions = _emotions_of_columns(probabilities, classes, values.shape[1])
    _check_rows(values)
    columns = emotions.get_indexer(pd.Index(true))
    if (columns < 0).any():
        known = ", ".join(map(repr, emotions[:_NAMES_SHOWN].tolist()))
        more = ", ..." if len(emotions) > _NAMES_SHOWN else ""
        raise ValueError(
            f"y_true holds {true.tolist()[np.argmin(columns)]!r}, which is no column of "
            f"probabilities ({known}{more}): rename it, or add a column of zeros for an emotion "
            "that the classifier does not know."
        )
    return values.max(axis=1), values.argmax(axis=1) == columns


def _emotions_of_columns(probabilities: Any, classes: Any, n_columns: int) -> pd.Index:
    own = probabilities.columns if isinstance(probabilities, pd.DataFrame) else None
    if classes is None:
        if own is None:
            raise ValueError(
                "classes is needed, the emotions of the columns of probabilities, as in "
                "classes=classifier.classes_; or give a DataFrame."
            )
        emotions = own
    else:
        emotions = pd.Index(np.asarray(column_or_1d(classes)))
        if len(emotions) != n_columns:
            raise ValueError(
                f"probabilities has {n_columns} columns, but classes names {len(emotions)} "
                "emotions."
            )
        if own is not None and list(own) != list(emotions):
            raise ValueError(
                f"The columns of probabilities are {list(own)}, but classes is "
                f"{emotions.tolist()}: leave classes out."
            )
    if emotions.has_duplicates:
        twice = emotions[emotions.duplicated()][0]
        raise ValueError(f"{twice!r} names two columns of probabilities: each emotion has one.")
    return emotions


def _check_rows(values: NDArray[np.float64]) -> None:
    """Refuse what is no probability, and name the first row of it."""
    sums = values.sum(axis=1)
    for wrong, problem in (
        (np.isnan(values).any(axis=1), "holds NaN: leave clips out that have no probabilities"),
        (
            ((values < -_ROUNDING) | (values > 1 + _ROUNDING)).any(axis=1),
            "holds a number outside [0, 1]",
        ),
        (np.abs(sums - 1) > _SUM_TOLERANCE, "sums to {:.4g}, not 1: scores are no probabilities"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"Row {row} of probabilities {problem.format(sums[row])}.")
