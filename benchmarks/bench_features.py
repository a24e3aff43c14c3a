"""Frame features against a plain librosa loop: ratios, threads, memory, and how cost grows.

``python benchmarks/bench_features.py`` writes results/features.md and results/features.png.
"""

from __future__ import annotations

import json
import tempfile

import numpy as np
from _tools import RESULTS, run_python, write_table

SECONDS = 3.0

# What every measurement begins with: speech-like clips, in a process with one thread of BLAS.
PREPARE = """
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import json, resource, sys, time
import numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def clips(n_clips, seconds):
    from sersk.datasets import make_emotional_speech
    speech = make_emotional_speech(n_speakers=2, n_sentences=2, repetitions=1, random_state=0).data
    speech = np.concatenate([row[~np.isnan(row)] for row in speech])
    size = round(seconds * 16000)
    # A little noise, so that no two clips are the same.
    X = np.random.default_rng(0).standard_normal((n_clips, size), dtype=np.float32)
    for i, row in enumerate(X):
        row *= 1e-4
        row += np.resize(np.roll(speech, -1237 * i), size)
    return X

def seconds(function, *arguments):
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started
"""

STACKS = {
    "182: mel 128, MFCC 40, chroma 12, ZCR, RMS": (
        "FrameFeatures()",
        """
        librosa.feature.melspectrogram(y=y, sr=16000),
        librosa.feature.mfcc(y=y, sr=16000, n_mfcc=40),
        librosa.feature.chroma_stft(y=y, sr=16000),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.rms(y=y),
        """,
    ),
    "266: the same, MFCC deltas, centroid, bandwidth, rolloff, flatness": (
        "FrameFeatures(features=['mel', 'mfcc', 'chroma', 'zcr', 'rms', 'mfcc_delta',"
        " 'mfcc_delta2', 'centroid', 'bandwidth', 'rolloff', 'flatness'])",
        """
        librosa.feature.melspectrogram(y=y, sr=16000),
        mfcc := librosa.feature.mfcc(y=y, sr=16000, n_mfcc=40),
        librosa.feature.chroma_stft(y=y, sr=16000),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.rms(y=y),
        librosa.feature.delta(mfcc),
        librosa.feature.delta(mfcc, order=2),
        librosa.feature.spectral_centroid(y=y, sr=16000),
        librosa.feature.spectral_bandwidth(y=y, sr=16000),
        librosa.feature.spectral_rolloff(y=y, sr=16000),
        librosa.feature.spectral_flatness(y=y),
        """,
    ),
    "log-mel 128 and two deltas": (
        "LogMelSpectrogram(deltas=2)",
        """
        mel := librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=16000)),
        librosa.feature.delta(mel),
        librosa.feature.delta(mel, order=2),
        """,
    ),
}

# Speed of one stack: librosa and ours in turn, in one process, the smallest of several rounds.
STACK = """
import librosa
from sersk.feature_extraction import FrameFeatures, LogMelSpectrogram
X = clips(160, float(sys.argv[1]))

def plain():
    return [np.concatenate([{librosa}]) for y in X]

def ours(precision, n_jobs):
    return {ours}.set_params(fft_precision=precision, n_jobs=n_jobs).transform(X)

plain(), [ours(p, n) for p in ("exact", "fast") for n in (1, 2)]
found = {{}}
for _ in range(7):
    found.setdefault("librosa", []).append(seconds(plain))
    for p in ("exact", "fast"):
        for n in (1, 2):
            found.setdefault(f"{{p}} {{n}}", []).append(min(seconds(ours, p, n) for _ in range(3)))
    found.setdefault("control", []).append(control())
print(json.dumps({{k: max(v) if k == "control" else min(v) for k, v in found.items()}}))
"""

# What two threads can gain on this machine at this moment: the same work without our code.
CONTROL = """
from concurrent.futures import ThreadPoolExecutor
import soxr
noise = np.random.default_rng(0).normal(size=48000 * 4).astype(np.float32)
resample = lambda _: soxr.resample(noise, 48000, 16000, quality="HQ")

def threads(n):
    with ThreadPoolExecutor(n) as pool:
        return seconds(lambda: list(pool.map(resample, range(200))))

def control():
    return threads(1) / threads(2)
"""

READ = """
import librosa, soundfile
from sklearn.pipeline import make_pipeline
from sersk.feature_extraction import FrameFeatures
from sersk.preprocessing import AudioReader
folder, sample_rate = sys.argv[1], int(sys.argv[2])
paths = [f"{{folder}}/{{number:03}}.wav" for number in range(320)]
for path, y in zip(paths, clips(320, float(sys.argv[3]))):
    soundfile.write(path, soxr.resample(y, 16000, sample_rate), sample_rate)

def plain():
    for path in paths:
        y = librosa.load(path, sr=16000, res_type="soxr_hq")[0]
        np.concatenate([{librosa}])

reading = AudioReader(n_jobs=2).fit(paths)

def ours(precision):
    features = FrameFeatures(fft_precision=precision, n_jobs=2)
    for first in range(0, len(paths), 64):
        features.transform(reading.transform(paths[first : first + 64]))

plain(), ours("exact"), ours("fast")
found = {{}}
for _ in range(5):
    found.setdefault("librosa", []).append(seconds(plain))
    for p in ("exact", "fast"):
        found.setdefault(p, []).append(min(seconds(ours, p) for _ in range(3)))
    found.setdefault("control", []).append(control())
print(json.dumps({{k: max(v) if k == "control" else min(v) for k, v in found.items()}}))
"""

MEMORY = """
from sersk.feature_extraction import FrameFeatures
features = FrameFeatures(n_jobs=int(sys.argv[1]))
X = clips(int(sys.argv[2]), float(sys.argv[3]))
features.transform(X[:2, :16000])
before = peak()
Xt = features.transform(X)
print(json.dumps(peak() - before - Xt.nbytes / 2**20))
"""

GROWTH = """
from sersk.feature_extraction import FrameFeatures
n_clips, length, n_fft, n_mels = json.loads(sys.argv[1])
features = FrameFeatures(n_fft=n_fft, n_mels=n_mels, n_mfcc=min(n_mels, 40))
X = clips(n_clips, length)
features.transform(X[:1])
print(json.dumps(min(seconds(features.transform, X) for _ in range(3))))
"""


def measure(code: str, *arguments: object) -> float | dict[str, float]:
    printed = run_python(PREPARE + code, *map(str, arguments))
    found: float | dict[str, float] = json.loads(printed)
    return found


def stack_rows() -> list[list[object]]:
    rows: list[list[object]] = []
    for name, (ours, librosa) in STACKS.items():
        found = measure(CONTROL + STACK.format(ours=ours, librosa=librosa), SECONDS)
        times = [1000 * found[key] / 160 for key in ("exact 1", "exact 2", "fast 1", "fast 2")]
        plain = 1000 * found["librosa"] / 160
        rows.append(
            [name, f"{plain:.1f}"]
            + [f"{time:.2f} ({plain / time:.0f}x)" for time in times]
            + [
                f"{times[0] / times[1]:.2f}x, {times[2] / times[3]:.2f}x",
                f"{found['control']:.2f}x",
            ]
        )
    return rows


def reading_rows() -> list[list[object]]:
    rows: list[list[object]] = []
    _, librosa = next(iter(STACKS.values()))
    for sample_rate in (16000, 48000):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(CONTROL + READ.format(librosa=librosa), folder, sample_rate, SECONDS)
        plain = 1000 * found["librosa"] / 320
        times = [1000 * found[key] / 320 for key in ("exact", "fast")]
        rows.append(
            [
                f"read {sample_rate // 1000} kHz WAV, then the 182",
                f"{plain:.1f}",
                "",
                f"{times[0]:.2f} ({plain / times[0]:.0f}x)",
                "",
                f"{times[1]:.2f} ({plain / times[1]:.0f}x)",
                "",
                f"{found['control']:.2f}x",
            ]
        )
    return rows


def growth() -> dict[str, list[tuple[float, float]]]:
    """Seconds against clips (of 1 s), milliseconds a second of sound against length and n_fft."""
    found: dict[str, list[tuple[float, float]]] = {"clips": [], "length": [], "n_fft": []}
    for n_clips in (100, 300, 1000, 3000, 10000, 20000):
        found["clips"].append((n_clips, measure(GROWTH, [n_clips, 1.0, 2048, 128])))
    for length in (0.5, 1, 2, 3, 5, 10, 20, 30, 60):
        n_clips = max(round(240 / length), 4)
        time = measure(GROWTH, [n_clips, length, 2048, 128])
        found["length"].append((length, 1000 * time / n_clips / length))
    for n_fft in (256, 512, 1024, 2048, 4096, 8192):
        # As many bands as the shortest transform can fill.
        time = measure(GROWTH, [80, 3.0, n_fft, 20])
        found["n_fft"].append((n_fft, 1000 * time / 80))
    return found


def plot(found: dict[str, list[tuple[float, float]]]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    labels = {
        "clips": ("clips of 1 s", "seconds", "linear"),
        "length": ("length of a clip (s)", "ms a second of sound", "flat"),
        "n_fft": ("n_fft", "ms a clip of 3 s", "n log n"),
    }
    for ax, (name, points) in zip(axes, found.items(), strict=True):
        x, y = np.array(points).T
        xlabel, ylabel, expected = labels[name]
        law = {"clips": x, "length": np.ones(len(x)), "n_fft": x * np.log2(x)}[name]
        ax.plot(x, y, "o-", label="measured")
        ax.plot(x, law * np.median(y / law), "--", color="grey", label=expected)
        ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
        ax.set_xticks(x, [f"{value:g}" for value in x], rotation=45)
        ax.minorticks_off()
        if name == "length":
            ax.set_ylim(bottom=0)
        else:
            ax.set(yscale="log")
        ax.legend()
    figure.suptitle("Cost of the 182 features, one thread")
    figure.savefig(RESULTS / "features.png", dpi=100)


def main() -> None:
    rows = stack_rows() + reading_rows()
    memory = {
        f"{n_clips} clips of {length:g} s, {n_jobs} thread{'s' * (n_jobs > 1)}": measure(
            MEMORY, n_jobs, n_clips, length
        )
        for n_jobs, n_clips, length in [(1, 1000, 3), (2, 1000, 3), (2, 20, 60), (2, 2, 600)]
    }
    plot(growth())
    write_table(
        "features",
        f"Frame features: clips of {SECONDS:g} s at 16 kHz, against a plain librosa loop",
        [
            "features",
            "librosa, ms a clip",
            "exact, one thread",
            "exact, two",
            "fast, one",
            "fast, two",
            "two threads against one",
            "control: soxr alone, two against one",
        ],
        rows,
        "Each row is one process with one thread of BLAS, librosa and ours in turn; the smallest "
        "of 7 rounds (5 with reading), each of one librosa loop and three of ours; of the control, "
        "which is taken once a round, the largest. Input and output are float32. The librosa loop "
        "calls each feature by itself, with librosa's defaults but for the sample rate; with "
        "reading, "
        '`librosa.load(res_type="soxr_hq")` before it. Reading is `AudioReader(n_jobs=2)` and '
        "`FrameFeatures(n_jobs=2)`, 64 clips at a time, files in the disk cache.\n\n"
        "Peak memory above input and output, MB: "
        + "; ".join(f"{name}: {size:.0f}" for name, size in memory.items())
        + ".\n\n![How cost grows with clips, length and n_fft](features.png)\n\n"
        "(The right panel has 20 mel bands, as many as the shortest transform can fill: 54 "
        "features.)",
    )


if __name__ == "__main__":
    main()
