"""The display of a waveform, and the reading that the displays of clips share."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sersk.exceptions import AudioReadError
from sersk.inspection import SpectrogramDisplay, WaveformDisplay

DISPLAYS = [WaveformDisplay, SpectrogramDisplay]


def test_short_clips_are_drawn_sample_by_sample(rng):
    samples = rng.uniform(-0.5, 0.3, 3000).astype(np.float32)
    display = WaveformDisplay.from_clip(samples, sample_rate=8000)
    np.testing.assert_array_equal(display.line_.get_ydata(), samples)
    np.testing.assert_allclose(display.line_.get_xdata(), np.arange(3000) / 8000)
    assert display.envelope_ is None
    assert display.duration == 0.375


@pytest.mark.parametrize("n_samples", [4001, 16000, 16001, 123457])
def test_the_envelope_keeps_extremes(rng, n_samples):
    samples = rng.uniform(-0.5, 0.5, n_samples).astype(np.float32)
    samples[[7, -1]] = 0.9, -0.8
    display = WaveformDisplay.from_clip(samples)
    assert display.line_ is None
    assert 1000 < len(display.times) <= 2000
    assert (display.high.max(), display.low.min()) == (np.float32(0.9), np.float32(-0.8))
    assert display.times[display.high.argmax()] == pytest.approx(7 / 16000, abs=0.01)
    assert display.times[-1] < display.duration == n_samples / 16000
    size = -(-n_samples // 2000)
    blocks = [samples[first : first + size] for first in range(0, n_samples, size)]
    np.testing.assert_array_equal(display.low, [block.min() for block in blocks])
    np.testing.assert_array_equal(display.high, [block.max() for block in blocks])


def test_an_hour_has_as_many_points_as_a_second():
    hour = np.zeros(3600 * 8000, dtype=np.float32)
    display = WaveformDisplay.from_clip(hour, sample_rate=8000, n_points=500)
    assert len(display.times) == 500
    assert display.duration == 3600


def test_axes_and_labels(rng):
    display = WaveformDisplay.from_clip(rng.uniform(-0.5, 0.2, 16000), title="A clip")
    ax = display.ax_
    assert ax.get_xlabel() == "Time (s)"
    assert ax.get_ylabel() == "Amplitude"
    assert ax.get_title() == "A clip"
    assert ax.get_xlim() == (0.0, 1.0)
    low, high = ax.get_ylim()
    assert low == -high
    assert 0.5 < high < 0.6


def test_limit_and_color(rng):
    samples = rng.uniform(-0.5, 0.5, 100)
    display = WaveformDisplay.from_clip(samples, limit=0.25, color="red")
    assert display.ax_.get_ylim() == (-0.25, 0.25)
    assert display.line_.get_color() == "red"
    for limit in (0, -1):
        with pytest.raises(ValueError, match="limit"):
            display.plot(limit=limit)


def test_silence_is_drawn():
    assert WaveformDisplay.from_clip(np.zeros(100)).ax_.get_ylim() == (-1.0, 1.0)


@pytest.mark.parametrize("display", DISPLAYS)
def test_given_axes_are_used(display, rng):
    figure, ax = plt.subplots()
    drawn = display.from_clip(rng.uniform(-0.5, 0.5, 8000), ax=ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert drawn.plot() is drawn
    assert drawn.ax_ is not ax


def test_every_way_to_give_a_clip(write_wav, rng):
    samples = rng.uniform(-0.5, 0.5, 8000).astype(np.float32)
    path = write_wav(samples=samples, subtype="FLOAT")
    table = pd.DataFrame(
        {"path": [path, path], "start": [np.nan, 0.1], "stop": [np.nan, 0.2], "speaker": ["a", "b"]}
    )
    padded = np.concatenate([samples, np.full(100, np.nan)])
    whole = [
        path, Path(path), table.iloc[0], table.iloc[[0]], table[["path", "speaker"]].iloc[0],
        samples, padded, pd.Series(samples), samples.tolist(),
    ]  # fmt: skip
    for clip in whole:
        display = WaveformDisplay.from_clip(clip, n_points=4000)
        np.testing.assert_array_equal(display.high, samples)
    for clip in (table.iloc[1], table.iloc[[1]]):
        display = WaveformDisplay.from_clip(clip)
        np.testing.assert_array_equal(display.high, samples[1600:3200])


def test_files_are_resampled_and_integers_scaled(write_wav):
    path = write_wav(seconds=0.5, sample_rate=8000)
    assert len(WaveformDisplay.from_clip(path, sample_rate=4000).times) == 2000
    integers = np.array([0, 2**14, -(2**15)], dtype=np.int16)
    np.testing.assert_array_equal(WaveformDisplay.from_clip(integers).low, [0, 0.5, -1])


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(
    ("clip", "error", "match"),
    [
        (np.full(10, np.nan), ValueError, "holds no sound.*NaN throughout"),
        (np.zeros(0), ValueError, "holds no sound"),
        ([], ValueError, "holds no sound"),
        (np.array([0.1, np.nan, 0.1]), ValueError, "NaN before its end"),
        (np.array([0.1, np.inf]), ValueError, "infinity"),
        (np.zeros((2, 10)), ValueError, r"shape \(2, 10\): choose a row"),
        (np.array(["a.wav", "b.wav"]), TypeError, "holds numbers"),
        (pd.DataFrame({"path": ["a", "b"]}), ValueError, "2 rows: choose one"),
        (pd.DataFrame({"file": ["a"]}), ValueError, "needs a 'path'; this one has 'file'"),
        (pd.Series({"file": "a"}), ValueError, "needs a 'path'"),
        (None, TypeError, "must be a path.*got NoneType"),
        (1.0, TypeError, "must be a path.*got float"),
        ("no such file.wav", AudioReadError, "there is no such file"),
    ],
)
def test_what_is_no_clip_is_refused(display, clip, error, match):
    with pytest.raises(error, match=match):
        display.from_clip(clip)
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_no_audio_is_refused(display, tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    with pytest.raises(AudioReadError, match=r"text\.wav"):
        display.from_clip(path)


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_no_axes_is_refused(display):
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes, got list"):
        display.from_clip(np.zeros(100), ax=[1])


@pytest.mark.parametrize(("name", "value"), [("sample_rate", 0), ("n_points", 1), ("title", 3)])
def test_parameters_are_validated(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        WaveformDisplay.from_clip(np.zeros(10), **{name: value})
