"""Write results/systems.md from the tables that ``sersk benchmark`` has written.

    sersk benchmark benchmarks/systems.toml --out SYSTEMS --memory MEMORY
    sersk benchmark benchmarks/hypotheses.toml --out HYPOTHESES --memory MEMORY
    sersk benchmark benchmarks/calm_dropped.toml --out CALM --memory MEMORY
    python benchmarks/systems_page.py SYSTEMS HYPOTHESES CALM

What has not been run yet is a dash.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from _tools import RESULTS

from sersk.recipes import benchmark_table, list_recipes, load_runs, recipe_info

AS_PUBLISHED, STRANGERS = "as-published", "speaker"
METRICS = {"accuracy": "accuracy", "f1_macro": "macro F1", "balanced_accuracy": "UAR"}


def main(folders: Sequence[str]) -> None:
    runs = [load_runs(Path(folder) / "results.jsonl") for folder in folders]
    # With intervals; speakers are known where the corpora are.
    systems = pd.read_csv(Path(folders[0]) / "table.csv").fillna({"options": ""})
    # What was changed was run with one seed: it is compared with that one.
    first, changed, calm = (
        benchmark_table([run for run in some if run.seed == 0]) for some in runs
    )
    published = [name for name in list_recipes() if recipe_info(name).published]
    lines = [
        "# The systems",
        "",
        __doc__.split("\n\n")[1],
        "",
        f"Computed on {_machines([run for some in runs for run in some])}, one core a run, on a "
        "machine that was shared. Minutes are those of the clock; one run was paused.",
    ]
    lines += ["", *_published(systems, published)]
    lines += ["", *_own(systems, [name for name in list_recipes() if name not in published])]
    lines += ["", *_other_protocols(systems)]
    lines += ["", *_changed(first, changed)]
    lines += ["", *_calm(first, calm)]
    (RESULTS / "systems.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(*lines, sep="\n")


def _published(systems: pd.DataFrame, names: list[str]) -> list[str]:
    rows = []
    for name in names:
        runs = systems[systems["recipe"] == name]
        theirs = _only(runs[runs["protocol"] == AS_PUBLISHED])
        strangers = _only(runs[runs["protocol"] == STRANGERS])
        metric, reported = next(iter(recipe_info(name).published.items()))
        rows.append(
            [
                f"`{name}`",
                " + ".join(recipe_info(name).corpora),
                f"{100 * reported:.1f} ({METRICS[metric]})",
                _percent(theirs, metric),
                _percent(theirs, "balanced_accuracy"),
                _with_interval(strangers),
                _seeds(theirs, strangers),
                _minutes(theirs, strangers),
                theirs["options"] if theirs is not None else "",
            ]
        )
    return [
        "## Published systems, each on its corpus",
        "",
        *_table(
            "system", "corpus", "published", "the same, measured under that split",
            "UAR under that split", "UAR on strangers", "seeds", "minutes a seed", "options",
            rows=rows,
        ),
        "",
        "Under the split of the sources speakers stand on both sides, and so do copies of tested "
        "clips where the source makes them first. Options: epochs are capped so that a processor "
        "is enough; sources trained longer, or do not say.",
    ]  # fmt: skip


def _own(systems: pd.DataFrame, names: list[str]) -> list[str]:
    found = systems[systems["recipe"].isin(names)]
    corpora = [name for name in ("cremad", "ravdess", "savee", "tess") if name in set(found.corpus)]
    lines = ["## Our own, on strangers"]
    for condition, part in found.groupby("condition", sort=False):
        strangers = part[part["protocol"] == STRANGERS]
        rows = [
            [
                f"`{name}`",
                *(
                    _with_options(_only(mine[mine["corpus"] == corpus]))
                    for corpus in corpora
                    for mine in [strangers[strangers["recipe"] == name]]
                ),
            ]
            for name in names
            if name in set(strangers["recipe"])
        ]
        lines += ["", f"With {condition}:", "", *_table("system", *corpora, rows=rows)]
    return lines


def _other_protocols(systems: pd.DataFrame) -> list[str]:
    rest = systems[~systems["protocol"].isin([STRANGERS, AS_PUBLISHED])]
    rows = [
        [f"`{row['recipe']}`", row["corpus"], row["protocol"], _with_interval(row)]
        for row in rest.to_dict("records")
    ]
    return [
        "## Other protocols",
        "",
        *(_table("system", "corpus", "split", "UAR", rows=rows) if rows else ["Not run yet."]),
    ]


def _changed(systems: pd.DataFrame, changed: pd.DataFrame) -> list[str]:
    rows = []
    both = pd.concat([systems[systems["protocol"] == AS_PUBLISHED], changed])
    for name in dict.fromkeys(changed["recipe"]):
        metric, reported = next(iter(recipe_info(name).published.items()))
        own = both[both["recipe"] == name].drop_duplicates("options")
        rows += [
            [
                f"`{name}`",
                row["options"] or "as it is",
                f"{100 * row[metric]:.1f}",
                f"{100 * reported:.1f} ({METRICS[metric]})",
                f"{row['minutes']:.0f}",
            ]
            for row in own.to_dict("records")
        ]
    return [
        "## Where a published figure is not reached",
        "",
        "One thing changed at a time, under the split of the source, one seed.",
        "",
        *_table("system", "options", "measured", "published", "minutes", rows=rows),
    ]


def _calm(systems: pd.DataFrame, calm: pd.DataFrame) -> list[str]:
    rows = []
    for row in calm.to_dict("records"):
        metric = row["published_metric"]
        kept = systems[
            (systems["recipe"] == row["recipe"])
            & (systems["options"] == row["options"])
            & (systems["protocol"] == row["protocol"])
        ]
        rows.append(
            [f"`{row['recipe']}`", METRICS[metric], _percent(_only(kept), metric),
             _percent(row, metric)]
        )  # fmt: skip
    return [
        "## Calm",
        "",
        "RAVDESS has an eighth emotion, and three sources do not say what became of it. Under "
        "their split, one seed:",
        "",
        *_table("system", "score", "calm counted as neutral", "calm left out", rows=rows),
    ]


def _machines(runs: Iterable[Any]) -> str:
    told = [f"{run.machine['threads']} cores ({run.machine['processor']})" for run in runs]
    return "; ".join(dict.fromkeys(told))


def _only(rows: pd.DataFrame) -> dict[str, Any] | None:
    return rows.iloc[0].to_dict() if len(rows) else None


def _percent(row: dict[str, Any] | None, metric: str) -> str:
    return "-" if row is None else f"{100 * row[metric]:.1f}"


def _with_interval(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    uar = f"{100 * row['balanced_accuracy']:.1f}"
    if pd.isna(row["low"]):
        return uar
    return f"{uar} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _with_options(row: dict[str, Any] | None) -> str:
    return _with_interval(row) + (f"; {row['options']}" if row and row["options"] else "")


def _seeds(*rows: dict[str, Any] | None) -> str:
    return ", ".join("-" if row is None else str(row["n_seeds"]) for row in rows)


def _minutes(*rows: dict[str, Any] | None) -> str:
    return ", ".join("-" if row is None else f"{row['minutes']:.0f}" for row in rows)


def _table(*header: str, rows: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
