"""The folder that downloaded corpora live in: licences, free space, what is complete."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from .._utils._files import atomic_path
from ..exceptions import CorpusError

_COMPLETE = ".complete"
_LICENCES = "licences.json"


class Licence(NamedTuple):
    """The terms of a corpus: their name, where they can be read, what they forbid."""

    name: str
    link: str
    commercial: bool | None = False


def data_folder(data_home: str | os.PathLike[str] | None, corpus: str) -> Path:
    """Name the folder of a corpus; nothing is made.

    Parameters
    ----------
    data_home : path-like or None
        Folder of all corpora; None means the environment variable ``SERSK_DATA`` or, without it,
        ``~/sersk_data``.
    corpus : str
        Name of the corpus.

    Returns
    -------
    folder : Path
        ``data_home/corpus``, absolute.
    """
    home = data_home if data_home is not None else os.environ.get("SERSK_DATA") or "~/sersk_data"
    return Path(home).expanduser().absolute() / corpus


def require_licence(corpus: str, licence: Licence, home: Path, *, accept: bool) -> None:
    """Show the licence once and go on only if it is accepted.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    licence : Licence
        Its terms.
    home : Path
        Folder of all corpora, where acceptances are recorded.
    accept : bool
        Whether the caller accepts.

    Raises
    ------
    CorpusError
        If nobody has accepted.
    """
    record = home / _LICENCES
    accepted = _read_acceptances(record)
    if accepted.get(corpus, {}).get("licence") == licence.name:
        return
    forbids = {False: " It forbids commercial use.", None: " Look there what it allows."}
    print(
        f"{corpus} comes under this licence: {licence.name}, {licence.link} ."
        f"{forbids.get(licence.commercial, '')}",
        file=sys.stderr,
    )
    if not (accept or _ask("Do you accept it? [y/N] ")):
        raise CorpusError(
            f"The licence of {corpus} ({licence.name}, {licence.link} ) is not accepted: read it, "
            "then pass accept_licence=True. This is needed once."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    accepted[corpus] = {"licence": licence.name, "link": licence.link, "accepted": now}
    with explain_disk_errors(record), atomic_path(record) as temporary:
        temporary.write_text(json.dumps(accepted, indent=2), encoding="utf-8")


def _read_acceptances(record: Path) -> dict[str, dict[str, str]]:
    try:
        accepted = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # An unreadable record is no acceptance: ask again.
        return {}
    if not isinstance(accepted, dict):
        return {}
    return {name: terms for name, terms in accepted.items() if isinstance(terms, dict)}


def _ask(question: str) -> bool:
    """Put a question to whoever sits there; nobody means no."""
    if not (on_terminal(sys.stdin) and on_terminal(sys.stderr)):
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def on_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody sits at the other end of a stream.

    Parameters
    ----------
    stream : file-like or None
        ``sys.stdin`` or ``sys.stderr``; a program without a window has neither.

    Returns
    -------
    watched : bool
        True for a terminal.
    """
    return stream is not None and stream.isatty()


def check_free_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Parameters
    ----------
    folder : Path
        Where to write; need not be there yet.
    needed : int
        Bytes.

    Raises
    ------
    CorpusError
        If there are fewer bytes.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise CorpusError(
            f"{str(folder)!r} needs {needed / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB left: "
            "free some, or choose another disk with data_home= or SERSK_DATA."
        )


@contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk objects to into a CorpusError that says what to do.

    Parameters
    ----------
    path : Path
        What is being written.

    Raises
    ------
    CorpusError
        In place of OSError.
    """
    try:
        yield
    except OSError as error:
        # EDQUOT is not known to every system.
        if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
            reason = "the disk is full: free some space and call again, what is there is kept"
        else:
            reason = f"{error}: check the permissions or choose another folder with data_home="
        raise CorpusError(f"Cannot write {str(path)!r}: {reason}.") from error


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time work on a folder; others wait, and a killed one holds up nobody.

    Parameters
    ----------
    folder : Path
        The folder; need not be there yet.
    """
    lock = folder.parent / f".{folder.name}.lock"
    with explain_disk_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        opened = lock.open("ab")
    with opened:
        _wait_for_lock(opened.fileno())
        yield


def _wait_for_lock(descriptor: int) -> None:
    """Take a lock that the system gives back when the file is closed."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError as error:
                # Raised after ten seconds of waiting.
                if error.errno != errno.EDEADLK:
                    raise
            else:
                return
    else:
        import fcntl

        # A network disk without locks must not keep anybody from downloading.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def is_complete(folder: Path) -> bool:
    """Tell whether all of a corpus has been put in a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    complete : bool
        True once `mark_complete` has been called for it.
    """
    return (folder / _COMPLETE).is_file()


def mark_complete(folder: Path, *, n_files: int) -> None:
    """Say that all of a corpus is in a folder; written last.

    Parameters
    ----------
    folder : Path
        The folder.
    n_files : int
        Number of files in it.
    """
    with explain_disk_errors(folder), atomic_path(folder / _COMPLETE) as temporary:
        temporary.write_text(f"{n_files} files, {time.strftime('%Y-%m-%d')}\n", encoding="utf-8")
