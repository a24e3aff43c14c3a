"""VoiceQuality: Praat's own values, and what becomes of clips that it cannot measure."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sersk.exceptions import MissingExtraError
from sersk.feature_extraction import VoiceQuality


@pytest.fixture
def parselmouth():
    return pytest.importorskip("parselmouth", reason="parselmouth, an optional extra, is missing")


@pytest.fixture
def voice(parselmouth, small_corpus):
    """The longest of some synthetic clips, without padding."""
    row = small_corpus.data[np.argmin(np.isnan(small_corpus.data).sum(axis=1))]
    return row[~np.isnan(row)].astype(float)


def measure(samples, **parameters):
    quality = VoiceQuality(**parameters)
    vector = quality.fit_transform(np.atleast_2d(samples))[0]
    return dict(zip(quality.get_feature_names_out(), vector, strict=True))


def test_equals_praats_voice_report(parselmouth, voice):
    sound = parselmouth.Sound(voice, 16000)
    pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=75, pitch_ceiling=600)
    call = parselmouth.praat.call
    pulses = call([sound, pitch], "To PointProcess (cc)")
    settings = (0, 0, 75, 600, 1.3, 1.6, 0.03, 0.45)
    report = call([sound, pitch, pulses], "Voice report", *settings)

    def reported(label):
        return float(re.search(rf"{re.escape(label)}: ([-\d.E]+)", report)[1])

    found = measure(voice)
    assert found["f0_mean"] == pytest.approx(reported("Mean pitch"), rel=1e-4)
    n_voiced = found["voiced_share"] * pitch.n_frames
    deviation = found["f0_std"] * np.sqrt(n_voiced / (n_voiced - 1))
    assert deviation == pytest.approx(reported("Standard deviation"), rel=1e-4)
    extent = reported("Maximum pitch") - reported("Minimum pitch")
    assert found["f0_range"] == pytest.approx(extent, rel=0.05)  # Praat's are interpolated
    for kind in ("local", "rap", "ppq5"):
        percent = reported(f"Jitter ({kind})")
        assert 100 * found[f"jitter_{kind}"] == pytest.approx(percent, abs=1e-3)
    for kind in ("local", "apq3", "apq5", "apq11"):
        percent = reported(f"Shimmer ({kind})")
        assert 100 * found[f"shimmer_{kind}"] == pytest.approx(percent, abs=1e-3)
    harmonicity = reported("Mean harmonics-to-noise ratio")
    assert found["hnr_mean"] == pytest.approx(harmonicity, abs=1e-3)


def test_formants_of_a_known_resonator(parselmouth):
    """Pulses through resonators of Klatt's kind at the formants of a neutral vowel."""
    from scipy.signal import lfilter

    samples = np.zeros(16000)
    samples[::128] = 1.0  # 125 Hz
    formants, bandwidths = [500, 1500, 2500, 3500, 4500], [60, 90, 120, 150, 200]
    for formant, bandwidth in zip(formants, bandwidths, strict=True):
        radius = np.exp(-np.pi * bandwidth / 16000)
        a = [1, -2 * radius * np.cos(2 * np.pi * formant / 16000), radius**2]
        samples = lfilter([sum(a)], a, samples)
    samples = lfilter([1], [1, -0.97], samples)  # the tilt that Praat takes away
    found = measure(samples / np.abs(samples).max(), max_formant=5000)
    assert found["f0_mean"] == pytest.approx(125, rel=0.002)
    assert found["f0_slope"] == pytest.approx(0, abs=0.1)
    assert found["jitter_local"] < 1e-3
    assert found["hnr_mean"] > 20
    for number, formant in enumerate(formants[:4], start=1):
        assert found[f"f{number}_mean"] == pytest.approx(formant, rel=0.05)
        assert found[f"f{number}_std"] < 0.05 * formant


def test_jitter_is_that_of_the_pulses(parselmouth):
    """Periods that are longer and shorter by turns: a change of 2 % from each to the next."""
    periods = np.tile([101, 99], 60) * 1.6
    begins = np.cumsum(periods)
    time = np.arange(int(begins[-1])) / 1.0
    samples = sum(np.sinc((time - begin) / 8) for begin in begins)
    assert measure(samples)["jitter_local"] == pytest.approx(0.02, abs=0.004)


def test_slope_of_a_glide(parselmouth):
    time = np.arange(16000) / 16000
    samples = np.sin(2 * np.pi * (150 * time + 0.5 * 80 * time**2))
    assert measure(samples)["f0_slope"] == pytest.approx(80, rel=0.01)


def test_neighbours_and_padding_change_nothing(voice):
    waveforms = np.full((3, len(voice) + 500), np.nan)
    waveforms[0, : len(voice)] = voice
    waveforms[1, :3000] = voice[:3000]
    vectors = VoiceQuality().fit_transform(waveforms)
    assert_array_equal(vectors[0], VoiceQuality().transform(voice[np.newaxis])[0])
    assert_array_equal(vectors[1], VoiceQuality().transform(voice[np.newaxis, :3000])[0])
    assert np.isfinite(vectors[0]).all()
    assert np.isnan(vectors[2]).all()


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 639])
def test_clips_too_short_are_nan(parselmouth, n_samples):
    assert np.isnan(list(measure(np.ones(n_samples)).values())).all()


@pytest.mark.parametrize("n_samples", [3, 4, 10, 15, 40])
def test_short_clips_of_a_high_pitch_do_not_crash(parselmouth, n_samples, rng):
    found = measure(rng.normal(size=n_samples), fmin=3900.0, fmax=4000.0, max_formant=5000.0)
    assert not np.isinf(list(found.values())).any()


@pytest.mark.parametrize("samples", [np.zeros(8000), np.ones(8000), np.eye(1, 8000)[0]])
def test_without_a_voice_all_but_its_share_is_undefined(parselmouth, samples):
    found = measure(samples)
    assert found.pop("voiced_share") == 0
    assert np.isnan(list(found.values())).all()


def test_names(parselmouth):
    assert len(measure(np.ones(10))) == 30
    names = list(measure(np.ones(10), n_formants=1))
    assert names[-4:] == ["f1_mean", "f1_std", "f1_bandwidth_mean", "f1_bandwidth_std"]
    assert not any(name.startswith("f1") for name in measure(np.ones(10), n_formants=0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmax": 4001.0}, "above a quarter of the sample rate"),
        ({"fmin": 600.0}, "must lie below fmax"),
        ({"max_formant": 8001.0}, "above half the sample rate"),
        ({"n_formants": 5}, "'n_formants' parameter"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(parameters, message):
    with pytest.raises(ValueError, match=message):
        VoiceQuality(**parameters).fit(np.zeros((1, 1000)))


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_without_the_package_the_error_says_what_to_install(monkeypatch, method):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    quality = VoiceQuality()
    with pytest.raises(MissingExtraError, match=r'pip install "sersk\[voice\]"') as caught:
        getattr(quality, method)(np.zeros((1, 1000)))
    assert isinstance(caught.value, ImportError)
    assert caught.value.extra == "voice"
