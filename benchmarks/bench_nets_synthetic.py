"""Nets against logistic regression on the synthetic corpus, on speakers that they never heard.

    python benchmarks/bench_nets_synthetic.py

Both see log-mel bands: the nets as images, logistic regression as their statistics over time.
Differences are paired over speakers, for three corpora drawn with different seeds. Also: how long
the whole pipeline takes for one clip of three seconds.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from _tools import write_table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sersk.datasets import make_emotional_speech
from sersk.feature_extraction import Functionals, LogMelSpectrogram
from sersk.metrics import compare_by_speaker
from sersk.model_selection import evaluate_protocol
from sersk.neural_network import CNNClassifier, CRNNClassifier
from sersk.preprocessing import AudioReader

SEEDS = (0, 1, 2)
N_SPEAKERS = 12
TRAINING: dict[str, Any] = {
    "max_epochs": 30,
    "batch_size": 32,
    "lr": 2e-3,
    "lr_schedule": "cosine",
    "dropout": 0.1,
}


def systems(seed: int) -> dict[str, Any]:
    options = {**TRAINING, "random_state": seed}
    filters = (16, 32, 48, 64)
    return {
        "logistic regression": make_pipeline(
            Functionals(), StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)
        ),
        "CRNN": CRNNClassifier(filters=filters, **options),
        "CNN": CNNClassifier(filters=filters, **options),
    }


def compare(seed: int, rows: dict[str, dict[str, list[Any]]]) -> None:
    corpus = make_emotional_speech(n_speakers=N_SPEAKERS, random_state=seed)
    images = make_pipeline(AudioReader(), LogMelSpectrogram(n_mels=64)).fit_transform(corpus.data)
    results = {}
    for name, system in systems(seed).items():
        started = time.perf_counter()
        X = images[:, 0] if name.startswith("logistic") else images
        results[name] = evaluate_protocol(system, X, corpus.target, groups=corpus.frame)
        found = rows.setdefault(name, {"uar": [], "minutes": [], "pairs": []})
        found["uar"].append(results[name].scores.loc["balanced_accuracy", "score"])
        found["minutes"].append((time.perf_counter() - started) / 60)
        base, this = (
            results[key].predictions.sort_values("row") for key in ("logistic regression", name)
        )
        found["pairs"].append(
            (base["true"], base["predicted"], this["predicted"], base["speaker"] + f" {seed}")
        )
        print(seed, name, f"{100 * found['uar'][-1]:.1f}", flush=True)


def milliseconds(system: Any) -> float:
    """Shortest time for one clip, from samples to emotion."""
    corpus = make_emotional_speech(n_speakers=4, n_sentences=1, random_state=0)
    whole = make_pipeline(AudioReader(), LogMelSpectrogram(n_mels=64), system)
    whole.set_params(**{f"{whole.steps[-1][0]}__max_epochs": 1}).fit(corpus.data, corpus.target)
    clip = [np.random.default_rng(0).normal(scale=0.1, size=48_000).astype(np.float32)]
    times = []
    for _ in range(50):
        started = time.perf_counter()
        whole.predict(clip)
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: dict[str, dict[str, list[Any]]] = {}
    for seed in SEEDS:
        compare(seed, rows)
    table: list[list[object]] = []
    for name, found in rows.items():
        pairs = [np.concatenate(part) for part in zip(*found["pairs"], strict=True)]
        gain = compare_by_speaker(*pairs)
        is_net = not name.startswith("logistic")
        table.append(
            [
                name,
                f"{100 * np.mean(found['uar']):.1f}",
                " ".join(f"{100 * uar:.1f}" for uar in found["uar"]),
                f"{100 * gain.difference:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
                if is_net else "",
                f"{np.mean(found['minutes']):.1f}",
                f"{milliseconds(systems(0)[name]):.1f}" if is_net else "",
            ]
        )  # fmt: skip
    write_table(
        "nets_synthetic",
        "Nets against logistic regression on the synthetic corpus",
        ["system", "UAR, %", "by seed", "above logistic regression, by speaker", "minutes a seed",
         "ms for one clip"],
        table,
        f"{N_SPEAKERS} speakers, 576 clips, six emotions (chance 16.7), five folds with no "
        "speaker on both sides; the corpus is drawn anew for each seed. Settings of the nets: "
        f"{', '.join(f'{name}={value}' for name, value in TRAINING.items())}, filters of 16, 32, "
        "48, 64; nothing held out, no epoch picked. Minutes: five fits on one core of a machine "
        "that was shared. The last column: reading 48,000 samples, log-mel, net; shortest of 50.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
