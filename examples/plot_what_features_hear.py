"""
==================
What features hear
==================

A feature is a question put to a clip: how loud, how high, how bright, and how does that move? Here
one sentence in three emotions is shown feature by feature. Then the features of twelve speakers are
asked what they know more about: the emotion or the voice.
"""

# %%
# Six features from one spectrum
# ------------------------------
#
# :class:`~sersk.feature_extraction.FrameFeatures` stacks whatever it is asked for. Frames are short
# here, 64 ms long and one every 10 ms, so that the pictures are sharp.

from sersk.datasets import make_emotional_speech
from sersk.feature_extraction import FrameFeatures

corpus = make_emotional_speech(n_speakers=12, n_sentences=2, repetitions=2, random_state=0)
chosen = corpus.frame.query(
    "speaker == 'synthetic_03' and sentence == 'synthetic_s02' and take == 1"
    " and emotion in ('anger', 'neutral', 'sadness')"
)
stack = FrameFeatures(
    features=("log_mel", "rms", "zcr", "centroid", "yin", "chroma"),
    n_mels=64, n_fft=1024, hop_length=160, top_db=None, tuning=0.0,
)  # fmt: skip
frames = stack.fit_transform(corpus.data[chosen.index])
print(frames.shape)

# %%
# The second axis is named. After the end of a clip there is NaN, which matplotlib leaves white.

import librosa
import numpy as np

names = stack.get_feature_names_out()
log_mel, chroma = frames[:, :64], frames[:, -12:]
rms, zcr, centroid, f0 = frames[:, 64:68].swapaxes(0, 1)
level = 20 * np.log10(rms)
# YIN has an answer for silence, too: only loud frames are asked.
f0 = np.where(level > np.nanmax(level, axis=1, keepdims=True) - 20, f0, np.nan)
times = np.arange(frames.shape[2]) * stack.hop_length / stack.sample_rate
print(*names[[0, 63, 64, 65, 66, 67, 68, 79]])

# %%
# One sentence, three times
# -------------------------
#
# The three of a row share one scale. Anger is loud, its pitch high and moving; sadness is quiet and
# flat, with a pause. The zero-crossing rate and the centroid follow the sounds more than the
# emotion: both leap up at every hissing consonant, and rise in the pauses, where they measure the
# noise of the room. Chroma shows the pitch once more, without its octave.

import matplotlib.pyplot as plt

from sersk.inspection import SpectrogramDisplay

figure, axes = plt.subplots(
    5, 3, figsize=(11, 10.5), sharex=True, sharey="row", layout="constrained",
    height_ratios=[2.4, 1, 1, 1, 1.8],
)  # fmt: skip
bands = librosa.mel_frequencies(64 + 2, fmin=0.0, fmax=8000.0)[1:-1]
for clip, emotion in enumerate(chosen["emotion"]):
    column = axes[:, clip]
    picture = SpectrogramDisplay(log_mel[clip], times, bands, duration=times[-1], f0=f0[clip])
    picture.plot(ax=column[0], colorbar=False, vmin=-70, vmax=10, title=emotion)
    column[1].plot(times, level[clip], color="black", linewidth=1)
    column[2].plot(times, 100 * zcr[clip], color="black", linewidth=1)
    column[3].plot(times, centroid[clip] / 1000, color="black", linewidth=1)
    classes = column[4].pcolormesh(times, np.arange(12), chroma[clip], vmin=0, vmax=1)
for row, label in enumerate(("Level (dB)", "Zero crossings\n(%)", "Centroid\n(kHz)"), start=1):
    axes[row, 0].set_ylabel(label)
    for ax in axes[row]:
        ax.grid(alpha=0.3)
axes[4, 0].set(ylabel="Pitch class", yticks=[0, 2, 4, 5, 7, 9, 11], yticklabels=list("CDEFGAB"))
for ax in axes.flat:
    ax.set(xlabel="Time (s)", xlim=(0, chosen["duration"].max()))
    ax.label_outer()
figure.align_ylabels(axes[:, 0])
figure.colorbar(picture.mesh_, ax=axes[0], label="Power in a band (dB)")
figure.colorbar(classes, ax=axes[4], label="Relative to the\nstrongest class")
plt.show()

# %%
# All speakers
# ------------
#
# For a classifier, frames become vectors: here by mean and standard deviation over time. Beside
# them stand the statistics that :class:`~sersk.feature_extraction.TimeDomainStats` takes straight
# from the waveform. scikit-learn's ``FeatureUnion`` joins vectors, and their names.

import pandas as pd
from sklearn.pipeline import FeatureUnion, make_pipeline

from sersk.feature_extraction import Functionals, TimeDomainStats

stack = FrameFeatures(
    features=("mfcc", "mfcc_delta", "chroma", "centroid", "bandwidth", "flatness", "contrast"),
    n_mfcc=13, n_mels=64, n_fft=1024, tuning=0.0,
)  # fmt: skip
union = FeatureUnion([
    ("frames", make_pipeline(stack, Functionals(statistics=("mean", "std")))),
    ("time", TimeDomainStats()),
])  # fmt: skip
vectors = pd.DataFrame(union.fit_transform(corpus.data), columns=union.get_feature_names_out())
print(vectors.shape)

# %%
# What an emotion does to a voice
# -------------------------------
#
# Each feature is standardised within each speaker: 1 is one standard deviation of that speaker's
# own clips. This looks at all of them, which is fine for a picture of the data. In an evaluation it
# would presume that a stranger has been heard in every emotion before.

shown = {
    "time__level_percentile_95": "level",
    "time__sounding_duration": "duration",
    "time__pause_share": "share of pauses",
    "time__pitch_mean": "pitch",
    "time__pitch_range": "pitch range",
    "time__periodicity_mean": "periodicity",
    "time__zcr_mean": "zero crossings",
    "frames__centroid_mean": "centroid",
    "frames__flatness_mean": "flatness",
    "frames__mfcc4_mean": "MFCC 4",
    "frames__mfcc4_delta_std": "MFCC 4, movement",
    "frames__chroma0_mean": "chroma of C",
}
by_speaker = vectors[list(shown)].groupby(corpus.groups)
within = (vectors[list(shown)] - by_speaker.transform("mean")) / by_speaker.transform("std")
profile = within.groupby(corpus.target).mean().T

figure, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
mesh = ax.imshow(profile, cmap="RdBu_r", vmin=-1.6, vmax=1.6, aspect="auto")
for (row, column), value in np.ndenumerate(profile.round(1) + 0.0):
    colour = "white" if abs(value) > 1.0 else "black"
    ax.text(column, row, f"{value:+.1f}", ha="center", va="center", color=colour)
ax.set(xticks=range(len(profile.columns)), xticklabels=profile.columns)
ax.set(yticks=range(len(shown)), yticklabels=list(shown.values()))
ax.set_title("Mean of each emotion, against the speaker's other clips")
figure.colorbar(mesh, label="Standard deviations")
plt.show()

# %%
# The emotion or the voice
# ------------------------
#
# How much of the variance of a feature lies between the emotions, and how much between the
# speakers? What stands high on the left knows who speaks, what stands low on the right knows how.


def variance_between(groups):
    return 100 * vectors.groupby(groups).transform("mean").var(ddof=0) / vectors.var(ddof=0)


emotions, speakers = variance_between(corpus.target), variance_between(corpus.groups)
families = {
    "MFCC": r"frames__mfcc\d+_(mean|std)",
    "MFCC, movement": r"frames__mfcc\d+_delta",
    "chroma": "frames__chroma",
    "spectral shape": "frames__(centroid|bandwidth|flatness|contrast)",
    "pitch": "time__(pitch|periodicity)",
    "level, time, waveform": "time__(?!pitch|periodicity)",
}
figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
for colour, (family, pattern) in enumerate(families.items()):
    chosen = vectors.columns.str.match(pattern)
    ax.scatter(emotions[chosen], speakers[chosen], color=f"C{colour}", alpha=0.7, label=family)
for name in set(shown) - {"time__pause_share", "time__periodicity_mean", "time__zcr_mean"}:
    place = emotions[name], speakers[name]
    ax.annotate(shown[name], place, xytext=(6, 3), textcoords="offset points")
ax.set(xlabel="Variance between emotions (%)", ylabel="Variance between speakers (%)")
ax.set(xlim=(0, 80), ylim=(0, 90))
ax.legend()
plt.show()

# %%
# No feature hears an emotion alone. The flatness knows hardly anything but the voice and its room,
# and pitch knows more about the speaker than about the emotion. What moves, and how long it takes,
# passes better from voice to voice. Chroma, made for music, has little to say of either. The voices
# here are synthetic and the figures hold for them alone, but the same lines put the question to
# recordings of your own. :ref:`sphx_glr_auto_examples_plot_strangers.py` shows what knowing the
# voice does to a score, and :doc:`/user_guide/features` says what else there is to hear.
