"""ProtocolSplit: what training must not know, it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate

from sersk.model_selection import ProtocolSplit

KEPT_APART = {
    "random": [],
    "speaker": ["speaker"],
    "text": ["sentence"],
    "speaker+text": ["speaker", "sentence"],
    "corpus": ["corpus"],
}


def make_table(n_speakers=8, n_sentences=6, n_emotions=3, n_corpora=1):
    speakers, sentences, emotions = np.unravel_index(
        np.arange(n_speakers * n_sentences * n_emotions), (n_speakers, n_sentences, n_emotions)
    )
    table = pd.DataFrame(
        {
            "path": [f"{row}.wav" for row in range(len(speakers))],
            "speaker": [f"s{speaker:02d}" for speaker in speakers],
            "sentence": [f"t{sentence}" for sentence in sentences],
            "corpus": [f"c{speaker % n_corpora}" for speaker in speakers],
        }
    )
    return table, np.array(["anger", "calm", "fear", "neutral"])[emotions]


@pytest.mark.parametrize("protocol", KEPT_APART)
def test_nothing_that_is_kept_apart_is_on_both_sides(protocol):
    table, y = make_table(n_corpora=3)
    folds = list(ProtocolSplit(protocol).split(table, y))
    for train, test in folds:
        assert len(train)
        assert len(test)
        for column in KEPT_APART[protocol]:
            assert not set(table[column].iloc[train]) & set(table[column].iloc[test])
    assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(len(y)))


@pytest.mark.filterwarnings("ignore:The least populated class")
@given(
    n_speakers=st.integers(2, 9),
    n_sentences=st.integers(2, 7),
    n_splits=st.integers(2, 6),
    seed=st.integers(0, 5),
    protocol=st.sampled_from(["speaker", "text", "speaker+text"]),
    keep=st.integers(60, 100),
)
def test_every_clip_is_tested_once_by_strangers(
    n_speakers, n_sentences, n_splits, seed, protocol, keep
):
    table, y = make_table(n_speakers, n_sentences, 4)
    # Real corpora are not complete: some clips are missing.
    some = np.flatnonzero(np.random.default_rng(seed).integers(100, size=len(y)) < keep)
    table, y = table.iloc[some].reset_index(drop=True), y[some]
    splitter = ProtocolSplit(protocol, n_splits=n_splits, random_state=seed)
    # What cannot be split is refused, and is another test's business.
    assume(all(table[column].nunique() > 1 for column in KEPT_APART[protocol]))
    try:
        folds = list(splitter.split(table, y))
    except ValueError as error:
        # In so incomplete a corpus some fold may have nothing to train on; that is refused.
        if "nothing to train on" not in str(error):
            raise
        assume(False)
    assert splitter.get_n_splits(table, y) == len(folds)
    assert all(len(train) for train, _ in folds)
    tested = np.concatenate([test for _, test in folds])
    assert_array_equal(np.sort(tested), np.arange(len(y)))
    for train, test in folds:
        for column in KEPT_APART[protocol]:
            assert not set(table[column].iloc[train]) & set(table[column].iloc[test])
        # All that shares nothing with the test part is there to be learned from, but for the cells
        # of the crossed protocol, whose parts may hold more than the clips that are there.
        strange = np.ones(len(y), dtype=bool)
        for column in KEPT_APART[protocol]:
            strange &= ~table[column].isin(table[column].iloc[test])
        assert set(train) <= set(np.flatnonzero(strange))
        if protocol != "speaker+text":
            assert_array_equal(train, np.flatnonzero(strange))


def test_speaker_and_text_says_what_is_dropped():
    table, y = make_table(n_speakers=10, n_sentences=5)
    folds = ProtocolSplit("speaker+text").summarise(table, y)
    assert len(folds) == 25
    # One in five speakers, one in five sentences: 4 % are tested, 64 % taught, the rest dropped.
    assert (folds["n_test"] == 0.04 * len(y)).all()
    assert (folds["n_train"] == 0.64 * len(y)).all()
    assert (folds["n_dropped"] == 0.32 * len(y)).all()
    assert (ProtocolSplit("speaker").summarise(table, y)["n_dropped"] == 0).all()


def test_few_speakers_are_left_out_one_by_one():
    table, y = make_table(n_speakers=4)
    tested = [set(table["speaker"].iloc[test]) for _, test in ProtocolSplit().split(table, y)]
    assert sorted(map(tuple, tested)) == [("s00",), ("s01",), ("s02",), ("s03",)]
    assert ProtocolSplit().get_n_splits(table, y) == 4


def test_corpus_keeps_shared_emotions_only():
    table, y = make_table(n_speakers=6, n_emotions=4, n_corpora=2)
    one = (table["corpus"] == "c0").to_numpy()
    keep = ~(one & (y == "neutral")) & ~(~one & (y == "calm"))
    table, y = table[keep], y[keep]
    splitter = ProtocolSplit("corpus")
    for train, test in splitter.split(table, y):
        assert set(y[train]) == set(y[test]) == {"anger", "fear"}
    assert (splitter.summarise(table, y)["n_dropped"] > 0).all()
    y = np.where(table["corpus"] == "c0", "calm", "fear")
    with pytest.raises(ValueError, match=r"shares 0 emotion.*calm.*fear"):
        list(splitter.split(table, y))


@pytest.mark.parametrize("protocol", KEPT_APART)
def test_same_seed_same_folds(protocol):
    table, y = make_table(n_corpora=2)
    splitter = ProtocolSplit(protocol, n_splits=3, random_state=7)
    before = np.random.get_state()[1].copy()
    for (train, test), (train_again, test_again) in zip(
        splitter.split(table, y), splitter.split(table, y), strict=True
    ):
        assert_array_equal(train, train_again)
        assert_array_equal(test, test_again)
    assert (np.random.get_state()[1] == before).all()


def test_who_speaks_may_come_as_groups():
    table, y = make_table()
    X = np.zeros((len(y), 3))
    splitter = ProtocolSplit("speaker")
    expected = [test.tolist() for _, test in splitter.split(table, y)]
    for groups in (table, table["speaker"], table["speaker"].tolist()):
        assert [test.tolist() for _, test in splitter.split(X, y, groups)] == expected
        assert splitter.get_n_splits(X, y, groups) == 5
    # Groups that are given win over the table.
    assert splitter.get_n_splits(table, y, table["sentence"].map({"t0": 0}).fillna(1)) == 2


def test_in_scikit_learn(rng):
    table, y = make_table()
    X = rng.normal(size=(len(y), 3))
    model = DummyClassifier()
    cv = ProtocolSplit("speaker+text", n_splits=2)
    scores = cross_validate(model, X, y, cv=cv, groups=table[["speaker", "sentence"]])
    assert len(scores["test_score"]) == 4
    assert len(cross_val_predict(model, X, y, cv=cv, groups=table)) == len(y)
    search = GridSearchCV(model, {"strategy": ["prior", "uniform"]}, cv=ProtocolSplit("speaker"))
    assert search.fit(X, y, groups=table["speaker"]).n_splits_ == 5


@pytest.mark.parametrize(
    ("protocol", "X", "groups", "message"),
    [
        ("speaker", np.zeros((4, 2)), None, "speaker of each clip.*groups"),
        ("text", pd.DataFrame({"speaker": list("aabb")}), None, "sentence of each clip"),
        ("speaker+text", np.zeros((4, 2)), list("aabb"), "speaker and sentence as groups"),
        ("speaker", pd.DataFrame({"speaker": list("aaaa")}), None, "same speaker.*at least 2"),
        ("speaker", pd.DataFrame({"speaker": ["a", None, "b", "b"]}), None, "Row 1 has no speaker"),
        ("speaker", np.zeros((4, 2)), list("aab"), "inconsistent numbers"),
        ("corpus", pd.DataFrame({"corpus": list("aaaa")}), None, "same corpus"),
    ],
)
def test_bad_groups(protocol, X, groups, message):
    with pytest.raises(ValueError, match=message):
        list(ProtocolSplit(protocol).split(X, list("xyxy"), groups))


def test_bad_parameters():
    with pytest.raises(ValueError, match=r"Unknown protocol 'speakers'; known are random, speaker"):
        ProtocolSplit("speakers")
    for n_splits in (1, 2.5, "5"):
        with pytest.raises(ValueError, match="n_splits"):
            ProtocolSplit(n_splits=n_splits)
    with pytest.raises(ValueError, match="needs y"):
        list(ProtocolSplit().split(np.zeros((4, 2))))
    assert repr(ProtocolSplit("text")) == "ProtocolSplit('text', n_splits=5, random_state=0)"


def test_nothing_to_train_on_is_refused():
    table = pd.DataFrame({"speaker": list("aaaabb"), "sentence": list("121211")})
    with pytest.raises(ValueError, match="nothing to train on"):
        list(ProtocolSplit("speaker+text").split(table, list("xyxyxy")))
