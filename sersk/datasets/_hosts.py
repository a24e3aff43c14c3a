"""What the hosts of corpora list: files, checksums, licences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..exceptions import CorpusError
from ._data_home import Licence
from ._remote import Client, HostError, RemoteFile

BASE_URLS = {
    "zenodo": "https://zenodo.org",
    "borealis": "https://borealisdata.ca",
    "cremad": "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master",
    # Where Git LFS keeps what the repository itself has only pointers to.
    "cremad_media": (
        "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master"
    ),
}

# What comes from a host names no folder, link or device.
_WAV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.wav", re.IGNORECASE)
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n?"
)
_HASH_NAMES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


def read_zenodo_record(client: Client, record: str, name: str) -> tuple[RemoteFile, Licence]:
    """Read where a file of a Zenodo record is, what it should be, and under which licence.

    Parameters
    ----------
    client : Client
        The connection.
    record : str
        Number of the record.
    name : str
        Name of the file.

    Returns
    -------
    file : RemoteFile
        The file, with the checksum and the size that the record states.
    licence : Licence
        The licence that the record states.
    """
    api = f"{BASE_URLS['zenodo']}/api/records/{record}"
    page = f"{BASE_URLS['zenodo']}/records/{record}"
    with _expect(api):
        content = json.loads(client.read(api))
        entry = next(entry for entry in content["files"] if entry["key"] == name)
        checksum, size = str(entry["checksum"]), int(entry["size"])
        if not re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum):
            raise ValueError(checksum)
        stated = (content.get("metadata", {}).get("license") or {}).get("id")
    licence = Licence(
        str(stated or "not stated in its record"),
        page,
        commercial=False if "-nc" in str(stated) else None,
    )
    return RemoteFile(name, f"{page}/files/{name}?download=1", checksum, size), licence


def list_dataverse(client: Client, doi: str) -> list[RemoteFile]:
    """List the recordings of a Dataverse data set with their checksums.

    Parameters
    ----------
    client : Client
        The connection.
    doi : str
        The data set.

    Returns
    -------
    files : list of RemoteFile
        Its WAV files, in one folder.
    """
    base = BASE_URLS["borealis"]
    api = f"{base}/api/datasets/:persistentId/versions/:latest/files?persistentId={doi}"
    with _expect(api):
        entries = [entry["dataFile"] for entry in json.loads(client.read(api))["data"]]
        files = [
            RemoteFile(
                str(entry["filename"]),
                f"{base}/api/access/datafile/{int(entry['id'])}",
                _dataverse_checksum(entry),
                int(entry["filesize"]),
            )
            for entry in entries
            if _WAV_NAME.fullmatch(str(entry["filename"]))
        ]
        if not files:
            raise ValueError("no WAV file")
    # Two downloads at once must not write to one file.
    return list({file.name: file for file in files}.values())


def _dataverse_checksum(entry: dict[str, Any]) -> str:
    # Older versions of Dataverse know MD5 alone.
    checksum = entry.get("checksum") or {"type": "MD5", "value": entry["md5"]}
    value = str(checksum["value"]).lower()
    if not re.fullmatch("[0-9a-f]{32,128}", value):
        raise ValueError(value)
    return f"{_HASH_NAMES[checksum['type']]}:{value}"


def fetch_lfs_file(client: Client, name: str, folder: Path) -> None:
    """Download a file that CREMA-D's repository has only a Git LFS pointer to.

    Parameters
    ----------
    client : Client
        The connection.
    name : str
        Path of the file in the repository.
    folder : Path
        Where to; the path is kept below it.
    """
    url = f"{BASE_URLS['cremad']}/{name}"
    pointer = _POINTER.fullmatch(client.read(url))
    if pointer is None:
        raise HostError(f"{url} is no Git LFS pointer any more: the repository has changed.")
    client.download(
        RemoteFile(
            name,
            f"{BASE_URLS['cremad_media']}/{name}",
            f"sha256:{pointer[1].decode()}",
            int(pointer[2]),
        ),
        folder,
    )


@contextmanager
def _expect(url: str) -> Iterator[None]:
    """Turn whatever a listing lacks into one error."""
    try:
        yield
    except CorpusError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, StopIteration) as error:
        raise HostError(
            f"{url} is not the listing that is expected ({type(error).__name__}: {error}). A newer "
            "version of sersk may know it."
        ) from error
