"""
================================
What a model says of a long call
================================

A model is trained on sentences, kept in a file, and used on a recording of a minute: window by
window, with a probability for each emotion and a warning where the sound is strange to it.
"""

# %%
# A model of sentences
# --------------------
#
# Synthetic speech, twelve speakers, three emotions. Probabilities are calibrated on speakers held
# out of the training, as ``sersk train --calibrate`` does.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from sklearn.calibration import CalibratedClassifierCV

import sersk
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.model_selection import ProtocolSplit
from sersk.persistence import RecordingProfile
from sersk.recipes import gradient_boosting_functionals

folder = tempfile.TemporaryDirectory()
emotions = ("anger", "neutral", "sadness")
made = make_emotional_speech(n_speakers=12, emotions=emotions, random_state=0)
corpus = write_corpus(made, f"{folder.name}/corpus")
store = f"{folder.name}/store"
model = CalibratedClassifierCV(
    gradient_boosting_functionals(duration=4.0, max_iter=50, memory=store), method="temperature",
    cv=ProtocolSplit("speaker", n_splits=3), ensemble=False,
)  # fmt: skip
model.fit(corpus.data, corpus.target)
profile = RecordingProfile.from_clips(corpus.data)
path = f"{folder.name}/model.skops"
sersk.save(model, path, corpus=corpus, recipe="gradient_boosting_functionals", profile=profile)
print(sersk.read_card(path).head())

# %%
# A recording
# -----------
#
# A stranger speaks for about a minute: first neutral, then angry, then sad.

others = make_emotional_speech(n_speakers=1, emotions=emotions, repetitions=2, random_state=5)
parts, changes = [], {}
for emotion in ("neutral", "anger", "sadness"):
    changes[emotion] = sum(map(len, parts)) / 16000
    parts += [clip[~np.isnan(clip)] for clip in others.data[others.target == emotion]]
call = np.concatenate(parts)
soundfile.write(f"{folder.name}/call.wav", call, 16000)
print(f"{len(call) / 16000:.0f} s, changes at", {e: round(t) for e, t in changes.items()})

# %%
# Window by window
# ----------------
#
# Windows are about as long as the sentences of the training. Below the horizontal line the model
# is unsure. Vertical lines show where the emotion changes.

from sersk.inspection import TimelineDisplay
from sersk.persistence import predict_recordings

loaded = sersk.load(path)
profile = sersk.read_card(path).profile
options = {"window": 2.0, "hop": 0.5, "profile": profile}
found = predict_recordings(loaded, f"{folder.name}/call.wav", min_confidence=0.5, **options)
display = TimelineDisplay.from_predictions(found.table, min_confidence=0.5)
for ax in display.figure_.axes:
    for time in list(changes.values())[1:]:
        ax.axvline(time, color="black", linestyle="--", linewidth=1)
plt.show()

# %%
# The same call over a bad line
# -----------------------------
#
# Twenty times quieter, and with nothing above 2 kHz. The model answers as before; the comparison
# with its training says what is wrong, and what to do.

import warnings

from scipy.signal import butter, sosfilt

bad = 0.05 * sosfilt(butter(10, 2000, fs=16000, output="sos"), call)
soundfile.write(f"{folder.name}/bad_line.wav", bad, 16000, subtype="FLOAT")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    strange = predict_recordings(loaded, f"{folder.name}/bad_line.wav", **options)
for warning in said:
    print(warning.message)

# %%
# The answers got worse, and every window is told of.

tables = {"as recorded": found.table, "bad line": strange.table}
for name, table in tables.items():
    middle = (table["start"] + table["stop"]) / 2
    begun = np.searchsorted(list(changes.values()), middle, side="right") - 1
    truth = np.array(list(changes))[begun]
    top = table[[f"p_{emotion}" for emotion in emotions]].idxmax(axis=1).str.removeprefix("p_")
    unlike = (table["unlike"] != "").mean()
    print(
        f"{name}: {100 * (top == truth).mean():.0f} % of windows right, {100 * unlike:.0f} % unlike"
    )

folder.cleanup()
# sphinx_gallery_thumbnail_number = 1
