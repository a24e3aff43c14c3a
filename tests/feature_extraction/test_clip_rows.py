"""ClipRows: the same sound is known as the same, and another one as another."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sersk.feature_extraction._clip_rows import ClipRows
from sersk.preprocessing import AudioReader


def groups(X):
    return ClipRows(X).groups()


def key(X, row=0, chain="chain", reader=None):
    return ClipRows(X).key(row, chain, reader)


def table(path, **columns):
    return pd.DataFrame({"path": [path], **{name: [cell] for name, cell in columns.items()}})


# Clip tables


def test_rows_that_are_the_same_clip():
    nothing = float("nan")
    rows = pd.DataFrame(
        [
            ("a", nothing, nothing, None),
            ("b", nothing, nothing, None),
            ("a", 0.0, np.inf, nothing),
            ("a", 0.0, 1.0, None),
            ("a", 0.5, 1.0, None),
            ("a", None, 1.0, pd.NA),
            ("a", nothing, nothing, "pitch"),
            ("a", nothing, nothing, "speed"),
            ("a", 0, None, "pitch"),
            ("a", -0.0, nothing, None),
        ],
        columns=["path", "start", "stop", "augment"],
    )
    assert groups(rows) == [[0, 2, 9], [1], [3, 5], [4], [6, 8], [7]]


def test_augments_are_compared_by_value():
    augments = [{"pitch": 2, "seed": 1}, {"seed": 1, "pitch": 2}, {"pitch": 2}, ("pitch", 2), ""]
    rows = pd.DataFrame({"path": ["a"] * 5, "augment": augments})
    assert groups(rows) == [[0, 1], [2], [3], [4]]


def test_missing_columns_and_missing_values():
    rows = pd.DataFrame({"path": ["a", "b", "a"]})
    assert groups(rows) == [[0, 2], [1]]
    empty = rows.assign(start=np.nan, stop=None, augment=None)
    assert groups(empty) == [[0, 2], [1]]


def test_other_columns_and_the_index_do_not_count(write_wav):
    path = write_wav()
    plain = table(path, start=0.1)
    rich = pd.DataFrame(
        {"speaker": [1, 2], "augment": [None] * 2, "path": [path] * 2, "start": [0.1, 0.1]},
        index=[7, 7],
    )
    assert groups(rich) == [[0, 1]]
    assert key(rich) == key(rich, 1) == key(plain)
    assert ClipRows(rich).take([1]).columns.tolist() == ["path", "start", "augment"]
    assert ClipRows(rich).all.shape == (2, 3)
    assert ClipRows(rich).path(1) == path


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        np.array,
        lambda paths: np.array(paths, dtype=object)[:, np.newaxis],
        lambda paths: [[path] for path in paths],
        lambda paths: [Path(path) for path in paths],
        lambda paths: [os.fsencode(path) for path in paths],
        lambda paths: pd.Series(paths, index=range(9, 9 - len(paths), -1)),
        lambda paths: pd.DataFrame({"path": paths}, index=range(len(paths), 0, -1)),
        lambda paths: pd.DataFrame({"file": paths}),
        lambda paths: pd.Series(paths, dtype="category"),
    ],
)
def test_ways_to_give_paths(write_wav, wrap):
    paths = [write_wav(f"{name}.wav") for name in "abca"]
    rows = ClipRows(wrap(paths))
    assert len(rows) == 4
    assert rows.groups() == [[0, 3], [1], [2]]
    assert [rows.key(row, "chain") for row in range(4)] == [key(paths, row) for row in range(4)]
    assert len({rows.key(row, "chain") for row in range(4)}) == 3
    taken = rows.take([2, 1])
    taken = taken["path"].tolist() if isinstance(taken, pd.DataFrame) else taken
    assert taken == [paths[2], paths[1]]
    assert [rows.path(row) for row in range(4)] == paths


CELLS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, 0.0, 0.25]),
    st.sampled_from([None, 0.5, np.inf]),
    st.sampled_from([None, "pitch"]),
)


@given(st.lists(CELLS, min_size=1, max_size=20))
def test_groups_part_the_rows_by_what_is_heard(cells):
    rows = pd.DataFrame(cells, columns=["path", "start", "stop", "augment"])
    found = groups(rows)
    assert sorted(row for group in found for row in group) == list(range(len(cells)))
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    heard = [
        (path, start or 0.0, np.inf if stop is None else stop, augment)
        for path, start, stop, augment in cells
    ]
    for group in found:
        assert len({heard[row] for row in group}) == 1
    assert len({heard[group[0]] for group in found}) == len(found)


def test_nothing():
    for nothing in ([], pd.DataFrame({"path": []}), np.empty((0, 3))):
        assert len(ClipRows(nothing)) == 0
        assert groups(nothing) == []


# Keys of files


def test_key_changes_with_all_that_is_heard(write_wav):
    a, b = write_wav("a.wav"), write_wav("b.wav")
    keys = [
        key(table(a)),
        key(table(b)),
        key(table(a), chain="another"),
        key(table(a, start=0.1)),
        key(table(a, stop=0.1)),
        key(table(a, start=0.1, stop=0.2)),
        key(table(a, augment="pitch")),
        key(table(a, augment="speed")),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key(table(a, start=0.0, stop=np.inf)) == keys[0]
    assert key(table(a, start=np.nan, stop=None, augment=None)) == keys[0]


def test_key_changes_with_size_and_time(write_wav):
    path = write_wav(seconds=0.5)
    status = os.stat(path)
    keys = {key([path])}
    with open(path, "rb") as file:
        file.read()
    assert key([path]) in keys
    os.utime(path, ns=(0, status.st_mtime_ns + 1))
    keys.add(key([path]))
    with open(path, "ab") as file:
        file.write(b"\0")
    os.utime(path, ns=(0, status.st_mtime_ns))
    keys.add(key([path]))
    assert len(keys) == 3


def test_relative_paths_and_a_changed_directory(write_wav, tmp_path, monkeypatch):
    paths = [write_wav("one/a.wav", seconds=0.1), write_wav("two/a.wav", seconds=0.1)]
    for path in paths:
        os.utime(path, ns=(0, 10**18))
    monkeypatch.chdir(tmp_path / "one")
    first = key(["a.wav"])
    assert first == key(["./a.wav"]) == key([paths[0]]) == key(["../one/a.wav"])
    monkeypatch.chdir(tmp_path / "two")
    assert key(["a.wav"]) == key([paths[1]]) != first


@pytest.mark.skipif(os.name != "posix", reason="links to folders")
def test_what_follows_a_link_to_a_folder(write_wav, tmp_path, monkeypatch):
    """``link/..`` is the folder above the one that the link leads to."""
    near, far = write_wav("a.wav", seconds=0.1), write_wav("far/a.wav", seconds=0.1)
    (tmp_path / "far" / "below").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "below")
    for path in (near, far):
        os.utime(path, ns=(0, 10**18))
    monkeypatch.chdir(tmp_path)
    assert os.path.getsize(near) == os.path.getsize(far)
    through = "link/../a.wav"
    assert os.path.samefile(through, far)
    assert key([through]) == key([far]) != key([near])


def test_files_that_have_no_key(tmp_path, write_wav):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    (tmp_path / "file").write_text("")
    reader = AudioReader().fit([write_wav()])
    missing = [
        tmp_path / "missing.wav",
        tmp_path,
        tmp_path / "file" / "below.wav",
        tmp_path / ("a" * 5000),
        "",
        "a\0b",
    ]
    for path in missing:
        assert key([path]) is None
        assert key([path], reader=reader) is None
    assert key([text]) is not None
    assert key([text], reader=reader) is None
    assert key(table(write_wav(), start=100.0), reader=reader) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_has_no_key_and_is_not_waited_for(tmp_path, write_wav):
    os.mkfifo(tmp_path / "pipe.wav")
    reader = AudioReader().fit([write_wav()])
    found = []
    worker = threading.Thread(
        target=lambda: found.extend(key([tmp_path / "pipe.wav"], reader=r) for r in (None, reader)),
        daemon=True,
    )
    worker.start()
    worker.join(10)
    assert found == [None, None]


# What a learned length has to do with it


@pytest.fixture
def readers(write_wav):
    """Readers that learned 0.5 and 0.25 s."""
    long, short = write_wav("long.wav", seconds=0.5), write_wav("short.wav", seconds=0.25)
    return {
        "paths": (long, short),
        "long": AudioReader().fit([long, short]),
        "short": AudioReader().fit([short]),
    }


def test_a_learned_length_counts_only_where_it_cuts(readers):
    long, short = readers["paths"]
    assert key([short], reader=readers["long"]) == key([short], reader=readers["short"])
    assert key([long], reader=readers["long"]) != key([long], reader=readers["short"])
    # A part of a long file that fits into both.
    part = table(long, start=0.1, stop=0.3)
    assert key(part, reader=readers["long"]) == key(part, reader=readers["short"])
    part = table(long, start=0.1, stop=0.4)
    assert key(part, reader=readers["long"]) != key(part, reader=readers["short"])


def test_a_learned_length_after_an_offset(readers):
    long, short = readers["paths"]
    after = [AudioReader(offset=0.2).fit([path]) for path in (long, short)]
    assert [reader.n_samples_ for reader in after] == [4800, 800]
    assert key([short], reader=after[0]) == key([short], reader=after[1])
    assert key([long], reader=after[0]) != key([long], reader=after[1])


@pytest.mark.parametrize("wrap", [list, np.array])
def test_a_learned_length_and_waveforms(wrap, rng):
    """One that was cut for a fold must not be taken for the whole one."""
    waveform = rng.uniform(-0.5, 0.5, 100)
    long, short = (AudioReader().fit([waveform[:length]]) for length in (100, 60))
    X = wrap([waveform])
    assert key(X, reader=long) != key(X, reader=short)
    padded = np.where(np.arange(100) < 50, waveform, np.nan)
    assert key(wrap([padded]), reader=long) == key(wrap([padded]), reader=short)
    silent = np.full(100, np.nan)
    assert key(wrap([silent]), reader=long) == key(wrap([silent]), reader=short)


def test_a_learned_length_and_waveforms_after_an_offset(rng):
    waveform = rng.uniform(-0.5, 0.5, 100)
    long, short = (AudioReader(offset=60 / 16000).fit([waveform[:length]]) for length in (100, 90))
    assert (long.n_samples_, short.n_samples_) == (40, 30)
    assert key([waveform], reader=long) != key([waveform], reader=short)
    padded = np.where(np.arange(100) < 90, waveform, np.nan)
    assert key([padded], reader=long) == key([padded], reader=short)


def test_a_changed_file_is_measured_again(write_wav, readers):
    path = write_wav("a.wav", seconds=0.1)
    reader = readers["long"]
    first = key([path], reader=reader)
    shutil.copyfile(write_wav("b.wav", seconds=0.4), path)
    os.utime(path, ns=(0, 10**18))
    assert key([path], reader=reader) not in (None, first)


# Arrays


def test_equal_arrays_are_the_same():
    X = np.random.default_rng(0).normal(size=(5, 1000))
    X[3] = X[0]
    X[:, 900:] = np.nan
    X[4] = X[1]
    assert groups(X) == [[0, 3], [1, 4], [2]]
    assert groups(list(X)) == [[0, 3], [1, 4], [2]]
    assert groups(X.tolist()) == groups(X)
    assert key(X, 0) == key(X, 3) == key(list(X), 0) == key(np.asfortranarray(X), 0)
    assert key(X, 0) != key(X, 1)
    assert key(X, 0) != key(X, 0, chain="another")


@pytest.mark.parametrize("size", [3, 64, 65, 127, 128, 1000, 16000])
def test_one_number_anywhere_tells_arrays_apart(size):
    zeros = np.zeros(size)
    X = [zeros.copy() for _ in range(40)]
    places = np.linspace(0, size - 1, 39).astype(int)
    for row, place in zip(X[1:], places, strict=True):
        row[place] = 1.0
    X += [zeros.copy()]
    expected = {}
    for row, place in enumerate([-1, *places.tolist(), -1]):
        expected.setdefault(place, []).append(row)
    assert groups(X) == list(expected.values())
    assert len({key(X, row) for row in range(len(X))}) == len(expected)


def test_padding_is_compared():
    sound = np.arange(100.0)
    longer = np.append(sound, np.nan)
    X = [sound, longer, sound.copy(), np.append(sound, 0.0), longer.copy()]
    assert groups(X) == [[0, 2], [1, 4], [3]]
    padded = np.full((3, 200), np.nan)
    padded[0, :150], padded[1, :100], padded[2, :150] = 1.0, 1.0, 1.0
    assert groups(padded) == [[0, 2], [1]]


def test_types_and_shapes_tell_apart():
    X = [
        np.zeros(4),
        np.zeros(4, dtype="f4"),
        np.zeros(8, dtype="f4"),
        np.zeros((2, 2)),
        np.zeros(4, dtype=">f8"),
        np.zeros(4, dtype="i8"),
        np.zeros(0),
        np.zeros((0, 2)),
    ]
    assert groups(X) == [[row] for row in range(len(X))]
    assert len({key(X, row) for row in range(len(X))}) == len(X)
    assert groups(np.array([0.0, 1.0, 0.0])) == [[0, 2], [1]]


@given(
    hnp.arrays(
        st.sampled_from(["f4", "f8", "i2", "c8", "?"]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
    ),
    st.data(),
)
def test_arrays_are_the_same_where_their_bytes_are(X, data):
    rows = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=10))
    X = X[rows]
    expected = {}
    for row, array in enumerate(X):
        expected.setdefault(array.tobytes(), []).append(row)
    assert groups(X) == list(expected.values())
    assert len({key(X, row) for row in range(len(X))}) == len(expected)


def test_objects_are_compared_by_value_not_by_where_they_stand():
    """The bytes of such an array are addresses: another run may have other objects there."""
    X = np.array([[1e300, "a"], [2e300, "b"], [float("1e300"), "".join("a")]], dtype=object)
    assert groups(X) == [[0, 2], [1]]
    assert key(X, 0) == key(X, 2) != key(X, 1)
    seen = set()
    for number in range(50):
        row = np.empty((1, 1), dtype=object)
        row[0, 0] = float(number) + 0.5  # at the address of the one before
        seen.add(key(row))
    assert len(seen) == 50


def test_objects_that_cannot_be_told_apart():
    X = np.array([[threading.Lock()], [threading.Lock()]], dtype=object)
    assert groups(X) == [[0], [1]]
    assert key(X) is None


def test_strings_of_any_length():
    X = np.array(["a" * 40, "b" * 40, "a" * 40], dtype=np.dtypes.StringDType())[:, np.newaxis]
    X = np.hstack([X, X])
    assert groups(X) == [[0, 2], [1]]
    assert key(X, 0) == key(X, 2) != key(X, 1)


def test_rows_of_arrays_of_several_lengths():
    X = [[np.zeros(2), np.ones(3)], [np.zeros(2), np.zeros(3)], [np.zeros(2), np.ones(3)]]
    assert groups(X) == [[0, 2], [1]]
    assert key(X, 0) == key(X, 2) != key(X, 1)


def test_tables_of_numbers_go_by_place_and_by_columns():
    X = pd.DataFrame({"a": [1.0, 2.0, 1.0], "b": [3.0, 4.0, 3.0]}, index=[2, 0, 1])
    assert groups(X) == [[0, 2], [1]]
    assert ClipRows(X).take([1]).index.tolist() == [0]
    other = X.rename(columns={"a": "b", "b": "a"})
    # A step may pick columns by name.
    assert key(X) != key(other)
    assert key(X) != key(X.astype("f4"))
    assert key(X, 0) == key(X, 2) == key(X.iloc[[2, 0]], 1) != key(X, 1)
    missing = pd.DataFrame({"a": pd.array([1, None, 1], dtype="Int64")})
    assert groups(missing) == [[0, 2], [1]]


def test_series_go_by_place():
    waveforms = pd.Series([np.zeros(3), np.ones(3), np.zeros(3)], index=[1, 0, 2])
    assert groups(waveforms) == [[0, 2], [1]]
    assert key(waveforms, 1) == key(pd.Series([np.ones(3)]), 0) != key(waveforms, 0)
    assert ClipRows(waveforms).take([1]).tolist()[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("bad", [5, "a.wav", sparse.eye_array(3, format="csr")])
def test_refuses_what_has_no_rows(bad):
    with pytest.raises((TypeError, ValueError)):
        groups(bad)
