"""``sersk demo`` and ``sersk evaluate``: score a system under protocols."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..exceptions import ClipCutWarning
from ._loading import CORPORA, DEMO_CORPUS, load_corpora
from ._output import describe_corpus, print_results, say, to_json, to_text, write_results

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_PROTOCOLS = ("random", "text", "speaker", "speaker+text", "corpus")
_PACKAGES = ("numpy", "scipy", "scikit-learn", "imbalanced-learn", "librosa", "soundfile", "soxr")


# A lone backspace tells click to leave the lines below it as they are.
_EXAMPLES = """\b
Examples:
  sersk evaluate --corpus ravdess --root RAVDESS --protocol random --protocol speaker
  sersk evaluate --corpus my_corpus.csv --protocol speaker --out results
"""


def _refuse_zero(context: click.Context, parameter: click.Parameter, value: int) -> int:
    if value == 0:
        raise click.BadParameter("0 jobs do nothing: 1 or more, or -1 for all cores.")
    return value


corpus_option = click.option(
    "--corpus",
    "corpora",
    required=True,
    multiple=True,
    metavar="NAME|FILE.csv",
    help=f"{', '.join(CORPORA)}, synthetic, or a CSV file with the columns path, emotion, "
    "speaker, sentence. Given several times: all of them together.",
)
root_option = click.option(
    "--root",
    "roots",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of the recordings, one for each --corpus; for a CSV file by default its own.",
)
recipe_option = click.option(
    "--recipe", default="svm_functionals", show_default=True, help="Name of the system."
)
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.json, predictions.csv and confusion_matrices.png.",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the results as JSON, and nothing else, to stdout.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of all that is random.",
)
n_jobs_option = click.option(
    "--n-jobs",
    type=int,
    callback=_refuse_zero,
    default=-1,
    show_default=True,
    help="Folds that run at once, each in a process; -1 for all cores.",
)
n_splits_option = click.option(
    "--n-splits",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Folds; fewer where there are fewer speakers or sentences.",
)
memory_option = click.option(
    "--memory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which the features of each clip are kept for later runs, 10 GiB at most. "
    "Without it they are kept for this run.",
)


@click.command()
@n_splits_option
@seed_option
@n_jobs_option
@out_option
@json_option
def demo(n_splits: int, seed: int, n_jobs: int, out: Path | None, as_json: bool) -> None:
    """Evaluate a classical system on a small synthetic corpus.

    The same system is scored twice: with every voice on both sides of the split, as is usual, and
    on voices it never heard. The corpus is made by a formant synthesiser and written to a temporary
    folder; its scores say nothing of real speech. Takes less than a minute on two cores.
    """
    from ..datasets import make_emotional_speech, write_corpus

    # A cut of a tenth of a second is no news for a newcomer.
    warnings.simplefilter("ignore", ClipCutWarning)
    out = out or Path("sersk-demo")
    with tempfile.TemporaryDirectory(prefix="sersk-demo-") as folder:
        say("Making a corpus of synthetic speech ...", as_json)
        corpus = write_corpus(make_emotional_speech(**DEMO_CORPUS, random_state=seed), folder)
        _evaluate(
            corpus, "synthetic", "svm_functionals", ("random", "speaker"), n_splits, seed, n_jobs,
            None, out, as_json,
        )  # fmt: skip


@click.command(epilog=_EXAMPLES)
@corpus_option
@root_option
@recipe_option
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice([*_PROTOCOLS, "all"]),
    multiple=True,
    default=("speaker",),
    show_default=True,
    help="What training and test must not share; may be given several times. 'all' is every one "
    "but 'corpus'.",
)
@n_splits_option
@seed_option
@n_jobs_option
@memory_option
@out_option
@json_option
def evaluate(
    corpora: tuple[str, ...],
    roots: tuple[Path, ...],
    recipe: str,
    protocols: tuple[str, ...],
    n_splits: int,
    seed: int,
    n_jobs: int,
    memory: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Score a system on a corpus under one or several protocols."""
    if "all" in protocols:
        protocols = (*(name for name in _PROTOCOLS if name != "corpus"), *protocols)
        protocols = tuple(name for name in protocols if name != "all")
    bunch, name = load_corpora(corpora, roots, seed)
    _evaluate(bunch, name, recipe, protocols, n_splits, seed, n_jobs, memory, out, as_json)


def versions() -> dict[str, str]:
    """Tell the versions of all that scores depend on."""
    return {"sersk": __version__, **{package: version(package) for package in _PACKAGES}}


def refuse_unwritable(out: Path) -> None:
    """Find out beforehand, without leaving a trace, whether results can be written."""
    nearest = next(
        folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists()
    )
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise click.BadParameter(f"cannot write below {str(nearest)!r}", param_hint="--out")


def _evaluate(
    corpus: Bunch,
    name: str,
    recipe: str,
    protocols: Sequence[str],
    n_splits: int,
    seed: int,
    n_jobs: int,
    memory: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Evaluate, show, and write; the two commands differ in what they hand in."""
    from ..model_selection import ProtocolSplit, evaluate_protocol
    from ..recipes import make_recipe

    started = time.perf_counter()
    # The recipe is made and the folds are drawn first: what cannot work is found before anything is
    # computed.
    make_recipe(recipe)
    splitters = [
        ProtocolSplit(protocol, n_splits=n_splits, random_state=seed)
        for protocol in dict.fromkeys(protocols)
    ]
    for splitter in splitters:
        list(splitter.split(corpus.data, corpus.target, corpus.frame))
    if out is not None:
        refuse_unwritable(out)
    with nullcontext(memory) if memory else tempfile.TemporaryDirectory() as store:
        pipeline = make_recipe(recipe, memory=store, random_state=seed)
        results = [
            evaluate_protocol(
                pipeline,
                corpus.data,
                corpus.target,
                groups=corpus.frame,
                protocol=splitter,
                random_state=seed,
                n_jobs=n_jobs,
                verbose=sys.stderr.isatty(),
            )
            for splitter in splitters
        ]
    document = {
        "command": shlex.join(["sersk", *sys.argv[1:]]),
        "corpus": describe_corpus(corpus, name),
        "recipe": recipe,
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(),
        "protocols": {result.protocol: to_json(result) for result in results},
    }
    # Written first: what went wrong with the terminal must not cost the results.
    if out is not None:
        write_results(out, document, results, corpus)
        say(f"Written to {out}: results.json, predictions.csv, confusion_matrices.png", as_json)
    if as_json:
        click.echo(to_text(document), nl=False)
    else:
        print_results(document, results)
