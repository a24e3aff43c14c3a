"""Calls in joblib's workers, whatever backend it is told to use."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import islice
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel

from ._librosa import import_librosa


def as_completed(
    calls: Iterable[Any], n_jobs: int | None, *, a_worker: int = 1, **settings: Any
) -> Generator[Any]:
    """Run calls in workers, and give what each returns as soon as it is there.

    Parameters
    ----------
    calls : iterable
        Of `sklearn.utils.parallel.delayed`; asked for as workers get free.
    n_jobs : int or None
        Number of workers, as joblib understands it.
    a_worker : int, default=1
        For backends that hand out all results at once, such as ray's: how many calls for each
        worker are handed in at a time.
    **settings : object
        Of joblib's `Parallel`.

    Yields
    ------
    result : object
        In the order in which they are done.
    """
    if effective_n_jobs(n_jobs) > 1:
        # Functions of one's own may import it in the workers, all at once.
        import_librosa()
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", **settings)
    except ValueError:
        calls = iter(calls)
        while some := list(islice(calls, effective_n_jobs(n_jobs) * a_worker)):
            yield from Parallel(n_jobs=n_jobs, **settings)(some)
    else:
        # Closed in any case: workers would go on for nobody.
        with closing(parallel(calls)) as results:
            yield from results
