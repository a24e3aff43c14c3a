"""Training on a processor: sersk against a plain torch loop and against Keras.

    python benchmarks/bench_training.py [--keras-python PYTHON] [--rounds 3] [--threads 2]

Each way of training runs in a process of its own, all of them in turn, round after round; what
counts is the shortest epoch. Keras is left out unless an interpreter is named that has it. Keep the
machine quiet meanwhile: threads that wait for each other spoil every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from _tools import write_table
from training_nets import NETS

WORKER = Path(__file__).with_name("training_nets.py")
WAYS = ["plain", "sersk", "sersk float32", "sersk float32 tuned", "sersk tuned", "loop", "keras"]


def shortest(way: str, net: str, lengths: str, python: str, threads: int) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-W", "ignore", str(WORKER), way, net, lengths, "4"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return min(json.loads(run.stdout.splitlines()[-1])[1:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keras-python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    ways = [way for way in WAYS if way != "keras" or options.keras_python]
    rows: list[list[object]] = []
    for net, (_, n) in NETS.items():
        for lengths in ("full", "padded") if net != "Conv1D" else ("full",):
            seconds: dict[str, float] = {}
            for _ in range(options.rounds):
                for way in ways:
                    python = options.keras_python if way == "keras" else sys.executable
                    found = shortest(way, net, lengths, python, options.threads)
                    seconds[way] = min(found, seconds.get(way, found))
            row: list[object] = [net, lengths]
            row += [f"{n / seconds[way]:.0f}" for way in ways]
            row.append(f"{seconds['plain'] / seconds['sersk']:.2f}")
            row.append(f"{seconds['plain'] / seconds['sersk float32 tuned']:.2f}")
            if options.keras_python:
                row.append(f"{seconds['keras'] / seconds['sersk']:.2f}")
            row.append(f"{100 * (seconds['sersk'] / seconds['loop'] - 1):+.1f} %")
            rows.append(row)
            print(*row, flush=True)
    header = ["net", "lengths", *ways, "sersk / plain", "float32 tuned / plain"]
    header += ["sersk / keras"] if options.keras_python else []
    write_table(
        "training",
        "Training on a processor",
        [*header, "skorch's overhead"],
        rows,
        f"Clips a second in the shortest epoch of {3 * options.rounds}, batches of 64, "
        f"{options.threads} threads. plain: a torch module, DataLoader and Adam in float32; loop: "
        "sersk's module, batches, precision and optimizer without skorch; tuned: with "
        "tune_allocator. Padded clips are 50 to 100 % long: sersk leaves the padding out and "
        "groups clips by length, plain and keras compute it as zeros.",
    )


if __name__ == "__main__":
    main()
