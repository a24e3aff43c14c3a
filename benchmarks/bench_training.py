"""Training on a processor: sersk against a plain torch loop and against Keras.

    python benchmarks/bench_training.py [--keras-python PYTHON] [--nets NET ...] [--rounds 3]

Each way of training runs in a process of its own, all of them in turn, round after round; what
counts is the shortest epoch. Rows are kept, so that nets may be measured one by one. Keras is left
out unless an interpreter is named that has it. Keep the machine quiet meanwhile: threads that wait
for each other spoil every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from _tools import RESULTS, write_table
from training_nets import NETS

WORKER = Path(__file__).with_name("training_nets.py")
KEPT = RESULTS / "training.json"
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


def measure(
    net: str, lengths: str, ways: list[str], keras: str | None, rounds: int, threads: int
) -> dict[str, object]:
    """Clips a second of each way, all of them in turn, round after round."""
    seconds: dict[str, float] = {}
    for _ in range(rounds):
        for way in ways:
            python = keras if way == "keras" and keras else sys.executable
            found = min(work(way, net, lengths, python, threads, 4)[1:])
            seconds[way] = min(found, seconds.get(way, found))
    n = NETS[net][1]
    clips = {way: round(n / seconds[way], 1) for way in ways}
    return {
        "clips": clips,
        "rounds": rounds,
        "threads": threads,
        "overhead": overhead(net, lengths),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keras-python")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    ways = [way for way in WAYS if way != "keras" or options.keras_python]
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for net in options.nets:
        for lengths in ("full", "padded") if net != "Conv1D" else ("full",):
            row = measure(net, lengths, ways, options.keras_python, options.rounds, options.threads)
            kept[f"{net}, {lengths}"] = row
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            print(net, lengths, row, flush=True)
    write_page(kept)


def write_page(kept: dict[str, dict[str, Any]]) -> None:
    rows: list[list[object]] = []
    for name, row in kept.items():
        clips = row["clips"]
        cells: list[object] = [name, *(f"{clips[way]:.0f}" if way in clips else "" for way in WAYS)]
        cells.append(f"{clips['sersk'] / clips['plain']:.2f}")
        cells.append(f"{clips['sersk float32 tuned'] / clips['plain']:.2f}")
        cells.append(f"{clips['sersk'] / clips['keras']:.2f}" if "keras" in clips else "")
        rows.append([*cells, row["overhead"]])
    header = ["net, lengths", *WAYS, "sersk / plain", "float32 tuned / plain", "sersk / keras"]
    rounds = sorted({row["rounds"] for row in kept.values()})
    threads = sorted({row["threads"] for row in kept.values()})
    write_table(
        "training",
        "Training on a processor",
        [*header, "skorch's overhead"],
        rows,
        f"Clips a second in the shortest epoch of {' or '.join(str(3 * n) for n in rounds)}, "
        f"batches of 64, {' or '.join(map(str, threads))} threads; each row is one run, its ways "
        "by turns. plain: a torch module, DataLoader and Adam in float32; sersk: as it is by "
        "default, bfloat16 here; tuned: with tune_allocator; skorch's overhead: against sersk's "
        "module, batches, precision and optimizer in a bare loop, one thread, CPU time, median of "
        "ten pairs of epochs. Padded clips are 50 to 100 % long: sersk leaves the padding out and "
        "groups clips by length, plain and keras compute it as zeros.",
    )


if __name__ == "__main__":
    main()
