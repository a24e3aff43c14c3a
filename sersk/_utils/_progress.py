"""Progress of long work, on the error stream, so that results can be piped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], *, total: int, description: str, show: bool) -> Iterator[T]:
    """Hand items on, with a progress bar that goes away when all are done.

    Parameters
    ----------
    items : iterable
        What is waited for.
    total : int
        Their number.
    description : str
        Written before the bar.
    show : bool
        False hands the items on and no more.

    Yields
    ------
    item : object
        The items, as they come.
    """
    if not show:
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total, description=description)
