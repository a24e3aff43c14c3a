"""Ctrl-C that a net takes for its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Counts Ctrl-C: the loop of a net takes one for its own, and nobody else hears of it."""

    def __init__(self) -> None:
        self.count = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        raise KeyboardInterrupt

    def pass_on(self) -> None:
        """Interrupt again, if somebody has."""
        if self.count:
            raise KeyboardInterrupt

    @contextmanager
    def noted(self) -> Iterator[Interrupts]:
        """Count while the block runs, in the main thread, unless somebody else does something.

        Yields
        ------
        interrupts : Interrupts
            Itself.
        """
        usual = threading.current_thread() is threading.main_thread()
        if not usual or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield self
            return
        signal.signal(signal.SIGINT, self._note)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interrupts_passed_on() -> Iterator[None]:
    """Interrupt after the block what was interrupted in it: a fit that is half done is none.

    A net that is fitted by its user keeps the best weights until a Ctrl-C. Where it is one of many
    fits, or is to be saved, it must not pass for a whole one.
    """
    with Interrupts().noted() as interrupts:
        yield
        interrupts.pass_on()
