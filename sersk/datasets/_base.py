"""What all corpora share: finding the files, naming the columns, building the Bunch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._utils._decoding import is_lfs_pointer
from ..exceptions import CorpusError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au"})

# The columns of a frame that say which sound, and by whom: they make the clip table.
CLIP_COLUMNS = ("path", "start", "stop", "speaker", "sentence", "corpus")


def make_corpus_bunch(frame: pd.DataFrame, *, descr: str, data: Any = None, **extra: Any) -> Bunch:
    """Build the Bunch that every corpus is handed out as.

    Parameters
    ----------
    frame : DataFrame
        All metadata, one row a clip: ``emotion``, ``corpus`` and, where known, ``speaker``,
        ``sentence`` and more; ``path`` where there are files.
    descr : str
        Description of the corpus.
    data : array of shape (n_clips, n_samples), default=None
        Waveforms; by default the clip table, taken from `frame`.
    **extra : object
        Further entries.

    Returns
    -------
    bunch : Bunch
        With ``data``, ``target``, ``groups`` (None without speakers), ``frame``, ``target_names``,
        ``DESCR`` and `extra`.
    """
    frame = frame.reset_index(drop=True)
    if data is None:
        data = frame[[column for column in CLIP_COLUMNS if column in frame.columns]].copy()
    target = frame["emotion"].to_numpy(dtype=str)
    groups = frame["speaker"].to_numpy(dtype=str) if "speaker" in frame.columns else None
    return Bunch(
        data=data,
        target=target,
        groups=groups,
        frame=frame,
        target_names=[str(name) for name in np.unique(target)],
        DESCR=descr,
        **extra,
    )


def load_description(name: str) -> str:
    """Read the description of a corpus that comes with the package.

    Parameters
    ----------
    name : str
        Name of a file in ``descr/``, without suffix.

    Returns
    -------
    text : str
        reStructuredText.
    """
    return (resources.files(__package__) / "descr" / f"{name}.rst").read_text(encoding="utf-8")


def prefix(corpus: str, names: pd.Series) -> pd.Series:
    """Put the name of the corpus before names of speakers or sentences, once.

    Speaker 1 of one corpus is not speaker 1 of another: only with the prefix may they be merged.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    names : Series of str
        Names that are unique within the corpus.

    Returns
    -------
    prefixed : Series of str
        ``"corpus_name"``.

    Raises
    ------
    CorpusError
        If two names become one.
    """
    names = names.astype(str)
    prefixed = names.where(names.str.startswith(f"{corpus}_"), f"{corpus}_" + names)
    if prefixed.nunique() < names.nunique():
        raise CorpusError(
            f"Corpus {corpus!r} has a {names.name} with and without the prefix '{corpus}_': are "
            "they the same? Rename one."
        )
    return prefixed


def find_audio_files(root: str | os.PathLike[str]) -> list[Path]:
    """List the audio files below a folder, the ones nearest to it first.

    Parameters
    ----------
    root : path-like
        The folder. Links to folders are not followed, hidden files and folders are passed over.

    Returns
    -------
    files : list of Path
        Sorted by depth, then by name.

    Raises
    ------
    CorpusError
        If there is no such folder, or no audio file in it.
    """
    # Absolute: a table of these paths is true wherever it is written.
    root = Path(root).expanduser().absolute()
    if not root.exists():
        raise CorpusError(
            f"There is no folder {str(root)!r}: give the folder that holds the corpus."
        )
    if not root.is_dir():
        raise CorpusError(
            f"{str(root)!r} is a file: give the folder that holds the corpus, unpacked."
        )
    files = sorted(walk_audio_files(root), key=lambda file: (len(file.parts), str(file)))
    if not files:
        raise CorpusError(
            f"{str(root)!r} holds no audio file ({', '.join(sorted(AUDIO_SUFFIXES))}), "
            "nor does any folder in it. Is the archive unpacked there? (Links to folders are not "
            "followed.)"
        )
    _refuse_lfs_pointers(root, files)
    return files


def _refuse_lfs_pointers(root: Path, files: list[Path]) -> None:
    """Say at once that a clone without Git LFS holds names but no sound."""
    pointers = [file for file in files if is_lfs_pointer(file)]
    if pointers:
        raise CorpusError(
            f"{len(pointers)} of {len(files)} audio files in {str(root)!r} are Git LFS pointers, "
            f"small texts that stand for recordings ({pointers[0].name}). Run 'git lfs pull' in "
            "the clone, or download the recordings: a zip of the repository has pointers, too."
        )


def walk_audio_files(root: str | os.PathLike[str]) -> Iterator[Path]:
    """Find the audio files below a folder.

    Parameters
    ----------
    root : path-like
        The folder. Links to folders are not followed, hidden files and folders are passed over.

    Yields
    ------
    file : Path
        As the system lists them.
    """
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                yield Path(folder, name)
