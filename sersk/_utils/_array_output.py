"""Transformers whose output no DataFrame can hold."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import TransformerMixin


class ArrayOutputMixin(TransformerMixin):
    """A transformer that always returns arrays, whatever ``set_output`` asks of a pipeline.

    Frames and images have three and four dimensions, and a table with a column for each sample
    of a waveform would be of no use: pandas output is left to the steps that make vectors.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # scikit-learn does not hand this keyword down: it has to be passed for each subclass.
        kwargs.setdefault("auto_wrap_output_keys", None)
        super().__init_subclass__(**kwargs)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Accept and ignore the request, so that a whole pipeline can be asked.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored: the output is an array.

        Returns
        -------
        self : object
            The transformer itself.
        """
        return self
