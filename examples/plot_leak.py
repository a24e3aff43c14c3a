"""
===============
The leak, shown
===============

Copies of clips, made before the split, stand on both sides of it. That is how a classifier gets to
high scores that nobody can repeat. Here one pipeline is scored the wrong ways and the right ones;
then once more with labels that mean nothing, which leaves no excuse.
"""

# %%
# A corpus and a pipeline
# -----------------------
#
# Ten synthetic speakers, six emotions; of sadness only a third was kept, of fear a half. The
# pipeline is the plain baseline: MFCC, their statistics, an SVM.

import tempfile

import numpy as np
import pandas as pd

from sersk.datasets import make_emotional_speech, write_corpus
from sersk.recipes import svm_functionals

folder = tempfile.TemporaryDirectory()
speech = make_emotional_speech(n_speakers=10, n_sentences=2, repetitions=2, random_state=0)
corpus = write_corpus(speech, folder.name)
kept = np.ones(len(corpus.target), dtype=bool)
rng = np.random.default_rng(0)
for emotion, lost in {"sadness": 27, "fear": 20}.items():
    kept[rng.choice(np.flatnonzero(corpus.target == emotion), lost, replace=False)] = False
clips, emotions = corpus.data[kept].reset_index(drop=True), corpus.target[kept]

pipeline = svm_functionals(duration=4.0, memory=f"{folder.name}/store")
pd.Series(emotions).value_counts().to_frame("clips")

# %%
# The audit
# ---------
#
# :func:`~sersk.model_selection.audit_leakage` makes copies of all clips, with noise, stretched, and
# at another pitch, and splits them at random; repeats rare clips and splits them at random; and
# then leaves that to the pipeline, inside the folds, under each of the protocols.

from sersk.model_selection import audit_leakage

audit = audit_leakage(pipeline, clips, emotions, n_splits=4)
shown = ["leaks", "n_leaked", "n_tested", "balanced_accuracy", "above_speaker"]
audit.table[shown].round(3)

# %%
# And with labels dealt out by chance. There is nothing to be learned now, so that no honest score
# can be far from a sixth.

by_chance = np.random.RandomState(0).permutation(emotions)
audit_of_nothing = audit_leakage(pipeline, clips, by_chance, n_splits=4)

# %%
# What a score is made of
# -----------------------
#
# Red rows have trained on what they test. On the left they look like good systems, and on the right
# they still do, where nothing can be learned at all. The blue rows on the right lie at chance or a
# little below it: the more clips of a label are tested, the fewer of it were left to train on.

import matplotlib.pyplot as plt

from sersk.inspection import LeakageDisplay

figure, axes = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
LeakageDisplay.from_audit(audit, ax=axes[0], title="The emotions")
LeakageDisplay.from_audit(audit_of_nothing, ax=axes[1], title="Labels dealt out by chance")
axes[1].set(yticklabels=[], ylabel="")
plt.show()

# %%
# How it is done
# --------------
#
# How far is it from a clip to the nearest other one? There are those made of the same recording,
# those of the same emotion, and all others. Distances are taken between the vectors that the
# classifier sees.

from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

augmenter = audit.augmenter
copied, emotions_of_copies = augmenter.fit_resample(clips, emotions)
source = augmenter.sample_indices_
vectors = make_pipeline(pipeline["features"], StandardScaler()).fit_transform(copied)

distances = pairwise_distances(vectors)
np.fill_diagonal(distances, np.inf)
same_clip = source[:, None] == source
same_emotion = emotions_of_copies[:, None] == emotions_of_copies
kinds = {
    "a copy of itself": same_clip,
    "another clip of its emotion": same_emotion & ~same_clip,
    "a clip of another emotion": ~same_emotion,
}
to_nearest = {name: np.where(kind, distances, np.inf).min(axis=1) for name, kind in kinds.items()}
first = to_nearest["a copy of itself"] <= np.min(list(to_nearest.values()), axis=0)

figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
edges = np.linspace(0, max(map(np.max, to_nearest.values())), 50)
for (name, values), colour in zip(to_nearest.items(), ("C3", "C0", "0.6"), strict=True):
    ax.hist(values, edges, color=colour, alpha=0.65, label=name)
ax.set(xlabel="Distance to the nearest one", ylabel="Clips and copies")
ax.set_title(f"For {first.mean():.0%}, the nearest of all is a copy of the same recording")
ax.legend(frameon=False)
plt.show()

# %%
# So there is no need to know anything about emotions: find the recording, and read what is written
# on it. The more a system can remember, the better it does that.
#
# A split that was made elsewhere
# -------------------------------
#
# A list of test files comes with a paper, or with somebody's code. What it shares with the training
# part can be asked:

from sklearn.model_selection import train_test_split

from sersk.model_selection import check_split

train, test = train_test_split(np.arange(len(clips)), test_size=0.2, random_state=0)
print(check_split(clips, train, test, y=emotions).report)

# %%
# What to do about it is short. Give samplers to the pipeline, the whole pipeline to the
# cross-validation, and report the row ``speaker``. :doc:`/user_guide/pitfalls` has other ways to be
# wrong, with what they were worth on four real corpora.

folder.cleanup()
# sphinx_gallery_thumbnail_number = 2
