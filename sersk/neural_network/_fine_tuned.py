"""A net that is trained twice: first one way, then, from the weights reached, another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils._param_validation import HasMethods

from .._utils._sample_rates import check_sample_rates
from .._utils._wrapper import PredictingWrapperMixin, last_step
from ._base import BaseNetClassifier

# Of the parameters that all nets share, those that count when a net is made, and not again; and the
# one that is set here.
_OF_THE_START = ("dropout", "mask_padding", "random_state", "standardize", "warm_start")


class FineTunedClassifier(
    PredictingWrapperMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Train a net, change parameters, and train on from the weights reached.

    For a net that learns with one augmentation and is tuned with another, with masks that come
    late, or with a smaller learning rate at the end. Both stages go through the whole pipeline on
    the same clips: samplers and transformers are run again in the second one, as the changes may
    concern them.

    Parameters
    ----------
    estimator : estimator
        Pipeline of scikit-learn or imbalanced-learn whose last step is a net of
        :mod:`sersk.neural_network`, or such a net itself. It is cloned, and stays as it is.

    changes : dict of str to object
        Parameters of `estimator` for the second stage, as ``set_params`` takes them: ``{"net__lr":
        1e-4, "net__max_epochs": 10}``. Steps before the net may be replaced, as in ``{"augment":
        WaveformAugmenter(...)}``. What the net is made of, its standardisation and its seed cannot
        be changed.

    Attributes
    ----------
    estimator_ : estimator
        The fitted pipeline or net, with the parameters of the second stage.

    classes_ : ndarray of shape (n_classes,)
        The emotions, sorted.

    history_ : list of dict
        The epochs of both stages one after another, as the net notes them, with ``stage``, 1 or 2.

    n_features_in_ : int
        Number of columns seen in `fit`. Only defined if `estimator_` has it.

    feature_names_in_ : ndarray of shape (n_features,)
        Their names. Only defined if `estimator_` has them.

    See Also
    --------
    CRNNClassifier : A net; its ``warm_start`` is what the second stage is made with.

    Notes
    -----
    Means, deviations and classes are those that the net learned in the first stage; the optimizer
    and the schedule of the learning rate start anew. If the first stage is interrupted, there is no
    second one.

    Around a pipeline with samplers it takes the clip table. It can also stand as the last step of
    such a pipeline, and then both stages see the same resampled clips.

    `fit` takes clips and emotions alone: neither stage is stopped early, ``patience`` is without
    effect, and :class:`~sersk.model_selection.ValidationHoldout` can stand neither around it nor
    in it.

    With the same ``random_state`` of the net, and of the samplers, it gives the same weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.neural_network import CNNClassifier, FineTunedClassifier
    >>> rng = np.random.default_rng(0)
    >>> frames = rng.normal(size=(40, 8, 20))
    >>> emotions = np.repeat(["anger", "sadness"], 20)
    >>> net = CNNClassifier(filters=(4,), max_epochs=3, random_state=0)
    >>> changes = {"spec_augment": True, "lr": 1e-4, "max_epochs": 2}
    >>> model = FineTunedClassifier(net, changes).fit(frames, emotions)
    >>> [epoch["stage"] for epoch in model.history_]
    [1, 1, 1, 2, 2]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "changes": [dict],
    }

    # Where the work of `predict` is done.
    _predicts_with = "estimator_"

    def __init__(self, estimator: Any, changes: dict[str, Any]) -> None:
        self.estimator = estimator
        self.changes = changes

    @_fit_context(
        # The estimator's parameters are checked when it is fitted.
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: ArrayLike) -> FineTunedClassifier:
        """Train in both stages.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,)
            Their emotions.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        TypeError
            If the last step is no net of sersk.
        ValueError
            If `changes` names a parameter that is not there, or one that cannot be changed in the
            middle of a training; nothing is fitted then.
        """
        _apply(self.changes, clone(self.estimator))  # tried before hours of training
        estimator = clone(self.estimator)
        net = _net_of(estimator)
        estimator.fit(X, y)
        n_epochs = len(net.history_)
        if not net.net_.interrupted_:
            _apply(self.changes, estimator)
            net.set_params(warm_start=True)
            estimator.fit(X, y)
        self.estimator_ = estimator
        self.history_ = [
            {**epoch, "stage": 1 if number < n_epochs else 2}
            for number, epoch in enumerate(net.history_)
        ]
        return self


def _net_of(estimator: Any) -> BaseNetClassifier:
    last = last_step(estimator)
    if not isinstance(last, BaseNetClassifier):
        raise TypeError(
            "FineTunedClassifier trains a net of sersk.neural_network, alone or as the last step "
            f"of a pipeline. Got {last!r}, which cannot go on from what it has learned."
        )
    return last


def _apply(changes: Mapping[str, Any], estimator: Any) -> None:
    """Set copies of the changes in place; refuse those that a net cannot follow."""
    net = _net_of(estimator)
    before = net.get_params(deep=False)
    try:
        # Steps are fitted in place: those in `changes` stay as they are.
        estimator.set_params(**{name: clone(new, safe=False) for name, new in changes.items()})
    except ValueError as error:
        raise ValueError(f"changes does not fit the estimator. {error}") from error
    if _net_of(estimator) is not net:
        raise ValueError(
            "changes puts another net in the place of the one that is trained. Change parameters "
            f"of {type(net).__name__} instead, such as its lr."
        )
    after = net.get_params(deep=False)
    refused = [
        name
        for name in before
        if (name not in BaseNetClassifier._parameter_constraints or name in _OF_THE_START)
        and _differ(after[name], before[name])
    ]
    if refused:
        raise ValueError(
            f"changes sets {', '.join(refused)} of {type(net).__name__}, which a net that goes on "
            "from its weights keeps as it was in the first stage. Leave that out of changes."
        )
    if (before["precision"] == "float64") != (after["precision"] == "float64"):
        raise ValueError(
            "changes sets precision from "
            f"{before['precision']!r} to {after['precision']!r}. Weights stay in float64, or out "
            "of it, for the whole training: set it in estimator."
        )
    net._validate_params()
    check_sample_rates(estimator)


def _differ(one: Any, other: Any) -> bool:
    # Sizes of layers may be arrays, of which `!=` is not one answer.
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return not np.array_equal(one, other)
    return bool(one != other)
