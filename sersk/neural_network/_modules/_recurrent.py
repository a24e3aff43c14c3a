"""Recurrent layers over time, and the net made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._dense import DenseHead
from ._dropout import Dropout
from ._masking import MaskedBatchNorm1d, mask_frames, open_batch
from ._pooling import ClipNet, TimePooling

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentLayers(nn.Module):
    """Recurrent layers on top of each other, each followed by batch norm and dropout.

    Parameters
    ----------
    cell : {"lstm", "gru"}
        Kind of all layers.
    in_size : int
        Features of a frame.
    hidden_sizes : sequence of int
        Units of each layer, and direction.
    bidirectional : bool
        Whether half of each layer reads the clip backwards, from its own end.
    batch_norm : bool
        Whether it follows each layer, over valid frames.
    dropout : float
        Probability at which each number is dropped behind a layer in training.

    Attributes
    ----------
    out_size : int
        Features of a frame of the output, those of the backward half last.
    """

    def __init__(
        self,
        *,
        cell: str,
        in_size: int,
        hidden_sizes: Sequence[int],
        bidirectional: bool,
        batch_norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        if cell not in _CELLS:
            raise ValueError(f"cell={cell!r} is not known. Take 'lstm' or 'gru'.")
        self.layers = nn.ModuleList()
        for hidden_size in hidden_sizes:
            layer = _RecurrentLayer(
                cell=cell,
                in_size=in_size,
                hidden_size=hidden_size,
                bidirectional=bidirectional,
                batch_norm=batch_norm,
                dropout=dropout,
            )
            self.layers.append(layer)
            in_size = layer.out_size
        self.out_size = in_size

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Apply the layers.

        Parameters
        ----------
        x : Tensor of shape (n_clips, in_size, n_frames)
            Clips, zeros behind their lengths.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip, at least one.

        Returns
        -------
        x : Tensor of shape (n_clips, out_size, n_frames)
            Zeros behind the lengths.
        """
        # Time first is the order in which torch's recurrent nets read without a copy.
        x = x.permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x, lengths)
        return mask_frames(x.permute(1, 2, 0), lengths)


class _RecurrentLayer(nn.Module):
    """One layer, (n_frames, n_clips, in_size) -> (n_frames, n_clips, out_size).

    Two nets of one direction each instead of torch's bidirectional one, which starts at the end of
    the padding. Packed sequences would cure that, but cannot be exported.
    """

    def __init__(
        self,
        *,
        cell: str,
        in_size: int,
        hidden_size: int,
        bidirectional: bool,
        batch_norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.forwards = _CELLS[cell](in_size, hidden_size)
        self.backwards = _CELLS[cell](in_size, hidden_size) if bidirectional else None
        self.out_size = hidden_size * (1 + bidirectional)
        self.norm = MaskedBatchNorm1d(self.out_size) if batch_norm else None
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        out: Tensor = self.forwards(x)[0]
        if self.backwards is not None:
            back: Tensor = self.backwards(_reverse(x, lengths))[0]
            out = torch.cat([out, _reverse(back, lengths)], -1)
        if self.norm is not None:
            if lengths is None:
                out = self.norm(out.flatten(0, 1)).view_as(out)
            else:
                out = self.norm(out.permute(1, 2, 0), lengths).permute(2, 0, 1)
        dropped: Tensor = self.dropout(out)
        return dropped


def _reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn the valid frames of each clip around; x of (n_frames, n_clips, n_features)."""
    if lengths is None:
        return x.flip(0)
    step = torch.arange(x.shape[0], device=x.device)[:, None]
    source = torch.where(step < lengths, lengths - 1 - step, step)
    # Whole rows at once: to gather number by number takes three to six times as long.
    row = source * x.shape[1] + torch.arange(x.shape[1], device=x.device)
    return x.flatten(0, 1).index_select(0, row.flatten()).view_as(x)


class RecurrentNet(ClipNet):
    """Recurrent layers, pooling over time, dense layers.

    Parameters
    ----------
    in_size : int
        Features of a frame; x is (n_clips, in_size, n_frames).
    n_classes : int
        Number of logits.
    cell, hidden_sizes, bidirectional
        See `RecurrentLayers`.
    pooling : {"last", "mean", "max", "attention", "statistics"}
        See `TimePooling`.
    hidden_units : sequence of int
        Dense layers between the pooling and the logits.
    batch_norm : bool
        Whether it follows recurrent and dense layers.
    dropout : float
        Behind each recurrent and each dense layer.
    activation : {"relu", "elu", "gelu", "silu", "leaky_relu"}
        Of the dense layers.
    """

    def __init__(
        self,
        *,
        in_size: int,
        n_classes: int,
        cell: str,
        hidden_sizes: Sequence[int],
        bidirectional: bool,
        pooling: str,
        hidden_units: Sequence[int],
        batch_norm: bool,
        dropout: float,
        activation: str,
    ) -> None:
        super().__init__()
        self.layers = RecurrentLayers(
            cell=cell,
            in_size=in_size,
            hidden_sizes=hidden_sizes,
            bidirectional=bidirectional,
            batch_norm=batch_norm,
            dropout=dropout,
        )
        self.pooling = TimePooling(pooling, self.layers.out_size, bidirectional=bidirectional)
        self.head = DenseHead(
            in_size=self.pooling.out_size,
            hidden_units=hidden_units,
            n_classes=n_classes,
            batch_norm=batch_norm,
            dropout=dropout,
            activation=activation,
        )

    def frames(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give (n_clips, n_channels, n_frames) and their lengths; see `ClipNet.frames`."""
        x, lengths = open_batch(x, lengths)
        return self.layers(x, lengths), lengths
