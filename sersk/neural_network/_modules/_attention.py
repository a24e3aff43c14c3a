"""Multi-head self-attention over time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ._masking import frame_mask


class SelfAttention(nn.Module):
    """Each frame of a clip looks at all valid frames of it.

    Torch's `MultiheadAttention` takes other code paths in evaluation than in training, one of
    which drops the padding; here there is one.

    Parameters
    ----------
    size : int
        Features of a frame.
    n_heads : int
        Heads; a divisor of `size`.
    dropout : float
        Probability at which each weight is dropped in training.

    Raises
    ------
    ValueError
        If the heads do not divide the features.
    """

    def __init__(self, size: int, *, n_heads: int, dropout: float) -> None:
        super().__init__()
        if size % n_heads:
            raise ValueError(
                f"{n_heads} attention heads do not divide the {size} features of a frame. Take a "
                f"number of heads, or a width, so that they do."
            )
        self.n_heads = n_heads
        self.dropout = dropout
        self.project = nn.Linear(size, 3 * size)
        self.join = nn.Linear(size, size)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Attend.

        Parameters
        ----------
        x : Tensor of shape (n_clips, n_frames, size)
            Finite numbers, behind the lengths too.
        lengths : Tensor of shape (n_clips,), int64, default=None
            Valid frames of each clip, at least one.

        Returns
        -------
        attended : Tensor of shape (n_clips, n_frames, size)
            Without meaning behind the lengths.
        """
        heads = self.project(x).unflatten(-1, (3, self.n_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mask = None if lengths is None else frame_mask(lengths, x.shape[1])[:, None, None]
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        joined: Tensor = self.join(attended.transpose(1, 2).flatten(2))
        return joined
