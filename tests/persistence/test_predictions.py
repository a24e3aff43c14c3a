"""Predictions of files, folders and long recordings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.svm import SVC

from sersk.datasets import make_windows
from sersk.exceptions import ClipCutWarning
from sersk.persistence import predict_recordings
from sersk.persistence._predictions import count_clips
from sersk.recipes import gradient_boosting_functionals, svm_functionals_by_speaker

LABELS = ["anger", "neutral", "sadness"]
COLUMNS = [f"p_{label}" for label in LABELS]


@pytest.fixture
def folder(written_corpus, tmp_path):
    """Four recordings in nested folders, and what is none: broken, empty, cut, not audio."""
    for number, path in enumerate(written_corpus.data["path"][:4]):
        target = tmp_path / "calls" / str(number % 2) / f"{number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(path).read_bytes())
    (tmp_path / "calls" / "broken.wav").write_bytes(b"RIFF and so on")
    (tmp_path / "calls" / "empty.flac").touch()
    (tmp_path / "calls" / "notes.txt").write_text("no audio")
    return tmp_path / "calls"


def test_what_the_model_says(boosted, written_corpus):
    found = predict_recordings(boosted, written_corpus.data["path"], chunk_size=5)
    assert_allclose(found.table[COLUMNS], boosted.predict_proba(written_corpus.data))
    assert_array_equal(found.table["emotion"], boosted.predict(written_corpus.data))
    assert_allclose(found.table["confidence"], found.table[COLUMNS].max(axis=1))
    assert found.table["path"].tolist() == written_corpus.data["path"].tolist()
    seconds = [soundfile.info(path).duration for path in written_corpus.data["path"]]
    assert_allclose(found.table["stop"] - found.table["start"], seconds)
    assert found.failed == {}


def test_a_folder_with_bad_files(boosted, folder):
    found = predict_recordings(boosted, [folder, folder / "0" / "0.wav", folder / "gone.wav"])
    names = [os.path.relpath(path, folder) for path in found.table["path"]]
    assert names == ["0/0.wav", "0/2.wav", "1/1.wav", "1/3.wav"]
    reasons = {os.path.relpath(path, folder): why for path, why in found.failed.items()}
    assert set(reasons) == {"broken.wav", "empty.flac", "gone.wav"}
    assert "no such file" in reasons["gone.wav"]
    assert "empty" in reasons["empty.flac"]


@pytest.mark.parametrize("on_error", ["nan", "raise"])
def test_a_file_that_breaks_in_the_middle(on_error, written_corpus, tmp_path):
    """Its header is whole: only the model's own reader finds out."""
    model = gradient_boosting_functionals(
        max_iter=2, n_mels=20, n_mfcc=5, statistics=("mean",), on_error=on_error
    ).set_params(boost__min_samples_leaf=2)
    model.fit(written_corpus.data, written_corpus.target)
    samples = np.zeros(16000)
    samples[9000] = np.nan
    bad = str(tmp_path / "bad.wav")
    soundfile.write(bad, samples, 16000, subtype="FLOAT")
    good = written_corpus.data["path"][0]
    found = predict_recordings(model, [bad, good])
    assert found.table["path"].tolist() == [good]
    assert list(found.failed) == [bad]
    assert "not a finite number" in found.failed[bad]
    assert_allclose(found.table[COLUMNS], model.predict_proba([good]))
    windows = predict_recordings(model, [bad, good], window=0.25, chunk_size=1)
    assert list(windows.failed) == [bad]
    # What was heard before the flaw is told; what follows is not.
    assert windows.table.loc[windows.table["path"] == bad, "stop"].max() <= 9000 / 16000


def test_windows(boosted, write_wav):
    path = write_wav(seconds=20.3)
    found = predict_recordings(boosted, path, window=1.0, hop=0.5, chunk_size=7)
    windows = make_windows([path], length=1.0, hop=0.5)
    assert_allclose(found.table[["start", "stop"]], windows[["start", "stop"]])
    assert_allclose(found.table[COLUMNS], boosted.predict_proba(windows))
    at_once = predict_recordings(boosted, path, window=1.0, hop=0.5, chunk_size=1000)
    pd.testing.assert_frame_equal(found.table, at_once.table)
    side_by_side = predict_recordings(boosted, path, window=3)
    assert side_by_side.table["start"].tolist() == [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0]


def test_clips_longer_than_training_are_told_once(boosted, write_wav):
    paths = [write_wav(f"{number}.wav", seconds=9) for number in range(4)]
    with pytest.warns(ClipCutWarning) as said:
        predict_recordings(boosted, paths, chunk_size=1)
    assert len(said) == 1


def test_unsure(boosted, written_corpus):
    paths = written_corpus.data["path"]
    sure = predict_recordings(boosted, paths).table
    threshold = float(sure["confidence"].mean())
    table = predict_recordings(boosted, paths, min_confidence=threshold).table
    below = sure["confidence"] < threshold
    assert 0 < below.sum() < len(table)
    assert_array_equal(table["emotion"], sure["emotion"].mask(below, "unsure"))
    assert_allclose(table["confidence"], sure["confidence"])


def test_models_without_probabilities(svm, written_corpus):
    table = predict_recordings(svm, written_corpus.data["path"]).table
    assert_array_equal(table["emotion"], svm.predict(written_corpus.data))
    assert table["confidence"].isna().all()
    with pytest.raises(ValueError, match="no predict_proba"):
        predict_recordings(svm, written_corpus.data["path"], min_confidence=0.5)


def test_nothing_to_predict(boosted, tmp_path):
    found = predict_recordings(boosted, tmp_path)
    assert found.table.columns.tolist() == [
        "path",
        "start",
        "stop",
        "emotion",
        "confidence",
        *COLUMNS,
    ]
    assert len(found.table) == 0
    assert "holds no audio file" in found.failed[str(tmp_path)]
    assert predict_recordings(boosted, []).failed == {}


def test_models_that_cannot(written_corpus):
    vectors = SVC().fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="reads no recordings"):
        predict_recordings(vectors, [])
    speakers = svm_functionals_by_speaker(n_mels=20, n_mfcc=5, statistics=("mean",))
    speakers.fit(written_corpus.data, written_corpus.target)
    with pytest.raises(ValueError, match="who speaks"):
        predict_recordings(speakers, written_corpus.data["path"])


@pytest.mark.parametrize(
    ("options", "name"),
    [({"window": 0}, "window"), ({"hop": 1.0}, "hop"), ({"window": 1, "hop": -1}, "hop"),
     ({"min_confidence": 1.5}, "min_confidence"), ({"chunk_size": 0}, "chunk_size")],
)  # fmt: skip
def test_wrong_options(options, name, boosted):
    with pytest.raises(ValueError, match=name):
        predict_recordings(boosted, [], **options)


@pytest.mark.parametrize("window", [None, 0.7])
def test_what_there_is_to_predict_is_counted_beforehand(window, boosted, folder):
    """As a progress bar needs it."""
    found = predict_recordings(boosted, folder, window=window)
    assert found.failed
    expected = len(found.table) + len(found.failed)
    assert count_clips(folder, window, None) == expected
