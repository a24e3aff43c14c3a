"""Results of clips on disk, as users see them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ._store_session import StoreSession


class ClipStore:
    """A folder that keeps what was computed for each clip.

    For `PerClip`, which makes one from a path by itself; made by hand where its bound is to be
    another. The results lie in one SQLite file. Any number of processes of one machine may use it
    at once; a kill at any moment leaves it whole; an entry that is damaged is computed anew. A full
    disk, or a folder that cannot be written, ends the storing with a warning, not the work.

    Parameters
    ----------
    location : path-like
        The folder. Made when it is first needed.

    max_bytes : int, default=10 * 2**30
        Size that the file may have, 10 GiB by default. When it is passed, what was not used for the
        longest time is thrown away.

    See Also
    --------
    PerClip : Computes what is not there.

    Notes
    -----
    SQLite's locks do not work on all network drives: the folder should be on a disk of this
    machine.

    Arrays are kept as bytes with a checksum. Nothing is unpickled, so that a store that others can
    write cannot run their code.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.feature_extraction import ClipStore
    >>> store = ClipStore(tempfile.mkdtemp(), max_bytes=2**30)
    >>> len(store)
    0
    """

    def __init__(self, location: str | os.PathLike[str], *, max_bytes: int = 10 * 2**30) -> None:
        if not isinstance(max_bytes, int | np.integer) or max_bytes < 1:
            raise ValueError(f"max_bytes={max_bytes!r}: a whole number of at least 1 is needed.")
        self.location = Path(location).expanduser().absolute()
        self.max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"ClipStore({str(self.location)!r}, max_bytes={self.max_bytes})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClipStore) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.location, self.max_bytes))

    def __len__(self) -> int:
        with self.open() as session:
            return session.count()

    def __bool__(self) -> bool:
        return True  # an empty store is a store all the same

    @property
    def n_bytes(self) -> int:
        """Bytes that the results take on disk."""
        with self.open() as session:
            return session.n_bytes()

    def clear(self) -> None:
        """Throw away all results."""
        with self.open() as session:
            session.clear()

    @contextmanager
    def open(self) -> Iterator[StoreSession]:
        """Open the store for this process; its errors are warnings, said once.

        Yields
        ------
        session : StoreSession
            Looks up and keeps; finds and keeps nothing where the store cannot be used.
        """
        session = StoreSession(self.location, self.max_bytes)
        try:
            yield session
        finally:
            session.close()
