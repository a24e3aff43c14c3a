"""From NaN padding to plain numbers."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .._utils._array_output import ArrayOutputMixin
from .._utils._lengths import valid_lengths


class FillPadding(ArrayOutputMixin, BaseEstimator):
    """Replace the NaN after the end of each clip by a number.

    For steps of other libraries, which do not know that NaN means "no sound here". Steps of this
    package skip the padding by themselves: what is filled counts as sound for them.

    Parameters
    ----------
    value : float, default=0.0
        What stands after the end of a clip; any finite number.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis seen in `fit`: samples of a waveform, features of frames, channels
        of an image.

    See Also
    --------
    Functionals : Vectors of one length without any filling.

    Notes
    -----
    A clip of which nothing is left (all NaN, as of an unreadable file) is filled from its beginning
    and cannot be told from silence any more: :class:`~sersk.preprocessing.DropUnreadable` belongs
    before this step.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import FillPadding
    >>> waveforms = np.array([[0.5, -0.5, 0.25], [0.125, np.nan, np.nan]])
    >>> FillPadding().fit_transform(waveforms)
    array([[ 0.5  , -0.5  ,  0.25 ],
           [ 0.125,  0.   ,  0.   ]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "value": [Interval(Real, None, None, closed="neither")]
    }

    def __init__(self, *, value: float = 0.0) -> None:
        self.value = value

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
        """Fill the padding.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_steps)
            Waveforms, frames or images, NaN after the end of a clip.

        Returns
        -------
        filled : ndarray of the shape of `X`
            A copy without NaN, of type float32 if `X` is, else float64.

        Raises
        ------
        ValueError
            If a clip holds infinity, or NaN before its end.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        padded, lengths = self._check_padded(X, reset=False)
        return fill_padding(padded, lengths, self.value)

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

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        # NaN is padding after the end of a clip, not a missing value anywhere: ``allow_nan`` stays
        # off.
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def fill_padding(
    X: NDArray[np.floating], lengths: NDArray[np.intp], value: float
) -> NDArray[np.floating]:
    """Copy clips, with `value` after the end of each.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ..., n_steps)
        The clips.
    lengths : ndarray of shape (n_clips,)
        Steps of each clip that stay.
    value : float
        What stands after them.

    Returns
    -------
    filled : ndarray of the shape and type of `X`
        The copy.
    """
    filled = X.copy()
    for clip, length in zip(filled, lengths, strict=True):
        clip[..., length:] = value
    return filled
