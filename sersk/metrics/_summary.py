"""Every figure that an evaluation reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params
from sklearn.utils.multiclass import unique_labels

from ._bootstrap import BOOTSTRAP, speaker_bootstrap
from ._confusions import METRICS, check_labels, most_confused_pairs


@validate_params(
    {
        **BOOTSTRAP,
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
    y_true, y_pred = check_labels(y_true, y_pred)
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
        for metric in METRICS
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
