"""Rows of a clip table, or of arrays: which are the same, and how each is known on disk."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import stat
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from .._utils._clip_table import SOUND_COLUMNS, as_clip_table
from .._utils._decoding import ClipRegion, clip_length
from .._utils._fingerprint import fingerprint
from ..exceptions import AudioReadError
from ..preprocessing import AudioReader

# Numbers by which arrays are told apart at first; only where these agree are all compared.
_NUMBERS_COMPARED = 64
# Lengths of files that are remembered: a search asks for the same ones again and again.
_LENGTHS_KEPT = 2**18


class ClipRows:
    """Rows that stand for clips.

    Parameters
    ----------
    X : clip table or array-like of shape (n_clips, ...)
        What a chain of transformers is given.
    """

    def __init__(self, X: Any) -> None:
        self._table = as_clip_table(X)
        self._columns: list[tuple[str, str]] = []
        if self._table is None:
            self._X = X if hasattr(X, "__len__") else np.asarray(X)
            # By number, not by label.
            by_label = isinstance(X, pd.DataFrame | pd.Series)
            self._arrays = X.to_numpy() if by_label else self._X
            if isinstance(X, pd.DataFrame):
                self._columns = [(repr(name), str(kind)) for name, kind in X.dtypes.items()]
        elif isinstance(X, pd.DataFrame) and "path" in X.columns:
            self._X = X[[name for name in SOUND_COLUMNS if name in X.columns]]
        else:
            self._X = pd.DataFrame({"path": self._table.paths})

    def __len__(self) -> int:
        return len(self._X if self._table is None else self._table)

    @property
    def all(self) -> Any:
        """All rows, as the chain is given them."""
        return self._X

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Any:
        """Pick rows, as the chain is given them.

        Parameters
        ----------
        rows : sequence of int
            Their numbers.

        Returns
        -------
        X : DataFrame, array or list
            Of a clip table the columns that say which sound, and no others.
        """
        return _safe_indexing(self._X, list(rows))

    def path(self, row: int) -> str | None:
        """Tell the file of a row; None for an array.

        Parameters
        ----------
        row : int
            Its number.

        Returns
        -------
        path : str or None
            As the table has it.
        """
        return None if self._table is None else self._table.paths[row]

    def groups(self) -> list[list[int]]:
        """Find the rows that are the same clip.

        Returns
        -------
        groups : list of list of int
            The rows of each distinct clip, in the order of the first ones.
        """
        found: dict[Hashable, list[int]] = {}
        identities = self._identities_of_arrays() if self._table is None else self._sounds
        for row, identity in enumerate(identities):
            found.setdefault(identity, []).append(row)
        return list(found.values())

    def key(self, row: int, chain: str, reader: AudioReader | None = None) -> bytes | None:
        """Make the key under which the result of a row is kept.

        Parameters
        ----------
        row : int
            Its number.
        chain : str
            Fingerprint of what computes the result.
        reader : AudioReader, default=None
            Fitted reader whose learned length `chain` leaves out: the part of this clip that it
            reads is made part of the key.

        Returns
        -------
        key : bytes or None
            None for a file that is not there, or cannot be opened, and for an array of what cannot
            be pickled.
        """
        if self._table is None:
            array = self._array(row)
            try:
                content = _content(array)
            except ValueError:
                return None
            heard = None if reader is None else _samples_heard(array, reader)
            return _digest(chain, content, self._columns, heard)
        path, start, stop, augment = self._sounds[row]
        try:
            # Another file under the same name, or the same one changed, is another clip.
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                return None
            file = (_absolute(path), status.st_size, status.st_mtime_ns)
            heard = None
            if reader is not None:
                begin = start + reader.offset
                length = _length(*file, begin, stop, reader.sample_rate)
                heard = min(length, int(reader.n_samples_))
        except (AudioReadError, OSError, ValueError):
            return None
        return _digest(chain, *file, start, stop, augment, heard)

    @functools.cached_property
    def _sounds(self) -> list[tuple[str, float, float, str]]:
        """What is heard in each row: the file, seconds, and what is done to it."""
        table = self._table
        assert table is not None
        return [
            (
                path,
                0.0 if math.isnan(start) else float(start),
                math.inf if math.isnan(stop) else float(stop),
                "" if augment is None else fingerprint(augment),
            )
            for path, start, stop, augment in zip(
                table.paths, table.starts, table.stops, table.augments, strict=True
            )
        ]

    def _array(self, row: int) -> NDArray[Any]:
        value = self._arrays[row]
        try:
            return np.asarray(value)
        except ValueError:  # a row of arrays of several lengths
            array = np.empty((), dtype=object)
            array[()] = value
            return array

    def _identities_of_arrays(self) -> list[Hashable]:
        arrays = [self._array(row) for row in range(len(self))]
        samples = [_sample(array) for array in arrays]
        seen = Counter(samples)
        identities: list[Hashable] = []
        for row, (sample, array) in enumerate(zip(samples, arrays, strict=True)):
            if seen[sample] == 1:
                identities.append(sample)
                continue
            try:
                identities.append(_content(array))
            except ValueError:
                identities.append(row)
        return identities


def _absolute(path: str) -> str:
    # After a link to a folder, ".." does not lead back to where the link stands.
    return os.path.realpath(path) if os.pardir in path else os.path.abspath(path)


def _samples_heard(array: NDArray[Any], reader: AudioReader) -> int:
    """Count the samples of a waveform that a reader lets pass."""
    length = array.size
    if array.dtype.kind == "f":
        length = int(np.flatnonzero(~np.isnan(array.reshape(-1)))[-1:].sum()) + 1 if length else 0
    skipped = round(reader.offset * reader.sample_rate)
    return min(max(length - skipped, 0), int(reader.n_samples_))


def _is_plain(array: NDArray[Any]) -> bool:
    """Tell whether the bytes of an array are its values, not where they stand in memory."""
    return not array.dtype.hasobject


def _sample(array: NDArray[Any]) -> bytes:
    """Take a few numbers of an array, evenly, with its shape and type."""
    some = b""
    if _is_plain(array):
        numbers = array.reshape(-1)
        some = numbers[:: max(1, numbers.size // _NUMBERS_COMPARED)].tobytes()
    return f"{array.shape} {array.dtype}".encode() + some


def _content(array: NDArray[Any]) -> bytes:
    raw = array.tobytes() if _is_plain(array) else fingerprint(array)
    return _digest(array.shape, str(array.dtype), raw)


def _digest(*parts: Any) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogateescape")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()


@functools.lru_cache(maxsize=_LENGTHS_KEPT)
def _length(path: str, size: int, mtime: int, start: float, stop: float, sample_rate: int) -> int:
    """Tell the length of a clip; of a file that was not changed in between, the same one."""
    return clip_length(ClipRegion(path, start, stop), sample_rate)
