"""Level, clipping, bandwidth, noise, length and pitch of clips whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.signal import butter, sosfiltfilt, welch

from sersk.feature_extraction import RecordingStatistics

RATE = 16000


def measure(samples, sample_rate=RATE):
    statistics = RecordingStatistics(sample_rate=sample_rate)
    vector = statistics.fit_transform(np.atleast_2d(samples))[0]
    return dict(zip(statistics.get_feature_names_out(), vector, strict=True))


def tone(frequency=200.0, seconds=1.0, amplitude=0.1):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture
def voice(small_corpus):
    clip = small_corpus.data[0]
    return clip[~np.isnan(clip)].astype(np.float64)


def test_a_tone():
    found = measure(tone())
    assert found["level"] == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.01)
    assert found["duration"] == 1.0
    assert found["pitch"] == pytest.approx(200, rel=0.01)
    # Frames of 25 ms hold five whole periods: all are as loud as the clip.
    assert found["noise_floor"] == pytest.approx(0.0, abs=0.05)
    # What the sine spends near its crest: 2/pi * arccos(0.99).
    share = measure(tone(203.7))["clipped_share"]
    assert share == pytest.approx(2 / np.pi * np.arccos(0.99), rel=0.02)
    # A narrow line, as wide as the window's main lobe and first side lobes.
    assert 200 < found["bandwidth"] < 500


@given(gain=st.floats(1e-3, 1e3))
def test_gain_moves_the_level_alone(gain):
    rng = np.random.default_rng(0)
    samples = tone() * np.linspace(0.1, 1, RATE) + 1e-3 * rng.standard_normal(RATE)
    before, after = measure(samples), measure(gain * samples)
    assert after.pop("level") - before.pop("level") == pytest.approx(20 * np.log10(gain), abs=1e-6)
    assert_allclose(list(after.values()), list(before.values()), rtol=1e-6)


@pytest.mark.parametrize("cutoff", [1000, 2000, 3400])
def test_bandwidth_of_what_was_low_passed(cutoff, rng):
    noise = rng.standard_normal(2 * RATE)
    sharp = sosfiltfilt(butter(16, cutoff, fs=RATE, output="sos"), noise)
    assert measure(noise)["bandwidth"] == pytest.approx(RATE / 2, abs=100)
    # SciPy's own estimate, at the same threshold.
    frequency, power = welch(sharp, RATE, nperseg=512)
    expected = frequency[power > power[frequency > 50].max() * 1e-6].max()
    found = measure(sharp)["bandwidth"]
    assert found == pytest.approx(expected, abs=2 * RATE / 512)
    assert cutoff < found < 1.6 * cutoff


def test_an_offset_is_no_bandwidth(voice):
    assert measure(voice + 0.5)["bandwidth"] == pytest.approx(measure(voice)["bandwidth"], abs=100)


def test_noise_between_words(rng):
    """Of a clip that sounds for half of the time, the floor is the noise of the other half."""
    loud = tone(amplitude=0.5)
    loud[RATE // 2 :] = 0
    noisy = loud + 0.01 * rng.standard_normal(RATE)
    found = measure(noisy)
    assert found["level"] + found["noise_floor"] == pytest.approx(-40.0, abs=1.0)


def test_clipping(voice):
    clipped = np.clip(voice, -0.3 * np.abs(voice).max(), 0.3 * np.abs(voice).max())
    assert measure(voice)["clipped_share"] < 0.001
    assert measure(clipped)["clipped_share"] > 0.01
    # Quieter again, and clipped all the same.
    assert measure(0.1 * clipped)["clipped_share"] == measure(clipped)["clipped_share"]


def test_silence_and_noise_have_no_pitch(rng):
    silence = measure(np.zeros(RATE))
    assert silence["level"] == -100
    assert silence["clipped_share"] == 0
    assert np.isnan([silence["bandwidth"], silence["noise_floor"], silence["pitch"]]).all()
    assert np.isnan(measure(0.1 * rng.standard_normal(RATE))["pitch"])


@pytest.mark.parametrize("n_samples", [1, 2, 17, 399, 512])
def test_short_clips(n_samples, rng):
    found = measure(rng.uniform(-0.5, 0.5, n_samples))
    found.pop("pitch")
    assert np.isfinite(list(found.values())).all()
    assert found["duration"] == n_samples / RATE


def test_the_pitch_of_synthetic_voices(small_corpus):
    """Women's voices of the synthesiser lie above the men's, as it was told."""
    vectors = RecordingStatistics().fit_transform(small_corpus.data)
    pitch = vectors[:, -1]
    speaker = small_corpus.frame["speaker"].to_numpy()
    names = np.unique(speaker)  # those of even index are women
    medians = [np.nanmedian(pitch[speaker == name]) for name in names]
    assert min(medians[0::2]) > max(medians[1::2])


def test_clips_do_not_see_their_padding(voice):
    padded = np.full((2, len(voice) + 5000), np.nan)
    padded[0, : len(voice)] = voice
    padded[1, :100] = voice[:100]
    alone = RecordingStatistics().fit_transform(voice[np.newaxis])
    assert_allclose(RecordingStatistics().fit_transform(padded)[:1], alone)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmin": 500.0, "fmax": 400.0}, "fmin=500 Hz must lie below"),
        ({"sample_rate": 800}, "fmax=500 Hz lies above half the sample rate"),
    ],
)
def test_parameters_that_do_not_go_together(parameters, message):
    with pytest.raises(ValueError, match=message):
        RecordingStatistics(**parameters).fit([tone()])
