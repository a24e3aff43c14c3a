"""Functionals: statistics over time that do not see the padding."""

from __future__ import annotations

import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from sersk.exceptions import SerskError
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


BACKENDS = ("numba", "numpy")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("statistic", EXPECTED)
def test_equals_reference(rng, statistic, dtype, backend):
    frames = rng.gamma(2.0, size=(40, 3, 50)).astype(dtype)
    lengths = rng.integers(3, 51, size=40)
    for clip, length in zip(frames, lengths, strict=True):
        clip[:, length:] = np.nan
    vectors = Functionals(statistics=[statistic], backend=backend).fit_transform(frames)
    assert vectors.dtype == dtype
    for vector, clip, length in zip(vectors, frames, lengths, strict=True):
        expected = [EXPECTED[statistic](series[:length].astype(float)) for series in clip]
        assert_allclose(vector, expected, rtol=1e-9 if dtype == np.float64 else 1e-5, atol=1e-6)


series = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 20)),
    elements=st.floats(-1e3, 1e3),
)


@pytest.mark.parametrize("backend", BACKENDS)
@given(frames=series, n_padding=st.integers(1, 60))
def test_padding_changes_nothing(backend, frames, n_padding):
    functionals = Functionals(statistics=list(EXPECTED), backend=backend)
    padded = np.pad(frames, ((0, 0), (0, 0), (0, n_padding)), constant_values=np.nan)
    assert_allclose(
        functionals.fit_transform(padded), functionals.fit_transform(frames), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("backend", BACKENDS)
@given(frames=series)
def test_laws(backend, frames):
    names = ["min", "percentile_25", "percentile_50", "percentile_75", "max"]
    vectors = Functionals(statistics=names, backend=backend).fit_transform(frames)
    vectors = vectors.reshape(*frames.shape[:2], -1)
    assert (np.diff(vectors, axis=-1) >= 0).all()
    assert_array_equal(vectors[..., 0], frames.min(axis=-1))
    everything = Functionals(statistics=list(EXPECTED), backend=backend).fit_transform(frames)
    assert np.isfinite(everything).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [0.1, -1e9 / 3, 1e-200])
@pytest.mark.parametrize("n_frames", [1, 2, 30, 12345])
def test_what_does_not_vary_has_no_shape(n_frames, value, backend):
    frames = np.full((1, 1, n_frames), value)
    names = ["std", "range", "skew", "kurtosis", "slope", "mean"]
    vector = Functionals(statistics=names, backend=backend).fit_transform(frames)[0]
    assert_array_equal(vector, [0, 0, 0, 0, 0, value])


# Sums in double precision, taken in another order. Where terms cancel (a slope of nearly nothing),
# the error is measured against what is summed.
RELATIVE = 1e-9


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=9),
    scale=st.sampled_from([1e-100, 1e-3, 1.0, 1e80]),
    offset=st.sampled_from([0.0, 1.0, -300.0]),
    seed=st.integers(0, 99),
)
def test_backends_agree(lengths, scale, offset, seed):
    frames = scale * (offset + np.random.default_rng(seed).normal(size=(len(lengths), 3, 40)))
    for clip, length in zip(frames, lengths, strict=True):
        clip[:, length:] = np.nan
    compiled, plain = (
        Functionals(statistics=list(EXPECTED), backend=backend)
        .fit_transform(frames)
        .reshape(len(lengths), 3, -1)
        for backend in BACKENDS
    )
    for index, name in enumerate(EXPECTED):
        unit = 1.0 if name in ("skew", "kurtosis") else scale
        # Deviations lose the digits that the offset takes.
        bound = RELATIVE * unit * max(1.0, abs(offset))
        assert_allclose(compiled[..., index], plain[..., index], rtol=RELATIVE, atol=bound)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_jobs", [2, 5, -1])
def test_threads_change_no_bit(rng, backend, n_jobs):
    frames = rng.normal(size=(300, 60, 50)).astype(np.float32)  # several portions
    frames[3, :, 20:] = np.nan
    alone = Functionals(backend=backend).fit_transform(frames)
    assert_array_equal(Functionals(backend=backend, n_jobs=n_jobs).fit_transform(frames), alone)
    with joblib.parallel_config("loky", n_jobs=2):
        assert_array_equal(Functionals(backend=backend).fit_transform(frames), alone)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_in_any_order_of_memory(rng, dtype, backend):
    frames = rng.normal(size=(6, 4, 10)).astype(dtype)
    expected = Functionals(backend=backend).fit_transform(frames)
    read_only = frames.copy()
    read_only.flags.writeable = False
    strided = np.repeat(frames, 2, axis=-1)[..., ::2]
    swapped = frames.astype(frames.dtype.newbyteorder())
    for other in (read_only, strided, np.asfortranarray(frames), swapped):
        vectors = Functionals(backend=backend).fit_transform(other)
        assert_allclose(vectors, expected, rtol=1e-6, atol=1e-6)


def test_numba_where_it_cannot_be_used(monkeypatch):
    frames = np.arange(12.0).reshape(2, 2, 3)
    expected = Functionals(backend="numpy").fit_transform(frames)
    monkeypatch.setenv("SERSK_NUMBA", "0")
    assert_array_equal(Functionals().fit_transform(frames), expected)
    with pytest.raises(SerskError, match=r"backend='numba' cannot be used.*backend='auto'"):
        Functionals(backend="numba").transform(frames)


@pytest.mark.usefixtures("kernels")
def test_numba_is_loaded_when_it_is_needed():
    code = """
import sys
import numpy as np
from sersk.feature_extraction import Functionals
frames = np.arange(12.0).reshape(2, 2, 3)
Functionals(backend="numpy").fit_transform(frames)
Functionals().fit(frames)
print("numba" in sys.modules)
Functionals().transform(frames)
print("numba" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"backend": "torch"}, "'backend' parameter"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
        ({"n_jobs": 0}, "n_jobs == 0"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        Functionals(**parameters).fit_transform(np.zeros((1, 2, 3)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_clip_without_frames_is_nan_and_silent(backend):
    frames = np.zeros((3, 2, 4))
    frames[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = Functionals(backend=backend).fit_transform(frames)
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
        (["mean", "std", "mean"], "holds 'mean' twice"),
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
