"""What ``sersk benchmark`` writes: tables, a picture, a report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._utils._files import atomic_path

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

    from ..recipes._matrix import Matrix
    from ..recipes._results import ResultsFile, RunKey


class BenchmarkTables:
    """The table of all finished runs, as text, as numbers and as a picture."""

    def __init__(self, matrix: Matrix, out: Path, title: str) -> None:
        from ..recipes._provenance import corpus_fingerprint
        from ..recipes._summaries import speakers_of

        self.matrix, self.out, self.title = matrix, out, title
        self.names: list[str] = []
        self.speakers = {
            corpus_fingerprint(corpus): speakers_of(corpus) for corpus in matrix.loaded.values()
        }
        # Rows that were made already: intervals take their time.
        self._runs: dict[RunKey, Bunch] = {}
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {}

    def write(self, results: ResultsFile) -> bool:
        """Write the files anew, each whole or not at all; tell whether there is anything."""
        import pandas as pd

        from ..recipes._summaries import finished, rows_of, sketch_run, tabulate

        for key, folds in finished(results):
            if key not in self._runs and key.fingerprint in self.speakers:
                self._runs[key] = sketch_run(key, folds, self.speakers[key.fingerprint])
        if not self._runs:
            return False
        rows = []
        for row, group in rows_of(self._runs.values()).items():
            what = (*row, *(run.seed for run in group))
            if what not in self._rows:
                self._rows[what] = tabulate(group)
            rows.append(self._rows[what])
        table = pd.DataFrame(rows).sort_values(
            ["condition", "corpus", "recipe", "options", "protocol"], ignore_index=True
        )
        with atomic_path(self.out / "table.csv") as temporary:
            percent = table["by_seed"].map(lambda scores: "; ".join(f"{s:.4f}" for s in scores))
            table.assign(by_seed=percent).to_csv(temporary, index=False)
        with atomic_path(self.out / "table.md") as temporary:
            temporary.write_text(_as_markdown(table, self.title), encoding="utf-8")
        self._draw(table)
        self.names = ["table.md", "table.csv", "benchmark.png"]
        self._table = table
        return True

    def _draw(self, table: pd.DataFrame) -> None:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        from ..inspection import BenchmarkDisplay

        figure = BenchmarkDisplay(table).plot(title=self.title).figure_
        try:
            with atomic_path(self.out / "benchmark.png") as temporary:
                figure.savefig(temporary, dpi=120)
        finally:
            plt.close(figure)

    def show(self) -> None:
        """Print the table, as far as a terminal is wide."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False, markup=False)
        for condition, part in self._table.groupby("condition", sort=False):
            shown = Table(
                title=f"With {condition}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0)
            )
            for heading in ("recipe", "corpus", "protocol"):
                shown.add_column(heading, overflow="fold")
            for heading in ("folds", "seeds", "UAR", "interval", "accuracy"):
                shown.add_column(heading, justify="right", no_wrap=True)
            for row in part.to_dict("records"):
                shown.add_row(
                    _name(row), row["corpus"], row["protocol"], str(row["n_folds"]),
                    str(row["n_seeds"]), f"{100 * row['balanced_accuracy']:.1f}", _interval(row),
                    f"{100 * row['accuracy']:.1f}",
                )  # fmt: skip
            console.print(shown)
        console.print("In percent. Interval: 95 %, speakers resampled.", style="dim")
        if (self._table.groupby("corpus")["n_emotions"].nunique() > 1).any():
            console.print(
                "Some recipes take two emotions of a corpus for one, as their source does: scores "
                "over different numbers of emotions (table.md) do not compare."
            )

    def finish(self, results: ResultsFile, report: bool) -> None:
        """Write all that there is to write, the report included if it is wanted."""
        if self.write(results.refresh()) and report:
            self._report(results)

    def _report(self, results: ResultsFile) -> None:
        from ..inspection import write_report
        from ..recipes._summaries import finished, summarize_run

        runs = [
            summarize_run(key, folds, self.speakers[key.fingerprint])
            for key, folds in finished(results)
            if key.fingerprint in self.speakers
        ]
        write_report(self.out / "report.html", runs, corpora=self.matrix.loaded, title=self.title)
        self.names.append("report.html")


def _as_markdown(table: pd.DataFrame, title: str) -> str:
    """Write the table for people, a part for each condition."""
    headings = (
        "recipe", "corpus", "protocol", "folds", "seeds", "UAR", "95 % interval", "by seed",
        "accuracy", "macro F1", "published", "min a seed", "emotions",
    )  # fmt: skip
    lines = [f"# {title}", ""]
    for condition, part in table.groupby("condition", sort=False):
        lines += [
            f"With {condition}:",
            "",
            "| " + " | ".join(headings) + " |",
            "| " + " | ".join(["---"] * 3 + ["---:"] * (len(headings) - 3)) + " |",
        ]
        for row in part.to_dict("records"):
            cells = [
                _name(row),
                row["corpus"],
                row["protocol"],
                str(row["n_folds"]),
                str(row["n_seeds"]),
                f"{100 * row['balanced_accuracy']:.1f}",
                _interval(row),
                ", ".join(f"{100 * score:.1f}" for score in row["by_seed"]),
                f"{100 * row['accuracy']:.1f}",
                f"{100 * row['f1_macro']:.1f}",
                _say_published(row),
                f"{row['minutes']:.2f}",
                str(row["n_emotions"]),
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    lines += [
        "In percent. UAR: mean recall of the emotions, over seeds; its interval comes from the",
        "predictions of all seeds, speakers resampled. Published: what the source reports, under",
        "its own split (as-published), in which speakers stand on both sides. Emotions: how many",
        "are told apart; scores over different numbers do not compare.",
        "",
    ]
    return "\n".join(lines)


def _name(row: Any) -> str:
    return f"{row['recipe']} ({row['options']})" if row["options"] else str(row["recipe"])


def _interval(row: Any) -> str:
    if math.isnan(row["low"]):
        return "-"
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"


def _say_published(row: Any) -> str:
    names = {"balanced_accuracy": "UAR", "accuracy": "accuracy", "f1_macro": "macro F1"}
    if math.isnan(row["published"]):
        return "-"
    return f"{100 * row['published']:.1f} ({names[row['published_metric']]})"
