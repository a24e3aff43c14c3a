"""skorch's net, fed with batches of clips."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch import Tensor
from torch.nn import functional as F

from .._utils._progress import track
from ..exceptions import TrainingError
from ._augment import Augmentation
from ._callbacks import EpochScores, StopAtNonFiniteLoss, scores_of, what_to_try
from ._checkpoint import Checkpoint
from ._data import Batch, BatchIterator, ClipDataset, Preparation


class SkorchNet(NeuralNetClassifier):
    """The training loop: skorch's, with batches, targets and interrupts of our own.

    Parameters
    ----------
    module : torch.nn.Module
        The net: takes clips and their lengths, gives one number a class.
    prepare : Preparation
        What is done to all clips.
    augment : Augmentation or None
        What is done to clips in training. None for a net that makes predictions alone, without
        callbacks and state of the optimizer.
    bfloat16 : bool
        Whether steps of training are computed in bfloat16, where torch thinks that it does no harm.
    show_progress : bool
        Whether a bar of the epochs is shown.
    accumulate_batches : int
        Batches whose gradients are averaged before weights move.
    **kwargs : dict
        skorch's own.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        *,
        prepare: Preparation,
        augment: Augmentation | None,
        bfloat16: bool = False,
        show_progress: bool = False,
        accumulate_batches: int = 1,
        **kwargs: Any,
    ) -> None:
        self.prepare = prepare
        self.augment = augment
        self.bfloat16 = bfloat16
        self.show_progress = show_progress
        self.accumulate_batches = accumulate_batches
        self.interrupted_ = False
        self.stop_ = False
        self.checkpoint_: Checkpoint | None = None
        self.valid_: ClipDataset | None = None
        super().__init__(
            module, criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0, **kwargs
        )

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("non_finite", StopAtNonFiniteLoss()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("epoch_scores", EpochScores()),
        ]

    def train(
        self,
        data: ClipDataset,
        valid: ClipDataset | None,
        epochs: int,
        checkpoint: Checkpoint | None = None,
    ) -> SkorchNet:
        """Train for some epochs, on from where the weights, or the checkpoint, are."""
        self.valid_ = valid
        self.checkpoint_ = checkpoint
        self.interrupted_ = self.stop_ = False
        for part in (data, valid):
            if part is not None:
                part.move_to(self.prepare.device)
        try:
            self.partial_fit(data, epochs=epochs)
        finally:
            self.valid_ = None
        self._check_outcome(data)
        return self

    def _check_outcome(self, data: ClipDataset) -> None:
        """Look at one batch: the loss is that from before a step, and the last may go too far."""
        rows = data.rows[: self.batch_size]
        self.module_.eval()
        with torch.inference_mode():
            scores = self.infer(self.get_iterator(data).take(rows))
        if not scores.isfinite().all():
            raise TrainingError(
                "what the net computes is no number after the last step. "
                f"{what_to_try(self.optimizer_.param_groups[0]['lr'])}"
            )

    def get_iterator(self, dataset: ClipDataset, training: bool = False) -> BatchIterator:
        """Give the batches of an epoch."""
        augment = self.augment if training else None
        return BatchIterator(dataset, self.prepare, self.batch_size, augment)

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> SkorchNet:
        """Train epoch by epoch, and note whether somebody interrupted it."""
        self.check_training_readiness()
        data = {"dataset_train": X, "dataset_valid": self.valid_}
        train = self.get_iterator(X, training=True)
        valid = None if self.valid_ is None else self.get_iterator(self.valid_)
        self.n_batches_ = len(train)
        if self.checkpoint_ is not None:
            self.checkpoint_.restore(self)
        for n_complete in self._epochs(len(self.history), epochs or self.max_epochs):
            if self.stop_:
                break
            try:
                self.notify("on_epoch_begin", **data)
                self.run_single_epoch(train, True, "train", self.train_step)
                self.run_single_epoch(valid, False, "valid", self.validation_step)
            except KeyboardInterrupt:
                self.interrupted_ = True
                # Half an epoch has half the entries, and plots would stumble over it.
                del self.history[n_complete:]
                break
            try:
                self.notify("on_epoch_end", **data)
            except KeyboardInterrupt:  # what callbacks of skorch do when they have seen enough
                self.stop_ = True
            if self.checkpoint_ is not None:
                self.checkpoint_.save(self)
        return self

    def _epochs(self, n_done: int, n_epochs: int) -> Iterable[int]:
        return track(
            range(n_done, n_epochs),
            total=n_epochs - n_done,
            description="epoch",
            show=self.show_progress,
            note=lambda: scores_of(self.history[-1]) if len(self.history) else "",
        )

    def train_step(self, batch: tuple[Batch, Tensor], **fit_params: Any) -> dict[str, Tensor]:
        """Learn from a batch; with others, where gradients are gathered."""
        if self.accumulate_batches == 1:
            return super().train_step(batch, **fit_params)  # type: ignore[no-any-return]
        number = len(self.history[-1, "batches"]) - 1  # the entry of this batch is there already
        first = number - number % self.accumulate_batches
        last = min(first + self.accumulate_batches, self.n_batches_) - 1
        if number == first:
            self._zero_grad_optimizer()
        step = self.train_step_single(batch, **fit_params)
        if number == last:
            parameters = list(self.get_all_learnable_params())
            for _, weight in parameters:
                if weight.grad is not None:
                    weight.grad /= last - first + 1
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
            self.optimizer_.step()
        return step  # type: ignore[no-any-return]

    def infer(self, x: Batch, **fit_params: Any) -> Tensor:
        """Run the net on a batch."""
        # Predictions stay in float32: in bfloat16 a clip's would depend on its batch.
        low = self.bfloat16 and self.module_.training
        context = torch.autocast(x.x.device.type, torch.bfloat16) if low else nullcontext()
        with context:
            scores: Tensor = self.module_(x.x, x.lengths)
        return scores if scores.dtype == torch.float64 else scores.float()

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Batch | None = None, training: bool = False
    ) -> Tensor:
        """Cross-entropy, in training with shares of the classes and weights of the clips."""
        if X is None or X.target is None:
            return F.cross_entropy(y_pred, y_true)
        return -(X.target * F.log_softmax(y_pred, 1)).sum(1).mean()
