"""Small models, fitted once."""

from __future__ import annotations

import pytest

from sersk.recipes import gradient_boosting_functionals, svm_functionals


@pytest.fixture(scope="session")
def boosted(written_corpus):
    """A model that gives probabilities."""
    pipeline = gradient_boosting_functionals(max_iter=3, n_mels=20, n_mfcc=5, statistics=("mean",))
    # By default these few clips make no branch.
    pipeline.set_params(boost__min_samples_leaf=2)
    return pipeline.fit(written_corpus.data, written_corpus.target)


@pytest.fixture(scope="session")
def svm(written_corpus):
    """A model that gives none."""
    pipeline = svm_functionals(n_mfcc=13, statistics=("mean", "std"))
    return pipeline.fit(written_corpus.data, written_corpus.target)
