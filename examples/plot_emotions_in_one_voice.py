"""
===========================
Six emotions, and one voice
===========================

One speaker says one sentence in six emotions. The words stay the same, and so does the voice: what
changes is all that a classifier has to go by. Can it be seen?
"""

# %%
# The corpus
# ----------
#
# Every one of four synthetic speakers says both sentences in every emotion. In a corpus of your
# own, look for the gaps in the lower tables: they decide which protocols are balanced.

import matplotlib.pyplot as plt

from sersk.datasets import make_emotional_speech
from sersk.inspection import CorpusDisplay

corpus = make_emotional_speech(n_speakers=4, n_sentences=2, repetitions=1, random_state=0)
CorpusDisplay.from_corpus(corpus)
plt.show()

# %%
# Six clips
# ---------
#
# The second speaker, a man, says the first sentence.

frame = corpus.frame
chosen = (frame["speaker"] == "synthetic_02") & (frame["sentence"] == "synthetic_s01")
clips = frame[chosen]
clips[["emotion", "duration"]].round(2)

# %%
# Over time
# ---------
#
# On equal axes, anger is by far the loudest, and soon over. Sadness is slow and nearly silent.

from sersk.inspection import WaveformDisplay

figure, axes = plt.subplots(3, 2, figsize=(10, 6), sharex=True, sharey=True, layout="constrained")
for (row, clip), ax in zip(clips.iterrows(), axes.flat, strict=True):
    WaveformDisplay.from_clip(corpus.data[row], limit=0.8, ax=ax, title=clip["emotion"])
    ax.label_outer()
axes[0, 0].set_xlim(0, clips["duration"].max())
plt.show()

# %%
# Over time and frequency
# -----------------------
#
# The dots are the fundamental frequency, f0: how often the vocal folds open in a second. Each
# picture has a range of its own, 60 dB below its loudest value, so that loudness does not hide the
# rest. Sadness is so quiet that the noise of the room shows through.

from sersk.inspection import SpectrogramDisplay

figure, axes = plt.subplots(3, 2, figsize=(10, 9), sharex=True, layout="constrained")
displays = {}
for (row, clip), ax in zip(clips.iterrows(), axes.flat, strict=True):
    displays[clip["emotion"]] = SpectrogramDisplay.from_clip(
        corpus.data[row], n_fft=1024, hop_length=160, n_mels=64, fmax=4000.0, top_db=60.0,
        f0=True, f0_range=(65.0, 350.0), ax=ax, title=clip["emotion"], colorbar=False,
    )  # fmt: skip
    ax.label_outer()
axes[0, 0].set_xlim(0, clips["duration"].max())
plt.show()

# %%
# The melody
# ----------
#
# The displays keep what they drew, so the six f0 can be laid side by side. Neutral speech and
# sadness hardly move, anger and happiness rise and fall widely, fear stays high. Stray dots are
# frames in which the voice is too rough or too weak for the estimate.

figure, axes = plt.subplots(figsize=(10, 3.5), layout="constrained")
for name, display in displays.items():
    axes.plot(display.times, display.f0, ".", markersize=3, label=name)
axes.set(xlabel="Time (s)", ylabel="f0 (Hz)", ylim=(60, 285), title="Six melodies of one sentence")
axes.legend(loc="upper center", ncols=6, markerscale=3)
plt.show()

# %%
# Yes, it can be seen: in level, rate and pauses, in the height and the movement of f0. But no cue
# is enough alone: sadness and neutral speech share their f0, fear and neutral speech their level.
# And the next speaker does it all a little differently.
# :ref:`sphx_glr_auto_examples_plot_strangers.py` shows what that costs.
