"""The step that keeps rows without sound out of training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from imblearn.base import BaseSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.utils import Tags, gen_batches
from sklearn.utils.validation import validate_data

from ..exceptions import UnreadableAudioWarning

_ROWS_AT_ONCE = 64


class DropUnreadable(BaseSampler):
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

    _sampling_type = "bypass"
    _parameter_constraints: dict[str, list[Any]] = {}

    # imbalanced-learn asks every sampler for one; nothing is balanced here, so it is no parameter.
    sampling_strategy = "auto"

    def __init__(self) -> None:
        pass

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            X = X.astype({name: kind.subtype for name, kind in _sparse_columns(X).items()})
        X, y = validate_data(
            self,
            X,
            y,
            reset=True,
            dtype=[np.float64, np.float32],
            accept_sparse=False,
            ensure_all_finite="allow-nan",
            allow_nd=True,
        )
        return X, y, binarize_y

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        readable = _has_sound(X)
        if not readable.any():
            raise ValueError(f"None of the {len(X)} clips could be read: every row is NaN.")
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        tags.sampler_tags.sample_indices = True
        return tags


def _sparse_columns(X: pd.DataFrame) -> dict[Any, pd.SparseDtype]:
    return {name: kind for name, kind in X.dtypes.items() if isinstance(kind, pd.SparseDtype)}


def _has_sound(X: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which rows hold a number; in batches, so that waveforms need no mask of their size."""
    found = np.zeros(len(X), dtype=bool)
    for rows in gen_batches(len(X), _ROWS_AT_ONCE):
        found[rows] = ~np.isnan(X[rows]).reshape(rows.stop - rows.start, -1).all(axis=1)
    return found
