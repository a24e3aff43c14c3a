"""A search in a process of its own, to be killed; as a module, its parts."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.samplers import TPESampler
from sklearn.base import BaseEstimator, ClassifierMixin

from sersk.model_selection import PipelineSearchCV

# Names of environment variables: what a fit takes, the file for which it waits, and the file whose
# absence kills the next one.
SLOW, WAIT, KILL_ONCE = "SEARCH_SLOW", "SEARCH_WAIT", "SEARCH_KILL_ONCE"

SPACE = {"a": FloatDistribution(-1.0, 1.0), "b": FloatDistribution(1e-3, 1e3, log=True)}


class Knobs(ClassifierMixin, BaseEstimator):
    """Is as good as its knobs are near to where they should be."""

    def __init__(self, a=0.0, b=1.0):
        self.a = a
        self.b = b

    def fit(self, X, y):
        time.sleep(float(os.environ.get(SLOW, 0)))
        while WAIT in os.environ and not os.path.exists(os.environ[WAIT]):
            time.sleep(0.01)
        marker = os.environ.get(KILL_ONCE)
        if marker and not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), 9)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def closeness(estimator, X, y):
    return 1.0 / (1.0 + (estimator.a - 0.3) ** 2 + (np.log10(estimator.b) - 1.0) ** 2 + 0.01 * y[0])


def make_search(storage=None, n_trials=12, n_jobs=None):
    return PipelineSearchCV(
        Knobs(),
        space=SPACE,
        cv=3,
        scoring=closeness,
        n_trials=n_trials,
        storage=storage,
        sampler=TPESampler(n_startup_trials=4),
        n_jobs=n_jobs,
        random_state=3,
    )


def run(storage=None, n_trials=12, n_jobs=None):
    """Give the part of the table that depends on nothing but the seed."""
    y = np.repeat([0, 1], 12)
    search = make_search(storage, n_trials, n_jobs).fit(np.zeros((24, 2)), y)
    table = search.trials_dataframe()
    return search, table.drop(columns=["fit_seconds", "score_seconds"]).to_csv()


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))[1], end="")
