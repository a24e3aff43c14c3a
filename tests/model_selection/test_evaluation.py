"""evaluate_protocol: honest by construction, with nothing lost on the way."""

from __future__ import annotations

import os
import signal
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback

from sersk.exceptions import UnreadableAudioWarning
from sersk.feature_extraction import Functionals, RMSEnergy
from sersk.model_selection import ProtocolSplit, ValidationHoldout, evaluate_protocol
from sersk.neural_network import CNNClassifier
from sersk.preprocessing import AudioReader
from sersk.recipes import svm_functionals


class RowRecorder(ClassifierMixin, BaseEstimator):
    """Notes which rows (first column) it is fitted on and asked about."""

    seen: list[tuple[set, set]] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.rows_ = set(X[:, 0].astype(int))
        return self

    def predict(self, X):
        self.seen.append((self.rows_, set(X[:, 0].astype(int))))
        return np.repeat(self.classes_[:1], len(X))


class CtrlC(Callback):
    """Presses it in the first epoch."""

    def on_batch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def vectors(rng):
    """Vectors in which speakers are found again and emotions are not."""
    speakers = np.repeat([f"s{number}" for number in range(12)], 20)
    frame = pd.DataFrame({"speaker": speakers, "sentence": np.tile(["t0", "t1"], 120)})
    y = rng.choice(["anger", "calm", "fear"], size=240)
    return rng.normal(size=(240, 4)), y, frame


@pytest.mark.parametrize("protocol", ["random", "speaker", "text", "speaker+text"])
def test_fits_on_training_rows_alone(vectors, protocol):
    X, y, frame = vectors
    X = np.column_stack([np.arange(240), X])
    RowRecorder.seen.clear()
    evaluate_protocol(
        make_pipeline(RandomOverSampler(random_state=0), RowRecorder()),
        X,
        y,
        groups=frame,
        protocol=protocol,
    )
    folds = list(ProtocolSplit(protocol).split(X, y, frame))
    assert len(folds) == len(RowRecorder.seen)
    for (train, test), (fitted, asked) in zip(folds, RowRecorder.seen, strict=True):
        assert fitted == set(train)
        assert asked == set(test)


def test_predictions_equal_cross_val_predict(vectors):
    X, y, frame = vectors
    model = KNeighborsClassifier(3)
    result = evaluate_protocol(model, X, y, groups=frame, protocol="speaker", n_splits=4)
    expected = cross_val_predict(model, X, y, cv=ProtocolSplit(n_splits=4), groups=frame)
    table = result.predictions.sort_values("row")
    assert_array_equal(table["row"], np.arange(240))
    assert_array_equal(table["predicted"], expected)
    assert_array_equal(table["true"], y)
    assert_array_equal(table["speaker"], frame["speaker"])
    assert_allclose(
        result.scores.loc["balanced_accuracy", "score"], balanced_accuracy_score(y, expected)
    )
    assert len(result.per_speaker) == 12
    assert result.folds["n_test"].sum() == 240
    assert result.unreadable == {}


def test_processes_give_the_same(vectors):
    X, y, frame = vectors
    runs = [
        evaluate_protocol(KNeighborsClassifier(), X, y, groups=frame, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    pd.testing.assert_frame_equal(runs[0].predictions, runs[1].predictions)
    pd.testing.assert_frame_equal(runs[0].scores, runs[1].scores)


def test_speakers_may_be_a_vector_or_unknown(vectors):
    X, y, frame = vectors
    model = DummyClassifier()
    known = evaluate_protocol(model, X, y, groups=frame["speaker"])
    assert known.scores["low"].notna().all()
    unknown = evaluate_protocol(model, X, y, protocol="random")
    assert unknown.per_speaker is None
    assert "speaker" not in unknown.predictions


def test_random_labels_score_chance_on_strangers(vectors):
    """A nearest neighbour would find any clip that stood on both sides."""
    X, y, frame = vectors
    copies = np.repeat(np.arange(240), 2)
    leaking = evaluate_protocol(
        KNeighborsClassifier(1), X[copies], y[copies], groups=frame.iloc[copies], protocol="random"
    )
    honest = evaluate_protocol(
        KNeighborsClassifier(1), X[copies], y[copies], groups=frame.iloc[copies], protocol="speaker"
    )
    assert leaking.scores.loc["accuracy", "score"] > 0.75
    low, high = honest.scores.loc["balanced_accuracy", ["low", "high"]]
    assert low < 1 / 3 < high


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_bad_files_are_named_counted_and_do_not_stop_the_run(written_corpus, tmp_path):
    table = written_corpus.data.copy()
    stub = tmp_path / "stub.wav"
    stub.write_text("version https://git-lfs.github.com/spec/v1\n")
    table.loc[[0, 5], "path"] = [str(stub), "gone.wav"]
    with pytest.warns(UnreadableAudioWarning, match=r"2 file\(s\) could not be read") as caught:
        result = evaluate_protocol(svm_functionals(n_mfcc=5), table, written_corpus.target)
    assert len([w for w in caught if w.category is UnreadableAudioWarning]) == 1
    assert set(result.unreadable) == {str(stub), "gone.wav"}
    assert "git lfs pull" in result.unreadable[str(stub)]
    assert len(result.predictions) == len(table)


def test_progress_goes_to_the_error_stream(vectors, monkeypatch, capsys):
    X, y, frame = vectors
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws as on a terminal
    evaluate_protocol(DummyClassifier(), X, y, groups=frame, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "speaker split" in captured.err
    evaluate_protocol(DummyClassifier(), X, y, groups=frame)
    assert capsys.readouterr() == ("", "")


def test_an_error_in_a_fold_is_raised(vectors):
    X, y, frame = vectors
    X[3, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        evaluate_protocol(KNeighborsClassifier(), X, y, groups=frame)


def test_bad_parameters(vectors):
    X, y, frame = vectors
    with pytest.raises(ValueError, match="'protocol' parameter"):
        evaluate_protocol(DummyClassifier(), X, y, groups=frame, protocol="speakers")
    with pytest.raises(ValueError, match="'estimator' parameter"):
        evaluate_protocol("svm", X, y)
    RowRecorder.seen.clear()
    with pytest.raises(ValueError, match="inconsistent numbers"):
        evaluate_protocol(RowRecorder(), X, y[:-1], groups=frame)
    # Nobody would notice who is taken for whom.
    for groups in (pd.concat([frame, frame]), frame[:50]):
        with pytest.raises(ValueError, match="inconsistent numbers"):
            evaluate_protocol(RowRecorder(), X, y, groups=groups, protocol="random")
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match="'random_state' parameter"):
            evaluate_protocol(RowRecorder(), X, y, groups=frame, random_state=seed)
    assert not RowRecorder.seen


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_paths_that_are_not_utf_8(rng, tmp_path):
    paths = [os.fsencode(tmp_path) + b"/caf\xe9_%d.wav" % number for number in range(12)]
    for path in paths:
        soundfile.write(path, rng.normal(scale=0.1, size=1600), 16000, format="WAV")
    pipeline = make_pipeline(
        AudioReader(), RMSEnergy(), Functionals(statistics=["mean"]), DummyClassifier()
    )
    y, groups = np.tile(["anger", "calm"], 6), np.repeat(["a", "b", "c"], 4)
    assert len(evaluate_protocol(pipeline, paths, y, groups=groups, n_splits=3).predictions) == 12


def test_a_net_that_is_interrupted_does_not_pass_for_a_whole_one(vectors):
    X, y, frame = vectors
    net = CNNClassifier(filters=(2,), max_epochs=2, callbacks=[CtrlC()], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        evaluate_protocol(net, X, y, groups=frame, n_splits=2)


def test_different_sample_rates_are_refused_before_anything_is_read():
    pipeline = svm_functionals().set_params(features__transformer__mfcc__sample_rate=22050)
    with pytest.raises(ValueError, match=r"read__sample_rate=16000, .*mfcc__sample_rate=22050"):
        evaluate_protocol(pipeline, ["gone.wav"] * 4, ["anger", "calm"] * 2, groups=[0, 0, 1, 1])


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_bad_files_deep_in_a_search_are_named_too(written_corpus):
    table = written_corpus.data.copy()
    table.loc[0, "path"] = "gone.wav"
    search = GridSearchCV(svm_functionals(n_mfcc=5), {"svm__C": [1.0]}, cv=2)
    with pytest.warns(UnreadableAudioWarning, match="'gone.wav'"):
        result = evaluate_protocol(search, table, written_corpus.target, n_splits=2)
    assert list(result.unreadable) == ["gone.wav"]


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_threads_leave_the_warnings_of_python_as_they_were(vectors):
    X, y, frame = vectors
    with joblib.parallel_config("threading", n_jobs=4):
        for _ in range(10):
            evaluate_protocol(DummyClassifier(), X, y, groups=frame)
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", UserWarning, stacklevel=1)


def test_a_list_of_paths_will_do(written_corpus):
    paths = written_corpus.data["path"].tolist()
    result = evaluate_protocol(
        svm_functionals(n_mfcc=5, duration=4.0),
        paths,
        written_corpus.target,
        groups=written_corpus.frame,
        n_splits=2,
    )
    assert len(result.predictions) == len(paths)


def test_speakers_follow_the_groups_and_may_be_unknown(vectors):
    X, y, frame = vectors
    table = pd.DataFrame(X).rename(columns=str).assign(speaker="me")
    model = DummyClassifier()
    result = evaluate_protocol(model, table, y, groups=frame, protocol="speaker")
    assert set(result.predictions["speaker"]) == set(frame["speaker"])
    some = frame.assign(speaker=frame["speaker"].where(frame.index > 0))
    assert evaluate_protocol(model, X, y, groups=some, protocol="random").per_speaker is None
    mixed = frame.assign(speaker=[*range(120), *frame["speaker"][120:]])
    assert (
        evaluate_protocol(model, X, y, groups=mixed, protocol="speaker")
        .scores.notna()
        .all(axis=None)
    )


def test_probabilities_stand_beside_the_predictions(vectors):
    X, y, frame = vectors
    result = evaluate_protocol(KNeighborsClassifier(), X, y, groups=frame)
    assert result.probabilities.columns.tolist() == ["anger", "calm", "fear"]
    assert_allclose(result.probabilities.sum(axis=1), 1)
    predicted = result.probabilities.idxmax(axis=1)
    assert_array_equal(predicted, result.predictions["predicted"])
    assert result.histories is None
    assert evaluate_protocol(RowRecorder(), X, y, groups=frame).probabilities is None


def test_probabilities_of_emotions_that_a_fold_lacks(vectors):
    X, y, frame = vectors
    frame = frame.assign(corpus=np.where(frame["speaker"].str[1:].astype(int) < 6, "one", "two"))
    y = np.where((frame["corpus"] == "one") & (y == "fear"), "joy", y)
    result = evaluate_protocol(
        KNeighborsClassifier(), X, y, groups=frame, protocol=ProtocolSplit("random", n_splits=2)
    )
    assert result.probabilities.columns.tolist() == ["anger", "calm", "fear", "joy"]
    other = evaluate_protocol(KNeighborsClassifier(), X, y, groups=frame, protocol="corpus")
    assert {"anger", "calm"} <= set(other.probabilities.columns)
    assert_allclose(other.probabilities.sum(axis=1), 1)


def test_histories_of_nets_wherever_they_stand(vectors):
    X, y, frame = vectors
    net = CNNClassifier(conv_dim=1, filters=(2,), max_epochs=2, random_state=0)
    wrapped = ValidationHoldout(make_pipeline(StandardScaler(), net), groups=None, random_state=0)
    result = evaluate_protocol(wrapped, X, y, groups=frame, n_splits=3)
    assert [len(history) for history in result.histories] == [2, 2, 2]
    assert "valid_loss" in result.histories[0][0]


@pytest.mark.parametrize("held_out", [False, True])
def test_clips_go_through_the_steps_once(vectors, held_out):
    X, y, frame = vectors
    seen = []

    def note(X):
        seen.append(len(X))
        return X

    net = CNNClassifier(conv_dim=1, filters=(2,), max_epochs=1)
    pipeline = make_pipeline(FunctionTransformer(note), "passthrough", net)
    estimator = ValidationHoldout(pipeline) if held_out else pipeline
    result = evaluate_protocol(estimator, X, y, groups=frame, n_splits=2)
    assert result.probabilities is not None
    # Of each fold: what is trained on, what is held out of that, what is tested.
    assert len(seen) == 2 * (2 + held_out)
    assert seen[1 + held_out :: 2 + held_out] == result.folds["n_test"].tolist()
