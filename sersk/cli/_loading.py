"""Corpora as the commands name them: known ones, CSV files, the synthetic one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._utils._names import did_you_mean

if TYPE_CHECKING:
    from sklearn.utils import Bunch

CORPORA = ("cremad", "emodb", "ravdess", "savee", "tess")

# The corpus of `sersk demo`: large enough that the gap shows, small enough for a minute.
DEMO_CORPUS = {"n_speakers": 12, "n_sentences": 4, "repetitions": 2}


def load_corpora(
    names: Sequence[str],
    roots: Sequence[Path],
    seed: int,
    *,
    loading: Mapping[str, Any] | None = None,
    asked_by: str = "--corpus",
    **options: Any,
) -> tuple[Bunch, str]:
    """Load one corpus, or several as one, and give it a name.

    Options go to the loaders by name; those in `loading` to the loaders that have them. `asked_by`
    is how the command line calls the name of a corpus.
    """
    from ..datasets import concat_corpora

    if len(roots) > len(names):
        raise click.UsageError("There are more --root than --corpus: give one for each, in order.")
    folders = [*roots, *[None] * (len(names) - len(roots))]
    corpora = [
        _load_corpus(name, folder, seed, loading or {}, asked_by, **options)
        for name, folder in zip(names, folders, strict=True)
    ]
    title = "+".join(Path(name).stem for name in names)
    return (corpora[0] if len(corpora) == 1 else concat_corpora(corpora)), title


def _load_corpus(
    name: str,
    root: Path | None,
    seed: int,
    loading: Mapping[str, Any],
    asked_by: str,
    **options: Any,
) -> Bunch:
    from .. import datasets

    if name.lower().endswith(".csv"):
        return datasets.load_csv(name, root=root)
    if name == "synthetic":
        return datasets.make_emotional_speech(**DEMO_CORPUS, random_state=seed)
    if name not in CORPORA:
        raise click.BadParameter(
            f"unknown corpus {name!r}.{did_you_mean(name, CORPORA)} Known: {', '.join(CORPORA)}, "
            "synthetic, or a file that ends in .csv",
            param_hint=asked_by,
        )
    if root is None:
        raise click.UsageError(f"{asked_by} {name} needs --root, the folder of the recordings.")
    loader = getattr(datasets, f"load_{name}")
    taken = inspect.signature(loader).parameters
    own = {option: value for option, value in loading.items() if option in taken}
    return loader(root, **own, **options)
