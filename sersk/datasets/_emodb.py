"""EMO-DB, the Berlin database: ten speakers, seven emotions, ten sentences.

F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier and B. Weiss, "A database of German emotional
speech", Interspeech 2005, pp. 1517-1520.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._base import load_description
from ._grammar import LOADER_OPTIONS, Corpus, OnIncomplete, finish, scan

_NAME = re.compile(
    r"(?P<speaker>03|08|09|1[0-6])(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])",
    re.IGNORECASE,
)
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_AGES = {
    "03": 31, "08": 34, "09": 21, "10": 32, "11": 26,
    "12": 30, "13": 32, "14": 35, "15": 25, "16": 31,
}  # fmt: skip
_WOMEN = frozenset({"08", "09", "13", "14", "16"})


def _parse(file: Path) -> dict[str, Any] | None:
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return None
    speaker, text, version = match["speaker"], match["text"].lower(), match["version"].lower()
    emotion = match["emotion"].upper()
    return {
        "clip": f"{speaker}{text}{emotion}{version}",
        "emotion": _EMOTIONS[emotion],
        "speaker": speaker,
        "sentence": text,
        "sex": "female" if speaker in _WOMEN else "male",
        "age": _AGES[speaker],
        "take": ord(version) - ord("a") + 1,
    }


EMODB = Corpus(
    name="emodb",
    title="EMO-DB",
    parse=_parse,
    n_clips=535,
    example="03a01Fa.wav",
    licence="see its page",
    url="https://doi.org/10.5281/zenodo.17651657",
    description=load_description("emodb"),
)


@validate_params(LOADER_OPTIONS, prefer_skip_nested_validation=True)
def load_emodb(
    root: str | os.PathLike[str],
    *,
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load EMO-DB, the Berlin database of emotional speech, in German.

    Files are known by their names and found however deep below `root`, with any audio suffix; a
    name that is there twice counts once. Nothing is decoded.

    Parameters
    ----------
    root : path-like
        Folder that holds the unpacked archive.

    emotions : array-like of str, default=None
        Emotions to keep, by the names they have after `rename`. By default all.

    rename : dict of str to str, default=None
        New names of emotions, such as ``{"calm": "neutral"}``.

    drop_flawed : bool, default=True
        Leave out the clips that ``DESCR`` names as flawed.

    on_incomplete : {"warn", "raise", "ignore"}, default="warn"
        What to do if clips are missing.

    Returns
    -------
    corpus : Bunch
        ``data`` : DataFrame of shape (n_clips, 4)
            Clip table: ``path``, ``corpus``, ``speaker``, ``sentence``.
        ``target`` : ndarray of str of shape (n_clips,)
            Emotions: anger, boredom, disgust, fear, happiness, neutral, sadness.
        ``groups`` : ndarray of str of shape (n_clips,)
            Speakers, ``"emodb_03"`` to ``"emodb_16"``.
        ``frame`` : DataFrame
            The clip table and ``emotion``, ``sex``, ``age``, ``take``.
        ``target_names`` : list of str
            The emotions that are there, sorted.
        ``DESCR`` : str
            What the corpus is, and its flaws.

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
    load_ravdess : More speakers, in English.

    Examples
    --------
    >>> from sersk.datasets import load_emodb
    >>> corpus = load_emodb("EMODB")  # doctest: +SKIP
    """
    return finish(
        EMODB,
        scan(EMODB, root),
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )
