"""What changes a batch by chance in training: SpecAugment, mixup, softened labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from ..augmentation import SpecAugment
    from ._data import Batch


class Augmentation:
    """Mask, mix and soften a batch, on the device where it is.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    spec_augment : SpecAugment or None
        Numbers and sizes of the masks, and what they are filled with.
    mixup : float
        Both parameters of the Beta distribution from which the share of a clip is drawn; 0: off.
    label_smoothing : float
        Share of the target that is spread over all classes.
    """

    def __init__(
        self, n_classes: int, spec_augment: SpecAugment | None, mixup: float, label_smoothing: float
    ) -> None:
        self.n_classes = n_classes
        self.spec_augment = spec_augment
        self.mixup = mixup
        self.label_smoothing = label_smoothing

    def __call__(
        self, batch: Batch, y: Tensor, share: Tensor | None, weight: Tensor | None
    ) -> Batch:
        """Change a batch of clips and give it its target.

        Parameters
        ----------
        batch : Batch
            The clips.
        y : Tensor of shape (n_clips,)
            Their classes.
        share : Tensor of shape (n_clips, n_classes) or None
            Their shares in each class, which count in place of `y`.
        weight : Tensor of shape (n_clips,) or None
            Their weights.

        Returns
        -------
        batch : Batch
            The batch, its target shares times weights.
        """
        if self.spec_augment is not None:
            batch.x = mask_by_chance(batch.x, batch.lengths, self.spec_augment)
        if share is None:
            share = F.one_hot(y, self.n_classes).to(batch.x.dtype)
        if self.label_smoothing:
            even = torch.full_like(share, 1 / self.n_classes)
            share = torch.lerp(share, even, self.label_smoothing)
        batch.target = share if weight is None else share * weight[:, None]
        return self._mix(batch, batch.target) if self.mixup else batch

    def _mix(self, batch: Batch, target: Tensor) -> Batch:
        share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
        other = torch.randperm(len(batch)).to(batch.x.device)
        batch.x = torch.lerp(batch.x[other], batch.x, share)
        batch.target = torch.lerp(target[other], target, share)
        if batch.lengths is not None:
            batch.lengths = torch.maximum(batch.lengths, batch.lengths[other])
        return batch


def mask_by_chance(x: Tensor, lengths: Tensor | None, masks: SpecAugment) -> Tensor:
    """Mask stretches of time and ranges of frequency, others in each clip.

    Parameters
    ----------
    x : Tensor of shape (n_clips, ..., n_bins, n_frames)
        Clips, zeros behind their ends.
    lengths : Tensor of shape (n_clips,) or None
        Valid frames.
    masks : SpecAugment
        Numbers and sizes of the masks, and what they are filled with.

    Returns
    -------
    x : Tensor
        A masked copy.
    """
    n_clips, n_bins, n_frames = len(x), x.shape[-2], x.shape[-1]
    if lengths is None:
        lengths = torch.full((n_clips,), n_frames, device=x.device)
    bins = torch.full((n_clips,), n_bins, device=x.device)
    over_time = _spans(lengths, n_frames, masks.n_time_masks, masks.max_time_fraction)
    over_bins = _spans(bins, n_bins, masks.n_freq_masks, masks.max_freq_fraction)
    masked = over_time[:, None, :] | over_bins[:, :, None]
    behind = torch.arange(n_frames, device=x.device) >= lengths[:, None]
    masked = masked & ~behind[:, None, :]
    if x.ndim == 4:
        masked, behind = masked[:, None], behind[:, None]
    return torch.where(masked, _fill(x, behind[..., None, :], masks.fill), x)


def _spans(sizes: Tensor, n_steps: int, n_spans: int, max_fraction: float) -> Tensor:
    """Draw masks of shape (n_clips, n_steps), each within the clip's own size."""
    masked = torch.zeros(len(sizes), n_steps, dtype=torch.bool, device=sizes.device)
    steps = torch.arange(n_steps, device=sizes.device)
    for _ in range(n_spans):
        chance = torch.rand(2, len(sizes), device=sizes.device, dtype=torch.float64)
        width = (chance[0] * ((max_fraction * sizes).long() + 1)).long()
        start = (chance[1] * (sizes - width + 1)).long()
        masked |= (steps >= start[:, None]) & (steps < (start + width)[:, None])
    return masked


def _fill(x: Tensor, behind: Tensor, fill: str) -> Tensor:
    """Value of each clip and channel that stands in its masks."""
    if fill == "zero":
        return x.new_zeros(())
    if fill == "min":
        return x.masked_fill(behind, torch.inf).amin((-2, -1), keepdim=True)
    n_valid = (~behind).sum((-2, -1), keepdim=True).clamp(min=1) * x.shape[-2]
    return x.sum((-2, -1), keepdim=True) / n_valid
