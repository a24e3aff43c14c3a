"""``sersk predict``: throughput and memory, on many clips and on long recordings."""

from __future__ import annotations

import json
import tempfile

from _tools import run_python, write_table

N_CLIPS = (1_000, 10_000)
MINUTES = (10, 60)

# A corpus, a model of it, its clips under many names (each a clip of its own), and long recordings.
PREPARE = """
import json, os, sys
import numpy as np
import sersk
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.persistence import RecordingProfile
from sersk.recipes import gradient_boosting_functionals
import soundfile

folder, sizes, minutes = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
corpus = make_emotional_speech(n_speakers=6, random_state=0)
samples = np.concatenate([clip[~np.isnan(clip)] for clip in corpus.data])
corpus = write_corpus(corpus, folder + "/corpus")
model = gradient_boosting_functionals().fit(corpus.data, corpus.target)
profile = RecordingProfile.from_clips(corpus.data)
sersk.save(model, folder + "/model.skops", corpus=corpus, profile=profile)
for size in sizes:
    os.mkdir(f"{folder}/{size}")
    for number in range(size):
        source = corpus.data["path"][number % len(corpus.data)]
        os.link(source, f"{folder}/{size}/{number:05d}.wav")
for length in minutes:
    with soundfile.SoundFile(f"{folder}/{length}.wav", "w", 16000, 1) as file:
        left = length * 60 * 16000
        while left:
            left -= len(part := samples[:left])
            file.write(part)
"""

MEASURE = """
import json, resource, subprocess, sys, time

def run(*arguments):
    command = [sys.executable, "-m", "sersk", "predict", sys.argv[1], *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout.count(chr(10)) - 1

# What a single clip takes is start: loading packages, compiled code and the model.
start, _ = run(sys.argv[2], "--format", "csv")
seconds, rows = run(*sys.argv[3:], "--format", "csv")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"start": start, "seconds": seconds, "rows": rows, "peak": peak}))
"""

NOTES = """
Time is from the command to its end; that of one clip alone is what any run begins with: loading
packages, compiled code and the model. Peak is of the whole process, packages too. The clips are
synthetic, 2.2 s on average at 16 kHz; the model is `gradient_boosting_functionals`, one thread,
and each clip is compared with the training recordings. Other work ran on the machine: times are
upper bounds, memory does not depend on that.
"""


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run_python(PREPARE, folder, json.dumps(N_CLIPS), json.dumps(MINUTES))
        model, one = f"{folder}/model.skops", f"{folder}/{N_CLIPS[0]}/00000.wav"
        inputs = {f"{size:,} clips": [f"{folder}/{size}"] for size in N_CLIPS} | {
            f"{length} min, windows of 3 s each 1 s": [
                f"{folder}/{length}.wav", "--window", "3", "--hop", "1",
            ]
            for length in MINUTES
        }  # fmt: skip
        for name, arguments in inputs.items():
            found = json.loads(run_python(MEASURE, model, one, *arguments))
            minutes = next((m for m in MINUTES if name.startswith(f"{m} min")), None)
            times = "-" if minutes is None else f"{60 * minutes / found['seconds']:.0f}"
            rows.append(
                [name, found["rows"], f"{found['seconds']:.0f} s", f"{found['start']:.0f} s",
                 f"{found['rows'] / found['seconds']:.0f}", times, f"{found['peak']:.0f} MiB"]
            )  # fmt: skip
    header = [
        "recordings", "predictions", "time", "one clip alone", "predictions a second",
        "times real time", "peak",
    ]  # fmt: skip
    write_table("predict", "sersk predict", header, rows, NOTES)


if __name__ == "__main__":
    main()
