"""The deep classifiers as estimators: inputs, padding, errors, composition, keeping, documents."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import pickletools
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._testing import assert_docstring_consistency
from sklearn.utils.validation import check_is_fitted

from sersk.augmentation import SpecAugment
from sersk.exceptions import SerskWarning
from sersk.neural_network import (
    CNNClassifier,
    CRNNClassifier,
    RNNClassifier,
    TransformerClassifier,
)
from sersk.neural_network._base import BaseNetClassifier
from sersk.preprocessing import DropUnreadable

NAN = np.nan
SMALL = {
    CNNClassifier: {"filters": (4, 4), "hidden_units": (4,)},
    RNNClassifier: {"hidden_sizes": (4,), "hidden_units": (4,)},
    CRNNClassifier: {
        "filters": (4,),
        "pool_sizes": 2,
        "hidden_sizes": (4,),
        "attention_heads": 2,
        "hidden_units": (4,),
    },
    TransformerClassifier: {
        "d_model": 8,
        "n_blocks": 1,
        "n_heads": 2,
        "feedforward_size": 8,
        "kernel_size": 3,
        "subsampling": 2,
    },
}
CLASSES = list(SMALL)
POOLINGS = {
    CNNClassifier: ("mean", "max", "attention", "statistics", "flatten"),
    RNNClassifier: ("last", "mean", "max", "attention", "statistics"),
    CRNNClassifier: ("last", "mean", "max", "attention", "statistics"),
    TransformerClassifier: ("mean", "max", "attention", "statistics"),
}
KINDS = [
    (CNNClassifier, {}),
    (CNNClassifier, {"conv_dim": 1}),
    (RNNClassifier, {}),
    (RNNClassifier, {"cell": "lstm", "bidirectional": False, "batch_norm": True}),
    (CRNNClassifier, {}),
    (TransformerClassifier, {}),
]
WITH_POOLING = [
    (cls, {**options, "pooling": pooling})
    for cls, options in KINDS
    for pooling in POOLINGS[cls]
    # The second recurrent net differs in what comes before the pooling.
    if "cell" not in options or pooling == "last"
]
PRECISIONS = ["float32", "bfloat16", "float64"]


def name_of(value):
    if isinstance(value, tuple):
        cls, options = value
        return "-".join([cls.__name__[: -len("Classifier")], *map(str, options.values())])
    return None


every_class = pytest.mark.parametrize("cls", CLASSES)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)
every_pooling = pytest.mark.parametrize("kind", WITH_POOLING, ids=name_of)


def net(kind=CNNClassifier, **parameters):
    cls, options = kind if isinstance(kind, tuple) else (kind, {})
    quick = {"max_epochs": 2, "random_state": 0, "precision": "float32", "batch_size": 8}
    return cls(**{**quick, **SMALL[cls], **options, **parameters})


def weights(fitted):
    return {name: w.numpy() for name, w in fitted.net_.module_.state_dict().items()}


def assert_same_weights(one, other):
    found, expected = weights(one), weights(other)
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        assert_array_equal(weight, expected[name], err_msg=name)


def padded(X, n_frames=7):
    return np.concatenate([X, np.full((*X.shape[:-1], n_frames), NAN, X.dtype)], axis=-1)


def noise(*shape, n_clips=18, seed=0):
    """Two emotions, one of them louder."""
    X = np.random.default_rng(seed).normal(size=(n_clips, *shape)).astype(np.float32)
    y = np.arange(n_clips) % 2
    X[y == 1] += 0.5
    return X, np.array(["calm", "anger"])[y]


@pytest.fixture
def frames():
    """Clips of 1 to 12 frames."""
    X, y = noise(5, 12)
    for row, clip in enumerate(X):
        clip[:, 1 + 7 * row % 12 :] = NAN
    return X, y


# ------------------------------------------------------------------------------------- padding


@every_pooling
@pytest.mark.parametrize("precision", PRECISIONS)
def test_more_padding_changes_nothing(kind, precision, frames):
    X, y = frames
    short = net(kind, precision=precision).fit(X, y)
    long = net(kind, precision=precision).fit(padded(X), y)
    assert_same_weights(short, long)
    assert_array_equal(long.predict_proba(X), short.predict_proba(X))
    assert_array_equal(short.predict_proba(padded(X)), short.predict_proba(X))


@every_kind
@pytest.mark.parametrize("precision", PRECISIONS[:2])
@pytest.mark.parametrize("pad_val", [False, True])
def test_more_padding_changes_nothing_with_chance_and_validation(kind, precision, pad_val, frames):
    X, y = frames
    options = {"spec_augment": True, "mixup": 0.4, "label_smoothing": 0.1, "precision": precision}
    X_val = padded(X[:6], 3) if pad_val else X[:6]
    short = net(kind, **options).fit(X, y, X_val=X[:6], y_val=y[:6])
    long = net(kind, **options).fit(padded(X), y, X_val=X_val, y_val=y[:6])
    assert_same_weights(short, long)
    assert_array_equal(long.predict_proba(padded(X)), short.predict_proba(X))
    for one, other in zip(short.history_, long.history_, strict=True):
        assert one | {"dur": 0} == other | {"dur": 0}


@every_kind
def test_more_padding_of_images_changes_nothing(kind):
    X, y = noise(2, 5, 12)
    X[::3, ..., 4:] = NAN
    short, long = net(kind).fit(X, y), net(kind).fit(padded(X), y)
    assert_same_weights(short, long)
    assert_array_equal(long.predict_proba(padded(X)), short.predict_proba(X))


@every_pooling
def test_a_clip_is_predicted_alike_alone_and_among_others(kind, frames):
    X, y = frames
    fitted = net(kind, batch_size=64).fit(X, y)
    one_by_one = np.concatenate([fitted.predict_proba(X[[row]]) for row in range(len(X))])
    assert_allclose(one_by_one, fitted.predict_proba(X), atol=1e-6)


@every_kind
def test_means_and_deviations_are_those_of_valid_frames(kind, frames):
    X, y = frames
    fitted = net(kind).fit(X, y)
    sound = np.moveaxis(X, 1, -1)[np.isfinite(X[:, 0])].astype(np.float64)
    assert_allclose(fitted.mean_, sound.mean(axis=0), atol=1e-6)
    assert_allclose(fitted.scale_, sound.std(axis=0), atol=1e-6)


@every_pooling
def test_padding_taken_for_sound_equals_zeros_behind_the_standardisation(kind, frames):
    X, y = frames
    options = {"mask_padding": False, "precision": "float64", "dropout": 0.0, "batch_size": 32}
    taken = net(kind, **options).fit(X, y)
    filled = np.nan_to_num((X - taken.mean_[:, None]) / taken.scale_[:, None])
    plain = net(kind, **options, standardize=False).fit(filled, y)
    assert_allclose(taken.predict_proba(X), plain.predict_proba(filled), atol=1e-7)
    masked = net(kind, **options | {"mask_padding": True}).fit(X, y)
    assert np.abs(masked.predict_proba(X) - taken.predict_proba(X)).max() > 1e-4


@pytest.mark.parametrize("conv_dim", [1, 2])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_flattened_clips_are_cut_and_filled_to_the_longest_of_fit(conv_dim, mask_padding):
    X, y = noise(5, 12)
    X[..., 9:] = NAN
    options = {"conv_dim": conv_dim, "pooling": "flatten", "mask_padding": mask_padding}
    fitted = net(**options).fit(X, y)
    n_frames = 9 if mask_padding else 12
    longer, _ = noise(5, 20, seed=1)
    expected = fitted.predict_proba(longer[..., :n_frames])
    assert_array_equal(fitted.predict_proba(longer), expected)
    shorter = longer[..., :6]
    assert_array_equal(fitted.predict_proba(shorter), fitted.predict_proba(padded(shorter, 6)))
    assert not np.array_equal(fitted.predict_proba(shorter), expected)


# -------------------------------------------------------------------------------------- inputs


@every_kind
@pytest.mark.parametrize("shape", [(6,), (5, 9), (2, 5, 9)], ids=["vectors", "frames", "images"])
def test_vectors_frames_and_images(kind, shape):
    X, y = noise(*shape)
    fitted = net(kind).fit(X, y)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (len(X), 2)
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert_array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)])
    assert fitted.classes_.tolist() == ["anger", "calm"]
    assert fitted.n_features_in_ == shape[0]
    assert fitted.mean_.shape == (shape if len(shape) == 1 else shape[:-1])


@every_pooling
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (1, 3), (3, 1), (1, 1, 1), (2, 1, 2)])
def test_the_tiniest_inputs(kind, shape):
    X, y = noise(*shape, n_clips=5)
    assert np.isfinite(net(kind).fit(X, y).predict_proba(X)).all()


@every_pooling
@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_tiniest_batches(kind, batch_size):
    X, y = noise(3, 2, n_clips=3)
    X[0, :, 1:] = NAN
    assert np.isfinite(net(kind, batch_size=batch_size).fit(X, y).predict_proba(X)).all()


@every_class
def test_double_precision_comes_out_as_it_is_computed(cls, frames):
    X, y = frames
    assert net(cls, precision="float64").fit(X, y).predict_proba(X).dtype == np.float64
    assert net(cls, precision="bfloat16").fit(X, y).predict_proba(X).dtype == np.float32


@every_class
def test_bfloat16_comes_close_to_single_precision_but_is_not_it(cls, frames):
    X, y = frames
    single, half = (net(cls, precision=p, dropout=0.0).fit(X, y) for p in PRECISIONS[:2])
    assert_allclose(half.predict_proba(X), single.predict_proba(X), atol=0.05)
    assert not np.array_equal(half.predict_proba(X), single.predict_proba(X))


@every_class
@pytest.mark.parametrize("precision", PRECISIONS[:2])
def test_predictions_are_those_of_the_plain_module_in_single_precision(cls, precision):
    X, y = noise(5, 12)
    fitted = net(cls, precision=precision, lr=0.01).fit(X, y)
    x = torch.from_numpy((X - fitted.mean_[:, None]) / fitted.scale_[:, None]).float()
    with torch.no_grad():
        scores = fitted.net_.module_.eval()(x if cls is RNNClassifier else x[:, None], None)
    assert_allclose(fitted.predict_proba(X), torch.softmax(scores, 1).numpy(), atol=1e-6)


@every_class
def test_rows_of_nothing_but_nan_get_the_shares_of_the_classes(cls, frames):
    X, y = frames
    y = np.where(np.arange(len(y)) < 3, "fear", "calm")
    fitted = net(cls).fit(X, y)
    unread = X.copy()
    unread[[2, 4]] = NAN
    found = fitted.predict_proba(unread)
    assert_allclose(found[[2, 4]], [[15 / 18, 3 / 18]] * 2, rtol=1e-6)
    rest = np.delete(np.arange(len(X)), [2, 4])
    assert_allclose(found[rest], fitted.predict_proba(X[rest]), atol=1e-6)
    assert_allclose(fitted.predict_proba(unread[[2]]), found[[2]])
    assert fitted.predict(unread[[2]]).tolist() == ["calm"]
    assert_allclose(net(cls, class_weight="balanced").fit(X, y).class_prior_, 0.5)


def test_a_clip_that_could_not_be_read_is_named_in_fit_and_dropped_by_the_sampler(frames):
    X, y = frames
    X[[3, 7]] = NAN
    with pytest.raises(ValueError, match=r"2 of 18 clips.*row 3 is the first.*DropUnreadable"):
        net().fit(X, y)
    rest = np.delete(np.arange(len(X)), [3, 7])
    pipeline = make_sampling_pipeline(DropUnreadable(), net()).fit(X, y)
    assert_same_weights(pipeline[-1], net().fit(X[rest], y[rest]))
    assert len(pipeline.predict(X)) == len(X)


@pytest.mark.parametrize(
    "make",
    [
        list,
        pd.Series,
        pd.Categorical,
        lambda y: np.asarray(y, dtype=object),
        lambda y: pd.Series(y, index=np.arange(len(y))[::-1] + 50),
        lambda y: np.where(y == "calm", 7, -2),
        lambda y: y == "calm",
        lambda y: np.where(y == "calm", 1.0, 0.0),
    ],
    ids=["list", "series", "category", "object", "index", "int", "bool", "float"],
)
def test_any_kind_of_labels(frames, make):
    X, y = frames
    fitted = net().fit(X, make(y), X_val=X, y_val=make(y))
    assert_array_equal(fitted.classes_, np.unique(np.asarray(make(y))))
    assert_same_weights(fitted, net().fit(X, y, X_val=X, y_val=y))
    assert set(fitted.predict(X)) <= set(make(y))


def test_tables_of_features_keep_their_names():
    X, y = noise(3)
    table = pd.DataFrame(X, columns=["f0", "energy", "rate"])
    fitted = net().fit(table, y, X_val=table, y_val=y)
    assert fitted.feature_names_in_.tolist() == ["f0", "energy", "rate"]
    plain = net().fit(X, y, X_val=X, y_val=y)
    assert_array_equal(fitted.predict_proba(table), plain.predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(table[["rate", "f0", "energy"]])


def test_arrays_of_any_order_and_type_are_the_same_clips(frames):
    X, y = frames
    expected = net().fit(X, y)
    wide = np.full((36, 5, 24), 3.0, np.float32)
    wide[::2, :, ::2] = X
    for same in (X.tolist(), np.asfortranarray(X), X.astype(np.float64), wide[::2, :, ::2]):
        fitted = net().fit(same, y)
        assert_same_weights(fitted, expected)
        assert_array_equal(fitted.predict_proba(same), expected.predict_proba(X))


@every_class
def test_clips_stay_as_they_are(cls, frames):
    X, y = frames
    kept = X.copy()
    net(cls, spec_augment=True, mixup=0.3).fit(X, y, X_val=X, y_val=y).predict(X)
    assert_array_equal(X, kept)


@pytest.mark.parametrize("shape", [(6,), (5, 9), (2, 5, 9)], ids=["vectors", "frames", "images"])
def test_clips_in_a_file_that_may_only_be_read(shape, tmp_path):
    X, _ = noise(*shape)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    labels = np.arange(len(X)) % 2
    labels.flags.writeable = False
    share = np.eye(2)[labels]
    share.flags.writeable = False
    fitted = net(batch_size=64).fit(mapped, labels, X_val=mapped, y_val=labels, y_proba=share)
    expected = net(batch_size=64).fit(X, np.arange(len(X)) % 2, X_val=X, y_val=labels)
    assert_array_equal(fitted.predict_proba(mapped), expected.predict_proba(X))


@every_kind
def test_twenty_clips_can_be_learned_by_heart(kind):
    X, _ = noise(5, 12, n_clips=20)
    X[::2, :, 8:] = NAN
    y = np.random.default_rng(1).permutation(np.repeat(["anger", "calm"], 10))
    wide = {"hidden_sizes": (16,), "filters": (16,), "hidden_units": (16,), "d_model": 16}
    options = {name: wide[name] for name in wide if name in net(kind).get_params()}
    fitted = net(kind, **options, max_epochs=120, lr=0.01, dropout=0.0, batch_size=32).fit(X, y)
    assert fitted.score(X, y) == 1.0


# -------------------------------------------------------------------------------------- errors


def test_nothing_is_predicted_before_fit(frames):
    for cls in CLASSES:
        with pytest.raises(NotFittedError):
            net(cls).predict(frames[0])
        with pytest.raises(NotFittedError):
            check_is_fitted(net(cls))


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(
    ("break_it", "match"),
    [
        (lambda X, y: (X[:, None, None], y), r"images.*shape \(18, 1, 1, 5, 12\)"),
        (lambda X, y: (X, y[:-1]), "18 clips and y 17 labels"),
        (lambda X, y: (X[:-1], y), "17 clips and y 18 labels"),
        (lambda X, y: (X, ["calm"] * 18), r"two classes or more.*\['calm'\]"),
        (lambda X, y: (X, np.linspace(0.5, 2.2, 18)), "continuous"),
        (lambda X, y: (X, np.r_[NAN, np.ones(17)]), "NaN"),
        (lambda X, y: (X, np.eye(18)[:, :2]), "1d array"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[..., :0], y), "nothing but NaN"),
        (lambda X, y: (X[:, :0], y), "nothing but NaN"),
        (lambda X, y: (X[:, 0], y), "NaN"),
    ],
)
def test_what_cannot_be_trained_on(frames, break_it, match):
    X, y = break_it(*frames)
    with pytest.raises(ValueError, match=match):
        net().fit(X, y)


def test_a_sparse_table_is_refused():
    X, y = noise(5)
    with pytest.raises(TypeError, match="dense data is required"):
        net().fit(csr_array(X), y)


@every_class
@pytest.mark.parametrize(
    ("value", "step", "match"),
    [
        (NAN, 1, r"Row 11 holds NaN before its end \(near step 1 of 12\)"),
        (np.inf, 1, "Row 11 holds infinity at step 1"),
        (-np.inf, 0, "Row 11 holds infinity at step 0"),
    ],
)
def test_a_hole_in_a_clip_is_named(cls, frames, value, step, match):
    X, y = frames
    fitted = net(cls).fit(X, y)
    broken = X.copy()
    assert np.isfinite(broken[11, :, :3]).all()
    broken[11, 2, step] = value
    for wrong in (
        lambda: net(cls).fit(broken, y),
        lambda: fitted.predict(broken),
        lambda: net(cls).fit(X, y, X_val=broken, y_val=y),
    ):
        with pytest.raises(ValueError, match=match):
            wrong()


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_what_single_precision_cannot_hold_is_infinity(frames):
    X, y = frames
    with pytest.raises(ValueError, match="Row 0 holds infinity"):
        net().fit(X.astype(np.float64) * 1e300, y)
    fitted = net(precision="float64").fit(X.astype(np.float64) * 1e100, y)
    assert np.isfinite(fitted.predict_proba(X)).all()


@every_kind
def test_clips_of_another_shape_are_refused(kind, frames):
    X, y = frames
    fitted = net(kind).fit(X, y)
    with pytest.raises(ValueError, match=r"X has 4 features.* 5 features"):
        fitted.predict(X[:, :4])
    for other in (X[..., 0], X[:, :, None]):
        with pytest.raises(ValueError, match=r"fitted on clips of shape \(5, n_frames\)"):
            fitted.predict(np.nan_to_num(other))
    images, _ = noise(2, 5, 12)
    fitted = net(kind).fit(images, y)
    with pytest.raises(ValueError, match=r"shape \(2, 5, n_frames\)\. Got .*\(2, 4, 12\)"):
        fitted.predict(images[:, :, :4])
    with pytest.raises(ValueError, match="X has 1 features"):
        fitted.predict(images[:, :1])


SIZES = [
    (CNNClassifier, {"filters": ()}, "filters is empty"),
    (CRNNClassifier, {"filters": []}, "filters is empty"),
    (RNNClassifier, {"hidden_sizes": ()}, "hidden_sizes is empty"),
    (CRNNClassifier, {"hidden_sizes": ()}, "hidden_sizes is empty"),
    (CNNClassifier, {"filters": (4, 0)}, r"filters takes whole numbers >= 1\. Got 0"),
    (CNNClassifier, {"filters": (4, 2.5)}, r"filters takes whole numbers >= 1\. Got 2\.5"),
    (CNNClassifier, {"filters": (4, True)}, "filters takes whole numbers >= 1"),
    (CNNClassifier, {"hidden_units": (-1,)}, "hidden_units takes whole numbers >= 1"),
    (TransformerClassifier, {"hidden_units": (0,)}, "hidden_units takes whole numbers >= 1"),
    (CNNClassifier, {"kernel_sizes": (3, 3, 3)}, "kernel_sizes has 3 entries for the 2 blocks"),
    (CNNClassifier, {"pool_sizes": (2,)}, "pool_sizes has 1 entries for the 2 blocks"),
    (CNNClassifier, {"kernel_sizes": (3, (1, 2, 3))}, r"pairs.*Got \(1, 2, 3\)"),
    (CNNClassifier, {"kernel_sizes": (3, (1, 0))}, r"kernel_sizes takes .*Got 0"),
    (CNNClassifier, {"pool_sizes": ("2", 2)}, "pool_sizes takes whole numbers"),
    (CNNClassifier, {"kernel_sizes": 0}, "'kernel_sizes' parameter"),
    (CNNClassifier, {"conv_dim": 3}, "'conv_dim' parameter"),
    (CNNClassifier, {"conv_dim": 1, "kernel_sizes": (3, (3, 3))}, "kernel_sizes"),
    (CNNClassifier, {"conv_dim": 1, "pool_sizes": (2, (2, 2))}, "pool_sizes"),
    (CNNClassifier, {"pooling": "last"}, "'pooling' parameter"),
    (RNNClassifier, {"pooling": "flatten"}, "'pooling' parameter"),
    (TransformerClassifier, {"n_heads": 3}, "3 attention heads do not divide the 8 features"),
    (CRNNClassifier, {"attention_heads": 3}, "3 attention heads do not divide the 8 features"),
    (TransformerClassifier, {"subsampling": 3}, "'subsampling' parameter"),
    (RNNClassifier, {"dropout": 1.0}, "'dropout' parameter"),
    (RNNClassifier, {"mixup": np.inf}, "'mixup' parameter"),
    (RNNClassifier, {"lr": 0.0}, "'lr' parameter"),
    (RNNClassifier, {"optimizer": "lion"}, "'optimizer' parameter"),
]


@pytest.mark.parametrize(("cls", "parameters", "match"), SIZES)
def test_wrong_sizes(frames, cls, parameters, match):
    with pytest.raises(ValueError, match=match):
        net(cls, **parameters).fit(*frames)


def test_sizes_are_numbers_or_one_entry_a_block(frames):
    X, y = frames
    expected = net(kernel_sizes=3, pool_sizes=2).fit(X, y)
    for threes, twos in (
        ((3, 3), (2, 2)),
        ([(3, 3), 3], [2, (2, 2)]),
        (np.array([3, 3]), np.array([2, 2])),
        (np.int64(3), np.int64(2)),
    ):
        fitted = net(kernel_sizes=threes, pool_sizes=twos, filters=np.array([4, 4])).fit(X, y)
        assert_same_weights(fitted, expected)
        assert_same_weights(pickle.loads(pickle.dumps(fitted)), expected)


def test_vectors_have_nothing_to_mask():
    X, y = noise(6)
    with pytest.raises(ValueError, match=r"spec_augment.*vectors"):
        net(spec_augment=True).fit(X, y)
    net(spec_augment=False).fit(X, y)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "", "hip", "hpu", "privateuseone"])
def test_a_device_that_is_not_there(frames, device):
    with pytest.raises(ValueError, match=r"cannot be used here.*'cpu'.*'auto'"):
        net(device=device).fit(*frames)


def test_a_device_that_computes_nothing(frames):
    with pytest.raises(ValueError, match="computes nothing"):
        net(device="meta").fit(*frames)


def test_a_device_may_be_one_of_torch(frames):
    X, y = frames
    fitted = net(device=torch.device("cpu")).fit(X, y)
    assert_same_weights(fitted, net(device="cpu").fit(X, y))


def test_labels_in_a_column_are_warned_of(frames):
    X, y = frames
    with pytest.warns(DataConversionWarning, match="column-vector"):
        net().fit(X, y[:, None])


# --------------------------------------------------------------------------------- composition


@every_class
def test_in_pipelines_of_both_packages(cls, frames):
    X, y = frames
    double = FunctionTransformer(lambda X: 2 * X)
    expected = net(cls).fit(2 * X, y)
    assert_same_weights(make_pipeline(double, net(cls)).fit(X, y)[-1], expected)
    sampling = make_sampling_pipeline(SpecAugment(random_state=0), double, net(cls)).fit(X, y)
    assert sampling.predict_proba(X).shape == (18, 2)
    vectors, y = noise(6)
    y = np.where(np.arange(18) < 4, "calm", "anger")
    sampling = make_sampling_pipeline(
        RandomOverSampler(random_state=0), StandardScaler(), SelectKBest(k=3), net(cls)
    ).fit(vectors, y)
    assert_allclose(sampling[-1].class_prior_, 0.5)


@pytest.mark.parametrize(
    ("cls", "grid"),
    [
        (CNNClassifier, {"filters": [(2,), (4, 4)], "lr": [1e-3, 1e-2]}),
        (TransformerClassifier, {"d_model": [4, 8], "spec_augment": [None, SpecAugment()]}),
    ],
)
def test_grid_search(cls, grid, frames):
    X, y = frames
    search = GridSearchCV(net(cls), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    best = clone(net(cls)).set_params(**search.best_params_).fit(X, y)
    assert_same_weights(search.best_estimator_, best)


@every_class
def test_calibration_and_predictions_across_folds(cls, frames):
    X, y = frames
    calibrated = CalibratedClassifierCV(net(cls), cv=2).fit(X, y)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    found = cross_val_predict(net(cls), X, y, cv=3, method="predict_proba")
    assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_feature_names_and_weights_reach_the_net_through_a_pipeline():
    X, y = noise(6)
    weight = np.arange(1.0, 19)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), net())
    pipeline.fit(pd.DataFrame(X).add_prefix("f"), y, cnnclassifier__sample_weight=weight)
    assert pipeline[-1].feature_names_in_.tolist() == [f"f{i}" for i in range(6)]
    assert_allclose(pipeline[-1].class_prior_, [weight[1::2].sum() / weight.sum(), 81 / 171])


# ------------------------------------------------------------------------------------- keeping

KEEPERS = {
    "pickle": lambda fitted: pickle.loads(pickle.dumps(fitted)),
    "oldest pickle": lambda fitted: pickle.loads(pickle.dumps(fitted, protocol=2)),
    "deepcopy": copy.deepcopy,
    "joblib": lambda fitted: _through_joblib(fitted),
    "skops": lambda fitted: _through_skops(fitted),
    "twice": lambda fitted: pickle.loads(pickle.dumps(copy.deepcopy(fitted))),
}


def _through_joblib(fitted):
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    return joblib.load(file)


def _through_skops(fitted):
    dumped = skops.io.dumps(fitted)
    trusted = skops.io.get_untrusted_types(data=dumped)
    assert all(name.startswith("sersk.") for name in trusted)
    return skops.io.loads(dumped, trusted=trusted)


@every_kind
@pytest.mark.parametrize("keep", KEEPERS.values(), ids=KEEPERS.keys())
def test_a_kept_net_predicts_the_same_bits(kind, keep, frames):
    X, y = frames
    fitted = net(kind, spec_augment=SpecAugment(n_time_masks=1)).fit(X, y, X_val=X, y_val=y)
    kept = keep(fitted)
    assert_same_weights(kept, fitted)
    assert_array_equal(kept.predict_proba(X), fitted.predict_proba(X))
    assert kept.history_ == fitted.history_
    assert kept.fit(X, y, X_val=X, y_val=y).history_[-1]["lr"] == fitted.history_[-1]["lr"]
    assert_same_weights(kept, fitted)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("keep", [KEEPERS["pickle"], KEEPERS["skops"]])
def test_a_kept_net_has_its_precision(precision, keep, frames):
    X, y = frames
    fitted = net(precision=precision).fit(X, y)
    assert_array_equal(keep(fitted).predict_proba(X), fitted.predict_proba(X))


def test_keeping_leaves_the_net_as_it_is(frames):
    X, y = frames
    fitted = net().fit(X, y)
    before = fitted.predict_proba(X)
    pickle.dumps(fitted)
    assert_array_equal(fitted.predict_proba(X), before)
    assert fitted.__getstate__().keys() == fitted.__getstate__().keys()
    # What is kept is no view into the net that trains on.
    state = fitted.__getstate__()
    kept = {name: w.copy() for name, w in state["_weights"].items()}
    fitted.partial_fit(X, y)
    for name, weight in kept.items():
        assert_array_equal(state["_weights"][name], weight)


@every_class
def test_a_pickle_holds_no_torch(cls, frames):
    X, y = frames
    dumped = pickle.dumps(net(cls, spec_augment=True).fit(X, y, X_val=X, y_val=y))
    strings = [arg for _, arg, _ in pickletools.genops(dumped) if isinstance(arg, str)]
    assert [arg for arg in strings if "torch" in arg or "skorch" in arg] == []
    assert any("sersk.neural_network" in arg for arg in strings)


def test_an_unfitted_net_is_kept_unfitted():
    kept = pickle.loads(pickle.dumps(net()))
    assert kept.get_params() == net().get_params()
    assert not hasattr(kept, "net_")


@pytest.mark.filterwarnings("always")
def test_a_net_from_a_gpu_goes_on_without_one(frames):
    X, y = frames
    fitted = net().fit(X, y)
    expected = fitted.predict_proba(X)
    dumped = pickle.dumps(fitted.set_params(device="cuda:99"))
    with pytest.warns(SerskWarning, match=r"'cuda:99' cannot be used here.*'cpu' is taken"):
        kept = pickle.loads(dumped)
    assert kept.device == "cuda:99"
    assert_array_equal(kept.predict_proba(X), expected)


CHANGES = [
    {"filters": (3,)},
    {"kernel_sizes": 5},
    {"pooling": "flatten"},
    {"hidden_units": (2, 2)},
    {"dropout": 0.0, "batch_norm": False},
    {"conv_dim": 1},
    {"mask_padding": False},
    {"standardize": False},
    {"precision": "float64"},
    {"optimizer": "sgd", "lr": 3.0},
    {"mixup": 1.0, "spec_augment": True},
    {"batch_size": 3},
    {"random_state": 5},
    {"max_epochs": 0, "dropout": -1, "pooling": None},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("keep", [lambda fitted: fitted, copy.deepcopy], ids=["as is", "kept"])
def test_parameters_set_after_fit_do_not_touch_what_is_fitted(changes, keep, frames):
    X, y = frames
    fitted = net(batch_size=64).fit(X, y)
    expected = fitted.predict_proba(X)
    changed = keep(fitted.set_params(**changes))
    assert_allclose(changed.predict_proba(X), expected, atol=1e-6)


def test_masks_asked_for_after_fit_do_not_break_a_net_of_vectors():
    X, y = noise(6)
    fitted = net().fit(X, y).set_params(spec_augment=True)
    assert_array_equal(copy.deepcopy(fitted).predict_proba(X), fitted.predict_proba(X))


@every_class
def test_a_clone_is_unfitted(cls, frames):
    fitted = net(cls, spec_augment=SpecAugment(n_time_masks=3)).fit(*frames)
    copied = clone(fitted)
    with pytest.raises(NotFittedError):
        check_is_fitted(copied)
    assert copied.get_params().keys() == fitted.get_params().keys()
    assert copied.spec_augment.n_time_masks == 3
    assert repr(copied) == repr(fitted)
    assert_same_weights(copied.fit(*frames), fitted)


# ------------------------------------------------------------------------------------ progress


@pytest.fixture
def terminal(monkeypatch):
    """Pretend that somebody looks at the error stream."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("terminal")
def test_the_bar_is_on_the_error_stream_alone(frames, capsys):
    X, y = frames
    net(verbose=1).fit(X, y, X_val=X, y_val=y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch" in err
    assert "valid loss" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1  # the cursor comes back
    net(verbose=0).fit(X, y, X_val=X, y_val=y)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_the_bar_goes_away_after_an_error(frames, capsys):
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="the loss is"):
        net(verbose=1, lr=1e30, max_epochs=9).fit(*frames)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)  # told to stop, but perhaps not there yet
        assert not thread.is_alive()
    err = capsys.readouterr().err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1


# ----------------------------------------------------------------------------------- documents

SHARED = [
    (CLASSES, set(BaseNetClassifier._parameter_constraints) - {"dropout"} | {"hidden_units"}),
    ([CNNClassifier, CRNNClassifier], {"filters", "kernel_sizes", "convs_per_block"}),
    ([RNNClassifier, CRNNClassifier], {"cell", "bidirectional", "pooling"}),
    ([CNNClassifier, RNNClassifier, CRNNClassifier], {"dropout"}),
]
DEFAULTS_DIFFER = {"filters", "pool_sizes", "hidden_sizes", "hidden_units", "batch_norm", "dropout"}


@pytest.mark.parametrize(("classes", "names"), SHARED)
def test_shared_parameters_have_the_same_defaults(classes, names):
    signatures = [inspect.signature(cls).parameters for cls in classes]
    for name in names - DEFAULTS_DIFFER:
        assert len({str(signature[name]) for signature in signatures}) == 1, name


@pytest.mark.parametrize(("classes", "names"), SHARED)
def test_shared_parameters_have_the_same_documents(classes, names):
    pytest.importorskip("numpydoc")
    include = sorted(names - DEFAULTS_DIFFER)
    assert_docstring_consistency(classes, include_params=include)
    assert_docstring_consistency(classes, include_attrs=True)


@every_class
def test_the_signature_is_what_is_checked_and_documented(cls):
    names = list(inspect.signature(cls).parameters)
    assert set(names) == set(cls._parameter_constraints)
    doc = pytest.importorskip("numpydoc.docscrape").ClassDoc(cls)
    assert [parameter.name for parameter in doc["Parameters"]] == names
    for parameter in doc["Parameters"]:
        default = inspect.signature(cls).parameters[parameter.name].default
        shown = f'"{default}"' if isinstance(default, str) else str(default)
        assert parameter.type.endswith(f"default={shown}"), parameter.name


@every_class
def test_what_is_fitted_is_documented(cls, frames):
    fitted = net(cls).fit(*frames)
    doc = pytest.importorskip("numpydoc.docscrape").ClassDoc(cls)
    documented = {name for line in doc["Attributes"] for name in line.name.split(", ")}
    found = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert found == documented - {"feature_names_in_"}


@every_class
def test_history_holds_what_the_document_says(cls, frames):
    X, y = frames
    train = {"epoch", "dur", "lr", "train_loss", "train_balanced_accuracy"}
    valid = {"valid_loss", "valid_balanced_accuracy"}
    for schedule in (None, "cosine", "plateau"):
        fitted = net(cls, lr_schedule=schedule).fit(X, y)
        assert [set(row) for row in fitted.history_] == [train] * 2
        fitted.fit(X, y, X_val=X, y_val=y)
        assert [set(row) for row in fitted.history_] == [train | valid] * 2
