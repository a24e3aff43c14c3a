"""The one place where a frozen draw meets a clip.

A draw is anything that is called with samples and a sample rate and returns samples: one of
`sersk.augmentation`, or a function of anyone's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AugmentationError


def apply_draw(
    draw: Any, samples: NDArray[Any], sample_rate: int, *, name: str | None = None
) -> NDArray[Any]:
    """Apply a draw to a clip and check what comes back.

    Parameters
    ----------
    draw : callable
        Called with a copy of the samples and the sample rate. What it does has the length of the
        clip unless its attribute ``changes_length`` is true.
    samples : ndarray of shape (n_samples,), float32 or float64
        The clip. One without a sample is left as it is.
    sample_rate : int
        Samples a second.
    name : str, default=None
        How the clip is called in errors.

    Returns
    -------
    changed : ndarray of shape (n_samples_out,)
        Finite numbers, at least one, of the type of `samples`.

    Raises
    ------
    AugmentationError
        If the draw cannot be called, raises an error, or returns anything else. It names the draw
        and the clip; for a draw made of others, the one of them that failed.
    """
    if not samples.size:
        return samples
    if not callable(draw):
        raise AugmentationError(
            describe_draw(draw),
            name,
            "it cannot be called: put what a transform's `draw` returns there, or a function of "
            "samples and sample rate",
        )
    try:
        changed = draw(samples.copy(), sample_rate)
    except AugmentationError as error:
        raise AugmentationError(error.draw, name, error.reason) from error
    except Exception as error:
        raise AugmentationError(
            describe_draw(draw), name, f"{type(error).__name__}: {error}"
        ) from error
    problem = _problem_with(changed, len(samples), getattr(draw, "changes_length", False))
    if problem is not None:
        raise AugmentationError(describe_draw(draw), name, problem)
    # What is too large for the type of the clip becomes infinite, and is found below.
    with np.errstate(over="ignore"):
        result: NDArray[Any] = np.ascontiguousarray(changed, samples.dtype)
    finite = np.isfinite(result)
    if not finite.all():
        where = int(np.argmin(finite))
        problem = f"sample {where} that it returned is {result[where]}, not a finite number"
        raise AugmentationError(describe_draw(draw), name, problem)
    return result


def _problem_with(changed: Any, n_samples: int, changes_length: bool) -> str | None:
    if not isinstance(changed, np.ndarray):
        return f"it returned an object of type {type(changed).__name__}, not an array"
    if changed.dtype.kind != "f":
        return f"it returned numbers of type {changed.dtype}; samples are floats, within [-1, 1]"
    if changed.ndim != 1:
        return f"it returned an array of shape {changed.shape}, not one channel"
    if not changed.size:
        return "it returned no samples"
    if len(changed) != n_samples and not changes_length:
        return (
            f"it returned {len(changed)} samples for {n_samples}. If that is meant, give it an "
            "attribute `changes_length` that is True"
        )
    return None


def describe_draw(draw: Any) -> str:
    """Print a draw; a function by its name, without its address.

    Parameters
    ----------
    draw : object
        The draw.

    Returns
    -------
    text : str
        For people.
    """
    name = getattr(draw, "__qualname__", None)
    return name if isinstance(name, str) else repr(draw)
