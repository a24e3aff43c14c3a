"""Does a system serve all speakers alike: UAR by sex and age, on speakers never heard.

    python benchmarks/subgroups_corpora.py cremad=CREMA-D ravdess=RAVDESS --memory FOLDER

Also what becomes of it where one sex is missing in the training. Folds are kept in
``results/subgroups.json`` when they are done and not repeated.
"""

from __future__ import annotations

import argparse
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
from _tools import RESULTS
from numpy.typing import NDArray

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.metrics import classification_summary
from sersk.model_selection import ProtocolSplit
from sersk.recipes import svm_functionals

KEPT = RESULTS / "subgroups.json"
SEED = 0
AGES = {"20 to 29": (20, 30), "30 to 44": (30, 45), "45 and more": (45, 200)}
# Who is trained on, by the name under which a table shows it.
TRAININGS = {"all": None, "women": "female", "men": "male", "half of each": "half"}


def rows_to_train_on(frame: pd.DataFrame, train: NDArray[np.intp], who: str | None) -> Any:
    """Choose the speakers of one sex, or as many clips of both."""
    if who is None:
        return train
    sexes = frame["sex"].to_numpy()[train]
    if who != "half":
        return train[sexes == who]
    speakers = frame["speaker"].to_numpy()[train]
    kept = []
    for sex in ("female", "male"):
        names = np.unique(speakers[sexes == sex])
        kept += names[::2].tolist() if sex == "female" else names[1::2].tolist()
    return train[np.isin(speakers, kept)]


def groups_of(frame: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    groups = {
        name: (frame["sex"] == sex).to_numpy()
        for name, sex in (("women", "female"), ("men", "male"))
    }
    if "age" in frame.columns:
        for name, (low, high) in AGES.items():
            groups[f"age {name}"] = frame["age"].between(low, high, inclusive="left").to_numpy()
    return groups


def score(y: Any, predicted: Any, speakers: Any, rows: Any) -> str:
    summary = classification_summary(y[rows], predicted[rows], speakers[rows])
    uar, low, high = 100 * summary.scores.loc["balanced_accuracy", ["score", "low", "high"]]
    return f"{uar:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--memory")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    roots = dict(each.split("=", 1) for each in arguments.corpora)
    corpora = {name: getattr(datasets, f"load_{name}")(root) for name, root in roots.items()}
    done = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for name, corpus in reversed(corpora.items()):
        for training, who in TRAININGS.items():
            y = np.asarray(corpus.target)
            folds = ProtocolSplit("speaker", random_state=SEED).split(corpus.data, y)
            for number, (train, test) in enumerate(folds):
                key = f"{name}|{training}|{number}"
                if key in done:
                    continue
                rows = rows_to_train_on(corpus.frame, train, who)
                model = svm_functionals(memory=arguments.memory, random_state=SEED)
                model.fit(corpus.data.iloc[rows], y[rows])
                predicted = model.predict(corpus.data.iloc[test])
                done[key] = {"rows": test.tolist(), "predicted": predicted.tolist()}
                print(key, flush=True)
                with atomic_path(KEPT) as temporary:
                    temporary.write_text(json.dumps(done) + "\n", encoding="utf-8")
            write_page(corpora, done)


def write_page(corpora: dict[str, Any], done: dict[str, Any]) -> None:
    shown = " ".join(f"{name}={name.upper()}" for name in corpora)
    lines = [
        "# Who is served how well",
        "",
        f"`python benchmarks/subgroups_corpora.py {shown} --memory FOLDER`",
        "",
        "`svm_functionals` on speakers never heard, five folds, seed 0: UAR in percent and its",
        "95 % interval, speakers resampled. The same predictions, scored group by group; below",
        "them those of systems whose training had the speakers of one sex alone, and, to compare,",
        "of one whose training had half of the speakers of each.",
    ]
    for name, corpus in corpora.items():
        y, speakers = np.asarray(corpus.target), corpus.frame["speaker"].to_numpy()
        groups = groups_of(corpus.frame)
        lines += [
            "", f"## {name}", "",
            "| trained on | everybody | " + " | ".join(groups) + " |",
            "|---|---|" + "---|" * len(groups),
        ]  # fmt: skip
        counts = [f"{len(np.unique(speakers[rows]))} speakers" for rows in groups.values()]
        lines.append(f"| | {len(np.unique(speakers))} speakers | " + " | ".join(counts) + " |")
        for training in TRAININGS:
            folds = [each for key, each in done.items() if key.startswith(f"{name}|{training}|")]
            if sum(len(fold["rows"]) for fold in folds) < len(y):
                continue  # not done yet
            predicted = np.empty(len(y), dtype=y.dtype)
            for fold in folds:
                predicted[fold["rows"]] = fold["predicted"]
            cells = [score(y, predicted, speakers, slice(None))]
            cells += [score(y, predicted, speakers, rows) for rows in groups.values()]
            lines.append(f"| {training} | " + " | ".join(cells) + " |")
    text = "\n".join([*lines, ""])
    (RESULTS / "subgroups.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
