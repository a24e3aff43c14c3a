"""``sersk benchmark``: a matrix of recipes, corpora and protocols, computed run by run."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..exceptions import LeakageWarning
from ._benchmark_tables import BenchmarkTables
from ._options import NETS_TAKE_ALL, memory_option, n_jobs_option, refuse_unwritable

if TYPE_CHECKING:
    from ..recipes._matrix import Cell, Matrix
    from ..recipes._results import ResultsFile, RunKey

_RESULTS = "results.jsonl"
# Longer work is announced in words.
_LONG = 3600.0
# Failures that the last message names.
_FAILURES_SHOWN = 5

_EXAMPLES = """\b
Examples:
  sersk benchmark matrix.toml --out results --dry-run
  sersk benchmark matrix.toml --out results --memory features
\b
A matrix:
  [corpora.ravdess]
  root = "RAVDESS"
  [[runs]]
  recipes = ["svm_functionals"]
  corpora = ["ravdess"]
  protocols = ["random", "speaker"]
  seeds = [0, 1, 2]
"""


@click.command(epilog=_EXAMPLES)
@click.argument("matrix", type=click.Path(dir_okay=False, path_type=Path), metavar="MATRIX.toml")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for results.jsonl, table.md, table.csv, benchmark.png and report.html.",
)
@memory_option
@n_jobs_option(more=NETS_TAKE_ALL)
@click.option(
    "--only", multiple=True, metavar="RECIPE", help="Run this recipe only; may be repeated."
)
@click.option(
    "--report/--no-report", default=True, show_default=True, help="Write report.html at the end."
)
@click.option("--dry-run", is_flag=True, help="Show what would be computed, and compute nothing.")
def benchmark(
    matrix: Path,
    out: Path,
    memory: Path | None,
    n_jobs: int,
    only: tuple[str, ...],
    report: bool,
    dry_run: bool,
) -> None:
    """Score many systems on many corpora, as a matrix file says.

    Each fold that is finished is a line of results.jsonl in the folder, and is never computed
    again: after Ctrl-C, a crash or a full disk the same command goes on. A fold that fails is named
    at the end, and tried again the next time.
    """
    from ..recipes._matrix import in_order, read_matrix
    from ..recipes._results import ResultsFile

    found = read_matrix(matrix)
    refuse_unwritable(out)
    results = ResultsFile(out / _RESULTS).refresh()
    # All of the file is checked, and all of it stands in the table, whatever is computed now.
    n_folds = found.check()
    found.restrict(only)
    plan = _Plan(found, n_folds, results, n_jobs)
    plan.estimate(with_pilots=not dry_run)
    plan.show(out, dry_run=dry_run)
    if dry_run:
        return
    tables = BenchmarkTables(found, out, matrix.stem)
    with nullcontext(memory) if memory else tempfile.TemporaryDirectory() as store:
        try:
            failed, elsewhere = _compute(
                plan, in_order(found.cells, plan.seconds), tables, store, n_jobs
            )
        except KeyboardInterrupt:
            tables.finish(results, report)  # what is finished is shown
            raise
    tables.finish(results, report)
    if tables.names:
        click.echo(f"Written to {out}: {', '.join([_RESULTS, *tables.names])}", err=True)
        tables.show()
    if n_elsewhere := sum(map(plan.n_left, elsewhere)):
        click.echo(
            f"{n_elsewhere} fold(s) are not there yet: another process computes them. The same "
            "command, when that one is done, shows all.",
            err=True,
        )
    if failed:
        listed = "\n  ".join(failed[:_FAILURES_SHOWN])
        more = len(failed) - _FAILURES_SHOWN
        raise click.ClickException(
            f"{len(failed)} fold(s) or run(s) failed:\n  {listed}"
            + (f"\n  and {more} more" if more > 0 else "")
            + "\nThe same command tries them again."
        )


class _Plan:
    """What is to be computed, what is there, and how long the rest takes."""

    def __init__(
        self, matrix: Matrix, n_folds: dict[Cell, int], results: ResultsFile, n_jobs: int
    ) -> None:
        from ..recipes._provenance import corpus_fingerprint

        self.matrix, self.n_folds, self.results, self.n_jobs = matrix, n_folds, results, n_jobs
        self.fingerprints = {
            name: corpus_fingerprint(corpus) for name, corpus in matrix.loaded.items()
        }
        self.seconds: dict[Cell, float] = {}

    def key(self, cell: Cell) -> RunKey:
        from ..recipes._results import RunKey

        name = self.matrix.name_of(cell)
        return RunKey(
            cell.recipe, name, self.fingerprints[name], cell.protocol, cell.seed, cell.n_splits,
            cell.options,
        )  # fmt: skip

    def n_done(self, cell: Cell) -> int:
        return len(self.results.folds.get(self.key(cell), {}))

    def n_left(self, cell: Cell) -> int:
        from ..recipes._results import n_folds_of

        there = self.results.folds.get(self.key(cell), {})
        # With another seed there may be a fold less; those that are there know.
        n_folds = n_folds_of(there.values()) if there else self.n_folds[cell]
        return max(0, n_folds - len(there))

    def estimate(self, *, with_pilots: bool) -> None:
        """Find out how long each run will take, as far as that can be known."""
        from ..recipes import _estimate
        from ..recipes._matrix import decoded

        # One pilot for all corpora of a recipe: the wait for it should be short.
        costs: dict[tuple[str, str], tuple[float, float] | None] = {}
        for cell in self.matrix.cells:
            if not self.n_left(cell):
                self.seconds[cell] = 0.0
                continue
            options = decoded(cell.options)
            a_fold = _estimate.seconds_known(self.results, self.key(cell))
            if a_fold is None and with_pilots:
                corpus = self.matrix.corpus_of(cell)
                what = (cell.recipe, cell.options)
                if what not in costs:
                    click.echo(f"Timing {cell.recipe} on a few clips ...", err=True)
                    try:
                        costs[what] = _estimate.pilot(cell.recipe, corpus, options)
                    except Exception:  # noqa: BLE001 - the run itself will say what is wrong
                        costs[what] = None
                found = costs[what]
                if found is not None:
                    a_fold = _estimate.seconds_of_fold(
                        found, cell.recipe, options, self._n_train(cell), cell.protocol
                    )
            if a_fold is not None:
                at_once = _estimate.jobs_at_once(
                    cell.recipe, options, self.n_jobs, self.n_left(cell)
                )
                self.seconds[cell] = a_fold * self.n_left(cell) / at_once

    def _n_train(self, cell: Cell) -> float:
        from ..recipes import recipe_info
        from ..recipes._prepare import AS_PUBLISHED

        n_clips = len(self.matrix.corpus_of(cell).frame)
        split = recipe_info(cell.recipe).split
        if cell.protocol == AS_PUBLISHED and split is not None:
            return n_clips * (1 - split.test_size)
        return n_clips * (1 - 1 / self.n_folds[cell])

    def show(self, out: Path, *, dry_run: bool) -> None:
        """Print what will be done."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        from ..recipes import _estimate
        from ..recipes._prepare import AS_PUBLISHED
        from ..recipes._results import options_text

        console = Console(highlight=False, markup=False)
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 0))
        for heading in ("recipe", "corpus", "protocol"):
            table.add_column(heading, overflow="fold")
        for heading in ("seeds", "folds", "there", "time left"):
            table.add_column(heading, justify="right", no_wrap=True)
        rows: dict[tuple[str, str, str, str, int], list[Cell]] = {}
        for cell in self.matrix.cells:
            row = (
                cell.recipe, options_text(cell.options), self.matrix.name_of(cell), cell.protocol,
                cell.n_splits,
            )  # fmt: skip
            rows.setdefault(row, []).append(cell)
        for (recipe, options, corpus, protocol, _), cells in rows.items():
            known, n_unknown = _estimate.total(self.seconds.get(cell) for cell in cells)
            n_left = sum(map(self.n_left, cells))
            left = "-" if not n_left else "?" if n_unknown else _estimate.say_duration(known)
            table.add_row(
                f"{recipe} ({options})" if options else recipe,
                corpus,
                protocol,
                str(len(cells)),
                str(sum(self.n_folds[cell] for cell in cells)),
                str(sum(map(self.n_done, cells))),
                left,
            )
        console.print(table)
        if any(cell.protocol == AS_PUBLISHED for cell in self.matrix.cells):
            console.print(
                "as-published: one split by clip, as the sources have it. Speakers, and copies of "
                "clips where the source makes them first, stand on both sides: no figure for "
                "voices never heard."
            )
        known, n_unknown = _estimate.total(self.seconds.get(cell) for cell in self.matrix.cells)
        n_left = sum(map(self.n_left, self.matrix.cells))
        if not n_left:
            console.print(f"All folds are in {out / _RESULTS} already.")
            return
        if not known:
            time_left = "how long it takes is not known" + (
                " yet; without --dry-run a few clips are timed" if dry_run else ""
            )
        elif n_unknown:
            time_left = f"{_estimate.say_duration(known)}, and {n_unknown} run(s) not known yet"
        else:
            time_left = _estimate.say_duration(known)
        console.print(f"{n_left} fold(s) to compute: {time_left}.")
        if known > _LONG:
            console.print(
                f"This takes long, {_estimate.say_duration(known)} on this machine; early stopping "
                "and kept features save some of it. Ctrl-C loses only the fold that runs: the "
                "same command goes on where it stopped."
            )


def _compute(
    plan: _Plan, cells: list[Cell], tables: BenchmarkTables, store: Any, n_jobs: int
) -> tuple[list[str], list[Cell]]:
    """Compute what is missing; return what failed, and runs that are left to other processes."""
    from .._utils._progress import track

    state: dict[str, Any] = {"done": 0, "now": "", "failed": [], "elsewhere": []}
    events = _events(plan, cells, tables, store, n_jobs, state)
    for _ in track(
        events,
        total=sum(map(plan.n_left, cells)),
        description="benchmark",
        show=sys.stderr.isatty(),
        position=lambda: state["done"],
        note=lambda: state["now"],
    ):
        pass
    return list(state["failed"]), list(state["elsewhere"])


def _events(
    plan: _Plan,
    cells: list[Cell],
    tables: BenchmarkTables,
    store: Any,
    n_jobs: int,
    state: dict[str, Any],
) -> Iterator[None]:
    """Do the work; come back when a run begins and when a fold is done."""
    from rich.markup import escape

    from ..recipes import prepare_run
    from ..recipes._matrix import decoded
    from ..recipes._runs import compute_folds, refuse_other_folds

    for cell in cells:
        plan.results.refresh()  # another process may work on the same matrix
        key = plan.key(cell)
        if not plan.n_left(cell):
            continue
        state["now"] = escape(str(key))  # brackets in options are no markup
        yield
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LeakageWarning)  # the plan has said it
                run = prepare_run(
                    cell.recipe,
                    plan.matrix.corpus_of(cell),
                    name=plan.matrix.name_of(cell),
                    protocol=cell.protocol,
                    seed=cell.seed,
                    n_splits=max(2, cell.n_splits),
                    options=decoded(cell.options),
                    memory=store,
                )
            refuse_other_folds(run, plan.results)
        except ValueError as error:
            state["failed"].append(f"{key}: {error}")
            continue
        errors = {}
        for outcome in compute_folds(run, plan.results, n_jobs=n_jobs):
            state["done"] += 1
            if outcome.error is not None:
                errors[outcome.fold] = f"{key}, fold {outcome.fold}: {outcome.error}"
            yield
        state["failed"] += errors.values()
        tables.write(plan.results.refresh())
        if not errors and plan.n_left(cell):
            state["elsewhere"].append(cell)
        elif not sys.stderr.isatty():
            click.echo(f"Done: {key}", err=True)  # a log has no progress bar
