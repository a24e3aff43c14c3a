"""Lengths of clips: masks, and batch norm that does not see the padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def frame_mask(lengths: Tensor, n_frames: int) -> Tensor:
    """Tell the frames of clips from their padding.

    Parameters
    ----------
    lengths : Tensor of shape (n_clips,), int64
        Valid frames of each clip.
    n_frames : int
        Frames of the batch.

    Returns
    -------
    mask : Tensor of shape (n_clips, n_frames), bool
        True within the clip.
    """
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def mask_frames(x: Tensor, lengths: Tensor | None, value: float = 0.0) -> Tensor:
    """Put a value behind the end of each clip.

    Parameters
    ----------
    x : Tensor of shape (n_clips, ..., n_frames)
        Whatever has time last.
    lengths : Tensor of shape (n_clips,), int64, or None
        Valid frames of each clip; None if there is no padding.
    value : float, default=0.0
        What comes there.

    Returns
    -------
    masked : Tensor of shape (n_clips, ..., n_frames)
        In the memory format of `x`; for None `x` itself.
    """
    if lengths is None:
        return x
    padding = ~frame_mask(lengths, x.shape[-1])
    # A product with the mask would keep NaN, and send it back in the gradient; `masked_fill` would
    # lose the memory format.
    return torch.where(padding.view(len(x), *[1] * (x.ndim - 2), -1), value, x)


def pooled_lengths(lengths: Tensor | None, pool_size: int) -> Tensor | None:
    """Count the windows that begin within each clip.

    Parameters
    ----------
    lengths : Tensor of shape (n_clips,), int64, or None
        Valid frames of each clip; None if there is no padding.
    pool_size : int
        Frames of a window; the next one begins behind it.

    Returns
    -------
    lengths : Tensor of shape (n_clips,), int64, or None
        Quotients, rounded up: a clip's last, broken window counts, whatever padding follows it.
    """
    if lengths is None or pool_size == 1:
        return lengths
    return (lengths + (pool_size - 1)) // pool_size


def at_least_single(x: Tensor) -> Tensor:
    """Widen half precision, in which sums of many numbers go wrong.

    Parameters
    ----------
    x : Tensor
        Of any type of float.

    Returns
    -------
    wide : Tensor
        Single or double precision.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def is_padded(lengths: Tensor, n_frames: int) -> bool:
    """Tell whether any clip ends before the batch does.

    Parameters
    ----------
    lengths : Tensor of shape (n_clips,), int64
        Valid frames of each clip.
    n_frames : int
        Frames of the batch.

    Returns
    -------
    padded : bool
        Always true while torch compiles or exports: a graph cannot depend on values.
    """
    return torch.compiler.is_compiling() or bool((lengths < n_frames).any())


def open_batch(x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Bring a batch into the form in which layers hand it on: zeros behind each clip's length.

    Parameters
    ----------
    x : Tensor of shape (n_clips, ..., n_frames)
        The input of a net.
    lengths : Tensor of shape (n_clips,), int64, or None
        Valid frames of each clip; None if there is no padding.

    Returns
    -------
    x : Tensor of shape (n_clips, ..., n_frames)
        Zeros where there is no sound; at least one frame.
    lengths : Tensor of shape (n_clips,), int64, or None
        From 1 to `n_frames`: a clip without sound is a frame of zeros. None where no clip is
        padded, so that a batch of equal lengths costs no masking.
    """
    if x.shape[-1] == 0:
        return F.pad(x, (0, 1)), None
    if lengths is None or not is_padded(lengths, x.shape[-1]):
        return x, None
    return mask_frames(x, lengths), lengths.clamp(min=1, max=x.shape[-1])


class _MaskedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What the two batch norms share; see `MaskedBatchNorm2d`."""

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if not self.training:
            return mask_frames(super().forward(x), lengths)
        if lengths is None or (
            # To ask a GPU for the answer would stop it in every layer. `open_batch` has asked.
            (x.device.type == "cpu" or torch.compiler.is_compiling())
            and not is_padded(lengths, x.shape[-1])
        ):
            return self._over_all(x)
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return self._over_mask(x, lengths)
        # Twice as fast as the mask on a processor, and more frames of padding do not change a bit.
        sizes = lengths.clamp(max=x.shape[-1]).tolist()
        joined: Tensor = _Join.apply(x, sizes)  # type: ignore[no-untyped-call]
        joined = self._over_all(joined)
        split: Tensor = _Split.apply(joined, sizes, x.shape[-1])  # type: ignore[no-untyped-call]
        return split

    def _over_all(self, x: Tensor) -> Tensor:
        """Normalise as torch does, a single value a channel too, of which torch would complain."""
        if x.numel() > x.shape[1]:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _over_mask(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Normalise in a fixed number of steps that need no value outside of the device."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        dims = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        wide = at_least_single(mask_frames(x, lengths))
        count = lengths.clamp(max=x.shape[-1]).sum() * (x[0, 0].numel() // x.shape[-1])
        mean = wide.sum(dims) / count
        centred = mask_frames(wide - mean.view(shape), lengths)
        square = centred.square().sum(dims)
        enough = count > 1
        with torch.no_grad():
            self.num_batches_tracked.add_(enough)
            tracked = self.num_batches_tracked.clamp(min=1)
            rate = enough.to(wide.dtype) * (self.momentum or 1 / tracked)
            spread = square / (count - 1).clamp(min=1)
            # The statistics before this batch are needed below.
            before = self.running_mean.clone(), self.running_var.clone()
            self.running_mean += rate * torch.where(enough, mean - self.running_mean, 0.0)
            self.running_var += rate * torch.where(enough, spread - self.running_var, 0.0)
        mean = torch.where(enough, mean, before[0])
        variance = torch.where(enough, square / count, before[1])
        scale = (variance + self.eps).rsqrt() * self.weight
        normal = (wide - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
        return mask_frames(normal, lengths).to(x.dtype)


class MaskedBatchNorm1d(_MaskedBatchNorm, nn.BatchNorm1d):
    """Batch norm of (n_clips, n_channels, n_frames), or (n_clips, n_channels), without padding.

    Built and stored like `torch.nn.BatchNorm1d`; called as `MaskedBatchNorm2d`.
    """


class MaskedBatchNorm2d(_MaskedBatchNorm, nn.BatchNorm2d):
    """Batch norm of (n_clips, n_channels, n_bins, n_frames) without padding.

    Built and stored like `torch.nn.BatchNorm2d`, and equal to it where no clip is padded. Else, in
    training, mean and variance are those of the valid frames alone, in single precision under
    autocast too; plain batch norm moves by some per cent with the amount of padding.

    Called with x and, optionally, lengths of shape (n_clips,); with lengths the result is 0 behind
    each of them. Where a channel has a single valid value, of which there is no variance, the
    running statistics serve instead and stay as they are.
    """


class _Join(torch.autograd.Function):
    """Lay valid frames end to end: (n_clips, ..., n_frames) -> (1, ..., sum of sizes)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes, ctx.n_frames = sizes, x.shape[-1]
        return _join(x, sizes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _split(gradient, ctx.sizes, ctx.n_frames), None


class _Split(torch.autograd.Function):
    """The way back, with zeros for padding: each is the other's gradient.

    Slices and `torch.cat` would do both too, but their gradient fills a batch of zeros a clip.
    """

    @staticmethod
    def forward(ctx: Any, joined: Tensor, sizes: list[int], n_frames: int) -> Tensor:
        ctx.sizes = sizes
        return _split(joined, sizes, n_frames)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _join(gradient, ctx.sizes), None, None


def _join(x: Tensor, sizes: list[int]) -> Tensor:
    if _channels_are_last(x):
        clips = x.movedim(1, -1).unbind()
        pieces = [clip.narrow(-2, 0, size) for clip, size in zip(clips, sizes, strict=True)]
        return torch.cat(pieces, -2)[None].movedim(-1, 1)
    pieces = [clip.narrow(-1, 0, size) for clip, size in zip(x.unbind(), sizes, strict=True)]
    return torch.cat(pieces, -1)[None]


def _split(joined: Tensor, sizes: list[int], n_frames: int) -> Tensor:
    shape = (len(sizes), *joined.shape[1:-1], n_frames)
    order = list(range(joined.ndim))
    if _channels_are_last(joined):
        order.append(order.pop(1))
    # Not an empty tensor turned around: what a function of ours returns as a view, no activation
    # may change in place.
    split = torch.empty_permuted(shape, order, dtype=joined.dtype, device=joined.device)
    pieces = torch.split(joined[0], sizes, -1)
    for clip, piece, size in zip(split.unbind(), pieces, sizes, strict=True):
        clip.narrow(-1, 0, size).copy_(piece)
        clip.narrow(-1, size, n_frames - size).zero_()
    return split


def _channels_are_last(x: Tensor) -> bool:
    return x.ndim > 2 and x.shape[1] > 1 and x.stride(1) == 1
