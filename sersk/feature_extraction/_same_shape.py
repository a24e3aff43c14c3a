"""Steps that change numbers, and neither shapes nor lengths."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .._utils._array_output import ArrayOutputMixin
from .._utils._lengths import valid_lengths
from .._utils._stateless import StatelessMixin


class SameShapeTransformer(StatelessMixin, ArrayOutputMixin, BaseEstimator):
    """Base of transformers of waveforms, frames and images that learn nothing and keep shapes."""

    @abstractmethod
    def _change(self, clips: NDArray[np.floating], lengths: NDArray[np.intp]) -> None:
        """Change clips in place; `lengths` are their steps before the padding."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_steps)
            Waveforms, frames or images, NaN after the end of a clip.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The transformer.
        """
        self._check_padded(X, reset=True)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Change the clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_steps)
            Waveforms, frames or images, NaN after the end of a clip.

        Returns
        -------
        changed : ndarray of the shape of `X`
            A copy, of type float32 if `X` is, else float64.

        Raises
        ------
        ValueError
            If a clip holds infinity, or NaN before its end.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        padded, lengths = self._check_padded(X, reset=False)
        changed = padded.copy()
        self._change(changed, lengths)
        return changed

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Hand the names on: the features stay what they were.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the features; ``x0``, ``x1`` and so on by default.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            The same names.
        """
        check_is_fitted(self, "n_features_in_")
        names: NDArray[np.object_] = _check_feature_names_in(self, input_features)
        return names

    def _check_padded(
        self, X: ArrayLike, *, reset: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.intp]]:
        """Validate clips and count the steps of each."""
        padded = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            allow_nd=True,
        )
        return padded, valid_lengths(padded)
