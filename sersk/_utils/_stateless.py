"""Transformers that learn nothing in ``fit``."""

from __future__ import annotations

from sklearn.base import TransformerMixin
from sklearn.utils import Tags


class StatelessMixin(TransformerMixin):
    """A transformer of numbers that is fitted from the start, and keeps their precision.

    It stands first among the bases. ``allow_nan`` stays off: NaN is padding after the end of a
    clip, not a missing value anywhere.
    """

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
