"""MFCC: librosa's values, and the limits of its parameters."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersk.feature_extraction import MFCC

# Largest error over the largest magnitude: only the order of additions differs.
RELATIVE_TOLERANCE = 1e-6


@pytest.mark.parametrize("backend", ["numba", "scipy", "reference"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"n_mfcc": 1},
        {"n_mfcc": 128},
        {"lifter": 22},
        {"lifter": 0.5, "n_mfcc": 13},
        {"norm": None, "htk": True},
        {"n_mels": 40, "n_fft": 512, "win_length": 400, "hop_length": 160, "window": "hamming"},
    ],
    ids=str,
)
def test_equals_librosa(clips, by_librosa, backend, parameters):
    clip = clips[0]
    frames = MFCC(deltas=2, backend=backend, **parameters).transform([clip])[0]
    (plain,) = by_librosa(["mfcc"], clip, **parameters)
    if "norm" not in parameters:  # of the cosine transform, in librosa's function
        again = librosa.feature.mfcc(y=clip, sr=16000, **{"n_mfcc": 40, **parameters})
        assert_allclose(plain, again, rtol=RELATIVE_TOLERANCE)
    deltas = [librosa.feature.delta(plain, order=order) for order in (1, 2)]
    for found, expected in zip(np.split(frames, 3), [plain, *deltas], strict=True):
        assert_allclose(found, expected, rtol=0, atol=RELATIVE_TOLERANCE * np.abs(expected).max())


def test_names():
    names = MFCC(n_mfcc=2, deltas=2).get_feature_names_out().tolist()
    assert names == [
        "mfcc0", "mfcc1", "mfcc0_delta", "mfcc1_delta", "mfcc0_delta2", "mfcc1_delta2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_mfcc": 129}, "n_mfcc <= n_mels"),
        ({"win_length": 4096}, "must not exceed n_fft"),
        ({"fmax": 8001.0}, "above half the sample rate"),
        ({"n_fft": 256}, "bands are too many for n_fft=256"),
        ({"lifter": -1}, "'lifter' parameter"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(parameters, message):
    mfcc = MFCC(**parameters)
    X = np.zeros((1, 1000))
    with pytest.raises(ValueError, match=message):
        mfcc.fit(X)
    with pytest.raises(ValueError, match=message):
        mfcc.transform(X)


def test_as_many_bands_as_librosa_fills_are_taken():
    """The limit on bands is where librosa begins to warn of empty ones."""
    for n_fft in (256, 512, 2048):
        for n_mels in range(10, 140, 3):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=n_mels)
            mfcc = MFCC(n_mfcc=5, n_fft=n_fft, n_mels=n_mels)
            if caught:
                with pytest.raises(ValueError, match="too many"):
                    mfcc.fit(np.zeros((1, 10)))
            else:
                mfcc.fit(np.zeros((1, 10)))
