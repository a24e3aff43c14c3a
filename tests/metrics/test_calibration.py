"""Calibration, against scikit-learn's curve and against what must hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.calibration import calibration_curve

from sersk.metrics import calibration_error, reliability_curve

EMOTIONS = ["anger", "calm", "fear", "neutral"]


def predictions(rng, n_clips=500, sharpness=1.5):
    """Probabilities, and labels drawn from them: calibrated by construction."""
    scores = np.exp(sharpness * rng.standard_normal((n_clips, len(EMOTIONS))))
    probabilities = pd.DataFrame(scores / scores.sum(axis=1, keepdims=True), columns=EMOTIONS)
    draws = rng.random((n_clips, 1)) > probabilities.cumsum(axis=1).to_numpy()[:, :-1]
    return np.array(EMOTIONS)[draws.sum(axis=1)], probabilities


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
@pytest.mark.parametrize("n_bins", [1, 4, 15])
def test_curve_equals_that_of_scikit_learn(rng, strategy, n_bins):
    y_true, probabilities = predictions(rng)
    right = probabilities.idxmax(axis=1).to_numpy() == y_true
    accuracy, confidence = calibration_curve(
        right, probabilities.max(axis=1), n_bins=n_bins, strategy=strategy
    )
    curve = reliability_curve(y_true, probabilities, n_bins=n_bins, strategy=strategy)
    assert_allclose(curve["accuracy"], accuracy)
    assert_allclose(curve["confidence"], confidence)
    assert curve["n_clips"].sum() == len(y_true)
    assert curve.index.name == "bin"
    if strategy == "quantile":
        assert curve["n_clips"].max() - curve["n_clips"].min() <= 1


def test_error_equals_the_formula(rng):
    y_true, probabilities = predictions(rng, n_clips=200)
    values = probabilities.to_numpy()
    error = 0.0
    for low in np.arange(10) / 10:
        inside = [row for row in range(200) if low < values[row].max() <= low + 0.1]
        if inside:
            accuracy = np.mean([EMOTIONS[values[row].argmax()] == y_true[row] for row in inside])
            confidence = np.mean([values[row].max() for row in inside])
            error += len(inside) / 200 * abs(accuracy - confidence)
    assert_allclose(calibration_error(y_true, probabilities, n_bins=10, strategy="uniform"), error)


def test_what_is_calibrated_has_next_to_no_error(rng):
    y_true, probabilities = predictions(rng, n_clips=40_000)
    assert calibration_error(y_true, probabilities) < 0.015
    # Squared and normalised: surer of the same order.
    surer = probabilities**2
    surer = surer.div(surer.sum(axis=1), axis=0)
    assert calibration_error(y_true, surer) > 0.1
    curve = reliability_curve(y_true, surer)
    assert (curve["accuracy"] < curve["confidence"]).mean() > 0.8


def test_error_of_extremes():
    sure = [[1.0, 0.0], [0.0, 1.0]]
    assert calibration_error(["a", "b"], sure, ["a", "b"]) == 0
    assert calibration_error(["b", "a"], sure, ["a", "b"]) == 1


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=40),
    st.integers(1, 6),
    st.sampled_from(["quantile", "uniform"]),
    st.randoms(use_true_random=False),
)
def test_laws(clips, n_bins, strategy, random):
    """Bounded; at least what one bin says; the order of rows and columns does not matter."""
    # Few values: many clips of the same confidence, and none with two top emotions.
    top = np.array([0.4, 0.5, 0.6, 0.7, 1.0])[[level for level, _ in clips]]
    values = np.column_stack([top, (1 - top) * 0.6, (1 - top) * 0.4])
    y_true = np.array(EMOTIONS[:3])[[label for _, label in clips]]
    table = pd.DataFrame(values, columns=EMOTIONS[:3])
    error = calibration_error(y_true, table, n_bins=n_bins, strategy=strategy)
    one = calibration_error(y_true, table, n_bins=1)
    assert_allclose(one, abs(top.mean() - (y_true == "anger").mean()), atol=1e-12)
    assert one - 1e-12 <= error <= 1
    rows = random.sample(range(len(clips)), len(clips))
    shuffled = table.iloc[rows][["fear", "anger", "calm"]]
    again = calibration_error(y_true[rows], shuffled, n_bins=n_bins, strategy=strategy)
    assert_allclose(again, error, atol=1e-12)


def test_clips_of_one_confidence_share_a_bin():
    curve = reliability_curve(["a"] * 20, [[0.8, 0.2]] * 20, ["a", "b"])
    assert curve["n_clips"].tolist() == [20]
    assert calibration_error(["a"] * 20, [[0.8, 0.2]] * 20, ["a", "b"]) == pytest.approx(0.2)


def test_rounded_probabilities_and_numbers_as_labels_are_fine(rng):
    y_true, probabilities = predictions(rng)
    exact = calibration_error(y_true, probabilities, n_bins=5)
    assert calibration_error(y_true, probabilities.round(3), n_bins=5) == pytest.approx(
        exact, abs=5e-3
    )
    numbers = np.searchsorted(EMOTIONS, y_true)
    assert calibration_error(numbers, probabilities.to_numpy(), range(4), n_bins=5) == exact
    # An index that counts otherwise, as after a selection of rows, is not looked at.
    assert calibration_error(pd.Series(y_true, index=y_true), probabilities, n_bins=5) == exact


def test_a_rounding_error_more_than_one_is_fine():
    # Blended by weights that sum to 1 but for rounding, as in double and in single precision.
    for excess in (np.finfo(np.float64).eps, np.finfo(np.float32).eps):
        probabilities = [[1 + excess, -excess], [0.0, 1.0]]
        assert calibration_error(["a", "b"], probabilities, ["a", "b"]) < 1e-6


GOOD = [[0.6, 0.4], [0.3, 0.7]]


@pytest.mark.parametrize("function", [calibration_error, reliability_curve])
@pytest.mark.parametrize(
    ("y_true", "probabilities", "classes", "message"),
    [
        (["a", "b"], [[0.6, 0.4], [np.nan, 0.7]], ["a", "b"], "Row 1 of probabilities holds NaN"),
        (["a", "b"], [[0.6, 0.6], [0.3, 0.7]], ["a", "b"], r"Row 0 .* sums to 1\.2, not 1"),
        (["a", "b"], [[1.4, -0.4], [0.3, 0.7]], ["a", "b"], r"Row 0 .* outside \[0, 1\]"),
        (["a", "c"], GOOD, ["a", "b"], r"y_true holds 'c', which is no column .* \('a', 'b'\)"),
        ([0, 1], GOOD, ["a", "b"], "y_true holds 0, which is no column"),
        (["a", "b"], GOOD, None, "classes is needed"),
        (["a", "b"], GOOD, ["a"], "has 2 columns, but classes names 1"),
        (["a", "b"], GOOD, ["a", "a"], "'a' names two columns"),
        (["a", "b"], pd.DataFrame(GOOD, columns=["a", "b"]), ["b", "a"], "leave classes out"),
        (["a"], GOOD, ["a", "b"], "inconsistent numbers of samples"),
        ([], np.empty((0, 2)), ["a", "b"], "no clip to score"),
        (["a", "b"], [0.6, 0.3], ["a", "b"], r"a row a clip and a column an emotion, .* \(2,\)"),
    ],
)
def test_bad_input(function, y_true, probabilities, classes, message):
    with pytest.raises(ValueError, match=message):
        function(y_true, probabilities, classes)


@pytest.mark.parametrize(("name", "value"), [("n_bins", 0), ("strategy", "equal")])
def test_bad_parameters(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        calibration_error(["a", "b"], GOOD, ["a", "b"], **{name: value})
