"""What happens beside the training loop; each callback has one duty."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor

from ..exceptions import TrainingError


class EpochScores(Callback):
    """Record loss and balanced accuracy of each epoch, in training and validation.

    In training they are those of the batches as the net saw them: with dropout, masks and weights
    that were still changing.
    """

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Start to count."""
        self.seen_: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "valid": []}

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Note what was predicted for a batch."""
        x, y = batch
        # Where clips were mixed, the one of which there is more counts.
        true = y if x.target is None else x.target.argmax(1)
        found = kwargs["y_pred"].detach().argmax(1)
        self.seen_["train" if training else "valid"].append((true, found))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write the scores into the history."""
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        for part, seen in self.seen_.items():
            if seen:
                true, found = (
                    torch.cat(labels).cpu().numpy() for labels in zip(*seen, strict=True)
                )
                net.history.record(f"{part}_balanced_accuracy", balanced_accuracy(true, found))
        self.seen_ = {"train": [], "valid": []}


def balanced_accuracy(true: np.ndarray, found: np.ndarray) -> float:
    """Mean recall of the classes that occur; scikit-learn's, without its checks of the labels."""
    n = np.bincount(true)
    hits = np.bincount(true[true == found], minlength=len(n))
    return float(np.mean(hits[n > 0] / n[n > 0]))


class StopAtNonFiniteLoss(Callback):
    """Raise as soon as the loss is no number."""

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Look at the loss of a batch."""
        if not training:
            return
        row = net.history[-1]
        loss = row["batches"][-1]["train_loss"]
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {row['epoch']}, batch {len(row['batches'])}. "
                f"{what_to_try(net.optimizer_.param_groups[0]['lr'])}"
            )


def what_to_try(lr: float) -> str:
    """Advise somebody whose net got out of hand."""
    return (
        f"Try a lower lr (now {lr:g}), gradient_clip=1.0, standardize=True, or another "
        "random_state."
    )


class KeepBest(Callback):
    """Keep the weights of the best epoch in validation, and stop when it gets no better.

    Parameters
    ----------
    monitor : str
        Entry of the history.
    higher_is_better : bool
        Whether more of it is better.
    patience : int or None
        Epochs without improvement after which training stops; None: never.
    """

    def __init__(self, monitor: str, higher_is_better: bool, patience: int | None) -> None:
        self.monitor = monitor
        self.higher_is_better = higher_is_better
        self.patience = patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget what was best before: other data may be at hand now."""
        self.best_: float | None = None
        self.best_epoch_: int | None = None
        self.weights_: dict[str, Tensor] | None = None
        self.misses_ = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare an epoch with the best one."""
        value = net.history[-1, self.monitor]
        # No number is better than any loss that is none.
        better = self.best_ is None or (
            value > self.best_ if self.higher_is_better else value < self.best_
        )
        if better and np.isfinite(value):
            self.best_, self.misses_ = value, 0
            self.best_epoch_ = net.history[-1, "epoch"]
            weights = net.module_.state_dict()
            self.weights_ = {name: weight.detach().clone() for name, weight in weights.items()}
            return
        self.misses_ += 1
        if self.patience is not None and self.misses_ >= self.patience:
            # skorch's own callbacks raise here, and those behind them miss the epoch.
            net.stop_ = True

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best weights."""
        if self.weights_ is not None:
            net.module_.load_state_dict(self.weights_)
            self.weights_ = None


def curve_name(key: str) -> str:
    """Name the curve of an entry of the history, so that TensorBoard shows both parts together.

    Parameters
    ----------
    key : str
        Such as ``"valid_loss"``.

    Returns
    -------
    name : str
        Such as ``"loss/valid"``.
    """
    part, _, quantity = key.partition("_")
    return f"{quantity}/{part}" if part in ("train", "valid") else key


def scores_of(row: Any) -> str:
    """Say in one line how an epoch went."""
    return "   ".join(
        f"{part} loss {row[f'{part}_loss']:.3f}, UAR {row[f'{part}_balanced_accuracy']:.3f}"
        for part in ("train", "valid")
        if f"{part}_loss" in row
    )
