"""The step that keeps rows without sound out of training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from .._utils._row_sampler import RowSampler
from ..exceptions import UnreadableAudioWarning

_ROWS_AT_ONCE = 64


class DropUnreadable(RowSampler):
    """Remove all-NaN rows, which stand for unreadable files, while fitting.

    A sampler: in a pipeline of imbalanced-learn it acts in ``fit`` alone. While predicting, every
    row is kept, so that there is a prediction for each clip; let
    :class:`sklearn.impute.SimpleImputer` stand before a classifier that refuses NaN.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_kept,)
        Rows that were kept.

    n_features_in_ : int
        Number of samples or features a row.

    sampling_strategy_ : str
        imbalanced-learn's word for what is balanced; without a meaning here.

    See Also
    --------
    AudioReader : Makes the all-NaN rows, with ``on_error="nan"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import DropUnreadable
    >>> X = np.array([[0.1, 0.2], [np.nan, np.nan], [0.3, np.nan]])
    >>> X_kept, y_kept = DropUnreadable().fit_resample(X, ["anger", "anger", "fear"])
    >>> y_kept
    ['anger', 'fear']
    """

    _parameter_constraints: dict[str, list[Any]] = {}

    def __init__(self) -> None:
        pass

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        readable = _has_sound(X)
        if not readable.any():
            raise ValueError(
                f"None of the {len(X)} clips could be read: every row is NaN. The reader's failed_ "
                "tells why."
            )
        self.sample_indices_ = np.flatnonzero(readable)
        if readable.all():
            # Waveforms are large: no copy where there is nothing to remove.
            return X, y
        lost = np.setdiff1d(y, y[readable])
        if len(lost):
            warnings.warn(
                f"No readable clip is left of {', '.join(map(str, lost))}: what is trained on the "
                "rest cannot predict it.",
                UnreadableAudioWarning,
                stacklevel=2,
            )
        return X[readable], y[readable]


def _has_sound(X: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which rows hold a number; in batches, so that waveforms need no mask of their size."""
    found = np.zeros(len(X), dtype=bool)
    for rows in gen_batches(len(X), _ROWS_AT_ONCE):
        found[rows] = ~np.isnan(X[rows]).reshape(rows.stop - rows.start, -1).all(axis=1)
    return found
