"""What noise, and other corpora, leave of the score of svm_functionals.

    python benchmarks/robustness_corpora.py noise ravdess=RAVDESS savee=SAVEE --memory FOLDER
    python benchmarks/robustness_corpora.py cross cremad=CREMA-D ravdess=RAVDESS savee=SAVEE \
tess=TESS --memory FOLDER

Noise: each corpus on its own, trained and tested under the speaker protocol, the predictions of all
folds scored together. Cross: one table of all the corpora named, on the emotions that all of them
have. Either is kept in ``results/robustness/`` and not repeated: a killed run goes on where it
stopped. The features of clips and copies are kept in ``--memory``.
"""

from __future__ import annotations

import argparse
import json
import textwrap
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _tools import RESULTS
from imblearn.pipeline import Pipeline
from sklearn.utils import Bunch

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.augmentation import AddNoise, WaveformAugmenter
from sersk.metrics import classification_summary, compare_by_speaker
from sersk.model_selection import ProtocolSplit, cross_corpus_table, noise_robustness
from sersk.preprocessing import NoiseReducer
from sersk.recipes import svm_functionals

SEED = 0
LEVELS = (30, 25, 20, 15, 10, 5, 0)
FOLDER = RESULTS / "robustness"
PLACEHOLDERS = {"cremad": "CREMA-D"}
# Share of the clips that get the same answer, above which it is named.
ONE_ANSWER = 0.7


def plain(memory: str | None) -> Pipeline:
    return svm_functionals(memory=memory, random_state=SEED)


def augmented(memory: str | None) -> Pipeline:
    pipeline = plain(memory)
    augmenter = WaveformAugmenter(AddNoise(), random_state=SEED)
    pipeline.steps.insert(1, ("augment", augmenter))
    return pipeline


def reduced(memory: str | None) -> Pipeline:
    return _reduce(plain(memory))


def both(memory: str | None) -> Pipeline:
    return _reduce(augmented(memory))


def _reduce(pipeline: Pipeline) -> Pipeline:
    pipeline["features"].transformer.steps.insert(1, ("reduce", NoiseReducer()))
    return pipeline


SYSTEMS: dict[str, Callable[[str | None], Pipeline]] = {
    "as it is": plain,
    "noise in training": augmented,
    "NoiseReducer": reduced,
    "both": both,
}
BASELINE = "as it is"


def measure_noise(name: str, root: str, memory: str | None) -> dict[str, Any]:
    corpus = getattr(datasets, f"load_{name}")(root)
    started = time.perf_counter()
    answers = {system: predict(make(memory), corpus) for system, make in SYSTEMS.items()}
    tables = {system: tabulate(found) for system, found in answers.items()}
    gained = {
        system: gains(answers[BASELINE], answers[system])
        for system in SYSTEMS
        if system != BASELINE
    }
    return {
        "n_clips": len(corpus.frame),
        "n_speakers": int(corpus.frame["speaker"].nunique()),
        "n_emotions": len(corpus.target_names),
        "seconds": round(time.perf_counter() - started),
        "table": {system: _records(table) for system, table in tables.items()},
        "gained": {system: _records(table) for system, table in gained.items()},
    }


def predict(pipeline: Pipeline, corpus: Bunch) -> pd.DataFrame:
    """Give every clip's answers at every level, of the fold that did not hear its speaker."""
    parts = []
    folds = ProtocolSplit("speaker", random_state=SEED).split(corpus.data, corpus.target)
    for train, test in folds:
        pipeline.fit(corpus.data.iloc[train], corpus.target[train])
        part = noise_robustness(
            pipeline, corpus.data.iloc[test], corpus.target[test], snr_db=LEVELS, random_state=SEED
        ).predictions
        parts.append(part.assign(row=test[part["row"]]))
    answers: pd.DataFrame = pd.concat(parts)
    return answers.sort_values(["snr_db", "row"], ascending=[False, True])


def tabulate(answers: pd.DataFrame) -> pd.DataFrame:
    """Score each level over all folds."""
    rows = {}
    for level, part in answers.groupby("snr_db", sort=False):
        summary = classification_summary(
            part["true"], part["predicted"], part["speaker"], random_state=SEED
        )
        uar = summary.scores.loc["balanced_accuracy"]
        most_frequent = part["predicted"].value_counts(normalize=True)
        rows[level] = {
            "balanced_accuracy": uar["score"],
            "low": uar["low"],
            "high": uar["high"],
            "answered_most": most_frequent.index[0],
            "share": most_frequent.iloc[0],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("snr_db")


def gains(baseline: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Compare two systems level by level, on the same clips with the same noise."""
    rows = {}
    for level, part in baseline.groupby("snr_db", sort=False):
        found = compare_by_speaker(
            part["true"], part["predicted"],
            other.loc[other["snr_db"] == level, "predicted"], part["speaker"], random_state=SEED,
        )  # fmt: skip
        rows[level] = {"difference": found.difference, "low": found.low, "high": found.high}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("snr_db")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows; infinity, which JSON does not know, as null."""
    found = json.loads(table.reset_index().to_json(orient="records"))
    return list(found)


def noise_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Undo `_records`."""
    table = pd.DataFrame(rows).astype({"snr_db": float}).fillna({"snr_db": np.inf})
    return table.set_index("snr_db")


def measure_cross(roots: dict[str, str], memory: str | None) -> dict[str, Any]:
    corpora = {name: getattr(datasets, f"load_{name}")(root) for name, root in roots.items()}
    shared = set.intersection(*(set(corpus.target) for corpus in corpora.values()))
    started = time.perf_counter()
    found = cross_corpus_table(
        svm_functionals(memory=memory, random_state=SEED),
        {name: keep_emotions(corpus, shared) for name, corpus in corpora.items()},
        random_state=SEED,
        verbose=1,
    )
    return {
        "emotions": sorted(shared),
        "seconds": round(time.perf_counter() - started),
        **{
            name: json.loads(found[name].to_json(orient="split"))
            for name in ("table", "low", "high", "n_tested")
        },
        "by_speaker": {
            f"{trained} on {tested}": _by_speaker(part)
            for (trained, tested), part in found.predictions.groupby(["trained_on", "tested_on"])
            if part["speaker"].nunique() < 8
        },
        "answered": {
            f"{trained} on {tested}": part["predicted"].value_counts(normalize=True).to_dict()
            for (trained, tested), part in found.predictions.groupby(["trained_on", "tested_on"])
        },
    }


def keep_emotions(corpus: Bunch, emotions: set[str]) -> Bunch:
    rows = np.isin(corpus.target, list(emotions))
    return Bunch(
        data=corpus.data[rows].reset_index(drop=True),
        target=corpus.target[rows],
        frame=corpus.frame[rows].reset_index(drop=True),
    )


def _by_speaker(part: pd.DataFrame) -> dict[str, float]:
    summary = classification_summary(part["true"], part["predicted"], part["speaker"])
    found: dict[str, float] = summary.per_speaker["balanced_accuracy"].to_dict()
    return found


def split_table(kept: dict[str, Any]) -> pd.DataFrame:
    """Undo the JSON of a table between corpora."""
    return pd.DataFrame(kept["data"], index=kept["index"], columns=kept["columns"], dtype=float)


def write_page() -> None:
    noise = {path.stem.removeprefix("noise_"): _read(path) for path in _files("noise")}
    cross = [_read(path) for path in _files("cross")]
    lines = ["# What noise leaves, and other corpora", ""]
    lines += _wrapped(
        "`svm_functionals`, seed 0; nothing was tuned. UAR in percent; in brackets the 95 % "
        "interval from resampling speakers, where there are eight of them or more."
    )
    if noise:
        lines += [
            "## White noise",
            "",
            f"`python benchmarks/robustness_corpora.py noise {_named(noise)} --memory FOLDER`",
            "",
            *_wrapped(
                "Speaker protocol, at most five folds, all predictions scored together. The test "
                "clips get the noise, the same for all systems. *Noise in training*: a "
                "WaveformAugmenter with AddNoise(), one copy of each training clip, at 5 to 20 dB. "
                "*NoiseReducer*: behind the reader, in training and test. The ratio is that of the "
                "mean powers, pauses included."
            ),
        ]
    for name, run in noise.items():
        lines += _noise_section(name, run)
    if cross:
        lines += ["## Between corpora", ""]
    for run in cross:
        lines += _cross_section(run)
    with atomic_path(RESULTS / "robustness.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _noise_section(name: str, run: dict[str, Any]) -> list[str]:
    tables = {system: noise_table(rows) for system, rows in run["table"].items()}
    gained = {system: noise_table(rows) for system, rows in run["gained"].items()}
    lines = [
        f"### {name}: {run['n_clips']} clips, {run['n_speakers']} speakers, "
        f"{run['n_emotions']} emotions (chance {100 / run['n_emotions']:.1f})",
        "",
        "| SNR (dB) | " + " | ".join(tables) + " |",
        "|---|" + "---|" * len(tables),
    ]
    for level in tables[BASELINE].index:
        cells = [_score(table.loc[level], "balanced_accuracy") for table in tables.values()]
        lines.append("| " + " | ".join([_level(level), *cells]) + " |")
    lines += [
        "",
        f"Points gained over *{BASELINE}*, mean over speakers:",
        "",
        "| SNR (dB) | " + " | ".join(gained) + " |",
        "|---|" + "---|" * len(gained),
    ]
    for level in tables[BASELINE].index:
        cells = [_score(table.loc[level], "difference", "+") for table in gained.values()]
        lines.append("| " + " | ".join([_level(level), *cells]) + " |")
    worst = tables[BASELINE].iloc[-1]
    lines += [
        "",
        f"At {_level(tables[BASELINE].index[-1])} dB the plain system answers "
        f"{worst['answered_most']} to {100 * worst['share']:.0f} % of the clips. "
        f"{run['seconds']} s.",
        "",
    ]
    return lines


def _cross_section(run: dict[str, Any]) -> list[str]:
    table, low, high = (split_table(run[name]) for name in ("table", "low", "high"))
    tested = split_table(run["n_tested"])
    lines = [
        f"`python benchmarks/robustness_corpora.py cross {_named(table.columns)} --memory FOLDER`",
        "",
        *_wrapped(
            f"The clips of {len(run['emotions'])} emotions ({', '.join(run['emotions'])}; chance "
            f"{100 / len(run['emotions']):.1f}), which all of the corpora have. The diagonal is "
            "the speaker protocol within the corpus."
        ),
        "| trained on | " + " | ".join(f"tested on {name}" for name in table.columns) + " |",
        "|---|" + "---|" * len(table.columns),
    ]
    for row in table.index:
        cells = []
        for column in table.columns:
            cell = {"score": table, "low": low, "high": high}
            text = _score(pd.Series({key: t.loc[row, column] for key, t in cell.items()}), "score")
            cells.append(f"**{text}**" if row == column else text)
        lines.append("| " + " | ".join([row, *cells]) + " |")
    counts = [f"{tested.loc[table.index[-1], column]:.0f}" for column in table.columns]
    lines += ["| clips tested | " + " | ".join(counts) + " |", ""]
    lines += _wrapped(_one_answer(run["answered"]))
    return [*lines, f"{run['seconds']} s.", ""]


def _named(corpora: Iterable[str]) -> str:
    """Write the arguments of a command, with placeholders for the folders."""
    return " ".join(f"{name}={PLACEHOLDERS.get(name, name.upper())}" for name in corpora)


def _one_answer(answered: dict[str, dict[str, float]]) -> str:
    """Tell which systems give hardly any answer but one."""
    lost = []
    for cell, shares in answered.items():
        emotion, share = max(shares.items(), key=lambda item: item[1])
        if share > ONE_ANSWER:
            where = cell.replace(" on ", ", tested on ")
            lost.append(f"trained on {where}: {emotion} ({100 * share:.0f} %)")
    if not lost:
        return ""
    return (
        f"Systems that give one answer to more than {100 * ONE_ANSWER:.0f} % of the clips: "
        f"{'; '.join(lost)}."
    )


def _score(row: pd.Series, what: str, sign: str = "") -> str:
    text = f"{100 * row[what]:{sign}.1f}"
    if pd.isna(row["low"]):
        return text
    return f"{text} [{100 * row['low']:{sign}.1f}, {100 * row['high']:{sign}.1f}]"


def _level(level: float) -> str:
    return f"{level:g}" if np.isfinite(level) else "clean"


def _wrapped(paragraph: str) -> list[str]:
    return [*textwrap.wrap(paragraph, 100, break_on_hyphens=False), ""]


def _files(kind: str) -> list[Path]:
    return sorted(FOLDER.glob(f"{kind}_*.json"))


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["noise", "cross"])
    parser.add_argument("corpora", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--memory", help="folder in which features are kept")
    arguments = parser.parse_args()
    roots = dict(sorted(corpus.split("=", 1) for corpus in arguments.corpora))
    memory = arguments.memory
    runs: dict[str, Callable[[], dict[str, Any]]] = {}
    if arguments.what == "noise":
        for name, root in roots.items():
            runs[f"noise_{name}"] = partial(measure_noise, name, root, memory)
    elif roots:
        runs[f"cross_{'_'.join(roots)}"] = partial(measure_cross, roots, memory)
    for name, run in runs.items():
        kept = FOLDER / f"{name}.json"
        if not kept.exists():
            found = run()
            with atomic_path(kept) as temporary:
                temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(name, "done", flush=True)
    write_page()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
