from ._cnn import CNNClassifier
from ._crnn import CRNNClassifier
from ._rnn import RNNClassifier
from ._transformer import TransformerClassifier

__all__ = ["CNNClassifier", "CRNNClassifier", "RNNClassifier", "TransformerClassifier"]
