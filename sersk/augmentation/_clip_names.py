"""What a clip is called where its chance is drawn: the same everywhere, and never as another."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType
from typing import Any

import joblib
import numpy as np

from .._utils._clip_table import ClipTable
from .._utils._draws import describe_draw
from ._base import Draw
from ._foreign import PickledCall

# Files of one name and size are told apart by so many bytes from their beginning, their middle and
# their end: a recording that was cut, or to which silence was added, may share two of the three.
_BYTES_COMPARED = 4096
# Values that are what they look like, to the last digit.
_WORDS = (type(None), bool, int, float, complex, str, bytes)
# Where an object stands in memory, as Python prints functions and objects.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def name_of_clip(table: ClipTable, row: int) -> bytes:
    """Name a clip the same wherever its corpus lies, and apart from all others.

    Parameters
    ----------
    table : ClipTable
        The clips.
    row : int
        Which one.

    Returns
    -------
    name : bytes
        Made of the file, the part of it, and what is done to it already.
    """
    start, stop = float(table.starts[row]), float(table.stops[row])
    start, stop = 0.0 if math.isnan(start) else start, math.inf if math.isnan(stop) else stop
    augment = table.augments[row]
    done = "" if augment is None else name_of_draw(augment)
    parts = (_name_of_file(table.paths[row]), start, stop, done)
    return repr(parts).encode("utf-8", "surrogateescape")


def name_of_draw(draw: Any, outer: tuple[int, ...] = ()) -> Any:
    """Tell a draw, or a value that it holds, from all others.

    Not as it is printed, which rounds and knows functions by name alone; nor by its fingerprint,
    which is another one in each version of this package.

    Parameters
    ----------
    draw : object
        Draw, function or anything else.
    outer : tuple of int, default=()
        Ids of what it is held by, from the outside in: it may hold itself.

    Returns
    -------
    name : object
        Nested tuples, the same in every process once they are printed. A function is known by its
        module and name; one without a name of its own, such as a lambda, by its code.
    """
    if isinstance(draw, np.generic):
        draw = draw.item()
    if type(draw) in _WORDS:
        return draw
    if id(draw) in outer:
        return ("itself", outer.index(id(draw)))
    name = functools.partial(name_of_draw, outer=(*outer, id(draw)))
    if isinstance(draw, tuple | list):
        return tuple(map(name, draw))
    if isinstance(draw, set | frozenset):
        return tuple(sorted(map(name, draw), key=repr))
    if isinstance(draw, PickledCall):
        # Its code is summed up with the versions of packages.
        return (draw.name, hashlib.blake2b(draw.content, digest_size=16).hexdigest())
    if is_dataclass(draw) and not isinstance(draw, type):
        return _name_of_fields(draw, name)
    if isinstance(draw, FunctionType):
        return _name_of_function(draw, name)
    if isinstance(draw, CodeType):
        return (draw.co_code, draw.co_names, name(draw.co_consts))
    if isinstance(draw, functools.partial):
        return name((draw.func, draw.args, sorted(draw.keywords.items())))
    if isinstance(draw, MethodType):
        return name((draw.__func__, draw.__self__))
    if hasattr(draw, "py_func"):
        return name(draw.py_func)  # numba's pickles differ from process to process
    try:
        return (type(draw).__qualname__, joblib.hash(draw))
    except Exception:  # noqa: BLE001 - any object may be there, and refuse to be pickled as it likes
        return _ADDRESS.sub("", describe_draw(draw))


def _name_of_fields(draw: Any, name: Callable[[Any], Any]) -> tuple[Any, ...]:
    files = draw.files if isinstance(draw, Draw) else ()
    values = (getattr(draw, field.name) for field in fields(draw))
    return (
        type(draw).__qualname__,
        # The folder of the noise does not matter either.
        *(
            _name_of_file(value) if isinstance(value, str) and value in files else name(value)
            for value in values
        ),
    )


def _name_of_function(function: FunctionType, name: Callable[[Any], Any]) -> tuple[Any, ...]:
    code = function.__code__
    held = [function.__defaults__, sorted((function.__kwdefaults__ or {}).items())]
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # nothing is in it yet
            held.append(cell.cell_contents)
    # A decorator calls what it returns by the name of another function; the code keeps its own.
    if "<" in code.co_qualname:
        return (code.co_qualname, name(code), name(held))
    # In processes that are started anew the main module is called differently.
    module = "__main__" if function.__module__ == "__mp_main__" else function.__module__
    return (module, code.co_qualname, name(held))


def _name_of_file(path: str) -> tuple[Any, ...]:
    """Name a file by its own name and what it holds: folders are called differently elsewhere."""
    place = PurePath(os.path.normpath(path))
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return place.name, *_sum_up(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError):
        pass
    # Nothing that could be read; the reader says so.
    return place.parts[-2:]


@functools.lru_cache(maxsize=2**16)
def _sum_up(path: str, size: int, changed: int) -> tuple[int, str]:
    """Tell a file from others of its name: by its size and three pieces of it."""
    content = hashlib.blake2b(digest_size=8)
    last = max(0, size - _BYTES_COMPARED)
    # Unbuffered: a buffer would read twice as much, in more steps.
    with open(path, "rb", buffering=0) as file:
        for place in (0, last // 2, last):
            file.seek(place)
            content.update(file.read(_BYTES_COMPARED))
    return size, content.hexdigest()
