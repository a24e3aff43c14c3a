"""Chains of transformers whose rows do not depend on each other, as `PerClip` runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing, get_tags

from ..preprocessing import AudioReader

# Length of the clip of noise on which a chain is tried.
_NOISE_SECONDS = 0.25


def check_rows_independent(chain: Any, *, first: bool = True) -> None:
    """Refuse a chain of which a part learns from the rows, or changes their number.

    Parameters
    ----------
    chain : transformer
        Pipeline, FeatureUnion or a single transformer.
    first : bool, default=True
        Whether it is what the clip table is given to: an `AudioReader` may stand there.

    Raises
    ------
    ValueError
        If it holds a sampler, or a step that has to be fitted.
    """
    if isinstance(chain, Pipeline | FeatureUnion) and not list(_steps(chain)):
        raise ValueError(f"{chain!r} has no step that does anything.")
    if isinstance(chain, Pipeline):
        for position, step in enumerate(_steps(chain)):
            check_rows_independent(step, first=first and position == 0)
    elif isinstance(chain, FeatureUnion):
        for member in _steps(chain):
            check_rows_independent(member, first=first)
    elif hasattr(chain, "fit_resample"):
        raise ValueError(
            f"{chain!r} changes the number of rows, and PerClip gives its chain a few at a time: "
            "put it into the pipeline before or after PerClip."
        )
    elif not _needs_no_rows(chain) and not (first and isinstance(chain, AudioReader)):
        raise ValueError(
            f"{chain!r} has to be fitted, and PerClip gives its chain a few rows at a time and "
            "keeps the results for other folds: put it into the pipeline after PerClip. (A "
            "transformer that learns nothing from its rows says so in __sklearn_tags__: "
            "tags.requires_fit = False. One that is fitted already can stand in a FrozenEstimator.)"
        )


def _needs_no_rows(step: Any) -> bool:
    return isinstance(step, FrozenEstimator) or not get_tags(step).requires_fit


def fit_chain(chain: Any, X: Any) -> Any:
    """Fit a chain in place without running it over all rows.

    The first step sees all rows: a reader learns its length from them. Nothing else learns from
    values, so a single row is enough to tell the others the shape of what comes. Behind a reader it
    is a clip of noise, so that nothing is decoded here.

    Parameters
    ----------
    chain : transformer
        A chain that `check_rows_independent` lets pass.
    X : clip table or array-like of shape (n_clips, ...)
        The rows.

    Returns
    -------
    row : array of shape (1, ...) or None
        What the chain makes of the clip of noise; None where it does not begin with a reader.
    """
    if isinstance(chain, FeatureUnion):
        for member in _steps(chain):
            fit_chain(member, X)
        return None
    if not isinstance(chain, Pipeline):
        chain.fit(X, None)
        return _hear_noise(chain) if isinstance(chain, AudioReader) else None
    first, *others = _steps(chain)
    noise = row = fit_chain(first, X)
    if others and noise is None:
        row = first.transform(_safe_indexing(X, [0]))
    for step in others:
        step.fit(row, None)
        if noise is not None or step is not others[-1]:
            row = step.transform(row)
    return None if noise is None else row


def reader_of(chain: Any) -> AudioReader | None:
    """Find the reader that a chain begins with; None where it does not.

    Parameters
    ----------
    chain : transformer
        A chain.

    Returns
    -------
    reader : AudioReader or None
        The first step, however deep in pipelines.
    """
    while isinstance(chain, Pipeline):
        chain = next(_steps(chain), None)
    return chain if isinstance(chain, AudioReader) else None


def steps_of(chain: Any) -> Iterator[Any]:
    """List the transformers of a chain that are not pipelines or unions themselves.

    Parameters
    ----------
    chain : transformer
        A chain.

    Yields
    ------
    step : transformer
        In the order in which they run.
    """
    if isinstance(chain, Pipeline | FeatureUnion):
        for step in _steps(chain):
            yield from steps_of(step)
    else:
        yield chain


def skips_padding(chain: Any) -> bool:
    """Tell whether the length that its reader learned matters to clips that are not cut.

    Parameters
    ----------
    chain : transformer
        A chain.

    Returns
    -------
    skips : bool
        True where it begins with a reader of no set length, and no step after it takes the padding
        for sound or puts anything in its place.
    """
    reader = reader_of(chain)
    return (
        reader is not None
        and reader.duration is None
        and all(getattr(step, "_skips_padding", step is reader) for step in steps_of(chain))
    )


def failures(chain: Any) -> dict[str, str]:
    """Collect what the readers of a chain could not read just now.

    Parameters
    ----------
    chain : transformer
        A chain.

    Returns
    -------
    failed : dict of str to str
        The files, and the reason of each.
    """
    return {
        path: reason
        for step in steps_of(chain)
        for path, reason in getattr(step, "failed_", {}).items()
    }


def _steps(chain: Pipeline | FeatureUnion) -> Iterator[Any]:
    members = chain.steps if isinstance(chain, Pipeline) else chain.transformer_list
    for _, step in members:
        if step is not None and not isinstance(step, str):  # "passthrough" and "drop"
            yield step


def _hear_noise(reader: AudioReader) -> Any:
    """Let a reader make a row of noise; what it failed to read stays noted."""
    n_noise = min(reader.n_samples_, round(_NOISE_SECONDS * reader.sample_rate))
    skipped = round(reader.offset * reader.sample_rate)
    clip = np.random.default_rng(0).uniform(-0.1, 0.1, skipped + n_noise)
    failed = reader.failed_
    row = reader.transform([clip])
    reader.failed_ = failed
    return row
