"""tune_allocator: what it asks of glibc, and that it asks nobody else."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

import sersk

SCRIPT = """
import resource
import numpy as np
import sersk

print(sersk.tune_allocator() if {tune} else None)
np.ones(2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2**22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_stays_with_the_process():
    faults = {}
    for tune in (False, True):
        script = SCRIPT.format(tune=tune)
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        tuned, count = run.stdout.decode().split()
        assert tuned == ("True" if tune else "None")
        faults[tune] = int(count)
    # 32 MiB, fifty times: each page of it is asked for anew, or not.
    assert faults[True] < faults[False] / 10


def test_another_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert sersk.tune_allocator() is False
