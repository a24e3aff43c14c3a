"""Curves over noise and heat maps of corpora: the numbers given, and nothing else."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from sersk.inspection import CrossCorpusDisplay, NoiseRobustnessDisplay

NAMES = ["north", "south"]


@pytest.fixture
def curve():
    return pd.DataFrame(
        {
            "balanced_accuracy": [0.6, 0.5, 0.3, 0.2],
            "low": [0.5, 0.4, 0.2, 0.1],
            "high": [0.7, 0.6, 0.4, 0.3],
        },
        index=pd.Index([np.inf, 20.0, 5.0, 0.0], name="snr_db"),
    )


@pytest.fixture
def matrix():
    return pd.DataFrame(
        [[0.5, 0.25], [0.125, np.nan], [1.0, 0.0]], index=[*NAMES, "all others"], columns=NAMES
    )


def labels(ticks):
    return [tick.get_text() for tick in ticks]


def test_a_curve_over_the_levels(curve):
    display = NoiseRobustnessDisplay(curve, name="SVM", chance=0.25).plot(title="In noise")
    noisy, to_clean = display.lines_
    assert_allclose(noisy.get_xydata(), [[0, 20], [5, 30], [20, 50]])
    # As far from the last level as the two levels that are farthest apart.
    assert_allclose(to_clean.get_xydata(), [[20, 50], [35, 60]])
    assert noisy.get_linestyle() == "-"
    assert to_clean.get_linestyle() == "--"
    ax = display.ax_
    assert_allclose(ax.get_xticks(), [0, 5, 20, 35])
    assert labels(ax.get_xticklabels()) == ["0", "5", "20", "clean"]
    assert ax.get_ylim() == (0, 100)
    assert labels(ax.get_legend().get_texts()) == ["SVM", "chance"]
    assert ax.get_title(loc="left") == "In noise"
    corners = display.band_.get_paths()[0].vertices
    for place, low, high in [(0, 10, 30), (5, 20, 40), (20, 40, 60), (35, 50, 70)]:
        at = corners[corners[:, 0] == place, 1]
        assert (at.min(), at.max()) == pytest.approx((low, high))


def test_the_order_of_rows_does_not_matter(curve):
    first = NoiseRobustnessDisplay(curve).plot()
    other = NoiseRobustnessDisplay(curve.iloc[[2, 0, 3, 1]]).plot()
    for one, two in zip(first.lines_, other.lines_, strict=True):
        assert_allclose(one.get_xydata(), two.get_xydata())


def test_without_intervals_names_and_clean_clips(curve):
    display = NoiseRobustnessDisplay(curve.assign(low=np.nan, high=np.nan).iloc[1:]).plot()
    assert display.band_ is None
    assert len(display.lines_) == 1
    assert labels(display.ax_.get_xticklabels()) == ["0", "5", "20"]
    assert display.ax_.get_legend() is None
    alone = NoiseRobustnessDisplay(curve.iloc[:2]).plot()
    assert_allclose(alone.ax_.get_xticks(), [20, 25])
    assert labels(NoiseRobustnessDisplay(curve.iloc[:1]).plot().ax_.get_xticklabels()) == ["clean"]


def test_systems_on_the_same_axes(curve):
    result = Bunch(table=curve, chance=0.25)
    first = NoiseRobustnessDisplay.from_result(result, name="one", title="Systems")
    other = NoiseRobustnessDisplay.from_result(
        Bunch(table=curve / 2, chance=0.25), name="two", ax=first.ax_
    )
    assert other.ax_ is first.ax_
    assert other.figure_ is first.figure_
    assert len(plt.get_fignums()) == 1
    assert labels(other.ax_.get_legend().get_texts()) == ["one", "two", "chance"]
    assert first.lines_[0].get_color() != other.lines_[0].get_color()
    assert [line.get_label() for line in other.ax_.get_lines()].count("chance") == 1
    assert other.ax_.get_title(loc="left") == "Systems"
    NoiseRobustnessDisplay(curve, chance=0.5).plot(first.ax_, color="red")
    assert [line.get_label() for line in other.ax_.get_lines()].count("chance") == 2


def test_other_levels_want_other_axes(curve):
    display = NoiseRobustnessDisplay(curve).plot()
    with pytest.raises(ValueError, match="at 0, 5, 20, clean, this table is at 0, 5, clean"):
        NoiseRobustnessDisplay(curve.drop(20.0)).plot(display.ax_)


def test_what_is_no_curve_is_refused(curve):
    for table in (None, curve.iloc[:0]):
        with pytest.raises(ValueError, match="nothing to draw"):
            NoiseRobustnessDisplay(table).plot()
    with pytest.raises(ValueError, match="no column 'low', 'high'"):
        NoiseRobustnessDisplay(curve[["balanced_accuracy"]]).plot()
    with pytest.raises(ValueError, match=r"level 5\.0 stands there twice"):
        NoiseRobustnessDisplay(curve.iloc[[0, 2, 2]]).plot()
    with pytest.raises(TypeError, match=r"noise_robustness.*got DataFrame"):
        NoiseRobustnessDisplay.from_result(curve)
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        NoiseRobustnessDisplay(curve).plot([1])
    assert not plt.get_fignums()


def test_a_heat_map(matrix):
    display = CrossCorpusDisplay(matrix).plot(title="Between corpora")
    values = display.mesh_.get_array()
    assert_allclose(values.filled(np.nan), 100 * matrix.to_numpy())
    assert display.mesh_.get_clim() == (0, 100)
    texts = np.vectorize(lambda text: text.get_text())(display.text_)
    assert texts.tolist() == [["50.0", "25.0"], ["12.5", "-"], ["100.0", "0.0"]]
    ax = display.ax_
    assert labels(ax.get_xticklabels()) == NAMES
    assert labels(ax.get_yticklabels()) == [*NAMES, "all others"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Tested on", "Trained on")
    low, high = ax.get_ylim()
    assert low > high  # downwards
    for (row, column), text in np.ndenumerate(display.text_):
        x, y = text.get_position()
        assert (int(x), int(y)) == (column, row)
    assert display.text_[0, 1].get_color() == "black"
    assert display.text_[2, 0].get_color() == "white"


def test_intervals_and_emotions_stand_below(matrix):
    emotions = pd.DataFrame([[("a", "b"), ("a", "b", "c")]] * 3)
    low, high = matrix - 0.1, matrix + 0.1
    low.iloc[0, 0] = np.nan
    display = CrossCorpusDisplay.from_result(
        {"table": matrix, "low": low, "high": high, "emotions": emotions}
    )
    written = [text.get_text() for text in display.ax_.texts]
    assert written == [
        "50.0", "2 emotions", "25.0", "15 to 35\n3 emotions", "12.5", "2 to 22\n2 emotions",
        "-", "", "100.0", "90 to 110\n2 emotions", "0.0", "-10 to 10\n3 emotions",
    ]  # fmt: skip


def test_long_names_are_slanted_and_given_axes_used(matrix):
    ax = plt.figure().subplots()
    display = CrossCorpusDisplay(matrix.rename(columns={"north": "far in the north"})).plot(ax)
    assert display.ax_ is ax
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {30.0}
    assert len(plt.get_fignums()) == 1


def test_what_is_no_matrix_is_refused(matrix):
    for table in (None, matrix.iloc[:0]):
        with pytest.raises(ValueError, match="nothing to draw"):
            CrossCorpusDisplay(table).plot()
    with pytest.raises(ValueError, match=r"low has shape \(2, 2\), the table \(3, 2\)"):
        CrossCorpusDisplay(matrix, low=matrix.iloc[:2]).plot()
    with pytest.raises(TypeError, match=r"cross_corpus_table.*got str"):
        CrossCorpusDisplay.from_result("table")
    assert not plt.get_fignums()
