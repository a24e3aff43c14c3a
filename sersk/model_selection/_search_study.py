"""The study of a search: where it is kept, how its sampler is seeded, what ends a trial early."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import optuna
import pandas as pd
from numpy.random import RandomState
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._utils._fingerprint import fingerprint
from ..exceptions import TuningError
from ._protocols import Fold
from ._search_claims import rank_of
from ._search_space import describe_space

# What the first line of a journal begins with.
_FIRST_OF_A_JOURNAL = b'{"op_code"'

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

Storage = str | os.PathLike[str] | BaseStorage


# --------------------------------------------------------------------------------------- storages


def located(storage: Storage | None) -> Storage | None:
    """Name a storage so that workers find it, whatever folder they are in.

    Parameters
    ----------
    storage : str, path-like, BaseStorage or None
        A URL of a database, or else the path of a journal file.

    Returns
    -------
    storage : str, path-like, BaseStorage or None
        A path is absolute; all else stays as it is.
    """
    if storage is None or isinstance(storage, BaseStorage):
        return storage
    name = os.fspath(storage)
    return name if "://" in name else Path(name).absolute()


def open_storage(storage: Storage) -> BaseStorage:
    """Open a storage by its name.

    Parameters
    ----------
    storage : str, path-like or BaseStorage
        A URL of a database, or else the path of a journal file.

    Returns
    -------
    storage : BaseStorage
        Of Optuna.
    """
    if isinstance(storage, BaseStorage):
        return storage
    name = os.fspath(storage)
    if "://" in name:
        return optuna.storages.RDBStorage(name)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{name!r} is a folder; a journal is one file")
    with open(path, "ab"):
        pass  # says at once if it cannot be written
    _refuse_another_file(path)
    lock = _make_lock(path)
    backend = JournalFileBackend(str(path), lock)
    _cut_torn_line(path, lock)
    return optuna.storages.JournalStorage(backend)


def _refuse_another_file(path: Path) -> None:
    """Leave files alone that are no journals: what looks like half a line would be cut off."""
    with open(path, "rb") as file:
        begins = file.read(len(_FIRST_OF_A_JOURNAL))
    if not _FIRST_OF_A_JOURNAL.startswith(begins):
        raise TuningError(
            f"{str(path)!r} is no journal of Optuna, and stays as it is. Name a new file as "
            f"storage, or, for a study in SQLite, sqlite:///{path}."
        )


class _KernelLock(JournalFileOpenLock):
    """A lock that ends with the process that holds it: Optuna's own would be waited for.

    Parameters
    ----------
    path : str
        The journal.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        """Wait for the journal."""
        self._file = open(self.path, "ab")  # noqa: SIM115 - closed in release
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let others write."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _make_lock(path: Path) -> JournalFileOpenLock:
    return JournalFileOpenLock(str(path)) if fcntl is None else _KernelLock(str(path))


def _cut_torn_line(path: Path, lock: JournalFileOpenLock) -> None:
    """Remove half a line, left by a kill or a full disk: the next one would be spoilt by it."""
    with open(path, "rb+") as file:
        if not file.seek(0, os.SEEK_END) or not _is_torn(file):
            return
        lock.acquire()
        try:
            # Somebody may have been in the middle of writing it.
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
        finally:
            lock.release()


def _is_torn(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) != b"\n")


@functools.lru_cache(maxsize=1)
def _opened(name: str, search: str) -> BaseStorage:
    """Open a storage once for all trials of a worker: a journal is read from its beginning."""
    return open_storage(name)


def open_study(
    storage: Storage | None,
    name: str,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
    *,
    search: str | None = None,
) -> Study:
    """Open a study, or make it.

    Parameters
    ----------
    storage : str, path-like, BaseStorage or None
        None for one in memory.
    name : str
        Of the study.
    sampler : BaseSampler, default=None
        Draws parameters.
    pruner : BasePruner, default=None
        Ends trials that promise little.
    search : str, default=None
        Token of a call of `fit` that has made the study, and for which this process will open the
        storage again and again.

    Returns
    -------
    study : Study
        Of Optuna, to be maximised.

    Raises
    ------
    TuningError
        If the storage cannot be used.
    """
    shown = without_password(str(storage))
    try:
        if storage is None or isinstance(storage, BaseStorage):
            opened = storage
        elif search is not None:
            opened = _opened(os.fspath(storage), search)
        else:
            opened = open_storage(storage)
        if search is not None and opened is not None:
            # A worker that made it anew would compute for nobody.
            return optuna.load_study(
                study_name=name, storage=opened, sampler=sampler, pruner=pruner
            )
        return optuna.create_study(
            storage=opened, sampler=sampler, pruner=pruner, study_name=name,
            direction="maximize", load_if_exists=True,
        )  # fmt: skip
    except TuningError:
        raise
    except KeyError as error:
        raise TuningError(
            f"A worker on {socket.gethostname()} does not find the study in {shown!r}: there it "
            "is another file. Name one as storage that all machines see under the same path, "
            "or the URL of a database."
        ) from error
    except ImportError as error:
        missing = error.name or getattr(error.__cause__, "name", None) or "of its driver"
        raise TuningError(
            f"The storage {shown!r} needs the package {missing!r}, which is not installed."
        ) from error
    except Exception as error:
        # Databases add lines of what they were asked.
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise TuningError(
            f"The storage {shown!r} cannot be used ({without_password(why)}). Name a file in a "
            "folder that can be written to, or the URL of a database that answers."
        ) from error


def without_password(text: str) -> str:
    """Hide the password of a URL: messages and results are shown to others.

    Parameters
    ----------
    text : str
        Of which a URL may be a part.

    Returns
    -------
    text : str
        With stars in the place of a password.
    """
    return re.sub(r"(://[^:/@\s]*):[^/\s]+@", r"\1:***@", text)


def name_study(
    prefix: str | None,
    estimator: Any,
    space: Mapping[str, Any],
    folds: list[Fold],
    X: Any,
    y: Any,
    options: tuple[Any, ...],
) -> str:
    """Name a study by all that its scores depend on: no other search may go on with it.

    Parameters
    ----------
    prefix : str or None
        Given by the user.
    estimator : estimator
        What is tuned.
    space : mapping of str to distribution or Choice
        What is searched.
    folds : list of (train, test)
        Rows.
    X : DataFrame or array-like of shape (n_clips, ...)
        The clips.
    y : array-like of shape (n_clips,)
        Their emotions.
    options : tuple
        What else counts.

    Returns
    -------
    name : str
        The prefix, and hexadecimal digits.
    """
    if isinstance(X, pd.DataFrame):
        X = {str(name): np.asarray(X[name]) for name in X.columns}
    said = [
        fingerprint(clone(estimator)),
        describe_space(space),
        *(fingerprint(_plain(part)) for part in (X, np.asarray(y), folds, options)),
    ]
    digest = hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()
    return f"{prefix or 'sersk'}-{digest}"


def _plain(part: Any) -> Any:
    """Take arrays of text for lists: the same text may be kept in different ways."""
    if isinstance(part, dict):
        return {name: _plain(column) for name, column in part.items()}
    if isinstance(part, np.ndarray) and part.dtype.kind not in "biufc":
        return part.tolist()
    return part


@contextmanager
def quiet(wanted: bool) -> Iterator[None]:
    """Let Optuna speak up for errors alone, and leave its verbosity as it was.

    Parameters
    ----------
    wanted : bool
        False lets it speak as it likes.

    Yields
    ------
    None
    """
    before = optuna.logging.get_verbosity()
    if wanted:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


# --------------------------------------------------------------------------------------- samplers


class SeededByTrial(BaseSampler):
    """Seed a sampler anew for each trial, so that a search that was stopped goes on the same.

    Parameters
    ----------
    sampler : BaseSampler
        What draws.
    seed : int
        Together with the number of the trial, the seed of its draws.
    """

    def __init__(self, sampler: BaseSampler, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed it for a trial; those that were lost do not shift the others."""
        words = np.random.SeedSequence([self.seed, rank_of(study, trial.number)])
        _reseed(self.sampler, int(words.generate_state(1)[0]))
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Tell what is drawn together."""
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw what is drawn together."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Draw one parameter."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: Any, values: Any) -> None:
        """Hand on how a trial ended."""
        self.sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Do nothing: seeds come from the numbers of trials."""


def make_sampler(sampler: BaseSampler | None, random_state: Any) -> SeededByTrial:
    """Copy a sampler, or make one, and seed it by trial.

    Parameters
    ----------
    sampler : BaseSampler or None
        None for a tree-structured Parzen estimator.
    random_state : int, RandomState or None
        Seed; None leaves a sampler its own.

    Returns
    -------
    sampler : SeededByTrial
        Shares nothing with the one given.
    """
    inner = TPESampler() if sampler is None else copy.deepcopy(sampler)
    if random_state is None:
        own = next(iter(_generators(inner)), None)
        chance = RandomState() if own is None else own
    else:
        chance = check_random_state(random_state)
    return SeededByTrial(inner, int(chance.randint(2**31 - 1)))


def _generators(sampler: BaseSampler) -> Iterator[RandomState]:
    """Find the generators of a sampler and of those in it: Optuna has no public way to seed them.

    Yields
    ------
    generator : RandomState
        In the order in which they were made.
    """
    for value in vars(sampler).values():
        if isinstance(value, BaseSampler):
            yield from _generators(value)
        elif isinstance(getattr(value, "rng", None), RandomState):
            yield value.rng


def _reseed(sampler: BaseSampler, seed: int) -> None:
    for position, generator in enumerate(_generators(sampler)):
        generator.seed((seed + position) % 2**32)


# ---------------------------------------------------------------------------------------- pruning


class SameStepPruner(BasePruner):
    """End trials below the median of others at the same step.

    Optuna's own takes the best value of all steps of a trial: with means over folds that would be
    an easy first fold, for ever.

    Parameters
    ----------
    n_startup_trials : int
        Finished trials that have to be there at that step.
    n_warmup_steps : int
        Steps at which none is ended.
    """

    def __init__(self, n_startup_trials: int, n_warmup_steps: int) -> None:
        self.n_startup_trials = n_startup_trials
        self.n_warmup_steps = n_warmup_steps

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Tell whether a trial should end."""
        step = trial.last_step
        if step is None or step < self.n_warmup_steps:
            return False
        others = [
            other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if step in other.intermediate_values
        ]
        if len(others) < self.n_startup_trials:
            return False
        return bool(trial.intermediate_values[step] < np.median(others))
