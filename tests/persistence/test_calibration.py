"""Probabilities calibrated on speakers held out: over clip tables, nets, files and commands."""

from __future__ import annotations

import json
import os
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier

import sersk
from sersk import cli
from sersk.exceptions import SerskWarning
from sersk.model_selection import ProtocolSplit, ValidationHoldout
from sersk.model_selection._evaluation import history_of, unreadable_files
from sersk.recipes import conv1d_time_domain, prepare_run, svm_functionals
from sersk.recipes._prepare import check_calibration, with_calibration

# Clips of speakers held out may be longer than those of the others.
pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")

# The length is given, so that a fold cuts its clips where the whole does.
SMALL = {"duration": 4.0, "n_mfcc": 5, "statistics": ("mean", "std")}


@pytest.fixture(scope="module")
def calibrated(written_corpus):
    model = with_calibration(svm_functionals(**SMALL), seed=0)
    return model.fit(written_corpus.data, written_corpus.target)


def one_against_the_rest():
    pipeline = svm_functionals(**SMALL)
    return pipeline.set_params(svm=OneVsRestClassifier(pipeline["svm"]))


def test_one_temperature_from_speakers_held_out(calibrated, written_corpus):
    """The same by hand: scores of folds by speaker, and the one number that fits them best."""
    X, y = written_corpus.data, np.asarray(written_corpus.target)
    (inner,) = calibrated.calibrated_classifiers_
    scores = np.zeros((len(y), 3))
    folds = list(ProtocolSplit("speaker", n_splits=3).split(X, y))
    for train, test in folds:
        fold = one_against_the_rest().fit(X.iloc[train], y[train])
        scores[test] = fold.decision_function(X.iloc[test])
    betas = np.exp(np.linspace(-5, 5, 2001))
    losses = [log_loss(y, softmax(beta * scores, axis=1)) for beta in betas]
    assert inner.calibrators[0].beta_ == pytest.approx(betas[np.argmin(losses)], rel=0.02)
    # The model is that of all clips.
    whole = one_against_the_rest().fit(X, y)
    expected = softmax(inner.calibrators[0].beta_ * whole.decision_function(X), axis=1)
    assert_allclose(calibrated.predict_proba(X), expected, rtol=1e-6)


def test_an_svm_is_not_as_sure_of_one_clip_as_of_the_next(calibrated, written_corpus):
    """A temperature on the votes of pairs of emotions makes them all alike."""
    confidence = calibrated.predict_proba(written_corpus.data).max(axis=1)
    votes = CalibratedClassifierCV(
        svm_functionals(**SMALL), method="temperature", ensemble=False,
        cv=ProtocolSplit("speaker", n_splits=3),
    ).fit(written_corpus.data, written_corpus.target)  # fmt: skip
    assert confidence.std() > 2 * votes.predict_proba(written_corpus.data).max(axis=1).std()


def test_in_a_file(calibrated, written_corpus, tmp_path):
    path = tmp_path / "model.skops"
    sersk.save(calibrated, path, corpus=written_corpus)
    loaded = sersk.load(path)
    assert type(loaded) is CalibratedClassifierCV
    assert_array_equal(
        loaded.predict_proba(written_corpus.data), calibrated.predict_proba(written_corpus.data)
    )
    card = sersk.read_card(path)
    assert card.labels == ["anger", "neutral", "sadness"]
    assert card.sample_rate == 16000
    assert card.estimator.startswith("CalibratedClassifierCV: oversample -> features")
    found = sersk.persistence.predict_recordings(
        loaded, written_corpus.data["path"][:3], min_confidence=0.5
    )
    expected = calibrated.predict_proba(written_corpus.data[["path"]][:3]).max(axis=1)
    assert_allclose(found.table["confidence"], expected)


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ValidationWarning")
def test_nets_that_hold_speakers_out(written_corpus, tmp_path):
    net = ValidationHoldout(conv1d_time_domain(max_epochs=1, random_state=0), random_state=0)
    model = with_calibration(net, seed=0).fit(written_corpus.data, written_corpus.target)
    sersk.save(model, tmp_path / "net.skops")
    loaded = sersk.load(tmp_path / "net.skops")
    assert_allclose(
        loaded.predict_proba(written_corpus.data), model.predict_proba(written_corpus.data),
        rtol=1e-5,
    )  # fmt: skip
    name = sersk.read_card(tmp_path / "net.skops").estimator
    assert name.startswith("CalibratedClassifierCV of ValidationHoldout: ")
    assert len(history_of(model)) == 1


def test_files_that_cannot_be_read_are_known(calibrated, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    with pytest.warns(SerskWarning):
        calibrated.predict_proba([str(bad)])
    assert list(unreadable_files(calibrated)) == [str(bad)]


def test_nested_in_an_evaluation(written_corpus):
    plain = prepare_run("svm_functionals", written_corpus, n_splits=2, options={"n_mfcc": 5})
    run = prepare_run(
        "svm_functionals", written_corpus, n_splits=2, options={"n_mfcc": 5}, calibrate=True
    )
    assert run.options == {"n_mfcc": 5, "calibrate": True}
    # Another run: the folds of one are not taken for those of the other.
    assert run.key != plain.key
    for (train, test), (other_train, other_test) in zip(run.folds, plain.folds, strict=True):
        assert_array_equal(train, other_train)
        assert_array_equal(test, other_test)
    assert run.estimator.cv.protocol == "speaker"


def test_speakers_that_are_not_known(written_corpus, small_corpus):
    y = np.asarray(written_corpus.target)
    for table in (
        small_corpus.data,
        written_corpus.data.drop(columns="speaker"),
        written_corpus.data.assign(speaker=[None, *written_corpus.data["speaker"][1:]]),
    ):
        with pytest.raises(ValueError, match="not known who speaks"):
            check_calibration(table, y)
    one = written_corpus.data.assign(speaker="A")
    with pytest.raises(ValueError, match="all clips of 'anger' are of speaker 'A'"):
        check_calibration(one, y)
    # Two voices, of which one is tested: one is left in each training part.
    few = written_corpus.frame["speaker"].isin(written_corpus.frame["speaker"].unique()[:2])
    rows = np.flatnonzero(few)
    corpus = type(written_corpus)(
        data=written_corpus.data.iloc[rows].reset_index(drop=True),
        target=y[rows],
        frame=written_corpus.frame.iloc[rows].reset_index(drop=True),
    )
    with pytest.raises(ValueError, match="Take more speakers"):
        prepare_run("svm_functionals", corpus, calibrate=True)


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as left, warnings.catch_warnings():
            cli.main([str(argument) for argument in arguments])
        return left.value.code, *capsys.readouterr()

    return call


def test_the_commands(run, written_corpus, tmp_path):
    csv = os.path.join(os.path.dirname(written_corpus.data["path"][0]), "corpus.csv")
    same = ("--corpus", csv, "--recipe", "svm_functionals", "--option", "n_mfcc=5", "--calibrate")
    status, _, told = run(
        "evaluate", *same, "--n-splits", 2, "--n-jobs", 1, "--out", tmp_path / "results"
    )
    assert status == 0, told
    results = tmp_path / "results" / "results.json"
    assert json.loads(results.read_text())["options"] == {"n_mfcc": 5, "calibrate": True}
    out = tmp_path / "svm.skops"
    status, printed, told = run("train", *same, "--protocol-scores", results, "--out", out)
    assert status == 0, told
    assert "calibrate=true" in printed
    # Scores of the system without calibration are those of another.
    status, _, told = run("train", *same[:-1], "--protocol-scores", results, "--out", out)
    assert status == 1
    assert "has scores of options" in told

    status, printed, told = run("predict", out, written_corpus.data["path"][0], "--format", "json")
    assert status == 0, told
    (row,) = json.loads(printed)["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert row["unlike"] == ""
    status, _, told = run("train", "--corpus", "synthetic", "--calibrate", "--out", out)
    assert status == 1
    assert "not known who speaks" in told
