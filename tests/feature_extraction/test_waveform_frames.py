"""ZeroCrossingRate and RMSEnergy against librosa, and against their definitions."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sersk.feature_extraction import RMSEnergy, ZeroCrossingRate

# librosa itself sums squares in single precision.
RELATIVE_TOLERANCE = 1e-6

BACKENDS = ["numba", "scipy", "reference"]
LENGTHS = [(2048, 512), (400, 160), (401, 160), (101, 37), (2, 1), (64, 1000)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("frame_length", "hop_length"), LENGTHS)
def test_zero_crossing_rate(clips, backend, frame_length, hop_length):
    clip = clips[0][:20000].copy()
    clip[5000:6000] = 0
    lengths = {"frame_length": frame_length, "hop_length": hop_length}
    for threshold in (1e-10, 0.0, 0.01):
        expected = librosa.feature.zero_crossing_rate(clip, threshold=threshold, **lengths)
        rate = ZeroCrossingRate(threshold=threshold, backend=backend, **lengths).transform([clip])
        assert_allclose(rate[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("frame_length", "hop_length"), LENGTHS)
def test_rms_energy(clips, backend, frame_length, hop_length):
    clip = clips[0][:20000]
    lengths = {"frame_length": frame_length, "hop_length": hop_length}
    expected = librosa.feature.rms(y=clip, **lengths)
    for precision in ("exact", "fast"):
        level = RMSEnergy(backend=backend, fft_precision=precision, **lengths).transform([clip])
        assert_allclose(level[0], expected, rtol=0, atol=RELATIVE_TOLERANCE * expected.max())


@given(
    samples=st.lists(st.sampled_from([-1.0, -1e-11, 0.0, 1e-11, 0.5]), min_size=1, max_size=80),
    frame_length=st.integers(2, 20),
    hop_length=st.integers(1, 10),
)
def test_crossings_are_counted_one_by_one(samples, frame_length, hop_length):
    if len(samples) <= frame_length % 2:
        samples = samples * 2
    signs = [sample < -1e-10 for sample in samples]
    n_frames = 1 + (len(samples) - frame_length % 2) // hop_length
    expected = []
    for frame in range(n_frames):
        start = frame * hop_length - frame_length // 2
        inside = range(max(start, 0) + 1, min(start + frame_length, len(samples)))
        expected.append(sum(signs[i] != signs[i - 1] for i in inside) / frame_length)
    for backend in BACKENDS:
        rate = ZeroCrossingRate(
            frame_length=frame_length, hop_length=hop_length, backend=backend
        ).transform([samples])
        assert_allclose(rate[0, 0], expected, rtol=0, atol=1e-12)


def test_a_constant_has_its_own_level():
    level = RMSEnergy(frame_length=100, hop_length=50).transform(np.full((1, 1000), -0.25))
    assert_allclose(level[0, 0, 1:-1], 0.25)
    # Half of the first frame, and of the last, is silence.
    assert_allclose(level[0, 0, [0, -1]], 0.25 / np.sqrt(2))


def test_twice_a_tones_frequency_crossings():
    """A sine crosses zero twice a period, whatever the frame."""
    for frequency in (60, 250, 2000):
        tone = np.sin(2 * np.pi * frequency * np.arange(16000) / 16000 + 0.1)
        rate = ZeroCrossingRate().transform([tone])[0, 0, 2:-2]
        assert_allclose(rate, 2 * frequency / 16000, atol=1 / 2048)


@pytest.mark.parametrize(
    "transformer",
    [RMSEnergy(frame_length=1), ZeroCrossingRate(hop_length=0), ZeroCrossingRate(threshold=-1.0)],
    ids=str,
)
def test_out_of_range(transformer):
    with pytest.raises(ValueError, match="parameter of"):
        transformer.transform(np.zeros((1, 100)))
