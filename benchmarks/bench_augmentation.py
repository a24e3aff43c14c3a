"""Transforms of waveforms: what each costs, and how near stretch and pitch are to librosa's."""

from __future__ import annotations

import json

from _tools import run_python, write_table

ROUNDS = 3

# Everything clip by clip, on one thread; then ours on two. Draws are made beforehand: to make one
# is a line of its own.
SPEED = """
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import json, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
import librosa
import numpy as np
import soundfile
from sersk.augmentation import (
    AddNoise, BackgroundNoise, Compose, Gain, PitchShift, Reverb, TimeShift, TimeStretch,
)
from sersk.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=4, n_sentences=2, repetitions=1, random_state=0)
X = np.stack([np.resize(row[~np.isnan(row)], 48000) for row in corpus.data]).astype(np.float32)
clips = range(len(X))
folder = tempfile.TemporaryDirectory()
noise = np.random.default_rng(0).uniform(-0.1, 0.1, 60 * 16000)
soundfile.write(folder.name + "/minute.wav", noise, 16000)

transforms = [
    Compose([AddNoise(), TimeShift(), Gain()]),
    TimeStretch(),
    PitchShift(),
    AddNoise(),
    AddNoise(color="pink"),
    BackgroundNoise(folder.name),
    Gain(),
    TimeShift(),
    Reverb(),
]
draws = [[transform.draw(clip) for clip in clips] for transform in transforms]
rates = [draw.rate for draw in draws[1]]
steps = [draw.semitones for draw in draws[2]]
pool = ThreadPoolExecutor(2)
state = np.random.RandomState(0)

def loop(function):
    for clip in clips:
        function(clip)

def on_two(function):
    list(pool.map(function, clips))

def apply_of(number):
    return lambda clip: draws[number][clip](X[clip], 16000)

def stretch(clip):
    librosa.effects.time_stretch(X[clip], rate=rates[clip])

def shift(clip):
    librosa.effects.pitch_shift(X[clip], sr=16000, n_steps=steps[clip])

works = {
    "mel": lambda: loop(lambda clip: librosa.feature.melspectrogram(y=X[clip], sr=16000)),
    "stretch": lambda: loop(stretch),
    "pitch": lambda: loop(shift),
    "draw": lambda: loop(lambda clip: transforms[0].draw(state)),
}
for number in range(len(transforms)):
    works[f"one {number}"] = lambda number=number: loop(apply_of(number))
    works[f"two {number}"] = lambda number=number: on_two(apply_of(number))
best = dict.fromkeys(works, float("inf"))
for attempt in range(9):
    for name, work in works.items():
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        if attempt:  # the first one warms up
            best[name] = min(best[name], seconds)
print(json.dumps({name: 1000 * seconds / len(X) for name, seconds in best.items()}))
"""

# In the order of the above: the transform, what it is compared with, and the key of that.
TRANSFORMS = [
    ("`AddNoise`, `TimeShift`, `Gain` together", "`feature.melspectrogram`", "mel"),
    ("`TimeStretch()`", "`effects.time_stretch`", "stretch"),
    ("`PitchShift()`", "`effects.pitch_shift`", "pitch"),
    ("`AddNoise()`", "", ""),
    ('`AddNoise(color="pink")`', "", ""),
    ("`BackgroundNoise(folder)`, a minute of WAV at 16 kHz", "", ""),
    ("`Gain()`", "", ""),
    ("`TimeShift()`", "", ""),
    ("`Reverb()`", "", ""),
]

QUALITY = """
import json
import librosa
import numpy as np
from sersk.augmentation import PitchShift, TimeStretch
from sersk.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=4, n_sentences=1, repetitions=1, random_state=0)
clips = [row[~np.isnan(row)].astype(np.float32) for row in corpus.data]

def snr(truth, found):
    error = found.astype(np.float64) - truth
    return 10 * np.log10(np.sum(truth.astype(np.float64) ** 2) / np.sum(error**2))

def logarithm(samples):
    power = np.abs(librosa.stft(samples.astype(np.float64), n_fft=512)) ** 2
    return 10 * np.log10(np.maximum(power, 1e-8 * power.max()))

def distance(truth, found):
    difference = logarithm(truth) - logarithm(found)
    return np.sqrt(np.mean(difference**2, axis=0)).mean()

def pitch(samples):
    return librosa.yin(samples, fmin=60, fmax=600, sr=16000)

def voiced_of(samples):
    return librosa.pyin(samples, fmin=60, fmax=600, sr=16000)[1]

stretched = []
for rate in (0.8, 0.9, 0.95, 1.05, 1.1, 1.25):
    draw = TimeStretch(rate=rate).draw(0)
    rows = []
    for clip in clips:
        exact = librosa.effects.time_stretch(clip.astype(np.float64), rate=rate)
        single = librosa.effects.time_stretch(clip, rate=rate)
        ours = draw(clip, 16000)
        rows.append([snr(single, ours), snr(exact, ours), snr(exact, single)])
    stretched.append([rate, *np.min(rows, axis=0)])

shifted = []
before = [np.where(voiced_of(clip), pitch(clip), np.nan) for clip in clips]
for semitones in (-2, 2):
    draw = PitchShift(semitones=semitones).draw(0)
    errors, distances = {"ours": [], "librosa's": []}, {"ours": [], "librosa's": []}
    for clip, f0 in zip(clips, before):
        options = {"sr": 16000, "n_steps": semitones}
        exact = librosa.effects.pitch_shift(clip.astype(np.float64), **options)
        theirs = librosa.effects.pitch_shift(clip, **options)
        results = {"ours": draw(clip, 16000), "librosa's": theirs}
        for name, result in results.items():
            errors[name].extend(np.abs(12 * np.log2(pitch(result) / f0) - semitones))
            distances[name].append(distance(exact, result))
    for name in errors:
        shifted.append([semitones, name, np.nanmedian(errors[name]), np.mean(distances[name])])
print(json.dumps([stretched, shifted]))
"""


def measure_speed() -> tuple[list[list[object]], float]:
    """Return the rows of a table, and the milliseconds that a draw takes."""
    rounds = [json.loads(run_python(SPEED)) for _ in range(ROUNDS)]
    best = {name: min(one[name] for one in rounds) for name in rounds[0]}
    rows: list[list[object]] = []
    for number, (name, function, key) in enumerate(TRANSFORMS):
        one, two = best[f"one {number}"], best[f"two {number}"]
        row: list[object] = [name, f"{one:.3f}", f"{two:.3f}", f"{one / two:.1f}x"]
        if key:
            row += [function, f"{best[key]:.2f}", f"{best[key] / one:.1f}x"]
            row += [f"{best[key] / two:.1f}x"]
        else:
            row += ["", "", "", ""]
        rows.append(row)
    return rows, best["draw"]


def measure_quality() -> tuple[list[str], list[str]]:
    """Return the lines of two tables."""
    stretched, shifted = json.loads(run_python(QUALITY))
    header = ["rate", "from librosa's", "from librosa's, float64", "librosa's from its float64"]
    stretch = ["| " + " | ".join(header) + " |", "|---|---|---|---|"]
    for rate, *ratios in stretched:
        stretch.append("| " + " | ".join([str(rate), *(f"{ratio:.0f}" for ratio in ratios)]) + " |")
    header = ["semitones", "whose", "error of the pitch, semitones", "log-spectral distance, dB"]
    pitch = ["| " + " | ".join(header) + " |", "|---|---|---|---|"]
    for semitones, name, error, distance in shifted:
        pitch.append(f"| {semitones:+d} | {name} | {error:.3f} | {distance:.4f} |")
    return stretch, pitch


def main() -> None:
    rows, draw = measure_speed()
    stretch, pitch = measure_quality()
    about_speed = (
        f"Clips of 3 s at 16 kHz, float32. Best of 8 rounds in each of {ROUNDS} fresh processes, "
        "all taken in turn: 48 clips one after the other, each with a draw of its own, on one "
        "thread; ours once more on two. To draw the three in the first row takes "
        f"{draw:.3f} ms. librosa clip by clip on one thread, with the same rates and steps; the "
        "last two columns are its time over ours, on one thread and on two."
    )
    about_stretch = (
        "Signal-to-noise ratio in dB of the worst of 24 clips of synthetic speech, all in float32 "
        "unless it says otherwise. librosa adds up angles of up to 100,000 radians in single "
        "precision."
    )
    about_pitch = (
        "Median error of the fundamental frequency by `librosa.yin` after the shift, over the "
        "frames that `librosa.pyin` finds voiced before; and the distance of log spectra (512 "
        "samples, 80 dB of range) from librosa's shift in float64, both over 24 clips of synthetic "
        "speech."
    )
    write_table(
        "augmentation",
        "Transforms of waveforms: time, and equality with librosa",
        [
            "transform",
            "ms a clip",
            "on two threads",
            "gain",
            "librosa's",
            "ms a clip",
            "ratio",
            "on two",
        ],
        rows,
        "\n".join(
            [
                about_speed,
                *["", "## Time stretch against librosa's", "", *stretch, "", about_stretch],
                *["", "## Pitch shift against librosa's", "", *pitch, "", about_pitch],
            ]
        ),
    )


if __name__ == "__main__":
    main()
