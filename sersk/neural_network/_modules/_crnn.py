"""Convolutions, recurrent layers, attention: the net of most published systems."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._attention import SelfAttention
from ._convolution import ConvBlocks, IntOrPair, flatten_bins
from ._dense import DenseHead
from ._masking import open_batch
from ._pooling import ClipNet, TimePooling
from ._recurrent import RecurrentLayers


class ConvRecurrentNet(ClipNet):
    """Convolutions over images, recurrent layers, self-attention, pooling, dense layers.

    Parameters
    ----------
    in_channels, n_bins : int
        Of the images; x is (n_clips, in_channels, n_bins, n_frames).
    n_classes : int
        Number of logits.
    filters, kernel_sizes, pool_sizes, convs_per_block
        See `ConvBlocks`.
    cell, hidden_sizes, bidirectional
        See `RecurrentLayers`, which are without batch norm here.
    attention_heads : int
        Heads of the self-attention behind the recurrent layers, a divisor of their width. What it
        gives is added to them and normalised by layer norm. 0 for none.
    pooling : {"last", "mean", "max", "attention", "statistics"}
        See `TimePooling`.
    hidden_units : sequence of int
        Dense layers between the pooling and the logits.
    batch_norm : bool
        Whether it follows convolutions and dense layers.
    dropout : float
        Behind each block of convolutions, recurrent and dense layer, and in the attention.
    activation : {"relu", "elu", "gelu", "silu", "leaky_relu"}
        Of convolutions and dense layers.

    Raises
    ------
    ValueError
        If the heads do not divide the width of the last recurrent layer.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        n_bins: int,
        n_classes: int,
        filters: Sequence[int],
        kernel_sizes: Sequence[IntOrPair],
        pool_sizes: Sequence[IntOrPair],
        convs_per_block: int,
        cell: str,
        hidden_sizes: Sequence[int],
        bidirectional: bool,
        attention_heads: int,
        pooling: str,
        hidden_units: Sequence[int],
        batch_norm: bool,
        dropout: float,
        activation: str,
    ) -> None:
        super().__init__()
        self.blocks = ConvBlocks(
            n_dims=2,
            in_channels=in_channels,
            n_bins=n_bins,
            filters=filters,
            kernel_sizes=kernel_sizes,
            pool_sizes=pool_sizes,
            convs_per_block=convs_per_block,
            batch_norm=batch_norm,
            dropout=dropout,
            activation=activation,
        )
        self.layers = RecurrentLayers(
            cell=cell,
            in_size=self.blocks.out_channels * self.blocks.out_bins,
            hidden_sizes=hidden_sizes,
            bidirectional=bidirectional,
            batch_norm=False,
            dropout=dropout,
        )
        size = self.layers.out_size
        self.attention: SelfAttention | None = None
        if attention_heads:
            self.attention = SelfAttention(size, n_heads=attention_heads, dropout=dropout)
            self.norm = nn.LayerNorm(size)
        self.pooling = TimePooling(pooling, size, bidirectional=bidirectional)
        self.head = DenseHead(
            in_size=self.pooling.out_size,
            hidden_units=hidden_units,
            n_classes=n_classes,
            batch_norm=batch_norm,
            dropout=dropout,
            activation=activation,
        )

    def frames(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give (n_clips, n_channels, n_frames_out) and their lengths; see `ClipNet.frames`."""
        x, lengths = self.blocks(*open_batch(x, lengths))
        x = self.layers(flatten_bins(x), lengths)
        if self.attention is not None:
            x = x.transpose(1, 2)
            x = self.norm(x + self.attention(x, lengths)).transpose(1, 2)
        return x, lengths
