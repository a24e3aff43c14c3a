"""A folder of folders: each named after the emotion of its recordings."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ..exceptions import CorpusError
from ._base import find_audio_files, make_corpus_bunch, prefix
from ._grammar import LOADER_OPTIONS, select_emotions
from ._labels import canonical_emotion


@validate_params(
    {
        **{name: LOADER_OPTIONS[name] for name in ("root", "emotions", "rename")},
        "speaker_pattern": [str, None],
        "name": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_folder(
    root: str | os.PathLike[str],
    *,
    speaker_pattern: str | None = None,
    name: str | None = None,
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
) -> Bunch:
    """Load recordings of your own, a folder an emotion.

    Parameters
    ----------
    root : path-like
        Folder with a folder for each emotion; recordings may lie deeper in these. Usual names are
        made canonical (``"Happy"`` becomes ``"happiness"``), others stay.

    speaker_pattern : str, default=None
        Regular expression that finds the speaker in the path below the emotion's folder: its first
        group, or all of it. ``r"^([^_]+)_"`` takes what stands before the first underscore. Without
        it nothing is known of the speakers, and no evaluation on strangers is possible.

    name : str, default=None
        Name of the corpus. By default that of the folder.

    emotions : array-like of str, default=None
        Emotions to keep, by the names they have after `rename`. By default all.

    rename : dict of str to str, default=None
        New names of emotions, such as ``{"calm": "neutral"}``.

    Returns
    -------
    corpus : Bunch
        ``data`` (clip table), ``target``, ``groups`` (None without `speaker_pattern`), ``frame``,
        ``target_names`` and ``DESCR``, as `load_csv` returns them.

    Raises
    ------
    CorpusError
        If `root` is no folder, holds no recording in a folder of its own, or `speaker_pattern` is
        not found in a name.
    ValueError
        If `emotions` or `rename` name an emotion that is not there.

    See Also
    --------
    load_csv : Where a table tells more than names of folders do.

    Examples
    --------
    >>> from sersk.datasets import load_folder
    >>> corpus = load_folder("my_voice", speaker_pattern=r"^([^_]+)_")  # doctest: +SKIP
    """
    root = Path(root).expanduser().absolute()
    name = name or root.name
    files = [file for file in find_audio_files(root) if file.parent != root]
    if not files:
        raise CorpusError(
            f"The recordings lie in {str(root)!r} itself; there must be a folder in it for each "
            "emotion, and the recordings in these."
        )
    below = [file.relative_to(root) for file in files]
    frame = pd.DataFrame(
        {
            "path": [str(file) for file in files],
            "emotion": [canonical_emotion(path.parts[0]) for path in below],
            "corpus": name,
        }
    )
    if speaker_pattern is not None:
        speakers = [_speaker(speaker_pattern, Path(*path.parts[1:])) for path in below]
        frame["speaker"] = prefix(name, pd.Series(speakers, name="speaker"))
    frame = select_emotions(frame.sort_values("path"), emotions, rename)
    return make_corpus_bunch(frame, descr=f"Recordings below the folder {root.name}.")


def _speaker(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.as_posix())
    if match is None or match[1 if match.groups() else 0] is None:
        raise CorpusError(f"speaker_pattern={pattern!r} is not found in {path.as_posix()!r}.")
    return match[1] if match.groups() else match[0]
