"""
======================
Tune, and what it says
======================

Parameters that were searched for are the best on the clips that they were searched on. Whether they
are better elsewhere is another question, and the score of the search does not answer it. Here a
small system is tuned, and then asked about speakers whom no trial has heard.
"""

# %%
# The corpus and the system
# -------------------------
#
# Twelve synthetic speakers, three of whom are put aside before anything is searched. The store,
# ``memory``, makes trials cheap: features are computed once for each setting of theirs.

import tempfile

from sersk.datasets import make_emotional_speech, write_corpus
from sersk.model_selection import ProtocolSplit
from sersk.recipes import svm_functionals

folder = tempfile.mkdtemp()
speech = make_emotional_speech(n_speakers=12, n_sentences=2, repetitions=1, random_state=0)
corpus = write_corpus(speech, folder)
train, test = next(ProtocolSplit("speaker", n_splits=4).split(corpus.data, corpus.target))
pipeline = svm_functionals(n_mfcc=13, duration=1.5, memory=f"{folder}/store")

# %%
# What is searched
# ----------------
#
# The default space of the pipeline, a little smaller. ``statistics`` is a choice between sets.

from sersk.model_selection import default_search_space

space = default_search_space(pipeline)
del space["oversample"], space["features__transformer__mfcc__n_mels"]
for name, what in space.items():
    print(name, what)

# %%
# The search
# ----------
#
# Each trial is scored on speakers that it was not trained on, and ends early if it is worse than
# most.

from sersk.model_selection import PipelineSearchCV

search = PipelineSearchCV(pipeline, space=space, n_trials=30, random_state=0)
search.fit(corpus.data.iloc[train], corpus.target[train])
trials = search.trials_dataframe()
print(trials["state"].value_counts().to_string())
print(search.best_params_)

# %%
# How it went
# -----------
#
# A point is a trial that went through all folds, the line the best until then.

import matplotlib.pyplot as plt

complete = trials[trials["state"] == "complete"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True, layout="constrained")
axes[0].plot(complete.index, 100 * complete["score"], "o")
axes[0].step(complete.index, 100 * complete["score"].cummax(), where="post")
axes[0].set(xlabel="Trial", ylabel="UAR over the folds, %")
points = axes[1].scatter(
    complete["param_svm__C"].astype(float),
    100 * complete["score"],
    c=complete["param_svm__gamma"].astype(float),
    norm="log",
)
axes[1].set(xlabel="C of the SVM", xscale="log")
figure.colorbar(points, label="gamma")
plt.show()

# %%
# Strangers
# ---------
#
# Now the three speakers who were put aside, for the system as it was and as it is.

from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score

as_it_was = clone(pipeline).fit(corpus.data.iloc[train], corpus.target[train])
for name, system in {"as it was": as_it_was, "tuned": search}.items():
    predicted = system.predict(corpus.data.iloc[test])
    print(f"{name:<10}{balanced_accuracy_score(corpus.target[test], predicted):.0%}")
print(f"the search said {search.best_score_:.0%}")

# %%
# The score of the search is the best of thirty on the same folds. It chose, so it cannot judge.
# Three strangers are few, too: with ``cross_validate`` around the search every speaker is once a
# stranger, and :doc:`/user_guide/tuning` tells how.
