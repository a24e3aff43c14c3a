"""Where nets compute, and in what precision."""

from __future__ import annotations

import functools
import warnings

import torch

from ..exceptions import SerskWarning


def find_device(name: str | torch.device, or_else: str | None = None) -> torch.device:
    """Find the device of a name.

    Parameters
    ----------
    name : str
        ``"auto"``, which is a GPU where there is one, or a device of torch's.
    or_else : str, default=None
        Device to take, with a warning, where the one that is named is not at hand.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        message = (
            f"device={str(name)!r} cannot be used here: {reason.rstrip('.')}. At hand: "
            f"{', '.join(_devices_at_hand())}; device='auto' takes the fastest."
        )
        if or_else is None:
            raise ValueError(message) from None
        warnings.warn(f"{message} {or_else!r} is taken instead.", SerskWarning, stacklevel=4)
        return torch.device(or_else)
    if device.type == "meta":
        raise ValueError("device='meta' computes nothing; take 'auto', 'cpu' or 'cuda'.")
    return device


def _devices_at_hand() -> list[str]:
    gpus = [f"'cuda:{number}'" for number in range(torch.cuda.device_count())]
    return ["'cpu'", *gpus, *(["'mps'"] if torch.backends.mps.is_available() else [])]


@functools.cache
def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 by instructions of its own."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def fits_on_gpu(n_bytes: int, device: torch.device) -> bool:
    """Whether a device is a GPU with room for so much, and as much again for the net's own work."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * n_bytes < free
