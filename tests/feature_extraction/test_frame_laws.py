"""Laws of all transformers from waveforms to frames: no clip sees its padding or its neighbours."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sersk.feature_extraction import Functionals

# Two transforms by each class an example: fewer examples than the default of the profile.
few_examples = settings(max_examples=8)


def noise(lengths, dtype=np.float64):
    """Clips of given lengths, padded to the longest; at least one sample wide."""
    rng = np.random.default_rng(len(lengths))
    waveforms = np.full((len(lengths), max(*lengths, 1)), np.nan, dtype=dtype)
    for row, length in zip(waveforms, lengths, strict=True):
        row[:length] = rng.normal(scale=0.1, size=length)
    return waveforms


lengths_of_clips = st.lists(st.integers(0, 1200), min_size=2, max_size=4)


@few_examples
@given(lengths=lengths_of_clips, more=st.integers(1, 400))
def test_padding_changes_nothing(transformer, lengths, more):
    waveforms = noise(lengths)
    frames = transformer.transform(waveforms)
    padded = np.pad(waveforms, ((0, 0), (0, more)), constant_values=np.nan)
    longer = transformer.transform(padded)
    n_frames = frames.shape[-1]
    assert_array_equal(longer[..., :n_frames], frames)
    assert np.isnan(longer[..., n_frames:]).all()


@few_examples
@given(lengths=lengths_of_clips)
def test_a_clip_has_its_frames_and_nan_after_them(transformer, lengths):
    frames = transformer.transform(noise(lengths))
    missing = np.isnan(frames).reshape(len(frames), -1, frames.shape[-1])
    assert_array_equal(missing.all(axis=1), missing.any(axis=1))
    expected = [1 + length // transformer.hop_length if length else 0 for length in lengths]
    assert_array_equal((~missing[:, 0]).sum(axis=1), expected)
    for clip, count in zip(missing[:, 0], expected, strict=True):
        assert not clip[:count].any()


@few_examples
@given(lengths=lengths_of_clips)
def test_neighbours_and_order_change_nothing(transformer, lengths):
    waveforms = noise(lengths)
    frames = transformer.transform(waveforms)
    assert_array_equal(transformer.transform(waveforms[::-1]), frames[::-1])
    assert_array_equal(transformer.transform(waveforms[1:]), frames[1:])


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_threads_change_nothing(transformer, n_jobs):
    if "n_jobs" not in transformer.get_params():
        pytest.skip("has no threads of its own")
    waveforms = noise(range(0, 2000, 90))
    in_threads = clone(transformer).set_params(n_jobs=n_jobs)
    assert_array_equal(in_threads.transform(waveforms), transformer.transform(waveforms))


def test_one_object_serves_threads_of_the_caller(transformer):
    batches = [noise([300 + 7 * i, 900, 1200 - 5 * i]) for i in range(4)]
    expected = [transformer.transform(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(transformer.transform, batches * 2))
    for frames, truth in zip(found, expected * 2, strict=True):
        assert_array_equal(frames, truth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_array_of_the_same_numbers(transformer, dtype):
    waveforms = noise([700, 500, 0, 1], dtype)
    kept = waveforms.copy()
    frames = transformer.transform(waveforms)
    assert frames.dtype == dtype
    read_only = waveforms.copy()
    read_only.flags.writeable = False
    every_second = np.repeat(waveforms, 2, axis=1)[:, ::2]
    backwards = waveforms[:, ::-1].copy()[:, ::-1]
    for other in (read_only, np.asfortranarray(waveforms), every_second, backwards):
        assert_array_equal(transformer.transform(other), frames)
    assert_array_equal(transformer.transform(pd.DataFrame(waveforms)), frames)
    if dtype == np.float64:
        assert_array_equal(transformer.transform(waveforms.tolist()), frames)
    assert_array_equal(waveforms, kept)


def test_copies_do_the_same(transformer):
    waveforms = noise([900, 400])
    frames = transformer.transform(waveforms)
    for copy in (clone(transformer), pickle.loads(pickle.dumps(transformer))):
        assert copy.get_params() == transformer.get_params()
        assert_array_equal(copy.transform(waveforms), frames)


def test_parameters_count_when_they_are_set(transformer):
    coarse = clone(transformer).set_params(hop_length=128)
    assert coarse.transform(noise([900])).shape[-1] == 1 + 900 // 128


def test_names_in_a_pipeline(transformer):
    waveforms = noise([900, 400])
    names = transformer.get_feature_names_out()
    frames = transformer.transform(waveforms)
    assert frames.shape[1] == len(names) == len(set(names))
    if frames.ndim == 4:
        return  # images, not for `Functionals`
    pipeline = make_pipeline(clone(transformer), Functionals(statistics=["mean", "std"]))
    vectors = pipeline.fit_transform(waveforms)
    expected = [f"{name}_{statistic}" for name in names for statistic in ("mean", "std")]
    assert pipeline.get_feature_names_out().tolist() == expected
    assert vectors.shape == (2, len(expected))
    assert np.isfinite(vectors).all()
