"""Whose trials: who computes one, which count, and what becomes of those whose process died."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

# What trials are marked with.
WORKER = "sersk_worker"  # who computes it
WHOLE = "sersk_whole"  # all its parameters are drawn
RESULT = "sersk_result"  # scores, seconds, error
LOST = "sersk_lost"  # why it counts for nothing
REPLACES = "sersk_replaces"  # number of the lost trial whose parameters it has
DEATHS = "sersk_deaths"  # how many processes died of these parameters

_DIED = "its process died"
# A trial that is not claimed by then was left by a process that died between two lines.
_SECONDS_TO_CLAIM = 5.0
# Then it is not chance any more: it may need more memory than there is.
_DEATHS_TO_FAIL = 3


def claim(trial: Trial, search: str) -> None:
    """Note who computes a trial.

    Parameters
    ----------
    trial : Trial
        Just begun.
    search : str
        Token of the call of `fit`.
    """
    pid = os.getpid()
    trial.set_user_attr(
        WORKER,
        {
            "host": socket.gethostname(),
            "pid": pid,
            "started": _started(pid),
            "search": search,
        },
    )


def _started(pid: int) -> str | None:
    """Tell when a process began, where the system says so: numbers of processes come again."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_alive(worker: Mapping[str, Any]) -> bool:
    """Tell whether a process of this machine is still there; of others nothing is known."""
    if worker["host"] != socket.gethostname():
        return True
    if os.name == "nt":
        return True  # to ask would be to press Ctrl-C there
    try:
        os.kill(worker["pid"], 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # there, and somebody else's
    return worker["started"] is None or worker["started"] == _started(worker["pid"])


def trials_of(study: Study) -> list[FrozenTrial]:
    """Give the trials that count, in their order.

    Parameters
    ----------
    study : Study
        Of a search.

    Returns
    -------
    trials : list of FrozenTrial
        Those that are finished, without those that were lost.
    """
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and LOST not in trial.user_attrs
    ]


def n_begun(study: Study, before: int | None = None) -> int:
    """Count the trials that are finished, or that a process of this machine works on.

    Parameters
    ----------
    study : Study
        Of a search.
    before : int, default=None
        Count those with a lower number alone.

    Returns
    -------
    n_begun : int
        Without those that were lost.
    """
    here = socket.gethostname()
    return sum(
        trial.state.is_finished()
        or (
            trial.state == TrialState.RUNNING
            # Whether somebody elsewhere is still there cannot be told: nobody waits for him.
            and trial.user_attrs.get(WORKER, {"host": here})["host"] == here
        )
        for trial in study.get_trials(deepcopy=False)[:before]
        if LOST not in trial.user_attrs
    )


def rank_of(study: Study, number: int) -> int:
    """Count the trials before one, without those that were lost.

    Parameters
    ----------
    study : Study
        Of a search.
    number : int
        Of the trial.

    Returns
    -------
    rank : int
        Its number, had nobody ever been killed.
    """
    before = study.get_trials(deepcopy=False)[:number]
    return number - sum(LOST in trial.user_attrs for trial in before)


def lose(study: Study, trial: FrozenTrial | Trial, why: str) -> None:
    """Take a trial out of the count; `renew_lost` tries its parameters again.

    Parameters
    ----------
    study : Study
        Of a search.
    trial : Trial or FrozenTrial
        One that is running.
    why : str
        Noted with it.
    """
    end(study, trial, LOST, why)


def end(study: Study, trial: FrozenTrial | Trial, mark: str, value: Any) -> None:
    """Mark a trial, and end it as one that failed, unless somebody has done so just now.

    Parameters
    ----------
    study : Study
        Of a search.
    trial : Trial or FrozenTrial
        One that is running.
    mark : str
        Name of the mark.
    value : object
        What it says.
    """
    with suppress(optuna.exceptions.UpdateFinishedTrialError):
        study._storage.set_trial_user_attr(trial._trial_id, mark, value)
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def renew_lost(study: Study, search: str | None = None) -> None:
    """Find trials whose process died, and put their parameters first in the queue.

    Parameters that took three processes with them are not tried again: their trial has failed.

    Parameters
    ----------
    study : Study
        Of a search.
    search : str, default=None
        Token of a call of `fit` whose workers are gone, however alive they look.
    """
    deadline = time.monotonic() + _SECONDS_TO_CLAIM
    while True:
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        unclaimed = [trial for trial in running if WORKER not in trial.user_attrs]
        if not unclaimed or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for trial in running:
        worker = trial.user_attrs.get(WORKER)
        if worker is not None and worker["search"] != search and _is_alive(worker):
            continue
        if trial.user_attrs.get(DEATHS, 0) + 1 < _DEATHS_TO_FAIL:
            lose(study, trial, _DIED)
        else:
            error = f"the processes of {_DEATHS_TO_FAIL} attempts died"
            end(study, trial, RESULT, {"scores": [], "seconds": [], "error": error})
    trials = study.get_trials(deepcopy=False)
    renewed = {trial.user_attrs.get(REPLACES) for trial in trials}
    for trial in trials:
        marks = trial.user_attrs
        # Where only some parameters were drawn, the next trial draws the same and the others.
        if LOST not in marks or not marks.keys() & {WHOLE, REPLACES} or trial.number in renewed:
            continue
        deaths = marks.get(DEATHS, 0) + (marks[LOST] == _DIED)
        study.enqueue_trial(
            trial.system_attrs.get("fixed_params", trial.params),
            user_attrs={REPLACES: trial.number, DEATHS: deaths},
        )
