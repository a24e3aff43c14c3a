"""What is not ours: functions, and other libraries' transforms with chance of their own."""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._utils._fingerprint import fingerprint
from ._base import Draw, RandomState, SoundFunction, Transform, new_seed

# Global random states are the whole process's: whoever sets them must be alone.
_GLOBAL_STATES = threading.RLock()


@contextmanager
def _global_states_from(seed: int) -> Iterator[None]:
    """Set the global states of `random` and NumPy, and put them back."""
    with _GLOBAL_STATES:
        python_state = random.getstate()
        numpy_state = np.random.get_state()  # noqa: NPY002 - this is what others take from
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@dataclass(frozen=True)
class PickledCall:
    """An object that is called, as it was when it was drawn: equal where its pickles are."""

    name: str
    content: bytes
    code: str

    def __call__(self, samples: NDArray[Any], sample_rate: int) -> Any:
        # A new one each time: what it remembers of one call must not reach the next.
        return pickle.loads(self.content)(samples, sample_rate)


@dataclass(frozen=True, repr=False)
class SeededDraw(Draw):
    """One call of what takes from the global random states."""

    function: SoundFunction
    seed: int

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        # Other libraries mostly know single precision alone, and some change what they are given.
        given = samples.astype(np.float32)
        with _global_states_from(self.seed):
            changed = self.function(given, sample_rate)
        if isinstance(changed, np.ndarray) and changed.dtype.kind == "f":
            changed = changed.astype(samples.dtype, copy=False)
        result: NDArray[Any] = changed
        return result

    def __repr__(self) -> str:
        name = getattr(self.function, "name", None) or getattr(self.function, "__qualname__", "")
        return f"{self._name()}({name}, seed={self.seed})"


@dataclass(frozen=True, repr=False)
class StretchingSeededDraw(SeededDraw):
    """One call of what may change the length of a clip, too."""

    changes_length: ClassVar[bool] = True

    @classmethod
    def _name(cls) -> str:
        return SeededDraw._name()


class Seeded(Transform):
    """Make a random function of another library repeatable.

    Parameters
    ----------
    function : callable
        ``function(samples, sample_rate)`` returns samples. It takes chance from the global states
        of :mod:`random` and `numpy.random`. A function defined in a module, or an object that can
        be pickled.

    changes_length : bool, default=False
        Whether what comes out may have another length than what goes in; by default that is an
        error, because it mostly is one.

    See Also
    --------
    OneOf : Takes audiomentations' transforms as they are.

    Notes
    -----
    A draw holds the function and a seed. When it is applied, both global states are set from the
    seed, and put back afterwards. Nobody else may do so meanwhile: such draws wait for each other,
    and other threads that take from the global states may see the seeded ones. Processes do not
    disturb each other. The samples are given in single precision, whatever the type of the clip.

    Transforms of audiomentations (the extra ``augment``) need no wrapper in `OneOf` and `Compose`.
    Leave their ``p`` at 1 and use that of `Compose`, or the draw does not tell what is done.

    Examples
    --------
    >>> import random
    >>> import numpy as np
    >>> from sersk.augmentation import Seeded
    >>> def louder(samples, sample_rate):
    ...     return samples * random.uniform(1, 2)
    >>> draw = Seeded(louder).draw(random_state=0)
    >>> draw
    Seeded(louder, seed=209652396)
    >>> clip = np.array([0.1, 0.2])
    >>> np.array_equal(draw(clip, 16000), draw(clip, 16000))
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "function": [callable],
        "changes_length": ["boolean"],
    }

    def __init__(self, function: Callable[..., Any], *, changes_length: bool = False) -> None:
        self.function = function
        self.changes_length = changes_length

    def _draw(self, rng: np.random.RandomState) -> Draw:
        check_transform(self.function, "Seeded")
        kind = StretchingSeededDraw if self.changes_length else SeededDraw
        return kind(_frozen(self.function), new_seed(rng))


def _frozen(function: Any) -> SoundFunction:
    """Keep functions as they are, and objects as they are now."""
    if isinstance(function, FunctionType):
        return function
    try:
        # Its pickle knows classes by name alone.
        code = fingerprint(function)
        return PickledCall(type(function).__name__, pickle.dumps(function), code)
    except Exception as error:
        raise TypeError(
            f"{function!r} cannot be pickled ({type(error).__name__}: {error}): a draw is stored "
            "and sent to other processes. Define what it is made of at the top of a module."
        ) from error


def draw_from(transform: Any, random_state: RandomState) -> Draw | SoundFunction:
    """Draw from a transform, or from what stands in the place of one.

    Parameters
    ----------
    transform : object
        A transform; one of audiomentations'; or a callable, which is its own draw.
    random_state : int, RandomState instance or None
        What chance is taken from.

    Returns
    -------
    draw : callable
        What is done to one clip.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    check_transform(transform, "transforms")
    if hasattr(transform, "draw"):
        drawn: Draw | SoundFunction = transform.draw(random_state)
        return drawn
    if _is_of_audiomentations(transform):
        return Seeded(transform).draw(random_state)
    function: SoundFunction = transform
    return function


def check_transform(transform: Any, where: str) -> None:
    """Refuse what can neither be drawn from nor called.

    Parameters
    ----------
    transform : object
        What shall be a transform.
    where : str
        Where it stands, for the error.

    Raises
    ------
    TypeError
        If it is a class, or cannot be called and has no ``draw``.
    """
    if isinstance(transform, type):
        raise TypeError(
            f"{transform.__name__} is a class, and {where} takes transforms: write "
            f"{transform.__name__}()."
        )
    if not (hasattr(transform, "draw") or callable(transform)):
        raise TypeError(
            f"{where} takes transforms and functions of samples and sample rate. Got {transform!r}."
        )


def _is_of_audiomentations(transform: Any) -> bool:
    # By name: to look must not import it.
    modules = (kind.__module__ for kind in type(transform).__mro__)
    return any(module.partition(".")[0] == "audiomentations" for module in modules)
