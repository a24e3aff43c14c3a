"""The display of an audit."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sersk.inspection import LeakageDisplay

CONDITIONS = ["copies before the split", "random", "speaker", "speaker+text"]


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "leaks": [True, False, False, False],
            "balanced_accuracy": [0.9, 0.75, 0.5, 0.45],
            "low": [0.85, 0.7, 0.44, np.nan],
            "high": [0.95, 0.8, 0.56, np.nan],
            "above_speaker": [0.4, 0.25, 0.0, -0.05],
        },
        index=pd.Index(CONDITIONS, name="condition"),
    )


def test_points_intervals_and_gaps(table):
    display = LeakageDisplay.from_audit(Bunch(table=table, chance=0.125), title="A corpus")
    points = [line.get_xydata()[0].tolist() for line in display.points_]
    np.testing.assert_allclose(points, [[90, 0], [75, 1], [50, 2], [45, 3]])
    lines = [line.get_xdata() for line in display.intervals_]
    np.testing.assert_allclose(lines, [[85, 95], [70, 80], [44, 56]])
    assert [gap.get_text() for gap in display.gaps_] == [
        "90.0  (+40.0)", "75.0  (+25.0)", "50.0", "45.0  (-5.0)",
    ]  # fmt: skip
    assert [line.get_color() for line in display.points_] == ["C3", "C0", "C0", "C0"]
    ax = display.ax_
    assert [label.get_text() for label in ax.get_yticklabels()] == CONDITIONS
    assert ax.get_ylim() == (3.5, -0.5)  # the first on top
    assert ax.get_xlim() == (0, 100)
    assert ax.get_title("left") == "A corpus"
    assert "in brackets: points above speakers never heard" in ax.get_xlabel()
    legend = {text.get_text() for text in ax.get_legend().get_texts()}
    assert legend == {
        "chance", "speakers never heard", "tested clips, or copies, in training",
        "tested clips kept out",
    }  # fmt: skip
    chance = next(line for line in ax.lines if line.get_label() == "chance")
    np.testing.assert_allclose(chance.get_xdata(), 12.5)


def test_colours(table):
    display = LeakageDisplay(table).plot(color="green", leak_color="black")
    assert [line.get_color() for line in display.points_] == ["black", *["green"] * 3]


def test_without_strangers_intervals_and_chance(table):
    alone = table.loc[["random"]].assign(above_speaker=np.nan, low=np.nan, high=np.nan)
    display = LeakageDisplay(alone).plot()
    assert display.intervals_ == []
    assert [gap.get_text() for gap in display.gaps_] == ["75.0"]
    assert display.ax_.get_xlabel() == "UAR (%)"
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["tested clips kept out"]


def test_nothing_is_cut_off(table):
    display = LeakageDisplay(table, chance=0.2).plot(title="A corpus")
    figure = display.figure_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    parts = [*display.gaps_, *display.ax_.get_yticklabels(), display.ax_.get_legend()]
    title = display.ax_.title if display.ax_.get_title() else display.ax_._left_title
    for part in [*parts, title]:
        box = part.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    legend = display.ax_.get_legend().get_window_extent(renderer)
    assert not legend.overlaps(title.get_window_extent(renderer))


def test_given_axes_are_used(table):
    figure, ax = plt.subplots()
    display = LeakageDisplay(table).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    assert display.ax_ is not ax


def test_errors(table):
    with pytest.raises(TypeError, match=r"what audit_leakage .* returns, got DataFrame"):
        LeakageDisplay.from_audit(table)
    with pytest.raises(TypeError, match="got dict"):
        LeakageDisplay.from_audit({"scores": table})
    with pytest.raises(ValueError, match="no column 'low'"):
        LeakageDisplay(table.drop(columns="low")).plot()
    with pytest.raises(ValueError, match="nothing to draw"):
        LeakageDisplay(table[:0]).plot()
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        LeakageDisplay(table).plot([1])
