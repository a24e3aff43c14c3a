"""Seeded stretches of torch code that leave everyone else's random numbers as they were."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

# torch has one generator per device for the whole process: two fits in two threads would draw from
# each other's, and restore each other's state. A fit uses all cores anyway, so one waits.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def seeded(device: torch.device, *seed: int) -> Generator[None]:
    """Seed torch for a while, and give its state back afterwards.

    Parameters
    ----------
    device : torch.device
        Where the code within runs.
    *seed : int
        Numbers from which the seed is made, all of them >= 0.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    on_gpu = device.type == "cuda"
    # With torch.manual_seed the generators of devices that are not restored would be seeded, too.
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(number)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        yield
