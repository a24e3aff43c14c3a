"""Mel features by torch equal those of the other ways, on whatever device it has."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from sersk._utils._lengths import valid_lengths
from sersk.exceptions import SerskError
from sersk.feature_extraction import MFCC, LogMelSpectrogram, MelSpectrogram

# As in `test_equality`; levels in dB stand by themselves.
TOLERANCE = {"exact": 1e-6, "fast": 1e-5}
TOLERANCE_DB = {"exact": 1e-4, "fast": 2e-3}

TRANSFORMERS = [
    MelSpectrogram(),
    MelSpectrogram(power=1.0, htk=True, norm=None, n_fft=512, win_length=400, n_mels=40),
    LogMelSpectrogram(deltas=2),
    LogMelSpectrogram(ref="max", top_db=60.0, deltas=1, n_fft=1024, hop_length=100),
    LogMelSpectrogram(power=1.0, ref=0.5, amin=1e-6, fmin=50.0, fmax=7000.0),
    LogMelSpectrogram(power=1.0, ref="max", window="hamming"),
    MFCC(n_mfcc=13, deltas=2),
    MFCC(n_mfcc=20, lifter=22, n_fft=1500, n_mels=60, hop_length=777, deltas=1),
    MFCC(n_mfcc=10, n_fft=1023, n_mels=40, hop_length=511),
]


@pytest.fixture
def waveforms(clips, padded):
    """Also clips of no frame, of one, and of eight and nine at the default hop."""
    short = [clips[4][:n_samples] for n_samples in (0, 1, 2048, 8 * 512 - 1, 8 * 512)]
    return padded([*clips[:3], *short, clips[6], clips[7]])


def assert_close(found, truth, transformer, precision):
    np.testing.assert_array_equal(np.isnan(found), np.isnan(truth))
    tolerance = TOLERANCE[precision] * np.nanmax(np.abs(truth))
    if isinstance(transformer, LogMelSpectrogram):
        tolerance = TOLERANCE_DB[precision]
    assert np.nanmax(np.abs(found - truth)) <= tolerance


@pytest.mark.parametrize("precision", ["exact", "fast"])
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)
def test_torch_equals_scipy(monkeypatch, waveforms, transformer, precision):
    from sersk.feature_extraction import _torch_extraction

    # Several batches.
    monkeypatch.setattr(_torch_extraction, "_SPECTRUM_SIZE", 10**6)
    truth = clone(transformer).set_params(backend="scipy").transform(waveforms)
    frames = np.empty((len(waveforms), transformer._n_features(), truth.shape[-1]))
    _torch_extraction.extract(
        waveforms,
        valid_lengths(waveforms),
        transformer._wanted(),
        transformer._settings(),
        frames,
        device="cpu",
        exact=precision == "exact",
    )
    assert_close(frames.reshape(truth.shape), truth, transformer, precision)


@pytest.mark.parametrize("transformer", [MelSpectrogram(), LogMelSpectrogram(), MFCC()])
def test_without_a_gpu(monkeypatch, transformer):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SerskError, match=r"device='cuda' was asked for, but torch .* sees no GPU"):
        clone(transformer).set_params(device="cuda").transform(np.zeros((1, 100)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("precision", ["exact", "fast"])
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)
def test_on_a_gpu(waveforms, transformer, precision, dtype):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU here")
    waveforms = waveforms.astype(dtype)
    truth = clone(transformer).transform(waveforms.astype(np.float64))
    on_gpu = clone(transformer).set_params(device="cuda", fft_precision=precision)
    frames = on_gpu.transform(waveforms)
    assert frames.dtype == dtype
    assert_close(frames, truth, transformer, precision)
