"""svm_functionals on each corpus, and on all together, under every protocol that makes sense.

    python benchmarks/accuracy_corpora.py cremad=CREMA-D ravdess=RAVDESS savee=SAVEE tess=TESS

The features of a clip depend on nothing but the clip, so they are computed once; oversampling,
imputation, scaling and the SVM are fitted in each fold. Finished runs are kept in
``results/corpora.json`` and not repeated: a killed run goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import pandas as pd
from _tools import RESULTS
from imblearn.pipeline import make_pipeline
from sklearn.base import clone

from sersk import datasets
from sersk._utils._files import atomic_path
from sersk.model_selection import evaluate_protocol
from sersk.recipes import svm_functionals

SEED = 0
# Cheap and telling first. One carrier phrase makes TESS's sentences words.
RUNS = [
    *((name, protocol) for name in ("savee", "ravdess", "tess") for protocol in
      ("random", "text", "speaker", "speaker+text")),
    *(("cremad", protocol) for protocol in ("speaker", "random", "text")),
    *(("all", protocol) for protocol in ("corpus", "speaker", "random")),
    ("cremad", "speaker+text"),
]  # fmt: skip
STORE = RESULTS / "corpora.json"


def describe(recipe, frame, cache):
    """Look up the vectors of clips; compute those of a corpus that is not in the cache yet."""
    steps = make_pipeline(*(clone(recipe[name]) for name in ("read", "mfcc", "functionals")))
    for corpus, rows in frame.groupby("corpus"):
        if corpus not in cache:
            vectors = steps.fit_transform(rows[["path"]])
            cache[corpus] = pd.DataFrame(vectors, index=rows["path"])
    return pd.concat(cache.values()).loc[frame["path"]].to_numpy()


def main() -> None:
    roots = dict(argument.split("=", 1) for argument in sys.argv[1:])
    bunches = {name: getattr(datasets, f"load_{name}")(root) for name, root in roots.items()}
    if len(bunches) > 1:
        bunches["all"] = datasets.concat_corpora([bunches[name] for name in roots])
    recipe = svm_functionals(n_jobs=-1, random_state=SEED)
    classify = make_pipeline(*(recipe[name] for name in ("oversample", "impute", "scale", "svm")))
    done = json.loads(STORE.read_text()) if STORE.exists() else {}
    cache: dict[str, pd.DataFrame] = {}
    for name, protocol in RUNS:
        if name not in bunches or f"{name} {protocol}" in done:
            continue
        frame = bunches[name].frame
        vectors = describe(recipe, frame, cache)
        started = time.perf_counter()
        result = evaluate_protocol(
            classify, vectors, bunches[name].target, groups=frame, protocol=protocol,
            random_state=SEED, n_jobs=-1, verbose=1,
        )  # fmt: skip
        speakers = result.per_speaker["balanced_accuracy"]
        done[f"{name} {protocol}"] = {
            "n_clips": len(frame),
            "n_speakers": len(speakers),
            "n_folds": len(result.folds),
            "n_train": float(result.folds["n_train"].mean()),
            "n_dropped": float(result.folds["n_dropped"].mean()),
            "scores": json.loads(result.scores.to_json(orient="index")),
            "by_fold": result.folds["balanced_accuracy"].tolist(),
            "by_speaker": speakers.to_dict() if len(speakers) < 8 else None,
            "tested": result.predictions["speaker"].str.split("_").str[0].value_counts().to_dict(),
            "seconds": time.perf_counter() - started,
        }
        with atomic_path(STORE) as temporary:
            temporary.write_text(json.dumps(done, indent=1) + "\n")
        print(name, protocol, round(100 * result.scores.loc["balanced_accuracy", "score"], 1))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
