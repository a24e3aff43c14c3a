"""The conformer: attention for what is far apart, convolutions for what is near."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._attention import SelfAttention
from ._convolution import flatten_bins, same_convolution
from ._dense import DenseHead, keep_variance
from ._dropout import Dropout
from ._masking import mask_frames, open_batch, pooled_lengths
from ._pooling import ClipNet, TimePooling

# Longest wavelength of the positions, as a multiple of 2 pi frames (Vaswani et al., 2017).
_LONGEST_WAVE = 10000.0


def positions(n_frames: int, size: int, like: Tensor) -> Tensor:
    """Describe the place of each frame by sines and cosines of falling frequency.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    size : int
        Numbers a frame.
    like : Tensor
        Gives type and device.

    Returns
    -------
    positions : Tensor of shape (n_frames, size)
        The first half sines, the second cosines.
    """
    n_waves = (size + 1) // 2
    steps = torch.arange(n_frames, device=like.device, dtype=torch.float32)
    waves = torch.arange(n_waves, device=like.device, dtype=torch.float32)
    phases = steps[:, None] * torch.exp(waves * (-math.log(_LONGEST_WAVE) / n_waves))
    return torch.cat([phases.sin(), phases.cos()], 1)[:, :size].to(like.dtype)


class _Subsampling(nn.Module):
    """Convolutions of stride 2: (n, C, n_bins, T) -> (n, out_channels * out_bins, T / factor)."""

    def __init__(self, *, in_channels: int, n_bins: int, channels: int, factor: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        for _ in range({1: 0, 2: 1, 4: 2}[factor]):
            conv = nn.Conv2d(in_channels, channels, 3, stride=2, padding=1)
            keep_variance(conv)
            self.convs.append(conv)
            in_channels, n_bins = channels, -(-n_bins // 2)
        self.out_size = in_channels * n_bins

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for conv in self.convs:
            lengths = pooled_lengths(lengths, 2)
            n_frames = -(-x.shape[-1] // 2)
            # In bfloat16 on a processor torch 2.13 gives arbitrary numbers where a stride of 2
            # leaves one frame. Zeros on the right are what the convolution itself puts there.
            x = F.pad(x, (0, max(0, 3 - x.shape[-1])))
            x = mask_frames(F.relu(conv(x)[..., :n_frames]), lengths)
        return flatten_bins(x), lengths


class _FeedForward(nn.Sequential):
    def __init__(self, *, d_model: int, size: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(d_model),
            nn.Linear(d_model, size),
            nn.SiLU(),
            Dropout(dropout),
            nn.Linear(size, d_model),
            Dropout(dropout),
        )


class _ConvolutionModule(nn.Module):
    """Pointwise gate, depthwise convolution over time, pointwise; (n, T, d_model) to the same.

    With layer norm in place of the paper's batch norm. It treats each frame by itself: there are
    no statistics into which padding or the other clips of a small batch could leak, and training
    and prediction do the same.
    """

    def __init__(self, *, d_model: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.gate = nn.Linear(d_model, 2 * d_model)
        self.depthwise = same_convolution(d_model, d_model, (kernel_size,), groups=d_model)
        self.depthwise_norm = nn.LayerNorm(d_model)
        self.pointwise = nn.Linear(d_model, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        x = F.glu(self.gate(self.norm(x)))
        # The biases so far have left something behind the clips, which the kernel would reach.
        x = self.depthwise(mask_frames(x.transpose(1, 2), lengths)).transpose(1, 2)
        x = self.pointwise(F.silu(self.depthwise_norm(x)))
        dropped: Tensor = self.dropout(x)
        return dropped


class _ConformerBlock(nn.Module):
    """Half a feed-forward net, attention, convolution, the other half; each added to its input."""

    def __init__(
        self,
        *,
        d_model: int,
        n_heads: int,
        feedforward_size: int,
        kernel_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.first_half = _FeedForward(d_model=d_model, size=feedforward_size, dropout=dropout)
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = SelfAttention(d_model, n_heads=n_heads, dropout=dropout)
        self.attention_dropout = Dropout(dropout)
        self.convolution = _ConvolutionModule(
            d_model=d_model, kernel_size=kernel_size, dropout=dropout
        )
        self.second_half = _FeedForward(d_model=d_model, size=feedforward_size, dropout=dropout)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        x = x + 0.5 * self.first_half(x)
        x = x + self.attention_dropout(self.attention(self.attention_norm(x), lengths))
        x = x + self.convolution(x, lengths)
        x = x + 0.5 * self.second_half(x)
        normal: Tensor = self.norm(x)
        return normal


class Conformer(ClipNet):
    """Conformer [1]_ over images, pooling over time, dense layers.

    Its positions are sinusoids added to the input, not the relative ones of the paper, and its
    convolution modules have layer norm.

    Parameters
    ----------
    in_channels, n_bins : int
        Of the images; x is (n_clips, in_channels, n_bins, n_frames).
    n_classes : int
        Number of logits.
    d_model : int
        Numbers a frame within the blocks, and channels of the subsampling.
    n_blocks : int
        Conformer blocks.
    n_heads : int
        Heads of attention; a divisor of `d_model`.
    feedforward_size : int
        Hidden units of the feed-forward nets.
    kernel_size : int
        Frames that the depthwise convolutions see.
    subsampling : {1, 2, 4}
        By how much convolutions of stride 2 shrink both time and frequency before the blocks; 1
        for none.
    pooling : {"mean", "max", "attention", "statistics"}
        See `TimePooling`.
    hidden_units : sequence of int
        Dense layers between the pooling and the logits, with SiLU and without batch norm.
    dropout : float
        Of all parts.

    Raises
    ------
    ValueError
        If the heads do not divide `d_model`, or `subsampling` is another number.

    References
    ----------
    .. [1] A. Gulati et al., "Conformer: Convolution-augmented Transformer for speech recognition",
       Interspeech 2020.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        n_bins: int,
        n_classes: int,
        d_model: int,
        n_blocks: int,
        n_heads: int,
        feedforward_size: int,
        kernel_size: int,
        subsampling: int,
        pooling: str,
        hidden_units: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        if subsampling not in (1, 2, 4):
            raise ValueError(f"subsampling={subsampling!r} is not one of 1, 2 and 4.")
        self.subsampling = _Subsampling(
            in_channels=in_channels, n_bins=n_bins, channels=d_model, factor=subsampling
        )
        self.project = nn.Linear(self.subsampling.out_size, d_model)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            _ConformerBlock(
                d_model=d_model,
                n_heads=n_heads,
                feedforward_size=feedforward_size,
                kernel_size=kernel_size,
                dropout=dropout,
            )
            for _ in range(n_blocks)
        )
        self.pooling = TimePooling(pooling, d_model)
        self.head = DenseHead(
            in_size=self.pooling.out_size,
            hidden_units=hidden_units,
            n_classes=n_classes,
            batch_norm=False,
            dropout=dropout,
            activation="silu",
        )

    def frames(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give (n_clips, d_model, n_frames_out) and their lengths; see `ClipNet.frames`."""
        x, lengths = self.subsampling(*open_batch(x, lengths))
        x = self.project(x.transpose(1, 2))
        x = self.dropout(x + positions(x.shape[1], x.shape[2], x))
        for block in self.blocks:
            x = block(x, lengths)
        return x.transpose(1, 2), lengths
