from ._benchmark import BenchmarkDisplay
from ._corpus import CorpusDisplay
from ._cross_corpus import CrossCorpusDisplay
from ._leakage import LeakageDisplay
from ._learning_curve import LearningCurveDisplay
from ._reliability import ReliabilityDisplay
from ._report import write_report
from ._robustness import NoiseRobustnessDisplay
from ._saliency import SaliencyDisplay
from ._spectrogram import SpectrogramDisplay
from ._timeline import TimelineDisplay
from ._waveform import WaveformDisplay

__all__ = [
    "BenchmarkDisplay",
    "CorpusDisplay",
    "CrossCorpusDisplay",
    "LeakageDisplay",
    "LearningCurveDisplay",
    "NoiseRobustnessDisplay",
    "ReliabilityDisplay",
    "SaliencyDisplay",
    "SpectrogramDisplay",
    "TimelineDisplay",
    "WaveformDisplay",
    "write_report",
]
