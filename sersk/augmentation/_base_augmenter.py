"""What the samplers of this room share: which copies there are, and the seed of each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._utils._row_sampler import RowSampler
from ._base import RandomState


class BaseAugmenter(RowSampler):
    """Base of the samplers that add changed copies of clips.

    The seed of a copy comes from `random_state`, the name of its clip and how many rows of that
    name stand above it: other clips, their order and the fold have no part in it.
    """

    copies: int
    keep_original: bool
    random_state: RandomState

    _parameter_constraints: dict[str, Any] = {
        "copies": [Interval(Integral, 1, None, closed="left")],
        "keep_original": ["boolean"],
        "random_state": ["random_state"],
    }

    def _plan(
        self, names: Sequence[bytes], n_kinds: int = 1
    ) -> list[tuple[int, tuple[int, int] | None]]:
        """List the rows of the output: which row each is made of, its kind and seed.

        None in the place of the latter two stands for the clip as it is.
        """
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(np.iinfo(np.int32).max))
        occurrences = _count_occurrences(names)
        plan: list[tuple[int, tuple[int, int] | None]] = []
        if self.keep_original:
            plan += [(row, None) for row in range(len(names))]
        for kind in range(n_kinds):
            for copy in range(self.copies):
                plan += [
                    (row, (kind, _seed_of(int(seed), name, occurrences[row], kind, copy)))
                    for row, name in enumerate(names)
                ]
        self.sample_indices_ = np.array([row for row, _ in plan], dtype=np.intp)
        return plan


def refuse_parameters(given: dict[str, Any]) -> None:
    """Say that weights, and whatever else has one value a row, do not pass a sampler.

    Parameters
    ----------
    given : dict
        What was given beside the clips and emotions. None is as good as nothing.

    Raises
    ------
    ValueError
        If there is anything.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} cannot be handed through a sampler: it changes the number of rows, and "
                "for the copies there is none. Weigh emotions with class_weight of the classifier, "
                "or balance them with RandomOverSampler."
            )


def names_of_arrays(X: NDArray[np.floating], lengths: Sequence[int] | NDArray[Any]) -> list[bytes]:
    """Name clips by what they hold, whatever the padding and the precision.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ..., n_steps)
        Waveforms, frames or images.
    lengths : sequence of int
        Steps of each clip before its padding.

    Returns
    -------
    names : list of bytes
        Equal where the clips are.
    """
    names = []
    for clip, length in zip(X, lengths, strict=True):
        with np.errstate(over="ignore"):
            content = clip[..., :length].astype(np.float32)
            content += 0  # zero has no sign
        names.append(hashlib.blake2b(content.tobytes(), digest_size=16).digest())
    return names


def _count_occurrences(names: Sequence[bytes]) -> list[int]:
    """Count for each row how many rows above it have the same name."""
    seen: Counter[bytes] = Counter()
    occurrences = []
    for name in names:
        occurrences.append(seen[name])
        seen[name] += 1
    return occurrences


def _seed_of(seed: int, name: bytes, *numbers: int) -> int:
    """Mix numbers and a name into a seed of 32 bits, the same in every process."""
    digest = hashlib.blake2b(name, digest_size=4, key=repr((seed, *numbers)).encode())
    return int.from_bytes(digest.digest(), "little")
