"""Frame features of real recordings against librosa: worst errors, and what jumps.

``python benchmarks/equality.py FOLDER [FOLDER ...]`` draws clips from each folder of recordings and
writes results/equality.md. librosa is called as in the tests: feature by feature, on each clip
without its padding, in double precision.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr
from _tools import RESULTS

from sersk.feature_extraction import FrameFeatures

CLIPS_A_FOLDER = 60
WAYS = [("numba", "exact"), ("scipy", "exact"), ("numba", "fast"), ("scipy", "fast")]
SETS = {
    "A: 16 kHz, defaults": {"sample_rate": 16000},
    "B: 16 kHz, 400 samples in 512, hop 160, 40 HTK bands of amplitude, tuning 0": {
        "sample_rate": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40,
        "htk": True, "norm": None, "power": 1.0, "fmin": 50.0, "fmax": 7000.0, "n_mfcc": 20,
        "lifter": 22, "tuning": 0.0, "window": "hamming", "pitch_fmin": 80.0,
    },
    "C: 22.05 kHz, 1024 / 256, 80 bands, 24 chroma": {
        "sample_rate": 22050, "n_fft": 1024, "hop_length": 256, "n_mels": 80, "n_chroma": 24,
        "pitch_fmin": 70.0, "quantile": 0.1,
    },
    "D: 48 kHz, 4096 / 1024": {"sample_rate": 48000, "n_fft": 4096, "hop_length": 1024},
}  # fmt: skip
IN_DB = {"log_mel", "log_mel_delta", "log_mel_delta2", "contrast"}
JUMPS = {"rolloff", "zcr", "yin"}
TUNED = {"chroma", "tonnetz"}


def tests_librosa():
    """The independent calls of librosa that the tests compare with."""
    path = Path(__file__).parents[1] / "tests" / "feature_extraction" / "conftest.py"
    spec = importlib.util.spec_from_file_location("conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(folders: list[str]) -> list[Path]:
    drawn = []
    for folder in folders:
        known = {f".{name.lower()}" for name in soundfile.available_formats()} | {".ogg"}
        paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in known)
        rng = np.random.default_rng(1)
        picked = rng.choice(len(paths), min(CLIPS_A_FOLDER, len(paths)), replace=False)
        drawn += [paths[index] for index in picked]
    return drawn


def read(path: Path, sample_rate: int) -> np.ndarray:
    samples, rate = soundfile.read(path, always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate)


def errors(truth, found, feature, limit):
    """Largest error of each clip, without the frames that jump, and how many of those there are."""
    scale = 1.0 if feature in IN_DB else max(np.abs(rows).max() for rows in truth)
    worst, jumps, n_frames = [], 0, 0
    for rows, frames in zip(truth, found, strict=True):
        n = rows.shape[1]
        assert np.isnan(frames[:, n:]).all()
        assert np.isfinite(frames[:, :n]).all()
        error = np.abs(frames[:, :n] - rows) / scale
        n_frames += n
        if feature in JUMPS:
            elsewhere = error[0] > limit
            jumps += int(elsewhere.sum())
            error = error[:, ~elsewhere]
        worst.append(error.max() if error.size else 0.0)
    return np.array(worst), jumps, n_frames


def main() -> None:
    tests = tests_librosa()
    features = list(tests.FRAME_FEATURES)
    paths = draw(sys.argv[1:])
    worst: dict[tuple[str, tuple[str, str]], float] = {}
    counts: dict[tuple[str, tuple[str, str]], list[int]] = {}
    sizes = {}
    for name, parameters in SETS.items():
        clips = [read(path, parameters["sample_rate"]) for path in paths]
        truth = [tests.librosa_frames(features, clip, **parameters) for clip in clips]
        X = tests.pad(clips)
        sizes[name] = len(clips), sum(rows[0].shape[1] for rows in truth)
        for backend, precision in WAYS:
            way = backend, precision
            for feature, rows in zip(features, zip(*truth, strict=True), strict=True):
                found = FrameFeatures(
                    features=[feature], backend=backend, fft_precision=precision, **parameters
                ).transform(X)
                limit = 1e-6 if precision == "exact" else 1e-5
                error, jumps, n_frames = errors(rows, found, feature, limit)
                if feature in TUNED and "tuning" not in parameters:
                    # A clip with another tuning has another chroma altogether.
                    other = error > limit
                    jumps, n_frames = int(other.sum()), len(error)
                    error = error[~other]
                key = feature, way
                worst[key] = max(worst.get(key, 0.0), float(error.max()))
                if feature in JUMPS or (feature in TUNED and "tuning" not in parameters):
                    old = counts.get(key, [0, 0])
                    counts[key] = [old[0] + jumps, old[1] + n_frames]
            print(name, *way, flush=True)
    write(features, worst, counts, sizes)


def write(features, worst, counts, sizes) -> None:
    header = [" ".join(way) for way in WAYS]
    lines = [
        f"# Frame features on real recordings, against librosa {librosa.__version__}",
        "",
        f"`python benchmarks/equality.py RAVDESS CREMA-D SAVEE TESS`: {CLIPS_A_FOLDER} clips of "
        "each, at 16 kHz (sets C and D are resampled from that, so nothing is above 8 kHz), in "
        "double precision, padded with NaN to the longest. NaN frames are exactly those beyond a "
        "clip's end, or the script stops.",
        "",
        "| set | clips | frames |",
        "|---|---|---|",
        *(f"| {name} | {clips} | {frames} |" for name, (clips, frames) in sizes.items()),
        "",
        "Largest error over all sets: in dB where marked, else over the feature's largest "
        "magnitude on the set. Limits: exact 1e-6 and 1e-4 dB, fast 1e-5 and 2e-3 dB. What jumps "
        "is left out here and counted below.",
        "",
        "| feature | " + " | ".join(header) + " |",
        "|---" * (1 + len(WAYS)) + "|",
    ]
    for feature in features:
        unit = " (dB)" if feature in IN_DB else ""
        cells = [f"{worst[feature, way]:.1e}" for way in WAYS]
        lines.append(f"| {feature}{unit} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "How many lie elsewhere: frames with another bin, crossing or period; for chroma and "
        "tonnetz clips whose tuning is estimated differently (only sets that estimate it).",
        "",
        "| feature | " + " | ".join(header) + " |",
        "|---" * (1 + len(WAYS)) + "|",
    ]
    for feature in sorted(JUMPS | TUNED):
        cells = []
        for way in WAYS:
            jumps, total = counts[feature, way]
            cells.append(f"{jumps} of {total} ({100 * jumps / total:.2f} %)")
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    text = "\n".join([*lines, ""])
    (RESULTS / "equality.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
