"""Functionals: statistics over time that do not see the padding."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from sersk.feature_extraction import Functionals
from sersk.feature_extraction._functionals import _STATISTICS, DEFAULT_STATISTICS

# Independent implementations, of one series without padding.
EXPECTED = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "range": np.ptp,
    "skew": scipy.stats.skew,
    "kurtosis": scipy.stats.kurtosis,
    "slope": lambda x: scipy.stats.linregress(np.arange(len(x)), x).slope,
    **{f"percentile_{p}": lambda x, p=p: np.percentile(x, p) for p in (0, 5, 25, 50, 99, 100)},
}


def test_every_statistic_has_a_reference():
    assert _STATISTICS.keys() <= EXPECTED.keys()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("statistic", EXPECTED)
def test_equals_reference(rng, statistic, dtype):
    frames = rng.gamma(2.0, size=(40, 3, 50)).astype(dtype)
    lengths = rng.integers(3, 51, size=40)
    for clip, length in zip(frames, lengths, strict=True):
        clip[:, length:] = np.nan
    vectors = Functionals(statistics=[statistic]).fit_transform(frames)
    assert vectors.dtype == dtype
    for vector, clip, length in zip(vectors, frames, lengths, strict=True):
        expected = [EXPECTED[statistic](series[:length].astype(float)) for series in clip]
        assert_allclose(vector, expected, rtol=1e-9 if dtype == np.float64 else 1e-5, atol=1e-6)


series = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 20)),
    elements=st.floats(-1e3, 1e3),
)


@given(frames=series, n_padding=st.integers(1, 60))
def test_padding_changes_nothing(frames, n_padding):
    functionals = Functionals(statistics=list(EXPECTED))
    padded = np.pad(frames, ((0, 0), (0, 0), (0, n_padding)), constant_values=np.nan)
    assert_allclose(
        functionals.fit_transform(padded), functionals.fit_transform(frames), rtol=1e-9, atol=1e-9
    )


@given(frames=series)
def test_laws(frames):
    names = ["min", "percentile_25", "percentile_50", "percentile_75", "max"]
    vectors = Functionals(statistics=names).fit_transform(frames).reshape(*frames.shape[:2], -1)
    assert (np.diff(vectors, axis=-1) >= 0).all()
    assert_array_equal(vectors[..., 0], frames.min(axis=-1))
    everything = Functionals(statistics=list(EXPECTED)).fit_transform(frames)
    assert np.isfinite(everything).all()


@pytest.mark.parametrize("n_frames", [1, 2, 30])
def test_what_does_not_vary_has_no_shape(n_frames):
    frames = np.full((1, 1, n_frames), 0.1)
    names = ["std", "range", "skew", "kurtosis", "slope"]
    assert_allclose(Functionals(statistics=names).fit_transform(frames), 0, atol=1e-15)


def test_a_clip_without_frames_is_nan_and_silent():
    frames = np.zeros((3, 2, 4))
    frames[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = Functionals().fit_transform(frames)
    assert np.isnan(vectors[1]).all()
    assert np.isfinite(vectors[[0, 2]]).all()


def test_images_and_single_series(rng):
    images = rng.normal(size=(2, 3, 4, 5))
    functionals = Functionals(statistics=["mean", "std"]).fit(images)
    assert_allclose(functionals.transform(images)[0, :4], [
        images[0, 0, 0].mean(), images[0, 0, 0].std(), images[0, 0, 1].mean(), images[0, 0,
        1].std(),
    ])  # fmt: skip
    names = functionals.get_feature_names_out(["static", "delta", "delta2"])
    assert len(names) == 24
    assert names[:3].tolist() == ["static_0_mean", "static_0_std", "static_1_mean"]
    waveforms = rng.normal(size=(2, 100))
    assert_allclose(functionals.fit_transform(waveforms)[:, 0], waveforms.mean(axis=1))
    assert functionals.get_feature_names_out().tolist() == ["mean", "std"]


def test_default_statistics_are_known_and_documented():
    assert Functionals().statistics is DEFAULT_STATISTICS
    for name in DEFAULT_STATISTICS:
        assert f'"{name}"' in Functionals.__doc__.split("Attributes")[0]


def test_pandas_output():
    frames = np.zeros((2, 2, 4))
    table = Functionals(statistics=["mean"]).set_output(transform="pandas").fit_transform(frames)
    assert table.columns.tolist() == ["x0_mean", "x1_mean"]


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (["mean", "median"], "holds 'median'; known are mean"),
        (["percentile_101"], "holds 'percentile_101'"),
        ([3], "holds 3"),
        ([], "statistics is empty"),
        ("mean", "'statistics' parameter"),
    ],
)
def test_unknown_statistics(statistics, message):
    with pytest.raises(ValueError, match=message):
        Functionals(statistics=statistics).fit(np.zeros((1, 2, 3)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[[0.0, np.inf]]]), "infinity"),
        (np.array([[[np.nan, 0.0]]]), "NaN before its end"),
        (np.array([[[0.0, 0.0], [0.0, np.nan]]]), "NaN before its end"),
    ],
)
def test_bad_frames(X, message):
    with pytest.raises(ValueError, match=message):
        Functionals().transform(X)
