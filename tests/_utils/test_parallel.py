"""Calls in workers: as results come, or some at a time where a backend cannot do that."""

from __future__ import annotations

import threading

import pytest
from joblib import parallel_config
from joblib._parallel_backends import ThreadingBackend
from sklearn.utils.parallel import delayed

from sersk._utils import _parallel
from sersk._utils._parallel import as_completed


class AllAtOnce(ThreadingBackend):
    """As ray's and others are."""

    supports_return_generator = False


def calls(n, begun, function=lambda number: number**2):
    for number in range(n):
        begun.append(number)
        yield delayed(function)(number)


@pytest.mark.parametrize("backend", [ThreadingBackend, AllAtOnce])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_every_call_once(backend, n_jobs):
    begun = []
    with parallel_config(backend(), n_jobs=n_jobs):
        found = sorted(as_completed(calls(11, begun), None, a_worker=2))
    assert found == [number**2 for number in range(11)]
    assert begun == list(range(11))


def test_the_first_to_be_done_comes_first():
    gate = threading.Event()

    def wait_for_others(number):
        if number == 0:
            assert gate.wait(60)
        return number

    found = as_completed(calls(3, [], wait_for_others), 2, backend="threading", batch_size=1)
    first = next(found)
    gate.set()
    assert first == 1
    assert sorted(found) == [0, 2]


def test_all_at_once_is_some_at_a_time():
    begun = []
    with parallel_config(AllAtOnce(), n_jobs=2):
        found = as_completed(calls(100, begun), None, a_worker=3)
        next(found)
        assert len(begun) == 6
        found.close()
    assert len(begun) == 6


@pytest.mark.parametrize("backend", [ThreadingBackend, AllAtOnce])
def test_errors_come_through(backend):
    def fail(number):
        raise RuntimeError(f"call {number}")

    with parallel_config(backend(), n_jobs=2), pytest.raises(RuntimeError, match="call"):
        list(as_completed(calls(4, [], fail), None))


def test_no_jobs_are_refused():
    with pytest.raises(ValueError, match="n_jobs"):
        list(as_completed(calls(4, []), 0))


@pytest.mark.parametrize(("n_jobs", "times"), [(1, 0), (2, 1)])
def test_what_several_would_compile_at_once_is_compiled_before(monkeypatch, n_jobs, times):
    asked = []
    monkeypatch.setattr(_parallel, "import_librosa", lambda: asked.append(1))
    with parallel_config("threading"):
        assert list(as_completed([delayed(abs)(-1)], n_jobs)) == [1]
    assert len(asked) == times
