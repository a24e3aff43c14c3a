"""How often recordings are called unlike those of a training: false alarms, and spoilt clips.

python benchmarks/out_of_depth.py ravdess=RAVDESS savee=SAVEE cremad=CREMA-D --memory FOLDER
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _tools import RESULTS
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from sersk import datasets
from sersk.model_selection import ProtocolSplit
from sersk.persistence import RecordingProfile
from sersk.persistence._profile import measure
from sersk.preprocessing import AudioReader

RATE = 16000
N_SPOILT = 200
Clip = NDArray[np.float64]

SPOILERS: dict[str, Callable[[Clip], Clip]] = {
    "as they are": lambda clip: clip,
    "30 dB quieter": lambda clip: 10**-1.5 * clip,
    "low-passed at 3.4 kHz": lambda clip: sosfilt(butter(10, 3400, fs=RATE, output="sos"), clip),
    "white noise at 10 dB": lambda clip: (
        clip + np.sqrt(np.mean(clip**2) / 10) * np.random.default_rng(0).standard_normal(len(clip))
    ),
    "clipped at 20 % of the peak": lambda clip: np.clip(
        clip, -0.2 * np.abs(clip).max(), 0.2 * np.abs(clip).max()
    ),
    "the first half second": lambda clip: clip[: RATE // 2],
    "four times in a row": lambda clip: np.tile(clip, 4),
}


def count(unlike: list[str]) -> Counter[str]:
    return Counter(word for of_clip in unlike for word in of_clip.split(", ") if word)


def shares(unlike: list[str]) -> str:
    found = count(unlike).most_common()
    return ", ".join(f"{word} {100 * n / len(unlike):.1f}" for word, n in found) or "-"


def any_share(unlike: list[str]) -> str:
    return f"{100 * np.mean([bool(words) for words in unlike]):.1f}"


def of_held_out_speakers(corpus: Any, statistics: pd.DataFrame) -> tuple[list[str], int, int]:
    """Compare each fifth of the speakers with the others; count speakers that are warned of."""
    speakers = corpus.frame["speaker"].to_numpy()
    unlike, warned = [], 0
    for train, test in ProtocolSplit("speaker").split(corpus.data, corpus.target):
        profile = RecordingProfile.from_statistics(statistics.iloc[train])
        found = profile.compare_statistics(statistics.iloc[test])
        unlike += found
        for speaker in np.unique(speakers[test]):
            own = [
                words for words, who in zip(found, speakers[test], strict=True) if who == speaker
            ]
            warned += bool(profile.explain(count(own), len(own)))
    return unlike, warned, len(np.unique(speakers))


def spoilt(corpus: Any, statistics: pd.DataFrame) -> list[str]:
    """Spoil clips of speakers held out, and see whether each is called what it is."""
    train, test = next(ProtocolSplit("speaker").split(corpus.data, corpus.target))
    profile = RecordingProfile.from_statistics(statistics.iloc[train])
    some = np.random.default_rng(0).permutation(test)[:N_SPOILT]
    waveforms = AudioReader(sample_rate=RATE).fit_transform(corpus.data.iloc[some])
    clips = [row[~np.isnan(row)].astype(np.float64) for row in waveforms]
    lines = []
    for name, spoil in SPOILERS.items():
        made = AudioReader(sample_rate=RATE).fit_transform([spoil(clip) for clip in clips])
        unlike = profile.compare(made)
        lines.append(f"| {name} | {any_share(unlike)} | {shares(unlike)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--memory")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    roots = dict(each.split("=", 1) for each in arguments.corpora)
    corpora = {name: getattr(datasets, f"load_{name}")(root) for name, root in roots.items()}
    statistics = {
        name: measure(corpus.data, RATE, arguments.memory) for name, corpus in corpora.items()
    }
    shown = " ".join(f"{name}={name.upper()}" for name in roots)
    lines = [
        "# Recordings that are unlike those of a training",
        "",
        f"`python benchmarks/out_of_depth.py {shown} --memory FOLDER`",
        "",
        "Percent of the clips that `RecordingProfile` calls unlike those of the training, in any",
        "way and by name. A warning is given where more than one clip in twenty is unlike in the",
        "same way.",
        "",
        "## Speakers held out, under the same conditions",
        "",
        "Five folds. All that is found is a false alarm; but for SAVEE, whose four speakers were",
        "recorded at levels far apart.",
        "",
        "| corpus | any | by name | speakers warned of |",
        "|---|---|---|---|",
    ]
    for name, corpus in corpora.items():
        unlike, warned, number = of_held_out_speakers(corpus, statistics[name])
        lines.append(f"| {name} | {any_share(unlike)} | {shares(unlike)} | {warned} of {number} |")
    lines += [
        "",
        "## Other corpora",
        "",
        "| trained on | used on | any | by name |",
        "|---|---|---|---|",
    ]
    for name in corpora:
        profile = RecordingProfile.from_statistics(statistics[name])
        for other in corpora:
            if other != name:
                unlike = profile.compare_statistics(statistics[other])
                lines.append(f"| {name} | {other} | {any_share(unlike)} | {shares(unlike)} |")
    for name, corpus in corpora.items():
        lines += [
            "",
            f"## Spoilt clips: {name}",
            "",
            f"At most {N_SPOILT} clips of speakers held out.",
            "",
            "| spoilt | any | by name |",
            "|---|---|---|",
            *spoilt(corpus, statistics[name]),
        ]
    text = "\n".join([*lines, ""])
    (RESULTS / "out_of_depth.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
