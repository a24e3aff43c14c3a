"""Tune a net on RAVDESS: speakers are held out for early stopping, bad trials end after an epoch.

    python tune_a_net.py RAVDESS --n-trials 30

Several such processes, started in one folder, share the trials. Killed or interrupted, the same
command goes on.
"""

from __future__ import annotations

import argparse

from optuna.distributions import FloatDistribution

from sersk.datasets import load_ravdess
from sersk.model_selection import (
    PipelineSearchCV,
    ProtocolSplit,
    ValidationHoldout,
    default_search_space,
)
from sersk.recipes import conv2d_mel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", help="folder of the recordings")
    parser.add_argument("--n-trials", type=int, default=30)
    parser.add_argument("--max-epochs", type=int, default=40)
    arguments = parser.parse_args()

    corpus = load_ravdess(arguments.root)
    net = conv2d_mel(max_epochs=arguments.max_epochs, memory="features")
    model = ValidationHoldout(net, size=0.15, random_state=0)
    space = default_search_space(model)
    space["estimator__net__lr"] = FloatDistribution(1e-4, 3e-3, log=True)
    search = PipelineSearchCV(
        model,
        space=space,
        cv=ProtocolSplit("speaker", n_splits=3),
        n_trials=arguments.n_trials,
        storage="study.log",
        study_name="net",
        refit=False,
        random_state=0,
        verbose=1,
    ).fit(corpus.data, corpus.target, groups=corpus.frame)
    trials = search.trials_dataframe()
    print(trials["state"].value_counts().to_string())
    print(f"best: {search.best_score_:.3f}, which flatters, with {search.best_params_}")


if __name__ == "__main__":
    main()
