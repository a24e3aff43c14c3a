from ._bootstrap import compare_by_speaker, speaker_bootstrap
from ._calibration import calibration_error, reliability_curve
from ._confusions import most_confused_pairs, scores_by_speaker
from ._summary import classification_summary

__all__ = [
    "calibration_error",
    "classification_summary",
    "compare_by_speaker",
    "most_confused_pairs",
    "reliability_curve",
    "scores_by_speaker",
    "speaker_bootstrap",
]
