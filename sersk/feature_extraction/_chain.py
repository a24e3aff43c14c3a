"""Chains of transformers whose rows do not depend on each other, as `PerClip` runs them."""

from __future__ import annotations

import copy
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
        # Chunks are what runs at once; workers of its own could not tell what they fail to read.
        chain.n_jobs = None
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
    """Tell whether the length that its reader learned matters only to clips that are cut.

    Parameters
    ----------
    chain : transformer
        A chain.

    Returns
    -------
    skips : bool
        True where it begins with a reader of no set length, and no step after it takes the padding
        for sound, puts anything in its place, or leaves it in the middle of a row.
    """
    reader = reader_of(chain)
    known = type(reader) is AudioReader and reader.duration is None
    return known and _skips_padding(chain, reader)


def _skips_padding(chain: Any, reader: Any) -> bool:
    if isinstance(chain, Pipeline):
        return all(_skips_padding(step, reader) for step in _steps(chain))
    if isinstance(chain, FeatureUnion):
        # Side by side, only what has no padding stays where it is.
        members = list(_steps(chain))
        return all(makes_vectors(each) and _skips_padding(each, reader) for each in members)
    # What a subclass does to the padding, only its author knows.
    kind = type(chain)
    says_so = kind.__module__.startswith("sersk.") or "_skips_padding" in vars(kind)
    return chain is reader or (says_so and getattr(chain, "_skips_padding", False))


def makes_vectors(chain: Any) -> bool:
    """Tell whether a chain ends in a step whose output fits a table.

    Parameters
    ----------
    chain : transformer
        A chain.

    Returns
    -------
    vectors : bool
        False where it ends in frames, images or waveforms.
    """
    *_, last = steps_of(chain)
    return "transform" in getattr(last, "_sklearn_auto_wrap_output_keys", ("transform",))


def preserved_dtypes(chain: Any) -> list[str]:
    """Tell which types of numbers come out of a chain as they went in.

    Parameters
    ----------
    chain : transformer
        A chain; the tags of a pipeline name what its last step preserves, but all of them have to.

    Returns
    -------
    names : list of str
        Of "float64" and "float32".
    """
    tags = [get_tags(step).transformer_tags for step in steps_of(chain)]
    return [
        name
        for name in ("float64", "float32")
        if all(each is not None and name in each.preserves_dtype for each in tags)
    ]


def shortened(chain: Any, n_samples: int) -> Any:
    """Copy a fitted chain that skips padding, for clips that are shorter than the longest.

    Parameters
    ----------
    chain : transformer
        A chain for which `skips_padding` is true.
    n_samples : int
        Length to which the copy reads.

    Returns
    -------
    chain : transformer
        Shares all but the steps themselves with the original.
    """
    chain = copy.copy(chain)
    if isinstance(chain, Pipeline):
        chain.steps = [(name, _shortened_step(step, n_samples)) for name, step in chain.steps]
    elif isinstance(chain, FeatureUnion):
        members = chain.transformer_list
        chain.transformer_list = [
            (name, _shortened_step(each, n_samples)) for name, each in members
        ]
    elif isinstance(chain, AudioReader):
        chain.n_samples_ = n_samples
    elif hasattr(chain, "n_features_in_"):
        # The width that it has seen, and would insist on.
        del chain.n_features_in_
    return chain


def _shortened_step(step: Any, n_samples: int) -> Any:
    return step if step is None or isinstance(step, str) else shortened(step, n_samples)


def _steps(chain: Pipeline | FeatureUnion) -> Iterator[Any]:
    members = chain.steps if isinstance(chain, Pipeline) else chain.transformer_list
    for _, step in members:
        if step is not None and not isinstance(step, str):  # "passthrough" and "drop"
            yield step


def _hear_noise(reader: AudioReader) -> Any:
    """Let a reader make a row of noise."""
    n_noise = min(reader.n_samples_, round(_NOISE_SECONDS * reader.sample_rate))
    skipped = round(reader.offset * reader.sample_rate)
    clip = np.random.default_rng(0).uniform(-0.1, 0.1, skipped + n_noise)
    return reader.transform([clip])
