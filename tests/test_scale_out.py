"""Clips, folds and trials on a cluster of two processes: the same as in this one, whoever dies."""

from __future__ import annotations

import os
import signal
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from joblib._parallel_backends import LokyBackend
from numpy.testing import assert_array_equal
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sersk.exceptions import TuningError
from sersk.feature_extraction import ClipStore, PerClip
from sersk.model_selection import PipelineSearchCV, evaluate_protocol
from sersk.model_selection._search_claims import LOST, WORKER, trials_of
from sersk.model_selection._search_study import open_study
from sersk.preprocessing import AudioReader
from sersk.recipes import svm_functionals

distributed = pytest.importorskip("distributed", reason="dask, an optional extra, is missing")

N_TRIALS = 8
TIMES = ["fit_seconds", "score_seconds"]


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


@pytest.fixture
def client(cluster):
    cluster.wait_for_workers(2)
    with parallel_config(backend="dask"):
        yield cluster


def pids(client):
    return set(client.run(os.getpid).values())


@pytest.fixture
def pipeline(tmp_path):
    return svm_functionals(n_mfcc=6, duration=1.0, memory=tmp_path / "store")


def make_search(pipeline, **params):
    return PipelineSearchCV(
        pipeline,
        space={
            "svm__C": FloatDistribution(0.1, 100.0, log=True),
            "features__transformer__mfcc__n_mfcc": CategoricalDistribution([4, 6]),
        },
        cv=2,
        n_trials=N_TRIALS,
        # Draws depend on the number of a trial alone, not on who was first.
        sampler=RandomSampler(),
        pruner=NopPruner(),
        random_state=0,
        **params,
    )


class AllAtOnce(LokyBackend):
    """As ray's is."""

    supports_return_generator = False


def drawn(trials):
    return Counter(tuple(sorted(trial.params.items())) for trial in trials)


# ------------------------------------------------------------------------------ the same results


def test_clips(client, pipeline, written_corpus):
    table = written_corpus.data
    features = pipeline["features"].set_params(n_jobs=2, chunk_size=4)
    expected = features.transformer.fit_transform(table)
    assert_array_equal(features.fit_transform(table), expected)
    assert len(ClipStore(features.memory)) == len(table)
    tell = FunctionTransformer(lambda X: np.full((len(X), 1), os.getpid()))
    who = PerClip(make_pipeline(AudioReader(), tell), n_jobs=2, chunk_size=4).fit_transform(table)
    assert set(who.ravel()) <= pids(client)


def test_folds(client, pipeline, written_corpus):
    clips = written_corpus.data, written_corpus.target
    found = evaluate_protocol(pipeline, *clips, n_splits=4, n_jobs=2)
    # The folds share the store.
    assert len(ClipStore(pipeline["features"].memory)) == len(written_corpus.data)
    with parallel_config(backend="loky"):
        expected = evaluate_protocol(pipeline.set_params(features__memory=None), *clips, n_splits=4)
    pd.testing.assert_frame_equal(found.predictions, expected.predictions)
    pd.testing.assert_frame_equal(found.scores, expected.scores)


def test_trials(client, pipeline, written_corpus):
    clips = written_corpus.data, written_corpus.target
    search = make_search(pipeline, n_jobs=2).fit(*clips)
    together = search.trials_dataframe()
    workers = Counter(trial.user_attrs[WORKER]["pid"] for trial in trials_of(search.study_))
    assert workers.keys() == pids(client)
    # Each clip once for each number of coefficients.
    assert len(ClipStore(pipeline["features"].memory)) == 2 * len(written_corpus.data)
    with parallel_config(backend="loky"):
        search.set_params(n_jobs=1, estimator__features__memory=None).fit(*clips)
    assert {trial.user_attrs[WORKER]["pid"] for trial in search.study_.trials} == {os.getpid()}
    pd.testing.assert_frame_equal(
        search.trials_dataframe().drop(columns=TIMES), together.drop(columns=TIMES)
    )


def test_a_backend_that_hands_out_all_results_at_once(pipeline, written_corpus):
    clips = written_corpus.data, written_corpus.target
    pipeline.set_params(features__memory=None)
    search = make_search(pipeline, refit=False)
    expected = evaluate_protocol(pipeline, *clips, n_splits=4)
    alone = search.fit(*clips).trials_dataframe()
    with parallel_config(AllAtOnce(), n_jobs=2):
        found = evaluate_protocol(pipeline, *clips, n_splits=4)
        together = search.fit(*clips).trials_dataframe()
    pd.testing.assert_frame_equal(found.predictions, expected.predictions)
    assert os.getpid() not in {trial.user_attrs[WORKER]["pid"] for trial in search.study_.trials}
    pd.testing.assert_frame_equal(alone.drop(columns=TIMES), together.drop(columns=TIMES))


# --------------------------------------------------------------------------- one study, many hands


def test_several_searches_on_one_storage(cluster, pipeline, written_corpus, tmp_path):
    clips = written_corpus.data, written_corpus.target
    storage = tmp_path / "study.log"
    search = make_search(pipeline, storage=storage, refit=False)

    def fit(name):
        # In processes of the cluster, each of which believes to be alone.
        return search.fit(*clips).study_.study_name

    cluster.wait_for_workers(2)
    names = cluster.gather(cluster.map(fit, ["one", "two"], pure=False))
    assert len(set(names)) == 1
    trials = trials_of(open_study(storage, names[0]))
    assert len(trials) == N_TRIALS
    assert set(drawn(trials).values()) == {1}
    assert {trial.user_attrs[WORKER]["pid"] for trial in trials} == pids(cluster)


def test_a_worker_killed_in_the_middle_of_a_trial(client, pipeline, written_corpus, tmp_path):
    clips = written_corpus.data, written_corpus.target
    flag, here = tmp_path / "killed", os.getpid()

    def score(estimator, X, y):
        if os.getpid() != here and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return estimator.score(X, y)

    search = make_search(pipeline, n_jobs=2, storage=tmp_path / "study.log")
    search.set_params(scoring=score).fit(*clips)
    assert flag.exists()
    kept = trials_of(search.study_)
    assert len(kept) == len(search.trials_dataframe()) == N_TRIALS
    assert all(trial.state == TrialState.COMPLETE for trial in kept)
    lost = [trial for trial in search.study_.trials if trial.user_attrs.get(LOST)]
    died = [trial for trial in lost if trial.user_attrs[LOST] == "its process died"]
    assert len(died) == 1
    assert len(search.study_.trials) == N_TRIALS + len(lost)
    # What it had drawn was tried again, once, and nothing else was.
    with parallel_config(backend="loky"):
        alone = make_search(pipeline, refit=False).fit(*clips)
    assert drawn(kept) == drawn(alone.study_.trials)
    assert drawn(died) <= drawn(kept)


@pytest.fixture
def workers_elsewhere(client, tmp_path, monkeypatch):
    """Workers that are in another folder."""
    elsewhere = tmp_path / "another_machine"
    elsewhere.mkdir()
    before = os.getcwd()
    client.run(os.chdir, elsewhere)
    monkeypatch.chdir(tmp_path)
    yield
    client.run(os.chdir, before)


@pytest.mark.usefixtures("workers_elsewhere")
def test_a_relative_path_is_the_same_file_for_all(pipeline, written_corpus, tmp_path):
    search = make_search(pipeline, n_jobs=2, storage="study.log")
    search.fit(written_corpus.data, written_corpus.target)
    assert len(search.cv_results_["params"]) == search.n_trials
    assert (tmp_path / "study.log").exists()
    assert not (tmp_path / "another_machine" / "study.log").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/cwd"), reason="has no such path")
@pytest.mark.usefixtures("workers_elsewhere")
def test_a_storage_that_workers_do_not_see(pipeline, written_corpus):
    # One path, and another file for each process, as on machines without a folder in common.
    search = make_search(pipeline, n_jobs=2, storage="/proc/self/cwd/study.log")
    with pytest.raises(TuningError, match="that all machines see under the same path"):
        search.fit(written_corpus.data, written_corpus.target)


def test_files_that_a_worker_cannot_read(client, written_corpus):
    table = pd.concat([written_corpus.data, pd.DataFrame({"path": ["gone.wav"]})])
    features = svm_functionals(duration=1.0)["features"].set_params(n_jobs=2, chunk_size=4)
    with pytest.warns(UserWarning, match=r"1 file\(s\) could not be read, such as 'gone.wav'"):
        rows = features.fit_transform(table)
    assert features.failed_ == {"gone.wav": "there is no such file"}
    assert len(rows) == len(table)
    assert isinstance(features.transformer_["read"], AudioReader)
