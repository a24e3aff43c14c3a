from ._audit import audit_leakage
from ._check_split import check_split
from ._cross_corpus import cross_corpus_table
from ._evaluation import evaluate_protocol
from ._protocols import ProtocolSplit
from ._robustness import noise_robustness
from ._validation_holdout import ValidationHoldout

__all__ = [
    "ProtocolSplit",
    "ValidationHoldout",
    "audit_leakage",
    "check_split",
    "cross_corpus_table",
    "evaluate_protocol",
    "noise_robustness",
]
