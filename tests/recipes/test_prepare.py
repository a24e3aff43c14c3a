"""What is fitted, and on which folds."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from sklearn.utils import Bunch

from sersk.augmentation import WaveformAugmenter
from sersk.datasets import load_csv
from sersk.datasets._base import make_corpus_bunch
from sersk.exceptions import LeakageWarning
from sersk.model_selection import ValidationHoldout
from sersk.recipes import PublishedSplit, _registry, prepare_run, recipe_info
from sersk.recipes._provenance import command, corpus_fingerprint

PROTOCOLS = ("random", "speaker", "text", "speaker+text", "corpus")


def but_for(corpus, /, **columns):
    """Give a corpus with other columns."""
    return make_corpus_bunch(corpus.frame.assign(**columns), descr="")


def change(monkeypatch, name, **facts):
    info = dataclasses.replace(recipe_info(name), **facts)
    monkeypatch.setitem(_registry._RECIPES, name, info)


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_five_protocols_never_share_clips_or_copies(protocol, studio, street):
    run = prepare_run("toy", [studio, street], protocol=protocol, n_splits=3)
    assert "augment" not in run.X.columns  # copies are made in training alone
    assert isinstance(run.estimator["augment"], WaveformAugmenter)
    assert len(run.folds) >= 2
    for train, test in run.folds:
        assert not set(run.X["path"].iloc[train]) & set(run.X["path"].iloc[test])
        if "speaker" in protocol:
            assert not set(run.X["speaker"].iloc[train]) & set(run.X["speaker"].iloc[test])
    assert run.n_leaked == [0] * len(run.folds)
    assert run.notes == []


@pytest.mark.usefixtures("toys")
def test_as_published_puts_copies_on_both_sides(studio, street):
    with pytest.warns(LeakageWarning, match="copies of .* are, too") as warned:
        run = prepare_run("toy", [studio, street], protocol="as-published", seed=3)
    assert run.notes == [str(warned[0].message)]
    n_clips = 2 * 9 * 2 * 2  # corpora, speakers, sentences, emotions that are kept
    assert len(run.X) == len(run.y) == len(run.rows) == 4 * n_clips  # three copies of each
    ((train, test),) = run.folds
    assert len(test) == 0.25 * len(run.X)
    assert sorted([*train, *test]) == list(range(len(run.X)))
    paths = run.X["path"].to_numpy()
    leaked = np.isin(paths[test], paths[train])
    assert leaked.mean() > 0.9
    assert run.n_leaked == [leaked.sum()]
    assert set(run.X["speaker"].iloc[test]) <= set(run.X["speaker"].iloc[train])
    # Stratified by emotion.
    assert (run.y[test] == "anger").sum() == (run.y[test] == "sadness").sum()
    # The pipeline makes no copies of copies, and oversamples as ever.
    steps = run.estimator.named_steps
    assert steps["augment"] == "passthrough"
    assert hasattr(steps["oversample"], "fit_resample")
    # Rows are those of the corpus.
    whole = np.concatenate([studio.frame["path"], street.frame["path"]])
    np.testing.assert_array_equal(whole[run.rows], paths)


@pytest.mark.usefixtures("toys")
def test_as_published_without_the_clips_themselves(studio):
    with pytest.warns(LeakageWarning, match="speakers of 27 of 27 tested clips"):
        run = prepare_run("toy_classical", studio, protocol="as-published")
    assert len(run.X) == len(studio.frame)
    assert run.X["augment"].notna().all()
    assert run.n_leaked == [0]


@pytest.mark.usefixtures("toys")
def test_validation_holds_out_speakers_unless_the_source_did_not(monkeypatch, studio):
    change(monkeypatch, "toy_classical", validation_size=0.2)
    run = prepare_run("toy_classical", studio, seed=5)
    assert isinstance(run.estimator, ValidationHoldout)
    told = run.estimator.get_params(deep=False)
    assert (told["size"], told["groups"], told["random_state"]) == (0.2, "speaker", 5)
    with pytest.warns(LeakageWarning):
        run = prepare_run("toy_classical", studio, protocol="as-published")
    assert not isinstance(run.estimator, ValidationHoldout)
    change(monkeypatch, "toy_classical", split=PublishedSplit(test_size=0.2, validation_size=0.1))
    with pytest.warns(LeakageWarning):
        run = prepare_run("toy_classical", studio, protocol="as-published")
    assert (run.estimator.size, run.estimator.groups) == (0.1, None)


@pytest.mark.usefixtures("toys")
def test_emotions_are_those_of_the_source_on_its_corpora_alone(studio, street):
    angry = but_for(studio, emotion=studio.frame["emotion"].replace("anger", "rage"))
    run = prepare_run("toy", angry)
    assert set(run.y) == {"anger", "sadness"}
    assert set(angry.target[run.rows]) == {"rage", "sadness"}
    np.testing.assert_array_equal(run.X["path"], angry.frame["path"].iloc[run.rows])
    other = but_for(angry, corpus="elsewhere")
    assert set(prepare_run("toy", other).y) == {"rage", "neutral", "sadness"}
    mixed = [street, but_for(studio, corpus="elsewhere")]
    assert set(prepare_run("toy", mixed).y) == {"anger", "neutral", "sadness"}


@pytest.mark.usefixtures("toys")
def test_what_does_not_go_together(monkeypatch, studio, street):
    def refuse(match, recipe, corpus, **options):
        with pytest.raises(ValueError, match=match):
            prepare_run(recipe, corpus, **options)

    published = {"protocol": "as-published"}
    refuse(
        "toy is published on studio and street together; street is missing", "toy", studio,
        **published,
    )  # fmt: skip
    refuse("toy_classical is published on studio; leave out street", "toy_classical",
           [studio, street], **published)  # fmt: skip
    refuse("got street, and studio is missing", "toy_classical", street, **published)
    refuse("has no published split", "svm_functionals", studio, **published)
    calm = studio.frame["emotion"].replace("neutral", "calm")
    refuse("nothing is said of calm", "toy", [but_for(studio, emotion=calm), street], **published)
    few = [but_for(part, emotion=part.frame["emotion"].replace("anger", "neutral"))
           for part in (studio, street)]  # fmt: skip
    refuse("the corpus has no clip of anger", "toy", few, **published)
    unknown = make_corpus_bunch(studio.frame.drop(columns="speaker"), descr="")
    refuse("has to be told who speaks", "toy_by_speaker", unknown, protocol="random")
    refuse("needs to know the speaker", "toy", unknown)
    refuse("Did you mean toy", "tooy", studio)
    refuse(r"takes no option 'strenght'. Did you mean strength\?", "toy", studio,
           options={"strenght": 1})  # fmt: skip
    refuse("comes from seeds", "toy", studio, options={"random_state": 1})
    refuse("plain values only", "toy", studio, options={"strength": np.zeros(1)})
    refuse("transforms cannot be chosen there", "toy", [studio, street], **published,
           options={"transforms": []})  # fmt: skip
    spared = ~studio.frame["emotion"].duplicated() | (studio.frame["emotion"] != "anger")
    rare = make_corpus_bunch(studio.frame[spared].reset_index(drop=True), descr="")
    refuse("of anger there is one clip only", "toy_classical", rare, **published)
    change(monkeypatch, "toy_classical", loading={"take": "all"})
    refuse("Load the corpus with take='all'", "toy_classical", but_for(studio, take="first"),
           **published)  # fmt: skip


@pytest.mark.usefixtures("toys")
def test_conditions(studio):
    assert prepare_run("toy", studio).condition == "a stranger's single clip"
    assert prepare_run("toy_by_speaker", studio).condition == "several clips of a speaker at hand"


def test_fingerprint_tells_corpora_apart_but_not_folders(two_folders, studio, tmp_path):
    whole = corpus_fingerprint(studio)
    assert whole.startswith("54-")
    shutil.copytree(two_folders / "studio", tmp_path / "moved")
    moved = load_csv(tmp_path / "moved" / "corpus.csv", name="studio")
    assert corpus_fingerprint(moved) == whole
    frame = studio.frame
    others = [
        make_corpus_bunch(frame.iloc[1:], descr=""),
        make_corpus_bunch(frame.iloc[::-1], descr=""),
        but_for(studio, speaker=frame["speaker"].replace(frame["speaker"][0], "x")),
        but_for(studio, emotion=frame["emotion"].replace("anger", "fear")),
        but_for(studio, start=0.1),
        but_for(studio, sentence="t9"),
        but_for(studio, corpus="street"),
        make_corpus_bunch(frame.drop(columns="speaker"), descr=""),
    ]
    assert len({whole, *map(corpus_fingerprint, others)}) == 9


def test_fingerprint_of_waveforms(small_corpus):
    first = corpus_fingerprint(small_corpus)
    louder = Bunch(frame=small_corpus.frame, data=small_corpus.data * 0.5)
    assert corpus_fingerprint(louder) != first
    assert corpus_fingerprint(Bunch(frame=small_corpus.frame, data=small_corpus.data)) == first


def test_commands_name_no_folders():
    assert command(["sersk", "benchmark", "m/m.toml", "--out", "../../me/out"]) == (
        "sersk benchmark m/m.toml --out out"
    )
    assert command(["/opt/bin/sersk", "benchmark", "/home/me/m.toml", "--out=/home/me/out"]) == (
        "sersk benchmark m.toml --out=out"
    )
