"""One pass over the clips of a table: what is known is looked up, the rest is computed and kept."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._utils._failures import failures_collected
from .._utils._fingerprint import fingerprint
from .._utils._warnings import Said, warnings_recorded
from ..preprocessing import AudioReader
from ._chain import makes_vectors, reader_of, shortened, skips_padding, steps_of
from ._clip_rows import ClipRows
from ._row_array import RowArray
from ._store_session import StoreSession


@dataclass(frozen=True)
class Task:
    """What a worker is sent.

    One object, because joblib's dask backend lays arguments of some size down on a worker, and all
    of its clips are lost if that worker dies.

    Attributes
    ----------
    chain : transformer
        The fitted chain.
    clips : list of int
        Numbers of the clips.
    X : clip table or array-like of shape (n_clips, ...)
        The clips.
    process : int
        Where the work is handed out.
    """

    chain: Any
    clips: list[int]
    X: Any
    process: int


@dataclass(frozen=True)
class Outcome:
    """What a worker sends home.

    Attributes
    ----------
    clips : list of int
        Numbers of the clips.
    values : ndarray of shape (n_clips, ...)
        What the chain gave for them.
    failed : dict of str to str
        Files that could not be read.
    warnings : list of (type, str)
        What was said in another process.
    """

    clips: list[int]
    values: NDArray[Any]
    failed: dict[str, str]
    warnings: list[Said]


def compute_clips(task: Task) -> Outcome:
    """Run a chain over some clips, here or in a worker.

    Parameters
    ----------
    task : Task
        The chain and the clips.

    Returns
    -------
    outcome : Outcome
        What goes home.
    """
    elsewhere = os.getpid() != task.process
    with warnings_recorded(wanted=elsewhere) as said, failures_collected() as failed:
        values = np.asarray(task.chain.transform(task.X))
    if values.shape[:1] != (len(task.clips),):
        raise ValueError(
            f"The chain made an array of shape {values.shape} of {len(task.clips)} clip(s): "
            "PerClip needs one row a clip."
        )
    return Outcome(task.clips, values, failed, said)


class ClipRun:
    """The clips of one call of `transform`, from the first look-up to the finished array.

    Parameters
    ----------
    chain : transformer
        The fitted chain.
    rows : ClipRows
        The rows, at least one.
    store : StoreSession or None
        Where results are looked up and kept.
    row_shape : tuple of int or None
        Shape of what a clip becomes, where it is known beforehand.
    folder : Path or None
        Where a large array has its file.
    """

    def __init__(
        self,
        chain: Any,
        rows: ClipRows,
        store: StoreSession | None,
        *,
        row_shape: tuple[int, ...] | None,
        folder: Path | None,
    ) -> None:
        self.failed: dict[str, str] = {}
        self.warnings: list[Said] = []
        self.n_done = 0
        self._rows = rows
        self._rows_of = rows.groups()
        self._store = store
        self._row_shape = row_shape
        # Padding is cut off on disk only where it is known beforehand how much of it to put back.
        self._trims = row_shape is not None
        self._folder = folder
        self._array: RowArray | None = None
        self._lock = threading.Lock()
        self._chain = chain
        # The reader whose learned length matters only to clips that are cut.
        self._reader = reader_of(chain) if skips_padding(chain) else None
        self._shortens = self._reader is not None and not makes_vectors(chain)
        self._fingerprint = ""
        self._keys: list[bytes | None] = [None] * len(self._rows_of)
        if store is not None:
            self._fingerprint = self._sum_up()
            self._keys = [self._key(clip) for clip in range(len(self._rows_of))]

    def __len__(self) -> int:
        return len(self._rows_of)

    def tasks(self, most_clips: int, most_samples: int | None = None) -> Iterator[Task]:
        """Hand out what has to be computed; take in what has been.

        Parameters
        ----------
        most_clips : int
            Number of clips looked at in one go.
        most_samples : int, default=None
            Number of samples that their waveforms may have, padding included, unless it is a single
            one.

        Yields
        ------
        task : Task
            Clips that the store does not hold.
        """
        lengths = self._lengths()
        chunks = list(_chunks(lengths, most_clips, most_samples))
        if self._store is not None:
            # Folds that run at the same time begin at different ends, and find each other's
            # results: that is why each chunk is looked up only when its turn comes.
            known = b"".join(key or b"" for key in self._keys)
            seed = int.from_bytes(hashlib.blake2b(known, digest_size=8).digest(), "little")
            np.random.default_rng(seed).shuffle(chunks)
        for clips in chunks:
            left = self._look_up(clips)
            if left:
                X = self._rows.take([self._rows_of[clip][0] for clip in left])
                chain = self._chain
                if self._reader is not None:
                    chain = shortened(chain, max(1, *(lengths[clip] for clip in left)))
                yield Task(chain, left, X, os.getpid())

    def take_in(self, outcome: Outcome) -> None:
        """Put results in their places, and keep them.

        Parameters
        ----------
        outcome : Outcome
            What a worker sent.
        """
        self._check_shape(outcome.values.shape[1:])
        self.failed |= self._rows.as_given(outcome.failed)
        self.warnings += outcome.warnings
        kept = {}
        for clip, value in zip(outcome.clips, outcome.values, strict=True):
            self._put(clip, value)
            key = self._keys[clip]
            if key is None or self._rows.path(self._rows_of[clip][0]) in outcome.failed:
                continue
            sound = _without_padding(value)
            # Kept only if there is something to keep, and the file is still what it was.
            if sound.size and self._key(clip) == key:
                kept[key] = sound if self._trims else value
        if self._store is not None:
            self._store.keep(kept)

    def result(self) -> NDArray[Any]:
        """Hand over the finished array.

        Returns
        -------
        array : ndarray of shape (n_rows, ...)
            One row for each of the table.
        """
        assert self._array is not None
        assert self.n_done == len(self)
        return self._array.finish()

    def close(self) -> None:
        """Remove the file of an array that was not finished."""
        if self._array is not None:
            self._array.discard()

    def _sum_up(self) -> str:
        """Make the fingerprint of the chain, before it has met any clip but for learned lengths."""
        lengths = [
            int(step.n_samples_)
            for step in steps_of(self._chain)
            if isinstance(step, AudioReader) and step is not self._reader
        ]
        return fingerprint((clone(self._chain), lengths))

    def _lengths(self) -> list[int]:
        """Tell to how many samples each clip is read."""
        if self._reader is not None:
            first_rows = (rows[0] for rows in self._rows_of)
            return [self._rows.heard(row, self._reader) or 0 for row in first_rows]
        readers = (step for step in steps_of(self._chain) if isinstance(step, AudioReader))
        return [max((int(reader.n_samples_) for reader in readers), default=0)] * len(self)

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if not self._fits(shape, shorter=self._shortens):
            raise ValueError(
                f"The chain made rows of shape {shape} of some clips and of shape "
                f"{self._row_shape} of others: the shape must not depend on what is in the clips, "
                "nor on how many there are."
            )

    def _look_up(self, clips: list[int]) -> list[int]:
        """Put what the store holds in its place; return what it does not."""
        if self._store is None:
            return clips
        keys = [key for clip in clips if (key := self._keys[clip]) is not None]
        found = self._store.find(keys) if keys else {}
        left = []
        for clip in clips:
            value = found.get(self._keys[clip] or b"")
            if value is None or not self._fits(value.shape, shorter=self._trims):
                left.append(clip)
            else:
                self._put(clip, value)
        return left

    def _fits(self, shape: tuple[int, ...], *, shorter: bool) -> bool:
        """Tell whether a row has the shape of all, or one that padding makes it."""
        whole = self._row_shape
        if whole is None or shape == whole:
            return True
        return shorter and shape[:-1] == whole[:-1] and bool(shape) and shape[-1] < whole[-1]

    def _put(self, clip: int, value: NDArray[Any]) -> None:
        # joblib asks for the next chunk from threads of its own.
        with self._lock:
            if self._row_shape is None:
                self._row_shape = value.shape
            if self._array is None:
                shape = (len(self._rows), *self._row_shape)
                self._array = RowArray(shape, value.dtype, self._folder)
            self._array.put(value, self._rows_of[clip])
            self.n_done += 1

    def _key(self, clip: int) -> bytes | None:
        return self._rows.key(self._rows_of[clip][0], self._fingerprint, self._reader)


def _chunks(lengths: list[int], most_clips: int, most_samples: int | None) -> Iterator[list[int]]:
    """Put clips of like length together."""
    chunk: list[int] = []
    for clip in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = len(chunk) == most_clips
        if most_samples is not None:
            full |= (len(chunk) + 1) * lengths[clip] > most_samples
        if chunk and full:
            yield chunk
            chunk = []
        chunk.append(clip)
    yield chunk


def _without_padding(value: NDArray[Any]) -> NDArray[Any]:
    """Cut off the NaN at the end of the last axis."""
    if not value.ndim or value.dtype.kind != "f" or not value.size:
        return value
    if not np.isnan(value[..., -1]).all():
        return value
    sounding = np.flatnonzero(~np.isnan(value).all(axis=tuple(range(value.ndim - 1))))
    return value[..., : sounding[-1] + 1 if sounding.size else 0]
