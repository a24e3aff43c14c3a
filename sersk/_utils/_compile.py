"""Compile kernels with numba, wherever the package lies and whatever became of the cache.

numba keeps compiled code on disk and raises where that fails: while decorating where no folder can
be written, while loading where a cached file is damaged, while saving where the disk is full. A
kernel must not depend on any of that: here the cache is tried, mended, and done without, in this
order.

Kernel files are imported late, behind `numba_usable`, because their import loads numba and compiles
them. Whatever a kernel calls must stand in its own file: numba does not notice that a callee in
another one has changed, and runs the old code from the cache.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

from ..exceptions import SerskError, SerskWarning

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Set to 0, it switches the compiled kernels off; plain NumPy does the work then.
SWITCH = "SERSK_NUMBA"

_announced = threading.Event()


def numba_usable() -> bool:
    """Tell whether compiled kernels can run here; imports numba, about 0.3 s the first time.

    Returns
    -------
    usable : bool
        False where the environment variable ``SERSK_NUMBA`` is 0, ``NUMBA_DISABLE_JIT`` is set, or
        numba cannot be imported.
    """
    if os.environ.get(SWITCH, "").strip() == "0":
        return False
    try:
        import numba  # noqa: F401
    # An OSError comes from llvmlite's library, an AttributeError from a NumPy that is too new.
    except (ImportError, OSError, AttributeError):
        return False
    return not _switched_off()


def _switched_off() -> bool:
    from numba import config

    # numba fills this module from the environment: its names are not known before it runs.
    return bool(vars(config)["DISABLE_JIT"])


def kernels_work(load: Callable[[], None], instead: str) -> bool:
    """Load kernels; where this numba or this processor does not take them, say so.

    Parameters
    ----------
    load : callable
        Imports them.
    instead : str
        What is done without them, as a clause.

    Returns
    -------
    work : bool
        False where the import raises anything.
    """
    try:
        load()
    except Exception as error:  # noqa: BLE001
        warnings.warn(
            f"The compiled kernels do not work here: {instead}, several times slower "
            f"({type(error).__name__}: {error}).",
            SerskWarning,
            stacklevel=3,
        )
        return False
    return True


def require_numba() -> None:
    """Refuse a ``backend="numba"`` that cannot be.

    Raises
    ------
    SerskError
        Where `numba_usable` says no.
    """
    if not numba_usable():
        raise SerskError(
            "backend='numba' cannot be used: numba cannot be imported, or is switched off by "
            f"{SWITCH}=0 or NUMBA_DISABLE_JIT in the environment. Use backend='auto', which takes "
            "what is there."
        )


def compiled(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a kernel: compile it for its signatures, from the cache where there is one.

    Compilation happens while the kernel's file is imported, so nothing is compiled later on and no
    call can fall into a slow path: arguments of other types are refused. When a kernel is truly
    compiled, not loaded, one line on the error stream says so, once a process.

    Parameters
    ----------
    *signatures : str or numba signature
        As in ``"void(Array(float32, 2, 'C', readonly=True), float64[::1])"``: ``readonly`` accepts
        arrays of both kinds. Kernels with none are helpers, compiled into those that call them.
    **options : object
        Options of :func:`numba.njit` beside ``cache``. By default ``nogil=True``, so that threads
        run side by side, and ``error_model="numpy"``: division by zero gives infinity or NaN.

    Returns
    -------
    decorate : callable
        Turns a function into a compiled one; leaves it as it is under ``NUMBA_DISABLE_JIT``.
    """
    import numba

    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Any:
        if _switched_off() or not signatures:
            return numba.njit(**options)(function)
        try:
            dispatcher = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # there is no folder that could hold a cache
            return _compile(numba.njit(**options)(function), signatures, kept=False)
        try:
            return _compile(dispatcher, signatures, kept=True)
        # Damaged files raise whatever unpickling happens to raise, a full disk an OSError. An error
        # that is in the kernel itself comes again below, where nothing catches it.
        except Exception:  # noqa: BLE001
            pass
        try:
            dispatcher = numba.njit(cache=True, **options)(function)
            # With nothing compiled yet, all this does is to empty the kernel's cache.
            dispatcher.recompile()
            return _compile(dispatcher, signatures, kept=True)
        except Exception:  # noqa: BLE001
            return _compile(numba.njit(**options)(function), signatures, kept=False)

    return decorate


def _compile(dispatcher: Any, signatures: tuple[Any, ...], *, kept: bool) -> Any:
    from numba.core import event

    class Announcer(event.Listener):  # type: ignore[misc, unused-ignore]
        """Hears of compilations, never of what is loaded from the cache."""

        def on_start(self, event: Any) -> None:
            if event.data["dispatcher"] is dispatcher:
                _announce(kept)

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Announcer()):
        for signature in signatures:
            known = len(dispatcher.overloads)
            try:
                with one_process_at_a_time(), interrupts_held_back():
                    dispatcher.compile(signature)
            except OSError:
                # On a full disk the kernel is compiled all the same, and only its copy is lost.
                if len(dispatcher.overloads) == known:
                    raise
    dispatcher.disable_compile()
    return dispatcher


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done: a callback of LLVM's would swallow it."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    noted: list[FrameType | None] = []
    signal.signal(signal.SIGINT, lambda number, frame: noted.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if noted:
            handler(signal.SIGINT, noted[0])


@contextmanager
def one_process_at_a_time() -> Iterator[None]:
    """Let others wait: several that write numba's cache at once may file code under a wrong type.

    They find it there then, and compile nothing.
    """
    with ExitStack() as stack:
        if fcntl is not None:
            name = f"sersk-kernels-{os.getuid()}.lock"
            # Where no lock can be had, the cache is no worse off than that of any other package.
            with suppress(OSError):
                path = os.path.join(tempfile.gettempdir(), name)
                file = stack.enter_context(open(path, "ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _announce(kept: bool) -> None:
    # `sys.stderr` is None in programs without a console.
    if _announced.is_set() or sys.stderr is None:
        return
    _announced.set()
    how_often = (
        "once for this machine"
        if kept
        else "for this process alone (no folder can keep them: set NUMBA_CACHE_DIR to a writable "
        "one)"
    )
    print(f"sersk: compiling kernels {how_often}, a few seconds ...", file=sys.stderr, flush=True)
