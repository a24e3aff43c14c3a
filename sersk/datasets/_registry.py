"""The corpora that sersk knows by their file names."""

from __future__ import annotations

from ._cremad import CREMAD
from ._emodb import EMODB
from ._grammar import Corpus
from ._ravdess import RAVDESS
from ._savee import SAVEE
from ._tess import TESS

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus for corpus in (CREMAD, EMODB, RAVDESS, SAVEE, TESS)
}
