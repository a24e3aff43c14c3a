"""Labels that mean nothing: what every protocol makes of them, whatever the sampler.

    python benchmarks/random_labels.py

Nothing can be learned from labels that are dealt out at random. A protocol that scores above chance
on them leaks. The clips are synthetic, the labels are of unequal frequency, and a single nearest
neighbour finds whatever was seen before. Finished runs are kept in ``results/random_labels.json``
and not repeated: a killed run goes on where it stopped.
"""

from __future__ import annotations

import json
import tempfile
import textwrap
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from _tools import RESULTS
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from scipy.stats import t
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline as make_chain

from sersk._utils._files import atomic_path
from sersk.augmentation import AddNoise, Gain, SpecAugment, WaveformAugmenter
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.feature_extraction import MFCC, Functionals, PerClip
from sersk.model_selection import ProtocolSplit, audit_leakage
from sersk.preprocessing import AudioReader

N_SEEDS = 20
# Once more with seeds that no table has seen: with samplers, and without any.
N_MORE = 100
N_MANY = 1000
N_SPLITS = 3
# What the speech sounds like has nothing to do with the labels.
SPEECH = {"n_speakers": 8, "n_sentences": 4, "emotions": ("anger", "sadness"), "repetitions": 6}
COUNTS = {"label 1": 192, "label 2": 120, "label 3": 72}
N_CLIPS = sum(COUNTS.values())
CHANCE = 1 / len(COUNTS)
# What guessing scores where folds are not stratified: a clip's own label is one rarer among others.
EXPECTED = (N_CLIPS - len(COUNTS)) / (len(COUNTS) * (N_CLIPS - 1))
HONEST = ("random", "text", "speaker", "speaker+text")
LEAKING = ("copies before the split", "oversampling before the split")
STORE = RESULTS / "random_labels.json"

Interval = tuple[float, float, float]


def faint_copies() -> WaveformAugmenter:
    """Make copies that hardly differ, which a nearest neighbour finds."""
    return WaveformAugmenter(Gain(gain_db=(-0.1, 0.1)), copies=3, random_state=0)


def frames(memory: str) -> PerClip:
    return PerClip(make_chain(AudioReader(duration=2.0), MFCC(n_mfcc=13)), memory=memory)


def vectors(memory: str) -> PerClip:
    chain = make_chain(AudioReader(duration=2.0), MFCC(n_mfcc=13), statistics())
    return PerClip(chain, memory=memory)


def statistics() -> Functionals:
    return Functionals(statistics=("mean", "std"))


def nearest() -> KNeighborsClassifier:
    return KNeighborsClassifier(1)


def augmenter() -> WaveformAugmenter:
    return WaveformAugmenter([Gain(gain_db=(-0.1, 0.1)), AddNoise(snr_db=(40, 50))], random_state=0)


PIPELINES: dict[str, Callable[[str], Pipeline]] = {
    "none": lambda memory: make_pipeline(vectors(memory), nearest()),
    "RandomOverSampler": lambda memory: make_pipeline(
        RandomOverSampler(random_state=0), vectors(memory), nearest()
    ),
    "WaveformAugmenter": lambda memory: make_pipeline(augmenter(), vectors(memory), nearest()),
    "both": lambda memory: make_pipeline(
        RandomOverSampler(random_state=0), augmenter(), vectors(memory), nearest()
    ),
    "SpecAugment": lambda memory: make_pipeline(
        frames(memory), SpecAugment(random_state=0), statistics(), nearest()
    ),
    "SMOTE": lambda memory: make_pipeline(vectors(memory), SMOTE(random_state=0), nearest()),
}


def deal(seed: int) -> np.ndarray:
    """Deal out the labels."""
    return np.random.default_rng(seed).permutation(np.repeat(list(COUNTS), list(COUNTS.values())))


def score(
    pipeline: Pipeline, clips: pd.DataFrame, seed: int, conditions: tuple[str, ...] | None = None
) -> dict[str, Any]:
    audit = audit_leakage(
        pipeline, clips, deal(seed), augmenter=faint_copies(), conditions=conditions,
        n_splits=N_SPLITS, random_state=seed,
    )  # fmt: skip
    return {
        "uar": audit.table["balanced_accuracy"].round(6).to_dict(),
        "leaked": (audit.table["n_leaked"] / audit.table["n_tested"]).round(4).to_dict(),
    }


def score_many(clips: pd.DataFrame, memory: str) -> dict[str, list[float]]:
    """Score the honest protocols without samplers, so often that little is left to chance."""
    sounds = vectors(memory).fit_transform(clips[["path"]])
    found: dict[str, list[float]] = {protocol: [] for protocol in HONEST}
    for seed, protocol in product(range(N_SEEDS, N_SEEDS + N_MANY), HONEST):
        labels, answers = deal(seed), np.empty(N_CLIPS, dtype=object)
        tested = np.zeros(N_CLIPS, dtype=bool)
        splitter = ProtocolSplit(protocol, n_splits=N_SPLITS, random_state=seed)
        for train, test in splitter.split(sounds, labels, clips):
            answers[test] = nearest().fit(sounds[train], labels[train]).predict(sounds[test])
            tested[test] = True
        uar = balanced_accuracy_score(labels[tested], answers[tested].astype(str))
        found[protocol].append(float(uar))
    return {protocol: np.round(uar, 6).tolist() for protocol, uar in found.items()}


def gather(runs: dict[str, dict[str, Any]], what: str) -> pd.DataFrame:
    """Make a table of conditions, by sampler and seed."""
    rows = {tuple(key.split(" seed ")): run[what] for key, run in runs.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index=["sampler", "seed"])


def interval(mean: float, std: float, n_seeds: int) -> Interval:
    """Give the mean of a score and its 95 % interval, of Student's t over seeds, in percent."""
    margin = t.ppf(0.975, n_seeds - 1) * std / np.sqrt(n_seeds)
    return 100 * mean, 100 * (mean - margin), 100 * (mean + margin)


def write_page(done: dict[str, Any]) -> None:
    uar, leaked = gather(done["runs"], "uar"), gather(done["runs"], "leaked")
    samplers = list(dict.fromkeys(uar.index.get_level_values("sampler")))
    conditions = list(uar.columns)
    found = {}
    for sampler, condition in product(samplers, conditions):
        scores = uar.loc[sampler, condition]
        found[sampler, condition] = interval(scores.mean(), scores.std(), len(scores))
    shares = [f"{100 * share:.0f} %" for share in leaked.mean()]
    lines = [
        "# Labels that mean nothing",
        "",
        "`python benchmarks/random_labels.py`",
        "",
        *_wrapped(
            f"Synthetic speech: {N_CLIPS} clips, {SPEECH['n_speakers']} speakers, "
            f"{SPEECH['n_sentences']} sentences. Labels dealt out at random, "
            f"{', '.join(map(str, COUNTS.values()))} clips of each; {N_SPLITS} folds; means and "
            f"standard deviations of 13 MFCC; one nearest neighbour. UAR in percent: mean over "
            f"{N_SEEDS} seeds, each with labels and folds of its own, and the 95 % interval of "
            f"that mean (Student's t). Chance is {100 * CHANCE:.2f} where all folds have the "
            f"labels in the same shares, and {100 * EXPECTED:.2f} where folds and labels have "
            "nothing to do with each other: among all other clips, a clip's own label is one "
            "rarer. Folds of whole speakers or sentences lie in between."
        ),
        "| sampler | " + " | ".join(conditions) + " |",
        "|---|" + "---|" * len(conditions),
    ]
    for sampler in samplers:
        cells = [_cell(found[sampler, condition]) for condition in conditions]
        lines.append("| " + " | ".join([sampler, *cells]) + " |")
    lines += ["| tested rows that leaked | " + " | ".join(shares) + " |", ""]
    lines += _wrapped(_far_above({key: cell for key, cell in found.items() if key[1] in LEAKING}))
    lines += _wrapped(_verdict({key: cell for key, cell in found.items() if key[1] in HONEST}))
    lines += _wrapped(_samplers_matter(uar))
    for paragraph in NOTES:
        lines += _wrapped(paragraph)
    if "many" in done:
        lines += _more(done)
    with atomic_path(RESULTS / "random_labels.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


NOTES = [
    "The samplers act inside the folds, in `fit`, under the four honest protocols. In the first "
    "two columns the split is random, the samplers are taken out of the pipeline, and the copies "
    "or repetitions are made before the split, so that these columns differ by the copies alone: "
    "three of each clip, of a gain of at most 0.1 dB; or, with a WaveformAugmenter in the "
    "pipeline, its own, one of such a gain and one with noise.",
    "The rows are not independent: a seed deals the same labels to all samplers, and clips that "
    "are merely repeated change nothing for a single neighbour.",
]


def _more(done: dict[str, Any]) -> list[str]:
    scores = {"none": pd.DataFrame(done["many"])}
    for name, part in gather(done["more"], "uar").groupby("sampler"):
        scores[str(name)] = part
    found = {
        (sampler, protocol): interval(table[protocol].mean(), table[protocol].std(), len(table))
        for sampler, table in scores.items()
        for protocol in HONEST
    }
    lines = [
        "## Other seeds, and more of them",
        "",
        "| sampler | seeds | " + " | ".join(HONEST) + " |",
        "|---|---|" + "---|" * len(HONEST),
    ]
    for sampler in [name for name in PIPELINES if name in scores]:
        cells = [_cell(found[sampler, protocol], digits=2) for protocol in HONEST]
        lines.append("| " + " | ".join([sampler, str(len(scores[sampler])), *cells]) + " |")
    return [*lines, "", *_wrapped(_verdict(found))]


def _wrapped(paragraph: str) -> list[str]:
    return [*textwrap.wrap(paragraph, 100, break_on_hyphens=False), ""]


def _cell(cell: Interval, digits: int = 1) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in cell)
    return f"{mean} [{low}, {high}]"


def _verdict(honest: dict[tuple[str, str], Interval]) -> str:
    """Say in how many honest intervals chance lies, and where it does not."""
    exact = sum(low <= 100 * CHANCE <= high for _, low, high in honest.values())
    off = {
        key: cell
        for key, cell in honest.items()
        if cell[1] > 100 * CHANCE or cell[2] < 100 * EXPECTED
    }
    said = (
        f"Chance, {100 * EXPECTED:.2f} to {100 * CHANCE:.2f}, meets {len(honest) - len(off)} of "
        f"the {len(honest)} honest intervals; {100 * CHANCE:.2f} itself lies in {exact}."
    )
    if not off:
        return said
    furthest = max(abs(mean - 100 * CHANCE) for mean, _, _ in off.values())
    where = {
        condition: [sampler for sampler, other in off if other == condition]
        for condition in dict.fromkeys(condition for _, condition in off)
    }
    named = "; ".join(f"{condition} ({', '.join(who)})" for condition, who in where.items())
    return (
        f"{said} Not met, by means that are at most {furthest:.1f} points off: {named}. Of as many "
        f"independent intervals, {0.05 * len(honest):.0f} would miss it by accident."
    )


def _samplers_matter(uar: pd.DataFrame) -> str:
    """Compare each sampler with none, on the same labels and folds."""
    scores: dict[Any, pd.DataFrame] = {
        name: part.droplevel("sampler") for name, part in uar.groupby("sampler")
    }
    differences, holding = [], 0
    for sampler, condition in product([name for name in PIPELINES if name != "none"], HONEST):
        apart = scores[sampler][condition] - scores["none"][condition]
        mean, low, high = interval(apart.mean(), apart.std(), len(apart))
        differences.append(abs(mean))
        holding += low <= 0 <= high
    return (
        "Less what none scores on the same labels and folds, a sampler gains or loses at most "
        f"{max(differences):.1f} points under the honest protocols; {holding} of these "
        f"{len(differences)} intervals hold 0."
    )


def _far_above(leaking: dict[tuple[str, str], Interval]) -> str:
    (sampler, condition), lowest = min(leaking.items(), key=lambda item: item[1][1])
    verb = "is" if lowest[1] > 100 * CHANCE else "is NOT"
    return (
        f"What leaks {verb} above chance throughout; the lowest interval is {_cell(lowest)} "
        f"({condition}, sampler: {sampler})."
    )


def main() -> None:
    done: dict[str, Any] = {"runs": {}, "more": {}}
    if STORE.exists():
        done = json.loads(STORE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(make_emotional_speech(**SPEECH, random_state=0), f"{folder}/speech")
        clips = corpus.data[["path"]].assign(
            speaker=corpus.frame["speaker"], sentence=corpus.frame["sentence"]
        )
        memory = f"{folder}/features"
        for what, seeds, conditions in (
            ("runs", range(N_SEEDS), None),
            ("more", range(N_SEEDS, N_SEEDS + N_MORE), HONEST),
        ):
            for (sampler, make), seed in product(PIPELINES.items(), seeds):
                key = f"{sampler} seed {seed}"
                if key not in done[what] and not (what == "more" and sampler == "none"):
                    done[what][key] = score(make(memory), clips, seed, conditions)
                    keep(done)
                    print(key, "done", flush=True)
        if "many" not in done:
            done["many"] = score_many(clips, memory)
            keep(done)
    write_page(done)


def keep(done: dict[str, Any]) -> None:
    """Write what is done, a line for each run."""
    parts = []
    for what, runs in done.items():
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(run)}" for key, run in runs.items())
        parts.append(f'"{what}": {{\n{lines}\n}}')
    with atomic_path(STORE) as temporary:
        temporary.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
