"""Results of clips on disk: bounded, shared between processes, never trusted blindly."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..exceptions import StoreWarning

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

_FILE = "clips-1.sqlite"
_LOCK = "clips-1.lock"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clips (
    key BLOB NOT NULL UNIQUE,
    used INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_use ON clips (used);
"""
_SELECT = "SELECT key, used, checksum, payload FROM clips WHERE key"
_INSERT = "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)"
_COUNT = "SELECT count(*) FROM clips"
# A damaged file may hold anything where a number should be.
_OLDEST = """
SELECT CAST(ifnull(used, 0) AS INTEGER), rowid FROM clips ORDER BY used, rowid LIMIT ?
"""
# Large pages, so that a vector of statistics lies in one or two of them.
_PAGE_BYTES = 16384
# An empty file has fewer.
_EMPTY_BYTES = 8 * _PAGE_BYTES
# Seconds to wait for another process that writes.
_PATIENCE = 60.0
# Seconds for which the time of the last use may be wrong: reading alone seldom writes then.
_USE_GRAIN = 3600
# Keys looked up in one question to SQLite.
_KEYS_AT_ONCE = 500
# To this share of its bound a store is emptied when it is full, so that it is not full again at
# once.
_SHARE_KEPT = 0.9
# A row of SQLite's holds 10**9 bytes.
_LARGEST_RESULT = 10**9 - 2**16
# The log of changes is cut back to this after a large one.
_LOG_BYTES = 2**26

# What goes wrong with these statements because of what is in the file: the last ones come of a
# table that is not what it was made as.
_DAMAGED = (
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_CONSTRAINT",
    "SQLITE_ERROR",
    "SQLITE_FORMAT",
    "SQLITE_MISMATCH",
    "SQLITE_TOOBIG",
)

# Stores of which something has been said in this process.
_said: set[tuple[str, str]] = set()


class StoreSession:
    """A store that is open.

    Its methods may be called from several threads. What is wrong with the disk or the file is no
    error here: nothing is found then, or nothing kept, and a `StoreWarning` says so once.

    Parameters
    ----------
    location : Path
        The folder.
    max_bytes : int
        Size that the file may have.
    """

    def __init__(self, location: Path, max_bytes: int) -> None:
        self._location = location
        self._max_bytes = max_bytes
        self._path = location / _FILE
        self._lock = threading.RLock()
        self._opened = int(time.time())
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._writable = True
        try:
            self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            self._cope(error)

    def close(self) -> None:
        """Close the file: nothing is found or kept from now on."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.generic]]:
        """Look up results.

        Parameters
        ----------
        keys : sequence of bytes
            What is wanted.

        Returns
        -------
        found : dict of bytes to ndarray
            What is there and whole.
        """

        def look_up(connection: sqlite3.Connection) -> None:
            old = []
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[first : first + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = connection.execute(f"{_SELECT} IN ({marks})", some)
                for key, used, checksum, payload in rows:
                    if checksum == _checksum(key, payload):
                        # Whole, and still no array, is only what others have put there.
                        with suppress(ValueError, TypeError, SyntaxError):
                            found[key] = _unpack(payload)
                        if not isinstance(used, int) or used < self._opened - _USE_GRAIN:
                            old.append((self._opened, key))
            if old and self._writable:
                with _transaction(connection):
                    connection.executemany("UPDATE clips SET used = ? WHERE key = ?", old)

        found: dict[bytes, NDArray[np.generic]] = {}
        self._attempt(look_up)
        return found

    def keep(self, results: Mapping[bytes, NDArray[np.generic]]) -> None:
        """Keep results.

        Parameters
        ----------
        results : mapping of bytes to ndarray
            Numbers, by key. All of them are kept or, where that fails, none; but for what is no
            number, and for a single one that is larger than the store.
        """

        def write(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.executemany(_INSERT, rows)
            self._make_room(connection)

        now = int(time.time())
        largest = min(_SHARE_KEPT * self._max_bytes, _LARGEST_RESULT)
        rows = []
        for key, array in results.items():
            if array.nbytes > largest:
                self._say(
                    "large",
                    f"The store {self._path} does not keep a result of {array.nbytes / 2**20:.3g} "
                    f"MiB: {largest / 2**20:.3g} MiB is the most that one may have. A larger bound "
                    "of the store gives room: memory=ClipStore(folder, max_bytes=...).",
                )
            elif _is_plain(array.dtype):
                payload = _pack(array)
                rows.append((key, now, _checksum(key, payload), payload))
        if rows and self._writable:
            self._attempt(write)

    def count(self) -> int:
        """Count the results."""
        found = self._attempt(lambda connection: connection.execute(_COUNT).fetchone()[0])
        return int(found or 0)

    def n_bytes(self) -> int:
        """Count the bytes in use."""
        return self._attempt(_bytes_used) or 0

    def clear(self) -> None:
        """Throw away all results, and give the room back to the disk."""

        def wipe(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.execute("DELETE FROM clips")
            _give_back(connection, keep_bytes=0)

        self._attempt(wipe)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._lock:
            if self._connection is None:
                return None
            try:
                return work(self._connection)
            except (sqlite3.Error, OSError) as error:
                self._cope(error)
                return None

    def _connect(self) -> sqlite3.Connection:
        self._location.mkdir(parents=True, exist_ok=True)
        self._file = _identity(self._path)
        connection = sqlite3.connect(
            self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._file = self._file or _identity(self._path)
        # Damaged text would not decode.
        connection.text_factory = bytes
        try:
            if not connection.execute("PRAGMA page_count").fetchone()[0]:
                # Both count only before there is a table; the second one would write later too.
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall())
            # A kill loses nothing; a power cut may lose the last results, but not the file.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}").fetchall()
            _patiently(lambda: connection.executescript(_SCHEMA))
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_to_read(self) -> sqlite3.Connection | None:
        """Open what is there on a full disk, or in another's folder: without locks or a log.

        It may be changed meanwhile, or be half of a change: what is not whole is not found.
        """
        if not self._path.is_file():
            return None
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = bytes
        try:
            connection.execute(_OLDEST, [1]).fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _cope(self, error: sqlite3.Error | OSError) -> None:
        """Go on without the store, or with a new file where the old one is damaged."""
        name = getattr(error, "sqlite_errorname", "")
        if _is_damage(error) and self._writable:
            self._say("damaged", f"{self._path} is damaged ({error}) and is begun anew.")
            self._start_anew()
            return
        if self._connection is None:
            with suppress(sqlite3.Error, OSError):
                self._connection = self._connect_to_read()
        elif _is_damage(error):
            self.close()
        if self._connection is None:
            self._say("unusable", f"{self._location} cannot be used as a store: {error}.")
            return
        # What is there can still be read.
        self._writable = False
        cure = "Make room on the disk" if name == "SQLITE_FULL" else "See to the cause"
        self._say(
            "unwritable",
            f"The store {self._path} takes no more results: {error}. {cure}, or choose another "
            "folder as memory.",
        )

    def _start_anew(self) -> None:
        """Remove the file; of several processes that find the damage, only the first one does."""
        try:
            with _alone(self._location / _LOCK):
                if self._connection is not None:
                    # Held open until here, so that no other file is given its number.
                    damaged = _identity(self._path) in (self._file, None)
                    self.close()
                else:
                    damaged = not self._opens()
                if damaged:
                    for suffix in ("-wal", "-shm", "-journal", ""):
                        Path(f"{self._path}{suffix}").unlink(missing_ok=True)
                self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            self._say("unusable", f"{self._location} cannot be used as a store: {error}.")

    def _opens(self) -> bool:
        try:
            self._connect().close()
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            return False
        return True

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """Throw away what was not used for the longest time, where the store is too large."""
        if _bytes_used(connection) <= self._max_bytes:
            return
        newest = 0
        with _transaction(connection):
            while _bytes_used(connection) > _SHARE_KEPT * self._max_bytes:
                number = connection.execute(_COUNT).fetchone()[0]
                if not number:
                    if _bytes_used(connection) > _EMPTY_BYTES:
                        raise _DamageError("it is large, but for no result")
                    break
                oldest = connection.execute(_OLDEST, [max(1, number // 20)]).fetchall()
                rows = [(rowid,) for _, rowid in oldest]
                thrown = connection.executemany("DELETE FROM clips WHERE rowid = ?", rows).rowcount
                if not rows or thrown < len(rows):
                    raise _DamageError("its index names results that are not there")
                newest = max(newest, max(used for used, _ in oldest))
        _give_back(connection, keep_bytes=self._max_bytes)
        if newest >= self._opened:
            self._say(
                "small",
                f"The store {self._path} is too small for one run: it holds "
                f"{self._max_bytes / 2**20:.0f} MiB and what was kept a moment ago is "
                "thrown away. Give it more room: memory=ClipStore(folder, max_bytes=...).",
            )

    def _say(self, kind: str, message: str) -> None:
        """Warn, once for each store and kind of trouble in this process."""
        trouble = (str(self._path), kind)
        if trouble not in _said:
            _said.add(trouble)
            warnings.warn(f"{message} What is computed is not lost.", StoreWarning, stacklevel=2)


class _DamageError(sqlite3.DatabaseError):
    """Damage that SQLite itself does not see."""

    sqlite_errorname = "SQLITE_CORRUPT"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out; where the system knows no such locks, do without."""
    with open(path, "ab") as file:
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_damage(error: Exception) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGED)


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a file from another one that has taken its name."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _patiently(work: Callable[[], object]) -> None:
    """Try again while another process holds the file: SQLite does not wait by itself here."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _bytes_used(connection: sqlite3.Connection) -> int:
    total, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    if free >= total > 0:
        raise _DamageError("more of it is free than there is")
    return int((total - free) * size)


def _give_back(connection: sqlite3.Connection, *, keep_bytes: int) -> None:
    """Give free pages back to the disk where the file is larger than it should be."""
    total, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    superfluous = total - keep_bytes // size
    if superfluous > 0:
        # As a script: executed alone, this statement stops after the first page.
        connection.executescript(f"PRAGMA incremental_vacuum({superfluous})")


def _is_plain(kind: np.dtype[np.generic]) -> bool:
    """Tell whether the bytes of an array are its values, and its type a word."""
    return kind.kind in "biufcmMSU" and np.dtype(kind.str) == kind


def _pack(array: NDArray[np.generic]) -> bytes:
    """Put an array into bytes, its type and shape in the line before the numbers."""
    shape = ",".join(map(str, array.shape))
    return f"{array.dtype.str} {shape}\n".encode() + array.tobytes()


def _unpack(payload: bytes) -> NDArray[np.generic]:
    end = payload.index(b"\n")
    kind, _, shape = payload[:end].decode().partition(" ")
    sizes = tuple(int(size) for size in shape.split(",") if size)
    return np.frombuffer(payload, dtype=kind, offset=end + 1).reshape(sizes)


def _checksum(key: object, payload: object) -> int | None:
    """Sum up what belongs together; None for what a damaged file may hold in its place."""
    if not isinstance(key, bytes) or not isinstance(payload, bytes):
        return None
    return zlib.crc32(payload, zlib.crc32(key))
