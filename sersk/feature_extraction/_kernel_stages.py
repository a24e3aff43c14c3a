"""Steps from samples to raw features by the compiled kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Loads numba, and the kernels from its cache: this module is imported when it is needed.
from . import _kernels
from ._kernels import LANES
from ._settings import (
    FrameSettings,
    Precision,
    chroma_bank,
    contrast_bands,
    cosine_table,
    mel_bank,
    window_table,
)
from ._stages import PEAK_THRESHOLD, TUNING_EDGES, Rows, Stages, level_parameters, peak_range

# Numbers of a spectrum held at once: a minute at the default settings, 16 MB in double precision.
_SPECTRUM_SIZE = 2_000_000


class KernelStages(Stages):
    """Each step by a kernel, for the lengths of the transform in `FFT_LENGTHS`."""

    def __init__(self, settings: FrameSettings, dtype: Precision) -> None:
        super().__init__(settings, dtype)
        groups = max(_SPECTRUM_SIZE // (LANES * settings.n_bins), 1)
        self.n_frames_at_once = groups * LANES
        self._window = window_table(settings.window, settings.win_length, settings.n_fft)
        self._window = self._window.astype(dtype)
        self._fft: _FourierTables | None = None
        self._power = np.empty(0, dtype=self.dtype)
        self._mel: _SparseBank | None = None
        self._cosines: Rows | None = None
        level = level_parameters(settings)
        # The series of the logarithm is for normal numbers.
        tiny = float(np.finfo(dtype).tiny)
        level["amin"] = max(level["amin"], tiny)
        self._amin = dtype(max(settings.amin, tiny))
        self._level = [dtype(level[name]) for name in ("factor", "amin", "reference", "top_db")]
        self._n_peaks = 0
        self._bins = self._heights = np.empty(0)
        self._peak_range = peak_range(self.frequencies)
        self._counts = np.empty(len(TUNING_EDGES) - 1, dtype=np.intp)
        self._edges = TUNING_EDGES.copy()
        self._lanes = np.empty((2, LANES), dtype=dtype)

    def begin(self, n_frames: int) -> None:
        super().begin(n_frames)
        # Whole groups are written, and deltas look a window further.
        self._row_length += 2 * LANES

    def _rounded(self, n_frames: int) -> int:
        return -(-n_frames // LANES) * LANES

    @property
    def _n_groups(self) -> int:
        return -(-self.n_frames // LANES)

    def spectrum(self) -> None:
        settings = self.settings
        if self._fft is None:
            self._fft = _fourier_tables(settings.n_fft, self.dtype)
            n_rows = settings.n_fft // 2 + self._fft.radices[0]
            self._re = np.empty(n_rows * LANES, dtype=self.dtype)
            self._im = np.empty_like(self._re)
        size = self._n_groups * LANES * settings.n_bins
        if len(self._power) < size:
            self._power = np.empty(size, dtype=self.dtype)
        t = self._fft
        _kernels.power_spectrum(
            self._padded, self._n_groups, self.hop_length, self._window, self._re, self._im,
            t.radices, t.first_turns, t.cos, t.sin, t.rows, t.real_cos, t.real_sin,
            self.dtype(np.sqrt(0.5)), self.dtype(0.25), self._power,
        )  # fmt: skip

    def to_magnitude(self) -> None:
        size = self._n_groups * LANES * self.settings.n_bins
        _kernels.magnitude_from_power(self._power, size)

    def mel(self, out: Rows, first: int) -> None:
        s = self.settings
        if self._mel is None:
            bank = mel_bank(s.sample_rate, s.n_fft, s.n_mels, s.fmin, s.fmax, s.htk, s.norm)
            self._mel = _sparse(bank, self.dtype)
        _kernels.mel_from_power(self._power, self._n_groups, s.n_bins, *self._mel, out, first)

    def forget_peaks(self, n_frames: int) -> None:
        lowest, highest = self._peak_range
        # Two neighbouring bins cannot both be peaks.
        most = self._rounded(n_frames) * ((highest - lowest) // 2 + 1)
        if len(self._bins) < most:
            self._bins, self._heights = np.empty(most), np.empty(most)
        self._n_peaks = 0

    def find_peaks(self) -> None:
        self._n_peaks = _kernels.append_peaks(
            self._power, self.n_frames, self.settings.n_bins, *self._peak_range,
            self.dtype(PEAK_THRESHOLD), self._bins, self._heights, self._n_peaks,
        )  # fmt: skip

    def tuning(self) -> float:
        settings = self.settings
        tuning: float = _kernels.tuning_from_peaks(
            self._bins[: self._n_peaks], self._heights[: self._n_peaks],
            settings.sample_rate / settings.n_fft, settings.n_chroma, self._edges, self._counts,
        )  # fmt: skip
        return tuning

    def chroma(self, tuning: float, out: Rows, first: int) -> None:
        s = self.settings
        bank = chroma_bank(s.sample_rate, s.n_fft, s.n_chroma, tuning, self.dtype)
        _kernels.chroma_from_power(self._power, self._n_groups, bank, out, first)

    def moments(self, out: Rows, first: int) -> None:
        tiny = np.finfo(self.dtype).tiny
        roll_percent = self.dtype(self.settings.roll_percent)
        _kernels.moments_from_magnitude(
            self._power, self._n_groups, self.frequencies, roll_percent, tiny, out, first
        )

    def flatness(self, out: Rows, first: int) -> None:
        s = self.settings
        _kernels.flatness_from_power(
            self._power, self._n_groups, s.n_bins, self._amin, out, first, *self._lanes
        )

    def extremes(self, peaks: Rows, valleys: Rows, first: int) -> None:
        s = self.settings
        bands = contrast_bands(s.sample_rate, s.n_fft, s.n_bands, s.quantile)
        band = np.empty(s.n_bins, dtype=self.dtype)
        _kernels.extremes_from_magnitude(
            self._power, self._n_groups, s.n_bins, *(table.copy() for table in bands), band, peaks,
            valleys, first,
        )  # fmt: skip

    def rms(self, out: Rows, first: int) -> None:
        sums = np.empty(self._n_parts, dtype=self.dtype)
        _kernels.rms_of_frames(
            self._padded, self.n_frames, self.settings.n_fft, self.hop_length, self._part,
            sums, out[0], first,
        )  # fmt: skip

    def zero_crossing_rate(self, out: Rows, first: int) -> None:
        sums = np.empty(self._n_parts, dtype=np.intp)
        threshold = self._padded.dtype.type(self.settings.threshold)
        _kernels.zero_crossing_rate_of_frames(
            self._padded, *self._sound, threshold, self.n_frames,
            self.settings.n_fft, self.hop_length, self._part, sums, out[0], first,
        )  # fmt: skip

    @property
    def _n_parts(self) -> int:
        settings = self.settings
        return ((self.n_frames - 1) * self.hop_length + settings.n_fft) // self._part

    def level(self, rows: Rows, n_frames: int) -> Rows:
        out = self.rows("level", len(rows))
        _kernels.decibels_of_rows(rows, n_frames, *self._level, out)
        return out

    def cepstrum(self, log_mel: Rows, n_frames: int) -> Rows:
        s = self.settings
        if self._cosines is None:
            half = (s.n_mels + 1) // 2
            table = cosine_table(s.n_mels, s.n_mfcc, s.lifter)[:, :half]
            self._cosines = np.array(table, dtype=self.dtype, order="C")
            self._folded = np.empty((2, half * LANES), dtype=self.dtype)
        out = self.rows("mfcc", s.n_mfcc)
        _kernels.cosine_transform_of_rows(log_mel, n_frames, self._cosines, *self._folded, out)
        return out

    def _deltas(self, rows: Rows, n_frames: int, weights: Rows, out: Rows) -> None:
        _kernels.filter_rows(rows, n_frames, weights, out)


class _FourierTables(NamedTuple):
    """Tables of the transform, which all threads share; see the comments in `_kernels`."""

    radices: NDArray[np.intp]
    first_turns: NDArray[np.intp]
    cos: NDArray[np.floating]
    sin: NDArray[np.floating]
    rows: NDArray[np.intp]
    real_cos: NDArray[np.floating]
    real_sin: NDArray[np.floating]


@lru_cache(maxsize=8)
def _fourier_tables(n_fft: int, dtype: Precision) -> _FourierTables:
    n = n_fft // 2
    radices = _radices(n)
    length = n
    first_turns: list[int] = []
    angles: list[NDArray[np.float64]] = []
    for radix in radices:
        first_turns.append(sum(len(turned) for turned in angles))
        part = length // radix
        steps = np.arange(part)[:, np.newaxis] * np.arange(1, radix)
        angles.append((-2 * np.pi * steps / length).ravel())
        length = part
    turns = np.concatenate(angles)
    rows = np.empty(n, dtype=np.intp)
    rows[_frequency_order(n, radices)] = np.arange(n)
    # The parts of the first pass lie a row apart.
    rows += rows // (n // radices[0])
    half_turns = -2 * np.pi * np.arange(n) / n_fft
    return _FourierTables(
        np.array(radices, dtype=np.intp),
        np.array(first_turns, dtype=np.intp),
        np.cos(turns).astype(dtype),
        np.sin(turns).astype(dtype),
        rows,
        np.cos(half_turns).astype(dtype),
        np.sin(half_turns).astype(dtype),
    )


def _radices(n: int) -> list[int]:
    """Split a power of two, from 64 on, into eights and fours, with a four at the end."""
    doublings = n.bit_length() - 3
    eights = doublings // 3
    # Two fours do the work of an eight and a two with fewer passes over the data.
    if doublings % 3 == 1 and eights:
        return [8] * (eights - 1) + [4, 4, 4]
    return [8] * eights + [4] * (doublings % 3 == 2) + [4]


def _frequency_order(n: int, radices: list[int]) -> NDArray[np.intp]:
    """Tell which frequency ends up in each row."""
    if not radices:
        return np.zeros(1, dtype=np.intp)
    radix, rest = radices[0], radices[1:]
    inner = _frequency_order(n // radix, rest)
    return np.concatenate([inner * radix + branch for branch in range(radix)])


class _SparseBank(NamedTuple):
    """Bands with the weights of their bins one behind the other."""

    starts: NDArray[np.intp]
    stops: NDArray[np.intp]
    firsts: NDArray[np.intp]
    weights: NDArray[np.floating]


def _sparse(bank: NDArray[np.float64], dtype: Precision) -> _SparseBank:
    starts, stops = [], []
    for band in bank:
        inside = np.flatnonzero(band)
        starts.append(int(inside[0]) if inside.size else 0)
        stops.append(int(inside[-1]) + 1 if inside.size else 0)
    sizes = np.subtract(stops, starts)
    weights = [band[start:stop] for band, start, stop in zip(bank, starts, stops, strict=True)]
    return _SparseBank(
        np.array(starts, dtype=np.intp),
        np.array(stops, dtype=np.intp),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
        np.concatenate([*weights, [0.0]]).astype(dtype),
    )
