"""Metrics over speakers, against scikit-learn and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sersk.metrics import (
    classification_summary,
    compare_by_speaker,
    most_confused_pairs,
    scores_by_speaker,
    speaker_bootstrap,
)

REFERENCE = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1_macro": lambda y_true, y_pred: f1_score(y_true, y_pred, average="macro"),
}
EMOTIONS = np.array(["anger", "calm", "fear", "neutral"])


def predictions(rng, n_speakers=12, n_clips=20, skill=0.5):
    """Clips of speakers who differ in how well they are understood."""
    speakers = np.repeat([f"s{number:02d}" for number in range(n_speakers)], n_clips)
    y_true = rng.choice(EMOTIONS, size=len(speakers))
    understood = np.repeat(rng.normal(skill, 0.2, size=n_speakers), n_clips)
    y_pred = np.where(
        rng.random(len(speakers)) < understood, y_true, rng.choice(EMOTIONS, len(speakers))
    )
    return y_true, y_pred, speakers


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("metric", REFERENCE)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(EMOTIONS), st.sampled_from(EMOTIONS), st.sampled_from("abc")),
        min_size=1,
        max_size=30,
    )
)
def test_scores_equal_scikit_learn(metric, pairs):
    y_true, y_pred, speakers = map(np.array, zip(*pairs, strict=True))
    result = speaker_bootstrap(y_true, y_pred, speakers, metric=metric)
    assert_allclose(result.score, REFERENCE[metric](y_true, y_pred))
    alone = scores_by_speaker(y_true, y_pred, speakers, metric=metric)
    for speaker in set(speakers):
        mine = speakers == speaker
        assert_allclose(alone[speaker], REFERENCE[metric](y_true[mine], y_pred[mine]))


@pytest.mark.parametrize("metric", REFERENCE)
def test_interval_equals_resampling_by_hand(rng, metric):
    y_true, y_pred, speakers = predictions(rng)
    result = speaker_bootstrap(y_true, y_pred, speakers, metric=metric, n_resamples=4000)
    rows = {name: np.flatnonzero(speakers == name) for name in np.unique(speakers)}
    scores = []
    for _ in range(1000):
        drawn = np.concatenate([rows[name] for name in rng.choice(list(rows), size=len(rows))])
        scores.append(REFERENCE[metric](y_true[drawn], y_pred[drawn]))
    # Two bootstraps of the same data: a percentile of 1000 draws is good to about this.
    assert_allclose([result.low, result.high], np.percentile(scores, [2.5, 97.5]), atol=0.015)


def test_interval_is_wider_than_that_of_clips(rng):
    """The reason for it all: speakers differ, so clips alone promise too much."""
    y_true, y_pred, speakers = predictions(rng, n_clips=60)
    by_speaker = speaker_bootstrap(y_true, y_pred, speakers, metric="accuracy")
    by_clip = speaker_bootstrap(y_true, y_pred, np.arange(len(y_true)), metric="accuracy")
    assert by_speaker.high - by_speaker.low > 2 * (by_clip.high - by_clip.low)


def test_interval_covers_as_often_as_it_says():
    """Strangers' accuracy is 0.5 by construction: about 95 of 100 intervals must hold it."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        speakers = np.repeat(np.arange(24), 20)
        right = rng.random(480) < np.repeat(rng.uniform(0.2, 0.8, size=24), 20)
        y_true = np.where(rng.random(480) < 0.5, "fear", "calm")
        y_pred = np.where(right, y_true, "anger")
        result = speaker_bootstrap(y_true, y_pred, speakers, metric="accuracy", n_resamples=300)
        covered += result.low <= 0.5 <= result.high
    # The percentile method is a little narrow with 24 speakers; 5 standard errors below 95 %.
    assert covered >= 174


def test_few_speakers_have_no_interval(rng):
    y_true, y_pred, speakers = predictions(rng, n_speakers=7)
    result = speaker_bootstrap(y_true, y_pred, speakers)
    assert np.isnan(result.low)
    assert np.isnan(result.high)
    assert len(result.by_speaker) == 7
    assert np.isfinite(speaker_bootstrap(*predictions(rng, n_speakers=8)).low)


def test_same_seed_same_interval_and_global_state_untouched(rng):
    data = predictions(rng)
    before = np.random.get_state()[1].copy()
    first, second = speaker_bootstrap(*data), speaker_bootstrap(*data)
    other = speaker_bootstrap(*data, random_state=1)
    assert (first.low, first.high) == (second.low, second.high) != (other.low, other.high)
    assert (np.random.get_state()[1] == before).all()


def test_paired_comparison_sees_what_unpaired_cannot(rng):
    y_true, a, speakers = predictions(rng, n_speakers=24)
    # Better on one clip in ten of every speaker.
    b = np.where(np.arange(len(a)) % 10 == 0, y_true, a)
    result = compare_by_speaker(y_true, a, b, speakers)
    assert 0 < result.low < result.difference < result.high
    assert result.low < speaker_bootstrap(y_true, b, speakers).score
    apart = [speaker_bootstrap(y_true, y_pred, speakers) for y_pred in (a, b)]
    assert apart[1].low < apart[0].high  # the separate intervals overlap
    back = compare_by_speaker(y_true, b, a, speakers)
    assert_allclose([back.difference, back.low], [-result.difference, -result.high], atol=0.01)
    same = compare_by_speaker(y_true, a, a, speakers)
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_confused_pairs():
    y_true = ["calm"] * 4 + ["fear"] * 10 + ["anger"]
    y_pred = ["calm"] * 2 + ["neutral"] * 2 + ["fear"] * 6 + ["calm"] * 3 + ["anger"] + ["anger"]
    pairs = most_confused_pairs(y_true, y_pred)
    assert pairs.to_dict("list") == {
        "true": ["calm", "fear", "fear"],
        "predicted": ["neutral", "calm", "anger"],
        "count": [2, 3, 1],
        "share": [0.5, 0.3, 0.1],
    }
    assert len(most_confused_pairs(y_true, y_pred, n_pairs=1)) == 1
    assert most_confused_pairs(y_true, y_true).empty


def test_summary_fits_together(rng):
    y_true, y_pred, speakers = predictions(rng)
    summary = classification_summary(y_true, y_pred, speakers)
    assert summary.scores.index.tolist() == list(REFERENCE)
    for metric, reference in REFERENCE.items():
        assert_allclose(summary.scores.loc[metric, "score"], reference(y_true, y_pred))
    assert_allclose(
        summary.per_class["recall"].mean(), summary.scores.loc["balanced_accuracy", "score"]
    )
    assert summary.per_class["support"].sum() == summary.confusion.to_numpy().sum() == len(y_true)
    assert summary.per_speaker.shape == (12, 3)
    alone = classification_summary(y_true, y_pred)
    assert alone.per_speaker is None
    assert alone.scores["low"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["a", "b"], ["s"]), "inconsistent numbers of samples"),
        ((["a", "b"], ["a", "b"], ["s"]), "inconsistent numbers of samples"),
        (([], [], []), "no clip to score"),
        (([["a", "b"]], ["a"], ["s"]), "1d array"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        speaker_bootstrap(*arguments)
    with pytest.raises(ValueError, match="'metric' parameter"):
        speaker_bootstrap(["a"], ["a"], ["s"], metric="mcc")
