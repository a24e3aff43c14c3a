"""The file around a model: a ZIP archive whose members are known by their checksums.

Nothing here knows what the members mean. A file that lies about its size, its members or their
content ends in a `ModelFileError`.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._utils._files import atomic_path
from ..exceptions import ModelFileError

MANIFEST = "sersk.json"
SCHEMA = "schema.json"
# Raised whenever a file of this kind could not be read by the sersk that went before.
FORMAT = 1

# What a file may unpack to: its own size times this, and a little more for the smallest. JSON of
# models packs to a twentieth; an archive made to fill the memory packs to a thousandth.
_LARGEST_RATIO = 200
_ALLOWANCE = 2**20
# Larger than any model that is trained here, smaller than what a machine chokes on.
_MAX_BYTES = 4 * 2**30
_MAX_MEMBERS = 200_000
_CHUNK = 2**20

_MEMBER_NAME = re.compile(r"schema\.json|sersk\.json|[0-9]{1,18}\.npy")
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_ZIP_BEGINS = b"PK\x03\x04"
_PICKLE_BEGINS = re.compile(rb"\x80[\x02-\x05]|[(\]}]")
# A constant, so that the same model is the same file.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_container(
    path: str | os.PathLike[str], members: Mapping[str, bytes], facts: Mapping[str, Any]
) -> str:
    """Write members and a manifest, all or nothing.

    Parameters
    ----------
    path : path-like
        The file.
    members : mapping of str to bytes
        Content by name.
    facts : mapping of str to object
        What else stands in the manifest, plain values.

    Returns
    -------
    sha256 : str
        Checksum of the file, 64 hexadecimal digits.

    Raises
    ------
    ModelFileError
        If the file would be larger than what is read.
    OSError
        If it cannot be written.
    """
    manifest = {
        "format": FORMAT,
        **facts,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
    }
    text = json.dumps(manifest, indent=1, allow_nan=False).encode()
    with atomic_path(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in [*members.items(), (MANIFEST, text)]:
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                # Weights do not pack, text does.
                packs = name.endswith(".json")
                info.compress_type = zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED
                archive.writestr(info, content)
        # What is written can be read: the bounds below hold for both.
        content = temporary.read_bytes()
        read_members(content, Path(path))
    return hashlib.sha256(content).hexdigest()


def read_container(path: str | os.PathLike[str], sha256: str | None = None) -> bytes:
    """Read a file at once, so that what is checked is what is used.

    Parameters
    ----------
    path : path-like
        The file.
    sha256 : str, default=None
        Checksum that it has to have, 64 hexadecimal digits.

    Returns
    -------
    content : bytes
        All of it.

    Raises
    ------
    ModelFileError
        If it is too large, or has another checksum.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    # Opening a pipe that nobody writes to would wait for ever.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ModelFileError(path, "it is a pipe or a device, not a regular file.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MAX_BYTES:
            raise ModelFileError(path, f"it has {size} bytes; models have {_MAX_BYTES} at most.")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ModelFileError(path, f"it does not end after {_MAX_BYTES} bytes.")
    if sha256 is not None:
        wanted = sha256.strip().lower()
        if not _HEX_DIGEST.fullmatch(wanted):
            raise ValueError(f"sha256={sha256!r}: 64 hexadecimal digits are needed.")
        found = hashlib.sha256(content).hexdigest()
        if not hmac.compare_digest(found, wanted):
            raise ModelFileError(
                path,
                f"its SHA-256 is {found}, not {wanted}: it is another file than the one that was "
                "meant, or was changed. Get it again from where the checksum comes from.",
            )
    return content


def read_members(content: bytes, path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Unpack an archive within bounds, and compare its members with the manifest.

    Parameters
    ----------
    content : bytes
        The file.
    path : Path
        Its name, for errors.

    Returns
    -------
    members : dict of str to bytes
        Content by name, without the manifest.
    manifest : dict
        As it was written.

    Raises
    ------
    ModelFileError
        If anything is wrong.
    """
    if not content.startswith(_ZIP_BEGINS):
        raise ModelFileError(path, _what_else(content))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = _check_directory(archive, len(content), path)
            members = {info.filename: _unpack(archive, info) for info in infos}
        manifest = json.loads(members.pop(MANIFEST))
    except ModelFileError:
        raise
    # Junk in an archive raises whatever it likes.
    except Exception as error:
        raise ModelFileError(path, _damaged(error)) from error
    _check_manifest(manifest, members, path)
    return members, manifest


def read_manifest(content: bytes, path: Path) -> dict[str, Any]:
    """Unpack the manifest alone.

    Parameters
    ----------
    content : bytes
        The file.
    path : Path
        Its name, for errors.

    Returns
    -------
    manifest : dict
        As it was written.

    Raises
    ------
    ModelFileError
        If the file has none, or is no archive.
    """
    return read_members(content, path)[1]


def _what_else(content: bytes) -> str:
    if not content:
        return "it is empty."
    if _PICKLE_BEGINS.match(content):
        return (
            "it looks like a pickle, whatever its name is. Pickles run code when they are loaded, "
            "and sersk loads none. Load it where you trust it, and write it by sersk.save."
        )
    return "it is no model file: these are ZIP archives that sersk.save writes."


def _damaged(error: Exception) -> str:
    return (
        f"it is damaged ({type(error).__name__}: {error}). Copy it again from where it was whole, "
        "or train again."
    )


def _check_directory(archive: zipfile.ZipFile, size: int, path: Path) -> list[zipfile.ZipInfo]:
    """Refuse what `sersk.save` never writes, before a byte is unpacked."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(names) > _MAX_MEMBERS:
        raise ModelFileError(path, f"it has {len(names)} members; models have fewer.")
    if len(set(names)) < len(names):
        raise ModelFileError(path, "two of its members have the same name.")
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not _MEMBER_NAME.fullmatch(info.filename) or kind not in (0, stat.S_IFREG):
            raise ModelFileError(
                path, f"its member {info.filename!r} is none that sersk.save writes."
            )
        if info.flag_bits & 0x1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise ModelFileError(
                path, f"its member {info.filename!r} is encrypted or oddly packed."
            )
    missing = {MANIFEST, SCHEMA} - set(names)
    if missing:
        raise ModelFileError(
            path,
            f"it has no {' and no '.join(sorted(missing))}: it was not written by sersk.save, or "
            "is not whole. A model that skops wrote is loaded by skops.io.load.",
        )
    total = sum(info.file_size for info in infos)
    most = min(_MAX_BYTES, _ALLOWANCE + _LARGEST_RATIO * size)
    if total > most:
        raise ModelFileError(
            path,
            f"it would unpack to {total} bytes, {total // max(size, 1)} times its size: models do "
            "not, archives made to fill the memory do.",
        )
    return infos


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Unpack a member bit by bit: the size in the directory may be a lie."""
    parts = []
    unpacked = 0
    with archive.open(info) as member:
        while part := member.read(_CHUNK):
            parts.append(part)
            unpacked += len(part)
    if unpacked != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename} ends after {unpacked} bytes")
    return b"".join(parts)


def _check_manifest(manifest: Any, members: Mapping[str, bytes], path: Path) -> None:
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise ModelFileError(path, f"its {MANIFEST} is not what sersk.save writes.")
    number = manifest.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ModelFileError(path, f"its {MANIFEST} gives the format {number!r}, not a number.")
    if number > FORMAT:
        raise ModelFileError(
            path,
            f"it has format {number}, this sersk knows {FORMAT} at most: install a newer one.",
        )
    sums = manifest["sha256"]
    if sums.keys() != members.keys():
        odd = sorted(sums.keys() ^ members.keys())[0]
        raise ModelFileError(path, f"its member {odd!r} is missing, or not in its {MANIFEST}.")
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise ModelFileError(
                path,
                f"its member {name!r} is not what was saved: its checksum is another. Copy the "
                "file again from where it was whole, or train again.",
            )
