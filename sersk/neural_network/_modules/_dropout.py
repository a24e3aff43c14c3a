"""Dropout that is drawn quickly on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WHOLE_NUMBERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_BYTES_OF_A_DRAW = 8


class Dropout(nn.Dropout):
    """Dropout as `torch.nn.Dropout` has it, with another way to draw on a processor.

    torch draws a Bernoulli number for each entry, which takes as long there as a convolution. Here
    one draw of 64 random bits serves several entries: each has as many bits as it is wide, enough
    to tell `p` to 1 / 32768 in half precision. The same seed gives the same numbers, but not those
    of torch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries, in training.

        Parameters
        ----------
        x : Tensor of any shape
            Input.

        Returns
        -------
        dropped : Tensor of the same shape
            A share of `p` entries is zero, the others are larger by 1 / (1 - p).
        """
        if not self.training or not 0 < self.p < 1 or not _can_be_drawn_here(x):
            return super().forward(x)
        return x * _draw_factors(x, self.p)


def _can_be_drawn_here(x: Tensor) -> bool:
    if x.device.type != "cpu" or torch.compiler.is_compiling() or not x.numel():
        return False
    return x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))


def _draw_factors(x: Tensor, p: float) -> Tensor:
    """Draw 0 or 1 / (1 - p) for each entry, laid out in memory as the entries are."""
    size = x.element_size()
    n_draws = -(-x.numel() * size // _BYTES_OF_A_DRAW)
    draws = torch.empty(n_draws, dtype=torch.int64).random_(-(2**63), None)
    numbers = draws.view(_WHOLE_NUMBERS[size])[: x.numel()]
    n_bits = 8 * size - 1  # all but the sign
    threshold = min(max(round(p * 2**n_bits), 1), 2**n_bits - 1)
    kept = torch.tensor(1 / (1 - threshold / 2**n_bits), dtype=x.dtype)
    # All in place and in one type, which is what processors do quickly: from 0 to 2**n_bits - 1;
    # below 0 where not under the threshold; all bits set there, none elsewhere; those of the
    # factor.
    numbers.bitwise_and_(2**n_bits - 1).neg_().add_(threshold - 1)
    numbers.bitwise_right_shift_(n_bits).bitwise_and_(kept.view(numbers.dtype).item())
    return numbers.view(x.dtype).as_strided(x.shape, x.stride())
