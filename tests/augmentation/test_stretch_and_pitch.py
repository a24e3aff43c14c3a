"""Tempo and pitch: equal to librosa's, and what they should be."""

from __future__ import annotations

import sys
import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sersk import augmentation
from sersk.augmentation import PitchShift, TimeStretch, _vocoder
from sersk.exceptions import SerskWarning

RATES = [0.5, 0.8, 0.93, 1.0, 1.1, 1.37, 2.0, 4.0]

# Rounding alone, of samples within [-1, 1]: librosa adds up thousands of angles.
TOLERANCE = 1e-9
# Single precision against double precision; librosa's own reaches 44 to 65 dB.
LEAST_SNR = 80.0


def stretch(samples, rate):
    return TimeStretch(rate=rate).draw(0)(samples, 16000)


def librosas(function, samples, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=2048 is too large", UserWarning)
        return function(samples, **options)


def snr_db(truth, found):
    error = found.astype(float) - truth
    return 10 * np.log10(np.sum(truth.astype(float) ** 2) / np.sum(error**2))


@pytest.mark.parametrize("rate", RATES)
def test_stretch_equals_librosa(speech, way, rate):
    samples = speech.astype(float)
    truth = librosa.effects.time_stretch(samples, rate=rate)
    np.testing.assert_allclose(stretch(samples, rate), truth, atol=TOLERANCE)
    assert snr_db(truth, stretch(speech, rate)) > LEAST_SNR


@pytest.mark.parametrize("rate", [0.9, 0.95, 1.05, 1.1])
def test_stretch_equals_librosa_in_single_precision(speech, way, rate):
    """As near as librosa in single precision is to itself in double precision."""
    theirs = librosa.effects.time_stretch(speech, rate=rate)
    assert snr_db(theirs, stretch(speech, rate)) > 50


@given(n_samples=st.integers(1, 3000), rate=st.floats(0.2, 5), seed=st.integers(0, 99))
def test_short_clips_equal_librosa(n_samples, rate, seed):
    samples = np.random.default_rng(seed).uniform(-1, 1, n_samples)
    length = max(round(n_samples / rate), 1)
    n_frames = 1 + n_samples // 512
    steps = np.arange(0, n_frames, rate)
    found = [stretch(samples, rate), _vocoder._stretch_by_numpy(samples, steps, n_frames, length)]
    # librosa makes nothing at all of a clip that becomes shorter than half a sample.
    if round(n_samples / rate):
        truth = librosas(librosa.effects.time_stretch, samples, rate=rate)
        for each in found:
            np.testing.assert_allclose(each, truth, atol=TOLERANCE)
    assert all(len(each) == length for each in found)


def test_stretch_across_digital_silence(way):
    """Bands fall silent and come back: the phase of nothing is 0."""
    samples = np.random.default_rng(0).uniform(-1, 1, 30000)
    samples[8000:16000] = 0
    for rate in (0.9, 1.3):
        truth = librosa.effects.time_stretch(samples, rate=rate)
        np.testing.assert_allclose(stretch(samples, rate), truth, atol=TOLERANCE)


def test_long_clips_keep_their_level(way):
    """A tone at the end of a minute is as loud as at its beginning."""
    tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(960000)).astype(np.float32)
    stretched = stretch(tone, 0.9)
    levels = [np.sqrt(np.mean(stretched[part : part + 16000] ** 2)) for part in (32000, 992000)]
    assert levels[1] == pytest.approx(levels[0], rel=5e-4)


def test_rounding_does_not_add_up():
    """Phasors keep their length for hours; without care they lose it by ten times as much."""
    if not _vocoder._kernels_work():
        pytest.skip("numba is not usable here")
    from sersk.augmentation import _kernels

    rng = np.random.default_rng(0)
    phasors = rng.normal(size=(200_000, 16)).astype(np.float32)
    levels = np.empty((len(phasors), 8), dtype=np.float32)
    _kernels.part_levels(phasors, levels)
    running = phasors[0].copy()
    steps = np.arange(0, len(phasors) - 1, 1.0)
    _kernels.carry_phases(phasors, levels, steps, running, np.empty_like(phasors[:-1]))
    np.testing.assert_allclose(np.hypot(running[::2], running[1::2]), 1, atol=5e-7)


def test_neither_way_depends_on_the_memory_layout(speech, way):
    twice = np.repeat(speech, 2)[::2]
    assert not twice.flags.c_contiguous
    np.testing.assert_array_equal(stretch(twice, 0.9), stretch(speech, 0.9))


@pytest.mark.parametrize("semitones", [-12.0, -3.0, -0.5, 0.0, 1.3, 7.0])
def test_pitch_shift_equals_librosa(speech, way, semitones):
    samples = speech.astype(float)
    truth = librosa.effects.pitch_shift(samples, sr=16000, n_steps=semitones)
    draw = PitchShift(semitones=semitones).draw(0)
    np.testing.assert_allclose(draw(samples, 16000), truth, atol=1e-6)
    assert snr_db(truth, draw(speech, 16000)) > LEAST_SNR


def frequency_of(samples, sample_rate):
    """Find the strongest frequency, between bins by a parabola through the logarithms."""
    power = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))))
    top = int(power.argmax())
    below, here, above = power[top - 1 : top + 2]
    peak = top + (below - above) / (2 * (below - 2 * here + above))
    return peak * sample_rate / len(samples)


@pytest.mark.parametrize("frequency", [110.0, 440.0, 1500.0])
@pytest.mark.parametrize("semitones", [-12.0, -1.7, 0.4, 5.0])
@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_pitch_of_tones(frequency, semitones, sample_rate):
    tone = np.sin(2 * np.pi * frequency / sample_rate * np.arange(sample_rate)).astype(np.float32)
    shifted = PitchShift(semitones=semitones).draw(0)(tone, sample_rate)
    middle = slice(sample_rate // 10, -sample_rate // 10)
    wanted = frequency * 2 ** (semitones / 12)
    error = 12 * np.log2(frequency_of(shifted[middle], sample_rate) / wanted)
    assert abs(error) < 0.03
    stretched = stretch(tone, 2 ** (-semitones / 12))
    middle = slice(len(stretched) // 10, -len(stretched) // 10)
    error = 12 * np.log2(frequency_of(stretched[middle], sample_rate) / frequency)
    assert abs(error) < 0.03


def test_pitch_of_speech(speech):
    def pitch_of(samples):
        return librosa.yin(samples, fmin=60, fmax=500, sr=16000)

    before = pitch_of(speech)
    # Where the clip is voiced, and the voice does not jump.
    level = librosa.feature.rms(y=speech, hop_length=512)[0][: len(before)]
    voiced = (level > 0.5 * level.max()) & (before > 80) & (before < 350)
    assert voiced.sum() > 5
    for semitones in (-2.0, 2.0):
        after = pitch_of(PitchShift(semitones=semitones).draw(0)(speech, 16000))
        found = np.median(12 * np.log2(after[voiced] / before[voiced]))
        assert found == pytest.approx(semitones, abs=0.15)


def test_kernels_that_do_not_load(monkeypatch, speech):
    """One warning a process, and the same values."""
    wanted = stretch(speech, 0.9)
    monkeypatch.setattr(_vocoder, "numba_usable", lambda: True)
    monkeypatch.delattr(augmentation, "_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "sersk.augmentation._kernels", None)
    _vocoder._kernels_work.cache_clear()
    try:
        with pytest.warns(SerskWarning, match="clips are stretched with NumPy"):
            found = stretch(speech, 0.9)
        stretch(speech, 0.9)  # says nothing: warnings are errors here
    finally:
        _vocoder._kernels_work.cache_clear()
    np.testing.assert_allclose(found, wanted, atol=1e-4)
