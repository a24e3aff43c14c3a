"""Rows of a clip table by speaker: whose they are, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._utils._clip_table import as_clip_table
from ._clip_rows import ClipRows

# The number of a speaker whose name is missing.
_UNKNOWN = -1


def tells_speakers(X: Any, column: str) -> bool:
    """Tell whether clips come with a column that says who speaks.

    Parameters
    ----------
    X : clip table or array-like of shape (n_clips, ...)
        The clips.
    column : str
        Name of the column.

    Returns
    -------
    told : bool
        True for a table that has it.
    """
    return isinstance(X, pd.DataFrame) and column in X.columns


@dataclass(frozen=True)
class SpeakerRows:
    """What is known of the rows of one call, besides their sound.

    Attributes
    ----------
    clips : ndarray of shape (n_rows,)
        Number of the clip; rows that are the same clip share it.
    speakers : ndarray of shape (n_rows,)
        Number of the speaker, or -1.
    augmented : ndarray of shape (n_rows,), bool
        Whether something is done to the sound.
    """

    clips: NDArray[np.intp]
    speakers: NDArray[np.intp]
    augmented: NDArray[np.bool_]

    @classmethod
    def of(cls, X: Any, column: str) -> Self:
        """Number the clips and the speakers.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.
        column : str
            Column that says who speaks. Where it is not there, no speaker is known.

        Returns
        -------
        rows : SpeakerRows
            What was found.
        """
        groups = ClipRows(X).groups()
        n_rows = sum(map(len, groups))
        clips = np.empty(n_rows, dtype=np.intp)
        if groups:
            sizes = list(map(len, groups))
            clips[np.concatenate(groups)] = np.repeat(np.arange(len(groups)), sizes)
        table = as_clip_table(X)
        augments = [None] * n_rows if table is None else table.augments
        speakers = np.full(n_rows, _UNKNOWN, dtype=np.intp)
        if tells_speakers(X, column):
            speakers = _number_names(X[column])
        return cls(clips, speakers, np.array([augment is not None for augment in augments], bool))

    def of_speakers(
        self, readable: NDArray[np.bool_] | None = None
    ) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """List, for each speaker, all rows and those that count in the statistics.

        Parameters
        ----------
        readable : ndarray of shape (n_rows,), bool, default=None
            Rows that may count; all, by default.

        Returns
        -------
        found : list of pairs of ndarray
            Those that count are distinct clips, without those to whose sound something is done,
            where there are others.
        """
        pairs = self.speakers * (len(self.clips) + 1) + self.clips
        counts = np.zeros(len(pairs), dtype=bool)
        counts[np.unique(pairs, return_index=True)[1]] = True
        if readable is not None:
            counts &= readable
        order = np.argsort(self.speakers, kind="stable")
        bounds = np.flatnonzero(np.diff(self.speakers[order])) + 1
        found = []
        for own in np.split(order, bounds):
            if len(own) and self.speakers[own[0]] != _UNKNOWN:
                counting = own[counts[own]]
                plain = counting[~self.augmented[counting]]
                found.append((own, plain if len(plain) else counting))
        return found


def _number_names(names: pd.Series[Any]) -> NDArray[np.intp]:
    """Number names, compared as text; missing and empty ones get `_UNKNOWN`."""
    missing = names.isna().to_numpy()
    texts = np.array([str(name).strip() for name in names], dtype=object)
    texts[missing | (texts == "")] = None
    return np.asarray(pd.factorize(texts)[0], dtype=np.intp)
