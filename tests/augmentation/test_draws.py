"""What holds for every draw: it is a small value, and a pure function of a clip."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import sersk.augmentation
from sersk._utils._fingerprint import fingerprint
from sersk.augmentation import (
    AddNoise,
    BackgroundNoise,
    Compose,
    Gain,
    OneOf,
    PitchShift,
    Reverb,
    TimeShift,
    TimeStretch,
)
from sersk.augmentation._base import Transform

SEEDS = range(3)


@pytest.fixture(scope="module")
def draws(all_transforms):
    return [transform.draw(seed) for transform in all_transforms for seed in SEEDS]


def digest(samples):
    return hashlib.sha256(samples.tobytes()).hexdigest()


def test_every_transform_is_among_those_tested(all_transforms):
    named = {getattr(sersk.augmentation, name) for name in sersk.augmentation.__all__}
    classes = {thing for thing in named if isinstance(thing, type) and issubclass(thing, Transform)}
    # `Seeded` has tests of its own.
    assert classes - {sersk.augmentation.Seeded} == {type(each) for each in all_transforms}


def test_same_seed_same_draw(all_transforms, draws):
    again = [clone(transform).draw(seed) for transform in all_transforms for seed in SEEDS]
    assert again == draws
    assert list(map(hash, again)) == list(map(hash, draws))
    assert list(map(repr, again)) == list(map(repr, draws))


def test_draws_differ_by_seed(all_transforms):
    for transform in all_transforms:
        assert len({transform.draw(seed) for seed in range(50)}) > 20


def test_draws_are_small_values(draws):
    for draw in draws:
        content = pickle.dumps(draw)
        assert len(content) < 1000
        copy = pickle.loads(content)
        assert copy == draw
        assert hash(copy) == hash(draw)
        assert fingerprint(copy) == fingerprint(draw)
        with pytest.raises(AttributeError):
            draw.snr_db = 3.0
    assert len(set(map(fingerprint, draws))) == len(set(draws))


def test_draws_print_as_what_they_do(noise_folder):
    assert repr(PitchShift(semitones=1.37).draw()) == "PitchShift(semitones=1.37)"
    assert repr(TimeStretch(rate=(1, 1)).draw()) == "TimeStretch(rate=1)"
    draw = BackgroundNoise(noise_folder, snr_db=7).draw(0)
    assert repr(draw).startswith(f"BackgroundNoise(path='{noise_folder}")
    assert repr(draw).endswith("snr_db=7)")
    both = Compose([Gain(gain_db=3), TimeShift(shift=0.5)])
    assert repr(both.draw(0)) == (
        "Compose(Gain(gain_db=3), TimeShift(shift=0.5, unit='fraction', rollover=True))"
    )


def test_draws_leave_the_clip_and_global_states(draws, speech):
    kept = speech.copy()
    random_state, numpy_state = random.getstate(), np.random.get_state()
    for draw in draws:
        speech.flags.writeable = False
        changed = draw(speech, 16000)
        assert not np.shares_memory(changed, speech)
    speech.flags.writeable = True
    np.testing.assert_array_equal(speech, kept)
    assert random.getstate() == random_state
    for now, before in zip(np.random.get_state(), numpy_state, strict=True):
        np.testing.assert_array_equal(now, before)


def test_drawing_from_a_number_leaves_global_states(all_transforms):
    random_state, numpy_state = random.getstate(), np.random.get_state()
    for transform in all_transforms:
        transform.draw(7)
    assert random.getstate() == random_state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])


def test_same_result_in_any_order_and_thread(draws, speech):
    wanted = [digest(draw(speech, 16000)) for draw in draws]
    assert len(set(wanted)) == len(set(draws))
    tasks = random.Random(0).sample(range(len(draws)), len(draws))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda task: digest(draws[task](speech, 16000)), tasks))
    assert found == [wanted[task] for task in tasks]


IN_ANOTHER_PROCESS = """
import hashlib, json, pickle, sys
draws, samples = pickle.load(sys.stdin.buffer)
results = [draw(samples, 16000) for draw in draws]
print(json.dumps([hashlib.sha256(result.tobytes()).hexdigest() for result in results]))
"""


def test_same_result_in_another_process(draws, speech):
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        input=pickle.dumps((draws, speech)),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "5"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == [digest(draw(speech, 16000)) for draw in draws]


@settings(max_examples=25)
@given(n_samples=st.integers(1, 3000), seed=st.integers(0, 2**31 - 1), silent=st.booleans())
def test_clips_of_any_length(all_transforms, n_samples, seed, silent):
    rng = np.random.default_rng(seed)
    samples = np.zeros(n_samples) if silent else rng.uniform(-1, 1, n_samples)
    for transform in all_transforms:
        draw = transform.draw(seed)
        exact = draw(samples, 16000)
        single = draw(samples.astype(np.float32), 16000)
        assert exact.dtype == np.float64
        assert single.dtype == np.float32
        assert single.shape == exact.shape
        assert exact.ndim == 1
        assert np.isfinite(exact).all()
        if not draw.changes_length:
            assert len(exact) == n_samples
        # Both precisions say the same thing: noise, too, comes from the same numbers.
        np.testing.assert_allclose(single, exact, atol=2e-5 * max(np.abs(exact).max(), 1))
        if silent:
            assert not exact.any()


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 5)), np.zeros(0), np.zeros(5, dtype=int), np.zeros(5, dtype=np.float16), [[1.0]]],
)
def test_what_is_no_clip_is_refused(draws, samples):
    for draw in draws:
        with pytest.raises(ValueError, match=r"1-D array of type float32 or\s+float64; got shape"):
            draw(samples, 16000)


RANGES = [
    (AddNoise, "snr_db", -60, 120),
    (Gain, "gain_db", -120, 120),
    (PitchShift, "semitones", -24, 24),
    (Reverb, "rt60", 0.01, 10),
    (Reverb, "wet_db", -60, 30),
    (TimeShift, "shift", -3600, 3600),
    (TimeStretch, "rate", 0.1, 10),
]


@pytest.mark.parametrize(("transform", "name", "lowest", "highest"), RANGES)
@given(data=st.data())
def test_draws_stay_in_their_range(transform, name, lowest, highest, data):
    numbers = st.floats(lowest, highest)
    low, high = sorted([data.draw(numbers), data.draw(numbers)])
    rng = np.random.RandomState(data.draw(st.integers(0, 1000)))
    found = [getattr(transform(**{name: (low, high)}).draw(rng), name) for _ in range(20)]
    assert low <= min(found) <= max(found) <= high
    assert all(type(value) is float for value in found)
    assert getattr(transform(**{name: low}).draw(rng), name) == low


@pytest.mark.parametrize(("transform", "name", "lowest", "highest"), RANGES)
def test_draws_fill_their_range_evenly(transform, name, lowest, highest):
    rng = np.random.RandomState(0)
    each = transform(**{name: (lowest, highest)})
    values = np.array([getattr(each.draw(rng), name) for _ in range(2000)])
    shares, _ = np.histogram(values, bins=4, range=(lowest, highest))
    # Six standard deviations of a binomial share.
    np.testing.assert_allclose(shares, 500, atol=6 * np.sqrt(2000 * 0.25 * 0.75))


@pytest.mark.parametrize(("transform", "name", "lowest", "highest"), RANGES)
@pytest.mark.parametrize("kind", ["low", "high", "swapped", "three", "text", "nan", "none"])
def test_bad_ranges(transform, name, lowest, highest, kind):
    value = {
        "low": (lowest - 0.001, highest),
        "high": highest + 0.001,
        "swapped": (highest, lowest),
        "three": (lowest, lowest, highest),
        "text": (lowest, "high"),
        "nan": (lowest, np.nan),
        "none": None,
    }[kind]
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of {transform.__name__} must"):
        transform(**{name: value}).draw(0)


@pytest.mark.parametrize(
    ("transform", "match"),
    [
        (AddNoise(color="blue"), "color"),
        (TimeShift(unit="samples"), "unit"),
        (TimeShift(rollover="yes"), "rollover"),
        (Compose([Gain()], p=1.5), "'p' parameter of Compose"),
        (Compose([Gain()], p=[0.5, 0.5]), "one for each of the 1 transforms"),
        (Compose([Gain()], p=[-0.5]), "must be a probability"),
        (Compose([]), "at least one transform"),
        (OneOf([]), "at least one transform"),
        (OneOf(Gain()), "'transforms' parameter of OneOf"),
        (OneOf([Gain()], weights=[1, 2]), "weights"),
        (OneOf([Gain(), Gain()], weights=[-1, 2]), "weights"),
        (OneOf([Gain(), Gain()], weights=[0, 0]), "weights"),
        (OneOf([Gain(), Gain()], weights=[np.nan, 1]), "weights"),
    ],
)
def test_bad_parameters(transform, match):
    with pytest.raises(ValueError, match=match):
        transform.draw(0)


def test_parameters_are_constrained_and_documented(all_transforms):
    for transform in all_transforms:
        parameters = transform.get_params(deep=False)
        assert set(transform._parameter_constraints) == set(parameters)
        assert set(transform._ranges) <= set(parameters)
        assert all(f"\n    {name} : " in type(transform).__doc__ for name in parameters)
        changed = clone(transform).set_params(**parameters)
        assert repr(changed) == repr(transform)
        assert isinstance(changed, Transform)


def test_combinations_know_whether_the_length_changes():
    assert TimeStretch().changes_length
    assert not PitchShift().changes_length
    assert Compose([Gain(), TimeStretch()]).changes_length
    assert not OneOf([Gain(), PitchShift()]).changes_length
    assert Compose([Gain(), TimeStretch()]).draw(0).changes_length
    assert not Compose([Gain(), TimeStretch()], p=[1, 0]).draw(0).changes_length
