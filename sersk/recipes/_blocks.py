"""What recipes have in common."""

from __future__ import annotations

import os
from typing import Any, Literal

from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.pipeline import Pipeline as Chain

from ..augmentation import WaveformAugmenter
from ..feature_extraction import ClipStore, PerClip
from ..preprocessing import AudioReader, DropUnreadable, PadOrTrim

# What follows the end of a clip.
_PADDINGS = ("mean", "zeros", "masked")


def reader_step(
    sample_rate: int,
    duration: float | None,
    on_error: Literal["raise", "nan"],
    n_jobs: int | None,
) -> tuple[str, AudioReader]:
    """Make the first step of a chain.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    duration : float or None
        Longest part of a clip that is kept, in seconds.
    on_error : {"raise", "nan"}
        What becomes of an unreadable file.
    n_jobs : int or None
        Threads.

    Returns
    -------
    step : tuple of (str, AudioReader)
        Called ``read``.
    """
    reader = AudioReader(
        sample_rate=sample_rate, duration=duration, on_error=on_error, n_jobs=n_jobs
    )
    return "read", reader


def padding_steps(
    padding: str, duration: float | None, sample_rate: int
) -> list[tuple[str, PadOrTrim]]:
    """Make the step that appends silence to short clips, where that is wanted.

    Parameters
    ----------
    padding : {"mean", "zeros", "masked"}
        Only ``"zeros"`` is a matter of waveforms.
    duration : float or None
        Length in seconds that clips are brought to.
    sample_rate : int
        In Hz.

    Returns
    -------
    steps : list of tuple of (str, PadOrTrim)
        One, called ``pad``, or none.

    Raises
    ------
    ValueError
        If `padding` is nothing that is known, or zeros have no end.
    """
    if padding not in _PADDINGS:
        raise ValueError(f"padding={padding!r}: choose one of {', '.join(map(repr, _PADDINGS))}.")
    if padding != "zeros":
        return []
    if duration is None:
        raise ValueError(
            "padding='zeros' fills clips up to duration: give one, such as that of the longest "
            "clip in seconds."
        )
    return [("pad", PadOrTrim(duration=duration, pad="zero", sample_rate=sample_rate))]


def net_pipeline(
    chain: list[tuple[str, Any]],
    net: Any,
    *,
    transforms: list[Any] | None,
    sample_rate: int,
    memory: str | os.PathLike[str] | ClipStore | None,
    random_state: int | None,
    oversample: bool = True,
) -> Pipeline:
    """Put a chain of features and a net into one flat pipeline.

    Parameters
    ----------
    chain : list of tuple of (str, transformer)
        From clips to frames or images.
    net : classifier
        The last step.
    transforms : list of transforms or None
        What copies of training clips are made with. An empty list leaves the place of the step, so
        that it can be filled in later; None leaves it out.
    sample_rate : int
        Sample rate of the clips, in Hz.
    memory : str, path-like, ClipStore or None
        Where the features of clips are kept.
    random_state : int or None
        Seed of the samplers.
    oversample : bool, default=True
        Whether clips of rare emotions are repeated.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted.
    """
    steps: list[tuple[str, Any]] = []
    if oversample:
        # On the clip table, before copies are made: a repeated clip is changed in other ways.
        steps.append(("oversample", RandomOverSampler(random_state=random_state)))
    if transforms is not None:
        augmenter = WaveformAugmenter(
            transforms, sample_rate=sample_rate, random_state=random_state
        )
        steps.append(("augment", augmenter if transforms else "passthrough"))
    steps += [
        ("features", PerClip(Chain(chain), memory=memory)),
        ("drop", DropUnreadable()),
        ("net", net),
    ]
    return Pipeline(steps)
