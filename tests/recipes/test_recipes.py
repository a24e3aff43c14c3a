"""Recipes: flat pipelines that run, leak nothing and repeat themselves."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import cross_validate

import sersk.recipes
from sersk.exceptions import UnreadableAudioWarning
from sersk.feature_extraction import SpeakerNormalizer
from sersk.model_selection import ProtocolSplit, SpeakerPriorClassifier, evaluate_protocol
from sersk.recipes import list_recipes, make_recipe, recipe_info, svm_functionals

# Enough to run, and no more.
SMALL = {"n_nets": 2, "max_epochs": 1, "filters": (4, 4, 4, 4), "copies": 1}


# The published ones are looked at in test_published.py.
@pytest.mark.parametrize("name", [name for name in list_recipes() if not recipe_info(name).source])
def test_every_recipe(name, written_corpus):
    known = inspect.signature(getattr(sersk.recipes, name)).parameters
    pipeline = make_recipe(name, **{key: SMALL[key] for key in SMALL if key in known})
    assert isinstance(pipeline, Pipeline)
    assert not any(isinstance(step, Pipeline) for _, step in pipeline.steps)
    first, second = (
        clone(pipeline).fit(written_corpus.data, written_corpus.target).predict(written_corpus.data)
        for _ in range(2)
    )
    assert_array_equal(first, second)
    assert set(first) <= set(written_corpus.target_names)


@pytest.mark.parametrize("name", list_recipes())
def test_knobs_are_keywords(name):
    parameters = inspect.signature(getattr(sersk.recipes, name)).parameters
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters.values())
    assert {"memory", "random_state", "n_jobs", "on_error", "sample_rate"} <= parameters.keys()


def test_files_and_waveforms_give_the_same(small_corpus, written_corpus):
    from_files = svm_functionals().fit(written_corpus.data, written_corpus.target)
    from_waveforms = svm_functionals().fit(small_corpus.data, small_corpus.target)
    assert_array_equal(
        from_files.predict(written_corpus.data), from_waveforms.predict(small_corpus.data)
    )
    # The path alone is enough to predict, a buffer of another length too.
    assert_array_equal(
        from_files.predict(written_corpus.data["path"]), from_files.predict(written_corpus.data)
    )
    assert from_files.predict([np.zeros(4000, dtype=np.float32)]).shape == (1,)


def test_oversampling_is_balanced_and_inside(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    some = np.flatnonzero((y != "anger") | (np.arange(len(y)) % 2 == 0))
    pipeline = svm_functionals().fit(table.iloc[some], y[some])
    _, resampled = pipeline["oversample"].fit_resample(table.iloc[some], y[some])
    assert len(set(np.unique(resampled, return_counts=True)[1])) == 1


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_in_cross_validate(written_corpus):
    scores = cross_validate(
        svm_functionals(n_mfcc=13),
        written_corpus.data,
        written_corpus.target,
        cv=ProtocolSplit("speaker"),
        scoring="balanced_accuracy",
        error_score="raise",
    )
    assert len(scores["test_score"]) == 4


def test_names_of_the_vectors(written_corpus):
    pipeline = svm_functionals(n_mfcc=2, statistics=("mean", "slope"))
    pipeline.fit(written_corpus.data, written_corpus.target)
    assert pipeline[:-1].get_feature_names_out().tolist() == [
        "mfcc0_mean", "mfcc0_slope", "mfcc1_mean", "mfcc1_slope",
    ]  # fmt: skip


def test_unreadable_files(written_corpus):
    table = written_corpus.data.copy()
    table.loc[0, "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning):
        pipeline = svm_functionals().fit(table, written_corpus.target)
    assert len(pipeline["drop"].sample_indices_) < len(pipeline["oversample"].sample_indices_)
    with pytest.raises(ValueError, match="no such file"):
        svm_functionals(on_error="raise").fit(table, written_corpus.target)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("svm_funktionals", r"\. Did you mean svm_functionals"),
        ("conv1d", r"\. Did you mean conv1d_time_domain\?"),
        ("zzz", r"\. Known: svm_functionals"),
        ("", r"\. Known: svm_functionals"),
    ],
)
def test_unknown_recipe(name, hint):
    with pytest.raises(ValueError, match=f"no recipe '{name}'{hint}"):
        make_recipe(name)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("svm_functionals", {"C": -1.0}, "'C' parameter of SVC"),
        ("svm_functionals", {"n_mfcc": 0}, "'n_mfcc' parameter of MFCC"),  # within PerClip
        ("conv1d_time_domain", {"lr": "fast"}, "'lr' parameter of CNNClassifier"),
    ],
)
def test_values_are_refused_before_anything_is_computed(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_recipe(name, **parameters)


@pytest.mark.parametrize("name", ["crnn_svm_ensemble", "crnn_svm_ensemble_by_speaker"])
def test_members_of_the_ensemble(name, written_corpus):
    pipeline = make_recipe(name, **SMALL, svm_share=0.4, random_state=3)
    pipeline.fit(written_corpus.data, written_corpus.target)
    nets, svm = pipeline["vote"].estimators_
    heard = nets.predict_proba(written_corpus.data)
    assert_allclose(
        pipeline.predict_proba(written_corpus.data),
        0.6 * heard + 0.4 * svm.predict_proba(written_corpus.data),
    )
    by_speaker = recipe_info(name).by_speaker
    counted = {value for key, value in pipeline.get_params().items() if "prior_clips" in key}
    assert counted == ({5.0} if by_speaker else set())
    assert isinstance(nets, SpeakerPriorClassifier) == by_speaker
    assert isinstance(svm["features"], SpeakerNormalizer) == by_speaker
    nets = nets.estimator_ if by_speaker else nets
    members = [net.predict_proba(written_corpus.data) for net in nets.estimators_]
    assert_allclose(nets.predict_proba(written_corpus.data), np.mean(members, axis=0))
    assert (np.abs(heard - np.mean(members, axis=0)).max() > 1e-3) == by_speaker
    # Nets that are the same would have nothing to vote about.
    assert np.abs(members[0] - members[1]).max() > 1e-3


@pytest.mark.parametrize("name", ["crnn_svm_ensemble", "crnn_svm_ensemble_by_speaker"])
@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_unreadable_files_are_named_by_the_ensemble(name, written_corpus):
    table = written_corpus.data.copy()
    table.loc[0, "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning):
        result = evaluate_protocol(
            make_recipe(name, **SMALL), table, written_corpus.target, n_splits=2
        )
    assert list(result.unreadable) == ["gone.wav"]


@pytest.mark.parametrize(
    ("wrong", "message"), [({"n_nets": 0}, "n_nets=0"), ({"svm_share": 1.0}, "svm_share=1.0")]
)
def test_ensembles_that_nobody_wants(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_recipe("crnn_svm_ensemble", **wrong)
