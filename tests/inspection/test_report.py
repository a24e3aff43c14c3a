"""The report: what stands on the page is what the runs found, and it needs nothing else."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils import Bunch

from sersk.inspection import write_report
from sersk.inspection._report import PROTOCOL_NOTES
from sersk.inspection._report_figures import plot_confusion
from sersk.inspection._report_groups import score_subgroups
from sersk.metrics import (
    calibration_error,
    classification_summary,
    most_confused_pairs,
    speaker_bootstrap,
)
from sersk.model_selection._protocols import PROTOCOLS

EMOTIONS = ["anger", "calm", "fear"]
STRANGER = "a stranger's single clip"
KNOWN = "several clips of a speaker at hand"
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page: tag, attributes, all text within, and where they stand."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.unbalanced = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = Bunch(
            tag=tag, attrs=dict(attrs), text="", parents=[parent.tag for parent in self.open]
        )
        element.inside = list(self.open)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        if self.open and self.open[-1].tag == tag:
            self.open.pop()
        else:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def find(self, tag, inside=None, **attrs):
        attrs = {name.replace("_", "-").rstrip("-"): value for name, value in attrs.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag
            and attrs.items() <= element.attrs.items()
            and (inside is None or any(parent is inside for parent in element.inside))
        ]

    def table(self, inside):
        """Give the cells of the first table in an element, header first."""
        (first, *_) = self.find("table", inside)
        rows = []
        for row in self.find("tr", first):
            cells = [
                element.text.strip()
                for element in self.elements
                if element.tag in ("th", "td") and any(it is row for it in element.inside)
            ]
            rows.append(cells)
        return rows


# Of each speaker: uneven, so that accuracy, UAR and macro F1 differ.
SPOKEN = ["anger"] * 7 + ["calm"] * 5 + ["fear"] * 3


def make_frame(n_speakers=12):
    """The frame of a corpus, as CREMA-D has it."""
    rng = np.random.default_rng(1)
    names = [f"s{number:02d}" for number in range(n_speakers)]
    speakers = pd.DataFrame(
        {
            "speaker": names,
            "sex": ["female", "male"] * (n_speakers // 2),
            "age": rng.integers(20, 75, n_speakers),
            "ethnicity": ["hispanic", *["not hispanic"] * (n_speakers - 1)],
        }
    )
    frame = speakers.loc[speakers.index.repeat(len(SPOKEN))].reset_index(drop=True)
    frame.insert(0, "emotion", SPOKEN * n_speakers)
    return frame.assign(sentence="s1", duration=1.0)


def make_corpus(**changes):
    frame = make_frame()
    descr = (
        "A corpus\n\n:Licence: for research,\n    by registration\n:Source: https://example.org/x"
    )
    return Bunch(frame=frame, target=frame["emotion"].to_numpy(), DESCR=descr, **changes)


def make_run(draw=0, /, *, protocol="speaker", skill=0.6, probabilities=False, **more):
    """A run as evaluate_protocol returns it, with nothing trained."""
    rng = np.random.default_rng(draw)
    frame = make_frame()
    rows = rng.permutation(len(frame))
    true = frame["emotion"].to_numpy()[rows]
    guesses = rng.choice(EMOTIONS, len(rows), p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(len(rows)) < skill, true, guesses)
    predictions = pd.DataFrame(
        {
            "row": rows,
            "fold": np.arange(len(rows)) % 5,
            "true": true,
            "predicted": predicted,
            "speaker": frame["speaker"].to_numpy()[rows],
        }
    )
    folds = pd.DataFrame({"n_train": [144] * 5, "n_test": [36] * 5}).rename_axis("fold")
    table = None
    if probabilities:
        table = pd.DataFrame(rng.dirichlet(np.ones(3), size=len(rows)), columns=EMOTIONS)
    summary = classification_summary(
        predictions["true"], predictions["predicted"], predictions["speaker"], random_state=draw
    )
    return Bunch(
        protocol=protocol,
        folds=folds,
        predictions=predictions,
        probabilities=table,
        histories=None,
        unreadable={},
        **summary,
        **more,
    )


def make_history(n_epochs=3):
    return [
        {"epoch": epoch, "train_loss": 1 / epoch, "train_balanced_accuracy": epoch / 4}
        for epoch in range(1, n_epochs + 1)
    ]


def write(tmp_path, runs, **options):
    figures = plt.get_fignums()
    path = write_report(tmp_path / "report.html", runs, **options)
    assert plt.get_fignums() == figures
    page = Page(path.read_text(encoding="utf-8"))
    document = json.loads((tmp_path / "report.json").read_text())
    return page, document


@pytest.fixture(scope="module")
def full_runs():
    """Two recipes, two protocols, two seeds, with all that a run may have."""
    runs = []
    for recipe in ("svm", "net"):
        for protocol in ("speaker", "as-published"):
            for seed in (0, 1):
                run = make_run(
                    seed + 10 * (recipe == "net"),
                    protocol=protocol,
                    probabilities=True,
                    recipe=recipe,
                    corpus="mine",
                    seed=seed,
                    command=f"sersk evaluate --recipe {recipe}",
                    versions={"sersk": "0.1", "numpy": "2.0"},
                    minutes=1.5 + seed,
                    condition=STRANGER if recipe == "svm" else KNOWN,
                    published={"accuracy": 0.941},
                    options={"C": 10},
                )
                if recipe == "net":
                    run.histories = [make_history(), make_history()]
                run.unreadable = {"bad.wav": "truncated"}
                runs.append(run)
    return runs


@pytest.fixture(scope="module")
def full(full_runs, tmp_path_factory):
    """The report of all that, and where it lies."""
    folder = tmp_path_factory.mktemp("full")
    page, document = write(folder, full_runs, corpora={"mine": make_corpus()}, title="My report")
    return Bunch(page=page, document=document, folder=folder)


def part(page, run, name):
    (details,) = page.find("details", data_run=run)
    (section,) = page.find("section", details, data_part=name)
    return section


def test_every_section_is_there_in_order(full, full_runs):
    page = full.page
    assert page.unbalanced == []
    assert page.open == []
    assert page.find("h1")[0].text == page.find("title")[0].text == "My report"
    order = [it.attrs["id"] for it in page.find("section") if "id" in it.attrs]
    assert order == ["scores", "protocols", "details", "corpora", "making"]
    for number in range(1, 5):
        (details,) = page.find("details", data_run=f"run-{number}")
        parts = [it.attrs["data-part"] for it in page.find("section", details)]
        learning = ["learning"] if number > 2 else []
        assert parts == [
            "confusion", "per-class", "pairs", *learning, "reliability", "speakers", "by sex",
            "by age group", "by ethnicity", "unreadable",
        ]  # fmt: skip
    (making,) = page.find("section", id="making")
    commands = [it.text for it in page.find("pre", making)]
    assert commands == ["sersk evaluate --recipe svm", "sersk evaluate --recipe net"]
    assert len(page.table(making)) == 1 + len(full_runs)
    assert "numpy" in making.text
    (corpora,) = page.find("section", id="corpora")
    assert "for research, by registration" in corpora.text
    assert [it.attrs["href"] for it in page.find("a", corpora)] == ["https://example.org/x"]
    assert page.find("pre", corpora)[0].text == make_corpus().DESCR


def test_nothing_is_loaded_from_elsewhere(full):
    page = full.page
    assert not page.find("script")
    assert not page.find("link")
    assert not page.find("iframe")
    anchors = {it.attrs.get("id") for it in page.elements}
    for element in page.elements:
        assert not [name for name in element.attrs if name.startswith("on")]
        source = element.attrs.get("src")
        assert source is None or source.startswith("data:image/png;base64,")
        target = element.attrs.get("href", "")
        if target.startswith("#"):
            assert target[1:] in anchors
        elif target:
            assert (element.tag, target) == ("a", "https://example.org/x")
    (style,) = page.find("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert "prefers-color-scheme: dark" in style.text
    (policy,) = page.find("meta", http_equiv="Content-Security-Policy")
    assert "default-src 'none'" in policy.attrs["content"]


def test_pictures_of_the_page_are_those_beside_it(full):
    page, document = full.page, full.document
    files = {file.name: file.read_bytes() for file in (full.folder / "report_files").iterdir()}
    named = [name for result in document["results"] for name in result["figures"]]
    assert {*named, *(corpus["figure"] for corpus in document["corpora"])} == files.keys()
    shown = [base64.b64decode(it.attrs["src"].partition(",")[2]) for it in page.find("img")]
    # The confusion matrix is a table on the page.
    assert sorted(shown) == sorted(
        content for name, content in files.items() if not name.endswith("-confusion.png")
    )
    for content in files.values():
        assert imread(io.BytesIO(content)).shape[1] > 300
    assert all(it.attrs["alt"] for it in page.find("img"))


def test_tables_scroll_in_boxes_of_their_own(full):
    page = full.page
    for element in [*page.find("table"), *page.find("img")]:
        boxes = [it for it in element.inside if it.attrs.get("class") == "scroll"]
        assert len(boxes) == 1
        assert boxes[0].attrs["tabindex"] == "0"  # the keyboard scrolls it, too


def percent(share):
    return f"{100 * share:.1f}"


def test_one_run_is_shown_as_it_is(tmp_path):
    run = make_run(3)
    page, document = write(tmp_path, [run])
    header, row = page.table(page.find("section", id="scores")[0])
    assert len({percent(score) for score in run.scores["score"]}) == 3
    uar = run.scores.loc["balanced_accuracy"]
    assert dict(zip(header, row, strict=True)) == {
        "protocol": "speaker",
        "UAR": percent(uar["score"]),
        "95 % interval": f"{percent(uar['low'])} to {percent(uar['high'])}",
        "0 to 100": "",
        "UAR by seed": percent(uar["score"]),
        "accuracy": percent(run.scores.loc["accuracy", "score"]),
        "macro F1": percent(run.scores.loc["f1_macro", "score"]),
        "folds": "5",
        "clips": "180",
    }
    (result,) = document["results"]
    assert result["scores"] == run.scores.to_dict("index")
    assert result["confusion"] == run.confusion.to_dict("index")
    assert result["per_speaker"] == run.per_speaker.to_dict("index")

    header, *rows = page.table(part(page, "run-1", "confusion"))
    assert header[1:] == EMOTIONS
    shares = run.confusion.to_numpy() / run.confusion.to_numpy().sum(axis=1, keepdims=True)
    assert rows == [
        [name, *(f"{100 * share:.0f}" for share in line)]
        for name, line in zip(EMOTIONS, shares, strict=True)
    ]
    header, *rows = page.table(part(page, "run-1", "per-class"))
    assert rows == [
        [name, percent(line.precision), percent(line.recall), percent(line.f1), str(line.support)]
        for name, line in zip(EMOTIONS, run.per_class.itertuples(), strict=True)
    ]
    said = [it.text for it in page.find("li", part(page, "run-1", "pairs"))]
    assert len(said) == 5
    worst = run.confused_pairs.iloc[0]
    support = (run.predictions["true"] == worst["true"]).sum()
    assert said[0] == (
        f"{worst['true']} is taken for {worst['predicted']} in {100 * worst['share']:.0f} % "
        f"({worst['count']} of {support})"
    )
    header, *rows = page.table(part(page, "run-1", "speakers"))
    expected = run.per_speaker.sort_values("balanced_accuracy", ascending=False, kind="stable")
    assert [row[:2] for row in rows] == [
        [name, percent(score)] for name, score in expected["balanced_accuracy"].items()
    ]


def test_what_is_missing_is_not_shown(tmp_path):
    page, document = write(tmp_path, [make_run()])
    (details,) = page.find("details", data_run="run-1")
    parts = [it.attrs["data-part"] for it in page.find("section", details)]
    assert parts == ["confusion", "per-class", "pairs", "speakers"]
    sections = [it.attrs["id"] for it in page.find("section") if "id" in it.attrs]
    assert sections == ["scores", "protocols", "details", "making"]
    text = page.find("body")[0].text
    for word in ("None", "nan", "recipe on", "Condition", "Commands", "Versions", "seeds;"):
        assert word not in text
    assert document["results"][0]["calibration"] is None
    assert (tmp_path / "report_files").is_dir()


def test_few_speakers_or_none_have_no_interval(tmp_path):
    run = make_run()
    few = run.predictions["speaker"].isin(["s00", "s01"])
    alone = run.predictions[few].reset_index(drop=True)
    summary = classification_summary(alone["true"], alone["predicted"], alone["speaker"])
    run.update(predictions=alone, **summary)
    page, document = write(tmp_path, [run])
    header, row = page.table(page.find("section", id="scores")[0])
    assert row[header.index("95 % interval")] == "–"
    assert document["results"][0]["scores"]["accuracy"]["low"] is None
    nobody = alone.drop(columns="speaker")
    run.update(predictions=nobody, **classification_summary(alone["true"], alone["predicted"]))
    page, _ = write(tmp_path, [run, make_run(recipe="svm")], corpora={"mine": make_corpus()})
    (details,) = page.find("details", data_run="run-1")
    parts = [it.attrs["data-part"] for it in page.find("section", details)]
    assert parts == ["confusion", "per-class", "pairs"]
    # Known of one seed alone: there is nobody to resample.
    _, document = write(tmp_path, [run, make_run()])
    assert document["results"][0]["n_speakers"] is None
    assert document["results"][0]["scores"]["accuracy"]["low"] is None


def test_seeds_are_pooled_and_conditions_apart(full, full_runs):
    page, document = full.page, full.document
    (scores,) = page.find("section", id="scores")
    assert [it.text for it in page.find("h3", scores)] == [
        f"Condition: {STRANGER}", f"Condition: {KNOWN}",
    ]  # fmt: skip
    tables = page.find("table", scores)
    assert [len(page.find("tr", table)) for table in tables] == [3, 3]
    assert "svm" in tables[0].text
    assert "svm" not in tables[1].text
    header, row, _ = page.table(scores)
    row = dict(zip(header, row, strict=True))
    pair = full_runs[:2]
    pooled = pd.concat([run.predictions for run in pair])
    result = speaker_bootstrap(pooled["true"], pooled["predicted"], pooled["speaker"])
    by_seed = [percent(run.scores.loc["balanced_accuracy", "score"]) for run in pair]
    assert row["recipe"] == "svmC=10"  # the options in a line below
    assert row["corpus"] == "mine"
    assert row["UAR"] == percent(result.score)
    assert row["95 % interval"] == f"{percent(result.low)} to {percent(result.high)}"
    assert row["UAR by seed"] == ", ".join(by_seed)
    assert row["published"] == "accuracy 94.1"
    assert (row["folds"], row["clips"], row["minutes a seed"]) == ("5", "180", "2.0")
    first = document["results"][0]
    assert first["seeds"] == [0, 1]
    assert first["n_clips"] == [180, 180]
    assert np.sum([list(line.values()) for line in first["confusion"].values()]) == 360
    probabilities = pd.concat([run.probabilities for run in pair])
    error = calibration_error(pooled["true"], probabilities)
    assert first["calibration"]["error"] == pytest.approx(error)
    assert f"{100 * error:.1f} %" in part(page, "run-1", "reliability").text
    pairs = most_confused_pairs(pooled["true"], pooled["predicted"])
    assert first["confused_pairs"] == pairs.to_dict("records")


def test_runs_with_other_options_are_other_systems(tmp_path):
    runs = [make_run(seed, seed=0, recipe="svm", options={"C": seed}) for seed in range(3)]
    page, document = write(tmp_path, runs)
    assert [result["options"] for result in document["results"]] == [{"C": 0}, {"C": 1}, {"C": 2}]
    assert "svm, speaker split, C=1" in page.find("details", data_run="run-2")[0].text


def test_a_report_that_is_written_again_leaves_no_old_pictures(tmp_path):
    runs = [make_run(seed, seed=0, recipe=name) for seed, name in enumerate(("svm", "net"))]
    write(tmp_path, runs, corpora={"mine": make_corpus()})
    folder = tmp_path / "report_files"
    first = set(os.listdir(folder))
    (folder / "01-my-own-notes.png").write_bytes(b"")
    _, document = write(tmp_path, runs[:1])
    (result,) = document["results"]
    assert set(os.listdir(folder)) == {*result["figures"], "01-my-own-notes.png"}
    assert set(result["figures"]) < first


@pytest.mark.parametrize(("name", "values"), [("n_splits", (3, 5)), ("fingerprint", ("a", "b"))])
def test_runs_on_other_folds_are_no_twins(tmp_path, name, values):
    # A file of results may hold the same system with other folds, or on another state of a corpus.
    runs = [make_run(seed, seed=0, recipe="svm", **{name: value}) for seed, value in
            enumerate(values)]  # fmt: skip
    _, document = write(tmp_path, runs)
    assert [result["seeds"] for result in document["results"]] == [[0], [0]]


def test_one_system_under_two_conditions_is_reported_apart(tmp_path):
    runs = [make_run(draw, recipe="svm", condition=it) for draw, it in enumerate((KNOWN, STRANGER))]
    page, document = write(tmp_path, [*runs, make_run(2, recipe="other", condition=KNOWN)])
    assert [result["condition"] for result in document["results"]] == [KNOWN, KNOWN, STRANGER]
    tables = page.find("table", page.find("section", id="scores")[0])
    assert [len(page.find("tr", table)) for table in tables] == [3, 2]


def test_warning_of_splits_as_published(tmp_path, full):
    page = full.page
    (warning,) = page.find("p", class_="warning")
    assert "speakers stand on both sides" in warning.text
    tagged = [it for it in page.find("span", class_="tag") if "tr" in it.parents]
    rows = [it.inside[it.parents.index("tr")].text for it in tagged]
    assert len(rows) == 2
    assert all("as-published" in row for row in rows)
    page, _ = write(tmp_path, [make_run(), make_run(protocol="own")])
    assert not page.find("p", class_="warning")
    assert not page.find("span", class_="tag")
    assert PROTOCOL_NOTES["speaker"] in page.find("section", id="protocols")[0].text


def test_every_protocol_is_explained():
    assert {*PROTOCOLS, "as-published"} == PROTOCOL_NOTES.keys()


EVIL = '<script>alert("1")</script>'


def test_names_are_text(tmp_path):
    """Emotions, speakers, files, corpora and recipes may be called anything."""
    run = make_run(
        probabilities=True, recipe=EVIL, corpus=EVIL, command=f"run '{EVIL}'", condition=EVIL,
        options={EVIL: EVIL}, versions={EVIL: EVIL}, published={EVIL: 0.5}, seed=0,
    )  # fmt: skip
    bad = {"anger": EVIL, "calm": "$\\frac{$", "fear": "a & b"}
    predictions = run.predictions.replace({"true": bad, "predicted": bad})
    predictions["speaker"] = predictions["speaker"].replace({"s01": EVIL})
    run.update(
        predictions=predictions,
        probabilities=run.probabilities.rename(columns=bad),
        unreadable={f"{EVIL}/\udcff.wav": EVIL},
        **classification_summary(
            predictions["true"], predictions["predicted"], predictions["speaker"]
        ),
    )
    corpus = make_corpus()
    frame = corpus.frame.replace({"emotion": bad, "speaker": {"s01": EVIL}, "sex": {"male": EVIL}})
    corpus.update(
        frame=frame,
        target=frame["emotion"].to_numpy(),
        DESCR=f"{EVIL}\n:Licence: {EVIL}\n:Source: javascript:alert(1)",
    )
    page, document = write(tmp_path, [run], corpora={EVIL: corpus}, title=EVIL)
    assert not page.find("script")
    assert not page.find("a", inside=page.find("section", id="corpora")[0])
    assert page.unbalanced == []
    assert page.find("h1")[0].text == EVIL
    assert page.table(part(page, "run-1", "confusion"))[0] == [
        "true", *sorted(bad.values()),
    ]  # fmt: skip
    for name in ("speakers", "by sex", "unreadable"):
        assert EVIL in part(page, "run-1", name).text
    for section in ("scores", "details", "corpora", "making"):
        assert EVIL in page.find("section", id=section)[0].text
    assert document["title"] == EVIL
    names = [file.name for file in (tmp_path / "report_files").iterdir()]
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)


def test_subgroups_equal_scores_of_their_clips():
    predictions = make_run(4).predictions
    frame = make_frame()
    tables = score_subgroups(predictions, frame)
    assert list(tables) == ["sex", "age group", "ethnicity"]
    sex = frame["sex"].to_numpy()[predictions["row"]]
    for name, row in tables["sex"].iterrows():
        mine = predictions[sex == name]
        assert row["score"] == balanced_accuracy_score(mine["true"], mine["predicted"])
        assert (row["n_clips"], row["n_speakers"]) == (90, 6)
        assert np.isnan(row["low"])  # of six speakers
    whole = tables["ethnicity"].loc["not hispanic"]
    assert whole["n_speakers"] == 11
    assert whole["low"] < whole["score"] < whole["high"]
    ages = frame.groupby("speaker")["age"].first()
    bounds = {"under 30": (0, 29), "30 to 44": (30, 44), "45 to 59": (45, 59)}
    bounds["60 and over"] = (60, 200)
    expected = {name: ages.between(*both).sum() for name, both in bounds.items()}
    assert tables["age group"]["n_speakers"].to_dict() == {k: v for k, v in expected.items() if v}
    assert list(tables["age group"].index) == [name for name in bounds if expected[name]]


def test_bounds_of_age_groups():
    frame = make_frame(6).assign(age=np.repeat([29, 30, 44, 45, 59, 60], len(SPOKEN)))
    predictions = frame.assign(true=frame["emotion"], predicted=frame["emotion"])
    ages = score_subgroups(predictions, frame)["age group"]
    assert ages["n_speakers"].to_dict() == {
        "under 30": 1, "30 to 44": 2, "45 to 59": 2, "60 and over": 1,
    }  # fmt: skip


def test_subgroups_that_are_not_known():
    predictions = make_run().predictions
    frame = make_frame()
    assert score_subgroups(predictions, None) == {}
    assert score_subgroups(predictions, frame[["emotion"]]) == {}
    assert score_subgroups(predictions, frame[["speaker", "emotion"]]) == {}
    assert score_subgroups(predictions.drop(columns="speaker"), frame) == {}
    assert score_subgroups(predictions, frame.assign(speaker="x")) == {}
    part_known = frame[frame["speaker"] != "s00"]
    tables = score_subgroups(predictions, part_known)
    assert tables["sex"]["n_speakers"].to_dict() == {"female": 5, "male": 6, "unknown": 1}
    said = score_subgroups(predictions, part_known.replace({"sex": {"male": "unknown"}}))["sex"]
    assert said["n_speakers"].to_dict() == {"female": 5, "unknown": 7}
    # Two sexes of one speaker are none.
    mixed = frame.assign(sex=frame["sex"].where(frame.index != 0, "male"))
    assert score_subgroups(predictions, mixed)["sex"].loc["unknown", "n_speakers"] == 1
    texts = score_subgroups(predictions, frame.assign(age=frame["age"].astype(str)))
    pd.testing.assert_frame_equal(
        texts["age group"], score_subgroups(predictions, frame)["age group"]
    )


def test_probabilities_that_are_none_cost_their_part_alone(tmp_path):
    scores = make_run(probabilities=True, recipe="scores")
    scores.probabilities = scores.probabilities / 2
    gaps = make_run(probabilities=True, recipe="gaps")
    gaps.probabilities.iloc[:7] = np.nan
    # An emotion that no fold was trained on has no column.
    fewer = make_run(probabilities=True, recipe="fewer")
    fewer.probabilities = fewer.probabilities[["anger", "calm"]]
    fewer.probabilities = fewer.probabilities.div(fewer.probabilities.sum(axis=1), axis=0)
    odd = make_run(recipe="odd")
    odd.histories = [[{"step": 1}]]
    page, document = write(tmp_path, [scores, gaps, fewer, odd])
    assert "sums to 0.5, not 1" in part(page, "run-1", "reliability").text
    assert "7 predictions without probabilities" in part(page, "run-2", "reliability").text
    expected = calibration_error(gaps.predictions["true"][7:], gaps.probabilities.iloc[7:])
    assert document["results"][1]["calibration"]["error"] == pytest.approx(expected)
    assert 0 < document["results"][2]["calibration"]["error"] < 1
    assert "no entry 'epoch'" in part(page, "run-4", "learning").text


def test_many_speakers_and_files(tmp_path):
    run = make_run()
    many = run.predictions.assign(speaker=[f"p{row % 90:02d}" for row in range(180)])
    run.update(
        predictions=many,
        **classification_summary(many["true"], many["predicted"], many["speaker"]),
        unreadable={f"{number}.wav": "empty" for number in range(500)},
    )
    page, document = write(tmp_path, [run])
    unreadable = part(page, "run-1", "unreadable")
    assert len(page.find("li", unreadable)) == 200
    assert "300 more" in unreadable.text
    assert len(document["results"][0]["unreadable"]) == 500
    assert len(page.table(part(page, "run-1", "speakers"))) == 91


def test_same_runs_same_page_whatever_the_style(tmp_path, full_runs):
    first = write_report(tmp_path / "a" / "report.html", full_runs[:2])
    with plt.style.context("dark_background"):
        second = write_report(str(tmp_path / "b" / "report.html"), full_runs[:2])
    assert isinstance(second, Path)
    for file in first.parent.rglob("*.*"):
        assert file.read_bytes() == (second.parent / file.relative_to(first.parent)).read_bytes()


def all_files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*"))


@pytest.fixture
def read_only():
    """A folder that all may read and nobody write; tmp_path is for one user's eyes."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


def test_read_only_folder(read_only, unprivileged):
    assert os.access(read_only, os.R_OK)
    with pytest.raises(PermissionError, match="the report cannot be written") as caught:
        write_report(read_only / "report.html", [make_run()])
    assert str(read_only) in str(caught.value)
    assert all_files(read_only) == []


@pytest.mark.parametrize("fails_at", [".png", ".json", ".html"])
def test_full_disk(tmp_path, monkeypatch, fails_at):
    """Half a write, then no room: what was there before stays, and nothing half is left."""
    old = tmp_path / f"report{fails_at}"
    if fails_at != ".png":
        old.write_text("what was there before")
    write_bytes = Path.write_bytes

    def write_some(self, data):
        if self.suffix == fails_at:
            write_bytes(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(OSError, match=r"cannot be written \(No space left") as caught:
        write_report(tmp_path / "report.html", [make_run()])
    assert caught.value.errno == errno.ENOSPC
    left = all_files(tmp_path)
    if fails_at == ".png":
        assert left == []
    else:
        assert old.read_text() == "what was there before"
        assert not [name for name in left if Path(name).name.startswith(".")]
        assert ("report.json" in left) == (fails_at in (".json", ".html"))
    monkeypatch.undo()
    write(tmp_path, [make_run()])  # and once there is room, it is whole
    assert not [name for name in all_files(tmp_path) if Path(name).name.startswith(".")]


def test_nothing_is_written_before_all_is_made(tmp_path):
    with pytest.raises(ValueError, match="no column 'emotion'"):
        write_report(
            tmp_path / "report.html",
            [make_run()],
            corpora={"mine": Bunch(frame=make_frame().drop(columns="emotion"))},
        )
    assert all_files(tmp_path) == []


def test_what_is_no_run_is_refused(tmp_path):
    page = tmp_path / "report.html"
    run = make_run(seed=0)
    with pytest.raises(ValueError, match="runs is empty"):
        write_report(page, [])
    with pytest.raises(TypeError, match=r"got Bunch\. A single run: write_report\(path, \[run\]\)"):
        write_report(page, run)
    with pytest.raises(TypeError, match="Run 1 is a str"):
        write_report(page, [run, "run"])
    with pytest.raises(ValueError, match="Run 0 has no 'predictions', 'per_class'"):
        write_report(page, [{**run, "predictions": None, "per_class": None}])
    with pytest.raises(ValueError, match=r"Runs 0 and 2 are the same recipe.*\(0\)"):
        write_report(page, [run, make_run(1, seed=1), make_run(2, seed=0)])
    with pytest.raises(ValueError, match=r"published 'accuracy' 94\.1: .* such as 0\.941"):
        write_report(page, [make_run(published={"accuracy": 94.1})])
    with pytest.raises(ValueError, match=r"must end in \.html, got .*report\.json"):
        write_report(tmp_path / "report.json", [run])
    with pytest.raises(TypeError, match=r"corpora by name, .* got a single corpus"):
        write_report(page, [run], corpora=make_corpus())
    with pytest.raises(TypeError, match="Corpus 'mine' is a DataFrame"):
        write_report(page, [run], corpora={"mine": make_frame()})
    assert all_files(tmp_path) == []


def test_no_network_is_asked(tmp_path, monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    write(tmp_path, [make_run()])


@pytest.mark.parametrize(
    ("counts", "on_dark"),
    [
        ([[40, 60], [45, 55]], {"60", "55"}),
        ([[90, 10], [30, 70]], {"90", "70"}),
        ([[40, 31, 29], [30, 32, 38], [34, 33, 33]], set()),
    ],
)
def test_numbers_of_a_confusion_matrix_are_legible(counts, on_dark):
    ax = Figure().subplots()
    plot_confusion(ax, pd.DataFrame(counts))
    white = {text.get_text() for text in ax.texts if sum(to_rgb(text.get_color())) > 2.5}
    dark = {text.get_text() for text in ax.texts if sum(to_rgb(text.get_color())) < 1.5}
    assert white == on_dark
    assert white | dark == {str(count) for row in counts for count in row}
