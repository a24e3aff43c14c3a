"""
===========================================
How much of a score is memory of the voices
===========================================

A random split puts every speaker on both sides. The classifier then knows the voices that it is
tested on. How much is that worth? The same pipeline is scored here with and without it.
"""

# %%
# The corpus
# ----------
#
# Twelve synthetic speakers say four sentences in six emotions, twice. They differ in pitch, vocal
# tract, loudness and in *how* they express an emotion, as people do. The clip table has one row a
# clip: which sound, and by whom.

import tempfile

from sersk.datasets import make_emotional_speech, write_corpus

folder = tempfile.TemporaryDirectory()
speech = make_emotional_speech(n_speakers=12, random_state=0)
corpus = write_corpus(speech, folder.name)
corpus.data.drop(columns="path").head()

# %%
# Two protocols
# -------------
#
# A recipe is a flat pipeline: oversample the clip table, read the files, MFCC, statistics over
# time, SVM. All of it is fitted on the training part of each fold.

from sersk.model_selection import evaluate_protocol
from sersk.recipes import svm_functionals

results = {
    protocol: evaluate_protocol(
        svm_functionals(duration=4.0),  # no clip is longer
        corpus.data,
        corpus.target,
        protocol=protocol,
        n_jobs=-1,
    )
    for protocol in ("random", "speaker")
}

# %%
# What is left for strangers
# --------------------------
#
# The unweighted average recall, with 95 % intervals from resampling the speakers.

import matplotlib.pyplot as plt

scores = {name: 100 * r.scores.loc["balanced_accuracy"] for name, r in results.items()}
figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
for position, (name, row) in enumerate(scores.items()):
    reach = [[row["score"] - row["low"]], [row["high"] - row["score"]]]
    axes.errorbar(row["score"], position, xerr=reach, fmt="o", capsize=5, label=name)
axes.axvline(100 / 6, color="grey", linestyle=":", label="chance")
axes.set(yticks=[0, 1], yticklabels=list(scores), ylim=(-0.6, 1.6), xlim=(0, 100), xlabel="UAR (%)")
axes.legend(loc="upper left")
axes.set_title("The same pipeline on voices it knows, and on strangers")
plt.show()

# %%
# Speaker by speaker
# ------------------
#
# Some voices are easy, some are not: that is why the speaker is the unit of chance, and why an
# interval that resamples clips would promise too much.

by_speaker = 100 * results["speaker"].per_speaker["balanced_accuracy"]
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
by_speaker.sort_values().plot.barh(ax=axes, color="tab:orange")
axes.axvline(100 / 6, color="grey", linestyle=":")
axes.set(xlim=(0, 100), xlabel="UAR (%)", ylabel="", title="Each stranger alone")
plt.show()

# %%
# The difference between the two figures is no property of the classifier. It is what the test gave
# away. Report the second.

folder.cleanup()
