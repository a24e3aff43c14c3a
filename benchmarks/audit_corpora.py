"""What a leak is worth: svm_functionals on each corpus, with leaks and without.

    python benchmarks/audit_corpora.py savee=SAVEE ravdess=RAVDESS --memory FOLDER

Corpora are done one after the other, each is kept in ``results/audit/`` and not repeated: a killed
run goes on where it stopped. The features of clips and copies are kept in ``--memory``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import Any

import pandas as pd
from _tools import RESULTS

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.model_selection import audit_leakage
from sersk.recipes import svm_functionals

SEED = 0
FOLDER = RESULTS / "audit"
# The corpus of the picture.
_SHOWN = "ravdess"


def audit(name: str, root: str, memory: str | None, n_jobs: int | None) -> dict[str, Any]:
    corpus = getattr(datasets, f"load_{name}")(root)
    started = time.perf_counter()
    found = audit_leakage(
        svm_functionals(memory=memory, random_state=SEED), corpus.data, corpus.target,
        corpus.frame, random_state=SEED, n_jobs=n_jobs, verbose=1,
    )  # fmt: skip
    by_speaker = {
        condition: result.per_speaker["balanced_accuracy"].to_dict()
        for condition, result in found.results.items()
    }
    return {
        "n_clips": len(corpus.frame),
        "n_speakers": int(corpus.frame["speaker"].nunique()),
        "n_emotions": len(corpus.target_names),
        "n_splits": found.n_splits,
        "seed": found.random_state,
        "chance": found.chance,
        "augmenter": " ".join(repr(found.augmenter).split()),
        "seconds": round(time.perf_counter() - started),
        "left_out": found.left_out,
        "table": json.loads(found.table.to_json(orient="index")),
        "by_speaker": by_speaker,
        "by_fold": {
            condition: result.folds["balanced_accuracy"].tolist()
            for condition, result in found.results.items()
        },
    }


def write_page(runs: dict[str, dict[str, Any]]) -> None:
    tables = {name: pd.DataFrame(run["table"]).T for name, run in runs.items()}
    conditions = list(dict.fromkeys(row for table in tables.values() for row in table.index))
    command = " ".join(f"{name}={name.upper()}" for name in runs)
    lines = [
        "# What a leak is worth",
        "",
        f"`python benchmarks/audit_corpora.py {command} --memory FOLDER`",
        "",
        "`svm_functionals`, five folds, seed 0; nothing was tuned. UAR in percent, in brackets how",
        "many points it is above that on speakers never heard.",
        "",
        "| condition | " + " | ".join(runs) + " |",
        "|---|" + "---|" * len(runs),
    ]
    for condition in conditions:
        cells = [condition]
        for table in tables.values():
            row = table.loc[condition] if condition in table.index else None
            cells.append("-" if row is None else _uar(row, condition))
        lines.append("| " + " | ".join(cells) + " |")
    chances = [f"{100 * run['chance']:.1f}" for run in runs.values()]
    lines += ["| chance | " + " | ".join(chances) + " |", ""]
    lines += [
        "Copies: one with noise, one stretched in time, one of another pitch, of every clip,",
        "training and test alike. In the first two rows the split is random, and the oversampling",
        "inside the folds is taken out; in the others it is there. Where all emotions are equally",
        "frequent, oversampling repeats nothing, and nothing leaks.",
        "",
    ]
    for name, run in runs.items():
        lines += _details(name, run, tables[name])
    with atomic_path(RESULTS / "audit.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def draw(name: str, run: dict[str, Any]) -> None:
    """Draw one corpus, as README shows it."""
    import matplotlib

    matplotlib.use("Agg")
    from sersk.inspection import LeakageDisplay

    table = pd.DataFrame(run["table"]).T
    title = f"One classifier on {name.upper()}, {run['n_speakers']} speakers: UAR in percent"
    display = LeakageDisplay(table, chance=run["chance"]).plot(title=title)
    display.figure_.savefig(RESULTS / "audit.png", dpi=120, bbox_inches="tight")


def _uar(row: Any, condition: str) -> str:
    uar = f"{100 * row['balanced_accuracy']:.1f}"
    known = condition != "speaker" and pd.notna(row["above_speaker"])
    return f"{uar} ({100 * row['above_speaker']:+.1f})" if known else uar


def _details(name: str, run: dict[str, Any], table: pd.DataFrame) -> list[str]:
    few = table["low"].isna().all()
    lines = [
        f"## {name}: {run['n_clips']} clips, {run['n_speakers']} speakers, "
        f"{run['n_emotions']} emotions",
        "",
        "| condition | tested | of these leaked | UAR | "
        + ("lowest and highest speaker" if few else "95 % interval, speakers resampled")
        + " | accuracy | macro F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for condition, row in table.iterrows():
        if few:
            speakers = run["by_speaker"][condition].values()
            low, high = min(speakers), max(speakers)
        else:
            low, high = row["low"], row["high"]
        cells = [
            condition, f"{row['n_tested']:.0f}", f"{row['n_leaked']:.0f}",
            f"{100 * row['balanced_accuracy']:.1f}", f"{100 * low:.1f} to {100 * high:.1f}",
            f"{100 * row['accuracy']:.1f}", f"{100 * row['f1_macro']:.1f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", *(f"{condition}: {why}." for condition, why in run["left_out"].items())]
    return [*lines, f"{run['seconds']} s.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--memory", help="folder in which features are kept")
    parser.add_argument("--n-jobs", type=int, default=None)
    arguments = parser.parse_args()
    for corpus in arguments.corpora:
        name, _, root = corpus.partition("=")
        kept = FOLDER / f"{name}.json"
        if not kept.exists():
            run = audit(name, root, arguments.memory, arguments.n_jobs)
            with atomic_path(kept) as temporary:
                temporary.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        print(name, "done", flush=True)
        write_page(_kept())
    kept_runs = _kept()
    if _SHOWN in kept_runs:
        draw(_SHOWN, kept_runs[_SHOWN])


def _kept() -> dict[str, dict[str, Any]]:
    files = sorted(FOLDER.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
