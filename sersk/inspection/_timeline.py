"""What a model says of one recording, over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from ._base import check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PROBABILITY = "p_"
# Windows at once: an hour needs no more memory than a minute.
_CHUNK = 64


class TimelineDisplay:
    """The probabilities of emotions over the time of one recording.

    It is recommended to use `from_estimator` or `from_predictions` to make one. Each window stands
    at its middle.

    Parameters
    ----------
    starts : ndarray of shape (n_windows,)
        Where each window begins, in seconds.

    stops : ndarray of shape (n_windows,)
        Where it ends, in seconds.

    probabilities : ndarray of shape (n_windows, n_labels)
        In [0, 1].

    labels : sequence of str
        The emotions, one a column.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the probabilities.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : list of matplotlib Line2D
        One an emotion.

    threshold_ : matplotlib Line2D or None
        The line below which a prediction is unsure.

    See Also
    --------
    WaveformDisplay : The recording itself over time.
    SaliencyDisplay : What in a clip made a net say so.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.inspection import TimelineDisplay
    >>> display = TimelineDisplay(
    ...     np.array([0.0, 1.0]), np.array([3.0, 4.0]), np.array([[0.7, 0.3], [0.4, 0.6]]),
    ...     ["anger", "neutral"],
    ... ).plot()
    >>> display.lines_[0].get_xdata().tolist()
    [1.5, 2.5]
    """

    def __init__(
        self,
        starts: NDArray[np.floating],
        stops: NDArray[np.floating],
        probabilities: NDArray[np.floating],
        labels: Sequence[str],
    ) -> None:
        self.starts = starts
        self.stops = stops
        self.probabilities = probabilities
        self.labels = labels

    def plot(
        self,
        ax: Axes | None = None,
        *,
        min_confidence: float | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw the probabilities.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        min_confidence : float, default=None
            Draw a line at this probability, in [0, 1]: what stays below it is unsure.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : TimelineDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If `min_confidence` is not in [0, 1].
        """
        if min_confidence is not None and not 0 <= min_confidence <= 1:
            raise ValueError(f"min_confidence={min_confidence!r} must be in [0, 1], or None.")
        ax = check_axes(ax, figsize=(9.0, 3.0))
        middles = (np.asarray(self.starts) + np.asarray(self.stops)) / 2
        # A single window would be a line without length.
        marker = "o" if len(middles) == 1 else None
        self.lines_ = [
            ax.plot(middles, 100 * values, label=str(label), marker=marker)[0]
            for label, values in zip(self.labels, np.transpose(self.probabilities), strict=True)
        ]
        self.threshold_ = None
        if min_confidence is not None:
            self.threshold_ = ax.axhline(
                100 * min_confidence, color="0.4", linewidth=1.0, linestyle="--"
            )
        ax.set(xlim=(float(np.min(self.starts)), float(np.max(self.stops))), ylim=(0.0, 100.0))
        ax.set(xlabel="Time (s)", ylabel="Probability (%)")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        if title is not None:
            ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        table: pd.DataFrame,
        *,
        min_confidence: float | None = None,
        ax: Axes | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw predictions that were made before.

        Parameters
        ----------
        table : DataFrame
            Rows of one recording, with ``start``, ``stop`` and a column ``p_<emotion>`` for each
            emotion: what :func:`sersk.persistence.predict_recordings` returns, or ``sersk predict``
            wrote as CSV.

        min_confidence : float, default=None
            Draw a line at this probability, in [0, 1]: what stays below it is unsure.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : TimelineDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If the table lacks columns or rows, or has those of several recordings.

        Examples
        --------
        >>> import pandas as pd
        >>> from sersk.inspection import TimelineDisplay
        >>> table = pd.DataFrame({"start": [0.0], "stop": [3.0], "p_anger": [0.7]})
        >>> TimelineDisplay.from_predictions(table).labels
        ['anger']
        """
        columns = [name for name in table.columns if str(name).startswith(_PROBABILITY)]
        if not len(table) or not columns or not {"start", "stop"} <= set(table.columns):
            raise ValueError(
                "A table with rows and the columns start, stop and p_<emotion> is needed; this one "
                f"has {len(table)} rows and {', '.join(map(str, table.columns))}."
            )
        for name in ("path", "file"):
            if name in table.columns and table[name].nunique() > 1:
                raise ValueError(
                    f"One recording is drawn, the table has {table[name].nunique()}: choose one, "
                    f"as in table[table[{name!r}] == ...]."
                )
        table = table.sort_values("start", kind="stable")
        display = cls(
            table["start"].to_numpy(dtype=float),
            table["stop"].to_numpy(dtype=float),
            table[columns].to_numpy(dtype=float),
            [str(name).removeprefix(_PROBABILITY) for name in columns],
        )
        return display.plot(ax, min_confidence=min_confidence, title=title)

    @classmethod
    @validate_params(
        {
            "estimator": [HasMethods(["predict_proba"])],
            "window": [Interval(Real, 0, None, closed="neither")],
            "hop": [Interval(Real, 0, None, closed="neither"), None],
            "min_confidence": [Interval(Real, 0, 1, closed="both"), None],
            "title": [str, None],
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimator(
        cls,
        estimator: Any,
        path: str | os.PathLike[str],
        *,
        window: float = 3.0,
        hop: float | None = None,
        min_confidence: float | None = None,
        ax: Axes | None = None,
        title: str | None = None,
    ) -> Self:
        """Predict a recording window by window, and draw it.

        Parameters
        ----------
        estimator : estimator
            Fitted, from a clip table to emotions, with ``predict_proba``.

        path : path-like
            The recording.

        window : float, default=3.0
            Length of a window, in seconds, > 0.

        hop : float, default=None
            Distance of the beginnings of two windows, in seconds, > 0. By default `window`.

        min_confidence : float, default=None
            Draw a line at this probability, in [0, 1]: what stays below it is unsure.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : TimelineDisplay
            The display, drawn.

        Raises
        ------
        AudioReadError
            If the file cannot be read.
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If `ax` is no Axes.

        Examples
        --------
        >>> import tempfile
        >>> from sersk.datasets import make_emotional_speech, write_corpus
        >>> from sersk.inspection import TimelineDisplay
        >>> from sersk.recipes import gradient_boosting_functionals
        >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
        >>> corpus = write_corpus(corpus, tempfile.mkdtemp())
        >>> model = gradient_boosting_functionals(max_iter=2).fit(corpus.data, corpus.target)
        >>> display = TimelineDisplay.from_estimator(model, corpus.data["path"][0], window=0.5)
        >>> len(display.lines_)
        6
        """
        from ..datasets import make_windows

        check_is_fitted(estimator)
        windows = make_windows([path], length=window, hop=hop)
        probabilities = np.concatenate(
            [
                estimator.predict_proba(windows.iloc[rows])
                for rows in gen_batches(len(windows), _CHUNK)
            ]
        )
        display = cls(
            windows["start"].to_numpy(dtype=float),
            windows["stop"].to_numpy(dtype=float),
            probabilities,
            [str(label) for label in estimator.classes_],
        )
        return display.plot(ax, min_confidence=min_confidence, title=title)
