"""Files that are either whole or not there, and have one name each."""

from __future__ import annotations

import os
import stat

import pytest

from sersk._utils._files import atomic_path, real_paths


def test_takes_the_place_of_the_old_file(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    for text in ("old", "new"):
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, SystemExit])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half of the ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_others_may_read_it_as_any_new_file(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    (tmp_path / "b.txt").write_text("")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "b.txt")]
    assert modes[0] == modes[1]


@pytest.mark.skipif(os.name != "posix", reason="links need privileges elsewhere")
def test_the_same_file_is_spelt_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "deep").mkdir(parents=True)
    for name in ("a.wav", "deep/b.wav"):
        (tmp_path / "real" / name).write_text("")
    (tmp_path / "linked").symlink_to("real/deep")
    (tmp_path / "linked.wav").symlink_to("real/a.wav")
    (tmp_path / "round.wav").symlink_to("round.wav")
    spelt = ["real/a.wav", "./real//a.wav", str(tmp_path / "real/a.wav"), "linked.wav"]
    spelt += ["linked/../a.wav", "linked/b.wav", "linked", "linked/.", "gone/x.wav", "a.wav", ""]
    spelt += ["..", "real/deep/..", "round.wav", str(tmp_path) + "/"]
    assert real_paths(spelt) == list(map(os.path.realpath, spelt))
    assert len(set(real_paths(spelt[:5]))) == 1
    assert real_paths(["no\0folder/a.wav"]) == ["no\0folder/a.wav"]
