"""Does training in bfloat16 cost accuracy? The CNN-GRU on strangers, in both, seed by seed.

    python benchmarks/bench_precision.py ravdess=RAVDESS --memory FOLDER [--seeds 5]

Each fit is kept in ``results/precision.json`` when it is done and not repeated.
"""

from __future__ import annotations

import argparse
import json
import warnings
from typing import Any

import numpy as np
import torch
from _tools import RESULTS, write_table

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.metrics import compare_by_speaker
from sersk.model_selection import ProtocolSplit
from sersk.recipes import cnn_gru_attention

KEPT = RESULTS / "precision.json"
PRECISIONS = ("float32", "bfloat16")
EPOCHS = 20


def predict(corpus: Any, precision: str, seed: int, memory: str | None) -> dict[str, Any]:
    """Train on four fifths of the speakers, predict the others."""
    y = np.asarray(corpus.target)
    train, test = next(iter(ProtocolSplit("speaker", random_state=seed).split(corpus.frame, y)))
    system = cnn_gru_attention(
        max_epochs=EPOCHS, transforms=[], padding="masked", memory=memory, random_state=seed
    ).set_params(net__precision=precision)
    system.fit(corpus.data.iloc[train], y[train])
    seconds = float(np.median([epoch["dur"] for epoch in system[-1].history_]))
    predicted = system.predict(corpus.data.iloc[test]).tolist()
    return {"rows": test.tolist(), "predicted": predicted, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", metavar="NAME=FOLDER")
    parser.add_argument("--memory")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    name, root = options.corpus.split("=", 1)
    corpus = getattr(datasets, f"load_{name}")(root)
    fits = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for seed in range(options.seeds):
        for precision in PRECISIONS:
            key = f"{name} {precision} {seed}"
            if key not in fits:
                fits[key] = predict(corpus, precision, seed, options.memory)
                with atomic_path(KEPT) as temporary:
                    temporary.write_text(json.dumps(fits), encoding="utf-8")
                print(key, f"{fits[key]['seconds']:.1f} s an epoch", flush=True)
    y, speakers = np.asarray(corpus.target), np.asarray(corpus.frame["speaker"])
    parts: list[list[Any]] = [[], [], [], []]
    uar: dict[str, list[str]] = {precision: [] for precision in PRECISIONS}
    for seed in range(options.seeds):
        found = [fits[f"{name} {precision} {seed}"] for precision in PRECISIONS]
        rows = np.array(found[0]["rows"])
        for part, values in zip(
            parts,
            (y[rows], *(fit["predicted"] for fit in found), speakers[rows]),
            strict=True,
        ):
            part.append(values)
        for precision, fit in zip(PRECISIONS, found, strict=True):
            hits = [
                np.mean(np.array(fit["predicted"])[y[rows] == emotion] == emotion)
                for emotion in np.unique(y[rows])
            ]
            uar[precision].append(f"{100 * np.mean(hits):.1f}")
    gain = compare_by_speaker(*(np.concatenate(part) for part in parts))
    write_table(
        "precision",
        "bfloat16 against float32",
        ["precision", "UAR by seed, %", "mean"],
        [
            [precision, " ".join(values), f"{np.mean([float(value) for value in values]):.1f}"]
            for precision, values in uar.items()
        ],
        f"{name}, CNN-GRU (`cnn_gru_attention` with padding left out, no copies), {EPOCHS} epochs, "
        f"{torch.get_num_threads()} thread(s); each seed tests another fifth of the speakers. "
        f"bfloat16 above float32, paired over speakers: {100 * gain.difference:+.1f} points, "
        f"95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}.",
    )


if __name__ == "__main__":
    main()
