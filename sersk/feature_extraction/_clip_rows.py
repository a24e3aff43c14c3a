"""Rows of a clip table, or of arrays: which are the same, and how each is known on disk."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import stat
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from .._utils._clip_table import SOUND_COLUMNS, as_clip_table
from .._utils._decoding import ClipRegion, known_clip_length
from .._utils._fingerprint import fingerprint
from ..exceptions import AudioReadError
from ..preprocessing import AudioReader

# Numbers by which arrays are told apart at first; only where these agree are all compared.
_NUMBERS_COMPARED = 64


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
            return
        # Worker processes may stand in another folder.
        here = os.getcwd() if any(not os.path.isabs(path) for path in self._table.paths) else ""
        self._paths = [os.path.join(here, path) for path in self._table.paths]
        self._X = self._paths
        if isinstance(X, pd.DataFrame) and "path" in X.columns:
            columns = [name for name in SOUND_COLUMNS if name in X.columns]
            # As objects: pandas' own strings do not hold every path.
            paths = pd.Series(self._paths, index=X.index, dtype=object)
            self._X = X[columns].assign(path=paths)

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
            Of a clip table the columns that say which sound, and no others; with absolute paths.
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
            Absolute.
        """
        return None if self._table is None else self._paths[row]

    def as_given(self, failed: Mapping[str, str]) -> dict[str, str]:
        """Name files as the table does.

        Parameters
        ----------
        failed : mapping of str to str
            Reasons by absolute path.

        Returns
        -------
        failed : dict of str to str
            Reasons by path, as the table has it.
        """
        if self._table is None or not failed:
            return dict(failed)
        given = dict(zip(self._paths, self._table.paths, strict=True))
        return {given.get(path, path): reason for path, reason in failed.items()}

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

    def heard(self, row: int, reader: AudioReader) -> int | None:
        """Count the samples of a clip that a reader hands on.

        Parameters
        ----------
        row : int
            Its number.
        reader : AudioReader
            The fitted reader.

        Returns
        -------
        n_samples : int or None
            At most the length that the reader has learned; exactly that where the clip is changed
            in a way that may change its length. None for a file that cannot be opened.
        """
        most = int(reader.n_samples_)
        if self._table is None:
            return _samples_heard(self._array(row), reader)
        if getattr(self._table.augments[row], "changes_length", False):
            return most
        path, start, stop, _ = self._sounds[row]
        try:
            region = ClipRegion(path, start + reader.offset, stop)
            return min(known_clip_length(region, reader.sample_rate), most)
        except (AudioReadError, OSError, ValueError):
            return None

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
        heard = None if reader is None else self.heard(row, reader)
        if self._table is None:
            try:
                content = _content(self._array(row))
            except ValueError:
                return None
            return _digest(chain, content, self._columns, heard)
        path, start, stop, augment = self._sounds[row]
        try:
            # Another file under the same name, or the same one changed, is another clip. The time
            # of the last change of anything tells files apart that were swapped.
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode) or (reader is not None and heard is None):
            return None
        file = (_absolute(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
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
                "" if augment is None else _what_it_does(augment),
            )
            for path, start, stop, augment in zip(
                self._paths, table.starts, table.stops, table.augments, strict=True
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


def _what_it_does(augment: Any) -> str:
    """Sum up a draw, and the state of the files that it reads."""
    states = []
    for file in getattr(augment, "files", ()):
        try:
            status = os.stat(file)
        except OSError:
            continue
        states.append((file, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return fingerprint(augment) + (repr(states) if states else "")


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
