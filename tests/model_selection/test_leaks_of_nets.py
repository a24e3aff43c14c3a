"""Nets, early stopping and a nested search around them: nothing leaks, and a leak is found out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.base import BaseSampler
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline as make_chain

from sersk.augmentation import Gain, WaveformAugmenter
from sersk.feature_extraction import MFCC, Functionals, PerClip
from sersk.model_selection import ProtocolSplit, ValidationHoldout
from sersk.neural_network import RNNClassifier
from sersk.preprocessing import AudioReader

N_CLASSES = 3
SEEDS = range(3)


@pytest.fixture(scope="module")
def clips(written_corpus):
    """Windows of recordings, and speakers and sentences enough to keep them apart."""
    paths = written_corpus.data[["path"]]
    windows = [paths.assign(start=start, stop=start + 0.4) for start in (0.0, 0.4)]
    table = pd.concat(windows, ignore_index=True)
    number = np.arange(len(table))
    return table.assign(
        speaker=[f"s{who}" for who in number % 8], sentence=[f"t{what}" for what in number // 8 % 4]
    )


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    chain = make_chain(
        AudioReader(duration=0.4), MFCC(n_mfcc=12), Functionals(statistics=("mean", "std"))
    )
    return PerClip(chain, memory=tmp_path_factory.mktemp("memory"))


def shuffled_labels(clips, seed):
    """Labels that mean nothing, as many of each for every speaker."""
    labels = np.array(["anger", "calm", "fear"])[np.arange(len(clips)) // 8 % N_CLASSES]
    rng = np.random.default_rng(seed)
    for speaker in clips["speaker"].unique():
        rows = np.flatnonzero(clips["speaker"] == speaker)
        labels[rows] = rng.permutation(labels[rows])
    return labels


def faint_copies():
    return WaveformAugmenter(Gain(gain_db=(-0.1, 0.1)), copies=2, random_state=0)


def searched(*steps, groups="speaker"):
    """A net that learns by heart, stopped early, in a search: the whole chain."""
    net = RNNClassifier(
        hidden_sizes=(64,), hidden_units=(), dropout=0.0, lr=0.01, weight_decay=0.0,
        max_epochs=40, patience=20, random_state=0,
    )  # fmt: skip
    system = make_pipeline(*steps, net)
    return GridSearchCV(
        ValidationHoldout(system, size=0.2, groups=groups, random_state=0),
        {"estimator__rnnclassifier__optimizer": ["adam", "rmsprop"]},
        cv=ProtocolSplit("speaker", n_splits=2),
        scoring="balanced_accuracy",
        error_score="raise",
    )


def margin(n_clips, n_seeds):
    """Four standard errors of the UAR of guessing, with classes of the same size."""
    p = 1 / N_CLASSES
    return 4 * np.sqrt(p * (1 - p) / n_clips / n_seeds)


def mean_score(clips, system, protocol, seeds=SEEDS):
    scores = [
        cross_val_score(
            system, clips, shuffled_labels(clips, seed), scoring="balanced_accuracy",
            cv=ProtocolSplit(protocol, n_splits=2), error_score="raise",
        )
        for seed in seeds
    ]  # fmt: skip
    return np.mean(scores)


@pytest.mark.parametrize("protocol", ["random", "speaker"])
def test_random_labels_score_chance(clips, features, protocol):
    system = searched(RandomOverSampler(random_state=0), faint_copies(), features)
    off = mean_score(clips, system, protocol) - 1 / N_CLASSES
    assert abs(off) < margin(len(clips), len(SEEDS))


def test_copies_made_beforehand_are_found_out(clips, features):
    """As in the notebooks: copies first, and validation on copies of what is trained on."""
    scores = []
    for seed in SEEDS[:2]:
        table, y = faint_copies().fit_resample(clips, shuffled_labels(clips, seed))
        split = ProtocolSplit("random", n_splits=2)
        scores.append(cross_val_score(searched(features, groups=None), table, y, cv=split).mean())
    assert np.mean(scores) - 1 / N_CLASSES > margin(len(clips), 2)


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


@pytest.mark.parametrize("protocol", ["random", "speaker"])
def test_a_sampler_that_peeks_is_found_out(clips, features, protocol, monkeypatch):
    monkeypatch.setattr(Peeker, "everything", (clips, shuffled_labels(clips, 0)))
    score = mean_score(clips, searched(Peeker(), features), protocol, seeds=[0])
    assert score - 1 / N_CLASSES > margin(len(clips), 1)
