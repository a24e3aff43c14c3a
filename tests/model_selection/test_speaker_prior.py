"""SpeakerPriorClassifier: probabilities, over what is heard in all clips of a speaker."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sersk.exceptions import SpeakerWarning
from sersk.model_selection import SpeakerPriorClassifier
from sersk.persistence._predictions import needs_speakers

EMOTIONS = np.array(["anger", "neutral", "sadness"])


class Stored(ClassifierMixin, BaseEstimator):
    """Look up the probabilities of a clip by the number in its table."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        rows = X["number"].to_numpy() if isinstance(X, pd.DataFrame) else slice(len(X))
        return self.probabilities[rows]


def table_of(speakers, **columns):
    numbers = np.arange(len(speakers))
    paths = [f"/clips/{number}.wav" for number in numbers]
    return pd.DataFrame({"path": paths, "number": numbers, "speaker": speakers, **columns})


def corrected(probabilities, table, target=EMOTIONS, **parameters):
    """Correct stored probabilities, after a fit on clips of these emotions."""
    model = SpeakerPriorClassifier(Stored(probabilities), **parameters)
    return model.fit(table_of(["known"] * len(target)), target).predict_proba(table)


def by_bayes(probabilities, prior, prior_clips):
    """Correct the clips of one speaker, a number at a time."""
    n_clips, n_classes = probabilities.shape
    result = np.empty_like(probabilities)
    for clip in range(n_clips):
        for c in range(n_classes):
            heard = (sum(probabilities[:, c]) + prior_clips * prior[c]) / (n_clips + prior_clips)
            result[clip, c] = probabilities[clip, c] * prior[c] / heard
        result[clip] /= sum(result[clip])
    return result


def random_probabilities(n_clips, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).dirichlet(np.ones(3), size=n_clips).astype(dtype)


@pytest.mark.parametrize("prior_clips", [0, 2.5, 10.0])
@pytest.mark.parametrize("target", [EMOTIONS, ["anger", "neutral", "neutral", "sadness", "anger"]])
def test_each_speaker_by_bayes_rule(prior_clips, target):
    probabilities = random_probabilities(9)
    speakers = np.array(list("abbaababb"))
    prior = np.unique(target, return_counts=True)[1] / len(target)
    found = corrected(probabilities, table_of(speakers), target, prior_clips=prior_clips)
    for name in "ab":
        own = speakers == name
        assert_allclose(found[own], by_bayes(probabilities[own], prior, prior_clips), rtol=1e-12)


def test_a_voice_that_always_sounds_sad():
    sad = np.array([[0.1, 0.2, 0.7], [0.3, 0.2, 0.5], [0.1, 0.4, 0.5]])
    model = SpeakerPriorClassifier(Stored(sad), prior_clips=0)
    model.fit(table_of(["known"] * 3), EMOTIONS)
    assert_array_equal(model.predict(table_of(["new"] * 3)), ["sadness", "anger", "neutral"])
    assert_array_equal(model.predict(table_of(["a", "b", "c"])), ["anger"] * 3)  # equal all
    model.set_params(prior_clips=1e9)
    model.fit(table_of(["known"] * 3), EMOTIONS)
    assert_array_equal(model.predict(table_of(["new"] * 3)), ["sadness"] * 3)


@given(
    st.lists(st.sampled_from(["a", "b", "", None, np.nan]), min_size=1, max_size=12),
    st.floats(0, 100),
    st.integers(0, 99),
)
def test_laws(speakers, prior_clips, seed):
    probabilities = random_probabilities(len(speakers), seed)
    table = table_of(speakers)
    found = corrected(probabilities, table, prior_clips=prior_clips)
    assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    unknown = ~np.isin(np.array([str(name) for name in speakers]), ["a", "b"])
    assert_array_equal(found[unknown], probabilities[unknown])
    order = np.random.default_rng(seed).permutation(len(speakers))
    shuffled = corrected(probabilities, table.iloc[order], prior_clips=prior_clips)
    assert_allclose(shuffled, found[order], rtol=1e-10)


def test_rows_that_are_the_same_clip_count_once():
    probabilities = random_probabilities(5)
    table = table_of(["a"] * 5)
    repeated = table.iloc[[0, 1, 1, 1, 2, 3, 4, 4]]
    found = corrected(probabilities, repeated)
    assert_allclose(found, corrected(probabilities, table)[repeated["number"]])


def test_copies_are_judged_by_the_clips_they_were_made_of():
    probabilities = random_probabilities(6)
    augment = pd.Series([None, "noise", None, None, "noise", None], dtype=object)
    table = table_of(["a", "a", "a", "a", "b", "b"], augment=augment)
    found = corrected(probabilities, table)
    plain = np.flatnonzero(augment.isna())
    assert_allclose(found[plain], corrected(probabilities, table.iloc[plain]))
    assert not np.allclose(found[1], corrected(probabilities, table.iloc[[1]])[0])


def test_names_are_compared_as_text_and_the_column_is_chosen():
    probabilities = random_probabilities(4)
    table = table_of([1, "1", " 1 ", 1.5]).rename(columns={"speaker": "actor"})
    with pytest.warns(SpeakerWarning, match="no column 'actor'"):
        found = corrected(probabilities, table, speaker="actor")
    prior = np.full(3, 1 / 3)
    assert_allclose(found[:3], by_bayes(probabilities[:3], prior, 5.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_the_estimator_gave_stays_as_it_is(dtype):
    probabilities = random_probabilities(6, dtype=dtype)
    before = probabilities.copy()
    model = SpeakerPriorClassifier(Stored(probabilities))
    model.fit(table_of(["known"] * 3), EMOTIONS)
    found = model.predict_proba(pd.DataFrame({"speaker": ["a"] * 6, "path": list("abcdef")}).assign(
        number=range(6)
    ))  # fmt: skip
    assert found.dtype == dtype
    assert_array_equal(probabilities, before)
    assert not np.allclose(found, before)


def test_an_emotion_that_is_never_heard():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    found = corrected(probabilities, table_of(["a", "a"]), prior_clips=0)
    assert np.isfinite(found).all()
    assert_array_equal(found[:, 2], 0)


def test_without_speakers_it_is_the_estimator():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), np.repeat(EMOTIONS, 10)
    with pytest.warns(SpeakerWarning, match="no column 'speaker'"):
        model = SpeakerPriorClassifier(LogisticRegression()).fit(X, y)
    plain = LogisticRegression().fit(X, y)
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(model.predict(X), plain.predict(X))
    assert model.n_features_in_ == 4


def test_scores_are_those_of_probabilities():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"path": list("abcdefgh"), "f": rng.normal(size=8), "speaker": ["s"] * 8})
    y = np.repeat(["anger", "sadness"], 4)

    class First(LogisticRegression):
        def _of(self, X):
            return X[["f"]].to_numpy()

        def fit(self, X, y):
            return super().fit(self._of(X), y)

        def predict_proba(self, X):
            return super().predict_proba(self._of(X))

    model = SpeakerPriorClassifier(First()).fit(X, y)
    assert not hasattr(model, "decision_function")
    assert 0 <= get_scorer("roc_auc")(model, X, y) <= 1


@pytest.mark.parametrize("prior_clips", [-1, np.nan, "10"])
def test_wrong_numbers(prior_clips):
    with pytest.raises(ValueError, match="prior_clips"):
        corrected(random_probabilities(3), table_of(["a"] * 3), prior_clips=prior_clips)


def test_what_has_no_probabilities_is_refused():
    with pytest.raises(ValueError, match="'estimator' parameter of SpeakerPriorClassifier"):
        SpeakerPriorClassifier(LinearSVC()).fit(table_of(["a"] * 3), EMOTIONS)
    with pytest.raises(NotFittedError):
        SpeakerPriorClassifier(LogisticRegression()).predict(table_of(["a"]))


def test_models_with_it_have_to_be_told_who_speaks():
    model = SpeakerPriorClassifier(LogisticRegression())
    assert needs_speakers(make_pipeline(model))
    assert not needs_speakers(make_pipeline(LogisticRegression()))
