"""Whoever computes, the values are the same; who it is can be chosen."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sersk.exceptions import SerskError, SerskWarning
from sersk.feature_extraction import FrameFeatures, MelSpectrogram, RMSEnergy, _base

# Largest error over the largest magnitude: only the order of additions differs.
RELATIVE_TOLERANCE = 1e-6


@pytest.fixture
def noise(rng):
    return rng.normal(scale=0.1, size=(3, 6000))


def difference(found, truth):
    return np.abs(found - truth).max() / np.abs(truth).max()


@pytest.mark.parametrize("n_fft", [128, 256, 512, 1024, 2048, 4096, 8192])
@pytest.mark.parametrize("hop_length", [64, 333])
def test_kernels_equal_scipy(noise, n_fft, hop_length):
    parameters = {"n_fft": n_fft, "hop_length": hop_length, "n_mels": 8, "tuning": 0.0}
    for feature in ("mel", "log_mel", "chroma", "centroid", "bandwidth", "flatness", "rms", "zcr"):
        mine, plain = (
            FrameFeatures(features=[feature], backend=backend, **parameters).transform(noise)
            for backend in ("numba", "scipy")
        )
        assert difference(mine, plain) <= RELATIVE_TOLERANCE, feature


@pytest.mark.parametrize("n_fft", [3, 100, 127, 129, 1000, 1023, 1500, 2047, 16384])
def test_other_lengths_are_taken_by_every_backend(noise, n_fft):
    # One band, so that a spectrum of two bins will do.
    parameters = {"n_fft": n_fft, "hop_length": 500, "n_mels": 1}
    truth = MelSpectrogram(backend="reference", **parameters).transform(noise)
    for backend in ("auto", "numba", "scipy"):
        frames = MelSpectrogram(backend=backend, **parameters).transform(noise)
        assert frames.shape == truth.shape == (3, 1, 1 + (6000 - n_fft % 2) // 500)
        assert difference(frames, truth) <= RELATIVE_TOLERANCE


@pytest.fixture
def chosen(monkeypatch):
    """Remember which backends have been taken."""
    taken = []

    def make_extractor(*args, backend, **kwargs):
        taken.append(backend)
        return original(*args, backend=backend, **kwargs)

    original = _base.make_extractor
    monkeypatch.setattr(_base, "make_extractor", make_extractor)
    return taken


@pytest.mark.parametrize(
    ("transformer", "backend"),
    [
        (MelSpectrogram(), "numba"),
        (MelSpectrogram(backend="numba"), "numba"),
        (MelSpectrogram(backend="scipy"), "scipy"),
        (MelSpectrogram(backend="reference"), "reference"),
        (MelSpectrogram(n_fft=1500), "scipy"),
        (MelSpectrogram(n_fft=1500, backend="numba"), "scipy"),
        (RMSEnergy(frame_length=1500), "numba"),
        (FrameFeatures(features=["zcr", "rms"], n_fft=1500), "numba"),
        (FrameFeatures(features=["zcr", "mel"], n_fft=1500), "scipy"),
    ],
    ids=str,
)
def test_who_computes(monkeypatch, noise, chosen, transformer, backend):
    monkeypatch.delenv("SERSK_NUMBA", raising=False)
    transformer.transform(noise)
    assert chosen == [backend]


def test_the_switch(monkeypatch, noise, chosen):
    monkeypatch.setenv("SERSK_NUMBA", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MelSpectrogram().transform(noise)
    assert chosen == ["scipy"]
    with pytest.raises(SerskError, match="SERSK_NUMBA"):
        MelSpectrogram(backend="numba").transform(noise)


@pytest.mark.usefixtures("kernels")
def test_kernels_that_do_not_load(monkeypatch, noise, chosen):
    """One warning a process, and the same values."""
    truth = MelSpectrogram(backend="scipy").transform(noise)

    def broken():
        raise RuntimeError("no kernels today")

    monkeypatch.setattr(_base, "_load_kernels", broken)
    _base._kernels_work.cache_clear()
    try:
        with pytest.warns(SerskWarning, match="no kernels today"):
            frames = MelSpectrogram().transform(noise)
        MelSpectrogram().transform(noise)  # says nothing: warnings are errors here
    finally:
        _base._kernels_work.cache_clear()
    assert_array_equal(frames, truth)
    assert chosen == ["scipy"] * 3
    with pytest.raises(RuntimeError, match="no kernels today"):
        MelSpectrogram(backend="numba").transform(noise)


WITHOUT_NUMBA = """
import pickle, sys
transformers, waveforms = pickle.load(sys.stdin.buffer)
frames = [transformer.transform(waveforms) for transformer in transformers]
loaded = [name for name in sys.modules if name.endswith("_kernels")]
sys.stdout.buffer.write(pickle.dumps((frames, loaded)))
"""


def test_all_classes_without_kernels(transformers, noise):
    """In a process of its own, where nothing has loaded them."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA],
        input=pickle.dumps((transformers, noise)),
        env={**os.environ, "SERSK_NUMBA": "0"},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    found, loaded = pickle.loads(done.stdout)
    assert loaded == []
    for transformer, frames in zip(transformers, found, strict=True):
        truth = clone(transformer).transform(noise)
        fast = transformer.get_params().get("fft_precision") == "fast"
        scale = np.nanmax(np.abs(truth))
        assert_allclose(frames, truth, rtol=0, atol=(1e-5 if fast else 1e-6) * scale)
