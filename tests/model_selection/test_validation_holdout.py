"""ValidationHoldout: what is held out is seen by nothing that learns, and is the right thing."""

from __future__ import annotations

import pickle
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as SamplingPipeline
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from sersk.exceptions import UnreadableAudioWarning, ValidationWarning
from sersk.feature_extraction import LogMelSpectrogram
from sersk.model_selection import (
    ProtocolSplit,
    ValidationHoldout,
    audit_leakage,
    evaluate_protocol,
    noise_robustness,
)
from sersk.preprocessing import AudioReader
from sersk.recipes import svm_functionals

by_clip = pytest.mark.filterwarnings("ignore::sersk.exceptions.ValidationWarning")


class Validated(LogisticRegression):
    """Takes clips held out, and keeps what it is given."""

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        super().fit(X, y, sample_weight)
        self.given_ = {"X": X, "y": y, "weight": sample_weight, "X_val": X_val, "y_val": y_val}
        return self


class ValidatedSVC(SVC):
    def fit(self, X, y, X_val=None, y_val=None):
        return super().fit(X, y)


class ValidatedRegressor(DummyRegressor):
    def fit(self, X, y, X_val=None, y_val=None):
        self.given_ = {"y": y, "y_val": y_val}
        return super().fit(X, y)


class Numbers(TransformerMixin, BaseEstimator):
    """Takes the columns of numbers out of a table, notes which rows it learned from."""

    n_fits = 0

    def __sklearn_is_fitted__(self):
        return hasattr(self, "rows_")

    def fit(self, X, y=None):
        type(self).n_fits += 1
        self.rows_ = set(X["row"])
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        return X[["row", "loudness"]].to_numpy(float)


class Halver(Numbers):
    def transform(self, X):
        return super().transform(X)[::2]


class NoLastClass(BaseEstimator):
    """A sampler that loses a class."""

    def fit_resample(self, X, y):
        keep = y != max(y)
        return X[keep], y[keep]


@pytest.fixture
def table(rng):
    """240 clips: 12 speakers, 4 sentences, a rare emotion."""
    frame = pd.DataFrame(
        {
            "row": np.arange(240),
            "loudness": rng.normal(size=240),
            "speaker": np.repeat([f"s{number:02d}" for number in range(12)], 20),
            "sentence": np.tile(["t0", "t1", "t2", "t3"], 60),
        }
    )
    y = rng.choice(["anger", "calm", "fear"], size=240, p=[0.5, 0.4, 0.1])
    frame["loudness"] += y == "anger"
    return frame, y


def held_out(X, y, groups=None, **params):
    """Hold out clips of a table with the plainest of pipelines."""
    return ValidationHoldout(
        make_pipeline(Numbers(), Validated(max_iter=5000)), **{"random_state": 0} | params
    ).fit(X, y, groups=groups)


# ------------------------------------------------------------------------- what scikit-learn asks


@by_clip
@pytest.mark.parametrize(
    "estimator",
    [
        Validated(),
        make_pipeline(StandardScaler(), Validated()),
        make_sampling_pipeline(RandomOverSampler(random_state=0), StandardScaler(), Validated()),
        make_pipeline(StandardScaler(), ValidatedSVC()),
    ],
    ids=["bare", "pipeline", "sampler", "svc"],
)
def test_scikit_learn_checks(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.SkipTestWarning)
        outcomes = check_estimator(ValidationHoldout(estimator, random_state=0), on_skip=None)
    statuses = Counter(outcome["status"] for outcome in outcomes)
    assert statuses["passed"] >= 40
    assert statuses["failed"] == 0
    skipped = {outcome["check_name"] for outcome in outcomes if outcome["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}


def test_methods_are_those_of_the_estimator(table):
    X, y = table
    model = ValidationHoldout(make_pipeline(Numbers(), Validated()))
    assert is_classifier(model)
    assert get_tags(ValidationHoldout(StandardScaler())).target_tags.required
    assert hasattr(model, "predict_proba")
    assert not hasattr(ValidationHoldout(ValidatedSVC()), "predict_proba")
    assert not hasattr(model, "classes_")
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    inner = model.estimator_
    assert_array_equal(model.classes_, ["anger", "calm", "fear"])
    assert_array_equal(model.predict(X), inner.predict(X))
    assert_array_equal(model.predict_proba(X), inner.predict_proba(X))
    assert_array_equal(model.decision_function(X), inner.decision_function(X))
    assert model.score(X, y) == inner.score(X, y)
    weights = np.linspace(0, 1, len(y))
    assert model.score(X, y, weights) == inner.score(X, y, sample_weight=weights)
    bare = ValidationHoldout(Validated()).fit(X[["row", "loudness"]], y, groups=X["speaker"])
    assert bare.n_features_in_ == 2
    assert_array_equal(bare.feature_names_in_, ["row", "loudness"])


# ------------------------------------------------------------------------------- what is held out


@pytest.mark.parametrize("how", ["column", "vector", "table"])
@pytest.mark.parametrize("seed", range(5))
def test_speakers_are_held_out_whole(table, how, seed):
    X, y = table
    groups = {"column": None, "vector": list(X["speaker"]), "table": X}[how]
    data = X if how == "column" else X.drop(columns=["speaker", "sentence"])
    model = held_out(data, y, groups, size=0.2, random_state=seed)
    trained, validated = X.iloc[model.train_indices_], X.iloc[model.validation_indices_]
    assert set(trained["speaker"]).isdisjoint(validated["speaker"])
    assert_array_equal(np.unique(validated["speaker"]), model.held_out_)
    assert model.held_out_by_ == ("groups" if how == "vector" else "speaker")
    assert len(trained) + len(validated) == 240
    # Two of twelve are nearer to a fifth than three.
    assert len(model.held_out_) == 2
    # Only the emotions of all can be asked for: the rare one is in most pairs of speakers.
    assert set(y[model.validation_indices_]) == set(y)
    assert set(y[model.train_indices_]) == set(y)


@given(
    speakers=st.lists(st.integers(0, 6), min_size=4, max_size=40),
    emotions=st.lists(st.integers(0, 2), min_size=40, max_size=40),
    unknown=st.sets(st.integers(0, 39), max_size=5),
    size=st.floats(0.01, 0.9),
    seed=st.integers(0, 1000),
)
def test_no_speaker_is_on_both_sides(speakers, emotions, unknown, size, seed):
    n_clips = len(speakers)
    y = np.array(["anger", "calm", "fear"])[emotions[:n_clips]]
    column = np.array([f"s{number}" for number in speakers], dtype=object)
    column[[row for row in unknown if row < n_clips]] = None
    X = pd.DataFrame({"row": np.arange(n_clips), "loudness": 0.0, "speaker": column})
    if max(Counter(y).values()) == 1 or len(set(y)) == 1:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidationWarning)
        model = held_out(X, y, size=size, random_state=seed)
    train, validation = model.train_indices_, model.validation_indices_
    assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(n_clips))
    assert len(validation) >= 1
    assert set(y[train]) == set(y)
    if model.held_out_by_ == "speaker":
        assert set(column[train]).isdisjoint(column[validation])
        assert not pd.isna(column[validation]).any()
    else:
        # Then there was no speaker without whom every emotion is still there.
        known = column[~pd.isna(column)]
        assert all(set(y[column != speaker]) != set(y) for speaker in set(known))


def test_the_parts_depend_on_names_not_on_order(table, rng):
    X, y = table
    model = held_out(X, y)
    again = held_out(X, y)
    assert_array_equal(model.validation_indices_, again.validation_indices_)
    order = rng.permutation(len(X))
    assert_array_equal(held_out(X.iloc[order], y[order]).held_out_, model.held_out_)
    renamed = X.assign(speaker="x" + X["speaker"])
    assert_array_equal(held_out(renamed, y).validation_indices_, model.validation_indices_)
    others = {tuple(held_out(X, y, random_state=seed).held_out_) for seed in range(20)}
    assert len(others) >= 5


def test_names_keep_their_type(table):
    X, y = table
    numbered = X.assign(speaker=X["speaker"].str[1:].astype(int))
    model = held_out(numbered, y)
    rows = np.flatnonzero(numbered["speaker"].isin(model.held_out_))
    assert_array_equal(rows, model.validation_indices_)
    assert model.held_out_.dtype.kind == "i"
    # What is given to fit goes before the column.
    others = X.assign(speaker=X["sentence"])
    assert set(held_out(X, y, others).held_out_) <= {"t0", "t1", "t2", "t3"}
    assert set(held_out(X, y, X["sentence"]).held_out_) <= {"t0", "t1", "t2", "t3"}


def test_another_column(table):
    X, y = table
    model = ValidationHoldout(
        make_pipeline(Numbers(), Validated()), groups="sentence", random_state=0
    ).fit(X, y)
    assert model.held_out_by_ == "sentence"
    assert len(model.held_out_) == 1


def test_size_is_met_as_nearly_as_speakers_allow(rng):
    speakers = np.repeat(np.arange(10), [50, 30, 20, 10, 10, 5, 5, 4, 3, 3])
    X = pd.DataFrame({"row": np.arange(140), "loudness": 0.0, "speaker": speakers})
    y = np.tile(["anger", "calm"], 70)
    for size in (0.05, 0.1, 0.3):
        model = held_out(X, y, size=size)
        assert_allclose(len(model.validation_indices_) / 140, size, atol=0.01)
    # One at least, whatever its size.
    assert len(held_out(X.iloc[:80], y[:80], size=0.01).held_out_) == 1


def test_unknown_speakers_are_trained_on(table):
    X, y = table
    X = X.assign(speaker=X["speaker"].where(X["row"] % 3 > 0))
    with pytest.warns(ValidationWarning, match="80 of 240 clips have no speaker"):
        model = held_out(X, y)
    assert X["speaker"].iloc[model.validation_indices_].notna().all()
    # A missing name in a list is missing, too.
    with pytest.warns(ValidationWarning, match="80 of 240 clips have no groups"):
        again = held_out(X.drop(columns="speaker"), y, [*X["speaker"]])
    assert_array_equal(again.validation_indices_, model.validation_indices_)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (None, "fit got no groups, and X has no column 'speaker'"),
        ("s1", "it is s1 in all clips"),
        (np.nan, "it is known of no clip"),
    ],
)
def test_sentences_then_clips_where_speakers_cannot(table, column, message):
    X, y = table
    X = X.drop(columns="speaker") if column is None else X.assign(speaker=column)
    with pytest.warns(ValidationWarning, match=message):
        model = held_out(X, y, size=0.25)
    assert model.held_out_by_ == "sentence"
    train, validation = (X["sentence"].iloc[rows] for rows in rows_of(model))
    assert set(train).isdisjoint(validation)
    for same in (X.drop(columns="sentence"), X.assign(sentence="t0")):
        with pytest.warns(ValidationWarning, match=message):
            model = held_out(same, y, size=0.25)
        assert model.held_out_by_ == "clip"
        assert_array_equal(model.held_out_, model.validation_indices_)
        assert len(model.held_out_) == 60


def rows_of(model):
    return model.train_indices_, model.validation_indices_


def test_speakers_that_have_a_class_to_themselves(table):
    X, _ = table
    y = X["speaker"].to_numpy(str)
    scaled = make_pipeline(Numbers(), StandardScaler(), Validated())
    with pytest.warns(ValidationWarning, match="all clips of some class"):
        model = ValidationHoldout(scaled, random_state=0).fit(X, y)
    assert model.held_out_by_ == "sentence"
    y = np.where(X["speaker"] == "s03", "fear", np.tile(["anger", "calm"], 120))
    for seed in range(10):
        assert "s03" not in held_out(X, y, random_state=seed).held_out_


def test_clips_are_drawn_by_emotion(table):
    X, _ = table
    y = np.repeat(["anger", "calm", "fear", "joy"], [150, 84, 5, 1])
    model = ValidationHoldout(make_pipeline(Numbers(), Validated(max_iter=5000)), groups=None)
    model.fit(X, y)
    assert Counter(y[model.validation_indices_]) == {"anger": 15, "calm": 8, "fear": 1}
    assert "joy" in y[model.train_indices_]


@pytest.mark.parametrize(
    ("counts", "held"),
    [
        # Those nearest to the next whole clip get it,
        ((46, 37, 17), {(4, 4, 2)}),
        # but first those that have none,
        ((97, 3), {(9, 1)}),
        # and of equal ones any.
        ((15, 15), {(1, 2), (2, 1)}),
    ],
)
def test_shares_of_emotions(counts, held):
    y = np.repeat(np.arange(len(counts)), counts)
    X = pd.DataFrame({"row": 0, "loudness": np.zeros(len(y))})
    model = ValidationHoldout(make_pipeline(Numbers(), Validated()), groups=None)
    found = set()
    for seed in range(12):
        model.set_params(random_state=seed).fit(X, y)
        found.add(tuple(np.bincount(y[model.validation_indices_]).tolist()))
    assert found == held


def test_too_few_clips():
    X = pd.DataFrame({"row": [0, 1], "loudness": [0.0, 1.0]})
    model = ValidationHoldout(make_pipeline(Numbers(), Validated()), groups=None)
    with pytest.raises(ValueError, match=r"no clip to hold out.*n_samples=2 in 2 class"):
        model.fit(X, ["anger", "calm"])
    X = pd.concat([X, X], ignore_index=True)
    model.fit(X, ["anger", "calm", "anger", "calm"])
    assert len(model.validation_indices_) == 1


def test_wrong_groups(table):
    X, y = table
    with pytest.raises(ValueError, match="groups has 239 entries, and X 240 clips"):
        held_out(X, y, X["speaker"][1:])
    with pytest.raises(ValueError, match="without the column 'speaker'; it has 'row'"):
        held_out(X, y, X[["row"]])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        held_out(X, y[1:])


# ----------------------------------------------------------------------------- who sees which rows


def test_only_the_last_step_sees_what_is_held_out(table):
    X, y = table
    X.loc[:, "loudness"] += 100.0 * (X["speaker"] > "s05")
    model = ValidationHoldout(
        make_sampling_pipeline(
            RandomOverSampler(random_state=0),
            Numbers(),
            "passthrough",
            StandardScaler(),
            RandomOverSampler(random_state=1),
            Validated(),
        ),
        random_state=0,
    ).fit(X, y)
    train, validation = rows_of(model)
    sampler, numbers, _, scaler, _, last = (step for _, step in model.estimator_.steps)
    assert isinstance(model.estimator_, SamplingPipeline)
    assert set(train[sampler.sample_indices_]) == set(train)
    assert numbers.rows_ == set(train)
    assert numbers.n_rows_ == 3 * max(Counter(y[train]).values())
    resampled = X["loudness"].to_numpy()[train[sampler.sample_indices_]]
    assert_allclose(scaler.mean_[1], resampled.mean())
    assert_allclose(last.given_["X"].mean(axis=0), 0, atol=1e-12)
    expected = (X["loudness"].to_numpy()[validation] - scaler.mean_[1]) / scaler.scale_[1]
    assert_allclose(last.given_["X_val"][:, 1], expected)
    assert_array_equal(last.given_["y_val"], y[validation])
    assert len(set(Counter(last.given_["y"]).values())) == 1
    # Predicting, samplers are skipped.
    assert len(model.predict(X)) == 240


def test_equals_fitting_by_hand(table):
    X, y = table
    model = held_out(X, y)
    rows = model.train_indices_
    by_hand = make_pipeline(Numbers(), Validated(max_iter=5000)).fit(X.iloc[rows], y[rows])
    assert_array_equal(model.predict_proba(X), by_hand.predict_proba(X))


def test_a_pipeline_may_end_in_a_pipeline(table):
    X, y = table
    inner = make_sampling_pipeline(RandomOverSampler(random_state=0), StandardScaler(), Validated())
    model = ValidationHoldout(make_pipeline(Numbers(), inner), random_state=0).fit(X, y)
    flat = ValidationHoldout(
        make_sampling_pipeline(
            Numbers(), RandomOverSampler(random_state=0), StandardScaler(), Validated()
        ),
        random_state=0,
    ).fit(X, y)
    assert_array_equal(model.predict_proba(X), flat.predict_proba(X))


def test_memory_keeps_what_transformers_make(table, tmp_path):
    X, y = table
    model = ValidationHoldout(
        SamplingPipeline(
            [
                ("over", RandomOverSampler(random_state=0)),
                ("numbers", Numbers()),
                ("scale", StandardScaler()),
                ("last", Validated()),
            ],
            memory=str(tmp_path),
        ),
        random_state=0,
    )
    n_fits = Numbers.n_fits
    first = clone(model).fit(X, y)
    assert Numbers.n_fits == n_fits + 1
    second = clone(model).set_params(estimator__last__C=0.1).fit(X, y)
    assert Numbers.n_fits == n_fits + 1
    third = model.fit(X, y)
    assert_array_equal(third.predict_proba(X), first.predict_proba(X))
    assert not np.array_equal(second.predict_proba(X), first.predict_proba(X))
    # Other clips are held out: all is learned anew.
    clone(model).set_params(random_state=1).fit(X, y)
    assert Numbers.n_fits == n_fits + 2


def test_verbose_pipelines_tell_of_their_steps(table, capsys):
    X, y = table
    ValidationHoldout(make_pipeline(Numbers(), Validated(), verbose=True)).fit(X, y)
    assert capsys.readouterr().out.count("[Pipeline]") == 2


def test_sample_weight_is_that_of_the_training_part(table):
    X, y = table
    weights = np.linspace(0.1, 1, 240)
    model = ValidationHoldout(make_pipeline(Numbers(), Validated(max_iter=5000)), random_state=0)
    model.fit(X, y, sample_weight=weights)
    given = model.estimator_[-1].given_
    assert_array_equal(given["weight"], weights[model.train_indices_])
    assert model.fit(X, y, sample_weight=None).estimator_[-1].given_["weight"] is None
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(X, y, sample_weight=weights[1:])
    scores = cross_validate(
        model, X, y, cv=ProtocolSplit(n_splits=3), params={"sample_weight": weights}
    )
    assert len(scores["test_score"]) == 3
    sampling = make_sampling_pipeline(
        RandomOverSampler(random_state=0), Numbers(), Validated(max_iter=5000)
    )
    with pytest.raises(ValueError, match="sample_weight cannot be handed through a sampler"):
        ValidationHoldout(sampling, random_state=0).fit(X, y, sample_weight=weights)
    ValidationHoldout(sampling, random_state=0).fit(X, y, sample_weight=None)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression(), "LogisticRegression takes no X_val"),
        (make_pipeline(Numbers(), SVC()), "SVC takes no X_val"),
        (make_pipeline(Validated(), "passthrough"), "passthrough takes no X_val"),
    ],
)
def test_last_steps_that_take_no_validation(table, estimator, message):
    X, y = table
    model = ValidationHoldout(LogisticRegression()).set_params(estimator=estimator)
    model._parameter_constraints = {**model._parameter_constraints, "estimator": "no_validation"}
    with pytest.raises(TypeError, match=message):
        model.fit(X, y)


def test_wrong_use(table):
    X, y = table
    pipeline = make_pipeline(Numbers(), Validated())
    with pytest.raises(TypeError, match="X_val is what ValidationHoldout makes"):
        ValidationHoldout(pipeline).fit(X, y, X_val=X)
    with pytest.raises(TypeError, match="Validated takes no 'loudness'"):
        ValidationHoldout(pipeline).fit(X, y, loudness=1)
    with pytest.raises(ValueError, match="y is None"):
        ValidationHoldout(pipeline).fit(X, None)
    with pytest.raises(ValueError, match=r"'halver' made 1\d\d rows of the 220 of the training"):
        ValidationHoldout(make_pipeline(Halver(), Validated())).fit(X, y)
    with pytest.raises(ValueError, match="'size' parameter"):
        ValidationHoldout(pipeline, size=1.0).fit(X, y)
    sampling = make_sampling_pipeline(Numbers(), NoLastClass(), Validated())
    with pytest.raises(ValueError, match="samplers left no clip of fear"):
        ValidationHoldout(sampling, size=0.5).fit(X, y)
    with pytest.raises(TypeError, match="intermediate steps"):
        ValidationHoldout(make_pipeline(RandomOverSampler(), Numbers(), Validated())).fit(X, y)


def test_regressors(table):
    X, _ = table
    arousal = X["loudness"].to_numpy()
    model = ValidationHoldout(make_pipeline(Numbers(), ValidatedRegressor()), random_state=0)
    model.fit(X, arousal)
    assert not is_classifier(model)
    assert not hasattr(model, "classes_")
    assert_array_equal(model.estimator_[-1].given_["y_val"], arousal[model.validation_indices_])
    assert len(model.held_out_) == 1


# ----------------------------------------------------------------------- inside everything else


def test_pickle(table):
    X, y = table
    model = held_out(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert_array_equal(again.held_out_, model.held_out_)


@pytest.mark.parametrize("routing", [False, True])
def test_searches_need_nothing_from_the_user(table, routing):
    X, y = table
    model = ValidationHoldout(
        make_sampling_pipeline(RandomOverSampler(random_state=0), Numbers(), Validated()),
        random_state=0,
    )
    grid = {"estimator__validated__C": [0.01, 1.0], "size": [0.1, 0.3]}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, grid, cv=ProtocolSplit(n_splits=3), error_score="raise")
        search.fit(X, y)
        best = search.best_estimator_
        assert set(X["speaker"].iloc[best.train_indices_]).isdisjoint(best.held_out_)
        nested = cross_validate(
            search, X, y, cv=ProtocolSplit(n_splits=3), return_estimator=True, return_indices=True
        )
    for fold, train in zip(nested["estimator"], nested["indices"]["train"], strict=True):
        inner = fold.best_estimator_
        assert len(inner.train_indices_) + len(inner.validation_indices_) == len(train)
        assert inner.held_out_by_ == "speaker"


def test_groups_by_metadata_routing(table):
    X, y = table
    vectors, speakers = X[["row", "loudness"]].to_numpy(), X["speaker"].to_numpy()
    model = ValidationHoldout(make_pipeline(StandardScaler(), Validated()), random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {"size": [0.1, 0.3]}, cv=GroupKFold(3), error_score="raise")
        search.fit(vectors, y, groups=speakers)
        assert search.best_estimator_.held_out_by_ == "groups"
        done = cross_validate(
            search,
            vectors,
            y,
            cv=GroupKFold(3),
            params={"groups": speakers},
            return_estimator=True,
        )
        assert {fold.best_estimator_.held_out_by_ for fold in done["estimator"]} == {"groups"}
        deaf = clone(model).set_fit_request(groups=False)
        with pytest.warns(ValidationWarning, match="fit got no groups"):
            cross_val_score(deaf, vectors, y, cv=GroupKFold(2), params={"groups": speakers})
    with pytest.warns(ValidationWarning, match="fit got no groups"):
        cross_val_score(model, vectors, y, cv=GroupKFold(2), groups=speakers)


def test_weights_by_metadata_routing(table):
    X, y = table
    vectors, speakers = X[["row", "loudness"]].to_numpy(), X["speaker"].to_numpy()
    weights = np.linspace(0.1, 1, 240)
    with sklearn.config_context(enable_metadata_routing=True):
        last = Validated().set_fit_request(sample_weight="importance")
        model = ValidationHoldout(make_pipeline(StandardScaler(), last), random_state=0)
        search = GridSearchCV(model, {"size": [0.1]}, cv=GroupKFold(3), error_score="raise")
        search.fit(vectors, y, groups=speakers, importance=weights)
        best = search.best_estimator_
        assert_array_equal(best.estimator_[-1].given_["weight"], weights[best.train_indices_])
        with pytest.raises(TypeError, match="unexpected argument"):
            model.fit(vectors, y, groups=speakers, other=weights)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        both = make_pipeline(scaler, Validated().set_fit_request(sample_weight=True))
        with pytest.raises(ValueError, match="StandardScaler requests sample_weight"):
            ValidationHoldout(both).fit(vectors, y, groups=speakers, sample_weight=weights)


def recipe_with_validation(**params):
    pipeline = svm_functionals(n_mfcc=5, **params)
    return ValidationHoldout(pipeline.set_params(svm=ValidatedSVC()), random_state=0)


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_recipes_under_a_protocol(written_corpus):
    X, y = written_corpus.data, written_corpus.target
    model = recipe_with_validation()
    result = evaluate_protocol(model, X, y, protocol="speaker")
    assert len(result.predictions) == len(y)
    assert result.per_speaker is not None
    with pytest.raises(ValueError, match=r"different sample rates.*estimator__features"):
        evaluate_protocol(
            clone(model).set_params(estimator__features__transformer__mfcc__sample_rate=8000), X, y
        )
    fitted = model.fit(X, y)
    assert len(noise_robustness(fitted, X, y, snr_db=[0.0]).table) >= 1
    audit = audit_leakage(model, X, y, conditions=["random", "speaker"], n_splits=2)
    assert len(audit.table) == 2


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.parametrize("memory", [False, True])
def test_unreadable_files_of_both_parts_are_told(written_corpus, tmp_path, memory):
    X, y = written_corpus.data.copy(), written_corpus.target
    model = recipe_with_validation()
    if memory:
        model.set_params(estimator__memory=str(tmp_path / "memory"))
    held = model.fit(X, y).validation_indices_
    trained = model.train_indices_
    assert model.failed_ == {}
    broken = [str(tmp_path / name) for name in ("one.wav", "two.wav")]
    for path in broken:
        open(path, "wb").close()
    X.iloc[held[0], X.columns.get_loc("path")] = broken[0]
    X.iloc[trained[0], X.columns.get_loc("path")] = broken[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableAudioWarning)
        model.fit(X, y)
        assert set(model.failed_) == set(broken)
        model.predict(X.iloc[[held[0]]])
        assert set(model.failed_) == {broken[0]}
        model.predict(X.iloc[trained[1:3]])
        assert model.failed_ == {}
        told = evaluate_protocol(model, X, y, protocol="speaker").unreadable
    assert set(told) == set(broken)


def test_net(written_corpus):
    """The real thing: a net that stops early."""
    networks = pytest.importorskip("sersk.neural_network")
    X, y = written_corpus.data, written_corpus.target
    net = networks.CNNClassifier(
        filters=(4,), hidden_units=(), max_epochs=3, patience=1, random_state=0
    )
    model = ValidationHoldout(
        make_sampling_pipeline(
            RandomOverSampler(random_state=0),
            AudioReader(duration=1.0),
            LogMelSpectrogram(n_mels=8),
            net,
        ),
        random_state=0,
    )
    fitted = clone(model).fit(X, y)
    inner = fitted.estimator_[-1]
    assert all("valid_loss" in epoch for epoch in inner.history_)
    assert fitted.predict_proba(X).shape == (len(y), 3)
    assert set(X["speaker"].iloc[fitted.train_indices_]).isdisjoint(fitted.held_out_)
    assert_array_equal(clone(model).fit(X, y).predict_proba(X), fitted.predict_proba(X))
    result = evaluate_protocol(model, X, y, n_splits=2)
    assert len(result.predictions) == len(y)


@by_clip
def test_scikit_learn_checks_with_a_net():
    networks = pytest.importorskip("sersk.neural_network")
    net = networks.CNNClassifier(
        max_epochs=20, lr=0.02, batch_size=32, filters=(8, 8), hidden_units=(), random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.SkipTestWarning)
        outcomes = check_estimator(ValidationHoldout(net), on_skip=None)
    assert Counter(outcome["status"] for outcome in outcomes)["passed"] >= 40


def test_pipeline_type_is_kept(table):
    X, y = table
    model = held_out(X, y)
    assert type(model.estimator_) is Pipeline
    assert model.estimator_ is not model.estimator
    assert not hasattr(model.estimator[0], "rows_")


def test_evaluation_of_waveforms_hands_the_speakers_on():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    y = np.tile(["anger", "fear"], 30)
    speakers = np.repeat(list("abcdef"), 10)
    seen = []

    class Watched(ValidationHoldout):
        def fit(self, X, y, groups=None):
            super().fit(X, y, groups)
            seen.append(set(self.held_out_))
            return self

    system = Watched(Validated(), size=0.2, random_state=0)
    evaluate_protocol(system, X, y, groups=speakers, protocol="speaker", n_splits=3)
    assert len(seen) == 3
    assert all(held < set(speakers) for held in seen)
