"""``sersk train``: fit a recipe on all clips of a corpus, and keep it as a file."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._evaluate import calibrate_option
from ._loading import load_corpora
from ._options import (
    corpus_option,
    memory_option,
    options_option,
    refuse_unwritable,
    root_option,
    seed_option,
)

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_EXAMPLES = """\b
Examples:
  sersk train --corpus ravdess --root RAVDESS --out model.skops
  sersk train --corpus my_corpus.csv --recipe crnn_svm_ensemble --option n_nets=2 --out m.skops
  sersk evaluate --corpus my_corpus.csv --recipe gradient_boosting_functionals --out results
  sersk train --corpus my_corpus.csv --protocol-scores results/results.json --out model.skops
"""


@click.command(epilog=_EXAMPLES)
@corpus_option
@root_option
@click.option(
    "--recipe",
    default="gradient_boosting_functionals",
    show_default=True,
    help="Name of the system. svm_functionals gives no probabilities but with --calibrate.",
)
@options_option()
@calibrate_option
@seed_option
@memory_option
@click.option(
    "--protocol-scores",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A results.json that `sersk evaluate` wrote of the same recipe and corpus, for the card.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The model file, by custom *.skops.",
)
def train(
    corpora: tuple[str, ...],
    roots: tuple[Path, ...],
    recipe: str,
    options: dict[str, Any],
    calibrate: bool,
    seed: int,
    memory: Path | None,
    protocol_scores: Path | None,
    out: Path,
) -> None:
    """Train a system on all clips of a corpus, and write it to a file that runs no code.

    Systems that stop early hold speakers out for that. The file carries a model card, see `sersk
    card`, and how the training recordings were made, so that `sersk predict` can warn of others. A
    model that was trained on all clips has none left to be tested on: `sersk evaluate` tells what
    to expect of it.
    """
    from .._utils._interrupts import interrupts_passed_on
    from .._utils._sample_rates import sample_rates
    from ..model_selection import ValidationHoldout
    from ..persistence import RecordingProfile, read_card, save
    from ..recipes import make_recipe, recipe_info
    from ..recipes._prepare import (
        check_calibration,
        check_options,
        choose_clips,
        with_calibration,
    )

    # What cannot work is found before hours of training.
    info = recipe_info(recipe)
    options = check_options(info, options)
    make_recipe(recipe, **options)
    refuse_unwritable(out.parent)
    corpus, name = load_corpora(corpora, roots, seed)
    scores = None
    told = {**options, "calibrate": True} if calibrate else options
    if protocol_scores is not None:
        scores = _read_scores(protocol_scores, {"recipe": recipe, "options": told, "corpus": name})
    corpus = take_clips(corpus, *choose_clips(info, corpus, "speaker"))
    if calibrate:
        check_calibration(corpus.data, corpus.target)
    with nullcontext(str(memory)) if memory else tempfile.TemporaryDirectory() as store:
        model: Any = make_recipe(recipe, memory=store, random_state=seed, **options)
        speakers: dict[str, Any] = {}
        if info.validation_size:
            model = ValidationHoldout(model, size=info.validation_size, random_state=seed)
            # Where it is calibrated, clips have a column of speakers.
            if "speaker" in corpus.frame.columns and not calibrate:
                speakers = {"groups": corpus.frame}
        if calibrate:
            model = with_calibration(model, seed)
        with interrupts_passed_on():
            model.fit(corpus.data, corpus.target, **speakers)
        rate = next(iter(sample_rates(model).values()), 16000)
        profile = RecordingProfile.from_clips(corpus.data, sample_rate=rate, memory=store)
    checksum = save(
        model,
        out,
        corpus=corpus,
        protocol_scores=scores,
        recipe=name_system(recipe, told),
        profile=profile,
    )
    click.echo(read_card(out).head())
    click.echo(f"\nWritten to {out}: {os.path.getsize(out)} bytes, SHA-256 {checksum}", err=True)


def name_system(recipe: str, options: dict[str, Any]) -> str:
    """Name a recipe with the options that it was made with, for a card."""
    from ..recipes._results import options_json, options_text

    return f"{recipe} ({options_text(options_json(options))})" if options else recipe


def take_clips(corpus: Bunch, rows: Any, emotions: Any) -> Bunch:
    """Give the clips that a recipe is trained on, called as its source calls them."""
    from sklearn.utils import _safe_indexing

    frame = corpus.frame.iloc[rows].assign(emotion=emotions).reset_index(drop=True)
    data = _safe_indexing(corpus.data, rows)
    if hasattr(data, "reset_index"):
        data = data.reset_index(drop=True)
    return type(corpus)(**{**corpus, "data": data, "target": emotions, "frame": frame})


def _read_scores(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Read scores, and refuse those of another system or corpus."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = {**document, "corpus": document["corpus"]["name"]}
        found = {name: found[name] for name in ("recipe", "options", "corpus", "protocols")}
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"{str(path)!r} is no results.json of sersk evaluate ({type(error).__name__}: {error})."
        ) from error
    for name, value in wanted.items():
        if found[name] != value:
            raise click.ClickException(
                f"{str(path)!r} has scores of {name} {found[name]!r}, and {value!r} is trained: "
                "run sersk evaluate for this one."
            )
    return found
