"""``sersk train``, ``sersk card`` and ``sersk predict``."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import sersk
from sersk import cli
from sersk.inspection import TimelineDisplay
from sersk.neural_network._engine import SkorchNet

SMALL = ["--recipe", "conv1d_time_domain", "--option", "max_epochs=1"]
LABELS = ["anger", "neutral", "sadness"]


@pytest.fixture
def run(capsys):
    """Run the command in this process; give its status, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        return left.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def corpus_csv(written_corpus):
    return os.path.join(os.path.dirname(written_corpus.data["path"][0]), "corpus.csv")


@pytest.fixture(scope="module")
def model(written_corpus, tmp_path_factory):
    fitted = sersk.recipes.gradient_boosting_functionals(
        max_iter=3, n_mels=20, n_mfcc=5, statistics=("mean",)
    ).set_params(boost__min_samples_leaf=2)
    fitted.fit(written_corpus.data, written_corpus.target)
    path = tmp_path_factory.mktemp("models") / "model.skops"
    sersk.save(fitted, path, corpus=written_corpus, recipe="boosting")
    return path


@pytest.fixture
def mixed(written_corpus, tmp_path):
    """A folder with two good recordings and a bad one."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number, path in enumerate(written_corpus.data["path"][:2]):
        (folder / f"good{number}.wav").write_bytes(Path(path).read_bytes())
    (folder / "bad.wav").write_text("no sound")
    return folder


def test_train_card_predict(run, corpus_csv, mixed, tmp_path):
    """From a corpus to predictions, as a user goes."""
    out = tmp_path / "models" / "model.skops"
    status, printed, told = run("train", "--corpus", corpus_csv, *SMALL, "--out", out)
    assert status == 0, told
    assert "Model card: conv1d_time_domain (max_epochs=1)" in printed
    assert "Labels: anger, neutral, sadness" in printed
    assert f"Written to {out}" in told
    checksum = told.split()[-1]

    status, printed, _ = run("card", out)
    assert status == 0
    assert printed == sersk.read_card(out).to_markdown()
    status, printed, _ = run("card", out, "--json")
    assert json.loads(printed)["n_clips"] == 24

    status, printed, told = run("predict", out, mixed, "--sha256", checksum, "--format", "json")
    assert status == 0
    assert "Could not read" in told
    assert "2 prediction(s); 1 could not be read" in told
    document = json.loads(printed)
    assert list(document["failed"]) == [str(mixed / "bad.wav")]
    model = sersk.load(out)
    for row in document["predictions"]:
        expected = dict(zip(LABELS, model.predict_proba([row["file"]])[0], strict=True))
        assert row["probabilities"] == pytest.approx(expected, abs=1e-4)
        assert row["emotion"] == max(expected, key=expected.get)


def test_train_holds_speakers_out_where_a_recipe_stops_early(run, corpus_csv, tmp_path):
    out = tmp_path / "net.skops"
    status, _, told = run(
        "train", "--corpus", corpus_csv, "--recipe", "cnn_gru_attention", "--option",
        "max_epochs=1", "--out", out, "--seed", 3,
    )  # fmt: skip
    assert status == 0, told
    loaded = sersk.load(out)
    assert type(loaded).__name__ == "ValidationHoldout"
    assert loaded.held_out_by_ == "speaker"
    assert loaded.random_state == 3


def test_scores_of_an_evaluation(run, corpus_csv, tmp_path):
    evaluation = ("--corpus", corpus_csv, "--recipe", "svm_functionals", "--option", "n_mfcc=5")
    status, _, told = run(
        "evaluate", *evaluation, "--n-splits", 2, "--n-jobs", 1, "--out", tmp_path / "results"
    )
    assert status == 0, told
    results = tmp_path / "results" / "results.json"
    out = tmp_path / "model.skops"
    status, _, told = run("train", *evaluation, "--protocol-scores", results, "--out", out)
    assert status == 0, told
    scores = json.loads(results.read_text())["protocols"]["speaker"]["scores"]
    found = sersk.read_card(out).protocol_scores["speaker"]
    for metric, numbers in scores.items():
        assert found[metric]["score"] == pytest.approx(numbers["score"])
    status, _, told = run(
        "train", "--corpus", corpus_csv, "--recipe", "svm_functionals", "--protocol-scores",
        results, "--out", tmp_path / "other.skops",
    )  # fmt: skip
    assert status == 1
    assert "has scores of options {'n_mfcc': 5}" in told
    assert not (tmp_path / "other.skops").exists()


@pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")
def test_a_licence_is_said_when_predicting(run, ravdess_tree, model, mixed, tmp_path):
    corpus = sersk.datasets.load_ravdess(ravdess_tree())
    sersk.save(sersk.load(model), tmp_path / "ravdess.skops", corpus=corpus)
    status, _, told = run("predict", tmp_path / "ravdess.skops", mixed)
    assert status == 0
    assert "Not for commercial use: the model was trained on RAVDESS." in told


def test_table_for_people(run, model, mixed):
    status, printed, _ = run("predict", model, mixed)
    assert status == 0
    heading, *rows = printed.splitlines()
    assert heading.split() == ["file", "start", "stop", "emotion", "sure", "next"]
    assert len(rows) == 2
    assert all(any(label in row for label in LABELS) for row in rows)


def test_windows_as_csv_make_a_timeline(run, model, write_wav, tmp_path):
    path = write_wav(seconds=12)
    out = tmp_path / "predictions.csv"
    status, printed, told = run("predict", model, path, "--window", 3, "--hop", 1, "--out", out)
    assert (status, printed) == (0, "")
    assert "10 prediction(s)" in told
    table = pd.read_csv(out)
    assert table["start"].tolist() == list(range(10))
    assert table.columns.tolist() == [
        "file", "start", "stop", "emotion", "confidence", *(f"p_{label}" for label in LABELS),
    ]  # fmt: skip
    windows = sersk.datasets.make_windows([path], length=3, hop=1)
    expected = sersk.load(model).predict_proba(windows)
    assert_allclose(table[[f"p_{label}" for label in LABELS]], expected, atol=1e-4)
    assert_allclose(TimelineDisplay.from_predictions(table).starts, np.arange(10))


def test_unsure(run, model, mixed):
    status, printed, told = run("predict", model, mixed, "--min-confidence", 1, "--format", "csv")
    assert status == 0
    assert set(pd.read_csv(io.StringIO(printed))["emotion"]) == {"unsure"}
    assert "2 of them unsure" in told


def test_models_without_probabilities(run, written_corpus, mixed, tmp_path):
    fitted = sersk.recipes.svm_functionals(n_mfcc=5)
    fitted.fit(written_corpus.data, written_corpus.target)
    sersk.save(fitted, tmp_path / "svm.skops")
    status, printed, _ = run("predict", tmp_path / "svm.skops", mixed, "--format", "json")
    assert status == 0
    rows = json.loads(printed)["predictions"]
    assert [row["confidence"] for row in rows] == [None, None]
    assert_array_equal(
        [row["emotion"] for row in rows], fitted.predict([row["file"] for row in rows])
    )
    status, _, told = run("predict", tmp_path / "svm.skops", mixed, "--min-confidence", 0.5)
    assert status == 1
    assert "no predict_proba" in told


def test_ctrl_c_in_the_training_of_a_net_leaves_no_model(run, corpus_csv, monkeypatch, tmp_path):
    def interrupted(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SkorchNet, "run_single_epoch", interrupted)
    command = ("train", "--corpus", corpus_csv, "--recipe", "conv1d_time_domain", "--out")
    status, _, told = run(*command, tmp_path / "net.skops")
    assert status == 130, told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_nothing_could_be_predicted(form, run, model, tmp_path):
    (tmp_path / "empty").mkdir()
    status, printed, told = run(
        "predict", model, tmp_path / "empty", tmp_path / "gone.wav", "--format", form
    )
    assert status == 1
    assert "holds no audio file" in told
    assert "no such file" in told
    assert "nothing could be predicted" in told
    if form == "json":
        assert len(json.loads(printed)["failed"]) == 2
    kept = tmp_path / f"kept.{form}"
    kept.write_text("as it was")
    assert run("predict", model, tmp_path / "gone.wav", "--out", kept)[0] == 1
    assert kept.read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["predict"], 2, "Missing argument"),
        (["predict", "{model}"], 2, "Missing argument"),
        (["predict", "gone.skops", "a.wav"], 1, "Error: No such file or directory: 'gone.skops'"),
        (["predict", "{csv}", "a.wav"], 1, "no model file"),
        (["predict", "{model}", "a.wav", "--hop", "1"], 2, "--hop needs --window"),
        (["predict", "{model}", "a.wav", "--window", "0"], 2, "--window"),
        (["predict", "{model}", "a.wav", "--min-confidence", "2"], 2, "--min-confidence"),
        (["predict", "{model}", "a.wav", "--sha256", "0"], 1, "64 hexadecimal digits"),
        (["predict", "{model}", "a.wav", "--sha256", "0" * 64], 1, "another file"),
        (["card", "{csv}"], 1, "no model file"),
        (["train", "--corpus", "{csv}"], 2, "Missing option '--out'"),
        (["train", "--corpus", "{csv}", "--recipe", "svm", "--out", "m"], 1, "Did you mean"),
        (["train", "--corpus", "{csv}", "--option", "D=1", "--out", "m"], 1, "takes no option"),
        (["train", "--corpus", "{csv}", "--protocol-scores", "{csv}", "--out", "m"], 1,
         "is no results.json"),
    ],
)  # fmt: skip
def test_wrong_commands(arguments, status, message, run, model, corpus_csv, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(model=model, csv=corpus_csv) for argument in arguments]
    found, _, told = run(*filled)
    assert found == status
    assert message in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_for_terminals(model, mixed, tmp_path, monkeypatch):
    """With the predictions in a file; on the screen they show themselves how far it is."""
    screens = {}
    for name, terminal in (("pipe", io.StringIO()), ("terminal", Terminal())):
        monkeypatch.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit) as left:
            cli.main(["predict", str(model), str(mixed), "--out", str(tmp_path / name)])
        assert left.value.code == 0
        screens[name] = terminal.getvalue()
    assert "predictions" in screens["terminal"].replace("prediction(s)", "")
    assert "predictions" not in screens["pipe"].replace("prediction(s)", "")
    assert (tmp_path / "pipe").read_text() == (tmp_path / "terminal").read_text()


def test_recordings_that_are_unlike_those_of_the_training(run, corpus_csv, write_wav, tmp_path):
    out = tmp_path / "model.skops"
    status, _, told = run("train", "--corpus", corpus_csv, *SMALL, "--out", out)
    assert status == 0, told
    status, printed, _ = run("card", out)
    assert "| level (dB) |" in printed
    good = Path(corpus_csv).parent
    status, printed, told = run("predict", out, good, "--format", "csv")
    assert "unlike" not in told
    assert set(pd.read_csv(io.StringIO(printed), keep_default_na=False)["unlike"]) == {""}
    quiet = write_wav(samples=np.full(16000, 1e-3))
    status, printed, told = run("predict", out, quiet, "--format", "csv")
    assert status == 0
    assert "Warning: Recordings are unlike those of the training" in told
    assert "1 of 1 quiet" in told
    assert "quiet" in pd.read_csv(io.StringIO(printed))["unlike"][0]
