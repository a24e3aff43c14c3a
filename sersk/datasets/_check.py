"""Does a corpus keep the contract? For loaders of your own, and for ours."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ..exceptions import CorpusError
from ._labels import EMOTIONS, canonical_emotion

_CHUNK = 2**20


@validate_params({"corpus": [Bunch]}, prefer_skip_nested_validation=True)
def check_corpus(corpus: Bunch) -> None:
    """Check that a corpus is what every part of this package takes it for.

    Parameters
    ----------
    corpus : Bunch
        As a loader returns it.

    Raises
    ------
    CorpusError
        If an entry is missing, lengths or rows do not agree, an emotion has a usual name in place
        of its canonical one, a speaker or sentence lacks the prefix of its corpus, a file is not
        there, or a clip stands in it twice. The message says which.

    See Also
    --------
    find_copies : Recordings that are the same bytes.

    Examples
    --------
    >>> from sersk.datasets import check_corpus, make_emotional_speech
    >>> check_corpus(make_emotional_speech(n_speakers=1, n_sentences=1, random_state=0))
    """
    for entry in ("data", "target", "groups", "frame", "target_names", "DESCR"):
        _demand(entry in corpus, f"it has no entry {entry!r}")
    frame, n_clips = corpus.frame, len(corpus.frame)
    _demand(n_clips > 0, "it holds no clip")
    _demand(
        len(corpus.data) == len(corpus.target) == n_clips,
        f"data, target and frame have {len(corpus.data)}, {len(corpus.target)} and {n_clips} rows",
    )
    _demand(frame.index.equals(pd.RangeIndex(n_clips)), "the index of frame is not 0, 1, 2, ...")
    for column in ("emotion", "corpus"):
        _demand(column in frame.columns, f"frame has no column {column!r}")
    _demand(list(frame["emotion"]) == list(corpus.target), "target is not frame['emotion']")
    unnamed = [name for name in corpus.target if not isinstance(name, str)]
    _demand(not unnamed, f"an emotion is {unnamed[:1]}, not a text")
    _demand(
        list(corpus.target_names) == sorted(set(corpus.target)),
        "target_names are not the sorted emotions of target",
    )
    for emotion in corpus.target_names:
        name = canonical_emotion(emotion)
        _demand(name == emotion, f"emotion {emotion!r} should be {name!r}; known are {EMOTIONS}")
    for column in {"speaker", "sentence"} & set(frame.columns):
        known = frame[frame[column].notna()]
        bare = [
            name
            for name, owner in zip(known[column], known["corpus"], strict=True)
            if not str(name).startswith(f"{owner}_")
        ]
        _demand(not bare, f"{column} {bare[:1]} does not begin with the name of its corpus")
    _demand(bool(corpus.DESCR.strip()), "DESCR is empty")
    if "speaker" in frame.columns:
        groups = [] if corpus.groups is None else list(corpus.groups)
        _demand(groups == list(frame["speaker"]), "groups is not frame['speaker']")
    else:
        _demand(corpus.groups is None, "groups are given, but frame has no column 'speaker'")
    shares = corpus.get("vote_shares")
    _demand(
        shares is None or shares.index.equals(frame.index),
        "the rows of vote_shares are not those of frame",
    )
    if "path" in frame.columns:
        _check_clips(corpus)


def _check_clips(corpus: Bunch) -> None:
    absent = [path for path in corpus.frame["path"] if not Path(path).is_file()]
    _demand(not absent, f"{len(absent)} files are not there, such as {absent[:1]}")
    for column in corpus.data.columns:
        _demand(
            column in corpus.frame and corpus.data[column].equals(corpus.frame[column]),
            f"data and frame differ in {column}",
        )
    region = [name for name in ("path", "start", "stop") if name in corpus.data.columns]
    twice = corpus.data.duplicated(region)
    _demand(not twice.any(), f"{corpus.data['path'][twice].tolist()[:1]} stands in it twice")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CorpusError(f"The corpus does not keep the contract: {otherwise}.")


@validate_params({"corpus": [Bunch]}, prefer_skip_nested_validation=True)
def find_copies(corpus: Bunch) -> pd.DataFrame:
    """Find recordings that are the same bytes, and those of them with several emotions.

    A copy on both sides of a split is a leak; a copy with another emotion is a label that is wrong.

    Parameters
    ----------
    corpus : Bunch
        As a loader returns it, of files that are there.

    Returns
    -------
    copies : DataFrame with columns ``copy``, ``path``, ``emotion``, ``speaker``, ``conflict``
        Only the files that have a copy: ``copy`` numbers the groups of equal files, ``conflict``
        tells whether their emotions differ. ``speaker`` where known.

    Raises
    ------
    CorpusError
        If the corpus holds waveforms in place of files.

    See Also
    --------
    check_corpus : Everything else that can be wrong.

    Notes
    -----
    Files of equal size alone are read, and compared by SHA-256.

    Examples
    --------
    >>> from sersk.datasets import find_copies, load_cremad
    >>> corpus = load_cremad("CREMA-D", drop_flawed=False)  # doctest: +SKIP
    >>> find_copies(corpus)  # doctest: +SKIP
    """
    if "path" not in corpus.frame.columns:
        raise CorpusError("find_copies compares files; this corpus holds waveforms.")
    columns = [name for name in ("path", "emotion", "speaker") if name in corpus.frame.columns]
    clips = corpus.frame[columns].drop_duplicates("path")
    sizes = clips["path"].map(lambda path: Path(path).stat().st_size)
    clips = clips[sizes.duplicated(keep=False)]
    digests = clips["path"].map(_digest)
    clips = clips[digests.duplicated(keep=False)]
    digests = digests[clips.index]
    copies: pd.DataFrame = clips.assign(
        copy=np.unique(digests.to_numpy(dtype=str), return_inverse=True)[1],
        conflict=clips.groupby(digests)["emotion"].transform("nunique") > 1,
    )
    order = ["copy", *columns, "conflict"]
    copies = copies.sort_values(["copy", "path"])[order]
    return copies.reset_index(drop=True)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
