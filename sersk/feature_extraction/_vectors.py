"""What all transformers from waveforms straight to vectors have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context

from .._utils._lengths import check_waveforms
from .._utils._stateless import StatelessMixin


class VectorTransformer(StatelessMixin, BaseEstimator, ABC):
    """Base of the transformers from waveforms to vectors.

    A subclass checks its parameters in `_check_parameters`, names its features in
    `_feature_names` and computes one clip in `_extract`.
    """

    # The padding of a clip is never looked at.
    _skips_padding = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If parameters do not go together, or a waveform holds infinity, or NaN before its end.
        """
        self._check_parameters()
        check_waveforms(self, X, reset=True)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        Returns
        -------
        vectors : ndarray of shape (n_clips, n_features)
            Of type float32 if `X` is, else float64; all NaN for a clip without a sample.

        Raises
        ------
        ValueError
            If parameters do not go together, or a waveform holds infinity, or NaN before its end.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        self._check_parameters()
        waveforms, lengths = check_waveforms(self, X, reset=False)
        shape = (len(waveforms), len(self._feature_names()))
        vectors = np.full(shape, np.nan, dtype=waveforms.dtype)
        for clip in np.flatnonzero(lengths):
            # Always in double precision: the type of the input decides that of the output only.
            samples = waveforms[clip, : lengths[clip]].astype(np.float64)
            vectors[clip] = self._extract(samples)
        return vectors

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored: the names do not depend on what comes in.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            One name a column of the output.
        """
        return np.array(self._feature_names(), dtype=object)

    def _check_parameters(self) -> None:
        """Raise an error where parameters do not go together or a package is missing."""

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Name the features, in order."""

    @abstractmethod
    def _extract(self, samples: NDArray[np.float64]) -> NDArray[Any]:
        """Compute one clip of at least one sample, without padding: (n_features,)."""
