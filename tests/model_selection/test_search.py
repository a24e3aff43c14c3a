"""PipelineSearchCV: what is searched, what is recorded, and that nothing leaks."""

from __future__ import annotations

import math
import pickle
import signal
import sqlite3
import tracemalloc
import warnings
from contextlib import closing

import numpy as np
import optuna
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from numpy.testing import assert_allclose, assert_array_equal
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sersk.exceptions import SpeakerWarning, TuningError, TuningInterruptedWarning
from sersk.model_selection import (
    Choice,
    PipelineSearchCV,
    ProtocolSplit,
    ValidationHoldout,
    evaluate_protocol,
)
from sersk.model_selection._search_study import located, name_study
from sersk.neural_network import RNNClassifier
from sersk.preprocessing import _audio_reader
from sersk.recipes import svm_functionals

# What was fitted: the first column of each training part.
FITS: list[list[float]] = []

QUALITY = {"quality": FloatDistribution(0.0, 1.0)}


class Rated(ClassifierMixin, BaseEstimator):
    """Is as good as it is told to be, and notes what it is fitted to."""

    def __init__(self, quality=0.5, fails_above=2.0, interrupts_at=None, swallows=False):
        self.quality = quality
        self.fails_above = fails_above
        self.interrupts_at = interrupts_at
        self.swallows = swallows

    def fit(self, X, y):
        FITS.append(np.asarray(X)[:, 0].tolist())
        if self.quality > self.fails_above:
            raise RuntimeError(f"quality {self.quality:.3f} is too much")
        if self.interrupts_at is not None and len(FITS) in self.interrupts_at:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                if not self.swallows:
                    raise
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def rating(estimator, X, y):
    return estimator.quality


def rated(**params):
    options = {
        "space": QUALITY,
        "cv": 3,
        "scoring": rating,
        "n_trials": 6,
        "random_state": 0,
        "pruner": NopPruner(),
    }
    estimator = {name: params.pop(name) for name in list(params) if hasattr(Rated(), name)}
    return PipelineSearchCV(Rated(**estimator), **(options | params))


@pytest.fixture(autouse=True)
def no_fits_yet():
    FITS.clear()


@pytest.fixture
def data():
    return np.arange(24.0)[:, None], np.tile([0, 1], 12)


@pytest.fixture
def table(rng):
    """Six speakers whose clips of one emotion are a little louder."""
    y = np.tile(["anger", "calm"], 36)
    frame = pd.DataFrame(
        {
            "loudness": rng.normal(size=72) + 2.0 * (y == "anger"),
            "pitch": rng.normal(size=72),
            "row": np.arange(72.0),
        }
    )
    return frame, y, np.repeat([f"s{number}" for number in range(6)], 12)


# ------------------------------------------------------------------------------- what comes out


def test_the_best_trial_is_refitted_to_all_clips(data):
    X, y = data
    search = rated().fit(X, y)
    table = search.trials_dataframe()
    assert len(table) == 6
    assert search.best_score_ == table["score"].max()
    assert search.best_score_ == pytest.approx(search.best_params_["quality"])
    assert search.best_index_ == table["score"].idxmax()
    assert search.best_estimator_.quality == search.best_params_["quality"]
    assert FITS[-1] == X[:, 0].tolist()
    assert len(FITS) == 6 * 3 + 1
    assert search.refit_time_ > 0
    assert_array_equal(search.predict(X[:3]), search.best_estimator_.predict(X[:3]))
    assert search.score(X, y) == search.best_params_["quality"]
    assert_array_equal(search.classes_, [0, 1])
    results = search.cv_results_
    assert results["rank_test_score"][search.best_index_] == 1
    assert sorted(results["rank_test_score"]) == [1, 2, 3, 4, 5, 6]
    for row, params in enumerate(results["params"]):
        assert results["param_quality"][row] == params["quality"]
        assert results["split2_test_score"][row] == params["quality"]
    assert len(search.study_.trials) == 6
    assert optuna.importance.get_param_importances(search.study_) == {"quality": 1.0}


def test_scores_are_those_of_cross_val_score(table):
    X, y, groups = table
    cv = ProtocolSplit("speaker", n_splits=3)
    search = PipelineSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        space={"logisticregression__C": FloatDistribution(1e-4, 1.0, log=True)},
        cv=cv,
        n_trials=3,
        random_state=0,
    ).fit(X, y, groups=groups)
    for row, params in enumerate(search.cv_results_["params"]):
        expected = cross_val_score(
            clone(search.estimator).set_params(**params), X, y, groups=groups, cv=cv,
            scoring="balanced_accuracy",
        )  # fmt: skip
        mine = [search.cv_results_[f"split{fold}_test_score"][row] for fold in range(3)]
        assert_allclose(mine, expected, rtol=0, atol=0)
        assert_allclose(search.cv_results_["mean_test_score"][row], expected.mean(), rtol=1e-15)


def test_a_seed_repeats_the_search(data):
    searches = [rated(random_state=seed).fit(*data) for seed in (1, 1, 2)]
    first, again, other = (search.cv_results_["params"] for search in searches)
    assert first == again
    assert first != other


def test_seeds_leave_the_global_state_and_the_sampler_alone(data):
    sampler = RandomSampler(seed=5)
    before, drawn = np.random.get_state()[1].copy(), pickle.dumps(sampler)
    rated(sampler=sampler).fit(*data)
    assert_array_equal(np.random.get_state()[1], before)
    assert pickle.dumps(sampler) == drawn


def test_clone_and_pickle(data):
    search = rated(space={"quality": Choice({"low": 0.1, "high": 0.9})}).fit(*data)
    assert not hasattr(clone(search), "study_")
    again = pickle.loads(pickle.dumps(search))
    assert again.best_params_ == {"quality": 0.9}
    assert_array_equal(again.predict(data[0]), search.predict(data[0]))
    pd.testing.assert_frame_equal(again.trials_dataframe(), search.trials_dataframe())
    assert len(again.study_.trials) == 6


def test_without_refit(data):
    search = rated(refit=False).fit(*data)
    assert len(FITS) == 18
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(data[0])


def test_not_fitted_and_not_there(data):
    search = rated()
    with pytest.raises(NotFittedError):
        search.predict(data[0])
    with pytest.raises(NotFittedError):
        search.trials_dataframe()
    assert not hasattr(search, "predict_proba")


def test_optuna_is_quiet_and_its_verbosity_is_left_alone(data, caplog):
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    try:
        rated().fit(*data)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
        assert not caplog.records
        rated(n_trials=1, verbose=2).fit(*data)
        assert any("study created" in record.message for record in caplog.records)
    finally:
        optuna.logging.disable_propagation()
        optuna.logging.set_verbosity(before)


def test_memory_stays_flat(data):
    X, y = np.zeros((2000, 100)), np.tile([0, 1], 1000)
    search = rated(n_trials=40, cv=2, sampler=RandomSampler())
    at: dict[int, int] = {}

    def measuring(estimator, X, y):
        at[len(FITS)] = tracemalloc.get_traced_memory()[0]
        FITS[-1] = []  # the test's own notes
        return estimator.quality

    tracemalloc.start()
    try:
        search.set_params(scoring=measuring).fit(X, y)
    finally:
        tracemalloc.stop()
    # A training part is 800 kB; sixty more of anything like it would show.
    assert at[80] - at[20] < 400_000


# -------------------------------------------------------------------------------------- the folds


def test_speakers_of_the_table_are_kept_apart(table):
    X, y, groups = table
    X = X[["row"]].assign(speaker=groups)
    search = rated(cv=None, n_trials=1).fit(X, y)
    assert search.n_splits_ == 5
    for rows in FITS[:-1]:
        inside = set(groups[np.array(rows, dtype=int)])
        assert len(rows) == sum(np.isin(groups, list(inside)))
        assert len(inside) < 6


def test_speakers_given_to_fit(table):
    X, y, groups = table
    for given in (groups, pd.DataFrame({"speaker": groups})):
        FITS.clear()
        rated(cv=None, n_trials=1).fit(X[["row"]], y, groups=given)
        assert all(len(rows) in (60, 48) for rows in FITS[:-1])
    with pytest.raises(ValueError, match="same speaker"):
        rated(cv=None).fit(X, y, groups=["s0"] * 72)


def test_tested_clips_go_through_the_steps_once(table):
    X, y, groups = table
    seen = []

    def note(X):
        seen.append(X["row"].tolist())
        return X

    search = PipelineSearchCV(
        make_pipeline(FunctionTransformer(note), StandardScaler(), LogisticRegression()),
        space={"logisticregression__C": FloatDistribution(0.1, 10)},
        cv=ProtocolSplit("speaker", n_splits=2), n_trials=1, random_state=0,
    )  # fmt: skip
    result = evaluate_protocol(search, X, y, groups=pd.DataFrame({"speaker": groups}), n_splits=3)
    # Emotions and probabilities, from one pass over what is tested.
    assert result.probabilities is not None
    tested = result.predictions.groupby("fold")["row"].apply(list)
    assert [seen.count(rows) for rows in tested] == [1, 1, 1]
    # Of each outer fold: two inner folds, each fitted and scored, the best one fitted, the test.
    assert len(seen) == 3 * (2 * 2 + 1 + 1)


def test_nobody_says_who_speaks(data):
    with pytest.warns(SpeakerWarning, match="Nobody says who speaks"):
        search = rated(cv=None, n_trials=1).fit(*data)
    assert search.n_splits_ == 5


def test_samplers_stay_inside_the_folds(table):
    X, y, groups = table
    y = np.where(np.arange(72) % 6 == 0, "anger", "calm")
    pipeline = Pipeline([("oversample", RandomOverSampler(random_state=0)), ("rate", Rated())])
    space = {"rate__quality": FloatDistribution(0, 1)}

    def rows_tested(estimator, X, y):
        # Every row comes once, and none that was repeated in training.
        assert not set(FITS[-1]) & set(X["row"])
        assert len(set(X["row"])) == len(X)
        return 1.0

    search = PipelineSearchCV(pipeline, space=space, scoring=rows_tested, n_trials=2)
    search.fit(X[["row"]], y, groups=groups)
    assert (search.cv_results_["state"] == "complete").all()
    assert any(len(set(rows)) < len(rows) for rows in FITS)


@pytest.mark.parametrize("handing", ["storage", "memory"])
def test_nested_and_without_a_leak(table, tmp_path, handing):
    X, y, groups = table
    X = X.assign(speaker=groups)
    storage = tmp_path / "study.log" if handing == "storage" else None
    numbers = Pipeline([("only", Columns()), ("rate", Rated())])
    search = PipelineSearchCV(
        numbers, space={"rate__quality": FloatDistribution(0, 1)}, scoring=rating_of_last,
        n_trials=3, storage=storage, random_state=0,
    )  # fmt: skip
    outer = ProtocolSplit("speaker", n_splits=3)
    found = cross_validate(search, X, y, cv=outer, scoring="accuracy", return_estimator=True)
    assert [len(inner.study_.trials) for inner in found["estimator"]] == [3, 3, 3]
    names = {inner.study_.study_name for inner in found["estimator"]}
    assert len(names) == (3 if storage else 1)
    # Of each outer fold: three trials of four speakers, then all of them.
    for fold, (train, _) in enumerate(outer.split(X, y)):
        seen = FITS[fold * 13 : (fold + 1) * 13]
        assert set().union(*seen) == set(train)


class Columns(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[["row"]].to_numpy(float)

    def __sklearn_is_fitted__(self):
        return True


def rating_of_last(estimator, X, y):
    return estimator[-1].quality


def test_holding_speakers_out_for_early_stopping(table):
    X, y, groups = table

    class Validated(Rated):
        def fit(self, X, y, X_val=None, y_val=None):
            outside = groups[X_val["row"].astype(int)]
            assert not set(outside) & set(groups[X["row"].astype(int)])
            return super().fit(X[["row"]], y)

    search = PipelineSearchCV(
        ValidationHoldout(Validated(), size=0.2, random_state=0),
        space={"estimator__quality": FloatDistribution(0, 1)},
        scoring=lambda estimator, X, y: estimator.estimator_.quality,
        n_trials=2,
    ).fit(X[["row"]], y, groups=groups)
    assert (search.cv_results_["state"] == "complete").all()
    assert search.best_estimator_.held_out_by_ == "groups"


# ---------------------------------------------------------------------------------------- failures


def test_a_trial_that_fails_is_recorded(data):
    with pytest.warns(FitFailedWarning, match=r"of 8 trials failed.*is too much"):
        search = rated(fails_above=0.6, n_trials=8, error_score=2.0).fit(*data)
    table = search.trials_dataframe()
    failed = table["state"] == "failed"
    assert 0 < failed.sum() < 8
    assert_array_equal(failed, table["param_quality"] > 0.6)
    assert table.loc[failed, "error"].str.startswith("RuntimeError: quality 0.").all()
    assert (table.loc[failed, "score"] == 2.0).all()
    assert search.best_score_ == table.loc[~failed, "score"].max() <= 0.6
    assert (table.loc[failed, "rank"] == (~failed).sum() + 1).all()


def test_all_trials_fail(data):
    with pytest.raises(TuningError, match=r"None of 6 trials.*6 failed.*RuntimeError: quality 0"):
        rated(fails_above=-1.0).fit(*data)
    # The defaults were never fitted in their place.
    assert len(FITS) == 6


def test_an_error_may_end_the_search(data):
    with pytest.raises(RuntimeError, match="too much"):
        rated(fails_above=-1.0, error_score="raise").fit(*data)
    assert len(FITS) == 1


def test_a_score_that_is_no_number(data):
    with pytest.raises(TuningError, match="score of fold 0 is nan"):
        rated(scoring=lambda *_: math.nan).fit(*data)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"space": {}}, ValueError, "search space is empty"),
        ({"space": {"qality": FloatDistribution(0, 1)}}, ValueError, "Did you mean quality?"),
        ({"space": {"quality": (0, 1)}}, ValueError, "should be a distribution"),
        ({"space": "auto"}, ValueError, "knows no step of Rated"),
        ({"n_trials": 0}, ValueError, "n_trials"),
        ({"timeout": 0.0}, ValueError, "timeout"),
        ({"storage": "/proc/nope/study.log"}, TuningError, "cannot be used"),
        ({"storage": "nosuch://database"}, TuningError, "cannot be used"),
        ({"cv": 30}, ValueError, "n_splits=30"),
    ],
)
def test_bad_input_is_refused_before_anything_is_fitted(data, params, error, match):
    with pytest.raises(error, match=match):
        rated(**params).fit(*data)
    assert not FITS


def test_errors_of_databases_are_short_and_keep_passwords(data, tmp_path, monkeypatch):
    held = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    with closing(held):
        held.execute("CREATE TABLE one (a)")
        held.execute("BEGIN EXCLUSIVE")
        # By default SQLite waits for five seconds.
        storage = f"sqlite:///{tmp_path}/held.db?timeout=0.1"
        with pytest.raises(TuningError, match=r"database is locked\)\. Name a file") as caught:
            rated(storage=storage).fit(*data)
    assert "\n" not in str(caught.value)

    def refuse(url):
        raise ConnectionError(f"no answer from {url}")

    monkeypatch.setattr(optuna.storages, "RDBStorage", refuse)
    for url in ("postgresql://me:secr@t@host/name", "mysql://:secr@t@host/name"):
        with pytest.raises(TuningError, match=r"no answer from \w+://\w*:\*\*\*@host") as caught:
            rated(storage=url).fit(*data)
        assert "secr" not in str(caught.value)

    def miss(url):
        raise ImportError("install something") from ModuleNotFoundError("no", name="psycopg2")

    monkeypatch.setattr(optuna.storages, "RDBStorage", miss)
    with pytest.raises(TuningError, match="'postgresql://host/name' needs the package 'psycopg2'"):
        rated(storage="postgresql://host/name").fit(*data)


def test_weights_are_refused(data):
    with pytest.raises(TypeError, match="sample_weight"):
        rated().fit(*data, sample_weight=np.ones(24))


def test_storages_that_cannot_be_shared_or_written(data, tmp_path, unprivileged):
    with pytest.raises(ValueError, match="cannot be shared"):
        rated(storage=optuna.storages.InMemoryStorage(), n_jobs=2).fit(*data)
    with pytest.raises(TuningError, match="is a folder"):
        rated(storage="/tmp").fit(*data)
    with pytest.raises(TuningError, match="PermissionError"):
        rated(storage="/usr/study.log").fit(*data)


# ------------------------------------------------------------------------------------- interrupts


@pytest.mark.parametrize("swallows", [False, True])
def test_ctrl_c_keeps_the_best_so_far(data, tmp_path, swallows):
    storage = tmp_path / "study.log"
    search = rated(interrupts_at={8}, swallows=swallows, storage=storage)
    with pytest.warns(TuningInterruptedWarning, match="after 2 of 6 trials"):
        search.fit(*data)
    assert search.interrupted_
    assert len(search.trials_dataframe()) == 2
    assert search.best_estimator_.quality == max(search.trials_dataframe()["param_quality"])
    assert len(FITS) == 9  # two trials, two folds of the third, the best
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Nothing of it is lost: the third trial is computed anew.
    FITS[:] = [[]] * 20
    search.fit(*data)
    assert not search.interrupted_
    assert len(FITS) == 20 + 4 * 3 + 1
    whole = rated().fit(*data)
    assert search.cv_results_["params"] == whole.cv_results_["params"]


def test_ctrl_c_before_any_trial_is_through(data):
    with pytest.raises(KeyboardInterrupt):
        rated(interrupts_at={2}).fit(*data)


@pytest.mark.parametrize("swallows", [False, True])
def test_a_second_ctrl_c_ends_the_fit(data, swallows):
    with (
        pytest.warns(TuningInterruptedWarning),
        pytest.raises(KeyboardInterrupt),
    ):
        rated(interrupts_at={8, 9}, swallows=swallows).fit(*data)


def test_timeout_lets_one_trial_through(data):
    search = rated(timeout=1e-9).fit(*data)
    assert len(search.trials_dataframe()) == 1


# ---------------------------------------------------------------------------------------- pruning


def test_trials_below_the_median_end_after_a_fold(data):
    search = rated(n_trials=30, sampler=RandomSampler(), pruner=None).fit(*data)
    table = search.trials_dataframe()
    pruned = table["state"] == "pruned"
    assert 5 < pruned.sum() < 22
    assert not pruned[:8].any()
    assert table.loc[pruned, "split0_test_score"].notna().all()
    assert table.loc[pruned, ["split1_test_score", "score"]].isna().all(axis=None)
    assert len(FITS) == 3 * (~pruned).sum() + pruned.sum() + 1
    for trial in np.flatnonzero(pruned):
        before = table[:trial][~pruned[:trial]]["score"]
        assert table["param_quality"][trial] < before.median()
    assert not pruned[search.best_index_]
    assert search.best_params_["quality"] == table["param_quality"].max()


class PruneAt(BasePruner):
    def __init__(self, *places):
        self.places = places

    def prune(self, study, trial):
        return (trial.number, trial.last_step) in self.places


def net_search(**params):
    net = RNNClassifier(hidden_sizes=(4,), hidden_units=(), max_epochs=3, random_state=0)
    return PipelineSearchCV(
        params.pop("around", lambda net: net)(net), space={}, cv=2, n_trials=3, random_state=0,
        **params,
    )  # fmt: skip


def test_nets_report_their_epochs_and_end_in_the_middle(rng):
    X, y = rng.normal(size=(24, 3)), np.tile([0, 1], 12)
    search = net_search(pruner=PruneAt((1, 2), (2, 4)))
    search.set_params(space={"lr": FloatDistribution(1e-3, 1e-2)}).fit(X, y)
    steps = [list(trial.intermediate_values) for trial in search.study_.trials]
    # Two folds of three epochs; where the third would stand, stands the fold.
    assert steps == [[1, 2, 3, 4, 5, 6], [1, 2], [1, 2, 3, 4]]
    assert search.cv_results_["state"].tolist() == ["complete", "pruned", "pruned"]
    first, second = (search.cv_results_[f"split{fold}_test_score"][0] for fold in (0, 1))
    reports = search.study_.trials[0].intermediate_values
    assert reports[3] == first
    assert reports[6] == pytest.approx((first + second) / 2)
    net = clone(search.estimator).set_params(**search.cv_results_["params"][0])
    train, _ = next(iter(_folds(X, y)))
    history = net.fit(X[train], y[train]).history_
    assert reports[1] == pytest.approx(math.exp(-history[0]["train_loss"]))
    assert search.best_estimator_.callbacks is None


def _folds(X, y):
    from sklearn.model_selection import check_cv

    return check_cv(2, y, classifier=True).split(X, y)


def test_nets_report_scores_on_speakers_held_out(rng):
    X, y, groups = rng.normal(size=(24, 3)), np.tile([0, 1], 12), np.repeat(list("abcdef"), 4)
    search = net_search(
        around=lambda net: ValidationHoldout(net, size=0.3, random_state=0), pruner=NopPruner()
    )
    search.set_params(space={"estimator__lr": FloatDistribution(1e-3, 1e-2)}, n_trials=1)
    search.fit(X, y, groups=groups)
    reports = search.study_.trials[0].intermediate_values
    train, _ = next(iter(_folds(X, y)))
    holdout = clone(search.estimator).set_params(**search.cv_results_["params"][0])
    holdout.fit(X[train], y[train], groups=groups[train])
    scores = [row["valid_balanced_accuracy"] for row in holdout.estimator_.history_]
    assert [reports[1], reports[2]] == scores[:2]


# ------------------------------------------------------------------------- no work twice, one store


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_trials_share_the_store_of_features(written_corpus, tmp_path, monkeypatch):
    read: list[str] = []
    read_clip = _audio_reader.read_clip

    def counting(region, sample_rate, out):
        read.append(region.path)
        return read_clip(region, sample_rate, out)

    monkeypatch.setattr(_audio_reader, "read_clip", counting)
    search = PipelineSearchCV(
        svm_functionals(n_mfcc=13, duration=1.0, memory=tmp_path / "store"),
        space={
            "svm__C": FloatDistribution(0.1, 10.0, log=True),
            "features__transformer__mfcc__n_mfcc": CategoricalDistribution([13, 20]),
        },
        n_trials=6,
        random_state=0,
    ).fit(written_corpus.data, written_corpus.target)
    n_settings = len({params["features__transformer__mfcc__n_mfcc"] for params in
                      search.cv_results_["params"]})  # fmt: skip
    assert n_settings == 2
    assert len(read) == 2 * len(written_corpus.data)
    assert search.n_splits_ == 4


# -------------------------------------------------------------------------------------- the storage


def test_the_same_fit_goes_on(data, tmp_path):
    storage = tmp_path / "study.log"
    whole = rated(n_trials=7).fit(*data)
    rated(n_trials=3, storage=storage).fit(*data)
    search = rated(n_trials=7, storage=storage)
    FITS.clear()
    search.fit(*data)
    assert len(FITS) == 4 * 3 + 1
    assert search.cv_results_["params"] == whole.cv_results_["params"]
    FITS.clear()
    search.fit(*data)
    assert len(FITS) == 1
    X, y = data
    for other, labels in ((search, 1 - y), (rated(n_trials=7, storage=storage, cv=2), y)):
        FITS.clear()
        other.fit(X, labels)
        assert len(FITS) > 10
    assert len(optuna.study.get_all_study_names(search.study_._storage)) == 3


def test_a_database(data, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    searches = [rated(n_trials=n, storage=storage, study_name="mine").fit(*data) for n in (2, 4)]
    assert [len(search.trials_dataframe()) for search in searches] == [2, 4]
    assert searches[0].study_.study_name.startswith("mine-")


def test_the_first_half_line_of_a_journal(data, tmp_path):
    storage = tmp_path / "study.log"
    storage.write_bytes(b'{"op_')
    assert len(rated(n_trials=1, storage=storage).fit(*data).trials_dataframe()) == 1


def test_half_a_line_in_the_journal(data, tmp_path):
    storage = tmp_path / "study.log"
    rated(n_trials=2, storage=storage).fit(*data)
    storage.write_bytes(storage.read_bytes() + b'{"op_code": 5, "wor')
    search = rated(n_trials=3, storage=storage).fit(*data)
    assert len(search.trials_dataframe()) == 3


def test_storages_that_hold_something_else_or_are_locked(data, tmp_path):
    journal = tmp_path / "notes.txt"
    journal.write_text("buy milk\nand bread\n")
    for content in (b"buy milk\nand bread\n", b"PK\x03\x04 no line ends here"):
        journal.write_bytes(content)
        with pytest.raises(TuningError, match=r"notes.txt' is no journal of Optuna.*sqlite:///"):
            rated(storage=journal).fit(*data)
        assert journal.read_bytes() == content
    with closing(sqlite3.connect(tmp_path / "study.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TuningError, match="database is locked"):
            rated(storage=f"sqlite:///{tmp_path}/study.db?timeout=0.05").fit(*data)
    assert not FITS


def test_the_name_of_a_study_tells_searches_apart(table):
    X, y, groups = table
    X = X.assign(speaker=groups)
    folds = list(ProtocolSplit("speaker").split(X, y))

    def name(prefix="a", estimator=None, space=QUALITY, folds=folds, X=X, y=y, options=(1,)):
        return name_study(prefix, estimator or Rated(), space, folds, X, y, options)

    same = [
        name(X=X.astype({"speaker": object})),
        name(X=X.copy(), y=y.astype(object)),
        name(X=X.set_index(np.arange(72) + 5)),
        name(space=dict(QUALITY), folds=[(train.copy(), test) for train, test in folds]),
    ]
    others = [
        name(X=X.assign(row=X["row"] + 1)),
        name(X=X.assign(speaker="s0")),
        name(y=y[::-1]),
        name(folds=folds[1:]),
        name(estimator=Rated(fails_above=1.0)),
        name(space={"quality": FloatDistribution(0.0, 0.5)}),
        name(options=(2,)),
    ]
    assert set(same) == {name()}
    assert len({name(), *others}) == 1 + len(others)
    assert name("b").partition("-")[2] == name().partition("-")[2]


def test_whole_steps_and_their_own_parameters(table):
    X, y, groups = table
    space = {
        "scale": Choice({"yes": StandardScaler(), "no": "passthrough"}),
        "clf": Choice(
            {"near": KNeighborsClassifier(), "linear": LogisticRegression()},
            spaces={
                "near": {"n_neighbors": IntDistribution(1, 9)},
                "linear": {"C": FloatDistribution(1e-3, 1.0, log=True)},
            },
        ),
    }
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    search = PipelineSearchCV(pipeline, space=space, n_trials=12, random_state=0)
    search.fit(X, y, groups=groups)
    for params in search.cv_results_["params"]:
        inner = {"near": "clf[near]__n_neighbors", "linear": "clf[linear]__C"}[params["clf"]]
        assert set(params) == {"scale", "clf", inner}
    kinds = {params["clf"] for params in search.cv_results_["params"]}
    assert kinds == {"near", "linear"}
    again = clone(pipeline).set_params(**search.best_params_)
    assert_array_equal(again.fit(X, y).predict(X), search.predict(X))


def test_warnings_of_trials_are_said_once(data):
    class Grumbling(Rated):
        def fit(self, X, y):
            warnings.warn("hm", RuntimeWarning, stacklevel=2)
            return super().fit(X, y)

    search = PipelineSearchCV(
        Grumbling(), space=QUALITY, cv=3, scoring=rating, n_trials=2, refit=False
    )
    with pytest.warns(RuntimeWarning, match="And 5 more of this kind") as said:
        search.fit(*data)
    assert len(said) == 1


def test_workers_find_a_journal_whatever_folder_they_are_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("study.log") == tmp_path / "study.log"
    assert located("postgresql://host/trials") == "postgresql://host/trials"
    assert located(None) is None


def test_fewer_speakers_than_folds_are_told(data):
    search = rated(cv=ProtocolSplit("speaker", n_splits=9), n_trials=1)
    with pytest.warns(SpeakerWarning, match="asks for 9 folds, but there are groups for 3"):
        search.fit(*data, groups=np.repeat(["s0", "s1", "s2"], 8))
    assert search.n_splits_ == 3


def test_seeds_may_be_numbers_of_numpy(data):
    found = [rated(random_state=seed).fit(*data).best_params_ for seed in (3, np.int64(3))]
    assert found[0] == found[1]


def test_a_search_predicts_with_its_last_fit_alone(data):
    X, y = data
    search = rated().fit(X, y)
    assert set(search.predict(X)) == {0}
    search.set_params(refit=False).fit(X, y + 5)
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(X)
    assert not hasattr(search, "best_estimator_")


def test_no_folds_are_refused(data):
    with pytest.raises(ValueError, match="makes no folds"):
        rated(cv=[]).fit(*data)


def test_ctrl_c_that_a_net_swallows_ends_a_nested_search_at_once(data):
    search = rated(interrupts_at=(1,), swallows=True)
    with pytest.raises(KeyboardInterrupt):
        evaluate_protocol(search, *data, groups=np.repeat(["a", "b", "c"], 8), n_splits=3)
    assert len(FITS) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
