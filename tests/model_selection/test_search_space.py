"""Search spaces: what fits is drawn and set, what does not is refused by name."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from numpy.testing import assert_array_equal
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sersk._utils._sample_rates import sample_rates
from sersk.feature_extraction import MFCC, FrameFeatures
from sersk.model_selection import Choice, PipelineSearchCV, ValidationHoldout, default_search_space
from sersk.model_selection._search_space import (
    apply_parameters,
    as_parameters,
    check_space,
    describe_space,
    suggest,
)
from sersk.preprocessing import AudioReader
from sersk.recipes import cnn_gru_attention, list_recipes, make_recipe, svm_functionals


def draw(estimator, space, seed=0):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    drawn = suggest(study.ask(), space)
    return drawn, apply_parameters(estimator, as_parameters(drawn, space))


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_has_a_space_that_fits_it(name):
    recipe = make_recipe(name)
    space = default_search_space(recipe)
    assert len(space) >= 3
    assert check_space(space, recipe) == space
    assert not any(parameter.endswith("sample_rate") for parameter in space)
    drawn, made = draw(recipe, space)
    assert list(drawn) == list(space)
    found = made.get_params()
    for parameter, value in drawn.items():
        what = space[parameter]
        expected = what.options[value] if isinstance(what, Choice) else value
        if isinstance(expected, BaseEstimator):
            assert type(found[parameter]) is type(expected)
        else:
            assert found[parameter] == expected


def test_the_space_of_the_plain_baseline():
    space = default_search_space(svm_functionals())
    assert set(space) == {
        "oversample",
        "svm__C",
        "svm__gamma",
        "features__transformer__mfcc__n_mfcc",
        "features__transformer__mfcc__n_mels",
        "features__transformer__functionals__statistics",
    }
    assert space["svm__C"] == FloatDistribution(1e-2, 1e3, log=True)
    assert set(space["oversample"].options) == {"on", "off"}


def test_a_net_held_out_for():
    recipe = cnn_gru_attention()
    inner = default_search_space(recipe)
    outer = default_search_space(ValidationHoldout(recipe))
    assert {f"estimator__{name}" for name in inner} == set(outer)
    assert {"net__lr", "net__dropout", "net__weight_decay", "net__batch_size"} <= set(inner)
    wide = inner["net__filters"].options
    assert [2 * size for size in wide["as_is"]] == list(wide["double"])


def test_what_is_known_depends_on_the_step():
    assert "gamma" not in default_search_space(SVC(kernel="linear"))
    assert default_search_space(MFCC(n_fft=512))["n_mels"].choices == (40, 64)
    assert set(default_search_space(RandomForestClassifier())) == {
        "max_features", "min_samples_leaf",
    }  # fmt: skip

    class SVC2(BaseEstimator):
        pass

    SVC2.__name__ = "SVC"
    assert default_search_space(SVC2()) == {}


@pytest.mark.parametrize(
    ("features", "knobs"),
    [
        (("rms", "zcr"), set()),
        (("log_mel", "rms"), {"n_mels"}),
        (("mfcc_delta",), {"n_mels", "n_mfcc"}),
    ],
)
def test_knobs_of_what_is_computed_alone(features, knobs):
    assert set(default_search_space(FrameFeatures(features=features))) == knobs


def test_one_knob_moves_all_sample_rates():
    recipe = svm_functionals()
    space = {"sample_rate": CategoricalDistribution([8000, 22050])}
    assert check_space(space, recipe) == space
    drawn, made = draw(recipe, space)
    assert len(sample_rates(made)) == 2
    assert set(sample_rates(made).values()) == {drawn["sample_rate"]}
    name = "features__transformer__read__sample_rate"
    with pytest.raises(ValueError, match="one knob for all"):
        check_space({name: CategoricalDistribution([8000])}, recipe)
    # Of a single step it is a parameter as any other.
    alone = make_pipeline(AudioReader())
    check_space({"audioreader__sample_rate": CategoricalDistribution([8000])}, alone)


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_the_best_sample_rate_can_be_set(small_corpus):
    recipe = svm_functionals(n_mfcc=13)
    search = PipelineSearchCV(
        recipe, space={"sample_rate": IntDistribution(16000, 16000)}, cv=2, n_trials=1
    ).fit(small_corpus.data, small_corpus.target)
    assert set(search.best_params_) == set(sample_rates(recipe))
    assert_array_equal(
        recipe.set_params(**search.best_params_)
        .fit(small_corpus.data, small_corpus.target)
        .predict(small_corpus.data),
        search.predict(small_corpus.data),
    )


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({}, "is empty"),
        ({"svm__c": FloatDistribution(0, 1)}, "'svm__c'.*Did you mean svm__C"),
        ({"n_mfcc": IntDistribution(1, 9)}, "mean features__transformer__mfcc__n_mfcc"),
        ({"svn__C": FloatDistribution(0, 1)}, "Did you mean svm__C"),
        ({"svm__C": [1, 10]}, r"distribution of optuna.distributions.*Got \[1, 10\]"),
        ({"svm": Choice({"a": "passthrough"}, spaces={"a": {"C": 1}})}, "has no parameters"),
        (
            {"svm": Choice({"a": SVC()}, spaces={"a": {"c": FloatDistribution(0, 1)}})},
            "In the space of svm='a': .*'c'",
        ),
        (
            {
                "svm": Choice({"a": SVC(), "b": LogisticRegression()}),
                "svm__gamma": FloatDistribution(0, 1),
            },
            "the option 'b' of 'svm' has no such parameter.*spaces=",
        ),
    ],
)
def test_spaces_that_do_not_fit(space, match):
    with pytest.raises(ValueError, match=match):
        check_space(space, svm_functionals())


def test_values_that_no_storage_can_hold():
    with pytest.warns(UserWarning, match="persistent storage"):
        space = {"svm": CategoricalDistribution([SVC()])}
    with pytest.raises(ValueError, match=r"'svm' may be SVC\(\), which no storage.*Choice"):
        check_space(space, svm_functionals())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (({},), "one at least"),
        (([1, 2],), "mapping of labels"),
        (({1: 2},), "labels of a Choice are text. Got 1"),
    ],
)
def test_choices_that_are_none(arguments, match):
    with pytest.raises(ValueError, match=match):
        Choice(*arguments)


def test_a_choice_without_the_option_of_a_space():
    with pytest.raises(ValueError, match="names 'b', which is no option; there are 'a'"):
        Choice({"a": 1}, spaces={"b": {}})


def test_a_parameter_that_all_options_have():
    recipe = svm_functionals()
    space = {
        "svm": Choice({"svm": SVC(), "linear": LogisticRegression()}),
        "svm__C": FloatDistribution(0.5, 0.5),
    }
    for seed in range(6):
        drawn, made = draw(recipe, check_space(space, recipe), seed)
        assert made["svm"].C == 0.5
        assert type(made["svm"]) is type(space["svm"].options[drawn["svm"]])
    assert recipe["svm"].C == 10.0
    assert space["svm"].options["svm"].C == 1.0


def test_choices_within_choices():
    inner = Choice({"few": 1, "many": 9})
    pipeline = Pipeline([("balance", RandomOverSampler()), ("clf", LogisticRegression())])
    forest = RandomForestClassifier()
    space = {"clf": Choice({"forest": forest}, spaces={"forest": {"n_estimators": inner}})}
    drawn, made = draw(pipeline, check_space(space, pipeline))
    assert set(drawn) == {"clf", "clf[forest]__n_estimators"}
    assert made["clf"].n_estimators == inner.options[drawn["clf[forest]__n_estimators"]]
    assert forest.n_estimators == 100


SPACES = st.dictionaries(
    st.sampled_from(["C", "tol", "max_iter"]),
    st.one_of(
        st.floats(1e-3, 1).map(lambda low: FloatDistribution(low, 2.0, log=True)),
        st.integers(1, 5).map(lambda low: IntDistribution(low, 9)),
        st.lists(st.integers(), min_size=1, max_size=3, unique=True).map(CategoricalDistribution),
    ),
    min_size=1,
)


@given(SPACES, SPACES)
def test_descriptions_tell_spaces_apart(one, other):
    def written(space):
        return {name: distribution_to_json(what) for name, what in space.items()}

    same = written(one) == written(other)
    assert (describe_space(one) == describe_space(other)) == same
    assert describe_space(dict(reversed(one.items()))) == describe_space(one)
    as_choices = [{"a": Choice({"x": SVC()}, spaces={"x": space})} for space in (one, other)]
    assert (describe_space(as_choices[0]) == describe_space(as_choices[1])) == same
