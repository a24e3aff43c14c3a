"""A corpus at a glance: how many clips of which emotion, by whom, how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ._base import check_axes_of_panels
from ._corpus_panels import draw_bars, draw_counts, draw_durations

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COUNTED = ("emotion", "speaker", "sex", "sentence")
_UNKNOWN = "unknown"

# Of a new figure, in inches.
_WIDTH = 10.0


class CorpusDisplay:
    """Counts and durations of a corpus.

    It is recommended to use `from_corpus` to make one. There are up to four panels: clips by
    emotion, split by sex where that is known; durations by emotion, as a line from the shortest to
    the longest clip, a box from the first to the third quartile and a dot at the median; clips by
    emotion and speaker; clips by emotion and sentence. A gap in one of the latter two is what keeps
    a protocol from being balanced. Panels without a table are left out.

    Parameters
    ----------
    emotion_counts : DataFrame of shape (n_emotions, n_sexes), default=None
        Clips by emotion and sex, or one column ``"clips"``.

    speaker_counts : DataFrame of shape (n_speakers, n_emotions), default=None
        Clips by speaker and emotion.

    sentence_counts : DataFrame of shape (n_sentences, n_emotions), default=None
        Clips by sentence and emotion.

    durations : DataFrame of shape (n_emotions, 6), default=None
        Columns ``count``, ``min``, ``25%``, ``50%``, ``75%`` and ``max``, in seconds but for the
        first.

    Attributes
    ----------
    panels : list of str
        Which panels there are, in the order in which axes are taken: "emotions", "durations",
        "speakers", "sentences".

    axes_ : ndarray of shape (n_panels,)
        Axes of the panels.

    figure_ : matplotlib Figure
        Figure that holds them.

    See Also
    --------
    sersk.model_selection.ProtocolSplit : Splits that keep speakers or sentences apart.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.inspection import CorpusDisplay
    >>> corpus = make_emotional_speech(
    ...     n_speakers=2, n_sentences=1, emotions=("anger", "neutral"), random_state=0
    ... )
    >>> display = CorpusDisplay.from_corpus(corpus)
    >>> display.emotion_counts
    sex      female  male
    emotion
    anger         2     2
    neutral       2     2
    """

    def __init__(
        self,
        *,
        emotion_counts: pd.DataFrame | None = None,
        speaker_counts: pd.DataFrame | None = None,
        sentence_counts: pd.DataFrame | None = None,
        durations: pd.DataFrame | None = None,
    ) -> None:
        self.emotion_counts = emotion_counts
        self.speaker_counts = speaker_counts
        self.sentence_counts = sentence_counts
        self.durations = durations

    @property
    def panels(self) -> list[str]:
        """Which panels there are, in the order in which axes are taken."""
        tables = {
            "emotions": self.emotion_counts,
            "durations": self.durations,
            "speakers": self.speaker_counts,
            "sentences": self.sentence_counts,
        }
        return [name for name, table in tables.items() if table is not None]

    def plot(self, axes: Axes | Sequence[Axes] | None = None, *, cmap: Any = "Blues") -> Self:
        """Draw the panels.

        Parameters
        ----------
        axes : matplotlib Axes or array-like of them, of shape (n_panels,), default=None
            Where to draw, one for each of `panels`. By default in a new figure.

        cmap : str or matplotlib Colormap, default="Blues"
            Colours of the tables of counts.

        Returns
        -------
        display : CorpusDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there are not as many axes as panels, or no panel.
        """
        panels = self.panels
        if not panels:
            raise ValueError("There is nothing to draw: the display was given no table.")
        self.axes_ = (
            self._new_axes()
            if axes is None
            else check_axes_of_panels(axes, panels, " Fewer panels: shorten by=.")
        )
        for panel, ax in zip(panels, self.axes_, strict=True):
            if panel == "emotions":
                assert self.emotion_counts is not None
                draw_bars(ax, self.emotion_counts)
            elif panel == "durations":
                assert self.durations is not None
                draw_durations(ax, self.durations)
                # In a figure of our own they stand beside the bars, which name the emotions.
                ax.tick_params(labelleft=axes is not None or self.emotion_counts is None)
            else:
                counts = self.speaker_counts if panel == "speakers" else self.sentence_counts
                assert counts is not None
                draw_counts(ax, counts, panel[:-1], cmap)
        self.figure_: Figure = self.axes_[0].figure
        return self

    def _new_axes(self) -> np.ndarray[Any, Any]:
        """Make a figure: emotions beside durations, below them a row for each table of counts."""
        import matplotlib.pyplot as plt

        panels = self.panels
        beside = [panel for panel in panels if panel in ("emotions", "durations")]
        below = [panel for panel in panels if panel not in beside]
        columns = max(1, len(beside))
        mosaic: list[Any] = [beside] * bool(beside) + [[panel] * columns for panel in below]
        heights = [1.1 + 0.34 * self._n_emotions()] * bool(beside)
        heights += [1.3 + 0.28 * self._n_emotions()] * len(below)
        _, named = plt.subplot_mosaic(
            mosaic,
            figsize=(_WIDTH, sum(heights)),
            height_ratios=heights,
            layout="constrained",
        )
        return np.array([named[panel] for panel in panels], dtype=object)

    def _n_emotions(self) -> int:
        by_row = [
            len(table) for table in (self.emotion_counts, self.durations) if table is not None
        ]
        by_column = [
            table.shape[1]
            for table in (self.speaker_counts, self.sentence_counts)
            if table is not None
        ]
        return max(by_row + by_column)

    @classmethod
    def from_corpus(
        cls,
        bunch: Bunch | pd.DataFrame,
        *,
        by: Sequence[str] = _COUNTED,
        axes: Axes | Sequence[Axes] | None = None,
        cmap: Any = "Blues",
    ) -> Self:
        """Count the clips of a corpus and draw the counts.

        Parameters
        ----------
        bunch : Bunch or DataFrame
            A corpus: its ``frame`` is used, and its ``target`` as the emotions. Or such a frame
            with a column ``emotion``. Columns ``speaker``, ``sex``, ``sentence`` and ``duration``
            (seconds) are used where they are there and hold anything; an empty cell counts as
            "unknown", an empty duration not at all.

        by : sequence of {"emotion", "speaker", "sex", "sentence"}, \
                default=("emotion", "speaker", "sex", "sentence")
            What is counted. "emotion" are the bars, which "sex" splits; "speaker" and "sentence"
            are tables with the emotions. Columns that the corpus lacks are passed over.

        axes : matplotlib Axes or array-like of them, of shape (n_panels,), default=None
            Where to draw, one for each panel. By default in a new figure.

        cmap : str or matplotlib Colormap, default="Blues"
            Colours of the tables of counts.

        Returns
        -------
        display : CorpusDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `bunch` is no corpus.
        ValueError
            If it has no clip or no emotions, if `by` names something else, if nothing remains to
            count, or if there are not as many axes as panels.

        Examples
        --------
        >>> import pandas as pd
        >>> from sersk.inspection import CorpusDisplay
        >>> frame = pd.DataFrame({"emotion": ["anger", "fear", "fear"], "speaker": list("aab")})
        >>> display = CorpusDisplay.from_corpus(frame)
        >>> display.panels
        ['emotions', 'speakers']
        >>> display.speaker_counts
        emotion  anger  fear
        speaker
        a            1     1
        b            0     1
        """
        by = _check_by(by)
        frame = _as_frame(bunch)
        known = [name for name in by if name in frame.columns]
        display = cls(
            emotion_counts=(
                _count(frame, "emotion", "sex" if "sex" in known else None)
                if "emotion" in known
                else None
            ),
            speaker_counts=_count(frame, "speaker", "emotion") if "speaker" in known else None,
            sentence_counts=_count(frame, "sentence", "emotion") if "sentence" in known else None,
            durations=_summarise_durations(frame) if "duration" in frame.columns else None,
        )
        if not display.panels:
            raise ValueError(
                f"by={by!r} leaves nothing to show: the corpus has "
                f"{', '.join(map(repr, frame.columns))}, and 'sex' only splits the bars of "
                "'emotion'."
            )
        display.plot(axes, cmap=cmap)
        if axes is None:
            display.figure_.suptitle(_headline(frame))
        return display


def _check_by(by: Sequence[str]) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by)
    for name in names:
        if name not in _COUNTED:
            raise ValueError(
                f"by holds {name!r}, which is not counted: choose from "
                f"{', '.join(map(repr, _COUNTED))}."
            )
    return names


def _as_frame(bunch: Any) -> pd.DataFrame:
    """Return the columns that are used, without empty ones; each cell of a name filled."""
    # A copy of a Bunch is a dict.
    corpus = bunch if isinstance(bunch, Mapping) else {"frame": bunch}
    frame, target = corpus.get("frame"), corpus.get("target")
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            "bunch must be a corpus, as the loaders of sersk.datasets return it, or its frame, "
            f"got {type(bunch).__name__}."
        )
    if target is not None:
        if len(target) != len(frame):
            raise ValueError(
                f"The corpus has {len(frame)} rows in frame but {len(target)} in target: "
                "take the same rows of both."
            )
        frame = frame.assign(emotion=np.asarray(target))
    if not len(frame):
        raise ValueError("The corpus has no clip.")
    if "emotion" not in frame.columns:
        raise ValueError(
            "The frame has no column 'emotion', only "
            f"{', '.join(map(repr, frame.columns))}. Rename the one that holds the emotions."
        )
    used = [name for name in (*_COUNTED, "duration") if name in frame.columns]
    frame = frame[used].dropna(axis="columns", how="all").reset_index(drop=True)
    for name in frame.columns.intersection(list(_COUNTED)):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), _UNKNOWN).astype(str)
    return frame


def _count(frame: pd.DataFrame, rows: str, columns: str | None) -> pd.DataFrame:
    if columns is None:
        return frame[rows].value_counts().sort_index().to_frame("clips")
    return pd.crosstab(frame[rows], frame[columns])


def _summarise_durations(frame: pd.DataFrame) -> pd.DataFrame:
    seconds = frame["duration"].astype(float)
    summary = seconds.groupby(frame["emotion"]).describe()
    return summary[["count", "min", "25%", "50%", "75%", "max"]].astype({"count": int})


def _headline(frame: pd.DataFrame) -> str:
    parts = [f"{len(frame)} clips"]
    for name in ("emotion", "speaker", "sentence"):
        if name in frame.columns:
            n = frame[name].nunique()
            parts.append(f"{n} {name}{'s' * (n != 1)}")
    return ", ".join(parts)
