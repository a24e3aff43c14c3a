"""From a folder of named files to a corpus: what every loader of a known corpus does.

A corpus is a grammar of file names, a label map and facts; that is what its own module holds. Here
is the rest: find the files, take each clip once, say what is missing, leave out what is flawed,
keep and rename emotions.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import CorpusError, CorpusWarning
from ._base import find_audio_files, make_corpus_bunch, prefix

OnIncomplete = Literal["warn", "raise", "ignore"]

# Constraints of the options that all loaders share.
LOADER_OPTIONS: dict[str, list[Any]] = {
    "root": [str, os.PathLike],
    "emotions": ["array-like", None],
    "rename": [dict, None],
    "drop_flawed": ["boolean"],
    "on_incomplete": [StrOptions({"warn", "raise", "ignore"})],
}

_NAMES_SHOWN = 3
_NEEDED = ("clip", "emotion", "speaker", "sentence")


@dataclass(frozen=True)
class Corpus:
    r"""What is known of a corpus: a grammar of file names, a label map and facts.

    Parameters
    ----------
    name : str
        Short name, which also prefixes speakers and sentences.

    title : str
        As people call it.

    parse : callable
        Reads the path of a file: returns the columns of its row, ``clip`` (the name of the clip,
        whatever the file is called), ``emotion`` (a canonical name), ``speaker`` and ``sentence``
        among them, or None if the file is not one of this corpus.

    n_clips : int
        Clips of the whole corpus, as it is loaded by default, > 0.

    example : str
        A file name, for messages.

    licence : str
        Its licence, in short.

    url : str
        Where it comes from.

    flawed : dict of str to str, default={}
        Clips that are left out by default, and why.

    description : str, default=""
        What it is, for ``DESCR``.

    See Also
    --------
    load_corpus : Load it.
    check_corpus : Check what was loaded.

    Examples
    --------
    >>> import re
    >>> from sersk.datasets import Corpus
    >>> def parse(path):
    ...     match = re.fullmatch(r"(?P<who>[a-z]+)_(?P<what>\d)_(?P<how>happy|sad)", path.stem)
    ...     if match is None:
    ...         return None
    ...     emotion = {"happy": "happiness", "sad": "sadness"}[match["how"]]
    ...     return {
    ...         "clip": path.stem, "emotion": emotion, "speaker": match["who"],
    ...         "sentence": match["what"],
    ...     }
    >>> mine = Corpus(
    ...     name="mine", title="My corpus", parse=parse, n_clips=2, example="ann_1_happy.wav",
    ...     licence="CC BY 4.0", url="https://example.org",
    ... )
    """

    name: str
    title: str
    parse: Callable[[Path], dict[str, Any] | None]
    n_clips: int
    example: str
    licence: str
    url: str
    flawed: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


@validate_params({**LOADER_OPTIONS, "corpus": [Corpus]}, prefer_skip_nested_validation=True)
def load_corpus(
    corpus: Corpus,
    root: str | os.PathLike[str],
    *,
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load a corpus of your own description, as the built-in loaders load theirs.

    Files are found however deep below `root`, with any audio suffix; a clip that is there twice
    counts once. Nothing is decoded.

    Parameters
    ----------
    corpus : Corpus
        Grammar, label map and facts.

    root : path-like
        Folder that holds the recordings.

    emotions : array-like of str, default=None
        Emotions to keep, by the names they have after `rename`. By default all.

    rename : dict of str to str, default=None
        New names of emotions, such as ``{"calm": "neutral"}``.

    drop_flawed : bool, default=True
        Leave out the clips of ``corpus.flawed``.

    on_incomplete : {"warn", "raise", "ignore"}, default="warn"
        What to do if clips are missing.

    Returns
    -------
    bunch : Bunch
        ``data`` (clip table), ``target``, ``groups``, ``frame``, ``target_names`` and ``DESCR``.

    Raises
    ------
    CorpusError
        If `root` is no folder or holds no clip of the corpus; if clips are missing and
        `on_incomplete` is "raise".
    ValueError
        If `emotions` or `rename` name an emotion that is not there.

    Warns
    -----
    CorpusWarning
        If clips are missing and `on_incomplete` is "warn".

    See Also
    --------
    Corpus : Describe it.
    load_csv : Where a table exists already.

    Examples
    --------
    >>> from sersk.datasets import load_corpus
    >>> bunch = load_corpus(mine, "my_recordings")  # doctest: +SKIP
    """
    return finish(
        corpus,
        scan(corpus, root),
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )


def scan(corpus: Corpus, root: str | os.PathLike[str]) -> pd.DataFrame:
    """Find the clips of a corpus, each once.

    Parameters
    ----------
    corpus : Corpus
        The corpus.
    root : path-like
        Folder, however far above the files.

    Returns
    -------
    frame : DataFrame
        One row a clip, sorted by clip: ``path`` and what the names say.

    Raises
    ------
    CorpusError
        If `root` is no folder, holds no clip of the corpus, or Git LFS pointers in their place.
    """
    files = find_audio_files(root)
    rows: dict[str, dict[str, Any]] = {}
    for file in files:
        row = corpus.parse(file)
        if row is None:
            continue
        missing = [column for column in _NEEDED if row.get(column) is None]
        if missing:
            raise CorpusError(
                f"The grammar of {corpus.title} gives no {missing[0]!r} for {file.name}: it must "
                f"tell {', '.join(_NEEDED)}."
            )
        # The files nearest to the root come first: a tree that is nested twice counts once.
        if row["clip"] not in rows:
            rows[row["clip"]] = {"path": str(file), "corpus": corpus.name, **row}
    if not rows:
        raise CorpusError(_nothing_found(corpus, root, files))
    return pd.DataFrame([rows[clip] for clip in sorted(rows)])


def finish(
    corpus: Corpus,
    frame: pd.DataFrame,
    *,
    n_expected: int | None = None,
    emotions: Collection[str] | None,
    rename: Mapping[str, str] | None,
    drop_flawed: bool,
    on_incomplete: OnIncomplete,
) -> Bunch:
    """Turn what was found into the Bunch that a loader returns.

    Parameters
    ----------
    corpus : Corpus
        The corpus.
    frame : DataFrame
        As `scan` returns it, with any further columns.
    n_expected : int, default=None
        Clips that should be there; by default those of the whole corpus.
    emotions : collection of str or None
        Emotions to keep, after renaming.
    rename : dict of str to str or None
        New names of emotions.
    drop_flawed : bool
        Leave out the clips of ``corpus.flawed``.
    on_incomplete : {"warn", "raise", "ignore"}
        What to do if clips are missing.

    Returns
    -------
    bunch : Bunch
        The corpus.
    """
    _check_complete(corpus, frame, n_expected or corpus.n_clips, on_incomplete)
    if drop_flawed:
        frame = frame[~frame["clip"].isin(list(corpus.flawed))]
    frame = frame.drop(columns="clip")
    for column in ("speaker", "sentence"):
        frame[column] = prefix(corpus.name, frame[column])
    frame = select_emotions(frame, emotions, rename)
    return make_corpus_bunch(frame, descr=corpus.description)


def select_emotions(
    frame: pd.DataFrame, emotions: Collection[str] | None, rename: Mapping[str, str] | None
) -> pd.DataFrame:
    """Rename emotions, then keep some.

    Parameters
    ----------
    frame : DataFrame
        With a column ``emotion``.
    emotions : collection of str or None
        What to keep; None for all.
    rename : dict of str to str or None
        Old names to new ones.

    Returns
    -------
    frame : DataFrame
        The rows that are kept.

    Raises
    ------
    ValueError
        If a name is not there, so that a slip of the pen does not pass for an empty class.
    """
    if rename is not None:
        _refuse_unknown("rename", rename, frame)
        frame = frame.assign(emotion=frame["emotion"].replace(dict(rename)))
    if emotions is not None:
        _refuse_unknown("emotions", emotions, frame)
        frame = frame[frame["emotion"].isin(list(emotions))]
    return frame


def _refuse_unknown(parameter: str, names: Collection[str], frame: pd.DataFrame) -> None:
    there = sorted(frame["emotion"].unique())
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ValueError(
            f"{parameter} names {unknown[0]!r}; the emotions here are {', '.join(there)}."
        )


def _check_complete(
    corpus: Corpus, frame: pd.DataFrame, n_expected: int, on_incomplete: OnIncomplete
) -> None:
    if len(frame) >= n_expected or on_incomplete == "ignore":
        return
    message = (
        f"{corpus.title} is incomplete: {len(frame)} of {n_expected} clips are there, by "
        f"{frame['speaker'].nunique()} speakers. Copy or unpack it again, or go on with "
        "on_incomplete='ignore'."
    )
    if on_incomplete == "raise":
        raise CorpusError(message)
    # From a loader, which scikit-learn's validation wraps.
    warnings.warn(message, CorpusWarning, stacklevel=5)


def _nothing_found(corpus: Corpus, root: str | os.PathLike[str], files: list[Path]) -> str:
    """Say what was found, what was expected and, if that can be told, whose files these are."""
    from ._registry import CORPORA

    names = ", ".join(file.name for file in files[:_NAMES_SHOWN])
    message = (
        f"{os.fspath(root)!r} holds no clip of {corpus.title}: none of its {len(files)} audio "
        f"file(s) ({names}{', ...' if len(files) > _NAMES_SHOWN else ''}) is named like "
        f"{corpus.example}."
    )
    for other in CORPORA.values():
        n_theirs = sum(other.parse(file) is not None for file in files)
        if n_theirs:
            message += f" {n_theirs} look like {other.title}: use load_{other.name}."
    return message
