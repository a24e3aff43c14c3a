"""A clip survives any draw, or the error says which one it did not."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from sersk._utils._draws import apply_draw
from sersk.augmentation import Compose, Gain, TimeStretch
from sersk.exceptions import AugmentationError, SerskError


@pytest.fixture
def clip(rng):
    return rng.uniform(-1, 1, 400).astype(np.float32)


def raises_key_error(samples, sample_rate):
    raise KeyError("missing")


def wants_three(samples, sample_rate, more):
    return samples


BAD = {
    "NaN": (lambda y, sr: np.where(np.arange(len(y)) == 7, np.nan, y), "sample 7 .* is nan"),
    "infinity": (lambda y, sr: y + np.float32(np.inf), "sample 0 .* is inf"),
    "overflow": (lambda y, sr: y.astype(float) * 0 + 1e300, "sample 0 .* is inf"),
    "2-D": (lambda y, sr: y[np.newaxis], r"shape \(1, 400\)"),
    "0-D": (lambda y, sr: np.array(0.5), r"shape \(\)"),
    "empty": (lambda y, sr: y[:0], "no samples"),
    "shorter": (lambda y, sr: y[:-1], "399 samples for 400.*changes_length"),
    "integers": (lambda y, sr: (y * 32767).astype(np.int16), "type int16"),
    "complex": (lambda y, sr: y * 1j, "type complex64"),
    "objects": (lambda y, sr: y.astype(object), "type object"),
    "nothing": (lambda y, sr: None, "type NoneType, not an array"),
    "list": (lambda y, sr: y.tolist(), "type list, not an array"),
    "pair": (lambda y, sr: (y, sr), "type tuple, not an array"),
    "raises": (raises_key_error, "KeyError: 'missing'"),
    "arguments": (wants_three, "TypeError: .*more"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_callables(clip, kind):
    function, reason = BAD[kind]
    kept = clip.copy()
    with pytest.raises(AugmentationError, match=reason) as caught:
        apply_draw(function, clip, 16000, name="anna.wav")
    error = caught.value
    assert error.clip == "anna.wav"
    assert error.draw == function.__qualname__
    assert str(error).startswith(f"cannot apply {function.__qualname__} to 'anna.wav': ")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.draw, copy.clip, copy.reason) == (error.draw, error.clip, error.reason)
    assert isinstance(error, SerskError)
    np.testing.assert_array_equal(clip, kept)


def test_what_cannot_be_called(clip):
    with pytest.raises(AugmentationError, match=r"cannot apply 'noise' to a clip: .*`draw`"):
        apply_draw("noise", clip, 16000)


def test_a_draw_is_named_with_its_numbers(clip):
    loud = Gain(gain_db=120).draw(0)
    message = r"cannot apply Gain\(gain_db=120\) to 'a': sample .* is -?inf"
    with pytest.raises(AugmentationError, match=message), np.errstate(over="ignore"):
        apply_draw(loud, clip * np.float32(1e34), 16000, name="a")


def test_the_part_of_a_composition_that_failed_is_named(clip):
    draw = Compose([Gain(), Compose([raises_key_error])]).draw(0)
    with pytest.raises(AugmentationError) as caught:
        apply_draw(draw, clip, 16000, name="anna.wav")
    assert str(caught.value) == "cannot apply raises_key_error to 'anna.wav': KeyError: 'missing'"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("returned", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_are_cast_back(clip, dtype, returned):
    changed = apply_draw(lambda y, sr: y.astype(returned), clip.astype(dtype), 16000)
    assert changed.dtype == dtype
    np.testing.assert_allclose(changed, clip, atol=1e-3)


def test_functions_get_samples_of_their_own(clip):
    kept = clip.copy()

    def in_place(samples, sample_rate):
        samples *= 2
        return samples

    np.testing.assert_array_equal(apply_draw(in_place, clip, 16000), 2 * kept)
    np.testing.assert_array_equal(clip, kept)


def test_length_may_change_where_said(clip):
    def half(samples, sample_rate):
        return samples[::2]

    half.changes_length = True
    assert len(apply_draw(half, clip, 16000)) == 200
    stretched = apply_draw(TimeStretch(rate=2.0).draw(0), clip, 16000)
    assert len(stretched) == 200


def test_clips_without_a_sample(clip):
    assert len(apply_draw(raises_key_error, clip[:0], 16000)) == 0
