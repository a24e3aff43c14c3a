"""Training that goes on where it was killed, in the same weights as if it had not been."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._utils._files import atomic_path
from .._utils._fingerprint import fingerprint
from ..exceptions import StoreWarning

# Entries of its history that skorch makes by itself.
_BY_SKORCH = ("batches", "epoch")


class Checkpoint:
    """All that a fit needs to go on, in one file that is either whole or not there.

    Parameters
    ----------
    folder : Path
        A folder for this fit alone; made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.pt"
        self.works = True

    def save(self, net: Any) -> None:
        """Write the state at the end of an epoch; a disk that is full ends no training."""
        if not self.works:
            return
        state = {
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "callbacks": {name: _state_of(callback) for name, callback in net.callbacks_},
            "history": [_plain(row) for row in net.history],
            "chance": _states_of_chance(net),
            "stop": net.stop_,
        }
        try:
            with atomic_path(self.path) as temporary:
                torch.save(state, temporary)
        except (OSError, RuntimeError) as error:  # torch turns a full disk into the latter
            self.works = False
            self._warn(f"cannot be written ({error}). Training goes on without checkpoints.")

    def restore(self, net: Any) -> None:
        """Take over the state of the last epoch that was written, if there is one."""
        if not self.path.exists():
            return
        first = {name: weight.clone() for name, weight in net.module_.state_dict().items()}
        try:
            state = torch.load(self.path, map_location=net.device, weights_only=True)
            net.module_.load_state_dict(state["module"])
            net.optimizer_.load_state_dict(state["optimizer"])
            for name, callback in net.callbacks_:
                _restore(callback, state["callbacks"].get(name, {}))
            for row in state["history"]:
                net.history.new_epoch()
                for name, value in row.items():
                    net.history.record(name, value)
            _restore_chance(net, state["chance"])
            net.stop_ = state["stop"]
        except Exception as error:  # noqa: BLE001 - junk in a file raises whatever it likes
            net.module_.load_state_dict(first)
            net.initialize_optimizer()
            net.initialize_history()
            net.notify("on_train_begin")
            reason = str(error).partition("\n")[0]
            self._warn(f"is damaged ({reason}). Training starts anew.")

    def _warn(self, what: str) -> None:
        warnings.warn(f"The checkpoint {str(self.path)!r} {what}", StoreWarning, stacklevel=2)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Give the entries of an epoch without its batches."""
    return _plain_ones({name: value for name, value in row.items() if name not in _BY_SKORCH})


def _state_of(callback: Any) -> dict[str, Any]:
    """Give what a callback has learned."""
    learned = {name: value for name, value in vars(callback).items() if name.endswith("_")}
    for name, value in learned.items():
        if hasattr(value, "state_dict") and not isinstance(value, type):
            learned[name] = {"state_dict": value.state_dict()}
    return _plain_ones(learned)


def _plain_ones(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what cannot be read back without running code."""
    plain = {}
    for name, value in values.items():
        with suppress(TypeError):
            plain[name] = _as_plain(value)
    return plain


def _as_plain(value: Any) -> Any:
    """Turn a value into numbers, texts, tensors and holders of them; TypeError if it is another."""
    if isinstance(value, dict):
        return {name: _as_plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_as_plain, value))
    if isinstance(value, (bool, str)) or value is None or torch.is_tensor(value):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (int, float):
        return value
    raise TypeError(type(value))


def _restore(callback: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        if isinstance(value, dict) and set(value) == {"state_dict"}:
            getattr(callback, name).load_state_dict(value["state_dict"])
        else:
            setattr(callback, name, value)


def _states_of_chance(net: Any) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.device(net.device).type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(net.device)
    return states


def _restore_chance(net: Any, states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), net.device)


def name_of_fit(
    parameters: dict[str, Any], values: Iterable[Any], arrays: Iterable[NDArray[Any] | None]
) -> str:
    """Name a fit by all that it depends on, so that no other fit can have its name.

    Parameters
    ----------
    parameters : dict
        Of the estimator.
    values : iterable
        Class, seed and whatever else counts.
    arrays : iterable of ndarray or None
        Clips, labels, weights.

    Returns
    -------
    name : str
        Hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(fingerprint([parameters, *values, torch.__version__]).encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()
