"""Unpacking of archives from elsewhere: nothing leaves the folder, nothing fills the disk."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from ..exceptions import CorpusError
from ._data_home import check_free_space, explain_disk_errors, mark_complete

# PCM audio shrinks to a half or so, digital silence more; a bomb to a thousandth.
_MOST_GROWTH = 50
_MOST_MEMBERS = 50_000
_CHUNK = 1 << 20


def unzip(archive: Path, folder: Path) -> None:
    """Unpack an archive into a new folder, which appears when all of it is there.

    Parameters
    ----------
    archive : Path
        ZIP file.
    folder : Path
        Must not be there yet. A temporary folder is made in the folder two above, so that no
        half-unpacked file is ever found below the folder of a corpus.

    Raises
    ------
    CorpusError
        If the archive is broken, a member would leave the folder, is a link or is encrypted, the
        content is larger than it says or than any recordings would be, or the disk is full.
    """
    if folder.exists():
        raise CorpusError(
            f"{str(folder)!r} is there, but sersk has not made it: move it away, or read it with "
            "the load function of the corpus."
        )
    home = folder.parent.parent
    with explain_disk_errors(folder):
        _remove_leftovers(home, folder)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(folder), dir=home))
    try:
        n_files = _unzip(archive, temporary)
        mark_complete(temporary, n_files=n_files)
        with explain_disk_errors(folder):
            # mkdtemp makes a folder that its owner alone can enter.
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o777 & ~mask)
            os.replace(temporary, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise CorpusError(
            f"{str(archive)!r} is not a sound ZIP archive: {error}. Delete it and call again."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prefix(folder: Path) -> str:
    return f".{folder.parent.name}-{folder.name}-"


def _remove_leftovers(home: Path, folder: Path) -> None:
    """Remove what a killed run has left: it cannot be told how much of it is sound."""
    for leftover in home.glob(f"{_prefix(folder)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> int:
    with zipfile.ZipFile(archive) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        _check_members(archive, members)
        most = sum(member.file_size for member in members)
        check_free_space(folder, most)
        for member in members:
            target = folder / member.filename
            with explain_disk_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                # "x": a second member of the same name must not replace the first.
                with opened.open(member) as source, target.open("xb") as output:
                    written = 0
                    while chunk := source.read(_CHUNK):
                        written += len(chunk)
                        # The header may lie: count what really comes.
                        if written > member.file_size:
                            break
                        output.write(chunk)
            if written != member.file_size:
                raise CorpusError(
                    f"{str(archive)!r} is not sound: {member.filename!r} should have "
                    f"{member.file_size} bytes and has {written} or more. Delete it and call again."
                )
    return len(members)


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        if reason := _fault(member):
            raise CorpusError(
                f"{str(archive)!r} is refused, nothing was unpacked: "
                f"{member.orig_filename!r} {reason}."
            )
    size = sum(member.file_size for member in members)
    limit = _MOST_GROWTH * max(archive.stat().st_size, 1)
    if size > limit or len(members) > _MOST_MEMBERS:
        raise CorpusError(
            f"{str(archive)!r} is refused, nothing was unpacked: it would grow to {size / 1e6:.0f} "
            f"MB in {len(members)} files, which no archive of recordings does."
        )


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Say what makes a member unsafe, on this system or another."""
    # orig_filename: zipfile itself cuts names at NUL and replaces this system's separators.
    name = member.orig_filename
    if name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
        return "is an absolute path or holds a character that is special in paths"
    if ".." in name.split("/"):
        return "leads out of the folder"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    return None


def remove_quietly(path: Path) -> None:
    """Remove a file that is no longer needed; one that cannot be removed does no harm.

    Parameters
    ----------
    path : Path
        The file.
    """
    with suppress(OSError):
        path.unlink()
