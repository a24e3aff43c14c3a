"""``sersk audit``: how much of a system's score is leak."""

from __future__ import annotations

import json
import math
import shlex
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._utils._files import atomic_path
from ._loading import load_corpora
from ._options import (
    corpus_option,
    json_option,
    memory_option,
    n_jobs_option,
    n_splits_option,
    recipe_option,
    refuse_unwritable,
    root_option,
    seed_option,
    versions,
)
from ._output import describe_corpus, say, to_json, to_text

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_STRANGERS = "speaker"

_EXAMPLES = """\b
Examples:
  sersk audit --corpus savee --root SAVEE
  sersk audit --corpus my_corpus.csv --memory features --out results
"""


@click.command(epilog=_EXAMPLES)
@corpus_option
@root_option
@recipe_option
@n_splits_option
@seed_option
@n_jobs_option()
@memory_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for audit.json, audit.csv and audit.png.",
)
@json_option
def audit(
    corpora: tuple[str, ...],
    roots: tuple[Path, ...],
    recipe: str,
    n_splits: int,
    seed: int,
    n_jobs: int,
    memory: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show how much of a system's score is leak.

    The system is scored on the same clips with copies made before a random split, with rare
    emotions repeated before it, and with all of that inside the folds: at random, and with
    sentences, speakers or both kept apart. What a score is above that on speakers never heard does
    not come from hearing emotions.
    """
    from ..model_selection import audit_leakage
    from ..recipes import make_recipe, prepare_run
    from ..recipes._runs import trains_net

    started = time.perf_counter()
    make_recipe(recipe)  # a wrong name is found before anything is loaded
    if out is not None:
        refuse_unwritable(out)
    corpus, name = load_corpora(corpora, roots, seed)
    with nullcontext(memory) if memory else tempfile.TemporaryDirectory() as store:
        # The system and the clips are those that `sersk evaluate` scores.
        run = prepare_run(recipe, corpus, name=name, protocol="random", seed=seed, memory=store)
        found = audit_leakage(
            run.estimator,
            run.X,
            run.y,
            run.groups,
            n_splits=n_splits,
            random_state=seed,
            n_jobs=1 if trains_net(run.estimator) else n_jobs,
            verbose=sys.stderr.isatty(),
        )
    document = {
        "command": shlex.join(["sersk", *sys.argv[1:]]),
        "corpus": describe_corpus(corpus, name),
        "recipe": recipe,
        "augmenter": " ".join(repr(found.augmenter).split()),
        "seed": seed,
        "n_splits": n_splits,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(),
        "chance": found.chance,
        "table": json.loads(found.table.to_json(orient="index")),
        "left_out": found.left_out,
        "conditions": {name: to_json(result) for name, result in found.results.items()},
    }
    # Written first: what went wrong with the terminal must not cost the results.
    if out is not None:
        _write(out, document, found)
        say(f"Written to {out}: audit.json, audit.csv, audit.png", as_json)
    if as_json:
        click.echo(to_text(document), nl=False)
    else:
        _print(document, found)


def _write(out: Path, document: dict[str, Any], found: Bunch) -> None:
    """Write the three files, each whole or not at all."""
    from matplotlib.figure import Figure

    from ..inspection import LeakageDisplay

    with atomic_path(out / "audit.csv") as temporary:
        found.table.to_csv(temporary)
    figure = Figure(figsize=(8.0, 4.0), layout="constrained")
    title = f"{document['recipe']} on {document['corpus']['name']}"
    LeakageDisplay.from_audit(found, ax=figure.subplots(), title=title)
    with atomic_path(out / "audit.png") as temporary:
        figure.savefig(temporary, dpi=120)
    with atomic_path(out / "audit.json") as temporary:
        temporary.write_text(to_text(document), encoding="utf-8")


def _print(document: dict[str, Any], found: Bunch) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    corpus = document["corpus"]
    # Labels and names are data: brackets in them are not markup.
    console = Console(highlight=False, markup=False)
    title = Text(f"{document['recipe']} on {corpus['name']}: {corpus['n_clips']} clips")
    if corpus["n_speakers"]:
        title.append(f", {corpus['n_speakers']} speaker(s)")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("condition", no_wrap=True)
    for heading in ("tested", "leaked", "UAR", "interval", "acc.", "gap"):
        table.add_column(heading, justify="right", no_wrap=True)
    for condition, row in found.table.iterrows():
        gap = row["above_speaker"]
        table.add_row(
            str(condition),
            str(row["n_tested"]),
            str(row["n_leaked"]),
            f"{100 * row['balanced_accuracy']:.1f}",
            "-" if math.isnan(row["low"]) else f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
            f"{100 * row['accuracy']:.1f}",
            "" if condition == _STRANGERS or math.isnan(gap) else f"{100 * gap:+.1f}",
        )
    console.print(table)
    console.print(
        "In percent. UAR: mean recall of the emotions, and its 95 % interval (speakers\n"
        "resampled); acc.: accuracy. Leaked: tested clips of which a copy was trained on.\n"
        f"Gap: UAR above that on speakers never heard. Chance is {100 * found.chance:.1f}.\n",
        style="dim",
    )
    console.print(_say_what_it_means(found), style="bold")
    if corpus["synthetic"]:
        console.print("The corpus is synthetic: these figures say nothing of real speech.")
    console.print(f"{document['seconds']:.0f} s", style="dim")


def _say_what_it_means(found: Bunch) -> str:
    uar = 100 * found.table["balanced_accuracy"]
    best = uar.idxmax()
    if _STRANGERS not in uar.index:
        return "Without two speakers or more, nothing tells what the scores are worth on strangers."
    strangers = uar[_STRANGERS]
    if best == _STRANGERS:
        return f"On voices never heard UAR is {strangers:.1f} %; no other way to test gives more."
    return (
        f"Of the {uar[best]:.1f} % UAR of {str(best)!r}, {uar[best] - strangers:.1f} points do not "
        f"hold for voices never heard: there it is {strangers:.1f} %."
    )
