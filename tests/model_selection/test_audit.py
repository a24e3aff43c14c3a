"""audit_leakage: chance where nothing leaks, far above it where something does."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from imblearn import FunctionSampler
from imblearn.base import BaseSampler
from imblearn.combine import SMOTEENN
from imblearn.ensemble import BalancedBaggingClassifier
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline as make_chain

from sersk.augmentation import AddNoise, Gain, WaveformAugmenter
from sersk.exceptions import CorpusWarning, UnreadableAudioWarning
from sersk.feature_extraction import MFCC, Functionals, PerClip
from sersk.model_selection import ProtocolSplit, audit_leakage, evaluate_protocol
from sersk.model_selection._audit import _number_sounds
from sersk.preprocessing import AudioReader, DropUnreadable
from sersk.recipes import svm_functionals

COPIES, OVERSAMPLING = "copies before the split", "oversampling before the split"
HONEST = ["random", "text", "speaker", "speaker+text"]

# How many clips have each of the labels that mean nothing. Unequal, so that there is something to
# oversample.
COUNTS = {"anger": 24, "calm": 15, "fear": 9}
CHANCE = 1 / len(COUNTS)
SEEDS = range(5)


def margin(n_seeds):
    """Four standard errors of the mean UAR of guessing each label as often as it occurs."""
    n_clips = sum(COUNTS.values())
    variances = [n / n_clips * (1 - n / n_clips) / n for n in COUNTS.values()]
    return 4 * np.sqrt(sum(variances)) / len(COUNTS) / np.sqrt(n_seeds)


def check_chance(audits):
    """Raise where a condition in which nothing should leak is not at chance."""
    uar = pd.DataFrame([audit.table["balanced_accuracy"] for audit in audits]).mean()
    for condition in [name for name in HONEST if name in uar]:
        off = uar[condition] - CHANCE
        assert abs(off) < margin(len(audits)), f"{condition} is off chance by {off:.2f}"


def shuffled_labels(seed):
    return np.random.default_rng(seed).permutation(np.repeat(list(COUNTS), list(COUNTS.values())))


@pytest.fixture(scope="module")
def clips(written_corpus):
    """Two windows of each recording, and speakers and sentences enough to keep them apart."""
    paths = written_corpus.data[["path"]]
    windows = [paths.assign(start=start, stop=start + 0.4) for start in (0.0, 0.4)]
    table = pd.concat(windows, ignore_index=True)
    number = np.arange(len(table))
    return table.assign(
        speaker=[f"s{who}" for who in number % 6], sentence=[f"t{what}" for what in number // 6 % 4]
    )


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Vectors in which a copy is next to its clip, and emotions are not to be heard."""
    chain = make_chain(
        AudioReader(duration=0.4), MFCC(n_mfcc=8), Functionals(statistics=("mean", "std"))
    )
    return PerClip(chain, memory=tmp_path_factory.mktemp("memory"))


def nearest():
    return KNeighborsClassifier(1, algorithm="kd_tree")


def faint_copies():
    """Copies that hardly differ, which a nearest neighbour finds."""
    return WaveformAugmenter(Gain(gain_db=(-0.1, 0.1)), copies=3, random_state=0)


SAMPLERS = {
    "oversampling": lambda: [RandomOverSampler(random_state=0)],
    "augmentation": lambda: [
        WaveformAugmenter([Gain(gain_db=(-0.1, 0.1)), AddNoise(snr_db=(50, 60))], random_state=0)
    ],
    "both": lambda: [RandomOverSampler(random_state=0), faint_copies()],
}


@pytest.mark.parametrize("samplers", SAMPLERS)
def test_random_labels_score_chance_unless_something_leaks(clips, features, samplers):
    pipeline = make_pipeline(*SAMPLERS[samplers](), features, nearest())
    audits = [
        audit_leakage(pipeline, clips, shuffled_labels(seed), augmenter=faint_copies(), n_splits=2)
        for seed in SEEDS
    ]
    check_chance(audits)
    for audit in audits:
        assert audit.table["leaks"].tolist() == [True, True, False, False, False, False]
        assert (audit.table.loc[HONEST, "n_leaked"] == 0).all()
    uar = pd.DataFrame([audit.table["balanced_accuracy"] for audit in audits]).mean()
    assert uar[COPIES] > CHANCE + 3 * margin(len(SEEDS))
    assert uar[OVERSAMPLING] > CHANCE + 2 * margin(len(SEEDS))


class Peeker(BaseSampler):
    """A sampler that breaks the boundary of the fold: it adds clips that it was never given."""

    _sampling_type = "bypass"
    sampling_strategy = "auto"
    everything: tuple = ()

    def fit_resample(self, X, y, **params):
        more, labels = self.everything
        return pd.concat([X, more], ignore_index=True), np.concatenate([y, labels])

    def _fit_resample(self, X, y):
        raise NotImplementedError


@pytest.mark.parametrize("condition", HONEST)
def test_a_sampler_that_peeks_is_found_out(clips, features, condition, monkeypatch):
    y = shuffled_labels(0)
    monkeypatch.setattr(Peeker, "everything", (clips, y))
    broken = make_pipeline(Peeker(), features, nearest())
    audit = audit_leakage(broken, clips, y, conditions=condition, n_splits=2)
    with pytest.raises(AssertionError, match=f"^{condition.replace('+', '.')} is off chance by"):
        check_chance([audit])


def test_copies_made_beforehand_are_found_out(clips, features):
    """They leak unless speakers, or sentences, are kept apart: copies have those of their clip."""
    table, y = faint_copies().fit_resample(clips, shuffled_labels(0))
    audit = audit_leakage(
        make_pipeline(features, nearest()), table, y, conditions=HONEST, n_splits=2
    )
    assert audit.table["leaks"].to_dict() == {
        "random": True, "text": False, "speaker": False, "speaker+text": False,
    }  # fmt: skip
    with pytest.raises(AssertionError, match="random is off chance"):
        check_chance([audit])


SEEN: list[tuple[str, set]] = []


def rows_of(table):
    return set(zip(table["path"], table["start"], strict=True))


class RecordingOverSampler(RandomOverSampler):
    def fit_resample(self, X, y, **params):
        SEEN.append(("oversampler", rows_of(X)))
        return super().fit_resample(X, y, **params)


class RecordingAugmenter(WaveformAugmenter):
    def fit_resample(self, X, y, **params):
        SEEN.append(("augmenter", rows_of(X)))
        return super().fit_resample(X, y, **params)


class Recorder(TransformerMixin, BaseEstimator):
    """Stands in for features: notes the clips, and whether they are copies."""

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def fit_transform(self, X, y=None):
        SEEN.append(("training", rows_of(X)))
        return self.fit(X).transform(X, note=False)

    def transform(self, X, note=True):
        if note:
            copies = "augment" in X.columns and X["augment"].notna().any()
            SEEN.append(("copies tested" if copies else "tested", rows_of(X)))
        return np.zeros((len(X), 1))


@pytest.mark.parametrize("condition", HONEST)
def test_samplers_see_training_rows_alone(clips, condition):
    y = shuffled_labels(0)
    pipeline = make_pipeline(
        RecordingOverSampler(random_state=0),
        RecordingAugmenter([Gain()], random_state=0),
        Recorder(),
        DummyClassifier(),
    )
    SEEN.clear()
    audit_leakage(pipeline, clips, y, conditions=condition, n_splits=2)
    expected = []
    for train, test in ProtocolSplit(condition, n_splits=2).split(clips, y):
        mine = rows_of(clips.iloc[train])
        expected += [("oversampler", mine), ("augmenter", mine), ("training", mine)]
        expected += [("tested", rows_of(clips.iloc[test]))]
        assert not mine & rows_of(clips.iloc[test])
    assert expected == SEEN


def test_before_the_split_the_samplers_are_out_of_the_pipeline(clips):
    y = shuffled_labels(0)
    pipeline = make_pipeline(
        RecordingOverSampler(random_state=0),
        RecordingAugmenter([Gain()], random_state=0),
        Recorder(),
        DropUnreadable(),
        RandomUnderSampler(random_state=0),
        DummyClassifier(),
    )
    SEEN.clear()
    audit = audit_leakage(pipeline, clips, y, conditions=[COPIES], n_splits=2)
    assert [who for who, _ in SEEN] == ["augmenter", *["training", "copies tested"] * 2]
    assert SEEN[0][1] == rows_of(clips)  # the pipeline's own makes the copies, of all clips
    assert isinstance(audit.augmenter, RecordingAugmenter)
    SEEN.clear()
    audit_leakage(pipeline, clips, y, conditions=OVERSAMPLING, n_splits=2)
    assert [who for who, _ in SEEN] == ["training", "tested"] * 2


def test_unreadable_files_stay_out_of_training_and_are_named_once(clips):
    table = clips.copy()
    table.loc[[3, 7], "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning, match=r"1 file\(s\) could not be read") as caught:
        audit = audit_leakage(
            svm_functionals(n_mfcc=5, duration=0.4), table, shuffled_labels(0), n_splits=2
        )
    assert len(caught) == 1
    assert all(result.unreadable for result in audit.results.values())


class Holder(ClassifierMixin, BaseEstimator):
    """A meta-estimator: fits what it holds."""

    def __init__(self, pipeline, augmenter=None):
        self.pipeline = pipeline
        self.augmenter = augmenter

    def fit(self, X, y):
        self.pipeline_ = clone(self.pipeline).fit(X, y)
        self.classes_ = self.pipeline_.classes_
        return self

    def predict(self, X):
        return self.pipeline_.predict(X)


NESTINGS = {
    "holder": Holder,
    "holder in a pipeline": lambda flat: make_chain("passthrough", Holder(flat)),
    "vote": lambda flat: make_chain(VotingClassifier([("one", flat)])),
    "search": lambda flat: GridSearchCV(flat, {"dummyclassifier__random_state": [0]}, cv=2),
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_before_the_split_samplers_are_out_of_nested_pipelines(clips, nesting):
    flat = make_pipeline(
        RecordingOverSampler(random_state=0),
        RecordingAugmenter([Gain()], random_state=0),
        Recorder(),
        RandomUnderSampler(random_state=0),
        DummyClassifier(),
    )
    SEEN.clear()
    audit = audit_leakage(
        NESTINGS[nesting](flat), clips, shuffled_labels(0), conditions=[COPIES, OVERSAMPLING],
        n_splits=2,
    )  # fmt: skip
    assert [who for who, _ in SEEN if who in ("oversampler", "augmenter")] == ["augmenter"]
    assert SEEN[0] == ("augmenter", rows_of(clips))
    assert isinstance(audit.augmenter, RecordingAugmenter)
    SEEN.clear()
    audit_leakage(
        NESTINGS[nesting](flat), clips, shuffled_labels(0), conditions="random", n_splits=2
    )
    assert {"oversampler", "augmenter"} <= {who for who, _ in SEEN}


def test_samplers_within_samplers_go_with_them(vectors):
    X, y, frame = vectors
    combined = make_pipeline(SMOTEENN(smote=SMOTE(random_state=0), random_state=0), nearest())
    audit = audit_leakage(Holder(combined), X, y, frame, conditions=OVERSAMPLING)
    assert audit.table["leaks"].all()


def test_a_sampler_that_is_no_step_is_refused_where_it_must_go(vectors):
    X, y, frame = vectors
    bagging = BalancedBaggingClassifier(nearest(), sampler=RandomOverSampler(), random_state=0)
    with pytest.raises(
        ValueError, match=r"'oversampling.*sampler=RandomOverSampler cannot be taken out"
    ):
        audit_leakage(bagging, X, y, frame, conditions=[OVERSAMPLING, "random"])
    holder = Holder(nearest_pipeline(), augmenter=WaveformAugmenter(Gain()))
    with pytest.raises(ValueError, match="augmenter=WaveformAugmenter cannot be taken out"):
        audit_leakage(make_pipeline(holder), X, y, frame, conditions=[OVERSAMPLING])
    bagging.set_params(n_estimators=2)
    with pytest.warns(CorpusWarning, match="'copies before.*'oversampling before"):
        audit = audit_leakage(bagging, X, y, frame)
    assert audit.table.index.tolist() == HONEST
    # One that only chooses may stay.
    bagging.set_params(sampler=RandomUnderSampler(random_state=0))
    audit = audit_leakage(bagging, X, y, frame, conditions=OVERSAMPLING)
    assert audit.left_out == {}


def test_the_same_sound_is_the_same_however_it_is_put_down(vectors):
    """Zeros have signs, NaN has many forms, and what follows a clip's end is no part of it."""
    X, y, frame = vectors
    other_nan = np.array([0xFFF8000000000001], dtype=np.uint64).view(np.float64)[0]
    assert np.isnan(other_nan)
    X = np.column_stack([X[:60], np.zeros(60), np.full(60, np.nan)])
    twins = X.copy()
    twins[:, -2], twins[:, -1] = -0.0, other_nan
    images = np.stack([X, X], axis=1)
    ragged = [*(clip[:-1].astype(np.float32) for clip in X), *X.astype(np.float32)]
    frames = pd.DataFrame(np.vstack([X, twins])).assign(flag=[True, False] * 60)
    for clips in (
        np.vstack([X, twins]),
        pd.DataFrame(np.vstack([X, twins])),
        frames,
        np.vstack([X, twins]).astype(object),
        csr_array(np.vstack([X, twins])),
        np.concatenate([images, np.stack([twins, twins], axis=1)]),
        ragged,
    ):
        numbers = _number_sounds(clips)
        assert_array_equal(numbers, np.tile(np.arange(60), 2))
    # What is missing in the middle, and where a series ends, tells clips apart.
    gap = X.copy()
    gap[:, 2] = np.nan
    assert len(set(_number_sounds(np.vstack([X, gap])))) == 120
    assert len(set(_number_sounds(np.stack([X[:1], gap[:1]], axis=1).repeat(2, 0)))) == 1

    audit = audit_leakage(
        make_pipeline(SimpleImputer(keep_empty_features=True), nearest()),
        np.vstack([X, twins]),
        y,
        frame,
        conditions="random",
    )
    assert audit.table["leaks"].all()


@pytest.fixture
def vectors(rng):
    frame = pd.DataFrame({"speaker": np.arange(120) % 10, "sentence": np.arange(120) // 10 % 4})
    y = rng.choice(["anger", "calm", "fear"], p=[0.5, 0.3, 0.2], size=120)
    return rng.normal(size=(120, 5)), y, frame


NO_COPIES = [OVERSAMPLING, *HONEST]


def test_table_and_results(vectors):
    X, y, frame = vectors
    audit = audit_leakage(nearest_pipeline(), X, y, frame, conditions=NO_COPIES, random_state=3)
    table = audit.table
    assert table.index.name == "condition"
    assert table.columns.tolist() == [
        "leaks", "n_leaked", "n_tested", "balanced_accuracy", "low", "high", "accuracy",
        "f1_macro", "above_speaker",
    ]  # fmt: skip
    assert table.index.tolist() == NO_COPIES == list(audit.results)
    assert table["leaks"].dtype == bool
    assert table["n_tested"].tolist() == [3 * np.unique(y, return_counts=True)[1].max(), *[120] * 4]
    assert (table["low"] < table["high"]).all()
    strangers = table.loc["speaker", "balanced_accuracy"]
    np.testing.assert_allclose(table["above_speaker"], table["balanced_accuracy"] - strangers)
    assert (audit.n_splits, audit.random_state, audit.chance) == (5, 3, pytest.approx(1 / 3))
    assert audit.left_out == {}
    for condition in HONEST:
        alone = evaluate_protocol(
            nearest_pipeline(), X, y, groups=frame, protocol=condition, random_state=3
        )
        mine = audit.results[condition]
        pd.testing.assert_frame_equal(mine.predictions.drop(columns="source"), alone.predictions)
        assert table.loc[condition, "f1_macro"] == alone.scores.loc["f1_macro", "score"]
    predictions = audit.results[OVERSAMPLING].predictions
    assert_array_equal(predictions["true"], y[predictions["source"]])
    assert set(predictions["source"]) == set(range(120))


def nearest_pipeline(*steps):
    return make_pipeline(*steps, RandomOverSampler(random_state=0), nearest())


def test_same_seed_same_audit(clips, features):
    runs = [
        audit_leakage(
            make_pipeline(features, nearest()), table, shuffled_labels(1),
            conditions=[COPIES, OVERSAMPLING, "speaker"], n_splits=2, random_state=seed,
        ).table
        for table, seed in ((clips, 0), (clips.set_axis(range(48, 0, -1)), 0), (clips, 1))
    ]  # fmt: skip
    pd.testing.assert_frame_equal(runs[0], runs[1])
    for condition in (COPIES, OVERSAMPLING):
        assert not runs[0].loc[condition].equals(runs[2].loc[condition])


def test_an_augmenter_without_a_seed_gets_that_of_the_audit(clips, features):
    mine = WaveformAugmenter([Gain()])
    audit = audit_leakage(
        make_pipeline(features, nearest()), clips, shuffled_labels(1), augmenter=mine,
        conditions=COPIES, n_splits=2, random_state=7,
    )  # fmt: skip
    assert audit.augmenter.random_state == 7
    assert mine.random_state is None


def test_processes_give_the_same(vectors):
    X, y, frame = vectors
    conditions = [COPIES, "random", "speaker"]
    runs = [
        audit_leakage(
            nearest_pipeline(), X, y, frame, augmenter=Jitter(), conditions=conditions,
            n_jobs=n_jobs,
        )
        for n_jobs in (None, 2)
    ]  # fmt: skip
    pd.testing.assert_frame_equal(runs[0].table, runs[1].table)


def test_what_is_not_known_is_left_out_with_one_warning(vectors, clips, features):
    X, y, frame = vectors
    with pytest.warns(CorpusWarning) as caught:
        audit = audit_leakage(nearest_pipeline(), X, y, frame["speaker"])
    assert len(caught) == 1
    assert os.path.samefile(caught[0].filename, __file__)
    message = str(caught[0].message)
    assert "'copies before the split': no step of the pipeline names a sample rate" in message
    assert "'text': Protocol 'text' needs to know the sentence" in message
    assert audit.table.index.tolist() == [OVERSAMPLING, "random", "speaker"]
    assert list(audit.left_out) == [COPIES, "text", "speaker+text"]

    with pytest.warns(CorpusWarning, match="needs to know the speaker"):
        audit = audit_leakage(nearest_pipeline(), X, y)
    assert audit.table.index.tolist() == [OVERSAMPLING, "random"]
    assert audit.table[["low", "high", "above_speaker"]].isna().all(axis=None)

    with pytest.warns(CorpusWarning, match="'speaker': All clips have the same speaker"):
        audit = audit_leakage(nearest_pipeline(), X, y, frame.assign(speaker="me"))
    assert "speaker" not in audit.table.index
    with pytest.warns(CorpusWarning, match="'text': Row 2 has no sentence"):
        audit_leakage(
            make_pipeline(features, nearest()),
            clips.assign(sentence=clips["sentence"].where(clips.index != 2)),
            shuffled_labels(0),
            n_splits=2,
        )


def test_fewer_speakers_than_folds(vectors):
    X, y, frame = vectors
    few = frame.assign(speaker=frame["speaker"] % 3)
    audit = audit_leakage(nearest_pipeline(), X, y, few, conditions=["random", "speaker"])
    assert len(audit.results["speaker"].folds) == 3
    assert audit.table[["low", "high"]].isna().all(axis=None)


def test_groups_and_columns_complete_each_other(clips):
    y = shuffled_labels(0)
    pipeline = make_pipeline(Recorder(), DummyClassifier())
    # A vector are the speakers; the sentences are those of the table.
    audit = audit_leakage(
        pipeline, clips, y, np.repeat(["a", "b"], 24), conditions=HONEST, n_splits=2
    )
    assert set(audit.results["random"].predictions["speaker"]) == {"a", "b"}
    assert set(audit.results["speaker"].per_speaker.index) == {"a", "b"}
    assert len(audit.results["text"].folds) == 2


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.parametrize("rate", [16000, 8000])
def test_waveforms(small_corpus, rate):
    chain = make_chain(
        AudioReader(sample_rate=rate), MFCC(sample_rate=rate, n_mfcc=5), Functionals()
    )
    pipeline = make_pipeline(PerClip(chain), nearest())
    waveforms = small_corpus.data[:, :16000]
    audit = audit_leakage(
        pipeline, waveforms, small_corpus.target, small_corpus.frame, n_splits=2,
        conditions=[COPIES, "speaker"],
    )  # fmt: skip
    assert audit.table["n_tested"].tolist() == [96, 24]
    assert audit.table["leaks"].tolist() == [True, False]
    assert audit.augmenter.sample_rate == rate
    if rate == 8000:
        with pytest.raises(ValueError, match="different sample rates"):
            audit_leakage(
                pipeline, waveforms, small_corpus.target, small_corpus.frame,
                augmenter=faint_copies(),
            )  # fmt: skip


def test_a_list_of_paths_will_do(written_corpus):
    pipeline = svm_functionals(n_mfcc=5, duration=1.0)
    audit = audit_leakage(
        pipeline, written_corpus.data["path"].tolist(), written_corpus.target,
        written_corpus.frame, conditions=[COPIES, "random"], n_splits=2,
    )  # fmt: skip
    assert audit.table["n_tested"].tolist() == [96, 24]


class Jitter(BaseSampler):
    """Copies of vectors."""

    _sampling_type = "bypass"
    sampling_strategy = "auto"

    def fit_resample(self, X, y, **params):
        self.sample_indices_ = np.tile(np.arange(len(X)), 2)
        return np.concatenate([X, X + 1e-6]), np.tile(y, 2)

    def _fit_resample(self, X, y):
        raise NotImplementedError


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
def test_copies_of_vectors_with_an_augmenter_for_them(vectors, form):
    X, y, frame = vectors
    audit = audit_leakage(
        nearest_pipeline(), form(X), y, frame, augmenter=Jitter(), conditions=[COPIES, "speaker"]
    )
    assert audit.table.loc[COPIES, "n_tested"] == 240
    assert audit.table.loc[COPIES, "balanced_accuracy"] > 0.7
    for mute in (SMOTE(random_state=0), FunctionSampler()):
        with pytest.raises(ValueError, match=f"{type(mute).__name__} does not tell in sample_ind"):
            audit_leakage(nearest_pipeline(), X, y, frame, augmenter=mute)


def test_errors(vectors):
    X, y, frame = vectors
    pipeline = nearest_pipeline()
    with pytest.raises(ValueError, match="The 'pipeline' parameter of audit_leakage must be"):
        audit_leakage("nearest", X, y, frame)
    with pytest.raises(ValueError, match="'augmenter' parameter"):
        audit_leakage(pipeline, X, y, frame, augmenter="noise")
    for groups in (frame[:-1], frame["speaker"][:-1]):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            audit_leakage(pipeline, X, y, groups)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        audit_leakage(pipeline, X, y[:-1], frame)
    for conditions in (["speakers"], []):
        with pytest.raises(ValueError, match="choose some of 'copies before the split', 'overs"):
            audit_leakage(pipeline, X, y, frame, conditions=conditions)
    with pytest.raises(ValueError, match=r"cannot be scored: 'speaker': .* needs to know the spea"):
        audit_leakage(pipeline, X, y, conditions=["speaker", "random"])
    with pytest.raises(ValueError, match="cannot be scored: 'copies before the split': no step"):
        audit_leakage(pipeline, X, y, frame, conditions=COPIES)
    with pytest.raises(ValueError, match="different sample rates"):
        audit_leakage(
            svm_functionals().set_params(features__transformer__mfcc__sample_rate=8000),
            ["gone.wav"] * 4, ["anger", "calm"] * 2,
        )  # fmt: skip
