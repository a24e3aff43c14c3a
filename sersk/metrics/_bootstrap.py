"""Scores with intervals that resample whole speakers."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ._confusions import (
    LABELS_AND_SPEAKERS,
    METRICS,
    Counts,
    MetricName,
    confusion_by_speaker,
    pool,
)

# With fewer speakers a bootstrap over them promises more than it can hold.
MIN_SPEAKERS_FOR_INTERVAL = 8

# Resamples whose confusion matrices are summed at once.
_RESAMPLES_AT_ONCE = 256

BOOTSTRAP: dict[str, list[Any]] = {
    "n_resamples": [Interval(Integral, 1, None, closed="left")],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}


@validate_params(
    {**LABELS_AND_SPEAKERS, **BOOTSTRAP, "y_pred": ["array-like"]},
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
    names, counts = confusion_by_speaker(y_true, y_pred, speakers)
    compute = METRICS[metric]
    low, high = _interval(
        lambda rows: compute(pool(counts, rows)),
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
        **LABELS_AND_SPEAKERS,
        **BOOTSTRAP,
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
    names, a = confusion_by_speaker(y_true, y_pred_a, speakers)
    _, b = confusion_by_speaker(y_true, y_pred_b, speakers)
    differences = METRICS[metric](b) - METRICS[metric](a)
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
