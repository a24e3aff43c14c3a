"""Search for the parameters of a whole pipeline, scored on speakers that it never heard."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.random import RandomState
from numpy.typing import ArrayLike
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
)

from .._utils._clip_table import paths_as_table
from .._utils._interrupts import Interrupts
from .._utils._progress import track
from .._utils._sample_rates import check_sample_rates, sample_rates
from .._utils._warnings import Said, repeat_warnings
from .._utils._wrapper import PredictingWrapperMixin
from ..exceptions import SpeakerWarning, TuningInterruptedWarning
from ._evaluation import fit_rows
from ._protocols import Fold, ProtocolSplit
from ._search_claims import renew_lost, trials_of
from ._search_defaults import default_search_space
from ._search_results import as_frame, choose_best, tabulate
from ._search_space import SAMPLE_RATE, Space, apply_parameters, as_parameters, check_space
from ._search_study import SameStepPruner, located, make_sampler, name_study, quiet
from ._search_trials import Search, count_epochs, count_workers, run_trials

# Before that many trials are through, nobody knows what little promise looks like.
_TRIALS_BEFORE_PRUNING = 8
# The share of the epochs of the first fold in which all nets are bad.
_EPOCHS_BEFORE_PRUNING = 0.25


class PipelineSearchCV(PredictingWrapperMixin, MetaEstimatorMixin, BaseEstimator):
    """Search for the parameters of a whole pipeline with Optuna, without a leak.

    Each trial draws parameters of any steps, from the reader to the classifier, and is scored on
    folds that keep speakers apart; samplers act inside the folds. Trials that promise little are
    ended early, after a fold or, for nets, an epoch. The pipeline with the best parameters is then
    fitted to all clips, and predicts. It is an estimator: `cross_validate` around it tells what
    tuning is worth on speakers that no trial has seen.

    Parameters
    ----------
    estimator : estimator
        Pipeline of scikit-learn or imbalanced-learn, `ValidationHoldout` around one, or any other
        estimator.

    space : "auto" or dict, default="auto"
        Distributions of :mod:`optuna.distributions`, or `Choice`, by the names of
        ``estimator.get_params()``. ``"auto"`` is `default_search_space`. The name
        ``"sample_rate"``, without a step, moves the sample rates of all steps together.

    cv : int, cross-validation generator or iterable, default=None
        The folds. None is ``ProtocolSplit("speaker")`` where speakers are known: by the column
        ``speaker`` of the clip table, or `groups` in `fit`. Else clips are dealt out, stratified by
        emotion, and a warning says so.

    scoring : str, callable or None, default="balanced_accuracy"
        What is maximised: one score, as for :func:`sklearn.model_selection.cross_val_score`.

    n_trials : int, default=50
        Number of trials that are finished in the end, >= 1: pruned and failed ones count, and so do
        those that `storage` has already.

    timeout : float, default=None
        Seconds after which no trial begins, > 0; those that run are finished, and there is one at
        least. None: no limit.

    storage : str, path-like or BaseStorage, default=None
        Where trials are kept: the path of a journal file, the URL of a database, or a storage of
        Optuna. The same `fit` goes on with the trials that are there, and several processes may do
        so at once. None keeps them in memory.

    study_name : str, default=None
        Beginning of the study's name in `storage`. Behind it stand digits that sum up estimator,
        space, clips, emotions, folds, scoring, an integer `random_state` and the kinds of `sampler`
        and `pruner`, so that no other search, such as that of another outer fold, goes on with its
        trials.

    sampler : optuna.samplers.BaseSampler, default=None
        Draws parameters; stays as it is. None is a tree-structured Parzen estimator.

    pruner : optuna.pruners.BasePruner, default=None
        Ends trials. None ends those below the median of the others at the same fold or epoch, once
        8 are through; ``optuna.pruners.NopPruner()`` ends none.

    refit : bool, default=True
        Whether the estimator with the best parameters is fitted to all clips.

    n_jobs : int, default=None
        Number of trials that run at once, in processes. ``None`` means 1, in this process, unless
        in a :func:`joblib.parallel_config` context; ``-1`` means all cores.

    error_score : float or "raise", default=np.nan
        Mean score of trials that fail. They are recorded with their error and never the best, be
        it as it may. ``"raise"`` ends the search with the error.

    random_state : int, RandomState instance or None, default=None
        Seed of the sampler, renewed for each trial: with an int and one worker, a search that was
        killed and goes on draws what it would have drawn.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream; above 1, Optuna tells of each trial.

    Attributes
    ----------
    best_estimator_ : estimator
        Fitted to all clips with the best parameters. Only defined if `refit` is True.

    best_params_ : dict of str to object
        What the estimator's `set_params` takes; whole steps, where they were swapped.

    best_score_ : float
        Mean score of the best trial over the folds. It is the best of many on the same folds, and
        flatters.

    best_index_ : int
        Its place in `cv_results_`.

    cv_results_ : dict of str to array or list
        As :class:`sklearn.model_selection.GridSearchCV` has it, a row a trial: ``params`` with the
        labels of choices, ``param_*``, ``split*_test_score``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score``, times; and ``state`` (``"complete"``, ``"pruned"``,
        ``"failed"``) and ``error``. Scores of folds that were not computed are NaN.

    study_ : optuna.study.Study
        The study, for Optuna's own plots and importances.

    scorer_ : callable
        What `scoring` stands for.

    n_splits_ : int
        Number of folds.

    space_ : dict
        What was searched.

    interrupted_ : bool
        Whether Ctrl-C ended the search.

    refit_time_ : float
        Seconds of the last fit. Only defined if `refit` is True.

    classes_ : ndarray of shape (n_classes,)
        The emotions. Only defined if `refit` is True and the estimator has them.

    n_features_in_ : int
        Number of columns seen in `fit`. Only defined if the best estimator has it.

    feature_names_in_ : ndarray of shape (n_features,)
        Their names. Only defined if the best estimator has them.

    See Also
    --------
    default_search_space : What ``space="auto"`` searches.
    Choice : Whole steps in a space, with parameters of their own.
    sersk.feature_extraction.PerClip : Computes features once for all trials, with `memory`.

    Notes
    -----
    **Steps of a report.** After each fold the mean over the folds until then is reported to the
    pruner, at step ``(fold + 1) * max_epochs``; for nets of :mod:`sersk.neural_network` also after
    each epoch, at step ``fold * max_epochs + epoch``, with the epoch's balanced accuracy on the
    clips held out as the score of the present fold, or, without such clips, ``exp(-loss)`` of the
    training. Trials are compared at the same step only.

    **Killed processes.** When `fit` begins, trials of processes of this machine that are no more
    are taken out of the count, and their parameters are tried again. Of other machines nothing is
    known: their trials are neither waited for nor taken over.

    **Ctrl-C** ends the search and keeps the best trial until then, with a warning; a second one
    ends the fit that follows.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.model_selection import PipelineSearchCV
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> search = PipelineSearchCV(
    ...     svm_functionals(n_mfcc=13),
    ...     space={"svm__C": FloatDistribution(0.1, 100.0, log=True)},
    ...     n_trials=3,
    ...     random_state=0,
    ... )
    >>> search = search.fit(corpus.data, corpus.target, groups=corpus.groups)
    >>> list(search.best_params_)
    ['svm__C']
    >>> search.predict(corpus.data[:2]).shape
    (2,)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "space": [StrOptions({"auto"}), dict],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "storage": [str, os.PathLike, BaseStorage, None],
        "study_name": [str, None],
        "sampler": [BaseSampler, None],
        "pruner": [BasePruner, None],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "error_score": [StrOptions({"raise"}), Real],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # With metadata routing, groups that are there for an outer splitter come here as well.
    __metadata_request__fit = {"groups": True}

    # Where the work of `predict` is done.
    _predicts_with = "best_estimator_"

    def __init__(
        self,
        estimator: Any,
        *,
        space: str | Mapping[str, Any] = "auto",
        cv: Any = None,
        scoring: Any = "balanced_accuracy",
        n_trials: int = 50,
        timeout: float | None = None,
        storage: str | os.PathLike[str] | BaseStorage | None = None,
        study_name: str | None = None,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | None = None,
        refit: bool = True,
        n_jobs: int | None = None,
        error_score: float | str = np.nan,
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.cv = cv
        self.scoring = scoring
        self.n_trials = n_trials
        self.timeout = timeout
        self.storage = storage
        self.study_name = study_name
        self.sampler = sampler
        self.pruner = pruner
        self.refit = refit
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------------------------- fitting

    @_fit_context(
        # The estimator's parameters are checked when it is fitted.
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: ArrayLike, groups: Any = None, **params: Any) -> PipelineSearchCV:
        """Search, and fit the estimator with the best parameters to all clips.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        groups : DataFrame or array-like of shape (n_clips,), default=None
            Who speaks, for the folds and for an estimator that holds speakers out by itself: a
            vector, or the frame of a corpus. By default the column ``speaker`` of `X`.

        **params : object
            Refused, ``sample_weight`` above all: folds, scores and samplers would have to know.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        sersk.exceptions.TuningError
            If no trial went through all folds, or the storage cannot be used.
        ValueError
            If the space is empty or does not fit the estimator, the folds cannot be made, or steps
            name different sample rates.

        Warns
        -----
        FitFailedWarning
            If trials failed.
        SpeakerWarning
            If nobody says who speaks, and `cv` is None; or if there are fewer speakers than folds
            that `cv` asks for.
        TuningInterruptedWarning
            If Ctrl-C ended the search.
        """
        _refuse(params)
        if y is None:
            raise ValueError("PipelineSearchCV requires y to be passed, but the target y is None.")
        for learned in ("best_estimator_", "refit_time_"):
            self.__dict__.pop(learned, None)  # of an earlier fit
        X, y, groups = self._check_data(X, y, groups)
        check_sample_rates(self.estimator)
        space = self.space
        if isinstance(space, str):
            space = default_search_space(self.estimator)
            if not space:
                raise ValueError(
                    f"space='auto' knows no step of {type(self.estimator).__name__}: give a dict "
                    "of parameter names to distributions of Optuna."
                )
        self.space_ = check_space(space, self.estimator)
        self.scorer_ = check_scoring(self.estimator, scoring=self.scoring)
        folds = self._make_folds(X, y, groups)
        self.n_splits_ = len(folds)
        search = self._plan(X, y, groups, folds)
        self.interrupted_ = self._search(search)
        best = self._take_in()
        if self.refit:
            started = time.perf_counter()
            with Interrupts().noted() as interrupts:
                fit_rows(best, X, y, groups)
                # A net that is interrupted keeps it to itself; twice is meant.
                if self.interrupted_:
                    interrupts.pass_on()
            self.best_estimator_ = best
            self.refit_time_ = time.perf_counter() - started
        return self

    def _check_data(self, X: Any, y: Any, groups: Any) -> tuple[Any, Any, Any]:
        X = X if isinstance(X, pd.DataFrame) else paths_as_table(X)
        if isinstance(X, np.ndarray) and X.dtype == object and X.ndim > 1:
            # Said here as it is, not as the error of all trials.
            check_array(X, allow_nd=True, ensure_all_finite=False)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        if is_classifier(self.estimator):
            check_classification_targets(y)
        check_consistent_length(X, y, groups)
        return tuple(indexable(X, y, groups))

    def _make_folds(self, X: Any, y: Any, groups: Any) -> list[Fold]:
        classifies = is_classifier(self.estimator)
        if self.cv is not None:
            splitter = check_cv(self.cv, y, classifier=classifies)
        elif groups is not None or (isinstance(X, pd.DataFrame) and "speaker" in X.columns):
            splitter = ProtocolSplit("speaker")
        else:
            warnings.warn(
                "Nobody says who speaks, so that speakers stand on both sides of the folds: the "
                "parameters that know voices best will win. Give a clip table with the column "
                "'speaker', or fit(..., groups=), or a cv if this is meant.",
                SpeakerWarning,
                stacklevel=4,
            )
            splitter = check_cv(5, y, classifier=False)
            if classifies:
                rarest = min(np.unique(y, return_counts=True)[1], default=0)
                splitter = StratifiedKFold(int(np.clip(rarest, 2, 5)), shuffle=True, random_state=0)
        with warnings.catch_warnings():
            if has_fit_parameter(self.estimator, "groups"):
                # They are there for the estimator.
                warnings.filterwarnings("ignore", message="The groups parameter is ignored")
            folds = list(splitter.split(X, y, groups))
        if not folds:
            raise ValueError(f"cv={self.cv!r} makes no folds: trials would have no score.")
        divides = isinstance(self.cv, ProtocolSplit) and self.cv.protocol != "corpus"
        if divides and self.cv.n_splits > len(folds):
            warnings.warn(
                f"cv asks for {self.cv.n_splits} folds, but there are groups for {len(folds)} "
                "alone: speakers, or sentences, are not divided. The search goes on with these.",
                SpeakerWarning,
                stacklevel=4,
            )
        return [(np.asarray(train), np.asarray(test)) for train, test in folds]

    def _plan(self, X: Any, y: Any, groups: Any, folds: list[Fold]) -> Search:
        """Gather what a trial needs, wherever it will be computed."""
        max_epochs = count_epochs(self.estimator, self.space_)
        pruner = self.pruner or SameStepPruner(
            _TRIALS_BEFORE_PRUNING, round(_EPOCHS_BEFORE_PRUNING * max_epochs)
        )
        name = self.study_name or "sersk"
        if self.storage is not None:
            seed = self.random_state if isinstance(self.random_state, Integral) else None
            options = (
                self.scoring, seed, type(self.sampler).__qualname__, type(pruner).__qualname__,
            )  # fmt: skip
            name = name_study(self.study_name, self.estimator, self.space_, folds, X, y, options)
        return Search(
            token=uuid.uuid4().hex,
            study_name=name,
            storage=located(self.storage),
            sampler=make_sampler(self.sampler, self.random_state),
            pruner=deepcopy(pruner),
            n_trials=self.n_trials,
            estimator=self.estimator,
            space=self.space_,
            X=X,
            y=y,
            groups=groups,
            folds=folds,
            scorer=self.scorer_,
            max_epochs=max_epochs,
            raises=self.error_score == "raise",
            chatter=self.verbose > 1,
        )

    def _search(self, search: Search) -> bool:
        """Compute the trials; tell whether somebody interrupted them."""
        said: list[Said] = []
        interrupted = False
        with ExitStack() as stack:
            stack.enter_context(quiet(not search.chatter))
            passing = False
            if count_workers(self.n_jobs) > 1:
                if isinstance(search.storage, InMemoryStorage):
                    raise ValueError(
                        "An InMemoryStorage cannot be shared by several processes. Give the path "
                        "of a journal file as storage, or leave it away."
                    )
                passing = search.storage is None
            if passing:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                search = replace(search, storage=Path(folder) / "study.log")
            study = search.open(anew=True)
            renew_lost(study)
            trials = track(
                run_trials(search, study, self.n_jobs, self.timeout),
                total=max(0, search.n_trials - len(trials_of(study))),
                description="trials",
                show=self.verbose > 0,
            )
            try:
                for warned in trials:
                    said += warned
            except KeyboardInterrupt:
                interrupted = True
                renew_lost(study, search.token)
            self.study_ = _in_memory(study) if passing else study
        repeat_warnings(said, {}, where="", stacklevel=4)
        return interrupted

    def _take_in(self) -> Any:
        """Find the best of the trials, and make what has its parameters."""
        trials = trials_of(self.study_)
        self.cv_results_ = tabulate(trials, self.n_splits_, self.error_score)
        if self.interrupted_ and "complete" not in self.cv_results_["state"]:
            raise KeyboardInterrupt("No trial was finished.")
        self.best_index_ = choose_best(self.cv_results_)
        best = trials[self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        parameters = as_parameters(best.params, self.space_)
        made = apply_parameters(self.estimator, parameters)
        if SAMPLE_RATE in parameters and SAMPLE_RATE not in self.estimator.get_params(deep=False):
            parameters.pop(SAMPLE_RATE)
            parameters |= sample_rates(made)
        self.best_params_: Space = parameters
        failed = np.flatnonzero(self.cv_results_["state"] == "failed")
        if len(failed):
            warnings.warn(
                f"{len(failed)} of {len(trials)} trials failed. Trial {failed[0]}: "
                f"{self.cv_results_['error'][failed[0]]}",
                FitFailedWarning,
                stacklevel=4,
            )
        if self.interrupted_:
            warnings.warn(
                f"The search was interrupted after {len(trials)} of {self.n_trials} trials and "
                "keeps the best until then.",
                TuningInterruptedWarning,
                stacklevel=4,
            )
        return made

    def trials_dataframe(self) -> pd.DataFrame:
        """Give the trials as a table.

        Returns
        -------
        trials : DataFrame of shape (n_trials, n_columns)
            A row a trial that counts, in their order: ``state``, ``score``, ``std`` and ``rank``,
            the parameters as ``param_*``, the scores of the folds as ``split*_test_score``, mean
            seconds of a fold, and ``error``.
        """
        check_is_fitted(self)
        return as_frame(self.cv_results_)

    # ------------------------------------------------------------------------------- predicting

    def score(self, X: Any, y: ArrayLike) -> float:
        """Score the predictions with the best parameters, as the trials were scored.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        Returns
        -------
        score : float
            What `scoring` stands for.
        """
        return float(self.scorer_(self._fitted(), X, y))

    def _fitted(self) -> Any:
        check_is_fitted(self)
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "This search has fitted nothing that predicts: it was made with refit=False, or "
                "its last fit failed. Use best_params_ with the estimator's set_params, or "
                "refit=True."
            )
        return self.best_estimator_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_score_")


def _refuse(params: Mapping[str, Any]) -> None:
    for name, value in params.items():
        if value is not None:
            raise TypeError(
                f"PipelineSearchCV.fit takes no {name!r}: whatever has one value a clip would have "
                "to be cut with the folds, and counted in the scores. Weigh emotions with "
                "class_weight of the classifier, or balance them with a sampler in the pipeline."
            )


def _in_memory(study: Study) -> Study:
    """Copy a study out of a storage that is about to go away."""
    copied = optuna.create_study(
        study_name=study.study_name, sampler=study.sampler, pruner=study.pruner,
        direction=study.direction,
    )  # fmt: skip
    copied.add_trials(study.get_trials(deepcopy=False))
    return copied
