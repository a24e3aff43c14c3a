"""cross_corpus_table: strangers from elsewhere, and only the emotions that both sides have."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.utils import Bunch

from sersk.datasets import make_emotional_speech, write_corpus
from sersk.exceptions import CorpusWarning, SerskError, UnreadableAudioWarning
from sersk.metrics import speaker_bootstrap
from sersk.model_selection import ProtocolSplit, cross_corpus_table
from sersk.recipes import svm_functionals

EMOTIONS = {
    "north": ["anger", "calm", "fear"],
    "south": ["anger", "fear", "sadness"],
    "west": ["anger", "calm", "fear", "sadness"],
}


class RowRecorder(ClassifierMixin, BaseEstimator):
    """Notes which rows (first column) and emotions it is fitted on, and which it is asked about."""

    seen: list[tuple[set, set, set]] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.rows_ = set(X[:, 0].astype(int))
        return self

    def predict(self, X):
        self.seen.append((self.rows_, set(self.classes_), set(X[:, 0].astype(int))))
        return np.repeat(self.classes_[:1], len(X))


class NoFear(DummyClassifier):
    """Fails where it is not taught to fear."""

    def fit(self, X, y, sample_weight=None):
        if "fear" not in y:
            raise RuntimeError("there is nothing to fear")
        return super().fit(X, y)


def make_corpus(rng, name, emotions, *, n_speakers=9, first=0):
    """Vectors: a number of their own, and two that tell the emotions apart now and then."""
    target = np.tile(emotions, 4 * n_speakers)
    speakers = np.repeat([f"{name}_{number}" for number in range(n_speakers)], 4 * len(emotions))
    codes = np.array([sorted(set().union(*EMOTIONS.values())).index(each) for each in target])
    data = np.column_stack(
        [
            first + np.arange(len(target)),
            codes + rng.normal(size=len(target)),
            rng.normal(size=len(target)),
        ]
    )
    frame = pd.DataFrame({"emotion": target, "speaker": speakers, "corpus": name})
    return Bunch(data=data, target=target, groups=speakers, frame=frame)


@pytest.fixture
def corpora(rng):
    return {
        name: make_corpus(rng, name, emotions, first=1000 * number)
        for number, (name, emotions) in enumerate(EMOTIONS.items())
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two corpora of files."""
    corpora = {}
    for seed, name in enumerate(("studio", "street")):
        corpus = make_emotional_speech(
            n_speakers=2,
            n_sentences=1,
            repetitions=2,
            emotions=("anger", "sadness"),
            random_state=seed,
        )
        corpus.frame["corpus"] = name
        corpora[name] = write_corpus(corpus, tmp_path_factory.mktemp(name))
    return corpora


def test_trains_and_tests_on_shared_emotions_of_other_clips(corpora):
    RowRecorder.seen = []
    result = cross_corpus_table(RowRecorder(), corpora, n_splits=3)
    names = list(corpora)
    expected = []
    numbers = {
        name: {e: set(c.data[c.target == e, 0].astype(int)) for e in EMOTIONS[name]}
        for name, c in corpora.items()
    }
    for trained, tested in [([a], b) for a in names for b in names] + [
        ([a for a in names if a != b], b) for b in names
    ]:
        known = set().union(*(EMOTIONS[name] for name in trained)) & set(EMOTIONS[tested])
        if trained == [tested]:
            corpus = corpora[tested]
            for train, test in ProtocolSplit(n_splits=3).split(
                corpus.data, corpus.target, corpus.groups
            ):
                assert not set(corpus.groups[train]) & set(corpus.groups[test])
                rows = (set(corpus.data[part, 0].astype(int)) for part in (train, test))
                expected.append((next(rows), known, next(rows)))
            continue
        train = set().union(*(numbers[name].get(e, set()) for name in trained for e in known))
        expected.append((train, known, set().union(*(numbers[tested][e] for e in known))))
    assert RowRecorder.seen == expected
    assert len(expected) == 3 * 3 + 6 + 3
    assert result.emotions.loc["north", "south"] == ("anger", "fear")
    assert result.emotions.loc["all others", "north"] == ("anger", "calm", "fear")
    assert result.emotions.loc["west", "west"] == ("anger", "calm", "fear", "sadness")
    assert result.n_tested.loc["north", "south"] == 2 * 36
    assert result.n_tested.loc["south", "south"] == 3 * 36


def test_scores_equal_those_by_hand(corpora):
    model = GaussianNB()
    result = cross_corpus_table(model, corpora, n_splits=4, random_state=2)
    assert list(result.table.index) == [*corpora, "all others"]
    assert list(result.table.columns) == list(corpora)
    for tested, test in corpora.items():
        predicted = cross_val_predict(
            model,
            test.data,
            test.target,
            groups=test.groups,
            cv=ProtocolSplit(n_splits=4, random_state=2),
        )
        interval = speaker_bootstrap(test.target, predicted, test.groups, random_state=2)
        assert_allclose(result.table.loc[tested, tested], interval.score)
        assert_allclose(result.low.loc[tested, tested], interval.low)
        assert_allclose(result.high.loc[tested, tested], interval.high)
        rest = {name: [corpus] for name, corpus in corpora.items() if name != tested}
        rest["all others"] = [corpora[name] for name in rest]
        for trained, some in rest.items():
            X = np.concatenate([corpus.data for corpus in some])
            y = np.concatenate([corpus.target for corpus in some])
            learnt, asked = np.isin(y, test.target), np.isin(test.target, y)
            predicted = clone(model).fit(X[learnt], y[learnt]).predict(test.data[asked])
            uar = balanced_accuracy_score(test.target[asked], predicted)
            assert_allclose(result.table.loc[trained, tested], uar)
            part = result.predictions.query("trained_on == @trained and tested_on == @tested")
            assert_array_equal(part["row"], np.flatnonzero(asked))
            assert_array_equal(part["true"], test.target[asked])
            assert_array_equal(part["predicted"], predicted)
            assert_array_equal(part["speaker"], test.groups[asked])
    assert (result.low < result.table).all(axis=None)
    assert (result.high > result.table).all(axis=None)
    assert result.unreadable == {}


class WantsSpeakers(ClassifierMixin, BaseEstimator):
    """Holds speakers out by itself, and so has to be told of them."""

    told: list[object] = []

    def fit(self, X, y, groups=None):
        self.told.append(None if groups is None else (len(groups), set(groups["speaker"])))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


def test_who_speaks_is_told_to_those_who_ask(corpora):
    WantsSpeakers.told.clear()
    names = list(corpora)[:2]
    corpora = {name: corpora[name] for name in names}
    corpora[names[1]].frame = corpora[names[1]].frame.drop(columns="speaker")
    corpora[names[1]].groups = None
    with pytest.warns(CorpusWarning):
        cross_corpus_table(WantsSpeakers(), corpora, n_splits=3)
    known = set(corpora[names[0]].groups)
    across = [told for told in WantsSpeakers.told if told and told[1] == known]
    within = [told for told in WantsSpeakers.told if told and told[1] < known]
    assert (len(across), len(within), WantsSpeakers.told.count(None)) == (1, 3, 1)


def test_of_two_the_others_are_the_other(corpora):
    del corpora["west"]
    RowRecorder.seen = []
    result = cross_corpus_table(RowRecorder(), corpora, n_splits=2)
    assert len(RowRecorder.seen) == 2 * 2 + 2
    for table in (result.table, result.n_tested, result.emotions):
        assert table.loc["all others", "north"] == table.loc["south", "north"]
        assert table.loc["all others", "south"] == table.loc["north", "south"]
    assert len(result.predictions) == result.n_tested.to_numpy().sum()


def test_processes_give_the_same(corpora):
    runs = [cross_corpus_table(GaussianNB(), corpora, n_jobs=n_jobs) for n_jobs in (1, 2)]
    pd.testing.assert_frame_equal(runs[0].predictions, runs[1].predictions)
    pd.testing.assert_frame_equal(runs[0].table, runs[1].table)


def test_labels_of_chance_score_chance_on_others(corpora, rng):
    for corpus in corpora.values():
        corpus.target = rng.permutation(corpus.target)
        corpus.data[:, 0] = 0
    result = cross_corpus_table(GaussianNB(), corpora)
    chance = 1 / result.emotions.map(len)
    # Of twelve intervals of 95 %, more than two should rarely miss.
    missed = (result.low > chance) | (result.high < chance)
    assert missed.to_numpy().sum() <= 2


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_files_are_read_and_bad_ones_named(written):
    corpora = {name: Bunch(**corpus) for name, corpus in written.items()}
    corpora["street"].data = written["street"].data.copy()
    corpora["street"].data.loc[1, "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning, match="'gone.wav'"):
        result = cross_corpus_table(svm_functionals(n_mfcc=5, duration=1.5), corpora)
    assert list(result.unreadable) == ["gone.wav"]
    assert (result.n_tested == 8).all(axis=None)
    assert result.table.notna().all(axis=None)
    assert result.low.isna().all(axis=None)  # of two speakers there is none


def test_tables_with_other_columns_go_together(written):
    corpora = {name: Bunch(**corpus) for name, corpus in written.items()}
    corpora["street"].data = written["street"].data.assign(start=0.0, stop=np.nan, more="than that")
    result = cross_corpus_table(svm_functionals(n_mfcc=5, duration=1.5), corpora)
    plain = cross_corpus_table(svm_functionals(n_mfcc=5, duration=1.5), written)
    pd.testing.assert_frame_equal(result.table, plain.table)


@pytest.mark.parametrize("who", ["nobody", "one of them", "one for all"])
def test_without_speakers_there_is_no_test_within(corpora, who):
    corpus = corpora["south"]
    if who == "nobody":
        corpus.groups, corpus.frame = None, corpus.frame.drop(columns="speaker")
    elif who == "one of them":
        corpus.frame.loc[5, "speaker"] = None
    else:
        corpus.frame["speaker"] = "south_1"
    with pytest.warns(CorpusWarning, match="Not tested within itself: south"):
        result = cross_corpus_table(GaussianNB(), corpora)
    assert np.argwhere(result.table.isna()).tolist() == [[1, 1]]
    assert result.n_tested.loc["south", "south"] == 0
    assert result.low["south"].isna().all()
    assert result.low["north"].notna().all()


def test_a_pair_that_fails_is_named(corpora):
    corpora["east"] = Bunch(
        data=np.zeros((4, 3)), target=np.array(["calm", "sadness"] * 2), groups=list("aabb")
    )
    corpora = {name: corpora[name] for name in ("west", "east")}
    # Of two at once, either may be the first to fail.
    for n_jobs, first in ((1, "'west', tested on 'east'"), (2, "'(west|east)', tested on '.*'")):
        with pytest.raises(SerskError, match=rf"trained on {first}: Runtime.*fear"):
            cross_corpus_table(NoFear(), corpora, n_jobs=n_jobs)


def test_too_few_shared_emotions_are_told_before_anything_is_fitted(corpora):
    RowRecorder.seen = []
    corpora["east"] = Bunch(data=np.zeros((2, 3)), target=["calm", "joy"], groups=["a", "b"])
    with pytest.raises(
        ValueError, match=r"trained on 'north', tested on 'east': both sides have calm,"
    ):
        cross_corpus_table(RowRecorder(), {name: corpora[name] for name in ("north", "east")})
    assert not RowRecorder.seen


def test_strangers_must_be_strangers(corpora, written):
    corpora["south"].frame.loc[0, "speaker"] = "north_3"
    with pytest.raises(ValueError, match="'north' and 'south' share the speaker 'north_3'"):
        cross_corpus_table(GaussianNB(), corpora)
    twice = {"a": written["studio"], "b": Bunch(**written["studio"])}
    twice["b"].frame = twice["b"].frame.drop(columns="speaker")
    twice["b"].groups = None
    twice["b"].data = twice["b"].data.assign(start=0.5, stop=np.nan)
    with pytest.raises(ValueError, match=r"'a' and 'b' share the file '.*wav'"):
        cross_corpus_table(DummyClassifier(), twice)


def test_strangers_must_be_strangers_where_a_speaker_is_missing(corpora):
    """One clip that nobody is known of hides no namesakes among the others."""
    frame = corpora["south"].frame
    frame["speaker"] = frame["speaker"].where(frame.index != 5).astype(object)
    frame.loc[0, "speaker"] = "north_3"
    with pytest.raises(ValueError, match="'north' and 'south' share the speaker 'north_3'"):
        cross_corpus_table(GaussianNB(), corpora)
    # Numbers become others beside an empty cell.
    for name, first in (("north", 1), ("south", 4), ("west", 50)):
        corpora[name].frame["speaker"] = first + np.arange(len(corpora[name].target)) // 12
    corpora["south"].frame["speaker"] = frame["speaker"].where(frame.index != 5)
    with pytest.raises(ValueError, match="'north' and 'south' share the speaker '4'"):
        cross_corpus_table(GaussianNB(), corpora)


@pytest.mark.skipif(os.name != "posix", reason="links need privileges elsewhere")
@pytest.mark.parametrize("spelling", ["relative", "folder", "file"])
@pytest.mark.parametrize("form", [pd.DataFrame, np.array])
def test_a_file_is_the_same_under_another_spelling(written, tmp_path, monkeypatch, spelling, form):
    table = written["studio"].data
    path = table["path"][3]
    if spelling == "relative":
        monkeypatch.chdir(os.path.dirname(path))
        other = os.path.basename(path)
    elif spelling == "folder":
        (tmp_path / "link").symlink_to(os.path.dirname(path))
        other = f"{tmp_path}/link/{os.path.basename(path)}"
    else:
        other = f"{tmp_path}/other.wav"
        os.symlink(path, other)
    paths = {"a": table["path"].tolist(), "b": [other, *written["street"].data["path"][1:]]}
    corpora = {
        name: Bunch(
            data=form({"path": paths[name]}) if form is pd.DataFrame else form(paths[name]),
            target=corpus.target,
            groups=None,
        )
        for name, corpus in zip("ab", written.values(), strict=True)
    }
    with pytest.raises(ValueError, match=r"'a' and 'b' share the file '.*wav'"):
        cross_corpus_table(DummyClassifier(), corpora)


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize(("kind", "other"), [("i2", "f4"), ("i2", "i4"), ("f8", "i8")])
def test_waveforms_of_different_scale_are_not_joined(corpora, form, kind, other):
    for name, each in zip(corpora, (kind, kind, other), strict=True):
        corpora[name].data = form(corpora[name].data.astype(each))
    found = rf"'south' {np.dtype(kind)}, 'west' {np.dtype(other)}.*data / 2\.0\*\*15"
    with pytest.raises(ValueError, match=found):
        cross_corpus_table(GaussianNB(), corpora)


@pytest.mark.parametrize("kinds", [("f4", "f8", "f4"), ("i2", ">i2", "i2")])
def test_waveforms_of_one_scale_are_joined(corpora, kinds):
    for corpus, kind in zip(corpora.values(), kinds, strict=True):
        corpus.data = corpus.data.astype(kind)
    assert cross_corpus_table(GaussianNB(), corpora).table.notna().all(axis=None)


def test_bad_corpora(corpora, written):
    model = DummyClassifier()
    with pytest.raises(ValueError, match="'corpora' parameter"):
        cross_corpus_table(model, list(corpora.values()))
    with pytest.raises(ValueError, match="at least two"):
        cross_corpus_table(model, {"north": corpora["north"]})
    with pytest.raises(ValueError, match="'all others'"):
        cross_corpus_table(model, {"all others": corpora["north"], "south": corpora["south"]})
    with pytest.raises(ValueError, match=r"corpora\['x'\] must be a Bunch.*got str"):
        cross_corpus_table(model, {"x": "RAVDESS", **corpora})
    with pytest.raises(ValueError, match=r"'north'.*'studio' a table"):
        cross_corpus_table(model, {**corpora, "studio": written["studio"]})
    corpora["south"].data = corpora["south"].data[:, :2]
    with pytest.raises(ValueError, match=r"'south' \(2,\).*write_corpus"):
        cross_corpus_table(model, corpora)
    corpora["south"].data = corpora["south"].data[1:]
    with pytest.raises(ValueError, match="has 107 clips, 108 emotions, 108 speakers"):
        cross_corpus_table(model, corpora)


def test_different_sample_rates_are_refused(written):
    pipeline = svm_functionals().set_params(features__transformer__mfcc__sample_rate=22050)
    with pytest.raises(ValueError, match="different sample rates"):
        cross_corpus_table(pipeline, written)
