"""The display of a training: the numbers of a history, and nothing else."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sersk.inspection import LearningCurveDisplay
from sersk.model_selection import ValidationHoldout
from sersk.neural_network import CNNClassifier

COLUMNS = ["train_loss", "train_balanced_accuracy", "valid_loss", "valid_balanced_accuracy"]


def make_history(n_epochs=4, *, valid=True, lift=0.0):
    """Give a history in which validation is best in the second epoch."""
    rows = []
    for epoch in range(1, n_epochs + 1):
        row = {
            "epoch": epoch,
            "train_loss": 2 / epoch + lift,
            "train_balanced_accuracy": 0.2 * epoch,
            "lr": 1e-3,
            "dur": 0.1,
        }
        if valid:
            row["valid_loss"] = 1 + abs(epoch - 2) + lift
            row["valid_balanced_accuracy"] = 0.5 - 0.1 * abs(epoch - 2)
        rows.append(row)
    return rows


def legend_of(display):
    return [text.get_text() for text in display.axes_[0].get_legend().get_texts()]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    y = np.repeat(["anger", "neutral", "sadness"], 12)
    X = rng.normal(size=(36, 6)) + np.repeat(np.eye(3, 6), 12, axis=0) * 3
    return X, y, np.tile(np.arange(6), 6)


def make_net():
    return CNNClassifier(conv_dim=1, filters=(4,), hidden_units=(), max_epochs=3, random_state=0)


def test_two_panels_and_the_kept_epoch():
    display = LearningCurveDisplay.from_history(
        make_history(), best_epoch=2, chance=0.25, title="A net"
    )
    lines = {name: line.get_xydata() for name, (line,) in display.lines_.items()}
    assert set(lines) == set(COLUMNS)
    assert_allclose(lines["train_loss"], [[1, 2], [2, 1], [3, 2 / 3], [4, 0.5]])
    assert_allclose(lines["valid_loss"], [[1, 2], [2, 1], [3, 2], [4, 3]])
    assert_allclose(lines["train_balanced_accuracy"][:, 1], [20, 40, 60, 80])
    assert_allclose(lines["valid_balanced_accuracy"][:, 1], [40, 50, 40, 30])
    assert [mark.get_xydata().tolist() for mark in display.marks_] == [[[2, 1]], [[2, 50]]]
    assert display.means_ == {}
    loss, uar = display.axes_
    assert display.lines_["train_loss"][0].axes is loss
    assert display.lines_["valid_balanced_accuracy"][0].axes is uar
    assert (loss.get_ylabel(), uar.get_ylabel()) == ("Loss", "UAR (%)")
    assert (loss.get_ylim()[0], uar.get_ylim()) == (0, (0, 100))
    assert legend_of(display) == ["training", "validation", "kept epoch", "chance"]
    chance = next(line for line in uar.lines if line.get_label() == "chance")
    assert_allclose(chance.get_ydata(), 25)
    assert loss.get_title("left") == "A net"


def test_without_validation():
    display = LearningCurveDisplay.from_history(make_history(valid=False))
    assert display.lines_["valid_loss"] == display.lines_["valid_balanced_accuracy"] == []
    assert display.marks_ == []
    assert legend_of(display) == ["training"]
    marked = LearningCurveDisplay.from_history(make_history(valid=False), best_epoch=4)
    assert_allclose(marked.marks_[0].get_xydata(), [[4, 0.5]])


def test_validation_that_began_late():
    history = make_history(3, valid=False) + make_history(5)[3:]
    display = LearningCurveDisplay.from_history(history, best_epoch=4)
    assert display.lines_["valid_loss"][0].get_xdata().tolist() == [4, 5]
    assert_allclose(display.marks_[0].get_xydata(), [[4, 3]])


def test_a_single_epoch_is_a_point():
    display = LearningCurveDisplay.from_history(make_history(1))
    assert {line.get_marker() for (line,) in display.lines_.values()} == {"."}
    low, high = display.axes_[0].get_xlim()
    ticks = display.axes_[0].get_xticks()
    assert ticks[(ticks >= low) & (ticks <= high)].tolist() == [1]


def test_several_nets_and_their_mean():
    histories = [make_history(4), make_history(3, lift=0.5)]
    display = LearningCurveDisplay.from_history(histories, best_epoch=[2, None])
    assert {len(lines) for lines in display.lines_.values()} == {2}
    # As far as all nets were trained.
    assert_allclose(display.means_["valid_loss"].get_xydata(), [[1, 2.25], [2, 1.25], [3, 2.25]])
    assert set(display.means_) == set(COLUMNS)
    assert [mark.get_xydata().tolist() for mark in display.marks_] == [[[2, 1]], [[2, 50]]]
    thin, mean = display.lines_["train_loss"][0], display.means_["train_loss"]
    assert thin.get_linewidth() < mean.get_linewidth()
    assert legend_of(display) == ["training", "validation", "kept epoch"]


def test_tables_and_tuples_are_histories():
    history = make_history()
    first = LearningCurveDisplay.from_history(history)
    table = pd.DataFrame(history)
    for other in (tuple(history), table, table.set_index("epoch"), [table]):
        display = LearningCurveDisplay.from_history(other)
        for column in COLUMNS:
            assert_allclose(
                display.lines_[column][0].get_xydata(), first.lines_[column][0].get_xydata()
            )


def test_the_net_is_found(vectors):
    X, y, speakers = vectors
    net = make_net().fit(X, y, X_val=X[::3], y_val=y[::3])
    pipeline = make_pipeline(StandardScaler(), make_net()).fit(X, y)
    holdout = ValidationHoldout(make_pipeline(StandardScaler(), make_net()), random_state=0)
    holdout.fit(X, y, groups=speakers)
    search = GridSearchCV(make_net(), {"lr": [0.01]}, cv=2).fit(X, y)
    for model, inner in [
        (net, net),
        (pipeline, pipeline[-1]),
        (make_pipeline(pipeline), pipeline[-1]),
        (holdout, holdout.estimator_[-1]),
        (search, search.best_estimator_),
    ]:
        display = LearningCurveDisplay.from_estimator(model)
        expected = [row["train_loss"] for row in inner.history_]
        assert_allclose(display.lines_["train_loss"][0].get_ydata(), expected)
        assert display.chance == pytest.approx(1 / 3)
        validated = "valid_loss" in inner.history_[0]
        assert display.best_epochs == [inner.best_epoch_ if validated else None]
    display = LearningCurveDisplay.from_estimator([net, holdout])
    assert len(display.lines_["valid_loss"]) == len(display.marks_) // 2 == 2


def test_given_axes_and_colours():
    axes = plt.figure().subplots(2)
    display = LearningCurveDisplay.from_history(
        make_history(), best_epoch=2, ax=axes, train_color="green", valid_color="black"
    )
    assert list(display.axes_) == list(axes)
    assert display.figure_ is axes[0].figure
    assert len(plt.get_fignums()) == 1
    colors = {name: line.get_color() for name, (line,) in display.lines_.items()}
    assert colors["train_loss"] == "green"
    assert colors["valid_loss"] == display.marks_[0].get_color() == "black"
    # A second net on the same axes is not cut off.
    LearningCurveDisplay.from_history(make_history(lift=5), ax=tuple(axes))
    assert axes[0].get_ylim()[0] == 0
    assert axes[0].get_ylim()[1] > 8


def test_plotting_again_makes_another_figure():
    display = LearningCurveDisplay.from_history(make_history())
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


def test_nothing_is_cut_off():
    histories = [make_history(), make_history(3)]
    display = LearningCurveDisplay.from_history(
        histories, best_epoch=[2, 2], chance=0.2, title="Nets"
    )
    figure, (loss, uar) = display.figure_, display.axes_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    title, legend = (
        part.get_window_extent(renderer) for part in (loss._left_title, loss.get_legend())
    )
    for box in (title, legend):
        assert box.x0 >= 0
        assert box.y1 <= figure.bbox.y1
    assert legend.x1 <= uar.get_window_extent(renderer).x0
    assert not legend.overlaps(title)


def test_what_has_no_history_is_refused(vectors):
    X, y, _ = vectors
    for unfitted in (make_net(), make_pipeline(make_net()), ValidationHoldout(make_net())):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            LearningCurveDisplay.from_estimator(unfitted)
    for other, name in [
        (SVC().fit(X, y), "SVC"),
        (make_pipeline(StandardScaler(), SVC()).fit(X, y), "SVC"),
        (make_history(), "dict"),
        ("net", "str"),
    ]:
        with pytest.raises(TypeError, match=rf"ends in one, .* {name} has no history_"):
            LearningCurveDisplay.from_estimator(other)
    with pytest.raises(TypeError, match=r"got CNNClassifier.*from_estimator\(net\)"):
        LearningCurveDisplay.from_history(make_net())
    assert not plt.get_fignums()


def test_what_is_no_curve_is_refused():
    history = make_history()
    for nothing in ([], [[]], pd.DataFrame()):
        with pytest.raises(ValueError, match="nothing to draw"):
            LearningCurveDisplay.from_history(nothing)
    with pytest.raises(ValueError, match="nothing to draw"):
        LearningCurveDisplay.from_estimator([])
    with pytest.raises(ValueError, match="no entry 'epoch'"):
        LearningCurveDisplay.from_history([{"train_loss": 1.0}])
    with pytest.raises(ValueError, match="no column 'train_balanced_accuracy'"):
        LearningCurveDisplay.from_history([{"epoch": 1, "train_loss": 1.0}])
    with pytest.raises(ValueError, match="Epoch 4 stands there twice"):
        LearningCurveDisplay.from_history([*history, history[-1]])
    with pytest.raises(ValueError, match="Epoch 7 is to be marked, and the curve goes from 1 to 4"):
        LearningCurveDisplay.from_history(history, best_epoch=7)
    with pytest.raises(ValueError, match="1 entries for 2 curves"):
        LearningCurveDisplay.from_history([history, history], best_epoch=2)
    figure, ax = plt.subplots()
    for wrong in (ax, [ax], [ax, 1], "axes"):
        with pytest.raises(TypeError, match="ax must be two matplotlib Axes"):
            LearningCurveDisplay.from_history(history, ax=wrong)
    assert plt.get_fignums() == [figure.number]
