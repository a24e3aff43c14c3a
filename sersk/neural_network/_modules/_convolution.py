"""Convolutions over time, or over frequency and time, and the net made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._dense import DenseHead, keep_variance, make_activation
from ._dropout import Dropout
from ._masking import (
    MaskedBatchNorm1d,
    MaskedBatchNorm2d,
    mask_frames,
    open_batch,
    pooled_lengths,
)
from ._pooling import ClipNet, TimePooling

_CONVS = {1: nn.Conv1d, 2: nn.Conv2d}
_PADS = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d}
_NORMS = {1: MaskedBatchNorm1d, 2: MaskedBatchNorm2d}
_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}

# Activations that never fall: the largest number of a window stays the largest.
_MONOTONIC = ("relu", "elu", "leaky_relu")

IntOrPair = int | tuple[int, int]


def same_convolution(
    in_channels: int, out_channels: int, kernel_size: tuple[int, ...], **options: int
) -> nn.Sequential:
    """Make a convolution whose output has as many frames and bins as its input.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after it.
    kernel_size : tuple of int
        One number for one dimension, two for two.
    **options : int
        `bias` and `groups` of torch's convolutions.

    Returns
    -------
    convolution : Sequential
        The convolution; before it the padding, where even kernels need more of it on one side,
        which torch's own "same" says aloud each time.
    """
    n_dims = len(kernel_size)
    odd = [size % 2 == 1 for size in kernel_size]
    inside = tuple(
        size // 2 if is_odd else 0 for size, is_odd in zip(kernel_size, odd, strict=True)
    )
    layer = _CONVS[n_dims](
        in_channels,
        out_channels,
        kernel_size,  # type: ignore[arg-type]
        padding=inside,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
    if all(odd):
        return nn.Sequential(layer)
    # Torch counts the sides from the last dimension on.
    sides = [
        side
        for size, is_odd in zip(reversed(kernel_size), reversed(odd), strict=True)
        for side in ((0, 0) if is_odd else ((size - 1) // 2, size // 2))
    ]
    pad = _PADS[n_dims](tuple(sides), 0.0)  # type: ignore[arg-type]
    return nn.Sequential(pad, layer)


def flatten_bins(x: Tensor) -> Tensor:
    """Lay the channels of images side by side.

    Parameters
    ----------
    x : Tensor of shape (n_clips, n_channels, n_bins, n_frames)
        Images, in any memory format.

    Returns
    -------
    frames : Tensor of shape (n_clips, n_channels * n_bins, n_frames)
        With time outermost in memory: one copy, and none more in the recurrent layer that follows.
    """
    return x.permute(3, 0, 1, 2).flatten(2).permute(1, 2, 0)


class ConvBlocks(nn.Module):
    """Blocks of convolutions, each followed by batch norm and activation, pooled at their end.

    Parameters
    ----------
    n_dims : {1, 2}
        1 for frames (n_clips, n_channels, n_frames), 2 for images (n_clips, n_channels, n_bins,
        n_frames).
    in_channels : int
        Channels of the input.
    filters : sequence of int
        Channels that each block makes.
    kernel_sizes, pool_sizes : sequence of int or pair of int
        One a block; for images an int or a pair (frequency, time). Pools in frequency are clipped
        to the bins that are left; a pool of 1 does nothing.
    convs_per_block : int, default=1
        Convolutions before each pooling.
    batch_norm : bool, default=True
        Whether it follows each convolution.
    dropout : float, default=0.0
        Probability at which each number is dropped behind a block in training.
    activation : {"relu", "elu", "gelu", "silu", "leaky_relu"}, default="relu"
        Behind each convolution.
    n_bins : int, default=None
        Bins of the images; needed for them, None for frames.

    Attributes
    ----------
    out_channels : int
        Channels of the output.
    out_bins : int
        Bins of the output; 1 for frames.
    """

    def __init__(
        self,
        *,
        n_dims: int,
        in_channels: int,
        filters: Sequence[int],
        kernel_sizes: Sequence[IntOrPair],
        pool_sizes: Sequence[IntOrPair],
        convs_per_block: int = 1,
        batch_norm: bool = True,
        dropout: float = 0.0,
        activation: str = "relu",
        n_bins: int | None = None,
    ) -> None:
        super().__init__()
        for name, sizes in (("kernel_sizes", kernel_sizes), ("pool_sizes", pool_sizes)):
            if len(sizes) != len(filters):
                raise ValueError(
                    f"{name} has {len(sizes)} entries and filters {len(filters)}: give one a block."
                )
        if n_dims == 2 and n_bins is None:
            raise ValueError("Images need n_bins.")
        bins = n_bins if n_dims == 2 and n_bins is not None else 1
        blocks = []
        for n_filters, kernel_size, pool_size in zip(
            filters, kernel_sizes, pool_sizes, strict=True
        ):
            pool = _per_dim(pool_size, n_dims)
            if n_dims == 2:
                pool = (min(pool[0], bins), pool[1])
                bins = -(-bins // pool[0])
            blocks.append(
                _ConvBlock(
                    in_channels=in_channels,
                    filters=n_filters,
                    kernel_size=_per_dim(kernel_size, n_dims),
                    pool_size=pool,
                    n_convs=convs_per_block,
                    batch_norm=batch_norm,
                    dropout=dropout,
                    activation=activation,
                )
            )
            in_channels = n_filters
        self.blocks = nn.ModuleList(blocks)
        self.time_pools = [block.pool_size[-1] for block in blocks]
        self.out_channels = in_channels
        self.out_bins = bins

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Apply the blocks.

        Parameters
        ----------
        x : Tensor of shape (n_clips, in_channels, [n_bins,] n_frames)
            Clips, zeros behind their lengths.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip, at least one.

        Returns
        -------
        x : Tensor of shape (n_clips, out_channels, [out_bins,] n_frames_out)
            Zeros behind the lengths.
        lengths : Tensor of shape (n_clips,), int64, or None
            Valid frames left.
        """
        for block in self.blocks:
            x, lengths = block(x, lengths)
        return x, lengths

    def n_frames_out(self, n_frames: int) -> int:
        """Count the frames that are left of a batch."""
        for size in self.time_pools:
            n_frames = -(-n_frames // size)
        return n_frames


class _ConvBlock(nn.Module):
    def __init__(
        self,
        *,
        in_channels: int,
        filters: int,
        kernel_size: tuple[int, ...],
        pool_size: tuple[int, ...],
        n_convs: int,
        batch_norm: bool,
        dropout: float,
        activation: str,
    ) -> None:
        super().__init__()
        n_dims = len(kernel_size)
        self.pool_size = pool_size
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for _ in range(n_convs):
            # The shift of batch norm takes the place of a bias.
            conv = same_convolution(in_channels, filters, kernel_size, bias=not batch_norm)
            self.convs.append(conv)
            if batch_norm:
                self.norms.append(_NORMS[n_dims](filters))
            else:
                keep_variance(conv[-1])
            in_channels = filters
        self.activation = make_activation(activation)
        self.pool = _POOLS[n_dims](pool_size, ceil_mode=True) if max(pool_size) > 1 else None
        # To pool first is the same then, and leaves a quarter of the numbers to the activation.
        self.pool_first = self.pool is not None and activation in _MONOTONIC
        # A zero of the padding would win against what is below it, which to ReLU is all one.
        self.fill = pool_size[-1] > 1 and activation != "relu"
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for index, conv in enumerate(self.convs):
            x = conv(x)
            x = self.norms[index](x, lengths) if self.norms else mask_frames(x, lengths)
            if self.pool_first and index == len(self.convs) - 1:
                x, lengths = self._pool(x, lengths)
            x = self.activation(x)
        if not self.pool_first:
            x, lengths = self._pool(x, lengths)
        return self.dropout(x), lengths

    def _pool(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.pool is None:
            return x, lengths
        x = self.pool(mask_frames(x, lengths, -torch.inf) if self.fill else x)
        lengths = pooled_lengths(lengths, self.pool_size[-1])
        return (mask_frames(x, lengths) if self.fill else x), lengths


def _per_dim(size: IntOrPair, n_dims: int) -> tuple[int, ...]:
    if isinstance(size, int):
        return (size,) * n_dims
    if len(size) != n_dims:
        raise ValueError(f"{size!r} does not fit {n_dims} dimension(s).")
    return tuple(size)


class ConvNet(ClipNet):
    """Convolutions, pooling over time, dense layers.

    Parameters
    ----------
    n_dims : {1, 2}
        1 for frames (n_clips, in_channels, n_frames), 2 for images (n_clips, in_channels, n_bins,
        n_frames).
    in_channels : int
        Features of a frame, or channels of an image.
    n_bins : int or None
        Bins of the images; None for frames.
    n_classes : int
        Number of logits.
    filters, kernel_sizes, pool_sizes, convs_per_block
        See `ConvBlocks`.
    hidden_units : sequence of int
        Dense layers between the pooling and the logits.
    pooling : {"mean", "max", "attention", "statistics", "flatten"}
        See `TimePooling`.
    batch_norm : bool
        Whether it follows convolutions and dense layers.
    dropout : float
        Behind each block and each dense layer.
    activation : {"relu", "elu", "gelu", "silu", "leaky_relu"}
        Of all layers.
    n_frames : int or None
        For "flatten": clips are cut to so many frames, shorter ones filled up with padding. Ignored
        by the other poolings, which take any length.
    """

    def __init__(
        self,
        *,
        n_dims: int,
        in_channels: int,
        n_bins: int | None,
        n_classes: int,
        filters: Sequence[int],
        kernel_sizes: Sequence[IntOrPair],
        pool_sizes: Sequence[IntOrPair],
        convs_per_block: int,
        hidden_units: Sequence[int],
        pooling: str,
        batch_norm: bool,
        dropout: float,
        activation: str,
        n_frames: int | None,
    ) -> None:
        super().__init__()
        self.blocks = ConvBlocks(
            n_dims=n_dims,
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
        self.n_frames = n_frames if pooling == "flatten" else None
        self.pooling = TimePooling(
            pooling,
            self.blocks.out_channels * self.blocks.out_bins,
            n_frames=self.n_frames and self.blocks.n_frames_out(self.n_frames),
        )
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
        if self.n_frames is not None:
            x, lengths = _cut_or_fill(x, lengths, self.n_frames)
        x, lengths = self.blocks(*open_batch(x, lengths))
        return (flatten_bins(x) if x.ndim == 4 else x), lengths


def _cut_or_fill(x: Tensor, lengths: Tensor | None, n_frames: int) -> tuple[Tensor, Tensor | None]:
    """Give every batch the same number of frames; what is added is padding, not sound."""
    missing = n_frames - x.shape[-1]
    if missing > 0:
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[-1], device=x.device)
        return F.pad(x, (0, missing)), lengths
    return x[..., :n_frames], lengths
