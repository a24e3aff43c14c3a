"""What all nets share: scikit-learn's face outside, skorch's training loop inside."""

from __future__ import annotations

import copy
import os
import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_array,
    check_is_fitted,
    column_or_1d,
    validate_data,
)
from skorch.callbacks import GradientNormClipping, TensorBoard

from .._utils._extras import import_extra
from .._utils._lengths import valid_lengths
from ..augmentation import SpecAugment
from ..exceptions import TrainingError, TrainingInterruptedWarning
from ._augment import Augmentation
from ._callbacks import KeepBest, curve_name
from ._checkpoint import Checkpoint, name_of_fit
from ._data import (
    BatchIterator,
    ClipDataset,
    Layout,
    Preparation,
    cut,
    shape_in_layout,
    weighted_moments,
)
from ._devices import computes_in_bfloat16, find_device
from ._engine import SkorchNet
from ._randomness import seeded
from ._schedules import make_schedule

RandomState: TypeAlias = int | np.random.RandomState | None

_OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
}

# What to watch for early stopping: entry of the history, and whether more of it is better.
_MONITORS = {"loss": ("valid_loss", False), "balanced_accuracy": ("valid_balanced_accuracy", True)}

# Callbacks that have no business after the fit for which they were made.
_OF_ONE_FIT = ("keep_best", "lr_schedule")
# Name of the callback that a change of `gradient_clip` replaces.
_CLIPPING = "gradient_clip"

# Parameters that change nothing in the weights, so that another value finds the same checkpoint.
_WITHOUT_EFFECT = ("checkpoint_dir", "random_state", "tensorboard_dir", "verbose")

# Predictions need no gradients, so more clips than in training fit into memory.
_MIN_PREDICTION_BATCH = 64


class BaseNetClassifier(ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of all nets: everything but the net itself.

    A public class says what its net is made of: a module's class, its layout and its parameters.
    """

    _module_class: type[torch.nn.Module]

    classes_: NDArray[Any]
    net_: SkorchNet
    mean_: NDArray[np.float64] | None
    scale_: NDArray[np.float64] | None

    _parameter_constraints: dict[str, Any] = {
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "standardize": ["boolean"],
        "mask_padding": ["boolean"],
        "optimizer": [StrOptions(set(_OPTIMIZERS))],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "monitor": [StrOptions(set(_MONITORS))],
        "lr_schedule": [StrOptions({"cosine", "one_cycle", "plateau"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "spec_augment": ["boolean", SpecAugment, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
        "precision": [StrOptions({"auto", "bfloat16", "float32", "float64"})],
        "device": [str, Hidden(torch.device)],
        "accumulate_batches": [Interval(Integral, 1, None, closed="left")],
        "compile": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "tensorboard_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _layout(self, n_axes: int) -> Layout:
        """Name the layout that the net takes arrays of `n_axes` axes in."""

    @abstractmethod
    def _module_options(self, shape: tuple[int, ...], n_frames: int) -> dict[str, Any]:
        """Give what the module is made with, but for the number of classes.

        Parameters
        ----------
        shape : tuple of int
            Axes between clips and frames of one clip, in the layout of the net.
        n_frames : int
            Frames of the longest clip.

        Returns
        -------
        options : dict
            Plain numbers, strings and tuples.
        """

    # ---------------------------------------------------------------------------------- fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        y_proba: ArrayLike | None = None,
    ) -> BaseNetClassifier:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), (n_clips, n_features, n_frames) or \
                (n_clips, n_channels, n_bins, n_frames)
            Vectors, frames or images, NaN behind the end of a clip.

        y : array-like of shape (n_clips,)
            Their emotions.

        sample_weight : array-like of shape (n_clips,), default=None
            Weights of the clips; by default all weigh the same.

        X_val : array-like, default=None
            Clips of other speakers, on which nothing is trained: the epoch that does best on them
            is kept, and training stops when it gets no better. See
            :class:`~sersk.model_selection.ValidationHoldout`.

        y_val : array-like, default=None
            Their emotions.

        y_proba : array-like of shape (n_clips, n_classes), default=None
            Share of each class in each clip, such as the votes of listeners, in the order of the
            sorted classes of `y`. The net is trained towards them instead of `y`.

        Returns
        -------
        self : object
            The fitted net.

        Raises
        ------
        ValueError
            If there is but one class, a clip is nothing but NaN or has NaN before its end, or
            shapes, labels or parameters do not fit together.
        sersk.exceptions.TrainingError
            If the loss is no number any more.
        """
        go_on = self.warm_start and hasattr(self, "net_")
        y = _check_labels(y, "y")
        classes = np.unique(y)
        if len(classes) < 2 and len(y):
            raise ValueError(
                f"{type(self).__name__} needs clips of two classes or more. Got one class: "
                f"{classes.tolist()}."
            )
        if go_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with the classes {self.classes_.tolist()}. Got "
                f"{classes.tolist()}; set warm_start=False to start anew."
            )
        X, lengths = self._check_X(X, reset=not go_on)
        if not go_on:
            self.classes_ = classes
        data = self._training_data(X, lengths, y, sample_weight, y_proba)
        valid = self._validation_data(X_val, y_val)
        if not go_on:
            self._start(data)
        callbacks = self._make_callbacks(valid is not None)
        self._renew_net(callbacks, keep_weights=go_on)
        checkpoint = self._make_checkpoint(data, valid)
        return self._train(data, valid, self.max_epochs, checkpoint)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> BaseNetClassifier:
        """Train for one epoch, from the weights and the state of the optimizer as they are.

        The first call learns means, deviations and, where frames are flattened, the length of
        clips; later calls keep them. Schedules of the learning rate have no meaning here.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...)
            Clips, as for `fit`.

        y : array-like of shape (n_clips,)
            Their emotions.

        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur; needed in the first call.

        sample_weight : array-like of shape (n_clips,), default=None
            Weights of the clips; by default all weigh the same.

        Returns
        -------
        self : object
            The net.
        """
        first = not hasattr(self, "net_")
        y = _check_labels(y, "y")
        X, lengths = self._check_X(X, reset=first)
        _check_partial_fit_first_call(self, classes)
        data = self._training_data(X, lengths, y, sample_weight, None)
        if first:
            self._start(data)
        if first or self.net_.augment is None:
            self._renew_net(self._make_callbacks(None), keep_weights=not first)
        else:
            self._renew_options()
        return self._train(data, None, 1)

    def _check_X(
        self, X: Any, *, reset: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.intp] | None]:
        """Check clips; give them with their lengths, None for vectors."""
        if reset:
            self._double = self.precision == "float64"
        n_axes = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
        # Lengths are counted below, which finds infinity and misplaced NaN on the way.
        X = validate_data(
            self, X, reset=reset, dtype=self._dtype(), allow_nd=True, order="C",
            ensure_all_finite=n_axes < 3,
        )  # fmt: skip
        if X.ndim > 4:
            raise ValueError(
                f"{type(self).__name__} takes vectors (n_clips, n_features), frames (n_clips, "
                "n_features, n_frames) or images (n_clips, n_channels, n_bins, n_frames). Got an "
                f"array of shape {X.shape}."
            )
        inner = X.shape[1:] if X.ndim == 2 else X.shape[1:-1]
        if reset:
            self._inner_shape, self._n_axes = inner, X.ndim
        elif (X.ndim, inner) != (self._n_axes, self._inner_shape):
            expected = (*self._inner_shape, *(["n_frames"] if self._n_axes > 2 else []))
            raise ValueError(
                f"{type(self).__name__} was fitted on clips of shape "
                f"({', '.join(map(str, expected))}). Got clips of shape {X.shape[1:]}."
            )
        return X, None if X.ndim == 2 else valid_lengths(X)

    def _dtype(self) -> type[np.float32] | type[np.float64]:
        return np.float64 if self._double else np.float32

    def _training_data(
        self,
        X: NDArray[np.floating],
        lengths: NDArray[np.intp] | None,
        y: Any,
        sample_weight: ArrayLike | None,
        y_proba: ArrayLike | None,
    ) -> ClipDataset:
        """Check what belongs to clips for training, and put it beside them."""
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} clips and y {len(y)} labels.")
        if lengths is not None and not lengths.all():
            rows = np.flatnonzero(lengths == 0)
            raise ValueError(
                f"{len(rows)} of {len(X)} clips are nothing but NaN, row {rows[0]} is the first. "
                "They could not be read, and there is nothing to train on: put DropUnreadable() "
                "into the pipeline, behind the reader."
            )
        weight = np.ones(len(X))
        if sample_weight is not None:
            weight = weight * _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, y)
        share = None if y_proba is None else self._check_shares(y_proba, len(X))
        numbers = self._numbers(y, "y")
        # A clip of no weight must not stand in the statistics of a batch either.
        rows = np.flatnonzero(weight)
        if not len(rows):
            raise ValueError("All clips have a weight of 0.")
        even = np.all(weight == weight[0])
        weights = None if even else (weight / weight[rows].mean()).astype(X.dtype)
        return ClipDataset(X, lengths, numbers, share, weights, rows)

    def _check_shares(self, y_proba: ArrayLike, n_clips: int) -> NDArray[np.floating]:
        share = check_array(y_proba, dtype=np.float64, input_name="y_proba")
        expected = (n_clips, len(self.classes_))
        if share.shape != expected:
            raise ValueError(
                f"y_proba should hold the share of each of the classes {self.classes_.tolist()} "
                f"in each clip, of shape {expected}. Got {share.shape}."
            )
        total = share.sum(axis=1)
        if share.min() < 0 or not total.all():
            row = int(np.argmin(np.where(share.min(axis=1) < 0, -1, total)))
            raise ValueError(
                f"Each row of y_proba should be shares >= 0, and not all 0. Row {row} is "
                f"{share[row].tolist()}."
            )
        return np.asarray(share / total[:, None], dtype=self._dtype())

    def _validation_data(self, X_val: Any, y_val: Any) -> ClipDataset | None:
        """Check clips for validation; those that could not be read are left out."""
        if X_val is None or y_val is None:
            if X_val is not None or y_val is not None:
                raise ValueError("X_val and y_val go together. Got one of them alone.")
            return None
        X, lengths = self._check_X(X_val, reset=False)
        y = self._numbers(_check_labels(y_val, "y_val"), "y_val")
        if len(y) != len(X):
            raise ValueError(f"X_val has {len(X)} clips and y_val {len(y)} labels.")
        data = ClipDataset(X, lengths, y)
        if lengths is not None:
            data.rows = data.rows[lengths[data.rows] > 0]
            if not len(data):
                raise ValueError("All clips of X_val are nothing but NaN: none could be read.")
        return data

    def _numbers(self, y: NDArray[Any], name: str) -> NDArray[np.int64]:
        """Turn labels into numbers of classes."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"{name} holds labels that are no classes of this net: {unknown.tolist()[:5]}. "
                f"Its classes are {self.classes_.tolist()}."
            )
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _start(self, data: ClipDataset) -> None:
        """Learn all that is learned once, before the first epoch."""
        self.mean_ = self.scale_ = None
        if self.standardize:
            self.mean_, self.scale_ = weighted_moments(data.X, data.lengths, data.weight)
        weight = np.ones(len(data)) if data.weight is None else data.weight.astype(np.float64)
        share = np.eye(len(self.classes_))[data.y] if data.share is None else data.share
        self.class_prior_ = weight @ share / weight.sum()
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.history_: list[dict[str, Any]] = []
        n_frames = data.X.shape[-1]
        if data.lengths is not None and self.mask_padding:
            n_frames = int(data.lengths[data.rows].max())
        self._fill_to = None if self.mask_padding else n_frames
        # As it was in fit: parameters may change before the next one.
        layout = self._seen_as = self._layout(self._n_axes)
        self._options = {
            **self._module_options(
                shape_in_layout(self._inner_shape, layout),
                # A vector is one frame, or, for convolutions along it, one series.
                n_frames if self._n_axes > 2 or layout == "vector" else 1,
            ),
            "n_classes": len(self.classes_),
        }

    def _renew_net(self, callbacks: list[Any], *, keep_weights: bool) -> None:
        """Make a net with the parameters as they are now."""
        weights = _to_arrays(self.net_.module_) if keep_weights else None
        device = find_device(self.device)
        with seeded(device, self._seed, len(self.history_)):
            self.net_ = self._build_net(device, callbacks)
        if weights is not None:
            _load_arrays(self.net_.module_, weights)

    def _renew_options(self) -> None:
        """Tell a net that goes on with its optimizer the parameters as they are now."""
        net = self.net_
        others = [pair for pair in net.callbacks_ if pair[0] not in (*_OF_ONE_FIT, _CLIPPING)]
        clipping = [(name, callback.initialize()) for name, callback in self._clip_gradients()]
        net.callbacks_ = clipping + others
        net.bfloat16 = self._trains_in_bfloat16(torch.device(net.device))
        net.batch_size = self.batch_size
        net.accumulate_batches = self.accumulate_batches
        net.augment = self._make_augmentation()
        for group in net.optimizer_.param_groups:
            group.update(lr=self.lr, weight_decay=self.weight_decay)

    def _build_net(self, device: torch.device, callbacks: list[Any] | None) -> SkorchNet:
        """Make a net of what was fitted; without callbacks, for predictions alone."""
        optimizer, options = _OPTIMIZERS[self.optimizer]
        layout = self._seen_as
        module = self._module_class(**self._options)
        if self._double:
            module = module.double()
        if layout == "image":
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        net = SkorchNet(
            module,
            prepare=Preparation(
                self.mean_,
                self.scale_,
                layout,
                self._fill_to,
                device,
                torch.float64 if self._double else torch.float32,
            ),
            augment=None if callbacks is None else self._make_augmentation(),
            bfloat16=self._trains_in_bfloat16(device),
            show_progress=bool(self.verbose),
            accumulate_batches=self.accumulate_batches,
            compile=self.compile and callbacks is not None,
            optimizer=optimizer,
            optimizer__weight_decay=self.weight_decay,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            device=str(device),
            callbacks=callbacks,
            classes=list(range(len(self.classes_))),
            **{f"optimizer__{name}": value for name, value in options.items()},
        )
        return net.initialize()  # type: ignore[no-any-return]

    def _trains_in_bfloat16(self, device: torch.device) -> bool:
        if self.precision != "auto":
            return bool(self.precision == "bfloat16")
        return computes_in_bfloat16(device)

    def _make_augmentation(self) -> Augmentation:
        masks = self.spec_augment
        if masks is True:
            masks = SpecAugment()
        elif masks is False:
            masks = None
        if masks is not None and self._n_axes == 2:
            raise ValueError(
                "spec_augment masks time and frequency of frames or images; vectors have neither. "
                "Set spec_augment=None."
            )
        return Augmentation(len(self.classes_), masks, self.mixup, self.label_smoothing)

    def _make_callbacks(self, validated: bool | None) -> list[Any]:
        """Make the callbacks of a fit with validation or without, or, for None, of one epoch."""
        callbacks: list[Any] = self._clip_gradients()
        if validated is not None and self.lr_schedule is not None:
            monitor = "valid_loss" if validated else "train_loss"
            callbacks.append(("lr_schedule", make_schedule(self.lr_schedule, self.lr, monitor)))
        if validated:
            callbacks.append(("keep_best", KeepBest(*_MONITORS[self.monitor], self.patience)))
        if self.tensorboard_dir is not None:
            import_extra("tensorboard", extra="tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(_new_folder(self.tensorboard_dir))
            callbacks.append(("tensorboard", TensorBoard(writer, key_mapper=curve_name)))
        for callback in self.callbacks or []:
            inner = callback[1] if isinstance(callback, tuple) else callback
            if not hasattr(inner, "on_epoch_end"):
                raise ValueError(
                    "callbacks should hold callbacks of skorch, or pairs of a name and one. Got "
                    f"{callback!r}."
                )
        # Callbacks learn: those of the user stay as they are, so that a clone starts afresh.
        return callbacks + copy.deepcopy(list(self.callbacks or []))

    def _clip_gradients(self) -> list[tuple[str, GradientNormClipping]]:
        if self.gradient_clip is None:
            return []
        return [(_CLIPPING, GradientNormClipping(self.gradient_clip))]

    def _make_checkpoint(self, data: ClipDataset, valid: ClipDataset | None) -> Checkpoint | None:
        """Name the fit by all that it depends on: no other may go on from its weights."""
        if self.checkpoint_dir is None:
            return None
        if self.random_state is None:
            raise ValueError(
                "checkpoint_dir needs a number for random_state: without one each fit draws "
                "another seed, and none can go on from the weights of another."
            )
        parameters = self.get_params(deep=False)
        for name in _WITHOUT_EFFECT:
            del parameters[name]
        arrays = [data.X, data.y, data.share, data.weight, data.rows]
        if valid is not None:
            arrays += [valid.X, valid.y, valid.rows]
        arrays += [weight for _, weight in sorted(_to_arrays(self.net_.module_).items())]
        name = name_of_fit(parameters, [type(self), self._seed, self.net_.device], arrays)
        return Checkpoint(Path(self.checkpoint_dir) / name)

    def _train(
        self,
        data: ClipDataset,
        valid: ClipDataset | None,
        epochs: int,
        checkpoint: Checkpoint | None = None,
    ) -> BaseNetClassifier:
        net, n_before = self.net_, len(self.history_)
        net.initialize_history()
        try:
            with seeded(torch.device(net.device), self._seed, n_before, 1):
                net.train(data, valid, epochs, checkpoint)
        except TrainingError:
            # What is left predicts nothing.
            del self.net_
            raise
        self.history_ += [
            {"epoch": n_before + number, **_numbers_of(row)}
            for number, row in enumerate(net.history, start=1)
        ]
        self.n_epochs_ = len(self.history_)
        self.best_epoch_ = self.n_epochs_
        for name, callback in net.callbacks_:
            if name == "keep_best" and callback.best_epoch_ is not None:
                self.best_epoch_ = n_before + callback.best_epoch_
        if net.interrupted_:
            kept = "best weights until then" if valid and net.history else "weights it has now"
            warnings.warn(
                f"{type(self).__name__} was interrupted after {len(net.history)} of {epochs} "
                f"epochs and keeps the {kept}.",
                TrainingInterruptedWarning,
                stacklevel=4,  # behind scikit-learn's context of a fit
            )
        return self

    # ------------------------------------------------------------------------------- predicting

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Predict the probability of each emotion.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...)
            Clips, as for `fit`; those of nothing but NaN, which could not be read, get the shares
            that the classes had in training.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In float32, unless ``precision="float64"``. Rows sum to 1; columns are in the order of
            ``classes_``.
        """
        check_is_fitted(self, "net_")
        X, lengths = self._check_X(X, reset=False)
        net = self.net_
        data = ClipDataset(X, lengths, np.zeros(0, dtype=np.int64))
        batches = BatchIterator(data, net.prepare, max(self.batch_size, _MIN_PREDICTION_BATCH))
        probabilities = np.empty((len(X), len(self.classes_)), dtype=X.dtype)
        net.module_.eval()
        with torch.inference_mode():
            for rows in cut(data.rows, batches.batch_size):
                scores = net.infer(batches.take(rows))
                probabilities[rows] = torch.softmax(scores, dim=1).cpu().numpy()
        if lengths is not None:
            probabilities[lengths == 0] = self.class_prior_
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the most probable emotion.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...)
            Clips, as for `fit`.

        Returns
        -------
        emotions : ndarray of shape (n_clips,)
            One of ``classes_`` each.
        """
        most_probable = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[most_probable])

    # ----------------------------------------------------------------------------------- keeping

    def __getstate__(self) -> dict[str, Any]:
        """Give the state with weights as plain arrays, which any machine and device can take."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "net_" in state:
            state["_weights"] = _to_arrays(state.pop("net_").module_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the net anew and give it the weights."""
        state = dict(state)
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is not None:
            device = find_device(self.device, or_else="cpu")
            # The first weights are drawn by chance, before they are overwritten.
            with seeded(device, 0):
                self.net_ = self._build_net(device, None)
            _load_arrays(self.net_.module_, weights)


def _check_labels(y: Any, name: str) -> NDArray[Any]:
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name=name)
    check_classification_targets(y)
    return y  # type: ignore[no-any-return]


def _new_folder(parent: str | os.PathLike[str]) -> str:
    """Make a folder for one fit, also where several processes do so at once."""
    number = 0
    while True:
        folder = os.path.join(os.fspath(parent), f"fit_{number:03d}")
        try:
            os.makedirs(folder)
        except FileExistsError:
            number += 1
        else:
            return folder


def _to_arrays(module: torch.nn.Module) -> dict[str, NDArray[Any]]:
    weights = plain_module(module).state_dict()
    return {name: weight.cpu().numpy().copy() for name, weight in weights.items()}


def plain_module(module: torch.nn.Module) -> torch.nn.Module:
    """Give the module behind one that torch has compiled."""
    plain: torch.nn.Module = getattr(module, "_orig_mod", module)
    return plain


def _load_arrays(module: torch.nn.Module, weights: dict[str, NDArray[Any]]) -> None:
    plain_module(module).load_state_dict(
        {name: torch.from_numpy(np.array(w)) for name, w in weights.items()}
    )


def _numbers_of(row: dict[str, Any]) -> dict[str, Any]:
    """Give the numbers of an epoch, without its batches and marks of the best."""
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "epoch"
        and not name.endswith("batch_count") and not name.startswith("event_")
    }  # fmt: skip
