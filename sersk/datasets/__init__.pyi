from ._csv import load_csv, write_corpus
from ._ravdess import load_ravdess
from ._synthetic import make_emotional_speech

__all__ = ["load_csv", "load_ravdess", "make_emotional_speech", "write_corpus"]
