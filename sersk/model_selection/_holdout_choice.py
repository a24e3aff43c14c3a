"""Which speakers, or which clips, are held out for validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray

# Sets of speakers that are drawn, and the best of them taken. With the few dozen speakers of most
# corpora more would find no better one.
_N_DRAWS = 50

# The number of a missing name.
UNKNOWN = -1


def number_names(column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Number the names of a column in the order of their texts; missing ones get `UNKNOWN`."""
    known = ~pd.isna(column)
    # As text: there is no order between 1 and "one".
    texts = np.array([str(name) for name in column[known]], dtype=str)
    _, first, numbers = np.unique(texts, return_index=True, return_inverse=True)
    codes = np.full(len(column), UNKNOWN, dtype=np.intp)
    codes[known] = numbers
    return np.array(column[known][first].tolist()), codes


def why_not(names: NDArray[Any]) -> str:
    if len(names) == 0:
        return "it is known of no clip"
    if len(names) == 1:
        return f"it is {names[0]!s} in all clips"
    return "each that could be held out has all clips of some class"


def choose_groups(
    codes: NDArray[np.intp],
    strata: NDArray[np.intp],
    n_groups: int,
    size: float,
    random: RandomState,
) -> NDArray[np.intp] | None:
    """Choose groups that hold about a share of the rows; None if none can be held out.

    `codes` and `strata` number the group and the class of each row. Every class keeps a row.
    """
    totals = np.bincount(strata)
    counts = np.zeros((n_groups, len(totals)), dtype=np.intp)
    known = codes != UNKNOWN
    np.add.at(counts, (codes[known], strata[known]), 1)
    target = size * len(strata)
    best: tuple[tuple[int, float], list[np.intp]] | None = None
    for _ in range(_N_DRAWS):
        chosen: list[np.intp] = []
        held = np.zeros_like(totals)
        for group in random.permutation(n_groups):
            if held.sum() >= target:
                break
            more = held + counts[group]
            # At least one, whatever its size.
            nearer = not chosen or abs(more.sum() - target) < abs(held.sum() - target)
            if nearer and np.all(more < totals):
                chosen.append(group)
                held = more
        if not chosen:
            return None  # a group that cannot go alone cannot go with others either
        rank = (int(np.count_nonzero(held == 0)), float(abs(held.sum() - target)))
        if best is None or rank < best[0]:
            best = rank, chosen
    return None if best is None else np.sort(best[1])


def choose_clips(strata: NDArray[np.intp], size: float, random: RandomState) -> NDArray[np.bool_]:
    """Choose a share of the rows, the same of each class as nearly as can be.

    `strata` numbers the class of each row. Every class keeps a row; as many as the share allows
    have one held out.
    """
    totals = np.bincount(strata)
    room = totals - 1
    if not room.any():
        raise ValueError(
            "There is no clip to hold out for validation: each class has one, which is needed for "
            f"training. Got n_samples={len(strata)} in {len(totals)} class(es). Give more clips, "
            "or fit without ValidationHoldout."
        )
    quota = size * totals
    n_held = np.minimum(quota.astype(np.intp), room)
    wanted = min(max(1, round(size * len(strata))), int(room.sum()))
    # In no order of names among classes that miss their quota by the same.
    tie = random.permutation(len(totals))
    for _ in range(wanted - int(n_held.sum())):
        order = np.lexsort((tie, quota - n_held, n_held == 0, n_held < room))
        n_held[order[-1]] += 1
    held = np.zeros(len(strata), dtype=bool)
    for stratum, n in enumerate(n_held):
        held[random.permutation(np.flatnonzero(strata == stratum))[:n]] = True
    return held
