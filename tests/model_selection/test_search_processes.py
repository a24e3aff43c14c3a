"""Searches in several processes, some of which are killed: no trial lost, none counted twice."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression

from sersk.exceptions import TuningError
from sersk.model_selection import PipelineSearchCV
from sersk.model_selection._search_claims import (
    LOST,
    RESULT,
    WHOLE,
    claim,
    n_begun,
    rank_of,
    renew_lost,
    trials_of,
)
from sersk.model_selection._search_study import open_study

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

SCRIPT = Path(__file__).with_name("search_script.py")
TIMEOUT = 120


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("search_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(storage, n_trials, *, n_jobs=1, **variables):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(storage), str(n_trials), str(n_jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {name: str(value) for name, value in variables.items()},
        start_new_session=True,
    )


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return out


def wait_for_trials(process, storage, n, mark=RESULT):
    deadline = time.monotonic() + TIMEOUT
    while not storage.exists() or storage.read_bytes().count(mark.encode()) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def study_in(storage):
    opened = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(storage))
    )
    (name,) = optuna.study.get_all_study_names(opened)
    return optuna.load_study(study_name=name, storage=opened)


def test_a_killed_search_goes_on_as_if_nothing_had_happened(script, tmp_path):
    _, whole = script.run()
    storage = tmp_path / "study.log"
    killed = start(storage, 12, SEARCH_SLOW=0.05)
    wait_for_trials(killed, storage, 6)
    time.sleep(0.06)  # in the middle of the next one
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=TIMEOUT)
    n_there = len(trials_of(study_in(storage)))
    assert 6 <= n_there < 12
    assert finish(start(storage, 12)) == whole
    study = study_in(storage)
    lost = [trial for trial in study.trials if LOST in trial.user_attrs]
    assert len(lost) == 1
    assert len(study.trials) == 13
    assert all(trial.state.is_finished() for trial in study.trials)


def test_two_processes_on_one_storage(tmp_path):
    storage = tmp_path / "study.log"
    gate = tmp_path / "gate"
    both = [start(storage, 16, SEARCH_SLOW=0.02, SEARCH_WAIT=gate) for _ in range(2)]
    wait_for_trials(both[0], storage, 2, mark=WHOLE)  # each has one
    gate.touch()
    tables = [pd.read_csv(io.StringIO(finish(process))) for process in both]
    assert {len(table) for table in tables} <= {15, 16}  # the other's last may still run
    trials = trials_of(study_in(storage))
    assert len(trials) == 16
    assert len({tuple(trial.params.values()) for trial in trials}) == 16
    pids = {trial.user_attrs["sersk_worker"]["pid"] for trial in trials}
    assert pids == {process.pid for process in both}


def test_a_worker_that_dies_and_ctrl_c(script, tmp_path):
    storage, marker = tmp_path / "study.log", tmp_path / "killed"
    process = start(storage, 500, n_jobs=2, SEARCH_KILL_ONCE=marker, SEARCH_SLOW=0.02)
    wait_for_trials(process, storage, 4)
    assert marker.exists()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    assert "TuningInterruptedWarning" in err
    table = pd.read_csv(io.StringIO(out))
    assert 1 <= len(table) < 500
    assert set(table["state"]) <= {"complete", "pruned"}
    study = study_in(storage)
    assert len(trials_of(study)) == len(table)
    assert not [trial for trial in study.trials if trial.state == TrialState.RUNNING]
    lost = [trial for trial in study.trials if LOST in trial.user_attrs]
    assert lost
    # What they had drawn was tried again, or waits for the next run.
    kept = [trial.params for trial in trials_of(study)]
    kept += [
        trial.system_attrs["fixed_params"]
        for trial in study.trials
        if trial.state == TrialState.WAITING
    ]
    assert all(trial.params in kept for trial in lost if WHOLE in trial.user_attrs)


def test_workers_find_what_one_process_finds(rng):
    X = rng.normal(size=(60, 3))
    y = np.where(X[:, 0] + rng.normal(size=60) > 0, "anger", "calm")
    search = PipelineSearchCV(
        LogisticRegression(),
        space={"C": FloatDistribution(1e-4, 1.0, log=True)},
        cv=3,
        n_trials=5,
        # Draws depend on the number of a trial alone, not on who was first.
        sampler=optuna.samplers.RandomSampler(),
        random_state=0,
    )
    alone = search.fit(X, y).trials_dataframe()
    search.set_params(n_jobs=2).fit(X, y)
    together = search.trials_dataframe()
    times = ["fit_seconds", "score_seconds"]
    pd.testing.assert_frame_equal(alone.drop(columns=times), together.drop(columns=times))
    # The storage that the workers shared is gone; what was in it is not.
    assert len(search.study_.trials) == 5
    pids = {trial.user_attrs["sersk_worker"]["pid"] for trial in search.study_.trials}
    assert os.getpid() not in pids


# -------------------------------------------------------------------- the book-keeping, by itself


def test_parameters_that_kill_are_tried_three_times():
    study = open_study(None, "one")
    deaths = 0
    while True:
        renew_lost(study, "dead")
        trial = study.ask()
        if trial.number and not trial.user_attrs:
            break
        claim(trial, "dead")
        trial.suggest_float("a", 0, 1)
        trial.set_user_attr(WHOLE, True)
        deaths += 1
    assert deaths == 3
    assert len({each.params["a"] for each in study.trials[:3]}) == 1
    (failed,) = trials_of(study)
    assert failed.state == TrialState.FAIL
    assert "3 attempts died" in failed.user_attrs[RESULT]["error"]


def test_what_others_work_on_is_left_to_them():
    study = open_study(None, "one")
    mine, elsewhere, dead = study.ask(), study.ask(), study.ask()
    claim(mine, "a")
    claim(elsewhere, "b")
    claim(dead, "c")
    for trial, changed in ((elsewhere, {"host": "elsewhere"}), (dead, {"pid": 2**22 + 1})):
        worker = trial.user_attrs["sersk_worker"] | changed
        study._storage.set_trial_user_attr(trial._trial_id, "sersk_worker", worker)
    renew_lost(study)
    assert [trial.state for trial in study.trials] == [
        TrialState.RUNNING, TrialState.RUNNING, TrialState.FAIL,
    ]  # fmt: skip
    assert n_begun(study) == 1
    assert n_begun(study, before=0) == 0
    assert rank_of(study, 3) == 2
    assert trials_of(study) == []
    # Nothing was drawn, so there is nothing to try again.
    assert len(study.trials) == 3


class OnlyHere(LogisticRegression):
    """Cannot be handed to another process."""

    def __setstate__(self, state):
        if os.getpid() != state.get("at_home"):
            raise ImportError("no module named my_notebook")
        super().__setstate__(state)


def test_workers_that_die_before_they_begin_end_the_search():
    model = OnlyHere()
    model.at_home = os.getpid()
    search = PipelineSearchCV(
        model, space={"C": FloatDistribution(0.1, 1.0)}, n_trials=2, n_jobs=2, cv=2, random_state=0
    )
    with pytest.raises(TuningError, match=r"ended before a trial began.*n_jobs=1"):
        search.fit(np.arange(8.0)[:, None], np.tile([0, 1], 4))
