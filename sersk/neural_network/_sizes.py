"""Sizes of layers, as users give them: one number for all, or one entry a layer."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol

import numpy as np


class _Convolutional(Protocol):
    filters: Sequence[int]
    kernel_sizes: int | Sequence[Any]
    pool_sizes: int | Sequence[Any]
    convs_per_block: int


def sizes_of(name: str, sizes: Sequence[int], *, at_least_one: bool = False) -> tuple[int, ...]:
    """Check sizes of layers.

    Parameters
    ----------
    name : str
        Name of the parameter, for errors.
    sizes : sequence of int
        The sizes.
    at_least_one : bool, default=False
        Whether there must be one.

    Returns
    -------
    sizes : tuple of int
        The sizes.

    Raises
    ------
    ValueError
        If one is no whole number >= 1.
    """
    checked = tuple(_size(name, size) for size in sizes)
    if at_least_one and not checked:
        raise ValueError(f"{name} is empty: give the size of one layer or more.")
    return checked


def conv_options(net: _Convolutional, n_dims: int) -> dict[str, Any]:
    """Check the sizes of blocks of convolutions; give one entry a block.

    Parameters
    ----------
    net : object
        What has the parameters.
    n_dims : {1, 2}
        Whether convolutions run over time, or over frequency and time.

    Returns
    -------
    options : dict
        ``filters``, ``kernel_sizes``, ``pool_sizes`` and ``convs_per_block`` of a module.

    Raises
    ------
    ValueError
        If there are not as many entries as blocks, or one is no size.
    """
    filters = sizes_of("filters", net.filters, at_least_one=True)
    return {
        "filters": filters,
        "kernel_sizes": _by_block("kernel_sizes", net.kernel_sizes, len(filters), n_dims),
        "pool_sizes": _by_block("pool_sizes", net.pool_sizes, len(filters), n_dims),
        "convs_per_block": net.convs_per_block,
    }


def _by_block(name: str, sizes: int | Sequence[Any], n_blocks: int, n_dims: int) -> tuple[Any, ...]:
    if isinstance(sizes, Integral):
        return (int(sizes),) * n_blocks
    assert not isinstance(sizes, int)
    if len(sizes) != n_blocks:
        raise ValueError(
            f"{name} has {len(sizes)} entries for the {n_blocks} blocks of filters: give one a "
            f"block, or one number for all. Got {name}={sizes!r}."
        )
    return tuple(
        _pair(name, size) if n_dims == 2 and not isinstance(size, Integral) else _size(name, size)
        for size in sizes
    )


def _pair(name: str, size: Any) -> tuple[int, int]:
    if isinstance(size, Sequence | np.ndarray) and len(size) == 2:
        return _size(name, size[0]), _size(name, size[1])
    raise ValueError(
        f"{name} takes whole numbers >= 1, and pairs of them for (frequency, time). Got {size!r}."
    )


def _size(name: str, size: Any) -> int:
    if not isinstance(size, bool) and isinstance(size, Integral) and int(size) >= 1:
        return int(size)
    raise ValueError(f"{name} takes whole numbers >= 1. Got {size!r}.")
