from ._audio_reader import AudioReader
from ._drop_unreadable import DropUnreadable
from ._level_normalizer import LevelNormalizer
from ._noise_reducer import NoiseReducer
from ._pad_or_trim import PadOrTrim
from ._pre_emphasis import PreEmphasis
from ._silence_trimmer import SilenceTrimmer

__all__ = [
    "AudioReader",
    "DropUnreadable",
    "LevelNormalizer",
    "NoiseReducer",
    "PadOrTrim",
    "PreEmphasis",
    "SilenceTrimmer",
]
