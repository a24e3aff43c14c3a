"""Kernels compile wherever they lie, and say so once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sersk
from sersk._utils._compile import compiled, numba_usable

KERNELS = """
from sersk._utils._compile import compiled

@compiled()
def _helper(x):
    return x + 1

@compiled("float64(Array(float32, 1, 'C', readonly=True))", "float64(float64[::1])")
def total(x):
    result = 0.0
    for value in x:
        result += _helper(value)
    return result
"""

CALL = """
import json, sys
import numpy as np
import kernels

read_only = np.ones(3, dtype=np.float32)
read_only.flags.writeable = False
sums = [float(kernels.total(x)) for x in (np.ones(3, dtype=np.float32), read_only, np.ones(3))]
stats = getattr(kernels.total, "stats", None)
hits = sum(stats.cache_hits.values()) if stats else None
print(json.dumps({"sums": sums, "hits": hits}))
"""


@pytest.fixture
def run_kernels(tmp_path):
    """Call the kernels of a tiny module in a fresh process; return its findings, and what it said.

    Its cache stands beside it, as that of a package installed in a folder of one's own does.
    """
    (tmp_path / "kernels.py").write_text(KERNELS)

    def run(before="", **environment):
        done = subprocess.run(
            [sys.executable, "-c", before + CALL],
            cwd=tmp_path,
            env={
                **{name: os.environ[name] for name in os.environ if "NUMBA" not in name},
                "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(sersk.__file__).parents[1]}",
                "HOME": str(tmp_path / "home"),
                "XDG_CACHE_HOME": str(tmp_path / "home"),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["sums"] == [6.0, 6.0, 6.0]
        return found["hits"], done.stderr

    return run


def test_compiles_once_and_says_so_once(run_kernels):
    hits, said = run_kernels()
    assert hits == 0
    assert said.splitlines() == [
        "sersk: compiling kernels once for this machine, a few seconds ..."
    ]
    assert run_kernels() == (2, "")


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("junk", [b"", b"junk", b"\x80\x05K\x01."])
def test_a_damaged_cache_is_mended(run_kernels, tmp_path, suffix, junk):
    run_kernels()
    damaged = list((tmp_path / "__pycache__").glob(f"*{suffix}"))
    assert damaged
    for path in damaged:
        path.write_bytes(junk)
    hits, said = run_kernels()
    assert hits == 0
    assert "compiling" in said
    assert run_kernels() == (2, "")


def test_without_a_writable_folder(run_kernels, tmp_path):
    """A file stands where each of the folders would: that stops root, too."""
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    for name in ("__pycache__", "home", "cache"):
        (tmp_path / name).write_text("not a folder")
    for _ in range(2):
        hits, said = run_kernels(NUMBA_CACHE_DIR=str(tmp_path / "cache"))
        assert hits == 0
        assert "for this process alone" in said
        assert "set NUMBA_CACHE_DIR" in said


FULL_DISK = """
from numba.core.caching import IndexDataCacheFile

def save(*args):
    raise OSError(28, "No space left on device")

IndexDataCacheFile.save = save
"""


def test_a_full_disk(run_kernels, tmp_path):
    hits, _ = run_kernels(before=FULL_DISK)
    assert hits == 0
    assert not list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("value", ["1", "0"])
def test_without_compilation_the_kernels_are_python(run_kernels, value):
    hits, said = run_kernels(NUMBA_DISABLE_JIT=value)
    assert (hits is None) == (value == "1")
    assert bool(said) == (value == "0")


def test_an_error_in_a_kernel_is_raised():
    import numba

    def broken(x):
        return x.no_such_attribute

    with pytest.raises(numba.core.errors.TypingError, match="no_such_attribute"):
        compiled("float64(float64)")(broken)


def test_other_types_are_refused():
    def half(x):
        return x / 2

    kernel = compiled("float64(float64)")(half)
    assert kernel(3.0) == 1.5
    with pytest.raises(TypeError, match="No matching definition"):
        kernel("3")


def test_division_by_zero_is_numpys():
    def ratio(x, y):
        return x / y

    assert compiled("float64(float64, float64)")(ratio)(1.0, 0.0) == float("inf")


def test_the_switch(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    monkeypatch.delenv("SERSK_NUMBA", raising=False)
    assert numba_usable()
    monkeypatch.setenv("SERSK_NUMBA", "1")
    assert numba_usable()
    monkeypatch.setenv("SERSK_NUMBA", "0")
    assert not numba_usable()
    monkeypatch.delenv("SERSK_NUMBA")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert not numba_usable()


def test_without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert not numba_usable()


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_while_a_kernel_is_compiled_is_not_lost(tmp_path):
    """LLVM calls back while it compiles, and an error in a callback is printed and forgotten."""
    interrupt = textwrap.dedent(
        """
        import os, signal
        from numba.core import event

        class Impatient(event.Listener):
            def on_start(self, event):
                os.kill(os.getpid(), signal.SIGINT)
                print("pressed", flush=True)

            def on_end(self, event):
                print("compiled", flush=True)

        event.register("numba:compile", Impatient())
        try:
            import kernels
        except KeyboardInterrupt:
            print("interrupted")
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """
    )
    (tmp_path / "kernels.py").write_text(KERNELS)
    done = subprocess.run(
        [sys.executable, "-c", interrupt], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    words = done.stdout.split()
    assert words[0] == "pressed"
    assert words[-3:] == ["compiled", "interrupted", "True"], done.stderr
