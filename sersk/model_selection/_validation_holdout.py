"""Early stopping that does not peek: speakers are held out before anything else happens."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils._user_interface import _print_elapsed_time
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    _estimator_has,
    _num_samples,
    assert_all_finite,
    check_consistent_length,
    check_memory,
    column_or_1d,
    has_fit_parameter,
)

from .._utils._wrapper import PredictingWrapperMixin, last_step
from ..augmentation._base_augmenter import refuse_parameters
from ..exceptions import ValidationWarning
from ._evaluation import unreadable_files
from ._holdout_choice import UNKNOWN, choose_clips, choose_groups, number_names, why_not

# What is tried, where it is known, if groups cannot be held out.
_INSTEAD = ("speaker", "sentence")


class ValidationHoldout(PredictingWrapperMixin, MetaEstimatorMixin, BaseEstimator):
    """Hold out speakers for early stopping, before anything is read, balanced or learned.

    In `fit` the clips of some speakers are set aside first of all. Samplers and transformers of the
    pipeline learn from the others alone; the clips set aside are then transformed like those of a
    test, and the last step gets them as ``X_val`` and ``y_val``. Predictions are those of the
    pipeline. It stands outermost, around the whole pipeline, and works in cross-validation and
    searches as any pipeline does; there, speakers are held out of the training part of each fold.

    Parameters
    ----------
    estimator : estimator
        Pipeline of scikit-learn or imbalanced-learn whose last step takes ``X_val`` and ``y_val``
        in `fit`, as the nets of :mod:`sersk.neural_network` do, or such an estimator itself.

    size : float, default=0.1
        Share of the clips that is held out, in (0, 1). Speakers are held out whole, one at least,
        so that the share is only met as nearly as they allow.

    groups : str or None, default="speaker"
        Column of the clip table that says what is held out whole. With None, and no vector of
        groups in `fit`, clips are held out, whoever speaks, and no warning is given.

    random_state : int, RandomState instance or None, default=None
        Seed of the choice. With an int, the same clips give the same parts in every call.

    Attributes
    ----------
    estimator_ : estimator
        The fitted pipeline or estimator.

    classes_ : ndarray of shape (n_classes,)
        The emotions. Only defined if the last step has them.

    train_indices_ : ndarray of shape (n_train,)
        Rows that were trained on.

    validation_indices_ : ndarray of shape (n_validation,)
        Rows that were held out.

    held_out_by_ : str
        What was held out whole: the name of the column, ``"groups"`` for a vector that `fit` got,
        or ``"clip"``.

    held_out_ : ndarray of shape (n_held_out,)
        The speakers (groups, sentences) that were held out; the rows, where they were clips.

    failed_ : dict of str to str
        Files that the latest `fit` or prediction could not read, and the reason of each.

    n_features_in_ : int
        Number of columns seen in `fit`. Only defined if the wrapped estimator has it.

    feature_names_in_ : ndarray of shape (n_features,)
        Their names. Only defined if the wrapped estimator has them.

    See Also
    --------
    ProtocolSplit : Keeps speakers of training and test apart.
    evaluate_protocol : Score a pipeline under a protocol, early stopping included.

    Notes
    -----
    Who speaks is told by the ``groups`` given to `fit`, else by the column `groups` of `X`. Names
    are compared as text. Sets of speakers are drawn at random; taken is the one in which the fewest
    emotions are missing, and of these the one nearest to `size`. It depends on the names, on how
    many clips of each emotion they have and on `random_state`, not on the order of clips.

    Every emotion keeps a clip in the training part: a speaker who has all clips of one is not held
    out, and an emotion with a single clip is not validated. Clips whose speaker is missing are
    trained on, never held out, since most speakers are trained on; a warning tells of them. Where
    no speaker can be held out, as there is but one or none is known, speakers, then sentences are
    held out if columns of those names can tell them; clips, if not. Clips are drawn by emotion,
    those of each in their order. Either way a warning says what the two parts share.

    Files that could not be read stand in the part held out as they do in a test: what
    :class:`~sersk.preprocessing.DropUnreadable` would remove is removed from the training part
    alone.

    With metadata routing switched on, `fit` asks for ``groups``, as splitters do:
    ``set_fit_request(groups=False)`` makes it look at the column alone. Everything else goes to the
    last step.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.feature_extraction import LogMelSpectrogram
    >>> from sersk.model_selection import ValidationHoldout
    >>> from sersk.neural_network import CNNClassifier
    >>> corpus = make_emotional_speech(n_speakers=4, n_sentences=1, random_state=0)
    >>> net = CNNClassifier(filters=(8,), max_epochs=2, random_state=0)
    >>> model = ValidationHoldout(make_pipeline(LogMelSpectrogram(n_mels=20), net), random_state=0)
    >>> model = model.fit(corpus.data, corpus.target, groups=corpus.groups)
    >>> len(model.train_indices_), len(model.validation_indices_)
    (36, 12)
    >>> len(model.held_out_)
    1
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "size": [Interval(Real, 0, 1, closed="neither")],
        "groups": [str, None],
        "random_state": ["random_state"],
    }

    # With metadata routing, groups that are there for the splitter come here as well.
    __metadata_request__fit = {"groups": True}

    # Where the work of `predict` is done.
    _predicts_with = "estimator_"

    def __init__(
        self,
        estimator: Any,
        *,
        size: float = 0.1,
        groups: str | None = "speaker",
        random_state: int | RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.size = size
        self.groups = groups
        self.random_state = random_state

    @_fit_context(
        # The estimator's parameters are checked when it is fitted.
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: ArrayLike, groups: Any = None, **params: Any) -> ValidationHoldout:
        """Hold out speakers, and fit the pipeline with them as its validation.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        groups : DataFrame or array-like of shape (n_clips,), default=None
            Who speaks: a vector, or a table with the column `groups`, such as the frame of a
            corpus. By default that column of `X`.

        **params : dict
            What the last step takes in `fit` beside, such as ``sample_weight``. Of what has an
            entry a clip, it gets those of the training part. Refused where there is a sampler,
            which has nothing to give the rows that it makes.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If the last step takes no ``X_val`` and ``y_val``, or not what `params` names.
        ValueError
            If lengths differ, a table given as `groups` lacks the column, there are too few clips
            to hold out any, weights are to pass a sampler, or a step changes the number of rows.

        Warns
        -----
        ValidationWarning
            If clips held out may share speakers (groups) with the training part.
        """
        if y is None:
            raise ValueError("ValidationHoldout requires y to be passed, but the target y is None.")
        params = self._check_params(params)
        if is_classifier(self.estimator):
            y = column_or_1d(y, warn=True)
            assert_all_finite(y, input_name="y")
            check_classification_targets(y)
            strata = np.unique(y, return_inverse=True)[1]
        else:
            strata = np.zeros(_num_samples(y), dtype=np.intp)
        X, y = indexable(X, y)
        check_consistent_length(X, params.get("sample_weight"))
        held = self._hold_out(X, strata, groups)
        train, validation = np.flatnonzero(~held), np.flatnonzero(held)
        self.estimator_, self.failed_ = _fit_with_validation(
            clone(self.estimator),
            *(_safe_indexing(part, train) for part in (X, y)),
            *(_safe_indexing(part, validation) for part in (X, y)),
            params=_check_method_params(X, params, train),
        )
        self.train_indices_, self.validation_indices_ = train, validation
        return self

    def _check_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """Check that the last step can be validated, and takes what it is to get."""
        last = last_step(self.estimator)
        name = last if isinstance(last, str) else type(last).__name__
        for parameter in ("X_val", "y_val"):
            if not has_fit_parameter(last, parameter):
                raise TypeError(
                    f"ValidationHoldout hands clips held out to the last step as X_val and y_val; "
                    f"{name} takes no {parameter} in fit. Let a net of sersk.neural_network be the "
                    "last step, or fit without ValidationHoldout."
                )
            if parameter in params:
                raise TypeError(
                    f"{parameter} is what ValidationHoldout makes: give all clips as X and y, or "
                    f"fit {name} without ValidationHoldout."
                )
        params = {key: value for key, value in params.items() if value is not None}
        before = _steps_before_last(self.estimator)
        if any(hasattr(step, "fit_resample") for step in before):
            refuse_parameters(params)
        for step in before:
            request = get_routing_for_object(step)
            wanted = request.consumes("fit", params) | request.consumes("transform", params)
            if wanted:
                raise ValueError(
                    f"{type(step).__name__} requests {', '.join(sorted(wanted))}, and "
                    "ValidationHoldout hands that to the last step alone. Set its request to "
                    "False."
                )
        params = dict(_routed(self, params))
        for parameter in params:
            if not has_fit_parameter(last, parameter):
                raise TypeError(f"{name} takes no {parameter!r} in fit.")
        return params

    def _hold_out(self, X: Any, strata: NDArray[np.intp], groups: Any) -> NDArray[np.bool_]:
        """Choose what is held out, note it, and tell which rows it has."""
        random = check_random_state(self.random_state)
        if self.groups is None and isinstance(groups, pd.DataFrame):
            groups = None  # none of its columns is named
        columns = self._columns(X, groups)
        wanted, why = self.groups, f"fit got no groups, and X has no column {self.groups!r}"
        if groups is not None or self.groups in columns:
            wanted, why = next(iter(columns)), ""
        for name, column in columns.items():
            names, codes = number_names(column)
            chosen = choose_groups(codes, strata, len(names), self.size, random)
            if chosen is not None:
                self.held_out_by_, self.held_out_ = name, names[chosen]
                held = np.isin(codes, chosen)
                break
            why = why or why_not(names)
        else:
            name, held = "clip", choose_clips(strata, self.size, random)
            self.held_out_by_, self.held_out_ = name, np.flatnonzero(held)
        if wanted is not None and name != wanted:
            warnings.warn(
                f"Clips held out for validation may share their {wanted} with the training part: "
                f"{why}. Held out by {name} are {held.sum()} of {len(held)} clips. Give fit the "
                f"{wanted} of each clip, or set groups=None if this is meant.",
                ValidationWarning,
                stacklevel=4,
            )
        elif name != "clip" and (n_unknown := np.count_nonzero(codes == UNKNOWN)):
            warnings.warn(
                f"{n_unknown} of {len(codes)} clips have no {name}. They are trained on, and may "
                f"be of a {name} that is held out; fill in the column to be sure.",
                ValidationWarning,
                stacklevel=4,
            )
        return held

    def _columns(self, X: Any, groups: Any) -> dict[str, NDArray[Any]]:
        """Find what may be held out whole, the most wanted first."""
        n_clips = _num_samples(X)
        columns: dict[str, Any] = {}
        if groups is not None and _num_samples(groups) != n_clips:
            raise ValueError(
                f"groups has {_num_samples(groups)} entries, and X {n_clips} clips: one a clip is "
                "needed."
            )
        if isinstance(groups, pd.DataFrame):
            if self.groups not in groups.columns:
                raise ValueError(
                    f"groups is a table without the column {self.groups!r}; it has "
                    f"{', '.join(map(repr, groups.columns))}. Name one of them in the parameter "
                    "groups of ValidationHoldout, or give fit a vector."
                )
            columns[str(self.groups)] = groups[self.groups]
        elif groups is not None:
            columns["groups"] = groups
        elif self.groups is None:
            return {}
        for table in (groups, X):
            if isinstance(table, pd.DataFrame):
                for name in (self.groups, *_INSTEAD):
                    if name is not None and name in table.columns:
                        columns.setdefault(name, table[name])
        # As objects: in a list of names, NumPy would write a missing one as the text "nan".
        return {
            name: column_or_1d(np.asarray(column, dtype=object)) for name, column in columns.items()
        }

    @available_if(_estimator_has("score"))
    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Score the predictions of the fitted pipeline, as it does itself.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        sample_weight : array-like of shape (n_clips,), default=None
            Weights of the clips; by default all weigh the same.

        Returns
        -------
        score : float
            Accuracy, for a classifier.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._call("score", X, y, **weights)  # type: ignore[no-any-return]

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        outcome = super()._call(method, *args, **kwargs)
        self.failed_ = unreadable_files(self.estimator_)
        return outcome

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata go where.

        Returns
        -------
        routing : MetadataRouter
            ``groups`` stay here; the last step of the pipeline gets the rest that it requests.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=last_step(self.estimator),
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )


# ------------------------------------------------------------------------------- fitting the steps


def _steps_before_last(estimator: Any) -> list[Any]:
    steps = []
    while isinstance(estimator, Pipeline):
        steps += [step for _, step in estimator.steps[:-1]]
        estimator = estimator.steps[-1][1]
    return steps


def _routed(owner: ValidationHoldout, params: dict[str, Any]) -> dict[str, Any]:
    """Give what the last step is to get: all of it, or what it requests under metadata routing."""
    if not get_config()["enable_metadata_routing"]:
        return params
    return process_routing(owner, "fit", **params)["estimator"]["fit"]  # type: ignore[no-any-return]


def _fit_with_validation(
    estimator: Any, X: Any, y: Any, X_val: Any, y_val: Any, *, params: dict[str, Any]
) -> tuple[Any, dict[str, str]]:
    """Fit an estimator in place, step by step.

    `Pipeline.fit` cannot do it: it would hand ``X_val`` to the last step as it came. Its parameter
    ``transform_input`` would cure that, with metadata routing switched on for all steps. Comes back
    with the files that could not be read in either part, and why.
    """
    if not isinstance(estimator, Pipeline):
        _check_classes(estimator, y, y_val)
        return estimator.fit(X, y, X_val=X_val, y_val=y_val, **params), {}
    estimator.steps = list(estimator.steps)
    estimator._validate_steps()
    fit_transform = check_memory(estimator.memory).cache(_fit_transform)
    failed: dict[str, str] = {}
    for position, (name, step) in enumerate(estimator.steps):
        with _print_elapsed_time("Pipeline", estimator._log_message(position)):
            if position == len(estimator.steps) - 1:
                fitted, failed_here = _fit_with_validation(step, X, y, X_val, y_val, params=params)
            elif step is None or step == "passthrough":
                continue
            elif hasattr(step, "fit_resample"):
                # Not cached: what is drawn by chance should not be, and the hash of a table from
                # a cache is another one, so that the next step would not find its own result.
                (X, y), fitted = step.fit_resample(X, y), step
                failed_here = unreadable_files(step)
            else:
                n_rows, n_val = _num_samples(X), _num_samples(X_val)
                X, X_val, fitted, failed_here = fit_transform(step, X, y, X_val)
                _check_rows(name, "training", n_rows, _num_samples(X))
                _check_rows(name, "validation", n_val, _num_samples(X_val))
        # Out of the cache comes another object than the one that went in.
        estimator.steps[position] = (name, fitted)
        failed |= failed_here
    return estimator, failed


def _fit_transform(step: Any, X: Any, y: Any, X_val: Any) -> tuple[Any, Any, Any, dict[str, str]]:
    """Fit a transformer to the training part, and transform both."""
    has_both = hasattr(step, "fit_transform")
    X = step.fit_transform(X, y) if has_both else step.fit(X, y).transform(X)
    # Readers forget the failures of one call in the next.
    failed = unreadable_files(step)
    X_val = step.transform(X_val)
    return X, X_val, step, failed | unreadable_files(step)


def _check_rows(name: str, part: str, before: int, after: int) -> None:
    if after != before:
        raise ValueError(
            f"Step {name!r} made {after} rows of the {before} of the {part} part. A transformer "
            "must keep them all: what removes or adds rows has to be a sampler, which does so in "
            "training alone."
        )


def _check_classes(estimator: Any, y: Any, y_val: Any) -> None:
    """Make sure that what is validated was trained on: samplers may have removed it."""
    if not is_classifier(estimator):
        return
    lost = np.setdiff1d(y_val, y)
    if len(lost):
        raise ValueError(
            f"The samplers left no clip of {', '.join(map(str, lost))} in the training part, and "
            "clips of it are held out for validation. Give more clips of it, or none."
        )
