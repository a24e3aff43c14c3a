"""RAVDESS: 24 actors, eight emotions, spoken and sung.

S. R. Livingstone and F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song
(RAVDESS)", PLoS ONE 13(5), e0196391, 2018.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import CorpusError
from ._base import load_description
from ._grammar import LOADER_OPTIONS, Corpus, OnIncomplete, finish, scan

# modality - vocal channel - emotion - intensity - statement - repetition - actor; 03: audio only.
_NAME = re.compile(
    r"03-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>[0-2][0-9])"
)
_CHANNELS = {"01": "speech", "02": "song"}
_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_SENTENCES = {"01": "kids", "02": "dogs"}
_N_CLIPS = {"speech": 1440, "song": 1012}


def _parse(file: Path) -> dict[str, Any] | None:
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return None
    return {
        "clip": file.stem,
        "emotion": _EMOTIONS[match["emotion"]],
        "speaker": match["actor"],
        "sentence": _SENTENCES[match["statement"]],
        "sex": "male" if int(match["actor"]) % 2 else "female",
        "intensity": _INTENSITIES[match["intensity"]],
        "take": int(match["repetition"]),
        "channel": _CHANNELS[match["channel"]],
    }


RAVDESS = Corpus(
    name="ravdess",
    title="RAVDESS",
    parse=_parse,
    n_clips=_N_CLIPS["speech"],
    example="03-01-05-01-02-01-12.wav",
    licence="CC BY-NC-SA 4.0 (not for commercial use)",
    url="https://doi.org/10.5281/zenodo.1188976",
    flawed={"03-01-03-01-02-02-07": "the same recording as 03-01-03-01-02-01-07"},
    description=load_description("ravdess"),
)


@validate_params(
    {**LOADER_OPTIONS, "channel": [StrOptions({"speech", "song", "all"})]},
    prefer_skip_nested_validation=True,
)
def load_ravdess(
    root: str | os.PathLike[str],
    *,
    channel: Literal["speech", "song", "all"] = "speech",
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load the audio-only part of RAVDESS.

    Files are known by their names and found however deep below `root`, with any audio suffix; a
    name that is there twice (copies in circulation nest the whole tree) counts once. Nothing is
    decoded.

    Parameters
    ----------
    root : path-like
        Folder that holds the unpacked archives.

    channel : {"speech", "song", "all"}, default="speech"
        Spoken clips (1440, eight emotions), sung ones (1012, six emotions), or both.

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
            Emotions: anger, calm, disgust, fear, happiness, neutral, sadness, surprise.
        ``groups`` : ndarray of str of shape (n_clips,)
            Speakers, ``"ravdess_01"`` to ``"ravdess_24"``.
        ``frame`` : DataFrame
            The clip table and ``emotion``, ``sex``, ``intensity``, ``take``, ``channel``.
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
    load_cremad : More speakers, six emotions.

    Examples
    --------
    >>> from sersk.datasets import load_ravdess
    >>> corpus = load_ravdess("RAVDESS", rename={"calm": "neutral"})  # doctest: +SKIP
    """
    frame = scan(RAVDESS, root)
    wanted = tuple(_N_CLIPS) if channel == "all" else (channel,)
    if not frame["channel"].isin(wanted).any():
        other = frame["channel"].iloc[0]
        raise CorpusError(
            f"{os.fspath(root)!r} holds {len(frame)} clips of RAVDESS {other}, none of {channel}: "
            f"use channel={other!r}."
        )
    return finish(
        RAVDESS,
        frame[frame["channel"].isin(wanted)],
        n_expected=sum(_N_CLIPS[name] for name in wanted),
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )
