"""From one clip to its features: which steps each of them takes, and in which order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils._librosa import import_librosa
from . import _reference
from ._settings import FrameSettings, Precision
from ._stages import ScipyStages, Stages, decibels

Samples = NDArray[np.floating]
Rows = NDArray[np.floating]

_SHAPES = {"centroid", "bandwidth", "rolloff", "flatness", "contrast"}

# Energy of a clip whose powers, and their sums, single precision can hold.
_SINGLE_RANGE = (1e-16, 1e28)

_DELTAS = {"_delta": 1, "_delta2": 2}

_NAMES: dict[str, Callable[[FrameSettings], list[str]]] = {
    "mel": lambda s: [f"mel{band}" for band in range(s.n_mels)],
    "log_mel": lambda s: [f"log_mel{band}" for band in range(s.n_mels)],
    "mfcc": lambda s: [f"mfcc{index}" for index in range(s.n_mfcc)],
    "chroma": lambda s: [f"chroma{index}" for index in range(s.n_chroma)],
    "tonnetz": lambda s: [
        f"tonnetz_{interval}_{axis}"
        for interval in ("fifth", "minor", "major")
        for axis in ("x", "y")
    ],
    "zcr": lambda s: ["zcr"],
    "rms": lambda s: ["rms"],
    "centroid": lambda s: ["centroid"],
    "bandwidth": lambda s: ["bandwidth"],
    "rolloff": lambda s: ["rolloff"],
    "flatness": lambda s: ["flatness"],
    "contrast": lambda s: [f"contrast{band}" for band in range(s.n_bands + 1)],
    "yin": lambda s: ["f0_yin"],
    "pyin": lambda s: ["f0_pyin", "voiced", "voiced_probability"],
}

#: All that can be asked for.
FEATURES = tuple(
    name + suffix
    for name in _NAMES
    for suffix in (("", *_DELTAS) if name in ("log_mel", "mfcc") else ("",))
)


def split_delta(feature: str) -> tuple[str, int]:
    """Split ``"mfcc_delta2"`` into ``"mfcc"`` and the order of its derivative."""
    for suffix, order in _DELTAS.items():
        if feature.endswith(suffix):
            return feature.removesuffix(suffix), order
    return feature, 0


def feature_names(feature: str, settings: FrameSettings) -> list[str]:
    """Name the rows of a feature."""
    base, _ = split_delta(feature)
    suffix = feature.removeprefix(base)
    return [name + suffix for name in _NAMES[base](settings)]


def check_features(features: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that are unknown or come twice, and none at all."""
    if not len(features):
        raise ValueError(f"features is empty: name at least one of {', '.join(known)}.")
    for feature in features:
        if feature not in known:
            raise ValueError(f"features holds {feature!r}; known are {', '.join(known)}.")
    twice = {feature for feature in features if list(features).count(feature) > 1}
    if twice:
        raise ValueError(f"features holds {', '.join(sorted(twice))} more than once.")


class ClipExtractor(ABC):
    """Compute features of one clip after the other; one object serves one thread."""

    def __init__(self, features: tuple[str, ...], settings: FrameSettings) -> None:
        self.features = features
        self.settings = settings
        sizes = [len(feature_names(feature, settings)) for feature in features]
        ends = np.cumsum(sizes)
        #: Of each feature: what it is derived from, how often, and its rows in the output.
        self._parts = [
            (*split_delta(feature), slice(end - size, end))
            for feature, end, size in zip(features, ends, sizes, strict=True)
        ]

    def __call__(self, samples: Samples, out: Rows) -> None:
        """Write all features of a clip of at least one sample.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            A clip without padding.
        out : ndarray of shape (n_features, n_frames or more)
            Receives the features of the clip's frames.
        """
        n_frames = self.settings.n_frames(len(samples))
        results = self._begin(samples, n_frames)
        for base, order, place in self._parts:
            rows = self._compute(base, order, samples, results)
            out[place, :n_frames] = rows[:, :n_frames]

    def _begin(self, samples: Samples, n_frames: int) -> dict[str, Rows]:
        """Give what is known of a clip before the single features are asked for."""
        return {}

    @abstractmethod
    def _compute(self, base: str, order: int, samples: Samples, results: dict[str, Rows]) -> Rows:
        """Give the rows of a feature; `results` keeps what others may use."""


class ReferenceExtractor(ClipExtractor):
    """Each feature by librosa, from the beginning."""

    def _compute(self, base: str, order: int, samples: Samples, results: dict[str, Rows]) -> Rows:
        if base not in results:
            results[base] = _reference.COMPUTE[base](samples, self.settings)
        return _reference.delta(results[base], order) if order else results[base]


class SharedSpectrumExtractor(ClipExtractor):
    """All features from one spectrum a frame."""

    # What has to be there before a feature is computed from it.
    _NEEDS = {"log_mel": "mel", "mfcc": "mel"}
    _MOMENTS = ("centroid", "bandwidth", "rolloff")

    def __init__(
        self,
        features: tuple[str, ...],
        settings: FrameSettings,
        stages: type[Stages],
        dtype: Precision,
    ) -> None:
        super().__init__(features, settings)
        self._stages = stages(settings, dtype)
        needs = self._NEEDS | ({"tonnetz": "chroma"} if settings.tonnetz_chroma == "stft" else {})
        bases = {split_delta(feature)[0] for feature in features}
        self._raw = {needs.get(base, base) for base in bases}
        self._of_power = self._raw & {"chroma", "flatness"}
        self._of_magnitude = self._raw & {*self._MOMENTS, "contrast"}
        (self._of_power if settings.power == 2.0 else self._of_magnitude).update(
            self._raw & {"mel"}
        )

        sizes = {
            "mel": settings.n_mels,
            "chroma": settings.n_chroma,
            "flatness": 1,
            "moments": 3,
            "peaks": settings.n_bands + 1,
            "valleys": settings.n_bands + 1,
            "zcr": 1,
            "rms": 1,
        }
        needed = set(self._raw)
        if needed.intersection(self._MOMENTS):
            needed.add("moments")
        if "contrast" in needed:
            needed |= {"peaks", "valleys"}
        #: Rows of what is computed stretch by stretch.
        self._sizes = {name: size for name, size in sizes.items() if name in needed}

        self._in_double: SharedSpectrumExtractor | None = None

    def __call__(self, samples: Samples, out: Rows) -> None:
        if self._stages.dtype == np.float32:
            # Overflow to infinity is one of the answers asked for.
            with np.errstate(over="ignore"):
                energy = np.dot(samples, samples)
            if energy and not _SINGLE_RANGE[0] < energy < _SINGLE_RANGE[1]:
                if self._in_double is None:
                    self._in_double = SharedSpectrumExtractor(
                        self.features, self.settings, type(self._stages), np.float64
                    )
                self._in_double(samples, out)
                return
        super().__call__(samples, out)

    def _begin(self, samples: Samples, n_frames: int) -> dict[str, Rows]:
        s, stages = self.settings, self._stages
        stages.begin(n_frames)
        rows = {name: stages.rows(name, size) for name, size in self._sizes.items()}

        starts = range(0, n_frames, stages.n_frames_at_once)
        tuning_later = "chroma" in rows and s.tuning is None and len(starts) > 1
        if "chroma" in rows and s.tuning is None:
            stages.forget_peaks(n_frames)
        for first in starts:
            stages.load(samples, first, min(stages.n_frames_at_once, n_frames - first))
            if "zcr" in rows:
                stages.zero_crossing_rate(rows["zcr"], first)
            if "rms" in rows:
                stages.rms(rows["rms"], first)
            if self._of_power or self._of_magnitude:
                stages.spectrum()
                self._from_spectrum(rows, first, tuning_later)
        if tuning_later:
            # The tuning takes the whole clip, and this one is too long for its spectrum to be kept:
            # it is computed once more.
            tuning = stages.tuning()
            for first in starts:
                stages.load(samples, first, min(stages.n_frames_at_once, n_frames - first))
                stages.spectrum()
                stages.chroma(tuning, rows["chroma"], first)
        return self._results(rows, n_frames)

    def _from_spectrum(self, rows: dict[str, Rows], first: int, tuning_later: bool) -> None:
        stages, tuning = self._stages, self.settings.tuning
        if "mel" in self._of_power:
            stages.mel(rows["mel"], first)
        if "flatness" in self._of_power:
            stages.flatness(rows["flatness"], first)
        if "chroma" in self._of_power:
            if tuning is None:
                stages.find_peaks()
            if not tuning_later:
                tuning = stages.tuning() if tuning is None else tuning
                stages.chroma(tuning, rows["chroma"], first)
        if self._of_magnitude:
            stages.to_magnitude()
        if "mel" in self._of_magnitude:
            stages.mel(rows["mel"], first)
        if "moments" in rows:
            stages.moments(rows["moments"], first)
        if "peaks" in rows:
            stages.extremes(rows["peaks"], rows["valleys"], first)

    def _results(self, rows: dict[str, Rows], n_frames: int) -> dict[str, Rows]:
        s = self.settings
        if "chroma" in rows:
            _normalise(rows["chroma"][:, :n_frames], s.chroma_norm)
        if "peaks" in rows:
            # librosa takes these for powers, with its defaults.
            high, low = (rows[name][:, :n_frames] for name in ("peaks", "valleys"))
            decibels(high, high)
            decibels(low, low)
            rows["contrast"] = high - low
        for index, name in enumerate(self._MOMENTS):
            if "moments" in rows:
                rows[name] = rows["moments"][index : index + 1]
        self._n_frames = n_frames
        return rows

    def _compute(self, base: str, order: int, samples: Samples, results: dict[str, Rows]) -> Rows:
        if base not in results:
            results[base] = self._derive(base, samples, results)
        if not order:
            return results[base]
        return self._stages.deltas(results[base], self._n_frames, order)

    def _derive(self, base: str, samples: Samples, results: dict[str, Rows]) -> Rows:
        s, stages, n_frames = self.settings, self._stages, self._n_frames
        if base == "log_mel":
            return stages.level(results["mel"], n_frames)
        if base == "mfcc":
            if "log_mel" not in results:
                results["log_mel"] = self._derive("log_mel", samples, results)
            return stages.cepstrum(results["log_mel"], n_frames)
        if base == "tonnetz" and s.tonnetz_chroma == "stft":
            librosa = import_librosa()

            chroma = results["chroma"][:, :n_frames]
            return np.asarray(librosa.feature.tonnetz(chroma=chroma, sr=s.sample_rate))
        # What is not taken from the spectrum: pitch, and the chroma of a constant-Q transform.
        return np.asarray(_reference.COMPUTE[base](samples, s))


def _normalise(chroma: Rows, norm: float | None) -> None:
    if norm is None:
        return
    length: Any
    if norm == np.inf:
        length = chroma.max(axis=0)
    elif norm == 1:
        length = chroma.sum(axis=0)
    else:
        # In double precision: squares of powers may be beyond single.
        length = np.sqrt(np.square(chroma, dtype=np.float64).sum(axis=0))
    # A silent frame stays as it is.
    length[length < np.finfo(chroma.dtype).tiny] = 1
    np.divide(chroma, length, out=chroma, casting="same_kind")


def make_extractor(
    features: tuple[str, ...],
    settings: FrameSettings,
    *,
    backend: str,
    fft_precision: str,
) -> ClipExtractor:
    """Make the extractor of one thread."""
    if backend == "reference":
        return ReferenceExtractor(features, settings)
    # Nearly empty bins hold the rounding errors of a transform in single precision: the shape of a
    # spectrum would be made of them.
    exact = fft_precision == "exact" or not _SHAPES.isdisjoint(features)
    dtype: Precision = np.float64 if exact else np.float32
    stages: type[Stages] = ScipyStages
    if backend == "numba":
        from ._kernel_stages import KernelStages

        stages = KernelStages
    return SharedSpectrumExtractor(features, settings, stages, dtype)
