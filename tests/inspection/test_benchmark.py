"""The display of a benchmark."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sersk.inspection import BenchmarkDisplay

SINGLE, SEVERAL = "a stranger's single clip", "several clips of a speaker at hand"


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "recipe": ["net", "net", "svm", "svm", "svm_by_speaker"],
            "options": ["", "", "C=1.0", "C=1.0", ""],
            "corpus": ["cremad", "cremad", "ravdess", "ravdess", "cremad"],
            "protocol": ["speaker", "as-published", "speaker", "invented", "speaker"],
            "condition": [SINGLE, SINGLE, SINGLE, SINGLE, SEVERAL],
            "balanced_accuracy": [0.5, 0.9, 0.4, 0.3, 0.6],
            "low": [0.45, 0.85, np.nan, 0.25, np.nan],
            "high": [0.55, 0.95, np.nan, 0.35, np.nan],
            "published": [0.94, 0.94, np.nan, np.nan, np.nan],
        }
    )


def test_points_intervals_and_published_figures(table):
    display = BenchmarkDisplay(table).plot(title="Everything")
    assert display.panels == [SINGLE, SEVERAL]
    assert [ax.get_title("left") for ax in display.axes_] == [SINGLE, SEVERAL]
    points = np.array([line.get_xydata()[0] for line in display.points_])
    np.testing.assert_allclose(points[:, 0], [50, 90, 40, 30, 60])
    # Rows are recipes on corpora; within one, as-published stands above speaker.
    np.testing.assert_allclose(points[:, 1].round(), [0, 0, 1, 1, 0])
    assert points[1, 1] < points[0, 1] < points[3, 1]
    spans = [line.get_xdata() for line in display.intervals_]
    np.testing.assert_allclose(spans, [[45, 55], [85, 95], [25, 35]])
    ((published),) = display.published_
    np.testing.assert_allclose(published.get_xydata(), [[94, 0]])
    assert published.get_markerfacecolor() == "none"
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels == ["net\ncremad", "svm (C=1.0)\nravdess"]
    colors = [line.get_color() for line in display.points_]
    assert colors[0] == colors[2] == colors[4]
    assert len(set(colors)) == 3
    legend = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert legend == [
        "as-published", "speaker", "invented", "published, in the source's own score",
    ]  # fmt: skip
    assert display.figure_.get_suptitle() == "Everything"


def test_runs_with_other_folds_have_rows_of_their_own(table):
    twins = pd.concat([table, table.iloc[[0]]], ignore_index=True)
    twins["n_splits"] = [5, 1, 5, 5, 5, 3]
    display = BenchmarkDisplay(twins).plot()
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels == [
        "net, 5 folds\ncremad", "net\ncremad", "svm (C=1.0)\nravdess", "net, 3 folds\ncremad",
    ]  # fmt: skip


def test_colours(table):
    display = BenchmarkDisplay(table).plot(colors={"speaker": "black", "invented": "pink"})
    assert [line.get_color() for line in display.points_][2:] == ["black", "pink", "black"]


def test_one_condition_has_one_panel_without_a_title(table):
    display = BenchmarkDisplay(table[:4].assign(published=np.nan)).plot()
    assert len(display.axes_) == 1
    assert display.axes_[0].get_title("left") == ""
    assert display.published_ == []


def test_nothing_is_cut_off(table):
    display = BenchmarkDisplay(table).plot(title="Everything")
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    legend = display.axes_[0].get_legend()
    parts = [legend, *display.axes_[0].get_yticklabels(), display.axes_[0]._left_title]
    for part in parts:
        box = part.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= display.figure_.bbox.x1
        assert box.y1 <= display.figure_.bbox.y1
    title = display.axes_[0]._left_title.get_window_extent(renderer)
    assert not legend.get_window_extent(renderer).overlaps(title)


def test_given_axes_are_used(table):
    figure, axes = plt.subplots(2)
    display = BenchmarkDisplay(table).plot(axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    alone = BenchmarkDisplay(table[:1]).plot(axes[0])
    assert alone.axes_[0] is axes[0]


def test_errors(table):
    with pytest.raises(ValueError, match="no column 'low'"):
        BenchmarkDisplay(table.drop(columns="low")).plot()
    with pytest.raises(ValueError, match="nothing to draw"):
        BenchmarkDisplay(table[:0]).plot()
    with pytest.raises(ValueError, match="axes must be 2 matplotlib Axes"):
        BenchmarkDisplay(table).plot(plt.figure().subplots())
