from ._background_noise import BackgroundNoise
from ._combine import Compose, OneOf
from ._foreign import Seeded
from ._gain_and_shift import Gain, TimeShift
from ._noise import AddNoise
from ._presets import make_transforms
from ._reverb import Reverb
from ._spec_augment import SpecAugment
from ._stretch_and_pitch import PitchShift, TimeStretch
from ._waveform_augmenter import WaveformAugmenter

__all__ = [
    "AddNoise",
    "BackgroundNoise",
    "Compose",
    "Gain",
    "OneOf",
    "PitchShift",
    "Reverb",
    "Seeded",
    "SpecAugment",
    "TimeShift",
    "TimeStretch",
    "WaveformAugmenter",
    "make_transforms",
]
