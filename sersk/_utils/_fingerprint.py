"""What an estimator computes, as a short text: equal only where the results are."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np
from joblib.hashing import NumpyHasher

from .. import __version__

# What does not change the result: how many work on it, what is said about it, where steps are kept,
# and the files that a reader met last. The width seen in ``fit`` follows from the rest.
_WITHOUT_EFFECT = frozenset(
    {
        "_sklearn_output_config",
        "_sklearn_version",
        "failed_",
        "feature_names_in_",
        "memory",
        "n_features_in_",
        "n_jobs",
        "verbose",
    }
)
# Whose estimators mean by these names what scikit-learn means.
_KNOWN_PACKAGES = ("imblearn", "sersk", "sklearn")
# Packages that compute, or decode, under sersk's own name.
_ENGINES = (
    "librosa",
    "numba",
    "numpy",
    "opensmile",
    "praat-parselmouth",
    "scipy",
    "soundfile",
    "soxr",
    "torch",
)
# The rooms of sersk that turn sound into numbers.
_ROOMS = ("_utils", "augmentation", "feature_extraction", "preprocessing")

# Values that are what they look like.
_WORDS = (type(None), type(...), bool, int, float, complex, str, bytes)
_CachedFunction = type(functools.lru_cache(len))
# What pickle knows by name only, or puts down in another order each time.
_NO_PICKLES = (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    ModuleType,
    _CachedFunction,
    frozenset,
    np.generic,
    np.ndarray,
    np.ufunc,
    set,
    type,
)
_NOTHING: frozenset[str] = frozenset()


def fingerprint(thing: Any) -> str:
    """Sum up what an estimator, or a value that it holds, computes with.

    Two estimators of one fingerprint give the same output: it covers their classes, parameters,
    learned attributes and the versions of the packages that they come from. For classes and
    functions that are not part of an installed package, their own code stands in for a version;
    what they call is not looked at.

    Parameters
    ----------
    thing : object
        Estimator, fitted or not, or any other value that can be pickled; functions need not be.

    Returns
    -------
    fingerprint : str
        Hexadecimal digits, the same in every process.

    Raises
    ------
    ValueError
        If a value inside can neither be taken apart nor pickled.
    """
    return _digest(_Describer().describe(thing))


class _Describer:
    """Turns values into nested tuples of text."""

    def __init__(self) -> None:
        # What is being taken apart, from the outside in: it may hold itself.
        self._open: list[int] = []

    def describe(self, thing: Any) -> Any:
        """Describe a value; of the estimators in it without what has no effect."""
        if type(thing) in _WORDS:
            return (type(thing).__name__, repr(thing))
        if id(thing) in self._open:
            return ("itself", self._open.index(id(thing)))
        self._open.append(id(thing))
        try:
            return self._take_apart(thing)
        finally:
            self._open.pop()

    def _take_apart(self, thing: Any) -> Any:
        kind = type(thing)
        if kind in (list, tuple):
            return (kind.__name__, *(self.describe(part) for part in thing))
        if kind in (set, frozenset):
            return ("set", *sorted((self.describe(part) for part in thing), key=repr))
        if kind is dict:
            pairs = ((self.describe(key), self.describe(value)) for key, value in thing.items())
            return ("dict", *sorted(pairs, key=repr))
        if isinstance(thing, type):
            origin = tuple(self._body(each) for each in inspect.getmro(thing) if each is not object)
            return ("class", thing.__module__, thing.__qualname__, origin)
        if kind is functools.partial:
            whole = (thing.func, thing.args, thing.keywords)
            return ("partial", self.describe(whole))
        if isinstance(thing, MethodType):
            return ("method", self.describe((thing.__func__, thing.__self__)))
        if isinstance(thing, np.ndarray | np.generic):
            array = np.asarray(thing)
            if isinstance(thing, np.ndarray) and kind not in (np.ndarray, np.memmap):
                return ("array", self.describe((kind, array, vars(thing))))
            if array.dtype.kind in "OT":
                return ("objects", str(array.dtype), array.shape, self.describe(array.tolist()))
            if not array.dtype.hasobject:
                word = "array" if isinstance(thing, np.ndarray) else "number"
                return (word, array.dtype.descr, array.shape, _digest(array.tobytes()))
        code = self._describe_code_of(thing)
        if code is not None:
            return code
        if hasattr(thing, "get_params"):
            # In a class of anyone's, a parameter of one of these names may mean anything.
            left_out = _WITHOUT_EFFECT if _package_of(kind) in _KNOWN_PACKAGES else _NOTHING
            attributes = {
                name: value for name, value in vars(thing).items() if name not in left_out
            }
            return ("estimator", self.describe(kind), self.describe(attributes))
        try:
            # Tables, data classes and all else: by what pickle makes of them.
            return ("pickled", self.describe(kind), _Hasher(self.describe, thing).hash(thing))
        except Exception as error:
            raise ValueError(
                f"{thing!r} cannot be told from other values of its kind, because it cannot be "
                f"pickled ({type(error).__name__}: {error}). Define it at the top of a module."
            ) from error

    def _describe_code_of(self, thing: Any) -> Any:
        """Describe what can be called, and modules; None for anything else."""
        if isinstance(thing, FunctionType):
            return ("function", thing.__module__, thing.__qualname__, self._function(thing))
        if isinstance(thing, ModuleType):
            return ("module", thing.__name__, _version_of(thing.__name__))
        if isinstance(thing, BuiltinFunctionType):
            owner = thing.__self__
            if owner is None or isinstance(owner, ModuleType):
                module = thing.__module__ or ""
                return ("builtin", module, thing.__qualname__, _version_of(module))
            return ("builtin", thing.__qualname__, self.describe(owner))
        if isinstance(thing, _CachedFunction):
            return ("cached", self.describe(thing.__wrapped__))
        if hasattr(thing, "py_func") and hasattr(thing, "targetoptions"):
            # Numba's pickles differ from process to process.
            return ("compiled", self.describe(thing.py_func), self.describe(thing.targetoptions))
        if isinstance(thing, np.ufunc):
            for module in ("numpy", "scipy.special"):
                name = str(thing.__name__)
                if getattr(sys.modules.get(module), name, None) is thing:
                    return ("ufunc", module, name, _version_of(module))
        return None

    def _function(self, function: FunctionType) -> Any:
        known = _version_of(function.__module__)
        if known is not None and _is_what_its_name_says(function):
            return known
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        return (
            known,
            self._code(function.__code__),
            self.describe(function.__defaults__),
            self.describe(function.__kwdefaults__),
            # What stands behind `super()` is described with the class.
            *(self._cell(cell) for name, cell in cells if name != "__class__"),
        )

    def _cell(self, cell: Any) -> Any:
        try:
            contents = cell.cell_contents
        except ValueError:
            return ("empty",)
        return self.describe(contents)

    def _code(self, code: CodeType) -> Any:
        constants = [
            self._code(part) if isinstance(part, CodeType) else self.describe(part)
            for part in code.co_consts
        ]
        arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        names = (code.co_names, code.co_varnames, code.co_freevars)
        code_itself = (code.co_code.hex(), code.co_exceptiontable.hex(), code.co_flags)
        return (*code_itself, *arguments, *names, constants)

    def _body(self, kind: type) -> Any:
        """Describe a class without those above it: by its version or, if it has none, its code."""
        known = _version_of(kind.__module__)
        if known is not None:
            return known
        return tuple(
            (name, self.describe(_plain(value)))
            for name, value in sorted(vars(kind).items())
            if _matters(name, value)
        )


class _Hasher(NumpyHasher):
    """Sums up pickles, in which code counts by what it is and not by its name alone."""

    def __init__(self, describe: Callable[[Any], Any], root: Any) -> None:
        super().__init__()
        self._describe = describe
        self._root = root

    def save(self, obj: Any) -> None:
        """Put down an object, or what describes it."""
        if isinstance(obj, _NO_PICKLES) and obj is not self._root:
            obj = repr(self._describe(obj))
        super().save(obj)


def _plain(value: Any) -> Any:
    """Take what a class defines out of what Python wraps it in."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, property):
        return (value.fget, value.fset)
    if isinstance(value, functools.cached_property):
        return value.func
    return value


def _matters(name: str, value: Any) -> bool:
    """Tell whether something in a class is its author's, and not Python's own."""
    if isinstance(value, FunctionType | staticmethod | classmethod):
        return True
    machinery = isinstance(value, GetSetDescriptorType | MemberDescriptorType)
    return not machinery and name != "_abc_impl" and not (name[:2] == name[-2:] == "__")


def _is_what_its_name_says(function: FunctionType) -> bool:
    found: Any = sys.modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


def _package_of(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _version_of(module: str | None) -> Any:
    """Tell the version of the installed package of a module; None for anyone's own code."""
    package = (module or "").partition(".")[0]
    if package == "sersk":
        return ("sersk", library_version())
    if package in sys.builtin_module_names:
        return (package,)
    where = _place_of(package)
    if where == "library":
        return (package,)
    known = getattr(sys.modules.get(package), "__version__", None) or _installed(package)
    return (package, str(known)) if where == "package" and known is not None else None


@functools.lru_cache
def _place_of(package: str) -> str:
    """Tell Python's library and installed packages from code that may change any time."""
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if package == "__main__" or file is None:
        return "own"
    path = Path(file)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return "package"
    library = any(
        path.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")
    )
    return "library" if library else "own"


@functools.lru_cache(maxsize=1)
def library_version() -> str:
    """Sum up this version of sersk and of the packages that compute for it.

    Returns
    -------
    version : str
        Hexadecimal digits. The source files themselves count, so that a change under way, without
        a new version number, is a change.
    """
    package = Path(__file__).parents[1]
    sources = [path for room in _ROOMS for path in sorted((package / room).rglob("*.py"))]
    versions = [(name, _installed(name)) for name in _ENGINES]
    return _digest((__version__, versions, [path.read_bytes() for path in sources]))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except (PackageNotFoundError, ValueError):  # the latter for no name at all
        return None


def _digest(description: Any) -> str:
    return hashlib.blake2b(repr(description).encode(), digest_size=16).hexdigest()
