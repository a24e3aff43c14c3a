"""
===================================
A net, and when to stop training it
===================================

A net that is trained for long enough knows its training clips by heart. Early stopping ends the
training before that, at the epoch that does best on clips held out. Which clips those are decides
what the epoch is best *for*. Here they are of other speakers.
"""

# %%
# The corpus
# ----------
#
# Twenty synthetic speakers say four sentences in six emotions. Five of the speakers are put aside
# for the test, and nobody looks at them before the end.

from sersk.datasets import make_emotional_speech
from sersk.model_selection import ProtocolSplit

speech = make_emotional_speech(n_speakers=20, repetitions=1, random_state=0)
protocol = ProtocolSplit("speaker", n_splits=4)
train, test = next(protocol.split(speech.data, speech.target, speech.frame))
print(f"{len(train)} clips to learn from, {len(test)} of strangers")

# %%
# What the net sees
# -----------------
#
# Log-mel images, 40 bands high. A clip ends where it ends: behind it stands NaN, which the net
# leaves out of everything.

import matplotlib.pyplot as plt
import numpy as np

from sersk.feature_extraction import LogMelSpectrogram

log_mel = LogMelSpectrogram(n_fft=1024, hop_length=320, n_mels=40)
shown = ["anger", "neutral", "sadness"]
first = [np.flatnonzero(speech.target == emotion)[0] for emotion in shown]
images = log_mel.fit_transform(speech.data[first])
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True, layout="constrained")
for ax, image, emotion in zip(axes, images, shown, strict=True):
    ax.imshow(image[0], origin="lower", aspect="auto")
    ax.set(title=emotion, xlabel="Frame")
axes[0].set_ylabel("Mel band")
plt.show()

# %%
# Speakers held out twice
# -----------------------
#
# :class:`~sersk.model_selection.ValidationHoldout` stands around the whole pipeline. Before
# anything is computed it puts some of the *training* speakers aside, and hands the net their images
# for validation. The net is a small one: two blocks of convolutions, a recurrent layer in both
# directions.

from sklearn.pipeline import make_pipeline

from sersk.model_selection import ValidationHoldout
from sersk.neural_network import CRNNClassifier

net = CRNNClassifier(
    filters=(8, 16),
    pool_sizes=((2, 4), (2, 2)),  # (bands, frames)
    hidden_sizes=(16,),
    lr=0.003,
    batch_size=32,
    patience=8,
    random_state=0,
)
model = ValidationHoldout(make_pipeline(log_mel, net), size=0.2, random_state=0)
model.fit(speech.data[train], speech.target[train], groups=speech.groups[train])
print("held out for validation:", ", ".join(model.held_out_))

# %%
# The learning curve
# ------------------
#
# The loss of training falls on and on. That of validation falls as long as the net learns
# something that holds for other speakers, too; then it rises, or goes up and down. The weights of
# the marked epoch are kept, and eight epochs without a better one end the training.

from sersk.inspection import LearningCurveDisplay

LearningCurveDisplay.from_estimator(model, title="Loss and UAR by epoch")
plt.show()

# %%
# Strangers
# ---------
#
# Now, and once, the five speakers of the test.

from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score

predicted = model.predict(speech.data[test])
trained = model.estimator_[-1]
at_best = trained.history_[trained.best_epoch_ - 1]
known = train[model.train_indices_]
scores = {
    "training": balanced_accuracy_score(speech.target[known], model.predict(speech.data[known])),
    "validation": at_best["valid_balanced_accuracy"],
    "strangers": balanced_accuracy_score(speech.target[test], predicted),
}
for part, score in scores.items():
    print(f"{part:<11}{score:.0%}")

# %%
# A row is what was said, a column what was heard; each row adds up to 100 %.

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    speech.target[test], predicted, normalize="true", values_format=".0%", cmap="Blues",
    xticks_rotation=30, ax=ax, colorbar=False,
)  # fmt: skip
ax.set_title("Five strangers, guessing is 17 %")
plt.show()

# %%
# Three figures for one net. That on the clips that it was trained on is the best of them, and tells
# least. The validation chose the epoch, which flatters it, but of three speakers: they may be
# harder or easier than others by chance, and its curve goes up and down. What counts is the third.
# And five strangers are not enough to rank two nets by:
# :func:`~sersk.model_selection.evaluate_protocol` goes through all folds and gives intervals, and
# :doc:`/user_guide/neural_networks` says what else can be done.
