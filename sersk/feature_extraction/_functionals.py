"""Frames to vectors: statistics over time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .._utils._compile import numba_usable, require_numba
from .._utils._lengths import valid_lengths
from .._utils._stateless import StatelessMixin
from .._utils._threads import map_in_threads

# Clips whose frames are held in double precision at once.
_CLIPS_AT_ONCE = 32
# Frames that the kernels take at once: few enough to stay in the processor's cache between sorting
# and summing, and enough that threads seldom wait for the interpreter's lock (measured).
_BYTES_AT_ONCE = 2**20

_PERCENTILE = re.compile(r"percentile_(\d{1,2}|100)")


class _Series:
    """A batch of time series with their padding, and what several statistics share.

    Shapes: values (n_clips, n_series, n_steps); lengths (n_clips, 1); each statistic (n_clips,
    n_series). Clips without a step give garbage here; the caller puts NaN in their place.
    """

    def __init__(self, values: NDArray[np.floating], lengths: NDArray[np.intp]) -> None:
        self.values = values.astype(np.float64, copy=False)
        self.lengths = np.maximum(lengths, 1)[:, np.newaxis]
        self.sounding = (np.arange(values.shape[-1]) < lengths[:, np.newaxis])[:, np.newaxis, :]

    def average(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = values.sum(axis=-1, where=self.sounding)
        return total / self.lengths

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        # From the first value on: a series that does not vary has then exactly its value as mean,
        # and no deviations that are rounding errors.
        first = self.values[..., :1]
        return first[..., 0] + self.average(self.values - first)

    @cached_property
    def deviations(self) -> NDArray[np.float64]:
        return self.values - self.mean[..., np.newaxis]

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        return self.average(self.deviations**2)

    @cached_property
    def ordered(self) -> NDArray[np.float64]:
        # NaN goes to the end, so the order statistics of a clip stand before its padding.
        return np.sort(self.values, axis=-1)

    def percentile(self, percent: float) -> NDArray[np.float64]:
        position = (self.lengths - 1) * (percent / 100)
        below = np.floor(position).astype(np.intp)
        above = np.ceil(position).astype(np.intp)
        low = np.take_along_axis(self.ordered, below[..., np.newaxis], axis=-1)[..., 0]
        high = np.take_along_axis(self.ordered, above[..., np.newaxis], axis=-1)[..., 0]
        return low + (high - low) * (position - below)

    def standardised_moment(self, order: int) -> NDArray[np.float64]:
        """Central moment over the power of the deviation; 0 where nothing varies."""
        # Below this the deviations are rounding errors of the mean (scipy.stats draws it there
        # too).
        floor = (np.finfo(np.float64).resolution * np.abs(self.mean)) ** 2
        varies = self.variance > floor
        # Divided before they are raised, or tiny deviations would vanish.
        std = np.sqrt(np.where(varies, self.variance, 1.0))
        moment = self.average((self.deviations / std[..., np.newaxis]) ** order)
        return np.where(varies, moment, 0.0)

    @property
    def skew(self) -> NDArray[np.float64]:
        return self.standardised_moment(3)

    @property
    def kurtosis(self) -> NDArray[np.float64]:
        # A series that does not vary has neither tails nor their lack: 0, as for the skew.
        moment = self.standardised_moment(4)
        return np.where(moment > 0, moment - 3.0, 0.0)

    @property
    def slope(self) -> NDArray[np.float64]:
        steps = np.arange(self.values.shape[-1]) - (self.lengths[..., np.newaxis] - 1) / 2
        spread = (self.lengths.astype(np.float64) ** 2 - 1) / 12
        covariance = self.average(self.deviations * steps)
        return np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), 0.0)


_STATISTICS: dict[str, Callable[[_Series], NDArray[np.float64]]] = {
    "mean": lambda series: series.mean,
    "std": lambda series: np.sqrt(series.variance),
    "min": lambda series: series.percentile(0),
    "max": lambda series: series.percentile(100),
    "range": lambda series: series.percentile(100) - series.percentile(0),
    "skew": lambda series: series.skew,
    "kurtosis": lambda series: series.kurtosis,
    "slope": lambda series: series.slope,
}

DEFAULT_STATISTICS = (
    "mean",
    "std",
    "min",
    "percentile_25",
    "percentile_50",
    "percentile_75",
    "max",
    "skew",
    "kurtosis",
    "slope",
)


class Functionals(StatelessMixin, BaseEstimator):
    r"""Statistics of each feature over time: one vector a clip, whatever its length.

    Padding is skipped: the vector of a clip does not depend on how long the others are.

    Parameters
    ----------
    statistics : sequence of str, default=("mean", "std", ..., "slope")
        What is computed, in this order for each feature. By default ``"mean"``, ``"std"``,
        ``"min"``, ``"percentile_25"``, ``"percentile_50"``, ``"percentile_75"``, ``"max"``,
        ``"skew"``, ``"kurtosis"``, ``"slope"``. Known are:

        - ``"mean"``, ``"min"``, ``"max"``, ``"range"`` (max - min);
        - ``"std"``: standard deviation, not corrected for the sample's size;
        - ``"percentile_0"`` to ``"percentile_100"``, whole numbers, by linear interpolation;
        - ``"skew"`` and ``"kurtosis"``: third and fourth standardised central moments, the latter
          less 3; 0 where a feature does not vary;
        - ``"slope"``: of the least-squares line, in units of the feature per frame; 0 for a clip of
          one frame.

    backend : {"auto", "numba", "numpy"}, default="auto"
        What computes. ``"numba"`` runs compiled kernels, many times faster; they are compiled once
        for a machine, which takes some seconds. ``"numpy"`` is the plain form, equal but for
        rounding in double precision. ``"auto"`` takes numba where it can be used: where it can be
        imported, and neither ``SERSK_NUMBA=0`` nor ``NUMBA_DISABLE_JIT`` stands in the environment.

    n_jobs : int, default=None
        Number of threads. ``None`` means 1 unless in a :func:`joblib.parallel_config` context,
        ``-1`` means all cores. Values do not depend on it.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis seen in `fit`.

    n_series_ : int
        Number of time series a clip.

    See Also
    --------
    MFCC : Makes frames.

    Notes
    -----
    With the frames :math:`x_0, \dots, x_{n-1}` of a feature and :math:`\bar t = (n - 1) / 2`,

    .. math::

        \text{slope} = \frac{\sum_t (t - \bar t)(x_t - \bar x)}{\sum_t (t - \bar t)^2},
        \qquad m_k = \frac{1}{n} \sum_t (x_t - \bar x)^k, \qquad
        \text{skew} = \frac{m_3}{m_2^{3/2}}, \qquad \text{kurtosis} = \frac{m_4}{m_2^2} - 3 .

    A clip without a frame (all NaN) has an all-NaN vector. With ``set_output(transform="pandas")``
    the columns are named ``x0_mean`` and so on, because scikit-learn does not hand names on between
    arrays; ``pipeline[:-1].get_feature_names_out()`` has the real ones.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import Functionals
    >>> frames = np.array([[[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]], [[4.0, 8.0, np.nan]] * 2])
    >>> functionals = Functionals(statistics=("mean", "max", "slope"))
    >>> functionals.fit_transform(frames)
    array([[3. , 6. , 2.5, 0. , 0. , 0. ],
           [6. , 8. , 4. , 6. , 8. , 4. ]])
    >>> functionals.get_feature_names_out(["pitch", "level"])[:4].tolist()
    ['pitch_mean', 'pitch_max', 'pitch_slope', 'level_mean']
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "statistics": [list, tuple],
        "backend": [StrOptions({"auto", "numba", "numpy"})],
        "n_jobs": [Integral, None],
    }

    # The padding of a clip is never looked at.
    _skips_padding = True

    def __init__(
        self,
        *,
        statistics: Sequence[str] = DEFAULT_STATISTICS,
        backend: Literal["auto", "numba", "numpy"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.statistics = statistics
        self.backend = backend
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the parameters and count the series; nothing is learned from the values.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_frames)
            Frames or images, NaN after the last frame of a clip. A 2-D array is one series a clip.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The transformer.
        """
        self._check_statistics()
        valid_lengths(self._note_shape(X))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> NDArray[np.floating]:
        """Do both, looking for what is wrong with the frames only once.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_frames)
            Frames or images, NaN after the last frame of a clip.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        vectors : ndarray of shape (n_clips, n_series * n_statistics)
            As `transform` returns them.
        """
        self._check_statistics()
        return self._describe(self._note_shape(X))

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the statistics.

        Parameters
        ----------
        X : array-like of shape (n_clips, ..., n_frames)
            Frames or images, NaN after the last frame of a clip.

        Returns
        -------
        vectors : ndarray of shape (n_clips, n_series * n_statistics)
            Of type float32 if `X` is, else float64; the statistics of a feature stand together.

        Raises
        ------
        ValueError
            If `statistics` holds an unknown name or one twice, or a clip holds infinity or NaN
            before its end.
        SerskError
            If `backend` is "numba" where that cannot be used.
        """
        self._validate_params()
        self._check_statistics()
        return self._describe(self._check_frames(X, reset=False))

    def _describe(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        series = _as_series(X)
        vectors = np.empty((*series.shape[:2], len(self.statistics)), dtype=X.dtype)
        if self._use_kernels():
            describe = _describe_by_kernel
            clips_at_once = max(1, _BYTES_AT_ONCE // max(1, series[0].nbytes))
        else:
            describe = _describe_by_numpy
            clips_at_once = _CLIPS_AT_ONCE

        def describe_some(clips: slice) -> None:
            some = series[clips]
            lengths = valid_lengths(some, first_row=clips.start)
            describe(some, lengths, self.statistics, vectors[clips])

        batches = list(gen_batches(len(X), clips_at_once))
        # Sorting and the kernels run without the interpreter's lock.
        map_in_threads(describe_some, batches, self.n_jobs)
        return vectors.reshape(len(X), -1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the statistics.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the features; ``x0``, ``x1`` and so on by default.

        Returns
        -------
        names : ndarray of shape (n_series * n_statistics,), object
            ``mfcc0_mean`` for the mean of ``mfcc0``. The statistics alone where a clip was one
            series (2-D).
        """
        check_is_fitted(self, "n_series_")
        names = _check_feature_names_in(self, input_features)
        if self._single_series:
            return np.array(list(self.statistics), dtype=object)
        bands = self.n_series_ // len(names)
        if bands > 1:
            names = [f"{name}_{band}" for name in names for band in range(bands)]
        return np.array(
            [f"{name}_{statistic}" for name in names for statistic in self.statistics], dtype=object
        )

    def _note_shape(self, X: ArrayLike) -> NDArray[np.floating]:
        X = self._check_frames(X, reset=True)
        self.n_series_ = _as_series(X).shape[1]
        self._single_series = X.ndim == 2
        return X

    def _check_frames(self, X: ArrayLike, *, reset: bool) -> NDArray[np.floating]:
        """Validate all of the frames but their values: `valid_lengths` looks at those."""
        frames: NDArray[np.floating] = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            allow_nd=True,
        )
        return frames

    def _check_statistics(self) -> None:
        if not len(self.statistics):
            raise ValueError("statistics is empty: name at least one, such as 'mean'.")
        for name in self.statistics:
            _resolve_statistic(name)
        twice = [name for name, times in Counter(self.statistics).items() if times > 1]
        if twice:
            raise ValueError(f"statistics holds {twice[0]!r} twice: one column of it is enough.")

    def _use_kernels(self) -> bool:
        if self.backend == "numpy":
            return False
        if self.backend == "numba":
            require_numba()
        return numba_usable()


def _as_series(X: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give every array the shape (n_clips, n_series, n_steps)."""
    return X[:, np.newaxis] if X.ndim == 2 else X.reshape(len(X), -1, X.shape[-1])


def _describe_by_numpy(
    series: NDArray[np.floating],
    lengths: NDArray[np.intp],
    statistics: Sequence[str],
    out: NDArray[np.floating],
) -> None:
    """Write the statistics of some clips: the plain form, which the kernels must equal."""
    batch = _Series(series, lengths)
    for index, name in enumerate(statistics):
        out[..., index] = _resolve_statistic(name)(batch)
    out[lengths == 0] = np.nan


def _describe_by_kernel(
    series: NDArray[np.floating],
    lengths: NDArray[np.intp],
    statistics: Sequence[str],
    out: NDArray[np.floating],
) -> None:
    """Do the same, compiled."""
    from . import _statistics_kernels as kernels

    kinds, percents = [], []
    for name in statistics:
        percentile = _PERCENTILE.fullmatch(name)
        extremes = {"min": 0, "max": 100}
        percents.append(float(percentile[1]) if percentile else extremes.get(name, 0))
        kinds.append(kernels.PERCENTILE if percentile or name in extremes else kernels.KINDS[name])
    # The kernels take contiguous arrays alone.
    series = np.ascontiguousarray(series)
    if {kernels.PERCENTILE, kernels.RANGE} & set(kinds):
        # NumPy's own, because it sorts with vector instructions. NaN goes to the end.
        ordered = np.sort(series, axis=-1)
    else:
        ordered = np.empty((0, 0, 0), dtype=series.dtype)
    kernels.statistics_of_series(
        series,
        ordered,
        lengths.astype(np.int64),
        np.array(kinds, dtype=np.int64),
        np.array(percents, dtype=np.float64),
        out,
    )


def _resolve_statistic(name: str) -> Callable[[_Series], NDArray[np.float64]]:
    if name in _STATISTICS:
        return _STATISTICS[name]
    percentile = _PERCENTILE.fullmatch(name) if isinstance(name, str) else None
    if percentile is None:
        raise ValueError(
            f"statistics holds {name!r}; known are {', '.join(_STATISTICS)} and percentile_0 to "
            "percentile_100."
        )
    percent = float(percentile[1])
    return lambda series: series.percentile(percent)
