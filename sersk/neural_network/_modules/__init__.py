"""The nets as plain torch modules, free of scikit-learn, skorch, training and devices.

Each is called with clips and, where they are padded, their lengths, and gives logits. What stands
behind a clip's length, NaN included, changes nothing: not the logits, not the gradients, not the
running statistics.
"""

from ._conformer import Conformer
from ._convolution import ConvNet
from ._crnn import ConvRecurrentNet
from ._recurrent import RecurrentNet

__all__ = ["Conformer", "ConvNet", "ConvRecurrentNet", "RecurrentNet"]
