"""What each value of a clip adds to the score of an emotion, and where a net attends."""

from __future__ import annotations

import copy
import math
import os
from contextlib import AbstractContextManager, nullcontext
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import Tensor

from ..neural_network._base import BaseNetClassifier, plain_module
from ..neural_network._data import BatchIterator, ClipDataset
from ..neural_network._engine import SkorchNet
from ._base import find_part

Array = NDArray[np.floating]


def find_net(estimator: Any) -> tuple[BaseNetClassifier, list[Any]]:
    """Find the fitted net that an estimator ends in, and the steps before it."""
    part, steps = find_part(
        estimator, lambda part: isinstance(part, BaseNetClassifier), "is no such net"
    )
    check_is_fitted(part, "net_")
    return part, steps


def as_one_clip(X: Any, n_axes: int | None) -> Any:
    """Give a clip the axis of clips; `n_axes` are those of the net's input, None before steps."""
    if isinstance(X, str | bytes | os.PathLike):
        return [X]
    if isinstance(X, pd.Series):
        is_row = not isinstance(X.index, pd.RangeIndex)
        X = X.to_frame().T.infer_objects() if is_row else X.to_numpy()
    if isinstance(X, list | tuple) and (n_axes or all(isinstance(value, Real) for value in X)):
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "iuf" and X.ndim == (n_axes or 2) - 1:
        X = X[None]
    if _num_samples(X) != 1:
        raise ValueError(
            f"One clip is explained, got {_num_samples(X)}: choose one, as in X[:1] or, of a clip "
            "table, X.iloc[:1]."
        )
    return X


def transform(X: Any, steps: list[Any]) -> tuple[Any, Any]:
    """Do to a clip what a pipeline does before the net; give the names of what comes out, too."""
    names: Any = None
    for step in steps:
        if step is None or step == "passthrough" or hasattr(step, "fit_resample"):
            continue
        X = step.transform(X)
        try:
            names = step.get_feature_names_out(names)
        except (AttributeError, ValueError):
            names = None
    return X, names


def explain(
    net: BaseNetClassifier, X: Any, target: Any, n_steps: int | None, attention: bool | None
) -> dict[str, Any]:
    """Compute what a display is made of, but for the names; None for `n_steps`: one gradient."""
    classes = net.classes_.tolist()
    if target is not None and target not in classes:
        raise ValueError(f"target={target!r} is no class of the net. Its classes are {classes}.")
    clip, lengths = net._check_X(X, reset=False)
    plain: Any = plain_module(net.net_.module_)
    attention = check_attention(attention, plain.pooling.kind, clip.ndim)
    data = ClipDataset(clip, lengths, np.zeros(0, dtype=np.int64))
    with torch.inference_mode(False), torch.enable_grad(), _rnn_gradients(net.net_):
        # A copy: neither modes nor gradients of the net itself are touched.
        module = copy.deepcopy(plain).eval().requires_grad_(False)
        # Alone in its batch, a clip has no padding but what counts as sound.
        x = BatchIterator(data, net.net_.prepare, 1).take(np.array([0])).x
        scores = _scores(module, torch.cat([x, torch.zeros_like(x)]))
        probabilities = scores[0].softmax(0)
        best = int(probabilities.argmax())
        number = best if target is None else classes.index(target)
        gradient = _mean_gradient(module, x, number, n_steps, net.batch_size)
        weights = module.attention_weights(x)[0] if attention else None

    def as_clip(values: Tensor) -> Array:
        """Undo the layout of the net, which moves no axis, and put NaN behind the end."""
        flat = values.cpu().numpy()
        if lengths is None:
            return np.asarray(flat.reshape(clip.shape[1:]))
        out = np.full(clip.shape[1:], np.nan, dtype=clip.dtype)
        out[..., : lengths[0]] = flat.reshape(*out.shape[:-1], -1)[..., : lengths[0]]
        return out

    attributions = as_clip(gradient * x)
    frames = np.full(clip.shape[-1], np.nan, dtype=clip.dtype)
    if weights is not None and lengths is not None:
        step = _frames_a_step(net._options)
        frames[: lengths[0]] = weights[0].cpu().numpy().repeat(step)[: lengths[0]]
    return {
        "attributions": attributions,
        "image": as_clip(x),
        "target": classes[number],
        "probability": float(probabilities[number]),
        "emotion": classes[best],
        "attention": frames if attention else None,
        "score": float(scores[0, number]),
        "baseline_score": float(scores[1, number]),
    }


def _rnn_gradients(net: SkorchNet) -> AbstractContextManager[None]:
    """Make way for gradients: cuDNN has those of recurrent layers in training mode alone."""
    recurrent = any(isinstance(part, torch.nn.RNNBase) for part in net.module_.modules())
    if recurrent and torch.device(net.device).type == "cuda":
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def _scores(module: torch.nn.Module, x: Tensor) -> Tensor:
    """Score each emotion: what all of them have in common is chance, and drops out."""
    logits: Tensor = module(x)
    return logits - logits.mean(1, keepdim=True)


def _mean_gradient(
    module: torch.nn.Module, x: Tensor, number: int, n_steps: int | None, batch_size: int
) -> Tensor:
    """Average the gradient of a score on the way from zeros to a clip; at its end for None."""
    places, shares = np.ones(1), np.ones(1)
    if n_steps is not None:
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)  # in [-1, 1]
        places, shares = (nodes + 1) / 2, weights / 2
    mean = torch.zeros_like(x)
    for start in range(0, len(places), batch_size):
        part = slice(start, start + batch_size)
        at, share = (torch.from_numpy(them[part]).to(x.dtype) for them in (places, shares))
        points = at.to(x.device).view(-1, *[1] * (x.ndim - 1)) * x
        points.requires_grad_()
        (gradients,) = torch.autograd.grad(_scores(module, points)[:, number].sum(), points)
        mean += torch.tensordot(share.to(x.device), gradients, 1)
    return mean


def check_attention(wanted: bool | None, pooling: str, n_axes: int) -> bool:
    there = pooling in ("attention", "statistics") and n_axes > 2
    if wanted and not there:
        why = f"pooling={pooling!r} weighs no frames" if n_axes > 2 else "vectors have no frames"
        raise ValueError(
            f"attention=True, and the net has no attention over time: {why}. Train one with "
            "pooling='attention' or 'statistics' on frames or images, or set attention=None."
        )
    return there if wanted is None else wanted


def _frames_a_step(options: dict[str, Any]) -> int:
    """Count the frames of the input that a net joins before it pools over time."""
    pools = [size if isinstance(size, int) else size[-1] for size in options.get("pool_sizes", ())]
    return math.prod([*pools, options.get("subsampling", 1)])
