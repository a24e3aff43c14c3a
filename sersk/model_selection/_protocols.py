"""The protocols of speech emotion recognition as one scikit-learn splitter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import _num_samples

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]

# What must not be on both sides, by protocol: columns of the clip table.
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "random": (),
    "speaker": ("speaker",),
    "text": ("sentence",),
    "speaker+text": ("speaker", "sentence"),
    "corpus": ("corpus",),
}


class ProtocolSplit(GroupsConsumerMixin, BaseCrossValidator):
    """Cross-validation that keeps what a model must not know out of its training.

    Parameters
    ----------
    protocol : {"random", "speaker", "text", "speaker+text", "corpus"}, default="speaker"
        What training and test must not share:

        - ``"random"``: nothing. Clips are dealt out, stratified by emotion, so that every speaker
          stands on both sides. It tells how well voices are remembered, and flatters.
        - ``"speaker"``: speakers. The figure that counts for people never heard.
        - ``"text"``: sentences.
        - ``"speaker+text"``: speakers and sentences. The test clips are those of some speakers
          saying some sentences; training holds neither, so the clips that share one of the two are
          in neither part of that fold. Speakers are cut into `n_splits` parts and sentences into
          `n_splits` parts (or as many as there are), and each pair of parts is one fold.
        - ``"corpus"``: corpora. Trained on all but one, tested on that one, with the emotions alone
          that both have.

    n_splits : int, default=5
        Number of folds, >= 2. Where there are fewer speakers (sentences) than that, each is a fold
        of its own; corpora always are.

    random_state : int, RandomState instance or None, default=0
        Seed of the shuffling. With an int, every call to `split` gives the same folds.

    See Also
    --------
    evaluate_protocol : Score a pipeline under a protocol.
    sklearn.model_selection.StratifiedGroupKFold : What cuts speakers and sentences into parts.

    Notes
    -----
    The columns ``speaker``, ``sentence`` and ``corpus`` are taken from ``groups`` where these are
    given (a DataFrame with these columns, or, for a protocol that keeps one thing apart, a vector),
    else from the clip table that is split. So a clip table needs no ``groups``, and waveforms take
    ``groups=corpus.frame``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.model_selection import ProtocolSplit
    >>> table = pd.DataFrame({"path": list("abcdefgh"), "speaker": list("11112222")})
    >>> emotions = ["fear", "anger"] * 4
    >>> for train, test in ProtocolSplit("speaker").split(table, emotions):
    ...     print(train, test)
    [4 5 6 7] [0 1 2 3]
    [0 1 2 3] [4 5 6 7]
    """

    def __init__(
        self,
        protocol: str = "speaker",
        *,
        n_splits: int = 5,
        random_state: int | RandomState | None = 0,
    ) -> None:
        # Splitters are not cloned and have no `fit`: like scikit-learn's, they check here.
        if protocol not in PROTOCOLS:
            raise ValueError(f"Unknown protocol {protocol!r}; known are {', '.join(PROTOCOLS)}.")
        if not isinstance(n_splits, int | np.integer) or n_splits < 2:
            raise ValueError(f"n_splits={n_splits!r}: a whole number >= 2 is needed.")
        self.protocol = protocol
        self.n_splits = int(n_splits)
        self.random_state = random_state

    def split(self, X: Any, y: ArrayLike | None = None, groups: Any = None) -> Iterator[Fold]:
        """Give the folds.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions, for stratification.

        groups : DataFrame or array-like of shape (n_clips,), default=None
            Who speaks, what is said, which corpus; by default the columns of `X`.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Rows to train on.

        test : ndarray of shape (n_test,)
            Rows to test on.

        Raises
        ------
        ValueError
            If `y` is missing, a column that the protocol needs is missing or has empty cells, or
            there is only one speaker (sentence, corpus).
        """
        if y is None:
            raise ValueError("ProtocolSplit needs y, the emotions, to stratify the folds.")
        emotions = np.asarray(column_or_1d(y))
        check_consistent_length(X, emotions)
        columns = self._columns(X, groups)
        if self.protocol == "random":
            yield from self._stratified(emotions)
        elif self.protocol == "corpus":
            yield from _shared_emotions_only(self._grouped(emotions, columns["corpus"]), emotions)
        elif self.protocol == "speaker+text":
            yield from self._crossed(emotions, columns["speaker"], columns["sentence"])
        else:
            (column,) = columns.values()
            yield from self._grouped(emotions, column)

    def get_n_splits(self, X: Any = None, y: ArrayLike | None = None, groups: Any = None) -> int:
        """Count the folds.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...), default=None
            The clips; needed unless the protocol is ``"random"`` or `groups` are given.

        y : array-like of shape (n_clips,), default=None
            Their emotions. Only with them is it seen, under ``"speaker+text"``, that some speakers
            never say some sentences; without them such folds are counted.

        groups : DataFrame or array-like of shape (n_clips,), default=None
            As in `split`.

        Returns
        -------
        n_splits : int
            Number of folds that `split` gives.
        """
        if self.protocol == "random":
            return self.n_splits
        if self.protocol == "speaker+text" and y is not None:
            return sum(1 for _ in self.split(X, y, groups))
        counts = [len(np.unique(column)) for column in self._columns(X, groups).values()]
        if self.protocol == "corpus":
            return counts[0]
        return int(np.prod([min(count, self.n_splits) for count in counts]))

    def summarise(self, X: Any, y: ArrayLike, groups: Any = None) -> pd.DataFrame:
        """Tell what the folds hold, and how many rows stand in neither part.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        groups : DataFrame or array-like of shape (n_clips,), default=None
            As in `split`.

        Returns
        -------
        folds : DataFrame of shape (n_splits, 3)
            ``n_train``, ``n_test`` and ``n_dropped`` clips, by fold.
        """
        n_clips = _num_samples(X)
        return pd.DataFrame(
            [
                (len(train), len(test), n_clips - len(train) - len(test))
                for train, test in self.split(X, y, groups)
            ],
            columns=["n_train", "n_test", "n_dropped"],
        ).rename_axis("fold")

    def _columns(self, X: Any, groups: Any) -> dict[str, NDArray[Any]]:
        """Find the columns that the protocol keeps apart."""
        needed = PROTOCOLS[self.protocol]
        columns = {}
        for name in needed:
            if groups is not None and not isinstance(groups, pd.DataFrame):
                if len(needed) > 1:
                    raise ValueError(
                        f"Protocol {self.protocol!r} needs a table with the columns "
                        f"{' and '.join(needed)} as groups, not one vector."
                    )
                column = column_or_1d(groups)
            else:
                table = X if groups is None else groups
                if not isinstance(table, pd.DataFrame) or name not in table.columns:
                    raise ValueError(
                        f"Protocol {self.protocol!r} needs to know the {name} of each clip: give a "
                        f"clip table with a column {name!r} as X, or the corpus's frame as groups."
                    )
                column = table[name].to_numpy()
            if X is not None:
                check_consistent_length(X, column)
            if pd.isna(column).any():
                row = int(np.argmax(pd.isna(column)))
                raise ValueError(f"Row {row} has no {name}; protocol {self.protocol!r} needs it.")
            # Names as text: there is no order between 1 and "one".
            column = np.asarray(column, dtype=str)
            if len(np.unique(column)) < 2:
                raise ValueError(
                    f"All clips have the same {name}: protocol {self.protocol!r} needs at least 2."
                )
            columns[name] = column
        return columns

    def _stratified(self, y: NDArray[Any]) -> Iterator[Fold]:
        folds = StratifiedKFold(self.n_splits, shuffle=True, random_state=self.random_state)
        yield from folds.split(np.zeros(len(y)), y)

    def _grouped(self, y: NDArray[Any], groups: NDArray[Any]) -> Iterator[Fold]:
        """Keep groups whole: in folds of several, or each alone where there are few."""
        if self.protocol == "corpus" or len(np.unique(groups)) <= self.n_splits:
            yield from LeaveOneGroupOut().split(y, y, groups)
        else:
            folds = StratifiedGroupKFold(
                self.n_splits, shuffle=True, random_state=self.random_state
            )
            yield from folds.split(y, y, groups)

    def _crossed(
        self, y: NDArray[Any], speakers: NDArray[Any], sentences: NDArray[Any]
    ) -> Iterator[Fold]:
        """Pair each part of the speakers with each part of the sentences."""
        sentence_folds = [test for _, test in self._grouped(y, sentences)]
        for _, some_speakers in self._grouped(y, speakers):
            same_speakers = np.zeros(len(y), dtype=bool)
            same_speakers[some_speakers] = True
            for some_sentences in sentence_folds:
                same_sentences = np.zeros(len(y), dtype=bool)
                same_sentences[some_sentences] = True
                test = np.flatnonzero(same_speakers & same_sentences)
                # A corpus need not hold every speaker with every sentence.
                if not len(test):
                    continue
                train = np.flatnonzero(~(same_speakers | same_sentences))
                if not len(train):
                    raise ValueError(
                        "No clip shares neither speaker nor sentence with those of "
                        f"{', '.join(np.unique(speakers[test]))} saying "
                        f"{', '.join(np.unique(sentences[test]))}: there is nothing to train on. "
                        "Keep speakers or sentences apart, not both."
                    )
                yield train, test

    def __repr__(self) -> str:
        return (
            f"ProtocolSplit({self.protocol!r}, n_splits={self.n_splits}, "
            f"random_state={self.random_state})"
        )


def _shared_emotions_only(folds: Iterator[Fold], y: NDArray[Any]) -> Iterator[Fold]:
    """Drop the clips whose emotion only one side has."""
    for train, test in folds:
        shared = np.intersect1d(y[train], y[test])
        if len(shared) < 2:
            raise ValueError(
                f"A corpus shares {len(shared)} emotion(s) with the others, at least 2 are needed: "
                f"it has {', '.join(np.unique(y[test]))}, they have "
                f"{', '.join(np.unique(y[train]))}."
            )
        yield train[np.isin(y[train], shared)], test[np.isin(y[test], shared)]
