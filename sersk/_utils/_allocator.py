"""How the C library hands out memory, which costs training on a processor much of its time."""

from __future__ import annotations

import ctypes
import platform

# Names and numbers from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4

_KEPT_BYTES = 2**31 - 1
_TOP_PAD_BYTES = 2**26


def tune_allocator() -> bool:
    """Let the C library keep large blocks of memory, instead of giving them back at once.

    glibc gets arrays above some hundred kilobytes from the operating system one by one, and returns
    each as soon as it is freed. Training on a processor makes and frees such arrays in every step,
    and every page of theirs is cleared anew by the system. With this call, memory that was freed
    stays with the process for the next step, which makes training in float32 faster; how much,
    ``benchmarks/results`` tells.

    Call it once, before the first net is trained. It holds for the whole process, until that ends,
    and for all that runs in it: a process that once needed much memory keeps it. So sersk never
    calls it by itself.

    Returns
    -------
    tuned : bool
        Whether anything was done: False where the C library is another than glibc, as on macOS,
        Windows and Alpine Linux.

    References
    ----------
    .. [1] The GNU C Library, mallopt(3): ``M_MMAP_MAX``, ``M_TRIM_THRESHOLD``, ``M_TOP_PAD``.

    Examples
    --------
    >>> import sersk
    >>> tuned = sersk.tune_allocator()
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    done = [mallopt(name, value) == 1 for name, value in settings]
    return all(done)
