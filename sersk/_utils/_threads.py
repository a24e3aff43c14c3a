"""Threads for work that runs without the interpreter's lock: decoding, kernels, large arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import effective_n_jobs

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Task], Result], tasks: Iterable[Task], n_jobs: int | None
) -> list[Result]:
    """Call a function with each task, in threads.

    Not :class:`joblib.Parallel`: to start one takes ten milliseconds, as long as a hundred clips
    do, and under its dask backend it would carry the data off to other machines.

    Parameters
    ----------
    function : callable
        Called with one task; may write into arrays that all tasks share.
    tasks : iterable
        What it is called with.
    n_jobs : int or None
        Number of threads, as joblib understands it.

    Returns
    -------
    results : list
        One a task, in their order. The first error is raised; tasks that have not begun by then,
        or when Ctrl-C is pressed, are left out.
    """
    tasks = list(tasks)
    n_threads = min(effective_n_jobs(n_jobs), len(tasks))
    if n_threads <= 1:
        return [function(task) for task in tasks]
    with ThreadPoolExecutor(n_threads) as pool:
        running = [pool.submit(function, task) for task in tasks]
        try:
            return [task.result() for task in running]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
