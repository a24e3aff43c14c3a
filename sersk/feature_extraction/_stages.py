"""Steps from samples to raw features, shared by all features of a clip.

A `Stages` object takes a stretch of a clip at a time: `load`, then `spectrum`, then what is wanted
of it. `ScipyStages` does each step in a few lines of NumPy and is the twin that the kernels of
`KernelStages` must equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import gcd
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ._settings import (
    DELTA_WIDTH,
    FrameSettings,
    Precision,
    chroma_bank,
    contrast_bands,
    cosine_table,
    delta_filter,
    mel_bank,
    window_table,
)

# librosa's piptrack: peaks are sought between these frequencies, in Hz, and count from this part of
# the highest bin of their frame on.
_PEAK_FMIN, _PEAK_FMAX, PEAK_THRESHOLD = 150.0, 4000.0, 0.1
# Grid of the tuning: a hundredth of a bin.
TUNING_EDGES = np.linspace(-0.5, 0.5, 101)

Rows = NDArray[np.floating]


class Stages(ABC):
    """Scratch and tables of one thread; `dtype` is the precision of all arithmetic.

    ``out`` is made by `rows`, and is written from frame ``first`` on.
    """

    def __init__(self, settings: FrameSettings, dtype: Precision) -> None:
        self.settings = settings
        self.dtype = dtype
        self.frequencies = np.fft.rfftfreq(settings.n_fft, 1 / settings.sample_rate).astype(dtype)
        self._padded: NDArray[np.floating] = np.zeros(0, dtype=dtype)
        # Frames and hops both consist of whole parts of this length.
        self._part = gcd(settings.n_fft, settings.hop_length)
        self._scratch: dict[str, Rows] = {}
        self._rows: dict[str, Rows] = {}

    #: Frames of a stretch: what bounds the memory of the spectrum. Features, and the peaks that
    #: tell the tuning, are kept for the whole clip.
    n_frames_at_once: int

    def begin(self, n_frames: int) -> None:
        """Turn to another clip."""
        # A single frame has no next one, however long the hop: nothing is reserved for it.
        self.hop_length = self.settings.hop_length if n_frames > 1 else self._part
        self._row_length = self._rounded(n_frames)

    def rows(self, name: str, n_rows: int) -> Rows:
        """Give an array for rows of features over the whole clip, the same memory for each clip.

        Fresh memory would cost more than what is computed in it: systems take large blocks back at
        once, and hand them out again page by page.
        """
        width = self._row_length
        rows = self._rows.get(name)
        if rows is None or rows.shape != (n_rows, width):
            scratch = self._scratch.get(name)
            if scratch is None or len(scratch) < n_rows * width:
                scratch = self._scratch[name] = np.empty(n_rows * width, dtype=self.dtype)
            rows = self._rows[name] = scratch[: n_rows * width].reshape(n_rows, width)
        return rows

    def load(self, samples: NDArray[np.floating], first: int, n_frames: int) -> None:
        """Take the samples of frames ``first`` to ``first + n_frames - 1``, silence around them."""
        settings = self.settings
        size = (self._rounded(n_frames) - 1) * self.hop_length + settings.n_fft
        # Samples keep their precision; it is never higher than that of the arithmetic.
        precision = min(samples.dtype, np.dtype(self.dtype))
        if len(self._padded) < size or self._padded.dtype != precision:
            self._padded = np.zeros(size, dtype=precision)
        start = first * self.hop_length - settings.n_fft // 2
        before, after = max(-start, 0), max(start, 0)
        stop = min(len(samples), start + size)
        end = before + max(stop - after, 0)
        self._padded[:before] = 0
        self._padded[before:end] = samples[after:stop]
        self._padded[end:size] = 0
        self.n_frames = n_frames
        # The sample before this stretch is there in `samples`, not here: nothing is lost, for no
        # frame looks at it.
        self._sound = before, end

    def _rounded(self, n_frames: int) -> int:
        return n_frames

    @abstractmethod
    def spectrum(self) -> None:
        """Compute the power spectrum of the loaded frames."""

    @abstractmethod
    def to_magnitude(self) -> None:
        """Replace the power spectrum by its root."""

    @abstractmethod
    def mel(self, out: Rows, first: int) -> None:
        """Sum the spectrum in mel bands."""

    @abstractmethod
    def forget_peaks(self, n_frames: int) -> None:
        """Begin another clip of this many frames."""

    @abstractmethod
    def find_peaks(self) -> None:
        """Remember the spectral peaks of the loaded frames."""

    @abstractmethod
    def tuning(self) -> float:
        """Estimate the tuning from all peaks of the clip, in bins of the chroma."""

    @abstractmethod
    def chroma(self, tuning: float, out: Rows, first: int) -> None:
        """Sum the power in pitch classes."""

    @abstractmethod
    def moments(self, out: Rows, first: int) -> None:
        """Compute centroid, bandwidth and rolloff of the magnitude."""

    @abstractmethod
    def flatness(self, out: Rows, first: int) -> None:
        """Divide the geometric by the arithmetic mean of the power."""

    @abstractmethod
    def extremes(self, peaks: Rows, valleys: Rows, first: int) -> None:
        """Average the largest and the smallest magnitudes of each octave band."""

    @abstractmethod
    def rms(self, out: Rows, first: int) -> None:
        """Compute the root of the mean square."""

    @abstractmethod
    def zero_crossing_rate(self, out: Rows, first: int) -> None:
        """Compute the share of samples with another sign than the one before."""

    def deltas(self, rows: Rows, n_frames: int, order: int) -> Rows:
        """Derive rows over time; where a clip is shorter than the filter, its ends are held."""
        # Each feature is copied out before the next is derived.
        out = self.rows("deltas", len(rows))
        half = DELTA_WIDTH // 2
        if n_frames < DELTA_WIDTH:
            held = np.pad(rows[:, :n_frames] - rows[:, :1], ((0, 0), (half, half)), mode="edge")
            windows = sliding_window_view(held, DELTA_WIDTH, axis=1)
            out[:, :n_frames] = windows @ delta_filter(order, DELTA_WIDTH)
        else:
            self._deltas(rows, n_frames, delta_filter(order, DELTA_WIDTH).astype(self.dtype), out)
            # The first and last frames have no window of their own.
            out[:, :half] = out[:, half : half + 1]
            out[:, n_frames - half : n_frames] = out[:, n_frames - half - 1 : n_frames - half]
        return out

    @abstractmethod
    def level(self, rows: Rows, n_frames: int) -> Rows:
        """Express mel bands in decibels, as the settings say."""

    @abstractmethod
    def cepstrum(self, log_mel: Rows, n_frames: int) -> Rows:
        """Transform bands to cepstral coefficients, liftered."""

    @abstractmethod
    def _deltas(self, rows: Rows, n_frames: int, weights: Rows, out: Rows) -> None:
        """Filter rows, where a whole window fits."""


class ScipyStages(Stages):
    """Each step with NumPy and SciPy, for any length of the transform."""

    # Larger transforms at once leave the cache and become slower.
    n_frames_at_once = 32

    def __init__(self, settings: FrameSettings, dtype: Precision) -> None:
        super().__init__(settings, dtype)
        self._window = window_table(settings.window, settings.win_length, settings.n_fft)
        self._window = self._window.astype(dtype)
        self._bank: Any = None
        self._bins: list[NDArray[np.float64]] = []
        self._heights: list[NDArray[np.float64]] = []

    def _frames(self) -> NDArray[np.floating]:
        settings = self.settings
        size = (self.n_frames - 1) * self.hop_length + settings.n_fft
        windows = sliding_window_view(self._padded[:size], settings.n_fft)
        return windows[:: self.hop_length]

    def spectrum(self) -> None:
        import scipy.fft

        transform = scipy.fft.rfft(self._frames() * self._window, axis=1).T
        self._spectrum = transform.real**2 + transform.imag**2

    def to_magnitude(self) -> None:
        np.sqrt(self._spectrum, out=self._spectrum)

    def mel(self, out: Rows, first: int) -> None:
        if self._bank is None:
            import scipy.sparse

            s = self.settings
            bank = mel_bank(s.sample_rate, s.n_fft, s.n_mels, s.fmin, s.fmax, s.htk, s.norm)
            self._bank = scipy.sparse.csr_array(bank.astype(self.dtype))
        out[:, first : first + self.n_frames] = self._bank @ self._spectrum

    def forget_peaks(self, n_frames: int) -> None:
        self._bins.clear()
        self._heights.clear()

    def find_peaks(self) -> None:
        power = self._spectrum
        lowest, highest = peak_range(self.frequencies)
        here = power[lowest:highest]
        below, above = power[lowest - 1 : highest - 1], power[lowest + 1 : highest + 1]
        floor = self.dtype(PEAK_THRESHOLD) * power.max(axis=0)
        peaks = np.nonzero((here > below) & (here >= above) & (here > floor))
        here, below, above = here[peaks], below[peaks], above[peaks]
        curve, slope = above + below - 2 * here, (above - below) / 2
        # On a flat top rounding may leave no curve: then the peak is where it is.
        near = np.abs(slope) < np.abs(curve)
        shift = np.where(near, -slope / np.where(near, curve, 1), 0)
        self._bins.append((lowest + peaks[0] + shift).astype(np.float64))
        self._heights.append((here + 0.5 * slope * shift).astype(np.float64))

    def tuning(self) -> float:
        bins, heights = np.concatenate(self._bins), np.concatenate(self._heights)
        if not len(bins):
            return 0.0
        bin_width = self.settings.sample_rate / self.settings.n_fft
        octaves = np.log2(bins[heights >= np.median(heights)] * bin_width / 27.5)
        residual = np.mod(self.settings.n_chroma * octaves, 1.0)
        residual[residual >= 0.5] -= 1.0
        counts, _ = np.histogram(residual, TUNING_EDGES)
        return float(TUNING_EDGES[np.argmax(counts)])

    def chroma(self, tuning: float, out: Rows, first: int) -> None:
        s = self.settings
        bank = chroma_bank(s.sample_rate, s.n_fft, s.n_chroma, tuning, self.dtype)
        out[:, first : first + self.n_frames] = bank.T @ self._spectrum

    def moments(self, out: Rows, first: int) -> None:
        magnitude, frequencies = self._spectrum, self.frequencies[:, np.newaxis]
        running = np.cumsum(magnitude, axis=0)
        total = running[-1]
        share = magnitude / np.maximum(total, np.finfo(self.dtype).tiny)
        centroid = (share * frequencies).sum(axis=0)
        spread = (share * (frequencies - centroid) ** 2).sum(axis=0)
        below = running < self.dtype(self.settings.roll_percent) * total
        into = slice(first, first + self.n_frames)
        out[0, into] = centroid
        out[1, into] = np.sqrt(spread)
        out[2, into] = np.count_nonzero(below, axis=0) * self.frequencies[1]

    def flatness(self, out: Rows, first: int) -> None:
        power = np.maximum(self._spectrum, self.dtype(self.settings.amin))
        mean = power.mean(axis=0)
        out[0, first : first + self.n_frames] = np.exp(np.log(power).mean(axis=0)) / mean

    def extremes(self, peaks: Rows, valleys: Rows, first: int) -> None:
        s = self.settings
        bands = contrast_bands(s.sample_rate, s.n_fft, s.n_bands, s.quantile)
        into = slice(first, first + self.n_frames)
        for band, (start, stop, count) in enumerate(zip(*bands, strict=True)):
            ordered = np.sort(self._spectrum[start:stop], axis=0)
            valleys[band, into] = ordered[:count].mean(axis=0)
            peaks[band, into] = ordered[-count:].mean(axis=0)

    def rms(self, out: Rows, first: int) -> None:
        square = (self._frames().astype(self.dtype) ** 2).mean(axis=1)
        out[0, first : first + self.n_frames] = np.sqrt(square)

    def zero_crossing_rate(self, out: Rows, first: int) -> None:
        begin, end = self._sound
        negative = self._padded < -self.settings.threshold
        crossing = np.zeros(len(self._padded), dtype=np.int64)
        crossing[begin + 1 : end] = negative[begin + 1 : end] != negative[begin : end - 1]
        before = np.concatenate([[0], np.cumsum(crossing)])
        starts = np.arange(self.n_frames) * self.hop_length
        # The first sample of a frame has none before it.
        count = before[starts + self.settings.n_fft] - before[starts + 1]
        out[0, first : first + self.n_frames] = count / self.settings.n_fft

    def level(self, rows: Rows, n_frames: int) -> Rows:
        s = self.settings
        out = self.rows("level", len(rows))
        decibels(rows, out, **level_parameters(s))
        return out

    def cepstrum(self, log_mel: Rows, n_frames: int) -> Rows:
        s = self.settings
        # In single precision too the sum is taken in double: it costs nothing here.
        return (cosine_table(s.n_mels, s.n_mfcc, s.lifter) @ log_mel).astype(self.dtype)

    def _deltas(self, rows: Rows, n_frames: int, weights: Rows, out: Rows) -> None:
        half = DELTA_WIDTH // 2
        # Less the first frame, what does not move has derivatives of 0, not of rounding errors.
        moving = rows[:, :n_frames] - rows[:, :1]
        windows = sliding_window_view(moving, DELTA_WIDTH, axis=1)
        out[:, half : n_frames - half] = windows @ weights


def peak_range(frequencies: NDArray[np.floating]) -> tuple[int, int]:
    """Give the first bin in which peaks are sought, and the one after the last."""
    top = min(_PEAK_FMAX, float(frequencies[-1]))
    inside = np.flatnonzero((frequencies >= _PEAK_FMIN) & (frequencies < top))
    # The outermost bins have only one neighbour.
    inside = inside[(inside > 0) & (inside < len(frequencies) - 1)]
    return (int(inside[0]), int(inside[-1]) + 1) if inside.size else (1, 1)


def level_parameters(settings: FrameSettings) -> dict[str, float]:
    """Give the parameters of `decibels`; an amplitude's `amin` is that of its power."""
    s = settings
    of_power = s.power == 2.0
    factor, amin = (10.0, s.amin) if of_power else (20.0, float(np.sqrt(s.amin)))
    reference = np.nan if isinstance(s.ref, str) else factor * np.log10(max(amin, s.ref))
    return {
        "factor": factor,
        "amin": amin,
        "reference": float(reference),
        "top_db": np.inf if s.top_db is None else s.top_db,
    }


def decibels(
    rows: Rows,
    out: Rows,
    factor: float = 10.0,
    amin: float = 1e-10,
    reference: float = 0.0,
    top_db: float = 80.0,
) -> None:
    """Take `factor` times the decimal logarithm, over a reference that is in dB already.

    NaN for the reference means the highest level. What lies more than `top_db` below that is
    raised.
    """
    np.maximum(rows, amin, out=out)
    np.log10(out, out=out)
    out *= factor
    highest = out.max()
    np.maximum(out, highest - top_db, out=out)
    out -= highest if np.isnan(reference) else reference
