"""How the learning rate moves while a net is trained."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch.callbacks import Callback, LRScheduler

_WARM_UP = 0.05
# torch counts epochs that are let pass before the one at whose end something happens.
_PLATEAU_PATIENCE = 4
_PLATEAU_FACTOR = 0.5


def make_schedule(name: str, lr: float, monitor: str) -> Callback:
    """Make the callback of a schedule.

    Parameters
    ----------
    name : {"cosine", "one_cycle", "plateau"}
        The schedule.
    lr : float
        The highest learning rate.
    monitor : str
        Entry of the history that ``"plateau"`` watches.

    Returns
    -------
    callback : skorch.callbacks.Callback
        For one fit.
    """
    if name == "plateau":
        return LRScheduler(
            torch.optim.lr_scheduler.ReduceLROnPlateau,
            monitor=monitor,
            factor=_PLATEAU_FACTOR,
            patience=_PLATEAU_PATIENCE,
        )
    return ByStep(name, lr)


class ByStep(Callback):
    """Set the learning rate before each step of a fit whose length is known.

    Parameters
    ----------
    name : {"cosine", "one_cycle"}
        The schedule.
    lr : float
        The highest learning rate.
    """

    def __init__(self, name: str, lr: float) -> None:
        self.name = name
        self.lr = lr

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start at the first step."""
        self.step_ = 0
        self.n_steps_ = 0

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        """Learn how many steps there will be."""
        if not self.n_steps_:
            n_batches = len(net.get_iterator(dataset_train, training=True))
            self.n_steps_ = n_batches * net.max_epochs

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rate of a step."""
        if training:
            done = self.step_ / max(self.n_steps_, 1)
            factor = one_cycle(done) if self.name == "one_cycle" else cosine(done)
            for group in net.optimizer_.param_groups:
                group["lr"] = self.lr * factor
            self.step_ += 1


def cosine(done: float) -> float:
    """Rise evenly over the first twentieth, then fall along half a cosine to 0."""
    if done < _WARM_UP:
        return max(done / _WARM_UP, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def one_cycle(done: float) -> float:
    """Rise from a 25th over three tenths, then fall to 0, both along half a cosine (Smith 2018)."""
    if done < 0.3:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * done / 0.3))
    return 0.5 * (1 + math.cos(math.pi * (done - 0.3) / 0.7))
