"""Several corpora as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._base import make_corpus_bunch, prefix


@validate_params(
    {"corpora": [list, tuple], "emotions": [StrOptions({"all", "shared"})]},
    prefer_skip_nested_validation=True,
)
def concat_corpora(
    corpora: Sequence[Bunch], *, emotions: Literal["all", "shared"] = "all"
) -> Bunch:
    """Put several corpora into one.

    Emotions have canonical names already; speakers and sentences are kept apart by the name of
    their corpus. Columns that a corpus lacks are empty for its clips.

    Parameters
    ----------
    corpora : sequence of Bunch
        As the loaders return them, at least one.

    emotions : {"all", "shared"}, default="all"
        Keep all clips, or only those whose emotion every corpus has.

    Returns
    -------
    corpus : Bunch
        As the loaders return it, and ``dropped``: a DataFrame with the columns ``corpus``,
        ``emotion`` and ``n_clips`` that says what was left out.

    Raises
    ------
    ValueError
        If there is no corpus, one holds waveforms in place of files, the same clip stands in two of
        them, or no emotion is shared.

    See Also
    --------
    sersk.model_selection.ProtocolSplit : ``"corpus"`` trains on all corpora but one.

    Examples
    --------
    >>> from sersk.datasets import concat_corpora, load_ravdess, load_savee
    >>> corpus = concat_corpora(
    ...     [load_ravdess("RAVDESS"), load_savee("SAVEE")], emotions="shared"
    ... )  # doctest: +SKIP
    """
    if not corpora:
        raise ValueError("corpora is empty: give at least one.")
    frames = []
    for number, corpus in enumerate(corpora):
        if "path" not in corpus.frame.columns:
            raise ValueError(
                f"Corpus {number} holds waveforms, not files: write_corpus makes files of it."
            )
        frames.append(corpus.frame)
    frame = pd.concat(frames, ignore_index=True)
    region = [column for column in ("path", "start", "stop") if column in frame.columns]
    if frame.duplicated(region).any():
        twice = frame.loc[frame.duplicated(region), "path"].iloc[0]
        raise ValueError(f"{twice!r} stands in two corpora, or twice in one: give each clip once.")
    for column in {"speaker", "sentence"} & set(frame.columns):
        for name, rows in frame.groupby("corpus").groups.items():
            known = frame.loc[rows, column].dropna()
            frame.loc[known.index, column] = prefix(str(name), known)
    keep = frame["emotion"].isin(_shared(frame)) if emotions == "shared" else frame.index >= 0
    if not keep.any():
        raise ValueError("No emotion stands in all of the corpora; rename some, or keep all.")
    dropped = frame[~keep].groupby(["corpus", "emotion"]).size().rename("n_clips").reset_index()
    return make_corpus_bunch(frame[keep], descr=_describe(corpora, dropped), dropped=dropped)


def _shared(frame: pd.DataFrame) -> set[str]:
    by_corpus = frame.groupby("corpus")["emotion"].unique()
    return set.intersection(*(set(emotions) for emotions in by_corpus))


def _describe(corpora: Sequence[Bunch], dropped: pd.DataFrame) -> str:
    left_out = [
        f"- {row.n_clips} clips of {row.corpus}: {row.emotion}" for row in dropped.itertuples()
    ]
    parts = [f"{len(corpora)} corpora in one."]
    if left_out:
        parts.append("Left out, as not all corpora have the emotion:\n\n" + "\n".join(left_out))
    return "\n\n".join([*parts, *(corpus.DESCR for corpus in corpora)])
