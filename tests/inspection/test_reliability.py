"""The display of calibration: the numbers of the metric, and nothing else."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sersk.inspection import ReliabilityDisplay
from sersk.metrics import calibration_error, reliability_curve

EMOTIONS = ["anger", "calm", "fear"]


@pytest.fixture
def predictions(rng):
    probabilities = pd.DataFrame(rng.dirichlet(np.ones(3), size=120), columns=EMOTIONS)
    return rng.choice(EMOTIONS, size=120), probabilities


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_what_is_drawn(predictions, strategy):
    y_true, probabilities = predictions
    display = ReliabilityDisplay.from_predictions(
        y_true, probabilities, n_bins=6, strategy=strategy, color="green"
    )
    curve = reliability_curve(y_true, probabilities, n_bins=6, strategy=strategy)
    expected = 100 * curve[["confidence", "accuracy"]].to_numpy()
    assert_allclose(display.line_.get_xydata(), expected)
    assert display.line_.get_color() == "green"
    assert_allclose(display.diagonal_.get_xydata(), [[0, 0], [100, 100]])
    ends = [sorted(segment[:, 1]) for segment in display.gaps_.get_segments()]
    assert_allclose(ends, np.sort(expected, axis=1))
    error = calibration_error(y_true, probabilities, n_bins=6, strategy=strategy)
    assert display.axes_[0].get_title("left") == f"Calibration error {100 * error:.1f} %"
    top = probabilities.max(axis=1)
    assert sum(bar.get_height() for bar in display.bars_) == len(y_true)
    for bar in display.bars_:
        low, high = bar.get_x() / 100, (bar.get_x() + bar.get_width()) / 100
        assert bar.get_height() == ((low <= top) & (top < high)).sum()


def test_array_and_frame_are_the_same(predictions):
    y_true, probabilities = predictions
    first = ReliabilityDisplay.from_predictions(y_true, probabilities)
    second = ReliabilityDisplay.from_predictions(y_true, probabilities.to_numpy(), EMOTIONS)
    pd.testing.assert_frame_equal(first.curve, second.curve)


def test_estimator(rng):
    X = rng.standard_normal((90, 2))
    y = np.array(EMOTIONS)[np.digitize(X[:, 0] + rng.standard_normal(90), [-0.5, 0.5])]
    model = LogisticRegression().fit(X, y)
    display = ReliabilityDisplay.from_estimator(model, X, y, n_bins=4, title="A model")
    expected = reliability_curve(y, model.predict_proba(X), model.classes_, n_bins=4)
    pd.testing.assert_frame_equal(display.curve, expected)
    assert display.axes_[0].get_title("left").startswith("A model: calibration error ")
    with pytest.raises(TypeError, match="SVC has no predict_proba"):
        ReliabilityDisplay.from_estimator(SVC().fit(X, y), X, y)


def test_without_confidences_the_bins_are_the_histogram(predictions):
    curve = reliability_curve(*predictions, n_bins=5)
    display = ReliabilityDisplay(curve).plot()
    assert [bar.get_height() for bar in display.bars_] == curve["n_clips"].tolist()
    given = ReliabilityDisplay(curve, calibration_error=0.123).plot()
    assert given.axes_[0].get_title("left") == "Calibration error 12.3 %"


def test_given_axes(predictions):
    axes = plt.figure().subplots(2)
    display = ReliabilityDisplay.from_predictions(*predictions, ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is axes[0].figure
    assert len(plt.get_fignums()) == 1
    again = display.plot()
    assert again is display
    assert display.figure_ is not axes[0].figure


def test_nothing_is_cut_off(predictions):
    display = ReliabilityDisplay.from_predictions(*predictions)
    figure = display.figure_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    diagram, histogram = display.axes_
    for part in (diagram._left_title, diagram.yaxis.label, histogram.xaxis.label):
        box = part.get_window_extent(renderer)
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_what_is_no_curve_is_refused(predictions):
    curve = reliability_curve(*predictions)
    for nothing in (curve.iloc[:0], [], None):
        with pytest.raises(ValueError, match="nothing to draw"):
            ReliabilityDisplay(nothing).plot()
    with pytest.raises(ValueError, match="no column 'accuracy'"):
        ReliabilityDisplay(curve.drop(columns="accuracy")).plot()
    with pytest.raises(ValueError, match="classes is needed"):
        ReliabilityDisplay.from_predictions(predictions[0], predictions[1].to_numpy())
    figure, ax = plt.subplots()
    for wrong in (ax, [ax], [ax, 1], "axes"):
        with pytest.raises(TypeError, match="ax must be two matplotlib Axes"):
            ReliabilityDisplay(curve).plot(wrong)
    assert plt.get_fignums() == [figure.number]
