"""RowArray: the same array in memory and in a file, and no file left behind."""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal

from sersk.exceptions import StoreWarning
from sersk.feature_extraction import _row_array
from sersk.feature_extraction._row_array import RowArray

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX forks, locks and unlinks")


@pytest.fixture(autouse=True)
def _all_arrays_are_large(monkeypatch):
    monkeypatch.setattr(_row_array, "LARGEST_IN_MEMORY", 0)


def files_in(folder):
    gc.collect()
    return sorted(folder.glob("*")) if folder.exists() else []


def fill(rows, values):
    for place, value in enumerate(values):
        rows.put(value, [place])
    return rows


VALUES = np.random.default_rng(0).normal(size=(6, 3, 4))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "?", "c16", ">f8", "U3", "M8[s]"])
@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 7), (5,), (1, 1)])
def test_file_and_memory_are_equal(tmp_path, dtype, shape):
    values = (100 * np.random.default_rng(0).normal(size=shape)).astype("i8").astype(dtype)
    in_file = RowArray(shape, values.dtype, tmp_path)
    assert len(files_in(tmp_path)) == 1
    in_memory = RowArray(shape, values.dtype, None)
    order = np.random.default_rng(1).permutation(len(values))
    for rows in (in_file, in_memory):
        for place in order:
            rows.put(values[place], [place])
    assert_array_equal(in_memory.finish(), values, strict=True)
    mapped = in_file.finish()
    assert isinstance(mapped, np.memmap)
    assert mapped.flags.writeable
    assert_array_equal(np.asarray(mapped), values, strict=True)


@given(
    places=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    lengths=st.lists(st.integers(0, 6), min_size=12, max_size=12),
)
def test_rows_in_any_order_and_of_any_length(tmp_path_factory, places, lengths):
    folder = tmp_path_factory.mktemp("rows")
    expected = np.full((5, 2, 6), np.nan, dtype="f4")
    arrays = [RowArray(expected.shape, expected.dtype, where) for where in (folder, None)]
    for rows in arrays:
        rows.put(np.full((2, 0), np.nan, dtype="f4"), range(5))
    for number, (place, length) in enumerate(zip(places, lengths, strict=False)):
        row = np.full((2, length), number, dtype="f4")
        expected[place] = np.nan
        expected[place, :, :length] = number
        for rows in arrays:
            rows.put(row, [place])
    for rows in arrays:
        assert_array_equal(np.asarray(rows.finish()), expected, strict=True)


@pytest.mark.parametrize("in_file", [True, False])
def test_duplicates_and_views(tmp_path, in_file):
    rows = RowArray((4, 3), np.dtype("f8"), tmp_path if in_file else None)
    rows.put(np.arange(12.0)[::-4], [3, 0])
    rows.put(np.asfortranarray(np.arange(3, dtype="f4")), iter([1, 2]))
    assert_array_equal(rows.finish(), [[11, 7, 3], [0, 1, 2], [0, 1, 2], [11, 7, 3]])


@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (np.zeros((1, 4)), r"shape \(1, 4\) follows rows of shape \(3, 4\)"),
        (np.zeros((1, 3)), "of shape"),
        (np.zeros(4), "of shape"),
        (np.zeros(()), "of shape"),
        (np.zeros((3, 5)), "of shape"),
        (np.zeros((3, 4), dtype="c16"), "of type complex128 follows rows of type float64"),
        (np.full((3, 4), "long"), "of type"),
    ],
)
def test_refuses_what_would_be_changed(tmp_path, in_file, row, message):
    rows = RowArray((2, 3, 4), np.dtype("f8"), tmp_path if in_file else None)
    with pytest.raises(ValueError, match=message):
        rows.put(row, [0])
    rows.discard()


def test_integers_have_no_padding(tmp_path):
    rows = RowArray((2, 4), np.dtype("i8"), None)
    with pytest.raises(ValueError, match="of shape"):
        rows.put(np.zeros(3, dtype="i8"), [0])
    with pytest.raises(ValueError, match="float64 follows rows of type int64"):
        rows.put(np.zeros(4), [0])


def test_small_arrays_and_objects_stay_in_memory(tmp_path, monkeypatch):
    objects = RowArray((2, 2), np.dtype(object), tmp_path)
    assert files_in(tmp_path) == []
    fill(objects, np.array([[{}, "a"], [None, 1]], dtype=object))
    assert objects.finish().tolist() == [[{}, "a"], [None, 1]]
    monkeypatch.setattr(_row_array, "LARGEST_IN_MEMORY", 48)
    assert type(fill(RowArray((2, 3), np.dtype("f8"), tmp_path), np.ones((2, 3))).finish()) is (
        np.ndarray
    )
    assert files_in(tmp_path) == []


def test_threads(tmp_path):
    values = np.random.default_rng(0).normal(size=(200, 50))
    rows = RowArray(values.shape, values.dtype, tmp_path)

    def work(first):
        for place in range(first, 200, 4):
            rows.put(values[place], [place])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_array_equal(np.asarray(rows.finish()), values)


# The file


def test_file_goes_away_with_the_last_view(tmp_path):
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path / "new"), VALUES).finish()
    view = array[2:4, ::2].T
    copy = np.array(array)
    assert len(files_in(tmp_path / "new")) == 1
    del array
    assert len(files_in(tmp_path / "new")) == 1
    assert_array_equal(view, VALUES[2:4, ::2].T)
    del view
    assert files_in(tmp_path / "new") == []
    assert_array_equal(copy, VALUES)


def test_discard(tmp_path):
    rows = RowArray((6, 3, 4), np.dtype("f8"), tmp_path)
    rows.put(VALUES[0], [0])
    rows.discard()
    rows.discard()
    assert files_in(tmp_path) == []
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), None), VALUES)
    array.discard()
    assert_array_equal(array.finish(), VALUES)


def test_discard_leaves_a_finished_array_alone(tmp_path):
    rows = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES)
    array = rows.finish()
    rows.discard()
    assert len(files_in(tmp_path)) == 1
    assert_array_equal(array, VALUES)


def test_rows_that_were_never_set(tmp_path):
    rows = RowArray((6, 3, 4), np.dtype("f8"), tmp_path)
    rows.put(VALUES[0], [0])
    array = rows.finish()
    assert array.shape == (6, 3, 4)
    assert_array_equal(array[0], VALUES[0])


def _sum_and_mark(array):
    array[0, 0, 0] = 99.0
    return type(array).__name__, float(array.sum())


def test_worker_processes_use_the_file(tmp_path):
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    expected = VALUES.sum() - VALUES[0, 0, 0] + 99.0
    try:
        found = Parallel(n_jobs=2)(delayed(_sum_and_mark)(array) for _ in range(2))
    finally:
        # Workers that did next to nothing would seem to leak, once they do something.
        get_reusable_executor().shutdown(wait=True)
    for name, total in found:
        assert name == "memmap"
        assert total == pytest.approx(expected)
    # Each has changed a copy of its own.
    assert_array_equal(array, VALUES)
    assert len(files_in(tmp_path)) == 1
    assert_array_equal(pickle.loads(pickle.dumps(array))[1:], VALUES[1:])


@posix_only
def test_a_forked_child_leaves_the_file(tmp_path):
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    unfinished, finished_there = (RowArray((6, 3, 4), np.dtype("f8"), tmp_path) for _ in range(2))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            del array
            unfinished.discard()
            finished_there.finish()
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert len(files_in(tmp_path)) == 3
    finished_there.discard()
    assert_array_equal(array, VALUES)
    assert_array_equal(fill(unfinished, VALUES).finish(), VALUES)


SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
from sersk.feature_extraction import _row_array

_row_array.LARGEST_IN_MEMORY = 0
rows = _row_array.RowArray((2, 3), np.dtype("f8"), Path(sys.argv[1]))
rows.put(np.ones(3), [0, 1])
if sys.argv[2] == "unfinished":
    kept = rows
else:
    kept = rows.finish()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Another process that has an array in the folder, until its input ends."""
    started = []

    def start_one(state):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), state]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@posix_only
@pytest.mark.parametrize("state", ["unfinished", "finished"])
def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path, start, state):
    living, dead = start(state), start(state)
    assert len(files_in(tmp_path)) == 2
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert len(files_in(tmp_path)) == 2
    foreign = tmp_path / "rows.txt"
    foreign.write_text("not ours")
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    assert len(files_in(tmp_path)) == 3
    assert foreign.exists()
    living.send_signal(signal.SIGKILL)
    living.wait()
    fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    # That of a living array of this process is none.
    assert files_in(tmp_path) == sorted([foreign, tmp_path / os.path.basename(array.filename)])
    assert_array_equal(array, VALUES)


def test_a_process_that_ends_takes_its_file_along(tmp_path, start):
    process = start("finished")
    assert len(files_in(tmp_path)) == 1
    process.communicate()
    assert process.returncode == 0
    assert files_in(tmp_path) == []


def _make_and_check(folder, gate):
    gate.wait()
    for _ in range(40):
        rows = fill(RowArray((6, 3, 4), np.dtype("f8"), folder), VALUES)
        assert_array_equal(rows.finish(), VALUES)


@posix_only
def test_processes_that_clear_up_at_the_same_time(tmp_path):
    """None takes the file of another, which is about to be locked, for a leftover."""
    context = get_context("fork")
    gate = context.Barrier(3)
    workers = [context.Process(target=_make_and_check, args=(tmp_path, gate)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert files_in(tmp_path) == []


@posix_only
def test_taken_for_a_leftover_before_it_is_locked(tmp_path, monkeypatch):
    flock = _row_array.fcntl.flock
    taken = []

    def take_first(file, how):
        if not taken:
            taken.extend(files_in(tmp_path))
            taken[0].unlink()
        flock(file, how)

    monkeypatch.setattr(_row_array.fcntl, "flock", take_first)
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    assert len(taken) == 1
    assert [str(path) for path in files_in(tmp_path)] == [array.filename]
    assert_array_equal(array, VALUES)


# Disks that do not take it


class SmallDisk(io.FileIO):
    """A file on a disk that is full at some point, and a system that moves a few bytes at once."""

    def __init__(self, *args, room, at_once=None, **options):
        super().__init__(*args, **options)
        self.room, self.at_once = room, at_once

    def write(self, raw):
        raw = memoryview(raw)[: self.at_once]
        raw = raw[: max(0, self.room - self.tell())]
        if not raw:
            raise OSError(28, "No space left on device")
        return super().write(raw)

    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[: self.at_once])


@pytest.fixture
def _used_memory(monkeypatch):
    """What is not set holds what nobody would take for a result, and never what it held before."""
    empty = np.empty

    def used(*args, **options):
        array = empty(*args, **options)
        array.reshape(-1).view(np.uint8)[:] = 0x55
        return array

    monkeypatch.setattr(_row_array.np, "empty", used)


@pytest.mark.usefixtures("_used_memory")
@pytest.mark.parametrize("room", [0, 10, 96, 100, 300, 575])
@pytest.mark.parametrize("at_once", [None, 7, 96])
def test_full_disk_in_the_middle(tmp_path, monkeypatch, room, at_once):
    monkeypatch.setattr(
        _row_array,
        "_open_in",
        lambda folder: SmallDisk(folder / "rows", "x+b", room=room, at_once=at_once),
    )
    rows = RowArray((6, 3, 4), np.dtype("f8"), tmp_path)
    with pytest.warns(StoreWarning, match="held in memory.*No space left") as caught:
        fill(rows, VALUES)
    assert len(caught) == 1
    assert files_in(tmp_path) == []
    array = rows.finish()
    assert type(array) is np.ndarray
    assert_array_equal(array, VALUES)


def test_a_system_that_moves_a_few_bytes_at_once(tmp_path, monkeypatch):
    """As Linux does above 2 GiB."""
    monkeypatch.setattr(
        _row_array,
        "_open_in",
        lambda folder: SmallDisk(folder / "rows", "x+b", room=10**9, at_once=13),
    )
    array = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES).finish()
    assert isinstance(array, np.memmap)
    assert_array_equal(array, VALUES)


@posix_only
def test_full_disk_in_earnest(tmp_path):
    script = """
import resource, sys, warnings
from pathlib import Path
import numpy as np
from sersk.feature_extraction import _row_array

_row_array.LARGEST_IN_MEMORY = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1))
values = np.random.default_rng(0).normal(size=(50, 30))
rows = _row_array.RowArray(values.shape, values.dtype, Path(sys.argv[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for place in (3, 1, 40, 20, *range(50)):
        rows.put(values[place], [place])
assert np.array_equal(rows.finish(), values)
print([warning.category.__name__ for warning in caught], list(Path(sys.argv[1]).iterdir()))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "['StoreWarning'] []\n", done.stderr


def test_no_memory_maps(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(19, "No such device")

    rows = fill(RowArray((6, 3, 4), np.dtype("f8"), tmp_path), VALUES)
    monkeypatch.setattr(_row_array.np, "memmap", refuse)
    with pytest.warns(StoreWarning, match="No such device"):
        array = rows.finish()
    assert_array_equal(array, VALUES)
    assert files_in(tmp_path) == []


def test_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(StoreWarning, match="held in memory"):
        rows = RowArray((6, 3, 4), np.dtype("f8"), tmp_path / "file" / "below")
    assert_array_equal(fill(rows, VALUES).finish(), VALUES)
