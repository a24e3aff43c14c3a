"""OpenSMILE: the package's own values, and what the package does not take care of."""

from __future__ import annotations

import pickle
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersk.exceptions import MissingExtraError
from sersk.feature_extraction import OpenSMILE


@pytest.fixture
def package():
    return pytest.importorskip("opensmile", reason="opensmile, an optional extra, is missing")


@pytest.mark.parametrize(
    ("feature_set", "n_features"),
    [("eGeMAPSv02", 88), ("GeMAPSv01b", 62), ("ComParE_2016", 6373), ("emobase", 988)],
)
def test_equals_the_package(package, small_corpus, feature_set, n_features):
    waveforms = small_corpus.data[:2].astype(np.float32)
    smile = OpenSMILE(feature_set=feature_set)
    vectors = smile.fit_transform(waveforms)
    assert vectors.shape == (2, n_features)
    assert vectors.dtype == np.float32
    reference = package.Smile(
        feature_set=package.FeatureSet[feature_set],
        feature_level=package.FeatureLevel.Functionals,
    )
    assert smile.get_feature_names_out().tolist() == reference.feature_names
    for row, vector in zip(waveforms, vectors, strict=True):
        expected = reference.process_signal(row[~np.isnan(row)], 16000)
        assert_array_equal(vector, expected.to_numpy()[0])


def test_full_scale_does_not_turn_round(package):
    """A sample of 1 is one more than 16 bits hold: the package makes it -1."""
    samples = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    vectors = OpenSMILE().fit_transform(np.stack([samples, samples * (1 - 2**-14)]))
    assert_allclose(vectors[0], vectors[1], rtol=0.05, atol=0.02)
    assert_array_equal(*OpenSMILE().transform(np.stack([np.sign(samples), 9 * np.sign(samples)])))


@pytest.mark.parametrize("n_samples", [1, 2, 300, 900])
def test_clips_too_short_are_nan(package, n_samples):
    waveforms = np.zeros((2, 2000))
    waveforms[0, n_samples:] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = OpenSMILE().fit_transform(waveforms)
    assert np.isnan(vectors[0]).all()
    assert np.isfinite(vectors[1]).all()


def test_all_nan_and_pickle(package, small_corpus):
    waveforms = small_corpus.data[:2].copy()
    waveforms[0] = np.nan
    smile = OpenSMILE().fit(waveforms)
    vectors = smile.transform(waveforms)
    assert np.isnan(vectors[0]).all()
    assert_array_equal(pickle.loads(pickle.dumps(smile)).transform(waveforms), vectors)


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="'feature_set' parameter"):
        OpenSMILE(feature_set="eGeMAPS").fit(np.zeros((1, 1000)))


@pytest.mark.parametrize("method", ["fit", "transform", "get_feature_names_out"])
def test_without_the_package_the_error_says_what_to_install(monkeypatch, method):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sersk\[opensmile\]"') as caught:
        getattr(OpenSMILE(), method)(np.zeros((1, 1000)))
    assert isinstance(caught.value, ImportError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


def test_a_broken_package_keeps_its_own_error(monkeypatch, tmp_path):
    (tmp_path / "opensmile.py").write_text("import a_module_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "opensmile", raising=False)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        OpenSMILE().fit(np.zeros((1, 1000)))
