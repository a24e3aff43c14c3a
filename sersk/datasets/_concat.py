"""Several corpora as one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import CorpusWarning
from ._base import make_corpus_bunch
from ._registry import CORPORA


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
        them, two have the same name, or no emotion is shared.

    Warns
    -----
    CorpusWarning
        If only some corpora tell who speaks, or what is said: the column is then left out.

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
    for number, corpus in enumerate(corpora):
        if "path" not in corpus.frame.columns:
            raise ValueError(
                f"Corpus {number} holds waveforms, not files: write_corpus makes files of it."
            )
    frames = [corpus.frame for corpus in corpora]
    _refuse_namesakes(frames)
    frame = pd.concat(frames, ignore_index=True)
    region = [column for column in ("path", "start", "stop") if column in frame.columns]
    if frame.duplicated(region).any():
        twice = frame.loc[frame.duplicated(region), "path"].iloc[0]
        raise ValueError(f"{twice!r} stands in two corpora, or twice in one: give each clip once.")
    for column in ("speaker", "sentence"):
        unknown = [number for number, part in enumerate(frames) if column not in part.columns]
        if unknown and column in frame.columns:
            warnings.warn(
                f"Corpus {unknown[0]} does not tell the {column} of its clips: the column is left "
                "out, and no evaluation can keep them apart.",
                CorpusWarning,
                stacklevel=3,
            )
            frame = frame.drop(columns=column)
    keep = frame["emotion"].isin(_shared(frames)) if emotions == "shared" else frame.index >= 0
    if not keep.any():
        raise ValueError("No emotion stands in all of the corpora; rename some, or keep all.")
    dropped = frame[~keep].groupby(["corpus", "emotion"]).size().rename("n_clips").reset_index()
    return make_corpus_bunch(frame[keep], descr=_describe(corpora, dropped), dropped=dropped)


def _refuse_namesakes(frames: list[pd.DataFrame]) -> None:
    """Speaker 1 of one corpus is not speaker 1 of another: their names must differ."""
    owner: dict[str, int] = {}
    for number, frame in enumerate(frames):
        for name in frame["corpus"].unique():
            # Parts of a known corpus, such as speech and song of RAVDESS, share their speakers.
            if owner.setdefault(name, number) != number and name not in CORPORA:
                raise ValueError(
                    f"Corpora {owner[name]} and {number} are both named {name!r}, so their "
                    "speakers would be taken for the same: load one of them with name=, or, where "
                    "its CSV file has a column 'corpus', give it another name there."
                )


def _shared(frames: list[pd.DataFrame]) -> set[str]:
    return set.intersection(*(set(frame["emotion"]) for frame in frames))


def _describe(corpora: Sequence[Bunch], dropped: pd.DataFrame) -> str:
    left_out = [
        f"- {row.n_clips} clips of {row.corpus}: {row.emotion}" for row in dropped.itertuples()
    ]
    parts = [f"{len(corpora)} corpora in one."]
    if left_out:
        parts.append("Left out, as not all corpora have the emotion:\n\n" + "\n".join(left_out))
    if any(corpus.get("vote_shares") is not None for corpus in corpora):
        parts.append("Vote shares are left out.")
    return "\n\n".join([*parts, *(corpus.DESCR for corpus in corpora)])
