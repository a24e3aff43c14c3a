"""The command as its users meet it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from sersk import cli
from sersk.cli import _evaluate, _loading, _options
from sersk.datasets._registry import CORPORA
from sersk.model_selection import ValidationHoldout
from sersk.model_selection._protocols import PROTOCOLS
from sersk.recipes._prepare import AS_PUBLISHED

TIMEOUT = 300


def sersk(*arguments, cwd=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "sersk", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=TIMEOUT,
        **options,
    )


@pytest.fixture
def corpus_csv(written_corpus):
    return os.path.join(os.path.dirname(written_corpus.data["path"][0]), "corpus.csv")


def test_evaluate_a_csv(corpus_csv, tmp_path):
    done = sersk(
        "evaluate", "--corpus", corpus_csv, "--protocol", "random", "--protocol", "speaker",
        "--n-splits", 2, "--n-jobs", 1, "--out", "results", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "svm_functionals on corpus: 24 clips, 4 speaker(s)" in done.stdout
    assert "too few speakers for an interval. UAR by speaker: synthetic_01" in done.stdout
    assert "On voices never heard, UAR is" in done.stdout
    assert "Traceback" not in done.stderr
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    assert list(document["protocols"]) == ["random", "speaker"]
    assert document["command"].startswith("sersk evaluate --corpus")
    assert document["corpus"]["synthetic"] is True
    assert document["versions"]["librosa"]
    speaker = document["protocols"]["speaker"]
    assert speaker["scores"]["accuracy"]["low"] is None
    predictions = pd.read_csv(tmp_path / "results" / "predictions.csv")
    assert len(predictions) == 48
    mine = predictions[predictions["protocol"] == "speaker"]
    assert sorted(mine["row"]) == list(range(24))
    assert mine["file"].str.endswith(".wav").all()
    right = (mine["true"] == mine["predicted"]).mean()
    assert right == pytest.approx(speaker["scores"]["accuracy"]["score"])
    assert sum(sum(row.values()) for row in speaker["confusion"].values()) == 24
    picture = (tmp_path / "results" / "confusion_matrices.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert sorted(os.listdir(tmp_path / "results")) == [
        "confusion_matrices.png", "predictions.csv", "results.json",
    ]  # fmt: skip


def test_json_is_all_of_stdout(corpus_csv):
    done = sersk("evaluate", "--corpus", corpus_csv, "--json", "--n-jobs", 1, "--n-splits", 2)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipe"] == "svm_functionals"


def test_ravdess(ravdess_tree):
    root = ravdess_tree()
    done = sersk(
        "evaluate", "--corpus", "ravdess", "--root", root, "--protocol", "text", "--n-jobs", 1
    )
    assert done.returncode == 0, done.stderr
    assert "Warning: RAVDESS is incomplete" in done.stderr
    assert "svm_functionals on ravdess: 120 clips, 2 speaker(s)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--help"], 0, "Exit status"),
        (["--version"], 0, "sersk, version"),
        (["evaluate", "--help"], 0, "Examples"),
        (["benchmark", "--help"], 0, "A matrix:"),
        (["benchmark"], 2, "Missing argument 'MATRIX.toml'"),
        (["benchmark", "gone.toml", "--out", "out"], 1, "no matrix file 'gone.toml'"),
        (["audit", "--help"], 0, "Examples"),
        (["audit"], 2, "Missing option '--corpus'"),
        ([], 2, "Usage"),
        (["no-such-command"], 2, "No such command"),
        (["evaluate"], 2, "Missing option '--corpus'"),
        (["evaluate", "--corpus", "ravdes"], 2, "unknown corpus 'ravdes'. Did you mean ravdess?"),
        (["evaluate", "--corpus", "ravdess"], 2, "needs --root"),
        (["evaluate", "--corpus", "ravdess", "--root", "gone"], 1, "There is no folder"),
        (["evaluate", "--corpus", "gone.csv"], 1, "no file 'gone.csv'"),
        (["evaluate", "--corpus", "synthetic", "--protocol", "speakers"], 2, "'speakers'"),
        (["evaluate", "--corpus", "synthetic", "--n-splits", "1"], 2, "--n-splits"),
        (["evaluate", "--corpus", "synthetic", "--n-jobs", "0"], 2, "--n-jobs"),
        (["evaluate", "--corpus", "synthetic", "--seed", "-1"], 2, "--seed"),
        (["evaluate", "--corpus", "synthetic", "--root", "a", "--root", "b"], 2, "more --root"),
        (["evaluate", "--corpus", "synthetic", "--recipe", "svm"], 1, "Did you mean"),
        (["evaluate", "--corpus", "synthetic", "--protocol", "corpus"], 1, "same corpus"),
    ],
)  # fmt: skip
def test_help_and_wrong_commands(arguments, status, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(_loading.DEMO_CORPUS, "n_speakers", 2)
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == status
    captured = capsys.readouterr()
    assert message in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_traceback_on_request(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="no file"):
        cli.main(["--traceback", "evaluate", "--corpus", str(tmp_path / "gone.csv")])


def test_demo_shows_the_gap(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        _evaluate, "DEMO_CORPUS", {"n_speakers": 3, "n_sentences": 2, "repetitions": 1}
    )
    with pytest.raises(SystemExit) as exit_:
        cli.main(["demo", "--n-jobs", "1", "--n-splits", "2"])
    assert exit_.value.code == 0
    captured = capsys.readouterr()
    assert "The corpus is synthetic" in captured.out
    assert sorted(os.listdir(tmp_path)) == ["sersk-demo"]
    document = json.loads((tmp_path / "sersk-demo" / "results.json").read_text())
    assert list(document["protocols"]) == ["random", "speaker"]


def test_what_cannot_work_is_found_first(corpus_csv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sersk.recipes.compute_run", None)
    (tmp_path / "file").write_text("")
    one = tmp_path / "one.csv"
    table = pd.read_csv(corpus_csv).assign(speaker="me")
    table["path"] = [os.path.join(os.path.dirname(corpus_csv), path) for path in table["path"]]
    table.to_csv(one, index=False)
    for arguments, status, message in (
        (["--corpus", str(one), "--protocol", "all"], 1, "same speaker"),
        (["--corpus", corpus_csv, "--out", str(tmp_path / "file" / "out")], 2, "cannot write"),
    ):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["evaluate", *arguments])
        assert exit_.value.code == status
        assert message in capsys.readouterr().err


def test_names_are_not_markup(corpus_csv, tmp_path):
    table = pd.read_csv(corpus_csv)
    table["path"] = [os.path.join(os.path.dirname(corpus_csv), path) for path in table["path"]]
    table["emotion"] = table["emotion"].replace({"anger": "[/anger]", "neutral": "fröhlich"})
    table.to_csv(tmp_path / "set[test].csv", index=False)
    done = sersk(
        "evaluate", "--corpus", tmp_path / "set[test].csv", "--n-jobs", 1, "--n-splits", 2,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "svm_functionals on set[test]" in done.stdout
    assert "[/anger]" in done.stdout


def test_several_corpora(corpus_csv, ravdess_tree, tmp_path):
    done = sersk(
        "evaluate", "--corpus", "ravdess", "--root", ravdess_tree(), "--corpus", corpus_csv,
        "--root", os.path.dirname(corpus_csv), "--protocol", "corpus", "--n-jobs", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "svm_functionals on ravdess+corpus: 144 clips" in done.stdout


def test_a_full_disk_leaves_no_half_file(corpus_csv, tmp_path, monkeypatch, capsys):
    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    out = tmp_path / "results"
    with pytest.raises(SystemExit) as exit_:
        cli.main(["evaluate", "--corpus", corpus_csv, "--n-jobs", "1", "--out", str(out)])
    assert exit_.value.code == 1
    captured = capsys.readouterr()
    assert "No space left" in captured.err
    # The folds are kept, too: the same command has nothing to compute again.
    picture, folds, predictions = sorted(os.listdir(out))
    assert (picture, predictions) == ("confusion_matrices.png", "predictions.csv")
    assert folds.startswith("folds-speaker-0-")


def test_audit(corpus_csv, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, captured = run(
        capsys, "audit", "--corpus", corpus_csv, "--n-splits", 2, "--n-jobs", 1, "--out", "results",
    )  # fmt: skip
    assert status == 0, captured.err
    assert "svm_functionals on corpus: 24 clips, 4 speaker(s)" in captured.out
    assert "Chance is 33.3" in captured.out
    assert max(map(len, captured.out.splitlines())) <= 80
    assert "copies before the split" in captured.out
    assert "The corpus is synthetic" in captured.out
    # The one sentence; the terminal may have broken it.
    assert "do not hold for voices never heard: there it is" in " ".join(captured.out.split())
    assert sorted(os.listdir("results")) == ["audit.csv", "audit.json", "audit.png"]
    document = json.loads((tmp_path / "results" / "audit.json").read_text())
    assert document["seed"] == 0
    assert "PitchShift()" in document["augmenter"]
    table = pd.read_csv(tmp_path / "results" / "audit.csv", index_col="condition")
    assert list(table.index) == list(document["table"]) == list(document["conditions"])
    assert table["leaks"].tolist() == [True, False, False, False, False, False]
    assert document["table"]["speaker"]["low"] is None
    for name, row in table.iterrows():
        scores = document["conditions"][name]["scores"]
        assert row["balanced_accuracy"] == pytest.approx(scores["balanced_accuracy"]["score"])
    assert (tmp_path / "results" / "audit.png").read_bytes().startswith(b"\x89PNG")


def test_audit_as_json_with_memory_and_without_speakers(corpus_csv, tmp_path, capsys):
    table = pd.read_csv(corpus_csv).drop(columns=["speaker", "sentence"])
    table["path"] = [os.path.join(os.path.dirname(corpus_csv), path) for path in table["path"]]
    table.to_csv(tmp_path / "bare.csv", index=False)
    arguments = ["audit", "--corpus", tmp_path / "bare.csv", "--n-splits", 2, "--n-jobs", 1]
    status, captured = run(capsys, *arguments, "--memory", tmp_path / "memory", "--json")
    assert status == 0, captured.err
    document = json.loads(captured.out)
    assert set(document["left_out"]) == {"text", "speaker", "speaker+text"}
    assert document["table"]["random"]["above_speaker"] is None
    assert os.listdir(tmp_path / "memory")
    assert not (tmp_path / "results").exists()
    _, captured = run(capsys, *arguments, "--memory", tmp_path / "memory")
    assert "nothing tells what the scores are worth" in " ".join(captured.out.split())


def test_audit_scores_what_evaluate_scores(corpus_csv, monkeypatch, capsys):
    seen = {}

    def noted(estimator, X, y, groups, **options):
        seen.update(options, estimator=estimator)
        raise ValueError("that will do")

    monkeypatch.setattr("sersk.model_selection.audit_leakage", noted)
    arguments = ("audit", "--corpus", corpus_csv, "--recipe", "cnn_gru_attention")
    assert run(capsys, *arguments)[0] == 1
    assert isinstance(seen["estimator"], ValidationHoldout)
    assert seen["n_jobs"] == 1  # a net takes all cores by itself


def test_folds_that_somebody_took_away_are_missed(corpus_csv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sersk.recipes.compute_run", lambda *args, **options: {})
    status, captured = run(capsys, "evaluate", "--corpus", corpus_csv, "--out", tmp_path / "out")
    assert status == 1
    assert "another command computes the same" in captured.err


def test_audit_finds_out_first_what_cannot_work(corpus_csv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sersk.model_selection.audit_leakage", None)
    (tmp_path / "file").write_text("")
    for arguments, status, message in (
        (["--out", tmp_path / "file" / "out"], 2, "cannot write"),
        (["--recipe", "svm"], 1, "Did you mean"),
        (["--protocol", "speaker"], 2, "No such option"),
    ):
        found, captured = run(capsys, "audit", "--corpus", corpus_csv, *arguments)
        assert (found, captured.out) == (status, "")
        assert message in captured.err


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_leaves_nothing_half_written(tmp_path, n_jobs):
    process = subprocess.Popen(
        [sys.executable, "-m", "sersk", "demo", "--n-jobs", str(n_jobs)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # Wait until the corpus is there: the folds are at work then.
    deadline = time.monotonic() + TIMEOUT
    while not list(tmp_path.glob("sersk-demo-*/corpus.csv")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    # As a terminal does: to the whole group, workers included.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted" in err
    if n_jobs == 1:
        # Workers that are interrupted while Python starts up in them say so themselves.
        assert "Traceback" not in err
    assert out == ""
    # The results' folder is not there, and the temporary corpus is gone.
    assert not [name for name in os.listdir(tmp_path) if name.startswith("sersk-demo")]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(list(map(str, arguments)))
    return exit_.value.code, capsys.readouterr()


def test_corpora(capsys, ravdess_tree, corpus_csv, tmp_path):
    status, captured = run(capsys, "corpora")
    assert status == 0
    assert "cremad   CREMA-D: 7442 clips" in captured.out
    assert "not for commercial use" in captured.out
    _, captured = run(capsys, "corpora", "--json")
    assert {corpus["name"] for corpus in json.loads(captured.out)} == set(_loading.CORPORA)
    _, captured = run(capsys, "corpora", "tess")
    assert "Toronto Emotional Speech Set" in captured.out
    assert run(capsys, "corpora", "--root", "anywhere")[0] == 2
    _, captured = run(capsys, "corpora", "ravdess", "--root", ravdess_tree(actors=("02", "07")))
    assert "sex: female 60, male 60" in captured.out
    assert "known as flawed, left out when loaded: 03-01-03-01-02-02-07" in captured.out
    assert "labels in conflict" in captured.out  # the made files are all the same silence
    _, captured = run(capsys, "corpora", corpus_csv, "--json")
    assert json.loads(captured.out)["counts"]["emotion"] == {
        "anger": 8, "neutral": 8, "sadness": 8,
    }  # fmt: skip
    assert json.loads(captured.out)["copies"] == []
    status, captured = run(capsys, "corpora", "nope")
    assert status == 2
    assert "Invalid value for NAME: unknown corpus 'nope'" in captured.err
    _, captured = run(capsys, "corpora", "synthetic", "--json")
    assert json.loads(captured.out)["counts"]["sex"] == {"female": 288, "male": 288}
    table = pd.read_csv(corpus_csv).assign(intensity=[1, 2] * 11 + [None] * 2)
    table["path"] = [os.path.join(os.path.dirname(corpus_csv), path) for path in table["path"]]
    table.to_csv(tmp_path / "some.csv", index=False)
    _, captured = run(capsys, "corpora", tmp_path / "some.csv")
    assert "intensity: 1 11, 2 11, unknown 2" in captured.out


def test_the_names_kept_at_hand_are_current():
    """They stand in the command a second time so that its help needs no heavy import."""
    assert set(_options.PROTOCOLS) == set(PROTOCOLS)
    assert _options.AS_PUBLISHED == AS_PUBLISHED
    assert set(_loading.CORPORA) == set(CORPORA)
