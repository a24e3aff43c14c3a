"""Clips in batches: standardised, filled up to the longest one, and changed by chance in training.

All of it is torch code on the device where the net is, and the clips are indexed in one array: no
sample is ever collated by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ._augment import Augmentation
from ._devices import fits_on_gpu

Layout = Literal["image", "sequence", "vector"]

_STATISTICS_BYTES = 2**26


@dataclass
class Batch:
    """What a net gets for one step.

    Attributes
    ----------
    x : Tensor of shape (n_clips, n_channels, n_bins, n_frames) or (n_clips, n_features, n_frames)
        Clips with zeros behind their ends.
    lengths : Tensor of shape (n_clips,) or None
        Valid frames of each; None where all are valid.
    target : Tensor of shape (n_clips, n_classes) or None
        In training: shares of the classes, times the weight of the clip.
    """

    x: Tensor
    lengths: Tensor | None
    target: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


class ClipDataset(torch.utils.data.Dataset[tuple[NDArray[np.floating], int]]):
    """Clips and what is known of them, in arrays.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ...)
        Vectors, frames or images.
    lengths : ndarray of shape (n_clips,) or None
        Valid frames; None where there is no padding to be told apart.
    y : ndarray of shape (n_clips,), int64
        Classes, as numbers from 0.
    share : ndarray of shape (n_clips, n_classes) or None
        Shares of the classes, which count in place of `y` in training.
    weight : ndarray of shape (n_clips,) or None
        Weights of the clips, 1 on average.
    rows : ndarray of shape (n_rows,) or None
        The rows that count, in the order in which they are gone through where nothing is trained.
        None: all of them, by length, so that batches hold the least padding.
    """

    def __init__(
        self,
        X: NDArray[np.floating],
        lengths: NDArray[np.intp] | None,
        y: NDArray[np.int64],
        share: NDArray[np.floating] | None = None,
        weight: NDArray[np.floating] | None = None,
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        if rows is None:
            all_rows = np.arange(len(X))
            rows = all_rows if lengths is None else np.argsort(lengths, kind="stable")
        self.rows = rows
        self.X = X
        self.lengths = lengths
        self.y = y
        self.share = share
        self.weight = weight
        self.resident: Tensor | None = None

    def move_to(self, device: torch.device) -> None:
        """Keep a copy of the clips on a GPU, where they fit: batches are then cut out there."""
        if self.resident is not None or not fits_on_gpu(self.X.nbytes, device):
            return
        self.resident = torch.empty(
            self.X.shape, dtype=torch.from_numpy(self.X[:0].copy()).dtype, device=device
        )
        # In parts: they may lie in a file, which torch does not take as it is.
        size = max(1, _STATISTICS_BYTES // max(self.X[:1].nbytes, 1))
        for start in range(0, len(self.X), size):
            part = self.X[start : start + size].copy()
            self.resident[start : start + size] = torch.from_numpy(part)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[NDArray[np.floating], int]:
        row = self.rows[number]
        return self.X[row], int(self.y[row])


class Preparation:
    """Standardise clips and bring them into the shape that a net takes.

    Parameters
    ----------
    mean, scale : ndarray of shape X.shape[1:-1] or (n_features,), or None
        What is subtracted, and by what is divided then; None leaves the values as they are.
    layout : {"image", "sequence", "vector"}
        Images have a channel axis, sequences have none; a vector is one series of values.
    fill_to : int or None
        Frames up to which clips are filled with zeros that count as sound. None: the net is told
        where clips end.
    device : torch.device
        Where the net is.
    dtype : torch.dtype
        Number format of the net's weights.
    """

    def __init__(
        self,
        mean: NDArray[np.float64] | None,
        scale: NDArray[np.float64] | None,
        layout: Layout,
        fill_to: int | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.layout = layout
        self.fill_to = fill_to
        self.device = device
        self.mean = self.factor = None
        if mean is not None and scale is not None:
            self.mean = torch.as_tensor(mean, dtype=dtype, device=device)
            self.factor = torch.as_tensor(1 / scale, dtype=dtype, device=device)

    def __call__(self, X: NDArray[np.floating] | Tensor, lengths: NDArray[np.intp] | None) -> Batch:
        """Prepare clips, of which `lengths` frames are valid."""
        x = torch.as_tensor(X).to(self.device)
        is_vector = x.ndim == 2
        if self.mean is not None and self.factor is not None:
            spread = (...,) if is_vector else (..., None)
            x = (x - self.mean[spread]) * self.factor[spread]
        valid = None
        if lengths is not None and (len(lengths) == 0 or lengths.min() < x.shape[-1]):
            valid = torch.from_numpy(lengths.astype(np.int64)).to(self.device)
            padded = torch.arange(x.shape[-1], device=self.device) >= valid[:, None]
            x = x.masked_fill(padded.view(len(x), *[1] * (x.ndim - 2), -1), 0.0)
        if self.fill_to is not None:
            valid = None
            if not is_vector:
                x = F.pad(x, (0, max(self.fill_to - x.shape[-1], 0)))
        return Batch(_arrange(x, self.layout), valid)


def _arrange(x: Tensor, layout: Layout) -> Tensor:
    """Give clips the axes of a layout; time is the last one, a vector is one frame."""
    if layout == "image":
        if x.ndim == 2:
            return x[:, None, :, None]
        return x[:, None] if x.ndim == 3 else x
    if layout == "vector":
        return x[:, None, :]
    return x[:, :, None] if x.ndim == 2 else x.flatten(1, -2)


def shape_in_layout(inner: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Axes between clips and frames, once a clip with the axes `inner` is in a layout.

    Parameters
    ----------
    inner : tuple of int
        (n_features,) of vectors and frames, (n_channels, n_bins) of images.
    layout : {"image", "sequence", "vector"}
        The layout.

    Returns
    -------
    shape : tuple of int
        (n_channels, n_bins) of images, (n_features,) of sequences, (1,) of vectors.
    """
    if layout == "image":
        return inner if len(inner) == 2 else (1, *inner)
    return (1,) if layout == "vector" else (int(np.prod(inner)),)


class BatchIterator:
    """Batches of a data set, once or as often as it is asked for.

    Parameters
    ----------
    data : ClipDataset
        The clips.
    prepare : Preparation
        What is done to all of them.
    batch_size : int
        Clips in a batch; one more in the last, where otherwise a single one would be left.
    augment : Augmentation or None
        What is done in training, where the order is drawn by chance, too. None: no training.
    """

    def __init__(
        self,
        data: ClipDataset,
        prepare: Preparation,
        batch_size: int,
        augment: Augmentation | None = None,
    ) -> None:
        self.data = data
        self.prepare = prepare
        self.batch_size = batch_size
        self.augment = augment

    def __len__(self) -> int:
        return len(cut(self.data.rows, self.batch_size))

    def __iter__(self) -> Iterator[tuple[Batch, Tensor]]:
        data = self.data
        if self.augment is None:
            plan = cut(data.rows, self.batch_size)
        else:
            plan = _draw_plan(data.rows, data.lengths, self.batch_size)
        for rows in plan:
            batch, y = self.take(rows), self._on_device(data.y, rows)
            if self.augment is not None:
                share = None if data.share is None else self._on_device(data.share, rows)
                weight = None if data.weight is None else self._on_device(data.weight, rows)
                batch = self.augment(batch, y, share, weight)
            yield batch, y

    def _on_device(self, values: NDArray[Any], rows: NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(values[rows]).to(self.prepare.device)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Give the clips of some rows."""
        data = self.data
        if data.lengths is None:
            return self.prepare(self._cut_out(rows, None), None)
        lengths = data.lengths[rows]
        # What all clips of a batch have for padding need not be computed at all. Where padding
        # counts as sound, it must not depend on the batch.
        longest = max(int(lengths.max()), 1) if self.prepare.fill_to is None else data.X.shape[-1]
        return self.prepare(self._cut_out(rows, longest), lengths)

    def _cut_out(self, rows: NDArray[np.intp], n_frames: int | None) -> Tensor:
        """Give the first frames of some clips, from where they are kept."""
        here = self.data.resident
        if here is None:
            return torch.from_numpy(self.data.X[..., :n_frames][rows])
        return here[..., :n_frames][torch.from_numpy(rows).to(here.device)]


def cut(rows: NDArray[np.intp], batch_size: int) -> list[NDArray[np.intp]]:
    """Cut rows into batches, without one of a single row: batch statistics need two."""
    starts = list(range(0, len(rows), batch_size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return [rows[i:j] for i, j in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _draw_plan(
    rows: NDArray[np.intp], lengths: NDArray[np.intp] | None, batch_size: int
) -> list[NDArray[np.intp]]:
    """Draw the batches of an epoch: by chance, yet with clips of similar lengths together."""
    # From a fixed order, so that the chance does not depend on how long the clips are.
    rows = np.sort(rows)[torch.randperm(len(rows)).numpy()]
    if lengths is None or lengths[rows].min() == lengths[rows].max():
        return cut(rows, batch_size)
    # Sorting within groups of a few batches keeps most of the chance: sorted as a whole, the same
    # clips would stand together in each epoch.
    n_batches = -(-len(rows) // batch_size)
    group = batch_size * max(2, min(16, n_batches // 4))
    groups = [rows[start : start + group] for start in range(0, len(rows), group)]
    rows = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in groups])
    plan = cut(rows, batch_size)
    return [plan[i] for i in torch.randperm(len(plan)).tolist()]


def weighted_moments(
    X: NDArray[np.floating],
    lengths: NDArray[np.intp] | None,
    weight: NDArray[np.floating] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each feature, over clips and their valid frames.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ..., n_frames) or (n_clips, n_features)
        Clips.
    lengths : ndarray of shape (n_clips,) or None
        Valid frames, for three axes and more.
    weight : ndarray of shape (n_clips,) or None
        Weights of the clips.

    Returns
    -------
    mean, scale : ndarray of shape X.shape[1:-1] or (n_features,)
        Mean, and deviation; 1 where that is 0.
    """
    rows = max(1, _STATISTICS_BYTES // max(8 * X[:1].size, 1))
    spread = (...,) if X.ndim == 2 else (..., None)

    def average(mean: NDArray[np.float64] | None) -> NDArray[np.float64]:
        total, count = np.zeros(X.shape[1:] if X.ndim == 2 else X.shape[1:-1]), 0.0
        for start in range(0, len(X), rows):
            part = X[start : start + rows].astype(np.float64)
            if mean is not None:
                part = (part - mean[spread]) ** 2
            w = np.ones(len(part)) if weight is None else weight[start : start + rows]
            if X.ndim == 2:
                total += w @ part
                count += w.sum()
            else:
                n = np.full(len(part), X.shape[-1])
                if lengths is not None:
                    n = lengths[start : start + rows]
                    part[np.isnan(part)] = 0.0
                total += np.tensordot(w, part.sum(axis=-1), 1)
                count += float(w @ n)
        return total / max(count, np.finfo(float).tiny)

    mean = average(None)
    scale = np.sqrt(average(mean))
    # A deviation that is nothing but rounding would blow noise up.
    rounding = 10 * np.finfo(np.float32).eps * np.abs(mean)
    scale[scale <= np.maximum(rounding, np.finfo(np.float32).tiny)] = 1.0
    return mean, scale
