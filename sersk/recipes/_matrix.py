"""A benchmark as a file: which recipes on which corpora under which protocols with which seeds."""

from __future__ import annotations

import inspect
import json
import os
import tomllib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from .. import datasets
from .._utils._names import did_you_mean
from ..datasets import concat_corpora
from ..datasets._registry import CORPORA
from ..model_selection import ProtocolSplit
from ..model_selection._protocols import PROTOCOLS
from ._prepare import AS_PUBLISHED, check_options, choose_clips, refuse_chosen_copies
from ._registry import make_recipe, recipe_info
from ._results import options_json

_TABLES = ("corpora", "runs")
_NEEDED = ("recipes", "corpora", "protocols")
_RUN_KEYS = (*_NEEDED, "seeds", "priority", "options", "n_splits")
_DEFAULT_PRIORITY = 10


@dataclass(frozen=True)
class Cell:
    """One run of a matrix.

    Attributes
    ----------
    recipe, corpus, protocol : str
        Their names.
    seed, n_splits, priority : int
        As the file says.
    turn : int
        Which seed of its entry it is: all first seeds come before all second ones.
    options : str
        Of the recipe, as JSON.
    """

    recipe: str
    corpus: str
    protocol: str
    seed: int
    n_splits: int
    priority: int
    turn: int
    options: str


@dataclass(frozen=True)
class CorpusEntry:
    """How a matrix names a corpus.

    Attributes
    ----------
    name : str
        In the matrix, and in results.
    parts : tuple of str
        Other entries that it is made of; empty for one that is loaded.
    csv : Path or None
        A file that describes it.
    root : Path or None
        Folder of the recordings.
    loader : str
        Name of the corpus that is loaded; empty for a file and for parts.
    options : dict
        Of the loader.
    """

    name: str
    parts: tuple[str, ...] = ()
    csv: Path | None = None
    root: Path | None = None
    loader: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Matrix:
    """A benchmark: corpora, loaded when they are asked for, and the runs in their order.

    Attributes
    ----------
    entries : dict of str to CorpusEntry
        By name.
    cells : list of Cell
        First those of the lowest priority; within it, seed by seed.
    """

    entries: dict[str, CorpusEntry]
    cells: list[Cell]
    _loaded: dict[str, Bunch] = field(default_factory=dict)

    def corpus_of(self, cell: Cell) -> Bunch:
        """Load the corpus of a run, once.

        Parameters
        ----------
        cell : Cell
            Under ``"as-published"``, the clips that the source loads.

        Returns
        -------
        corpus : Bunch
            As the loaders return it.
        """
        return self._load(cell.corpus, self._loading_of(cell))

    def name_of(self, cell: Cell) -> str:
        """Name the corpus of a run; one that is loaded otherwise than the file says, so.

        Parameters
        ----------
        cell : Cell
            The run.

        Returns
        -------
        name : str
            As it stands in results.
        """
        return self._name(cell.corpus, self._loading_of(cell))

    @property
    def loaded(self) -> dict[str, Bunch]:
        """All corpora that were loaded, by name."""
        return dict(self._loaded)

    def _loading_of(self, cell: Cell) -> dict[str, Any]:
        """Tell which options of the source are other than those of the file."""
        if cell.protocol != AS_PUBLISHED:
            return {}
        entry = self.entries[cell.corpus]
        parts = [self.entries[part] for part in entry.parts] or [entry]
        loading = recipe_info(cell.recipe).loading
        return {
            name: value
            for name, value in loading.items()
            if any(_loads_otherwise(part, name, value) for part in parts)
        }

    def _name(self, name: str, loading: Mapping[str, Any]) -> str:
        told = ", ".join(f"{option}={value}" for option, value in loading.items())
        return f"{name} ({told})" if told else name

    def _load(self, name: str, loading: Mapping[str, Any]) -> Bunch:
        key = self._name(name, loading)
        if key not in self._loaded:
            entry = self.entries[name]
            self._loaded[key] = (
                concat_corpora([load_entry(self.entries[part], loading) for part in entry.parts])
                if entry.parts
                else load_entry(entry, loading)
            )
        return self._loaded[key]

    def restrict(self, recipes: Sequence[str]) -> None:
        """Keep the runs of some recipes.

        Parameters
        ----------
        recipes : sequence of str
            Their names; none for all.

        Raises
        ------
        ValueError
            If there is no such recipe, or no run of it.
        """
        there = {cell.recipe for cell in self.cells}
        for name in recipes:
            recipe_info(name)
            if name not in there:
                raise ValueError(f"The matrix has no run of the recipe {name!r}.")
        if recipes:
            self.cells = [cell for cell in self.cells if cell.recipe in recipes]

    def check(self) -> dict[Cell, int]:
        """Find out what cannot work, before anything is computed.

        Returns
        -------
        n_folds : dict of Cell to int
            Of each run.

        Raises
        ------
        ValueError
            If a recipe, a corpus or a protocol do not go together.
        """
        known: dict[tuple[Any, ...], int] = {}
        n_folds = {}
        for cell in self.cells:
            what = (cell.corpus, cell.protocol, cell.n_splits, cell.recipe, cell.options)
            if what not in known:
                try:
                    known[what] = self._count_folds(cell, known)
                except ValueError as error:
                    raise ValueError(
                        f"{cell.recipe} on {self.name_of(cell)}, {cell.protocol}: {error}"
                    ) from error
            n_folds[cell] = known[what]
        return n_folds

    def _count_folds(self, cell: Cell, known: dict[tuple[Any, ...], int]) -> int:
        info = recipe_info(cell.recipe)
        options = decoded(cell.options)
        refuse_chosen_copies(info, options, cell.protocol)
        make_recipe(cell.recipe, **options)
        corpus = self.corpus_of(cell)
        rows, emotions = choose_clips(info, corpus, cell.protocol)
        if cell.protocol == AS_PUBLISHED:
            return 1
        # Folds do not depend on the recipe, but for the clips that it chooses.
        folds_of = (cell.corpus, cell.protocol, cell.n_splits, tuple(info.emotions.items()),
                    info.corpora)  # fmt: skip
        if folds_of not in known:
            splitter = ProtocolSplit(cell.protocol, n_splits=cell.n_splits, random_state=cell.seed)
            frame = corpus.frame.iloc[rows]
            known[folds_of] = sum(1 for _ in splitter.split(frame, emotions, frame))
        return known[folds_of]


def _loads_otherwise(entry: CorpusEntry, option: str, value: Any) -> bool:
    if entry.csv is not None:
        return False
    taken = inspect.signature(getattr(datasets, f"load_{entry.loader}")).parameters
    return option in taken and entry.options.get(option, taken[option].default) != value


def decoded(options: str) -> dict[str, Any]:
    """Give the options of a recipe.

    Parameters
    ----------
    options : str
        As JSON.

    Returns
    -------
    options : dict
        By name.
    """
    return dict(json.loads(options))


def load_entry(entry: CorpusEntry, loading: Mapping[str, Any]) -> Bunch:
    """Load one corpus of a matrix.

    Parameters
    ----------
    entry : CorpusEntry
        One without parts.
    loading : mapping of str to object
        Options that go before its own, as far as the loader has them.

    Returns
    -------
    corpus : Bunch
        As the loaders return it.
    """
    if entry.csv is not None:
        # Speakers are told apart by the name of their corpus, wherever the file comes from.
        options = {"name": entry.name, **entry.options}
        with warnings.catch_warnings():
            if "name" not in entry.options:
                warnings.filterwarnings("ignore", message=".* has a column 'corpus'")
            return datasets.load_csv(entry.csv, root=entry.root, **options)
    loader = getattr(datasets, f"load_{entry.loader}")
    taken = inspect.signature(loader).parameters
    own = {name: value for name, value in loading.items() if name in taken}
    return loader(entry.root, **{**entry.options, **own})


def read_matrix(path: str | os.PathLike[str]) -> Matrix:
    """Read a matrix file, and refuse what is wrong in it.

    Parameters
    ----------
    path : path-like
        TOML. Folders in it are looked up from its own folder.

    Returns
    -------
    matrix : Matrix
        Its runs in the order in which they are computed. No corpus is loaded yet.

    Raises
    ------
    ValueError
        If the file is no TOML, or anything in it is unknown; near names are suggested.
    FileNotFoundError
        If it is not there.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no matrix file {str(path)!r}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is no TOML: {error}.") from error
    where = path.name
    _refuse_unknown(document, _TABLES, f"{where}: table")
    tables = document.get("corpora", {})
    runs = document.get("runs", [])
    if (
        not isinstance(tables, dict)
        or not tables
        or not all(isinstance(table, dict) for table in tables.values())
    ):
        raise ValueError(f"{where} needs a table [corpora.NAME] for each corpus.")
    if not isinstance(runs, list) or not runs or not all(isinstance(run, dict) for run in runs):
        raise ValueError(f"{where} needs a table [[runs]], at least one.")
    entries = {
        name: _read_corpus(name, table, path.parent, f"{where}, [corpora.{name}]")
        for name, table in tables.items()
    }
    for entry in entries.values():
        for part in entry.parts:
            _check_name(part, entries, f"{where}, [corpora.{entry.name}]: corpus")
            if entries[part].parts:
                raise ValueError(
                    f"{where}, [corpora.{entry.name}]: its part {part!r} has parts itself. Name "
                    "them all."
                )
    cells = [
        cell
        for number, run in enumerate(runs, start=1)
        for cell in _read_run(run, entries, f"{where}, [[runs]] number {number}")
    ]
    return Matrix(entries, in_order(_each_once(cells)))


def in_order(cells: Iterable[Cell], seconds: Mapping[Cell, float] | None = None) -> list[Cell]:
    """Sort runs: by priority, then seed by seed, then the quick ones first where that is known.

    Parameters
    ----------
    cells : iterable of Cell
        The runs.
    seconds : mapping of Cell to float, default=None
        What each takes; those that are not in it come last.

    Returns
    -------
    cells : list of Cell
        Otherwise in the order of the file.
    """
    seconds = seconds or {}
    return sorted(
        cells, key=lambda cell: (cell.priority, cell.turn, seconds.get(cell, float("inf")))
    )


def _each_once(cells: Iterable[Cell]) -> list[Cell]:
    """Keep, of runs that two entries ask for, the one that comes first."""
    best: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        key = (cell.recipe, cell.corpus, cell.protocol, cell.seed, cell.n_splits, cell.options)
        if key not in best or (cell.priority, cell.turn) < (best[key].priority, best[key].turn):
            best[key] = cell
    return list(best.values())


def _read_corpus(name: str, table: dict[str, Any], folder: Path, where: str) -> CorpusEntry:
    options = dict(table)
    parts = options.pop("parts", None)
    csv, root = options.pop("csv", None), options.pop("root", None)
    named = options.pop("loader", None)
    if parts is not None:
        if not _is_list_of(parts, str) or not parts or csv or root or named or options:
            raise ValueError(
                f"{where}: parts is a list of names of other corpora, and stands alone."
            )
        if len(set(parts)) < len(parts):
            raise ValueError(f"{where}: a part is named twice.")
        return CorpusEntry(name, parts=tuple(parts))
    for key, value in (("csv", csv), ("root", root)):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{where}: {key} is a path, got {value!r}.")
    if named is not None and not isinstance(named, str):
        raise ValueError(f"{where}: loader is a name, got {named!r}.")
    if csv is not None and named is not None:
        raise ValueError(f"{where}: csv and loader exclude each other.")
    named = name if named is None else named
    if csv is None and named not in CORPORA:
        near = did_you_mean(named, CORPORA)
        raise ValueError(
            f"{where}: there is no loader named {named!r}.{near} Known: {', '.join(CORPORA)}; for "
            'one of them under another name, loader = "NAME"; for a corpus of your own, '
            'csv = "FILE.csv"; for several together, parts = [...].'
        )
    if csv is None and root is None:
        raise ValueError(f'{where} needs root = "FOLDER", where the recordings are.')
    loader = datasets.load_csv if csv is not None else getattr(datasets, f"load_{named}")
    known = list(inspect.signature(loader).parameters)[1:]
    _refuse_unknown(options, [key for key in known if key != "root"], f"{where}: option")
    return CorpusEntry(
        name,
        csv=None if csv is None else folder / Path(csv).expanduser(),
        root=None if root is None else folder / Path(root).expanduser(),
        loader=named if csv is None else "",
        options=options,
    )


def _read_run(run: dict[str, Any], entries: Mapping[str, Any], where: str) -> list[Cell]:
    _refuse_unknown(run, _RUN_KEYS, f"{where}: key")
    for key in _NEEDED:
        if not _is_list_of(run.get(key), str) or not run[key]:
            raise ValueError(f"{where}: {key} is a list of names, got {run.get(key)!r}.")
    seeds = run.get("seeds", [0])
    if not _is_list_of(seeds, int) or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"{where}: seeds is a list of different numbers >= 0, got {seeds!r}.")
    priority, n_splits = run.get("priority", _DEFAULT_PRIORITY), run.get("n_splits", 5)
    if not _is(priority, int):
        raise ValueError(f"{where}: priority is a whole number, got {priority!r}.")
    if not _is(n_splits, int) or n_splits < 2:
        raise ValueError(f"{where}: n_splits is a whole number >= 2, got {n_splits!r}.")
    options = run.get("options", {})
    if not isinstance(options, dict):
        raise ValueError(f"{where}: options is a table {{ name = value }}, got {options!r}.")
    for corpus in run["corpora"]:
        _check_name(corpus, entries, f"{where}: corpus")
    for protocol in run["protocols"]:
        _check_name(protocol, (*PROTOCOLS, AS_PUBLISHED), f"{where}: protocol")
    for recipe in run["recipes"]:
        try:
            check_options(recipe_info(recipe), options)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return [
        Cell(
            recipe=recipe,
            corpus=corpus,
            protocol=protocol,
            seed=seed,
            # One split has no number of folds.
            n_splits=1 if protocol == AS_PUBLISHED else n_splits,
            priority=priority,
            turn=turn,
            options=options_json(options),
        )
        for turn, seed in enumerate(seeds)
        for recipe in run["recipes"]
        for corpus in run["corpora"]
        for protocol in run["protocols"]
    ]


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(_is(part, kind) for part in value)


def _check_name(name: str, known: Iterable[str], where: str) -> None:
    known = list(known)
    if name not in known:
        raise ValueError(
            f"{where} {name!r} is unknown.{did_you_mean(name, known)} Known: {', '.join(known)}."
        )


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in table:
        _check_name(name, known, where)
