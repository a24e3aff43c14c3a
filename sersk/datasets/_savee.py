"""SAVEE: four men, seven emotions.

S. Haq and P. J. B. Jackson, "Multimodal emotion recognition", in W. Wang (ed.), Machine Audition:
Principles, Algorithms and Systems, IGI Global, 2010, pp. 398-423.
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

# Flat (DC_a01.wav), or in a folder a speaker (DC/a01.wav). Two letters stand before one.
_FLAT = re.compile(
    r"(?P<speaker>DC|JE|JK|KL)_(?P<name>(?P<emotion>sa|su|[adfhn])(?P<number>\d\d))", re.IGNORECASE
)
_NESTED = re.compile(
    r"(?P<speaker>DC|JE|JK|KL)/(?P<name>(?P<emotion>sa|su|[adfhn])(?P<number>\d\d))", re.IGNORECASE
)
_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
# Sentences 1 to 3 of each emotion are the same for all emotions, the others are numbered anew; the
# neutral clips from 16 on repeat sentences of the others. See DESCR for how that was found.
_N_COMMON = 3
_NEUTRAL_REPEATS = {
    **{15 + number: f"common_{number:02d}" for number in (1, 2, 3)},
    **{
        first + number: f"{emotion}_{number:02d}"
        for first, emotion in (
            (15, "anger"),
            (17, "disgust"),
            (19, "fear"),
            (21, "surprise"),
            (23, "sadness"),
            (25, "happiness"),
        )
        for number in (4, 5)
    },
}


def _parse(file: Path) -> dict[str, Any] | None:
    match = _FLAT.fullmatch(file.stem) or _NESTED.fullmatch(f"{file.parent.name}/{file.stem}")
    if match is None:
        return None
    number, emotion = int(match["number"]), _EMOTIONS[match["emotion"].lower()]
    speaker = match["speaker"].upper()
    return {
        "clip": f"{speaker}_{match['name'].lower()}",
        "emotion": emotion,
        "speaker": speaker,
        "sentence": _sentence(emotion, number),
        "sex": "male",
    }


def _sentence(emotion: str, number: int) -> str:
    if emotion == "neutral" and number in _NEUTRAL_REPEATS:
        return _NEUTRAL_REPEATS[number]
    return f"{'common' if number <= _N_COMMON else emotion}_{number:02d}"


SAVEE = Corpus(
    name="savee",
    title="SAVEE",
    parse=_parse,
    n_clips=480,
    example="DC_a01.wav or DC/a01.wav",
    licence="research only, by registration",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    description=load_description("savee"),
)


@validate_params(LOADER_OPTIONS, prefer_skip_nested_validation=True)
def load_savee(
    root: str | os.PathLike[str],
    *,
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load SAVEE, the Surrey audio-visual expressed emotion database.

    Files are known by their names, with or without the folder of the speaker, and found however
    deep below `root`, with any audio suffix; a clip that is there twice counts once. Nothing is
    decoded. The corpus is handed out to those who register at its page; there is no download.

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
            Speakers, ``"savee_DC"``, ``"savee_JE"``, ``"savee_JK"``, ``"savee_KL"``.
        ``frame`` : DataFrame
            The clip table and ``emotion``, ``sex``.
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

    Notes
    -----
    The release numbers sentences anew for each emotion. Here the same words have the same name:
    numbers 1 to 3 are ``"savee_common_01"`` and so on in all emotions, any other number is a
    sentence of its emotion, ``"savee_anger_04"``, and the neutral clips 16 to 30 repeat sentences
    of the others. ``DESCR`` says how that was found.

    Examples
    --------
    >>> from sersk.datasets import load_savee
    >>> corpus = load_savee("SAVEE")  # doctest: +SKIP
    """
    return finish(
        SAVEE,
        scan(SAVEE, root),
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )
