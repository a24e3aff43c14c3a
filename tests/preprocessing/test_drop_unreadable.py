"""DropUnreadable: rows without sound leave training, and only training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from sklearn.impute import SimpleImputer
from sklearn.tree import DecisionTreeClassifier

from sersk.exceptions import UnreadableAudioWarning
from sersk.feature_extraction import Functionals
from sersk.preprocessing import AudioReader, DropUnreadable

NAN = np.nan


def test_drops_all_nan_rows_only():
    X = np.array([[1.0, NAN], [NAN, NAN], [2.0, 3.0]], dtype=np.float32)
    sampler = DropUnreadable()
    X_kept, y_kept = sampler.fit_resample(X, np.array(["fear", "fear", "calm"]))
    assert_array_equal(X_kept, X[[0, 2]])
    assert X_kept.dtype == np.float32
    assert_array_equal(y_kept, ["fear", "calm"])
    assert_array_equal(sampler.sample_indices_, [0, 2])


def test_takes_frames_and_tables():
    frames = np.zeros((70, 2, 3))
    frames[65] = NAN
    X_kept, _ = DropUnreadable().fit_resample(frames, np.arange(70) % 2)
    assert X_kept.shape == (69, 2, 3)
    table = pd.DataFrame({"mean": [1.0, NAN, 3.0], "std": [2.0, NAN, 4.0]})
    emotions = pd.Series(["fear", "calm", "calm"], name="emotion")
    kept, y_kept = DropUnreadable().fit_resample(table, emotions)
    assert isinstance(kept, pd.DataFrame)
    assert y_kept.name == "emotion"


def test_a_lost_emotion_is_told():
    X = np.array([[1.0, 2.0], [NAN, NAN], [2.0, 3.0]])
    with pytest.warns(UnreadableAudioWarning, match="No readable clip is left of calm"):
        DropUnreadable().fit_resample(X, ["fear", "calm", "fear"])


def test_nothing_to_remove_is_no_copy():
    X = np.zeros((4, 3), dtype=np.float32)
    assert np.shares_memory(DropUnreadable().fit_resample(X, [0, 1, 0, 1])[0], X)


def test_nothing_left_is_an_error():
    with pytest.raises(ValueError, match="None of the 2 clips could be read"):
        DropUnreadable().fit_resample(np.full((2, 3), NAN), [0, 1])


def test_in_a_pipeline_every_clip_gets_a_prediction(write_wav):
    paths = [write_wav(f"{number}.wav") for number in range(4)]
    broken = write_wav("broken.wav", samples=np.zeros(0))
    pipeline = make_pipeline(
        AudioReader(on_error="nan"),
        DropUnreadable(),
        Functionals(),
        SimpleImputer(),
        DecisionTreeClassifier(random_state=0),
    )
    with pytest.warns(UnreadableAudioWarning):
        pipeline.fit([*paths, broken], ["fear", "calm", "fear", "calm", "calm"])
    assert_array_equal(pipeline["dropunreadable"].sample_indices_, [0, 1, 2, 3])
    with pytest.warns(UnreadableAudioWarning):
        assert len(pipeline.predict([broken, *paths])) == 5
