"""What all transformers from waveforms to frames have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from queue import SimpleQueue
from typing import Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import gen_batches
from sklearn.utils.validation import validate_data

from .._utils._array_output import ArrayOutputMixin
from .._utils._compile import kernels_work, numba_usable, require_numba
from .._utils._lengths import valid_lengths
from .._utils._stateless import StatelessMixin
from .._utils._threads import map_in_threads
from ._extraction import ClipExtractor, feature_names, make_extractor
from ._settings import FFT_LENGTHS, FrameSettings

# Clips handed to a thread at once: enough to hide the cost of handing over.
_CLIPS_A_TASK = 8


class FrameTransformer(StatelessMixin, ArrayOutputMixin, BaseEstimator, ABC):
    """Base of the transformers from waveforms to frames.

    A subclass says which features it wants and with which settings; checks what does not go
    together in `_check_parameters`. Frames are centred: frame ``i`` looks at the samples around
    ``i * hop_length``, and a clip of ``n`` samples has ``1 + n // hop_length`` of them.
    """

    # Those without a choice keep to these.
    backend: str = "auto"
    fft_precision: str = "exact"
    device: str = "cpu"
    n_jobs: int | None = None
    # The padding of a clip changes nothing but the padding of its frames.
    _skips_padding = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The transformer.
        """
        self._check_parameters(self._settings())
        valid_lengths(self._check_waveforms(X, reset=True))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms, NaN after the end of a clip.

        Returns
        -------
        frames : ndarray of shape (n_clips, n_features, 1 + n_samples // hop_length)
            Of type float32 if `X` is, else float64; NaN after the last frame of a clip.

        Raises
        ------
        ValueError
            If a waveform holds infinity, or NaN before its end.
        SerskError
            If `backend` or `device` asks for what is not there.
        """
        # `transform` may come without `fit`: there is nothing to learn.
        self._validate_params()
        settings = self._settings()
        self._check_parameters(settings)
        waveforms = self._check_waveforms(X, reset=False)
        shape = (len(waveforms), self._n_features(), settings.n_frames(waveforms.shape[1]))
        frames = np.empty(shape, dtype=waveforms.dtype)
        if self.device == "cpu":
            self._extract(waveforms, settings, frames)
        else:
            self._extract_on_device(waveforms, settings, frames)
        return frames

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored: the names do not depend on what comes in.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            One name a feature, the second axis of the output.
        """
        settings = self._settings()
        names = [name for feature in self._wanted() for name in feature_names(feature, settings)]
        return np.array(names, dtype=object)

    @abstractmethod
    def _settings(self) -> FrameSettings:
        """Translate the parameters."""

    @abstractmethod
    def _wanted(self) -> tuple[str, ...]:
        """Name the features, in the order of the output; see `_extraction.FEATURES`."""

    def _check_parameters(self, settings: FrameSettings) -> None:
        """Raise ValueError where parameters do not go together."""

    def _n_features(self) -> int:
        settings = self._settings()
        return sum(len(feature_names(feature, settings)) for feature in self._wanted())

    def _check_waveforms(self, X: ArrayLike, *, reset: bool) -> NDArray[np.floating]:
        """Validate all but the numbers themselves: `valid_lengths` looks at those once, later."""
        waveforms: NDArray[np.floating] = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
        )
        return waveforms

    def _extract(
        self,
        waveforms: NDArray[np.floating],
        settings: FrameSettings,
        frames: NDArray[np.floating],
    ) -> None:
        """Fill `frames`, in threads that take a few clips at a time."""
        features = self._wanted()
        backend = choose_backend(self.backend, features, settings)
        n_tasks = -(-len(waveforms) // _CLIPS_A_TASK)
        n_threads = max(min(effective_n_jobs(self.n_jobs), n_tasks), 1)
        # An extractor has scratch of its own: a task takes one, and puts it back.
        extractors: SimpleQueue[ClipExtractor] = SimpleQueue()
        for _ in range(n_threads):
            extractors.put(
                make_extractor(
                    features, settings, backend=backend, fft_precision=self.fft_precision
                )
            )

        def work(clips: slice) -> None:
            extractor = extractors.get()
            try:
                lengths = valid_lengths(waveforms[clips], first_row=clips.start)
                for clip, length in enumerate(lengths, start=clips.start):
                    n_frames = settings.n_frames(length) if length else 0
                    if length:
                        extractor(waveforms[clip, :length], frames[clip])
                    frames[clip, :, n_frames:] = np.nan
            finally:
                extractors.put(extractor)

        map_in_threads(work, gen_batches(len(waveforms), _CLIPS_A_TASK), n_threads)

    def _extract_on_device(
        self,
        waveforms: NDArray[np.floating],
        settings: FrameSettings,
        frames: NDArray[np.floating],
    ) -> None:
        from ._torch_extraction import extract

        extract(
            waveforms,
            valid_lengths(waveforms),
            self._wanted(),
            settings,
            frames,
            device=self.device,
            exact=self.fft_precision == "exact",
        )


def choose_backend(backend: str, features: tuple[str, ...], settings: FrameSettings) -> str:
    """Tell which way is taken where a transformer leaves it open, or asks for what cannot be."""
    if backend in ("scipy", "reference"):
        return backend
    wanted = set(features)
    if settings.tonnetz_chroma == "cqt":
        wanted.discard("tonnetz")
    if wanted <= {"yin", "pyin"}:
        return "scipy"  # librosa's own: no kernel has to be loaded
    covered = settings.n_fft in FFT_LENGTHS or wanted <= {"zcr", "rms", "yin", "pyin"}
    if backend == "numba":
        require_numba()
        _load_kernels()
        return "numba" if covered else "scipy"
    return "numba" if covered and numba_usable() and _kernels_work() else "scipy"


def _load_kernels() -> None:
    """Compile the kernels, or fetch them from the cache, while this thread is the only one."""
    from . import _kernel_stages  # noqa: F401


@lru_cache(maxsize=1)
def _kernels_work() -> bool:
    return kernels_work(_load_kernels, "features are computed with SciPy")
