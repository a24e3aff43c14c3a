"""Progress of long work, on the error stream, so that results can be piped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def track(
    items: Iterable[T],
    *,
    total: int,
    description: str,
    show: bool,
    position: Callable[[], int] | None = None,
    note: Callable[[], str] | None = None,
) -> Generator[T]:
    """Hand items on, with a progress bar that goes away when all are done.

    Parameters
    ----------
    items : iterable
        What is waited for.
    total : int
        Their number, or what `position` comes to in the end.
    description : str
        Written before the bar.
    show : bool
        False hands the items on and no more.
    position : callable, default=None
        Asked after each item for how much is done; by default each item counts one.
    note : callable, default=None
        Asked after each item for what is written behind the bar.

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
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, note="")
        for item in items:
            yield item
            if note is not None:
                progress.update(task, note=note())
            if position is None:
                progress.advance(task)
            else:
                progress.update(task, completed=position())
