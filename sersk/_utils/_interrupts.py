"""Ctrl-C that a net takes for its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Counts Ctrl-C: the loop of a net takes one for its own, and nobody else hears of it."""

    def __init__(self) -> None:
        self.count = 0
        self._outer: Interrupts | None = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        counting: Interrupts | None = self
        while counting is not None:
            counting.count += 1
            counting = counting._outer
        raise KeyboardInterrupt

    def pass_on(self) -> None:
        """Interrupt again, if somebody has."""
        if self.count:
            raise KeyboardInterrupt

    @contextmanager
    def noted(self) -> Iterator[Interrupts]:
        """Count while the block runs, in the main thread, unless somebody else does something.

        Blocks within one another, such as a search in a fold of an evaluation, all count.

        Yields
        ------
        interrupts : Interrupts
            Itself.
        """
        handler: Any = signal.getsignal(signal.SIGINT)
        around = getattr(handler, "__self__", None)
        self._outer = around if isinstance(around, Interrupts) else None
        usual = handler is signal.default_int_handler or self._outer is not None
        if not usual or threading.current_thread() is not threading.main_thread():
            yield self
            return
        signal.signal(signal.SIGINT, self._note)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, handler)


@contextmanager
def interrupts_passed_on() -> Iterator[None]:
    """Interrupt after the block what was interrupted in it: a fit that is half done is none.

    A net that is fitted by its user keeps the best weights until a Ctrl-C. Where it is one of many
    fits, or is to be saved, it must not pass for a whole one.
    """
    with Interrupts().noted() as interrupts:
        yield
        interrupts.pass_on()
