"""Files that are either whole or not there, and have one name each."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file that takes the place of `path` when the block ends well.

    An exception, Ctrl-C included, removes the temporary file and leaves `path` as it was.

    Parameters
    ----------
    path : path-like
        The file to write. Missing folders above it are made.

    Yields
    ------
    temporary : Path
        File beside `path` and of the same suffix, to be written by the caller.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    # Made here, so that a name that is taken is an error; with the permissions of any new file.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def real_paths(paths: Iterable[str]) -> list[str]:
    """Spell the same file the same: absolute, and without links.

    Parameters
    ----------
    paths : iterable of str
        Files, which need not be there.

    Returns
    -------
    places : list of str
        As :func:`os.path.realpath` finds them, but each folder is looked up once. Equal where the
        files are.
    """
    folders: dict[str, str] = {}
    places = []
    for path in paths:
        folder, name = os.path.split(path)
        try:
            if name in ("", os.curdir, os.pardir) or os.path.islink(path):
                place = os.path.realpath(path)
            else:
                if folder not in folders:
                    folders[folder] = os.path.realpath(folder)
                place = os.path.join(folders[folder], name)
        except ValueError:
            place = path  # no name that a file can have; the reader says so
        places.append(os.path.normcase(place))
    return places
