"""TESS: two women, seven emotions, 200 words in one carrier phrase.

M. K. Pichora-Fuller and K. Dupuis, "Toronto emotional speech set (TESS)", Scholars Portal
Dataverse, 2020, https://doi.org/10.5683/SP2/E8H2MF
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

# One file of the older speaker is called OA_bite_neutral.
_NAME = re.compile(
    r"(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)",
    re.IGNORECASE,
)
_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",  # pleasant surprise
    "sad": "sadness",
}
_AGES = {"OAF": 64, "YAF": 26}


def _parse(file: Path) -> dict[str, Any] | None:
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return None
    speaker = "YAF" if match["speaker"].upper() == "YAF" else "OAF"
    word, emotion = match["word"].lower(), match["emotion"].lower()
    return {
        "clip": f"{speaker}_{word}_{emotion}",
        "emotion": _EMOTIONS[emotion],
        "speaker": speaker,
        "sentence": word,
        "sex": "female",
        "age": _AGES[speaker],
    }


TESS = Corpus(
    name="tess",
    title="TESS",
    parse=_parse,
    n_clips=2800,
    example="OAF_back_angry.wav",
    licence="CC BY-NC-ND 4.0 (not for commercial use)",
    url="https://doi.org/10.5683/SP2/E8H2MF",
    description=load_description("tess"),
)


@validate_params(LOADER_OPTIONS, prefer_skip_nested_validation=True)
def load_tess(
    root: str | os.PathLike[str],
    *,
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load TESS, the Toronto emotional speech set.

    Files are known by their names and found however deep below `root`, with any audio suffix; a
    name that is there twice counts once. Nothing is decoded. With two speakers a
    speaker-independent test has two folds, each trained on one voice: it says little.

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
            Emotions: anger, disgust, fear, happiness, neutral, sadness, surprise.
        ``groups`` : ndarray of str of shape (n_clips,)
            Speakers, ``"tess_OAF"`` and ``"tess_YAF"``.
        ``frame`` : DataFrame
            The clip table and ``emotion``, ``sex``, ``age``.
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
    load_ravdess : More speakers.

    Examples
    --------
    >>> from sersk.datasets import load_tess
    >>> corpus = load_tess("TESS")  # doctest: +SKIP
    """
    return finish(
        TESS,
        scan(TESS, root),
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )
