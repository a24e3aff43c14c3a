"""Functionals on 200 clips of 182 features: compiled kernels against NumPy, and threads."""

from __future__ import annotations

import json

from _tools import run_python, write_table

ROUNDS = 3

# A fresh process, so that neither backend finds the other's memory warm. In turn within it, so that
# a busy moment hits all of them.
MEASURE = """
import json, sys, time
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from sersk.feature_extraction import Functionals

dtype, statistics = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
frames = rng.normal(size=(200, 182, 94)).astype(dtype)
for clip, length in zip(frames, rng.integers(50, 95, size=200)):
    clip[:, length:] = np.nan
chosen = {} if statistics is None else {"statistics": statistics}

def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

# What two threads can gain on this machine at this moment, without any of our code: few tasks, of
# milliseconds each, so that handing them out costs nothing.
series = [rng.normal(size=(50, 182, 94)).astype(np.float32) for _ in range(8)]
def control(threads):
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda some: np.sort(np.sort(some), axis=1), series))

works = {
    "numpy": lambda: Functionals(backend="numpy", **chosen).fit_transform(frames),
    "one": lambda: Functionals(backend="numba", **chosen).fit_transform(frames),
    "two": lambda: Functionals(backend="numba", n_jobs=2, **chosen).fit_transform(frames),
    "control one": lambda: control(1),
    "control two": lambda: control(2),
}
for work in works.values():
    work()
best = dict.fromkeys(works, float("inf"))
for _ in range(10):
    for name, work in works.items():
        best[name] = min(best[name], seconds(work))
print(json.dumps(best))
"""

CASES = [
    ("the ten by default, float32", "float32", None),
    ("the ten by default, float64", "float64", None),
    ("mean and std, float32", "float32", ["mean", "std"]),
    ("five percentiles, float32", "float32", [f"percentile_{p}" for p in (5, 25, 50, 75, 95)]),
]


def main() -> None:
    rows = []
    for name, dtype, statistics in CASES:
        found = [
            json.loads(run_python(MEASURE, json.dumps([dtype, statistics]))) for _ in range(ROUNDS)
        ]
        best = {what: min(one[what] for one in found) for what in found[0]}
        rows.append(
            [
                name,
                f"{1000 * best['numpy'] / 200:.2f}",
                f"{1000 * best['one'] / 200:.3f}",
                f"{best['numpy'] / best['one']:.1f}x",
                f"{best['numpy'] / best['two']:.1f}x",
                f"{best['one'] / best['two']:.2f}x",
                f"{best['control one'] / best['control two']:.2f}x",
            ]
        )
    write_table(
        "functionals",
        "Functionals: 200 clips, 182 features, up to 94 frames",
        [
            "statistics",
            "numpy, ms a clip",
            "numba, ms a clip",
            "numba against numpy, one thread",
            "two threads against numpy",
            "two threads against one",
            "control: np.sort alone, two against one",
        ],
        rows,
        f"Best of 10 rounds in each of {ROUNDS} fresh processes, all taken in turn, the kernels "
        "compiled beforehand. Fitting and transforming, with the search for NaN and infinity. "
        "What two threads gain is to be read beside the control, which falls where others use "
        "the cores.",
    )


if __name__ == "__main__":
    main()
