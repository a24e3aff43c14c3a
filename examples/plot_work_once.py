"""
======================
No clip computed twice
======================

A cross-validation asks for the features of a clip once a fold, a search once a fold and trial. They
are the same each time. Here the clips that are really computed are counted, with and without a
store.
"""

# %%
# Two pipelines
# -------------
#
# Both read, compute the fundamental frequency by pYIN, describe it, and classify with nearest
# neighbours. The second holds the part that looks at one clip alone in a
# :class:`~sersk.feature_extraction.PerClip` with a folder as its memory. A step of our own counts
# the clips that pass; the tag tells that it learns nothing from them, else ``PerClip`` would refuse
# it.

import tempfile

from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sersk.datasets import make_emotional_speech, write_corpus
from sersk.feature_extraction import Functionals, PerClip, Pitch
from sersk.preprocessing import AudioReader

folder = tempfile.TemporaryDirectory()
corpus = write_corpus(
    make_emotional_speech(n_speakers=4, n_sentences=1, repetitions=1, random_state=0), folder.name
)
n_computed = 0


class Count(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        global n_computed
        if len(X) > 1:  # in `fit`, PerClip tries its chain on a clip of noise
            n_computed += len(X)
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def make(features):
    return Pipeline(
        [
            ("oversample", RandomOverSampler(random_state=0)),
            ("features", features),
            ("scale", StandardScaler()),
            ("neighbours", KNeighborsClassifier()),
        ]
    )


def chain():
    return [AudioReader(duration=3.0), Count(), Pitch(method="pyin"), Functionals()]


plain = Pipeline(
    [
        ("oversample", RandomOverSampler(random_state=0)),
        *((type(step).__name__, step) for step in chain()),
        ("scale", StandardScaler()),
        ("neighbours", KNeighborsClassifier()),
    ]
)
once = make(PerClip(make_pipeline(*chain()), memory=folder.name + "/store"))

# %%
# A search
# --------
#
# The number of neighbours, by cross-validation with strangers. The plain pipeline computes all
# clips in each fold of each trial, and is stopped after the first.

import time

import numpy as np
from sklearn.model_selection import cross_val_score

from sersk.model_selection import ProtocolSplit


def search(pipeline, numbers):
    global n_computed
    n_computed, counts, seconds, scores = 0, [0], [0.0], []
    for n_neighbors in numbers:
        started = time.perf_counter()
        pipeline.set_params(neighbours__n_neighbors=n_neighbors)
        folds = ProtocolSplit("speaker", n_splits=4)
        scores.append(cross_val_score(pipeline, corpus.data, corpus.target, cv=folds).mean())
        counts.append(n_computed)
        seconds.append(seconds[-1] + time.perf_counter() - started)
    return np.array(counts), np.array(seconds), scores


numbers = range(1, 16)
found = {"plain": search(plain, numbers[:1]), "PerClip": search(once, numbers)}
assert found["plain"][2] == found["PerClip"][2][:1]  # the same scores

# %%
# What was computed
# -----------------
#
# With the store, the first trial computes each clip once, and all the others none.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, which, label in zip(axes, (0, 1), ("Clips computed", "Seconds"), strict=True):
    for name, results in found.items():
        values = results[which]
        (line,) = ax.plot(range(len(values)), values, marker="o", markersize=3, label=name)
        if len(values) <= len(numbers):
            slope = values[-1] / (len(values) - 1)
            rest = np.arange(len(values) - 1, len(numbers) + 1)
            ax.plot(rest, slope * rest, ":", color=line.get_color(), label=f"{name}, as it goes on")
    ax.set(xlabel="Trials", ylabel=label, xlim=(0, len(numbers)), ylim=(0, None))
    ax.grid(alpha=0.3)
axes[0].axhline(len(corpus.data), color="black", linewidth=0.8, linestyle="--", label="clips")
axes[0].legend()
plt.show()

# %%
# Another run of this script with the same folder would compute nothing at all. What changes a
# result, a file or a parameter of the chain, makes it another one: :doc:`/user_guide/streaming` has
# the list.

print(f"{found['PerClip'][0][-1]} clips computed, {len(corpus.data)} in the corpus")
folder.cleanup()
