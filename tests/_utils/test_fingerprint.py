"""fingerprint: the same in every process, another one where the results are."""

from __future__ import annotations

import functools
import math
import operator
import os
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
from numba import njit
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sersk._utils import _fingerprint
from sersk._utils._fingerprint import fingerprint, library_version
from sersk.feature_extraction import MFCC, LogMelSpectrogram
from sersk.preprocessing import AudioReader


def make(source, name="thing", module="__main__", **values):
    """Run a piece of a user's own program; return what it defines."""
    scope = {"__name__": module, **values}
    exec(textwrap.dedent(source), scope)
    return scope[name]


# The same in every process

PROGRAM = '''
import dataclasses, enum, functools, operator
from collections import OrderedDict, namedtuple
import numpy as np, pandas as pd, scipy.signal, scipy.special
from numba import njit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sersk._utils._fingerprint import fingerprint
from sersk.feature_extraction import MFCC, Functionals
from sersk.preprocessing import AudioReader

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon"]

def function(x, *, words=frozenset(WORDS)):
    """Has a frozenset among its constants, and a set among its values."""
    if x in {"north", "south", "east", "west"}:
        return [word for word in words if word != x]
    try:
        return {"a": 1, "b": 2.5}[x]
    except KeyError:
        return -0.0

def maker(value):
    return lambda x: (x, value)

@functools.lru_cache
def cached(x):
    return x in {"one", "two", "three"}

@njit
def compiled(x):
    return x + 1

@dataclasses.dataclass
class Settings:
    names: frozenset
    numbers: set
    more: dict
    call: object = None
    def total(self):
        return sum(self.numbers)

class Colour(enum.Enum):
    RED = "red"
    def __hash__(self):
        return 1

class Slotted:
    __slots__ = ("a", "b")
    def __init__(self):
        self.a, self.b = {"x", "y", "z"}, None

class Own(TransformerMixin, BaseEstimator):
    known = {"one", "two", "three"}
    def __init__(self, words=None):
        self.words = words
    def fit(self, X, y=None):
        self.seen_ = set(WORDS)
        return self
    def transform(self, X):
        return super().transform(X) if self.words in {"p", "q", "r"} else X
    @staticmethod
    def help():
        return 1

Point = namedtuple("Point", "x y")
settings = Settings(frozenset(WORDS), set(WORDS), {word: {word} for word in WORDS}, maker(2))
chain = make_pipeline(
    AudioReader(duration=1.0),
    FeatureUnion([("a", make_pipeline(MFCC(), Functionals())), ("b", Own({"x", "y"}).fit(None))]),
    FunctionTransformer(function, kw_args={word: len(word) for word in WORDS}),
    StandardScaler().fit(np.arange(6.0).reshape(3, 2)),
)
THINGS = {
    "set": set(WORDS), "frozenset": frozenset(WORDS), "sets": {frozenset(WORDS), frozenset("ab")},
    "dict": dict.fromkeys(set(WORDS)), "keys": {frozenset(WORDS): 1, ("a", 1): 2, None: 3},
    "function": function, "lambda": lambda x: x in {"q", "w", "e"}, "closure": maker({"a", "b"}),
    "partial": functools.partial(function, words=set(WORDS)), "method": settings.total,
    "bound": ", ".join, "table": dict.fromkeys(WORDS).get, "builtin": len, "operator": operator.add,
    "getter": operator.itemgetter(1), "cached": cached, "compiled": compiled,
    "numpy": np.mean, "ufunc": np.sin, "special": scipy.special.expit, "reduce": np.add.reduce,
    "scipy": scipy.signal.lfilter, "vectorized": np.vectorize(function), "module": np,
    "array": np.arange(6.0).reshape(2, 3).T, "strings": np.array(["a", "bc"]),
    "objects": np.array([{"a", "b", "c"}, function, None], dtype=object),
    "records": np.zeros(2, dtype=[("a", "f8"), ("b", "O")]),
    "masked": np.ma.array([1, 2], mask=[True, False]), "dtype": np.dtype("f4"),
    "generator": np.random.default_rng(0), "frame": pd.DataFrame({"a": WORDS, "b": range(5)}),
    "dataclass": settings, "enum": Colour.RED, "slots": Slotted(), "tuple": Point(1, {"a", "b"}),
    "ordered": OrderedDict.fromkeys(WORDS), "class": Own, "type": int, "own": Own(Settings),
    "chain": chain,
}
for name, thing in THINGS.items():
    print(name, fingerprint(thing))
'''


def run_program(folder, seed):
    path = folder / "program.py"
    path.write_text(PROGRAM)
    environment = os.environ | {"PYTHONHASHSEED": str(seed), "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_the_same_in_every_process(tmp_path):
    first, second, third = (run_program(tmp_path, seed) for seed in (1, 2, 3))
    assert len(first) > 40
    assert first == second == third
    assert first["set"] == first["frozenset"]  # by what is in them
    others = {name: value for name, value in first.items() if name != "frozenset"}
    assert len(set(others.values())) == len(others)


def test_order_does_not_count_where_there_is_none():
    pairs = [("b", 2), ("a", 1), (3, {"x", "y"}), (None, "z")]
    assert fingerprint(dict(pairs)) == fingerprint(dict(pairs[::-1]))
    assert fingerprint({"a", "b", 1}) == fingerprint({1, "b", "a"})
    assert fingerprint([1, 2]) != fingerprint([2, 1])


# What counts


class Gain(TransformerMixin, BaseEstimator):
    def __init__(self, gain=1.0, n_jobs=None, verbose=0, memory=None, function=None):
        self.gain = gain
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.function = function

    def fit(self, X, y=None):
        self.failed_ = {}
        return self

    def transform(self, X):
        return X * self.gain

    def __sklearn_tags__(self):
        return super().__sklearn_tags__()


def chain(**parameters):
    return Pipeline(
        [
            ("read", AudioReader(duration=1.0)),
            ("both", FeatureUnion([("mfcc", MFCC()), ("gain", Gain())])),
        ]
    ).set_params(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"read__duration": 2.0},
        {"read__duration": 1},
        {"read__on_error": "nan"},
        {"both__mfcc__n_mfcc": 12},
        {"both__gain__gain": 2.0},
        {"both__gain__gain": "1.0"},
        {"both__gain__gain": True},
        {"both__gain": "drop"},
        {"both__mfcc": LogMelSpectrogram()},
        {"both__transformer_weights": {"mfcc": 2.0}},
        {"both__gain__function": np.sin},
        {"both__gain__function": lambda x: x},
    ],
)
def test_differs_with_parameters(parameters):
    assert fingerprint(chain(**parameters)) != fingerprint(chain())


@pytest.mark.parametrize(
    "parameters",
    [
        {"read__n_jobs": 2},
        {"both__n_jobs": -1},
        {"both__mfcc__n_jobs": 4},
        {"verbose": True},
        {"both__verbose": True},
        {"memory": "somewhere"},
    ],
)
def test_does_not_differ_with_what_has_no_effect(parameters):
    assert fingerprint(chain(**parameters)) == fingerprint(chain())


@pytest.mark.parametrize("name", ["n_jobs", "verbose", "memory"])
def test_the_same_names_in_a_class_of_anyone_s_may_mean_anything(name):
    assert fingerprint(Gain(**{name: 2})) != fingerprint(Gain())


def test_does_not_differ_after_clone_and_fit():
    own = chain()
    assert fingerprint(clone(own)) == fingerprint(own)
    strided = Gain(np.arange(8.0)[::2])
    assert fingerprint(clone(strided)) == fingerprint(strided)
    fitted = AudioReader(duration=1.0)
    fitted.n_features_in_ = 3
    fitted.failed_ = {"a.wav": "why"}
    assert fingerprint(fitted) == fingerprint(AudioReader(duration=1.0))


def test_differs_with_learned_attributes():
    X = np.arange(6.0).reshape(3, 2)
    scalers = [StandardScaler(), StandardScaler().fit(X), StandardScaler().fit(2 * X)]
    assert len({fingerprint(make_pipeline(scaler)) for scaler in scalers}) == 3
    assert fingerprint(scalers[1]) == fingerprint(StandardScaler().fit(X))
    readers = [AudioReader().fit([np.zeros(n)]) for n in (10, 20)]
    assert fingerprint(readers[0]) != fingerprint(readers[1])
    held = [FunctionTransformer(lambda x, reader=reader: reader.n_samples_) for reader in readers]
    assert fingerprint(held[0]) != fingerprint(held[1])


VALUES = [
    *(None, ..., True, False, 0, 1, 1.0, 0.0, -0.0, 1j, math.nan, math.inf, "", "1", b"1", "None"),
    *([], (), {}, set(), [1], (1,), {1}, {1: 1}, [[1]], [1, [2]], [[1, 2]], {"a": 1}),
    *(np.float64(1), np.float32(1), np.int64(1), np.array(1.0), np.array([1.0])),
    *(np.array([[1.0]]), np.array([1.0, 2.0]), np.array([[1.0, 2.0]]), np.array([[1.0], [2.0]])),
    *(np.array([1], dtype=">i8"), np.array([1]), np.array(["1"]), np.array([1], dtype=object)),
    *(np.array([1, 2], dtype="M8[s]"), np.array([1, 2], dtype="M8[D]")),
    *(np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])),
    *(np.array(["a" * 50], dtype=np.dtypes.StringDType()), np.dtype("f4"), np.dtype("f8")),
    *(pd.Series([1, 2]), pd.Series([2, 1]), pd.Series([1, 2], index=[1, 0]), slice(1), range(3)),
    *(int, float, np.ndarray, np, os, len, abs, np.sin, np.cos, np.mean, np.add.reduce),
    *(np.multiply.reduce, scipy.special.expit, scipy.special.logit, scipy.special.log1p, np.log1p),
    *(", ".join, "-".join, {"a": 1}.get, {"a": 2}.get, [1].count, operator.itemgetter(0)),
    *(operator.itemgetter(1), str.upper, str.lower, math.sin, math.cos),
    *(functools.partial(pow, 2), functools.partial(pow, 3), functools.partial(pow, exp=2)),
    *(np.random.default_rng(0), np.random.default_rng(1)),
]


def test_values_of_all_kinds_are_told_apart():
    found = {}
    for value in VALUES:
        assert fingerprint(value) == fingerprint(value)
        found.setdefault(fingerprint(Gain(value)), []).append(value)
    assert [same for same in found.values() if len(same) > 1] == []


FUNCTIONS = [
    "def thing(x): return x + 1",
    "def thing(x): return x + 2",
    "def thing(x): return x + 1.0",
    "def thing(x): return x - 1",
    "def thing(x): return y + 1",
    "def thing(x): return len(x) + 1",
    "def thing(x): return sum(x) + 1",
    "def thing(x, y=1): return x + y",
    "def thing(x, y=2): return x + y",
    "def thing(x, *, y=1): return x + y",
    "def thing(x, *, y=2): return x + y",
    "def thing(x, y): return x + y",
    "def thing(x, *, y): return x + y",
    "def thing(x): return [y + 1 for y in x]",
    "def thing(x): return [y + 2 for y in x]",
    "def thing(x): return x in {'a', 'b'}",
    "def thing(x): return x in {'a', 'c'}",
    "def thing(x): return (lambda y: y.real)(x)",
    "def thing(x): return (lambda y: y.imag)(x)",
    "thing = lambda x: x + 1",
    """
    def thing(x):
        try:
            a = f(x)
            b = g(x)
        except ValueError:
            return 0
    """,
    """
    def thing(x):
        a = f(x)
        try:
            b = g(x)
        except ValueError:
            return 0
    """,
    *(
        f"""
        def outer(value, other):
            def inner(x):
                return x * value + other
            return inner
        thing = outer({values})
        """
        for values in ("1, 2", "2, 1", "1, 3", "1.0, 2", "[1], 2", "len, 2", "sum, 2")
    ),
]


def test_functions_are_told_apart_by_what_they_do():
    prints = [fingerprint(FunctionTransformer(make(source))) for source in FUNCTIONS]
    assert len(set(prints)) == len(FUNCTIONS)
    again = [fingerprint(FunctionTransformer(make("\n\n" + source))) for source in FUNCTIONS]
    assert prints == again


CLASS = """
import dataclasses, functools
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

class Base(TransformerMixin, BaseEstimator):
    def shared(self):
        return 1

class Thing(Base):
    scale = 2
    table = {"a": 1}
    def __init__(self, held=None):
        self.held = held
    def transform(self, X):
        return X * 3 + super().shared()
    def fit(self, X, y=None):
        return self
    def __sklearn_tags__(self):
        return super().__sklearn_tags__()
    def __call__(self):
        return 4
    @property
    def size(self):
        return 5
    @staticmethod
    def static():
        return 6
    @classmethod
    def of_class(cls):
        return 7
    @functools.cached_property
    def once(self):
        return 8
    @available_if(lambda self: 9)
    def maybe(self):
        return 10
    @functools.lru_cache
    def cached(self):
        return 11
    class Inner:
        def work(self):
            return 12

def build():
    return Thing()
"""
CHANGES = [
    ("return 1\n", "return -1\n"),
    ("scale = 2", "scale = -2"),
    ('{"a": 1}', '{"a": -1}'),
    ("X * 3", "X * -3"),
    *((f"return {number}\n", f"return -{number}\n") for number in range(4, 13) if number != 9),
    ("self: 9", "self: -9"),
    ("class Thing(Base)", "class Thing(TransformerMixin, BaseEstimator)"),
    ("    def static():\n        return 6\n", "    def static_too():\n        return 6\n"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1].strip()[:24])
def test_all_in_the_body_of_a_class_counts(change):
    """Of a user's own, in a script or a notebook; wherever an object of it is held."""
    before, after = CLASS, CLASS.replace(*change)
    assert CLASS.count(change[0]) == 1
    for hold in (lambda thing: thing, Gain, lambda thing: Gain([{"a": thing}])):
        things = [make(source, "build")() for source in (before, before, after)]
        prints = [fingerprint(hold(thing)) for thing in things]
        assert prints[0] == prints[1] != prints[2]


HELD = """
import dataclasses, enum
from collections import namedtuple

def function(x):
    return x + 1

class Plain:
    def __init__(self, value):
        self.value = value
    def work(self):
        return 2

@dataclasses.dataclass(frozen=True)
class Data:
    value: object
    def work(self):
        return 3

class Choice(enum.Enum):
    A = 4

class Words(list):
    def work(self):
        return 5

Pair = namedtuple("Pair", "x y")

class Square(Pair):
    def area(self):
        return 6

thing = [
    Plain(function), Data(function), Choice.A, Words([1]), Square(1, 2), Plain(Data(Plain(1))),
    Plain(lambda x: 7), Plain(Plain(1).work),
]
"""


@pytest.mark.parametrize(
    ("number", "places"),
    [(1, {0, 1}), (2, {0, 5, 6, 7}), (3, {1, 5}), (4, {2}), (5, {3}), (6, {4}), (7, {6})],
)
def test_code_counts_wherever_it_is_held(number, places):
    """A pickle would hold its name alone."""
    sign = {4: "A = 4", 1: "x + 1", 7: "x: 7"}.get(number, f"return {number}")
    changed = HELD.replace(sign, sign.replace(str(number), f"{number}0"))
    before, same, after = (make(source) for source in (HELD, HELD, changed))
    assert [fingerprint(Gain(each)) for each in before] == [
        fingerprint(Gain(each)) for each in same
    ]
    differs = {
        place
        for place, (one, other) in enumerate(zip(before, after, strict=True))
        if fingerprint(Gain(one)) != fingerprint(Gain(other))
    }
    assert differs == places


@pytest.mark.parametrize("decorator", ["functools.lru_cache", "functools.cache", "njit"])
def test_functions_behind_wrappers(decorator):
    source = "import functools\n@{}\ndef thing(x):\n    return x + {}\n"
    prints = [
        fingerprint(make(source.format(decorator, number), njit=njit)) for number in (1, 1, 2)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_options_of_compiled_functions():
    source = "@njit({})\ndef thing(x):\n    return x + 1\n"
    prints = {fingerprint(make(source.format(o), njit=njit)) for o in ("", "fastmath=True")}
    assert len(prints) == 2


def test_methods_by_function_and_by_object():
    first, second = Gain(1.0), Gain(2.0)
    assert fingerprint(first.transform) == fingerprint(Gain(1.0).transform)
    others = [first.fit, second.transform, types.MethodType(lambda self: 1, first)]
    others.append(types.MethodType(lambda self: 2, first))
    assert len({fingerprint(each) for each in (first.transform, *others)}) == 5


# Versions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package that is installed, or lies beside the program; import it."""

    def write(source, *, folder="site-packages", name="foreign_to_sersk"):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(place)
        monkeypatch.delitem(sys.modules, name, raising=False)
        _fingerprint._place_of.cache_clear()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return __import__(name)
        finally:
            sys.dont_write_bytecode = before

    yield write
    _fingerprint._place_of.cache_clear()


PACKAGE = """
__version__ = "1"

class Thing:
    def work(self):
        return helper() + 1

def helper():
    return 2

def make():
    return lambda x: x + 3
"""


@pytest.mark.parametrize("thing", ["Thing", "helper"])
def test_installed_packages_count_by_version(package, thing):
    prints = []
    for source in (
        PACKAGE,
        PACKAGE.replace("return 2", "return 3").replace("() + 1", "() + 4"),
        PACKAGE.replace('"1"', '"2"'),
    ):
        module = package(source)
        prints.append(fingerprint(Gain(getattr(module, thing))))
    # Not its own code alone would tell what it calls: of a package the version does.
    assert prints[0] == prints[1] != prints[2]


def test_what_an_installed_package_made_counts_by_code(package):
    prints = [
        fingerprint(package(source).make())
        for source in (PACKAGE, PACKAGE.replace("x + 3", "x + 4"), PACKAGE.replace('"1"', '"2"'))
    ]
    assert len(set(prints)) == 3


@pytest.mark.parametrize("name", ["foreign_to_sersk", "cProfile"])
@pytest.mark.parametrize("thing", ["Thing", "helper"])
def test_a_package_that_is_not_installed_counts_by_code(package, thing, name):
    """Whatever version it says it has, and whatever name of Python's library it takes."""
    prints = []
    for source in (
        PACKAGE,
        PACKAGE.replace("helper() + 1", "helper() - 1").replace("return 2", "return 3"),
        PACKAGE,
    ):
        module = package(source, folder="beside", name=name)
        prints.append(fingerprint(Gain(getattr(module, thing))))
    assert prints[0] == prints[2] != prints[1]


def test_a_script_counts_by_code_even_with_a_version(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__version__", "1", raising=False)
    _fingerprint._place_of.cache_clear()
    for source in ("def thing(x): return {}", "class thing:\n    def work(self): return {}"):
        prints = {fingerprint(make(source.format(number))) for number in (1, 2)}
        assert len(prints) == 2


@pytest.mark.parametrize(
    ("module", "thing"),
    [
        ("sklearn", StandardScaler()),
        ("numpy", np.mean),
        ("numpy", np.sin),
        ("scipy", scipy.special.expit),
    ],
)
def test_differs_with_versions_of_packages(monkeypatch, module, thing):
    before = fingerprint(Gain(thing))
    assert fingerprint(Gain(thing)) == before
    monkeypatch.setattr(sys.modules[module], "__version__", "0.0.1")
    assert fingerprint(Gain(thing)) != before


@pytest.mark.parametrize("engine", ["numpy", "soundfile", "soxr", "scipy"])
def test_differs_with_the_packages_that_compute(monkeypatch, engine):
    before = fingerprint(MFCC())
    version = _fingerprint.version
    monkeypatch.setattr(
        _fingerprint, "version", lambda name: "0.0.1" if name == engine else version(name)
    )
    library_version.cache_clear()
    try:
        assert fingerprint(MFCC()) != before
    finally:
        library_version.cache_clear()


@pytest.mark.parametrize("room", ["preprocessing", "feature_extraction", "_utils"])
def test_differs_with_the_source_of_sersk(monkeypatch, room):
    before = fingerprint(MFCC())
    read_bytes = Path.read_bytes
    changed = sorted(Path(_fingerprint.__file__).parents[1].joinpath(room).rglob("*.py"))[-1]
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read_bytes(path) + b"#" * (path == changed)
    )
    library_version.cache_clear()
    try:
        assert fingerprint(MFCC()) != before
    finally:
        monkeypatch.undo()
        library_version.cache_clear()
    assert fingerprint(MFCC()) == before


def test_differs_with_the_version_of_sersk(monkeypatch):
    before = fingerprint(AudioReader())
    monkeypatch.setattr(_fingerprint, "library_version", lambda: "another")
    assert fingerprint(AudioReader()) != before


# What cannot be told, and what holds itself


@pytest.mark.parametrize(
    "thing",
    [
        threading.Lock(),
        (number for number in range(3)),
        np.frompyfunc(lambda x: x, 1, 1),
        np.array([threading.Lock()], dtype=object),
    ],
    ids=["lock", "generator", "ufunc", "objects"],
)
@pytest.mark.parametrize("hold", [Gain, lambda thing: [{"a": thing}], lambda thing: lambda: thing])
def test_refuses_what_cannot_be_told_apart(thing, hold):
    with pytest.raises(ValueError, match=r"cannot be told from other values.*cannot be pickled"):
        fingerprint(hold(thing))


def loops():
    def first(x):
        return second(x - 1) if x else 0

    def second(x):
        return first(x - 1) if x else 1

    def alone(x):
        return alone(x - 1) if x else 2

    values = [1]
    values.append(values)
    pairs = {}
    pairs["itself"] = pairs
    estimator = Gain()
    estimator.gain = [estimator]
    other = types.SimpleNamespace()
    other.other, other.all, other.call = other, [other], lambda: other
    objects = np.empty(1, dtype=object)
    objects[0] = objects
    empty = make(
        """
        def build():
            def outer():
                return unset
            if False:
                unset = 1
            return outer
        thing = build()
        """
    )

    class Own:
        def make(self):
            return Own()

        def call(self):
            return super().__init__()

    Own.itself = Own
    Own.one = Own()
    return [
        *(first, second, alone, values, (values,), pairs, estimator, other, objects, empty),
        *(Own, Own(), functools.partial(first, alone), Own().make, make_pipeline(estimator)),
    ]


def test_what_holds_itself():
    prints = [fingerprint(Gain(thing)) for thing in loops()]
    assert prints == [fingerprint(Gain(thing)) for thing in loops()]
    assert len(set(prints)) == len(prints)
