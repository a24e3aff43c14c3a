"""What a leak is worth: one pipeline, scored the usual wrong ways and the right ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, _safe_indexing, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import _num_samples

from .._utils._clip_table import as_clip_table, paths_as_table
from .._utils._files import real_paths
from .._utils._sample_rates import check_sample_rates, sample_rates
from .._utils._warnings import repeat_warnings, warnings_recorded
from ..augmentation import WaveformAugmenter, make_transforms
from ..exceptions import CorpusWarning
from ..preprocessing import DropUnreadable
from ._evaluation import evaluate_protocol
from ._protocols import PROTOCOLS, ProtocolSplit

COPIES = "copies before the split"
OVERSAMPLING = "oversampling before the split"
CONDITIONS = (COPIES, OVERSAMPLING, "random", "text", "speaker", "speaker+text")

_KEPT_APART = ("speaker", "sentence")

# Samplers of imbalanced-learn that choose among the rows, and make none.
_CHOOSING = ("under-sampling", "clean-sampling")


@validate_params(
    {
        "pipeline": [HasMethods(["fit", "predict", "get_params", "set_params"])],
        "groups": ["array-like", None],
        "augmenter": [HasMethods(["fit_resample", "get_params"]), None],
        "conditions": [StrOptions(set(CONDITIONS)), list, tuple, None],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def audit_leakage(
    pipeline: BaseEstimator,
    X: Any,
    y: ArrayLike,
    groups: Any = None,
    *,
    augmenter: Any = None,
    conditions: str | Sequence[str] | None = None,
    n_splits: int = 5,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Show how much of a pipeline's score is leak.

    The pipeline is scored as published systems often are, with copies of the clips made before the
    split, and then with all that is random or learned inside the folds, on the same clips. What a
    score is above that on speakers never heard does not come from hearing emotions.

    Parameters
    ----------
    pipeline : estimator
        Unfitted pipeline of scikit-learn or imbalanced-learn, from what `X` holds to emotions, or
        what holds such pipelines: a search, a vote.

    X : clip table or array-like of shape (n_clips, ...)
        The clips: a clip table, waveforms, or vectors.

    y : array-like of shape (n_clips,)
        Their emotions.

    groups : DataFrame or array-like of shape (n_clips,), default=None
        A table with the columns ``speaker`` and ``sentence``, or the speakers. What it does not
        hold is taken from the columns of `X`.

    augmenter : sampler, default=None
        What makes the copies, unless a step of `pipeline`, however deep, is a
        :class:`~sersk.augmentation.WaveformAugmenter`: then it is that one. By default one copy
        with noise, one stretched in time and one of another pitch. It must tell in
        ``sample_indices_`` which row each row was made of.

    conditions : sequence of str, default=None
        Some of these, by default all for which enough is known:

        - ``"copies before the split"``: the augmenter is applied to all clips, then a random
          split; tested on copies, too.
        - ``"oversampling before the split"``: clips of rare emotions are repeated first, then a
          random split. Where all emotions are equally frequent, nothing is repeated.
        - ``"random"``, ``"text"``, ``"speaker"``, ``"speaker+text"``: the pipeline as it is, under
          the protocols of `ProtocolSplit`.

        In the first two, the pipeline's own samplers are taken out: all that make rows, those of
        pipelines within it, too. One that is no step of a pipeline cannot be taken out.

    n_splits : int, default=5
        Number of folds, >= 2; fewer where there are fewer speakers or sentences.

    random_state : int, default=0
        Seed of the folds, the bootstrap, the oversampling, and of an augmenter that has none.

    n_jobs : int, default=None
        Number of folds that run at once, in processes. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Returns
    -------
    audit : Bunch
        ``table`` : DataFrame of shape (n_conditions, 9)
            Indexed by ``condition``. ``leaks``: whether the training parts hold clips, or copies of
            clips, that are tested; ``n_leaked``: how many tested rows that concerns; ``n_tested``;
            ``balanced_accuracy`` (UAR) and its interval ``low``, ``high`` from resampling speakers,
            NaN with fewer than eight; ``accuracy``; ``f1_macro``; ``above_speaker``: UAR less that
            of ``"speaker"``, NaN where that was not scored. All scores in [0, 1].
        ``results`` : dict of str to Bunch
            What `evaluate_protocol` gives, by condition. ``row`` in its predictions is the row
            after copying; ``source`` the row of `X`.
        ``left_out`` : dict of str to str
            Conditions that could not be scored, and why.
        ``chance`` : float
            UAR of guessing: one by the number of emotions.
        ``augmenter`` : sampler or None
            What made the copies, unfitted.
        ``n_splits``, ``random_state`` : int
            As given.

    Raises
    ------
    ValueError
        If `pipeline` is no estimator, lengths differ, `conditions` names what is unknown or cannot
        be scored, or steps name different sample rates.

    Warns
    -----
    CorpusWarning
        If conditions are left out.
    UnreadableAudioWarning
        If files could not be read.

    See Also
    --------
    check_split : What a split of your own shares.
    sersk.inspection.LeakageDisplay : Draws the table.

    Notes
    -----
    Two clips are the same where file, ``start`` and ``stop`` are, of arrays where all numbers are,
    whatever the padding. So copies that were made before `X` was handed in show: ``leaks`` is then
    true of ``"random"``.

    :class:`~sersk.preprocessing.DropUnreadable` and samplers that only choose among the rows stay
    in the pipeline under all conditions.

    `X` is taken for vectors if no step of the pipeline names a sample rate. There is no default
    augmenter for these.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.model_selection import audit_leakage
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> audit = audit_leakage(
    ...     svm_functionals(duration=2.0), corpus.data, corpus.target, corpus.frame,
    ...     conditions=["copies before the split", "random", "speaker"], n_splits=2,
    ... )
    >>> audit.table[["leaks", "n_tested"]]
                             leaks  n_tested
    condition
    copies before the split   True        96
    random                   False        24
    speaker                  False        24
    """
    emotions = np.asarray(column_or_1d(y))
    check_consistent_length(X, emotions)
    wanted = _check_conditions(conditions)
    X = paths_as_table(X)
    table = as_clip_table(X)
    who = _who_says_what(X, groups)
    check_sample_rates(pipeline)
    augmenter = (
        _choose_augmenter(pipeline, augmenter, table is not None, random_state)
        if COPIES in wanted
        else None
    )
    splitters = {
        condition: ProtocolSplit(protocol, n_splits=n_splits, random_state=random_state)
        for condition in wanted
        for protocol in [condition if condition in PROTOCOLS else "random"]
    }
    # What cannot work is found before anything is computed.
    left_out = _find_impossible(splitters, emotions, who, augmenter, pipeline)
    if left_out:
        reasons = "; ".join(f"{condition!r}: {reason}" for condition, reason in left_out.items())
        if conditions is not None or len(left_out) == len(wanted):
            raise ValueError(f"Conditions that cannot be scored: {reasons}.")
        warnings.warn(f"Conditions left out: {reasons}.", CorpusWarning, stacklevel=3)

    sounds = _number_sounds(X)
    results = {}
    with warnings_recorded() as said:
        for condition, splitter in splitters.items():
            if condition in left_out:
                continue
            rows, clips = _make_rows(condition, X, emotions, augmenter, random_state)
            result = evaluate_protocol(
                pipeline if condition in PROTOCOLS else _without_copying_samplers(pipeline),
                clips,
                emotions[rows],
                protocol=splitter,
                groups=who.iloc[rows].reset_index(drop=True),
                random_state=random_state,
                n_jobs=n_jobs,
                verbose=verbose,
            )
            result.predictions.insert(1, "source", rows[result.predictions["row"]])
            result.n_leaked = _count_leaked(splitter, sounds[rows], emotions[rows], who.iloc[rows])
            results[condition] = result
    unreadable = {
        path: why for result in results.values() for path, why in result.unreadable.items()
    }
    repeat_warnings(said, unreadable, where="the results' 'unreadable'", stacklevel=3)
    return Bunch(
        table=_tabulate(results),
        results=results,
        left_out=left_out,
        chance=1 / len(np.unique(emotions)),
        augmenter=augmenter,
        n_splits=n_splits,
        random_state=random_state,
    )


def _check_conditions(conditions: str | Sequence[str] | None) -> list[str]:
    if conditions is None:
        return list(CONDITIONS)
    chosen = [conditions] if isinstance(conditions, str) else list(conditions)
    unknown = [condition for condition in chosen if condition not in CONDITIONS]
    if unknown or not chosen:
        raise ValueError(
            f"conditions={conditions!r}: choose some of {', '.join(map(repr, CONDITIONS))}."
        )
    return [condition for condition in CONDITIONS if condition in chosen]


def _who_says_what(X: Any, groups: Any) -> pd.DataFrame:
    """Gather speakers and sentences, as far as they are known."""
    known = {}
    if isinstance(X, pd.DataFrame):
        known = {name: X[name].to_numpy() for name in _KEPT_APART if name in X.columns}
    if isinstance(groups, pd.DataFrame):
        check_consistent_length(X, groups)
        known |= {name: groups[name].to_numpy() for name in _KEPT_APART if name in groups.columns}
    elif groups is not None:
        known["speaker"] = column_or_1d(groups)
        check_consistent_length(X, groups)
    return pd.DataFrame(known, index=range(_num_samples(X)))


def _choose_augmenter(
    pipeline: BaseEstimator, given: Any, is_table: bool, random_state: int
) -> Any:
    """Find what makes the copies, with a seed; None where `X` are vectors and none is given."""
    parts = pipeline.get_params(deep=True).values()
    own = [part for part in parts if isinstance(part, WaveformAugmenter)]
    rate = next(iter(sample_rates(pipeline).values()), None)
    if own or given is not None:
        augmenter = clone(own[0] if own else given)
    elif is_table or rate is not None:
        augmenter = WaveformAugmenter(
            make_transforms("noise_stretch_pitch"), sample_rate=rate or 16000
        )
    else:
        return None
    if not is_table:
        check_sample_rates(Pipeline([("pipeline", pipeline), ("augmenter", augmenter)]))
    if augmenter.get_params().get("random_state", random_state) is None:
        augmenter.set_params(random_state=random_state)
    return augmenter


def _find_impossible(
    splitters: dict[str, ProtocolSplit],
    y: NDArray[Any],
    who: pd.DataFrame,
    augmenter: Any,
    pipeline: BaseEstimator,
) -> dict[str, str]:
    """Tell which conditions cannot be scored, and why."""
    reasons = {}
    _, stuck = _find_copying_samplers(pipeline)
    for condition, splitter in splitters.items():
        if condition not in PROTOCOLS and stuck:
            sampler = type(pipeline.get_params(deep=True)[stuck[0]]).__name__
            reasons[condition] = (
                f"the sampler {stuck[0]}={sampler} cannot be taken out, because it is no step of a "
                "pipeline; put it before the classifier, in a pipeline of imbalanced-learn"
            )
        elif condition == COPIES and augmenter is None:
            reasons[condition] = (
                "no step of the pipeline names a sample rate, so X is taken for vectors, and for "
                "these there is no default augmenter"
            )
        elif condition in PROTOCOLS and condition != "random":
            try:
                list(splitter.split(y, y, who))
            except ValueError as error:
                reasons[condition] = str(error).rstrip(".")
    return reasons


def _make_rows(
    condition: str, X: Any, y: NDArray[Any], augmenter: Any, random_state: int
) -> tuple[NDArray[np.intp], Any]:
    """Return of each row that is split the row of `X` that it was made of, and the clips."""
    if condition == COPIES:
        return _copy(augmenter, X, y)
    if condition == OVERSAMPLING:
        rows = _repeat(y, random_state)
        return rows, _safe_indexing(X, rows)
    return np.arange(len(y)), X


def _copy(augmenter: Any, X: Any, y: NDArray[Any]) -> tuple[NDArray[np.intp], Any]:
    """Make the copies; tell of each row of the output which row it was made of."""
    sampler = clone(augmenter)
    clips, _ = sampler.fit_resample(X, y)
    rows = getattr(sampler, "sample_indices_", None)
    if rows is None or len(rows) != _num_samples(clips):
        raise ValueError(
            f"{type(sampler).__name__} does not tell in sample_indices_ which row each row of its "
            "output was made of: whose copy it is would not be known."
        )
    return np.asarray(rows), clips


def _repeat(y: NDArray[Any], random_state: int) -> NDArray[np.intp]:
    """Repeat rows of rare emotions; rows are numbers here, so that clips may be anything."""
    sampler = RandomOverSampler(random_state=random_state)
    sampler.fit_resample(np.arange(len(y)).reshape(-1, 1), y)
    return np.asarray(sampler.sample_indices_)


def _find_copying_samplers(estimator: Any) -> tuple[list[str], list[str]]:
    """Name the samplers that make rows, however deep: those that are steps, and the others."""
    parts = estimator.get_params(deep=True)
    steps: list[str] = []
    others: list[str] = []
    # In this order none comes before what it is part of, with which it goes.
    for name in sorted(parts):
        if not _makes_rows(parts[name]) or any(name.startswith(f"{step}__") for step in steps):
            continue
        path, _, own = name.rpartition("__")
        holder = parts.get(path) if path else estimator
        is_step = isinstance(holder, Pipeline) and own in holder.named_steps
        (steps if is_step else others).append(name)
    return steps, others


def _makes_rows(part: Any) -> bool:
    return (
        hasattr(part, "fit_resample")
        and not isinstance(part, DropUnreadable)
        and getattr(part, "_sampling_type", None) not in _CHOOSING
    )


def _without_copying_samplers(estimator: BaseEstimator) -> BaseEstimator:
    steps, _ = _find_copying_samplers(estimator)
    bare: BaseEstimator = clone(estimator).set_params(**dict.fromkeys(steps, "passthrough"))
    return bare


def _number_sounds(X: Any) -> NDArray[np.intp]:
    """Give each clip a number; the same number where the sound is the same."""
    table = as_clip_table(X)
    names: list[Any]
    if table is not None:
        starts = np.nan_to_num(table.starts, nan=0.0).tolist()
        stops = np.where(np.isnan(table.stops), np.inf, table.stops).tolist()
        names = list(zip(real_paths(table.paths), starts, stops, strict=True))
    elif hasattr(X, "tocsr"):
        names = [_name_of_numbers(row.toarray()[0]) for row in X.tocsr()]
    else:
        if isinstance(X, pd.DataFrame):
            X = X.to_numpy(dtype=np.float64, na_value=np.nan)
        names = list(map(_name_of_numbers, X))
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def _name_of_numbers(clip: Any) -> tuple[tuple[int, ...], bytes]:
    """Name a clip by its numbers, whatever their precision, the padding and how NaN is put down."""
    numbers = np.atleast_1d(clip)
    if numbers.dtype.kind == "O":
        numbers = np.asarray(numbers.tolist())  # the bytes of objects are addresses
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float64)
        missing = np.isnan(numbers)
        numbers[missing] = np.nan
        numbers += 0  # zero has no sign
        heard = np.flatnonzero(~missing.all(axis=tuple(range(missing.ndim - 1))))
        numbers = numbers[..., : heard[-1] + 1 if heard.size else 0]
    return numbers.shape, numbers.tobytes()


def _count_leaked(
    splitter: ProtocolSplit, sounds: NDArray[np.intp], y: NDArray[Any], who: pd.DataFrame
) -> int:
    """Count tested rows whose sound, or a copy of it, stands in the training part."""
    folds = splitter.split(y, y, who)
    return sum(int(np.isin(sounds[test], sounds[train]).sum()) for train, test in folds)


def _tabulate(results: dict[str, Bunch]) -> pd.DataFrame:
    rows = []
    for condition, result in results.items():
        scores = result.scores
        uar = scores.loc["balanced_accuracy"]
        rows.append(
            {
                "condition": condition,
                "leaks": result.n_leaked > 0,
                "n_leaked": result.n_leaked,
                "n_tested": len(result.predictions),
                "balanced_accuracy": uar["score"],
                "low": uar["low"],
                "high": uar["high"],
                "accuracy": scores.loc["accuracy", "score"],
                "f1_macro": scores.loc["f1_macro", "score"],
            }
        )
    table = pd.DataFrame(rows).set_index("condition")
    strangers = table["balanced_accuracy"].get("speaker", np.nan)
    return table.assign(above_speaker=table["balanced_accuracy"] - strangers)
