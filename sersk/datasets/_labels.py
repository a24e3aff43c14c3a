"""One name for each emotion, whatever a corpus calls it."""

from __future__ import annotations

EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

_OTHER_NAMES = {
    "angry": "anger",
    "ang": "anger",
    "bored": "boredom",
    "disgusted": "disgust",
    "dis": "disgust",
    "fearful": "fear",
    "fea": "fear",
    "afraid": "fear",
    "happy": "happiness",
    "hap": "happiness",
    "joy": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
    "pleasant surprise": "surprise",
    "pleasant_surprise": "surprise",
    "ps": "surprise",
}


def canonical_emotion(label: str) -> str:
    """Give the canonical name of an emotion; a label that is none stays as it is.

    Parameters
    ----------
    label : str
        A label as corpora and people write it, such as ``"Happy"`` or ``"pleasant_surprise"``.

    Returns
    -------
    emotion : str
        One of `EMOTIONS` where the label is known, else the label without surrounding blanks.
    """
    label = label.strip()
    name = label.lower()
    return name if name in EMOTIONS else _OTHER_NAMES.get(name, label)
