"""Every transformer from waveforms to waveforms, and clips for them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from sersk.preprocessing import (
    LevelNormalizer,
    NoiseReducer,
    PadOrTrim,
    PreEmphasis,
    SilenceTrimmer,
)

# At settings that give clips of a few samples many frames.
FRAMES = {"n_fft": 8, "hop_length": 3, "noise_fraction": 0.4}
CLEANERS = {
    "SilenceTrimmer": SilenceTrimmer(top_db=3.0, frame_length=4, hop_length=2),
    "SilenceTrimmer-interior": SilenceTrimmer(
        top_db=3.0, frame_length=3, hop_length=2, interior=True
    ),
    "LevelNormalizer": LevelNormalizer(target_db=-1.0),
    "LevelNormalizer-rms": LevelNormalizer(method="rms"),
    "LevelNormalizer-zscore": LevelNormalizer(method="zscore"),
    "NoiseReducer": NoiseReducer(**FRAMES),
    "NoiseReducer-gating": NoiseReducer(method="spectral_gating", **FRAMES),
    "NoiseReducer-default": NoiseReducer(),
    "PreEmphasis": PreEmphasis(),
    "PadOrTrim": PadOrTrim(),
    "PadOrTrim-nan": PadOrTrim(duration=2.0, sample_rate=20),
    "PadOrTrim-zero": PadOrTrim(duration=2.0, sample_rate=20, pad="zero"),
    "PadOrTrim-repeat": PadOrTrim(duration=2.0, sample_rate=20, pad="repeat"),
}


@pytest.fixture(scope="session", params=CLEANERS)
def cleaner(request):
    """Each class in turn, in each of its ways; none of them keeps anything between calls."""
    return clone(CLEANERS[request.param])


@pytest.fixture(scope="session")
def speech(small_corpus):
    """Clips of synthetic speech without padding, in double precision."""
    return [clip[~np.isnan(clip)].astype(np.float64) for clip in small_corpus.data[::3]]
