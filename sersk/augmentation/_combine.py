"""Transforms made of others: one of them, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._utils._draws import apply_draw, describe_draw
from ._base import Draw, SoundFunction, Transform, new_state
from ._foreign import check_transform, draw_from


class _Combination(Transform):
    """Base of the transforms made of others."""

    transforms: Sequence[Any]

    @property
    def changes_length(self) -> bool:  # type: ignore[override]
        """Whether one of the transforms may change the length of a clip."""
        return any(getattr(each, "changes_length", False) for each in self.transforms)

    def _check_transforms(self) -> None:
        if not len(self.transforms):
            raise ValueError(
                f"The 'transforms' parameter of {type(self).__name__} must hold at least one "
                "transform. Got none."
            )
        for each in self.transforms:
            check_transform(each, f"the 'transforms' parameter of {type(self).__name__}")


class OneOf(_Combination):
    """Apply one of several transforms, chosen by chance.

    Parameters
    ----------
    transforms : list of transforms
        Transforms, functions ``f(samples, sample_rate)`` that leave nothing to chance, and
        transforms of audiomentations.

    weights : array-like of shape (n_transforms,), default=None
        How often each is chosen, in any unit, none below 0. By default all are equally likely.

    Attributes
    ----------
    changes_length : bool
        Whether one of the transforms may change the length of a clip.

    See Also
    --------
    Compose : Several of them, one after the other.

    Notes
    -----
    What is drawn is the draw of the transform that was chosen.

    Examples
    --------
    >>> from sersk.augmentation import AddNoise, OneOf, PitchShift
    >>> either = OneOf([AddNoise(), PitchShift()], weights=[3, 1])
    >>> either.draw(random_state=0)
    AddNoise(snr_db=13.73, color='white', seed=1755380014)
    >>> either.draw(random_state=6)
    PitchShift(semitones=1.243)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "transforms": [list, tuple],
        "weights": ["array-like", None],
    }

    def __init__(
        self, transforms: Sequence[Any], *, weights: Sequence[float] | None = None
    ) -> None:
        self.transforms = transforms
        self.weights = weights

    def _draw(self, rng: np.random.RandomState) -> Draw | SoundFunction:
        self._check_transforms()
        chosen = rng.choice(len(self.transforms), p=self._probabilities())
        return draw_from(self.transforms[chosen], new_state(rng))

    def _probabilities(self) -> NDArray[np.float64] | None:
        if self.weights is None:
            return None
        weights = np.asarray(self.weights, dtype=np.float64)
        right = weights.shape == (len(self.transforms),) and np.isfinite(weights).all()
        if not right or (weights < 0).any() or not weights.sum():
            raise ValueError(
                f"The 'weights' parameter of OneOf must hold a number for each of the "
                f"{len(self.transforms)} transforms, none below 0 and not all 0. Got "
                f"{self.weights!r} instead."
            )
        probabilities: NDArray[np.float64] = weights / weights.sum()
        return probabilities


@dataclass(frozen=True, repr=False)
class ComposeDraw(Draw):
    """Draws, one after the other."""

    draws: tuple[Any, ...]

    @property
    def changes_length(self) -> bool:  # type: ignore[override]
        """Whether one of them may change the length of a clip."""
        return any(getattr(each, "changes_length", False) for each in self.draws)

    @property
    def files(self) -> tuple[str, ...]:
        """Files that any of them reads."""
        return tuple(file for each in self.draws for file in getattr(each, "files", ()))

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        samples = samples.copy()
        for each in self.draws:
            samples = apply_draw(each, samples, sample_rate)
        return samples

    def __repr__(self) -> str:
        return f"{self._name()}({', '.join(map(describe_draw, self.draws))})"


class Compose(_Combination):
    """Apply several transforms, one after the other, each with a probability.

    Parameters
    ----------
    transforms : list of transforms
        Transforms, functions ``f(samples, sample_rate)`` that leave nothing to chance, and
        transforms of audiomentations, in the order in which they are applied.

    p : float or array-like of shape (n_transforms,), default=1.0
        Probability with which each is applied, from 0 to 1: one for all, or one for each. By
        default all are, always.

    Attributes
    ----------
    changes_length : bool
        Whether one of the transforms may change the length of a clip.

    See Also
    --------
    OneOf : Exactly one of them.

    Notes
    -----
    Each transform has chance of its own: what one draws does not depend on the parameters of the
    others, nor on whether they are applied. Where none is, a clip stays what it is.

    Examples
    --------
    >>> from sersk.augmentation import AddNoise, Compose, Gain
    >>> Compose([AddNoise(), Gain()]).draw(random_state=0)
    Compose(AddNoise(snr_db=13.73, color='white', seed=1755380014), Gain(gain_db=0.1855))
    >>> Compose([AddNoise(), Gain()], p=[1, 0]).draw(random_state=0)
    Compose(AddNoise(snr_db=13.73, color='white', seed=1755380014))
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "transforms": [list, tuple],
        "p": [Interval(Real, 0, 1, closed="both"), "array-like"],
    }

    def __init__(self, transforms: Sequence[Any], *, p: float | Sequence[float] = 1.0) -> None:
        self.transforms = transforms
        self.p = p

    def _draw(self, rng: np.random.RandomState) -> Draw:
        self._check_transforms()
        chances = [(rng.random_sample(), new_state(rng)) for _ in self.transforms]
        draws = [
            draw_from(each, state)
            for each, p, (chance, state) in zip(
                self.transforms, self._probabilities(), chances, strict=True
            )
            if chance < p
        ]
        return ComposeDraw(tuple(draws))

    def _probabilities(self) -> NDArray[np.float64]:
        p = np.asarray(self.p, dtype=np.float64)
        if p.ndim == 0:
            p = np.repeat(p, len(self.transforms))
        if p.shape != (len(self.transforms),) or not ((p >= 0) & (p <= 1)).all():
            raise ValueError(
                f"The 'p' parameter of Compose must be a probability, or one for each of the "
                f"{len(self.transforms)} transforms. Got {self.p!r} instead."
            )
        return p
