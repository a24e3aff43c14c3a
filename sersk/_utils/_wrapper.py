"""What estimators that wrap another one have in common."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


def last_step(estimator: Any) -> Any:
    """Give the last step of a pipeline, of one within another as well; of all else, itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


class WrapperMixin:
    """Be tagged as `estimator`, and have the attributes of its fitted copy."""

    estimator: Any

    # Where the fitted copy is: the work of `predict` is done there.
    _predicts_with = "estimator_"

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._fitted(), method)(*args, **kwargs)

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return getattr(self, self._predicts_with)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._predicts_with)

    @property
    def classes_(self) -> NDArray[Any]:
        """The emotions."""
        return self._fitted().classes_  # type: ignore[no-any-return]

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`."""
        return self._fitted().n_features_in_  # type: ignore[no-any-return]

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns seen in `fit`."""
        return self._fitted().feature_names_in_  # type: ignore[no-any-return]

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.input_tags = deepcopy(inner.input_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.target_tags.required = True
        return tags


def _inner_has(method: str) -> Callable[[Any], bool]:
    """Check for `available_if` that what is wrapped has a method, fitted or not."""

    def check(self: WrapperMixin) -> bool:
        getattr(getattr(self, self._predicts_with, self.estimator), method)
        return True

    return check


class PredictingWrapperMixin(WrapperMixin):
    """Predict as the fitted copy does, too."""

    @available_if(_inner_has("predict"))
    def predict(self, X: Any) -> NDArray[Any]:
        """Predict emotions.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        Returns
        -------
        emotions : ndarray of shape (n_clips,)
            One of ``classes_`` each.
        """
        return self._call("predict", X)  # type: ignore[no-any-return]

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Predict the probability of each emotion.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            Columns are in the order of ``classes_``.
        """
        return self._call("predict_proba", X)  # type: ignore[no-any-return]

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.floating]:
        """Compute the decision function.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        Returns
        -------
        decisions : ndarray of shape (n_clips,) or (n_clips, n_classes)
            As the last step gives them.
        """
        return self._call("decision_function", X)  # type: ignore[no-any-return]
