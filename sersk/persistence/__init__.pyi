from ._card import ModelCard
from ._model import load, read_card, save
from ._predictions import predict_recordings

__all__ = ["ModelCard", "load", "predict_recordings", "read_card", "save"]
