"""
=============================
More clips, and honest scores
=============================

Changed copies of the training clips are the usual remedy for small corpora. What does a copy sound
like? How many are there of each emotion? And what does a score say, depending on whether they were
made before the split or behind it?
"""

# %%
# One clip and its versions
# -------------------------
#
# A transform *draws*, and the draw is what changes a clip, in the same way each time. Its print
# tells what it does. Strong ones are taken here, to be seen: higher by four semitones, slower by a
# quarter, begun a quarter later, with what falls off the end put first.

import matplotlib.pyplot as plt
import numpy as np

from sersk.augmentation import AddNoise, PitchShift, Reverb, TimeShift, TimeStretch
from sersk.datasets import make_emotional_speech
from sersk.inspection import SpectrogramDisplay

speech = make_emotional_speech(n_speakers=8, n_sentences=2, repetitions=1, random_state=0)
sample_rate = 16000
clip = speech.data[np.flatnonzero(speech.target == "happiness")[0]]
clip = clip[~np.isnan(clip)]

versions = {"the clip": clip}
for transform in (
    AddNoise(snr_db=10),
    PitchShift(semitones=4),
    TimeStretch(rate=0.8),
    TimeShift(shift=0.25),
    Reverb(rt60=0.6, wet_db=0),
):
    draw = transform.draw(random_state=0)
    name = repr(draw).split(", ")[0].rstrip(")") + ")"
    versions[name] = draw(clip, sample_rate)

figure, axes = plt.subplots(2, 3, figsize=(12, 6), sharex=True, sharey=True, layout="constrained")
for ax, (title, samples) in zip(axes.flat, versions.items(), strict=True):
    display = SpectrogramDisplay.from_clip(
        samples, ax=ax, title=title, n_fft=1024, hop_length=160, n_mels=96, top_db=None,
        colorbar=False, vmin=-60, vmax=5,
    )  # fmt: skip
    ax.label_outer()
ax.set_xlim(0, max(map(len, versions.values())) / sample_rate)
figure.colorbar(display.mesh_, ax=axes, label="Power in a band (dB)")
plt.show()

# %%
# Rows, not recordings
# --------------------
#
# Somebody recorded little fear and less sadness. Oversampling repeats rows of the clip table,
# augmentation adds rows with a draw in the cell ``augment``. Nothing has been decoded so far:
# the reader does what the cells say, and decodes each file once.

import tempfile

from imblearn.over_sampling import RandomOverSampler

from sersk.augmentation import WaveformAugmenter, make_transforms
from sersk.datasets import write_corpus

folder = tempfile.TemporaryDirectory()
corpus = write_corpus(speech, folder.name)
kept = np.ones(len(corpus.data), dtype=bool)
for emotion, n_kept in {"fear": 8, "sadness": 4}.items():
    kept[np.flatnonzero(corpus.target == emotion)[n_kept:]] = False
clips, emotions = corpus.data[kept], corpus.target[kept]

balanced, balanced_emotions = RandomOverSampler(random_state=0).fit_resample(clips, emotions)
augmenter = WaveformAugmenter(make_transforms("noise_stretch_pitch"), random_state=0)
table, table_emotions = augmenter.fit_resample(balanced, balanced_emotions)
table.loc[[0, 100, 200, 300], ["speaker", "sentence", "augment"]]

# %%
# Each emotion ends up with as many rows. But those of sadness still come from four recordings: each
# stands there about sixteen times, a dozen of them with a change of its own, and remains one
# sentence of one speaker.

n_rows = {
    "recorded": clips.groupby(emotions).size(),
    "repeated": balanced.groupby(balanced_emotions).size() - clips.groupby(emotions).size(),
    "changed copies": table["augment"].notna().groupby(table_emotions).sum(),
}
figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
left = 0
for (name, counts), colour in zip(n_rows.items(), ("tab:blue", "tab:orange", "0.8"), strict=True):
    bars = ax.barh(counts.index, counts, left=left, color=colour, label=name)
    ax.bar_label(bars, [str(count or "") for count in counts], label_type="center")
    left = left + counts
ax.invert_yaxis()
ax.set(xlabel="Rows in the clip table", title="After oversampling, and three copies of each row")
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, frameon=False)
plt.show()

# %%
# Before the split, or behind it
# ------------------------------
#
# The same samplers and the same classifier, twice: once all copies are made and then dealt out to
# the folds, once the pipeline makes them of the training part. And both with emotions that were
# dealt out by chance, of which nothing can be learned.

from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sersk.feature_extraction import MFCC, Functionals, PerClip
from sersk.preprocessing import AudioReader

chain = make_pipeline(AudioReader(duration=3.0), MFCC(n_mfcc=13), Functionals())
features = PerClip(chain, memory=folder.name + "/store")
learning = [features, StandardScaler(), SVC(C=10)]
samplers = [RandomOverSampler(random_state=0), augmenter]
folds = StratifiedKFold(n_splits=4, shuffle=True, random_state=0)


def score(pipeline, clips, emotions):
    return 100 * cross_val_score(
        pipeline, clips, emotions, cv=folds, scoring="balanced_accuracy"
    ).mean()  # fmt: skip


scores = {"before the split": [], "inside the fold": []}
by_chance = np.random.RandomState(0).permutation(emotions)
for labels in (emotions, by_chance):
    copied = clips, labels
    for sampler in samplers:
        copied = sampler.fit_resample(*copied)
    scores["before the split"].append(score(make_pipeline(*learning), *copied))
    scores["inside the fold"].append(
        score(make_sampling_pipeline(*samplers, *learning), clips, labels)
    )

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for shift, (name, values) in zip((-0.2, 0.2), scores.items(), strict=True):
    bars = ax.bar(np.arange(2) + shift, values, width=0.38, label=f"copies {name}")
    ax.bar_label(bars, fmt="%.0f", label_type="center", color="white")
ax.axhline(100 / 6, color="grey", linestyle=":", label="chance")
ax.set(xticks=[0, 1], xticklabels=["the true emotions", "emotions dealt out by chance"])
ax.set(ylabel="UAR (%)", ylim=(0, 100), title="The same samplers, in two places")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
plt.show()

# %%
# Where nothing can be learned, a score far above chance shows that the test was in the training
# part. The copies made before the split are recognised, not understood. Inside the fold, what
# augmentation is worth can be asked at all; for strangers, take a split by speakers:
# :doc:`/user_guide/augmentation` goes through it step by step.

folder.cleanup()
