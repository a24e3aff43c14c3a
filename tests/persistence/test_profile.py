"""Recordings that are unlike those of the training are named, others are not."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, sosfilt

import sersk
from sersk.datasets import make_emotional_speech
from sersk.exceptions import OutOfDepthWarning
from sersk.persistence import RecordingProfile, predict_recordings
from sersk.persistence._card import card_from_plain, card_to_plain
from sersk.persistence._profile import _DIFFERENCES, _UNVOICED, Comparison, measure

RATE = 16000


@pytest.fixture(scope="module")
def training():
    return make_emotional_speech(n_speakers=10, n_sentences=2, repetitions=1, random_state=0)


@pytest.fixture(scope="module")
def strangers():
    """Other speakers, under the same conditions."""
    return make_emotional_speech(n_speakers=4, n_sentences=2, repetitions=1, random_state=7)


@pytest.fixture(scope="module")
def profile(training):
    return RecordingProfile.from_clips(training.data)


def spoil(samples, kind, rng):
    peak = np.nanmax(np.abs(samples), axis=1, keepdims=True)
    if kind == "quiet":
        return 0.01 * samples
    if kind == "loud":
        return samples * 10 / peak
    if kind == "clipped":
        return np.clip(samples, -0.1 * peak, 0.1 * peak)
    if kind == "narrow":
        low = butter(12, 2000, fs=RATE, output="sos")
        return np.where(np.isnan(samples), np.nan, sosfilt(low, np.nan_to_num(samples)))
    if kind == "noisy":
        return samples + 0.3 * peak * rng.standard_normal(samples.shape)
    if kind == "short":
        return samples[:, : RATE // 5]
    assert kind == "long"
    sound = np.nan_to_num(samples)
    return np.concatenate([sound] * 4, axis=1)


KINDS = ("quiet", "loud", "clipped", "narrow", "noisy", "short", "long")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named(kind, profile, strangers, rng):
    clips = strangers.data[::4]
    unlike = profile.compare(spoil(clips, kind, rng))
    named = sum(kind in words.split(", ") for words in unlike)
    assert named >= 0.9 * len(clips), Counter(unlike)


def test_clean_strangers_are_mostly_not(profile, strangers):
    unlike = profile.compare(strangers.data)
    assert np.mean([bool(words) for words in unlike]) < 0.1


def test_no_clip_of_the_training_lies_far_outside(profile, training):
    """At each end of six ranges a hundredth may lie outside."""
    assert np.mean([bool(words) for words in profile.compare(training.data)]) <= 0.12


def test_ranges_are_percentiles(profile, training):
    statistics = measure(training.data, RATE, None)
    for name, (low, high) in profile.ranges.items():
        column = statistics[name].dropna()
        # Between two of 120 clips the percentile lies: beyond it are two at most.
        assert np.sum(column < low - 1e-4) <= 2
        assert np.sum(column > high + 1e-4) <= 2
        assert column.min() - 1e-4 <= low <= high <= column.max() + 1e-4
    assert profile.n_clips == len(training.data)


def test_silence_has_no_voice(profile):
    (words,) = profile.compare(np.zeros((1, RATE)))
    assert words == "quiet, short, without a voice"


def test_files_and_waveforms_agree(written_corpus, small_corpus, tmp_path):
    """Files are of 16 bit: that is all the difference."""
    from_files = RecordingProfile.from_clips(written_corpus.data, memory=tmp_path)
    again = RecordingProfile.from_clips(written_corpus.data, memory=tmp_path)
    assert again == from_files
    from_waveforms = RecordingProfile.from_clips(small_corpus.data)
    for name, ends in from_files.ranges.items():
        assert ends == pytest.approx(from_waveforms.ranges[name], rel=0.02, abs=0.5)


def test_files_that_cannot_be_read(written_corpus, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    paths = [*written_corpus.data["path"], str(bad)]
    profile = RecordingProfile.from_clips(paths)
    assert profile.n_clips == len(paths) - 1
    assert profile.compare([str(bad)]) == [""]
    with pytest.raises(ValueError, match="No clip could be read"):
        RecordingProfile.from_clips([str(bad)])


def test_a_long_file_is_measured_by_its_header(write_wav):
    """No more than ten seconds of it are read, and the length is told all the same."""
    samples = np.concatenate([np.full(10 * RATE, 0.1), np.full(15 * RATE, 0.9)])
    path = write_wav(samples=samples)
    found = measure([path], RATE, None).iloc[0]
    assert found["duration"] == 25.0
    assert found["level"] == pytest.approx(-20, abs=0.1)


def test_windows_have_their_own_length(write_wav):
    path = write_wav(seconds=4)
    table = pd.DataFrame({"path": [path] * 2, "start": [0.0, 3.5], "stop": [1.0, 9.0]})
    assert measure(table, RATE, None)["duration"].tolist() == [1.0, 0.5]


# -------------------------------------------------------------------------------------- warnings


def test_few_odd_ones_are_no_reason_to_warn(profile):
    assert profile.explain({"quiet": 5}, 100) == ""
    text = profile.explain({"quiet": 6, "loud": 5, "narrow": 50}, 100)
    assert [line.split()[:4] for line in text.splitlines()[1:]] == [
        ["50", "of", "100", "narrow"],
        ["6", "of", "100", "quiet"],
    ]
    assert profile.explain({"quiet": 1}, 1)
    assert profile.explain({}, 0) == ""


@pytest.mark.parametrize("word", [each.word for each in _DIFFERENCES] + [_UNVOICED])
def test_each_word_has_a_way_out(word, profile):
    line = profile.explain({word: 3}, 4).splitlines()[1]
    assert re.fullmatch(rf"  3 of 4 {re.escape(word)}.*: \w.{{10,}}", line)


def test_predictions_warn_by_name(boosted, written_corpus, write_wav):
    profile = RecordingProfile.from_clips(written_corpus.data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutOfDepthWarning)
        clean = predict_recordings(boosted, written_corpus.data["path"], profile=profile)
    assert set(clean.table["unlike"]) == {""}
    path = write_wav(samples=np.full(4000, 1e-4))
    with pytest.warns(
        OutOfDepthWarning, match=r"1 of 1 quiet \(training: level .*: record"
    ) as said:
        found = predict_recordings(boosted, [path], profile=profile).table
    assert "quiet, " in found["unlike"][0]
    # The warning names the line that asked.
    (warning,) = (each for each in said if each.category is OutOfDepthWarning)
    assert warning.filename == __file__
    without = predict_recordings(boosted, [path]).table
    assert "unlike" not in without
    assert without["emotion"].tolist() == found["emotion"].tolist()


def test_counts_go_on_from_chunk_to_chunk(profile, strangers):
    comparison = Comparison(profile)
    for part in np.array_split(0.001 * strangers.data, 3):
        comparison.look_at(part)
    assert comparison.n_clips == len(strangers.data)
    assert comparison.counts["quiet"] == len(strangers.data)


# ------------------------------------------------------------------------------------- in the file


def test_it_comes_back_from_the_file(boosted, profile, tmp_path):
    sersk.save(boosted, tmp_path / "model.skops", profile=profile)
    card = sersk.read_card(tmp_path / "model.skops")
    assert card.profile == profile
    assert f"Of {profile.n_clips} clips, read at 16000 Hz." in card.to_markdown()
    sersk.save(boosted, tmp_path / "none.skops")
    assert sersk.read_card(tmp_path / "none.skops").profile is None


def test_what_a_newer_sersk_measures_is_left_out(boosted, profile, tmp_path):
    plain = {**dataclasses.asdict(profile), "of_tomorrow": 1}
    plain["ranges"] = {**plain["ranges"], "reverberation": [0.1, 0.2]}
    sersk.save(boosted, tmp_path / "model.skops")
    card = card_to_plain(sersk.read_card(tmp_path / "model.skops"))
    found = card_from_plain(json.loads(json.dumps({**card, "recordings": plain})))
    assert found.profile == profile


GOOD = {"ranges": {"level": [-40.0, -20.0]}, "sample_rate": 16000, "n_clips": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": {"level": [1.0]}}, "two numbers"),
        ({"ranges": {"level": [2.0, 1.0]}}, "the lower first"),
        ({"ranges": {"level": [1.0, float("nan")]}}, "two numbers"),
        ({"ranges": {"level": "ab"}}, "two numbers"),
        ({"ranges": None}, "pairs of numbers"),
        ({"sample_rate": 0}, "sample_rate=0"),
        ({"sample_rate": True}, "sample_rate=True"),
        ({"n_clips": "3"}, "n_clips='3'"),
    ],
)
def test_cards_with_a_forged_profile(change, message):
    card = {"estimator": "SVC", "labels": []}
    assert card_from_plain({**card, "recordings": GOOD}).profile.n_clips == 3
    with pytest.raises(ValueError, match=message):
        card_from_plain({**card, "recordings": {**GOOD, **change}})


def test_a_profile_of_unknown_statistics_is_refused():
    with pytest.raises(ValueError, match="'loudness'; known are level"):
        RecordingProfile(ranges={"loudness": (0.0, 1.0)}, sample_rate=RATE, n_clips=1)
