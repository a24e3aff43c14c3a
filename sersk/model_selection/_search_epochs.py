"""Nets in a search tell how each epoch went. Imports skorch, so it is imported late itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback


class ReportEpochs(Callback):
    """Hand each epoch to a function, which may raise to end the training.

    Parameters
    ----------
    report : Report
        Called with the row of the history.
    """

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Hand on what the callbacks before this one have noted."""
        self.report(net.history[-1])


class Report:
    """A function that copies keep in common: a copy of a trial would be another trial.

    Parameters
    ----------
    function : callable
        Takes a row of the history.
    """

    def __init__(self, function: Callable[[Any], None]) -> None:
        self.function = function

    def __call__(self, row: Any) -> None:
        self.function(row)

    def __deepcopy__(self, memo: dict[int, Any]) -> Report:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # What goes to a file, such as the name of a checkpoint, does not depend on the trial.
        return Report, (_nothing,)


def _nothing(row: Any) -> None:
    pass


def add_report(net: Any, function: Callable[[Any], None]) -> None:
    """Let a net report its epochs.

    Parameters
    ----------
    net : BaseNetClassifier
        Unfitted; changed in place.
    function : callable
        Called with the row of the history of each epoch.
    """
    net.set_params(callbacks=[*(net.callbacks or []), ReportEpochs(Report(function))])
