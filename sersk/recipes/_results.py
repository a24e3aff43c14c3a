"""The file of results: a line a fold, whole or not there, by any number of processes."""

from __future__ import annotations

import errno
import json
import math
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

# The order in which a line names the run that it belongs to.
_KEY = ("recipe", "corpus", "fingerprint", "protocol", "seed", "n_splits", "options")
# What else a line of a finished fold must say.
_FACTS = (
    "condition", "corpora", "n_folds", "n_rows", "n_leaked", "seconds", "warnings", "versions",
    "machine", "command",
)  # fmt: skip
_DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_BLOCK = 2**16


@dataclass(frozen=True, order=True)
class RunKey:
    """What makes two runs the same run.

    Attributes
    ----------
    recipe, corpus : str
        Their names.
    fingerprint : str
        Of the corpus: another state of it is another run.
    protocol : str
        How clips are split.
    seed : int
        Of all that is random.
    n_splits : int
        Folds that were asked for.
    options : str
        Of the recipe, as JSON.
    """

    recipe: str
    corpus: str
    fingerprint: str
    protocol: str
    seed: int
    n_splits: int
    options: str = "{}"

    def __str__(self) -> str:
        options = f" with {options_text(self.options)}" if self.options != "{}" else ""
        return f"{self.recipe}{options} on {self.corpus}, {self.protocol}, seed {self.seed}"


def options_text(options: str) -> str:
    """Write the options of a recipe for people.

    Parameters
    ----------
    options : str
        As JSON.

    Returns
    -------
    text : str
        ``"name=value, ..."``.
    """
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in json.loads(options).items())


def options_json(options: Mapping[str, Any] | None) -> str:
    """Write the options of a recipe so that equal ones are the same text.

    Parameters
    ----------
    options : mapping of str to object or None
        Plain values.

    Returns
    -------
    text : str
        JSON with sorted names.

    Raises
    ------
    ValueError
        If a value is none that JSON can hold.
    """
    try:
        return json.dumps(dict(options or {}), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"options={options!r}: a file of results holds plain values only, numbers, texts, "
            f"lists and tables of these ({error})."
        ) from error


class ResultsFile:
    """A file of JSON lines, one a finished fold, to which processes append.

    Parameters
    ----------
    path : path-like
        The file; need not be there yet.

    Attributes
    ----------
    path : Path
        The file.
    folds : dict of RunKey to dict of int to Bunch
        What is known of each fold, as of the latest `refresh`.
    errors : dict of RunKey to dict of int to str
        Folds that failed and have no result.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._forget()

        # Folds are handed out in one thread while they come in in another.
        self._reading = threading.Lock()

    def _forget(self) -> None:
        self.folds: dict[RunKey, dict[int, Bunch]] = {}
        self.errors: dict[RunKey, dict[int, str]] = {}
        self._offset = 0
        self._n_lines = 0

    def refresh(self) -> ResultsFile:
        """Read what was appended since the last time, by whatever process.

        Returns
        -------
        self : ResultsFile
            A line that is not whole, as a kill leaves it, is passed over.

        Raises
        ------
        ValueError
            If a whole line is no result.
        """
        with self._reading:
            self._read_on()
        return self

    def _read_on(self) -> None:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    self._forget()  # another file took its place
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._take(line, self._n_lines + 1)
                    # A line that is refused is refused every time.
                    self._n_lines += 1
                    self._offset += len(line)
        except FileNotFoundError:
            self._forget()

    def _take(self, line: bytes, number: int) -> None:
        try:
            record = json.loads(line)
            key = RunKey(**{**{name: record[name] for name in _KEY}, "options": options_json(
                record["options"])})  # fmt: skip
            fold = int(record["fold"])
            if "error" not in record:
                # The first one counts: two processes may have computed the same fold.
                self.folds.setdefault(key, {}).setdefault(fold, _unpack(record))
                self.errors.get(key, {}).pop(fold, None)
            elif fold not in self.folds.get(key, {}):
                self.errors.setdefault(key, {})[fold] = str(record["error"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Line {number} of {str(self.path)!r} is no result ({type(error).__name__}: "
                f"{error}). Remove that line: what it was about is computed again."
            ) from error

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a line, whole or not at all.

        Parameters
        ----------
        record : mapping of str to object
            What JSON can hold.

        Raises
        ------
        OSError
            If it cannot be written, as on a full disk; the lines that are there stay.
        """
        line = (json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n").encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o666)
        try:
            _lock(descriptor)
            end = _drop_torn_line(descriptor)
            try:
                _write(descriptor, line)
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(descriptor, end)
                if error.errno in _DISK_FULL:
                    raise OSError(
                        error.errno,
                        f"{error.strerror}. Finished folds are kept: free some space, and start "
                        "the same again",
                        str(self.path),
                    ) from error
                raise
        finally:
            os.close(descriptor)  # gives the lock back


def _lock(descriptor: int) -> None:
    """Wait for other processes; a killed one holds up nobody."""
    if fcntl is not None:
        # A network disk may know no locks: better to go on than to fail.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _drop_torn_line(descriptor: int) -> int:
    """Cut off what a kill or a full disk left of a last line; tell where the file ends then."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    place = end
    while place > 0:
        start = max(0, place - _BLOCK)
        os.lseek(descriptor, start, os.SEEK_SET)
        newline = os.read(descriptor, place - start).rfind(b"\n")
        if newline >= 0:
            place = start + newline + 1
            break
        place = start
    if place < end:
        os.ftruncate(descriptor, place)
    return place


def _write(descriptor: int, line: bytes) -> None:
    """Write at once; where the system takes less, the rest tells why."""
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _unpack(record: dict[str, Any]) -> Bunch:
    """Turn a line into arrays, which need a tenth of the memory."""
    missing = [name for name in _FACTS if name not in record]
    if missing:
        raise ValueError(f"nothing is said of {', '.join(missing)}")
    classes = np.array(record["classes"], dtype=str)
    fold = Bunch(**{name: value for name, value in record.items() if name not in _KEY})
    fold.test = np.array(record["rows"], dtype=np.intp)
    fold.true = classes[np.array(record["true"], dtype=np.intp)]
    fold.predicted = classes[np.array(record["predicted"], dtype=np.intp)]
    if not len(fold.test) == len(fold.true) == len(fold.predicted):
        raise ValueError("rows, true and predicted differ in length")
    if record["probabilities"] is not None:
        fold.probabilities = pd.DataFrame(
            np.array(record["probabilities"], dtype=np.float64), columns=classes
        )
    if record["history"] is not None:
        fold.history = [
            {name: math.nan if value is None else value for name, value in epoch.items()}
            for epoch in record["history"]
        ]
    del fold["rows"]
    return fold


def n_folds_of(folds: Iterable[Bunch]) -> int:
    """Tell how many folds a run has, from those that are there.

    Parameters
    ----------
    folds : iterable of Bunch
        At least one.

    Returns
    -------
    n_folds : int
        As the first of them tells.
    """
    return int(next(iter(folds)).n_folds)
