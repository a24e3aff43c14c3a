"""A clip over time."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, validate_params

from ._base import check_axes, read_one_clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class WaveformDisplay:
    """The waveform of one clip.

    It is recommended to use `from_clip` to make one. A clip that has more samples than the picture
    has room for is shown by its envelope: the lowest and the highest sample of each of many short
    blocks. No peak is lost, and an hour is drawn as quickly as a second.

    Parameters
    ----------
    times : ndarray of shape (n_points,)
        Seconds from the beginning of the clip: the samples, or the middles of the blocks.

    low : ndarray of shape (n_points,)
        Lowest sample of each block.

    high : ndarray of shape (n_points,)
        Highest sample of each block; equal to `low` where each block is one sample.

    duration : float
        Length of the clip, in seconds.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the waveform.

    figure_ : matplotlib Figure
        Figure that holds them.

    line_ : matplotlib Line2D or None
        The samples; None for an envelope.

    envelope_ : matplotlib PolyCollection or None
        The area between lowest and highest samples; None where the samples are drawn.

    See Also
    --------
    SpectrogramDisplay : The same clip over time and frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.inspection import WaveformDisplay
    >>> tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(32000) / 16000)
    >>> display = WaveformDisplay.from_clip(tone, title="Two seconds of 220 Hz")
    >>> display.duration, display.times.shape
    (2.0, (2000,))
    """

    def __init__(
        self,
        times: NDArray[np.floating],
        low: NDArray[np.floating],
        high: NDArray[np.floating],
        *,
        duration: float,
    ) -> None:
        self.times = times
        self.low = low
        self.high = high
        self.duration = duration

    def plot(
        self,
        ax: Axes | None = None,
        *,
        limit: float | None = None,
        color: Any = "C0",
        title: str | None = None,
    ) -> Self:
        """Draw the waveform.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        limit : float, default=None
            The axis reaches from ``-limit`` to `limit`, > 0. By default to a little more than the
            largest sample; give one number to compare how loud several clips are.

        color : matplotlib colour, default="C0"
            Colour of the waveform.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : WaveformDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        ValueError
            If `limit` is not above 0.
        """
        if limit is not None and not limit > 0:
            raise ValueError(f"limit={limit!r} must be above 0, or None.")
        ax = check_axes(ax, figsize=(8.0, 2.4))
        self.line_ = self.envelope_ = None
        if np.array_equal(self.low, self.high):
            (self.line_,) = ax.plot(self.times, self.high, color=color, linewidth=0.8)
        else:
            # The edge keeps blocks visible whose lowest and highest sample are nearly the same.
            self.envelope_ = ax.fill_between(
                self.times, self.low, self.high, color=color, linewidth=0.4
            )
        peak = max(float(np.abs(self.low).max()), float(np.abs(self.high).max()))
        reach = limit or 1.05 * peak or 1.0  # silence has no size of its own
        ax.set(xlim=(0.0, self.duration), ylim=(-reach, reach))
        ax.set(xlabel="Time (s)", ylabel="Amplitude")
        if title is not None:
            ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    @validate_params(
        {
            "sample_rate": [Interval(Integral, 1, None, closed="left")],
            "n_points": [Interval(Integral, 2, None, closed="left")],
            "limit": [Interval(Real, 0, None, closed="neither"), None],
            "title": [str, None],
        },
        prefer_skip_nested_validation=True,
    )
    def from_clip(
        cls,
        clip: str | os.PathLike[str] | pd.Series | pd.DataFrame | ArrayLike,
        *,
        sample_rate: int = 16000,
        n_points: int = 2000,
        limit: float | None = None,
        color: Any = "C0",
        ax: Axes | None = None,
        title: str | None = None,
    ) -> Self:
        """Read a clip and draw it.

        Parameters
        ----------
        clip : path-like, Series, DataFrame of one row or array-like of shape (n_samples,)
            A file; a row of a clip table, with ``path`` and, if wanted, ``start`` and ``stop`` in
            seconds; or a waveform, of which NaN after the end is dropped.

        sample_rate : int, default=16000
            Sample rate in Hz. Files are resampled to it, a waveform is taken to have it.

        n_points : int, default=2000
            Largest number of points of the picture, >= 2. A clip of up to twice as many samples
            is drawn sample by sample, a longer one as an envelope of `n_points` blocks at most.

        limit : float, default=None
            The axis reaches from ``-limit`` to `limit`, > 0. By default to a little more than the
            largest sample.

        color : matplotlib colour, default="C0"
            Colour of the waveform.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : WaveformDisplay
            The display, drawn.

        Raises
        ------
        AudioReadError
            If the file cannot be read.
        TypeError
            If `ax` is no Axes.
        ValueError
            If `clip` is not one clip, holds no sound, or has NaN before its end.

        Examples
        --------
        >>> from sersk.datasets import make_emotional_speech
        >>> from sersk.inspection import WaveformDisplay
        >>> corpus = make_emotional_speech(n_speakers=1, n_sentences=1, random_state=0)
        >>> display = WaveformDisplay.from_clip(corpus.data[0], title=corpus.target[0])
        >>> display.ax_.get_xlabel()
        'Time (s)'
        """
        samples = read_one_clip(clip, sample_rate)
        times, low, high = _envelope(samples, sample_rate, n_points)
        display = cls(times, low, high, duration=len(samples) / sample_rate)
        return display.plot(ax, limit=limit, color=color, title=title)


def _envelope(
    samples: NDArray[np.float32], sample_rate: int, n_points: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """Return times, lowest and highest sample of blocks; blocks of one sample if these are few."""
    size = 1 if len(samples) <= 2 * n_points else -(-len(samples) // n_points)
    first = np.arange(0, len(samples), size)
    last = np.minimum(first + size, len(samples)) - 1
    times = (first + last) / (2 * sample_rate)
    return times, np.minimum.reduceat(samples, first), np.maximum.reduceat(samples, first)
