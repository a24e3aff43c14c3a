"""Tuning: what the store and the pruner save, what tuning is worth, whether memory stays flat.

    python benchmarks/bench_tuning.py --savee SAVEE --ravdess RAVDESS --memory FOLDER [PART ...]

Parts: speed, pruning, nested, memory; by default all. Each measurement is kept in
``results/tuning.json`` when it is done and not repeated.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import torch
from _tools import RESULTS, machine
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sersk.datasets import load_ravdess, load_savee
from sersk.feature_extraction import MFCC, Functionals, LogMelSpectrogram, PerClip
from sersk.metrics import compare_by_speaker, speaker_bootstrap
from sersk.model_selection import PipelineSearchCV, ProtocolSplit, ValidationHoldout
from sersk.neural_network import CNNClassifier
from sersk.preprocessing import AudioReader
from sersk.recipes import svm_functionals

KEPT = RESULTS / "tuning.json"

# All of the trials where a store is shared, a tenth of them where none is.
N_TRIALS, N_SLOW = 50, 5
N_FOLDS = 3
N_NETS, EPOCHS = 24, 16
N_OUTER, N_INNER = 6, (15, 40)
AT = (10, 25, 50, 100, 150, 200)

STATISTICS = ("mean", "std", "min", "max")
SVM = {
    "svc__C": FloatDistribution(0.1, 100.0, log=True),
    "svc__gamma": FloatDistribution(1e-4, 1e-1, log=True),
}
N_MFCC = CategoricalDistribution((13, 20, 40))
N_MELS = CategoricalDistribution((40, 64, 128))


class LibrosaMFCC(TransformerMixin, BaseEstimator):
    """The loop of the notebooks: a clip is loaded, its MFCC are taken, and their statistics."""

    def __init__(self, n_mfcc: int = 40, n_mels: int = 128) -> None:
        self.n_mfcc = n_mfcc
        self.n_mels = n_mels

    def fit(self, X: pd.DataFrame, y: Any = None) -> LibrosaMFCC:
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        rows = []
        for path in X["path"]:
            samples, sample_rate = librosa.load(path, sr=16000)
            mfcc = librosa.feature.mfcc(
                y=samples, sr=sample_rate, n_mfcc=self.n_mfcc, n_mels=self.n_mels
            )
            # In the order of Functionals: all statistics of a coefficient side by side.
            values = [getattr(mfcc, name)(axis=1) for name in STATISTICS]
            rows.append(np.stack(values, axis=1).ravel())
        return np.array(rows)


class Cost:
    """Seconds by the clock and of the processor, while a block runs."""

    def __enter__(self) -> Cost:
        self._began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall = time.perf_counter() - self._began[0]
        self.cpu = time.process_time() - self._began[1]


def keep(key: str, measure: Callable[[], Any]) -> Any:
    """Give what was measured, now or earlier."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if key not in kept:
        found = measure()
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        kept[key] = found
        KEPT.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        print(key, flush=True)
    return kept[key]


# ----------------------------------------------------------------------------------- the store


def make_side(side: str, folder: str) -> tuple[Pipeline, dict[str, Any]]:
    """Make one of three pipelines that do the same, and its space."""
    if side == "librosa":
        names, first = "librosamfcc__{}", LibrosaMFCC()
    else:
        chain = make_pipeline(AudioReader(), MFCC(), Functionals(statistics=STATISTICS))
        memory = folder if side == "store" else None
        names, first = "perclip__transformer__mfcc__{}", PerClip(chain, memory=memory)
    space = {names.format("n_mfcc"): N_MFCC, names.format("n_mels"): N_MELS}
    return make_pipeline(first, StandardScaler(), SVC()), space | SVM


def search_side(corpus: Any, side: str, n_trials: int) -> dict[str, Any]:
    # What is compiled or loaded once is no part of it.
    with tempfile.TemporaryDirectory() as folder:
        make_side(side, folder)[0].fit(corpus.data[:200:10], corpus.target[:200:10])
    with tempfile.TemporaryDirectory() as folder:
        pipeline, space = make_side(side, folder)
        search = PipelineSearchCV(
            pipeline, space=space, cv=ProtocolSplit("speaker", n_splits=N_FOLDS),
            n_trials=n_trials, sampler=RandomSampler(), pruner=NopPruner(), refit=False,
            random_state=0,
        )  # fmt: skip
        with Cost() as cost:
            search.fit(corpus.data, corpus.target)
    return {
        "wall": cost.wall,
        "cpu": cost.cpu,
        "scores": search.cv_results_["mean_test_score"].tolist(),
        "drawn": [list(params.values()) for params in search.cv_results_["params"]],
    }


def speed(options: argparse.Namespace) -> list[str]:
    corpus = load_savee(options.savee)
    sides = {
        "store": ("`PerClip` with `memory`, empty at first", N_TRIALS),
        "plain": ("`PerClip` without", N_SLOW),
        "librosa": ("librosa, clip by clip", N_SLOW),
    }
    found = {
        side: keep(f"speed {side}", lambda side=side, n=n: search_side(corpus, side, n))
        for side, (_, n) in sides.items()
    }
    for side in ("plain", "librosa"):
        assert found[side]["drawn"] == found["store"]["drawn"][:N_SLOW]
    first = np.array(found["store"]["scores"][:N_SLOW])
    gap = max(abs(first - found[side]["scores"]).max() for side in ("plain", "librosa"))
    lines = [
        f"| features | trials | seconds | of the processor | of {N_TRIALS} trials | times longer |",
        "|---|---|---|---|---|---|",
    ]
    for side, (name, n) in sides.items():
        whole = {clock: found[side][clock] * N_TRIALS / n for clock in ("wall", "cpu")}
        times = {clock: whole[clock] / found["store"][clock] for clock in whole}
        lines.append(
            f"| {name} | {n} | {found[side]['wall']:.0f} | {found[side]['cpu']:.0f} | "
            f"{whole['wall']:.0f}{'' if n == N_TRIALS else ' (x 10)'} | "
            f"{times['wall']:.1f} (processor {times['cpu']:.1f}) |"
        )
    return [
        *lines,
        "",
        f"SAVEE, {len(corpus.target)} clips, {N_FOLDS} folds of speakers, one process, one thread: "
        "MFCC (`n_mfcc` of 13, 20, 40; `n_mels` of 40, 64, 128), four statistics, scaling, an SVC "
        f"of which `C` and `gamma` are searched. The same draws of a random sampler, no pruner. "
        f"Where nothing is kept, the first {N_SLOW} trials were computed and their time multiplied "
        f"by {N_TRIALS // N_SLOW}: each of them computes all clips in each fold. Largest difference"
        f" of a trial's score between the three: {gap:.4f}.",
    ]


# ----------------------------------------------------------------------------------- the pruner


def make_net(memory: str) -> tuple[ValidationHoldout, dict[str, Any]]:
    chain = make_pipeline(AudioReader(duration=3.0), LogMelSpectrogram(n_mels=40))
    net = CNNClassifier(filters=(8, 16), max_epochs=EPOCHS, patience=None, random_state=0)
    model = ValidationHoldout(
        make_pipeline(PerClip(chain, memory=memory), net), size=0.2, random_state=0
    )
    inside = "estimator__cnnclassifier__"
    return model, {
        inside + "lr": FloatDistribution(1e-5, 1e-1, log=True),
        inside + "dropout": FloatDistribution(0.0, 0.6),
        inside + "weight_decay": FloatDistribution(1e-4, 1e-1, log=True),
    }


def search_net(corpus: Any, memory: str, *, prune: bool) -> dict[str, Any]:
    """Tune on the first twelve speakers, predict the others with the best."""
    speakers = np.asarray(corpus.groups)
    known = np.isin(speakers, np.unique(speakers)[:12])
    y = np.asarray(corpus.target)
    model, space = make_net(memory)
    search = PipelineSearchCV(
        model, space=space, cv=ProtocolSplit("speaker", n_splits=2), n_trials=N_NETS,
        sampler=RandomSampler(), pruner=None if prune else NopPruner(), refit=True, random_state=0,
    )  # fmt: skip
    # The features are there before the clock starts.
    model.estimator[0].fit_transform(corpus.data)
    with Cost() as cost:
        search.fit(corpus.data[known], y[known])
    trials = search.study_.get_trials(deepcopy=False)
    return {
        "wall": cost.wall - search.refit_time_,
        "cpu": cost.cpu,
        # A report each epoch; that of the last one of a fold is the fold's own.
        "epochs": sum(len(trial.intermediate_values) for trial in trials),
        "pruned": int((search.cv_results_["state"] == "pruned").sum()),
        "best": search.best_score_,
        "index": search.best_index_,
        "predicted": search.predict(corpus.data[~known]).tolist(),
    }


def pruning(options: argparse.Namespace) -> list[str]:
    corpus = load_ravdess(options.ravdess)
    found = {
        name: keep(
            f"pruning {name}",
            lambda prune=prune: search_net(corpus, options.memory, prune=prune),
        )
        for name, prune in {"none": False, "median": True}.items()
    }
    speakers = np.asarray(corpus.groups)
    others = ~np.isin(speakers, np.unique(speakers)[:12])
    y, speakers = np.asarray(corpus.target)[others], speakers[others]
    lines = [
        "| pruner | trials ended early | epochs | seconds | of the processor | best score | its "
        "trial | UAR on others, % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, title in {"none": "`NopPruner()`", "median": "the default, a median"}.items():
        one = found[name]
        uar = speaker_bootstrap(y, one["predicted"], speakers)
        lines.append(
            f"| {title} | {one['pruned']} of {N_NETS} | {one['epochs']} | {one['wall']:.0f} | "
            f"{one['cpu']:.0f} | {one['best']:.3f} | {one['index']} | {100 * uar.score:.1f} "
            f"({100 * uar.low:.1f} to {100 * uar.high:.1f}) |"
        )
    none, median = found["none"], found["median"]
    gain = compare_by_speaker(y, none["predicted"], median["predicted"], speakers)
    saved = {key: 100 * (1 - median[key] / none[key]) for key in ("epochs", "cpu")}
    return [
        *lines,
        "",
        f"RAVDESS, a CNN of two blocks on 40 log-mel bands, {EPOCHS} epochs, two folds; tuned on "
        f"twelve speakers, tested on the twelve others. The same {N_NETS} draws of `lr`, `dropout` "
        "and `weight_decay` in both searches, features in the store. Epochs are counted and hang "
        f"on no clock: {saved['epochs']:.0f} % fewer of them, {saved['cpu']:.0f} % less time of "
        f"the processor (one refit is in both). With pruning above without, on the others, paired "
        f"by speaker: {_points(gain)}.",
    ]


def _points(gain: Any) -> str:
    return (
        f"{100 * gain.difference:+.1f} points, 95 % interval {100 * gain.low:+.1f} to "
        f"{100 * gain.high:+.1f}"
    )


# ------------------------------------------------------------------------------ what it is worth


def outer_fold(corpus: Any, memory: str, fold: int, n_trials: int) -> dict[str, Any]:
    y = np.asarray(corpus.target)
    outer = ProtocolSplit("speaker", n_splits=N_OUTER)
    train, test = list(outer.split(corpus.frame, y))[fold]
    default = svm_functionals(memory=memory)
    search = PipelineSearchCV(
        svm_functionals(memory=memory), cv=ProtocolSplit("speaker", n_splits=N_FOLDS),
        n_trials=n_trials, random_state=0,
    )  # fmt: skip
    search.fit(corpus.data.iloc[train], y[train])
    default.fit(corpus.data.iloc[train], y[train])
    return {
        "rows": test.tolist(),
        "default": default.predict(corpus.data.iloc[test]).tolist(),
        "tuned": search.predict(corpus.data.iloc[test]).tolist(),
        "best": search.best_score_,
        "params": search.cv_results_["params"][search.best_index_],
    }


def nested(options: argparse.Namespace) -> list[str]:
    corpus = load_ravdess(options.ravdess)
    folds = {
        n_trials: [
            keep(
                f"nested {fold} {n_trials}",
                lambda fold=fold, n_trials=n_trials: outer_fold(
                    corpus, options.memory, fold, n_trials
                ),
            )
            for fold in range(N_OUTER)
        ]
        for n_trials in N_INNER
    }
    first = folds[N_INNER[0]]
    rows = np.concatenate([fold["rows"] for fold in first])
    y, speakers = np.asarray(corpus.target)[rows], np.asarray(corpus.groups)[rows]
    default = np.concatenate([fold["default"] for fold in first])
    lines = [
        "| pipeline | UAR, % | 95 % interval over speakers | above the default, points | 95 % "
        "interval, paired by speaker | `best_score_`, mean, % |",
        "|---|---|---|---|---|---|",
    ]
    uar = speaker_bootstrap(y, default, speakers)
    lines.append(
        f"| default | {100 * uar.score:.1f} | {100 * uar.low:.1f} to {100 * uar.high:.1f} | | | |"
    )
    for n_trials, some in folds.items():
        tuned = np.concatenate([fold["tuned"] for fold in some])
        uar = speaker_bootstrap(y, tuned, speakers)
        gain = compare_by_speaker(y, default, tuned, speakers)
        best = 100 * np.mean([fold["best"] for fold in some])
        lines.append(
            f"| {n_trials} trials | {100 * uar.score:.1f} | {100 * uar.low:.1f} to "
            f"{100 * uar.high:.1f} | {100 * gain.difference:+.1f} | {100 * gain.low:+.1f} to "
            f"{100 * gain.high:+.1f} | {best:.1f} |"
        )
    return [
        *lines,
        "",
        "RAVDESS, `svm_functionals` as it is and tuned over `default_search_space`, "
        f"{N_FOLDS} inner folds, anew in each of {N_OUTER} outer folds whose speakers no trial has "
        "seen. The default, `C=10` and `gamma` by the number of features, is no trial of a search.",
    ]


# -------------------------------------------------------------------------------------- memory


def grow(corpus: Any, memory: str) -> dict[str, Any]:
    pipeline, space = make_side("store", memory)
    calls, at = [0], {}

    def score(estimator: Any, X: Any, y: Any) -> float:
        calls[0] += 1
        trials, rest = divmod(calls[0], N_FOLDS)
        if not rest and trials in AT:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
            at[trials] = [resident, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
        return float(estimator.score(X, y))

    PipelineSearchCV(
        pipeline, space=space, cv=ProtocolSplit("speaker", n_splits=N_FOLDS), scoring=score,
        n_trials=AT[-1], pruner=NopPruner(), refit=False, random_state=0,
    ).fit(corpus.data, corpus.target)  # fmt: skip
    return {str(trials): found for trials, found in at.items()}


def memory(options: argparse.Namespace) -> list[str]:
    corpus = load_savee(options.savee)

    def measure() -> Any:
        # What the other parts left behind in this process is no part of it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            return fresh.submit(grow, corpus, options.memory).result()

    found = keep("memory", measure)
    lines = ["| trials | memory, MiB | peak until then, MiB |", "|---|---|---|"]
    lines += [f"| {trials} | {now:.0f} | {peak:.0f} |" for trials, (now, peak) in found.items()]
    return [
        *lines,
        "",
        f"The search of the first table with Optuna's default sampler and {AT[-1]} trials, study "
        "in memory, one process.",
    ]


PARTS = {
    "speed": ("The same trials, with a store and without", speed),
    "pruning": ("A net, with a pruner and without", pruning),
    "nested": ("Tuned against default, on speakers that no trial has seen", nested),
    "memory": ("Memory of a long study", memory),
}


def main() -> None:
    """Measure the parts that are named, or all; write those that are known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--savee", required=True)
    parser.add_argument("--ravdess", required=True)
    parser.add_argument("--memory", required=True, help="folder for features")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sections = []
    for name in options.parts or PARTS:
        title, measure = PARTS[name]
        sections.append("\n".join([f"## {title}", "", *measure(options)]))
    if options.parts:
        print("\n\n".join(sections))
        return
    head = (
        f"# Tuning\n\n`python benchmarks/bench_tuning.py --savee SAVEE --ravdess RAVDESS --memory "
        f"FOLDER` on {machine()}, which other programs used at the same time: ratios of the "
        "processor's time are the safer ones.\n\n"
    )
    text = head + "\n\n".join(sections) + "\n"
    (RESULTS / "tuning.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
