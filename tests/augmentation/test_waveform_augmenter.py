"""WaveformAugmenter: copies of training clips, the same in every fold, and never of a test clip."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import KFold, cross_validate
from sklearn.svm import SVC

from sersk._utils._clip_table import as_clip_table
from sersk.augmentation import (
    AddNoise,
    Compose,
    Gain,
    OneOf,
    PitchShift,
    TimeStretch,
    WaveformAugmenter,
)
from sersk.augmentation._combine import ComposeDraw
from sersk.augmentation._gain_and_shift import GainDraw
from sersk.exceptions import AugmentationError
from sersk.feature_extraction import Functionals, RMSEnergy
from sersk.model_selection import ProtocolSplit
from sersk.preprocessing import AudioReader

NAN = np.nan


@pytest.fixture
def clips():
    """A table with all kinds of columns, and an index of its own."""
    return pd.DataFrame(
        {
            "path": [f"/data/corpus/{speaker}/{name}.wav" for speaker in "ab" for name in "xyz"],
            "speaker": pd.Categorical(list("aaabbb")),
            "sentence": pd.array(["one", None, "two"] * 2, dtype="str"),
            "age": pd.array([30, None, 30, 40, 40, 40], dtype="Int64"),
            "acted": [True, False] * 3,
        },
        index=[7, 3, 3, 9, 0, 1],
    )


EMOTIONS = ["anger", "fear", "calm", "anger", "fear", "calm"]


def augment(X, y=EMOTIONS, transforms=None, **parameters):
    parameters = {"random_state": 0, **parameters}
    return WaveformAugmenter(transforms or [AddNoise()], **parameters).fit_resample(X, y)


def draws_by_clip(table, key="path"):
    """Which draws each clip got, whatever the order of the rows."""
    drawn = table[table["augment"].notna()]
    return {name: set(map(repr, cells)) for name, cells in drawn.groupby(key)["augment"]}


def keeps_all(samples, sample_rate):
    return samples


# Clip tables


def test_rows_and_columns_of_a_table(clips):
    kept = clips.copy()
    sampler = WaveformAugmenter([AddNoise(), PitchShift()], copies=2, random_state=0)
    table, emotions = sampler.fit_resample(clips, EMOTIONS)
    pd.testing.assert_frame_equal(clips, kept)
    assert_array_equal(sampler.sample_indices_, np.tile(np.arange(6), 5))
    again = clips.iloc[sampler.sample_indices_].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.drop(columns="augment"), again)
    assert table["augment"].dtype == object
    assert table["augment"][:6].isna().all()
    names = table["augment"][6:].map(lambda draw: type(draw).__name__)
    assert names.tolist() == 12 * ["AddNoiseDraw"] + 12 * ["PitchShiftDraw"]
    assert table["augment"][6:].nunique() == 24
    assert emotions == EMOTIONS * 5
    assert sampler.n_features_in_ == 5


def test_originals_may_go(clips):
    sampler = WaveformAugmenter(Gain(), keep_original=False, random_state=0)
    table, emotions = sampler.fit_resample(clips, EMOTIONS)
    assert table["augment"].notna().all()
    assert emotions == EMOTIONS
    with_originals, _ = augment(clips, transforms=Gain())
    assert draws_by_clip(with_originals) == draws_by_clip(table)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: np.array(y),
        lambda y: np.array(y, dtype=object),
        lambda y: pd.Series(y, index=range(40, 46), name="emotion"),
        lambda y: pd.Series(y, dtype="category"),
    ],
)
def test_emotions_keep_their_type(clips, make):
    given = make(EMOTIONS)
    _, emotions = augment(clips, given)
    assert type(emotions) is type(given)
    assert emotions.dtype == given.dtype
    assert list(emotions) == EMOTIONS * 2
    if isinstance(given, pd.Series):
        assert emotions.name == given.name
        assert_array_equal(emotions.index, range(12))


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        pd.Series,
        lambda paths: np.array(paths)[:, np.newaxis],
        lambda paths: np.array(paths, dtype=object),
        lambda paths: pd.DataFrame({"file": paths}),
        lambda paths: [[path] for path in paths],
        lambda paths: list(map(os.fsencode, paths)),
    ],
)
def test_paths_alone(clips, make):
    paths = clips["path"].tolist()
    table, _ = augment(make(paths))
    assert table.columns.tolist() == ["path", "augment"]
    assert table["path"].tolist() == paths * 2
    assert draws_by_clip(table) == draws_by_clip(augment(clips)[0])


@pytest.mark.skipif(os.name != "posix", reason="paths are bytes on POSIX systems")
def test_paths_that_are_not_utf8():
    table, _ = augment([b"a/\xff.wav", b"a/\xfe.wav"], ["fear", "calm"])
    assert as_clip_table(table).paths[:2] == [
        os.fsdecode(b"a/\xff.wav"),
        os.fsdecode(b"a/\xfe.wav"),
    ]
    assert table["augment"][2] != table["augment"][3]


def test_a_class_of_one_clip_and_a_single_class(clips):
    table, emotions = augment(clips, ["anger"] * 5 + ["fear"])
    assert emotions.count("fear") == 2
    assert len(table) == 12
    assert len(augment(clips[:1], ["anger"])[0]) == 2


def test_fit_alone(clips):
    sampler = WaveformAugmenter(Gain())
    assert sampler.fit(clips, EMOTIONS) is sampler
    assert sampler.n_features_in_ == 5


# Draws


def test_draws_belong_to_the_clip(clips, rng):
    whole = draws_by_clip(augment(clips)[0])
    order = rng.permutation(6)
    shuffled, _ = augment(clips.iloc[order], np.array(EMOTIONS)[order])
    assert draws_by_clip(shuffled) == whole
    some, _ = augment(clips.iloc[2:5], EMOTIONS[2:5])
    assert draws_by_clip(some) == {path: whole[path] for path in clips["path"][2:5]}
    other_labels, _ = augment(clips[["path", "acted"]], EMOTIONS[::-1])
    assert draws_by_clip(other_labels) == whole
    assert len(set.union(*whole.values())) == 6


def test_draws_do_not_depend_on_where_the_corpus_lies(clips):
    paths = clips["path"].str.replace("/data/corpus/", "elsewhere/./x/../")
    elsewhere, _ = augment(clips.assign(path=paths))
    assert elsewhere["augment"].tolist() == augment(clips)[0]["augment"].tolist()


@pytest.mark.parametrize("seconds", [0.2, 0.01])
def test_files_are_known_by_name_and_content(write_wav, tmp_path, seconds):
    """Of one name and size, in folders of other names than elsewhere: never taken for another."""
    names = ["anger/1.wav", "fear/1.wav", "fear/2.wav"]
    paths = [write_wav(name, seconds=seconds) for name in names]
    table = pd.DataFrame({"path": paths})
    drawn = draws_by_clip(augment(table, [0, 1, 1])[0])
    assert draws_by_clip(augment(table[::-1], [0, 1, 1])[0]) == drawn
    assert draws_by_clip(augment(table[1:], [0, 1])[0]) == {path: drawn[path] for path in paths[1:]}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number, path in enumerate(paths):
        copy = elsewhere / str(number) / os.path.basename(path)
        copy.parent.mkdir()
        shutil.copy(path, copy)
        moved, _ = augment([copy], ["fear"])
        assert draws_by_clip(moved) == {str(copy): drawn[path]}


def test_same_names_in_other_folders_are_other_clips(clips):
    draws = augment(clips)[0]["augment"][6:]
    assert clips["path"].str[-5:].nunique() == 3
    assert draws.nunique() == 6


def test_parts_of_a_file_are_other_clips():
    table = pd.DataFrame({"path": "a.wav", "start": [0.0, 1.0, 1.0], "stop": [1.0, 2.0, NAN]})
    found = augment(table, EMOTIONS[:3])[0]["augment"][3:].tolist()
    assert len(set(found)) == 3
    again = augment(table[::-1], EMOTIONS[:3])[0]["augment"][3:].tolist()
    assert again == found[::-1]
    # No start is the beginning of the file.
    for cell in (0.0, NAN, None):
        table = pd.DataFrame({"path": ["a.wav"], "start": pd.Series([cell], dtype=object)})
        draw = augment(table, ["fear"])[0]["augment"][1]
        assert draw == augment(["a.wav"], ["fear"])[0]["augment"][1]


def test_duplicates_get_draws_of_their_own(clips):
    emotions = ["anger"] * 5 + ["fear"]
    oversampled, labels = RandomOverSampler(random_state=0).fit_resample(clips, emotions)
    table, _ = augment(oversampled, labels)
    drawn = draws_by_clip(table)
    rare = clips["path"].iloc[-1]
    assert (oversampled["path"] == rare).sum() == 5
    assert len(drawn[rare]) == 5
    # The first of them is the one that it has without duplicates.
    assert draws_by_clip(augment(clips, emotions)[0])[rare] < drawn[rare]


def test_more_copies_and_transforms_leave_the_draws_before_them(clips):
    few = draws_by_clip(augment(clips)[0])
    more = draws_by_clip(augment(clips, transforms=[AddNoise(), PitchShift()], copies=3)[0])
    assert all(few[path] < more[path] for path in few)
    assert {len(draws) for draws in more.values()} == {6}


def test_random_state(clips):
    first = augment(clips, random_state=1)[0]["augment"].tolist()
    assert first == augment(clips, random_state=np.int64(1))[0]["augment"].tolist()
    assert first != augment(clips, random_state=2)[0]["augment"].tolist()
    # An instance goes on where it stands, as everywhere in scikit-learn.
    rng = np.random.RandomState(5)
    once, twice = (augment(clips, random_state=rng)[0]["augment"].tolist() for _ in range(2))
    assert once != twice
    rng = np.random.RandomState(5)
    assert once == augment(clips, random_state=rng)[0]["augment"].tolist()
    np.random.seed(3)
    free = augment(clips, random_state=None)[0]["augment"].tolist()
    assert free != augment(clips, random_state=None)[0]["augment"].tolist()
    np.random.seed(3)
    assert free == augment(clips, random_state=None)[0]["augment"].tolist()


def test_a_number_leaves_the_global_state(clips, rng):
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    augment(clips, random_state=0)
    augment(rng.normal(size=(6, 50)), random_state=0)
    assert_array_equal(np.random.get_state()[1], state)


def test_draws_do_not_hang_on_the_process():
    """The seeds are values of their own, not of this run's hashes or addresses."""
    table = pd.DataFrame({"path": ["c/a.wav", "c/b.wav"], "augment": [None, GainDraw(0.1)]})
    drawn = augment(table, ["fear", "calm"], transforms=PitchShift())[0]["augment"]
    assert repr(drawn[2]) == "PitchShift(semitones=-0.6172)"
    assert repr(drawn[3].draws[1]) == "PitchShift(semitones=-1.588)"
    # The same function, elsewhere in memory.
    drawn, again = (
        augment(table.assign(augment=[None, same]), ["fear", "calm"], transforms=PitchShift())[0]
        for same in [lambda y, sr: y for _ in range(2)]
    )
    assert drawn["augment"][3].draws[1] == again["augment"][3].draws[1]


def test_what_is_augmented_already_is_augmented_further(clips):
    first, emotions = augment(clips, transforms=Gain())
    both, _ = augment(first, emotions)
    assert len(both) == 24
    cells = both["augment"].tolist()
    assert cells[:12] == first["augment"].tolist()
    assert [type(cell).__name__ for cell in cells[12:18]] == ["AddNoiseDraw"] * 6
    for composed, former in zip(cells[18:], cells[6:12], strict=True):
        assert isinstance(composed, ComposeDraw)
        assert composed.draws[0] == former
    assert len({draw.draws[1] for draw in cells[18:]} | set(cells[12:18])) == 12


def test_functions_stand_for_themselves(clips):
    table, _ = augment(clips, transforms=[keeps_all, OneOf([Gain(), keeps_all])])
    assert all(cell is keeps_all for cell in table["augment"][6:12])


# Waveforms


def test_waveforms_are_changed_at_once(rng):
    X = rng.uniform(-1, 1, (3, 400)).astype(np.float32)
    X[1, 300:] = NAN
    X[2] = NAN
    kept = X.copy()
    sampler = WaveformAugmenter([AddNoise(), Gain(gain_db=6)], random_state=0)
    resampled, _ = sampler.fit_resample(X, [0, 1, 1])
    assert_array_equal(X, kept)
    assert resampled.dtype == np.float32
    assert resampled.shape == (9, 400)
    assert_array_equal(np.isnan(resampled), np.tile(np.isnan(X), (3, 1)))
    assert_array_equal(resampled[:3], X)
    assert_array_equal(resampled[6:8], Gain(gain_db=6).draw()(X[:2].ravel(), 16000).reshape(2, 400))
    assert not np.isclose(resampled[3], X[0]).all()
    assert_array_equal(sampler.sample_indices_, np.tile(range(3), 3))


@pytest.mark.parametrize(("rate", "left"), [(2.0, 150), (0.5, 400)])
def test_arrays_keep_their_width(rng, rate, left):
    X = np.full((2, 400), NAN)
    X[:, :300] = rng.uniform(-1, 1, (2, 300))
    resampled, _ = augment(X, [0, 1], TimeStretch(rate=rate))
    assert resampled.shape == (4, 400)
    for row in (0, 1):
        expected = TimeStretch(rate=rate).draw()(X[row, :300], 16000)[:400]
        assert_array_equal(resampled[2 + row, :left], expected)
        assert np.isnan(resampled[2 + row, left:]).all()


def test_draws_of_waveforms_belong_to_what_they_hold(rng):
    X = rng.uniform(-1, 1, (4, 300))
    X[1, 200:] = NAN
    labels = [0, 1, 0, 1]
    copies = augment(X, labels)[0][4:]
    assert_array_equal(augment(X[::-1], labels)[0][4:], copies[::-1])
    wider = np.pad(X, ((0, 0), (0, 50)), constant_values=NAN)
    assert_array_equal(augment(wider, labels)[0][4:, :300], copies)
    single = augment(X.astype(np.float32), labels)[0][4:]
    np.testing.assert_allclose(single, copies, atol=1e-5)
    twins = augment(np.repeat(X[:1], 3, axis=0), [0, 1, 1])[0][3:]
    assert len(np.unique(twins, axis=0)) == 3


@pytest.mark.parametrize(("dtype", "scale"), [(np.int16, 2**15), (np.int32, 2**31), (">i2", 2**15)])
def test_integers_are_scaled_as_the_reader_does(dtype, scale):
    X = np.array([[100, -200, 300], [400, 500, -600]], dtype=dtype)
    resampled, _ = augment(X, [0, 1], keeps_all)
    expected = AudioReader().fit_transform(X)
    assert_array_equal(resampled.astype(np.float32), np.tile(expected, (2, 1)))
    assert_array_equal(resampled[:2], X / scale)
    table = pd.DataFrame(X.astype(X.dtype.newbyteorder("=")))
    assert_array_equal(AudioReader().fit_transform(X), expected)
    assert augment(table, [0, 1], keeps_all)[0].shape == (4, 3)


def test_nan_before_the_end_is_an_error():
    with pytest.raises(ValueError, match="Row 1 holds NaN before its end"):
        augment(np.array([[1.0, 2.0], [NAN, 1.0]]), [0, 1])


def test_frames_are_not_waveforms():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\); for frames .* SpecAugment"):
        augment(np.ones((2, 3, 4)), [0, 1])


# What is refused


@pytest.mark.parametrize("X", [["a.wav", "b.wav"], np.ones((2, 3))])
def test_weights_are_refused(X):
    sampler = WaveformAugmenter(Gain())
    with pytest.raises(ValueError, match="sample_weight cannot be handed through a sampler"):
        sampler.fit_resample(X, [0, 1], sample_weight=[1.0, 2.0])


@pytest.mark.parametrize("routing", [False, True])
def test_weights_of_the_classifier_are_refused(rng, routing):
    """Not cut or repeated in silence: behind the sampler there are more rows."""
    X, weights = rng.uniform(-1, 1, (6, 50)), np.ones(6)
    with config_context(enable_metadata_routing=routing):
        svm = SVC().set_fit_request(sample_weight=True) if routing else SVC()
        pipeline = make_pipeline(WaveformAugmenter(Gain(), random_state=0), svm)
        given = {"sample_weight" if routing else "svc__sample_weight": weights}
        with pytest.raises(ValueError, match=r"sample_weight.*\(6,\) vs \(12, 50\)"):
            pipeline.fit(X, EMOTIONS, **given)
        pipeline.fit(X, EMOTIONS)


@pytest.mark.parametrize(
    ("transforms", "match"),
    [
        ([], "must hold at least one transform. Got none"),
        ([AddNoise], r"AddNoise is a class.*write AddNoise\(\)"),
        (AddNoise, r"AddNoise is a class.*write AddNoise\(\)"),
        ("noise", "'transforms' parameter of WaveformAugmenter"),
        ([AddNoise(), 3], "takes transforms and functions .* Got 3"),
        (AddNoise(snr_db="loud"), "'snr_db' parameter of AddNoise"),
    ],
)
def test_bad_transforms(clips, transforms, match):
    sampler = WaveformAugmenter(transforms)
    for X in (clips, np.arange(12.0).reshape(6, 2)):
        with pytest.raises((ValueError, TypeError), match=match):
            sampler.fit_resample(X, EMOTIONS)


def test_rows_and_emotions_must_agree(clips):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        augment(clips, EMOTIONS[:5])
    with pytest.raises(ValueError, match="Unknown label type"):
        augment(clips, np.linspace(0, 1, 6))
    with pytest.raises(ValueError, match="needs a column named 'path'"):
        augment(clips.rename(columns={"path": "file"}))


def breaks(samples, sample_rate):
    raise KeyError("missing")


def test_a_bad_transform_is_named_with_its_row(rng):
    X = rng.uniform(-1, 1, (2, 300))
    with pytest.raises(AugmentationError) as caught:
        augment(X, [0, 1], Compose([Gain(), breaks]))
    assert str(caught.value) == "cannot apply breaks to 'row 0': KeyError: 'missing'"


# In a pipeline


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes which clips it is given in `fit` and in `predict`, and with what done to them."""

    seen: list = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Recorder.seen.append(("fit", X))
        return self

    def predict(self, X):
        Recorder.seen.append(("predict", X))
        return np.repeat(self.classes_[:1], len(X))


@pytest.mark.parametrize("kind", ["table", "array"])
@pytest.mark.parametrize("cv", [KFold(3, shuffle=True, random_state=0), ProtocolSplit("speaker")])
def test_no_copy_of_a_test_clip_is_trained_on(written_corpus, small_corpus, kind, cv):
    corpus = written_corpus if kind == "table" else small_corpus
    X = corpus.data
    augmenter = WaveformAugmenter([halved, Gain(gain_db=0)], random_state=0)
    steps = [RandomOverSampler(random_state=0), augmenter, Recorder()]
    pipeline = make_pipeline(*steps[0 if kind == "table" else 1 :])
    Recorder.seen = []
    groups = small_corpus.frame if isinstance(cv, ProtocolSplit) else None
    cross_validate(pipeline, X, corpus.target, groups=groups, cv=cv, error_score="raise")
    fits = [X for event, X in Recorder.seen if event == "fit"]
    tests = [X for event, X in Recorder.seen if event == "predict"]
    assert len(fits) == len(tests) >= 3
    for trained, tested in zip(fits, tests, strict=True):
        if kind == "table":
            assert "augment" not in tested.columns
            assert trained["augment"].notna().mean() == pytest.approx(2 / 3)
            trained, tested = trained["path"], tested["path"]
        else:
            trained, tested = map(levelled, (trained, tested))
        assert not set(trained) & set(tested)
        assert len(set(trained) | set(tested)) == len(X)
        assert min(Counter(trained).values()) >= 3
    assert sum(map(len, tests)) == len(X)


def halved(samples, sample_rate):
    return samples / 2


def levelled(waveforms):
    """Tell clips apart whatever their gain, if that is a power of two."""
    peaks = np.nanmax(np.abs(waveforms), axis=1, keepdims=True)
    return [row[~np.isnan(row)].tobytes() for row in waveforms / peaks]


def test_prediction_hears_clips_as_they_are(written_corpus):
    X, y = written_corpus.data, written_corpus.target
    pipeline = make_pipeline(
        WaveformAugmenter(AddNoise(), random_state=0),
        AudioReader(),
        RMSEnergy(),
        Functionals(),
        Recorder(),
    )
    Recorder.seen = []
    pipeline.fit(X, y).predict(X)
    (_, trained), (_, tested) = Recorder.seen
    assert_array_equal(trained[: len(X)], tested)
    assert len(trained) == 2 * len(X)
    assert not np.isclose(trained[len(X) :], tested).all(axis=1).any()


def test_clone_pickle_and_nested_parameters(clips):
    sampler = WaveformAugmenter(PitchShift(), random_state=0)
    sampler.set_params(transforms__semitones=(3, 4))
    copy = pickle.loads(pickle.dumps(clone(sampler)))
    table, _ = copy.fit_resample(clips, EMOTIONS)
    assert all(3 <= draw.semitones <= 4 for draw in table["augment"][6:])
    assert pickle.loads(pickle.dumps(table))["augment"].tolist() == table["augment"].tolist()


def test_a_table_of_integers_is_scaled(rng):
    X = pd.DataFrame((rng.uniform(-0.5, 0.5, (4, 50)) * 2**15).astype("i2"))
    changed, _ = WaveformAugmenter(Gain(gain_db=0.0), random_state=0).fit_resample(X, [0, 1, 0, 1])
    np.testing.assert_allclose(changed, np.tile(X / 2**15, (2, 1)), rtol=1e-6)
