"""``sersk benchmark`` and ``sersk evaluate``: killed, interrupted, twice at once, and in peace."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from sersk import cli
from sersk.recipes import _estimate, _registry, load_runs, recipe_info

TOY = Path(__file__).with_name("toy_recipes.py")
TIMEOUT = 120

MATRIX = """
[corpora.studio]
csv = "studio/corpus.csv"
[corpora.street]
csv = "street/corpus.csv"
[corpora.both]
parts = ["studio", "street"]
[[runs]]
recipes = ["toy", "toy_classical"]
corpora = ["studio"]
protocols = ["speaker"]
seeds = [0, 1]
"""
N_FOLDS = 20


@pytest.fixture
def place(two_folders, tmp_path, monkeypatch):
    """A folder of one's own with two corpora and a matrix."""
    for name in ("studio", "street"):
        shutil.copytree(two_folders / name, tmp_path / name)
    (tmp_path / "matrix.toml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(place, *arguments, slow=0.0, log="fits.txt"):
    """Start the command with the toys in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(TOY), *map(str, arguments)],
        cwd=place,
        env={**os.environ, "TOY_LOG": str(place / log), "TOY_SLOW": str(slow)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return out, err


def n_lines(path):
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def wait_for_lines(process, folder, n, name="results.jsonl"):
    deadline = time.monotonic() + TIMEOUT
    while sum(map(n_lines, folder.glob(name))) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(list(map(str, arguments)))
    return exit_.value.code, capsys.readouterr()


def table_of(folder):
    return pd.read_csv(folder / "table.csv").drop(columns="minutes").to_csv()


BENCHMARK = ("benchmark", "matrix.toml", "--n-jobs", 1, "--no-report")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_killed_benchmark_goes_on_and_computes_nothing_twice(place, toys, capsys):
    assert run(capsys, *BENCHMARK, "--out", "whole")[0] == 0
    killed = start(place, *BENCHMARK, "--out", "killed", slow=0.05)
    wait_for_lines(killed, place / "killed", 7)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=TIMEOUT)
    before = (place / "killed" / "results.jsonl").read_bytes()
    there = n_lines(place / "killed" / "results.jsonl")
    assert 7 <= there < N_FOLDS
    finish(start(place, *BENCHMARK, "--out", "killed", log="later.txt"))
    assert len((place / "later.txt").read_text().splitlines()) == N_FOLDS - there
    after = (place / "killed" / "results.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after.splitlines()) == N_FOLDS
    assert table_of(place / "killed") == table_of(place / "whole")
    assert sorted(os.listdir(place / "killed")) == [
        "benchmark.png", "results.jsonl", "table.csv", "table.md",
    ]  # fmt: skip
    # Once more: nothing is left to do, nor to time.
    n_fits = len(toys.read_text().splitlines())
    _, captured = run(capsys, *BENCHMARK, "--out", "killed")
    assert "All folds are in killed/results.jsonl already" in captured.out
    assert len(toys.read_text().splitlines()) == n_fits


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_ctrl_c_shows_what_is_finished(place):
    process = start(place, *BENCHMARK, "--out", "out", slow=0.05)
    wait_for_lines(process, place / "out", 11)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, err
    assert "Interrupted" in err
    assert "Traceback" not in err
    # Both recipes had their first seed before any had its second.
    table = pd.read_csv(place / "out" / "table.csv")
    assert sorted(table["recipe"]) == ["toy", "toy_classical"]
    assert table["n_seeds"].tolist()[0] == 1


@pytest.mark.usefixtures("toys")
def test_two_processes_on_one_matrix(place, capsys):
    assert run(capsys, *BENCHMARK, "--out", "whole")[0] == 0
    both = [start(place, *BENCHMARK, "--out", "out", slow=0.1) for _ in range(2)]
    told = "".join(finish(process)[1] for process in both)
    # Each fold once, by one of the two; the other is told.
    n_folds = n_lines(place / "out" / "results.jsonl")
    assert n_folds == N_FOLDS if os.name == "posix" else N_FOLDS <= n_folds <= 2 * N_FOLDS
    assert told.count("another process computes them") <= 1
    assert not list((place / "out").glob(".*"))
    assert len(load_runs(place / "out" / "results.jsonl")) == 4
    assert table_of(place / "out") == table_of(place / "whole")


@pytest.mark.usefixtures("toys")
def test_dry_run_computes_nothing(place, toys, capsys):
    status, captured = run(capsys, *BENCHMARK, "--out", "out", "--dry-run")
    assert status == 0, captured.err
    assert "20 fold(s) to compute: how long it takes is not known yet" in captured.out
    assert not toys.exists()
    assert not (place / "out").exists()
    # With some folds in the file it knows.
    assert run(capsys, *BENCHMARK, "--out", "out", "--only", "toy")[0] == 0
    n_fits = len(toys.read_text().splitlines())
    status, captured = run(capsys, *BENCHMARK, "--out", "out", "--dry-run")
    assert "10 fold(s) to compute: how long" in captured.out
    assert len(toys.read_text().splitlines()) == n_fits


@pytest.mark.usefixtures("toys")
def test_other_folds_are_another_row_of_the_plan(place, capsys):
    other_folds = MATRIX[MATRIX.index("[[runs]]") :] + "n_splits = 4\n"
    (place / "matrix.toml").write_text(MATRIX + other_folds)
    status, captured = run(capsys, *BENCHMARK, "--out", "out", "--dry-run")
    assert status == 0
    rows = [line.split() for line in captured.out.splitlines() if line.startswith(" toy ")]
    assert [row[:5] for row in rows] == [
        ["toy", "studio", "speaker", "2", "10"],
        ["toy", "studio", "speaker", "2", "8"],
    ]


@pytest.mark.usefixtures("toys")
def test_long_work_is_announced(place, monkeypatch, capsys):
    monkeypatch.setattr(_estimate, "pilot", lambda *_: (20.0, 0.0))
    status, captured = run(capsys, *BENCHMARK, "--out", "out")
    assert status == 0, captured.err
    said = " ".join(captured.out.split())
    # 20 seconds a clip: of 54, 4/5 are trained on (the toys count all clips), 20 folds.
    assert "20 fold(s) to compute: about 4.8 h." in said
    assert "This takes long, about 4.8 h on this machine" in said
    assert "Ctrl-C loses only the fold that runs: the same command goes on" in said
    monkeypatch.setattr(_estimate, "pilot", lambda *_: (0.01, 0.0))
    _, captured = run(capsys, *BENCHMARK, "--out", "other")
    assert "This takes long" not in captured.out


@pytest.mark.usefixtures("toys")
def test_a_pilot_that_fails_stops_nothing(place, monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("no pilot")

    monkeypatch.setattr(_estimate, "pilot", fail)
    status, captured = run(capsys, *BENCHMARK, "--out", "out")
    assert status == 0, captured.err
    assert n_lines(place / "out" / "results.jsonl") == N_FOLDS


def test_folds_that_fail_are_named_and_the_others_go_on(place, toys, monkeypatch, capsys):
    monkeypatch.setenv("TOY_FAIL", "1")
    status, captured = run(capsys, *BENCHMARK, "--out", "out")
    assert status == 1
    assert "10 fold(s) or run(s) failed" in captured.err
    for fold in range(5):
        told = f"on studio, speaker, seed 1, fold {fold}: RuntimeError: no luck with"
        assert captured.err.count(told) == 1
    assert "and 5 more" in captured.err
    assert pd.read_csv(place / "out" / "table.csv")["n_seeds"].tolist() == [1, 1]
    assert n_lines(place / "out" / "results.jsonl") == N_FOLDS
    monkeypatch.delenv("TOY_FAIL")
    n_fits = len(toys.read_text().splitlines())
    status, captured = run(capsys, *BENCHMARK, "--out", "out")
    assert status == 0, captured.err
    assert len(toys.read_text().splitlines()) == n_fits + 10
    assert pd.read_csv(place / "out" / "table.csv")["n_seeds"].tolist() == [2, 2]


@pytest.mark.usefixtures("toys")
def test_table_report_and_published_figures(place, capsys):
    text = (
        MATRIX
        + """
[[runs]]
recipes = ["toy"]
corpora = ["both"]
protocols = ["as-published"]
options = { strength = 2.0 }
seeds = [0, 1]
"""
    )
    (place / "matrix.toml").write_text(text)
    arguments = ("benchmark", "matrix.toml", "--n-jobs", 1, "--out", "out")
    status, captured = run(capsys, *arguments)
    assert status == 0, captured.err
    assert "Speakers, and copies of clips where" in " ".join(captured.out.split())
    assert "report.html" in captured.err
    table = (place / "out" / "table.md").read_text()
    assert "With a stranger's single clip:" in table
    row = next(line for line in table.splitlines() if "as-published |" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:5] == ["toy (strength=2.0)", "both", "as-published", "1", "2"]
    assert cells[10] == "95.0 (accuracy)"
    assert len(cells[7].split(", ")) == 2
    assert " to " in cells[6]
    page = (place / "out" / "report.html").read_text()
    assert "toy_classical" in page
    assert "as-published" in page
    assert (place / "out" / "benchmark.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (('"toy",', '"tooy",'), 1, "Did you mean toy"),
        (('["speaker"]', '["as-published"]'), 1, "studio and street together; street is missing"),
        (("studio/corpus.csv", "gone.csv"), 1, "gone.csv"),
        (("seeds = [0, 1]", "seeds = [0, 1]\npriorty = 1"), 1, "Did you mean priority"),
    ],
)
def test_what_is_wrong_is_found_first(place, toys, capsys, change, status, message):
    (place / "matrix.toml").write_text(MATRIX.replace(*change))
    found, captured = run(capsys, *BENCHMARK, "--out", "out")
    assert (found, captured.out) == (status, "")
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not toys.exists()
    assert not (place / "out").exists()


@pytest.mark.usefixtures("toys")
def test_wrong_arguments(place, capsys):
    (place / "file").write_text("")
    for arguments, status, message in (
        (["--out", place / "file" / "out"], 2, "cannot write"),
        (["--out", "out", "--only", "svm_functionals"], 1, "no run of the recipe"),
        (["--out", "out", "--only", "tooy"], 1, "Did you mean toy"),
        ([], 2, "Missing option '--out'"),
    ):
        found, captured = run(capsys, *BENCHMARK, *arguments)
        assert found == status
        assert message in captured.err


# ------------------------------------------------------------------------------------- evaluate


def evaluate(*arguments):
    return (
        "evaluate",
        "--corpus",
        "studio/corpus.csv",
        "--recipe",
        "toy",
        "--n-jobs",
        1,
        *arguments,
    )


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_killed_evaluation_goes_on(place, toys, capsys):
    arguments = evaluate("--protocol", "random", "--protocol", "speaker", "--out", "out")
    killed = start(place, *arguments, slow=0.05)
    wait_for_lines(killed, place / "out", 6, "folds-*")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=TIMEOUT)
    there = sum(map(n_lines, (place / "out").glob("folds-*")))
    assert 6 <= there < 10
    # What another command left is not in the way.
    other = place / "out" / "folds-random-7-0123abcd.jsonl"
    other.write_text("{}\n")
    toys.unlink()
    assert run(capsys, *arguments)[0] == 0
    assert len(toys.read_text().splitlines()) == 10 - there
    finished = ["confusion_matrices.png", other.name, "predictions.csv", "results.json"]
    assert sorted(it for it in os.listdir(place / "out") if it[0] != ".") == finished
    # Finished is finished: the next time all is computed anew.
    toys.unlink()
    assert run(capsys, *arguments)[0] == 0
    assert len(toys.read_text().splitlines()) == 10
    assert sorted(it for it in os.listdir(place / "out") if it[0] != ".") == finished


@pytest.mark.usefixtures("toys")
def test_an_evaluation_tells_its_condition(place, capsys):
    arguments = [it if it != "toy" else "toy_by_speaker" for it in evaluate("--out", "out")]
    told = "With several clips of a speaker at hand: not to be compared"
    assert told in run(capsys, *arguments)[1].out
    document = json.loads((place / "out" / "results.json").read_text())
    assert document["condition"] == "several clips of a speaker at hand"
    assert told not in run(capsys, *evaluate())[1].out


@pytest.mark.usefixtures("toys")
def test_different_numbers_of_emotions_are_told(place, capsys, monkeypatch):
    said = {}
    for out, emotions in (("one", {}), ("two", {"sadness": "neutral"})):
        info = dataclasses.replace(recipe_info("toy"), published={}, emotions=emotions)
        monkeypatch.setitem(_registry._RECIPES, "toy", info)
        said[out] = " ".join(run(capsys, *BENCHMARK, "--out", out)[1].out.split())
    assert "different numbers of emotions" in said["two"]
    assert "different numbers of emotions" not in said["one"]
    table = pd.read_csv(place / "two" / "table.csv").set_index("recipe")
    assert table["n_emotions"].to_dict() == {"toy": 2, "toy_classical": 3}
    assert "| 2 |" in (place / "two" / "table.md").read_text()


@pytest.mark.usefixtures("toys")
def test_an_evaluation_leaves_the_results_of_a_benchmark(place, capsys):
    (place / "matrix.toml").write_text(
        MATRIX.replace(', "toy_classical"', "").replace("seeds = [0, 1]", "").replace(
            "[corpora.studio]", "[corpora.corpus]").replace('["studio"]', '["corpus"]').replace(
            '[corpora.both]\nparts = ["studio", "street"]\n', "")
    )  # fmt: skip
    assert run(capsys, *BENCHMARK, "--out", "out")[0] == 0
    before = (place / "out" / "results.jsonl").read_bytes()
    assert run(capsys, *evaluate("--out", "out"))[0] == 0
    assert (place / "out" / "results.jsonl").read_bytes() == before


def test_protocols_beside_a_published_split_say_what_they_are_scored_on(
    place, toys, capsys, monkeypatch
):
    for channel in ("01", "02"):
        for actor in ("01", "02"):
            for take, emotion in product(("01", "02", "03"), ("03", "04", "05")):
                name = f"03-{channel}-{emotion}-01-01-{take}-{actor}.wav"
                shutil.copy(next((place / "studio").glob("*.wav")), place / "street" / name)
    info = dataclasses.replace(
        recipe_info("toy"), corpora=("ravdess",), emotions={}, classes=(),
        loading={"channel": "all"},
    )  # fmt: skip
    monkeypatch.setitem(_registry._RECIPES, "toy", info)
    arguments = ("evaluate", "--corpus", "ravdess", "--root", "street", "--recipe", "toy",
                 "--n-jobs", 1, "--protocol", "as-published")  # fmt: skip
    said = "All protocols are scored on the clips of the source of toy: channel=all."
    status, captured = run(capsys, *arguments, "--protocol", "speaker")
    assert status == 0, captured.err
    assert said in captured.out + captured.err
    _, captured = run(capsys, *arguments)
    assert said not in captured.out + captured.err


def test_several_seeds_options_and_a_report(place, toys, capsys):
    status, captured = run(
        capsys, *evaluate("--seed", 0, "--seed", 3, "--option", "strength=2.5", "--report"),
        "--option", "max_epochs=2", "--out", "out",
    )  # fmt: skip
    assert status == 0, captured.err
    assert {line.split()[1] for line in toys.read_text().splitlines()} == {"2.5"}
    document = json.loads((place / "out" / "results.json").read_text())
    assert list(document["protocols"]) == ["speaker, seed 0", "speaker, seed 3"]
    assert document["seeds"] == [0, 3]
    assert document["options"] == {"strength": 2.5, "max_epochs": 2}
    uar = [
        100 * result["scores"]["balanced_accuracy"]["score"]
        for result in document["protocols"].values()
    ]
    assert f"speaker: UAR {sum(uar) / 2:.1f} on average over 2 seeds" in captured.out
    assert "toy" in (place / "out" / "report.html").read_text()


def test_as_published(place, toys, capsys):
    two = ("--corpus", "street.csv", "--root", "studio", "--root", "street")
    for name in ("studio", "street"):
        table = pd.read_csv(place / name / "corpus.csv").assign(corpus=name)
        table.to_csv(place / f"{name}.csv", index=False)
    arguments = ("evaluate", "--corpus", "studio.csv", "--recipe", "toy", "--n-jobs", 1)
    published = ("--protocol", "as-published")
    status, captured = run(capsys, *arguments, *published, *two)
    assert status == 0, captured.err
    assert "Warning: toy is split as published: the speakers of" in captured.err
    status, captured = run(capsys, *arguments, *published, "--root", "studio")
    assert status == 1
    assert "street is missing" in captured.err
    assert len(toys.read_text().splitlines()) == 1


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--option", "strength"], 2, "NAME=VALUE is needed"),
        (["--option", "strength=[1"], 2, "as in TOML"),
        (["--option", "strength=1", "--option", "strength=2"], 2, "given twice"),
        (["--option", "strenght=1"], 1, "Did you mean strength"),
        (["--option", "random_state=1"], 1, "comes from seeds"),
        (["--report"], 2, "--report needs --out"),
        (["--protocol", "as-published"], 1, "studio and street together"),
    ],
)
def test_wrong_evaluations(place, toys, capsys, arguments, status, message):
    found, captured = run(capsys, *evaluate(*arguments))
    assert found == status
    assert message in captured.err
    assert not toys.exists()


def test_options_may_be_bare_words(place, toys, capsys):
    assert run(capsys, *evaluate("--option", "strength=high"))[0] == 0
    assert {line.split()[1] for line in toys.read_text().splitlines()} == {"high"}


def test_an_evaluation_that_fails(place, toys, capsys, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "0")
    status, captured = run(capsys, *evaluate("--out", "out"))
    assert status == 1
    assert "toy on corpus, speaker, seed 0, fold 0: RuntimeError: no luck" in captured.err
    assert "(And 4 more.)" in captured.err
    (left,) = os.listdir(place / "out")
    assert left.startswith("folds-speaker-0-")
