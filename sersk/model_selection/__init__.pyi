from ._evaluation import evaluate_protocol
from ._protocols import ProtocolSplit

__all__ = ["ProtocolSplit", "evaluate_protocol"]
