"""SpectralShape: its own parameters against librosa, and shapes that are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersk.feature_extraction import FrameFeatures, SpectralShape

# Largest error over the largest magnitude, and in dB: only the order of additions differs.
RELATIVE_TOLERANCE = 1e-6
TOLERANCE_DB = 1e-4

BACKENDS = ["numba", "scipy", "reference"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("feature", "parameters"),
    [
        ("rolloff", {"roll_percent": 0.01}),
        ("rolloff", {"roll_percent": 0.5}),
        ("rolloff", {"roll_percent": 0.999}),
        ("flatness", {"amin": 1e-3}),
        ("flatness", {"amin": 1e-20}),
        ("contrast", {"n_bands": 1}),
        ("contrast", {"n_bands": 4, "quantile": 0.5}),
        ("contrast", {"quantile": 0.99}),
        ("contrast", {"quantile": 1e-6}),
        ("centroid", {"win_length": 300, "window": "blackman"}),
        ("bandwidth", {"n_fft": 512, "hop_length": 100}),
        ("bandwidth", {"n_fft": 1023, "hop_length": 100}),
        ("centroid", {"n_fft": 1023}),
        ("rolloff", {"n_fft": 1023}),
        ("contrast", {"n_fft": 1023}),
    ],
    ids=str,
)
def test_equals_librosa(clips, backend, feature, parameters):
    clip = clips[0]
    compute = getattr(librosa.feature, f"spectral_{feature}")
    rate = {} if feature == "flatness" else {"sr": 16000}
    expected = compute(y=clip, **rate, **parameters)
    frames = SpectralShape(features=[feature], backend=backend, **parameters).transform([clip])
    assert frames[0].shape == expected.shape
    atol = RELATIVE_TOLERANCE * np.abs(expected).max()
    if feature == "contrast":
        atol = TOLERANCE_DB
    assert_allclose(frames[0], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("backend", BACKENDS)
def test_known_shapes(rng, backend):
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    noise = rng.normal(size=16000)
    shape = SpectralShape(
        features=["centroid", "bandwidth", "rolloff", "flatness"], backend=backend
    )
    of_tone, of_noise = shape.transform([tone, noise])[:, :, 3:-3].mean(axis=-1)
    assert_allclose(of_tone[[0, 2]], 1000, atol=16000 / 2048)
    assert of_tone[1] < 50
    assert of_tone[3] < 1e-6
    assert_allclose(of_noise[0], 4000, rtol=0.05)
    assert_allclose(of_noise[1], 8000 / np.sqrt(12), rtol=0.05)
    assert_allclose(of_noise[2], 0.85 * 8000, rtol=0.05)
    assert 0.4 < of_noise[3] < 0.7


def test_order_and_names():
    X = np.random.default_rng(0).normal(size=(1, 3000))
    shape = SpectralShape(features=["flatness", "contrast", "centroid"], n_bands=1)
    assert shape.get_feature_names_out().tolist() == [
        "flatness", "contrast0", "contrast1", "centroid",
    ]  # fmt: skip
    single = [
        SpectralShape(features=[name], n_bands=1).transform(X)
        for name in ("flatness", "contrast", "centroid")
    ]
    np.testing.assert_array_equal(shape.transform(X), np.concatenate(single, axis=1))


@pytest.mark.parametrize("feature", ["centroid", "bandwidth", "rolloff", "flatness", "contrast"])
def test_the_shape_is_always_computed_in_double(clips, feature):
    """Single precision would make it of rounding errors where the spectrum is nearly empty."""
    alone = SpectralShape(features=[feature]).transform([clips[1]])
    fast = FrameFeatures(features=["mel", feature], fft_precision="fast").transform([clips[1]])
    np.testing.assert_array_equal(fast[:, 128:], alone)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": []}, "features is empty"),
        ({"features": ["centroid", "mel"]}, "features holds 'mel'; known are centroid"),
        ({"features": ["centroid", "centroid"]}, "centroid more than once"),
        ({"features": "centroid"}, "'features' parameter"),
        ({"n_bands": 7}, "n_bands=7 octaves above 200 Hz begin at up to 12800 Hz"),
        ({"sample_rate": 8000}, "not below half the sample rate"),
        ({"n_fft": 32}, "narrower than a bin of n_fft=32"),
        ({"quantile": 1.0}, "'quantile' parameter"),
        ({"roll_percent": 0.0}, "'roll_percent' parameter"),
        ({"win_length": 2049}, "must not exceed n_fft"),
    ],
    ids=str,
)
def test_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        SpectralShape(**parameters).fit(np.zeros((1, 1000)))
    with pytest.raises(ValueError, match=message):
        SpectralShape(**parameters).transform(np.zeros((1, 1000)))


def test_without_contrast_its_bands_do_not_matter():
    shape = SpectralShape(features=["centroid"], sample_rate=8000, n_fft=32)
    assert shape.transform(np.ones((1, 100))).shape == (1, 1, 1)
