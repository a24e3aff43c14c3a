"""Classical systems: what their steps are told, who is measured by whom, what files do to them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sersk.exceptions import UnreadableAudioWarning
from sersk.feature_extraction import PerClip, SpeakerNormalizer
from sersk.model_selection import evaluate_protocol
from sersk.recipes._classical import gradient_boosting_functionals, svm_functionals_by_speaker

pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")

RECIPES = [gradient_boosting_functionals, svm_functionals_by_speaker]
# Few features, so that tests are quick.
SMALL = {"n_mels": 8, "n_mfcc": 4, "statistics": ("mean", "std")}
every_recipe = pytest.mark.parametrize("recipe", RECIPES)


def small(recipe, **parameters):
    if recipe is not gradient_boosting_functionals:
        return recipe(**SMALL, **parameters)
    # Leaves of twenty clips, as by default, would be half of the corpus of the tests.
    pipeline = recipe(**SMALL, max_iter=5, **parameters)
    return pipeline.set_params(boost__min_samples_leaf=2)


@every_recipe
def test_pipelines(recipe, written_corpus):
    table, y = written_corpus.data, written_corpus.target
    signature = inspect.signature(recipe).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in signature)
    pipeline = small(recipe)
    assert isinstance(pipeline, Pipeline)
    first, second = (clone(pipeline).fit(table, y).predict(table) for _ in range(2))
    assert_array_equal(first, second)
    # On the clips it was trained on, it is better than chance by far.
    assert np.mean(first == y) > 0.6


@every_recipe
def test_every_parameter_arrives(recipe):
    parameters = {
        "sample_rate": 8000, "duration": 2.0, "n_fft": 512, "hop_length": 128, "n_mels": 20,
        "n_mfcc": 7, "statistics": ("mean",), "on_error": "raise", "n_jobs": 2,
    }  # fmt: skip
    settings = recipe(**parameters, memory="store", random_state=3).get_params()
    named = {}
    for name, value in settings.items():
        named.setdefault(name.rpartition("__")[2], []).append(value)
    for name, value in parameters.items():
        found = named[name]
        if name == "n_jobs":  # PerClip has another one: its chunks stay in this process
            assert found.count(2) == 3
        else:
            assert set(map(str, found)) == {str(value)}, name
    assert "store" in named["memory"]
    assert settings["oversample__random_state"] == 3
    for name in ("C", "prior_clips", "learning_rate", "max_iter", "max_leaf_nodes"):
        if name in inspect.signature(recipe).parameters:
            assert 3 in [v for k, v in recipe(**{name: 3}).get_params().items() if k.endswith(name)]


def test_the_stack(written_corpus):
    pipeline = small(gradient_boosting_functionals).fit(written_corpus.data, written_corpus.target)
    names = list(pipeline[:-1].get_feature_names_out())
    # 8 bands, 4 coefficients and their derivatives, 12 pitch classes, 4 of shape, 3 others.
    assert len(names) == 2 * (8 + 4 + 4 + 12 + 4 + 3)
    assert {"rms_mean", "rms_std"} <= set(names)


def test_recipes_share_a_store(written_corpus, tmp_path):
    def n_kept():
        return sum(len(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())

    table, y = written_corpus.data, written_corpus.target
    small(gradient_boosting_functionals, memory=tmp_path).fit(table, y)
    before = n_kept()
    assert before
    small(svm_functionals_by_speaker, memory=tmp_path).fit(table, y)
    assert n_kept() == before


@every_recipe
def test_unreadable_files(recipe, written_corpus):
    table, y = written_corpus.data.copy(), written_corpus.target
    table.loc[[0, 20], "path"] = ["gone.wav", "lost.wav"]
    with pytest.warns(UnreadableAudioWarning):
        result = evaluate_protocol(small(recipe), table, y, protocol="speaker", n_splits=2)
    assert set(result.unreadable) == {"gone.wav", "lost.wav"}
    assert len(result.predictions) == len(table)
    with pytest.raises(ValueError, match="no such file"):
        small(recipe, on_error="raise").fit(table, y)


def test_strangers_are_measured_by_their_own_clips(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    speakers = table["speaker"].unique()
    strange = (table["speaker"] == speakers[0]).to_numpy()
    # An emotion is rare, so that clips are repeated.
    trained = np.flatnonzero(~strange & ((y != "anger") | (np.arange(len(y)) % 2 == 0)))
    pipeline = small(svm_functionals_by_speaker, prior_clips=0)
    pipeline.fit(table.iloc[trained], y[trained])
    features = pipeline["features"]
    assert isinstance(features, SpeakerNormalizer)
    assert isinstance(features.transformer, PerClip)
    vectors = features.transform(table)
    for speaker in speakers:
        own = vectors[(table["speaker"] == speaker).to_numpy()]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-5)
    # Whoever else is tested at the same time does not matter.
    assert_array_equal(pipeline.predict(table)[strange], pipeline.predict(table[strange]))
    # A path alone is a clip of somebody unknown.
    assert pipeline.predict(table["path"].tolist()[:3]).shape == (3,)


def test_no_early_stopping_however_many_clips():
    assert gradient_boosting_functionals()["boost"].early_stopping is False
