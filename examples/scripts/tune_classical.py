"""Tune a classical recipe on RAVDESS, and tell what that is worth on speakers that no trial heard.

    python tune_classical.py RAVDESS --n-trials 50

Killed or interrupted, the same command goes on: trials are kept in ``study.log``, features in
``features``.
"""

from __future__ import annotations

import argparse

from sklearn.base import clone

from sersk.datasets import load_ravdess
from sersk.metrics import compare_by_speaker
from sersk.model_selection import PipelineSearchCV, evaluate_protocol
from sersk.recipes import svm_functionals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", help="folder of the recordings")
    parser.add_argument("--n-trials", type=int, default=50)
    parser.add_argument("--n-splits", type=int, default=5, help="outer folds")
    arguments = parser.parse_args()

    corpus = load_ravdess(arguments.root)
    pipeline = svm_functionals(memory="features")
    search = PipelineSearchCV(
        clone(pipeline), n_trials=arguments.n_trials, storage="study.log", random_state=0, verbose=1
    )
    found = {
        name: evaluate_protocol(
            estimator, corpus.data, corpus.target, groups=corpus.frame, protocol="speaker",
            n_splits=arguments.n_splits,
        )
        for name, estimator in {"as it is": pipeline, "tuned": search}.items()
    }  # fmt: skip
    for name, result in found.items():
        print(name, result.scores.loc["balanced_accuracy"].round(3).to_dict())
    predictions = found["tuned"].predictions
    difference = compare_by_speaker(
        predictions["true"], found["as it is"].predictions["predicted"], predictions["predicted"],
        predictions["speaker"],
    )  # fmt: skip
    print(f"difference {difference.difference:.3f}, {difference.low:.3f} to {difference.high:.3f}")


if __name__ == "__main__":
    main()
