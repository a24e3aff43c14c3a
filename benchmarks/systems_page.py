"""Write results/systems.md from the tables that ``sersk benchmark`` has written.

    sersk benchmark benchmarks/systems.toml --out SYSTEMS --memory MEMORY
    sersk benchmark benchmarks/hypotheses.toml --out HYPOTHESES --memory MEMORY
    sersk benchmark benchmarks/calm_dropped.toml --out CALM --memory MEMORY
    python benchmarks/systems_page.py SYSTEMS HYPOTHESES CALM

Figures are collected in results/systems.csv: the runs take days, and need not be made in one go or
on one machine. A folder that is not there adds nothing. What has not been run yet is a dash.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from _tools import RESULTS

from sersk.recipes import benchmark_table, list_recipes, load_runs, recipe_info

AS_PUBLISHED, STRANGERS = "as-published", "speaker"
WITH_SONG = "ravdess_with_song"
METRICS = {"accuracy": "accuracy", "f1_macro": "macro F1", "balanced_accuracy": "UAR"}
COLLECTED = RESULTS / "systems.csv"
MATRICES = ("systems", "hypotheses", "calm_dropped")
KEY = ["matrix", "recipe", "options", "corpus", "protocol", "n_seeds"]
FIGURES = ["condition", *METRICS, "low", "high", "minutes", "machine"]


def main(folders: Sequence[str]) -> None:
    table = collect(folders)
    # Of each, the row with the most seeds; what was changed was run with one, and is compared so.
    systems = table[table["matrix"] == "systems"].sort_values("n_seeds", ascending=False)
    systems = systems.drop_duplicates(KEY[:-1]).sort_index()
    first, changed, calm = (
        table[(table["matrix"] == matrix) & (table["n_seeds"] == 1)] for matrix in MATRICES
    )
    published = [name for name in list_recipes() if recipe_info(name).published]
    lines = [
        "# The systems",
        "",
        __doc__.split("\n\n")[1],
        "",
        "Computed on "
        + "; ".join(dict.fromkeys(table["machine"]))
        + ", one core a run, on machines that were shared. Minutes are those of the clock; one run "
        "was paused. All figures: [systems.csv](systems.csv).",
    ]
    lines += ["", *_published(systems, published)]
    lines += ["", *_own(systems, [name for name in list_recipes() if name not in published])]
    lines += ["", *_other_protocols(systems)]
    lines += ["", *_changed(first, changed)]
    lines += ["", *_calm(first, calm)]
    (RESULTS / "systems.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(*lines, sep="\n")


def collect(folders: Sequence[str]) -> pd.DataFrame:
    """Add what was computed to what is known, and keep it."""
    known = pd.read_csv(COLLECTED) if COLLECTED.exists() else None
    found = [
        _rows(matrix, Path(folder))
        for matrix, folder in zip(MATRICES, folders, strict=False)
        if (Path(folder) / "results.jsonl").exists()
    ]
    table = pd.concat([part for part in (known, *found) if part is not None])
    table = table.fillna({"options": ""}).drop_duplicates(KEY, keep="last")
    table = table[[*KEY, *FIGURES]].sort_values(KEY, ignore_index=True)
    # The page says the same of figures just found and of the same ones read again.
    table = table.round(4)
    table.to_csv(COLLECTED, index=False, float_format="%.4f")
    return table


def _rows(matrix: str, folder: Path) -> pd.DataFrame:
    runs = load_runs(folder / "results.jsonl")
    # With intervals: where the command ran the corpora were, and who speaks was known.
    rows = pd.read_csv(folder / "table.csv", dtype={"options": str}).fillna({"options": ""})
    if first := [run for run in runs if run.seed == 0]:
        # The first seed alone, for comparisons, of what has several.
        several = set(map(tuple, rows.loc[rows["n_seeds"] > 1, KEY[1:-1]].to_numpy()))
        alone = benchmark_table(first)
        alone = alone[[tuple(row) in several for row in alone[KEY[1:-1]].to_numpy()]]
        rows = pd.concat([rows, alone])
    machines = {run.recipe: run.machine for run in runs}
    return rows.assign(
        matrix=matrix,
        machine=[
            f"{machines[name]['threads']} cores ({machines[name]['processor']})"
            for name in rows["recipe"]
        ],
    )


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
        "is enough; sources trained longer, or do not say. Under its source's split "
        "`cnn_bilstm_182` has RAVDESS's speech and song, on strangers its speech alone.",
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
    rest = systems[
        ~systems["protocol"].isin([STRANGERS, AS_PUBLISHED])
        | (systems["protocol"].eq(STRANGERS) & systems["corpus"].eq(WITH_SONG))
    ]
    rows = [
        [f"`{row['recipe']}`", row["corpus"], row["protocol"], _with_interval(row)]
        for row in rest.to_dict("records")
    ]
    return [
        "## Other protocols, and song",
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
        "## What the published figures depend on",
        "",
        "One thing changed at a time, under the split of the source, one seed. Two machines "
        "computed them: one seed differs by up to 1.7 points between the two.",
        "",
        *_table("system", "options", "measured", "published", "minutes", rows=rows),
    ]


def _calm(systems: pd.DataFrame, calm: pd.DataFrame) -> list[str]:
    rows = []
    for row in calm.to_dict("records"):
        metric = next(iter(recipe_info(row["recipe"]).published))
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
