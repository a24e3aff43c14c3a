from ._audit import audit_leakage
from ._check_split import check_split
from ._cross_corpus import cross_corpus_table
from ._evaluation import evaluate_protocol
from ._protocols import ProtocolSplit
from ._robustness import noise_robustness
from ._search import PipelineSearchCV
from ._search_defaults import default_search_space
from ._search_space import Choice
from ._speaker_prior import SpeakerPriorClassifier
from ._validation_holdout import ValidationHoldout

__all__ = [
    "Choice",
    "PipelineSearchCV",
    "ProtocolSplit",
    "SpeakerPriorClassifier",
    "ValidationHoldout",
    "audit_leakage",
    "check_split",
    "cross_corpus_table",
    "default_search_space",
    "evaluate_protocol",
    "noise_robustness",
]
