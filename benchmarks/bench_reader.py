"""AudioReader on 1,440 clips: speed against librosa.load, threads, and memory above the output."""

from __future__ import annotations

import json
import tempfile
from operator import itemgetter
from pathlib import Path

import numpy as np
import soundfile
from _tools import run_python, write_table

N_CLIPS = 1440
SECONDS = 3.7
ROUNDS = 3
CASES = [
    ("16 kHz WAV", 16000, ".wav"),
    ("48 kHz WAV", 48000, ".wav"),
    ("48 kHz FLAC", 48000, ".flac"),
]

# Each measurement in a fresh process, whose peak memory is its own.
READ = """
import glob, json, os, resource, sys, time
import numpy as np
folder, how = sys.argv[1:]
paths = sorted(glob.glob(folder + "/*"))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

if how == "librosa":
    import librosa
    def read(paths):
        return [librosa.load(path, sr=16000, res_type="soxr_hq")[0] for path in paths]
else:
    from sersk.preprocessing import AudioReader
    def read(paths):
        return AudioReader(n_jobs=int(how)).fit_transform(paths)

read(paths[:40])
before = peak()
wall, busy = time.perf_counter(), time.process_time()
X = read(paths)
wall, busy = time.perf_counter() - wall, time.process_time() - busy
megabytes = sum(x.nbytes for x in X) / 2**20
above = peak() - before - megabytes
print(json.dumps({"wall": wall, "busy": busy, "above": above, "out": megabytes}))
"""

# What two threads can gain on this machine at this moment: the same work without any of our code.
CONTROL = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np, soxr
x = np.random.default_rng(0).normal(size=48000 * 4).astype(np.float32)
work = lambda _: soxr.resample(x, 48000, 16000, quality="HQ")
def seconds(threads):
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(1000)))
    return time.perf_counter() - started
seconds(1)
print(seconds(1) / seconds(2))
"""


def main() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for name, sample_rate, suffix in CASES:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(N_CLIPS):
                samples = rng.normal(scale=0.1, size=round(SECONDS * sample_rate))
                soundfile.write(Path(folder, f"{number}{suffix}"), samples, sample_rate)
            rounds = [
                {how: json.loads(run_python(READ, folder, how)) for how in ("librosa", "1", "2")}
                for _ in range(ROUNDS)  # in turn, so that a busy moment hits all of them
            ]
            control = max(float(run_python(CONTROL)) for _ in range(ROUNDS))
        best = {how: min((one[how] for one in rounds), key=itemgetter("wall")) for how in rounds[0]}
        librosa, one, two = best["librosa"], best["1"], best["2"]
        rows.append(
            [
                name,
                f"{1000 * one['wall'] / N_CLIPS:.2f}",
                f"{librosa['wall'] / one['wall']:.1f}x",
                f"{librosa['wall'] / two['wall']:.1f}x",
                f"{one['wall'] / two['wall']:.2f}x",
                f"{control:.2f}x",
                f"{two['busy'] / two['wall']:.2f}",
                f"{two['out']:.0f}",
                f"{one['above']:.0f}, {two['above']:.0f}",
            ]
        )
    write_table(
        "reader",
        f"AudioReader: {N_CLIPS} clips of {SECONDS} s, read at 16 kHz",
        [
            "files",
            "ms a clip, one thread",
            "against librosa.load, one thread",
            "two threads",
            "two threads against one",
            "control: soxr alone, two against one",
            "cores busy with two threads",
            "output, MB",
            "peak memory above the output, MB (one, two threads)",
        ],
        rows,
        f"Best of {ROUNDS} fresh processes each, taken in turn: fitting (headers, for the length) "
        "and reading, the files in the disk cache, the output never touched before. Memory is the "
        "peak of the process less what it was after a warm-up of 40 clips, less the output.",
    )


if __name__ == "__main__":
    main()
