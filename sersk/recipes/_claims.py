"""Which process computes a fold, where several work on one file of results."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from types import TracebackType

from ._results import RunKey

try:
    import fcntl
except ImportError:  # not on Windows: there a fold may be computed twice
    fcntl = None  # type: ignore[assignment]

_HELD = {errno.EACCES, errno.EAGAIN}
# Folds are locked by a byte each, somewhere in this range of a file that stays empty.
_PLACES = 2**62


class Claims:
    """Folds that this process computes, and no other one beside it.

    A claim is a lock on a byte of a file of its own, so that it ends with the process, however that
    ends. Network disks without locks claim nothing: there a fold may be computed twice.

    Parameters
    ----------
    results : path-like
        File of results; that of the claims lies beside it.
    """

    def __init__(self, results: str | os.PathLike[str]) -> None:
        folder, name = os.path.split(os.fspath(results))
        self._path = os.path.join(folder, f".{name}.claims")
        self._descriptor: int | None = None

    def __enter__(self) -> Claims:
        if fcntl is not None:
            os.makedirs(os.path.dirname(self._path) or os.curdir, exist_ok=True)
            # Closing any other descriptor of the file would give all locks back: there is this one.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is None:
            return
        # Who has all of the file is the last one. (Another that has just opened it claims for
        # itself alone then, and at worst a fold is computed twice.)
        with suppress(OSError):
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self._path)
        os.close(self._descriptor)
        self._descriptor = None

    def take(self, key: RunKey, fold: int) -> bool:
        """Claim a fold.

        Parameters
        ----------
        key : RunKey
            Its run.
        fold : int
            Its number.

        Returns
        -------
        taken : bool
            False if another process computes it just now.
        """
        if self._descriptor is None:
            return True
        digest = hashlib.blake2b(repr((key, fold)).encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "little") % _PLACES
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            return error.errno not in _HELD
        return True
