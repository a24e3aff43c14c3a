from ._check import check_corpus, find_copies
from ._concat import concat_corpora
from ._cremad import load_cremad
from ._csv import load_csv, write_corpus
from ._emodb import load_emodb
from ._fetch import fetch_cremad, fetch_emodb, fetch_ravdess, fetch_savee, fetch_tess
from ._folder import load_folder
from ._grammar import Corpus, load_corpus
from ._ravdess import load_ravdess
from ._savee import load_savee
from ._synthetic import make_emotional_speech
from ._tess import load_tess
from ._windows import make_windows

__all__ = [
    "Corpus",
    "check_corpus",
    "concat_corpora",
    "fetch_cremad",
    "fetch_emodb",
    "fetch_ravdess",
    "fetch_savee",
    "fetch_tess",
    "find_copies",
    "load_corpus",
    "load_cremad",
    "load_csv",
    "load_emodb",
    "load_folder",
    "load_ravdess",
    "load_savee",
    "load_tess",
    "make_emotional_speech",
    "make_windows",
    "write_corpus",
]
