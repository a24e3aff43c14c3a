"""What all transforms have in common: chance decides in `draw`, and nowhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

# A number, always taken, or a pair: anything between, evenly.
Range: TypeAlias = float | tuple[float, float]
# What `draw` accepts, as scikit-learn does.
RandomState: TypeAlias = int | np.random.RandomState | None
# What is done to a clip: samples and sample rate to samples.
SoundFunction: TypeAlias = Callable[[NDArray[Any], int], Any]


@dataclass(frozen=True, repr=False)
class Draw(ABC):
    """What a transform does to one clip, decided once and for all.

    A draw holds numbers, and a seed where there is noise. It can be hashed, pickled and printed, is
    equal to another where it does the same, and gives the same result whenever, wherever and in
    whatever order it is called.
    """

    # Whether what comes out may have another length than what goes in.
    changes_length: ClassVar[bool] = False

    @property
    def files(self) -> tuple[str, ...]:
        """Files that it reads: what it does is another thing if they change."""
        return ()

    def __call__(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        """Apply the draw to a clip, which stays as it is.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32 or float64
            The clip, of at least one sample.
        sample_rate : int
            Samples a second.

        Returns
        -------
        changed : ndarray of shape (n_samples_out,)
            A new array of the same type.

        Raises
        ------
        ValueError
            If `samples` is something else.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype not in (np.float32, np.float64) or not samples.size:
            raise ValueError(
                f"{self!r} takes a clip of at least one sample, a 1-D array of type float32 or "
                f"float64; got shape {samples.shape} and type {samples.dtype}."
            )
        return self._apply(samples, sample_rate)

    @abstractmethod
    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        """Do it: a new array of the type of `samples`."""

    def __repr__(self) -> str:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"{self._name()}({', '.join(f'{name}={_short(value)}' for name, value in values)})"

    @classmethod
    def _name(cls) -> str:
        """Name the transform that the draw is of."""
        return cls.__name__.removesuffix("Draw")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


class Transform(BaseEstimator, ABC):
    """Base of the transforms: plain parameters, and `draw`.

    A subclass names its parameters that may be ranges in `_ranges` and makes a draw in `_draw`.
    """

    # Whether its draws may change the length of a clip.
    changes_length: bool = False

    _parameter_constraints: dict[str, list[Any]] = {}
    _ranges: tuple[str, ...] = ()

    def draw(self, random_state: RandomState = None) -> Draw | SoundFunction:
        """Decide what is done to one clip.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            What chance is taken from. A number gives the same draw each time; None takes from
            NumPy's global state.

        Returns
        -------
        draw : callable
            What is done, with nothing left to chance: ``draw(samples, sample_rate)`` takes a clip
            as a 1-D array of float32 or float64 and returns a new one of the same type. It is
            small, and can be hashed, compared, printed and pickled.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self._validate_params()
        for name in self._ranges:
            self._check_range(name)
        return self._draw(check_random_state(random_state))

    @abstractmethod
    def _draw(self, rng: np.random.RandomState) -> Draw | SoundFunction:
        """Take from `rng`, always as much and in the same order."""

    def _uniform(self, rng: np.random.RandomState, name: str) -> float:
        """Take a value of a parameter from its range."""
        value = getattr(self, name)
        low, high = map(float, (value, value) if isinstance(value, Real) else value)
        # Rounding must not lead out of the range.
        return min(max(rng.uniform(low, high), low), high)

    def _check_range(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, Real):
            return
        bounds = self._parameter_constraints[name][0]
        pair = [each for each in value if bounds.is_satisfied_by(each)]
        if len(value) != 2 or len(pair) != 2 or pair[0] > pair[1]:
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} must be a number or a pair (low, "
                f"high) with low <= high, each {bounds}. Got {value!r} instead."
            )


def number_or_pair(
    low: float, high: float, *, closed: Literal["both", "left", "right", "neither"] = "both"
) -> list[Any]:
    """List the constraints of a parameter that is a number or a pair of numbers.

    Parameters
    ----------
    low, high : float
        Bounds of each number.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which bounds are allowed themselves.

    Returns
    -------
    constraints : list
        For ``_parameter_constraints``; the first is that of the numbers.
    """
    return [Interval(Real, low, high, closed=closed), tuple, list]


def new_state(rng: np.random.RandomState) -> np.random.RandomState:
    """Split off a random state, so that how much is taken from it does not matter to others.

    Parameters
    ----------
    rng : RandomState
        What its seed is taken from.

    Returns
    -------
    state : RandomState
        Over PCG64, which is seeded six times as fast as scikit-learn's Mersenne Twister.
    """
    return chance_of(new_seed(rng))


def chance_of(seed: int) -> np.random.RandomState:
    """Begin the chance of one thing.

    Parameters
    ----------
    seed : int
        Its seed.

    Returns
    -------
    state : RandomState
        As of `new_state`.
    """
    return np.random.RandomState(np.random.PCG64(seed))


def new_seed(rng: np.random.RandomState) -> int:
    """Draw the seed of a noise.

    Parameters
    ----------
    rng : RandomState
        What it is taken from.

    Returns
    -------
    seed : int
        From 0 to ``2 ** 31 - 2``.
    """
    return int(rng.randint(np.iinfo(np.int32).max))
