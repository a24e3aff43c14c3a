"""Archives that would leave their folder, fill the disk or lie."""

from __future__ import annotations

import io
import os
import shutil
import stat
import warnings
import zipfile
from types import SimpleNamespace

import pytest

from sersk.datasets import _data_home, _unzip
from sersk.exceptions import CorpusError


def zipped(members, *, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        # Two members of one name.
        warnings.simplefilter("ignore", UserWarning)
        for member, content in members:
            archive.writestr(member, content)
    return buffer.getvalue()


def unpack(content, tmp_path):
    (tmp_path / "corpus").mkdir()
    archive = tmp_path / "corpus" / "archive.zip"
    archive.write_bytes(content)
    _unzip.unzip(archive, tmp_path / "corpus" / "part")
    return tmp_path / "corpus" / "part"


def special_member(name, mode):
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = mode << 16
    return member


def raw_member(name):
    """A member whose name is written as it stands."""
    member = zipfile.ZipInfo("x")
    member.filename = name
    return member


def with_claimed_size(content, size):
    """Let the central directory claim another size of the first member."""
    at = content.index(b"PK\x01\x02") + 24
    return content[:at] + size.to_bytes(4, "little") + content[at + 4 :]


def test_unzip_keeps_the_tree(tmp_path):
    folder = unpack(zipped([("a/b.wav", b"sound"), ("c.wav", b"")]), tmp_path)
    assert (folder / "a" / "b.wav").read_bytes() == b"sound"
    assert _data_home.is_complete(folder)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o500 == 0o500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("good.wav", b"x"), ("../evil.wav", b"x")], "leads out"),
        ([("a/../../evil.wav", b"x")], "leads out"),
        ([("/evil.wav", b"x")], "absolute"),
        ([(raw_member("C:/evil.wav"), b"x")], "absolute"),
        ([(raw_member("..\\evil.wav"), b"x")], "special in paths"),
        ([(special_member("evil.wav", stat.S_IFLNK | 0o777), b"/etc/passwd")], "link"),
        ([(special_member("evil.wav", stat.S_IFIFO | 0o666), b"")], "device"),
        ([("bomb.wav", bytes(10_000_000))], "would grow to 10 MB"),
        ([("twice.wav", b"1"), ("twice.wav", b"2")], "twice.wav"),
        ([("a", b"1"), ("a/b.wav", b"2")], "Cannot write"),
    ],
)
def test_hostile_archive_is_refused(tmp_path, members, reason):
    with pytest.raises(CorpusError, match=reason):
        unpack(zipped(members), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive.zip", "corpus"]


def test_archive_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_unzip, "_MOST_MEMBERS", 3)
    with pytest.raises(CorpusError, match="in 4 files"):
        unpack(zipped([(f"{i}.wav", b"x") for i in range(4)]), tmp_path)


@pytest.mark.parametrize("claimed", [10, 30_000])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_lying_header_is_found_out(tmp_path, claimed, compression):
    content = zipped([("clip.wav", os.urandom(20_000))], compression=compression)
    with pytest.raises(CorpusError, match=r"not (a )?sound"):
        unpack(with_claimed_size(content, claimed), tmp_path)
    assert not (tmp_path / "corpus" / "part").exists()


def test_more_than_the_header_claims_is_never_written(tmp_path, monkeypatch):
    """Even if zipfile did not stop at the size that the header claims."""

    class Endless(io.BytesIO):
        def read(self, size=-1):
            return bytes(size)

    content = zipped([("clip.wav", b"sound")])
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, member: Endless())
    with pytest.raises(CorpusError, match="should have 5 bytes"):
        unpack(content, tmp_path)


@pytest.mark.parametrize("damage", [lambda c: c[:-30], lambda c: c[:40] + b"????" + c[44:]])
def test_damaged_archive_is_refused(tmp_path, damage):
    content = zipped([("clip.wav", os.urandom(3000))], compression=zipfile.ZIP_STORED)
    with pytest.raises(CorpusError, match="not a sound ZIP archive"):
        unpack(damage(content), tmp_path)


def test_folder_of_the_user_is_left_alone(tmp_path):
    kept = tmp_path / "corpus" / "part" / "mine.wav"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    with pytest.raises(CorpusError, match="sersk has not made it"):
        _unzip.unzip(tmp_path / "archive.zip", kept.parent)
    assert kept.read_bytes() == b"mine"


def test_disk_that_is_too_small_is_found_before(tmp_path, monkeypatch):
    usage = SimpleNamespace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CorpusError, match="the disk has 0 MB left"):
        unpack(zipped([("clip.wav", bytes(101))]), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive.zip", "corpus"]
