"""check_split: every kind of thing that two sides may share, and none where they share nothing."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest

from sersk.model_selection import ProtocolSplit, check_split


def found(check):
    return [tuple(row) for row in check.problems.itertuples(index=False)]


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "path": ["a.wav", "b.wav", "c.wav", "d.wav"],
            "speaker": ["s1", "s1", "s2", "s2"],
            "sentence": ["t1", "t2", "t1", "t2"],
            "emotion": ["anger", "calm", "anger", "calm"],
        }
    )


def test_nothing_shared(frame):
    check = check_split(frame, [0], [3])
    assert check.ok
    assert check.problems.empty
    assert check.problems.columns.tolist() == ["kind", "value", "n_train", "n_test"]
    assert check.looked_at == ["speaker", "sentence", "file", "label"]
    assert check.report.splitlines() == [
        "1 training and 1 test clips.",
        "Nothing found among: speakers, sentences, files, labels.",
        "Not looked at: windows, audio.",
    ]


def test_speakers_and_sentences(frame):
    check = check_split(frame, [0, 1, 2], [3])
    assert not check.ok
    assert found(check) == [("speaker", "s2", 1, 1), ("sentence", "t2", 1, 1)]
    assert "Speakers on both sides (1): s2 (1 training, 1 test)." in check.report


@pytest.mark.parametrize("protocol", ["random", "text", "speaker", "speaker+text"])
def test_the_protocols_keep_apart_what_they_say(written_corpus, protocol):
    frame = written_corpus.frame
    for train, test in ProtocolSplit(protocol).split(frame, written_corpus.target):
        kinds = set(check_split(frame, train, test, audio=True)["problems"]["kind"])
        expected = {
            "random": {"speaker", "sentence"}, "text": {"speaker"}, "speaker": {"sentence"},
            "speaker+text": set(),
        }  # fmt: skip
        assert kinds == expected[protocol]


def test_masks_and_indices_are_the_same(frame):
    test = np.array([False, False, False, True])
    by_mask = check_split(frame, ~test, test)
    by_index = check_split(frame.set_axis([9, 8, 7, 6]), [0, 1, 2, 2], pd.Series([3]))
    pd.testing.assert_frame_equal(by_mask.problems, by_index.problems)


def test_empty_cells_are_shared_with_nothing_and_names_are_text(frame):
    unknown = frame.assign(speaker=[None, 1, "1", np.nan])
    assert found(check_split(unknown, [0, 1], [2, 3])) == [
        ("speaker", "1", 1, 1), ("sentence", "t1", 1, 1), ("sentence", "t2", 1, 1)
    ]  # fmt: skip


def test_files_however_spelt(frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    paths = ["a.wav", os.path.join(".", "a.wav"), str(tmp_path / "a.wav"), "link.wav"]
    table = pd.DataFrame({"path": paths})
    assert found(check_split(table, [0], [1, 2, 3])) == [("file", "a.wav", 1, 3)]


def test_windows():
    table = pd.DataFrame(
        {
            "path": ["a", "a", "a", "b", "b", "c", "c"],
            "start": [0.0, 1.0, 1.5, 0.0, 2.0, np.nan, 5.0],
            "stop": [1.0, 2.0, 2.5, 2.0, np.nan, np.nan, 6.0],
        }
    )
    check = check_split(table, [0, 1, 3, 5], [2, 4, 6])
    assert found(check) == [
        ("file", "a", 2, 1), ("file", "b", 1, 1), ("file", "c", 1, 1),
        ("window", "a", 1, 1),  # 1 to 2 and 1.5 to 2.5; 0 to 1 meets neither
        ("window", "c", 1, 1),  # all of it and a part
    ]  # fmt: skip
    whole = pd.DataFrame({"path": ["a", "a"], "start": [np.nan, 0.0]})
    assert found(check_split(whole, [0], [1])) == [("file", "a", 1, 1)]


def test_windows_against_every_pair(rng):
    start = rng.integers(0, 20, size=200)
    table = pd.DataFrame(
        {
            "path": rng.choice(list("abcdefgh"), size=200),
            "start": start,
            "stop": start + rng.integers(1, 3, size=200),
        }
    )
    train, test = np.arange(120), np.arange(120, 150)
    rows = list(table.itertuples())
    meets = {
        (i, j)
        for i in train
        for j in test
        if rows[i].path == rows[j].path
        and max(rows[i].start, rows[j].start) < min(rows[i].stop, rows[j].stop)
    }
    problems = check_split(table, train, test).problems.query("kind == 'window'")
    assert problems["n_train"].sum() == len({i for i, _ in meets}) > 0
    assert problems["n_test"].sum() == len({j for _, j in meets}) > 0


def test_the_same_bytes_under_several_names(write_wav):
    first, other = write_wav("a/one.wav"), write_wav("a/other.wav")
    copy = first.replace("one", "two")
    shutil.copy(first, copy)
    table = pd.DataFrame({"path": [first, other, copy], "emotion": ["anger", "calm", "fear"]})
    check = check_split(table, [0, 1], [2], audio=True)
    assert found(check) == [
        ("audio", f"{first}, {copy}", 1, 1), ("label", f"{first}: anger, fear", 1, 1)
    ]  # fmt: skip
    assert check_split(table, [0, 1], [2]).ok
    assert check_split(table, [0, 2], [1], audio=True).problems["kind"].tolist() == ["label"]
    assert check_split(table.assign(emotion="calm"), [0, 2], [1], audio=True).ok
    # What stands in neither part is not read.
    table.loc[1, "path"] = "gone.wav"
    assert not check_split(table, [0], [2], audio=True).ok
    with pytest.raises(FileNotFoundError, match=r"gone\.wav"):
        check_split(table, [0, 1], [2], audio=True)


def test_labels_in_conflict():
    table = pd.DataFrame(
        {
            "path": ["a", "a", "a", "b", "b"],
            "start": [0.0, 0.0, 1.0, np.nan, np.nan],
            "stop": [1.0, 1.0, 2.0, np.nan, np.nan],
        }
    )
    emotions = ["anger", "fear", "calm", "joy", "joy"]
    assert check_split(table, [0, 3], [2], y=emotions).looked_at == ["file", "window", "label"]
    labels = check_split(table, [0, 3], [1, 2, 4], y=emotions).problems.query("kind == 'label'")
    assert found_rows(labels) == [("a 0 to 1 s: anger, fear", 1, 1)]
    # y counts, not the column.
    overruled = table.assign(emotion=emotions)
    assert "label" not in set(check_split(overruled, [0], [1], y=["x"] * 5).problems["kind"])
    within = check_split(overruled, [0, 1], [3]).problems
    assert found_rows(within) == [("a 0 to 1 s: anger, fear", 2, 0)]


def found_rows(problems):
    return [(row.value, row.n_train, row.n_test) for row in problems.itertuples()]


def test_long_lists_are_cut_in_the_report_alone():
    table = pd.DataFrame({"speaker": np.tile(np.arange(9), 2)})
    check = check_split(table, np.arange(9), np.arange(9, 18))
    assert len(check.problems) == 9
    assert "Speakers on both sides (9): 0 (1 training, 1 test)," in check.report
    assert "4 (1 training, 1 test), and 4 more." in check.report


@pytest.mark.parametrize(
    ("train", "test", "match"),
    [
        ([0, 1], [1, 2], r"1 row\(s\) are in train and in test, such as row 1"),
        ([], [1], "train is empty"),
        ([0], [False] * 4, "test is empty"),
        ([0], [4], "test holds row 4, which is out of range: the frame has rows 0 to 3"),
        ([-1], [0], "train holds row -1, which is out of range"),
        ([0.0], [1], "train must hold rows, whole numbers, or be a mask; got float64"),
        (["a"], [1], "train must hold rows"),
        ([True, False], [1], "mask train has 2 entries for 4 clips"),
        ([[0, 1], [2, 3]], [1], "1d array"),
    ],
)
def test_wrong_rows(frame, train, test, match):
    with pytest.raises(ValueError, match=match):
        check_split(frame, train, test)


def test_other_errors(frame):
    with pytest.raises(ValueError, match="'frame' parameter"):
        check_split(["a.wav"], [0], [1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        check_split(frame, [0], [1], y=["anger"])
    with pytest.raises(ValueError, match=r"audio=True compares files.* only 'speaker'"):
        check_split(frame[["speaker"]], [0], [1], audio=True)
