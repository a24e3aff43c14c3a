"""AudioReader: clip tables, paths and waveforms to one array."""

from __future__ import annotations

import pickle
import threading
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import sersk.preprocessing._audio_reader as audio_reader
from sersk.exceptions import AudioReadError, ClipCutWarning, UnreadableAudioWarning
from sersk.preprocessing import AudioReader


@pytest.fixture
def clips(write_wav):
    """Files of 0.5, 0.25 and 0.1 s, the second at 48 kHz."""
    return [
        write_wav("a.wav", seconds=0.5, subtype="FLOAT"),
        write_wav("b.wav", seconds=0.25, sample_rate=48000, subtype="FLOAT"),
        write_wav("c.wav", seconds=0.1, subtype="FLOAT"),
    ]


def lengths(waveforms):
    return (~np.isnan(waveforms)).sum(axis=1).tolist()


def test_reads_and_pads_with_nan(clips):
    waveforms = AudioReader().fit_transform(clips)
    assert waveforms.shape == (3, 8000)
    assert waveforms.dtype == np.float32
    assert lengths(waveforms) == [8000, 4000, 1600]
    assert np.isnan(waveforms[1, 4000:]).all()


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        np.array,
        lambda paths: np.array(paths, dtype=object),
        lambda paths: np.array(paths)[:, np.newaxis],
        lambda paths: [[path] for path in paths],
        lambda paths: [Path(path) for path in paths],
        lambda paths: [path.encode() for path in paths],
        pd.Series,
        lambda paths: pd.Series(paths, dtype="category"),
        pd.Index,
        lambda paths: pd.array(paths, dtype="string"),
        lambda paths: pd.DataFrame({"path": paths, "speaker": "x", "age": 3}),
        lambda paths: pd.DataFrame({"file": paths}),
        lambda paths: pd.DataFrame({"path": paths, "start": None, "stop": np.nan}, index=[7, 7, 7]),
    ],
)  # fmt: skip
def test_every_way_to_name_files(clips, wrap):
    assert_array_equal(AudioReader().fit_transform(wrap(clips)), AudioReader().fit_transform(clips))


def test_start_and_stop(clips):
    whole = AudioReader().fit_transform(clips[:1])[0]
    table = pd.DataFrame({"path": clips[0], "start": [None, 0.1, 0.1], "stop": [0.2, None, 0.3]})
    waveforms = AudioReader().fit_transform(table)
    assert lengths(waveforms) == [3200, 6400, 3200]
    assert_array_equal(waveforms[2, :3200], whole[1600:4800])


def test_offset_and_duration(clips):
    whole = AudioReader().fit_transform(clips)
    reader = AudioReader(offset=0.05, duration=0.1)
    waveforms = reader.fit_transform(clips)
    assert reader.n_samples_ == 1600
    assert lengths(waveforms) == [1600, 1600, 800]
    assert_array_equal(waveforms[0], whole[0, 800:2400])
    # The same of waveforms as of files, where nothing is resampled.
    assert_array_equal(AudioReader(offset=0.05, duration=0.1).fit_transform(whole)[0], waveforms[0])


def test_longest_training_clip_decides_and_longer_ones_are_cut(clips):
    reader = AudioReader().fit(clips[1:])
    assert reader.n_samples_ == 4000
    with pytest.warns(ClipCutWarning, match=r"1 clip\(s\) .* cut to 0.25 s; the longest has 0.5 s"):
        waveforms = reader.transform(clips)
    assert waveforms.shape == (3, 4000)
    assert_array_equal(waveforms[0], AudioReader().fit_transform(clips)[0, :4000])


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050])
def test_the_beginning_does_not_depend_on_the_cut(write_wav, sample_rate):
    path = write_wav(seconds=1.0, sample_rate=48000)
    whole = AudioReader(sample_rate=sample_rate).fit_transform([path])
    for duration in (0.3, 0.77, 0.99):
        part = AudioReader(sample_rate=sample_rate, duration=duration).fit_transform([path])
        assert_allclose(part, whole[:, : part.shape[1]], rtol=0, atol=1e-6)


def test_numpy_integers_as_sample_rate(clips):
    reader = AudioReader(sample_rate=np.int64(8000)).fit(clips[1:])
    assert reader.n_samples_ == 2000
    with pytest.warns(ClipCutWarning):
        reader.transform(clips)


def test_infinite_times(clips):
    table = pd.DataFrame({"path": clips[:1], "stop": [np.inf]})
    assert lengths(AudioReader().fit_transform(table)) == [8000]
    with pytest.raises(ValueError, match="start=inf"):
        AudioReader().fit(pd.DataFrame({"path": clips[:1], "start": [np.inf]}))


def test_an_empty_table_has_no_rows(clips):
    empty = pd.DataFrame({"path": []})
    assert AudioReader().fit(clips).transform(empty).shape == (0, 8000)
    with pytest.raises(ValueError, match="0 of 0 clips"):
        AudioReader().fit(empty)


def test_what_one_array_taught_does_not_bind_ragged_ones(rng):
    reader = AudioReader().fit(rng.uniform(-1, 1, size=(2, 100)))
    reader.fit([np.zeros(50)])
    assert reader.transform(np.zeros((2, 30))).shape == (2, 50)


def test_chosen_duration_cuts_silently_and_opens_nothing_in_fit(clips, monkeypatch):
    monkeypatch.setattr(audio_reader, "known_clip_length", None)
    reader = AudioReader(duration=0.2).fit([*clips, "missing.wav"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lengths(reader.transform(clips)) == [3200, 3200, 1600]


def test_repeated_rows_are_decoded_once(clips, monkeypatch):
    decoded = []

    def counting(region, *args):
        decoded.append(region)
        return audio_reader_read_clip(region, *args)

    audio_reader_read_clip = audio_reader.read_clip
    monkeypatch.setattr(audio_reader, "read_clip", counting)
    table = pd.DataFrame({"path": [*clips, *clips, clips[0]], "stop": [None] * 6 + [0.1]})
    waveforms = AudioReader().fit_transform(table)
    assert len(decoded) == len(set(decoded)) == 4
    assert_array_equal(waveforms[:3], waveforms[3:6])


def test_only_wanted_frames_are_read(clips, monkeypatch):
    frames = []
    read = audio_reader.read_clip.__globals__["soundfile"].SoundFile.read

    def counting(self, count, **options):
        frames.append(count)
        return read(self, count, **options)

    monkeypatch.setattr("soundfile.SoundFile.read", counting)
    table = pd.DataFrame({"path": clips[:2], "start": 0.1, "stop": 0.2})
    AudioReader().fit_transform(table)
    assert frames == [1600, 4800]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_threads_give_the_same(clips, backend):
    expected = AudioReader().fit_transform(clips * 20)
    assert_array_equal(AudioReader(n_jobs=2).fit_transform(clips * 20), expected)
    with joblib.parallel_config(backend, n_jobs=2):
        assert_array_equal(AudioReader().fit_transform(clips * 20), expected)


def test_decoding_runs_in_threads(clips, monkeypatch):
    names = set()
    read = audio_reader.read_clip

    def noting(*args):
        names.add(threading.current_thread().name)
        return read(*args)

    monkeypatch.setattr(audio_reader, "read_clip", noting)
    table = pd.DataFrame({"path": clips[0], "stop": np.linspace(0.1, 0.4, 200)})
    AudioReader(n_jobs=2).fit_transform(table)
    assert len(names) >= 2


# --- waveforms in place of files ---


def test_waveforms_keep_their_values(rng):
    X = rng.uniform(-1, 1, size=(3, 50))
    X[1, 20:] = np.nan
    waveforms = AudioReader().fit_transform(X)
    assert waveforms.dtype == np.float32
    assert_array_equal(waveforms, X.astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.int16, 2**15), (np.int32, 2**31), (">i2", 2**15), (">i4", 2**31)]
)
@pytest.mark.parametrize("ragged", [True, False])
def test_integers_are_scaled(dtype, scale, ragged):
    info = np.iinfo(dtype)
    X = np.array([[info.min, 0, info.max]], dtype=dtype)
    waveforms = AudioReader().fit_transform(list(X) if ragged else X)
    assert_allclose(waveforms, [[-1, 0, info.max / scale]], rtol=1e-6)
    table = pd.DataFrame(X.astype(info.dtype))
    assert_allclose(AudioReader().fit_transform(table), waveforms)


def test_list_of_arrays_of_any_length_after_any_fit(clips):
    fitted = AudioReader().fit(clips)
    buffers = [np.zeros(100), np.ones(8000, dtype=np.float32), np.zeros(0)]
    assert lengths(fitted.transform(buffers)) == [100, 8000, 0]
    with pytest.warns(ClipCutWarning, match="1 clip"):
        assert fitted.transform([np.zeros(9000)]).shape == (1, 8000)


def test_fitted_on_files_takes_waveforms_and_back(clips, rng):
    reader = AudioReader().fit(clips)
    assert not hasattr(reader, "n_features_in_")
    X = rng.uniform(-1, 1, size=(2, 4000))
    assert lengths(reader.transform(X)) == [4000, 4000]
    reader.fit(X)
    assert reader.n_features_in_ == 4000
    assert lengths(reader.transform(clips[2:])) == [1600]
    with pytest.raises(ValueError, match="3999 features"):
        reader.transform(X[:, 1:])
    assert not hasattr(reader.fit(clips), "n_features_in_")


@given(
    waveforms=st.lists(
        hnp.arrays(np.float32, st.integers(0, 30), elements=st.floats(-1, 1, width=32)),
        min_size=1,
        max_size=6,
    ),
    duration=st.none() | st.integers(1, 40).map(lambda samples: samples / 16000),
    offset=st.integers(0, 10).map(lambda samples: samples / 16000),
)
def test_any_list_of_waveforms(waveforms, duration, offset):
    skip = round(offset * 16000)
    expected = [samples[skip:] for samples in waveforms]
    reader = AudioReader(duration=duration, offset=offset)
    longest = max(map(len, expected))
    if duration is None and longest == 0:
        with pytest.raises(ValueError, match="No clip to learn the length from"):
            reader.fit(waveforms)
        return
    found = reader.fit_transform(waveforms)
    width = longest if duration is None else round(duration * 16000)
    assert found.shape == (len(waveforms), width)
    for row, samples in zip(found, expected, strict=True):
        assert_array_equal(row[: len(samples)], samples[:width])
        assert np.isnan(row[len(samples) :]).all()


@given(
    X=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.floats(allow_nan=True, allow_infinity=True, width=32),
    )
)
def test_any_matrix_is_read_or_refused(X):
    missing = np.isnan(X)
    padded = (np.sort(missing, axis=1) == missing).all()
    readable = not np.isinf(X).any() and padded and not missing.all()
    if readable:
        found = AudioReader().fit_transform(X)
        width = (~missing).sum(axis=1).max()
        assert_array_equal(found, X[:, :width].astype(np.float32))
    else:
        with pytest.raises(ValueError, match=r"infinity|NaN before its end|No clip to learn"):
            AudioReader().fit_transform(X)


# --- bad input ---


def test_error_names_path_and_reason(clips):
    with pytest.raises(AudioReadError, match=r"'gone\.wav': there is no such file") as caught:
        AudioReader().fit([*clips, "gone.wav"])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.path, copy.reason) == ("gone.wav", "there is no such file")
    with pytest.raises(AudioReadError):
        AudioReader(n_jobs=2).fit(clips).transform(["gone.wav"])


def test_nan_rows_one_warning_and_failed(clips, tmp_path):
    bad = [str(tmp_path / f"gone{number}.wav") for number in range(7)]
    table = pd.DataFrame({"path": [clips[0], *bad, clips[1], bad[0]]})
    reader = AudioReader(on_error="nan")
    with pytest.warns(UnreadableAudioWarning) as caught:
        waveforms = reader.fit_transform(table)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("7 file(s) could not be read")
    assert "gone0.wav" in message
    assert "and 2 more" in message
    assert list(reader.failed_) == bad
    assert set(reader.failed_.values()) == {"there is no such file"}
    assert lengths(waveforms) == [8000] + [0] * 7 + [4000, 0]
    reader.transform(clips)
    assert reader.failed_ == {}


def test_nothing_readable_is_an_error():
    with pytest.raises(ValueError, match="1 of 1 clips could not be read"):
        AudioReader(on_error="nan").fit(["gone.wav"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("clip.wav", r"Use \['clip.wav'\]"),
        (pd.DataFrame({"file": ["a.wav"], "label": ["fear"]}), "column named 'path'.*'file'"),
        (pd.DataFrame({"path": ["a.wav", None]}), "Row 1 .* holds (None|nan)"),
        (["a.wav", 3], "Row 1 .* holds 3"),
        (pd.DataFrame({"path": ["a.wav"], "start": ["soon"]}), "'start' .* seconds"),
        (pd.DataFrame({"path": ["a.wav"], "start": [-1.0]}), "start=-1"),
        (pd.DataFrame({"path": ["a.wav"], "start": [2.0], "stop": [1.0]}), "start < stop"),
        (np.zeros(10), "Reshape your data"),
        (np.zeros((2, 3, 4)), "dim 3"),
        ([np.zeros(3), np.array(["a"])], "could not convert|not numbers"),
        ([np.zeros(3), np.array([np.inf])], "Row 1 holds infinity"),
        ([np.array([np.nan, 0.0])], "NaN before its end"),
    ],
    ids=str,
)
def test_bad_tables_and_arrays(X, message):
    with pytest.raises(ValueError, match=message):
        AudioReader().fit(X)


@pytest.mark.parametrize(
    "parameters",
    [{"sample_rate": 0}, {"sample_rate": 16000.0}, {"duration": 0}, {"offset": -1},
     {"on_error": "ignore"}],
)  # fmt: skip
def test_bad_parameters(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        AudioReader(**parameters).fit(np.zeros((2, 10)))


def test_clone_and_pickle(clips):
    reader = AudioReader(duration=0.1).fit(clips)
    assert not hasattr(clone(reader), "n_samples_")
    assert_array_equal(pickle.loads(pickle.dumps(reader)).transform(clips), reader.transform(clips))


def test_pandas_output_is_left_alone(clips):
    assert isinstance(AudioReader().set_output(transform="pandas").fit_transform(clips), np.ndarray)
