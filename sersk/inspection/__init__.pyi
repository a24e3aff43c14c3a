from ._corpus import CorpusDisplay
from ._spectrogram import SpectrogramDisplay
from ._waveform import WaveformDisplay

__all__ = ["CorpusDisplay", "SpectrogramDisplay", "WaveformDisplay"]
