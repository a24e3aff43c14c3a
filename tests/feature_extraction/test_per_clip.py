"""PerClip: equal to its chain, each clip computed once, nothing stale or damaged ever served."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import optuna
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as ImblearnPipeline
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sersk.exceptions import AudioReadError, ClipCutWarning, SerskError, UnreadableAudioWarning
from sersk.feature_extraction import (
    MFCC,
    ClipStore,
    FillPadding,
    Functionals,
    LogMelSpectrogram,
    PerClip,
    RMSEnergy,
    TimeDomainStats,
    _row_array,
)
from sersk.feature_extraction._store_session import StoreSession
from sersk.preprocessing import (
    AudioReader,
    LevelNormalizer,
    NoiseReducer,
    PadOrTrim,
    PreEmphasis,
    SilenceTrimmer,
    _audio_reader,
)
from sersk.recipes import svm_functionals

pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")

ROWS_SEEN = Counter()


class Note(TransformerMixin, BaseEstimator):
    """Hand waveforms on and count how often each was seen (told apart by what they hold)."""

    _skips_padding = True

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        for row in X:
            ROWS_SEEN[row[~np.isnan(row)].tobytes()] += 1
        return X * np.float32(self.gain)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@pytest.fixture
def reads(monkeypatch):
    """How often each file was decoded in this process."""
    counts = Counter()
    read_clip = _audio_reader.read_clip

    def counting(region, sample_rate, out):
        counts[region.path] += 1
        return read_clip(region, sample_rate, out)

    monkeypatch.setattr(_audio_reader, "read_clip", counting)
    ROWS_SEEN.clear()
    return counts


@pytest.fixture
def table(written_corpus):
    return written_corpus.data


@pytest.fixture
def labels(written_corpus):
    return written_corpus.target


def vectors(**parameters):
    return make_pipeline(AudioReader(**parameters), MFCC(n_mfcc=4), Functionals())


def classifier(memory, reader=None):
    chain = make_pipeline(reader or AudioReader(), Note(), RMSEnergy(), Functionals())
    return ImblearnPipeline(
        [
            ("oversample", RandomOverSampler(random_state=0)),
            ("features", PerClip(chain, memory=memory)),
            ("classify", KNeighborsClassifier(n_neighbors=1)),
        ]
    )


# What comes out


@pytest.mark.parametrize("chunk_size", ["auto", 1, 5, 1000])
@pytest.mark.parametrize("memory", [False, True])
def test_equals_the_chain(table, tmp_path, chunk_size, memory):
    expected = vectors().fit_transform(table)
    features = PerClip(vectors(), memory=tmp_path if memory else None, chunk_size=chunk_size)
    assert_array_equal(features.fit_transform(table), expected)
    # From the store, where there is one, in another order and with rows that repeat.
    rows = [3, 3, 0, 7, 3, 1]
    assert_array_equal(features.transform(table.iloc[rows]), expected[rows])


# loky takes what a worker imports for a leak, and begins a new one.
@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers(table, tmp_path, backend):
    expected = vectors().fit_transform(table)
    with parallel_config(backend, n_jobs=2):
        features = PerClip(vectors(), memory=tmp_path, chunk_size=4).fit(table)
        assert_array_equal(features.transform(table), expected)
        assert_array_equal(features.transform(table), expected)
    assert len(ClipStore(tmp_path)) == len(table)


def test_dask(table, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask, an optional extra, is missing")
    table = pd.concat([table, pd.DataFrame({"path": ["gone.wav"]})], ignore_index=True)
    chain = vectors(on_error="nan")
    here = os.getpid()

    def die(waveforms):
        if os.getpid() != here:
            os._exit(1)
        return waveforms

    def die_once(waveforms, flag=tmp_path / "flag"):
        if os.getpid() != here and not flag.exists():
            flag.touch()
            os._exit(1)
        return waveforms

    with pytest.warns(UnreadableAudioWarning):
        expected = chain.fit_transform(table)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        parallel_config("dask"),
    ):
        features = PerClip(chain, memory=tmp_path, chunk_size=4).fit(table)
        with pytest.warns(UnreadableAudioWarning, match=r"gone\.wav"):
            assert_array_equal(features.transform(table), expected)
        assert features.failed_ == {"gone.wav": "there is no such file"}
        # A machine that goes away costs its chunk, which another one computes.
        frail = PerClip(make_pipeline(AudioReader(), FunctionTransformer(die_once)), chunk_size=2)
        waveforms = AudioReader().fit_transform(table[:8])
        assert_array_equal(frail.fit(table[:8]).transform(table[:8]), waveforms)
        client.wait_for_workers(2)
        # joblib waits without end for dask where every worker is killed by its task.
        fatal = PerClip(make_pipeline(AudioReader(), FunctionTransformer(die)), timeout=8.0)
        with pytest.raises(SerskError, match="No worker gave a result for 8 s"):
            fatal.fit(table[:4]).transform(table[:4])


@pytest.mark.parametrize("on_disk", [False, True])
def test_frames_and_images(table, tmp_path, monkeypatch, on_disk):
    if on_disk:
        monkeypatch.setattr(_row_array, "LARGEST_IN_MEMORY", 0)
    for step in (MFCC(n_mfcc=4, hop_length=256), LogMelSpectrogram(n_mels=8, deltas=1)):
        chain = make_pipeline(AudioReader(), step)
        expected = chain.fit_transform(table)
        for _ in range(2):
            images = PerClip(chain, memory=tmp_path).fit_transform(table)
            assert isinstance(images, np.memmap) == on_disk
            assert_array_equal(images, expected)
    del images
    assert not list(tmp_path.glob("rows-*"))


def test_waveforms_in_place_of_files(small_corpus, tmp_path):
    chain = make_pipeline(AudioReader(), Note(), MFCC(n_mfcc=4), Functionals())
    expected = chain.fit_transform(small_corpus.data)
    ROWS_SEEN.clear()
    repeated = np.concatenate([small_corpus.data, small_corpus.data[:5]])
    for memory, computations in ((None, 2), (tmp_path, 1)):
        ROWS_SEEN.clear()
        features = PerClip(chain, memory=memory).fit(repeated)
        for _ in range(2):
            assert_array_equal(features.transform(repeated)[: len(expected)], expected)
        # The clip that a chain is tried on in `fit` is noise, and none of these.
        clips = {row[~np.isnan(row)].tobytes() for row in small_corpus.data}
        assert {ROWS_SEEN[clip] for clip in clips} == {computations}
    buffers = [row[~np.isnan(row)] for row in small_corpus.data]
    assert_array_equal(PerClip(chain).fit_transform(buffers), expected)


def test_union_of_chains(table, tmp_path):
    union = FeatureUnion(
        [
            ("timbre", vectors()),
            ("time", make_pipeline(AudioReader(duration=1.0), TimeDomainStats())),
        ]
    )
    expected = union.fit_transform(table)
    features = PerClip(union, memory=tmp_path)
    assert_array_equal(features.fit_transform(table), expected)
    names = features.get_feature_names_out()
    assert len(names) == expected.shape[1]
    assert names[0] == "timbre__mfcc0_mean"


def test_names_and_tables(table, tmp_path):
    features = PerClip(vectors(), memory=tmp_path).set_output(transform="pandas")
    frame = features.fit_transform(table.set_index(np.arange(len(table)) + 100))
    assert frame.columns[:2].tolist() == ["mfcc0_mean", "mfcc0_std"]
    assert frame.index[0] == 100
    images = PerClip(make_pipeline(AudioReader(), MFCC(n_mfcc=4))).set_output(transform="pandas")
    assert isinstance(images.fit_transform(table), np.ndarray)
    assert images.get_feature_names_out().tolist() == ["mfcc0", "mfcc1", "mfcc2", "mfcc3"]
    # Vectors again, and so a table again.
    images.set_params(transformer=vectors())
    assert isinstance(images.fit_transform(table), pd.DataFrame)


def test_only_the_columns_of_sound_reach_the_chain(table, tmp_path):
    seen = []

    def look(X):
        seen.append(list(X.columns))
        return np.zeros((len(X), 1))

    PerClip(FunctionTransformer(look)).fit_transform(table.assign(start=0.0))
    assert seen[-1] == ["path", "start"]


# Once


@pytest.mark.parametrize("duration", [2.0, None])
def test_cross_validation_and_search_compute_each_clip_once(
    table, labels, tmp_path, reads, duration
):
    pipeline = classifier(tmp_path / "store", AudioReader(duration=duration))
    expected = Counter(table["path"].tolist())
    if duration is None:
        # The fold that does not train on the longest clip cuts it, and this is another sound.
        expected[max(table["path"], key=os.path.getsize)] += 1
    cross_val_score(pipeline, table, labels, cv=5, error_score="raise")
    assert reads == expected
    # The clip of noise on which a chain is tried in each `fit` comes on top.
    assert sorted(ROWS_SEEN.values())[: sum(expected.values())] == [1] * sum(expected.values())
    assert len(ROWS_SEEN) <= sum(expected.values()) + 2
    search = GridSearchCV(
        pipeline,
        {"classify__n_neighbors": range(1, 6), "classify__p": np.linspace(1, 3, 10)},
        cv=5,
        error_score="raise",
    )
    search.fit(table, labels)
    assert len(search.cv_results_["params"]) == 50
    assert reads == expected


def test_oversampled_rows_are_computed_once(table, reads):
    rows = np.random.default_rng(0).integers(0, len(table), 200)
    features = PerClip(vectors()).fit(table)
    expected = features.transform(table)
    reads.clear()
    assert_array_equal(features.transform(table.iloc[rows]), expected[rows])
    assert set(reads.values()) == {1}


def test_optuna_tunes_through_it(table, labels, tmp_path, reads):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pipeline = svm_functionals(duration=2.0, memory=tmp_path)

    def objective(trial):
        candidate = clone(pipeline).set_params(
            features__transformer__mfcc__n_mfcc=trial.suggest_categorical("n_mfcc", [4, 8]),
            svm__C=trial.suggest_float("C", 0.1, 10),
        )
        return cross_val_score(candidate, table, labels, cv=2).mean()

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=6)
    assert {trial.params["n_mfcc"] for trial in study.trials} == {4, 8}
    assert reads == Counter(2 * table["path"].tolist())


def test_folds_at_the_same_time_share_a_store(table, labels, tmp_path):
    serial = cross_val_score(classifier(tmp_path / "a"), table, labels, cv=4)
    with parallel_config("threading", n_jobs=2):
        parallel = cross_val_score(classifier(tmp_path / "b"), table, labels, cv=4)
    assert_array_equal(serial, parallel)
    # Alone, each fold would compute its 24 clips.
    assert len(ClipStore(tmp_path / "a")) == len(ClipStore(tmp_path / "b")) <= len(table) + 1
    with parallel_config("loky", n_jobs=2):
        elsewhere = cross_val_score(classifier(tmp_path / "c"), table, labels, cv=4)
    assert_array_equal(serial, elsewhere)
    assert len(ClipStore(tmp_path / "c")) == len(ClipStore(tmp_path / "a"))


# Nothing stale


def test_a_changed_file(tmp_path, write_wav):
    path = write_wav("a.wav", seconds=0.5)
    features = PerClip(vectors(duration=1.0), memory=tmp_path / "store")
    before = features.fit_transform([path])
    status = os.stat(path)
    other = write_wav("b.wav", seconds=0.5)
    # The same size under the same name; a copy keeps even the time.
    shutil.copyfile(other, path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert os.path.getsize(path) == status.st_size
    after = features.fit_transform([path])
    assert not np.array_equal(before, after)
    assert_array_equal(after, vectors(duration=1.0).fit_transform([path]))


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path, write_wav):
    path = write_wav()

    def change(waveforms):
        os.utime(path, ns=(0, time.time_ns()))
        return waveforms

    chain = make_pipeline(AudioReader(duration=1.0), FunctionTransformer(change))
    PerClip(chain, memory=tmp_path / "store").fit_transform([path])
    assert len(ClipStore(tmp_path / "store")) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"transformer__mfcc__n_mfcc": 5},
        {"transformer__mfcc__lifter": 22.0},
        {"transformer__functionals__statistics": ("mean", "std")},
        {"transformer__audioreader__offset": 0.1},
        {"transformer__audioreader__duration": 0.3},
    ],
    ids=str,
)
def test_a_changed_parameter(table, tmp_path, change):
    features = PerClip(vectors(duration=1.0), memory=tmp_path)
    features.fit_transform(table)
    features.set_params(**change)
    assert_array_equal(
        features.fit_transform(table), clone(features.transformer).fit_transform(table)
    )
    assert len(ClipStore(tmp_path)) == 2 * len(table)


def test_what_has_no_effect_is_not_computed_again(table, tmp_path, reads):
    PerClip(vectors(duration=1.0), memory=tmp_path).fit_transform(table)
    reads.clear()
    again = PerClip(vectors(duration=1.0, n_jobs=2), memory=str(tmp_path), chunk_size=3, verbose=1)
    shuffled = table.assign(speaker="somebody else").iloc[::-1]
    again.fit_transform(shuffled)
    assert not reads


def test_another_version_of_the_library(table, tmp_path, reads, monkeypatch):
    features = PerClip(vectors(duration=1.0), memory=tmp_path)
    features.fit_transform(table)
    reads.clear()
    monkeypatch.setattr("sersk._utils._fingerprint.library_version", lambda: "another")
    features.fit_transform(table)
    assert reads == Counter(table["path"].tolist())


def test_windows_and_augmentation_are_clips_of_their_own(write_wav, tmp_path):
    path = write_wav(seconds=1.0)
    table = pd.DataFrame(
        {"path": path, "start": [0.0, 0.5, 0.0, 0.0], "stop": [0.5, 1.0, 1.0, None]}
    )
    features = PerClip(vectors(), memory=tmp_path)
    assert_array_equal(features.fit_transform(table), vectors().fit_transform(table))
    # Until its end and until one second are the same here, but this is known only once it is read.
    assert len(ClipStore(tmp_path)) == 4
    augmented = pd.DataFrame({"path": path, "augment": [None, ("noise", 10), ("noise", 20)]})
    levels = PerClip(FunctionTransformer(_fake_levels), memory=tmp_path / "levels")
    for _ in range(2):
        assert levels.fit_transform(augmented).ravel().tolist() == [0, 10, 20]


def _fake_levels(X):
    return np.array([[0 if cell is None else cell[1]] for cell in X["augment"]])


# The learned length


def test_a_learned_length_is_fitted_once_and_frozen(write_wav, tmp_path, reads):
    clips = [write_wav(f"{length}.wav", seconds=length) for length in (0.2, 0.3, 0.5)]
    chain = make_pipeline(AudioReader(), MFCC(n_mfcc=3))
    features = PerClip(chain, memory=tmp_path / "store", chunk_size=1).fit(clips[:2])
    # Nothing was decoded to learn it.
    assert not reads
    width = 1 + int(0.3 * 16000) // 512
    assert features.transform(clips[:1]).shape == (1, 3, width)
    with pytest.warns(ClipCutWarning):
        cut = features.transform(clips[2:])
    assert cut.shape == (1, 3, width)
    # The whole clip is another result, and both stay.
    whole = PerClip(chain, memory=tmp_path / "store").fit(clips).transform(clips)
    assert_array_equal(whole, chain.fit_transform(clips))
    assert_array_equal(features.transform(clips[2:]), cut)
    # Once each, and the long one once as a whole.
    whole_reads = reads.copy()
    PerClip(chain, memory=tmp_path / "store").fit(clips).transform(clips)
    features.transform(clips)
    assert reads - whole_reads == Counter({clips[1]: 0})


def test_steps_that_fill_the_padding_see_the_learned_length(write_wav, tmp_path):
    clips = [write_wav(f"{length}.wav", seconds=length) for length in (0.2, 0.5)]
    chain = make_pipeline(AudioReader(), FillPadding(), RMSEnergy(), Functionals())
    for some in (clips[:1], clips):
        features = PerClip(chain, memory=tmp_path / "store").fit(some)
        expected = clone(chain).fit(some).transform(clips[:1])
        assert_array_equal(features.transform(clips[:1]), expected)


class ZeroPadding(LevelNormalizer):
    """Inherits the word that padding is skipped, and does not keep it."""

    def transform(self, X):
        return np.nan_to_num(super().transform(X))


@pytest.mark.parametrize(
    "steps",
    [
        [FeatureUnion([("level", LevelNormalizer()), ("time", TimeDomainStats())])],
        [FeatureUnion([("a", TimeDomainStats()), ("b", make_pipeline(MFCC(), Functionals()))])],
        [FeatureUnion([("level", LevelNormalizer()), ("emphasis", PreEmphasis())])],
        [ZeroPadding(), RMSEnergy(), Functionals()],
        [PadOrTrim(pad="zero"), RMSEnergy(), Functionals()],
        [SilenceTrimmer(), NoiseReducer(), LogMelSpectrogram(n_mels=8, deltas=2)],
        [LevelNormalizer(method="rms")],
        [FrozenEstimator(FillPadding()), RMSEnergy()],
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_folds_of_different_lengths_share_a_store(write_wav, tmp_path, steps):
    clips = [write_wav(f"{length}.wav", seconds=length) for length in (0.3, 0.11, 0.4, 0.2, 0.3)]
    features = PerClip(make_pipeline(AudioReader(), *steps), memory=tmp_path / "store")
    for fitted_on in ([0, 1], [0, 1, 2, 3, 4], [1, 3], [0, 1]):
        some = [clips[number] for number in fitted_on]
        expected = clone(features.transformer).fit(some).transform(clips)
        assert_array_equal(features.fit(some).transform(clips), expected)
        assert_array_equal(
            clone(features).set_params(memory=None).fit(some).transform(clips), expected
        )


def test_one_long_recording_does_not_widen_the_others(write_wav):
    clips = [write_wav("long.wav", seconds=3.0)]
    clips += [write_wav(f"{number}.wav", seconds=0.1) for number in range(20)]
    widths = []

    class Look(Note):
        _skips_padding = True

        def transform(self, X):
            widths.append(X.shape[1])
            return X

    chain = make_pipeline(AudioReader(), Look(), RMSEnergy())
    results = PerClip(chain, chunk_size=5).fit_transform(clips)
    assert sorted(widths)[:4] == [1600] * 4
    assert_array_equal(results, clone(chain).fit_transform(clips))


# What cannot be right is refused


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (make_pipeline(AudioReader(), Functionals(), StandardScaler()), r"StandardScaler\(\) has"),
        (FeatureUnion([("a", make_pipeline(AudioReader(), SimpleImputer()))]), "SimpleImputer"),
        (make_pipeline(MFCC(), AudioReader()), "AudioReader"),
        (ImblearnPipeline([("o", RandomOverSampler()), ("r", AudioReader())]), "number of rows"),
        (PerClip(AudioReader()), "PerClip"),
        (make_pipeline("passthrough"), "no step that does anything"),
    ],
)
def test_chains_that_learn_from_rows_are_refused(table, chain, message):
    with pytest.raises(ValueError, match=message):
        PerClip(chain).fit(table)


def test_what_is_fitted_already_may_be_part_of_it(table, tmp_path):
    scaler = StandardScaler().fit(vectors().fit_transform(table))
    chain = make_pipeline(*(step for _, step in vectors().steps), FrozenEstimator(scaler))
    features = PerClip(chain, memory=tmp_path)
    expected = scaler.transform(vectors().fit_transform(table))
    assert_array_equal(features.fit_transform(table), expected)
    # Another fit of it is another chain.
    scaler.fit(expected)
    assert not np.allclose(features.fit_transform(table), expected)


def test_different_sample_rates_are_refused(table):
    chain = make_pipeline(AudioReader(sample_rate=8000), MFCC())
    with pytest.raises(ValueError, match="different sample rates"):
        PerClip(chain).fit(table)


def test_rows_are_neither_lost_nor_added(table):
    half = FunctionTransformer(lambda X: X[::2])
    with pytest.raises(ValueError, match="one row a clip"):
        PerClip(make_pipeline(AudioReader(), half)).fit(table).transform(table)


@pytest.mark.parametrize(
    "parameters",
    [{"memory": 3}, {"chunk_size": 0}, {"chunk_size": "all"}, {"timeout": 0}, {"n_jobs": 1.5}],
    ids=str,
)
def test_bad_parameters(table, parameters):
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter"):
        PerClip(vectors(), **parameters).fit(table)


# Bad files


def test_bad_files_are_named_each_time_and_never_kept(table, tmp_path, write_wav):
    table = pd.concat([table[:3], pd.DataFrame({"path": [str(tmp_path / "late.wav")]})])
    features = PerClip(vectors(on_error="nan"), memory=tmp_path / "store")
    for _ in range(2):
        with pytest.warns(UnreadableAudioWarning, match=r"1 file.*late\.wav") as caught:
            results = features.fit_transform(table)
        assert len(caught) == 1
        assert list(features.failed_) == [str(tmp_path / "late.wav")]
        assert np.isnan(results[3]).all()
    # It is there now.
    write_wav("late.wav")
    assert np.isfinite(features.fit_transform(table)).all()
    assert features.failed_ == {}


def test_a_reader_that_is_to_raise_raises(table, tmp_path):
    table = pd.concat([table, pd.DataFrame({"path": ["gone.wav"]})])
    for n_jobs in (None, 2):
        features = PerClip(vectors(duration=1.0), memory=tmp_path, n_jobs=n_jobs, chunk_size=1)
        with pytest.raises(AudioReadError, match=r"gone\.wav"):
            features.fit_transform(table)
    assert not list(tmp_path.glob("rows-*"))


def test_bad_files_are_never_kept_however_deep_the_reader(write_wav, tmp_path):
    good, bad = write_wav(), str(tmp_path / "bad.wav")
    with open(bad, "wb") as file:
        file.write(b"no sound")
    levels = make_pipeline(AudioReader(on_error="nan", duration=1.0), RMSEnergy(), Functionals())
    chains = [
        FeatureUnion([("a", vectors(on_error="nan", duration=0.5)), ("b", levels)], n_jobs=2),
        FrozenEstimator(vectors(on_error="nan", duration=0.5).fit([good])),
    ]
    for number, chain in enumerate(chains):
        features = PerClip(chain, memory=tmp_path / str(number)).fit([good])
        for _ in range(2):
            with pytest.warns(UnreadableAudioWarning):
                features.transform([good, bad])
            assert list(features.failed_) == [bad]
        assert len(ClipStore(tmp_path / str(number))) == 1


def test_threads_that_share_an_estimator(write_wav, tmp_path):
    good = [write_wav(f"{number}.wav") for number in range(30)]
    bad = [str(tmp_path / f"gone{number}.wav") for number in range(30)]
    chain = vectors(on_error="nan", duration=0.5)
    features = PerClip(chain, memory=tmp_path / "store", chunk_size=1).fit(good)
    with ThreadPoolExecutor(4) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(pool.map(features.transform, [good, bad, good, bad]))
    assert_array_equal(found[0], clone(chain).fit_transform(good))
    assert len(ClipStore(tmp_path / "store")) == len(good)
    with pytest.warns(UnreadableAudioWarning):
        features.transform(bad)
    assert len(features.failed_) == len(bad)


@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs")
def test_relative_paths_where_workers_stand_elsewhere(write_wav, tmp_path, monkeypatch):
    for folder in "ab":
        write_wav(f"{folder}/clip.wav")
    features = PerClip(vectors(duration=0.5), memory=tmp_path / "store", n_jobs=2)
    results = []
    for folder in "ab":
        monkeypatch.chdir(tmp_path / folder)
        results.append(features.fit_transform(["clip.wav"]))
        whole = [str(tmp_path / folder / "clip.wav")]
        assert_array_equal(results[-1], vectors(duration=0.5).fit_transform(whole))
    assert not np.array_equal(*results)
    with pytest.warns(UnreadableAudioWarning, match=r"'gone\.wav'"):
        PerClip(vectors(duration=0.5, on_error="nan")).fit_transform(["gone.wav", "clip.wav"])


def test_files_that_are_swapped(write_wav, tmp_path):
    one, other = write_wav("a.wav"), write_wav("b.wav")
    for path in (one, other):
        os.utime(path, (1e9, 1e9))
    features = PerClip(vectors(duration=0.5), memory=tmp_path / "store")
    before = features.fit_transform([one, other])
    os.rename(one, tmp_path / "c")
    os.rename(other, one)
    os.rename(tmp_path / "c", other)
    assert_array_equal(features.fit_transform([one, other]), before[::-1])


@pytest.mark.skipif(os.name != "posix", reason="paths are bytes on POSIX systems")
@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_paths_that_are_not_utf8(write_wav, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.wav")
    shutil.copyfile(write_wav(), path)
    expected = vectors(duration=0.5).fit_transform([path])
    for X in ([path], pd.DataFrame({"path": pd.Series([path], dtype=object)})):
        assert_array_equal(
            PerClip(vectors(duration=0.5), memory=tmp_path).fit_transform(X), expected
        )


# Interruptions


def test_ctrl_c_keeps_what_was_computed(table, tmp_path, reads, monkeypatch):
    chain = make_pipeline(AudioReader(duration=1.0), RMSEnergy(), Functionals())
    features = PerClip(chain, memory=tmp_path, chunk_size=2).fit(table)
    calls = iter(range(1000))
    transform = RMSEnergy.transform

    def interrupted(self, X):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return transform(self, X)

    monkeypatch.setattr(RMSEnergy, "transform", interrupted)
    with pytest.raises(KeyboardInterrupt):
        features.transform(table)
    assert len(ClipStore(tmp_path)) == 6
    reads.clear()
    features.transform(table)
    assert sum(reads.values()) == len(table) - 6


def test_workers_stop_when_their_caller_does(table, tmp_path, monkeypatch):
    computed = []

    def slow(waveforms):
        computed.append(len(waveforms))
        time.sleep(0.05)
        return waveforms[:, :1]

    chain = make_pipeline(AudioReader(duration=1.0), FunctionTransformer(slow))
    features = PerClip(chain, memory=tmp_path, chunk_size=1, verbose=1).fit(table)
    computed.clear()
    monkeypatch.setattr(StoreSession, "keep", interrupt)
    with parallel_config("threading", n_jobs=2), pytest.raises(KeyboardInterrupt) as caught:
        features.transform(table)
    # As a shell does, which keeps the traceback and with it all that was under way.
    assert caught.value is not None
    done = len(computed)
    time.sleep(0.3)
    assert len(computed) <= done + 2 < len(table)


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.skipif(os.name != "posix", reason="forks, and sends POSIX signals")
def test_kill_at_any_moment(table, tmp_path, rng):
    """Killed while results are written: what is served afterwards is right."""
    chain = make_pipeline(AudioReader(duration=1.0), RMSEnergy(), Functionals())
    expected = chain.fit_transform(table)
    context = get_context("fork")

    def work():
        features = PerClip(chain, memory=tmp_path, chunk_size=1)
        features.fit_transform(table)

    started = time.perf_counter()
    whole = context.Process(target=work)
    whole.start()
    whole.join()
    assert whole.exitcode == 0
    duration = time.perf_counter() - started
    killed, partial, tries = 0, 0, 0
    while killed < 15 or not partial:
        tries += 1
        assert tries < 150
        if len(ClipStore(tmp_path)) == len(table):
            ClipStore(tmp_path).clear()
        process = context.Process(target=work)
        process.start()
        # It may be done before: machines are not as fast all the time.
        process.join(rng.uniform(0, 1.2 * duration))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        partial += 0 < len(ClipStore(tmp_path)) < len(table)
        assert_array_equal(PerClip(chain, memory=tmp_path).fit_transform(table)[:3], expected[:3])
    assert_array_equal(PerClip(chain, memory=tmp_path).fit_transform(table), expected)


# Odd chains


def test_one_number_a_clip(table, tmp_path):
    chain = make_pipeline(AudioReader(), FunctionTransformer(lambda X: np.nanmax(X, axis=1)))
    expected = chain.fit_transform(table)
    for _ in range(2):
        assert_array_equal(PerClip(chain, memory=tmp_path).fit_transform(table), expected)


class Lazy(Note):
    """Holds what cannot be pickled once it has met a clip, as a model of another library may."""

    def transform(self, X):
        self.lock_ = threading.Lock()
        return X


def test_what_a_step_becomes_while_it_runs_is_no_other_chain(table, tmp_path):
    features = PerClip(make_pipeline(AudioReader(), Lazy(), RMSEnergy()), memory=tmp_path)
    features.fit(table)
    for _ in range(2):
        features.transform(table)
    assert len(ClipStore(tmp_path)) == len(table)


def test_names_of_parameters_in_classes_of_anyone(table, tmp_path):
    class Weighted(Note):
        def __init__(self, memory=1.0):
            self.memory = memory

        def transform(self, X):
            return X * np.float32(self.memory)

    for memory in (1.0, 0.5):
        chain = make_pipeline(AudioReader(duration=1.0), Weighted(memory=memory))
        features = PerClip(chain, memory=tmp_path)
        assert_array_equal(features.fit_transform(table), chain.fit_transform(table))


def test_warnings_that_are_no_messages(table):
    def warn(waveforms):
        warnings.warn(
            InconsistentVersionWarning(
                estimator_name="x", current_sklearn_version="1", original_sklearn_version="0"
            ),
            stacklevel=2,
        )
        return waveforms[:, :1]

    chain = make_pipeline(AudioReader(), FunctionTransformer(warn))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = PerClip(chain).fit(table)
    with pytest.warns(UserWarning, match="InconsistentVersionWarning"):
        assert len(features.transform(table)) == len(table)


def test_a_backend_that_hands_out_all_results_at_once(table):
    expected = vectors().fit_transform(table)
    with parallel_config("multiprocessing", n_jobs=2):
        assert_array_equal(PerClip(vectors(), chunk_size=2).fit_transform(table), expected)


# An estimator like any other


def test_clone_pickle_and_nested_parameters(table, tmp_path):
    store = ClipStore(tmp_path, max_bytes=2**20)
    features = PerClip(vectors(), memory=store, n_jobs=2, chunk_size=3)
    pipeline = make_pipeline(features)
    pipeline.set_params(perclip__transformer__mfcc__n_mfcc=2, perclip__chunk_size="auto")
    assert features.transformer["mfcc"].n_mfcc == 2
    copy = clone(pipeline)[0]
    assert copy.memory == store
    expected = features.set_params(n_jobs=None).fit_transform(table)
    assert_array_equal(pickle.loads(pickle.dumps(features)).transform(table), expected)
    assert "PerClip" in pipeline._repr_html_()
    # The chain that was given is left as it was.
    assert not hasattr(features.transformer["audioreader"], "n_samples_")


def test_progress(table, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    PerClip(vectors(), verbose=1, chunk_size=2).fit_transform(table)
    assert "clips" in capsys.readouterr().err


def test_long_recordings_come_in_small_chunks(write_wav, tmp_path):
    path = write_wav(seconds=0.1)
    seen = []

    def look(waveforms):
        seen.append(len(waveforms))
        return waveforms[:, :1]

    table = pd.DataFrame({"path": path, "start": np.arange(20) / 1000})
    for duration in (1.0, 600.0):
        seen.clear()
        chain = make_pipeline(AudioReader(duration=duration), FunctionTransformer(look))
        PerClip(chain).fit_transform(table)
        longest = 20 if duration == 1.0 else 1
        assert max(seen) == longest
