"""How the recordings of a training were made, and which others are unlike them."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline

from .._utils._clip_table import as_clip_table
from .._utils._decoding import ClipRegion, clip_seconds
from ..exceptions import AudioReadError, OutOfDepthWarning
from ..feature_extraction import PerClip, RecordingStatistics
from ..feature_extraction._recording_statistics import STATISTICS
from ..preprocessing import AudioReader

# Of the training recordings, so that one odd clip of a corpus does not widen the range.
_PERCENTILES = (1.0, 99.0)
# Beyond the range by less than this share of its width is not told: percentiles scatter. Nor by
# less than what makes no difference, of a range that is narrow.
_MARGIN = 0.1
_LEAST_MARGINS = {
    "level": 3.0, "clipped_share": 0.002, "bandwidth": 500.0, "noise_floor": 3.0, "duration": 0.1,
    "pitch": 10.0,
}  # fmt: skip
# Clips of this length have shown how they were recorded; no more is read, however long they are.
_SECONDS_HEARD = 10.0
# Of many clips some are odd by chance: this share of them is no reason for a warning.
_BY_CHANCE = 0.05
_DIGITS = 4
_HIGHEST_PITCH = 500.0


class _Difference(NamedTuple):
    statistic: str
    above: bool
    word: str
    advice: str


_DIFFERENCES = (
    _Difference(
        "level", False, "quiet",
        "record closer, or bring the level of these and of the training recordings to the same "
        "(LevelNormalizer)",
    ),
    _Difference(
        "level", True, "loud",
        "lower the gain of the recording, or bring the level of these and of the training "
        "recordings to the same (LevelNormalizer)",
    ),
    _Difference(
        "clipped_share", True, "clipped",
        "record again with less gain: what was cut off does not come back",
    ),
    _Difference(
        "bandwidth", False, "narrow",
        "record at a higher sample rate, and not by telephone or a codec for it",
    ),
    _Difference(
        "bandwidth", True, "wide",
        "the training recordings have no such high frequencies: low-pass these, or train on such",
    ),
    _Difference(
        "noise_floor", True, "noisy",
        "record closer and in a quieter room, or train with noise (AddNoise, NoiseReducer)",
    ),
    _Difference(
        "noise_floor", False, "silent in the pauses",
        "trim the silence (SilenceTrimmer), and switch noise gates off",
    ),
    _Difference("duration", False, "short", "give longer pieces, such as whole sentences"),
    _Difference("duration", True, "long", "cut them into windows (--window)"),
    _Difference("pitch", False, "low-pitched", "the training had no such voices: train on some"),
    _Difference("pitch", True, "high-pitched", "the training had no such voices: train on some"),
)  # fmt: skip
_UNVOICED = "without a voice"
_ABOUT_UNVOICED = "leave out what is no speech"
UNITS = {
    "level": "dB", "clipped_share": "", "bandwidth": "Hz", "noise_floor": "dB", "duration": "s",
    "pitch": "Hz",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RecordingProfile:
    """How the recordings of a training were made: a range for each statistic.

    The ranges go from the 1st to the 99th percentile of
    :class:`~sersk.feature_extraction.RecordingStatistics` over the training clips. A model knows
    nothing of recordings beyond them, and does not say so.

    Parameters
    ----------
    ranges : dict of str to (float, float)
        By name of the statistic, the lower end and the upper.

    sample_rate : int
        At which recordings are read, in Hz, > 0.

    n_clips : int
        Number of clips that were measured.

    See Also
    --------
    predict_recordings : Warns of recordings that are unlike those of the training.

    Notes
    -----
    A clip is unlike them if a statistic lies outside its range by more than a tenth of the range's
    width, and by more than 3 dB (level, noise floor), 500 Hz (bandwidth), 0.1 s (duration), 10 Hz
    (pitch) or 0.002 (share of clipped samples). More than 10 s of a clip are not listened to. A low
    share of clipped samples is never unlike. That all statistics lie in their ranges does not mean
    that a model is right: language, room, age and a way of speaking leave no trace in them.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.persistence import RecordingProfile
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> profile = RecordingProfile.from_clips(corpus.data)
    >>> profile.compare(0.01 * corpus.data[:2])
    ['quiet', 'quiet']
    """

    ranges: dict[str, tuple[float, float]]
    sample_rate: int
    n_clips: int

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_clips"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"{name}={value!r} of a profile: a whole number above 0 is needed."
                )
        if not isinstance(self.ranges, Mapping):
            raise ValueError(f"ranges={self.ranges!r} of a profile: pairs of numbers are needed.")
        for name, ends in self.ranges.items():
            if name not in STATISTICS:
                raise ValueError(
                    f"A profile has a range of {name!r}; known are {', '.join(STATISTICS)}."
                )
            if not (
                isinstance(ends, list | tuple)
                and len(ends) == 2
                and all(isinstance(end, int | float) and math.isfinite(end) for end in ends)
                and ends[0] <= ends[1]
            ):
                raise ValueError(
                    f"The range of {name} is {ends!r}: two numbers, the lower first, are needed."
                )

    @classmethod
    def from_clips(
        cls,
        clips: Any,
        *,
        sample_rate: int = 16000,
        memory: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Measure the recordings of a training.

        Parameters
        ----------
        clips : clip table, array-like of paths, or array of shape (n_clips, n_samples)
            What a model is trained on. Files that cannot be read are left out.

        sample_rate : int, default=16000
            At which the model reads them, in Hz.

        memory : str or path-like, default=None
            Folder in which the statistics of each clip are kept.

        Returns
        -------
        profile : RecordingProfile
            Of these clips.

        Raises
        ------
        ValueError
            If no clip can be read.
        """
        return cls.from_statistics(measure(clips, sample_rate, memory), sample_rate=sample_rate)

    @classmethod
    def from_statistics(cls, statistics: pd.DataFrame, *, sample_rate: int = 16000) -> Self:
        """Take the ranges of statistics that are there.

        Parameters
        ----------
        statistics : DataFrame of shape (n_clips, 6)
            Of :class:`~sersk.feature_extraction.RecordingStatistics`; rows of clips that could not
            be read are all NaN.

        sample_rate : int, default=16000
            At which they were read, in Hz.

        Returns
        -------
        profile : RecordingProfile
            Of these clips.

        Raises
        ------
        ValueError
            If all rows are NaN.
        """
        statistics = statistics[statistics["level"].notna()]
        if statistics.empty:
            raise ValueError("No clip could be read: there is nothing to make a profile of.")
        ranges = {}
        for name, column in statistics.items():
            if column.notna().any():
                low, high = np.nanpercentile(column, _PERCENTILES)
                ranges[str(name)] = (round(float(low), _DIGITS), round(float(high), _DIGITS))
        return cls(ranges=ranges, sample_rate=int(sample_rate), n_clips=len(statistics))

    def compare(self, clips: Any) -> list[str]:
        """Tell in which way clips are unlike those of the training.

        Parameters
        ----------
        clips : clip table, array-like of paths, or array of shape (n_clips, n_samples)
            The clips.

        Returns
        -------
        unlike : list of str
            Of each clip what it is, such as ``"quiet, narrow"``; empty where it is like them, or
            cannot be read. The words are ``quiet``, ``loud``, ``clipped``, ``narrow``, ``wide``,
            ``noisy``, ``silent in the pauses``, ``short``, ``long``, ``low-pitched``,
            ``high-pitched`` and ``without a voice``.
        """
        return self.compare_statistics(measure(clips, self.sample_rate, None))

    def compare_statistics(self, statistics: pd.DataFrame) -> list[str]:
        """Tell in which way clips are unlike those of the training, from their statistics.

        Parameters
        ----------
        statistics : DataFrame of shape (n_clips, 6)
            Of :class:`~sersk.feature_extraction.RecordingStatistics`.

        Returns
        -------
        unlike : list of str
            As in `compare`.
        """
        words: list[list[str]] = [[] for _ in range(len(statistics))]
        for each in _DIFFERENCES:
            if each.statistic not in self.ranges:
                continue
            for row in np.flatnonzero(self._beyond(statistics[each.statistic].to_numpy(), each)):
                words[row].append(each.word)
        if "pitch" in self.ranges:
            unvoiced = statistics["pitch"].isna() & statistics["level"].notna()
            for row in np.flatnonzero(unvoiced):
                words[row].append(_UNVOICED)
        return [", ".join(of_clip) for of_clip in words]

    def _beyond(self, values: NDArray[np.float64], difference: _Difference) -> NDArray[np.bool_]:
        low, high = self.ranges[difference.statistic]
        margin = max(_MARGIN * (high - low), _LEAST_MARGINS[difference.statistic])
        # NaN lies on neither side.
        beyond = values > high + margin if difference.above else values < low - margin
        return np.asarray(beyond)

    def explain(self, counts: Mapping[str, int], n_clips: int) -> str:
        """Say how many clips are unlike those of the training, and what to do.

        Parameters
        ----------
        counts : mapping of str to int
            By the words of `compare`, the number of clips.

        n_clips : int
            Number of all clips that were compared.

        Returns
        -------
        text : str
            A line a word of which there are more than one in twenty clips; empty if there is none.
        """
        lines = []
        for word, n_unlike in sorted(counts.items(), key=lambda item: -item[1]):
            if n_unlike > _BY_CHANCE * n_clips:
                lines.append(f"  {n_unlike} of {n_clips} {self._describe(word)}")
        if not lines:
            return ""
        return "\n".join(
            ["recordings are unlike those of the training, and predictions less reliable:", *lines]
        )

    def _describe(self, word: str) -> str:
        if word == _UNVOICED:
            return f"{word}: {_ABOUT_UNVOICED}"
        difference = next(each for each in _DIFFERENCES if each.word == word)
        low, high = self.ranges[difference.statistic]
        ends = f"{low:.4g} to {high:.4g} {UNITS[difference.statistic]}".rstrip()
        statistic = difference.statistic.replace("_", " ")
        return f"{word} (training: {statistic} {ends}): {difference.advice}"


def measure(clips: Any, sample_rate: int, memory: Any) -> pd.DataFrame:
    """Compute the statistics of clips, however many and however long, in flat memory.

    Parameters
    ----------
    clips : clip table, array-like of paths, or array of shape (n_clips, n_samples)
        The clips.
    sample_rate : int
        At which they are read, in Hz.
    memory : str, path-like or None
        Folder in which they are kept.

    Returns
    -------
    statistics : DataFrame of shape (n_clips, 6)
        All NaN for what cannot be read.
    """
    statistics = RecordingStatistics(
        sample_rate=sample_rate, fmax=min(_HIGHEST_PITCH, sample_rate / 2)
    )
    table = as_clip_table(clips)
    if table is None:
        return pd.DataFrame(statistics.fit_transform(clips), columns=STATISTICS)
    reader = AudioReader(sample_rate=sample_rate, duration=_SECONDS_HEARD, on_error="nan")
    with warnings.catch_warnings():
        # What cannot be read, or is long, is told of the predictions.
        warnings.simplefilter("ignore")
        values = PerClip(make_pipeline(reader, statistics), memory=memory).fit_transform(clips)
    measured = pd.DataFrame(np.asarray(values, dtype=np.float64), columns=STATISTICS)
    begins = np.where(np.isnan(table.starts), 0.0, table.starts)
    ends = np.where(np.isnan(table.stops), np.inf, table.stops)
    measured["duration"] = [
        _seconds(ClipRegion(path, float(start), float(stop))) if read else np.nan
        for path, start, stop, read in zip(
            table.paths, begins, ends, measured["level"].notna(), strict=True
        )
    ]
    return measured


def _seconds(region: ClipRegion) -> float:
    try:
        return clip_seconds(region)
    except AudioReadError:
        return math.nan


def profile_from_plain(plain: Any) -> RecordingProfile | None:
    """Make a profile of what stands in a card.

    Parameters
    ----------
    plain : object
        A mapping, empty where the training recordings were not measured.

    Returns
    -------
    profile : RecordingProfile or None
        The profile.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"a profile is expected where {type(plain).__name__} stands")
    if not plain:
        return None
    # What a newer sersk measures is left out.
    ranges = plain.get("ranges")
    if isinstance(ranges, Mapping):
        ranges = {
            name: tuple(ends) if isinstance(ends, list) else ends
            for name, ends in ranges.items()
            if name in STATISTICS
        }
    return RecordingProfile(
        ranges=ranges,  # type: ignore[arg-type]
        sample_rate=plain.get("sample_rate"),  # type: ignore[arg-type]
        n_clips=plain.get("n_clips"),  # type: ignore[arg-type]
    )


def profile_to_plain(profile: RecordingProfile | None) -> dict[str, Any]:
    """Give a profile as plain values.

    Parameters
    ----------
    profile : RecordingProfile or None
        The profile.

    Returns
    -------
    plain : dict
        What JSON can hold.
    """
    return {} if profile is None else asdict(profile)


class Comparison:
    """What comes of comparing many clips, a few at a time.

    Parameters
    ----------
    profile : RecordingProfile
        Of the training.
    """

    def __init__(self, profile: RecordingProfile) -> None:
        self.profile = profile
        self.counts: Counter[str] = Counter()
        self.n_clips = 0

    def look_at(self, clips: pd.DataFrame) -> list[str]:
        """Compare some clips, and count.

        Parameters
        ----------
        clips : clip table
            Some of the clips.

        Returns
        -------
        unlike : list of str
            See `RecordingProfile.compare`.
        """
        unlike = self.profile.compare(clips)
        self.n_clips += len(unlike)
        self.counts.update(word for of_clip in unlike for word in of_clip.split(", ") if word)
        return unlike

    def warn(self, stacklevel: int) -> None:
        """Warn if more clips than by chance are unlike those of the training.

        Parameters
        ----------
        stacklevel : int
            Whose line the warning names: 1 is that of the caller.
        """
        text = self.profile.explain(self.counts, self.n_clips)
        if text:
            warnings.warn(text[0].upper() + text[1:], OutOfDepthWarning, stacklevel=stacklevel + 1)
