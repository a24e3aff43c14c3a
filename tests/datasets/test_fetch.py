"""Downloads against a host of our own that breaks off, lies, stalls and forgets."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from sersk.datasets import _data_home, _fetch, _hosts, _remote
from sersk.datasets._remote import Client, RemoteFile
from sersk.exceptions import CorpusError

# The made corpora are a few clips each, and the loaders say so.
pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")

BLOCK = 1 << 16
BLOB = bytes(range(256)) * (5 * BLOCK // 256)
SIZE = len(BLOB)
MD5 = "md5:" + hashlib.md5(BLOB).hexdigest()


@dataclass
class Page:
    """What the host has at a path, and how it misbehaves."""

    content: bytes
    ranges: bool = True
    # Used up request by request: bytes after which the line breaks; statuses in place of 200.
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    # Seconds between blocks.
    pace: float = 0.0
    # Whether a range that is asked for is answered with another one.
    wrong_range: bool = False


class Host(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.pages: dict[str, Page] = {}
        self.requests = Counter()
        self.served = Counter()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Clients that go away are what is tested."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        host, path = self.server, self.path.partition("?")[0]
        host.requests[path] += 1
        page = host.pages.get(path)
        if page is None:
            self.send_error(404)
            return
        if page.statuses:
            self.send_error(page.statuses.pop(0))
            return
        if page.pauses:
            time.sleep(page.pauses.pop(0))
        begin, asked = 0, self.headers.get("Range")
        if asked and page.ranges:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            if begin >= len(page.content):
                self.send_error(416)
                return
            self.send_response(206)
            begin = 0 if page.wrong_range else begin
            end = len(page.content)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{end}")
        else:
            self.send_response(200)
        body = page.content[begin:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end = page.breaks.pop(0) if page.breaks else len(body)
        for start in range(0, min(end, len(body)), BLOCK):
            block = body[start : min(start + BLOCK, end)]
            host.served[path] += len(block)  # before the client can have it all, and look
            self.wfile.write(block)
            time.sleep(page.pace)


@pytest.fixture
def host():
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def load(host, tmp_path):
    """Download a page of the host with the checksum and the size of BLOB."""

    def download(path="/blob", *, checksum=MD5, size=SIZE, n_retries=2, url=None):
        file = RemoteFile("blob", url or host.url + path, checksum, size)
        with Client(n_retries=n_retries, delay=0.0, verbose=False) as client:
            return client.download(file, tmp_path)

    return download


@pytest.fixture
def hosts(host, monkeypatch):
    """Let every address of a corpus be one of the local host."""
    for name in _hosts.BASE_URLS:
        monkeypatch.setitem(_hosts.BASE_URLS, name, f"{host.url}/{name}")
    return host


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


RAVDESS_NAMES = [f"Actor_01/03-01-{emotion:02d}-01-01-01-01.wav" for emotion in range(1, 9)]
RAVDESS_ARCHIVE = "/zenodo/records/1188976/files/Audio_Speech_Actors_01-24.zip"


@pytest.fixture
def ravdess(hosts, monkeypatch):
    """A host that offers eight clips as the speech of RAVDESS."""
    content = zipped([(name, os.urandom(3000)) for name in RAVDESS_NAMES])
    hosts.pages[RAVDESS_ARCHIVE] = Page(content)
    name = RAVDESS_ARCHIVE.rpartition("/")[2]
    checksum = "md5:" + hashlib.md5(content).hexdigest()
    monkeypatch.setitem(_fetch._RAVDESS_ARCHIVES, "speech", (name, len(content), checksum))
    return hosts


@pytest.fixture
def fetch_ravdess(ravdess, tmp_path):
    def fetch(**options):
        options = {"accept_licence": True, "n_retries": 0, "delay": 0.0, **options}
        return _fetch.fetch_ravdess(data_home=tmp_path / "home", **options)

    return fetch


# Transfers


def test_file_arrives_whole_and_alone(host, load, tmp_path):
    host.pages["/blob"] = Page(BLOB)
    assert load().read_bytes() == BLOB
    assert [path.name for path in tmp_path.iterdir()] == ["blob"]
    load()
    assert host.requests["/blob"] == 1


def test_broken_transfer_goes_on_where_it_stopped(host, load):
    host.pages["/blob"] = Page(BLOB, breaks=[2 * BLOCK, 2 * BLOCK])
    assert load().read_bytes() == BLOB
    assert host.requests["/blob"] == 3
    assert host.served["/blob"] == len(BLOB)


def test_broken_transfer_is_kept_for_the_next_call(host, load, tmp_path):
    host.pages["/blob"] = Page(BLOB, breaks=[3 * BLOCK])
    with pytest.raises(CorpusError, match="goes on where it stopped"):
        load(n_retries=0)
    assert (tmp_path / "blob.part").read_bytes() == BLOB[: 3 * BLOCK]
    assert not (tmp_path / "blob").exists()
    assert load(n_retries=0).read_bytes() == BLOB
    assert host.served["/blob"] == len(BLOB)


def test_new_bytes_win_new_attempts(host, load):
    host.pages["/blob"] = Page(BLOB, breaks=[BLOCK, BLOCK, BLOCK, BLOCK])
    assert load(n_retries=1).read_bytes() == BLOB


@pytest.mark.parametrize("fault", [{"ranges": False}, {"wrong_range": True}])
def test_host_without_ranges_begins_anew(host, load, fault):
    page = host.pages["/blob"] = Page(BLOB, breaks=[2 * BLOCK], **fault)
    assert load().read_bytes() == BLOB
    assert not page.breaks


def test_part_that_is_longer_than_the_file_is_dropped(host, load, tmp_path):
    host.pages["/blob"] = Page(BLOB)
    (tmp_path / "blob.part").write_bytes(BLOB + b"more")
    assert load().read_bytes() == BLOB


@pytest.mark.parametrize("length", [BLOCK, len(BLOB)])
def test_part_of_another_version_costs_one_more_attempt(host, load, tmp_path, length):
    host.pages["/blob"] = Page(BLOB)
    (tmp_path / "blob.part").write_bytes(bytes(length))
    assert load().read_bytes() == BLOB


@pytest.mark.parametrize("size", [len(BLOB), None])
def test_tampered_file_is_refused(host, load, tmp_path, size):
    host.pages["/blob"] = Page(BLOB[:-1] + b"?")
    with pytest.raises(CorpusError, match=r"/blob is not the expected file"):
        load(size=size)
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_size_is_refused_at_once(host, load, tmp_path):
    host.pages["/blob"] = Page(BLOB[:-500])
    with pytest.raises(CorpusError, match=f"{len(BLOB) - 500} bytes instead of {len(BLOB)}"):
        load()
    assert host.requests["/blob"] == 1
    assert not (tmp_path / "blob").exists()


def test_slow_but_steady_host_is_waited_for(host, load, monkeypatch):
    monkeypatch.setattr(_remote, "_TIMEOUT", 0.4)
    host.pages["/blob"] = Page(BLOB, pace=0.12)
    assert load(n_retries=0).read_bytes() == BLOB


def test_stalled_host_is_asked_again(host, load, monkeypatch):
    monkeypatch.setattr(_remote, "_TIMEOUT", 0.2)
    host.pages["/blob"] = Page(BLOB, pauses=[0.6])
    assert load().read_bytes() == BLOB
    assert host.requests["/blob"] == 2


def test_missing_file_is_named_and_not_asked_for_again(host, load):
    with pytest.raises(CorpusError, match=r"/blob : the host answered 404") as caught:
        load()
    assert "newer version" in str(caught.value)
    assert host.requests["/blob"] == 1


def test_host_in_trouble_is_asked_again(host, load):
    host.pages["/blob"] = Page(BLOB, statuses=[500, 503])
    assert load().read_bytes() == BLOB
    host.pages["/blob"].statuses = [500, 500]
    with pytest.raises(CorpusError, match=r"answered 500 .*\(attempts: 1\)"):
        load(checksum="md5:" + 32 * "0", n_retries=0)


def test_offline(load):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(CorpusError, match=r"cannot be reached \(attempts: 2\). Check the conn"):
        load(url=f"http://127.0.0.1:{port}/blob", n_retries=1)


def test_waits_grow_and_are_bounded(host, load, monkeypatch):
    waits = []
    monkeypatch.setattr(
        threading.Event, "wait", lambda self, timeout=None: waits.append(timeout), raising=True
    )
    host.pages["/blob"] = Page(BLOB, statuses=[500] * 3)
    client = Client(n_retries=3, delay=25.0, verbose=False)
    with client:
        client.read(f"{host.url}/blob")
    assert [wait for wait in waits if wait and wait >= 25] == [25.0, 50.0, 60.0]


def test_progress_goes_to_the_error_stream(host, tmp_path, capsys, monkeypatch):
    # rich then takes the captured stream for a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    host.pages["/blob"] = Page(BLOB)
    with Client(n_retries=0, delay=0.0, verbose=True) as client:
        client.download(RemoteFile("blob", f"{host.url}/blob", MD5), tmp_path, show=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "blob" in err


KILLED_DOWNLOAD = """
import sys
from pathlib import Path
from types import SimpleNamespace
from sersk.datasets._remote import Client, RemoteFile
with Client(n_retries=0, delay=0, verbose=False) as client:
    file = RemoteFile("blob", sys.argv[1], sys.argv[2], int(sys.argv[3]))
    client.download(file, Path(sys.argv[4]))
"""


def test_killed_download_goes_on(host, load, tmp_path):
    page = host.pages["/blob"] = Page(BLOB, pace=0.3)
    arguments = [f"{host.url}/blob", MD5, str(len(BLOB)), str(tmp_path)]
    with subprocess.Popen([sys.executable, "-c", KILLED_DOWNLOAD, *arguments]) as process:
        part = tmp_path / "blob.part"
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size >= BLOCK):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    kept = part.stat().st_size
    assert BLOCK <= kept < len(BLOB)
    page.pace = 0.0
    # A handler may still be busy with the client that was killed.
    host.pages["/again"] = Page(BLOB)
    assert load("/again").read_bytes() == BLOB
    assert host.served["/again"] == len(BLOB) - kept


def test_full_disk_is_explained_and_the_part_kept(host, load, tmp_path, monkeypatch):
    host.pages["/blob"] = Page(BLOB)
    opened = Path.open

    def open_small(path, mode="r", *args, **kwargs):
        file = opened(path, mode, *args, **kwargs)
        if path.name.endswith(".part"):
            write, file = file.write, Proxy(file)

            def write_first_block(data):
                if file.tell() >= BLOCK:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(data)

            file.write = write_first_block
        return file

    class Proxy:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_small)
        with pytest.raises(CorpusError, match="the disk is full"):
            load()
    assert (tmp_path / "blob.part").stat().st_size == BLOCK
    assert load().read_bytes() == BLOB
    assert host.requests["/blob"] == 2


# Licences


def test_licence_must_be_accepted_once(fetch_ravdess, ravdess, tmp_path, capsys):
    with pytest.raises(CorpusError, match="accept_licence=True"):
        fetch_ravdess(accept_licence=False)
    assert not ravdess.requests
    shown = capsys.readouterr().err
    assert "CC BY-NC-SA 4.0" in shown
    assert "creativecommons.org" in shown
    assert "forbids commercial use" in shown
    fetch_ravdess(accept_licence=True)
    capsys.readouterr()
    shutil.rmtree(tmp_path / "home" / "ravdess")
    fetch_ravdess(accept_licence=False)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "accepted"), [("y\n", True), ("\n", False), ("", False)])
def test_terminal_is_asked(fetch_ravdess, monkeypatch, answer, accepted):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", Terminal())
    if accepted:
        assert len(fetch_ravdess(accept_licence=False).data) == len(RAVDESS_NAMES)
    else:
        with pytest.raises(CorpusError, match="not accepted"):
            fetch_ravdess(accept_licence=False)
    assert "Do you accept it?" in sys.stderr.getvalue()


@pytest.mark.parametrize("record", ["{broken", "[]", '{"ravdess": 1}', '{"ravdess": {}}'])
def test_unreadable_record_is_no_acceptance(fetch_ravdess, tmp_path, record):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "licences.json").write_text(record)
    with pytest.raises(CorpusError, match="not accepted"):
        fetch_ravdess(accept_licence=False)
    fetch_ravdess()
    record = json.loads((tmp_path / "home" / "licences.json").read_text())
    assert record["ravdess"]["licence"] == "CC BY-NC-SA 4.0"


# Corpora


def test_ravdess(fetch_ravdess, ravdess, tmp_path):
    corpus = fetch_ravdess()
    assert len(corpus.data) == len(RAVDESS_NAMES)
    folder = tmp_path / "home" / "ravdess"
    assert [path.name for path in folder.iterdir()] == ["speech"]
    assert all(Path(path).is_relative_to(folder) for path in corpus.data["path"])
    ravdess.shutdown()
    assert len(fetch_ravdess(accept_licence=False, download_if_missing=False).data) == 8


def test_ravdess_keeps_its_archive_if_told(fetch_ravdess, ravdess, tmp_path):
    fetch_ravdess(keep_archive=True)
    shutil.rmtree(tmp_path / "home" / "ravdess" / "speech")
    fetch_ravdess()
    assert ravdess.requests[RAVDESS_ARCHIVE] == 1


def test_processes_at_the_same_time_download_once(fetch_ravdess, ravdess):
    ravdess.pages[RAVDESS_ARCHIVE].pace = 0.1
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(len(fetch_ravdess().data))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [8, 8, 8]
    assert ravdess.requests[RAVDESS_ARCHIVE] == 1


KILLED_UNZIP = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from sersk.datasets import _unzip
_unzip.mark_complete = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
_unzip.unzip(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_killed_unzip_leaves_nothing_that_looks_complete(fetch_ravdess, ravdess, tmp_path):
    home = tmp_path / "home" / "ravdess"
    home.mkdir(parents=True)
    archive = home / RAVDESS_ARCHIVE.rpartition("/")[2]
    archive.write_bytes(ravdess.pages[RAVDESS_ARCHIVE].content)
    command = [sys.executable, "-c", KILLED_UNZIP, str(archive), str(home / "speech")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert list(home.iterdir()) == [archive]
    assert len(list(home.parent.glob(".ravdess-speech-*"))) == 1
    assert len(fetch_ravdess().data) == len(RAVDESS_NAMES)
    assert list(home.parent.glob(".ravdess-speech-*")) == []
    assert ravdess.requests[RAVDESS_ARCHIVE] == 0


def test_without_download(fetch_ravdess, ravdess, tmp_path):
    with pytest.raises(CorpusError, match="download_if_missing is False"):
        fetch_ravdess(download_if_missing=False)
    assert not ravdess.requests
    assert not (tmp_path / "home").exists()


def test_small_disk_is_refused_before_the_download(fetch_ravdess, ravdess, monkeypatch):
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CorpusError, match="data_home= or SERSK_DATA"):
        fetch_ravdess()
    assert not ravdess.requests


def test_failing_host_leaves_a_way_by_hand(fetch_ravdess, ravdess):
    ravdess.pages.clear()
    with pytest.raises(CorpusError, match=r"by hand from .*/1188976 and read it with load_ravdess"):
        fetch_ravdess()


def test_data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SERSK_DATA", str(tmp_path))
    assert _data_home.data_folder(None, "tess") == tmp_path / "tess"
    assert _data_home.data_folder(tmp_path / "other", "tess") == tmp_path / "other" / "tess"
    monkeypatch.delenv("SERSK_DATA")
    assert _data_home.data_folder(None, "tess") == Path.home() / "sersk_data" / "tess"


def test_data_home_that_cannot_be_made(fetch_ravdess, tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(CorpusError, match="another folder with data_home="):
        fetch_ravdess()


@pytest.fixture
def emodb(hosts):
    content = zipped([("wav/03a01Fa.wav", os.urandom(2000)), ("wav/08b02Na.wav", b"sound")])
    entry = {
        "key": "emodb_2.0.zip",
        "size": len(content),
        "checksum": "md5:" + hashlib.md5(content).hexdigest(),
    }
    record = {"files": [entry], "metadata": {"license": {"id": "cc-by-nc-4.0"}}}
    hosts.pages["/zenodo/records/17651657/files/emodb_2.0.zip"] = Page(content)
    hosts.pages["/zenodo/api/records/17651657"] = Page(json.dumps(record).encode())
    hosts.record = record
    return hosts


def test_emodb_is_checked_against_its_record(emodb, tmp_path, capsys):
    corpus = _fetch.fetch_emodb(data_home=tmp_path, accept_licence=True)
    assert sorted(corpus.target) == ["happiness", "neutral"]
    assert "cc-by-nc-4.0" in capsys.readouterr().err
    requests = emodb.requests.total()
    _fetch.fetch_emodb(data_home=tmp_path)
    assert emodb.requests.total() == requests


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.clear(),
        lambda record: record["files"].clear(),
        lambda record: record["files"][0].update(checksum="md5:short"),
        lambda record: record["files"][0].pop("size"),
    ],
)
def test_strange_record_is_refused(emodb, tmp_path, change):
    change(emodb.record)
    emodb.pages["/zenodo/api/records/17651657"] = Page(json.dumps(emodb.record).encode())
    with pytest.raises(CorpusError, match="is not the listing that is expected"):
        _fetch.fetch_emodb(data_home=tmp_path, accept_licence=True)


def test_listing_that_is_no_json_is_refused(emodb, tmp_path):
    emodb.pages["/zenodo/api/records/17651657"] = Page(b"<html>Please log in</html>")
    with pytest.raises(CorpusError, match="JSONDecodeError"):
        _fetch.fetch_emodb(data_home=tmp_path, accept_licence=True)


TESS_NAMES = ["OAF_back_angry.wav", "OA_bite_neutral.wav", "YAF_yes_ps.wav"]
TESS_LISTING = "/borealis/api/datasets/:persistentId/versions/:latest/files"


@pytest.fixture
def tess(hosts, monkeypatch):
    monkeypatch.setitem(_fetch._N_CLIPS, "tess", len(TESS_NAMES))
    entries = []
    for number, name in enumerate([*TESS_NAMES, "readme.txt", "../evil.wav"]):
        content = os.urandom(1000)
        md5 = hashlib.md5(content).hexdigest()
        entry = {"id": number, "filename": name, "filesize": len(content), "md5": md5}
        if number:
            entry["checksum"] = {"type": "MD5", "value": md5}
        entries += 2 * [{"label": name, "dataFile": entry}]
        hosts.pages[f"/borealis/api/access/datafile/{number}"] = Page(content)
    hosts.pages[TESS_LISTING] = Page(json.dumps({"status": "OK", "data": entries}).encode())
    return hosts


def test_tess_comes_file_by_file(tess, tmp_path):
    files = [f"/borealis/api/access/datafile/{number}" for number in range(3)]
    good = tess.pages[files[2]]
    tess.pages[files[2]] = Page(good.content[::-1], pauses=[0.2])
    with pytest.raises(
        CorpusError, match=r"/datafile/2 is not the expected file.*[012] of 3 files"
    ) as error:
        _fetch.fetch_tess(data_home=tmp_path, accept_licence=True, delay=0.0)
    # On a busy machine others may not be there yet, and are broken off.
    kept = {path.name for path in (tmp_path / "tess").rglob("*.wav")}
    assert f"{len(kept)} of 3 files" in str(error.value)
    assert not _data_home.is_complete(tmp_path / "tess")
    tess.pages[files[2]] = good
    corpus = _fetch.fetch_tess(data_home=tmp_path)
    assert len(corpus.data) == len(TESS_NAMES)
    for file, name in zip(files, TESS_NAMES, strict=True):
        assert name not in kept or tess.served[file] == 1000
    assert tess.served[files[2]] == 2000
    found = sorted(path.name for path in (tmp_path / "tess").iterdir())
    assert found == sorted([".complete", *TESS_NAMES])


CREMAD_NAMES = [f"1001_{text}_ANG_XX" for text in ("IOM", "IWW", "TAI", "MTI", "IWL")]


@pytest.fixture
def cremad(hosts, monkeypatch):
    """Five clips behind Git LFS pointers, and the tables."""
    monkeypatch.setitem(_fetch._N_CLIPS, "cremad", len(CREMAD_NAMES))
    rows = "".join(f'{number},"{name}"\n' for number, name in enumerate(CREMAD_NAMES))
    hosts.pages["/cremad/SentenceFilenames.csv"] = Page(
        f'"Stimulus_Number","Filename"\n{rows}9,"../../evil"\n'.encode()
    )
    for table in _fetch._CREMAD_TABLES:
        hosts.pages[f"/cremad/{table}"] = Page(b"a,b\n1,2\n")
    for name in CREMAD_NAMES:
        content = os.urandom(2 * BLOCK)
        pointer = (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
        )
        hosts.pages[f"/cremad/AudioWAV/{name}.wav"] = Page(pointer.encode())
        hosts.pages[f"/cremad_media/AudioWAV/{name}.wav"] = Page(content)
    monkeypatch.setattr("sersk.datasets._cremad.load_cremad", lambda folder: folder)
    return hosts


def clips_of(folder):
    return sorted(path.name for path in (folder / "cremad" / "AudioWAV").glob("*.wav"))


def test_cremad_comes_file_by_file(cremad, tmp_path):
    folder = _fetch.fetch_cremad(data_home=tmp_path, accept_licence=True, verbose=True)
    assert clips_of(tmp_path) == sorted(f"{name}.wav" for name in CREMAD_NAMES)
    for name in CREMAD_NAMES:
        content = cremad.pages[f"/cremad_media/AudioWAV/{name}.wav"].content
        assert (folder / "AudioWAV" / f"{name}.wav").read_bytes() == content
    assert (folder / "processedResults" / "tabulatedVotes.csv").exists()
    requests = cremad.requests.total()
    _fetch.fetch_cremad(data_home=tmp_path)
    assert cremad.requests.total() == requests


def test_ctrl_c_loses_no_finished_clip(cremad, tmp_path, monkeypatch):
    def interrupted(items, **_):
        yield next(items)
        yield next(items)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_remote, "track", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _fetch.fetch_cremad(data_home=tmp_path, accept_licence=True)
    finished = clips_of(tmp_path)
    assert len(finished) >= 2
    cremad.requests.clear()
    _fetch.fetch_cremad(data_home=tmp_path)
    assert len(clips_of(tmp_path)) == len(CREMAD_NAMES)
    assert not any(cremad.requests[f"/cremad/AudioWAV/{name}"] for name in finished)


def test_exhausted_quota_names_the_mirror(cremad, tmp_path):
    """The media host then sends the pointer, or refuses."""
    name = f"AudioWAV/{CREMAD_NAMES[0]}.wav"
    cremad.pages[f"/cremad_media/{name}"] = cremad.pages[f"/cremad/{name}"]
    with pytest.raises(CorpusError, match=r"not the expected file: it has .*gitlab.com"):
        _fetch.fetch_cremad(data_home=tmp_path, accept_licence=True, delay=0.0)
    cremad.pages[f"/cremad_media/{name}"] = Page(b"", statuses=[403])
    with pytest.raises(CorpusError, match=r"answered 403 .*gitlab.com"):
        _fetch.fetch_cremad(data_home=tmp_path, delay=0.0)


def test_cremad_repository_that_has_changed(cremad, tmp_path, monkeypatch):
    cremad.pages["/cremad/SentenceFilenames.csv"] = Page(b"<html>Please log in</html>")
    with pytest.raises(CorpusError, match="lists no clip"):
        _fetch.fetch_cremad(data_home=tmp_path, accept_licence=True)
    assert not (tmp_path / "cremad" / "SentenceFilenames.csv").exists()
    cremad.pages["/cremad/SentenceFilenames.csv"] = Page(b'Filename\n"1001_IOM_ANG_XX"\n')
    with pytest.raises(CorpusError, match="lists 1 of 5 clips"):
        _fetch.fetch_cremad(data_home=tmp_path)
    monkeypatch.setitem(_fetch._N_CLIPS, "cremad", 1)
    cremad.pages["/cremad/AudioWAV/1001_IOM_ANG_XX.wav"] = Page(b"RIFF")
    with pytest.raises(CorpusError, match="no Git LFS pointer"):
        _fetch.fetch_cremad(data_home=tmp_path)


def test_savee_says_where_to_register():
    with pytest.raises(CorpusError, match=r"kahlan\.eps\.surrey\.ac\.uk.*load_savee"):
        _fetch.fetch_savee()
