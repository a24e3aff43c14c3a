"""The step that turns a clip table into waveforms."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._utils._array_output import ArrayOutputMixin
from .._utils._clip_table import ClipTable, as_clip_table
from .._utils._decoding import ClipRegion, known_clip_length, read_clip
from .._utils._draws import apply_draw
from .._utils._failures import note_failures
from .._utils._full_scale import full_scale
from .._utils._lengths import valid_lengths
from .._utils._threads import map_in_threads
from ..exceptions import AudioReadError, ClipCutWarning, UnreadableAudioWarning
from ._base import sample_names

# Files handed to a thread at once: enough to hide the cost of handing over.
_FILES_A_TASK = 16
# Bad files named in a warning; all of them stand in ``failed_``.
_NAMES_SHOWN = 5


class AudioReader(ArrayOutputMixin, BaseEstimator):
    """Read clips as waveforms of one sample rate and one length.

    Files are decoded by libsndfile (WAV, FLAC, OGG, MP3, AIFF and more), mixed to mono by the mean
    of their channels, and resampled by soxr (quality HQ). Only the wanted frames are read, and rows
    of the clip table that name the same clip are decoded once. Memory is the output and a constant.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the output, in Hz. Arrays given instead of files are taken to have it.

    duration : float, default=None
        Longest part of a clip that is kept, in seconds. By default the length of the longest clip
        seen in `fit`, learned from the file headers; a longer clip later is cut with a
        `ClipCutWarning`.

    offset : float, default=0.0
        Part at the beginning of each clip that is skipped, in seconds.

    on_error : {"raise", "nan"}, default="raise"
        What becomes of a file that cannot be read. ``"raise"`` raises an `AudioReadError` that
        names it; ``"nan"`` makes an all-NaN row, and one `UnreadableAudioWarning` counts and names
        them.

    n_jobs : int, default=None
        Number of threads that decode. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores.

    Attributes
    ----------
    n_samples_ : int
        Length of the output, in samples.

    failed_ : dict of str to str
        Files that the latest `fit` or `transform` could not read, and the reason of each.

    n_features_in_ : int
        Number of samples a row seen in `fit`. Only defined for a 2-D array.

    See Also
    --------
    DropUnreadable : Remove the rows of unreadable files while fitting.
    PadOrTrim : Another length, once the clips have been cleaned.
    sersk.feature_extraction.MFCC : The usual next step.

    Notes
    -----
    Of a clip table (a DataFrame) the columns ``path``, ``start``, ``stop`` and ``augment`` are
    used, all but the first optional. ``start`` and ``stop`` are in seconds; a ``stop`` past the end
    of the file means its end. A cell of ``augment`` holds a function of samples and sample rate, as
    :class:`~sersk.augmentation.WaveformAugmenter` puts it there, or nothing. It is applied to what
    was read and cut to the length of the output, and what it makes longer than that is cut again.
    Other array-likes of paths, 1-D or (n, 1), mean whole files.

    Waveforms may be given in place of files, so that a microphone buffer goes through the same
    pipeline: a 2-D array, NaN after the end of a clip, or a list of 1-D arrays of any lengths.
    Integers of 16 and 32 bit are scaled to [-1, 1], other numbers are taken as they are.

    Resampling rings: a clip that reaches full scale may pass it by a few per cent afterwards.

    A compressed file that was cut between two of its packets is a shorter file without a flaw:
    that alone cannot be told.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import AudioReader
    >>> clips = [np.array([0.1, 0.2, 0.3]), np.array([0.5])]
    >>> AudioReader(sample_rate=16000).fit_transform(clips)
    array([[0.1, 0.2, 0.3],
           [0.5, nan, nan]], dtype=float32)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "offset": [Interval(Real, 0, None, closed="left")],
        "on_error": [StrOptions({"raise", "nan"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        duration: float | None = None,
        offset: float = 0.0,
        on_error: Literal["raise", "nan"] = "raise",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.duration = duration
        self.offset = offset
        self.on_error = on_error
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Learn the length of the output.

        Parameters
        ----------
        X : DataFrame, array-like of paths, array of shape (n_clips, n_samples) or list of arrays
            Clip table, paths or waveforms.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted reader.

        Raises
        ------
        AudioReadError
            If a file has to be opened to learn the length and cannot be (`on_error` "raise").
        ValueError
            If `X` is neither a clip table nor waveforms, or no clip can be read.
        """
        self.failed_: dict[str, str] = {}
        # What one array taught does not bind clips of another kind.
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
        table = as_clip_table(X)
        if table is not None:
            lengths = self._lengths_from_headers(table) if self.duration is None else []
        else:
            lengths = [len(samples) for samples in self._as_waveforms(X, reset=True)]
        if self.duration is not None:
            self.n_samples_ = max(1, round(self.duration * self.sample_rate))
            return self
        self.n_samples_ = max(lengths, default=0)
        if self.n_samples_ < 1:
            raise ValueError(
                f"No clip to learn the length from: {len(self.failed_)} of "
                f"{len(table) if table is not None else len(lengths)} clips could not be read and "
                f"offset={self.offset:g} s leaves nothing of the others."
            )
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Read the clips.

        Parameters
        ----------
        X : DataFrame, array-like of paths, array of shape (n_clips, n_samples) or list of arrays
            Clip table, paths or waveforms.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, n_samples), float32
            NaN after the end of a clip.

        Raises
        ------
        AudioReadError
            If a file cannot be read (`on_error` "raise").
        AugmentationError
            If a cell of ``augment`` cannot be applied to its clip, or returns what is no sound.
        ValueError
            If `X` is neither a clip table nor waveforms, a waveform holds infinity or has NaN
            before its end, or an array has another width than in `fit`.
        """
        check_is_fitted(self, "n_samples_")
        self.failed_ = {}
        table = as_clip_table(X)
        if table is not None:
            return self._read_files(table)
        waveforms = self._as_waveforms(X, reset=False)
        padded = np.full((len(waveforms), self.n_samples_), np.nan, dtype=np.float32)
        for row, samples in zip(padded, waveforms, strict=True):
            row[: len(samples)] = samples[: self.n_samples_]
        self._warn_of_cut_clips([len(samples) for samples in waveforms])
        return padded

    def _read_files(self, table: ClipTable) -> NDArray[np.float32]:
        # Left unset: the threads fill every row to its end, padding too, and share that cost.
        waveforms = np.empty((len(table), self.n_samples_), dtype=np.float32)
        if not len(table):
            return waveforms
        versions_of: dict[ClipRegion, _Versions] = {}
        for row, (region, draw) in enumerate(
            zip(self._regions(table), table.augments, strict=True)
        ):
            versions_of.setdefault(region, _Versions()).add(draw, row)
        distinct = list(versions_of)

        def read(some: slice) -> list[int | AudioReadError]:
            wanted = [(region, versions_of[region]) for region in distinct[some]]
            return _read_into(waveforms, wanted, self.sample_rate, self.on_error == "raise")

        found = map_in_threads(read, gen_batches(len(distinct), _FILES_A_TASK), self.n_jobs)
        outcomes = [outcome for batch in found for outcome in batch]
        self._note_failures(outcome for outcome in outcomes if isinstance(outcome, AudioReadError))
        self._warn_of_cut_clips(
            [length for length in outcomes if not isinstance(length, AudioReadError)]
        )
        return waveforms

    def _lengths_from_headers(self, table: ClipTable) -> list[int]:
        distinct = list(dict.fromkeys(self._regions(table)))
        if not distinct:
            return []

        def measure(some: slice) -> list[int | AudioReadError]:
            return _measure(distinct[some], self.sample_rate, self.on_error == "raise")

        found = map_in_threads(measure, gen_batches(len(distinct), _FILES_A_TASK), self.n_jobs)
        outcomes = [outcome for batch in found for outcome in batch]
        # `transform` meets them again and warns then.
        self.failed_ = {
            error.path: error.reason for error in outcomes if isinstance(error, AudioReadError)
        }
        note_failures(self.failed_)
        return [length for length in outcomes if not isinstance(length, AudioReadError)]

    def _regions(self, table: ClipTable) -> list[ClipRegion]:
        starts = np.where(np.isnan(table.starts), 0.0, table.starts) + self.offset
        stops = np.where(np.isnan(table.stops), math.inf, table.stops)
        return [
            ClipRegion(path, float(start), float(stop))
            for path, start, stop in zip(table.paths, starts, stops, strict=True)
        ]

    def _as_waveforms(self, X: Any, *, reset: bool) -> Sequence[NDArray[Any]]:
        """Validate waveforms, scale integers, skip the offset, drop the padding."""
        if _is_list_of_arrays(X):
            waveforms = [_check_waveform(samples, row) for row, samples in enumerate(X)]
        else:
            scale = full_scale(X)
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=[np.float64, np.float32],
                ensure_all_finite="allow-nan",
            )
            if scale is not None:
                X = X / scale
            waveforms = [row[:length] for row, length in zip(X, valid_lengths(X), strict=True)]
        skipped = round(self.offset * self.sample_rate)
        return [samples[skipped:] for samples in waveforms]

    def _note_failures(self, errors: Iterable[AudioReadError]) -> None:
        self.failed_ = {error.path: error.reason for error in errors}
        if not self.failed_:
            return
        note_failures(self.failed_)
        named = [f"{path!r}: {reason}" for path, reason in self.failed_.items()][:_NAMES_SHOWN]
        more = len(self.failed_) - len(named)
        warnings.warn(
            f"{len(self.failed_)} file(s) could not be read and stand as all-NaN rows: "
            + "; ".join(named)
            + (f"; and {more} more (see failed_)." if more else "."),
            UnreadableAudioWarning,
            stacklevel=2,
        )

    def _warn_of_cut_clips(self, lengths: list[int]) -> None:
        if self.duration is not None:
            return
        cut = [length for length in lengths if length > self.n_samples_]
        if cut:
            warnings.warn(
                f"{len(cut)} clip(s) are longer than the longest seen in fit and were cut to "
                f"{self.n_samples_ / self.sample_rate:.3g} s; the longest has "
                f"{max(cut) / self.sample_rate:.3g} s. Set duration= to choose the length.",
                ClipCutWarning,
                stacklevel=2,
            )

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the samples of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_samples,), object
            ``sample0``, ``sample1`` and so on.
        """
        check_is_fitted(self, "n_samples_")
        return sample_names(self.n_samples_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # NaN is padding after the end of a clip, not a missing value anywhere: ``allow_nan`` stays
        # off.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class _Versions:
    """The rows of one clip, by what is done to it."""

    def __init__(self) -> None:
        self._rows_of: dict[Any, tuple[Any, list[int]]] = {}

    def add(self, draw: Any, row: int) -> None:
        # Draws of our own are equal where they do the same; anyone's functions, and what holds
        # such, may have other ideas of that.
        ours = type(draw).__module__.startswith("sersk.")
        plain = ours and not hasattr(draw, "draws") and not hasattr(draw, "function")
        self._rows_of.setdefault(draw if plain else id(draw), (draw, []))[1].append(row)

    def __iter__(self) -> Iterator[tuple[Any, list[int]]]:
        return iter(self._rows_of.values())


def _read_into(
    waveforms: NDArray[np.float32],
    tasks: list[tuple[ClipRegion, _Versions]],
    sample_rate: int,
    raise_errors: bool,
) -> list[int | AudioReadError]:
    """Read clips into their rows; return for each its full length, or why there is none."""
    outcomes: list[int | AudioReadError] = []
    for region, versions in tasks:
        (draw, rows), *others = versions
        first = waveforms[rows[0]]
        try:
            length = read_clip(region, sample_rate, first)
            outcomes.append(length)
        except AudioReadError as error:
            if raise_errors:
                raise
            outcomes.append(error)
            first[:] = np.nan
            length = 0
        if others or draw is not None:
            samples = first[:length].copy()
            for other, other_rows in others:
                _augment_into(waveforms[other_rows[0]], samples, other, sample_rate, region.path)
            _augment_into(first, samples, draw, sample_rate, region.path)
        for _, same in versions:
            for row in same[1:]:
                waveforms[row] = waveforms[same[0]]
    return outcomes


def _augment_into(
    out: NDArray[np.float32], samples: NDArray[np.float32], draw: Any, sample_rate: int, path: str
) -> None:
    """Fill a row with what a draw makes of a clip; None leaves it as it is."""
    if draw is not None:
        samples = apply_draw(draw, samples, sample_rate, name=path)
    n_samples = min(len(samples), len(out))
    out[:n_samples] = samples[:n_samples]
    out[n_samples:] = np.nan


def _measure(
    regions: list[ClipRegion], sample_rate: int, raise_errors: bool
) -> list[int | AudioReadError]:
    outcomes: list[int | AudioReadError] = []
    for region in regions:
        try:
            outcomes.append(known_clip_length(region, sample_rate))
        except AudioReadError as error:
            if raise_errors:
                raise
            outcomes.append(error)
    return outcomes


def _is_list_of_arrays(X: Any) -> bool:
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(isinstance(samples, np.ndarray) and samples.ndim == 1 for samples in X)
    )


def _check_waveform(samples: NDArray[Any], row: int) -> NDArray[Any]:
    if samples.dtype.kind not in "iuf":
        raise ValueError(f"Row {row} holds values of type {samples.dtype}, not numbers.")
    scale = full_scale(samples)
    if scale is not None:
        return samples / scale
    if np.isinf(samples).any():
        raise ValueError(f"Row {row} holds infinity. Samples lie in [-1, 1].")
    return samples[: int(valid_lengths(samples[np.newaxis])[0])]
