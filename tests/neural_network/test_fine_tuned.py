"""FineTunedClassifier: two trainings in a row are what two trainings by hand are."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as SamplingPipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC
from skorch.callbacks import Callback

from sersk.augmentation import AddNoise, WaveformAugmenter
from sersk.exceptions import TrainingInterruptedWarning
from sersk.feature_extraction import LogMelSpectrogram, PerClip
from sersk.inspection import LearningCurveDisplay
from sersk.model_selection import evaluate_protocol
from sersk.neural_network import CNNClassifier, FineTunedClassifier, RNNClassifier
from sersk.preprocessing import AudioReader

# Two epochs, then three of another kind.
CHANGES = {"lr": 1e-4, "max_epochs": 3, "spec_augment": True, "optimizer": "sgd"}


def net(cls=CNNClassifier, **parameters):
    made_of = {"hidden_sizes": (4,)} if cls is RNNClassifier else {"filters": (4,)}
    return cls(
        **{
            "hidden_units": (), "max_epochs": 2, "batch_size": 8, "precision": "float32",
            "random_state": 0, **made_of, **parameters,
        }
    )  # fmt: skip


def weights(fitted):
    return {name: w.numpy() for name, w in fitted.net_.module_.state_dict().items()}


def assert_same_weights(one, other):
    found, expected = weights(one), weights(other)
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        assert_array_equal(weight, expected[name], err_msg=name)


class Louder(TransformerMixin, BaseEstimator):
    """A step that notes its gain each time it is fitted."""

    fitted_with: tuple = ()

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y=None):
        type(self).fitted_with += (self.gain,)
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return X * np.float32(self.gain)


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch):
    monkeypatch.setattr(Louder, "fitted_with", ())


@pytest.fixture
def frames(rng):
    X = rng.normal(size=(24, 5, 12)).astype(np.float32)
    y = np.array(["calm", "anger"])[np.arange(24) % 3 // 2]
    X[y == "anger"] += 0.7
    return X, y


# ---------------------------------------------------------------------------------- both stages


@pytest.mark.parametrize("cls", [CNNClassifier, RNNClassifier])
def test_equals_warm_start_by_hand(cls, frames):
    X, y = frames
    by_hand = net(cls).fit(X, y)
    first = [dict(epoch) for epoch in by_hand.history_]
    by_hand.set_params(warm_start=True, **CHANGES).fit(X, y)
    model = FineTunedClassifier(net(cls), CHANGES).fit(X, y)
    assert_same_weights(model.estimator_, by_hand)
    assert_array_equal(model.predict_proba(X), by_hand.predict_proba(X))
    assert_array_equal(model.predict(X), by_hand.predict(X))
    assert model.score(X, y) == by_hand.score(X, y)
    assert [epoch["stage"] for epoch in model.history_] == [1, 1, 2, 2, 2]
    assert [epoch["epoch"] for epoch in model.history_] == [1, 2, 3, 4, 5]
    for found, expected in zip(model.history_, first, strict=False):
        assert found["train_loss"] == expected["train_loss"]
    assert [epoch["lr"] for epoch in model.history_] == [1e-3] * 2 + [1e-4] * 3
    # Not so without the first stage.
    assert not np.array_equal(
        net(cls, **CHANGES).fit(X, y).predict_proba(X), model.predict_proba(X)
    )


def test_sizes_of_layers_may_be_arrays(frames):
    X, y = frames
    made = CNNClassifier(
        filters=np.array([4, 4]), pool_sizes=np.array([[2, 2], [1, 2]]), max_epochs=1,
        random_state=0,
    )  # fmt: skip
    model = FineTunedClassifier(made, {"lr": 1e-4, "filters": (4, 4)}).fit(X, y)
    assert len(model.history_) == 2
    with pytest.raises(ValueError, match="changes sets filters"):
        FineTunedClassifier(made, {"filters": (4, 8)}).fit(X, y)


def test_second_stage_begins_where_the_first_ended(frames):
    X, y = frames
    alone = net(RNNClassifier, dropout=0.0).fit(X, y)
    still = {"lr": 1e-30, "weight_decay": 0.0}
    model = FineTunedClassifier(net(RNNClassifier, dropout=0.0), still).fit(X, y)
    assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    # The net keeps its means, whatever the clips of the second stage are like.
    louder = FineTunedClassifier(
        make_pipeline(Louder(), net(RNNClassifier)), {"louder__gain": 5.0}
    ).fit(X, y)
    assert_array_equal(louder.estimator_[-1].mean_, alone.mean_)


def test_steps_run_again_with_the_changes(frames):
    X, y = frames
    pipeline = SamplingPipeline(
        [("oversample", RandomOverSampler(random_state=0)), ("louder", Louder()), ("net", net())]
    )
    changes = {"oversample__random_state": 1, "louder__gain": 2.0, "net__lr": 1e-4}
    tables = np.arange(24)[:, None]  # the sampler wants rows

    class Lookup(Louder):
        def transform(self, rows):
            return X[rows[:, 0]] * np.float32(self.gain)

    pipeline.set_params(louder=Lookup())
    model = FineTunedClassifier(pipeline, changes).fit(tables, y)
    assert Lookup.fitted_with == (1.0, 2.0)
    by_hand = net()
    for seed, gain, parameters in ((0, 1.0, {}), (1, 2.0, {"lr": 1e-4, "warm_start": True})):
        rows, labels = RandomOverSampler(random_state=seed).fit_resample(tables, y)
        by_hand.set_params(**parameters).fit(X[rows[:, 0]] * np.float32(gain), labels)
    assert_same_weights(model.estimator_[-1], by_hand)
    assert_array_equal(model.predict(tables), by_hand.predict(2 * X))


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_a_step_may_take_an_empty_place(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    chain = make_pipeline(AudioReader(), LogMelSpectrogram(n_mels=8))
    pipeline = SamplingPipeline(
        [("augment", "passthrough"), ("features", PerClip(chain)), ("net", net(max_epochs=1))]
    )
    augmenter = WaveformAugmenter(AddNoise(), random_state=0)
    changes = {"augment": augmenter, "net__spec_augment": True}
    model = FineTunedClassifier(pipeline, changes).fit(table, y)
    assert len(model.estimator_["augment"].sample_indices_) > len(table)
    # What was given stays as it was.
    assert not hasattr(augmenter, "sample_indices_")
    assert pipeline["augment"] == "passthrough"
    assert set(model.predict(table)) <= set(y)
    result = evaluate_protocol(model, table, y, protocol="speaker", n_splits=2)
    assert [[epoch["stage"] for epoch in fold] for fold in result.histories] == [[1, 2]] * 2


def test_as_the_last_step_behind_a_sampler(frames):
    X, y = frames
    inner = make_pipeline(Louder(), net())
    vectors = X[:, :, 0]
    changes = {"louder__gain": 1.5, "cnnclassifier__lr": 1e-4}
    outer = SamplingPipeline(
        [
            ("oversample", RandomOverSampler(random_state=0)),
            ("net", FineTunedClassifier(inner, changes)),
        ]
    ).fit(vectors, y)
    resampled = RandomOverSampler(random_state=0).fit_resample(vectors, y)
    expected = FineTunedClassifier(inner, changes).fit(*resampled)
    assert_array_equal(outer.predict_proba(vectors), expected.predict_proba(vectors))
    assert outer.classes_.tolist() == ["anger", "calm"]


def test_nothing_given_is_touched(frames):
    X, y = frames
    callback = Callback()
    changes = {"callbacks": [callback], "max_epochs": 1}
    given = net()
    model = FineTunedClassifier(given, changes).fit(X, y)
    assert not hasattr(given, "net_")
    assert given.max_epochs == 2
    assert not given.warm_start
    assert changes == {"callbacks": [callback], "max_epochs": 1}
    assert model.estimator is given


def test_repeats_itself_and_starts_anew(frames):
    X, y = frames
    model = FineTunedClassifier(net(), CHANGES).fit(X, y)
    expected = weights(model.estimator_)
    for again in (model.fit(X, y), clone(model).fit(X, y)):
        for name, weight in weights(again.estimator_).items():
            assert_array_equal(weight, expected[name])
        assert len(again.history_) == 5


def test_goes_on_from_checkpoints(frames, tmp_path):
    X, y = frames
    plain = FineTunedClassifier(net(), CHANGES).fit(X, y)
    first, second = (
        FineTunedClassifier(net(checkpoint_dir=tmp_path), CHANGES).fit(X, y) for _ in range(2)
    )
    assert_same_weights(first.estimator_, plain.estimator_)
    assert_same_weights(second.estimator_, plain.estimator_)
    # Each stage has its own, and the second fit found both.
    assert len(list(tmp_path.iterdir())) == 2
    assert [e["dur"] for e in second.history_] == [e["dur"] for e in first.history_]


def test_an_interrupt_is_the_end(frames):
    X, y = frames

    class Impatient(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and len(net.history) == 2:
                raise KeyboardInterrupt

    with pytest.warns(TrainingInterruptedWarning, match="after 1 of 2"):
        model = FineTunedClassifier(net(callbacks=[Impatient()]), CHANGES).fit(X, y)
    assert [epoch["stage"] for epoch in model.history_] == [1]
    assert len(model.predict(X)) == len(X)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net__learning_rate": 0.1}, "does not fit the estimator.*'learning_rate'"),
        ({"augment": None}, "does not fit the estimator.*'augment'"),
        ({"net__filters": (8,)}, "sets filters of CNNClassifier"),
        ({"net__dropout": 0.5, "net__standardize": False}, "sets dropout, standardize"),
        ({"net__random_state": 1}, "sets random_state"),
        ({"net__warm_start": True}, "sets warm_start"),
        ({"net__precision": "float64"}, "sets precision from 'float32' to 'float64'"),
        ({"net__lr": -1.0}, "'lr' parameter of CNNClassifier"),
        ({"net": net(lr=0.5)}, "puts another net in the place"),
        ({"net": SVC()}, "Got SVC"),
    ],
)
def test_bad_changes_are_refused_before_anything_is_fitted(changes, message, frames):
    X, y = frames
    model = FineTunedClassifier(Pipeline([("louder", Louder()), ("net", net())]), changes)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y)
    assert Louder.fitted_with == ()


def test_the_same_value_is_no_change(frames):
    X, y = frames
    same = FineTunedClassifier(net(), {"filters": (4,), "random_state": 0, "max_epochs": 1})
    assert len(same.fit(X, y).history_) == 3


def test_sample_rates_of_the_changes_are_checked():
    pipeline = Pipeline([("read", AudioReader()), ("mel", LogMelSpectrogram()), ("net", net())])
    model = FineTunedClassifier(pipeline, {"mel__sample_rate": 8000})
    with pytest.raises(ValueError, match="different sample rates"):
        model.fit(np.zeros((4, 9000), dtype=np.float32), ["anger", "calm"] * 2)


@pytest.mark.parametrize("estimator", [LogisticRegression(), make_pipeline(Louder(), SVC())])
def test_only_nets_are_tuned(estimator, frames):
    X, y = frames
    with pytest.raises(TypeError, match=r"trains a net of sersk\.neural_network"):
        FineTunedClassifier(estimator, {}).fit(X[:, :, 0], y)


def test_no_weights(frames):
    X, y = frames
    with pytest.raises(TypeError, match="sample_weight"):
        FineTunedClassifier(net(), {}).fit(X, y, sample_weight=np.ones(len(y)))
    with pytest.raises(ValueError, match="changes"):
        FineTunedClassifier(net(), None).fit(X, y)


# ---------------------------------------------------------------------------- as an estimator


def test_attributes_and_keeping(frames):
    X, y = frames
    model = FineTunedClassifier(net(), CHANGES)
    assert is_classifier(model)
    assert not hasattr(model, "classes_")
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    assert model.classes_.tolist() == ["anger", "calm"]
    assert model.n_features_in_ == 5
    kept = pickle.loads(pickle.dumps(model))
    assert_array_equal(kept.predict_proba(X), model.predict_proba(X))
    assert kept.history_ == model.history_
    shares = cross_val_predict(model, X, y, cv=2, method="predict_proba")
    assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)  # in single precision


def test_its_curve_can_be_drawn(frames, pyplot_closed):
    X, y = frames
    model = FineTunedClassifier(net(), CHANGES).fit(X, y)
    display = LearningCurveDisplay.from_estimator(model)
    assert len(display.lines_["train_loss"][0].get_ydata()) == 5


@pytest.fixture
def pyplot_closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
