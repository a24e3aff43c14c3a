"""What in a clip made a net say so."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._attributions import as_one_clip, explain, find_net, transform

Array = NDArray[np.floating]

# More rows than that cannot be told apart by names.
_MOST_NAMES = 16
# Bars of a vector.
_MOST_BARS = 20
_CLIP_CMAP = "magma"
# Share of the attributions that the colours tell apart: the few beyond get the outermost ones.
_TOLD_APART = 99.5


class SaliencyDisplay:
    """What in one clip made a net say so.

    It is recommended to use `from_estimator` to make one. Frames and images are drawn as the net
    sees them; below, in red, what speaks for the emotion, in blue what speaks against it; below
    that the attention over time, where the net has one. Vectors are drawn as bars.

    Parameters
    ----------
    attributions : ndarray of shape (n_features,), (n_features, n_frames) or \
            (n_channels, n_bins, n_frames)
        What each number of the clip adds to the score of `target`; NaN behind the end of the clip.

    image : ndarray of the same shape
        The clip as the net sees it: standardised, unless the net does not do so.

    target : object
        The emotion that is explained.

    probability : float
        Its probability, in [0, 1].

    emotion : object, default=None
        The emotion that the net predicts; None for `target`.

    attention : ndarray of shape (n_frames,), default=None
        Attention that each frame gets; NaN behind the end.

    score, baseline_score : float, default=None
        Scores of `target`, for the clip and for the mean of the training clips.

    feature_names : sequence of str, default=None
        Names of the features, or of the channels of images.

    Attributes
    ----------
    axes_ : ndarray of shape (n_panels,), object
        Axes with the clip, the attributions and the attention; of a vector those with the bars.

    figure_ : matplotlib Figure
        Figure that holds them.

    image_, mesh_ : matplotlib AxesImage or None
        The clip, and the attributions; None for a vector.

    line_ : matplotlib Line2D or None
        The attention, if there is one.

    bars_ : matplotlib BarContainer or None
        The 20 largest attributions of a vector, the largest first.

    See Also
    --------
    SpectrogramDisplay : What is to be heard in a clip, whatever a net thinks of it.
    LearningCurveDisplay : How the net was trained.

    Notes
    -----
    The score of an emotion is what the net computes for it before the softmax, less the mean of all
    emotions, which cannot be heard in the probabilities. ``"integrated_gradients"`` [1]_ go from a
    baseline to the clip in a straight line, and add up the gradients of the score on the way, by
    Gauss-Legendre quadrature. The baseline is the mean of the training clips: 0 behind the
    standardisation, and, without one, 0 itself. The attributions add up to ``score -
    baseline_score``; where they do not, more `n_steps` help. ``"gradient_x_input"`` is the gradient
    at the clip times its distance from the baseline: one step instead of many, and no such law.
    All of it is a few lines of torch here; captum, which has many more methods, is not needed.

    An attribution tells what the net used, not what makes an emotion: a net that listens to the
    microphone has a picture as well. Single points are noisy; look at regions, at several clips,
    and at strangers. Attention tells from where numbers were taken, not what they said.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.inspection import SaliencyDisplay
    >>> display = SaliencyDisplay(
    ...     np.array([1.5, -0.5, 0.25]), np.array([2.0, 1.0, -1.0]), target="anger",
    ...     probability=0.8, feature_names=["level", "pitch", "tempo"],
    ... ).plot()
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['level', 'pitch', 'tempo']
    """

    def __init__(
        self,
        attributions: Array,
        image: Array,
        *,
        target: Any,
        probability: float,
        emotion: Any = None,
        attention: Array | None = None,
        score: float | None = None,
        baseline_score: float | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.attributions = attributions
        self.image = image
        self.target = target
        self.probability = probability
        self.emotion = emotion
        self.attention = attention
        self.score = score
        self.baseline_score = baseline_score
        self.feature_names = feature_names

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "RdBu_r",
        limit: float | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw the clip and what was heard in it.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: axes for the clip, the attributions and, if there is one, the attention;
            for a vector one. By default in a new figure.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours of the attributions, whose middle is 0.

        limit : float, default=None
            Attribution of the outermost colours, > 0. By default 995 of 1000 are within; give one
            number to compare several clips.

        title : str, default=None
            Title. By default the emotion and its probability.

        Returns
        -------
        display : SaliencyDisplay
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is not as many axes as there are panels.
        ValueError
            If there are not as many names as features or channels.
        """
        values, names = np.asarray(self.attributions), self.feature_names
        if names is not None and len(names) != len(values):
            raise ValueError(f"feature_names has {len(names)} entries for {len(values)} features.")
        self.image_ = self.mesh_ = self.line_ = self.bars_ = None
        if values.ndim == 1:
            rows = np.argsort(-np.abs(values), kind="stable")[:_MOST_BARS]
            axes = _check_axes(ax, 1, height=1.3 + 0.24 * len(rows))
            self._plot_bars(axes[0], rows, cmap)
        else:
            with_attention = self.attention is not None
            axes = _check_axes(ax, 2 + with_attention, height=5.0 + 1.2 * with_attention)
            self._plot_images(axes, cmap, limit)
        axes[0].set_title(self._heading() if title is None else title)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _heading(self) -> str:
        other = self.emotion is not None and self.emotion != self.target
        heard = f" (heard as {self.emotion})" if other else ""
        return f"{self.target}: {self.probability:.0%}{heard}"

    def _plot_bars(self, ax: Any, rows: NDArray[np.intp], cmap: Any) -> None:
        import matplotlib

        colors = matplotlib.colormaps.get_cmap(cmap)([0.1, 0.9])
        values, names = np.asarray(self.attributions)[rows], self.feature_names
        self.bars_ = ax.barh(range(len(rows)), values, color=colors[(values > 0).astype(int)])
        labels = [f"x{row}" if names is None else names[row] for row in rows]
        ax.set_yticks(range(len(rows)), labels)
        ax.invert_yaxis()
        ax.axvline(0.0, color="0.4", linewidth=0.8)
        ax.set(xlabel="Attribution")

    def _plot_images(self, axes: NDArray[Any], cmap: Any, limit: float | None) -> None:
        n_frames = self.attributions.shape[-1]
        image, values = (part.reshape(-1, n_frames) for part in (self.image, self.attributions))
        sizes = np.abs(values)
        # A clip without any attribution has no scale of its own.
        reach = limit or np.nanpercentile(sizes, _TOLD_APART) or np.nanmax(sizes) or 1.0
        style = {"origin": "lower", "aspect": "auto"}
        self.image_ = axes[0].imshow(image, cmap=_CLIP_CMAP, **style)
        self.mesh_ = axes[1].imshow(values, cmap=cmap, vmin=-reach, vmax=reach, **style)
        figure = axes[0].figure
        figure.colorbar(self.image_, ax=axes[0], label="Input")
        figure.colorbar(self.mesh_, ax=axes[1], label="Attribution", extend="both")
        for ax in axes[:2]:
            ax.set_facecolor("0.85")  # where there is no sound
            _name_rows(ax, self.attributions.shape[:-1], self.feature_names)
        if self.attention is not None:
            frames = np.arange(n_frames)
            (self.line_,) = axes[2].plot(frames, self.attention, drawstyle="steps-mid", color="0.2")
            axes[2].set(ylabel="Attention", xlim=(-0.5, n_frames - 0.5))
            axes[2].set_ylim(bottom=0)
        axes[-1].set_xlabel("Frame")

    @classmethod
    @validate_params(
        {
            "method": [StrOptions({"integrated_gradients", "gradient_x_input"})],
            "n_steps": [Interval(Integral, 1, None, closed="left")],
            "attention": ["boolean", None],
            "feature_names": ["array-like", None],
            "limit": [Interval(Real, 0, None, closed="neither"), None],
            "title": [str, None],
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        method: Literal["integrated_gradients", "gradient_x_input"] = "integrated_gradients",
        target: Any = None,
        n_steps: int = 32,
        attention: bool | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        cmap: Any = "RdBu_r",
        limit: float | None = None,
        title: str | None = None,
    ) -> Self:
        """Explain what a fitted net says of one clip.

        Nothing of the net is changed, and nothing drawn by chance.

        Parameters
        ----------
        estimator : estimator
            A fitted net of :mod:`sersk.neural_network`, a pipeline that ends in one, or a
            :class:`~sersk.model_selection.ValidationHoldout` or search around either.

        X : clip table of one row, Series, path-like or array-like
            One clip, in a form that `estimator` takes: a row of a clip table, a path, a waveform;
            for a bare net a vector, frames or an image. The axis of clips may be left out.

        method : {"integrated_gradients", "gradient_x_input"}, default="integrated_gradients"
            How the score is shared out; see the notes of the class.

        target : object, default=None
            The emotion that is explained. By default the one that the net predicts.

        n_steps : int, default=32
            Steps from the baseline to the clip, >= 1.

        attention : bool, default=None
            Whether to show the attention over time of a net with ``pooling="attention"`` or
            ``"statistics"``. A step that pools several frames gives each of them its weight. By
            default shown where there is one, for frames and images.

        feature_names : sequence of str, default=None
            Names of the features, or of the channels of images. By default those that the steps
            before the net give, or its ``feature_names_in_``, if known.

        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; see `plot`.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours of the attributions, whose middle is 0.

        limit : float, default=None
            Attribution of the outermost colours, > 0. By default 995 of 1000 are within.

        title : str, default=None
            Title. By default the emotion and its probability.

        Returns
        -------
        display : SaliencyDisplay
            The display, drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it does not end in a net of sersk, or `ax` is not as many axes as there are panels.
        ValueError
            If `X` is not one clip or nothing but NaN, `target` no class of the net, there are not
            as many names as features, or `attention` is True for a net without.

        Examples
        --------
        >>> import numpy as np
        >>> from sersk.inspection import SaliencyDisplay
        >>> from sersk.neural_network import RNNClassifier
        >>> rng = np.random.default_rng(0)
        >>> frames = rng.normal(size=(40, 8, 20))
        >>> emotions = np.repeat(["anger", "sadness"], 20)
        >>> frames[emotions == "anger", :4] += 2  # louder below
        >>> net = RNNClassifier(hidden_sizes=(16,), max_epochs=10, random_state=0)
        >>> display = SaliencyDisplay.from_estimator(net.fit(frames, emotions), frames[0])
        >>> display.target
        'anger'
        >>> bool(display.attributions[:4].sum() > display.attributions[4:].sum())
        True
        """
        net, steps = find_net(estimator)
        clip, names = transform(as_one_clip(X, None if steps else net._n_axes), steps)
        if names is None and not steps:
            names = getattr(net, "feature_names_in_", None)
        if np.isnan(np.asarray(clip, dtype=float)).all():  # of no frame at all, too
            raise ValueError(
                "There is nothing to explain: the clip is nothing but NaN. AudioReader makes such "
                "rows of files that it could not read; their reasons stand in its failed_."
            )
        steps_of_path = None if method == "gradient_x_input" else n_steps
        found = explain(net, clip, target, steps_of_path, attention)
        if feature_names is None and names is not None and len(names) == len(found["image"]):
            feature_names = [str(name) for name in names]
        display = cls(**found, feature_names=feature_names)
        return display.plot(ax, cmap=cmap, limit=limit, title=title)


def _check_axes(ax: Any, n_panels: int, height: float) -> NDArray[Any]:
    """Return the axes of all panels: the given ones, or those of a new figure."""
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is None:
        figure = plt.figure(figsize=(8.0, height), layout="constrained")
        ratios = (3, 3, 1)[:n_panels]
        return np.ravel(figure.subplots(n_panels, sharex=True, height_ratios=ratios))
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_panels or not all(isinstance(one, Axes) for one in axes):
        raise TypeError(
            f"ax must be {n_panels} matplotlib Axes, one a panel, such as those of "
            f"plt.subplots({n_panels}); got {type(ax).__name__}."
        )
    return axes


def _name_rows(ax: Any, shape: tuple[int, ...], names: Sequence[str] | None) -> None:
    """Name features, or bins and channels: those of several channels stand on each other."""
    if len(shape) == 1 or shape[0] == 1:
        ax.set_ylabel("Feature" if len(shape) == 1 else "Bin")
        if len(shape) == 1 and names is not None and len(names) <= _MOST_NAMES:
            ax.set_yticks(range(len(names)), names, fontsize="small")
        return
    n_channels, n_bins = shape
    middles = [(i + 0.5) * n_bins - 0.5 for i in range(n_channels)]
    labels = [f"channel {i}" for i in range(n_channels)] if names is None else names
    ax.set_yticks(middles, labels, fontsize="small")
    for i in range(1, n_channels):
        ax.axhline(i * n_bins - 0.5, color="black", linewidth=0.8)
