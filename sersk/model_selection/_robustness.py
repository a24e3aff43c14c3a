"""What noise does to a trained system: the same clips, cleaner and noisier."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_is_fitted

from .._utils._clip_table import as_clip_table, paths_as_table
from .._utils._lengths import valid_lengths
from .._utils._parallel import as_completed
from .._utils._progress import track
from .._utils._sample_rates import check_sample_rates, sample_rates
from .._utils._warnings import repeat_warnings, warnings_recorded
from ..augmentation import AddNoise, WaveformAugmenter
from ..metrics import classification_summary
from ._evaluation import known_speakers, unreadable_files
from ._protocols import ProtocolSplit

# The clips as they are.
CLEAN = np.inf


@validate_params(
    {
        "estimator": [HasMethods(["predict"])],
        "snr_db": [Real, "array-like"],
        "noise": [StrOptions({"white", "pink"}), callable],
        "groups": ["array-like", None],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def noise_robustness(
    estimator: BaseEstimator,
    X: Any,
    y: ArrayLike,
    *,
    snr_db: float | Sequence[float] = (20, 10, 5, 0),
    noise: Literal["white", "pink"] | Callable[..., Any] = "white",
    groups: Any = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Score a trained system on test clips as they are, and with noise.

    Nothing is fitted. Each clip gets the same noise at each level, but for its gain, and the same
    in each call: so levels, and systems, differ in nothing else.

    Parameters
    ----------
    estimator : estimator
        Fitted pipeline from sound to emotions. It must not have been trained on the clips, nor on
        other clips of their speakers, if the scores shall hold for strangers.

    X : clip table or array-like of shape (n_clips, n_samples)
        The test clips: a clip table, paths, waveforms with NaN after their end, or a list of 1-D
        arrays. Of a clip table the noise goes into the ``augment`` cells, on top of what stands
        there, and is added by the reader of `estimator`.

    y : array-like of shape (n_clips,)
        Their emotions, at least two.

    snr_db : float or sequence of float, default=(20, 10, 5, 0)
        Signal-to-noise ratios in dB, each from -60 to 120 and given once. The clips without noise
        are scored in any case.

    noise : {"white", "pink"} or callable, default="white"
        The colour of :class:`~sersk.augmentation.AddNoise`; or what makes a transform when it is
        called as ``noise(snr_db=level)``, such as
        ``functools.partial(BackgroundNoise, "rooms")``.

    groups : DataFrame or array-like of shape (n_clips,), default=None
        Who speaks, for the intervals: a table with the column ``speaker``, or the speakers. By
        default the column of `X`.

    random_state : int, default=0
        Seed of the noise, >= 0, and of the bootstrap.

    n_jobs : int, default=None
        Number of levels that are computed at once, in processes. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Returns
    -------
    result : Bunch
        ``table`` : DataFrame of shape (n_levels + 1, 6)
            Indexed by ``snr_db``, from infinity, the clips as they are, downwards:
            ``balanced_accuracy`` (UAR) and its interval ``low``, ``high`` from resampling speakers,
            NaN with fewer than eight; ``accuracy``; ``f1_macro``; ``lost``: UAR on the clips as
            they are less this UAR. All but ``lost`` in [0, 1].
        ``predictions`` : DataFrame with columns ``snr_db``, ``row``, ``true``, ``predicted``
            One row for each clip and level, and ``speaker`` where known.
        ``chance`` : float
            UAR of guessing: one by the number of emotions.
        ``unreadable`` : dict of str to str
            Files that could not be read, and why. Their predictions count like any other.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If `estimator` is not fitted.
    AugmentationError
        If the noise cannot be added to a clip.
    ValueError
        If lengths differ, `X` holds vectors, `y` fewer than two emotions or none that `estimator`
        knows, `snr_db` is empty, names a level twice or one out of range, or steps of `estimator`
        name different sample rates.

    Warns
    -----
    UnreadableAudioWarning
        If files could not be read.

    See Also
    --------
    sersk.inspection.NoiseRobustnessDisplay : Draws the table.
    sersk.augmentation.WaveformAugmenter : Noise on the training clips, the usual remedy.

    Notes
    -----
    The ratio is that of the mean powers over the whole clip, pauses included; see
    :class:`~sersk.augmentation.AddNoise`. A clip of silence stays silent.

    An array `X` is taken for vectors if no step of `estimator` names a sample rate. A reader of
    your own has to apply the ``augment`` cells, as :class:`~sersk.preprocessing.AudioReader` does:
    one that passes over them hears no noise.

    Differences between two systems are judged by :func:`sersk.metrics.compare_by_speaker` on the
    predictions at one level.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.model_selection import noise_robustness
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> known = corpus.groups == "synthetic_01"
    >>> pipeline = svm_functionals(duration=2.0).fit(corpus.data[known], corpus.target[known])
    >>> result = noise_robustness(
    ...     pipeline, corpus.data[~known], corpus.target[~known], snr_db=[20, 0]
    ... )
    >>> result.table.index.to_list()
    [inf, 20.0, 0.0]
    >>> float(result.table.loc[float("inf"), "lost"])
    0.0
    """
    check_is_fitted(
        estimator,
        msg="This %(name)s is not fitted. noise_robustness scores what has been trained, and fits "
        "nothing: call fit with training clips first.",
    )
    emotions = np.asarray(column_or_1d(y))
    check_consistent_length(X, emotions, groups)
    chance = 1 / _count_emotions(emotions, estimator)
    check_sample_rates(estimator)
    X, sample_rate = _check_sound(X, estimator)
    speakers = known_speakers(X, groups, ProtocolSplit("speaker"))
    levels = [CLEAN, *_check_levels(snr_db)]
    # What cannot be made is found before anything is computed.
    transforms = [None] + [_make_transform(noise, level) for level in levels[1:]]

    jobs = (
        delayed(_predict)(level, estimator, X, transform, sample_rate, random_state, os.getpid())
        for level, transform in zip(levels, transforms, strict=True)
    )
    found = as_completed(jobs, n_jobs)
    done = track(found, total=len(levels), description="levels of noise", show=bool(verbose))
    with warnings_recorded() as said:
        outcomes = sorted(done, key=lambda outcome: -outcome.level)
    said += [warning for outcome in outcomes for warning in outcome.warnings]
    unreadable = {path: why for outcome in outcomes for path, why in outcome.unreadable.items()}
    repeat_warnings(said, unreadable, where="the result's 'unreadable'", stacklevel=3)

    predictions = pd.DataFrame(
        {
            "snr_db": np.repeat(levels, len(emotions)),
            "row": np.tile(np.arange(len(emotions)), len(levels)),
            "true": np.tile(emotions, len(levels)),
            "predicted": np.concatenate([outcome.predicted for outcome in outcomes]),
        }
    )
    if speakers is not None:
        predictions["speaker"] = np.tile(speakers, len(levels))
    return Bunch(
        table=_tabulate(predictions, levels, random_state),
        predictions=predictions,
        chance=chance,
        unreadable=unreadable,
    )


def _predict(
    level: float,
    fitted: Any,
    X: Any,
    transform: Any,
    sample_rate: int,
    random_state: int,
    caller: int,
) -> Bunch:
    """Predict at one level, in this process or another: all it needs comes as arguments."""
    with warnings_recorded(wanted=os.getpid() != caller) as said:
        if transform is not None:
            X = _add(transform, X, sample_rate, random_state)
        predicted = np.asarray(fitted.predict(X))
        unreadable = unreadable_files(fitted)
    return Bunch(level=level, predicted=predicted, unreadable=unreadable, warnings=said)


def _add(transform: Any, X: Any, sample_rate: int, random_state: int) -> Any:
    """Give each clip its noise, which depends on the clip and the seed and on no level."""
    augmenter = WaveformAugmenter(
        transform, keep_original=False, sample_rate=sample_rate, random_state=random_state
    )
    lengths = None
    if isinstance(X, list):
        lengths = [len(samples) for samples in X]
        waveforms = np.full((len(X), max(lengths)), np.nan, dtype=np.result_type(*X))
        for row, samples in zip(waveforms, X, strict=True):
            row[: len(samples)] = samples
        X = waveforms
    # Emotions are no matter of the noise, but samplers want two at least.
    noisy, _ = augmenter.fit_resample(X, np.arange(len(X)) % 2)
    if lengths is None:
        return noisy
    return [row[:length] for row, length in zip(noisy, valid_lengths(noisy), strict=True)]


def _check_sound(X: Any, estimator: Any) -> tuple[Any, int]:
    """Return a clip table, an array, or a list of arrays, and the sample rate of the arrays."""
    table = as_clip_table(X)
    rate = next(iter(sample_rates(estimator).values()), None)
    if table is not None:
        return paths_as_table(X), rate or 1
    if rate is None:
        raise ValueError(
            "No step of the estimator names a sample rate, so X is taken for vectors, and noise is "
            "added to sound: give a pipeline that begins with waveforms or a clip table, and such "
            "clips as X."
        )
    if isinstance(X, list | tuple) and all(
        isinstance(samples, np.ndarray) and samples.ndim == 1 for samples in X
    ):
        kinds = {samples.dtype for samples in X}
        if any(kind.kind != "f" for kind in kinds):
            raise ValueError(
                "X holds arrays of type "
                f"{', '.join(sorted(map(str, kinds)))}: noise is added to floats, in [-1, 1]."
            )
        return list(X), rate
    if np.ndim(X) != 2:
        raise ValueError(
            f"X must be a clip table, paths or waveforms of shape (n_clips, n_samples). Got an "
            f"array of shape {np.shape(X)}."
        )
    return X, rate


def _count_emotions(y: NDArray[Any], estimator: Any) -> int:
    emotions = np.unique(y)
    if len(emotions) < 2:
        raise ValueError(
            f"All clips are of one emotion, {emotions[0]}: without a second there is nothing to "
            "take it for."
        )
    known = getattr(estimator, "classes_", None)
    if known is not None and not set(emotions.tolist()) & set(np.asarray(known).tolist()):
        raise ValueError(
            f"The estimator knows {', '.join(map(str, known))}; y holds "
            f"{', '.join(map(str, emotions))}: they must be the same names."
        )
    return len(emotions)


def _check_levels(snr_db: float | Sequence[float]) -> list[float]:
    """List the levels, the least noise first."""
    levels = np.atleast_1d(np.asarray(snr_db, dtype=np.float64))
    if levels.ndim != 1 or not levels.size:
        raise ValueError(f"snr_db={snr_db!r}: at least one signal-to-noise ratio is needed, in dB.")
    if not np.isfinite(levels).all():
        raise ValueError(
            f"snr_db={snr_db!r}: finite numbers are needed; the clips without noise are scored in "
            "any case."
        )
    if len(np.unique(levels)) < len(levels):
        raise ValueError(f"snr_db={snr_db!r} names a level twice.")
    return sorted(levels.tolist(), reverse=True)


def _make_transform(noise: str | Callable[..., Any], level: float) -> Any:
    if isinstance(noise, str):
        transform: Any = AddNoise(snr_db=level, color=noise)  # type: ignore[arg-type]
    else:
        transform = noise(snr_db=level)
    if not (hasattr(transform, "draw") or callable(transform)):
        raise ValueError(
            f"noise(snr_db={level:g}) returned {transform!r}: a transform is needed, or a function "
            "of samples and sample rate."
        )
    if hasattr(transform, "draw"):
        transform.draw(0)  # which checks its parameters
    return transform


def _tabulate(
    predictions: pd.DataFrame, levels: Sequence[float], random_state: int
) -> pd.DataFrame:
    rows = []
    for _, part in predictions.groupby("snr_db", sort=False):
        scores = classification_summary(
            part["true"], part["predicted"], part.get("speaker"), random_state=random_state
        ).scores
        rows.append(
            {
                "balanced_accuracy": scores.loc["balanced_accuracy", "score"],
                "low": scores.loc["balanced_accuracy", "low"],
                "high": scores.loc["balanced_accuracy", "high"],
                "accuracy": scores.loc["accuracy", "score"],
                "f1_macro": scores.loc["f1_macro", "score"],
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(levels, name="snr_db", dtype=np.float64))
    table["lost"] = table["balanced_accuracy"].iloc[0] - table["balanced_accuracy"]
    return table
