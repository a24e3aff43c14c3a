"""librosa, imported so that nothing is lost or torn."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ._compile import interrupts_held_back, one_process_at_a_time


@lru_cache(maxsize=1)
def import_librosa() -> Any:
    """Import librosa with what it compiles on import, or loads from numba's cache.

    It does so through a callback of LLVM, in which a Ctrl-C would be lost; and several processes
    that fill the cache at once tear it: code of one type is filed under another, and whoever calls
    it later, in any program, dies of a segmentation fault.

    Returns
    -------
    librosa : module
        Itself.
    """
    with one_process_at_a_time(), interrupts_held_back():
        import librosa.util.utils
    return librosa
