"""What all transformers from waveforms to frames have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from .._utils._array_output import ArrayOutputMixin
from .._utils._lengths import valid_lengths


class FrameTransformer(ArrayOutputMixin, BaseEstimator, ABC):
    """Base of the transformers from waveforms to frames.

    A subclass has parameters ``n_fft`` and ``hop_length``, checks its parameters in
    `_check_parameters`, names its features in `_feature_names` and computes one clip in `_extract`.
    Frames are centred: frame ``i`` looks at the samples around ``i * hop_length``, and a clip of
    ``n`` samples has ``1 + n // hop_length`` of them.
    """

    n_fft: int
    hop_length: int

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
        """
        self._check_parameters()
        self._check_waveforms(X, reset=True)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        Returns
        -------
        frames : ndarray of shape (n_clips, n_features, 1 + n_samples // hop_length)
            Of type float32 if `X` is, else float64; NaN after the last frame of a clip.

        Raises
        ------
        ValueError
            If a waveform holds infinity, or NaN before its end.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        self._check_parameters()
        waveforms, lengths = self._check_waveforms(X, reset=False)
        n_clips, n_samples = waveforms.shape
        frames = np.full(
            (n_clips, len(self._feature_names()), self._n_frames(n_samples)),
            np.nan,
            dtype=waveforms.dtype,
        )
        for clip in np.flatnonzero(lengths):
            features = self._extract(waveforms[clip, : lengths[clip]])
            frames[clip, :, : features.shape[1]] = features
        return frames

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored: the names do not depend on what comes in.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            One name a feature, the second axis of the output.
        """
        return np.array(self._feature_names(), dtype=object)

    def _n_frames(self, n_samples: int) -> int:
        # An odd frame reaches one sample less far on one side.
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def _check_waveforms(
        self, X: ArrayLike, *, reset: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.intp]]:
        """Validate waveforms and count the samples of each clip."""
        waveforms = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
        return waveforms, valid_lengths(waveforms)

    def _check_parameters(self) -> None:
        """Raise ValueError where parameters do not go together."""

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Name the features, in order."""

    @abstractmethod
    def _extract(self, samples: NDArray[np.floating]) -> NDArray[Any]:
        """Compute one clip of at least one sample, without padding: (n_features, n_frames)."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
