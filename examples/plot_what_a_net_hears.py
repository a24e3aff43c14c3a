"""
=====================
What a net listens to
=====================

A net says "anger". What in the clip made it say so? Attributions share its score out over the
spectrogram. They do not tell whether the net is right; they tell what it uses, and that is worth a
look before anybody trusts it.
"""

# %%
# A net, trained in seconds
# -------------------------
#
# Sixteen synthetic speakers say four sentences in three emotions. The last four of them are
# strangers to the net. Its convolutions end in a pooling by attention: a weighted mean over time.

import numpy as np
from sklearn.pipeline import make_pipeline

from sersk.datasets import make_emotional_speech
from sersk.feature_extraction import LogMelSpectrogram
from sersk.neural_network import CNNClassifier

speech = make_emotional_speech(
    n_speakers=16, repetitions=1, emotions=("anger", "neutral", "sadness"), random_state=0
)
stranger = np.isin(speech.groups, np.unique(speech.groups)[-4:])
net = CNNClassifier(
    filters=(8, 16),
    pool_sizes=((2, 4), (2, 2)),  # (bands, frames)
    pooling="attention",
    lr=0.003,
    batch_size=16,
    max_epochs=15,
    random_state=0,
)
model = make_pipeline(LogMelSpectrogram(n_fft=1024, hop_length=320, n_mels=40), net)
model.fit(speech.data[~stranger], speech.target[~stranger])
clips, emotions = speech.data[stranger], speech.target[stranger]
probabilities = model.predict_proba(clips)
heard = model.classes_[probabilities.argmax(axis=1)]
print(f"{np.mean(heard == emotions):.0%} of the strangers' clips are heard as they were meant")

# %%
# One clip
# --------
#
# The angry clip that the net is most certain of. Above stands what the net sees: a log-mel
# spectrogram, each band of mean 0 and deviation 1 over the training clips, grey where the clip has
# ended. In the middle, red speaks for anger and blue against it. Below is the attention.

import matplotlib.pyplot as plt

from sersk.inspection import SaliencyDisplay

row = np.where(emotions == "anger", probabilities[:, 0], 0).argmax()
display = SaliencyDisplay.from_estimator(model, clips[row])
plt.show()

# %%
# Integrated gradients keep accounts: all attributions together make the way of the score from the
# mean of the training clips to this clip.

total = np.nansum(display.attributions)
change = display.score - display.baseline_score
print(f"attributions {total:.2f}, change of the score {change:.2f}")

# %%
# A clip that was misheard
# ------------------------
#
# With `target` any emotion can be asked for. Here is the worst mistake, and what spoke for the
# emotion that was meant.

meant = np.searchsorted(model.classes_, emotions)
row = probabilities[np.arange(len(meant)), meant].argmin()
SaliencyDisplay.from_estimator(model, clips[row], target=emotions[row])
plt.show()

# %%
# Many clips
# ----------
#
# Single points are noisy, and a single clip may be odd. Sums over time, averaged over all clips of
# an emotion, show what the net has learned to listen to.

figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for emotion in model.classes_:
    by_band = []
    for clip in clips[emotions == emotion]:
        explained = SaliencyDisplay.from_estimator(model, clip, target=emotion)
        by_band.append(np.nansum(explained.attributions[0], axis=1))
        plt.close(explained.figure_)
    ax.plot(np.mean(by_band, axis=0), label=emotion)
ax.axhline(0, color="0.4", linewidth=0.8)
ax.set(xlabel="Mel band", ylabel="Mean attribution")
ax.legend()
plt.show()

# %%
# The lowest band, below 150 Hz, weighs most: sound there speaks against anger and for neutral. A
# voice that is raised has left this band, and so has every higher voice. Whether the net knows one
# from the other, only its errors with high and low speakers could tell.

# %%
# Vectors have bars
# -----------------
#
# A net of functionals is asked in the same way, and the bars have the names of its features.

from sersk.feature_extraction import MFCC, Functionals

vectors = make_pipeline(MFCC(n_mfcc=13), Functionals(statistics=("mean", "std")))
dense = CNNClassifier(conv_dim=1, filters=(16,), pooling="flatten", lr=0.003, random_state=0)
by_names = make_pipeline(*vectors, dense).fit(speech.data[~stranger], speech.target[~stranger])
SaliencyDisplay.from_estimator(by_names, clips[0], target=emotions[0])
plt.show()

# %%
# A picture like these is the beginning of a question, not its answer. If the net listens to the
# pause before the first word or to the hum of a microphone, it will do worse with other recordings:
# :func:`~sersk.model_selection.noise_robustness` and
# :func:`~sersk.model_selection.cross_corpus_table` tell.
