"""The display of a spectrogram."""

from __future__ import annotations

from itertools import pairwise

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sersk.inspection import SpectrogramDisplay

RATE = 16000
# The display computes the mel bands from the same power: float32, so equal but for rounding.
ATOL_DB = 1e-3


def make_tone(frequency, *, seconds=1.0, sample_rate=RATE):
    """A voice-like tone: harmonics of one frequency, falling by 6 dB an octave."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    harmonics = np.arange(1, int(3000 / frequency) + 1)[:, None]
    return (0.2 * np.sin(2 * np.pi * frequency * harmonics * times) / harmonics).sum(axis=0)


@pytest.fixture
def noise(rng):
    return rng.normal(scale=0.1, size=20000).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_fft": 1024, "hop_length": 160, "n_mels": 40, "fmin": 50.0, "fmax": 4000.0},
        {"n_fft": 1001, "hop_length": 250, "n_mels": 20},
    ],
)
def test_mel_values_equal_librosa(noise, options):
    display = SpectrogramDisplay.from_clip(noise, top_db=None, **options)
    shared = {"n_fft": 2048, "hop_length": 512, "n_mels": 128, **options}
    mel = librosa.feature.melspectrogram(y=noise, sr=RATE, **shared)
    expected = librosa.power_to_db(mel, top_db=None)
    np.testing.assert_allclose(display.values, expected, atol=ATOL_DB)


def test_linear_values_equal_librosa(noise):
    display = SpectrogramDisplay.from_clip(noise, kind="linear", top_db=60)
    expected = librosa.power_to_db(np.abs(librosa.stft(noise)) ** 2, top_db=60)
    np.testing.assert_allclose(display.values, expected, atol=ATOL_DB)
    np.testing.assert_allclose(display.frequencies, librosa.fft_frequencies(sr=RATE, n_fft=2048))


def test_top_db_bounds_the_values(noise):
    noise[:10000] = 0
    values = SpectrogramDisplay.from_clip(noise, top_db=20).values
    assert np.ptp(values) == pytest.approx(20)
    assert np.ptp(SpectrogramDisplay.from_clip(noise, top_db=None).values) > 60


@pytest.mark.parametrize("kind", ["mel", "linear"])
@pytest.mark.parametrize("frequency", [120.0, 300.0, 1000.0, 3000.0])
def test_a_tone_stands_at_its_frequency_and_time(kind, frequency):
    tone = np.zeros(RATE)
    tone[RATE // 2 :] = np.sin(2 * np.pi * frequency * np.arange(RATE // 2) / RATE)
    display = SpectrogramDisplay.from_clip(tone, kind=kind)
    edges = display.mesh_.get_coordinates()
    row, column = np.unravel_index(display.values.argmax(), display.values.shape)
    # Within the cell in the picture, or beside it: bands overlap.
    assert edges[max(row - 1, 0), 0, 1] <= frequency <= edges[row + 2, 0, 1]
    assert edges[0, column, 0] > 0.45
    loud = display.values.max(axis=0) > display.values.max() - 10
    assert display.times[loud][0] == pytest.approx(0.5, abs=0.07)


def test_axes_and_labels(noise):
    display = SpectrogramDisplay.from_clip(noise, title="A clip")
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    assert ax.get_title() == "A clip"
    assert ax.get_xlim() == (0.0, 1.25)
    assert ax.get_ylim() == pytest.approx((0.0, 8000.0))
    assert display.colorbar_.ax.get_ylabel() == "Power (dB)"
    assert display.line_ is None
    assert ax.get_legend() is None
    display.figure_.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["0", "250", "500", "1000", "2000", "4000", "8000"]


@pytest.mark.parametrize("height", [0.8, 1.2, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000])
def test_frequency_labels_keep_apart(noise, height, sample_rate):
    ax = plt.subplots(figsize=(4, height))[1]
    SpectrogramDisplay.from_clip(noise, sample_rate=sample_rate, ax=ax, n_mels=64)
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) >= 2
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_a_narrow_range_has_labels(noise):
    display = SpectrogramDisplay.from_clip(noise, fmin=2100, fmax=2900, n_mels=20)
    display.figure_.canvas.draw()
    assert display.ax_.get_ylim() == pytest.approx((2100, 2900))
    low, high = display.ax_.get_ylim()
    ticks = display.ax_.get_yticks()
    assert ((ticks >= low) & (ticks <= high)).sum() >= 2


def test_linear_range(noise):
    display = SpectrogramDisplay.from_clip(noise, kind="linear", fmin=100, fmax=1000)
    assert display.frequencies.min() >= 100
    assert display.frequencies.max() <= 1000
    assert display.values.shape == (len(display.frequencies), len(display.times))


def test_colours(noise):
    display = SpectrogramDisplay.from_clip(noise, colorbar=False, vmin=-60, vmax=10, cmap="gray")
    assert display.colorbar_ is None
    assert display.mesh_.get_clim() == (-60, 10)
    assert display.mesh_.get_cmap().name == "gray"


def test_a_long_clip_is_drawn_by_maxima(rng):
    values = rng.normal(size=(4, 10000))
    display = SpectrogramDisplay(
        values, np.arange(10000) * 0.1, np.arange(4) * 100.0, duration=1000.0, kind="linear"
    ).plot()
    drawn = display.mesh_.get_array()
    assert drawn.shape == (4, 2500)
    np.testing.assert_array_equal(drawn[:, 0], values[:, :4].max(axis=1))
    assert drawn.max() == values.max()
    np.testing.assert_allclose(
        display.mesh_.get_coordinates()[0, [0, 1, -1], 0], [-0.05, 0.35, 999.95]
    )


@pytest.mark.parametrize("frequency", [80.0, 150.0, 440.0])
@pytest.mark.parametrize("kind", ["mel", "linear"])
def test_f0_of_a_tone(frequency, kind):
    display = SpectrogramDisplay.from_clip(make_tone(frequency), kind=kind, f0=True)
    assert display.f0.shape == display.times.shape
    # The outermost frames are half silence.
    np.testing.assert_allclose(display.f0[2:-2], frequency, rtol=0.02)
    np.testing.assert_array_equal(display.line_.get_ydata(), display.f0)
    assert display.ax_.get_legend().get_texts()[0].get_text() == "f0"


def test_f0_equals_yin_in_loud_frames(noise):
    tone = (make_tone(150.0, seconds=1.25) + noise / 100).astype(np.float32)
    display = SpectrogramDisplay.from_clip(tone, f0=True, f0_range=(65, 400))
    expected = librosa.yin(tone, fmin=65, fmax=400, sr=RATE, frame_length=1024, hop_length=512)
    np.testing.assert_allclose(display.f0, expected)


def test_f0_only_where_it_is_loud(noise):
    clip = np.concatenate([make_tone(200.0), noise[:RATE] / 1000])
    display = SpectrogramDisplay.from_clip(clip, f0=True)
    assert np.isfinite(display.f0[display.times < 0.9]).all()
    assert np.isnan(display.f0[display.times > 1.1]).all()


def test_silence_has_no_f0():
    display = SpectrogramDisplay.from_clip(np.zeros(RATE), f0=True)
    assert np.isnan(display.f0).all()
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize("n_samples", [1, 10, 511, 513])
@pytest.mark.parametrize("kind", ["mel", "linear"])
def test_clips_shorter_than_a_frame(noise, n_samples, kind):
    display = SpectrogramDisplay.from_clip(noise[:n_samples], kind=kind, f0=True)
    display.figure_.canvas.draw()
    assert display.values.shape[1] == 1 + n_samples // 512


def test_a_padded_clip_equals_the_clip(noise):
    padded = np.concatenate([noise, np.full(5000, np.nan, dtype=np.float32)])
    display, expected = map(SpectrogramDisplay.from_clip, (padded, noise))
    np.testing.assert_array_equal(display.values, expected.values)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"fmax": 9000.0}, "half the sample rate"),
        ({"fmin": 8000.0}, "fmin=8000 Hz must lie below"),
        ({"n_fft": 256, "n_mels": 128}, "too many"),
        ({"kind": "linear", "fmax": 9000.0}, "half the sample rate"),
        ({"kind": "linear", "fmin": 8000.0}, "fmin < fmax"),
        ({"kind": "linear", "fmin": 100.0, "fmax": 101.0}, "not two bins"),
        ({"kind": "cqt"}, "'kind' parameter"),
        ({"n_mels": 1}, "'n_mels' parameter"),
        ({"top_db": 0}, "'top_db' parameter"),
        ({"f0": True, "f0_range": (400, 60)}, "f0_range=.400, 60. must be two frequencies"),
        ({"f0": True, "f0_range": (60, 8000)}, "half the sample rate"),
        ({"f0": True, "f0_range": (60,)}, "two frequencies"),
    ],
)
def test_what_does_not_fit_is_refused(noise, options, match):
    with pytest.raises(ValueError, match=match):
        SpectrogramDisplay.from_clip(noise, **options)
    assert not plt.get_fignums()
