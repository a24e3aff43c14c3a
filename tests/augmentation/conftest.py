from __future__ import annotations

import numpy as np
import pytest
import soundfile

from sersk.augmentation import (
    AddNoise,
    BackgroundNoise,
    Compose,
    Gain,
    OneOf,
    PitchShift,
    Reverb,
    TimeShift,
    TimeStretch,
    _vocoder,
)


@pytest.fixture(scope="session")
def speech(small_corpus):
    """A clip of synthetic speech at 16 kHz."""
    samples = small_corpus.data[0]
    return samples[~np.isnan(samples)].astype(np.float32)


@pytest.fixture(scope="session")
def noise_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(1)
    for name, n_samples, sample_rate in [("a", 40000, 16000), ("b", 900, 8000), ("c", 9000, 44100)]:
        soundfile.write(folder / f"{name}.wav", rng.uniform(-0.5, 0.5, n_samples), sample_rate)
    return str(folder)


@pytest.fixture(scope="session")
def all_transforms(noise_folder):
    return [
        AddNoise(),
        AddNoise(color="pink"),
        BackgroundNoise(noise_folder),
        Gain(),
        PitchShift(),
        Reverb(),
        TimeShift(),
        TimeShift(shift=(-0.5, 0.5), unit="seconds", rollover=False),
        TimeStretch(),
        OneOf([AddNoise(), TimeStretch()], weights=[2, 1]),
        Compose([AddNoise(), PitchShift(), Gain()], p=0.7),
    ]


@pytest.fixture(params=["kernels", "numpy"])
def way(request, monkeypatch):
    """Stretch by each of the two ways; the compiled one where numba is usable."""
    if request.param == "kernels" and not _vocoder._kernels_work():
        pytest.skip("numba is not usable here")
    monkeypatch.setattr(_vocoder, "_kernels_work", lambda: request.param == "kernels")
    return request.param
