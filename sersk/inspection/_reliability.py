"""Whether a classifier is right as often as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._base import check_columns, check_pair_of_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

_COLUMNS = ("n_clips", "confidence", "accuracy")

# Bars of the histogram: 5 points of confidence each.
_N_BARS = 20

# Of a new figure, in inches; of its panels.
_FIGSIZE = (4.6, 5.4)
_HEIGHT_RATIOS = (4, 1)


class ReliabilityDisplay:
    """How sure a classifier is of its top emotion, and how often it is right.

    It is recommended to use `from_estimator` or `from_predictions` to make one. In the upper panel
    each bin of clips is a point: its mean confidence to the right, the share of its clips whose top
    emotion is the true one upwards, both in percent. Points below the diagonal are bins in which
    the classifier is surer than it should be. The lower panel shows how many clips there are at
    each confidence. The title says the expected calibration error.

    Parameters
    ----------
    curve : DataFrame with columns ``n_clips``, ``confidence``, ``accuracy``
        A row a bin, as :func:`sersk.metrics.reliability_curve` returns it.

    confidences : array-like of shape (n_clips,), default=None
        The largest probability of each clip, in [0, 1], for the lower panel. None draws the number
        of clips of each bin at its mean.

    calibration_error : float, default=None
        In [0, 1]; None computes it from `curve`.

    Attributes
    ----------
    axes_ : ndarray of shape (2,), object
        Axes with the bins, and axes with the histogram.

    figure_ : matplotlib Figure
        Figure that holds them.

    line_ : matplotlib Line2D
        The bins.

    diagonal_ : matplotlib Line2D
        Where accuracy equals confidence.

    gaps_ : matplotlib LineCollection
        From each bin to the diagonal.

    bars_ : list of matplotlib Rectangle
        The histogram.

    See Also
    --------
    sersk.metrics.calibration_error : The figure in the title.
    sersk.metrics.reliability_curve : The bins.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.inspection import ReliabilityDisplay
    >>> curve = pd.DataFrame(
    ...     {"n_clips": [50, 50], "confidence": [0.5, 0.9], "accuracy": [0.4, 0.7]}
    ... )
    >>> display = ReliabilityDisplay(curve).plot()
    >>> display.axes_[0].get_title("left")
    'Calibration error 15.0 %'
    """

    def __init__(
        self,
        curve: pd.DataFrame,
        *,
        confidences: ArrayLike | None = None,
        calibration_error: float | None = None,
    ) -> None:
        self.curve = curve
        self.confidences = confidences
        self.calibration_error = calibration_error

    def plot(self, ax: Any = None, *, color: Any = "C0", title: str | None = None) -> Self:
        """Draw the bins and the histogram.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Where to draw the bins and the histogram. By default in a new figure, one below the
            other.

        color : matplotlib colour, default="C0"
            Colour of both.

        title : str, default=None
            What stands in the title before the calibration error.

        Returns
        -------
        display : ReliabilityDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is no pair of Axes.
        ValueError
            If the curve has no bin or lacks a column.
        """
        curve = check_columns(self.curve, _COLUMNS, "a curve has a row a bin", "curve")
        diagram, histogram = axes = check_pair_of_axes(
            ax, _new_axes, "bins and histogram", "plt.subplots(2)"
        )
        confidence, accuracy = (100 * curve[name] for name in ("confidence", "accuracy"))
        self.diagonal_: Line2D = diagram.plot(
            [0, 100], [0, 100], "--", color="0.4", linewidth=1.0, label="as sure as right"
        )[0]
        self.gaps_: LineCollection = diagram.vlines(
            confidence, confidence, accuracy, color=color, alpha=0.35, linewidth=4.0
        )
        self.line_: Line2D = diagram.plot(
            confidence, accuracy, "o", color=color, markersize=5, label="bins of clips"
        )[0]
        diagram.set(xlim=(0, 100), ylim=(0, 100), ylabel="Top emotion is right (%)")
        diagram.legend(loc="upper left", frameon=False, fontsize="small")
        self.bars_ = self._draw_bars(histogram, curve, color)
        histogram.set(xlim=(0, 100), xlabel="Probability of the top emotion (%)", ylabel="Clips")
        for panel in axes:
            panel.grid(color="0.9")
            panel.set_axisbelow(True)
        error = self.calibration_error
        if error is None:
            gaps = (curve["accuracy"] - curve["confidence"]).abs()
            error = float(np.average(gaps, weights=curve["n_clips"]))
        words = f"alibration error {100 * error:.1f} %"
        words = f"C{words}" if title is None else f"{title}: c{words}"
        diagram.set_title(words, loc="left", fontsize="medium")
        self.axes_, self.figure_ = axes, diagram.figure
        return self

    def _draw_bars(self, ax: Axes, curve: pd.DataFrame, color: Any) -> list[Rectangle]:
        from matplotlib.ticker import MaxNLocator

        ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
        if self.confidences is None:
            return list(ax.bar(100 * curve["confidence"], curve["n_clips"], width=2, color=color))
        counts, edges = np.histogram(
            np.asarray(self.confidences, dtype=float), np.linspace(0, 1, _N_BARS + 1)
        )
        return list(
            ax.bar(
                100 * edges[:-1], counts, width=100 / _N_BARS, align="edge", color=color,
                edgecolor="white",
            )
        )  # fmt: skip

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        n_bins: int = 15,
        strategy: Literal["quantile", "uniform"] = "quantile",
        ax: Any = None,
        color: Any = "C0",
        title: str | None = None,
    ) -> Self:
        """Predict clips and draw how far the confidence can be trusted.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier, or pipeline that ends in one, with ``predict_proba``.

        X : clip table or array-like of shape (n_clips, ...)
            Clips that it was not trained on.

        y : array-like of shape (n_clips,)
            Their emotions.

        n_bins : int, default=15
            Number of bins, >= 1.

        strategy : {"quantile", "uniform"}, default="quantile"
            Bins with about as many clips each, or of equal width in [0, 1].

        ax : sequence of two matplotlib Axes, default=None
            Where to draw the bins and the histogram. By default in a new figure, one below the
            other.

        color : matplotlib colour, default="C0"
            Colour of both.

        title : str, default=None
            What stands in the title before the calibration error.

        Returns
        -------
        display : ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `estimator` gives no probabilities, or `ax` is no pair of Axes.
        ValueError
            If the probabilities do not fit the labels.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sersk.inspection import ReliabilityDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> model = LogisticRegression(max_iter=500).fit(X[::2], y[::2])
        >>> display = ReliabilityDisplay.from_estimator(model, X[1::2], y[1::2], n_bins=5)
        >>> int(display.curve["n_clips"].sum())
        75
        """
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"estimator must give probabilities, and {type(estimator).__name__} has no "
                "predict_proba. scikit-learn's CalibratedClassifierCV gives it one."
            )
        return cls.from_predictions(
            y, estimator.predict_proba(X), estimator.classes_, n_bins=n_bins, strategy=strategy,
            ax=ax, color=color, title=title,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        probabilities: Any,
        classes: ArrayLike | None = None,
        *,
        n_bins: int = 15,
        strategy: Literal["quantile", "uniform"] = "quantile",
        ax: Any = None,
        color: Any = "C0",
        title: str | None = None,
    ) -> Self:
        """Draw how far the confidence of predictions can be trusted.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            True emotions.

        probabilities : DataFrame or array-like of shape (n_clips, n_classes)
            Probabilities in [0, 1], each row summing to 1; of a DataFrame the columns are the
            emotions. So are the ``probabilities`` of
            :func:`sersk.model_selection.evaluate_protocol`, beside ``predictions["true"]``.

        classes : array-like of shape (n_classes,), default=None
            The emotions of the columns. Needed unless `probabilities` is a DataFrame.

        n_bins : int, default=15
            Number of bins, >= 1.

        strategy : {"quantile", "uniform"}, default="quantile"
            Bins with about as many clips each, or of equal width in [0, 1].

        ax : sequence of two matplotlib Axes, default=None
            Where to draw the bins and the histogram. By default in a new figure, one below the
            other.

        color : matplotlib colour, default="C0"
            Colour of both.

        title : str, default=None
            What stands in the title before the calibration error.

        Returns
        -------
        display : ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `ax` is no pair of Axes.
        ValueError
            If a row has a NaN, a number outside [0, 1] or does not sum to 1, or a label of `y_true`
            is no column.

        Examples
        --------
        >>> from sersk.inspection import ReliabilityDisplay
        >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
        >>> y_true = ["anger", "anger", "fear", "anger"]
        >>> display = ReliabilityDisplay.from_predictions(
        ...     y_true, probabilities, ["anger", "fear"], title="Four clips"
        ... )
        >>> display.axes_[0].get_title("left")
        'Four clips: calibration error 15.0 %'
        """
        from ..metrics import reliability_curve

        curve = reliability_curve(y_true, probabilities, classes, n_bins=n_bins, strategy=strategy)
        display = cls(curve, confidences=np.asarray(probabilities, dtype=float).max(axis=1))
        return display.plot(ax, color=color, title=title)


def _new_axes() -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(2, figsize=_FIGSIZE, height_ratios=_HEIGHT_RATIOS, layout="constrained")[1]
