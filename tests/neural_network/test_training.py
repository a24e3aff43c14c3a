"""How the deep classifiers are trained: chance, weights, validation, schedules, interrupts."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import rel_entr
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.utils import compute_sample_weight
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
)

from sersk.augmentation import SpecAugment
from sersk.exceptions import (
    MissingExtraError,
    SerskError,
    TrainingError,
    TrainingInterruptedWarning,
)
from sersk.neural_network import (
    CNNClassifier,
    CRNNClassifier,
    RNNClassifier,
    TransformerClassifier,
)

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
every_class = pytest.mark.parametrize("cls", CLASSES)
CHANCE = {"spec_augment": True, "mixup": 0.4, "dropout": 0.3}


def net(cls=CNNClassifier, **parameters):
    quick = {"max_epochs": 3, "random_state": 0, "precision": "float32", "batch_size": 8}
    return cls(**{**quick, **SMALL[cls], **parameters})


def exact_net(cls=CNNClassifier, **parameters):
    """A net in which a clip counts by its weight alone, and rounding does not count."""
    options = {"precision": "float64", "dropout": 0.0, "batch_size": 100, "lr": 0.01}
    if "batch_norm" in cls().get_params():
        options["batch_norm"] = False
    return net(cls, **{**options, **parameters})


def weights(fitted):
    return {name: w.numpy().copy() for name, w in fitted.net_.module_.state_dict().items()}


def same_weights(one, other):
    one, other = (w if isinstance(w, dict) else weights(w) for w in (one, other))
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture
def clips():
    """Clips of 3 to 12 frames, one emotion louder."""
    X = np.random.default_rng(0).normal(size=(18, 5, 12)).astype(np.float32)
    y = np.array(["calm", "anger"])[np.arange(18) % 2]
    X[1::2] += 0.7
    for row, clip in enumerate(X):
        clip[:, 3 + 7 * row % 10 :] = NAN
    return X, y


@pytest.fixture
def held_out():
    """Clips whose labels have nothing to do with them: the last epoch is not the best."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12, 5, 9)).astype(np.float32)
    return {"X_val": X, "y_val": np.array(["calm", "anger"])[rng.permutation(12) % 2]}


# -------------------------------------------------------------------------------------- chance


@every_class
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_bits(cls, precision, clips, held_out):
    fits = [
        net(cls, precision=precision, random_state=seed, **CHANCE).fit(*clips, **held_out)
        for seed in (3, 3, 4)
    ]
    assert same_weights(fits[0], fits[1])
    assert not same_weights(fits[0], fits[2])
    assert fits[0].best_epoch_ == fits[1].best_epoch_
    for one, other in zip(fits[0].history_, fits[1].history_, strict=True):
        assert one | {"dur": 0} == other | {"dur": 0}


@every_class
def test_nobody_elses_random_numbers_are_touched(cls, clips, held_out):
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()

    before = states()
    fitted = net(cls, **CHANCE).fit(*clips, **held_out)
    clone(fitted).partial_fit(*clips, classes=["anger", "calm"])
    pickle.loads(pickle.dumps(fitted)).predict(clips[0])
    assert states() == before
    with pytest.raises(TrainingError):
        net(cls, lr=1e30, max_epochs=20, gradient_clip=None).fit(*clips)
    assert states() == before


def test_nobody_elses_seed_counts(clips):
    fits = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        fits.append(net(**CHANCE).fit(*clips))
    assert same_weights(*fits)


def test_fits_in_threads_are_those_in_turn(clips):
    nets = [net(random_state=seed, **CHANCE, max_epochs=8) for seed in range(4)]
    expected = [weights(clone(one).fit(*clips)) for one in nets]
    state = torch.get_rng_state()
    threads = [threading.Thread(target=one.fit, args=clips) for one in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(same_weights, nets, expected))
    assert torch.equal(torch.get_rng_state(), state)


@every_class
def test_a_second_fit_forgets_the_first(cls, clips, held_out):
    X, y = clips
    fitted = net(cls, **CHANCE).fit(X[::-1], y, **held_out)
    assert same_weights(fitted.fit(X, y), net(cls, **CHANCE).fit(X, y))
    assert fitted.n_epochs_ == len(fitted.history_) == fitted.best_epoch_ == 3


def test_a_random_state_instance_is_drawn_from(clips):
    one, same = (net(random_state=np.random.RandomState(3)) for _ in range(2))
    first = weights(one.fit(*clips))
    assert same_weights(same.fit(*clips), first)
    assert not same_weights(one.fit(*clips), first)
    assert not same_weights(net(random_state=None).fit(*clips), net(random_state=None).fit(*clips))


def test_workers_train_what_is_trained_in_turn(clips):
    # As many threads as a worker gets: with others, sums are added up in another order.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        scores = [
            cross_validate(
                net(**CHANCE),
                *clips,
                cv=StratifiedKFold(2),
                scoring="neg_log_loss",
                n_jobs=n_jobs,
                return_estimator=True,
            )
            for n_jobs in (1, 2)
        ]
    finally:
        torch.set_num_threads(n_threads)
    assert_array_equal(scores[0]["test_score"], scores[1]["test_score"])
    assert all(map(same_weights, scores[0]["estimator"], scores[1]["estimator"]))


@pytest.mark.parametrize("chance", [{name: CHANCE[name]} for name in CHANCE], ids=str)
def test_each_source_of_chance_changes_the_fit(chance, clips):
    calm = dict.fromkeys(("mixup", "dropout"), 0.0)
    assert not same_weights(net(**calm).fit(*clips), net(**{**calm, **chance}).fit(*clips))


def test_masks_are_as_they_are_asked_for(clips):
    default = net(spec_augment=True).fit(*clips)
    assert same_weights(net(spec_augment=SpecAugment()).fit(*clips), default)
    # Copies and seed are those of the sampler; here they have no meaning.
    other = SpecAugment(copies=3, keep_original=False, random_state=7)
    assert same_weights(net(spec_augment=other).fit(*clips), default)
    assert not same_weights(net(spec_augment=SpecAugment(fill="zero")).fit(*clips), default)
    none = SpecAugment(n_time_masks=0, n_freq_masks=0)
    assert same_weights(net(spec_augment=none).fit(*clips), net(spec_augment=False).fit(*clips))


# ------------------------------------------------------------------------------------- weights


@every_class
def test_a_clip_without_weight_is_not_there(cls, clips):
    X, y = clips
    weight = np.ones(18)
    weight[[2, 7, 8]] = 0
    X[2] *= 1000
    kept = weight > 0
    found = exact_net(cls).fit(X, y, sample_weight=weight)
    expected = exact_net(cls).fit(X[kept], y[kept])
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-9)
    assert_allclose(found.class_prior_, expected.class_prior_)
    assert_allclose(found.mean_, expected.mean_, atol=1e-12)


@every_class
def test_a_clip_without_weight_stands_in_no_statistics_of_a_batch(cls, clips):
    X, y = clips
    weight = np.r_[np.zeros(4), np.ones(14)]
    found = net(cls, precision="float64", **CHANCE).fit(X, y, sample_weight=weight)
    expected = net(cls, precision="float64", **CHANCE).fit(X[4:], y[4:])
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-9)


@every_class
def test_a_whole_weight_is_so_many_clips(cls, clips):
    X, y = clips
    weight = np.random.default_rng(1).integers(0, 4, 18)
    found = exact_net(cls).fit(X, y, sample_weight=weight)
    expected = exact_net(cls).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-7)
    assert_allclose(found.class_prior_, expected.class_prior_)
    found = [row["train_loss"] for row in found.history_]
    assert_allclose(found, [row["train_loss"] for row in expected.history_], rtol=1e-7)


def test_only_ratios_of_weights_count(clips):
    X, y = clips
    weight = np.random.default_rng(1).uniform(0.1, 2, 18)
    found = exact_net().fit(X, y, sample_weight=weight * 1e6).predict_proba(X)
    expected = exact_net().fit(X, y, sample_weight=weight).predict_proba(X)
    assert_allclose(found, expected, atol=1e-9)
    plain = net().fit(X, y)
    assert same_weights(net().fit(X, y, sample_weight=np.full(18, 0.25)), plain)
    assert same_weights(net().fit(X, y, sample_weight=3), plain)


@pytest.mark.parametrize("class_weight", ["balanced", {"calm": 5, "anger": 0.5}, {"calm": 2}])
def test_weights_of_classes_are_weights_of_their_clips(class_weight, clips):
    X, y = clips
    y[:3] = "anger"
    own = np.linspace(1, 2, 18)
    weight = compute_sample_weight(class_weight, y)
    found = net(class_weight=class_weight).fit(X, y)
    assert same_weights(found, net().fit(X, y, sample_weight=weight))
    assert not same_weights(found, net().fit(X, y))
    found = net(class_weight=class_weight).fit(X, y, sample_weight=own)
    assert same_weights(found, net().fit(X, y, sample_weight=weight * own))


def test_balanced_classes_count_alike(clips):
    X, y = clips
    y[4:] = "anger"
    balanced, plain = (
        net(class_weight=w, max_epochs=60, lr=0.01).fit(0 * X, y) for w in ("balanced", None)
    )
    assert_allclose(plain.predict_proba(0 * X)[0, 1], np.mean(y == "calm"), atol=0.08)
    assert_allclose(balanced.predict_proba(0 * X)[0, 1], 0.5, atol=0.08)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.zeros(18), "at least one non-zero"),
        (-np.ones(18), "[Nn]egative"),
        (np.full(18, NAN), "NaN"),
        (np.ones(17), "17"),
        (np.ones((18, 2)), "1D"),
    ],
)
def test_wrong_weights(weight, match, clips):
    with pytest.raises(ValueError, match=match):
        net().fit(*clips, sample_weight=weight)


def test_weights_of_classes_that_leave_nothing(clips):
    X, y = clips
    with pytest.raises(ValueError, match="All clips have a weight of 0"):
        net(class_weight={"calm": 0}).fit(X, y, sample_weight=y == "calm")


# -------------------------------------------------------------------------------------- shares


@every_class
def test_whole_shares_are_labels(cls, clips):
    X, y = clips
    share = np.eye(2)[(y == "calm").astype(int)]
    options = {"label_smoothing": 0.1, "mixup": 0.3}
    expected = net(cls, **options).fit(X, y)
    assert same_weights(net(cls, **options).fit(X, y, y_proba=share), expected)
    votes = (share * 7).astype(int).tolist()
    assert same_weights(net(cls, **options).fit(X, y, y_proba=votes), expected)


def test_shares_count_in_the_place_of_labels(clips):
    X, y = clips
    share = np.eye(2)[(y == "calm").astype(int)]
    turned = exact_net().fit(X, y, y_proba=share[:, ::-1])
    expected = exact_net().fit(X, np.where(y == "calm", "anger", "calm"))
    assert_allclose(turned.predict_proba(X), expected.predict_proba(X), atol=1e-9)
    soft = np.tile([0.8, 0.2], (18, 1))
    fitted = exact_net(max_epochs=80).fit(X, y, y_proba=soft)
    assert_allclose(fitted.class_prior_, [0.8, 0.2])
    assert_allclose(fitted.predict_proba(X).mean(axis=0), [0.8, 0.2], atol=0.03)


def test_shares_and_weights_go_together(clips):
    X, y = clips
    share = np.random.default_rng(0).uniform(size=(18, 2))
    weight = np.arange(18) % 3
    found = exact_net().fit(X, y, sample_weight=weight, y_proba=share)
    rows = np.repeat(np.arange(18), weight)
    expected = exact_net().fit(X[rows], y[rows], y_proba=share[rows])
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-7)
    assert_allclose(found.class_prior_, expected.class_prior_, rtol=1e-6)


@pytest.mark.parametrize(
    ("share", "match"),
    [
        (np.ones((18, 3)), r"\['anger', 'calm'\].*\(18, 2\)\. Got \(18, 3\)"),
        (np.ones((17, 2)), r"\(18, 2\)\. Got \(17, 2\)"),
        (np.ones(18), "2D array"),
        (np.r_[np.ones((17, 2)), [[0, 0]]], r"Row 17 is \[0\.0, 0\.0\]"),
        (np.r_[np.ones((2, 2)), [[2, -1]], np.ones((15, 2))], r"Row 2 is \[2\.0, -1\.0\]"),
        (np.full((18, 2), NAN), "NaN"),
    ],
)
def test_wrong_shares(share, match, clips):
    with pytest.raises(ValueError, match=match):
        net().fit(*clips, y_proba=share)


# ---------------------------------------------------------------------------------- validation


@every_class
@pytest.mark.parametrize("monitor", ["loss", "balanced_accuracy"])
def test_the_best_epoch_is_kept(cls, monitor, clips, held_out):
    fitted = net(cls, monitor=monitor, max_epochs=15, lr=0.02, patience=None, dropout=0.0)
    fitted.fit(*clips, **held_out)
    losses = [row["valid_loss"] for row in fitted.history_]
    scores = [row["valid_balanced_accuracy"] for row in fitted.history_]
    best = np.argmin(losses) if monitor == "loss" else np.argmax(scores)
    assert fitted.n_epochs_ == 15
    assert fitted.best_epoch_ == best + 1 < 15
    X, y = held_out.values()
    assert log_loss(y, fitted.predict_proba(X)) == pytest.approx(losses[best], rel=1e-5)
    assert balanced_accuracy_score(y, fitted.predict(X)) == pytest.approx(scores[best])


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends(patience, clips, held_out):
    fitted = net(patience=patience, max_epochs=50, lr=0.02).fit(*clips, **held_out)
    assert fitted.n_epochs_ == fitted.best_epoch_ + patience < 50
    assert len(fitted.history_) == fitted.n_epochs_
    losses = [row["valid_loss"] for row in fitted.history_]
    assert fitted.best_epoch_ == np.argmin(losses) + 1
    longer = net(patience=None, max_epochs=50, lr=0.02).fit(*clips, **held_out)
    assert [row["valid_loss"] for row in longer.history_[: len(losses)]] == losses


def test_validation_does_not_train(clips, held_out):
    X, y = clips
    plain = net(**CHANCE).fit(X, y)
    fitted = net(**CHANCE, patience=1, max_epochs=3).fit(X, y, **held_out)
    losses = [row["train_loss"] for row in fitted.history_]
    assert losses == [row["train_loss"] for row in plain.history_[: len(losses)]]
    assert_array_equal(fitted.mean_, plain.mean_)
    # Where the last epoch is the best, nothing differs at all.
    fitted = net(dropout=0.0).fit(X, y, X_val=X, y_val=y)
    assert fitted.best_epoch_ == 3
    assert same_weights(fitted, net(dropout=0.0).fit(X, y))


def test_clips_that_could_not_be_read_are_left_out_of_validation(clips, held_out):
    X_val, y_val = held_out["X_val"].copy(), held_out["y_val"]
    X_val[[0, 5]] = NAN
    found = net().fit(*clips, X_val=X_val, y_val=y_val)
    kept = np.delete(np.arange(12), [0, 5])
    expected = net().fit(*clips, X_val=X_val[kept], y_val=y_val[kept])
    assert_allclose(
        [row["valid_loss"] for row in found.history_],
        [row["valid_loss"] for row in expected.history_],
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="X_val are nothing but NaN"):
        net().fit(*clips, X_val=X_val[[0, 5]], y_val=y_val[[0, 5]])


def test_validation_may_lack_a_class_and_have_other_lengths(clips, held_out):
    X_val = held_out["X_val"]
    fitted = net().fit(*clips, X_val=X_val, y_val=["calm"] * 12)
    expected = -np.log(fitted.predict_proba(X_val)[:, 1]).mean()
    best = fitted.history_[fitted.best_epoch_ - 1]
    assert best["valid_loss"] == pytest.approx(expected, rel=1e-5)
    found = net(pooling="flatten").fit(*clips, X_val=np.tile(X_val, 4), y_val=held_out["y_val"])
    assert np.isfinite(found.history_[-1]["valid_loss"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X, y: (X, np.where(y == "calm", "joy", y)), r"y_val.*\['joy'\].*'anger', 'calm'"),
        (lambda X, y: (X, np.arange(12)), "y_val holds labels"),
        (lambda X, y: (X, y[:5]), "X_val has 12 clips and y_val 5 labels"),
        (lambda X, y: (X, None), "go together"),
        (lambda X, y: (None, y), "go together"),
        (lambda X, y: (X[:, :4], y), "X has 4 features"),
        (lambda X, y: (X[:, None], y), "X has 1 features"),
        (lambda X, y: (X[..., 0], y), "fitted on clips of shape"),
    ],
)
def test_wrong_validation(change, match, clips, held_out):
    X_val, y_val = change(*held_out.values())
    with pytest.raises(ValueError, match=match):
        net().fit(*clips, X_val=X_val, y_val=y_val)


class EndsAt(Callback):
    """Has seen enough after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


def test_the_epoch_with_which_a_callback_ends_may_be_the_best(clips):
    X, y = clips
    fitted = net(callbacks=[EndsAt(2)], dropout=0.0).fit(X, y, X_val=X, y_val=y)
    losses = [row["valid_loss"] for row in fitted.history_]
    assert losses[1] < losses[0]
    assert fitted.n_epochs_ == 2
    assert fitted.best_epoch_ == 2
    assert log_loss(y, fitted.predict_proba(X)) == pytest.approx(losses[1], rel=1e-5)


class LosesTheFirst(Callback):
    """Makes the loss of the first epoch no number, as one clip of huge values may."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            net.history.record("valid_loss", NAN)


def test_a_score_that_is_no_number_is_never_the_best(clips):
    X, y = clips
    fitted = net(callbacks=[LosesTheFirst()], dropout=0.0).fit(X, y, X_val=X, y_val=y)
    assert math.isnan(fitted.history_[0]["valid_loss"])
    assert fitted.best_epoch_ == 3


# ----------------------------------------------------------------------------------- schedules


def rising(name, done):
    if name == "cosine":
        if done < 0.05:
            return max(done / 0.05, 0.01)
        return (1 + math.cos(math.pi * (done - 0.05) / 0.95)) / 2
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


class NotesRates(Callback):
    """Writes down with which rate each step was taken; a list of the module is no state."""

    seen = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.seen.append(net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
def test_each_step_has_the_rate_of_the_schedule(name, clips, held_out):
    NotesRates.seen.clear()
    fitted = net(lr_schedule=name, lr=0.02, max_epochs=10, callbacks=[NotesRates()], patience=None)
    fitted.fit(*clips, **held_out)
    n_steps = 10 * 3  # 18 clips in batches of 8
    expected = [0.02 * rising(name, step / n_steps) for step in range(n_steps)]
    assert_allclose(NotesRates.seen, expected)
    assert_allclose([row["lr"] for row in fitted.history_], expected[2::3])
    assert max(expected) == pytest.approx(0.02, rel=0.02)
    assert expected[-1] < 0.001


def test_without_a_schedule_the_rate_stays(clips):
    assert [row["lr"] for row in net(lr=0.02).fit(*clips).history_] == [0.02] * 3


@pytest.mark.parametrize("validated", [False, True])
def test_plateau_halves_after_five_epochs_without_a_fall(validated, clips, held_out):
    # At such a rate nothing moves: the first epoch is the best for ever.
    stuck = net(lr_schedule="plateau", lr=1e-7, max_epochs=15, patience=None, batch_size=32)
    stuck.set_params(dropout=0.0, batch_norm=False)
    fitted = stuck.fit(*clips, **(held_out if validated else {}))
    rates = [row["lr"] for row in fitted.history_]
    assert rates[:6] == [1e-7] * 6
    assert rates[6] == 0.5e-7
    assert set(rates) <= {1e-7, 0.5e-7, 0.25e-7}


def test_plateau_leaves_the_rate_while_the_loss_falls(clips):
    fitted = net(lr_schedule="plateau", lr=0.003, max_epochs=12, dropout=0.0, batch_size=32)
    losses = [row["train_loss"] for row in fitted.fit(*clips).history_]
    assert losses == sorted(losses, reverse=True)
    assert {row["lr"] for row in fitted.history_} == {0.003}


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "plateau"])
@pytest.mark.parametrize("after_fit", [False, True])
def test_partial_fit_knows_no_schedule(name, after_fit, clips):
    fitted = net(lr_schedule=name, lr=0.02)
    if after_fit:
        fitted.fit(*clips)
    for _ in range(9):
        fitted.partial_fit(*clips, classes=["anger", "calm"])
        assert fitted.history_[-1]["lr"] == 0.02


@every_class
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_learns(cls, optimizer, clips):
    lr = 0.05 if optimizer == "sgd" else 0.01
    fitted = exact_net(cls, optimizer=optimizer, lr=lr, max_epochs=25).fit(*clips)
    losses = [row["train_loss"] for row in fitted.history_]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_decay_pulls_the_weights_to_zero(optimizer, clips):
    def size(weight_decay):
        fitted = net(optimizer=optimizer, weight_decay=weight_decay, lr=0.01, max_epochs=10)
        parameters = fitted.fit(*clips).net_.module_.parameters()
        return sum(float((parameter.detach() ** 2).sum()) for parameter in parameters)

    assert size(3.0) < 0.8 * size(0.0)


def test_gradients_are_clipped(clips):
    options = {"optimizer": "sgd", "lr": 1.0, "weight_decay": 0.0, "batch_norm": False}
    start = weights(net(**options | {"lr": 1e-30}).fit(*clips))
    clipped = net(gradient_clip=1e-6, **options).fit(*clips)
    for name, weight in weights(clipped).items():
        assert_allclose(weight, start[name], atol=1e-4)
    free = net(gradient_clip=None, **options).fit(*clips)
    assert same_weights(net(gradient_clip=1e9, **options).fit(*clips), free)
    assert not same_weights(net(gradient_clip=0.1, **options).fit(*clips), free)


def test_softened_labels_raise_the_floor_of_the_loss(clips):
    X, y = clips
    options = {"max_epochs": 150, "lr": 0.02, "dropout": 0.0, "batch_size": 32}
    options |= {"filters": (8, 8), "hidden_units": (8,)}
    floor = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    soft = net(label_smoothing=0.2, **options).fit(X, y)
    losses = np.array([row["train_loss"] for row in soft.history_])
    assert losses.min() > floor - 1e-6
    assert losses.min() < floor + 0.05
    assert net(**options).fit(X, y).history_[-1]["train_loss"] < 0.05
    # The loss above its floor is the distance from the target.
    target = np.where(y[:, None] == soft.classes_, 0.9, 0.1)
    assert rel_entr(target, soft.predict_proba(X)).sum(axis=1).mean() < 0.1


def test_the_loss_of_training_is_the_cross_entropy_before_the_step(clips):
    X, y = clips
    first = exact_net(max_epochs=1, lr=1e-30).fit(X, y)
    assert first.history_[0]["train_loss"] == pytest.approx(log_loss(y, first.predict_proba(X)))
    found = first.history_[0]["train_balanced_accuracy"]
    assert found == pytest.approx(balanced_accuracy_score(y, first.predict(X)))


# -------------------------------------------------------------------------------- going on


@every_class
def test_a_warm_start_goes_on(cls, clips):
    X, y = clips
    fitted = net(cls, warm_start=True, dropout=0.0, lr=0.01, max_epochs=6).fit(X, y)
    before, first, mean = weights(fitted), fitted.history_[:], fitted.mean_.copy()
    fitted.set_params(max_epochs=4, lr=1e-30).fit(X + 5, y)
    assert_array_equal(fitted.mean_, mean)
    for name, weight in weights(fitted).items():
        if "running" not in name and "tracked" not in name:
            assert_allclose(weight, before[name], atol=1e-6)
    assert fitted.history_[:6] == first
    assert [row["epoch"] for row in fitted.history_] == list(range(1, 11))
    assert [row["lr"] for row in fitted.history_[6:]] == [1e-30] * 4
    fitted.set_params(max_epochs=20, lr=0.01).fit(X, y)
    assert fitted.n_epochs_ == fitted.best_epoch_ == 30
    assert fitted.history_[-1]["train_loss"] < first[-1]["train_loss"]


def test_a_warm_start_draws_other_numbers_each_time(clips):
    one = net(warm_start=True, **CHANCE).fit(*clips).fit(*clips)
    same = net(warm_start=True, **CHANCE).fit(*clips).fit(*clips)
    assert same_weights(one, same)
    # Nothing moves at such a rate, so that losses differ by chance alone.
    still = net(warm_start=True, lr=1e-30, **CHANCE).fit(*clips).fit(*clips)
    assert len({row["train_loss"] for row in still.history_}) == 6
    still.partial_fit(*clips).partial_fit(*clips)
    assert len({row["train_loss"] for row in still.history_}) == 8


def test_a_warm_start_begins_like_any_other(clips):
    assert same_weights(net(warm_start=True).fit(*clips), net().fit(*clips))


def test_a_warm_start_with_validation_counts_its_best_epoch_on(clips, held_out):
    fitted = net(warm_start=True, lr=0.02, max_epochs=6, patience=None).fit(*clips, **held_out)
    fitted.fit(*clips, **held_out)
    later = [row["valid_loss"] for row in fitted.history_[6:]]
    assert fitted.best_epoch_ == 7 + np.argmin(later)


def test_a_kept_net_starts_warm(clips):
    fitted = net(warm_start=True, **CHANCE).fit(*clips)
    kept = pickle.loads(pickle.dumps(fitted))
    assert same_weights(kept.fit(*clips), fitted.fit(*clips))
    assert kept.n_epochs_ == 6


def test_what_a_warm_start_cannot_go_on_with(clips):
    X, y = clips
    fitted = net(warm_start=True).fit(X, y)
    before = weights(fitted)
    with pytest.raises(ValueError, match=r"goes on with the classes \['anger', 'calm'\].*'joy'"):
        fitted.fit(X, np.where(y == "calm", "joy", y))
    with pytest.raises(ValueError, match="X has 4 features"):
        fitted.fit(X[:, :4], y)
    with pytest.raises(ValueError, match="fitted on clips of shape"):
        fitted.fit(np.nan_to_num(X[..., 0]), y)
    assert same_weights(fitted, before)
    assert fitted.n_epochs_ == 3
    assert fitted.set_params(warm_start=False).fit(X[:, :4], y).n_features_in_ == 4


@every_class
def test_the_first_partial_fit_is_an_epoch_of_fit(cls, clips):
    X, y = clips
    partial = net(cls, **CHANCE).partial_fit(X, y, classes=["anger", "calm"])
    assert same_weights(partial, net(cls, **CHANCE, max_epochs=1).fit(X, y))
    assert partial.n_epochs_ == len(partial.history_) == 1


@every_class
def test_partial_fits_are_the_epochs_of_a_fit(cls, clips):
    X, y = clips
    partial = exact_net(cls)
    for _ in range(4):
        partial.partial_fit(X, y, classes=["anger", "calm"])
    fitted = exact_net(cls, max_epochs=4).fit(X, y)
    assert_allclose(partial.predict_proba(X), fitted.predict_proba(X), atol=1e-7)
    assert [row["epoch"] for row in partial.history_] == [1, 2, 3, 4]


def test_partial_fit_knows_classes_that_come_later(clips):
    X, y = clips
    partial = net()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        net().partial_fit(X, y)
    calm = y == "calm"
    partial.partial_fit(X[calm], y[calm], classes=["anger", "calm", "joy"])
    mean = partial.mean_.copy()
    partial.partial_fit(X[~calm] + 3, y[~calm])
    assert_array_equal(partial.mean_, mean)
    assert partial.predict_proba(X).shape == (18, 3)
    with pytest.raises(ValueError, match="not the same"):
        partial.partial_fit(X, y, classes=["anger", "calm"])
    with pytest.raises(ValueError, match=r"no classes of this net: \['fear'\]"):
        partial.partial_fit(X, np.where(calm, "fear", y))
    with pytest.raises(ValueError, match="X has 4 features"):
        partial.partial_fit(X[:, :4], y)
    partial.partial_fit(X[:1], y[:1])
    assert partial.n_epochs_ == 3


def test_partial_fit_takes_weights(clips):
    X, y = clips
    found = exact_net().partial_fit(X, y, classes=["anger", "calm"], sample_weight=y == "calm")
    calm = y == "calm"
    expected = exact_net().partial_fit(X[calm], y[calm], classes=["anger", "calm"])
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-9)


def test_partial_fit_goes_on_after_a_fit_with_validation(clips, held_out):
    fitted = net().fit(*clips, **held_out)
    n_epochs = fitted.n_epochs_
    fitted.partial_fit(*clips)
    assert fitted.n_epochs_ == fitted.best_epoch_ == n_epochs + 1


def test_partial_fit_of_a_kept_net_still_clips_gradients(clips):
    options = {"optimizer": "sgd", "lr": 1.0, "weight_decay": 0.0, "gradient_clip": 1e-7}
    fitted = net(batch_norm=False, **options).fit(*clips)
    before = weights(fitted)
    kept = copy.deepcopy(fitted).partial_fit(*clips)
    for name, weight in weights(kept).items():
        assert_allclose(weight, before[name], atol=1e-5)


def test_partial_fit_follows_a_change_of_gradient_clip(clips):
    X, y = clips
    plain = {"optimizer": "sgd", "weight_decay": 0.0, "lr": 0.1, "batch_norm": False}
    still = net(**plain, gradient_clip=1e-30).partial_fit(X, y, classes=["anger", "calm"])
    untrained = still.predict_proba(X)
    still.set_params(gradient_clip=1e-31).partial_fit(X, y)
    np.testing.assert_allclose(still.predict_proba(X), untrained, atol=1e-6)
    still.set_params(gradient_clip=None).partial_fit(X, y)
    assert np.abs(still.predict_proba(X) - untrained).max() > 1e-3


def test_partial_fit_of_a_kept_net_still_has_its_callbacks(clips):
    fitted = net(callbacks=[("rate", NotesRates())]).fit(*clips)
    kept = copy.deepcopy(fitted)
    NotesRates.seen.clear()
    kept.partial_fit(*clips)
    assert len(NotesRates.seen) == 3


def test_history_is_plain_numbers(clips, held_out):
    fitted = net(lr_schedule="cosine").fit(*clips, **held_out)
    assert json.loads(json.dumps(fitted.history_)) == fitted.history_
    for row in fitted.history_:
        assert {type(value) for name, value in row.items() if name != "epoch"} == {float}
        assert row["dur"] >= 0
        assert 0 <= row["valid_balanced_accuracy"] <= 1


# ----------------------------------------------------------------------------------- callbacks


def test_callbacks_of_the_user_stay_as_they_are(clips, held_out):
    stopping = EarlyStopping(patience=1, sink=lambda text: None, load_best=True)
    before = dict(vars(stopping))
    asked = [stopping, ("score", EpochScoring("accuracy", name="accuracy"))]
    fitted = net(callbacks=asked, max_epochs=20, lr=0.02).fit(*clips, **held_out)
    assert fitted.n_epochs_ < 20
    assert "accuracy" in fitted.history_[0]
    assert fitted.callbacks is asked
    assert vars(stopping) == before
    copied = clone(fitted)
    copied.fit(*clips, **held_out)
    assert copied.n_epochs_ == fitted.n_epochs_
    assert same_weights(copied, fitted)
    # A tuple is taken too, and a second fit starts afresh.
    again = fitted.set_params(callbacks=tuple(asked)).fit(*clips, **held_out)
    assert again.n_epochs_ == copied.n_epochs_


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_scores_of_skorch_are_those_of_the_clips(lower_is_better, clips):
    X, y = clips
    accuracy = EpochScoring("accuracy", name="acc", lower_is_better=lower_is_better)
    fitted = net(callbacks=[accuracy], dropout=0.0).fit(X, y, X_val=X, y_val=y)
    best = fitted.history_[fitted.best_epoch_ - 1]
    assert best["acc"] == pytest.approx(fitted.score(X, y))


def test_early_stopping_of_skorch_gives_no_warning(clips):
    stopping = EarlyStopping("train_loss", patience=2, sink=lambda text: None)
    fitted = net(callbacks=[stopping], lr=1e-12, max_epochs=30, dropout=0.0, batch_size=32)
    assert fitted.fit(*clips).n_epochs_ == 3


def test_checkpoints_of_skorch(clips, held_out, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, load_best=True, monitor="valid_loss_best")
    fitted = net(callbacks=[checkpoint], lr=0.02, max_epochs=8).fit(*clips, **held_out)
    assert {"params.pt", "optimizer.pt", "history.json"} <= {p.name for p in tmp_path.iterdir()}
    kept = torch.load(tmp_path / "params.pt", weights_only=True)
    assert same_weights({name: w.numpy() for name, w in kept.items()}, fitted)


def test_schedules_of_torch(clips):
    scheduler = LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    fitted = net(callbacks=[("rate", scheduler)], lr=0.04).fit(*clips)
    assert [row["lr"] for row in fitted.history_] == [0.04, 0.02, 0.01]


def test_curves_of_tensorboard(clips, held_out, tmp_path):
    pytest.importorskip("tensorboard")
    fitted = net(tensorboard_dir=tmp_path / "run").fit(*clips, **held_out)
    assert any((tmp_path / "run").iterdir())
    kept = pickle.loads(pickle.dumps(fitted))
    clone(kept).set_params(tensorboard_dir=str(tmp_path / "other")).fit(*clips)
    assert any((tmp_path / "other").iterdir())
    assert same_weights(kept, net().fit(*clips, **held_out))


def test_tensorboard_that_is_missing_is_asked_for(clips, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"sersk\[tensorboard\]"):
        net(tensorboard_dir=tmp_path).fit(*clips)


# ---------------------------------------------------------------------------------- interrupts


class Interrupts(Callback):
    """Somebody presses Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch, *, in_training=True):
        self.epoch = epoch
        self.in_training = in_training

    def on_batch_end(self, net, training=False, **kwargs):
        if len(net.history) == self.epoch and training == self.in_training:
            raise KeyboardInterrupt


@every_class
def test_an_interrupted_net_keeps_what_it_learned(cls, clips):
    X, y = clips
    with pytest.warns(TrainingInterruptedWarning, match=r"after 2 of 9 epochs.*it has now") as seen:
        fitted = net(cls, callbacks=[Interrupts(3)], max_epochs=9).fit(X, y)
    assert len(seen) == 1
    assert fitted.n_epochs_ == len(fitted.history_) == 2
    assert all("train_loss" in row for row in fitted.history_)
    assert set(fitted.predict(X)) <= {"anger", "calm"}
    pickle.loads(pickle.dumps(fitted)).predict(X)


def test_the_warning_of_an_interrupt_points_at_the_caller(clips):
    with pytest.warns(TrainingInterruptedWarning) as seen:
        net(callbacks=[Interrupts(2)]).fit(*clips)
    assert [warning.filename for warning in seen] == [__file__]


@pytest.mark.parametrize("in_training", [False, True])
def test_an_interrupted_net_goes_back_to_its_best_epoch(in_training, clips, held_out):
    options = {"lr": 0.02, "max_epochs": 12, "patience": None}
    interrupts = Interrupts(9, in_training=in_training)
    with pytest.warns(TrainingInterruptedWarning, match=r"after 8 of 12 epochs.*best weights"):
        fitted = net(**options, callbacks=[interrupts]).fit(*clips, **held_out)
    expected = net(**options | {"max_epochs": 8}).fit(*clips, **held_out)
    assert same_weights(fitted, expected)
    assert fitted.best_epoch_ == expected.best_epoch_ < 8
    assert [row["valid_loss"] for row in fitted.history_] == [
        row["valid_loss"] for row in expected.history_
    ]


@pytest.mark.parametrize("validated", [False, True])
def test_an_interrupt_in_the_first_epoch(validated, clips, held_out):
    with pytest.warns(TrainingInterruptedWarning, match="after 0 of 3 epochs"):
        fitted = net(callbacks=[Interrupts(1)]).fit(*clips, **(held_out if validated else {}))
    assert fitted.history_ == []
    assert fitted.n_epochs_ == 0
    assert np.isfinite(fitted.predict_proba(clips[0])).all()


def test_an_interrupted_net_goes_on_warm(clips):
    interrupted = net(warm_start=True, callbacks=[Interrupts(2)])
    with pytest.warns(TrainingInterruptedWarning):
        interrupted.fit(*clips)
    interrupted.set_params(callbacks=None).fit(*clips)
    assert [row["epoch"] for row in interrupted.history_] == [1, 2, 3, 4]


def test_patience_is_no_interrupt(clips, held_out):
    assert net(patience=1, max_epochs=50, lr=0.02).fit(*clips, **held_out).n_epochs_ < 50


SCRIPT = """
import warnings

import numpy as np
from skorch.callbacks import Callback

from sersk.exceptions import TrainingInterruptedWarning
from sersk.neural_network import CNNClassifier


class Tells(Callback):
    def on_batch_end(self, net, **kwargs):
        # Long before the end of an epoch, where an interrupt is a callback's way to end.
        if len(net.history) == 4 and len(net.history[-1]["batches"]) == 1:
            print("training", flush=True)


X = np.random.default_rng(0).normal(size=(1000, 5, 12))
y = np.repeat(["anger", "calm"], 500)
net = CNNClassifier(filters=(4,), batch_size=2, max_epochs=10**6, callbacks=[Tells()])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", TrainingInterruptedWarning)
    net.fit(X, y)
assert [w.category for w in caught if "interrupted" in str(w.message)] == [
    TrainingInterruptedWarning
]
assert 3 <= net.n_epochs_ == len(net.history_) < 10**6
assert all({"train_loss", "lr", "dur"} <= set(row) for row in net.history_)
print(len(net.predict(X)), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT for one process")
def test_ctrl_c():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().strip() == "training"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.strip() == "1000"


# ------------------------------------------------------------------------------------- no number


@every_class
def test_a_loss_that_is_no_number_is_told(cls, clips):
    match = r"the loss is .* in epoch \d+.*lower lr \(now 1e\+30\).*gradient_clip.*standardize"
    with pytest.raises(TrainingError, match=match) as error:
        net(cls, lr=1e30, max_epochs=20).fit(*clips)
    assert isinstance(error.value, SerskError)
    assert isinstance(error.value, ValueError)


def test_huge_numbers_are_no_loss(clips):
    X, y = clips
    with pytest.raises(TrainingError, match=r"in epoch 1.*standardize=True"):
        net(standardize=False, batch_norm=False).fit(X * 1e36, y)
    assert np.isfinite(net().fit(X * 1e36, y).predict_proba(X * 1e36)).all()


@every_class
def test_a_net_whose_last_step_went_to_infinity_is_not_handed_out(cls, clips):
    X, y = clips
    try:
        found = net(cls, lr=1e30, max_epochs=1, batch_size=32).fit(X, y).predict_proba(X)
    except TrainingError:
        return
    assert np.isfinite(found).all()


def test_a_net_that_could_not_be_trained_predicts_nothing(clips):
    X, y = clips
    failed = net(lr=1e30, max_epochs=20)
    with pytest.raises(TrainingError):
        failed.fit(X, y)
    try:
        found = failed.predict_proba(X)
    except ValueError:  # NotFittedError is one
        return
    assert np.isfinite(found).all()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_gathered_gradients_are_those_of_one_large_batch(clips, optimizer):
    """All clips of an epoch in three batches, or in one."""
    X, y = clips
    options = {
        "optimizer": optimizer, "batch_norm": False, "dropout": 0.0, "max_epochs": 4,
        "precision": "float64",
    }  # fmt: skip
    n = len(X) // 3
    whole = net(batch_size=3 * n, **options).fit(X[: 3 * n], y[: 3 * n])
    parts = net(batch_size=n, accumulate_batches=3, **options).fit(X[: 3 * n], y[: 3 * n])
    assert_allclose(parts.predict_proba(X), whole.predict_proba(X), rtol=1e-9)
    steps = net(batch_size=n, **options).fit(X[: 3 * n], y[: 3 * n])
    assert not np.allclose(steps.predict_proba(X), whole.predict_proba(X), rtol=1e-4)


class Compiled(torch.nn.Module):
    """What torch.compile makes of a module, without waiting for a compiler."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, *args):
        return self._orig_mod(*args)


def test_a_compiled_net_is_kept_like_another(clips, monkeypatch):
    X, y = clips
    monkeypatch.setattr(torch, "compile", Compiled)
    plain = net(max_epochs=2).fit(X, y)
    fitted = net(max_epochs=2, compile=True).fit(X, y)
    assert isinstance(fitted.net_.module_, Compiled)
    assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))
    again = pickle.loads(pickle.dumps(fitted))
    assert not isinstance(again.net_.module_, Compiled)  # predictions wait for no compiler
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.set_params(warm_start=True).fit(X, y).n_epochs_ == 4
