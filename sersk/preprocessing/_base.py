"""What all transformers from waveforms to waveforms have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils.validation import check_is_fitted

from .._utils._array_output import ArrayOutputMixin
from .._utils._lengths import check_waveforms
from .._utils._stateless import StatelessMixin


class WaveformTransformer(StatelessMixin, ArrayOutputMixin, BaseEstimator, ABC):
    """Base of the transformers from waveforms to waveforms.

    A subclass cleans one clip in `_clean` and checks what does not go together in
    `_check_parameters`. No clip sees its padding or its neighbours, and the width of the output
    follows from that of the input alone.
    """

    # The padding of a clip changes nothing but the padding of what comes out.
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
        """Clean the waveforms.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, n_samples_out)
            Of type float32 if `X` is, else float64; NaN after the end of a clip, all NaN for a clip
            without a sample.

        Raises
        ------
        ValueError
            If parameters do not go together, or a waveform holds infinity, or NaN before its end.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        self._check_parameters()
        waveforms, lengths = check_waveforms(self, X, reset=False)
        width = self._n_samples_out(waveforms.shape[1])
        cleaned = np.full((len(waveforms), width), np.nan, dtype=waveforms.dtype)
        for clip in np.flatnonzero(lengths):
            # Always in double precision: the type of the input decides that of the output only.
            samples = self._clean(waveforms[clip, : lengths[clip]].astype(np.float64), width)
            cleaned[clip, : len(samples)] = samples
        return cleaned

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the samples of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_samples_out,), object
            ``sample0``, ``sample1`` and so on.
        """
        check_is_fitted(self, "n_features_in_")
        return sample_names(self._n_samples_out(self.n_features_in_))

    def _check_parameters(self) -> None:
        """Raise an error where parameters do not go together."""

    def _n_samples_out(self, n_samples: int) -> int:
        """Tell the width of the output from that of the input."""
        return n_samples

    @abstractmethod
    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        """Clean one clip of at least one sample, without padding: at most `width` samples."""


def sample_names(n_samples: int) -> NDArray[np.object_]:
    """Name the columns of an array of waveforms.

    Parameters
    ----------
    n_samples : int
        Width of the array.

    Returns
    -------
    names : ndarray of shape (n_samples,), object
        ``sample0``, ``sample1`` and so on.
    """
    return np.array([f"sample{index}" for index in range(n_samples)], dtype=object)
