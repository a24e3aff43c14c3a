from ._chroma import Chroma, Tonnetz
from ._clip_normalizer import ClipNormalizer
from ._clip_store import ClipStore
from ._fill_padding import FillPadding
from ._frame_features import FrameFeatures
from ._functionals import Functionals
from ._mel import LogMelSpectrogram, MelSpectrogram
from ._mfcc import MFCC
from ._opensmile import OpenSMILE
from ._per_clip import PerClip
from ._pitch import Pitch
from ._recording_statistics import RecordingStatistics
from ._speaker_normalizer import SpeakerNormalizer
from ._spectral_shape import SpectralShape
from ._time_domain import TimeDomainStats
from ._voice_quality import VoiceQuality
from ._waveform_frames import RMSEnergy, ZeroCrossingRate

__all__ = [
    "MFCC",
    "Chroma",
    "ClipNormalizer",
    "ClipStore",
    "FillPadding",
    "FrameFeatures",
    "Functionals",
    "LogMelSpectrogram",
    "MelSpectrogram",
    "OpenSMILE",
    "PerClip",
    "Pitch",
    "RMSEnergy",
    "RecordingStatistics",
    "SpeakerNormalizer",
    "SpectralShape",
    "TimeDomainStats",
    "Tonnetz",
    "VoiceQuality",
    "ZeroCrossingRate",
]
