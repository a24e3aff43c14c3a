"""What is fitted, and on which folds: a recipe on a corpus under a protocol."""

from __future__ import annotations

import inspect
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from sklearn.utils import Bunch, _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._utils._names import did_you_mean
from .._utils._sample_rates import sample_rates
from ..augmentation import WaveformAugmenter, make_transforms
from ..datasets import concat_corpora
from ..exceptions import LeakageWarning
from ..model_selection import ProtocolSplit, ValidationHoldout
from ..model_selection._protocols import PROTOCOLS, Fold
from ._provenance import corpus_fingerprint, relative_names
from ._registry import PublishedSplit, RecipeInfo, make_recipe, recipe_info
from ._results import RunKey, options_json

AS_PUBLISHED = "as-published"

# What a system has at hand when it is asked: scores under different conditions do not compare.
SINGLE_CLIP = "a stranger's single clip"
SEVERAL_CLIPS = "several clips of a speaker at hand"

# What a run decides by itself: no options of a recipe.
_DECIDED = {"random_state": "seeds", "memory": "memory"}

# How the options of a run say that its probabilities were calibrated.
_CALIBRATE = "calibrate"
# Parts into which speakers are dealt for that, each predicted by a model of the others.
_CALIBRATION_PARTS = 3


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """What is fitted, and on which folds: `prepare_run` makes it.

    Parameters
    ----------
    recipe : str
        Name of the recipe.

    corpus : str
        Name of the corpus.

    protocol : str
        How clips are split.

    seed : int
        Of all that is random.

    n_splits : int
        Folds that were asked for.

    options : dict
        What the recipe was made with.

    condition : str
        ``"a stranger's single clip"``, or ``"several clips of a speaker at hand"`` for recipes
        that have to be told whose clips are whose.

    estimator : estimator
        The pipeline, unfitted; within :class:`~sersk.model_selection.ValidationHoldout` where it
        stops early.

    X : DataFrame or array of shape (n_rows, ...)
        Clips, and copies that were made before the split.

    y : ndarray of shape (n_rows,)
        Their emotions.

    groups : DataFrame of shape (n_rows, n_columns)
        What is known of the rows.

    folds : list of (train, test)
        Rows of `X`.

    rows : ndarray of shape (n_rows,)
        The row of the corpus that each row is, or is a copy of.

    corpora : list of str
        What the corpus is made of.

    fingerprint : str
        Sums up the corpus.

    folders : dict of str to str
        Where its files lie.

    notes : list of str
        What is to be known of the split.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> run = prepare_run("svm_functionals", corpus, protocol="random", n_splits=3)
    >>> run.n_leaked
    [0, 0, 0]
    """

    recipe: str
    corpus: str
    protocol: str
    seed: int
    n_splits: int
    options: dict[str, Any]
    condition: str
    estimator: BaseEstimator
    X: Any
    y: NDArray[Any]
    groups: pd.DataFrame
    folds: list[Fold]
    rows: NDArray[np.intp]
    corpora: list[str]
    fingerprint: str
    folders: dict[str, str]
    notes: list[str]

    @property
    def who(self) -> pd.DataFrame | None:
        """What `fit` is told of the speakers; None where they are not known."""
        return self.groups if "speaker" in self.groups.columns else None

    @property
    def key(self) -> RunKey:
        """What makes it the same run as another."""
        return RunKey(
            self.recipe,
            self.corpus,
            self.fingerprint,
            self.protocol,
            self.seed,
            self.n_splits,
            options_json(self.options),
        )

    @property
    def n_leaked(self) -> list[int]:
        """How many tested rows of each fold have a copy, or themselves, in the training part."""
        return [int(np.isin(self.rows[test], self.rows[train]).sum()) for train, test in self.folds]


@validate_params(
    {
        "recipe": [str],
        "corpus": [Bunch, list, tuple],
        "name": [str, None],
        "protocol": [StrOptions({*PROTOCOLS, AS_PUBLISHED})],
        "seed": [Interval(Integral, 0, None, closed="left")],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "options": [Mapping, None],
        "calibrate": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def prepare_run(
    recipe: str,
    corpus: Bunch | Sequence[Bunch],
    *,
    name: str | None = None,
    protocol: str = "speaker",
    seed: int = 0,
    n_splits: int = 5,
    options: Mapping[str, Any] | None = None,
    calibrate: bool = False,
    memory: str | os.PathLike[str] | None = None,
) -> PreparedRun:
    """Make the pipeline of a recipe, and the folds on which it is scored.

    Parameters
    ----------
    recipe : str
        One of `list_recipes`.

    corpus : Bunch or sequence of Bunch
        As the loaders return it; several are put into one.

    name : str, default=None
        What the corpus is called in results; by default the names of what it is made of.

    protocol : str, default="speaker"
        One of those of :class:`~sersk.model_selection.ProtocolSplit`, or ``"as-published"``: one
        split by clip, as the source of the recipe has it, with the copies that it makes before the
        split.

    seed : int, default=0
        Of all that is random, >= 0.

    n_splits : int, default=5
        Number of folds, >= 2. ``"as-published"`` has one.

    options : mapping of str to object, default=None
        Parameters of the recipe, plain values.

    calibrate : bool, default=False
        Whether probabilities are calibrated by temperature scaling, on speakers held out of the
        training part of each fold. An SVM then tells each emotion from the rest, in place of pairs.
        The options of the run say ``calibrate``, so that it is another run than the one without.

    memory : str or path-like, default=None
        Folder in which the features of each clip are kept.

    Returns
    -------
    run : PreparedRun
        To be computed by `compute_run`.

    Raises
    ------
    ValueError
        If there is no such recipe, it takes no such option, or the corpus lacks clips, emotions,
        speakers or columns that the recipe, the protocol or calibration needs.

    Warns
    -----
    LeakageWarning
        If the same speakers, or copies of the same clips, are trained on and tested, because a
        published split is repeated.

    Notes
    -----
    Recipes that stop early are wrapped in :class:`~sersk.model_selection.ValidationHoldout`, which
    holds speakers out of the training part; under ``"as-published"`` clips, where the source does.
    The source's choice of emotions is applied where the corpus is one of the source's.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> run = prepare_run("svm_functionals", corpus, protocol="speaker", options={"C": 1.0})
    >>> len(run.folds), run.estimator["svm"]
    (2, SVC())
    """
    info = recipe_info(recipe)
    options = check_options(info, options)
    if not isinstance(corpus, Bunch):
        corpus = concat_corpora(list(corpus)) if len(corpus) != 1 else corpus[0]
    refuse_chosen_copies(info, options, protocol)
    rows, emotions = choose_clips(info, corpus, protocol)
    # Copies that are made before the split are not made a second time.
    copied = _copies_first(info, protocol)
    parameters = {**options, "transforms": []} if copied else options
    pipeline = make_recipe(recipe, random_state=seed, memory=memory, **parameters)
    frame = corpus.frame.iloc[rows].reset_index(drop=True)
    X = _safe_indexing(corpus.data, rows)
    if isinstance(X, pd.DataFrame):
        X = X.reset_index(drop=True)
    notes = []
    if protocol == AS_PUBLISHED:
        assert info.split is not None  # choose_clips has refused it
        if copied:
            X, emotions, sources = _copy_before_split(pipeline, X, emotions, info.split, seed)
            rows, frame = rows[sources], frame.iloc[sources].reset_index(drop=True)
        train, test = train_test_split(
            np.arange(len(rows)), test_size=info.split.test_size, stratify=emotions,
            random_state=seed,
        )  # fmt: skip
        folds = [(np.sort(train), np.sort(test))]
        n_splits = 1
        notes.append(_say_what_is_shared(info, frame, rows, *folds[0]))
        warnings.warn(notes[-1], LeakageWarning, stacklevel=3)
    else:
        splitter = ProtocolSplit(protocol, n_splits=n_splits, random_state=seed)
        folds = list(splitter.split(X, emotions, frame))
    estimator = _with_validation(info, pipeline, protocol, seed)
    if calibrate:
        for train, _ in folds:
            check_calibration(_safe_indexing(X, train), emotions[train])
        estimator = with_calibration(estimator, seed)
        options = {**options, _CALIBRATE: True}
    there = frame["corpus"].astype(str) if "corpus" in frame.columns else pd.Series([], dtype=str)
    has_files = "path" in corpus.frame.columns
    return PreparedRun(
        recipe=recipe,
        corpus=name or "+".join(dict.fromkeys(there)) or "corpus",
        protocol=protocol,
        seed=int(seed),
        n_splits=int(n_splits),
        options=options,
        condition=SEVERAL_CLIPS if info.by_speaker else SINGLE_CLIP,
        estimator=estimator,
        X=X,
        y=emotions,
        groups=frame,
        folds=folds,
        rows=rows,
        corpora=list(dict.fromkeys(there)),
        fingerprint=corpus_fingerprint(corpus),
        folders=relative_names(corpus.frame)[1] if has_files else {},
        notes=notes,
    )


def with_calibration(estimator: BaseEstimator, seed: int) -> CalibratedClassifierCV:
    """Let the probabilities of a system be calibrated on speakers that its models did not hear.

    An SVM as the last step is made to tell each emotion from the rest: the votes of its pairs,
    which are its scores otherwise, are next to the same for all clips that win, and no temperature
    makes a confidence of them.

    Parameters
    ----------
    estimator : estimator
        Unfitted, from clip tables to emotions.
    seed : int
        Of the parts into which speakers are dealt.

    Returns
    -------
    calibrated : CalibratedClassifierCV
        With one model of all clips and one number on top of it, the temperature.
    """
    name, last = getattr(estimator, "steps", [("", None)])[-1]
    if isinstance(last, SVC):
        estimator = clone(estimator).set_params(**{name: OneVsRestClassifier(last)})
    return CalibratedClassifierCV(
        estimator,
        method="temperature",
        cv=ProtocolSplit("speaker", n_splits=_CALIBRATION_PARTS, random_state=seed),
        ensemble=False,
    )


def check_calibration(X: Any, y: NDArray[Any]) -> None:
    """See that clips can be calibrated by speaker, before anything is computed.

    Parameters
    ----------
    X : object
        What a system will be trained on.
    y : ndarray of shape (n_clips,)
        Emotions.

    Raises
    ------
    ValueError
        If it is not known who speaks, or all clips of an emotion are of one speaker.
    """
    if not isinstance(X, pd.DataFrame) or "speaker" not in X.columns or X["speaker"].isna().any():
        raise ValueError(
            "Calibration holds speakers out, and it is not known who speaks in each clip: give a "
            "clip table with the column 'speaker', without empty cells. (Waveforms have no "
            "columns: sersk.datasets.write_corpus makes files and a clip table of them.)"
        )
    speakers = X["speaker"].astype(str).to_numpy()
    for emotion in np.unique(y):
        of_emotion = np.unique(speakers[y == emotion])
        if len(of_emotion) < 2:
            raise ValueError(
                f"Calibration holds speakers out, and in a training part all clips of "
                f"{str(emotion)!r} are of speaker {of_emotion[0]!r}: without them nothing is left "
                "to learn it from. Take more speakers, or do not calibrate."
            )


def check_options(info: RecipeInfo, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Refuse options that a recipe does not take.

    Parameters
    ----------
    info : RecipeInfo
        The recipe.
    options : mapping of str to object or None
        By name.

    Returns
    -------
    options : dict
        The same.

    Raises
    ------
    ValueError
        If there are such; near names are suggested.
    """
    options = dict(options or {})
    options_json(options)  # refuses what is not plain
    known = [name for name in inspect.signature(info.function).parameters if name not in _DECIDED]
    for name in options:
        if name in _DECIDED:
            raise ValueError(
                f"Option {name!r} of {info.name} cannot be set: it comes from {_DECIDED[name]}."
            )
        if name not in known:
            raise ValueError(
                f"Recipe {info.name!r} takes no option {name!r}.{did_you_mean(name, known)} It "
                f"takes {', '.join(known)}."
            )
    return options


def _copies_first(info: RecipeInfo, protocol: str) -> bool:
    return protocol == AS_PUBLISHED and info.split is not None and info.split.copies is not None


def refuse_chosen_copies(info: RecipeInfo, options: Mapping[str, Any], protocol: str) -> None:
    """See that copies are not chosen where the source makes them before the split.

    Parameters
    ----------
    info : RecipeInfo
        The recipe.
    options : mapping of str to object
        By name.
    protocol : str
        How clips will be split.

    Raises
    ------
    ValueError
        If they are.
    """
    if _copies_first(info, protocol) and "transforms" in options:
        raise ValueError(
            f"As published, {info.name} learns from copies that its source makes before the split; "
            "transforms cannot be chosen there. Leave the option out, or take another protocol."
        )


def choose_clips(
    info: RecipeInfo, corpus: Bunch, protocol: str
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Choose the clips that a recipe is scored on, and call their emotions as its source does.

    Parameters
    ----------
    info : RecipeInfo
        The recipe.
    corpus : Bunch
        As the loaders return it.
    protocol : str
        How clips will be split.

    Returns
    -------
    rows : ndarray of shape (n_rows,), int
        Of the corpus.
    emotions : ndarray of shape (n_rows,), str
        Of these rows.

    Raises
    ------
    ValueError
        If the corpus is not what the source has, where that is asked for, or speakers are missing.
    """
    frame = corpus.frame
    there = set(frame["corpus"].astype(str)) if "corpus" in frame.columns else set()
    if protocol == AS_PUBLISHED:
        _check_corpora(info, there)
        _check_loading(info, frame)
    if info.by_speaker and ("speaker" not in frame.columns or frame["speaker"].isna().any()):
        raise ValueError(
            f"Recipe {info.name!r} has to be told who speaks in each clip: the corpus has no "
            "column 'speaker', or empty cells in it."
        )
    emotions = np.asarray(corpus.target, dtype=str)
    if not (there and there <= set(info.corpora)):
        return np.arange(len(emotions)), emotions
    names = [info.emotions.get(str(emotion), str(emotion)) for emotion in emotions]
    rows = np.flatnonzero([name is not None for name in names])
    emotions = np.array([names[row] for row in rows], dtype=str)
    if protocol == AS_PUBLISHED:
        _check_classes(info, emotions)
    return rows, emotions


def _check_corpora(info: RecipeInfo, there: set[str]) -> None:
    if info.split is None:
        raise ValueError(
            f"Recipe {info.name!r} has no published split: choose one of {', '.join(PROTOCOLS)}."
        )
    missing = [name for name in info.corpora if name not in there]
    other = sorted(there - set(info.corpora))
    if missing or other:
        together = " together" if len(info.corpora) > 1 else ""
        lack = f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        if not missing:
            wrong = f"leave out {_listed(other)}"
        else:
            wrong = f"got {_listed(other)}, and {lack}" if other else lack
        raise ValueError(
            f"{info.name} is published on {_listed(info.corpora)}{together}; {wrong}. Under "
            "another protocol any corpus will do."
        )


def _check_loading(info: RecipeInfo, frame: pd.DataFrame) -> None:
    """See that the loaders were asked for what the source took, as far as a column tells."""
    for option, value in info.loading.items():
        if option not in frame.columns:
            continue
        found = sorted(set(frame[option].dropna().astype(str)))
        if found != [str(value)] and not (value == "all" and len(found) > 1):
            raise ValueError(
                f"{info.name} is published on clips loaded with {option}={value!r}; here "
                f"{option} is {_listed(found)}. Load the corpus with {option}={value!r}."
            )


def _check_classes(info: RecipeInfo, emotions: NDArray[Any]) -> None:
    there = set(emotions)
    rare = [name for name, count in Counter(emotions).items() if count < 2]
    if rare:
        raise ValueError(
            f"{info.name} is split as published by clip, within each emotion: of {_listed(rare)} "
            "there is one clip only."
        )
    if not info.classes:
        return
    missing = [name for name in info.classes if name not in there]
    other = sorted(there - set(info.classes))
    if missing or other:
        wrong = (
            f"the corpus has no clip of {_listed(missing)}"
            if missing
            else f"nothing is said of {_listed(other)}: leave these clips out"
        )
        raise ValueError(f"{info.name} is published on {_listed(info.classes)}; {wrong}.")


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _copy_before_split(
    pipeline: Any, X: Any, y: NDArray[Any], split: PublishedSplit, seed: int
) -> tuple[Any, NDArray[Any], NDArray[np.intp]]:
    """Make the copies of all clips; tell of each row which one it was made of."""
    rate = next(iter(sample_rates(pipeline).values()), 16000)
    augmenter = WaveformAugmenter(
        make_transforms(cast(Any, split.copies)),
        keep_original=split.keep_original,
        sample_rate=rate,
        random_state=seed,
    )
    X, y = augmenter.fit_resample(X, y)
    return X, np.asarray(y), np.asarray(augmenter.sample_indices_)


def _say_what_is_shared(
    info: RecipeInfo,
    frame: pd.DataFrame,
    rows: NDArray[np.intp],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> str:
    shared = []
    if "speaker" in frame.columns:
        speakers = np.asarray(frame["speaker"], dtype=str)
        heard = np.isin(speakers[test], speakers[train])
        shared.append(f"the speakers of {heard.sum()} of {len(test)} tested clips are trained on")
    leaked = int(np.isin(rows[test], rows[train]).sum())
    if leaked:
        shared.append(
            f"copies of {leaked} of them" if shared else f"copies of {leaked} tested clips"
        )
    told = ", and ".join(shared) + (" are, too" if leaked and len(shared) > 1 else "")
    return (
        f"{info.name} is split as published: {told or 'by clip'}. The score says little of voices "
        "never heard; compare the protocol 'speaker'."
    )


def _with_validation(
    info: RecipeInfo, pipeline: BaseEstimator, protocol: str, seed: int
) -> BaseEstimator:
    published = info.split if protocol == AS_PUBLISHED else None
    size = info.validation_size if published is None else published.validation_size
    if not size:
        return pipeline
    by = "speaker" if published is None else None
    return ValidationHoldout(pipeline, size=size, groups=by, random_state=seed)
