"""Folds are computed once, kept whole, and come back as they were."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import soundfile
from pandas.testing import assert_frame_equal
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

import sersk
from sersk.datasets import load_csv
from sersk.datasets._base import make_corpus_bunch
from sersk.exceptions import (
    ClipCutWarning,
    CorpusWarning,
    LeakageWarning,
    SerskWarning,
    UnreadableAudioWarning,
)
from sersk.metrics import speaker_bootstrap
from sersk.model_selection import evaluate_protocol
from sersk.recipes import (
    _runs,
    benchmark_table,
    compute_run,
    incomplete_runs,
    load_runs,
    prepare_run,
    svm_functionals,
)
from sersk.recipes._provenance import without_folders
from sersk.recipes._results import ResultsFile, RunKey


def n_fits(log):
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_as_evaluate_protocol(studio, tmp_path):
    """Another way to the same figures, through processes and a file."""
    expected = evaluate_protocol(
        svm_functionals(n_mfcc=13, random_state=1), studio.data, studio.target,
        groups=studio.frame, protocol="speaker", n_splits=3, random_state=1,
    )  # fmt: skip
    run = prepare_run("svm_functionals", studio, seed=1, n_splits=3, options={"n_mfcc": 13})
    assert compute_run(run, tmp_path / "results.jsonl", n_jobs=2) == {}
    (found,) = load_runs(tmp_path / "results.jsonl", [studio])
    for table in ("scores", "per_class", "per_speaker", "confusion", "confused_pairs"):
        assert_frame_equal(found[table], expected[table])
    assert_frame_equal(found.predictions, expected.predictions)
    assert_frame_equal(found.folds.drop(columns="seconds"), expected.folds.drop(columns="seconds"))
    assert found.probabilities is expected.probabilities is None
    assert found.histories is expected.histories is None
    assert set(expected) <= set(found)
    assert (found.recipe, found.corpus, found.seed) == ("svm_functionals", "studio", 1)
    assert found.options == {"n_mfcc": 13}
    assert found.minutes == pytest.approx(found.folds["seconds"].sum() / 60)
    assert found.versions["librosa"]
    assert set(found.machine) == {"processor", "system", "threads"}


def test_folds_are_computed_once(studio, tmp_path, toys):
    path = tmp_path / "results.jsonl"
    run = prepare_run("toy", studio, n_splits=3)
    compute_run(run, path)
    assert n_fits(toys) == 3
    before = path.read_bytes()
    compute_run(run, path)
    assert n_fits(toys) == 3
    assert path.read_bytes() == before
    # One that is missing is computed, and no other.
    path.write_bytes(b"".join(before.splitlines(keepends=True)[:2]))
    compute_run(run, path)
    assert n_fits(toys) == 4
    assert strip(path.read_text()) == strip(before.decode())


def strip(text):
    """What lines say but for when and how long."""
    lines = [json.loads(line) for line in text.splitlines()]
    return sorted(json.dumps({**line, "seconds": 0, "started": 0, "command": 0}) for line in lines)


def test_other_runs_are_not_mixed_up(studio, street, tmp_path, toys):
    path = tmp_path / "results.jsonl"
    relabelled = make_corpus_bunch(
        studio.frame.assign(speaker=studio.frame["speaker"].iloc[::-1].to_numpy()), descr=""
    )
    runs = [
        prepare_run("toy", studio),
        prepare_run("toy", studio, seed=1),
        prepare_run("toy", studio, options={"strength": 2.0}),
        prepare_run("toy", studio, n_splits=4),
        prepare_run("toy", studio, protocol="random"),
        prepare_run("toy", street, name="studio"),
        prepare_run("toy", relabelled),
        prepare_run("toy_classical", studio),
        prepare_run("toy", studio, name="another"),
    ]
    for run in runs:
        before = n_fits(toys)
        compute_run(run, path)
        assert n_fits(toys) - before == len(run.folds)
    assert len(load_runs(path)) == len(runs) == len({run.key for run in runs})
    # Options in another order are the same options.
    one = prepare_run("toy", studio, options={"strength": 2.0, "max_epochs": 3}).key
    other = prepare_run("toy", studio, options={"max_epochs": 3, "strength": 2.0}).key
    assert one == other
    with pytest.warns(CorpusWarning, match="Runs on studio are left out"):
        assert {run.fingerprint for run in load_runs(path, {"studio": studio})} == {
            runs[0].fingerprint
        }


def test_folds_that_were_cut_otherwise_are_not_mixed_in(studio, tmp_path, toys):
    """As another release of a library may cut them."""
    path = tmp_path / "results.jsonl"
    run = prepare_run("toy", studio, protocol="text")
    compute_run(run, path)
    before = path.read_bytes()
    otherwise = dataclasses.replace(run, folds=run.folds[::-1])
    assert otherwise.key == run.key
    with pytest.raises(ValueError, match=r"Fold 0 of toy on studio, text, .* other clips"):
        compute_run(otherwise, path)
    assert path.read_bytes() == before


def test_other_sentences_make_another_run(studio, tmp_path, toys):
    path = tmp_path / "results.jsonl"
    run = prepare_run("toy", studio, protocol="text")
    compute_run(run, path)
    frame = studio.frame.assign(sentence=[f"t{row % 3}" for row in range(len(studio.frame))])
    renamed = prepare_run("toy", make_corpus_bunch(frame, descr=studio.DESCR), protocol="text")
    assert renamed.key != run.key
    compute_run(renamed, path)
    assert len(path.read_text().splitlines()) == len(run.folds) + len(renamed.folds)


def test_other_sound_under_the_same_names_makes_another_run(two_folders, tmp_path, toys):
    """Denoised or repaired recordings, as long as the old ones, are others; moved ones are not."""
    copies = [shutil.copytree(two_folders / "studio", tmp_path / name) for name in "abc"]
    for file in copies[1].glob("*.wav"):
        data, rate = soundfile.read(file)
        soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, len(data)), rate)
    next(copies[2].glob("*.wav")).write_bytes(b"")
    studio, moved, noise, broken = (
        prepare_run("toy", load_csv(folder / "corpus.csv", name="studio")).key
        for folder in (two_folders / "studio", *copies)
    )
    assert studio == moved
    assert len({studio, noise, broken}) == 3


def test_folds_of_another_version_are_told(three_lines, studio, tmp_path, toys):
    lines = [json.loads(line) for line in three_lines.read_text().splitlines()]
    lines[0]["versions"] = {**lines[0]["versions"], "sersk": "0.0.1", "torch": "1.0"}
    lines[0]["machine"] = {**lines[0]["machine"], "processor": "abacus"}
    three_lines.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]))
    run = prepare_run("toy", studio, n_splits=3)
    with pytest.warns(SerskWarning, match=r"2 finished fold\(s\) of toy .* are of sersk 0\.0\.1, "):
        compute_run(run, three_lines)
    (found,) = load_runs(three_lines)
    assert found.versions["sersk"] == f"0.0.1, {sersk.__version__}"
    assert found.versions["torch"].startswith("1.0, 2.")
    assert found.versions["numpy"] == np.__version__
    assert found.machine["processor"].startswith("abacus, ")
    assert isinstance(found.machine["threads"], int)
    compute_run(run, three_lines)  # whole: nothing to say


@pytest.fixture
def three_lines(studio, tmp_path, toys):
    path = tmp_path / "results.jsonl"
    compute_run(prepare_run("toy", studio, n_splits=3), path)
    return path


def test_a_torn_last_line_is_passed_over_and_mended(three_lines, studio, toys):
    run = prepare_run("toy", studio, n_splits=3)
    whole = three_lines.read_bytes()
    last = len(b"".join(whole.splitlines(keepends=True)[:2]))
    for end in (last + 1, last + 100, len(whole) - 2, len(whole) - 1):
        three_lines.write_bytes(whole[:end])
        assert set(ResultsFile(three_lines).refresh().folds[run.key]) == {0, 1}
        assert load_runs(three_lines) == []
        compute_run(run, three_lines)
        assert strip(three_lines.read_text()) == strip(whole.decode())
    # A kill in the very first line leaves nothing.
    three_lines.write_bytes(whole[:50])
    compute_run(run, three_lines)
    assert strip(three_lines.read_text()) == strip(whole.decode())
    assert n_fits(toys) == 3 + 4 + 3


def test_a_torn_line_longer_than_a_block(tmp_path):
    path = tmp_path / "results.jsonl"
    ResultsFile(path).append({"first": 1})
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    ResultsFile(path).append({"second": 2})
    assert path.read_text() == '{"first":1}\n{"second":2}\n'


def test_a_damaged_line_is_named(three_lines):
    lines = three_lines.read_text().splitlines(keepends=True)
    for damaged in ("{}\n", "[1]\n", "\0\0\n", lines[1][:200] + "\n"):
        three_lines.write_text(lines[0] + damaged + lines[2])
        with pytest.raises(ValueError, match=r"Line 2 of .*results\.jsonl' is no result"):
            load_runs(three_lines)
    results = ResultsFile(three_lines)
    for _ in range(2):  # not passed over the second time
        with pytest.raises(ValueError, match="Line 2 of"):
            results.refresh()
    for name, value in (("true", 99), ("condition", None)):
        record = json.loads(lines[1])
        if value is None:
            del record[name]
        else:
            record[name][0] = value
        three_lines.write_text(lines[0] + json.dumps(record) + "\n")
        with pytest.raises(ValueError, match=rf"Line 2 of .*({name}|out of bounds)"):
            load_runs(three_lines)
    short = json.loads(lines[1])
    short["rows"] = short["rows"][1:]
    three_lines.write_text(lines[0] + json.dumps(short) + "\n")
    with pytest.raises(ValueError, match="differ in length"):
        load_runs(three_lines)


def test_what_is_appended_later_is_read_later(three_lines):
    lines = three_lines.read_bytes().splitlines(keepends=True)
    results = ResultsFile(three_lines.with_name("growing.jsonl"))
    counts = []
    for n_bytes in (0, 10, len(lines[0]), len(lines[0]) + 5, sum(map(len, lines))):
        results.path.write_bytes(b"".join(lines)[:n_bytes])
        counts.append(sum(map(len, results.refresh().folds.values())))
    assert counts == [0, 0, 1, 1, 3]
    results.path.unlink()
    assert results.refresh().folds == {}


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_a_full_disk_leaves_whole_lines(three_lines, studio):
    """The limit of a process on the size of files acts as a disk does: part of a line fits."""
    import resource

    before = three_lines.read_bytes()
    run = prepare_run("toy", studio, n_splits=3, seed=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 500, limits[1]))
    try:
        with pytest.raises(OSError, match="Finished folds are kept: free some space"):
            compute_run(run, three_lines)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert three_lines.read_bytes() == before
    compute_run(run, three_lines)
    assert len(load_runs(three_lines)) == 2


def test_two_processes_append_to_one_file(tmp_path):
    code = textwrap.dedent(
        """
        import sys
        from sersk.recipes._results import ResultsFile
        for number in range(150):
            ResultsFile(sys.argv[1]).append({"who": sys.argv[2], "n": number, "pad": "x" * 20000})
        """
    )
    path = tmp_path / "results.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in ("a", "b"):
        assert [line["n"] for line in lines if line["who"] == name] == list(range(150))
    assert len(lines) == 300


def test_of_a_fold_that_two_processes_computed_the_first_counts(three_lines):
    lines = three_lines.read_text().splitlines(keepends=True)
    twice = {**json.loads(lines[0]), "seconds": 99.0}
    three_lines.write_text("".join([*lines, json.dumps(twice) + "\n"]))
    (run,) = load_runs(three_lines)
    assert run.folds["seconds"].max() < 99


def test_a_fold_that_fails_is_told_and_tried_again(studio, tmp_path, toys, monkeypatch):
    path = tmp_path / "results.jsonl"
    monkeypatch.setenv("TOY_FAIL", "0")
    run = prepare_run("toy", studio, n_splits=3)
    errors = compute_run(run, path)
    assert list(errors) == [0, 1, 2]
    assert errors[0].startswith("RuntimeError: no luck with")
    assert load_runs(path) == []
    (row,) = incomplete_runs(path).to_dict("records")
    assert (row["recipe"], row["seed"], row["n_done"]) == ("toy", 0, 0)
    assert row["error"].startswith("RuntimeError: no luck with 0")  # the folder is nobody's
    assert "studio/" not in path.read_text()
    compute_run(prepare_run("toy", studio, n_splits=3, seed=1), path)  # others go on
    monkeypatch.delenv("TOY_FAIL")
    assert compute_run(run, path) == {}
    assert n_fits(toys) == 9
    assert len(load_runs(path)) == 2
    assert incomplete_runs(path).empty
    # An error that is read after the result of another process does not undo it.
    with path.open("a") as file:
        file.write(path.read_text().splitlines()[0] + "\n")
    assert len(load_runs(path)) == 2


@pytest.mark.filterwarnings("ignore:.*should be used with:UserWarning")
def test_workers_that_are_killed_lose_their_folds_only(studio, tmp_path, toys, monkeypatch):
    def killed(jobs, n_jobs):
        function, arguments, options = next(iter(jobs))
        yield function(*arguments, **options)
        raise RuntimeError("a worker is gone")

    monkeypatch.setattr(_runs, "as_completed", killed)
    run = prepare_run("toy", studio, n_splits=3)
    errors = compute_run(run, tmp_path / "results.jsonl")
    assert errors == dict.fromkeys([1, 2], "RuntimeError: a worker is gone")
    assert incomplete_runs(tmp_path / "results.jsonl")["n_done"].tolist() == [1]


def test_nan_and_places_never_get_into_the_file(studio, tmp_path, toys, toy_module, monkeypatch):
    monkeypatch.setattr(
        toy_module.ToyClassifier, "history_",
        property(lambda self: [{"epoch": 1, "train_loss": np.float32("nan")}]), raising=False,
    )  # fmt: skip
    given = toy_module.ToyClassifier.predict_proba
    monkeypatch.setattr(
        toy_module.ToyClassifier, "predict_proba",
        lambda self, X: given(self, X) * np.where(np.arange(len(X)) == 0, np.nan, 1)[:, None],
    )  # fmt: skip
    path = tmp_path / "results.jsonl"
    compute_run(prepare_run("toy_classical", studio, n_splits=3), path)
    text = path.read_text()
    assert "NaN" not in text
    assert os.path.dirname(studio.data["path"][0]) not in text
    assert platform.node() not in text
    (run,) = load_runs(path)
    assert run.probabilities.isna().any(axis=1).sum() == 3
    np.testing.assert_allclose(run.probabilities.dropna().sum(axis=1), 1, atol=2e-4)
    assert len(run.histories) == 3
    assert np.isnan(run.histories[0][0]["train_loss"])
    compute_run(prepare_run("toy", studio), tmp_path / "bare.jsonl", probabilities=False)
    assert load_runs(tmp_path / "bare.jsonl")[0].probabilities is None


def test_unreadable_files_are_told_without_their_folder(studio, tmp_path):
    frame = studio.frame.copy()
    folder = os.path.dirname(frame["path"][0])
    frame.loc[3, "path"] = os.path.join(folder, "gone.wav")
    run = prepare_run("svm_functionals", make_corpus_bunch(frame, descr=""), n_splits=2)
    with (
        pytest.warns(ClipCutWarning),
        pytest.warns(UnreadableAudioWarning, match="1 file"),
    ):
        compute_run(run, tmp_path / "results.jsonl")
    (found,) = load_runs(tmp_path / "results.jsonl")
    assert list(found.unreadable) == ["gone.wav"]
    assert folder not in (tmp_path / "results.jsonl").read_text()
    assert any("gone.wav" in text for text in found.warnings)


def test_files_of_two_corpora_may_have_one_name(studio, street, tmp_path):
    frames = []
    for corpus in (studio, street):
        frame = corpus.frame.copy()
        frame.loc[3, "path"] = os.path.join(os.path.dirname(frame["path"][0]), "gone.wav")
        frames.append(frame)
    both = make_corpus_bunch(pd.concat(frames, ignore_index=True), descr="")
    run = prepare_run("svm_functionals", both, n_splits=2)
    with pytest.warns(ClipCutWarning), pytest.warns(UnreadableAudioWarning, match="2 file"):
        compute_run(run, tmp_path / "results.jsonl")
    (found,) = load_runs(tmp_path / "results.jsonl")
    assert sorted(found.unreadable) == ["street/gone.wav", "studio/gone.wav"]


@pytest.mark.parametrize("home", ["/home/u", "/home/u/corpora/ravdess", "/elsewhere"])
def test_names_do_not_depend_on_where_the_home_is(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    folders = {"ravdess": "/home/u/corpora/ravdess", "tess": "/home/u/corpora/ravdess/more/tess"}
    said = "/home/u/corpora/ravdess/a.wav and /home/u/corpora/ravdess/more/tess/a.wav"
    assert without_folders(said, folders) == "ravdess/a.wav and tess/a.wav"
    (only, _) = said.split(" and ")
    assert without_folders(only, {"ravdess": folders["ravdess"]}) == "a.wav"


def test_rows_of_a_published_split_are_those_of_the_corpus(studio, street, tmp_path, toys):
    with pytest.warns(LeakageWarning):
        run = prepare_run("toy", [studio, street], protocol="as-published", name="both")
    compute_run(run, tmp_path / "results.jsonl")
    whole = make_corpus_bunch(pd.concat([studio.frame, street.frame], ignore_index=True), descr="")
    (found,) = load_runs(tmp_path / "results.jsonl", whole)
    predictions = found.predictions
    np.testing.assert_array_equal(predictions["true"], whole.target[predictions["row"]])
    np.testing.assert_array_equal(
        predictions["speaker"], whole.frame["speaker"].to_numpy()[predictions["row"]]
    )
    assert found.n_leaked == run.n_leaked[0] > 0
    assert found.folds["n_dropped"].tolist() == [0]
    assert found.published == {"accuracy": 0.95}
    assert any("split as published" in text for text in found.warnings)


def test_benchmark_table(studio, street, tmp_path, toys):
    path = tmp_path / "results.jsonl"
    for seed in (2, 1, 0):
        compute_run(prepare_run("toy_classical", studio, seed=seed), path)
    compute_run(prepare_run("toy_classical", street), path)
    compute_run(prepare_run("toy_classical", studio, options={"strength": 2.0}), path)
    compute_run(prepare_run("toy_by_speaker", studio), path)
    runs = load_runs(path, [studio, street])
    table = benchmark_table(runs)
    assert table["recipe"].tolist() == [*["toy_classical"] * 3, "toy_by_speaker"]
    assert table["n_seeds"].tolist() == [3, 1, 1, 1]
    assert table["n_emotions"].tolist() == [3, 3, 3, 3]
    assert table["n_splits"].tolist() == [5, 5, 5, 5]
    assert table["n_folds"].tolist() == [run.n_folds for run in (runs[0], runs[3], *runs[4:])]
    assert table["options"].tolist() == ["", "", "strength=2.0", ""]
    assert table["published"].tolist()[0] == 0.7
    assert table["published"].isna().tolist() == [False, True, False, True]
    assert table["published_metric"].tolist() == ["f1_macro", "", "f1_macro", ""]
    assert table["condition"].nunique() == 2
    mine = [run.predictions for run in sorted(runs[:3], key=lambda run: run.seed)]
    row = table.iloc[0]
    by_seed = [balanced_accuracy_score(p["true"], p["predicted"]) for p in mine]
    assert row["by_seed"] == pytest.approx(tuple(by_seed))
    assert len(set(by_seed)) > 1
    assert row["balanced_accuracy"] == pytest.approx(np.mean(by_seed))
    for name, score in (
        ("accuracy", accuracy_score),
        ("f1_macro", lambda true, predicted: f1_score(true, predicted, average="macro")),
    ):
        expected = np.mean([score(p["true"], p["predicted"]) for p in mine])
        assert row[name] == pytest.approx(expected)
    pooled = pd.concat(mine)
    interval = speaker_bootstrap(pooled["true"], pooled["predicted"], pooled["speaker"])
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert row["low"] < row["balanced_accuracy"] < row["high"]
    assert row["minutes"] == pytest.approx(np.mean([run.minutes for run in runs[:3]]))
    # Nobody knows who speaks: no interval.
    assert benchmark_table(load_runs(path))["low"].isna().all()
    with pytest.raises(ValueError, match="no run"):
        benchmark_table([])


def test_files_that_are_not_there(tmp_path):
    for function in (load_runs, incomplete_runs):
        with pytest.raises(FileNotFoundError, match="no file of results"):
            function(tmp_path / "gone.jsonl")
    assert ResultsFile(tmp_path / "gone.jsonl").refresh().folds == {}


def test_how_a_run_is_called():
    key = RunKey("toy", "four", "54-abc", "speaker", 2, 5, '{"lr": 0.1}')
    assert str(key) == "toy with lr=0.1 on four, speaker, seed 2"
