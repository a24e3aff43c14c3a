"""The ``sersk`` command: parse, call public functions, show and write what they return.

Heavy imports stand inside the functions, so that ``sersk --help`` answers at once.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__
from ._utils._files import atomic_path
from .exceptions import SerskError, SerskWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.utils import Bunch

PROTOCOLS = ("random", "text", "speaker", "speaker+text", "corpus")
_PACKAGES = ("numpy", "scipy", "scikit-learn", "imbalanced-learn", "librosa", "soundfile", "soxr")

_EXIT_FAILURE = 1
_EXIT_INTERRUPTED = 130

# The corpus of `sersk demo`: large enough that the gap shows, small enough for a minute.
_DEMO_CORPUS = {"n_speakers": 12, "n_sentences": 4, "repetitions": 2}

# A lone backspace tells click to leave the lines below it as they are.
_EXAMPLES = """\b
Examples:
  sersk evaluate --corpus ravdess --root RAVDESS --protocol random --protocol speaker
  sersk evaluate --corpus my_corpus.csv --protocol speaker --out results
"""

_out = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.json, predictions.csv and confusion_matrices.png.",
)
_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the results as JSON, and nothing else, to stdout.",
)
_seed = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of all that is random."
)
_n_jobs = click.option(
    "--n-jobs",
    type=int,
    default=-1,
    show_default=True,
    help="Folds that run at once, each in a process; -1 for all cores.",
)
_n_splits = click.option(
    "--n-splits",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Folds; fewer where there are fewer speakers or sentences.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sersk")
@click.option("--traceback", is_flag=True, help="Show where in the code an error arose.")
@click.pass_context
def cli(context: click.Context, traceback: bool) -> None:
    """Speech emotion recognition, evaluated honestly.

    Exit status: 0 all went well, 1 it failed, 2 the command line is wrong, 130 interrupted.
    """
    context.ensure_object(dict)["traceback"] = traceback


@cli.command()
@_n_splits
@_seed
@_n_jobs
@_out
@_json
def demo(n_splits: int, seed: int, n_jobs: int, out: Path | None, as_json: bool) -> None:
    """Evaluate a classical system on a small synthetic corpus.

    The same system is scored twice: with every voice on both sides of the split, as is usual, and
    on voices it never heard. The corpus is made by a formant synthesiser and written to a temporary
    folder; its scores say nothing of real speech. Takes less than a minute on two cores.
    """
    from .datasets import make_emotional_speech, write_corpus

    out = out or Path("sersk-demo")
    with tempfile.TemporaryDirectory(prefix="sersk-demo-") as folder:
        _say("Making a corpus of synthetic speech ...", as_json)
        corpus = write_corpus(make_emotional_speech(**_DEMO_CORPUS, random_state=seed), folder)
        _evaluate(
            corpus, "synthetic", "svm_functionals", ("random", "speaker"), n_splits, seed, n_jobs,
            out, as_json,
        )  # fmt: skip


@cli.command(epilog=_EXAMPLES)
@click.option(
    "--corpus",
    required=True,
    metavar="NAME|FILE.csv",
    help="ravdess, synthetic, or a CSV file with the columns path, emotion, speaker, sentence.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder of the recordings. For a CSV file by default the folder it lies in.",
)
@click.option("--recipe", default="svm_functionals", show_default=True, help="Name of the system.")
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice([*PROTOCOLS, "all"]),
    multiple=True,
    default=("speaker",),
    show_default=True,
    help="What training and test must not share; may be given several times. 'all' is every one "
    "but 'corpus'.",
)
@_n_splits
@_seed
@_n_jobs
@_out
@_json
def evaluate(
    corpus: str,
    root: Path | None,
    recipe: str,
    protocols: tuple[str, ...],
    n_splits: int,
    seed: int,
    n_jobs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Score a system on a corpus under one or several protocols."""
    if "all" in protocols:
        protocols = tuple(name for name in PROTOCOLS if name != "corpus")
    bunch, name = _load_corpus(corpus, root, seed)
    _evaluate(bunch, name, recipe, protocols, n_splits, seed, n_jobs, out, as_json)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit status.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments; by default those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # What sersk warns of is news for the user; the rest is between libraries.
    warnings.simplefilter("ignore")
    warnings.simplefilter("default", SerskWarning)
    warnings.showwarning = _show_warning
    state: dict[str, Any] = {}
    try:
        cli.main(arguments, prog_name="sersk", standalone_mode=False, obj=state)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. Results that were written are whole.", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    except (SerskError, ValueError, OSError) as error:
        if state.get("traceback"):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(_EXIT_FAILURE)
    sys.exit(0)


def _load_corpus(corpus: str, root: Path | None, seed: int) -> tuple[Bunch, str]:
    from . import datasets

    if corpus.lower().endswith(".csv"):
        return datasets.load_csv(corpus, root=root), Path(corpus).stem
    if corpus == "synthetic":
        return datasets.make_emotional_speech(**_DEMO_CORPUS, random_state=seed), corpus
    if corpus == "ravdess":
        if root is None:
            raise click.UsageError("--corpus ravdess needs --root, the folder of the recordings.")
        return datasets.load_ravdess(root), corpus
    raise click.BadParameter(
        f"unknown corpus {corpus!r}: ravdess, synthetic, or a file that ends in .csv",
        param_hint="--corpus",
    )


def _evaluate(
    corpus: Bunch,
    name: str,
    recipe: str,
    protocols: Sequence[str],
    n_splits: int,
    seed: int,
    n_jobs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Evaluate, show, and write; the two commands differ in what they hand in."""
    from .model_selection import evaluate_protocol
    from .recipes import make_recipe

    started = time.perf_counter()
    pipeline = make_recipe(recipe, random_state=seed)
    results = [
        evaluate_protocol(
            pipeline,
            corpus.data,
            corpus.target,
            groups=corpus.frame,
            protocol=protocol,
            n_splits=n_splits,
            random_state=seed,
            n_jobs=n_jobs,
            verbose=sys.stderr.isatty(),
        )
        for protocol in protocols
    ]
    document = {
        "command": shlex.join(["sersk", *sys.argv[1:]]),
        "corpus": _describe_corpus(corpus, name),
        "recipe": recipe,
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": {"sersk": __version__, **{package: version(package) for package in _PACKAGES}},
        "protocols": {result.protocol: _as_json(result) for result in results},
    }
    if as_json:
        click.echo(_to_text(document), nl=False)
    else:
        _print_results(document, results)
    if out is not None:
        _write(out, document, results, corpus)
        _say(f"Written to {out}: results.json, predictions.csv, confusion_matrices.png", as_json)


def _describe_corpus(corpus: Bunch, name: str) -> dict[str, Any]:
    frame = corpus.frame
    return {
        "name": name,
        "synthetic": bool((frame["corpus"] == "synthetic").any()),
        "n_clips": len(frame),
        "n_speakers": frame["speaker"].nunique() if "speaker" in frame.columns else None,
        "n_sentences": frame["sentence"].nunique() if "sentence" in frame.columns else None,
        "clips_by_emotion": frame["emotion"].value_counts().sort_index().to_dict(),
    }


def _as_json(result: Bunch) -> dict[str, Any]:
    """Turn a result into what JSON can hold; what is not there becomes null."""
    tables = {
        "scores": result.scores.to_json(orient="index"),
        "per_class": result.per_class.to_json(orient="index"),
        "confusion": result.confusion.to_json(orient="index"),
        "confused_pairs": result.confused_pairs.to_json(orient="records"),
        "folds": result.folds.to_json(orient="records"),
    }
    if result.per_speaker is not None:
        tables["per_speaker"] = result.per_speaker.to_json(orient="index")
    document = {name: json.loads(table) for name, table in tables.items()}
    return {**document, "unreadable": result.unreadable}


def _write(out: Path, document: dict[str, Any], results: list[Bunch], corpus: Bunch) -> None:
    """Write the three files, each whole or not at all."""
    import pandas as pd

    title = f"{document['recipe']} on {document['corpus']['name']}"
    predictions = pd.concat(
        [result.predictions.assign(protocol=result.protocol) for result in results]
    )
    if "path" in corpus.frame.columns:
        names = corpus.frame["path"].map(lambda path: Path(path).name)
        predictions["file"] = names.to_numpy()[predictions["row"]]
    with atomic_path(out / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)
    with atomic_path(out / "confusion_matrices.png") as temporary:
        _draw_confusion_matrices(results, title).savefig(temporary, dpi=120)
    with atomic_path(out / "results.json") as temporary:
        temporary.write_text(_to_text(document), encoding="utf-8")


def _to_text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _print_results(document: dict[str, Any], results: list[Bunch]) -> None:
    from rich.console import Console
    from rich.table import Table

    corpus = document["corpus"]
    console = Console(highlight=False)
    title = f"{document['recipe']} on {corpus['name']}: {corpus['n_clips']} clips"
    if corpus["n_speakers"]:
        title += f", {corpus['n_speakers']} speakers"
    table = Table(title=title, title_justify="left")
    table.add_column("split", no_wrap=True)
    for heading in ("folds", "tested", "dropped", "UAR", "interval", "accuracy", "macro F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        scores = 100 * result.scores
        uar = scores.loc["balanced_accuracy"]
        table.add_row(
            result.protocol,
            str(len(result.folds)),
            str(len(result.predictions)),
            f"{result.folds['n_dropped'].mean():.0f}",
            f"{uar['score']:.1f}",
            "-" if math.isnan(uar["low"]) else f"{uar['low']:.1f} to {uar['high']:.1f}",
            f"{scores.loc['accuracy', 'score']:.1f}",
            f"{scores.loc['f1_macro', 'score']:.1f}",
        )
    console.print(table)
    console.print(
        "In percent. UAR: mean recall of the emotions, with its 95 % interval from resampling\n"
        "speakers. Dropped: clips a fold that may stand in neither part.",
        style="dim",
    )
    for result in results:
        _print_details(console, result)
    gap = _gap(results)
    if gap is not None:
        console.print(
            f"\nOf the UAR of the random split, {gap:.1f} points are gone on voices never heard.",
            style="bold",
        )
    if corpus["synthetic"]:
        console.print("The corpus is synthetic: these figures say nothing of real speech.")
    console.print(f"[dim]{document['seconds']:.0f} s[/dim]")


def _print_details(console: Any, result: Bunch) -> None:
    if result.scores["low"].isna().all() and result.per_speaker is not None:
        scores = ", ".join(
            f"{speaker} {100 * score:.1f}"
            for speaker, score in result.per_speaker["balanced_accuracy"].items()
        )
        console.print(
            f"{result.protocol}: too few speakers for an interval. UAR by speaker: {scores}"
        )
    worst = result.confused_pairs.head(3)
    if len(worst):
        pairs = ", ".join(
            f"{pair.true} as {pair.predicted} {100 * pair.share:.0f} %"
            for pair in worst.itertuples()
        )
        console.print(f"{result.protocol}: most confused are {pairs}")
    if result.unreadable:
        console.print(f"{result.protocol}: {len(result.unreadable)} file(s) could not be read")


def _gap(results: list[Bunch]) -> float | None:
    uar = {result.protocol: result.scores.loc["balanced_accuracy", "score"] for result in results}
    if not {"random", "speaker"} <= uar.keys():
        return None
    return float(100 * (uar["random"] - uar["speaker"]))


def _draw_confusion_matrices(results: list[Bunch], title: str) -> Figure:
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay

    size = 1.6 + 0.5 * max(len(result.confusion) for result in results)
    figure = Figure(figsize=(size * len(results) + 0.4, size + 0.7), layout="constrained")
    for axes, result in zip(
        figure.subplots(1, len(results), squeeze=False)[0], results, strict=True
    ):
        shares = result.confusion.div(result.confusion.sum(axis=1).clip(lower=1), axis=0)
        ConfusionMatrixDisplay(100 * shares.to_numpy(), display_labels=shares.index).plot(
            ax=axes, cmap="Blues", values_format=".0f", colorbar=False, xticks_rotation=45,
            im_kw={"vmin": 0, "vmax": 100},
        )  # fmt: skip
        uar = 100 * result.scores.loc["balanced_accuracy", "score"]
        axes.set_title(f"{result.protocol} split: UAR {uar:.1f} %")
    figure.suptitle(f"{title} (percent of each true emotion)")
    return figure


def _say(message: str, as_json: bool) -> None:
    if not as_json:
        click.echo(message, err=True)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {message}", err=True)
