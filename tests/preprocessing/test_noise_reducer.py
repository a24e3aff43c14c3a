"""NoiseReducer: steady noise goes, speech stays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersk.preprocessing import NoiseReducer
from sersk.preprocessing._noise_reducer import gating_mask, quietest_frames, wiener_gain

METHODS = ("wiener", "spectral_gating")


def reduced(samples, **parameters):
    return NoiseReducer(**parameters).fit_transform(samples[np.newaxis])[0]


def signal_to_noise(samples, clean):
    """Scale-invariant: whatever is not the clean signal times a factor is noise; in dB."""
    target = (samples @ clean) / (clean @ clean) * clean
    return 10 * np.log10(np.sum(target**2) / np.sum((samples - target) ** 2))


def with_noise(clean, rng, snr):
    noise = rng.normal(size=len(clean))
    return clean + noise * np.sqrt(np.mean(clean**2) / np.mean(noise**2)) * 10 ** (-snr / 20)


# Two thirds of what was measured, in dB: on average, and of the worst clip.
GAINS = {
    ("wiener", 5): (5.9, 5.5),
    ("wiener", 10): (5.2, 4.7),
    ("spectral_gating", 5): (4.8, 4.6),
    ("spectral_gating", 10): (4.2, 3.9),
}


@pytest.mark.parametrize(("method", "snr"), GAINS)
def test_white_noise_goes(speech, rng, method, snr):
    gains = []
    for clean in speech:
        noisy = with_noise(clean, rng, snr)
        found = reduced(noisy, method=method)
        gains.append(signal_to_noise(found, clean) - signal_to_noise(noisy, clean))
    mean, worst = GAINS[method, snr]
    assert np.mean(gains) > mean
    assert min(gains) > worst


@pytest.mark.parametrize("method", METHODS)
def test_clean_speech_stays(speech, method):
    ratios = [signal_to_noise(reduced(clean, method=method), clean) for clean in speech]
    # Measured: 42 and 33 dB with the Wiener filter, 35 and 29 with gating.
    assert np.mean(ratios) > 32
    assert min(ratios) > 26


@pytest.mark.parametrize("method", METHODS)
@given(
    length=st.integers(1, 200),
    n_fft=st.integers(2, 70),
    share=st.floats(0, 1),
    fraction=st.floats(0.01, 1),
)
def test_without_reduction_the_clip_comes_back(method, length, n_fft, share, fraction):
    samples = np.random.default_rng(length).normal(size=length)
    found = reduced(
        samples,
        method=method,
        n_fft=n_fft,
        hop_length=1 + int(share * (n_fft // 2 - 1)),
        noise_fraction=fraction,
        reduction_db=0.0,
    )
    assert_allclose(found, samples, rtol=0, atol=1e-12)


@given(length=st.integers(1, 200), reduction_db=st.floats(0, 120), steady=st.booleans())
def test_gating_attenuates_what_is_noise_alone(length, reduction_db, steady):
    samples = np.random.default_rng(length).normal(size=length)
    if steady:
        samples = np.resize(samples[:8], length)
    found = reduced(
        samples,
        method="spectral_gating",
        n_fft=16,
        hop_length=8,
        noise_fraction=1.0,
        # Even the highest of n values lies less than the root of n deviations above their mean.
        threshold=10.0,
        reduction_db=reduction_db,
    )
    assert_allclose(found, 10 ** (-reduction_db / 20) * samples, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reduction_db", [3.0, 20.0, 60.0])
def test_wiener_attenuates_noise_alone_by_no_more_than_asked(rng, reduction_db):
    samples = rng.normal(size=16000)
    change = 20 * np.log10(reduced(samples, reduction_db=reduction_db).std() / samples.std())
    assert -reduction_db < change < -0.5 * min(reduction_db, 20.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e3, 1e30, 1e300])
def test_level_makes_no_difference(speech, method, scale):
    clip = speech[0][:16000]
    found = reduced(scale * clip, method=method) / scale
    assert_allclose(found, reduced(clip, method=method), rtol=0, atol=1e-9)


def scipy_gains(samples, method, *, n_fft, hop_length, noise_fraction, threshold, reduction_db):
    """The same from SciPy's spectrum, with one loop a formula; frames are whole."""
    window = np.sqrt(scipy.signal.get_window("hann", n_fft))
    transform = scipy.signal.ShortTimeFFT(window, hop_length, fs=1)
    padded = np.pad(samples, n_fft, mode="symmetric")
    spectrum = transform.stft(padded)
    first = -transform.p_min + n_fft // hop_length
    frames = slice(first, first + 1 + -(-(len(samples) - 1) // hop_length))
    power = np.abs(spectrum[:, frames]) ** 2
    order = np.argsort(power.sum(axis=0))
    noise = power[:, order[: int(noise_fraction * len(order))]]
    gain = np.ones(spectrum.shape)
    floor = 10 ** (-reduction_db / 20)
    if method == "wiener":
        memory = 0.92 ** (2 * hop_length / n_fft)
        ratio = power / noise.mean(axis=1, keepdims=True)
        before = np.maximum(ratio[:, 0] - 1, 0)
        for t in range(ratio.shape[1]):
            prior = memory * before + (1 - memory) * np.maximum(ratio[:, t] - 1, 0)
            gain[:, first + t] = prior / (1 + prior)
            before = gain[:, first + t] ** 2 * ratio[:, t]
        gain = np.maximum(gain, floor)
    else:
        level = 10 * np.log10(noise)
        limit = level.mean(axis=1) + threshold * level.std(axis=1)
        mask = (10 * np.log10(power) > limit[:, np.newaxis]).astype(float)
        triangle = np.array([1, 2, 3, 2, 1]) / 9
        mask = scipy.ndimage.convolve(mask, np.outer(triangle, triangle), mode="nearest")
        gain[:, frames] = floor + (1 - floor) * mask
    cleaned = transform.istft(gain * spectrum, k1=len(padded))
    return cleaned[n_fft : n_fft + len(samples)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("hop_length", [64, 128])
def test_equals_the_formulas(speech, rng, method, hop_length):
    parameters = {
        "n_fft": 256,
        "hop_length": hop_length,
        "noise_fraction": 0.2,
        "threshold": 1.0,
        "reduction_db": 30.0,
    }
    # Whole hops; at the ends SciPy's frames go on into what is mirrored with a gain of one.
    noisy = with_noise(speech[0][: 256 * 60 + 1], rng, 10)
    expected = scipy_gains(noisy, method, **parameters)
    found = reduced(noisy, method=method, **parameters)
    inner = slice(256, -256)
    assert_allclose(found[inner], expected[inner], rtol=0, atol=1e-10)
    assert np.abs(found - noisy).max() > 0.001


def test_quietest_frames():
    power = np.outer([4.0, 1.0, 0.0, 3.0, 2.0, 1e-12, 9.0], [1.0, 2.0])
    # Digital silence, at the third and the sixth frame, is no noise.
    assert quietest_frames(power, 0.5).tolist() == [1, 4]
    assert quietest_frames(power, 1.0).tolist() == [1, 4, 3, 0, 6]
    assert quietest_frames(power, 0.19).tolist() == []


def test_digital_silence_is_not_taken_for_noise(speech, rng):
    noisy = with_noise(speech[0], rng, 10)
    silence = np.zeros(16000)
    found = reduced(np.concatenate([silence, noisy, silence]))
    gain = signal_to_noise(found[16000:-16000], speech[0]) - signal_to_noise(noisy, speech[0])
    assert gain > 4
    assert_allclose(found[:15000], 0, atol=1e-12)


def test_bands_without_noise():
    power = np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 1.0], [5.0, 1.0], [5.0, 1.0]])
    noise = power[:2]
    gain = wiener_gain(power, noise, memory=0.9)
    assert_array_equal(gain[:, 1], 0)
    assert_array_equal(gain[:2, 0], 0)
    assert_allclose(gain[2:, 0], 1)
    mask = gating_mask(power, noise, threshold=1.0)
    assert np.all(np.diff(mask, axis=0) > 0)
    assert 0 < mask.min() < mask.max() < 1


def test_a_clip_without_a_quiet_frame_is_left_as_it_is(rng):
    nine_frames = rng.normal(size=8 * 256 + 1)
    assert_array_equal(reduced(nine_frames), nine_frames)
    ten_frames = rng.normal(size=8 * 256 + 2)
    assert np.abs(reduced(ten_frames) - ten_frames).max() > 0.1


def test_threshold_and_reduction_take_more_away(speech, rng):
    noisy = with_noise(speech[0], rng, 5)
    gating = {"method": "spectral_gating"}
    energies = [np.sum(reduced(noisy, threshold=t, **gating) ** 2) for t in (0, 1, 2, 4)]
    assert energies == sorted(energies, reverse=True)
    for method in METHODS:
        pauses = [
            np.sum(reduced(noisy, method=method, reduction_db=db)[:800] ** 2) for db in (0, 10, 40)
        ]
        assert pauses == sorted(pauses, reverse=True)


def test_frames_must_overlap():
    message = "hop_length=257 leaves gaps between frames of n_fft=512 samples: at most 256"
    with pytest.raises(ValueError, match=message):
        NoiseReducer(hop_length=257).fit([[0.0]])
    with pytest.raises(ValueError, match=message):
        NoiseReducer(hop_length=257).transform([[0.0]])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("method", "gate"),
        ("n_fft", 1),
        ("hop_length", 0),
        ("noise_fraction", 0.0),
        ("noise_fraction", 1.1),
        ("threshold", -1.0),
        ("threshold", 10.1),
        ("reduction_db", -1.0),
        ("reduction_db", 121.0),
    ],
)
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of NoiseReducer"):
        NoiseReducer(**{parameter: value}).fit([[0.0]])
