"""An array that is filled row by row: in memory or, where it is large, in a file."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..exceptions import StoreWarning

if sys.platform != "win32":
    import fcntl

# Above this, rows are written to a file where there is a folder for it.
LARGEST_IN_MEMORY = 2**28


class RowArray:
    """An array of which the rows come one by one, in any order and from several threads.

    Parameters
    ----------
    shape : tuple of int
        Shape of the whole array, the rows first.
    dtype : dtype
        Its type.
    folder : Path or None
        Where a large array has its file; None keeps any array in memory.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[np.generic], folder: Path | None
    ) -> None:
        self._shape, self._dtype = shape, dtype
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._array: NDArray[np.generic] | None = None
        self._file: BinaryIO | None = None
        large = shape[0] * self._row_bytes > LARGEST_IN_MEMORY
        if folder is not None and large and not dtype.hasobject:
            try:
                self._file = _open_in(folder)
            except OSError as error:
                self._warn(error)
        if self._file is None:
            self._array = np.empty(shape, dtype=dtype)

    def put(self, row: NDArray[np.generic], places: Iterable[int]) -> None:
        """Set rows.

        Parameters
        ----------
        row : ndarray
            What each of them becomes. Shorter in its last axis than the array: NaN follows.
        places : iterable of int
            Their numbers.

        Raises
        ------
        ValueError
            If the row is of another shape than those before it, or of a type that theirs cannot
            hold.
        """
        row = _widen(row, self._shape[1:], self._dtype)
        with self._lock:
            for place in places:
                self._put(row, place)

    def _put(self, row: NDArray[np.generic], place: int) -> None:
        if self._file is not None:
            try:
                # Written, not mapped: what is mapped counts as memory of this process.
                self._file.seek(place * self._row_bytes)
                rest = memoryview(row.tobytes())
                while rest:
                    # The system takes at most 2 GiB at once.
                    rest = rest[self._file.write(rest) :]
                return
            except OSError as error:
                self._warn(error)
                self._move_to_memory()
        assert self._array is not None
        self._array[place] = row

    def finish(self) -> NDArray[np.generic]:
        """Hand over the array.

        Returns
        -------
        array : ndarray
            A memory map where it has a file, which goes away together with the array.
        """
        if self._file is None:
            assert self._array is not None
            return self._array
        try:
            self._file.truncate(self._shape[0] * self._row_bytes)
            # Copied where it is written to: no step changes it for others.
            mapped: np.memmap[tuple[int, ...], np.dtype[np.generic]] = np.memmap(
                self._file, dtype=self._dtype, mode="c", shape=self._shape
            )
        except OSError as error:
            # Not every file system has memory maps.
            self._warn(error)
            self._move_to_memory()
            return self.finish()
        path = Path(self._file.name)
        # The map has a handle of its own, and with it the lock.
        self._file.close()
        # Views of the array hold the map, not the array; worker processes open the file by name.
        weakref.finalize(mapped._mmap, _remove, path, self._owner)  # type: ignore[attr-defined]
        return mapped

    def discard(self) -> None:
        """Remove the file of an array that will not be finished."""
        if self._file is not None and not self._file.closed:
            self._file.close()
            _remove(Path(self._file.name), self._owner)

    def _move_to_memory(self) -> None:
        assert self._file is not None
        self._array = np.empty(self._shape, dtype=self._dtype)
        self._file.seek(0)
        rest = memoryview(self._array.reshape(-1).view(np.uint8).data)
        while n_read := self._file.readinto(rest):  # type: ignore[attr-defined]
            rest = rest[n_read:]
        self.discard()
        self._file = None

    def _warn(self, error: OSError) -> None:
        warnings.warn(
            f"A large result is held in memory, for it could not be written to a file: {error}.",
            StoreWarning,
            stacklevel=2,
        )


def _widen(
    row: NDArray[np.generic], shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    if not np.can_cast(row.dtype, dtype, "safe"):
        raise ValueError(
            f"A row of type {row.dtype} follows rows of type {dtype}, which cannot hold it."
        )
    if row.shape == shape:
        # Not `astype`: that of a single number forgets the order of the bytes.
        return np.asarray(row, dtype=dtype)
    padded = row.ndim == len(shape) and row.shape[:-1] == shape[:-1] and row.shape[-1] < shape[-1]
    if not padded or dtype.kind not in "fc":
        raise ValueError(f"A row of shape {row.shape} follows rows of shape {shape}.")
    wide = np.full(shape, np.nan, dtype=dtype)
    wide[..., : row.shape[-1]] = row
    return wide


def _open_in(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.glob("rows-*.tmp"):
        _remove_leftover(other)
    while True:
        # Unbuffered: what could not be written is known at once, and row by row.
        path = folder / f"rows-{secrets.token_hex(8)}.tmp"
        file = open(path, "x+b", buffering=0)  # noqa: SIM115
        try:
            if sys.platform != "win32":
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)
            # Another process may have taken it for a leftover before it was locked.
            if path.exists():
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _remove_leftover(path: Path) -> None:
    """Remove the file of a process that was killed: its lock went with it."""
    with suppress(OSError):
        if sys.platform == "win32":
            path.unlink()  # refused while the file is in use
        else:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _remove(path: Path, owner: int) -> None:
    # A process that was forked from the owner has a copy of the array, but not the file.
    if os.getpid() == owner:
        with suppress(OSError):
            path.unlink()
