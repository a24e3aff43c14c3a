"""Laws of all transformers from waveforms to waveforms: a clip sees neither padding nor others."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sersk.feature_extraction import MFCC, Functionals
from sersk.preprocessing import (
    AudioReader,
    LevelNormalizer,
    NoiseReducer,
    PadOrTrim,
    PreEmphasis,
    SilenceTrimmer,
)

few_examples = settings(max_examples=20)
lengths_of_clips = st.lists(st.integers(0, 50), min_size=2, max_size=5)


def noise(lengths, dtype=np.float64):
    """Clips of given lengths with loud and quiet parts, padded to the longest."""
    rng = np.random.default_rng(len(lengths))
    waveforms = np.full((len(lengths), max(*lengths, 1)), np.nan, dtype=dtype)
    for row, length in zip(waveforms, lengths, strict=True):
        row[:length] = rng.normal(scale=0.1, size=length) * 10 ** rng.uniform(-2, 0, size=length)
    return waveforms


def padded(waveforms, more):
    return np.pad(waveforms, ((0, 0), (0, more)), constant_values=np.nan)


@few_examples
@given(lengths=lengths_of_clips, more=st.integers(1, 30))
def test_padding_changes_nothing(cleaner, lengths, more):
    waveforms = noise(lengths)
    cleaned = cleaner.transform(waveforms)
    longer = cleaner.transform(padded(waveforms, more))
    assert_array_equal(longer[:, : cleaned.shape[1]], cleaned)
    assert np.isnan(longer[:, cleaned.shape[1] :]).all()


@few_examples
@given(lengths=lengths_of_clips)
def test_neighbours_and_order_change_nothing(cleaner, lengths):
    waveforms = noise(lengths)
    cleaned = cleaner.transform(waveforms)
    assert_array_equal(cleaner.transform(waveforms[::-1]), cleaned[::-1])
    assert_array_equal(cleaner.transform(waveforms[1:]), cleaned[1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clips_of_all_lengths(cleaner, dtype):
    lengths = list(range(51))
    waveforms = noise(lengths, dtype)
    cleaned = cleaner.transform(waveforms)
    assert cleaned.dtype == dtype
    assert cleaned.shape == (51, 40 if getattr(cleaner, "duration", None) else 50)
    found = (~np.isnan(cleaned)).sum(axis=1)
    # Nothing but the padding is NaN, and a clip stays a clip.
    assert_array_equal(np.isnan(cleaned), np.arange(cleaned.shape[1]) >= found[:, np.newaxis])
    assert_array_equal(found > 0, np.array(lengths) > 0)
    assert not np.isinf(cleaned).any()


def test_in_double_precision(cleaner):
    waveforms = noise([50, 31, 2, 1], np.float32)
    double = cleaner.transform(waveforms.astype(np.float64))
    assert_array_equal(cleaner.transform(waveforms), double.astype(np.float32))


def test_any_array_of_the_same_numbers(cleaner):
    waveforms = noise([40, 50, 0, 1])
    kept = waveforms.copy()
    cleaned = cleaner.transform(waveforms)
    read_only = waveforms.copy()
    read_only.flags.writeable = False
    every_second = np.repeat(waveforms, 2, axis=1)[:, ::2]
    others = (read_only, np.asfortranarray(waveforms), every_second, waveforms.tolist())
    for other in (*others, pd.DataFrame(waveforms)):
        assert_array_equal(cleaner.transform(other), cleaned)
    assert_array_equal(waveforms, kept)
    assert not np.shares_memory(cleaned, waveforms)


def test_unreadable_stays_unreadable(cleaner):
    waveforms = np.full((2, 30), np.nan, dtype=np.float32)
    assert np.isnan(cleaner.transform(waveforms)).all()


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_silence_survives(cleaner, length):
    waveforms = padded(np.zeros((1, length)), 3)
    cleaned = cleaner.transform(waveforms)
    n_kept = (~np.isnan(cleaned)).sum()
    fills = getattr(cleaner, "pad", "nan") != "nan"
    assert n_kept == (cleaned.shape[1] if fills else length)
    assert_array_equal(cleaned[:, :n_kept], np.zeros((1, n_kept)))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.1, np.nan, 0.2], "Row 1 holds NaN before its end"),
        ([np.nan, 0.1, 0.2], "Row 1 holds NaN before its end"),
        ([0.1, np.inf, np.nan], "infinity"),
    ],
)
def test_bad_clips(cleaner, row, message):
    waveforms = np.array([[0.1, 0.2, 0.3], row])
    with pytest.raises(ValueError, match=message):
        clone(cleaner).fit(waveforms)
    with pytest.raises(ValueError, match=message):
        cleaner.transform(waveforms)


def test_width_is_that_of_fit(cleaner):
    fitted = clone(cleaner).fit(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="expecting 5 features"):
        fitted.transform(np.zeros((1, 6)))


def test_names(cleaner):
    fresh = clone(cleaner)
    with pytest.raises(NotFittedError):
        fresh.get_feature_names_out()
    cleaned = fresh.fit_transform(noise([9, 5]))
    names = fresh.get_feature_names_out().tolist()
    assert names == [f"sample{index}" for index in range(cleaned.shape[1])]


def test_nothing_is_learned(cleaner):
    fitted = clone(cleaner).fit(noise([50, 50, 50]))
    assert set(vars(fitted)) == {*fitted.get_params(), "n_features_in_"}
    waveforms = noise([50, 20])
    assert_array_equal(fitted.transform(waveforms), cleaner.transform(waveforms))


def test_copies_do_the_same(cleaner):
    waveforms = noise([50, 20])
    cleaned = cleaner.transform(waveforms)
    for copy in (clone(cleaner), pickle.loads(pickle.dumps(cleaner))):
        assert copy.get_params() == cleaner.get_params()
        assert_array_equal(copy.transform(waveforms), cleaned)


def test_bad_parameters_are_found_without_fit():
    with pytest.raises(ValueError, match="'coefficient' parameter of PreEmphasis"):
        PreEmphasis(coefficient=2.0).transform([[0.0]])


def test_from_files_to_vectors(written_corpus):
    steps = (
        AudioReader(duration=2.0),
        NoiseReducer(),
        SilenceTrimmer(top_db=40.0),
        LevelNormalizer(method="rms"),
        PreEmphasis(),
        PadOrTrim(duration=1.5),
        MFCC(n_mfcc=4),
        Functionals(statistics=["mean"]),
    )
    pipeline = make_pipeline(*steps)
    vectors = pipeline.fit_transform(written_corpus.data)
    names = [f"mfcc{index}_mean" for index in range(4)]
    assert pipeline.get_feature_names_out().tolist() == names
    assert np.isfinite(vectors).all()
    # One step after the other, and one clip alone.
    alone = written_corpus.data.iloc[[3]]
    for step in steps:
        alone = clone(step).fit_transform(alone)
    assert_allclose(alone[0], vectors[3], rtol=1e-5)
