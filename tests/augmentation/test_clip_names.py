"""Names of clips: apart from all others, whatever stands around them, and the same everywhere."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from types import FunctionType

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import soundfile

from sersk._utils._draws import describe_draw
from sersk.augmentation import BackgroundNoise, Gain, PitchShift, Seeded, WaveformAugmenter
from sersk.augmentation._base_augmenter import names_of_arrays
from sersk.augmentation._clip_names import name_of_draw
from sersk.augmentation._combine import ComposeDraw
from sersk.augmentation._gain_and_shift import GainDraw


def second_draws(cells):
    """Tell what is drawn on top of each of these, all of them done to one clip."""
    table = pd.DataFrame({"path": "c/a.wav", "augment": pd.Series(cells, dtype=object)})
    sampler = WaveformAugmenter(PitchShift(), keep_original=False, random_state=0)
    drawn, _ = sampler.fit_resample(table, ["fear"] * len(cells))
    return [draw.draws[1] for draw in drawn["augment"]]


def scaled(factor):
    def scale(samples, sample_rate):
        return samples * factor

    return scale


def louder(samples, sample_rate, *, factor=2.0):
    return samples * factor


def twice(function):
    @functools.wraps(function)
    def both(samples, sample_rate):
        return function(function(samples, sample_rate), sample_rate)

    return both


@dataclass(frozen=True)
class Scaling:
    """A draw of anyone's, whose print does not tell the whole truth."""

    factor: float

    def __call__(self, samples, sample_rate):
        return samples * self.factor

    def __repr__(self):
        return "Scaling()"


class Scaler:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, samples, sample_rate):
        return samples * self.factor

    def mirrored(self, samples, sample_rate):
        return -samples * self.factor

    def __repr__(self):
        return "Scaler()"


def seeded(factor):
    return Seeded(Scaler(factor)).draw(0)


# Two that do different things, and are printed alike but for the address.
ALIKE = {
    "digits": lambda: (GainDraw(1.00001), GainDraw(1.00002)),
    "composed": lambda: (ComposeDraw((GainDraw(1.00001),)), ComposeDraw((GainDraw(1.00002),))),
    "lambdas": lambda: (lambda y, sr: y * 0.5, lambda y, sr: y * 0.25),
    "operations": lambda: (lambda y, sr: y + sr, lambda y, sr: y - sr),
    "attributes": lambda: (lambda y, sr: y.copy(), lambda y, sr: y.conj()),
    "closures": lambda: (scaled(0.5), scaled(0.25)),
    "defaults": lambda: (lambda y, sr, f=0.5: y * f, lambda y, sr, f=0.25: y * f),
    "decorated": lambda: (twice(scaled(0.5)), twice(scaled(0.25))),
    "dataclasses": lambda: (Scaling(0.5), Scaling(0.25)),
    "objects": lambda: (Scaler(0.5), Scaler(0.25)),
    "methods": lambda: (Scaler(0.5).mirrored, Scaler(0.25).mirrored),
    "seeded": lambda: (seeded(0.5), seeded(0.25)),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_what_is_done_already_counts_for_what_it_does(kind):
    first, second = ALIKE[kind]()
    assert (
        describe_draw(first).partition(" at 0x")[0]
        == (describe_draw(second).partition(" at 0x")[0])
    )
    both = second_draws([first, second])
    assert both[0] != both[1]
    # Neither depends on whether, or where, the other is there.
    assert second_draws([second, first]) == both[::-1]
    assert second_draws([first]) + second_draws([second]) == both


def test_the_same_has_the_same_name():
    for kind in ALIKE:
        first, second = ALIKE[kind](), ALIKE[kind]()
        assert name_of_draw(first) == name_of_draw(second), kind
        copies = cloudpickle.loads(cloudpickle.dumps(first))
        assert name_of_draw(copies) == name_of_draw(first), kind
    assert name_of_draw(GainDraw(np.float64(1.5))) == name_of_draw(GainDraw(1.5))
    halved = functools.partial(louder, factor=0.5)
    assert name_of_draw(halved) == name_of_draw(functools.partial(louder, factor=0.5))
    assert name_of_draw(halved) != name_of_draw(functools.partial(louder, factor=0.25))


def test_a_function_has_its_name_whatever_compiles_it():
    """By the code alone of those that have none: other versions of Python compile differently."""
    name = name_of_draw(louder)
    assert name[:2] == (__name__, "louder")
    assert not any(isinstance(part, bytes) for part in name)
    # Under multiprocessing's "spawn", what is __main__ here has another name there.
    names = []
    for module in ("__main__", "__mp_main__", "elsewhere"):
        function = FunctionType(louder.__code__, {"__name__": module}, "louder", None)
        names.append(name_of_draw(function))
    assert names[0] == names[1] != names[2]


def test_functions_that_hold_themselves_and_objects_that_cannot_be_pickled():
    def again(samples, sample_rate):
        return samples if len(samples) < 9 else again(samples[::2], sample_rate)

    assert "again" in repr(name_of_draw(again))
    stubborn = Scaler(lambda: 3)
    assert name_of_draw(stubborn) == "Scaler()"
    assert second_draws([stubborn]) == second_draws([Scaler(lambda: 3)])


def test_names_do_not_hang_on_the_process():
    code = (
        "from sersk.augmentation._clip_names import name_of_draw\n"
        "words = frozenset('abcdefgh')\n"
        "def made():\n"
        "    return lambda y, sr: y if str(sr) in {'8000', '16000', '22050'} else -y\n"
        "print(repr(name_of_draw((words, made()))))"
    )
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(names) == 1


def test_the_folder_of_the_noise_does_not_matter(noise_folder, tmp_path):
    shutil.copytree(noise_folder, tmp_path / "elsewhere")
    here, there = (
        BackgroundNoise(str(folder)).draw(0) for folder in (noise_folder, tmp_path / "elsewhere")
    )
    assert here != there
    assert second_draws([here]) == second_draws([there])


@pytest.mark.parametrize("changed", [0, -1])
def test_files_that_differ_in_their_ends_alone_are_others(tmp_path, rng, changed):
    """Of one name, size and middle: one recording with silence put before it, or after it."""
    samples = rng.integers(-(2**15), 2**15, 20000, dtype=np.int16)
    paths = [tmp_path / folder / "1.wav" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        soundfile.write(path, samples, 16000)
        samples[changed] ^= 1
    assert paths[0].stat().st_size == paths[1].stat().st_size
    sampler = WaveformAugmenter(Gain(), keep_original=False, random_state=0)
    both = sampler.fit_resample(pd.DataFrame({"path": paths}), [0, 1])[0]["augment"].tolist()
    again = sampler.fit_resample(pd.DataFrame({"path": paths[::-1]}), [0, 1])[0]["augment"]
    assert both[0] != both[1]
    assert again.tolist() == both[::-1]


def test_zeros_of_either_sign_are_one_sound():
    clip = np.array([[0.5, 0.0, -0.25], [0.5, -0.0, -0.25]])
    names = names_of_arrays(clip, [3, 3])
    assert names[0] == names[1] != names_of_arrays(clip, [2, 2])[0]
