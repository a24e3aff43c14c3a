"""Functions of anyone's, and audiomentations' transforms, beside ours."""

from __future__ import annotations

import pickle
import random
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from sersk._utils._draws import apply_draw
from sersk.augmentation import AddNoise, Compose, Gain, OneOf, PitchShift, Seeded
from sersk.augmentation._foreign import draw_from
from sersk.exceptions import AugmentationError


def backwards(samples, sample_rate):
    return samples[::-1]


def random_gain(samples, sample_rate):
    """Take chance from both global states, and leave other threads time to disturb them."""
    factor = random.uniform(0.5, 2)
    time.sleep(0.001)
    return samples * np.float32(factor * np.random.uniform(0.5, 2))


def random_length(samples, sample_rate):
    return samples[: 1 + np.random.randint(len(samples))]


def broken(samples, sample_rate):
    random.random()
    return {}[np.random.random()]


class Forgetful:
    """Remembers its last call, as some libraries' transforms do, and changes what it is given."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, samples, sample_rate):
        samples *= np.float32(self.scale * np.random.uniform(0.5, 1))
        self.scale *= 2
        return samples


@pytest.fixture
def look_alike(monkeypatch):
    """A class as if it came from audiomentations; its module can be imported by pickle alone."""
    module = types.ModuleType("audiomentations.core")
    kind = type("LookAlike", (Forgetful,), {"__module__": module.__name__})
    module.LookAlike = kind
    monkeypatch.setitem(sys.modules, "audiomentations", types.ModuleType("audiomentations"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return kind


@pytest.fixture
def clip(rng):
    return rng.uniform(-1, 1, 1000).astype(np.float32)


def test_functions_are_their_own_draws(clip):
    assert draw_from(backwards, 0) is backwards
    draw = Compose([backwards, Gain(gain_db=0)]).draw(0)
    assert draw.draws[0] is backwards
    assert repr(draw) == "Compose(backwards, Gain(gain_db=0))"
    assert draw(clip, 16000).flags.c_contiguous
    np.testing.assert_array_equal(draw(clip, 16000), clip[::-1])
    assert hash(pickle.loads(pickle.dumps(draw))) == hash(draw)


def test_seeded_functions_are_pure(clip):
    draws = [Seeded(random_gain).draw(seed) for seed in range(20)]
    wanted = [draw(clip, 16000) for draw in draws]
    assert len({result[0] for result in wanted}) == 20
    random.seed(3)
    np.random.seed(3)
    states = random.getstate(), np.random.get_state()
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda draw: draw(clip, 16000), draws))
        np.testing.assert_array_equal(found, wanted)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1][1])


def test_global_states_are_put_back_after_errors(clip):
    random.seed(3)
    np.random.seed(3)
    states = random.getstate(), np.random.get_state()
    with pytest.raises(KeyError):
        Seeded(broken).draw(0)(clip, 16000)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1][1])


def test_seeded_draws_are_values(clip):
    first, second = (Seeded(Forgetful(0.5)).draw(4) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert repr(first) == f"Seeded(Forgetful, seed={first.seed})"
    assert first != Seeded(Forgetful(0.6)).draw(4)
    assert first != Seeded(Forgetful(0.5)).draw(5)
    assert pickle.loads(pickle.dumps(first)) == first
    assert repr(Seeded(random_gain).draw(0)).startswith("Seeded(random_gain, seed=")


def test_what_an_object_remembers_changes_nothing(clip):
    function = Forgetful(0.5)
    draw = Seeded(function).draw(0)
    kept = clip.copy()
    np.testing.assert_array_equal(draw(clip, 16000), draw(clip, 16000))
    np.testing.assert_array_equal(clip, kept)
    assert function.scale == 0.5
    # In double precision the function still gets single, and the clip its own type back.
    again = draw(clip.astype(np.float64), 16000)
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again.astype(np.float32), draw(clip, 16000))


def test_transforms_of_audiomentations_are_seeded(look_alike, clip):
    transform = look_alike(0.5)
    draw = draw_from(transform, 0)
    assert repr(draw).startswith("Seeded(LookAlike, seed=")
    np.testing.assert_array_equal(draw(clip, 16000), draw(clip, 16000))
    both = Compose([transform, AddNoise()]).draw(0)
    np.testing.assert_array_equal(both(clip, 16000), both(clip, 16000))
    kinds = {repr(OneOf([transform, PitchShift()]).draw(seed))[:6] for seed in range(20)}
    assert kinds == {"Seeded", "PitchS"}
    # A class of the user's own that only derives from one of theirs.
    derived = type("Derived", (look_alike,), {"__module__": __name__})
    assert not isinstance(draw_from(Forgetful(1.0), 0), type(draw))
    with pytest.raises(TypeError, match="cannot be pickled"):
        draw_from(derived(0.5), 0)


def test_length_of_seeded_functions(clip):
    draw = Seeded(random_length).draw(0)
    with pytest.raises(AugmentationError, match=r"Seeded\(random_length, seed=.*changes_length"):
        apply_draw(draw, clip, 16000)
    free = Seeded(random_length, changes_length=True)
    assert Compose([free]).changes_length
    assert len(apply_draw(free.draw(0), clip, 16000)) < len(clip)
    assert repr(free.draw(0)).startswith("Seeded(random_length, seed=")
    assert clone(free).draw(0) == free.draw(0)


@pytest.mark.parametrize(
    ("transform", "match"),
    [
        (PitchShift, r"PitchShift is a class, .* write PitchShift\(\)"),
        ("noise", "takes transforms and functions of samples and sample rate. Got 'noise'"),
        (3, "Got 3"),
        (None, "Got None"),
    ],
)
def test_what_is_no_transform(transform, match):
    with pytest.raises(TypeError, match=match):
        draw_from(transform, 0)
    for combination in (OneOf, Compose):
        with pytest.raises(TypeError, match=match):
            combination([Gain(), transform]).draw(0)


def test_bad_parameters():
    with pytest.raises(ValueError, match="'function' parameter of Seeded"):
        Seeded(3).draw(0)
    with pytest.raises(ValueError, match="'changes_length' parameter of Seeded"):
        Seeded(backwards, changes_length="no").draw(0)
    with pytest.raises(TypeError, match="cannot be pickled"):
        Seeded(Forgetful(lambda: 0)).draw(0)
    with pytest.raises(TypeError, match="Forgetful is a class"):
        Seeded(Forgetful).draw(0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["AddGaussianNoise", "TanhDistortion", "Shift", "HighPassFilter"])
def test_audiomentations_itself(clip, name):
    audiomentations = pytest.importorskip("audiomentations", reason="the extra `augment`")
    transform = getattr(audiomentations, name)(p=1.0)
    draw = Compose([transform, Gain()]).draw(0)
    assert pickle.loads(pickle.dumps(draw)) == draw
    state = np.random.get_state()[1].copy()
    wanted = draw(clip, 16000)
    np.random.seed(8)
    np.testing.assert_array_equal(draw(clip, 16000), wanted)
    np.testing.assert_array_equal(apply_draw(draw, clip, 16000), wanted)
    assert not np.array_equal(wanted, Compose([transform, Gain()]).draw(1)(clip, 16000))
    np.random.seed(8)
    fresh = np.random.get_state()[1].copy()
    draw(clip, 16000)
    np.testing.assert_array_equal(np.random.get_state()[1], fresh)
    assert state.shape == fresh.shape
