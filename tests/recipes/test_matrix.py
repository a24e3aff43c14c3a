"""Matrix files: what is refused, in which order runs come, how long they take."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import soundfile

from sersk.recipes import PublishedSplit, _estimate, _registry, recipe_info
from sersk.recipes._matrix import in_order, read_matrix
from sersk.recipes._prepare import prepare_run
from sersk.recipes._results import ResultsFile, RunKey
from sersk.recipes._runs import compute_run

CORPORA = """
[corpora.studio]
csv = "studio/corpus.csv"
[corpora.street]
csv = "street/corpus.csv"
[corpora.both]
parts = ["studio", "street"]
"""

RUN = """
[[runs]]
recipes = ["toy"]
corpora = ["studio"]
protocols = ["speaker"]
"""

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def read(two_folders):
    def from_text(text):
        path = two_folders / "matrix.toml"
        path.write_text(text)
        return read_matrix(path)

    return from_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CORPORA, "needs a table [[runs]]"),
        (RUN, "needs a table [corpora.NAME]"),
        ("[corpora\n", "is no TOML"),
        (CORPORA + RUN + "[plot]\n", "matrix.toml: table 'plot' is unknown"),
        (CORPORA + RUN.replace("recipes", "recipe"), "key 'recipe' is unknown. Did you"),
        (CORPORA + RUN.replace('"toy"', '"toi"'), "Did you mean toy"),
        (CORPORA + RUN.replace('"studio"', '"studo"'), "'studo' is unknown. Did you mean studio"),
        (CORPORA + RUN.replace("speaker", "speakers"), "Did you mean speaker"),
        (CORPORA + RUN.replace('["toy"]', '"toy"'), "recipes is a list of names, got 'toy'"),
        (CORPORA + RUN.replace('["toy"]', "[]"), "recipes is a list of names, got []"),
        (CORPORA + RUN + "seeds = [0, 0]\n", "seeds is a list of different numbers"),
        (CORPORA + RUN + "seeds = [true]\n", "seeds is a list"),
        (CORPORA + RUN + "seeds = [-1]\n", "seeds is a list"),
        (CORPORA + RUN + "seeds = []\n", "seeds is a list"),
        (CORPORA + RUN + "priority = 1.5\n", "priority is a whole number"),
        (CORPORA + RUN + "n_splits = 1\n", "n_splits is a whole number >= 2"),
        (CORPORA + RUN + "options = 3\n", "options is a table"),
        (CORPORA + RUN + "options = { max_epoch = 3 }\n", "Did you mean max_epochs"),
        (CORPORA + RUN + "options = { random_state = 3 }\n", "comes from seeds"),
        (CORPORA + RUN + "options = { strength = nan }\n", "plain values"),
        (CORPORA.replace("csv", "root", 1) + RUN, "[corpora.studio]: there is no loader"),
        ('[corpora.ravdes]\nroot = "R"\n' + RUN, "Did you mean ravdess"),
        ("[corpora.ravdess]\n" + RUN, 'needs root = "FOLDER"'),
        ('[corpora.ravdess]\nroot = "R"\nchanel = "all"\n' + RUN, "Did you mean channel"),
        ("[corpora.ravdess]\nroot = 3\n" + RUN, "root is a path, got 3"),
        ("[corpora.songs]\nloader = 3\n" + RUN, "loader is a name, got 3"),
        ('[corpora.songs]\nloader = "ravdes"\n' + RUN, "'ravdes'. Did you mean ravdess"),
        ('[corpora.songs]\nloader = "ravdess"\n' + RUN, 'needs root = "FOLDER"'),
        ('[corpora.songs]\nloader = "ravdess"\ncsv = "c.csv"\n' + RUN, "exclude each other"),
        (CORPORA.replace('"street"]', '"streets"]') + RUN, "corpus 'streets' is unknown"),
        (CORPORA.replace('"street"]', '"studio"]') + RUN, "a part is named twice"),
        (CORPORA + '[corpora.all]\nparts = ["both", "street"]\n' + RUN, "has parts itself"),
        (CORPORA + 'root = "x"\n' + RUN, "parts is a list of names"),
        (CORPORA + 'loader = "ravdess"\n' + RUN, "parts is a list of names"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file(read, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(text)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no matrix file"):
        read_matrix(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("recipe", "corpus", "protocol", "message"),
    [
        ("toy", "studio", "as-published", "studio and street together; street is missing"),
        ("toy", "studio", "corpus", "^toy on studio, corpus: All clips have the same corpus"),
        ("svm_functionals", "studio", "as-published", "no published split"),
    ],
)
def test_what_does_not_go_together_is_found_first(read, recipe, corpus, protocol, message):
    matrix = read(
        CORPORA
        + RUN.replace("toy", recipe).replace('"studio"', f'"{corpus}"').replace("speaker", protocol)
    )
    with pytest.raises(ValueError, match=message):
        matrix.check()


def test_copies_that_cannot_be_chosen_are_found_first(read):
    matrix = read(
        CORPORA
        + RUN.replace("studio", "both").replace("speaker", "as-published")
        + "options = { transforms = [] }\n"
    )
    with pytest.raises(ValueError, match="transforms cannot be chosen there"):
        matrix.check()


def test_order_is_priority_then_seeds_then_what_is_quick(read):
    text = (
        CORPORA
        + """
[[runs]]
recipes = ["toy", "toy_classical"]
corpora = ["studio"]
protocols = ["random", "speaker"]
seeds = [7, 3]
[[runs]]
recipes = ["svm_functionals"]
corpora = ["street"]
protocols = ["text"]
priority = 1
seeds = [5]
[[runs]]
recipes = ["toy"]
corpora = ["both"]
protocols = ["as-published", "corpus"]
options = { max_epochs = 2 }
n_splits = 3
"""
    )
    matrix = read(text)
    told = [(cell.recipe, cell.corpus, cell.protocol, cell.seed) for cell in matrix.cells]
    first = [
        ("toy", "studio", "random"), ("toy", "studio", "speaker"),
        ("toy_classical", "studio", "random"), ("toy_classical", "studio", "speaker"),
    ]  # fmt: skip
    assert told == [
        ("svm_functionals", "street", "text", 5),
        *[(*row, 7) for row in first],
        ("toy", "both", "as-published", 0),
        ("toy", "both", "corpus", 0),
        *[(*row, 3) for row in first],
    ]
    assert [cell.n_splits for cell in matrix.cells][5:7] == [1, 3]
    seconds = {cell: 1.0 if cell.recipe == "toy_classical" else 9.0 for cell in matrix.cells}
    quick = in_order(matrix.cells, seconds)
    assert [cell.recipe for cell in quick[:3]] == ["svm_functionals", *["toy_classical"] * 2]
    assert [cell.seed for cell in quick] == [cell.seed for cell in matrix.cells]
    # What each has of folds: speakers 5, sentences 2, corpora 2, published 1.
    n_folds = matrix.check()
    assert [n_folds[cell] for cell in matrix.cells] == [2, 5, 5, 5, 5, 1, 2, 5, 5, 5, 5]
    assert {name: len(corpus.frame) for name, corpus in matrix.loaded.items()} == {
        "studio": 54, "street": 54, "both": 108,
    }  # fmt: skip
    matrix.restrict(["svm_functionals"])
    assert len(matrix.cells) == 1
    with pytest.raises(ValueError, match="no run of the recipe 'toy'"):
        matrix.restrict(["toy"])


def test_what_two_entries_ask_for_is_run_once_and_early(read):
    matrix = read(CORPORA + RUN + "seeds = [0, 1]\n" + RUN + "seeds = [1]\npriority = 2\n")
    assert [(cell.seed, cell.priority) for cell in matrix.cells] == [(1, 2), (0, 10)]


def test_a_source_that_loads_more_gets_it_under_its_own_name(tmp_path, monkeypatch):
    for channel in ("01", "02"):
        for emotion in ("01", "03", "04", "05"):
            for take in ("01", "02"):
                name = f"03-{channel}-{emotion}-01-01-{take}-01.wav"
                soundfile.write(tmp_path / name, np.zeros(80), 16000)
    info = dataclasses.replace(
        recipe_info("toy"), corpora=("ravdess",), emotions={}, classes=(),
        loading={"channel": "all"},
    )  # fmt: skip
    monkeypatch.setitem(_registry._RECIPES, "toy", info)
    table = '[corpora.ravdess]\nroot = "."\non_incomplete = "ignore"\n'
    run = RUN.replace("studio", "ravdess").replace('"speaker"', '"random", "as-published"')
    path = tmp_path / "matrix.toml"
    path.write_text(table + run + "n_splits = 2\n")
    matrix = read_matrix(path)
    matrix.check()
    assert {name: len(corpus.frame) for name, corpus in matrix.loaded.items()} == {
        "ravdess": 8, "ravdess (channel=all)": 16,
    }  # fmt: skip
    path.write_text(table + 'channel = "all"\n' + run + "n_splits = 2\n")
    matrix = read_matrix(path)
    matrix.check()
    assert list(matrix.loaded) == ["ravdess"]
    # The same recordings twice, loaded differently.
    both = '[corpora.sung]\nloader = "ravdess"\nroot = "."\nchannel = "song"\n'
    both += 'on_incomplete = "ignore"\n'
    path.write_text(
        table + both + RUN.replace('"studio"', '"ravdess", "sung"').replace("speaker", "random")
        + "n_splits = 2\n"
    )  # fmt: skip
    matrix = read_matrix(path)
    matrix.check()
    assert {name: set(corpus.frame["channel"]) for name, corpus in matrix.loaded.items()} == {
        "ravdess": {"speech"}, "sung": {"song"},
    }  # fmt: skip


# ------------------------------------------------------------------------------------- estimates


def test_a_pilot_is_small_and_scaled(studio, toys, monkeypatch):
    """With a clock of our own: ten milliseconds a fit, and five an epoch, whatever the clips."""
    clock = iter(np.cumsum([0, 9.0, 0, 0.015, 0, 0.020]))
    monkeypatch.setattr(_estimate.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(_estimate, "N_PILOT", 10)
    once, an_epoch = _estimate.pilot("toy", studio, {"max_epochs": 30})
    # Of two emotions five clips each, and as many copies. The first fit is not timed.
    assert toys.read_text().splitlines() == ["20 1.0 0"] * 3
    assert (once, an_epoch) == (pytest.approx(0.001), pytest.approx(0.0005))
    fold = _estimate.seconds_of_fold((once, an_epoch), "toy", {"max_epochs": 30}, 100, "speaker")
    assert fold == pytest.approx(100 * (0.001 + 30 * 0.0005))
    by_default = _estimate.seconds_of_fold((once, an_epoch), "toy", {}, 100, "speaker")
    assert by_default == pytest.approx(100 * (0.001 + 4 * 0.0005))


def test_a_pilot_without_epochs(studio, toys):
    once, an_epoch = _estimate.pilot("toy_classical", studio, {})
    assert once > 0
    assert an_epoch == 0
    assert len(toys.read_text().splitlines()) == 2


def test_copies_before_the_split_cost_as_much_as_clips(monkeypatch):
    costs = (0.01, 0.0)
    plain = _estimate.seconds_of_fold(costs, "toy_classical", {}, 100, "random")
    replaced = _estimate.seconds_of_fold(costs, "toy_classical", {}, 100, "as-published")
    assert (plain, replaced) == (pytest.approx(1.0), pytest.approx(1.0))
    split = PublishedSplit(test_size=0.2, copies="noise_stretch_pitch")
    info = dataclasses.replace(recipe_info("toy_classical"), split=split)
    monkeypatch.setitem(_registry._RECIPES, "toy_classical", info)
    copied = _estimate.seconds_of_fold(costs, "toy_classical", {}, 100, "as-published")
    assert copied == pytest.approx(4.0)
    # The toy makes its own copies, which the pilot has seen.
    own = _estimate.seconds_of_fold(costs, "toy", {}, 100, "as-published")
    assert own == pytest.approx(1.0)


def test_folds_that_were_computed_tell_better(studio, tmp_path):
    path = tmp_path / "results.jsonl"
    run = prepare_run("toy", studio, n_splits=3)
    compute_run(run, path)
    results = ResultsFile(path).refresh()
    folds = results.folds[run.key].values()
    seconds = [fold.seconds for fold in folds]
    for seed, protocol in ((0, "speaker"), (4, "speaker"), (0, "random")):
        key = RunKey("toy", "studio", "another state", protocol, seed, 5)
        assert _estimate.seconds_known(results, key) == pytest.approx(np.mean(seconds))
    for other in (
        RunKey("toy", "street", run.fingerprint, "speaker", 0, 3),
        RunKey("toy_classical", "studio", run.fingerprint, "speaker", 0, 3),
        RunKey("toy", "studio", run.fingerprint, "speaker", 0, 3, '{"strength": 2.0}'),
    ):
        assert _estimate.seconds_known(results, other) is None


def test_nets_run_one_fold_at_a_time():
    assert _estimate.jobs_at_once("toy", {}, 4, 5) == 1
    assert _estimate.jobs_at_once("svm_functionals", {}, 4, 5) == 4
    assert _estimate.jobs_at_once("svm_functionals", {}, 4, 2) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "about 1 s"), (59, "about 59 s"), (61, "about 1.0 min"), (1200, "about 20 min"),
        (3 * 3600, "about 3.0 h"), (30 * 3600, "about 30 h"), (96 * 3600, "about 4.0 days"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert _estimate.say_duration(seconds) == text
