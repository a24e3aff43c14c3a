"""A clip over time and frequency."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._utils._librosa import import_librosa
from . import _spectrum
from ._base import check_axes, read_one_clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating]

# Columns of the picture: an hour has a hundred thousand frames, no screen has.
_MAX_COLUMNS = 3000
# Frequencies to label, from many labels to few: the first set that fits the height is taken.
_TICKS = (
    (0, 250, 500, 1000, 2000, 4000, 8000, 16000),
    (0, 500, 1000, 2000, 4000, 8000, 16000),
    (0, 1000, 2000, 4000, 8000, 16000),
    (0, 1000, 4000, 16000),
)


class SpectrogramDisplay:
    """The spectrogram of one clip, in dB.

    It is recommended to use `from_clip` to make one.

    Parameters
    ----------
    values : ndarray of shape (n_bins, n_frames)
        Power in dB, where 0 dB is a power of 1; n_bins >= 2.

    times : ndarray of shape (n_frames,)
        Middles of the frames, in seconds, evenly spaced.

    frequencies : ndarray of shape (n_bins,)
        Middles of the bins or bands, in Hz, ascending.

    duration : float
        Length of the clip, in seconds.

    kind : {"mel", "linear"}, default="mel"
        Scale of the frequency axis, on which the bins are evenly spaced. Its labels are in Hz in
        either case.

    f0 : ndarray of shape (n_frames,), default=None
        Fundamental frequency in Hz, drawn on top; NaN where there is none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the spectrogram.

    figure_ : matplotlib Figure
        Figure that holds them.

    mesh_ : matplotlib QuadMesh
        The picture. A clip of more than 3000 frames is drawn by the largest value of neighbouring
        ones.

    colorbar_ : matplotlib Colorbar or None
        The colour bar, if there is one.

    line_ : matplotlib Line2D or None
        The fundamental frequency, if there is one.

    See Also
    --------
    WaveformDisplay : The same clip over time alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.inspection import SpectrogramDisplay
    >>> tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(32000) / 16000)
    >>> display = SpectrogramDisplay.from_clip(tone)
    >>> display.values.shape
    (128, 63)
    """

    def __init__(
        self,
        values: Array,
        times: Array,
        frequencies: Array,
        *,
        duration: float,
        kind: Literal["mel", "linear"] = "mel",
        f0: Array | None = None,
    ) -> None:
        self.values = values
        self.times = times
        self.frequencies = frequencies
        self.duration = duration
        self.kind = kind
        self.f0 = f0

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: Any = "magma",
        colorbar: bool = True,
        vmin: float | None = None,
        vmax: float | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw the spectrogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        cmap : str or matplotlib Colormap, default="magma"
            Colours.

        colorbar : bool, default=True
            Whether to add a colour bar.

        vmin : float, default=None
            Value of the first colour, in dB. By default the smallest one of the clip; give one
            number, and a `vmax`, to compare several clips.

        vmax : float, default=None
            Value of the last colour, in dB. By default the largest one of the clip.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : SpectrogramDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no Axes.
        """
        ax = check_axes(ax, figsize=(8.0, 3.6))
        if self.kind == "mel":
            librosa = import_librosa()

            ax.set_yscale("function", functions=(librosa.hz_to_mel, librosa.mel_to_hz))
        edges = self._edges_of_frequencies()
        time_edges, columns = self._columns()
        self.mesh_ = ax.pcolormesh(
            time_edges, edges, columns, cmap=cmap, vmin=vmin, vmax=vmax, rasterized=True
        )
        ax.set(xlim=(0.0, self.duration), ylim=(edges[0], edges[-1]))
        ax.set(xlabel="Time (s)", ylabel="Frequency (Hz)")
        if self.kind == "mel":
            _label_frequencies(ax)
        self.line_ = None
        if self.f0 is not None:
            # Dots: a line would leap to and fro where a loud consonant has no pitch.
            (self.line_,) = ax.plot(
                self.times, self.f0, ".", color="cyan", markersize=5, label="f0"
            )
            if np.isfinite(self.f0).any():
                ax.legend(loc="upper right", fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        self.colorbar_ = (
            self.figure_.colorbar(self.mesh_, ax=ax, label="Power (dB)") if colorbar else None
        )
        if title is not None:
            ax.set_title(title)
        return self

    def _edges_of_frequencies(self) -> Array:
        """Bins reach to half way between their middles, on the scale on which they are even.

        The outermost mel bands reach to where they end, the outermost bins of a linear
        one to their middles: so the axis begins at the lowest frequency and ends at the highest.
        """
        if self.kind == "linear":
            lowest, highest = self.frequencies[[0, -1]]
            inner = (self.frequencies[1:] + self.frequencies[:-1]) / 2
            return np.concatenate([[lowest], inner, [highest]])

        librosa = import_librosa()

        middles = librosa.hz_to_mel(self.frequencies)
        inner = (middles[1:] + middles[:-1]) / 2
        lowest, highest = 2 * middles[0] - middles[1], 2 * middles[-1] - middles[-2]
        hz = librosa.mel_to_hz(np.concatenate([[lowest], inner, [highest]]))
        return np.asarray(np.maximum(hz, 0.0))

    def _columns(self) -> tuple[Array, Array]:
        """Return the edges in time and the values of what is drawn: frames, or maxima of some."""
        n_frames = self.values.shape[1]
        hop = float(self.times[1] - self.times[0]) if n_frames > 1 else 2 * self.duration
        size = -(-n_frames // _MAX_COLUMNS)
        first = np.arange(0, n_frames, size)
        edges = self.times[0] + hop * (np.append(first, n_frames) - 0.5)
        return edges, np.maximum.reduceat(self.values, first, axis=1)

    @classmethod
    @validate_params(
        {
            "sample_rate": [Interval(Integral, 1, None, closed="left")],
            "kind": [StrOptions({"mel", "linear"})],
            "n_fft": [Interval(Integral, 2, None, closed="left")],
            "hop_length": [Interval(Integral, 1, None, closed="left")],
            "n_mels": [Interval(Integral, 2, None, closed="left")],
            "fmin": [Interval(Real, 0, None, closed="left")],
            "fmax": [Interval(Real, 0, None, closed="neither"), None],
            "top_db": [Interval(Real, 0, None, closed="neither"), None],
            "f0": ["boolean"],
            "f0_range": [tuple, list],
            "colorbar": ["boolean"],
            "vmin": [Real, None],
            "vmax": [Real, None],
            "title": [str, None],
        },
        prefer_skip_nested_validation=True,
    )
    def from_clip(
        cls,
        clip: str | os.PathLike[str] | pd.Series | pd.DataFrame | ArrayLike,
        *,
        sample_rate: int = 16000,
        kind: Literal["mel", "linear"] = "mel",
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        top_db: float | None = 80.0,
        f0: bool = False,
        f0_range: tuple[float, float] = (65.0, 600.0),
        ax: Axes | None = None,
        cmap: Any = "magma",
        colorbar: bool = True,
        vmin: float | None = None,
        vmax: float | None = None,
        title: str | None = None,
    ) -> Self:
        """Read a clip, compute its spectrogram and draw it.

        Parameters
        ----------
        clip : path-like, Series, DataFrame of one row or array-like of shape (n_samples,)
            A file; a row of a clip table, with ``path`` and, if wanted, ``start`` and ``stop`` in
            seconds; or a waveform, of which NaN after the end is dropped.

        sample_rate : int, default=16000
            Sample rate in Hz. Files are resampled to it, a waveform is taken to have it. Half of
            it is the highest frequency.

        kind : {"mel", "linear"}, default="mel"
            ``"mel"`` for :func:`librosa.feature.melspectrogram`, ``"linear"`` for the power of
            :func:`librosa.stft`.

        n_fft : int, default=2048
            Length of the Fourier transform, in samples.

        hop_length : int, default=512
            Distance of two frames, in samples.

        n_mels : int, default=128
            Number of mel bands, >= 2.

        fmin : float, default=0.0
            Lowest frequency, in Hz.

        fmax : float, default=None
            Highest frequency, in Hz, at most half of `sample_rate`. By default that half.

        top_db : float, default=80.0
            What lies further below the loudest value is raised to this distance, in dB, > 0. None
            for no limit.

        f0 : bool, default=False
            Whether to draw the fundamental frequency by :func:`librosa.yin`, in frames that are
            at most 25 dB quieter, below 1 kHz, than the loudest one. There is one estimate a
            frame, at times an octave off.

        f0_range : tuple of (float, float), default=(65.0, 600.0)
            Lowest and highest fundamental frequency, in Hz, the latter below half of
            `sample_rate`.

        ax : matplotlib Axes, default=None
            Where to draw. By default in a new figure.

        cmap : str or matplotlib Colormap, default="magma"
            Colours.

        colorbar : bool, default=True
            Whether to add a colour bar.

        vmin : float, default=None
            Value of the first colour, in dB. By default the smallest one of the clip.

        vmax : float, default=None
            Value of the last colour, in dB. By default the largest one of the clip.

        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : SpectrogramDisplay
            The display, drawn.

        Raises
        ------
        AudioReadError
            If the file cannot be read.
        TypeError
            If `ax` is no Axes.
        ValueError
            If `clip` is not one clip, holds no sound, or has NaN before its end; if the
            frequencies do not fit the sample rate or the bands `n_fft`.

        Examples
        --------
        >>> from sersk.datasets import make_emotional_speech
        >>> from sersk.inspection import SpectrogramDisplay
        >>> corpus = make_emotional_speech(n_speakers=1, n_sentences=1, random_state=0)
        >>> display = SpectrogramDisplay.from_clip(corpus.data[0], f0=True)
        >>> display.ax_.get_ylabel()
        'Frequency (Hz)'
        """
        _spectrum.check_frequencies(sample_rate, kind, n_fft, n_mels, fmin, fmax)
        if f0:
            _spectrum.check_f0_range(f0_range, sample_rate)
        samples = read_one_clip(clip, sample_rate)
        power = _spectrum.power(samples, n_fft, hop_length)
        bins = np.arange(power.shape[0]) * sample_rate / n_fft
        values, frequencies = (
            _spectrum.mel_bands(power, sample_rate, n_fft, n_mels, fmin, fmax)
            if kind == "mel"
            else _spectrum.cut(power, bins, fmin, fmax)
        )
        display = cls(
            _spectrum.decibels(values, top_db),
            np.arange(power.shape[1]) * hop_length / sample_rate,
            frequencies,
            duration=len(samples) / sample_rate,
            kind=kind,
            f0=(
                _spectrum.f0_of_loud_frames(
                    samples, power[bins < _spectrum.VOICE_BELOW], sample_rate, hop_length, f0_range
                )
                if f0
                else None
            ),
        )
        return display.plot(ax, cmap=cmap, colorbar=colorbar, vmin=vmin, vmax=vmax, title=title)


def _label_frequencies(ax: Axes) -> None:
    """Label round frequencies, as many as the height of the axes has room for."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

    # In points: the axes' height as it is now, and a line of the labels with some air.
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    line = 1.3 * FontProperties(size=rcParams["ytick.labelsize"]).get_size_in_points()
    limits = ax.get_ylim()
    to_scale = ax.yaxis.get_transform().transform
    span = float(np.ptp(to_scale(np.array(limits))))
    ticks: list[int] = []
    for candidates in _TICKS:
        ticks = [tick for tick in candidates if limits[0] - 1 <= tick <= limits[1] + 1]
        gaps = np.diff(to_scale(np.array(ticks, dtype=float)))
        if gaps.size == 0 or gaps.min() / span * height >= line:
            break
    ax.yaxis.set_major_locator(FixedLocator(ticks) if len(ticks) > 1 else MaxNLocator(5))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(ScalarFormatter())
