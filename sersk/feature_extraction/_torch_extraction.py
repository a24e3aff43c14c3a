"""Mel features on a GPU, through torch: whole batches of clips at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from ..exceptions import SerskError
from ._extraction import feature_names, split_delta
from ._settings import (
    DELTA_WIDTH,
    FrameSettings,
    cosine_table,
    delta_filter,
    mel_bank,
    window_table,
)

# Numbers of a spectrum held at once, as many as fit any GPU with room to spare.
_SPECTRUM_SIZE = 2**26


def extract(
    waveforms: NDArray[np.floating],
    lengths: NDArray[np.intp],
    features: tuple[str, ...],
    settings: FrameSettings,
    frames: NDArray[np.floating],
    *,
    device: str,
    exact: bool,
) -> None:
    """Fill `frames` of shape (n_clips, n_features, n_frames) with mel bands and what follows them.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples)
        Clips, NaN after their end.
    lengths : ndarray of shape (n_clips,)
        Samples of each clip.
    features : tuple of str
        Among "mel", "log_mel", "mfcc" and the derivatives of the last two.
    settings : FrameSettings
        The parameters.
    frames : ndarray of shape (n_clips, n_features, n_frames)
        Receives the features, and NaN after a clip's last frame.
    device : str
        A device of torch.
    exact : bool
        Whether to compute in double precision.

    Raises
    ------
    SerskError
        If this torch sees no such device.
    """
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SerskError(
            f"device={device!r} was asked for, but torch {torch.__version__} sees no GPU here. "
            "Take device='cpu', or install torch with CUDA (see PyTorch's own instructions)."
        )
    tables = _Tables(settings, torch.float64 if exact else torch.float32, device)
    a_clip = frames.shape[2] * settings.n_bins
    for clips in gen_batches(len(waveforms), max(_SPECTRUM_SIZE // max(a_clip, 1), 1)):
        samples = torch.from_numpy(np.nan_to_num(waveforms[clips], nan=0.0))
        n_frames = [settings.n_frames(length) if length else 0 for length in lengths[clips]]
        batch = _Batch(samples, n_frames, tables)
        row = 0
        for feature in features:
            n_rows = len(feature_names(feature, settings))
            frames[clips, row : row + n_rows] = batch.compute(feature).cpu().numpy()
            row += n_rows


class _Tables:
    """What all batches share, on the device."""

    def __init__(self, settings: FrameSettings, dtype: Any, device: str) -> None:
        s = settings
        self.settings, self.dtype, self.device = settings, dtype, device
        self.window = self._put(window_table(s.window, s.win_length, s.n_fft))
        bank = mel_bank(s.sample_rate, s.n_fft, s.n_mels, s.fmin, s.fmax, s.htk, s.norm)
        self.bank = self._put(bank)
        cosines = cosine_table(s.n_mels, s.n_mfcc, s.lifter)
        self.cosines = self._put(cosines)
        self.deltas = {order: self._put(delta_filter(order, DELTA_WIDTH)) for order in (1, 2)}

    def _put(self, table: NDArray[np.floating]) -> Any:
        import torch

        return torch.from_numpy(table.copy()).to(self.device, self.dtype)


class _Batch:
    """Clips of one batch, and what has been computed of them."""

    def __init__(self, samples: Any, n_frames: list[int], tables: _Tables) -> None:
        import torch

        self.tables = tables
        s = tables.settings
        samples = samples.to(tables.device, tables.dtype)
        padded = torch.nn.functional.pad(samples, (s.n_fft // 2, s.n_fft // 2))
        spectrum = torch.stft(
            padded,
            s.n_fft,
            s.hop_length,
            window=tables.window,
            center=False,
            return_complex=True,
        )
        spectrum = spectrum.real**2 + spectrum.imag**2
        if s.power == 1.0:
            spectrum = spectrum.sqrt()
        self.n_frames = torch.tensor(n_frames, device=tables.device)
        steps = torch.arange(spectrum.shape[2], device=tables.device)
        self.padding = steps >= self.n_frames[:, None]
        self._known = {"mel": tables.bank @ spectrum}

    def compute(self, feature: str) -> Any:
        """Give (n_clips, n_rows, n_frames), NaN after the end."""
        base, order = split_delta(feature)
        rows = self._base(base)
        if order:
            rows = self._delta(rows, order)
        return rows.masked_fill(self.padding[:, None], float("nan"))

    def _base(self, base: str) -> Any:
        if base not in self._known:
            if base == "log_mel":
                self._known[base] = self._log_mel()
            else:
                self._known[base] = self.tables.cosines @ self._base("log_mel")
        return self._known[base]

    def _log_mel(self) -> Any:
        s = self.tables.settings
        power = self._known["mel"] ** (2 if s.power == 1.0 else 1)
        level = 10 * power.clamp(min=s.amin).log10()
        highest = level.masked_fill(self.padding[:, None], -float("inf")).amax((1, 2), keepdim=True)
        if s.top_db is not None:
            level = level.maximum(highest - s.top_db)
        if s.ref == "max":
            return level - highest
        ref = float(s.ref) ** (2 if s.power == 1.0 else 1)
        return level - 10 * float(np.log10(max(s.amin, ref)))

    def _delta(self, rows: Any, order: int) -> Any:
        import torch

        width, half = DELTA_WIDTH, DELTA_WIDTH // 2
        steps = torch.arange(rows.shape[2], device=rows.device)
        count = self.n_frames[:, None].clamp(min=1)
        # The window of a frame stays within the clip; in clips shorter than a window it does not,
        # and their ends are held.
        start = (steps - half).clamp(min=0).minimum(count - width)
        start = torch.where(count >= width, start, steps - half)
        rows = rows - rows[:, :, :1]
        out = torch.zeros_like(rows)
        for k in range(width):
            source = (start + k).clamp(min=0).minimum(count - 1)
            index = source[:, None].expand(-1, rows.shape[1], -1)
            out += self.tables.deltas[order][k] * rows.gather(2, index)
        return out
