"""``sersk tune``: search for the parameters of a system, and go on where it was stopped."""

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
from ._output import describe_corpus, say, to_text

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

    from ..model_selection import PipelineSearchCV
    from ..recipes import PreparedRun

# How many of the best trials are shown.
_ROWS = 10
# At which pictures are drawn on a page.
_PAGE_DPI = 96

_EXAMPLES = """\b
Examples:
  sersk tune --corpus savee --root SAVEE --n-trials 30 --out tuned
  sersk tune --corpus my_corpus.csv --recipe conv2d_mel --timeout 3600 --memory features
  sersk tune --corpus my_corpus.csv --out tuned --report --save tuned/m.skops
"""


@click.command(epilog=_EXAMPLES)
@corpus_option
@root_option
@recipe_option
@options_option(" What is searched overrides it.")
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="speaker",
    show_default=True,
    help="What training and test of the trials must not share.",
)
@n_splits_option
@click.option(
    "--n-trials",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Trials in the end, those of earlier runs included.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which no trial begins.",
)
@click.option(
    "--storage",
    metavar="FILE|URL",
    help="Where trials are kept: a journal file or the URL of a database. By default study.log "
    "in the folder of --out.",
)
@seed_option
@n_jobs_option("Trials", 1, " With 1, a search that goes on draws what it would have drawn.")
@memory_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sersk-tune"),
    show_default=True,
    help="Folder for trials.csv, best.json, history.png, slices.png and importances.png.",
)
@click.option(
    "--save",
    "model_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="MODEL.skops",
    help="Train the best parameters on all clips, and write the model to this file, as `sersk "
    "train` does.",
)
@click.option("--report", is_flag=True, help="Write report.html into the folder, too.")
@json_option
def tune(
    corpora: tuple[str, ...],
    roots: tuple[Path, ...],
    recipe: str,
    options: dict[str, Any],
    protocol: str,
    n_splits: int,
    n_trials: int,
    timeout: float | None,
    storage: str | None,
    seed: int,
    n_jobs: int,
    memory: Path | None,
    out: Path,
    model_file: Path | None,
    report: bool,
    as_json: bool,
) -> None:
    """Search for the parameters of a system.

    Trials are scored on folds of the corpus, and the best score flatters: it is the best of many on
    the same folds. The same command goes on where it was stopped. Ctrl-C writes and shows what is
    known until then.
    """
    from ..model_selection import PipelineSearchCV
    from ..model_selection._search_study import without_password
    from ..recipes import prepare_run

    started = time.perf_counter()
    refuse_unwritable(out)
    if model_file is not None:
        refuse_unwritable(model_file.parent, "--save")
    corpus, name = load_corpora(corpora, roots, seed)
    with nullcontext(memory) if memory else tempfile.TemporaryDirectory() as store:
        run = prepare_run(
            recipe, corpus, name=name, protocol=protocol, seed=seed, n_splits=n_splits,
            options=options, memory=Path(store),
        )  # fmt: skip
        search = PipelineSearchCV(
            run.estimator,
            cv=run.folds,
            n_trials=n_trials,
            timeout=timeout,
            storage=storage or out / "study.log",
            study_name=recipe,
            refit=False,
            n_jobs=n_jobs,
            random_state=seed,
            verbose=int(sys.stderr.isatty()),
        ).fit(run.X, run.y, groups=run.who)
        saved, interrupted = {}, search.interrupted_
        if model_file is not None:
            try:
                saved = {"model": _save(search, run, corpus, model_file, store)}
            except KeyboardInterrupt:
                interrupted = True  # what was found is written all the same
    document = _describe(search, run, corpus, name) | {
        "command": without_password(shlex.join(["sersk", *sys.argv[1:]])),
        "recipe": recipe,
        "options": options,
        "protocol": protocol,
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": versions(),
        **saved,
    }
    written = _write(out, document, search, report=report)
    say(f"Written to {out}: {', '.join(written)}", as_json)
    if saved:
        say(f"Written to {model_file}: SHA-256 {saved['model']['sha256']}", as_json)
    if as_json:
        click.echo(to_text(document), nl=False)
    else:
        _print(document, search.trials_dataframe())
    if interrupted:
        raise KeyboardInterrupt


def _describe(
    search: PipelineSearchCV, run: PreparedRun, corpus: Bunch, name: str
) -> dict[str, Any]:
    trials = search.trials_dataframe()
    return {
        "corpus": describe_corpus(corpus, name),
        "condition": run.condition,
        "study": search.study_.study_name,
        "n_folds": search.n_splits_,
        "trials": trials["state"].value_counts().to_dict(),
        "best": {
            "trial": search.best_index_,
            "balanced_accuracy": search.best_score_,
            "parameters": search.cv_results_["params"][search.best_index_],
        },
    }


def _save(
    search: PipelineSearchCV, run: PreparedRun, corpus: Bunch, path: Path, store: str | Path
) -> dict[str, Any]:
    """Train the best parameters on all clips, and write the model; give its checksum."""
    from sklearn.base import clone

    from .._utils._interrupts import interrupts_passed_on
    from .._utils._sample_rates import sample_rates
    from ..model_selection._evaluation import fit_rows
    from ..persistence import RecordingProfile, save
    from ._train import name_system, take_clips

    # What was drawn may be steps, which are not to be fitted in the search space.
    best_params = clone(search.best_params_, safe=False)
    model: Any = clone(run.estimator).set_params(**best_params)
    with interrupts_passed_on():
        fit_rows(model, run.X, run.y, run.who)
    best = search.cv_results_["params"][search.best_index_]
    found = ", ".join(f"{_short(name)}={value}" for name, value in best.items())
    rate = next(iter(sample_rates(model).values()), 16000)
    checksum = save(
        model,
        path,
        corpus=take_clips(corpus, run.rows, run.y),
        recipe=f"{name_system(run.recipe, run.options)}, tuned: {found}",
        profile=RecordingProfile.from_clips(run.X, sample_rate=rate, memory=store),
    )
    return {"file": str(path), "sha256": checksum}


def _write(
    out: Path, document: dict[str, Any], search: PipelineSearchCV, *, report: bool
) -> list[str]:
    """Write the files, each whole or not at all; name them."""
    from ._tune_plots import PICTURES

    with atomic_path(out / "trials.csv") as temporary:
        search.trials_dataframe().to_csv(temporary)
    written = ["trials.csv"]
    shown = []
    for name, (heading, draw) in PICTURES.items():
        figure = draw(search)
        # Of few trials importances cannot be told; those of an earlier run would mislead.
        (out / name).unlink(missing_ok=True)
        if figure is not None:
            with atomic_path(out / name) as temporary:
                figure.savefig(temporary, dpi=120)
            written.append(name)
            width = round(_PAGE_DPI * figure.get_figwidth())
            shown.append((heading, out / name, width))
    if report:
        with atomic_path(out / "report.html") as temporary:
            temporary.write_text(_report(document, search, shown), encoding="utf-8")
        written.append("report.html")
    with atomic_path(out / "best.json") as temporary:
        temporary.write_text(to_text(document), encoding="utf-8")
    return [*written, "best.json"]


def _report(
    document: dict[str, Any], search: PipelineSearchCV, shown: list[tuple[str, Path, int]]
) -> str:
    from ..inspection._search_page import render_search

    trials = search.trials_dataframe()
    rows = [
        {
            "trial": number,
            "parameters": _drawn(trials, row),
            **{name: row[name] for name in ("state", "score", "std", "error")},
        }
        for number, row in trials.iterrows()
    ]
    pictures = [
        (heading, {"png": path.read_bytes(), "width": width, "alt": heading})
        for heading, path, width in shown
    ]
    return render_search(document, rows, pictures)


def _print(document: dict[str, Any], trials: pd.DataFrame) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    corpus = document["corpus"]
    # Labels and names are data: brackets in them are not markup.
    console = Console(highlight=False, markup=False)
    counts = ", ".join(f"{n} {state}" for state, n in document["trials"].items())
    title = Text(f"{document['recipe']} on {corpus['name']}: {len(trials)} trials ({counts})")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("trial", "UAR", "deviation"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("parameters")
    complete = trials[trials["state"] == "complete"]
    for number, row in complete.sort_values("rank", kind="stable").head(_ROWS).iterrows():
        table.add_row(
            str(number),
            f"{100 * row['score']:.1f}",
            f"{100 * row['std']:.1f}",
            _drawn(trials, row),
        )
    console.print(table)
    console.print(
        f"UAR in percent, over {document['n_folds']} folds. The best of many on the same folds "
        "flatters:\nwhat tuning is worth on others, cross_validate around the search tells.\n",
        style="dim",
    )
    console.print("Best parameters:", style="bold")
    for name, value in document["best"]["parameters"].items():
        console.print(f"  {name} = {json.dumps(value)}")
    for error in trials["error"].dropna().head(1):
        console.print(f"{(trials['state'] == 'failed').sum()} failed, the first with {error}")
    if corpus["synthetic"]:
        console.print("The corpus is synthetic: these figures say nothing of real speech.")
    console.print(f"{document['seconds']:.0f} s", style="dim")


def _drawn(trials: pd.DataFrame, row: pd.Series[Any]) -> str:
    """Tell in short what a trial tried."""
    values = {
        name.removeprefix("param_"): value
        for name, value in zip(trials.columns, row, strict=True)
        if name.startswith("param_") and not _is_missing(value)
    }
    return ", ".join(f"{_short(name)}={_round(value)}" for name, value in values.items())


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _short(name: str) -> str:
    """Leave out where a step stands: its own name and that of the parameter tell enough."""
    return "__".join(name.split("__")[-2:])


def _round(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
