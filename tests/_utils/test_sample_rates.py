"""Different sample rates are found wherever they hide."""

from __future__ import annotations

import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as ImblearnPipeline
from sklearn.base import BaseEstimator
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import SVC

from sersk._utils._sample_rates import check_sample_rates
from sersk.feature_extraction import MFCC, Functionals
from sersk.preprocessing import AudioReader
from sersk.recipes import list_recipes, make_recipe


class Timbre(BaseEstimator):
    def __init__(self, sample_rate=None):
        self.sample_rate = sample_rate


def system(rate, *, pipeline=ImblearnPipeline):
    return pipeline(
        [
            ("read", AudioReader(sample_rate=16000)),
            ("mfcc", MFCC(sample_rate=rate)),
            ("functionals", Functionals()),
            ("svm", SVC()),
        ]
    )


HOLDERS = {
    "plain": lambda rate: system(rate, pipeline=Pipeline),
    "imblearn": system,
    "nested": lambda rate: Pipeline([("features", system(rate)[:-1]), ("svm", SVC())]),
    "union": lambda rate: FeatureUnion([("a", MFCC()), ("b", MFCC(sample_rate=rate))]),
    "search": lambda rate: GridSearchCV(system(rate), {"svm__C": [1.0]}),
    "bagging": lambda rate: BaggingClassifier(system(rate)),
    "voting": lambda rate: VotingClassifier([("one", system(16000)), ("two", system(rate))]),
    "frozen": lambda rate: Pipeline([("read", AudioReader()), ("rest", FrozenEstimator(MFCC(
        sample_rate=rate)))]),
}  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
def test_different_rates_are_refused(holder):
    check_sample_rates(HOLDERS[holder](16000))
    with pytest.raises(ValueError, match=r"sample_rate=16000.*sample_rate=22050.*set_params\("):
        check_sample_rates(HOLDERS[holder](22050))


def test_the_error_names_steps_and_the_cure():
    estimator = system(8000)
    with pytest.raises(ValueError, match="different") as caught:
        check_sample_rates(estimator)
    assert "read__sample_rate=16000, mfcc__sample_rate=8000." in str(caught.value)
    assert "set_params(mfcc__sample_rate=16000)" in str(caught.value)
    check_sample_rates(estimator.set_params(mfcc__sample_rate=16000))


def test_a_rate_that_is_none_is_no_rate():
    check_sample_rates(Pipeline([("timbre", Timbre()), ("mfcc", MFCC(sample_rate=8000))]))
    steps = [("timbre", Timbre(16000)), ("mfcc", MFCC(sample_rate=8000))]
    with pytest.raises(ValueError, match="timbre__sample_rate=16000"):
        check_sample_rates(Pipeline(steps))


@pytest.mark.parametrize("nothing", ["passthrough", None])
def test_steps_that_are_left_out(nothing):
    left_out = system(16000).set_params(mfcc=nothing)
    check_sample_rates(left_out)
    steps = [("oversample", RandomOverSampler()), ("nothing", nothing), *system(22050).steps]
    with pytest.raises(ValueError, match="mfcc__sample_rate=22050"):
        check_sample_rates(ImblearnPipeline(steps))


@pytest.mark.parametrize("thing", [None, "passthrough", 3, MFCC, SVC(), object()])
def test_what_names_no_rate_is_let_through(thing):
    check_sample_rates(thing)


@pytest.mark.parametrize("name", list_recipes())
def test_recipes_agree_with_themselves(name):
    check_sample_rates(make_recipe(name))
    check_sample_rates(make_recipe(name, sample_rate=22050))
