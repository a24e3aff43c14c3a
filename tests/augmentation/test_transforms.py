"""Each transform does what it says, measured."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sersk.augmentation import (
    AddNoise,
    BackgroundNoise,
    Compose,
    Gain,
    OneOf,
    PitchShift,
    Reverb,
    TimeShift,
    TimeStretch,
    make_transforms,
)
from sersk.exceptions import AudioReadError, AugmentationError


def snr_db(clean, mixed):
    clean, noise = clean.astype(float), mixed.astype(float) - clean
    return 10 * np.log10(np.sum(clean**2) / np.sum(noise**2))


@pytest.mark.parametrize("color", ["white", "pink"])
@pytest.mark.parametrize("wanted", [-20.0, 0.0, 7.5, 40.0])
def test_noise_reaches_its_level(speech, color, wanted):
    mixed = AddNoise(snr_db=wanted, color=color).draw(3)(speech, 16000)
    assert snr_db(speech, mixed) == pytest.approx(wanted, abs=1e-3)


def test_noise_of_a_fraction_of_full_scale(speech):
    """The level of the clip does not matter, however low or high."""
    draw = AddNoise(snr_db=10.0).draw(0)
    for factor in (1e-25, 1e25):
        assert snr_db(factor * speech, draw(factor * speech, 16000)) == pytest.approx(10, abs=1e-3)


@pytest.mark.parametrize(("color", "slope"), [("white", 0.0), ("pink", -10.0)])
@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_color_of_noise(color, slope, sample_rate):
    """Levels over the logarithm of frequency, in dB a decade."""
    clip = np.ones(20 * sample_rate)
    noise = AddNoise(snr_db=0.0, color=color).draw(0)(clip, sample_rate) - clip
    frequencies, power = scipy.signal.welch(noise, sample_rate, nperseg=4096)
    heard = frequencies > 60
    fitted = np.polyfit(np.log10(frequencies[heard]), 10 * np.log10(power[heard]), 1)
    assert fitted[0] == pytest.approx(slope, abs=0.4)
    assert abs(noise.mean()) < 0.02
    # Gaussian: the kurtosis is 3.
    assert np.mean(noise**4) / np.mean(noise**2) ** 2 == pytest.approx(3, abs=0.15)


def test_pink_noise_has_nothing_below_hearing():
    clip = np.ones(160000)
    noise = AddNoise(snr_db=0.0, color="pink").draw(0)(clip, 16000) - clip
    power = np.abs(np.fft.rfft(noise)) ** 2
    # Bins are 0.1 Hz apart.
    assert power[:195].sum() < 1e-9 * power.sum()
    assert power[200:400].sum() > 0.05 * power.sum()


def test_silence_gets_no_noise(noise_folder):
    for transform in (AddNoise(), AddNoise(color="pink"), BackgroundNoise(noise_folder)):
        assert not transform.draw(0)(np.zeros(500), 16000).any()


@given(gain_db=st.floats(-120, 120))
def test_gain_is_exact(gain_db):
    samples = np.array([0.5, -0.25, 1.0])
    louder = Gain(gain_db=gain_db).draw(0)(samples, 16000)
    np.testing.assert_allclose(louder, samples * 10 ** (gain_db / 20), rtol=1e-14)


@given(n_samples=st.integers(1, 200), shift=st.floats(-1.5, 1.5), rollover=st.booleans())
def test_shift_is_exact(n_samples, shift, rollover):
    samples = np.arange(1.0, n_samples + 1)
    changed = TimeShift(shift=shift, rollover=rollover).draw(0)(samples, 16000)
    distance = round(shift * n_samples)
    for place, value in enumerate(samples):
        if rollover:
            assert changed[(place + distance) % n_samples] == value
        elif 0 <= place + distance < n_samples:
            assert changed[place + distance] == value
    assert np.count_nonzero(changed) == (
        n_samples if rollover else max(n_samples - abs(distance), 0)
    )


def test_shift_in_seconds():
    samples = np.arange(10.0)
    changed = TimeShift(shift=0.3, unit="seconds").draw(0)(samples, 10)
    np.testing.assert_array_equal(changed, np.roll(samples, 3))


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_reverberation_time(rt60, sample_rate):
    """By Schroeder's backward integration, from -5 to -35 dB."""
    click = np.zeros(2 * sample_rate)
    click[0] = 1.0
    response = Reverb(rt60=rt60, wet_db=-3.0).draw(1)(click, sample_rate)
    assert np.sum(response**2) == pytest.approx(1)
    tail = response[1:] ** 2
    assert 10 * np.log10(tail.sum() / response[0] ** 2) == pytest.approx(-3)
    decay = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum() + 1e-30)
    fitted = (decay < -5) & (decay > -35)
    slope = np.polyfit(np.flatnonzero(fitted) / sample_rate, decay[fitted], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.05)


def test_reverb_is_a_convolution(speech):
    draw = Reverb().draw(4)
    click = np.zeros(len(speech))
    click[0] = 1.0
    samples = speech.astype(float)
    wanted = scipy.signal.convolve(samples, draw(click, 16000))[: len(samples)]
    np.testing.assert_allclose(draw(samples, 16000), wanted, atol=1e-12)


def test_weights_are_shares():
    either = OneOf([Gain(), TimeShift(), AddNoise()], weights=[3, 0, 1])
    rng = np.random.RandomState(0)
    chosen = [type(either.draw(rng)).__name__ for _ in range(2000)]
    assert set(chosen) == {"GainDraw", "AddNoiseDraw"}
    # Five standard deviations.
    assert chosen.count("GainDraw") == pytest.approx(1500, abs=5 * np.sqrt(2000 * 0.25 * 0.75))
    even = OneOf([Gain(), TimeShift()])
    chosen = [type(even.draw(rng)).__name__ for _ in range(2000)]
    assert chosen.count("GainDraw") == pytest.approx(1000, abs=5 * np.sqrt(2000 * 0.25))


def test_probabilities_of_compose():
    both = Compose([Gain(), AddNoise()], p=[0.2, 0.9])
    rng = np.random.RandomState(0)
    drawn = [{type(each).__name__ for each in both.draw(rng).draws} for _ in range(2000)]
    assert sum("GainDraw" in each for each in drawn) == pytest.approx(400, abs=90)
    assert sum("AddNoiseDraw" in each for each in drawn) == pytest.approx(1800, abs=70)
    # They are independent.
    together = sum(len(each) == 2 for each in drawn)
    assert together == pytest.approx(360, abs=85)
    nothing = Compose([Gain()], p=0.0).draw(0)
    clip = np.ones(4)
    assert nothing.draws == ()
    np.testing.assert_array_equal(nothing(clip, 16000), clip)
    assert not np.shares_memory(nothing(clip, 16000), clip)
    assert len(Compose([Gain()] * 20).draw(0).draws) == 20


def test_compose_applies_in_order():
    clip = np.arange(1.0, 9.0)
    draw = Compose([TimeShift(shift=0.25, rollover=False), TimeShift(shift=0.5)]).draw(0)
    np.testing.assert_array_equal(draw(clip, 16000), [3, 4, 5, 6, 0, 0, 1, 2])


def test_transforms_in_compose_do_not_disturb_each_other():
    first = Compose([AddNoise(), PitchShift()]).draw(5)
    other = Compose([Gain(), PitchShift()], p=[0, 1]).draw(5)
    assert other.draws == first.draws[1:]


def test_nested_combinations():
    transform = Compose([OneOf([Gain(), AddNoise()]), Compose([PitchShift()])])
    draw = transform.draw(0)
    assert repr(draw.draws[1]).startswith("Compose(PitchShift(semitones=")
    assert np.isfinite(draw(np.ones(100), 16000)).all()


@pytest.mark.parametrize("preset", ["noise", "pitch_and_volume", "noise_stretch_pitch"])
def test_presets(preset):
    transforms = make_transforms(preset)
    assert transforms is not make_transforms(preset)
    for transform in transforms:
        assert len(transform.draw(0)(np.ones(400), 16000)) > 300


def test_preset_of_four_corpora():
    names = [type(each).__name__ for each in make_transforms("noise_pitch_shift_stretch")]
    assert names == ["AddNoise", "PitchShift", "TimeShift", "TimeStretch"]
    with pytest.raises(ValueError, match="preset"):
        make_transforms("noise_and_nonsense")


# --- Recorded noise ------------------------------------------------------------------------------


def test_recorded_noise_reaches_its_level(speech, noise_folder):
    for seed in range(10):
        mixed = BackgroundNoise(noise_folder, snr_db=6.0).draw(seed)(speech, 16000)
        assert snr_db(speech, mixed) == pytest.approx(6, abs=1e-3)


def test_all_recordings_are_used(noise_folder):
    rng = np.random.RandomState(0)
    paths = [BackgroundNoise(noise_folder).draw(rng).path for _ in range(600)]
    names, counts = np.unique(paths, return_counts=True)
    assert [name.rpartition("/")[2] for name in names] == ["a.wav", "b.wav", "c.wav"]
    np.testing.assert_allclose(counts, 200, atol=60)


@pytest.mark.parametrize("position", [0.0, 0.5, 0.99999])
def test_the_part_of_a_recording(tmp_path, position):
    """Rising numbers tell which part was read."""
    from sersk.augmentation._background_noise import read_noise

    recording = np.arange(1000) / 1024
    soundfile.write(tmp_path / "ramp.wav", recording, 8000, subtype="FLOAT")
    path = str(tmp_path / "ramp.wav")
    start = int(position * 901)
    np.testing.assert_allclose(read_noise(path, position, 100, 8000), recording[start:][:100])
    np.testing.assert_allclose(read_noise(path, position, 1000, 8000), recording)
    start = int(position * 1000)
    round_and_round = np.concatenate([recording[start:], recording, recording, recording])
    np.testing.assert_allclose(read_noise(path, position, 2500, 8000), round_and_round[:2500])


@given(
    native=st.integers(7000, 9000),
    length=st.integers(1, 400),
    n_samples=st.integers(1, 400),
    position=st.floats(0, 1, exclude_max=True),
)
def test_recordings_of_any_rate_and_length(tmp_path_factory, native, length, n_samples, position):
    from sersk.augmentation._background_noise import read_noise

    path = tmp_path_factory.getbasetemp() / "some.wav"
    soundfile.write(path, np.full(length, 0.5), native)
    noise = read_noise(str(path), position, n_samples, 8000)
    assert noise.shape == (n_samples,)
    assert np.isfinite(noise).all()


def test_the_last_part_of_a_recording_may_end_early(tmp_path):
    """Its beginning is rounded to the file's own samples; what is missing comes from its front."""
    from sersk.augmentation._background_noise import read_noise

    soundfile.write(tmp_path / "some.wav", np.full(22, 0.5), 7000, subtype="FLOAT")
    noise = read_noise(str(tmp_path / "some.wav"), 0.9999999, 9, 8000)
    assert noise.shape == (9,)
    assert noise[-1] == noise[0]


def test_silent_recordings_change_nothing(tmp_path, speech):
    soundfile.write(tmp_path / "silence.wav", np.zeros(4000), 16000)
    changed = BackgroundNoise(tmp_path).draw(0)(speech, 16000)
    np.testing.assert_array_equal(changed, speech)


def test_folders_without_noise(tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    missing = str(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"'folder' parameter of BackgroundNoise .*nowhere"):
        BackgroundNoise(missing).draw(0)
    with pytest.raises(ValueError, match="holds no audio file"):
        BackgroundNoise(tmp_path).draw(0)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        BackgroundNoise(str(tmp_path / "notes.txt")).draw(0)


def test_new_recordings_are_found(tmp_path):
    soundfile.write(tmp_path / "b.wav", np.ones(10) / 2, 8000)
    assert BackgroundNoise(tmp_path).draw(0).path == str(tmp_path / "b.wav")
    soundfile.write(tmp_path / "a.wav", np.ones(10) / 2, 8000)
    found = {BackgroundNoise(tmp_path).draw(seed).path for seed in range(20)}
    assert found == {str(tmp_path / "a.wav"), str(tmp_path / "b.wav")}


def test_a_bad_recording_is_named(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF and nothing else")
    draw = BackgroundNoise(tmp_path).draw(0)
    with pytest.raises(AudioReadError, match=r"broken\.wav"):
        draw(np.ones(10), 8000)
    both = Compose([Gain(), BackgroundNoise(tmp_path)]).draw(0)
    with pytest.raises(AugmentationError, match=r"cannot apply BackgroundNoise\(.*broken\.wav"):
        both(np.ones(10), 8000)
    assert TimeStretch().draw(0) != draw
