"""The end of every net: dense layers over a vector a clip; and the choice of activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from ._dropout import Dropout
from ._masking import MaskedBatchNorm1d

# All of them leave zeros alone, so that what is masked before them is masked behind them.
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


def make_activation(name: str) -> nn.Module:
    """Make an activation.

    Parameters
    ----------
    name : {"relu", "elu", "gelu", "silu", "leaky_relu"}
        Its name.

    Returns
    -------
    activation : Module
        Free of parameters.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation={name!r} is not known. Take one of {sorted(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name]()


def keep_variance(layer: nn.Module) -> None:
    """Draw the weights of a layer that an activation follows without batch norm in between.

    Torch's own draw makes the variance of what passes a layer and its ReLU six times smaller; six
    layers deep nothing but the biases is left, and training stands still at first. He et al.
    (2015) keep it. With batch norm it does not matter.

    Parameters
    ----------
    layer : Module
        A linear or convolutional layer. Its bias begins at zero.
    """
    assert isinstance(layer.weight, Tensor)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    if isinstance(layer.bias, Tensor):
        nn.init.zeros_(layer.bias)


class DenseHead(nn.Module):
    """Dense layers from a vector a clip to logits.

    Each hidden layer is linear, batch norm, activation, dropout; the last one is linear.

    Parameters
    ----------
    in_size : int
        Numbers a clip.
    hidden_units : sequence of int
        Width of each hidden layer; none for a linear classifier.
    n_classes : int
        Number of logits.
    batch_norm : bool
        Whether the hidden layers have it. A batch of one clip is normalised by the running
        statistics.
    dropout : float
        Probability at which each hidden number is dropped in training.
    activation : {"relu", "elu", "gelu", "silu", "leaky_relu"}
        Of the hidden layers.
    """

    def __init__(
        self,
        *,
        in_size: int,
        hidden_units: Sequence[int],
        n_classes: int,
        batch_norm: bool,
        dropout: float,
        activation: str,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for units in hidden_units:
            linear = nn.Linear(in_size, units, bias=not batch_norm)
            layers.append(linear)
            if batch_norm:
                layers.append(MaskedBatchNorm1d(units))
            else:
                keep_variance(linear)
            layers += [make_activation(activation), Dropout(dropout)]
            in_size = units
        self.layers = nn.Sequential(*layers, nn.Linear(in_size, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Give logits, (n_clips, n_classes), for x of (n_clips, in_size)."""
        logits: Tensor = self.layers(x)
        return logits
