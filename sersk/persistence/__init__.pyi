from ._card import ModelCard
from ._model import load, read_card, save
from ._predictions import predict_recordings
from ._profile import RecordingProfile

__all__ = ["ModelCard", "RecordingProfile", "load", "predict_recordings", "read_card", "save"]
