"""Noise from recordings, added at a signal-to-noise ratio."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils._decoding import ClipRegion, clip_length, read_clip
from ..datasets._base import find_audio_files
from ..exceptions import CorpusError
from ._base import Draw, Range, Transform, number_or_pair
from ._noise import mix


@lru_cache(maxsize=32)
def _list_files(folder: str, changed: int) -> tuple[str, ...]:
    """List the recordings in a folder, once for each state that it was in."""
    return tuple(map(str, find_audio_files(folder)))


def read_noise(path: str, position: float, n_samples: int, sample_rate: int) -> NDArray[np.float32]:
    """Read a part of a recording; one that is too short goes round.

    Parameters
    ----------
    path : str
        The recording.
    position : float
        Where the part begins, from 0, the beginning, to below 1: the last place at which the
        recording is long enough, or its end if it is too short.
    n_samples : int
        Length of the part.
    sample_rate : int
        Its rate, in Hz.

    Returns
    -------
    noise : ndarray of shape (n_samples,), float32
        The part.

    Raises
    ------
    AudioReadError
        If the file cannot be read.
    """
    available = clip_length(ClipRegion(path), sample_rate)
    # At least a millisecond: at its own rate, the file has a sample in that.
    needed = max(n_samples, 1 + sample_rate // 1000)
    if available < needed:
        whole = np.empty(available, dtype=np.float32)
        read_clip(ClipRegion(path), sample_rate, whole)
        return np.resize(np.roll(whole, -int(position * available)), n_samples)
    start = int(position * (available - needed + 1))
    noise = np.empty(n_samples, dtype=np.float32)
    length = read_clip(ClipRegion(path, start / sample_rate), sample_rate, noise)
    # Where the rates differ, the last part of the file may end a sample early.
    return np.resize(noise[:length], n_samples)


@dataclass(frozen=True, repr=False)
class BackgroundNoiseDraw(Draw):
    """One part of one recording."""

    path: str
    position: float
    snr_db: float

    @property
    def files(self) -> tuple[str, ...]:
        """The recording."""
        return (self.path,)

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        noise = read_noise(self.path, self.position, len(samples), sample_rate)
        return mix(samples, noise, self.snr_db)


class BackgroundNoise(Transform):
    """Add noise from recordings of your own: rooms, streets, music, babble.

    Parameters
    ----------
    folder : path-like
        Folder with the recordings, WAV, FLAC, OGG or MP3, at any depth, of any rate and length.

    snr_db : float or pair of float, default=(5, 20)
        Signal-to-noise ratio in dB, from -60 to 120: a number, or a pair (low, high) between which
        it is drawn evenly. By default that of `AddNoise`.

    See Also
    --------
    AddNoise : Noise that needs no recordings; gives the formula.

    Notes
    -----
    Each draw names a recording, all being equally likely, and a place in it; the noise itself is
    read when the draw is applied. A recording that is shorter than the clip is repeated. Where the
    clip or the part of the recording is silent, nothing is added.

    The files are sorted by depth and name, so that the same seed means the same file. They are
    listed once, and again after the folder has changed; files in folders below it that are added
    later are not seen before the next start of Python.

    Take noise that no test clip was recorded in, or the test is no longer about strangers.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import soundfile
    >>> from sersk.augmentation import BackgroundNoise
    >>> rng = np.random.default_rng(0)
    >>> tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder) / "fan.wav", rng.uniform(-0.1, 0.1, 48000), 16000)
    ...     noisy = BackgroundNoise(folder, snr_db=10).draw(random_state=0)(tone, 16000)
    >>> print(f"{10 * np.log10(np.sum(tone**2) / np.sum((noisy - tone)**2)):.2f} dB")
    10.00 dB
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "folder": [str, os.PathLike],
        "snr_db": number_or_pair(-60, 120),
    }
    _ranges = ("snr_db",)

    def __init__(self, folder: str | os.PathLike[str], *, snr_db: Range = (5, 20)) -> None:
        self.folder = folder
        self.snr_db = snr_db

    def _draw(self, rng: np.random.RandomState) -> Draw:
        files = self._files()
        path = files[rng.randint(len(files))]
        return BackgroundNoiseDraw(path, float(rng.random_sample()), self._uniform(rng, "snr_db"))

    def _files(self) -> tuple[str, ...]:
        folder = os.path.abspath(os.path.expanduser(self.folder))
        try:
            return _list_files(folder, os.stat(folder).st_mtime_ns)
        except (OSError, CorpusError) as error:
            raise ValueError(
                f"The 'folder' parameter of BackgroundNoise must be a folder with recordings of "
                f"noise. Got {os.fspath(self.folder)!r} instead: {error}"
            ) from error
