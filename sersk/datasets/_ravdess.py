"""RAVDESS: 24 actors, eight emotions, spoken and sung.

The corpus: https://doi.org/10.5281/zenodo.1188976

References
----------
S. R. Livingstone and F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song
(RAVDESS)", PLoS ONE 13(5), e0196391, 2018.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import CorpusError, CorpusWarning
from ._base import find_audio_files, load_description, make_corpus_bunch, prefix

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

_EXPECTED = {"speech": 1440, "song": 1012}
# The second take of a pair whose recordings are the same bytes.
_COPIES = frozenset({"03-01-03-01-02-02-07"})


@validate_params(
    {
        "root": [str, os.PathLike],
        "channel": [StrOptions({"speech", "song", "all"})],
        "drop_flawed": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_ravdess(
    root: str | os.PathLike[str],
    *,
    channel: Literal["speech", "song", "all"] = "speech",
    drop_flawed: bool = True,
) -> Bunch:
    """Load the audio-only part of RAVDESS.

    Files are known by their names and found however deep below `root`, with any audio suffix; a
    name that is there twice (copies in circulation nest the whole tree a second time) counts once.
    Nothing is decoded.

    Parameters
    ----------
    root : path-like
        Folder that holds the unpacked archives.

    channel : {"speech", "song", "all"}, default="speech"
        Spoken clips (1440, eight emotions), sung ones (1012, six emotions), or both.

    drop_flawed : bool, default=True
        Leave out ``03-01-03-01-02-02-07``, which is byte for byte ``03-01-03-01-02-01-07``.

    Returns
    -------
    corpus : Bunch
        ``data`` : DataFrame of shape (n_clips, 4)
            Clip table: ``path``, ``speaker``, ``sentence``, ``corpus``.
        ``target`` : ndarray of str of shape (n_clips,)
            Emotions: anger, calm, disgust, fear, happiness, neutral, sadness, surprise.
        ``groups`` : ndarray of str of shape (n_clips,)
            Speakers, ``"ravdess_01"`` to ``"ravdess_24"``.
        ``frame`` : DataFrame
            The clip table, ``emotion``, ``sex``, ``intensity``, ``repetition`` and ``channel``.
        ``target_names`` : list of str
            The emotions that are there, sorted.
        ``DESCR`` : str
            What the corpus is, and its flaws.

    Raises
    ------
    CorpusError
        If `root` is no folder or holds no RAVDESS clip of the wanted channel.

    Warns
    -----
    CorpusWarning
        If clips are missing.

    See Also
    --------
    load_csv : Load a corpus that is described by a CSV file.

    Examples
    --------
    >>> from sersk.datasets import load_ravdess
    >>> corpus = load_ravdess("ravdess")  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (1439, 4)
    """
    wanted = tuple(_EXPECTED) if channel == "all" else (channel,)
    files = find_audio_files(root)
    named = {file.stem: file for file in reversed(files) if _NAME.fullmatch(file.stem)}
    rows = [_describe(file) for _, file in sorted(named.items())]
    rows = [row for row in rows if row["channel"] in wanted]
    if not rows:
        others = ", ".join(file.name for file in files[:3])
        raise CorpusError(
            f"{os.fspath(root)!r} holds no RAVDESS {channel} clip: none of its {len(files)} audio "
            f"files ({others}, ...) is named like 03-0x-05-01-02-01-12.wav, "
            "x being 1 for speech and 2 for song."
        )
    frame = pd.DataFrame(rows)
    _warn_of_missing_clips(frame, wanted)
    if drop_flawed:
        frame = frame[~frame["path"].map(lambda path: Path(path).stem in _COPIES)]
    for column in ("speaker", "sentence"):
        frame[column] = prefix("ravdess", frame[column])
    return make_corpus_bunch(frame, descr=load_description("ravdess"))


def _describe(file: Path) -> dict[str, Any]:
    match = _NAME.fullmatch(file.stem)
    assert match is not None
    return {
        "path": str(file),
        "emotion": _EMOTIONS[match["emotion"]],
        "speaker": match["actor"],
        "sentence": _SENTENCES[match["statement"]],
        "corpus": "ravdess",
        "sex": "male" if int(match["actor"]) % 2 else "female",
        "intensity": _INTENSITIES[match["intensity"]],
        "repetition": int(match["repetition"]),
        "channel": _CHANNELS[match["channel"]],
    }


def _warn_of_missing_clips(frame: pd.DataFrame, channels: tuple[str, ...]) -> None:
    counts = frame["channel"].value_counts()
    for channel in channels:
        found = int(counts.get(channel, 0))
        if found < _EXPECTED[channel]:
            speakers = frame.loc[frame["channel"] == channel, "speaker"].nunique()
            warnings.warn(
                f"RAVDESS {channel} is incomplete: {found} of {_EXPECTED[channel]} clips are "
                f"there, by {speakers} actors.",
                CorpusWarning,
                stacklevel=4,
            )
