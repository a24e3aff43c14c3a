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
from statistics import median

from _tools import write_table
from training_nets import NETS

WORKER = Path(__file__).with_name("training_nets.py")
WAYS = ["plain", "sersk", "sersk float32", "sersk float32 tuned", "sersk tuned", "keras"]


def work(way: str, net: str, lengths: str, python: str, threads: int, epochs: int) -> list[float]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-W", "ignore", str(WORKER), way, net, lengths, str(epochs)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds: list[float] = json.loads(run.stdout.splitlines()[-1])
    return seconds


def overhead(net: str, lengths: str) -> str:
    """What skorch costs above a bare loop, in CPU time on one thread: median of ten pairs."""
    seconds = work("overhead", net, lengths, sys.executable, 1, 10)
    pairs = zip(seconds[::2], seconds[1::2], strict=True)
    return f"{100 * median(skorch / bare - 1 for skorch, bare in pairs):+.1f} %"


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
                    found = min(work(way, net, lengths, python, options.threads, 4)[1:])
                    seconds[way] = min(found, seconds.get(way, found))
            row: list[object] = [net, lengths]
            row += [f"{n / seconds[way]:.0f}" for way in ways]
            row.append(f"{seconds['plain'] / seconds['sersk']:.2f}")
            row.append(f"{seconds['plain'] / seconds['sersk float32 tuned']:.2f}")
            if options.keras_python:
                row.append(f"{seconds['keras'] / seconds['sersk']:.2f}")
            row.append(overhead(net, lengths))
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
        f"{options.threads} threads. plain: a torch module, DataLoader and Adam in float32; "
        "tuned: with tune_allocator; skorch's overhead: against sersk's module, batches, precision "
        "and optimizer in a bare loop, one thread, CPU time, median of ten pairs of epochs. Padded "
        "clips are 50 to 100 % long: sersk leaves the padding out and groups clips by length, "
        "plain and keras compute it as zeros.",
    )


if __name__ == "__main__":
    main()
