from ._cnn import CNNClassifier
from ._crnn import CRNNClassifier
from ._fine_tuned import FineTunedClassifier
from ._rnn import RNNClassifier
from ._transformer import TransformerClassifier

__all__ = [
    "CNNClassifier",
    "CRNNClassifier",
    "FineTunedClassifier",
    "RNNClassifier",
    "TransformerClassifier",
]
