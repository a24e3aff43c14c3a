"""Downloads that survive a bad line and a kill: what all ``fetch_*`` functions share."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .._utils._progress import track
from ..exceptions import CorpusError
from ._data_home import explain_disk_errors, on_terminal

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

# Seconds without a byte after which a host counts as gone, and the longest wait between attempts.
_TIMEOUT = 30.0
_LONGEST_DELAY = 60.0
# Bytes of a broken transfer that may be lost: what has not filled a chunk is not on disk yet.
_CHUNK = 1 << 16
# Listings and pointers are small; anything longer is not what was asked for.
_LONGEST_TEXT = 1 << 26
# The host is there and may answer better in a moment.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class RemoteFile(NamedTuple):
    """A file that a host offers.

    ``checksum`` is ``"md5:..."`` or ``"sha256:..."``, ``size`` is in bytes; None where not known.
    """

    name: str
    url: str
    checksum: str | None = None
    size: int | None = None


class HostError(CorpusError):
    """A host cannot be reached, or does not hand out what it should."""


class _PassingError(Exception):
    """What may be cured by another attempt."""

    def __init__(self, reason: str, delay: float = 0.0) -> None:
        super().__init__(reason)
        self.delay = delay


class Client:
    """Connection to the hosts of a corpus; use it in a ``with`` block.

    Parameters
    ----------
    n_retries : int
        Attempts after the first that a host gets in which nothing new arrives.
    delay : float
        Seconds before the second attempt, doubled before each further one.
    verbose : bool or None
        Whether to show progress; None: if somebody watches.
    n_workers : int, default=1
        Files that `download_all` loads at once.
    """

    def __init__(
        self, *, n_retries: int, delay: float, verbose: bool | None, n_workers: int = 1
    ) -> None:
        self.n_retries = n_retries
        self.delay = delay
        self.verbose = on_terminal(sys.stderr) if verbose is None else verbose
        self.n_workers = n_workers

    def __enter__(self) -> Client:
        import pooch
        import requests

        from .. import __version__

        self._session = requests.Session()
        # Some hosts hold back clients that do not say who they are.
        self._session.headers["User-Agent"] = f"sersk/{__version__}"
        # Ranges are of the file as it is, not of a compressed form.
        self._session.headers["Accept-Encoding"] = "identity"
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=self.n_workers)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        self._stopped = threading.Event()
        # pooch tells of each file that it begins: two lines each for thousands of them.
        self._level = pooch.get_logger().level
        pooch.get_logger().setLevel("WARNING")
        return self

    def __exit__(self, *_: object) -> None:
        import pooch

        pooch.get_logger().setLevel(self._level)
        self._session.close()

    def read(self, url: str) -> bytes:
        """Read a small file, such as a listing, into memory.

        Parameters
        ----------
        url : str
            Its address.

        Returns
        -------
        content : bytes
            The whole file.
        """

        def attempt() -> bytes:
            with self._get(url) as response:
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > _LONGEST_TEXT:
                        raise HostError(f"{url} is too long for a listing: not what is expected.")
                return bytes(content)

        return self._retry(url, attempt, progress=lambda: 0)

    def download(self, file: RemoteFile, folder: Path, *, show: bool = False) -> Path:
        """Load a file into a folder: its name appears there once its checksum has been verified.

        What a broken or killed download got is kept as ``NAME.part`` and gone on with.

        Parameters
        ----------
        file : RemoteFile
            What to load.
        folder : Path
            Where to; made if it is not there.
        show : bool, default=False
            Whether the file gets a progress bar of its own.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        CorpusError
            If the host cannot be reached or has not the file, the content is not the expected one,
            or the disk refuses it.
        """
        import pooch

        target = folder / file.name
        part = target.with_name(f"{target.name}.part")
        if file.checksum is None:
            # Without a checksum nobody would see that two halves are of two versions.
            part.unlink(missing_ok=True)
        for last in (not _has_content(part), True):

            def load(url: str, output_file: str, _: object) -> None:
                """Do as a pooch downloader must: leave the file at `url` in `output_file`."""
                self._load(url, part, size=file.size, show=show)
                os.replace(part, output_file)

            try:
                with explain_disk_errors(target):
                    # pooch's own way to make it is not safe in threads.
                    target.parent.mkdir(parents=True, exist_ok=True)
                    pooch.retrieve(
                        file.url, file.checksum, target.name, target.parent, downloader=load
                    )
                break
            except ValueError as error:
                if isinstance(error, CorpusError):
                    raise
                # A part may have been of an older version: begin anew, once.
                if last:
                    raise HostError(
                        f"{file.url} is not the expected file: {error} The host has changed it, or "
                        "something on the way has. Try again later or from another network."
                    ) from error
        return target

    def download_all(
        self, jobs: Sequence[Callable[[], object]], *, total: int, description: str
    ) -> None:
        """Run many downloads, some at a time, with one progress bar for all.

        The first error, or Ctrl-C, ends it; files that are finished stay.

        Parameters
        ----------
        jobs : sequence of callable
            Each loads a file.
        total : int
            Number of files, those that are there already included.
        description : str
            Written before the progress bar.

        Raises
        ------
        CorpusError
            The first one of a job, with the number of files that are there.
        """
        executor = ThreadPoolExecutor(self.n_workers)
        done = total - len(jobs)
        try:
            futures = [executor.submit(job) for job in jobs]
            finished = as_completed(futures)
            for future in track(
                finished, total=len(jobs), description=description, show=self.verbose
            ):
                future.result()
                done += 1
        except BaseException as error:
            # Transfers in flight end at their next chunk.
            self._stopped.set()
            if not isinstance(error, CorpusError):
                raise
            raise type(error)(
                f"{error} {done} of {total} files are there; call again to go on."
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _get(self, url: str, begin: int = 0) -> requests.Response:
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        response = self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUT)
        status = response.status_code
        if status in {200, 206} or (begin and status == 416):
            return response
        response.close()
        answer = f"answered {status} {response.reason}"
        if status in _PASSING:
            raise _PassingError(answer, _seconds(response.headers.get("Retry-After")))
        raise HostError(
            f"Cannot download {url} : the host {answer}. The file may have moved; a newer version "
            "of sersk may know where to."
        )

    def _load(self, url: str, part: Path, *, size: int | None, show: bool) -> None:
        """Load a file into `part`, attempt by attempt."""
        with _byte_bar(part.stem, size, show=show and self.verbose) as advance:

            def attempt() -> None:
                self._load_rest(url, part, size, advance)

            self._retry(url, attempt, progress=lambda: _length(part))

    def _load_rest(
        self, url: str, part: Path, size: int | None, advance: Callable[[int], None]
    ) -> None:
        begin = _length(part)
        if size is not None and begin >= size:
            if begin == size:
                advance(begin)
                return
            begin = 0
        with self._get(url, begin) as response:
            resumed = f"bytes {begin}-"
            if response.status_code == 416 or (
                response.status_code == 206
                and not response.headers.get("Content-Range", "").startswith(resumed)
            ):
                part.unlink()
                raise _PassingError("did not go on where the last download ended")
            if response.status_code == 200:
                # The host does not know of ranges and sends everything again.
                begin = 0
            end = _announced_end(response, begin)
            if size is not None and end is not None and end != size:
                raise HostError(
                    f"{url} is not the expected file: it has {end} bytes instead of {size}."
                )
            advance(begin)
            with part.open("ab" if begin else "wb") as output:
                for chunk in response.iter_content(_CHUNK):
                    if self._stopped.is_set():
                        raise HostError(f"The download of {url} was stopped.")
                    output.write(chunk)
                    begin += len(chunk)
                    advance(begin)
                    if size is not None and begin > size:
                        raise HostError(f"{url} sends more than its {size} bytes.")
        if end is not None and begin < end:
            raise _PassingError(f"broke off after {begin} of {end} bytes")

    def _retry(self, url: str, attempt: Callable[[], T], *, progress: Callable[[], int]) -> T:
        """Repeat an attempt while it fails in passing; new bytes win new attempts."""
        import requests

        failures, most = 0, progress()
        while True:
            cause: Exception
            try:
                return attempt()
            except _PassingError as error:
                cause, reason, delay = error, str(error), error.delay
            except requests.exceptions.Timeout as error:
                cause, reason, delay = error, "did not answer in time", 0.0
            except requests.exceptions.ConnectionError as error:
                cause, reason, delay = error, "cannot be reached", 0.0
            except requests.exceptions.RequestException as error:
                cause, reason, delay = error, f"failed ({type(error).__name__}: {error})", 0.0
            failures += 1
            if progress() > most:
                failures, most = 1, progress()
            if failures > self.n_retries:
                raise HostError(
                    f"Cannot download {url} : the host {reason} (attempts: {failures}). Check the "
                    "connection and call again: it goes on where it stopped."
                ) from cause
            delay = max(delay, self.delay * 2 ** (failures - 1))
            if self._stopped.wait(min(delay, _LONGEST_DELAY)):
                raise HostError(f"The download of {url} was stopped.")


@contextmanager
def _byte_bar(name: str, total: int | None, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Hand out a function that is told how many bytes are there."""
    if not show:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda there: progress.update(task, completed=there)


def _announced_end(response: requests.Response, begin: int) -> int | None:
    """Where the file ends according to the host, if it counts the bytes that it sends."""
    length = response.headers.get("Content-Length", "")
    if "Content-Encoding" in response.headers or not length.isdigit():
        return None
    return begin + int(length)


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _has_content(path: Path) -> bool:
    return _length(path) > 0
