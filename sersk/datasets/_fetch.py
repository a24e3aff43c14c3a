"""Downloads of the corpora that may be downloaded, each from where its authors keep it."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NoReturn

from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ..exceptions import CorpusError
from ._data_home import (
    Licence,
    check_free_space,
    data_folder,
    exclusive,
    is_complete,
    mark_complete,
    require_licence,
)
from ._hosts import BASE_URLS, fetch_lfs_file, list_dataverse, read_zenodo_record
from ._remote import Client, HostError, RemoteFile
from ._unzip import remove_quietly, unzip

_RAVDESS_RECORD = "1188976"
# Name, size, checksum as the record lists them.
_RAVDESS_ARCHIVES = {
    "speech": (
        "Audio_Speech_Actors_01-24.zip",
        208_468_073,
        "md5:bc696df654c87fed845eb13823edef8a",
    ),
    "song": ("Audio_Song_Actors_01-24.zip", 225_505_317, "md5:5411230427d67a21e18aa4d466e6d1b9"),
}
_EMODB_RECORD = "17651657"
_EMODB_ARCHIVE = "emodb_2.0.zip"
_TESS_DOI = "doi:10.5683/SP2/E8H2MF"
_CREMAD_TABLES = (
    "VideoDemographics.csv",
    "processedResults/summaryTable.csv",
    "processedResults/tabulatedVotes.csv",
)
_CREMAD_LIST = "SentenceFilenames.csv"
# 7442 clips of 2.6 s on average, at 32,000 bytes a second.
_CREMAD_CLIP_BYTES = 83_000

# A listing that is shorter was cut off on its way: what came of it would be taken for all for ever.
_N_CLIPS = {"cremad": 7442, "tess": 2800}

_RAVDESS_LICENCE = Licence(
    "CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/", commercial=False
)
_TESS_LICENCE = Licence(
    "CC BY-NC-ND 4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/", commercial=False
)
_CREMAD_LICENCE = Licence(
    "ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", commercial=True
)

_CREMAD_NAME = re.compile(r"[0-9]{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{1,2}")
# Recordings shrink to a half or a third in a ZIP archive; the archive itself comes on top.
_ARCHIVE_GROWTH = 4
# Small files are all waiting; more workers than a browser has connections would be impolite.
_N_WORKERS = 6

_OPTIONS: dict[str, list[Any]] = {
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "accept_licence": ["boolean"],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
    "delay": [Interval(Real, 0, None, closed="left")],
    "verbose": ["boolean", None],
}
_ARCHIVE_OPTIONS: dict[str, list[Any]] = {**_OPTIONS, "keep_archive": ["boolean"]}


@validate_params(
    {**_ARCHIVE_OPTIONS, "channel": [StrOptions({"speech", "song", "all"})]},
    prefer_skip_nested_validation=True,
)
def fetch_ravdess(
    *,
    data_home: str | os.PathLike[str] | None = None,
    channel: Literal["speech", "song", "all"] = "speech",
    download_if_missing: bool = True,
    accept_licence: bool = False,
    keep_archive: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | None = None,
) -> Bunch:
    """Load the audio-only part of RAVDESS, downloading it the first time.

    It comes from Zenodo record 1188976: 208 MB for speech, 226 MB for song. A download that broke
    off goes on where it stopped, even after a kill; later calls need no network.

    Parameters
    ----------
    data_home : path-like, default=None
        Folder of all downloaded corpora; this one goes to ``data_home/ravdess``. By default the
        environment variable ``SERSK_DATA`` or, without it, ``~/sersk_data``.

    channel : {"speech", "song", "all"}, default="speech"
        Spoken clips, sung ones, or both. Only what is asked for is downloaded.

    download_if_missing : bool, default=True
        If False, a corpus that is not there yet is an error.

    accept_licence : bool, default=False
        Accept CC BY-NC-SA 4.0, which forbids commercial use. Needed once: the acceptance is kept in
        ``data_home``. On a terminal you are asked instead.

    keep_archive : bool, default=False
        Keep the ZIP archive after it is unpacked.

    n_retries : int, default=3
        How often a host that fails in passing is asked again, 0 or more. Attempts that bring new
        bytes do not count.

    delay : float, default=1.0
        Seconds before the first repetition, 0 or more; doubled each time.

    verbose : bool, default=None
        Show progress on the error stream. By default if that is a terminal.

    Returns
    -------
    corpus : Bunch
        What ``load_ravdess(data_home / "ravdess", channel=channel)`` returns.

    Raises
    ------
    CorpusError
        If the corpus is not there and may not be downloaded, the licence is not accepted, the host
        cannot be reached or sends something else than the known file, or the disk is full.

    See Also
    --------
    load_ravdess : Load it from a folder of your own, with more options.

    Examples
    --------
    >>> from sersk.datasets import fetch_ravdess
    >>> corpus = fetch_ravdess(accept_licence=True)  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (1439, 4)
    """
    from ._ravdess import load_ravdess

    folder = data_folder(data_home, "ravdess")
    wanted = tuple(_RAVDESS_ARCHIVES) if channel == "all" else (channel,)
    if not all(is_complete(folder / part) for part in wanted):
        _refuse_to_download("ravdess", folder, download_if_missing)
        require_licence("ravdess", _RAVDESS_LICENCE, folder.parent, accept=accept_licence)
        page = f"{BASE_URLS['zenodo']}/records/{_RAVDESS_RECORD}"
        with (
            _by_hand(page, "load_ravdess"),
            exclusive(folder),
            Client(n_retries=n_retries, delay=delay, verbose=verbose) as client,
        ):
            for part in wanted:
                name, size, checksum = _RAVDESS_ARCHIVES[part]
                archive = RemoteFile(name, f"{page}/files/{name}?download=1", checksum, size)
                _fetch_archive(client, archive, folder / part, keep_archive=keep_archive)
    return load_ravdess(folder, channel=channel)


@validate_params(_ARCHIVE_OPTIONS, prefer_skip_nested_validation=True)
def fetch_emodb(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    accept_licence: bool = False,
    keep_archive: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | None = None,
) -> Bunch:
    """Load EMO-DB, the Berlin database, downloading it the first time.

    It comes from Zenodo record 17651657. A download that broke off goes on where it stopped, even
    after a kill; later calls need no network.

    Parameters
    ----------
    data_home : path-like, default=None
        Folder of all downloaded corpora; this one goes to ``data_home/emodb``. By default the
        environment variable ``SERSK_DATA`` or, without it, ``~/sersk_data``.

    download_if_missing : bool, default=True
        If False, a corpus that is not there yet is an error.

    accept_licence : bool, default=False
        Accept the licence that the record names; without this it is shown and nothing downloaded.
        Needed once: the acceptance is kept in ``data_home``. On a terminal you are asked instead.

    keep_archive : bool, default=False
        Keep the ZIP archive after it is unpacked.

    n_retries : int, default=3
        How often a host that fails in passing is asked again, 0 or more. Attempts that bring new
        bytes do not count.

    delay : float, default=1.0
        Seconds before the first repetition, 0 or more; doubled each time.

    verbose : bool, default=None
        Show progress on the error stream. By default if that is a terminal.

    Returns
    -------
    corpus : Bunch
        What ``load_emodb(data_home / "emodb")`` returns.

    Raises
    ------
    CorpusError
        If the corpus is not there and may not be downloaded, the licence is not accepted, the host
        cannot be reached or sends something else than its record says, or the disk is full.

    See Also
    --------
    load_emodb : Load it from a folder of your own, with more options.

    Examples
    --------
    >>> from sersk.datasets import fetch_emodb
    >>> corpus = fetch_emodb(accept_licence=True)  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (535, 4)
    """
    from ._emodb import load_emodb

    folder = data_folder(data_home, "emodb")
    place = folder / Path(_EMODB_ARCHIVE).stem
    if not is_complete(place):
        _refuse_to_download("emodb", folder, download_if_missing)
        page = f"{BASE_URLS['zenodo']}/records/{_EMODB_RECORD}"
        with (
            _by_hand(page, "load_emodb"),
            Client(n_retries=n_retries, delay=delay, verbose=verbose) as client,
        ):
            # Checksum and size are the record's own: they guard against a bad line, not against a
            # record that its owners change.
            archive, licence = read_zenodo_record(client, _EMODB_RECORD, _EMODB_ARCHIVE)
            require_licence("emodb", licence, folder.parent, accept=accept_licence)
            with exclusive(folder):
                _fetch_archive(client, archive, place, keep_archive=keep_archive)
    return load_emodb(folder)


@validate_params(_OPTIONS, prefer_skip_nested_validation=True)
def fetch_tess(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    accept_licence: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | None = None,
) -> Bunch:
    """Load TESS, the Toronto emotional speech set, downloading it the first time.

    It comes file by file from the Borealis repository (doi:10.5683/SP2/E8H2MF), with the checksums
    of its listing. A download that broke off goes on with the files that are missing; later calls
    need no network.

    Parameters
    ----------
    data_home : path-like, default=None
        Folder of all downloaded corpora; this one goes to ``data_home/tess``. By default the
        environment variable ``SERSK_DATA`` or, without it, ``~/sersk_data``.

    download_if_missing : bool, default=True
        If False, a corpus that is not there yet is an error.

    accept_licence : bool, default=False
        Accept CC BY-NC-ND 4.0, which forbids commercial use. Needed once: the acceptance is kept in
        ``data_home``. On a terminal you are asked instead.

    n_retries : int, default=3
        How often a host that fails in passing is asked again, 0 or more. Attempts that bring new
        bytes do not count.

    delay : float, default=1.0
        Seconds before the first repetition, 0 or more; doubled each time.

    verbose : bool, default=None
        Show progress on the error stream. By default if that is a terminal.

    Returns
    -------
    corpus : Bunch
        What ``load_tess(data_home / "tess")`` returns.

    Raises
    ------
    CorpusError
        If the corpus is not there and may not be downloaded, the licence is not accepted, the host
        cannot be reached or sends something else than its listing says, or the disk is full.

    See Also
    --------
    load_tess : Load it from a folder of your own, with more options.

    Examples
    --------
    >>> from sersk.datasets import fetch_tess
    >>> corpus = fetch_tess(accept_licence=True)  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (2800, 4)
    """
    from ._tess import load_tess

    folder = data_folder(data_home, "tess")
    if not is_complete(folder):
        _refuse_to_download("tess", folder, download_if_missing)
        require_licence("tess", _TESS_LICENCE, folder.parent, accept=accept_licence)
        page = f"https://doi.org/{_TESS_DOI.removeprefix('doi:')}"
        with (
            _by_hand(page, "load_tess"),
            exclusive(folder),
            Client(
                n_retries=n_retries, delay=delay, verbose=verbose, n_workers=_N_WORKERS
            ) as client,
        ):
            files = list_dataverse(client, _TESS_DOI)
            _refuse_short_listing("tess", len(files))
            absent = [file for file in files if not (folder / file.name).exists()]
            check_free_space(folder, sum(file.size or 0 for file in absent))
            jobs = [partial(client.download, file, folder) for file in absent]
            client.download_all(jobs, total=len(files), description="TESS")
            mark_complete(folder, n_files=len(files))
    return load_tess(folder)


@validate_params(_OPTIONS, prefer_skip_nested_validation=True)
def fetch_cremad(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    accept_licence: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: bool | None = None,
) -> Bunch:
    """Load CREMA-D, downloading it the first time.

    The 7442 clips (about 600 MB) come file by file from the media host of its GitHub repository,
    with the checksums of the repository's Git LFS pointers; the tables of actors and of votes come
    with them. A download that broke off goes on with the files that are missing; later calls need
    no network.

    Parameters
    ----------
    data_home : path-like, default=None
        Folder of all downloaded corpora; this one goes to ``data_home/cremad``. By default the
        environment variable ``SERSK_DATA`` or, without it, ``~/sersk_data``.

    download_if_missing : bool, default=True
        If False, a corpus that is not there yet is an error.

    accept_licence : bool, default=False
        Accept the Open Database License 1.0. Needed once: the acceptance is kept in ``data_home``.
        On a terminal you are asked instead.

    n_retries : int, default=3
        How often a host that fails in passing is asked again, 0 or more. Attempts that bring new
        bytes do not count.

    delay : float, default=1.0
        Seconds before the first repetition, 0 or more; doubled each time.

    verbose : bool, default=None
        Show progress on the error stream. By default if that is a terminal.

    Returns
    -------
    corpus : Bunch
        What ``load_cremad(data_home / "cremad")`` returns.

    Raises
    ------
    CorpusError
        If the corpus is not there and may not be downloaded, the licence is not accepted, the host
        cannot be reached or sends something else than its pointers say, or the disk is full.

    See Also
    --------
    load_cremad : Load it from a folder of your own, with more options.

    Notes
    -----
    The media host refuses when the repository has used up its quota of traffic. The authors then
    point to the releases of the repository and to a mirror,
    https://gitlab.com/cs-cooper-lab/crema-d-mirror/ ; `load_cremad` reads either.

    Examples
    --------
    >>> from sersk.datasets import fetch_cremad
    >>> corpus = fetch_cremad(accept_licence=True)  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (7435, 4)
    """
    from ._cremad import load_cremad

    folder = data_folder(data_home, "cremad")
    if not is_complete(folder):
        _refuse_to_download("cremad", folder, download_if_missing)
        require_licence("cremad", _CREMAD_LICENCE, folder.parent, accept=accept_licence)
        with (
            _by_hand("https://gitlab.com/cs-cooper-lab/crema-d-mirror/", "load_cremad"),
            exclusive(folder),
            Client(
                n_retries=n_retries, delay=delay, verbose=verbose, n_workers=_N_WORKERS
            ) as client,
        ):
            # The repository lists no checksums for its tables; their lengths are checked.
            for table in (_CREMAD_LIST, *_CREMAD_TABLES):
                client.download(RemoteFile(table, f"{BASE_URLS['cremad']}/{table}"), folder)
            clips = _read_cremad_list(folder / _CREMAD_LIST)
            _refuse_short_listing("cremad", len(clips))
            # A clip gets its name once it is verified: what is there needs no second look.
            absent = [clip for clip in clips if not (folder / clip).exists()]
            check_free_space(folder, len(absent) * _CREMAD_CLIP_BYTES)
            jobs = [partial(fetch_lfs_file, client, clip, folder) for clip in absent]
            client.download_all(jobs, total=len(clips), description="CREMA-D")
            mark_complete(folder, n_files=len(clips))
    return load_cremad(folder)


def _refuse_short_listing(name: str, n_found: int) -> None:
    if n_found < _N_CLIPS[name]:
        raise HostError(
            f"The host lists {n_found} of {_N_CLIPS[name]} clips: its answer was cut short, or the "
            "corpus has changed. Try again later."
        )


def fetch_savee() -> NoReturn:
    """Say how to get SAVEE, which is given to registered researchers only.

    Raises
    ------
    CorpusError
        Always, with the address to register at.

    See Also
    --------
    load_savee : Load it once you have it.

    Examples
    --------
    >>> from sersk.datasets import fetch_savee
    >>> fetch_savee()  # doctest: +SKIP
    """
    raise CorpusError(
        "SAVEE cannot be downloaded by a program: the University of Surrey gives it, for research, "
        "to those who register at http://kahlan.eps.surrey.ac.uk/savee/ . Register, download and "
        "unpack it, then read it with load_savee(folder)."
    )


def _refuse_to_download(corpus: str, folder: Path, download_if_missing: bool) -> None:
    if not download_if_missing:
        raise CorpusError(
            f"{corpus} is not (or not completely) in {str(folder)!r}, and download_if_missing is "
            "False: pass True, or the right data_home."
        )


@contextmanager
def _by_hand(page: str, loader: str) -> Iterator[None]:
    """Name the way out that is left when a host fails."""
    try:
        yield
    except HostError as error:
        raise CorpusError(
            f"{error} Or download it by hand from {page} and read it with {loader}(folder)."
        ) from error


def _fetch_archive(client: Client, file: RemoteFile, folder: Path, *, keep_archive: bool) -> None:
    """Download an archive and unpack it to a folder, unless another process has done so."""
    if is_complete(folder):
        return
    archive = folder.parent / file.name
    if not archive.exists():
        check_free_space(folder, _ARCHIVE_GROWTH * (file.size or 0))
    archive = client.download(file, folder.parent, show=True)
    unzip(archive, folder)
    if not keep_archive:
        remove_quietly(archive)


def _read_cremad_list(table: Path) -> list[str]:
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8", errors="replace")))
    names = {row.get("Filename") or "" for row in rows}
    clips = [f"AudioWAV/{name}.wav" for name in sorted(names) if _CREMAD_NAME.fullmatch(name)]
    if not clips:
        # Otherwise it would be taken for the list for ever.
        remove_quietly(table)
        raise HostError(f"{table.name} of CREMA-D's repository lists no clip: it has changed.")
    return clips
