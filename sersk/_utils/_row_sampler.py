"""Samplers that balance nothing: what all of ours share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from imblearn.base import BaseSampler
from imblearn.utils import check_target_type
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data


class RowSampler(BaseSampler):
    """Base of the samplers that add or remove rows of waveforms, frames or images.

    A subclass sets `sample_indices_` in `_fit_resample`.
    """

    _sampling_type = "bypass"

    # imbalanced-learn asks every sampler for one; nothing is balanced here, so it is no parameter.
    sampling_strategy = "auto"

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:
        """Validate clips of any number of axes, NaN being padding or a clip without sound."""
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            sparse = {
                name: kind.subtype
                for name, kind in X.dtypes.items()
                if isinstance(kind, pd.SparseDtype)
            }
            X = X.astype(sparse)
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        tags.sampler_tags.sample_indices = True
        return tags
