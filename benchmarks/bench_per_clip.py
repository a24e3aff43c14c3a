"""PerClip: what it streams, what a second run costs, what a search saves."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from _tools import RESULTS, machine, run_python

SIZES = (12_500, 25_000, 50_000, 100_000)

# 288 synthetic clips, each under many names: every name is a clip of its own for PerClip.
STREAM = """
import json, os, resource, sys, time
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sersk.feature_extraction import FrameFeatures, Functionals, PerClip
from sersk.preprocessing import AudioReader

names, store, n_clips = sys.argv[1], sys.argv[2], int(sys.argv[3])
paths = sorted(entry.path for entry in os.scandir(names))
table = pd.DataFrame({"path": paths[:n_clips]})
if sys.argv[4] == "features":
    chain = make_pipeline(
        AudioReader(duration=4.0, n_jobs=2), FrameFeatures(n_jobs=2), Functionals(n_jobs=2)
    )
else:
    # What handling the clips costs by itself: keys, look-up, keeping, putting in place.
    chain = FunctionTransformer(lambda X: np.zeros((len(X), 1820), dtype=np.float32))
chain.fit_transform(table[:64])

def memory():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

features = PerClip(chain, memory=store)
started, before = time.perf_counter(), memory()
rows = features.fit_transform(table)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({
    "seconds": seconds, "above": peak - before, "before": before,
    "output": rows.nbytes / 2**20, "mapped": type(rows).__name__ == "memmap",
    "store": sum(f.stat().st_size for f in os.scandir(store) if "clips" in f.name) / 2**20,
}))
"""

# One folder of names for all runs, one store for each.
PREPARE = """
import os, sys
from sersk.datasets import make_emotional_speech, write_corpus

folder, n_names = sys.argv[1], int(sys.argv[2])
corpus = write_corpus(make_emotional_speech(n_speakers=6, random_state=0), folder + "/corpus")
os.mkdir(folder + "/names")
paths = corpus.data["path"].tolist()
for number in range(n_names):
    os.link(paths[number % len(paths)], f"{folder}/names/{number:07d}.wav")
"""

AGAIN = """
import json, sys, tempfile, time
from sklearn.pipeline import make_pipeline
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.feature_extraction import (
    FrameFeatures, Functionals, OpenSMILE, PerClip, Pitch, VoiceQuality
)
from sersk.preprocessing import AudioReader

steps = {
    "Pitch(method='pyin')": lambda: [Pitch(method="pyin"), Functionals()],
    "OpenSMILE (eGeMAPS)": lambda: [OpenSMILE()],
    "VoiceQuality": lambda: [VoiceQuality()],
    "the 182 features": lambda: [FrameFeatures(), Functionals()],
}[sys.argv[1]]()
folder = tempfile.mkdtemp()
corpus = write_corpus(make_emotional_speech(n_speakers=3, random_state=0), folder)
table = corpus.data[:128]
chain = make_pipeline(AudioReader(), *steps)
chain.fit_transform(table[:2])
best = [1e9, 1e9]
for attempt in range(2):
    for run in range(2):
        features = PerClip(chain, memory=f"{folder}/{attempt}")
        started = time.perf_counter()
        features.fit_transform(table)
        best[run] = min(best[run], time.perf_counter() - started)
print(json.dumps([1000 * seconds / len(table) for seconds in best]))
"""

SEARCH = """
import json, sys, tempfile, time
from collections import Counter
import numpy as np
from sklearn.model_selection import GridSearchCV
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.preprocessing import _audio_reader
from sersk.recipes import svm_functionals

n_candidates, memory, duration = int(sys.argv[1]), sys.argv[2] == "store", json.loads(sys.argv[3])
reads = Counter()
read_clip = _audio_reader.read_clip

def counting(region, sample_rate, out):
    reads[region.path] += 1
    return read_clip(region, sample_rate, out)

_audio_reader.read_clip = counting
folder = tempfile.mkdtemp()
corpus = write_corpus(make_emotional_speech(n_speakers=6, random_state=0), folder)
pipeline = svm_functionals(memory=folder + "/store" if memory else None, duration=duration)
pipeline.fit(corpus.data[:20], corpus.target[:20])
if memory:
    pipeline["features"].set_params(memory=folder + "/fresh")
reads.clear()
search = GridSearchCV(pipeline, {"svm__C": np.logspace(-1, 2, n_candidates)}, cv=5, refit=False)
started = time.perf_counter()
search.fit(corpus.data, corpus.target)
print(json.dumps({
    "seconds": time.perf_counter() - started,
    "clips": len(corpus.data),
    "reads": sum(reads.values()),
    "most": max(reads.values()),
}))
"""


def stream(folder: Path) -> list[str]:
    run_python(PREPARE, str(folder), str(SIZES[-1]))
    lines = [
        "| computed | clips | seconds | ms a clip | output, MiB | store, MiB | memory above "
        "the start, MiB | second run, seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what, size in [("features", size) for size in SIZES] + [("nothing", SIZES[1])]:
        store = folder / f"store-{what}-{size}"
        first, second = (
            json.loads(run_python(STREAM, str(folder / "names"), str(store), str(size), what))
            for _ in range(2)
        )
        mapped = " (mapped)" if first["mapped"] else ""
        seconds = first["seconds"]
        lines.append(
            f"| {what} | {size:,} | {seconds:.0f} | {1000 * seconds / size:.2f} | "
            f"{first['output']:.0f}{mapped} | {first['store']:.0f} | {first['above']:.0f} | "
            f"{second['seconds']:.1f} |"
        )
        print(lines[-1], flush=True)
    return lines


def again() -> list[str]:
    lines = ["| features | first run, ms a clip | second run | faster |", "|---|---|---|---|"]
    for name in ("Pitch(method='pyin')", "OpenSMILE (eGeMAPS)", "VoiceQuality", "the 182 features"):
        first, second = json.loads(run_python(AGAIN, name))
        lines.append(f"| {name} | {first:.2f} | {second:.3f} | {first / second:.0f}x |")
        print(lines[-1], flush=True)
    return lines


def search() -> list[str]:
    lines = [
        "| memory | duration | candidates | fits | seconds | clips | decoded | most often one |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for memory, candidates, duration in (
        ("none", 1, 4.0),
        ("none", 10, 4.0),
        ("store", 1, 4.0),
        ("store", 10, 4.0),
        ("store", 50, 4.0),
        ("store", 50, None),
    ):
        found = json.loads(run_python(SEARCH, str(candidates), memory, json.dumps(duration)))
        lines.append(
            f"| {memory} | {duration or 'learned'} | {candidates} | {5 * candidates} | "
            f"{found['seconds']:.1f} | {found['clips']} | {found['reads']} | {found['most']} |"
        )
        print(lines[-1], flush=True)
    return lines


PARTS = {
    "search": (
        "A search over the classifier alone",
        search,
        "`svm_functionals` on 288 synthetic clips, `GridSearchCV(cv=5)` over the SVM's C, "
        "oversampling inside the folds, one core. Decoded clips are counted, not timed.",
    ),
    "again": (
        "The second run, from disk",
        again,
        "128 synthetic clips of 1 to 3 s, reading and the features named, then `Functionals` for "
        "those that are frames; one core, the smaller of two.",
    ),
    "stream": (
        "Streaming",
        stream,
        "Reading 16 kHz WAV, the 182 features, ten statistics of each (1,820 float32 a clip), two "
        "threads, `memory` on. 288 synthetic clips of 1 to 3 s under as many names as there are "
        "clips; each name is a clip of its own. Each run is a process of its own; the start is "
        "measured after the kernels were loaded and 64 clips computed. Memory above the start "
        'includes the output where it is not mapped. "Nothing" is a chain that makes rows of '
        "zeros: what is left is the cost of handling a clip, all of it in the calling process.",
    ),
}


def main() -> None:
    """Run the parts that are named, or all; each replaces its own section of the results."""
    target = RESULTS / "per_clip.json"
    sections = json.loads(target.read_text()) if target.exists() else {}
    for name in sys.argv[1:] or PARTS:
        title, measure, notes = PARTS[name]
        if name == "stream":
            with tempfile.TemporaryDirectory() as folder:
                table = measure(Path(folder))
        else:
            table = measure()
        sections[name] = "\n".join([f"## {title}", "", *table, "", notes])
        target.write_text(json.dumps(sections, indent=1))
    head = f"# PerClip\n\n`python benchmarks/bench_per_clip.py` on {machine()}.\n\n"
    text = head + "\n\n".join(sections[name] for name in PARTS if name in sections) + "\n"
    (RESULTS / "per_clip.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
