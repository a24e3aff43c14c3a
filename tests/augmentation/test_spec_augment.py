"""SpecAugment: masks inside the sound, of the widths that were asked for, while fitting alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sersk.augmentation import SpecAugment
from sersk.feature_extraction import Functionals, LogMelSpectrogram

NAN = np.nan


@pytest.fixture
def images(rng):
    """Images of two channels; the second clip is short, the third could not be read."""
    X = rng.normal(size=(4, 2, 20, 50)).astype(np.float32)
    X[1, ..., 30:] = NAN
    X[2] = NAN
    return X


LABELS = [0, 1, 0, 1]


def masked(X, y=None, **parameters):
    """Make the copies alone."""
    parameters = {"random_state": 0, "keep_original": False, "fill": "zero", **parameters}
    y = np.arange(len(X)) % 2 if y is None else y
    return SpecAugment(**parameters).fit_resample(X, y)[0]


def test_copies_follow_the_clips(images):
    kept = images.copy()
    sampler = SpecAugment(copies=2, random_state=0)
    resampled, emotions = sampler.fit_resample(images, ["fear", "calm"] * 2)
    assert_array_equal(images, kept)
    assert_array_equal(resampled[:4], images)
    assert emotions == ["fear", "calm"] * 6
    assert_array_equal(sampler.sample_indices_, np.tile(range(4), 3))
    assert resampled.dtype == np.float32
    assert resampled.shape == (12, 2, 20, 50)
    assert not np.array_equal(resampled[4], resampled[8])


@pytest.mark.parametrize("n_axes", [2, 3, 4])
@pytest.mark.parametrize("fill", ["mean", "min", "zero"])
def test_padding_stays(images, n_axes, fill):
    X = images[(slice(None), *(0,) * (4 - n_axes))]
    found = masked(X, fill=fill, max_time_fraction=0.9)
    assert_array_equal(np.isnan(found), np.isnan(X))
    assert (found != X)[[0, 1, 3]].any()


@given(
    seed=st.integers(0, 2**32 - 1),
    n_time_masks=st.integers(0, 3),
    n_freq_masks=st.integers(0, 3),
    max_time_fraction=st.floats(0, 1),
    max_freq_fraction=st.floats(0, 1),
    length=st.integers(1, 40),
)
def test_masks_are_whole_stretches_of_the_widths_asked_for(
    seed, n_time_masks, n_freq_masks, max_time_fraction, max_freq_fraction, length
):
    X = np.full((2, 3, 16, 40), NAN)
    X[..., :length] = 1.0
    found = masked(
        X,
        random_state=seed,
        n_time_masks=n_time_masks,
        n_freq_masks=n_freq_masks,
        max_time_fraction=max_time_fraction,
        max_freq_fraction=max_freq_fraction,
    )
    assert_array_equal(np.isnan(found), np.isnan(X))
    for clip in found[..., :length]:
        # What is left is what neither a masked time nor a masked band crosses.
        left = clip[0] == 1
        assert (clip == clip[:1]).all()
        times, bands = left.any(axis=0), left.any(axis=1)
        if left.any():
            assert_array_equal(left, bands[:, np.newaxis] & times)
            assert (~times).sum() <= n_time_masks * int(max_time_fraction * length)
            assert (~bands).sum() <= n_freq_masks * int(max_freq_fraction * 16)
            assert stretches(~times) <= n_time_masks
            assert stretches(~bands) <= n_freq_masks


def stretches(flags):
    return int(np.count_nonzero(np.diff(np.concatenate([[0], flags.astype(int)])) == 1))


def test_widths_and_places_are_even(rng):
    X = rng.uniform(1, 2, (4000, 1, 20))
    found = masked(X, n_time_masks=1, n_freq_masks=0, max_time_fraction=0.25)
    hidden = found[:, 0] == 0
    widths = np.bincount(hidden.sum(axis=1), minlength=6)
    # Six standard deviations of a binomial share.
    np.testing.assert_allclose(widths, 4000 / 6, atol=6 * np.sqrt(4000 * 5 / 36))
    firsts = np.bincount(hidden.argmax(axis=1)[hidden.sum(axis=1) == 5], minlength=20)
    n_widest = widths[5]
    assert not firsts[16:].any()
    np.testing.assert_allclose(firsts[:16], n_widest / 16, atol=6 * np.sqrt(n_widest / 16))


def test_what_stands_in_a_mask(images):
    for fill, value in {
        "zero": lambda clip: np.zeros((2, 1, 1)),
        "min": lambda clip: clip.min(axis=(1, 2), keepdims=True),
        "mean": lambda clip: clip.mean(axis=(1, 2), keepdims=True, dtype=float),
    }.items():
        found = masked(images, fill=fill)
        for clip, copy, length in zip(images, found, (50, 30, 0, 50), strict=True):
            clip, copy = clip[..., :length], copy[..., :length]
            changed = (clip != copy).any(axis=0)
            if length:
                assert 0.02 < changed.mean() < 0.8
                expected = np.where(changed, value(clip), clip).astype(np.float32)
                assert_array_equal(copy, expected)


def test_frames_have_one_mean_and_the_type_of_the_clip(rng):
    X = rng.normal(size=(2, 6, 30))
    found = masked(X, fill="mean", max_freq_fraction=0.5, n_time_masks=0)
    changed = found != X
    assert found.dtype == np.float64
    assert changed.any()
    for clip, copy, where in zip(X, found, changed, strict=True):
        np.testing.assert_allclose(copy[where], clip.mean(), rtol=1e-12)


def test_one_series_a_clip_is_masked_over_time_alone(rng):
    X = rng.normal(size=(50, 30))
    found = masked(X, max_freq_fraction=1.0, max_time_fraction=0.1)
    assert ((found == 0).sum(axis=1) <= 6).all()
    assert_array_equal(masked(X, n_time_masks=0, max_freq_fraction=1.0), X)


def test_masks_belong_to_the_clip(images, rng):
    found = masked(images)
    assert_array_equal(masked(images[::-1])[::-1], found)
    assert_array_equal(masked(images[1:])[:1], found[1:2])
    wider = np.pad(images, ((0, 0), (0, 0), (0, 0), (0, 9)), constant_values=NAN)
    assert_array_equal(masked(wider)[..., :50], found)
    assert_array_equal(masked(images.astype(np.float64)) == 0, found == 0)
    twins = masked(np.repeat(images[:1], 3, axis=0))
    assert len(np.unique(twins.reshape(3, -1), axis=0)) == 3
    assert not np.array_equal(masked(images, random_state=1), found)


def test_random_state(images):
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    masked(images)
    assert_array_equal(np.random.get_state()[1], state)
    rng = np.random.RandomState(0)
    assert not np.array_equal(masked(images, random_state=rng), masked(images, random_state=rng))


def test_nothing_to_mask(images):
    assert_array_equal(masked(images, n_time_masks=0, n_freq_masks=0), images)
    # Of a single frame and band, the default masks nothing.
    assert_array_equal(masked(np.ones((2, 1, 1))), np.ones((2, 1, 1)))


def test_what_is_refused(images):
    with pytest.raises(ValueError, match="sample_weight cannot be handed through a sampler"):
        SpecAugment().fit_resample(images, LABELS, sample_weight=np.ones(4))
    with pytest.raises(ValueError, match=r"Got an array of shape \(2, 1, 1, 1, 1\)"):
        SpecAugment().fit_resample(np.ones((2, 1, 1, 1, 1)), [0, 1])
    with pytest.raises(ValueError, match="Row 0 holds NaN before its end"):
        SpecAugment().fit_resample([[[NAN, 1.0]], [[1.0, 1.0]]], [0, 1])
    for name, value in {
        "n_time_masks": -1,
        "max_time_fraction": 1.1,
        "max_freq_fraction": -0.1,
        "fill": "noise",
        "copies": 0,
    }.items():
        with pytest.raises(ValueError, match=f"The '{name}' parameter of SpecAugment"):
            SpecAugment(**{name: value}).fit_resample(images, LABELS)


def test_in_a_pipeline_prediction_sees_no_masks(small_corpus):
    seen = []

    def look(X):
        seen.append(X)
        return X

    pipeline = make_pipeline(
        LogMelSpectrogram(n_mels=16),
        SpecAugment(random_state=0),
        FunctionTransformer(look),
        Functionals(statistics=("mean",)),
        DecisionTreeClassifier(random_state=0),
    )
    X = small_corpus.data
    pipeline.fit(X, small_corpus.target).predict(X)
    trained, tested = seen
    assert len(trained) == 2 * len(X)
    assert_array_equal(trained[: len(X)], tested)
