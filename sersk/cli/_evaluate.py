"""``sersk demo`` and ``sersk evaluate``: score a system under protocols."""

from __future__ import annotations

import hashlib
import shlex
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import ClipCutWarning
from ._loading import DEMO_CORPUS, load_corpora
from ._options import (
    AS_PUBLISHED,
    NETS_TAKE_ALL,
    PROTOCOLS,
    corpus_option,
    json_option,
    memory_option,
    n_jobs_option,
    n_splits_option,
    options_option,
    recipe_option,
    refuse_unwritable,
    root_option,
    seed_option,
    versions,
)
from ._output import describe_corpus, print_results, say, to_json, to_text, write_results

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from ..recipes import PreparedRun

# A lone backspace tells click to leave the lines below it as they are.
_EXAMPLES = """\b
Examples:
  sersk evaluate --corpus ravdess --root RAVDESS --protocol random --protocol speaker
  sersk evaluate --corpus my_corpus.csv --protocol speaker --out results
  sersk evaluate --corpus my_corpus.csv --option C=1.0 --seed 0 --seed 1 --out results --report
"""


out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for results.json, predictions.csv and confusion_matrices.png.",
)
calibrate_option = click.option(
    "--calibrate",
    is_flag=True,
    help="Calibrate the probabilities on speakers held out of the training clips. Trains four "
    "times; gives probabilities to systems that have none.",
)


@click.command()
@n_splits_option
@seed_option
@n_jobs_option()
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
    refuse_unwritable(out)
    with tempfile.TemporaryDirectory(prefix="sersk-demo-") as folder:
        say("Making a corpus of synthetic speech ...", as_json)
        corpus = write_corpus(make_emotional_speech(**DEMO_CORPUS, random_state=seed), folder)
        _evaluate(
            corpus, "synthetic", "svm_functionals", {}, ("random", "speaker"), n_splits, (seed,),
            n_jobs, None, out, Path(folder), True, as_json,
        )  # fmt: skip


@click.command(epilog=_EXAMPLES)
@corpus_option
@root_option
@recipe_option
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice([*PROTOCOLS, AS_PUBLISHED, "all"]),
    multiple=True,
    default=("speaker",),
    show_default=True,
    help="What training and test must not share; may be given several times. 'all' is every one "
    "but 'corpus'; 'as-published' is the split by clip of the recipe's source.",
)
@options_option()
@calibrate_option
@n_splits_option
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(min=0),
    multiple=True,
    default=(0,),
    show_default=True,
    help="Seed of all that is random. Given several times: all is computed with each.",
)
@n_jobs_option(more=NETS_TAKE_ALL)
@memory_option
@out_option
@click.option("--report", is_flag=True, help="Write report.html into the folder, too.")
@json_option
def evaluate(
    corpora: tuple[str, ...],
    roots: tuple[Path, ...],
    recipe: str,
    protocols: tuple[str, ...],
    options: dict[str, Any],
    calibrate: bool,
    n_splits: int,
    seeds: tuple[int, ...],
    n_jobs: int,
    memory: Path | None,
    out: Path | None,
    report: bool,
    as_json: bool,
) -> None:
    """Score a system on a corpus under one or several protocols.

    With --out, folds that are finished survive Ctrl-C: the same command goes on with the others.
    """
    from ..recipes import recipe_info

    if report and out is None:
        raise click.UsageError("--report needs --out, the folder for it.")
    if out is not None:
        refuse_unwritable(out)
    if "all" in protocols:
        protocols = (*(name for name in PROTOCOLS if name != "corpus"), *protocols)
        protocols = tuple(name for name in protocols if name != "all")
    loading = recipe_info(recipe).loading if AS_PUBLISHED in protocols else {}
    bunch, name = load_corpora(corpora, roots, seeds[0], loading=loading)
    if set(loading) & set(bunch.frame.columns) and set(protocols) != {AS_PUBLISHED}:
        taken = ", ".join(f"{option}={value}" for option, value in loading.items())
        say(f"All protocols are scored on the clips of the source of {recipe}: {taken}.", as_json)
    _evaluate(
        bunch, name, recipe, options, protocols, n_splits, seeds, n_jobs, memory, out, out, report,
        as_json, calibrate=calibrate,
    )  # fmt: skip


def _evaluate(
    corpus: Bunch,
    name: str,
    recipe: str,
    options: dict[str, Any],
    protocols: Sequence[str],
    n_splits: int,
    seeds: Sequence[int],
    n_jobs: int,
    memory: Path | None,
    out: Path | None,
    finished: Path | None,
    report: bool,
    as_json: bool,
    *,
    calibrate: bool = False,
) -> None:
    """Evaluate, show, and write; the two commands differ in what they hand in."""
    from ..recipes import prepare_run

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        # The recipe is made and the folds are drawn first: what cannot work is found before
        # anything is computed.
        runs = [
            prepare_run(
                recipe, corpus, name=name, protocol=protocol, seed=seed, n_splits=n_splits,
                options=options, calibrate=calibrate, memory=memory or Path(temporary) / "features",
            )
            for seed in dict.fromkeys(seeds)
            for protocol in dict.fromkeys(protocols)
        ]  # fmt: skip
        files = [_folds_file(run, finished or Path(temporary)) for run in runs]
        results = _compute(runs, corpus, files, n_jobs)
    named = results
    if len(set(seeds)) > 1:
        named = [
            type(result)(**{**result, "protocol": f"{result.protocol}, seed {result.seed}"})
            for result in results
        ]
    document = {
        "command": shlex.join(["sersk", *sys.argv[1:]]),
        "corpus": describe_corpus(corpus, name),
        "recipe": recipe,
        "condition": runs[0].condition,
        "options": runs[0].options,
        "seed": seeds[0],
        "seeds": list(dict.fromkeys(seeds)),
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(),
        "protocols": {result.protocol: to_json(result) for result in named},
    }
    # Written first: what went wrong with the terminal must not cost the results.
    if out is not None:
        write_results(out, document, named, corpus)
        if report:
            _write_report(out, results, corpus, name)
        for file in files:
            file.unlink(missing_ok=True)  # the next time all is computed
        also = ", report.html" if report else ""
        say(
            f"Written to {out}: results.json, predictions.csv, confusion_matrices.png{also}",
            as_json,
        )
    if as_json:
        click.echo(to_text(document), nl=False)
    else:
        print_results(document, named)


def _folds_file(run: PreparedRun, folder: Path) -> Path:
    """Name the file of finished folds of a run: its own, as other commands may use the folder."""
    digest = hashlib.blake2b(repr(run.key).encode(), digest_size=4).hexdigest()
    return folder / f"folds-{run.protocol}-{run.seed}-{digest}.jsonl"


def _compute(runs: list[PreparedRun], corpus: Bunch, files: list[Path], n_jobs: int) -> list[Bunch]:
    """Compute the folds that are not there yet, and put all of them together."""
    from ..recipes import compute_run
    from ..recipes._results import ResultsFile
    from ..recipes._summaries import speakers_of, summarize_run

    for run, path in zip(runs, files, strict=True):
        errors = compute_run(run, path, n_jobs=n_jobs, verbose=sys.stderr.isatty())
        if errors:
            fold, error = next(iter(errors.items()))
            more = f" (And {len(errors) - 1} more.)" if len(errors) > 1 else ""
            raise click.ClickException(f"{run.key}, fold {fold}: {error}{more}")
    results = []
    for run, path in zip(runs, files, strict=True):
        folds = ResultsFile(path).refresh().folds.get(run.key, {})
        if len(folds) < len(run.folds):
            raise click.ClickException(
                f"Folds of {run.key} are not in {str(path)!r}: another command computes the same "
                "in the same folder. Wait for that one, or give this one a folder of its own."
            )
        in_order = [fold for _, fold in sorted(folds.items())]
        results.append(summarize_run(run.key, in_order, speakers_of(corpus)))
    return results


def _write_report(out: Path, results: list[Bunch], corpus: Bunch, name: str) -> None:
    from ..inspection import write_report

    title = f"{results[0].recipe} on {name}"
    write_report(out / "report.html", results, corpora={name: corpus}, title=title)
