"""Files that could not be read, told to whoever runs the reader, however deep it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_collector: ContextVar[dict[str, str] | None] = ContextVar("failures", default=None)


@contextmanager
def failures_collected() -> Iterator[dict[str, str]]:
    """Collect what readers fail to read in this thread.

    Yields
    ------
    failed : dict of str to str
        The files, and the reason of each; filled inside the block.
    """
    failed: dict[str, str] = {}
    token = _collector.set(failed)
    try:
        yield failed
    finally:
        _collector.reset(token)


def note_failures(failed: Mapping[str, str]) -> None:
    """Tell what could not be read.

    Parameters
    ----------
    failed : mapping of str to str
        The files, and the reason of each.
    """
    collector = _collector.get()
    if collector is not None:
        collector.update(failed)
