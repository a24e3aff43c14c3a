"""
===================
Cleaning recordings
===================

Noise, silence around the sentence, another distance to the microphone: none of it is emotion, and a
classifier learns from it all the same. Here a clean sentence is spoilt, cleaned again step by step,
and compared with what it was. Then the question is what each step takes away that was wanted.
"""

# %%
# A sentence, spoilt
# ------------------
#
# Half a second of silence before, within and after the sentence, and white noise 10 dB below the
# whole. The version without noise is kept as the truth.

import numpy as np

from sersk.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=6, n_sentences=2, repetitions=1, random_state=0)
sample_rate = 16000
rng = np.random.default_rng(0)


def sound_of(row):
    return row[~np.isnan(row)]


def add_noise(clean, snr):
    noise = rng.normal(size=len(clean))
    share = np.sqrt(np.mean(clean**2) / np.mean(noise**2))
    return clean + share * 10 ** (-snr / 20) * noise


chosen = np.flatnonzero(corpus.frame.eval("emotion == 'happiness' and speaker == 'synthetic_03'"))
sentence = sound_of(corpus.data[chosen[0]]).astype(np.float64)
# The quietest tenth of a second in the middle half is where a pause fits.
blocks = np.square(sentence[: len(sentence) // 1600 * 1600]).reshape(-1, 1600).sum(axis=1)
quarter = len(blocks) // 4
gap = 1600 * (quarter + int(blocks[quarter:-quarter].argmin())) + 800
half = np.zeros(sample_rate // 2)
clean = np.concatenate([half, sentence[:gap], half, sentence[gap:], half])
noisy = add_noise(clean, 10)
waveforms = noisy[np.newaxis]  # one row a clip, as all steps want them

# %%
# Noise
# -----
#
# :class:`~sersk.preprocessing.NoiseReducer` learns the noise from the quietest frames of the clip
# itself and lowers it by 15 dB. Islands of it stay here and there: single frames in which it was
# loud. The hisses at 1.0 and 2.8 s lay below the noise, and no method brings them back.

import matplotlib.pyplot as plt

from sersk.inspection import SpectrogramDisplay
from sersk.preprocessing import NoiseReducer

wiener = NoiseReducer().fit_transform(waveforms)
gating = NoiseReducer(method="spectral_gating").fit_transform(waveforms)

figure, axes = plt.subplots(2, 2, figsize=(11, 6.4), sharex=True, sharey=True, layout="constrained")
pictures = {
    "clean": clean,
    "with noise": noisy,
    "Wiener filter": wiener[0],
    "spectral gating": gating[0],
}
for ax, (title, samples) in zip(axes.flat, pictures.items(), strict=True):
    display = SpectrogramDisplay.from_clip(
        samples, ax=ax, title=title, n_fft=512, hop_length=128, n_mels=64, top_db=None,
        colorbar=False, vmin=-55, vmax=5,
    )  # fmt: skip
    ax.label_outer()
figure.colorbar(display.mesh_, ax=axes, label="Power in a band (dB)")
plt.show()

# %%
# How much better is it? What is no multiple of the clean clip counts as noise. Up to 25 dB both
# methods gain. From 40 dB on both lose: there is less noise than there are traces of the cleaning.


def signal_to_noise(samples, clean):
    target = (samples @ clean) / (clean @ clean) * clean
    return 10 * np.log10(np.sum(target**2) / np.sum((samples - target) ** 2))


methods = {"wiener": "Wiener filter", "spectral_gating": "spectral gating"}
before = np.arange(0, 45, 5)
gained = {method: np.zeros(len(before)) for method in methods}
some = [sound_of(row).astype(np.float64) for row in corpus.data[::6]]
for sentence in some:
    for place, snr in enumerate(before):
        spoilt = add_noise(sentence, snr)
        for method in methods:
            cleaned = NoiseReducer(method=method).fit_transform(spoilt[np.newaxis])[0]
            gained[method][place] += signal_to_noise(cleaned, sentence) - snr

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.axhline(0, color="black", linewidth=1)
for method, name in methods.items():
    ax.plot(before, gained[method] / len(some), marker="o", label=name)
ax.set(xlabel="Signal-to-noise ratio before (dB)", ylabel="Gain (dB)")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Silence
# -------
#
# :class:`~sersk.preprocessing.SilenceTrimmer` compares the level of frames with that of the loudest
# one. The noise lies 25 dB below that, so with ``top_db=30`` nothing is silent. Once the noise is
# reduced, the same threshold finds the ends (dark), and the pauses (light) which
# ``interior=True`` cuts out as well. So the order is: first the noise, then the silence. The edges
# are librosa's, which is asked for them here to draw them.

import librosa

from sersk.inspection import WaveformDisplay
from sersk.preprocessing import SilenceTrimmer

silence = {"top_db": 30.0, "frame_length": 1024, "hop_length": 256}
figure, axes = plt.subplots(2, 1, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for ax, name, samples in zip(
    axes, ("with noise", "Wiener filter"), (noisy, wiener[0]), strict=True
):
    edges = librosa.effects.split(samples, **silence) / sample_rate
    duration = len(samples) / sample_rate
    ends = [(0, edges[0, 0]), (edges[-1, 1], duration)]
    pauses = list(zip(edges[:-1, 1], edges[1:, 0], strict=True))
    left = [
        (~np.isnan(SilenceTrimmer(interior=interior, **silence).fit_transform([samples]))).sum()
        for interior in (False, True)
    ]
    shares = [f"{n_samples / sample_rate:.2f} s" for n_samples in left]
    WaveformDisplay.from_clip(samples, ax=ax)
    ax.set_title(f"{name}: {duration:.2f} s, trimmed {shares[0]}, without pauses {shares[1]}")
    for spans, colour in ((ends, "0.6"), (pauses, "0.85")):
        for start, stop in spans:
            ax.axvspan(start, stop, color=colour, linewidth=0, zorder=0)
    ax.label_outer()
plt.show()

# %%
# What is lost
# ------------
#
# Now the clean corpus. By how much do the means of the six emotions differ in a feature, before any
# step and behind each? The unit is the standard deviation of that feature over all clips before any
# step, so a number that falls has been cleaned away.

import pandas as pd
from sklearn.pipeline import FeatureUnion, make_pipeline

from sersk.feature_extraction import Functionals, SpectralShape, TimeDomainStats
from sersk.preprocessing import LevelNormalizer, PreEmphasis

features = FeatureUnion([
    ("time", TimeDomainStats()),
    ("shape", make_pipeline(SpectralShape(n_fft=1024), Functionals(statistics=("mean",)))),
])  # fmt: skip
steps = {
    "no step": None,
    "noise": NoiseReducer(),
    "ends": SilenceTrimmer(top_db=30.0),
    "pauses": SilenceTrimmer(top_db=30.0, interior=True),
    "level": LevelNormalizer(method="rms"),
    "pre-emphasis": PreEmphasis(),
}
shown = {
    "time__level_percentile_95": "level",
    "time__duration": "duration",
    "time__pause_share": "share of pauses",
    "time__pitch_mean": "pitch",
    "time__zcr_mean": "zero crossings",
    "shape__centroid_mean": "centroid",
}
means, spread = {}, None
for name, step in steps.items():
    cleaned = corpus.data if step is None else step.fit_transform(corpus.data)
    columns = features.fit(cleaned).get_feature_names_out()
    vectors = pd.DataFrame(features.transform(cleaned), columns=columns)[list(shown)]
    spread = vectors.std() if step is None else spread
    means[name] = vectors.groupby(corpus.target).mean().std() / spread
table = pd.DataFrame(means)

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
mesh = ax.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for (row, column), value in np.ndenumerate(table):
    colour = "white" if value > 0.6 else "black"
    ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
ax.set(xticks=range(len(steps)), xticklabels=list(steps))
ax.set(yticks=range(len(shown)), yticklabels=list(shown.values()))
figure.colorbar(mesh, label="Standard deviations")
plt.show()

# %%
# The level behind ``LevelNormalizer`` is gone, and of the pauses behind ``interior=True`` not much
# is left. Other numbers rise: pauses are easier to measure without noise in them, and with
# pre-emphasis the level follows the vocal effort in the high frequencies. The voices are synthetic,
# so it is the direction that counts. Whether a step helps on recordings of your own, a comparison
# of two pipelines tells: :doc:`/user_guide/cleaning` has one.
