"""``sersk tune``, as its users meet it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

import sersk
from sersk import cli
from sersk.model_selection._search_claims import RESULT

TIMEOUT = 300

pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")


@pytest.fixture
def tune(written_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = os.path.join(os.path.dirname(written_corpus.data["path"][0]), "corpus.csv")
    return [
        "tune", "--corpus", corpus, "--n-splits", "2", "--memory", "features", "--option",
        "duration=1.0",
    ]  # fmt: skip


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(list(map(str, arguments)))
    return exit_.value.code, capsys.readouterr()


def test_a_search_is_written_shown_and_goes_on(tune, tmp_path, capsys):
    status, captured = run(capsys, *tune, "--n-trials", 4, "--out", "tuned")
    assert status == 0, captured.err
    assert "svm_functionals on corpus: 4 trials (4 complete)" in captured.out
    assert "Best parameters:" in captured.out
    assert "  svm__C = " in captured.out
    assert "The corpus is synthetic" in captured.out
    out = tmp_path / "tuned"
    trials = pd.read_csv(out / "trials.csv")
    assert len(trials) == 4
    best = json.loads((out / "best.json").read_text())
    assert best["best"]["balanced_accuracy"] == pytest.approx(trials["score"].max())
    assert best["best"]["trial"] == trials["score"].idxmax()
    assert best["n_folds"] == 2
    assert best["trials"] == {"complete": 4}
    for name in ("history.png", "slices.png", "importances.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    before = (out / "study.log").read_bytes()
    status, captured = run(capsys, *tune, "--n-trials", 5, "--out", "tuned", "--json")
    assert status == 0, captured.err
    document = json.loads(captured.out)
    assert sum(document["trials"].values()) == 5
    assert document["study"] == best["study"]
    assert (out / "study.log").read_bytes().startswith(before)
    again = pd.read_csv(out / "trials.csv")
    times = ["rank", "fit_seconds", "score_seconds"]
    pd.testing.assert_frame_equal(
        again[:4].drop(columns=times), trials.drop(columns=times), check_dtype=False
    )


def test_the_best_is_trained_and_saved(tune, tmp_path, written_corpus, capsys):
    status, captured = run(
        capsys, *tune, "--n-trials", 3, "--out", "tuned", "--save", "models/best.skops", "--json",
        "--report",
    )  # fmt: skip
    assert status == 0, captured.err
    document = json.loads(captured.out)
    path = tmp_path / "models" / "best.skops"
    model = sersk.load(path, sha256=document["model"]["sha256"])
    chosen = pd.read_csv(tmp_path / "tuned" / "trials.csv").loc[document["best"]["trial"]]
    trained = model["svm"].get_params()
    assert trained["C"] == pytest.approx(chosen["param_svm__C"], rel=1e-12)
    mfcc = model["features"].transformer["mfcc"]
    assert mfcc.n_mfcc == chosen["param_features__transformer__mfcc__n_mfcc"]
    page = (tmp_path / "tuned" / "report.html").read_text(encoding="utf-8")
    for name in ("history.png", "slices.png", "importances.png"):
        picture = (tmp_path / "tuned" / name).read_bytes()
        assert base64.b64encode(picture).decode() in page
    assert "://" not in page  # it asks no network for anything
    assert page.count('<td class="text">complete</td>') == 3
    assert f"svm__C={chosen['param_svm__C']:.3g}" in page
    # All clips, not the training part of a fold.
    assert model["svm"].shape_fit_[0] >= len(written_corpus.data)
    card = sersk.read_card(path)
    assert card.recipe.startswith("svm_functionals (duration=1.0), tuned: ")
    assert f"svm__C={chosen['param_svm__C']}" in card.recipe
    # The same again: nothing is left to be tried, and the model is the same.
    before = model.predict(written_corpus.data)
    path.unlink()
    assert run(capsys, *tune, "--n-trials", 3, "--out", "tuned", "--save", path)[0] == 0
    assert sersk.load(path).predict(written_corpus.data).tolist() == before.tolist()


def test_ctrl_c_in_the_last_fit_loses_the_model_alone(tune, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sersk.persistence.save", interrupted)
    status, captured = run(capsys, *tune, "--n-trials", 2, "--out", "tuned", "--save", "best.skops")
    assert status == 130
    assert "Best parameters:" in captured.out
    assert len(pd.read_csv(tmp_path / "tuned" / "trials.csv")) == 2
    assert not (tmp_path / "best.skops").exists()


def test_a_net_is_tuned_where_nobody_knows_who_speaks(tune, tmp_path, capsys):
    table = pd.read_csv(tune[2]).drop(columns="speaker")
    table["path"] = [os.path.join(os.path.dirname(tune[2]), path) for path in table["path"]]
    table.to_csv(tmp_path / "nobody.csv", index=False)
    status, captured = run(
        capsys, "tune", "--corpus", "nobody.csv", "--recipe", "cnn_gru_attention", "--protocol",
        "random", "--n-splits", 2, "--n-trials", 1, "--option", "duration=0.5", "--option",
        "max_epochs=1", "--option", "filters=[2]",
    )  # fmt: skip
    assert status == 0, captured.err


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_ctrl_c_writes_what_is_known(tune, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "sersk", *tune, "--n-trials", "1000", "--storage", "study.log"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    storage = tmp_path / "study.log"
    deadline = time.monotonic() + TIMEOUT
    while not storage.exists() or storage.read_bytes().count(RESULT.encode()) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, err
    assert "Warning: The search was interrupted after" in err
    assert "Traceback" not in err
    assert "Best parameters:" in out
    assert 1 <= len(pd.read_csv(tmp_path / "sersk-tune" / "trials.csv")) < 1000


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["tune", "--help"], 0, "Examples"),
        (["tune"], 2, "Missing option '--corpus'"),
        (["tune", "--corpus", "synthetic", "--n-trials", "0"], 2, "--n-trials"),
        (["tune", "--corpus", "synthetic", "--timeout", "0"], 2, "--timeout"),
        (["tune", "--corpus", "synthetic", "--n-jobs", "0"], 2, "--n-jobs"),
        (["tune", "--corpus", "synthetic", "--recipe", "svm"], 1, "Did you mean"),
    ],
)
def test_wrong_commands(arguments, status, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, captured = run(capsys, *arguments)
    assert code == status
    assert message in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_a_storage_that_cannot_be_used(tune, capsys):
    status, captured = run(capsys, *tune, "--storage", "/proc/nope/study.log")
    assert status == 1
    assert "The storage '/proc/nope/study.log' cannot be used" in captured.err
