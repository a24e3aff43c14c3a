"""FrameFeatures: a stack of what the single classes give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sersk.feature_extraction import (
    MFCC,
    Chroma,
    FrameFeatures,
    LogMelSpectrogram,
    MelSpectrogram,
    Pitch,
    RMSEnergy,
    SpectralShape,
    Tonnetz,
    ZeroCrossingRate,
)

SPECTRUM = {"n_fft": 1024, "hop_length": 300, "win_length": 900, "window": "hamming"}
BANDS = {"n_mels": 50, "fmin": 20.0, "fmax": 7500.0, "htk": True, "norm": None}
FRAMES = {"frame_length": 1024, "hop_length": 300}

SINGLE = {
    ("mel",): MelSpectrogram(**SPECTRUM, **BANDS),
    ("log_mel", "log_mel_delta", "log_mel_delta2"): LogMelSpectrogram(
        deltas=2, **SPECTRUM, **BANDS
    ),
    ("mfcc", "mfcc_delta", "mfcc_delta2"): MFCC(n_mfcc=9, lifter=11, deltas=2, **SPECTRUM, **BANDS),
    ("chroma",): Chroma(n_chroma=12, **SPECTRUM),
    ("tonnetz",): Tonnetz(chroma="stft", **SPECTRUM),
    ("zcr",): ZeroCrossingRate(**FRAMES),
    ("rms",): RMSEnergy(**FRAMES),
    ("centroid", "bandwidth", "rolloff", "flatness", "contrast"): SpectralShape(
        roll_percent=0.7, n_bands=4, quantile=0.1, **SPECTRUM
    ),
    ("yin",): Pitch(fmin=90.0, fmax=400.0, **FRAMES),
    ("pyin",): Pitch(method="pyin", fmin=90.0, fmax=400.0, **FRAMES),
}
PARAMETERS = {
    **SPECTRUM, **BANDS, "n_mfcc": 9, "lifter": 11, "roll_percent": 0.7, "n_bands": 4,
    "quantile": 0.1, "pitch_fmin": 90.0, "pitch_fmax": 400.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def waveforms(clips, padded):
    return padded([clips[0][:10000], clips[1][:2000], clips[2][:1]])


@pytest.mark.parametrize("features", SINGLE, ids="+".join)
@pytest.mark.parametrize("among_others", [False, True])
def test_each_is_what_its_class_gives(waveforms, features, among_others):
    others = [f for f in ("rms", "centroid", "mel", "chroma") if f not in features]
    stack = FrameFeatures(features=[*features, *(others if among_others else [])], **PARAMETERS)
    expected = SINGLE[features].transform(waveforms)
    expected = expected.reshape(len(expected), -1, expected.shape[-1])
    frames = stack.transform(waveforms)[:, : expected.shape[1]]
    # Another set of features may be computed in another order.
    scale = np.nanmax(np.abs(expected))
    assert_allclose(frames, expected, rtol=0, atol=1e-9 * scale)
    names = SINGLE[features].get_feature_names_out().tolist()
    if not isinstance(SINGLE[features], LogMelSpectrogram):
        assert stack.get_feature_names_out()[: len(names)].tolist() == names


def test_the_default_is_the_stack_of_182(waveforms):
    stack = FrameFeatures()
    names = stack.get_feature_names_out().tolist()
    assert stack.fit_transform(waveforms).shape[:2] == (3, 182)
    assert names[:1] + names[127:129] + names[167:169] + names[-3:] == [
        "mel0", "mel127", "mfcc0", "mfcc39", "chroma0", "chroma11", "zcr", "rms",
    ]  # fmt: skip


def test_the_order_is_the_users(waveforms):
    features = ["rms", "mfcc_delta2", "chroma", "log_mel", "zcr", "mfcc"]
    forwards = FrameFeatures(features=features, n_mfcc=3)
    backwards = FrameFeatures(features=features[::-1], n_mfcc=3)
    order = [
        backwards.get_feature_names_out().tolist().index(name)
        for name in forwards.get_feature_names_out()
    ]
    np.testing.assert_array_equal(
        backwards.transform(waveforms)[:, order], forwards.transform(waveforms)
    )


def test_amplitude_for_the_bands_is_power_for_the_rest(waveforms):
    features = ["mel", "chroma", "flatness", "contrast"]
    mixed = FrameFeatures(features=features, power=1.0).transform(waveforms)
    plain = FrameFeatures(features=features, power=2.0).transform(waveforms)
    amplitude = MelSpectrogram(power=1.0).transform(waveforms)
    assert_allclose(mixed[:, :128], amplitude, rtol=0, atol=1e-9 * np.nanmax(amplitude))
    assert_allclose(mixed[:, 128:], plain[:, 128:], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": []}, "features is empty: name at least one of mel, log_mel"),
        ({"features": ["mfcc", "nonsense"]}, "features holds 'nonsense'; known are"),
        ({"features": ["rms_delta"]}, "features holds 'rms_delta'"),
        ({"features": ["mfcc", "rms", "mfcc"]}, "mfcc more than once"),
        ({"features": "mfcc"}, "'features' parameter"),
        ({"features": [["mfcc"]]}, "features holds"),
        ({"n_mfcc": 129}, "n_mfcc <= n_mels"),
        ({"n_fft": 256}, "too many for n_fft=256"),
        ({"features": ["contrast"], "n_bands": 7}, "n_bands=7 octaves"),
        ({"features": ["yin"], "n_fft": 256}, "does not hold two of them"),
        ({"features": ["pyin"], "pitch_fmax": 9000.0}, "above half the sample rate"),
        ({"win_length": 2049}, "must not exceed n_fft"),
    ],
    ids=str,
)
def test_refused(parameters, message):
    stack = FrameFeatures(**parameters)
    with pytest.raises(ValueError, match=message):
        stack.fit(np.zeros((1, 1000)))
    with pytest.raises(ValueError, match=message):
        stack.transform(np.zeros((1, 1000)))


def test_parameters_of_what_is_not_asked_for_do_not_matter():
    stack = FrameFeatures(
        features=["zcr", "rms"], n_mfcc=1000, n_mels=2000, fmax=1e9, n_bands=40, pitch_fmin=1e-3
    )
    assert stack.transform(np.ones((1, 1000))).shape == (1, 2, 2)


@pytest.mark.parametrize("level", [1e-15, 1e-9, 1e15])
def test_fast_holds_at_levels_beyond_single_precision(rng, level):
    clip = level * rng.normal(size=(1, 4000)).astype(np.float32)
    features = FrameFeatures(features=["mel", "chroma", "rms"], fft_precision="fast")
    exact = clone(features).set_params(fft_precision="exact").transform(clip)
    found = features.transform(clip)
    for rows in (slice(0, 128), slice(128, 140), slice(140, 141)):
        truth = exact[0, rows]
        assert_allclose(found[0, rows], truth, rtol=0, atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("backend", ["numba", "scipy"])
def test_one_frame_takes_no_memory_for_the_next(rng, backend):
    clip = rng.normal(size=(1, 1000))
    near = FrameFeatures(features=["mel", "rms", "zcr"], backend=backend, hop_length=2048)
    far = clone(near).set_params(hop_length=10**9)
    np.testing.assert_array_equal(far.transform(clip), near.transform(clip))


def test_the_pitch_is_named_as_the_stack_names_it():
    with pytest.raises(ValueError, match=r"pitch_fmin=65.*Raise pitch_fmin or n_fft"):
        FrameFeatures(features=["yin"], n_fft=256).fit(np.zeros((1, 100)))
