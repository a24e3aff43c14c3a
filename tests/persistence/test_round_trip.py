"""What is saved is what is loaded, here and in another process; what belongs to a machine stays."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from skorch.callbacks import Callback

import sersk
from sersk.augmentation import AddNoise, BackgroundNoise, WaveformAugmenter
from sersk.exceptions import ModelFileError, ModelVersionWarning
from sersk.feature_extraction import PerClip, RMSEnergy, SpeakerNormalizer
from sersk.model_selection import ValidationHoldout
from sersk.neural_network import CNNClassifier, FineTunedClassifier, RNNClassifier
from sersk.persistence import _model
from sersk.recipes import list_recipes, make_recipe, recipe_info, svm_functionals

# Enough to run, and no more.
TINY = {"max_epochs": 1, "fine_tuning_epochs": 1, "max_iter": 2, "n_nets": 1, "copies": 1}
SMALLER = {
    "cnn_bilstm_182": {"filters": (8, 8, 8), "hidden_sizes": (16, 8)},
    "crnn_svm_ensemble": {"filters": (4, 4, 4, 4)},
    "crnn_svm_ensemble_by_speaker": {"filters": (4, 4, 4, 4)},
}
# What has to be given to make one.
ARGUMENTS = {
    "BackgroundNoise": {"folder": "noises"},
    "Compose": {"transforms": [AddNoise()]},
    "FineTunedClassifier": {"estimator": RNNClassifier(), "changes": {"lr": 0.1}},
    "OneOf": {"transforms": [AddNoise()]},
    "PerClip": {"transformer": RMSEnergy()},
    "Seeded": {"function": np.abs},
    "SpeakerNormalizer": {"transformer": RMSEnergy()},
    "SpeakerPriorClassifier": {"estimator": RNNClassifier()},
    "ValidationHoldout": {"estimator": RNNClassifier()},
    "WaveformAugmenter": {"transforms": AddNoise()},
}
# Searches find models; the one that they found is what is saved.
NO_MODELS = {"PipelineSearchCV"}

PREDICT = """
import json, sys, warnings
import numpy as np, pandas as pd, sersk
table = pd.read_csv(sys.argv[1])
for path in sys.argv[2:]:
    np.save(path + ".npy", sersk.load(path).predict_proba(table))
"""


def estimators():
    for room in sersk.__all__:
        module = getattr(sersk, room)
        for name in getattr(module, "__all__", ()):
            thing = None if name in NO_MODELS else getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                yield f"sersk.{room}.{name}", thing


def fit_tiny(name, corpus):
    known = inspect.signature(recipe_info(name).function).parameters
    small = {**{key: TINY[key] for key in TINY if key in known}, **SMALLER.get(name, {})}
    return make_recipe(name, **small).fit(corpus.data, corpus.target)


def probabilities_of(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe(name, written_corpus, tmp_path):
    model = fit_tiny(name, written_corpus)
    sersk.save(model, tmp_path / "model.skops", corpus=written_corpus, recipe=name)
    loaded = sersk.load(tmp_path / "model.skops")
    assert_array_equal(
        probabilities_of(loaded, written_corpus.data), probabilities_of(model, written_corpus.data)
    )
    assert [type(step) for _, step in loaded.steps] == [type(step) for _, step in model.steps]
    assert_array_equal(loaded.classes_, model.classes_)


def test_in_another_process(boosted, written_corpus, tmp_path):
    net = ValidationHoldout(
        make_recipe("conv1d_time_domain", max_epochs=1), size=0.3, random_state=0
    ).fit(written_corpus.data, written_corpus.target)
    models = {"boosted": boosted, "net": net}
    for name, model in models.items():
        sersk.save(model, tmp_path / name)
    written_corpus.data.to_csv(tmp_path / "clips.csv", index=False)
    paths = [str(tmp_path / name) for name in models]
    arguments = [sys.executable, "-c", PREDICT, str(tmp_path / "clips.csv"), *paths]
    subprocess.run(arguments, check=True, timeout=120)
    for name, model in models.items():
        assert_array_equal(
            np.load(tmp_path / f"{name}.npy"), model.predict_proba(written_corpus.data)
        )


@pytest.mark.parametrize(
    ("public", "kind"), [pytest.param(*pair, id=pair[0]) for pair in estimators()]
)
def test_every_public_estimator_is_trusted(public, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(_model, "check_is_fitted", lambda estimator: None)
    estimator = kind(**ARGUMENTS.get(kind.__name__, {}))
    path = tmp_path / "model.skops"
    sersk.save(estimator, path)
    loaded = sersk.load(path)
    assert type(loaded) is kind
    assert repr(loaded) == repr(estimator)
    # A private module may be renamed without breaking files.
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    assert f"{schema['__module__']}.{schema['__class__']}" == public


@pytest.fixture
def vectors(rng):
    apart = 4 * np.repeat(np.arange(3), 10)[:, None]
    return rng.normal(size=(30, 4)) + apart, np.repeat(["anger", "fear", "neutral"], 10)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(n_estimators=3, random_state=np.random.RandomState(0)),
        SVC(),
        make_pipeline(FunctionTransformer(np.tanh), FunctionTransformer(np.nan_to_num), SVC()),
        MLPClassifier(hidden_layer_sizes=(4,), max_iter=300, tol=0.1, random_state=0),
        SGDClassifier(random_state=0),
        KNeighborsClassifier(algorithm="brute"),
        make_imblearn_pipeline(SMOTE(k_neighbors=2, random_state=0), SVC()),
        make_imblearn_pipeline(SMOTEENN(random_state=0), SVC()),
        CNNClassifier(filters=(4,), max_epochs=1, random_state=0),
        FineTunedClassifier(RNNClassifier(hidden_sizes=(4,), max_epochs=1), {"lr": 0.1}),
    ],
    ids=lambda model: type(model).__name__,
)
def test_parts_of_other_packages_and_nets(model, vectors, tmp_path):
    X, y = vectors
    if "Classifier" in type(model).__name__ and type(model).__module__.startswith("sersk"):
        X = X.reshape(30, 2, 2).astype(np.float32)
    model.fit(X, y)
    sersk.save(model, tmp_path / "model.skops")
    assert_array_equal(sersk.load(tmp_path / "model.skops").predict(X), model.predict(X))


def test_what_samplers_learn_stays_at_home(vectors, tmp_path):
    X, y = vectors
    keep = np.arange(30) % 3 > 0
    keep[:10] = True
    model = make_imblearn_pipeline(SMOTE(k_neighbors=2, random_state=0), LogisticRegression())
    model.fit(X[keep], y[keep])
    sersk.save(model, tmp_path / "model.skops")
    loaded = sersk.load(tmp_path / "model.skops")
    assert hasattr(model[0], "nn_k_")
    assert not hasattr(loaded[0], "nn_k_")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        arrays = [np.load(archive.open(name)) for name in archive.namelist() if name[-3:] == "npy"]
    assert max(array.size for array in arrays) <= 12  # the coefficients
    # Fitted again, it samples again.
    assert_array_equal(loaded.fit(X[keep], y[keep]).predict_proba(X), model.predict_proba(X))


def test_labels_may_be_numbers(vectors, tmp_path):
    X, _ = vectors
    sersk.save(SVC().fit(X, np.arange(30) % 3), tmp_path / "model.skops")
    assert sersk.read_card(tmp_path / "model.skops").labels == [0, 1, 2]


def test_the_same_model_is_the_same_file(boosted, tmp_path):
    first = sersk.save(boosted, tmp_path / "a.skops")
    assert sersk.save(boosted, tmp_path / "b.skops") == first
    assert (tmp_path / "a.skops").read_bytes() == (tmp_path / "b.skops").read_bytes()
    sersk.save(sersk.load(tmp_path / "a.skops"), tmp_path / "c.skops")
    assert sersk.load(tmp_path / "c.skops", sha256=first.upper())


class Watcher(Callback):
    """A callback of somebody's own."""


def test_what_belongs_to_the_machine_stays_there(written_corpus, tmp_path):
    table = written_corpus.data.copy()
    table.loc[0, "path"] = str(tmp_path / "gone.wav")
    model = svm_functionals(memory=tmp_path / "store", n_jobs=2, n_mfcc=5)
    with pytest.warns(sersk.exceptions.UnreadableAudioWarning):
        model.fit(table, written_corpus.target)
    path = tmp_path / "model.skops"
    sersk.save(model, path, corpus=written_corpus)
    with zipfile.ZipFile(path) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    folder = str(Path(written_corpus.data["path"][0]).parent)
    for secret in (str(tmp_path), folder, "gone.wav"):
        assert secret.encode() not in text
    loaded = sersk.load(path)
    assert loaded["features"].memory is None
    assert loaded["features"].transformer_["read"].n_jobs is None
    # The model that was saved is as it was.
    assert model["features"].memory == tmp_path / "store"
    assert_array_equal(loaded.predict(written_corpus.data), model.predict(written_corpus.data))


def test_device_and_folders_of_nets(vectors, tmp_path):
    X, y = vectors
    X = X.reshape(30, 2, 2).astype(np.float32)
    net = RNNClassifier(
        hidden_sizes=(4,), max_epochs=1, random_state=0, checkpoint_dir=tmp_path / "epochs",
        callbacks=[("watcher", Watcher())],
    )  # fmt: skip
    net.fit(X, y)
    net.device = "cuda:7"
    sersk.save(net, tmp_path / "model.skops")
    loaded = sersk.load(tmp_path / "model.skops")
    assert (loaded.device, loaded.checkpoint_dir, loaded.callbacks) == ("auto", None, None)
    assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))


def test_of_a_folder_of_noise_the_name_stays(tmp_path):
    augmenter = WaveformAugmenter(BackgroundNoise(tmp_path / "street"), random_state=0)
    augmenter.n_features_in_ = 1
    sersk.save(augmenter, tmp_path / "model.skops")
    assert sersk.load(tmp_path / "model.skops").transforms.folder == "street"


def test_unfitted_models_are_refused(tmp_path):
    with pytest.raises(NotFittedError, match="not fitted"):
        sersk.save(svm_functionals(), tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())


class Mine(BaseEstimator):
    def fit(self, X, y=None):
        self.done_ = True
        return self


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (FunctionTransformer(lambda X: X), "<lambda>"),
        (FunctionTransformer(json.dumps), "json.dumps"),
        (FunctionTransformer(np.load), "numpy.*load"),
        (Mine(), "Mine"),
    ],
    ids=["lambda", "function", "numpy.load", "class"],
)
def test_what_is_not_trusted_is_named(step, name, tmp_path):
    model = make_pipeline(step, SVC())
    model[-1].fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ModelFileError, match=f"does not trust in a model file: .*{name}"):
        sersk.save(model, tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_the_old_file(boosted, tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    path.write_text("the old one")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises((OSError, ModelFileError), match="No space left"):
            sersk.save(boosted, path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["the old one"]


def test_a_read_only_folder(boosted, tmp_path, unprivileged):
    with pytest.raises(PermissionError):
        sersk.save(boosted, tmp_path / "model.skops")


def test_other_versions_are_told(boosted, written_corpus, tmp_path, monkeypatch):
    then = {**_model.versions_now(), "sersk": "0.0.1", "numpy": "1.0"}
    with monkeypatch.context() as patched:
        patched.setattr(_model, "versions_now", lambda: then)
        sersk.save(boosted, tmp_path / "model.skops")
    with pytest.warns(ModelVersionWarning, match=r"saved with sersk 0\.0\.1 \(here") as said:
        loaded = sersk.load(tmp_path / "model.skops")
    # Another NumPy computes the same.
    assert len(said) == 1
    assert "numpy" not in str(said[0].message)
    assert_array_equal(
        loaded.predict_proba(written_corpus.data), boosted.predict_proba(written_corpus.data)
    )


@pytest.mark.parametrize("kind", [PerClip, SpeakerNormalizer])
def test_vectors_of_chains(kind, written_corpus, tmp_path):
    chain = make_recipe("svm_functionals", n_mfcc=3)["features"].transformer
    model = kind(PerClip(chain)) if kind is SpeakerNormalizer else kind(chain)
    expected = model.fit(written_corpus.data).transform(written_corpus.data)
    sersk.save(model, tmp_path / "model.skops")
    loaded = sersk.load(tmp_path / "model.skops")
    assert_array_equal(loaded.transform(written_corpus.data), expected)
    assert_array_equal(loaded.get_feature_names_out(), model.get_feature_names_out())
