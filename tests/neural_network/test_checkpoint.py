"""checkpoint_dir: a fit that was killed goes on, and no other fit can take its place."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate

from sersk.exceptions import StoreWarning, TrainingInterruptedWarning
from sersk.neural_network import CNNClassifier, CRNNClassifier
from sersk.neural_network._engine import SkorchNet

KINDS = {
    "constant": {},
    "cosine": {"lr_schedule": "cosine"},
    "plateau": {"lr_schedule": "plateau", "mixup": 0.2, "spec_augment": True},
    "sgd": {"optimizer": "sgd", "class_weight": "balanced", "gradient_clip": None},
    "gathered": {"accumulate_batches": 2},
}


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5, 12)).astype(np.float32)
    y = np.repeat(["anger", "fear"], 30)
    X[:30, :2] += 0.5
    X[::3, :, 9:] = np.nan
    return X, y


def small(**parameters):
    return CRNNClassifier(
        **{
            "filters": (4,), "pool_sizes": 2, "hidden_sizes": (4,), "max_epochs": 9,
            "batch_size": 16, "random_state": 0, **parameters,
        }
    )  # fmt: skip


def weights(net):
    return {name: weight.numpy() for name, weight in net.net_.module_.state_dict().items()}


def told(net):
    """The history but for the seconds."""
    return [{name: row[name] for name in row if name != "dur"} for row in net.history_]


def assert_same(found, expected):
    assert told(found) == told(expected)
    assert (found.n_epochs_, found.best_epoch_) == (expected.n_epochs_, expected.best_epoch_)
    for name, weight in weights(expected).items():
        np.testing.assert_array_equal(weights(found)[name], weight, err_msg=name)


class Killed(Exception):
    pass


def fit_until(net, epoch, monkeypatch, *data, **more):
    """Fit, and die in the middle of an epoch."""
    whole = SkorchNet.train_step

    def dying(self, batch, **kwargs):
        if len(self.history) == epoch and len(self.history[-1, "batches"]) == 1:
            raise Killed
        return whole(self, batch, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(SkorchNet, "train_step", dying)
        with pytest.raises(Killed):
            net.fit(*data, **more)


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_fit_ends_in_the_weights_of_a_whole_one(
    clips, tmp_path, monkeypatch, kind, validated
):
    X, y = clips
    more = {"X_val": X[::4] + 0.3, "y_val": y[::4]} if validated else {}
    expected = small(patience=3, **KINDS[kind]).fit(X, y, **more)
    last = expected.n_epochs_
    for epoch in sorted({1, last // 2, last}):
        fit_until(
            small(patience=3, checkpoint_dir=tmp_path, **KINDS[kind]),
            epoch, monkeypatch, X, y, **more,
        )  # fmt: skip
    found = small(patience=3, checkpoint_dir=tmp_path, **KINDS[kind]).fit(X, y, **more)
    assert_same(found, expected)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fit_that_was_done_is_not_done_again(clips, tmp_path, monkeypatch):
    done = small(checkpoint_dir=tmp_path).fit(*clips)

    def never(self, *args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(SkorchNet, "train_step", never)
    assert_same(small(checkpoint_dir=tmp_path).fit(*clips), done)
    # What changes nothing in the weights is no part of the name.
    assert_same(small(checkpoint_dir=tmp_path, verbose=1).fit(*clips), done)


def test_one_that_stopped_early_stays_stopped(clips, tmp_path, monkeypatch):
    X, y = clips
    more = {"X_val": -X[::4], "y_val": y[::4]}
    done = small(checkpoint_dir=tmp_path, patience=1, lr=0.1).fit(X, y, **more)
    assert done.n_epochs_ < 9
    monkeypatch.setattr(SkorchNet, "train_step", None)
    assert_same(small(checkpoint_dir=tmp_path, patience=1, lr=0.1).fit(X, y, **more), done)


CHANGES = {
    "a parameter": lambda X, y: ({"lr": 0.002}, X, y, {}),
    "the seed": lambda X, y: ({"random_state": 1}, X, y, {}),
    "a sample": lambda X, y: ({}, np.where(np.arange(60)[:, None, None] == 7, X + 1e-6, X), y, {}),
    "a label": lambda X, y: ({}, X, np.where(np.arange(60) == 7, "fear", y), {}),
    "a weight": lambda X, y: ({}, X, y, {"sample_weight": 1.0 + (np.arange(60) == 7)}),
    "the order": lambda X, y: ({}, X[::-1], y[::-1], {}),
    "one clip less": lambda X, y: ({}, X[:-1], y[:-1], {}),
    "validation": lambda X, y: ({}, X, y, {"X_val": X[::4], "y_val": y[::4]}),
    "shares": lambda X, y: ({}, X, y, {"y_proba": np.tile([0.4, 0.6], (60, 1))}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_fit_has_another_folder(clips, tmp_path, change):
    small(checkpoint_dir=tmp_path, max_epochs=1).fit(*clips)
    parameters, X, y, more = CHANGES[change](*clips)
    expected = small(**{"max_epochs": 1, **parameters}).fit(X, y, **more)
    found = small(**{"max_epochs": 1, **parameters}, checkpoint_dir=tmp_path).fit(X, y, **more)
    assert_same(found, expected)
    assert len(list(tmp_path.iterdir())) == 2


def test_longer_training_does_not_take_over_a_shorter_one(clips, tmp_path):
    """Schedules depend on the length, so that the first epochs are not those of the longer fit."""
    small(checkpoint_dir=tmp_path, max_epochs=2, lr_schedule="cosine").fit(*clips)
    found = small(checkpoint_dir=tmp_path, max_epochs=4, lr_schedule="cosine").fit(*clips)
    assert_same(found, small(max_epochs=4, lr_schedule="cosine").fit(*clips))


def test_warm_start_begins_a_fit_of_its_own(clips, tmp_path):
    nets = [small(max_epochs=2), small(max_epochs=2, checkpoint_dir=tmp_path)]
    for net in nets:
        net.fit(*clips).set_params(warm_start=True).fit(*clips)
    assert_same(nets[1], nets[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_folds_never_share_a_checkpoint(clips, tmp_path, monkeypatch):
    """A fold that found the weights of another would know its own test clips."""
    cv = KFold(3, shuffle=True, random_state=0)
    options = {"cv": cv, "return_estimator": True, "error_score": "raise"}
    net = CNNClassifier(filters=(4,), max_epochs=4, batch_size=16, random_state=0)
    expected = cross_validate(net, *clips, **options)
    kept = clone(net).set_params(checkpoint_dir=tmp_path)

    # Killed in the second fold, run again.
    whole, steps = SkorchNet.train_step, []

    def dying(self, batch, **kwargs):
        steps.append(1)
        if len(steps) == 20:
            raise Killed
        return whole(self, batch, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(SkorchNet, "train_step", dying)
        with pytest.raises(Killed):
            cross_validate(kept, *clips, **options)
    found = cross_validate(kept, *clips, **options)
    assert len(list(tmp_path.iterdir())) == 3
    np.testing.assert_array_equal(found["test_score"], expected["test_score"])
    for one, other in zip(found["estimator"], expected["estimator"], strict=True):
        assert_same(one, other)


def test_ctrl_c_loses_nothing(clips, tmp_path, monkeypatch):
    whole = SkorchNet.train_step

    def interrupted(self, batch, **kwargs):
        if len(self.history) == 4:
            raise KeyboardInterrupt
        return whole(self, batch, **kwargs)

    net = small(checkpoint_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(SkorchNet, "train_step", interrupted)
        with pytest.warns(TrainingInterruptedWarning):
            net.fit(*clips)
    assert_same(small(checkpoint_dir=tmp_path).fit(*clips), small().fit(*clips))


DAMAGE = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "junk": lambda data: random.Random(0).randbytes(len(data)),
    "one bit": lambda data: data[:1000] + bytes([data[1000] ^ 4]) + data[1001:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_and_not_used(clips, tmp_path, monkeypatch, damage):
    fit_until(small(checkpoint_dir=tmp_path, lr_schedule="plateau"), 4, monkeypatch, *clips)
    (path,) = tmp_path.glob("*/state.pt")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = small(checkpoint_dir=tmp_path, lr_schedule="plateau").fit(*clips)
    assert_same(found, small(lr_schedule="plateau").fit(*clips))
    if damage != "one bit":  # it may hit what nobody reads
        assert [warning.category for warning in said] == [StoreWarning]
        assert "Training starts anew" in str(said[0].message)


def test_a_file_from_elsewhere_runs_no_code(clips, tmp_path):
    small(checkpoint_dir=tmp_path, max_epochs=1).fit(*clips)
    (path,) = tmp_path.glob("*/state.pt")

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"module": Trap()}, path)
    with pytest.warns(StoreWarning, match="is damaged"):
        small(checkpoint_dir=tmp_path, max_epochs=1).fit(*clips)
    assert not (tmp_path / "trapped").exists()


def test_a_disk_that_is_full_ends_no_training(clips, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.warns(StoreWarning, match="No space left.*goes on without") as said:
        found = small(checkpoint_dir=tmp_path).fit(*clips)
    assert len(said) == 1
    assert_same(found, small().fit(*clips))
    assert not list(tmp_path.rglob("*.pt"))


def test_a_folder_that_is_a_file(clips, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.warns(StoreWarning, match="cannot be written"):
        small(checkpoint_dir=tmp_path / "taken", max_epochs=1).fit(*clips)


def test_chance_without_a_seed_is_refused(clips, tmp_path):
    with pytest.raises(ValueError, match="checkpoint_dir needs a number for random_state"):
        small(checkpoint_dir=tmp_path, random_state=None).fit(*clips)


SCRIPT = """
import sys
import numpy as np
from sersk.neural_network import CNNClassifier
rng = np.random.default_rng(0)
X, y = rng.normal(size=(200, 8, 30)).astype("f4"), np.arange(200) % 2
net = CNNClassifier(
    filters=(8,), max_epochs=25, batch_size=8, random_state=0, mixup=0.2,
    checkpoint_dir=sys.argv[1] if len(sys.argv) > 2 else None,
)
print("ready", flush=True)
net.fit(X, y)
np.savez(sys.argv[-1], **{k: v.numpy() for k, v in net.net_.module_.state_dict().items()})
"""


def test_kill_9_at_any_moment(tmp_path):
    """Killed again and again, it ends in the weights of a fit that nobody disturbed."""
    script = tmp_path / "fit.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(script)]
    subprocess.run([*command, str(tmp_path / "whole.npz")], check=True, stdout=subprocess.DEVNULL)
    kept = [*command, str(tmp_path / "kept"), str(tmp_path / "killed.npz")]
    chance = random.Random(0)
    n_killed = 0
    for _ in range(4):
        with subprocess.Popen(kept, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.5))
            process.send_signal(signal.SIGKILL)
        n_killed += process.returncode == -signal.SIGKILL
    assert n_killed
    subprocess.run(kept, check=True, stdout=subprocess.DEVNULL)
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "killed.npz") as killed:
        for name in whole:
            np.testing.assert_array_equal(killed[name], whole[name], err_msg=name)
