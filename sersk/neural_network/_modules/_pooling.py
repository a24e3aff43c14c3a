"""From frames to one vector a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._masking import at_least_single, mask_frames

# Smallest variance of which the root is taken: below it the gradient would grow without bounds.
_LEAST_VARIANCE = 1e-6


class TimePooling(nn.Module):
    """Make one vector of the frames of each clip.

    Parameters
    ----------
    kind : {"last", "mean", "max", "attention", "statistics", "flatten"}
        "last": what a recurrent net knows at the end: its forward half at the last valid frame, its
        backward half at the first. "mean", "max": over valid frames. "attention": weighted mean,
        the weight of a frame being the softmax of a score from a small net. "statistics":
        attentive statistics [1]_, weighted mean and weighted standard deviation. "flatten": all
        frames side by side.
    n_channels : int
        Numbers a frame.
    bidirectional : bool, default=None
        For "last": whether the second half of the channels runs backwards. None if the frames are
        not those of a recurrent net.
    n_frames : int, default=None
        For "flatten": frames of every batch.
    attention_size : int, default=64
        Hidden units of the net that scores a frame.

    Attributes
    ----------
    out_size : int
        Numbers a clip.

    References
    ----------
    .. [1] K. Okabe, T. Koshinaka, K. Shinoda, "Attentive statistics pooling for deep speaker
       embedding", Interspeech 2018.
    """

    def __init__(
        self,
        kind: str,
        n_channels: int,
        *,
        bidirectional: bool | None = None,
        n_frames: int | None = None,
        attention_size: int = 64,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.out_size = n_channels
        self.bidirectional = bidirectional
        if kind in ("attention", "statistics"):
            # A bias of the score would drop out of the softmax.
            self.score = nn.Sequential(
                nn.Linear(n_channels, attention_size),
                nn.Tanh(),
                nn.Linear(attention_size, 1, bias=False),
            )
        if kind == "statistics":
            self.out_size = 2 * n_channels
        elif kind == "flatten":
            if n_frames is None:
                raise ValueError("pooling='flatten' needs n_frames, the fixed length of clips.")
            self.out_size = n_channels * n_frames
        elif kind == "last":
            if bidirectional is None:
                raise ValueError("pooling='last' is for the output of recurrent layers only.")
        elif kind not in ("mean", "max", "attention"):
            raise ValueError(
                f"pooling={kind!r} is not known. Take 'last', 'mean', 'max', 'attention', "
                "'statistics' or 'flatten'."
            )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Pool the valid frames.

        Parameters
        ----------
        x : Tensor of shape (n_clips, n_channels, n_frames)
            Frames, at least one valid in each clip.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip.

        Returns
        -------
        pooled : Tensor of shape (n_clips, out_size)
            One vector a clip.
        """
        if self.kind == "last":
            return self._last(x, lengths)
        if self.kind == "max":
            return mask_frames(x, lengths, -torch.inf).amax(-1)
        x = mask_frames(x, lengths)
        if self.kind == "flatten":
            return x.flatten(1)
        if self.kind == "mean":
            return x.mean(-1) if lengths is None else x.sum(-1) / lengths[:, None].to(x.dtype)
        # In single precision: the rounding of half of it would be as large as small deviations.
        weights = self.weights(x, lengths)[:, None]
        wide = at_least_single(x)
        mean = (weights * wide).sum(-1)
        if self.kind == "attention":
            return mean.to(x.dtype)
        variance = (weights * (wide - mean[..., None]).square()).sum(-1)
        deviation = variance.clamp(min=_LEAST_VARIANCE).sqrt()
        return torch.cat([mean, deviation], 1).to(x.dtype)

    def weights(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Weigh the frames by attention.

        Parameters
        ----------
        x : Tensor of shape (n_clips, n_channels, n_frames)
            As `forward` takes it.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip.

        Returns
        -------
        weights : Tensor of shape (n_clips, n_frames)
            Of sum 1 a clip; 0 behind its length.

        Raises
        ------
        ValueError
            If the pooling has no attention.
        """
        if self.kind not in ("attention", "statistics"):
            raise ValueError(
                f"pooling={self.kind!r} weighs no frames; 'attention' and 'statistics' do."
            )
        scores: Tensor = self.score(x.transpose(1, 2)).squeeze(-1)
        scores = mask_frames(scores, lengths, -torch.inf)
        return at_least_single(scores).softmax(-1)

    def _last(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            last = x[..., -1]
        else:
            index = (lengths - 1)[:, None, None].expand(-1, x.shape[1], 1)
            last = x.gather(2, index).squeeze(2)
        if not self.bidirectional:
            return last
        half = x.shape[1] // 2
        return torch.cat([last[:, :half], x[:, half:, 0]], 1)


class ClipNet(nn.Module):
    """What all nets share: frames, pooled over time, then dense layers.

    A net sets `pooling` and `head`, and defines `frames`.
    """

    pooling: TimePooling
    head: nn.Module

    def frames(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Compute what is pooled over time.

        Parameters
        ----------
        x : Tensor of shape (n_clips, ..., n_frames)
            Clips, anything behind their lengths.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip; 0 counts as one frame of zeros. None if all are valid.

        Returns
        -------
        frames : Tensor of shape (n_clips, n_channels, n_frames_out)
            What the last layer before the pooling gives.
        lengths : Tensor of shape (n_clips,), int64, or None
            Valid ones of them.
        """
        raise NotImplementedError

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Classify clips.

        Parameters
        ----------
        x : Tensor of shape (n_clips, ..., n_frames)
            Clips, anything behind their lengths.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip; 0 counts as one frame of zeros. None if all are valid.

        Returns
        -------
        logits : Tensor of shape (n_clips, n_classes)
            Their softmax are the probabilities.
        """
        frames, lengths = self.frames(x, lengths)
        logits: Tensor = self.head(self.pooling(frames, lengths))
        return logits

    def attention_weights(
        self, x: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Tell to which pooled frames a net with attentive pooling listens.

        Parameters
        ----------
        x : Tensor of shape (n_clips, ..., n_frames)
            Clips, anything behind their lengths.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip.

        Returns
        -------
        weights : Tensor of shape (n_clips, n_frames_out)
            Of sum 1 a clip.
        lengths : Tensor of shape (n_clips,), int64, or None
            Valid ones of them.
        """
        frames, lengths = self.frames(x, lengths)
        return self.pooling.weights(frames, lengths), lengths
