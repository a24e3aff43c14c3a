"""The display of predictions over time."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin

from sersk.exceptions import AudioReadError
from sersk.inspection import TimelineDisplay


class Clock(ClassifierMixin, BaseEstimator):
    """Is as angry as it is late."""

    def fit(self, X, y=None):
        self.classes_ = np.array(["anger", "neutral"])
        return self

    def predict_proba(self, X):
        late = np.asarray(X["start"]) / 100
        return np.stack([late, 1 - late], axis=1)


@pytest.fixture
def table():
    return pd.DataFrame(
        {"file": "a.wav", "start": [0.0, 2.0, 1.0], "stop": [3.0, 5.0, 4.0],
         "p_anger": [0.1, 0.3, 0.2], "p_neutral": [0.9, 0.7, 0.8]}
    )  # fmt: skip


def test_from_estimator(write_wav):
    path = write_wav(seconds=80)
    display = TimelineDisplay.from_estimator(Clock().fit(None), path, window=2, hop=1)
    assert len(display.starts) == 79
    anger, neutral = display.lines_
    assert_allclose(anger.get_xdata(), np.arange(79) + 1)
    assert_allclose(anger.get_ydata(), np.arange(79))
    assert_allclose(neutral.get_ydata(), 100 - np.arange(79))
    assert display.ax_.get_xlim() == (0.0, 80.0)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "anger", "neutral",
    ]  # fmt: skip


def test_from_predictions_in_any_order(table):
    display = TimelineDisplay.from_predictions(table, min_confidence=0.5, title="A call")
    assert display.labels == ["anger", "neutral"]
    assert_allclose(display.lines_[0].get_xdata(), [1.5, 2.5, 3.5])
    assert_allclose(display.lines_[0].get_ydata(), [10, 20, 30])
    assert_allclose(display.threshold_.get_ydata(), [50, 50])
    assert display.ax_.get_title() == "A call"
    assert display.ax_.get_ylabel() == "Probability (%)"


def test_a_single_window_is_seen(table):
    line = TimelineDisplay.from_predictions(table[:1]).lines_[0]
    assert line.get_marker() == "o"


def test_given_axes_are_used(table):
    figure, ax = plt.subplots()
    display = TimelineDisplay.from_predictions(table, ax=ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert display.threshold_ is None
    with pytest.raises(TypeError, match="Axes"):
        display.plot(figure)


def test_what_is_no_timeline(table, tmp_path):
    with pytest.raises(ValueError, match="start, stop and p_<emotion>"):
        TimelineDisplay.from_predictions(table[["start", "stop"]])
    with pytest.raises(ValueError, match="0 rows"):
        TimelineDisplay.from_predictions(table[:0])
    with pytest.raises(ValueError, match="One recording is drawn, the table has 3"):
        TimelineDisplay.from_predictions(table.assign(file=["a", "b", "c"]))
    with pytest.raises(ValueError, match="min_confidence"):
        TimelineDisplay.from_predictions(table, min_confidence=50)
    with pytest.raises(AudioReadError, match="no such file"):
        TimelineDisplay.from_estimator(Clock().fit(None), tmp_path / "gone.wav")
