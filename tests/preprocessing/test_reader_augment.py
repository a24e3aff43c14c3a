"""Cells of `augment`: applied once a clip and draw, wherever the clip is read."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.testing import assert_array_equal
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sersk.augmentation import (
    AddNoise,
    BackgroundNoise,
    Compose,
    Gain,
    PitchShift,
    TimeStretch,
    WaveformAugmenter,
)
from sersk.exceptions import (
    AudioReadError,
    AugmentationError,
    ClipCutWarning,
    UnreadableAudioWarning,
)
from sersk.feature_extraction import ClipStore, Functionals, PerClip, RMSEnergy
from sersk.model_selection import ProtocolSplit
from sersk.preprocessing import AudioReader, PreEmphasis, _audio_reader

APPLIED = Counter()


@pytest.fixture
def reads(monkeypatch):
    """How often each file was decoded in this process, and each draw applied."""
    counts = Counter()
    read_clip, apply_draw = _audio_reader.read_clip, _audio_reader.apply_draw

    def counting(region, sample_rate, out):
        counts[region.path] += 1
        return read_clip(region, sample_rate, out)

    def applying(draw, samples, sample_rate, *, name):
        APPLIED[name, repr(draw)] += 1
        return apply_draw(draw, samples, sample_rate, name=name)

    monkeypatch.setattr(_audio_reader, "read_clip", counting)
    monkeypatch.setattr(_audio_reader, "apply_draw", applying)
    APPLIED.clear()
    return counts


@dataclass
class Unhashable:
    """A callable that cannot be hashed, as a class with `__eq__` alone."""

    factor: float

    def __call__(self, samples, sample_rate):
        return samples * np.float32(self.factor)


def half(samples, sample_rate):
    return samples / 2


def breaks(samples, sample_rate):
    raise KeyError("missing")


def sound(row):
    return row[~np.isnan(row)]


def with_draws(paths, draws, **columns):
    return pd.DataFrame({"path": paths, "augment": pd.Series(draws, dtype=object), **columns})


# The reader alone


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_row_is_its_clip_and_draw(write_wav, reads, n_jobs):
    paths = [write_wav(f"{number}.wav", seconds=0.2 + 0.01 * number) for number in range(40)]
    draws = [Gain(gain_db=3).draw(), AddNoise().draw(1), None, half, Unhashable(0.3)]
    table = with_draws(np.repeat(paths, 5), draws * 40)
    table = table.sample(frac=1, random_state=0)
    reader = AudioReader(n_jobs=n_jobs).fit(table)
    waveforms = reader.transform(table)
    assert reads == Counter(paths)
    assert set(APPLIED.values()) == {1}
    plain = dict(zip(paths, AudioReader().fit_transform(paths), strict=True))
    assert waveforms.dtype == np.float32
    for row, path, draw in zip(waveforms, table["path"], table["augment"], strict=True):
        clip = sound(plain[path])
        expected = clip if draw is None else draw(clip, 16000)
        assert_array_equal(row[: len(clip)], expected)
        assert np.isnan(row[len(clip) :]).all()


def test_rows_that_are_the_same_are_computed_once(write_wav, reads):
    path, unhashable = write_wav(), Unhashable(0.5)
    draws = [AddNoise().draw(3), unhashable, None, AddNoise().draw(3), unhashable, None]
    waveforms = AudioReader().fit_transform(with_draws([path] * 6, draws))
    assert_array_equal(waveforms[:3], waveforms[3:])
    assert len(np.unique(waveforms, axis=0)) == 3
    assert reads == {path: 1}
    assert set(APPLIED.values()) == {1}


def test_unhashable_functions_are_told_apart(write_wav):
    path = write_wav()
    draws = [Unhashable(0.5), Unhashable(0.25), None]
    waveforms = AudioReader().fit_transform(with_draws([path] * 3, draws))
    assert_array_equal(waveforms[0], waveforms[2] / 2)
    assert_array_equal(waveforms[1], waveforms[2] / 4)


def test_the_length_of_the_output_stays(write_wav):
    paths = [write_wav("short.wav", seconds=0.2), write_wav("long.wav", seconds=0.4)]
    slow, fast = TimeStretch(rate=0.5).draw(), TimeStretch(rate=2.0).draw()
    table = with_draws(paths * 3, [None, None, slow, slow, fast, fast])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipCutWarning)
        waveforms = AudioReader().fit_transform(table)
    lengths = (~np.isnan(waveforms)).sum(axis=1)
    assert lengths.tolist() == [3200, 6400, 6400, 6400, 1600, 3200]
    assert_array_equal(waveforms[2], slow(sound(waveforms[0]), 16000)[:6400])
    assert_array_equal(waveforms[3], slow(waveforms[1], 16000)[:6400])
    assert_array_equal(sound(waveforms[5]), fast(waveforms[1], 16000))
    cut = AudioReader(duration=0.1).fit_transform(table)
    assert_array_equal(cut[3], slow(waveforms[1, :1600], 16000)[:1600])


def test_parts_of_files(write_wav):
    path = write_wav(seconds=0.5)
    table = with_draws([path] * 2, [half, None], start=[0.1, 0.1], stop=[0.3, 0.3])
    changed, plain = AudioReader(offset=0.05).fit_transform(table)
    assert len(sound(plain)) == 2400
    assert_array_equal(changed, plain / 2)


def test_sample_rate_of_a_draw_is_that_of_the_reader(write_wav):
    seen = []

    def look(samples, sample_rate):
        seen.append(sample_rate)
        return samples

    path = write_wav(sample_rate=16000)
    AudioReader(sample_rate=8000).fit_transform(with_draws([path], [look]))
    assert seen == [8000]


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA])
def test_empty_cells(write_wav, empty):
    paths = [write_wav("a.wav"), write_wav("b.wav")]
    found = AudioReader().fit_transform(with_draws(paths, [empty, None]))
    assert_array_equal(found, AudioReader().fit_transform(paths))


def test_unreadable_files_stay_nan_and_are_named_once(write_wav, tmp_path):
    good, bad = write_wav(), str(tmp_path / "gone.wav")
    draws = [AddNoise().draw(seed) for seed in range(3)]
    table = with_draws([good, bad, bad, bad, bad], [draws[0], *draws, None])
    reader = AudioReader(on_error="nan").fit(table)
    with pytest.warns(UnreadableAudioWarning, match="1 file") as caught:
        waveforms = reader.transform(table)
    assert str(caught[0].message).count("gone.wav") == 1
    assert len(caught) == 1
    assert list(reader.failed_) == [bad]
    assert np.isnan(waveforms[1:]).all()
    assert np.isfinite(waveforms[0]).all()
    with pytest.raises(AudioReadError):
        AudioReader(duration=1.0).fit_transform(table)


@pytest.mark.parametrize("cell", ["noise", 3, AddNoise()])
def test_cells_that_are_no_draws(write_wav, cell):
    path = write_wav()
    for draws in ([cell, None], [None, cell]):
        with pytest.raises(AugmentationError, match=r"it cannot be called: .*`draw` returns") as e:
            AudioReader().fit_transform(with_draws([path] * 2, draws))
        assert e.value.clip == path
    table, _ = WaveformAugmenter(Gain()).fit_resample(with_draws([path], [cell]), ["fear"])
    with pytest.raises(AugmentationError, match="it cannot be called"):
        AudioReader().fit_transform(table)


# Errors from afar


@pytest.mark.parametrize("on_error", ["raise", "nan"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_bad_draw_is_named_with_its_clip(write_wav, on_error, n_jobs):
    paths = [write_wav(f"{number}.wav") for number in range(20)]
    draws = [half] * 17 + [Compose([Gain(gain_db=1), breaks]).draw(0)] + [None] * 2
    table = with_draws(paths, draws)
    message = f"cannot apply breaks to {paths[17]!r}: KeyError: 'missing'"
    with pytest.raises(AugmentationError) as caught:
        AudioReader(on_error=on_error, n_jobs=n_jobs).fit_transform(table)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_bad_draw_is_named_through_per_clip(write_wav, tmp_path, n_jobs):
    noise = tmp_path / "noise"
    noise.mkdir()
    write_wav("noise/fan.wav")
    draw = BackgroundNoise(noise).draw(0)
    (noise / "fan.wav").unlink()
    paths = [write_wav(f"{number}.wav") for number in range(4)]
    table = with_draws(paths, [None, None, draw, None])
    features = PerClip(make_pipeline(AudioReader(), RMSEnergy()), n_jobs=n_jobs, chunk_size=1)
    features.fit(table)
    with pytest.raises(AugmentationError) as caught:
        features.transform(table)
    assert caught.value.clip == paths[2]
    assert caught.value.draw == repr(draw)
    assert str(caught.value).startswith("cannot apply BackgroundNoise(path=")
    assert "AudioReadError" in caught.value.reason


# With a store


def pipeline(memory, transforms, **reader):
    chain = make_pipeline(AudioReader(**reader), RMSEnergy(), Functionals())
    return make_sampling_pipeline(
        RandomOverSampler(random_state=0),
        WaveformAugmenter(transforms, copies=2, random_state=0),
        PerClip(chain, memory=memory),
        KNeighborsClassifier(n_neighbors=1),
    )


def test_each_copy_is_computed_once_over_folds_and_trials(written_corpus, tmp_path, reads):
    X = written_corpus.data
    system = pipeline(tmp_path / "store", [AddNoise(), PitchShift(), TimeStretch()], duration=0.5)
    folds = ProtocolSplit("speaker", n_splits=4)
    scores = [cross_val_score(system, X, written_corpus.target, cv=folds) for _ in range(2)]
    assert_array_equal(*scores)
    assert not np.isnan(scores).any()
    # All folds' training parts are balanced: six copies of each clip, and the clip itself.
    assert len(APPLIED) == 6 * len(X)
    assert set(APPLIED.values()) == {1}
    assert len(ClipStore(tmp_path / "store")) == 7 * len(X)
    applied = APPLIED.copy()
    system.set_params(kneighborsclassifier__n_neighbors=3)
    cross_val_score(system, X, written_corpus.target, cv=folds)
    assert applied == APPLIED


def test_a_learned_length_recomputes_what_changes_length_alone(written_corpus, tmp_path, reads):
    """Noise does not care how long the longest clip is; a stretched copy may be cut there."""
    X = written_corpus.data
    # The longest clip is in three of the four training parts: two lengths are learned.
    for transform, times in ((AddNoise(), {1}), (TimeStretch(), {1, 2})):
        APPLIED.clear()
        system = pipeline(tmp_path / "store", transform)
        folds = ProtocolSplit("speaker", n_splits=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClipCutWarning)
            cross_val_score(system, X, written_corpus.target, cv=folds, error_score="raise")
        assert set(APPLIED.values()) <= times


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.parametrize("chain_end", ["frames", "vectors", "waveforms"])
def test_the_store_serves_what_the_chain_gives(written_corpus, tmp_path, chain_end):
    end = {
        "frames": [RMSEnergy()],
        "vectors": [RMSEnergy(), Functionals()],
        "waveforms": [PreEmphasis()],
    }[chain_end]
    chain = make_pipeline(AudioReader(), *end)
    X, y = written_corpus.data, written_corpus.target
    slow = [AddNoise(), TimeStretch(rate=0.7), TimeStretch(rate=1.4), half]
    augmenter = WaveformAugmenter(slow, random_state=0)
    for some in (slice(0, 12), slice(6, 24), slice(None)):
        table, _ = augmenter.fit_resample(X[some], y[some])
        expected = chain.fit_transform(table)
        for chunk_size in (5, "auto"):
            features = PerClip(chain, memory=tmp_path / "store", chunk_size=chunk_size)
            assert_array_equal(features.fit_transform(table), expected)
            assert_array_equal(PerClip(chain, chunk_size=7).fit_transform(table), expected)


def test_unhashable_functions_through_per_clip(write_wav, tmp_path):
    paths = [write_wav("a.wav"), write_wav("b.wav")]
    table = with_draws(paths * 2, [Unhashable(0.5)] * 2 + [Unhashable(0.25)] * 2)
    chain = make_pipeline(AudioReader(), RMSEnergy(), Functionals())
    for _ in range(2):
        found = PerClip(chain, memory=tmp_path / "store").fit_transform(table)
        assert_array_equal(found, chain.fit_transform(table))


class Louder(NamedTuple):
    value: float

    def __call__(self, samples, sample_rate):
        return samples * np.float32(self.value)


class Shifted(NamedTuple):
    value: float

    def __call__(self, samples, sample_rate):
        return samples + np.float32(self.value)


def test_functions_that_are_equal_and_do_different_things(write_wav):
    table = pd.DataFrame({"path": [write_wav()] * 2})
    table["augment"] = pd.Series([Louder(0.5), Shifted(0.5)], dtype=object)
    louder, shifted = AudioReader().fit_transform(table)
    clip = AudioReader().fit_transform(table[["path"]])[0]
    np.testing.assert_allclose(louder, clip * 0.5)
    np.testing.assert_allclose(shifted, clip + 0.5)
