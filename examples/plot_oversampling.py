"""
=================================
Rare emotions, and what they cost
=================================

Somebody recorded much neutral speech and little else. A classifier then learns above all to say
"neutral", and its accuracy looks well. Four remedies are compared here on speakers never heard:
nothing, repeating rare clips, making new vectors between them, and weights.
"""

# %%
# A corpus out of balance
# -----------------------
#
# Twelve synthetic speakers. All clips of neutral speech are kept, half of those of anger and
# happiness, and a sixth of the others.

import tempfile

import numpy as np
import pandas as pd

from sersk.datasets import make_emotional_speech, write_corpus

folder = tempfile.TemporaryDirectory()
speech = make_emotional_speech(n_sentences=3, random_state=0)
corpus = write_corpus(speech, folder.name)
one_in = {"neutral": 1, "anger": 2, "happiness": 2, "disgust": 6, "fear": 6, "sadness": 6}
rng = np.random.default_rng(0)
kept = []
for emotion, every in one_in.items():
    of_emotion = np.flatnonzero(corpus.target == emotion)
    kept.append(rng.choice(of_emotion, len(of_emotion) // every, replace=False))
rows = np.sort(np.concatenate(kept))
clips, emotions = corpus.data.iloc[rows].reset_index(drop=True), corpus.target[rows]
n_clips = pd.Series(emotions).value_counts()
n_clips.to_frame("clips")

# %%
# Four pipelines
# --------------
#
# imbalanced-learn's ``RandomOverSampler`` takes the clip table as it is, before anything is read.
# ``SMOTE`` makes vectors between vectors, so it stands behind the features. Both act in ``fit``
# alone. Features are computed once for all of them, and kept.

from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sersk.feature_extraction import MFCC, Functionals, PerClip
from sersk.preprocessing import AudioReader

chain = make_pipeline(AudioReader(duration=4.0), MFCC(n_mfcc=13), Functionals())
features = PerClip(chain, memory=f"{folder.name}/store")
plain = LogisticRegression(C=0.01, max_iter=1000)
weighted = LogisticRegression(C=0.01, max_iter=1000, class_weight="balanced")
pipelines = {
    "as it is": make_pipeline(features, StandardScaler(), plain),
    "RandomOverSampler": make_sampling_pipeline(
        RandomOverSampler(random_state=0), features, StandardScaler(), plain
    ),
    "SMOTE": make_sampling_pipeline(
        features, StandardScaler(), SMOTE(k_neighbors=3, random_state=0), plain
    ),
    "class_weight": make_pipeline(features, StandardScaler(), weighted),
}

# %%
# Accuracy, and UAR
# -----------------
#
# Speakers are kept apart. Accuracy counts clips, so neutral speech counts most. UAR, the unweighted
# average recall, asks how often each emotion is found, and takes the mean.

from sersk.model_selection import evaluate_protocol

results = {
    name: evaluate_protocol(pipeline, clips, emotions, protocol="speaker")
    for name, pipeline in pipelines.items()
}
scores = pd.DataFrame({name: result.scores["score"] for name, result in results.items()}).T
(100 * scores).round(1)

# %%
# Emotion by emotion
# ------------------
#
# Recall: how many clips of an emotion are found. Precision: how many of those that are called so
# are so. Emotions stand in the order of how many clips there are.

import matplotlib.pyplot as plt

order = n_clips.index
colours = ["0.6", "C0", "C2", "C1"]
figure, axes = plt.subplots(2, 1, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
for ax, score in zip(axes, ("recall", "precision"), strict=True):
    for number, (name, result) in enumerate(results.items()):
        heights = 100 * result.per_class.loc[order, score]
        ax.bar(np.arange(6) + 0.2 * number - 0.3, heights, 0.18, color=colours[number], label=name)
    ax.set(ylabel=f"{score.capitalize()} (%)", ylim=(0, 100))
    ax.grid(axis="y", alpha=0.3)
axes[1].set_xticks(range(6), [f"{name}\n{n_clips[name]} clips" for name in order])
axes[0].legend(ncols=4, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
plt.show()

# %%
# As it is, most of the rare clips are taken for something frequent: of the sad ones one in twelve
# is found, of disgust none. All three remedies find more of them, and pay with neutral speech,
# which is now taken for any of the others. Accuracy goes down a little, UAR goes up by twenty
# points.
#
# Which remedy is best, a dozen clips of an emotion do not tell. What each of them is worth against
# none, as a mean over speakers:

from sersk.metrics import compare_by_speaker

before = results["as it is"].predictions
for name in list(results)[1:]:
    after = results[name].predictions
    gain = compare_by_speaker(
        before["true"], before["predicted"], after["predicted"], before["speaker"]
    )
    print(f"{name:<18}{gain.difference:+.1%}, {gain.low:+.1%} to {gain.high:+.1%}")

# %%
# The step may stand in front or behind the features, but never before the split:
# :ref:`sphx_glr_auto_examples_plot_leak.py`.

folder.cleanup()
