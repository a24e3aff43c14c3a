"""What a file says of its model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.svm import SVC
from sklearn.utils import Bunch

import sersk
from sersk.datasets import load_ravdess
from sersk.exceptions import ModelFileError
from sersk.model_selection import SpeakerPriorClassifier
from sersk.persistence import ModelCard
from sersk.persistence._card import card_from_plain, card_to_plain, plain_scores

SCORES = {"speaker": {"balanced_accuracy": {"score": 0.6, "low": 0.5, "high": None}}}


@pytest.fixture
def fitted():
    return SVC().fit(np.eye(4), ["anger", "neutral"] * 2)


def test_facts(boosted, written_corpus, tmp_path):
    path = tmp_path / "model.skops"
    sersk.save(
        boosted, path, corpus=written_corpus, protocol_scores=SCORES, recipe="gradient_boosting"
    )
    card = sersk.read_card(path)
    assert card.recipe == "gradient_boosting"
    assert card.labels == ["anger", "neutral", "sadness"]
    assert card.sample_rate == 16000
    assert card.condition == "a stranger's single clip"
    assert (card.n_clips, card.n_speakers) == (24, 4)
    assert card.clips_by_emotion == {"anger": 8, "neutral": 8, "sadness": 8}
    assert card.protocol_scores == SCORES
    assert card.versions["sersk"] == sersk.__version__
    text = card.to_markdown()
    assert "Trained on synthetic speech" in text
    assert "| speaker | UAR | 0.600 | - |" in text
    assert "Intended use" in text
    assert "COMMERCIAL" not in text


@pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")
def test_a_licence_that_forbids_is_said_loudly(fitted, ravdess_tree, tmp_path):
    corpus = load_ravdess(ravdess_tree())
    sersk.save(fitted, tmp_path / "model.skops", corpus=corpus)
    card = sersk.read_card(tmp_path / "model.skops")
    assert card.non_commercial == ["RAVDESS"]
    assert "**NOT FOR COMMERCIAL USE: trained on RAVDESS" in card.head()
    assert "CC BY-NC-SA 4.0" in card.to_markdown()
    assert str(tmp_path) not in json.dumps(card_to_plain(card))


def test_of_a_corpus_of_ones_own_the_licence_is_not_known(fitted, tmp_path):
    frame = pd.DataFrame({"path": ["a", "b"], "emotion": ["anger", "fear"], "corpus": "mine"})
    sersk.save(fitted, tmp_path / "model.skops", corpus=Bunch(frame=frame))
    card = sersk.read_card(tmp_path / "model.skops")
    assert card.corpora[0]["non_commercial"] is None
    assert card.n_speakers is None
    assert "not known to sersk" in card.to_markdown()
    assert "an unknown number of speakers" in card.to_markdown()


@pytest.mark.parametrize(
    "corpus", [Bunch(), Bunch(frame={"emotion": []}), Bunch(frame=pd.DataFrame({"path": ["a"]}))]
)
def test_what_is_no_corpus_is_refused(corpus, fitted, tmp_path):
    with pytest.raises(ValueError, match="corpus must be a Bunch whose frame"):
        sersk.save(fitted, tmp_path / "model.skops", corpus=corpus)
    assert not list(tmp_path.iterdir())


def test_what_was_not_told_is_said(fitted, tmp_path):
    sersk.save(fitted, tmp_path / "model.skops")
    text = sersk.read_card(tmp_path / "model.skops").to_markdown()
    assert "the corpus was not given" in text
    assert "None were given" in text


@pytest.mark.parametrize(
    "model",
    [
        sersk.recipes.svm_functionals_by_speaker(n_mels=20, n_mfcc=5, statistics=("mean",)),
        SpeakerPriorClassifier(sersk.recipes.gradient_boosting_functionals(max_iter=1)),
    ],
    ids=["features", "probabilities"],
)
def test_systems_that_know_the_speaker(model, written_corpus, tmp_path):
    model = clone(model).fit(written_corpus.data, written_corpus.target)
    sersk.save(model, tmp_path / "model.skops")
    condition = sersk.read_card(tmp_path / "model.skops").condition
    assert condition == "several clips of a speaker at hand"


def test_all_forms_of_scores():
    table = pd.DataFrame({"score": [0.6], "low": [0.5], "high": [np.nan]}, ["balanced_accuracy"])
    result = Bunch(protocol="speaker", scores=table, folds=None)
    document = {"protocols": {"speaker": {"scores": SCORES["speaker"]}}, "recipe": "x"}
    for given in (result, [result], document, SCORES):
        assert plain_scores(given) == SCORES
    bare = plain_scores({"speaker": {"balanced_accuracy": 0.6}})
    assert bare["speaker"]["balanced_accuracy"] == {"score": 0.6, "low": None, "high": None}


@pytest.mark.parametrize(
    "given", ["speaker", 0.5, [], [0.5], {"speaker": 0.5}, {"speaker": {"accuracy": 60}},
              {"speaker": {"accuracy": None}}],
)  # fmt: skip
def test_what_is_no_score_is_refused(given, fitted, tmp_path):
    with pytest.raises(ValueError, match="protocol_scores"):
        sersk.save(fitted, tmp_path / "model.skops", protocol_scores=given)


@pytest.mark.parametrize("given", [None, [], {}, {"labels": []}, {"estimator": 1, "labels": 2}])
def test_what_is_no_card(given):
    with pytest.raises((TypeError, ValueError)):
        card_from_plain(given)


def test_cards_of_newer_files_are_read():
    card = ModelCard(estimator="SVC", labels=["anger"])
    assert card_from_plain({**card_to_plain(card), "temperature": 2.0}) == card


def test_the_card_is_read_without_the_model(fitted, tmp_path, monkeypatch):
    import skops.io

    def never(*arguments, **options):
        raise AssertionError

    sersk.save(fitted, tmp_path / "model.skops")
    monkeypatch.setattr(skops.io, "loads", never)
    assert sersk.read_card(tmp_path / "model.skops").labels == ["anger", "neutral"]
    (tmp_path / "model.skops").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelFileError):
        sersk.read_card(tmp_path / "model.skops")
