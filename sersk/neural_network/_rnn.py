"""Recurrent neural network over frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from sklearn.utils._param_validation import StrOptions

from ..augmentation import SpecAugment
from ._base import BaseNetClassifier, RandomState
from ._data import Layout
from ._modules import RecurrentNet
from ._sizes import sizes_of


class RNNClassifier(BaseNetClassifier):
    """Recurrent neural network over frames.

    LSTM or GRU layers, one vector a clip, dense layers. It passes scikit-learn's checks, so it goes
    into pipelines, cross-validation and searches like any other classifier.

    Parameters
    ----------
    cell : {"gru", "lstm"}, default="gru"
        Kind of the recurrent layers.

    hidden_sizes : sequence of int, default=(128,)
        Units of each recurrent layer, in each direction.

    bidirectional : bool, default=True
        Whether the recurrent layers go through a clip in both directions.

    pooling : {"last", "mean", "max", "attention", "statistics"}, default="statistics"
        How the frames of a clip become one vector: their mean or maximum, a mean weighted by
        attention, or that and the weighted deviation (attentive statistics).
        ``"last"`` takes what the layers know at the end of a clip, the backward half at its start.

    hidden_units : sequence of int, default=(64,)
        Dense layers between the pooling over time and the output; empty for none.

    batch_norm : bool, default=False
        Whether batch normalisation follows recurrent and dense layers.

    dropout : float, default=0.1
        Share of the numbers behind each block and layer that is dropped in training, in [0, 1).

    activation : {"relu", "leaky_relu", "elu", "gelu", "silu"}, default="relu"
        Behind dense layers.

    standardize : bool, default=True
        Whether each feature, or each bin of each channel, gets mean 0 and deviation 1 over the
        valid frames of the training clips.

    mask_padding : bool, default=True
        Whether NaN behind the end of a clip is left out of everything. False puts zeros there,
        behind the standardisation, and takes them for sound, as most published systems do.

    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default="adamw"
        How weights follow their gradients. ``"sgd"`` has a Nesterov momentum of 0.9.

    lr : float, default=0.001
        Learning rate, > 0.

    weight_decay : float, default=0.01
        Pull of the weights to 0, >= 0: decoupled with ``"adamw"``, an L2 penalty with the others.

    batch_size : int, default=64
        Clips in a step of training, >= 1. Batches hold clips of similar lengths.

    accumulate_batches : int, default=1
        Batches whose gradients are averaged before the weights move, >= 1: steps of many clips
        where few fit into memory.

    max_epochs : int, default=40
        Times that all clips are gone through, >= 1.

    patience : int or None, default=10
        With `X_val`: epochs without improvement after which training stops; None for never. The
        weights of the best epoch are kept in any case. Without `X_val` it has no effect.

    monitor : {"loss", "balanced_accuracy"}, default="loss"
        What is to improve on `X_val`.

    lr_schedule : {"cosine", "one_cycle", "plateau"} or None, default=None
        How the learning rate moves. ``"cosine"``: a rise over the first twentieth of `max_epochs`,
        then half a cosine down to 0. ``"one_cycle"``: a rise over three tenths, then a fall.
        ``"plateau"``: halved after five epochs in which the loss (that of `X_val`, if given) did
        not fall. None: constant.

    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes, in [0, 1).

    mixup : float, default=0.0
        Pairs of clips are mixed, shares drawn from a Beta distribution with this number for both
        parameters, > 0; 0 mixes nothing.

    spec_augment : bool or SpecAugment, default=None
        Masks over time and frequency, drawn anew for each clip and epoch, in training alone. True
        takes :class:`~sersk.augmentation.SpecAugment` as it is made by default; of one that is
        given, the numbers and sizes of the masks and `fill` count. None and False: no masks.

    class_weight : dict or "balanced", default=None
        Weights of the classes in training; ``"balanced"`` makes all of them count alike.

    gradient_clip : float or None, default=5.0
        Largest norm of the gradients, > 0; None does not limit it.

    precision : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        In what steps of training are computed. ``"auto"`` takes bfloat16 where the processor or
        GPU multiplies in it by instructions of its own, otherwise float32.
        Weights and predictions are in float32, with ``"float64"`` in float64: slower, and for
        studies in which rounding must not count.

    device : str, default="auto"
        Where the net computes: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...; ``"auto"`` takes a GPU
        where there is one.

    compile : bool, default=False
        Whether torch compiles the net first, which takes a minute or more and needs a C++
        compiler where the net runs on the processor.

    callbacks : list, default=None
        Callbacks of skorch, or pairs of a name and one; each fit works with a copy.

    checkpoint_dir : path-like, default=None
        Folder for the state after each epoch, in a folder of its own for each fit, named by the
        parameters, the seed and all clips and labels: the same fit, killed and run again, goes on
        where it was and ends in the same weights; another fold or trial cannot find it. Needs a
        number for `random_state`. The folder may be deleted when it is no longer needed.

    tensorboard_dir : path-like, default=None
        Folder for TensorBoard's curves, a new one within it for each fit; needs the extra
        ``tensorboard``.

    verbose : int, default=0
        Above 0, a bar shows epochs and scores on the error stream.

    warm_start : bool, default=False
        Whether `fit` goes on from the fitted weights, means and deviations, for example with other
        clips or options; a new optimizer starts. What the net is made of stays as it was.

    random_state : int, RandomState instance or None, default=None
        Seed of first weights, order, masks, mixing and dropout. The same number gives the same
        weights on one machine and number of threads.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions, sorted.

    n_features_in_ : int
        Length of the second axis seen in `fit`: features, or channels of images.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where `X` had names that are all strings.

    history_ : list of dict
        For each epoch ``train_loss``, ``train_balanced_accuracy``, the learning rate at its end
        ``lr``, the seconds ``dur`` and, with `X_val`, ``valid_loss`` and
        ``valid_balanced_accuracy``. Those of training are taken while the weights still change,
        with dropout and masks.

    n_epochs_ : int
        Epochs trained.

    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept.

    class_prior_ : ndarray of shape (n_classes,)
        Shares of the classes in training.

    mean_, scale_ : ndarray of shape (n_features,) or (n_channels, n_bins), or None
        What is subtracted, and by what is divided then.

    net_ : skorch.NeuralNetClassifier
        The net with its training loop; ``net_.module_`` is the plain torch module.

    See Also
    --------
    CRNNClassifier : Convolutions before the recurrent layers.
    CNNClassifier : Convolutions alone.

    Notes
    -----
    Vectors, frames and images are told apart by their axes. NaN behind the end of a clip is
    padding: more or less of it changes neither a fit nor a prediction, unless
    ``mask_padding=False`` makes it silence. Vectors must hold numbers alone.

    A fitted net is pickled, copied and kept by skops with its weights as plain arrays, and can be
    loaded where there is no GPU. The state of the optimizer is not kept.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.neural_network import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> frames = rng.normal(size=(40, 8, 20))
    >>> emotions = np.repeat(["anger", "sadness"], 20)
    >>> frames[emotions == "anger", :4] += 2  # louder below
    >>> net = RNNClassifier(hidden_sizes=(16,), max_epochs=10, random_state=0)
    >>> net.fit(frames, emotions).predict(frames[[0, -1]]).tolist()
    ['anger', 'sadness']
    """

    _module_class = RecurrentNet

    _parameter_constraints: dict[str, Any] = {
        **BaseNetClassifier._parameter_constraints,
        "cell": [StrOptions({"gru", "lstm"})],
        "hidden_sizes": ["array-like"],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", "mean", "max", "attention", "statistics"})],
        "hidden_units": ["array-like"],
        "batch_norm": ["boolean"],
        "activation": [StrOptions({"relu", "leaky_relu", "elu", "gelu", "silu"})],
    }

    def __init__(
        self,
        *,
        cell: Literal["gru", "lstm"] = "gru",
        hidden_sizes: Sequence[int] = (128,),
        bidirectional: bool = True,
        pooling: Literal["last", "mean", "max", "attention", "statistics"] = "statistics",
        hidden_units: Sequence[int] = (64,),
        batch_norm: bool = False,
        dropout: float = 0.1,
        activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu"] = "relu",
        standardize: bool = True,
        mask_padding: bool = True,
        optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adamw",
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 64,
        accumulate_batches: int = 1,
        max_epochs: int = 40,
        patience: int | None = 10,
        monitor: Literal["loss", "balanced_accuracy"] = "loss",
        lr_schedule: Literal["cosine", "one_cycle", "plateau"] | None = None,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        spec_augment: bool | SpecAugment | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        gradient_clip: float | None = 5.0,
        precision: Literal["auto", "bfloat16", "float32", "float64"] = "auto",
        device: str = "auto",
        compile: bool = False,
        callbacks: list[Any] | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        tensorboard_dir: str | os.PathLike[str] | None = None,
        verbose: int = 0,
        warm_start: bool = False,
        random_state: RandomState = None,
    ) -> None:
        self.cell = cell
        self.hidden_sizes = hidden_sizes
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.hidden_units = hidden_units
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.activation = activation
        self.standardize = standardize
        self.mask_padding = mask_padding
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.accumulate_batches = accumulate_batches
        self.max_epochs = max_epochs
        self.patience = patience
        self.monitor = monitor
        self.lr_schedule = lr_schedule
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.spec_augment = spec_augment
        self.class_weight = class_weight
        self.gradient_clip = gradient_clip
        self.precision = precision
        self.device = device
        self.compile = compile
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.tensorboard_dir = tensorboard_dir
        self.verbose = verbose
        self.warm_start = warm_start
        self.random_state = random_state

    def _layout(self, n_axes: int) -> Layout:
        return "sequence"

    def _module_options(self, shape: tuple[int, ...], n_frames: int) -> dict[str, Any]:
        return {
            "in_size": shape[0],
            "cell": self.cell,
            "hidden_sizes": sizes_of("hidden_sizes", self.hidden_sizes, at_least_one=True),
            "bidirectional": self.bidirectional,
            "pooling": self.pooling,
            "hidden_units": sizes_of("hidden_units", self.hidden_units),
            "batch_norm": self.batch_norm,
            "dropout": self.dropout,
            "activation": self.activation,
        }
