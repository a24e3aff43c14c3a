"""All that a search found, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._report import _environment

_TEMPLATE = "search.html.j2"


def render_search(
    document: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    pictures: Sequence[tuple[str, Mapping[str, Any]]],
) -> str:
    """Make the page of a search.

    Parameters
    ----------
    document : mapping
        What ``sersk tune`` writes to ``best.json``.
    trials : sequence of mapping
        ``trial``, ``state``, ``score``, ``std``, ``parameters`` and ``error`` of each, as text or
        numbers.
    pictures : sequence of (str, mapping)
        Headings, and ``png``, ``width`` and ``alt`` of each picture.

    Returns
    -------
    page : str
        HTML that holds its pictures and its style, and runs no script.
    """
    corpus = document["corpus"]
    return _environment().get_template(_TEMPLATE).render(
        title=f"Search: {document['recipe']} on {corpus['name']}",
        best=document["best"],
        n_folds=document["n_folds"],
        synthetic=corpus["synthetic"],
        pictures=pictures,
        trials=trials,
        command=document["command"],
        versions=document["versions"],
        seed=document["seed"],
        seconds=document["seconds"],
    )  # fmt: skip
