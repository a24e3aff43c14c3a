"""What knowing a speaker's other clips is worth where these are not spread over the emotions.

    python benchmarks/unbalanced_speakers.py cremad=CREMA-D ravdess=RAVDESS --memory FOLDER

In corpora each speaker plays every emotion about equally often. Here the tested clips of each
speaker are thinned out, so that a share of them is neutral; what is trained on stays as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _tools import RESULTS
from numpy.typing import NDArray

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.model_selection import ProtocolSplit, SpeakerPriorClassifier
from sersk.recipes import (
    gradient_boosting_functionals,
    svm_functionals,
    svm_functionals_by_speaker,
)

KEPT = RESULTS / "unbalanced_speakers.json"
SYSTEMS: dict[str, Callable[[str | None], Any]] = {
    "svm_functionals": lambda memory: svm_functionals(memory=memory),
    "svm_functionals_by_speaker": lambda memory: svm_functionals_by_speaker(memory=memory),
    "svm_functionals_by_speaker, prior_clips=0": lambda memory: svm_functionals_by_speaker(
        memory=memory, prior_clips=0
    ),
    "SpeakerPriorClassifier": lambda memory: SpeakerPriorClassifier(
        gradient_boosting_functionals(memory=memory)
    ),
}
# Shares of neutral clips; None for the clips as they are.
SHARES = (None, 0.5, 0.67, 0.8)
N_DRAWS = 10


def thin_out(
    emotions: NDArray[Any], speakers: NDArray[Any], share: float | None, seed: Sequence[int]
) -> NDArray[np.intp]:
    """Keep each speaker's neutral clips, and of the others as many as make `share`."""
    if share is None:
        return np.arange(len(emotions))
    rng = np.random.default_rng(seed)
    kept = []
    for speaker in np.unique(speakers):
        own = np.flatnonzero(speakers == speaker)
        neutral = own[emotions[own] == "neutral"]
        others = rng.permutation(own[emotions[own] != "neutral"])
        kept += [neutral, others[: max(1, round(len(neutral) * (1 - share) / share))]]
    return np.sort(np.concatenate(kept))


def run_fold(corpus: Any, name: str, memory: str | None, train: Any, test: Any) -> dict[str, Any]:
    """Count, for each model and share, the clips of each emotion and those that it got right."""
    y = np.asarray(corpus.target)
    model = SYSTEMS[name](memory).fit(corpus.data.iloc[train], y[train])
    models = {name: model}
    if isinstance(model, SpeakerPriorClassifier):
        models = {"gradient_boosting_functionals": model.estimator_, f"{name} of it": model}
    speakers = corpus.data["speaker"].to_numpy()[test]
    counts: dict[str, Any] = {}
    for share in SHARES:
        for each, model in models.items():
            right, of = dict.fromkeys(model.classes_, 0), dict.fromkeys(model.classes_, 0)
            for seed in range(N_DRAWS if share else 1):
                rows = test[thin_out(y[test], speakers, share, (seed, test[0]))]
                predicted = model.predict(corpus.data.iloc[rows])
                for emotion in model.classes_:
                    is_true = y[rows] == emotion
                    of[emotion] += int(is_true.sum())
                    right[emotion] += int((predicted[is_true] == emotion).sum())
            counts.setdefault(each, {})[str(share)] = {"right": right, "of": of}
    return counts


def uar(folds: list[dict[str, Any]], share: float | None) -> float:
    emotions = folds[0][str(share)]["of"]
    right, of = (
        [sum(fold[str(share)][what][emotion] for fold in folds) for emotion in emotions]
        for what in ("right", "of")
    )
    return 100 * float(np.mean(np.divide(right, of)))


def n_tested(folds: list[dict[str, Any]], share: float | None) -> float:
    total = sum(sum(fold[str(share)]["of"].values()) for fold in folds)
    return total / (N_DRAWS if share else 1)


def write_page(corpora: list[str], done: dict[str, Any], command: str) -> None:
    lines = [
        "# Speakers whose clips are not balanced",
        "",
        f"`{command}`",
        "",
        "UAR on speakers never heard, five folds, one seed. Of each speaker all neutral clips are",
        "tested, and of the others, drawn at random, as many as make neutral the share that stands",
        f"above a column; recalls over {N_DRAWS} draws. Systems that are given several clips of a",
        "speaker are given those that are tested, and no others.",
        "",
        "| corpus | system | clips as they are | "
        + " | ".join(f"{share:.0%} neutral" for share in SHARES if share)
        + " |",
        "|---|---|" + "---|" * len(SHARES),
    ]
    for corpus in corpora:
        by_model: dict[str, list[Any]] = {}
        for key, fold in done.items():
            for name, counts in fold.items() if key.startswith(f"{corpus}|") else ():
                by_model.setdefault(name, []).append(counts)
        # Every system is tested on the same clips.
        folds = next(iter(by_model.values()))
        cells = " | ".join(f"{n_tested(folds, share):.0f}" for share in SHARES)
        lines.append(f"| {corpus} | *clips tested, all speakers* | {cells} |")
        for name, folds in by_model.items():
            cells = " | ".join(f"{uar(folds, share):.1f}" for share in SHARES)
            lines.append(f"| {corpus} | {name} | {cells} |")
    (RESULTS / "unbalanced_speakers.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--memory")
    options = parser.parse_args()
    done = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    names = []
    for name, root in (each.split("=", 1) for each in options.corpora):
        names.append(name)
        corpus = getattr(datasets, f"load_{name}")(root)
        splitter = ProtocolSplit("speaker", random_state=0)
        splits = list(splitter.split(corpus.data, corpus.target))
        for system in SYSTEMS:
            for number, (train, test) in enumerate(splits):
                key = f"{name}|{system}|{number}"
                if key not in done:
                    done[key] = run_fold(corpus, system, options.memory, train, test)
                    with atomic_path(KEPT) as path:
                        path.write_text(json.dumps(done) + "\n", encoding="utf-8")
                    print(key, flush=True, file=sys.stderr)
    command = " ".join(f"{name}={name.upper()}" for name in names)
    write_page(names, done, f"python benchmarks/unbalanced_speakers.py {command} --memory FOLDER")


if __name__ == "__main__":
    main()
