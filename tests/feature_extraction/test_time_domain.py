"""TimeDomainStats: known signals, other implementations, and laws."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersk.feature_extraction import TimeDomainStats

SAMPLE_RATE = 16000
NAMES = TimeDomainStats().get_feature_names_out()
LEVELS = [name.startswith("level_") and name not in ("level_std", "level_slope") for name in NAMES]


def measure(samples, **parameters):
    vector = TimeDomainStats(**parameters).fit_transform(np.atleast_2d(samples))[0]
    return dict(zip(NAMES, vector, strict=True))


def tone(frequency, seconds=1.0, sample_rate=SAMPLE_RATE):
    """Make a sawtooth of all harmonics that the sample rate allows."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    numbers = np.arange(1, int(0.5 * sample_rate / frequency))[:, np.newaxis]
    return 0.3 * (np.sin(2 * np.pi * frequency * numbers * time) / numbers).sum(axis=0)


def silence(seconds):
    return np.zeros(round(seconds * SAMPLE_RATE))


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("frequency", [80.0, 117.3, 212.9, 345.6, 580.0])
def test_pitch_of_a_steady_tone(frequency, sample_rate):
    found = measure(tone(frequency, sample_rate=sample_rate), sample_rate=sample_rate)
    for name in ("pitch_mean", "pitch_percentile_5", "pitch_percentile_95"):
        assert found[name] == pytest.approx(frequency, rel=0.005)
    assert found["voiced_share"] == 1
    assert found["periodicity_mean"] > 0.95
    assert abs(found["pitch_slope"]) < 0.1


def test_pitch_of_a_glide():
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    # Four semitones a second upwards from 150 Hz.
    octaves_a_second = 4 / 12
    phase = 150 * (2 ** (octaves_a_second * time) - 1) / (octaves_a_second * np.log(2))
    found = measure(np.sin(2 * np.pi * phase))
    assert found["pitch_slope"] == pytest.approx(4, rel=0.02)
    assert found["pitch_change"] == pytest.approx(4, rel=0.05)
    assert found["pitch_range"] == pytest.approx(0.9 * 8, rel=0.03)


def test_pitch_agrees_with_an_autocorrelation_at_the_full_rate(small_corpus):
    """Plain, frame by frame, without decimation, Fourier series or second look."""
    samples = small_corpus.data[0]
    samples = samples[~np.isnan(samples)].astype(float)
    length, lags = 640, np.arange(26, 214)
    window = np.hanning(length)

    def correlate(values):
        whole = np.correlate(values, values, "full")[length - 1 :]
        return whole / whole[0]

    pitches = []
    for begin in range(0, len(samples) - length, 160):
        frame = samples[begin : begin + length]
        if np.sqrt(np.mean(frame**2)) < 0.05 * np.abs(samples).max():
            continue
        r = correlate((frame - frame.mean()) * window)[lags] / correlate(window)[lags]
        best = np.argmax(r - 0.01 * np.log2(75 * lags / SAMPLE_RATE))
        if r[best] > 0.45 and 0 < best < len(lags) - 1:
            pitches.append(SAMPLE_RATE / lags[best])
    assert len(pitches) > 20
    found = measure(samples)
    assert found["pitch_percentile_50"] == pytest.approx(np.median(pitches), rel=0.03)


def test_noise_is_hardly_voiced(rng):
    assert measure(rng.normal(size=2 * SAMPLE_RATE))["voiced_share"] < 0.1


def test_levels_crossings_and_percentiles_equal_numpy_and_librosa(rng):
    samples = rng.normal(size=20000) * np.linspace(0.3, 1, 20000)
    found = measure(samples, frame_length=500, hop_length=200)
    options = {"frame_length": 500, "hop_length": 200, "center": False}
    level = 20 * np.log10(librosa.feature.rms(y=samples, **options)[0])
    crossings = librosa.feature.zero_crossing_rate(samples, **options)[0]
    for name, values in (("level", level), ("zcr", crossings)):
        assert found[f"{name}_mean"] == pytest.approx(values.mean())
        assert found[f"{name}_std"] == pytest.approx(values.std())
        for percent in (5, 50, 95):
            expected = np.percentile(values, percent)
            assert found[f"{name}_percentile_{percent}"] == pytest.approx(expected)
    slope = np.polyfit(np.arange(len(level)) * 200 / SAMPLE_RATE, level, 1)[0]
    assert found["level_slope"] == pytest.approx(slope)


def test_statistics_of_the_samples_equal_scipys(rng):
    samples = rng.gamma(2.0, size=16000 - 80)  # a whole number of frames
    found = measure(samples)
    assert found["skew"] == pytest.approx(scipy.stats.skew(samples))
    assert found["kurtosis"] == pytest.approx(scipy.stats.kurtosis(samples))
    rms = np.sqrt(np.mean(samples**2))
    assert found["crest_factor"] == pytest.approx(samples.max() / rms)


def test_pauses():
    samples = [tone(200, 0.5), silence(0.3), tone(200, 0.5), silence(0.05), tone(200, 0.5),
               silence(0.2), tone(200, 0.5)]  # fmt: skip
    found = measure(np.concatenate(samples))
    # A pause of some length holds that much less a frame, of which nearly all must be silent.
    assert found["pause_length_mean"] == pytest.approx(0.25, abs=0.025)
    assert found["pause_share"] == pytest.approx(0.5 / 2.55, abs=0.02)
    assert found["pauses_per_second"] == pytest.approx(2 / 2.55, rel=0.01)
    assert found["sounding_duration"] == pytest.approx(2.55, abs=0.02)
    assert measure(np.concatenate(samples), min_pause=0)["pauses_per_second"] > 2.9 / 2.55
    assert measure(np.concatenate(samples), min_pause=0.25)["pauses_per_second"] < 1.1 / 2.55


def test_voiced_segments(rng):
    noise = 0.3 * rng.normal(size=SAMPLE_RATE // 5)
    found = measure(np.concatenate([tone(150, 0.3), noise, tone(150, 0.3), noise, tone(150, 0.3)]))
    assert found["voiced_share"] == pytest.approx(0.9 / 1.3, abs=0.05)
    assert found["voiced_length_mean"] * found["voiced_segments_per_second"] == pytest.approx(
        found["voiced_share"], rel=0.02
    )


@pytest.mark.parametrize(("attack", "decay"), [(0.2, 0.6), (0.5, 0.1), (1.0, 1.0)])
def test_attack_and_decay_of_a_trapezium(attack, decay):
    steps = [attack, 0.5, decay]
    envelope = np.concatenate(
        [
            np.linspace(a, b, round(seconds * SAMPLE_RATE))
            for a, b, seconds in zip([0, 1, 1], [1, 1, 0], steps, strict=True)
        ]
    )
    found = measure(envelope * np.sin(np.arange(len(envelope))))
    # From 20 % to 90 % of a straight line: 0.7 of it. A frame is 10 ms.
    assert found["attack_time"] == pytest.approx(0.7 * attack, abs=0.021)
    assert found["decay_time"] == pytest.approx(0.7 * decay, abs=0.021)


@given(st.floats(-120, 120), st.integers(0, 5))
def test_only_levels_depend_on_the_gain(decibels, seed):
    samples = tone(180, 0.3) + np.random.default_rng(seed).normal(scale=0.1, size=4800)
    vectors = TimeDomainStats().transform(np.stack([samples, samples * 10 ** (decibels / 20)]))
    assert_allclose(vectors[1] - vectors[0], np.where(LEVELS, decibels, 0), atol=1e-6)


def test_quiet_edges_change_nothing():
    samples = np.concatenate([silence(0.1), tone(140, 0.7), silence(0.1)])
    plain = measure(samples)
    framed = measure(np.concatenate([silence(0.5), samples, silence(0.3)]))
    assert framed.pop("duration") == pytest.approx(plain.pop("duration") + 0.8)
    assert framed == pytest.approx(plain, abs=1e-6)


@given(
    lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=4),
    more=st.integers(0, 400),
    frame_length=st.integers(1, 800),
    hop_length=st.integers(1, 800),
)
def test_padding_and_neighbours_change_nothing(lengths, more, frame_length, hop_length):
    rng = np.random.default_rng(0)
    waveforms = np.full((len(lengths), max(lengths) + 1), np.nan)
    for row, length in zip(waveforms, lengths, strict=True):
        row[:length] = rng.normal(size=length)
    stats = TimeDomainStats(frame_length=frame_length, hop_length=hop_length)
    vectors = stats.transform(waveforms)
    padded = np.pad(waveforms, ((0, 0), (0, more)), constant_values=np.nan)
    assert_array_equal(vectors, stats.transform(padded))
    for row, length, vector in zip(waveforms, lengths, vectors, strict=True):
        if length:
            assert_array_equal(stats.transform(row[np.newaxis, :length])[0], vector)
            assert np.isfinite(vector).all()
            assert vector[0] == length / SAMPLE_RATE
        else:
            assert np.isnan(vector).all()


def test_silence_has_the_documented_values():
    found = measure(np.zeros(8000))
    assert found.pop("duration") == 0.5
    for name in ("mean", "percentile_5", "percentile_50", "percentile_95"):
        assert found.pop(f"level_{name}") == -100
    assert not any(found.values())


@pytest.mark.parametrize("value", [0.1, -1.0, 1e-300, 1e300])
@pytest.mark.parametrize("length", [1, 2, 399, 400, 401, 5000])
def test_constant_clips(length, value):
    found = measure(np.full(length, value))
    assert found["level_mean"] == pytest.approx(20 * np.log10(abs(value)))
    assert found["crest_factor"] == pytest.approx(1)
    for name in ("level_std", "zcr_mean", "skew", "kurtosis", "voiced_share", "pitch_mean"):
        assert found[name] == pytest.approx(0, abs=1e-9), name


@pytest.mark.parametrize("top_db", [0.1, 30.0, 1e4])
def test_odd_clips_do_not_warn(top_db, rng):
    waveforms = np.full((5, 4000), np.nan)
    waveforms[0, 0] = 1.0
    waveforms[1, :2] = [1e-320, -1e-320]
    waveforms[2] = rng.normal(size=4000) * np.repeat([1, 1e-200], 2000)
    waveforms[3] = np.eye(1, 4000, 2000)[0]
    waveforms[4] = np.tile([1.0, -1.0], 2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(TimeDomainStats(top_db=top_db).fit_transform(waveforms)).all()


def test_float32_gives_the_same_values(small_corpus):
    waveforms = small_corpus.data[:3].astype(np.float32)
    vectors = TimeDomainStats().fit_transform(waveforms)
    assert vectors.dtype == np.float32
    assert_allclose(vectors, TimeDomainStats().fit_transform(waveforms.astype(float)), rtol=1e-6)


def test_pandas_output(small_corpus):
    table = TimeDomainStats().set_output(transform="pandas").fit_transform(small_corpus.data[:2])
    assert table.columns.tolist() == list(NAMES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmax": 8001.0}, "above half the sample rate"),
        ({"fmin": 700.0}, "must lie below fmax"),
        ({"top_db": 0}, "'top_db' parameter"),
        ({"frame_length": 0}, "'frame_length' parameter"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(parameters, message):
    stats = TimeDomainStats(**parameters)
    for method in (stats.fit, stats.transform):
        with pytest.raises(ValueError, match=message):
            method(np.zeros((1, 1000)))


@pytest.mark.parametrize(
    ("X", "message"),
    [(np.full((1, 10), np.inf), "infinity"), (np.array([[0.0, np.nan, 0.0]]), "before its end")],
)
def test_bad_waveforms(X, message):
    with pytest.raises(ValueError, match=message):
        TimeDomainStats().transform(X)


@pytest.mark.parametrize(("n_samples", "click", "hop_length"), [(1000, -1, 160), (16000, 450, 800)])
def test_sound_that_no_frame_covers_is_silence(n_samples, click, hop_length):
    clip = np.zeros((1, n_samples))
    stats = TimeDomainStats(hop_length=hop_length).fit(clip)
    silent = stats.transform(clip)
    clip[0, click] = 0.5
    np.testing.assert_array_equal(stats.transform(clip), silent)
