"""ClipStore: finds what was kept or nothing, whatever becomes of the disk and of the file."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sersk.exceptions import StoreWarning
from sersk.feature_extraction import ClipStore, PerClip, _store_session
from sersk.preprocessing import AudioReader

PAGE = 16384
posix_only = pytest.mark.skipif(os.name != "posix", reason="forks and kills as POSIX does")


def key_of(number):
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def value_of(number, size=1000):
    """Tell what is kept under a key: of another process too."""
    return np.random.default_rng(number).normal(size=size)


def entries(numbers, size=1000):
    return {key_of(number): value_of(number, size) for number in numbers}


def keep(store, numbers, size=1000):
    with store.open() as session:
        session.keep(entries(numbers, size))


def find(store, numbers, size=1000):
    """Look up; return the numbers that are found, all of which must be right."""
    numbers = list(numbers)
    with store.open() as session:
        found = session.find([key_of(number) for number in numbers])
    assert found.keys() <= {key_of(number) for number in numbers}
    there = [number for number in numbers if key_of(number) in found]
    for number in there:
        assert_array_equal(found[key_of(number)], value_of(number, size), strict=True)
    return there


def kinds_of(caught):
    """Shorten warnings of the store to what they are about."""
    assert {warning.category for warning in caught} <= {StoreWarning}
    words = ("is damaged", "cannot be used", "takes no more", "too small", "does not keep")
    return [next(word for word in words if word in str(each.message)) for each in caught]


@pytest.fixture
def store(tmp_path):
    return ClipStore(tmp_path / "store")


def file_of(store, suffix=""):
    return store.location / f"clips-1.sqlite{suffix}"


def set_time(store, seconds, key=None):
    """Move the time of the last use, as if some time had gone by."""
    with sqlite3.connect(file_of(store)) as connection:
        where = "" if key is None else f"WHERE key = x'{key.hex()}'"
        connection.execute(f"UPDATE clips SET used = used - {seconds} {where}")
    connection.close()


# What is kept


@pytest.mark.parametrize(
    "array",
    [
        *(np.arange(-3, 3).astype(kind) for kind in ("f4", "f8", "f2", "i1", "i8", "u2", "?")),
        np.array([1 + 2j, np.nan]),
        np.array([0.0, -0.0, np.nan, np.inf, -np.inf]),
        np.array(1.5),
        np.array(3, dtype="u1"),
        np.empty(0),
        np.empty((0, 5), dtype="f4"),
        np.empty((3, 0, 2)),
        np.arange(24.0).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20.0)[::-3],
        np.arange(4, dtype=">f4"),
        np.array(["a", "nasal"]),
        np.array([b"a", b"\n\0b"]),
        np.array(["2024-01-01"], dtype="M8[ns]"),
        np.array([3], dtype="m8[25s]"),
        np.arange(200_000.0),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_round_trip(store, array):
    with store.open() as session:
        session.keep({b"key": array, b"other": np.arange(2)})
    with store.open() as session:
        found = session.find([b"other", b"absent", b"key"])
    assert found.keys() == {b"key", b"other"}
    assert_array_equal(found[b"key"], array, strict=True)
    assert found[b"key"].dtype.str == array.dtype.str


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, "a"], dtype=object),
        np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
        np.array(["a", "b" * 99], dtype=np.dtypes.StringDType()),
        np.zeros(2, dtype="V3"),
    ],
    ids=["objects", "records", "strings", "raw"],
)
def test_what_bytes_do_not_tell_is_not_kept(store, array):
    with store.open() as session:
        session.keep({b"a": array, b"b": np.arange(2)})
        assert session.find([b"a", b"b"]).keys() == {b"b"}


def test_replaces_and_looks_up_many(store):
    assert find(store, []) == []
    keep(store, range(1300), size=3)
    with store.open() as session:
        session.keep({})
        session.keep({key_of(7): np.arange(2), key_of(8): value_of(8, 3)})
        assert session.count() == 1300
        assert_array_equal(session.find([key_of(7)] * 2)[key_of(7)], np.arange(2))
    everything = range(-20, 1320)
    assert find(store, [n for n in everything if n != 7], size=3) == [
        n for n in range(1300) if n != 7
    ]
    assert len(store) == 1300


def test_clear_gives_the_room_back(store):
    keep(store, range(500))
    full = file_of(store).stat().st_size
    assert full > 4_000_000
    assert 4_000_000 < store.n_bytes <= full
    store.clear()
    assert len(store) == 0
    assert find(store, range(500)) == []
    assert file_of(store).stat().st_size < 10 * PAGE


def test_a_closed_session_finds_and_keeps_nothing(store):
    keep(store, [1])
    with store.open() as session:
        pass
    session.keep(entries([2]))
    assert session.find([key_of(1)]) == {}
    assert session.count() == session.n_bytes() == 0
    session.clear()
    session.close()
    assert find(store, [1, 2]) == [1]


# The bound


def test_the_bound_holds_and_the_oldest_go_first(tmp_path):
    store = ClipStore(tmp_path, max_bytes=2**20)
    for first in range(0, 400, 20):
        keep(store, range(first, first + 20))
        set_time(store, 10)  # later runs
        assert store.n_bytes <= store.max_bytes
    there = find(store, range(400))
    assert 70 < len(there) <= 2**20 / 8000
    assert there == list(range(400 - len(there), 400))
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sum(sizes) < store.max_bytes + 25 * 8000 + 10 * PAGE


def test_what_is_read_stays(tmp_path):
    store = ClipStore(tmp_path, max_bytes=2**20)
    keep(store, range(100))
    set_time(store, 10_000)
    assert find(store, range(10)) == list(range(10))
    for first in range(100, 160, 20):
        keep(store, range(first, first + 20))
        set_time(store, 10)
    assert find(store, range(10)) == list(range(10))
    assert len(find(store, range(10, 100))) < 60


def test_a_smaller_bound_makes_the_file_smaller(tmp_path):
    keep(ClipStore(tmp_path), range(500))
    set_time(ClipStore(tmp_path), 10)
    small = ClipStore(tmp_path, max_bytes=2**20)
    assert file_of(small).stat().st_size > 3 * small.max_bytes
    keep(small, [500])
    assert small.n_bytes <= small.max_bytes
    assert file_of(small).stat().st_size <= small.max_bytes
    assert find(small, [500]) == [500]
    assert 0 < len(find(small, range(500))) < 130


def test_a_run_that_does_not_fit_is_told_once(tmp_path):
    store = ClipStore(tmp_path, max_bytes=2**20)
    with store.open() as session:
        session.keep(entries(range(100)))
        with pytest.warns(StoreWarning, match=r"too small for one run.*holds 1 MiB.*ClipStore\("):
            session.keep(entries(range(100, 200)))
        session.keep(entries(range(200, 300)))
    with store.open() as session:
        session.keep(entries(range(300, 500)))
    assert len(find(store, range(500))) > 50


def test_a_result_larger_than_the_store_throws_nothing_away(tmp_path):
    store = ClipStore(tmp_path, max_bytes=2**20)
    keep(store, range(50))
    set_time(store, 10)
    with pytest.warns(StoreWarning, match=r"does not keep a result of 1.91 MiB"):
        keep(store, [99], size=250_000)
    keep(store, [98], size=250_000)
    with store.open() as session:
        session.keep({key_of(97): value_of(97, 250_000)} | entries([50]))
    assert find(store, range(51)) == list(range(51))
    assert find(store, [97, 98, 99]) == []


def test_a_result_larger_than_sqlite_takes(store, monkeypatch):
    monkeypatch.setattr(_store_session, "_LARGEST_RESULT", 10_000)
    with pytest.warns(StoreWarning, match="does not keep"):
        keep(store, [1], size=2000)
    keep(store, [2])
    assert find(store, [1, 2]) == [2]


def test_a_bound_below_anything(tmp_path):
    store = ClipStore(tmp_path, max_bytes=1)
    with pytest.warns(StoreWarning, match="does not keep"):
        keep(store, range(3))
    assert find(store, range(3)) == []
    store = ClipStore(tmp_path / "b", max_bytes=20_000)  # less than its empty pages
    with pytest.warns(StoreWarning, match="too small"):
        keep(store, range(3))
    assert find(store, range(3)) == []


# Several at once


def _write_and_read(location, first, n_entries, gate):
    warnings.simplefilter("error")
    gate.wait()
    store = ClipStore(location)
    for number in range(first, first + n_entries, 5):
        keep(store, range(number, number + 5))
        find(store, range(0, 400, 7))


def test_processes_at_once(store):
    """The first of them makes the file, under the eyes of the others."""
    context = get_context("spawn" if os.name == "nt" else "fork")
    gate = context.Barrier(3)
    workers = [
        context.Process(target=_write_and_read, args=(store.location, first, 50, gate))
        for first in (0, 25, 200)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    expected = [*range(75), *range(200, 250)]
    assert find(store, range(400)) == expected
    assert len(store) == len(expected)


def test_threads_share_a_session(store):
    failures = []

    def work(first):
        try:
            for number in range(first, first + 40, 4):
                session.keep(entries(range(number, number + 4)))
                found = session.find([key_of(n) for n in range(first, number + 4)])
                assert len(found) == number + 4 - first
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    with store.open() as session:
        threads = [threading.Thread(target=work, args=(40 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert find(store, range(200)) == list(range(160))


def _write_for_ever(location, first):
    store = ClipStore(location, max_bytes=2**20)
    warnings.simplefilter("ignore")
    with store.open() as session:
        for number in range(first, first + 100_000):
            session.keep(entries([number]))


@posix_only
@pytest.mark.filterwarnings("ignore:.*too small for one run")
def test_killed_at_any_moment(tmp_path):
    store = ClipStore(tmp_path / "store", max_bytes=2**20)
    context = get_context("fork")
    rng = np.random.default_rng(0)
    for kill in range(30):
        worker = context.Process(target=_write_for_ever, args=(store.location, kill * 100_000))
        worker.start()
        time.sleep(rng.uniform(0, 0.06))
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        first = kill * 100_000
        there = find(store, range(first, first + 300))
        # What was kept is a run without gaps, but for what was thrown away again.
        assert there == list(range(there[0], there[-1] + 1)) if there else True
        keep(store, [10**9 + kill])
        assert find(store, [10**9 + kill]) == [10**9 + kill]
    with sqlite3.connect(file_of(store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


# Damage


def flip(path, rng, n_bits, *, within=None):
    raw = bytearray(path.read_bytes())
    for _ in range(n_bits):
        raw[int(rng.integers(within or len(raw)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(raw)


SMALL = [*range(60), *range(100, 110)]


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory):
    store = ClipStore(tmp_path_factory.mktemp("sound"))
    keep(store, range(60), size=100)
    keep(store, range(60, 66), size=5000)
    set_time(store, 10_000)
    return file_of(store).read_bytes()


def use_damaged(store):
    """Do all that can be done; nothing wrong may come of it. Return what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        find(store, range(60), size=100)
        find(store, range(60, 66), size=5000)
        keep(store, [100, 101], size=100)
        keep(ClipStore(store.location, max_bytes=150_000), range(102, 106), size=100)
        assert len(store) >= 0
        assert store.n_bytes >= 0
        find(store, SMALL, size=100)
        keep(store, [106], size=100)
    kinds = kinds_of(caught)
    assert len(kinds) == len(set(kinds))
    return kinds


@pytest.mark.parametrize(
    ("n_bits", "within", "seeds"),
    [(1, 400, 60), (3, 2 * PAGE, 30), (30, None, 40), (3000, None, 20), (8, 600, 30)],
    ids=["header", "schema", "few", "many", "header-and-schema"],
)
def test_flipped_bits(tmp_path, sound_file, n_bits, within, seeds):
    told = 0
    for seed in range(seeds):
        store = ClipStore(tmp_path / str(seed))
        store.location.mkdir()
        file_of(store).write_bytes(sound_file)
        flip(file_of(store), np.random.default_rng(seed), n_bits, within=within)
        kinds = use_damaged(store)
        told += "is damaged" in kinds or len(find(store, range(60), size=100)) < 60
        if "takes no more" not in kinds:
            assert 106 in find(store, SMALL, size=100)
    assert told


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clips SET used = 'never'",
        "UPDATE clips SET used = x'00ff'",
        "UPDATE clips SET used = 1e300",
        "UPDATE clips SET payload = 'text'",
        "UPDATE clips SET payload = CAST(x'fffe' AS TEXT)",
        "UPDATE clips SET payload = 12",
        "UPDATE clips SET payload = substr(payload, 1, 20)",
        "UPDATE clips SET payload = x''",
        "UPDATE clips SET checksum = NULL || checksum",
        "UPDATE clips SET checksum = 'text'",
        "UPDATE clips SET key = CAST(key AS TEXT)",
        "UPDATE clips SET key = CASE rowid WHEN 1 THEN x'00' WHEN 2 THEN 1 ELSE key END",
        "ALTER TABLE clips RENAME TO others",
        "ALTER TABLE clips RENAME COLUMN payload TO burden",
        "ALTER TABLE clips ADD COLUMN more",
        "DROP INDEX by_use",
        "DROP TABLE clips",
        "CREATE TRIGGER t BEFORE INSERT ON clips BEGIN SELECT RAISE(ABORT, 'no'); END",
    ],
)
def test_cells_and_tables_that_are_not_ours(tmp_path, sound_file, statement):
    store = ClipStore(tmp_path)
    file_of(store).write_bytes(sound_file)
    connection = sqlite3.connect(file_of(store), isolation_level=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Constraints would not let all of this in.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'"
        )
    connection.close()
    connection = sqlite3.connect(file_of(store), isolation_level=None)
    connection.execute(statement)
    connection.close()
    assert set(use_damaged(store)) <= {"is damaged", "too small"}
    assert find(store, [106], size=100) == [106]


def test_two_results_that_changed_places(store):
    keep(store, range(2))
    connection = sqlite3.connect(file_of(store), isolation_level=None)
    (first, sum_1), (second, sum_2) = connection.execute("SELECT payload, checksum FROM clips")
    connection.execute(
        "UPDATE clips SET payload = ?, checksum = ? WHERE rowid = 1", [second, sum_2]
    )
    connection.execute("UPDATE clips SET payload = ?, checksum = ? WHERE rowid = 2", [first, sum_1])
    connection.close()
    assert find(store, range(2)) == []


@pytest.mark.parametrize(
    "payload",
    [b"|O 2\n" + bytes(16), b"(2, 2\n", b"no line", b"<f8 3\n1234", b"zz 1\n1", b"\xff\n"],
)
def test_a_whole_entry_that_is_no_array(store, payload):
    """Others may write the folder: what they put there is no more than not found."""
    keep(store, [1])
    connection = sqlite3.connect(file_of(store), isolation_level=None)
    row = (b"key", int(time.time()), _store_session._checksum(b"key", payload), payload)
    connection.execute("INSERT INTO clips VALUES (?, ?, ?, ?)", row)
    connection.close()
    with store.open() as session:
        assert session.find([b"key", key_of(1)]).keys() == {key_of(1)}


@pytest.mark.parametrize("n_ghosts", [0, 300])
def test_an_index_that_names_what_is_not_there(tmp_path, n_ghosts):
    """Throwing away by it would never come to an end."""
    store = ClipStore(tmp_path)
    keep(store, range(200))
    set_time(store, 10)
    connection = sqlite3.connect(file_of(store), isolation_level=None)
    connection.execute("CREATE TABLE ghosts (used INTEGER)")
    connection.execute("CREATE INDEX ghostly ON ghosts (used)")
    for ghost in range(n_ghosts):
        connection.execute("INSERT INTO ghosts (rowid, used) VALUES (?, 5)", [10_000 + ghost])
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master "
        "WHERE name = 'ghostly') WHERE name = 'by_use'"
    )
    connection.execute("DELETE FROM sqlite_master WHERE name IN ('ghosts', 'ghostly')")
    connection.close()
    small = ClipStore(tmp_path, max_bytes=2**20)
    with pytest.warns(StoreWarning, match="is damaged .*begun anew"):
        keep(small, [300])
    keep(small, [301])
    assert find(small, range(302)) == [301]


@pytest.mark.parametrize(
    "size", [0, 1, 99, 100, 511, 512, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 11 * PAGE + 5, -1]
)
def test_truncated_file(tmp_path, sound_file, size):
    store = ClipStore(tmp_path)
    file_of(store).write_bytes(sound_file[:size])
    use_damaged(store)
    assert 106 in find(store, SMALL, size=100)


@pytest.mark.parametrize("junk", [b"junk", bytes(50_000), b"SQLite format 3\0" + b"\xff" * 40_000])
def test_junk_in_place_of_the_file(tmp_path, junk):
    store = ClipStore(tmp_path)
    file_of(store).write_bytes(junk)
    with pytest.warns(StoreWarning, match=f"{re.escape(str(file_of(store)))} is damaged"):
        keep(store, range(3))
    assert find(store, range(5)) == [0, 1, 2]


@posix_only
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "junk", "gone"])
def test_damaged_log(tmp_path, suffix, damage):
    """As it lies there after a kill."""
    worker = get_context("fork").Process(target=_leave_a_log, args=(tmp_path,))
    worker.start()
    worker.join()
    store = ClipStore(tmp_path)
    log = file_of(store, suffix)
    assert log.stat().st_size > 10_000
    raw = log.read_bytes()
    if damage == "flipped":
        flip(log, np.random.default_rng(0), 50)
    elif damage == "truncated":
        log.write_bytes(raw[: len(raw) // 2 + 3])
    elif damage == "junk":
        log.write_bytes(b"junk" * 5000)
    else:
        log.unlink()
    kinds = use_damaged_log(store)
    assert set(kinds) <= {"is damaged"}
    keep(store, [99])
    assert find(store, [99]) == [99]


def use_damaged_log(store):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        find(store, range(40))
        keep(store, [98])
        find(store, range(99))
    return kinds_of(caught)


def _leave_a_log(location):
    session = _store_session.StoreSession(location, 2**30)
    for number in range(40):
        session.keep(entries([number]))
    os.kill(os.getpid(), signal.SIGKILL)


def test_damage_while_the_file_is_open(store):
    with store.open() as session:
        session.keep(entries(range(20)))
        connection = session._connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        size = file_of(store).stat().st_size
        with open(file_of(store), "r+b") as file:
            file.seek(PAGE)
            file.write(os.urandom(size - PAGE))
        connection.execute("PRAGMA shrink_memory")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert session.find([key_of(n) for n in range(20)]) == {}
        session.keep(entries([30]))
        assert session.find([key_of(30)]).keys() == {key_of(30)}
    assert kinds_of(caught) == ["is damaged"]
    assert find(store, range(40)) == [30]


def test_of_two_that_find_the_damage_one_begins_anew(store):
    keep(store, [1])
    file_of(store).write_bytes(b"junk" * 9000)
    damage = sqlite3.DatabaseError("found before the other one began anew")
    damage.sqlite_errorname = "SQLITE_CORRUPT"
    with pytest.warns(StoreWarning, match="is damaged"):
        keep(store, [2])
    with store.open() as slow, store.open() as other:
        slow._file = (0, 0)  # the file that it opened is not there any more
        slow._cope(damage)
        slow.keep(entries([3]))
        other.keep(entries([4]))
    assert find(store, range(5)) == [2, 3, 4]


def test_a_file_that_another_has_begun_anew_since_it_was_opened(store, monkeypatch):
    keep(store, [1])
    file_of(store).write_bytes(b"junk" * 9000)
    alone = _store_session._alone

    @contextmanager
    def wait_for_another(path):
        with alone(path):
            for suffix in ("", "-wal", "-shm"):
                file_of(store, suffix).unlink(missing_ok=True)
            keep(store, [2])
            yield

    monkeypatch.setattr(_store_session, "_alone", wait_for_another)
    with pytest.warns(StoreWarning, match="is damaged"):
        keep(store, [3])
    assert find(store, range(5)) == [2, 3]


def _open_damaged(location, number, gate):
    gate.wait()
    warnings.simplefilter("ignore")
    keep(ClipStore(location), [number])


@posix_only
def test_processes_that_find_damage_at_once(tmp_path):
    context = get_context("fork")
    for attempt in range(5):
        store = ClipStore(tmp_path / str(attempt))
        store.location.mkdir()
        file_of(store).write_bytes(b"junk" * 9000)
        gate = context.Barrier(4)
        workers = [
            context.Process(target=_open_damaged, args=(store.location, number, gate))
            for number in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
        assert find(store, range(5)) == [0, 1, 2, 3]


# Folders that cannot be used


def _folder_at_the_name(path):
    (path / "store" / "clips-1.sqlite").mkdir(parents=True)


def _file_above(path):
    (path / "store").write_text("a file")


@pytest.mark.parametrize("prepare", [_folder_at_the_name, _file_above])
@pytest.mark.parametrize("below", ["", "deeper"])
def test_no_place_for_a_store(tmp_path, prepare, below):
    if below and prepare is _folder_at_the_name:
        below = ""
    prepare(tmp_path)
    store = ClipStore(tmp_path / "store" / below)
    with pytest.warns(StoreWarning, match="cannot be used as a store") as caught:
        keep(store, [1])
    assert len(caught) == 1
    assert find(store, [1]) == []
    assert len(store) == store.n_bytes == 0
    store.clear()


@posix_only
def test_folder_that_cannot_be_made(tmp_path, unprivileged):
    os.seteuid(0) if os.getuid() == 0 else None
    tmp_path.chmod(0o555)
    os.seteuid(65534) if os.getuid() == 0 else None
    store = ClipStore(tmp_path / "store")
    with pytest.warns(StoreWarning, match="cannot be used as a store.*ermission denied"):
        keep(store, [1])
    assert find(store, [1]) == []


@pytest.fixture
def anothers(tmp_path):
    """A store in a folder that may be read by all and written by none."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.owner() == tmp_path.owner() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    store = ClipStore(tmp_path / "store")
    keep(store, range(5))
    file_of(store).chmod(0o444)
    store.location.chmod(0o555)
    yield store
    store.location.chmod(0o755)


@posix_only
def test_folder_that_cannot_be_written(anothers, unprivileged):
    with pytest.warns(StoreWarning, match="takes no more results.*See to the cause") as caught:
        keep(anothers, [9])
    assert len(caught) == 1
    keep(anothers, [10])
    assert find(anothers, range(20)) == list(range(5))
    anothers.clear()
    assert len(anothers) == 5


@posix_only
def test_damaged_file_in_a_folder_that_cannot_be_written(anothers, request):
    file_of(anothers).chmod(0o644)
    file_of(anothers).write_bytes(b"junk" * 9000)
    file_of(anothers).chmod(0o444)
    request.getfixturevalue("unprivileged")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keep(anothers, [9])
        assert find(anothers, range(20)) == []
    assert kinds_of(caught) == ["is damaged", "cannot be used"]


# Full disks

FULL = """
import os, sys, warnings
sys.path.insert(0, {tests!r})
from test_clip_store import *

store = ClipStore({location!r})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with store.open() as session:
        session.keep(entries(range(20)))
    {fill}
    with store.open() as session:
        for first in range(100, 300, 20):
            session.keep(entries(range(first, first + 20)))
        assert len(session.find([key_of(n) for n in range(20)])) == 20
    assert find(store, range(20)) == list(range(20))
    keep(store, range(400, 600))
    there = find(store, range(1000))
assert there[:20] == list(range(20)), there
assert len(there) < 320
assert kinds_of(caught) == ["takes no more"], [str(each.message) for each in caught]
{free}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keep(store, range(900, 903))
assert find(store, range(900, 905)) == [900, 901, 902]
print("as it should be")
"""


def run_on_full_disk(location, fill, free, *before):
    script = FULL.format(
        tests=str(Path(__file__).parent), location=str(location), fill=fill, free=free
    )
    command = [*before, sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@posix_only
def test_file_that_may_not_grow(tmp_path):
    """As with a quota: the system refuses to make any file larger."""
    done = run_on_full_disk(
        tmp_path,
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, -1))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    )
    assert done.stdout == "as it should be\n", done.stderr


@posix_only
@pytest.mark.parametrize("left", [0, 100_000, 300_000])
def test_full_disk(tmp_path, left):
    """A real one, where this user may make one; else the file that may not grow has to do."""
    mount = f"mount -t tmpfs -o size=3m tmpfs {tmp_path} && exec " + '"$@"'
    before = ("unshare", "-rm", "sh", "-c", mount, "sh")
    try:
        subprocess.run([*before, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not make a small disk")
    fill = (
        f"path = {str(tmp_path)!r} + '/ballast'; free = os.statvfs({str(tmp_path)!r}).f_bavail; "
        f"Path(path).write_bytes(bytes(free * os.statvfs({str(tmp_path)!r}).f_bsize - {left}))"
    )
    done = run_on_full_disk(tmp_path, fill, "os.unlink(path)", *before)
    assert done.stdout == "as it should be\n", done.stderr


def test_sqlite_says_full(store):
    """On any system."""
    with store.open() as session:
        session.keep(entries(range(20)))
        pages = session._connection.execute("PRAGMA page_count").fetchone()[0]
        session._connection.execute(f"PRAGMA max_page_count = {pages + 5}").fetchall()
        with pytest.warns(StoreWarning, match="full.*Make room on the disk") as caught:
            session.keep(entries(range(20, 60)))
        session.keep(entries([70]))
        assert len(session.find([key_of(n) for n in range(100)])) == 20
    assert len(caught) == 1
    keep(store, [80])
    assert find(store, range(100)) == [*range(20), 80]


def test_another_process_that_does_not_let_go(store, monkeypatch):
    keep(store, [1])
    monkeypatch.setattr(_store_session, "_PATIENCE", 0.1)
    other = sqlite3.connect(file_of(store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(StoreWarning, match="takes no more results: database is locked"):
        keep(store, [2])
    assert find(store, [1, 2]) == [1]
    other.close()
    keep(store, [3])
    assert find(store, [1, 2, 3]) == [1, 3]


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_waits_for_another_process_that_makes_the_file(store, lock):
    store.location.mkdir()
    other = sqlite3.connect(file_of(store), isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE others (number)")
    other.execute(f"BEGIN {lock}")
    timer = threading.Timer(0.3, other.execute, ["COMMIT"])
    timer.start()
    keep(store, [1])
    timer.join()
    other.close()
    assert find(store, [1]) == [1]


# The object


def test_store_as_an_object(tmp_path, monkeypatch):
    store = ClipStore(tmp_path / "a", max_bytes=1000)
    assert repr(store) == f"ClipStore({str(tmp_path / 'a')!r}, max_bytes=1000)"
    same = ClipStore(str(tmp_path / "a"), max_bytes=1000)
    assert store == same
    assert hash(store) == hash(same)
    assert store != ClipStore(tmp_path / "a")
    assert store != ClipStore(tmp_path / "b", max_bytes=1000)
    assert store != str(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    monkeypatch.chdir(tmp_path)
    assert ClipStore("a", max_bytes=1000) == store
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert ClipStore("~/a").location == tmp_path / "a"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))]
)
def test_copies_while_it_is_open(store, copied):
    with store.open() as session:
        session.keep(entries([1]))
        other = copied(store)
        assert other == store
        assert not any(isinstance(value, sqlite3.Connection) for value in vars(other).values())
        assert find(other, [1]) == [1]


def test_cloned_as_a_parameter(store):
    features = clone(PerClip(AudioReader(), memory=store))
    assert features.memory == store


@pytest.mark.parametrize("max_bytes", [0, -1])
def test_refuses_a_bound_of_nothing(tmp_path, max_bytes):
    with pytest.raises(ValueError, match=f"max_bytes={max_bytes}: a whole number of at least 1"):
        ClipStore(tmp_path, max_bytes=max_bytes)


@pytest.mark.parametrize("name", ["a b", "ä?x=1#%41", "file:x", "-", "'\""])
def test_names_of_folders(tmp_path, name):
    store = ClipStore(tmp_path / name)
    keep(store, [1])
    assert find(store, [1]) == [1]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_statement_that_older_versions_of_sqlite_lack():
    """3.31 is what systems of 2020 have, on which Python 3.11 may be built."""
    source = Path(_store_session.__file__).read_text()
    newer = (
        r"RETURNING|\bSTRICT\b|->>|unixepoch|DROP COLUMN|MATERIALIZED|UPDATE\s.*\sFROM|FULL JOIN"
    )
    code = re.sub(r'""".*?"""', lambda text: text[0] if "CREATE" in text[0] else "", source)
    assert re.findall(newer, code) == []
