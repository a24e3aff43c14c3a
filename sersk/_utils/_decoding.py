"""From a file to mono samples at one rate: plain functions, free of scikit-learn.

libsndfile decodes, soxr resamples; both release the GIL, so threads are enough to keep all cores
busy. Every way in which a file can be bad ends in an `AudioReadError` that names the file and says
what is wrong with it.
"""

from __future__ import annotations

import errno
import functools
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..exceptions import AudioReadError

_GIT_LFS_STUB = b"version https://git-lfs.github.com/spec/v1"
_LARGEST_LFS_STUB = 1024

# libsndfile reads on when the data chunk of a WAV file promises more than the file holds; only its
# log tells. Programs that write to a pipe cannot know the size and put one of these there.
_DATA_SIZE_LOG = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_SIZES_OF_STREAMS = (0, 0x7FFFFFFF, 0xFFFFFFFF)
_LARGEST_CHUNK_HEADER = 8
# Seconds after which soxr's filter forgets, at the lowest rates in use.
_REACH_OF_FILTER = 0.05
_LONGEST_PATH_OF_LIBSNDFILE = 1000
# Lengths that are remembered: each fold of each trial asks for them again.
_LENGTHS_KEPT = 2**18

_REASONS = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "there is no such file (a part of the path is a file, not a folder)",
    errno.EACCES: "permission to read it is denied",
    errno.ENAMETOOLONG: "the path is too long for this system",
    errno.ELOOP: "the path is a link that leads to itself",
}


@dataclass(frozen=True)
class ClipRegion:
    """The part of a file that is wanted.

    Attributes
    ----------
    path : str
        The file.
    start : float
        Where the clip begins, in seconds.
    stop : float
        Where it ends, in seconds; infinity for the end of the file.
    """

    path: str
    start: float = 0.0
    stop: float = math.inf


def resampled_length(n_frames: int, native_rate: int, sample_rate: int) -> int:
    """Count the samples that `n_frames` at one rate become at another, rounded up.

    Parameters
    ----------
    n_frames : int
        Number of samples a channel, >= 0.
    native_rate : int
        Their rate, in Hz.
    sample_rate : int
        The rate wanted, in Hz.

    Returns
    -------
    n_samples : int
        ``ceil(n_frames * sample_rate / native_rate)``, in exact arithmetic.
    """
    return -(-n_frames * sample_rate // native_rate)


def clip_length(region: ClipRegion, sample_rate: int) -> int:
    """Tell the length of a clip from the header of its file.

    Parameters
    ----------
    region : ClipRegion
        The clip.
    sample_rate : int
        The rate at which it would be read, in Hz.

    Returns
    -------
    n_samples : int
        Its length in samples at `sample_rate`.

    Raises
    ------
    AudioReadError
        If the file cannot be opened, or the clip lies beyond its end.
    """
    with _open_sound(region.path) as sound:
        first, last = _frames_of(region, sound)
        return resampled_length(last - first, sound.samplerate, sample_rate)


def known_clip_length(region: ClipRegion, sample_rate: int) -> int:
    """Tell the length of a clip; of a file that was not changed in between, without opening it.

    Parameters
    ----------
    region : ClipRegion
        The clip.
    sample_rate : int
        The rate at which it would be read, in Hz.

    Returns
    -------
    n_samples : int
        See `clip_length`.

    Raises
    ------
    AudioReadError
        If the file cannot be opened, or the clip lies beyond its end.
    """
    try:
        status = os.stat(region.path)
    except (OSError, ValueError):
        return clip_length(region, sample_rate)
    path = os.path.abspath(region.path)
    state = (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return _length_of_state(state, region, sample_rate)


@functools.lru_cache(maxsize=_LENGTHS_KEPT)
def _length_of_state(state: tuple[object, ...], region: ClipRegion, sample_rate: int) -> int:
    return clip_length(region, sample_rate)


def clip_seconds(region: ClipRegion) -> float:
    """Tell the duration of a clip from the header of its file.

    Parameters
    ----------
    region : ClipRegion
        The clip.

    Returns
    -------
    seconds : float
        Its duration, exact to a sample of the file.

    Raises
    ------
    AudioReadError
        If the file cannot be opened, or the clip lies beyond its end.
    """
    with _open_sound(region.path) as sound:
        first, last = _frames_of(region, sound)
        return float((last - first) / sound.samplerate)


def read_clip(region: ClipRegion, sample_rate: int, out: NDArray[np.float32]) -> int:
    """Decode a clip into a row: the wanted frames alone, mixed to mono, resampled.

    Parameters
    ----------
    region : ClipRegion
        The clip.
    sample_rate : int
        The rate of the result, in Hz.
    out : ndarray of shape (n_samples,), float32, contiguous
        Receives the mean of the channels, and NaN after the end of the clip. Integer files lie in
        [-1, 1]; float files keep their values. What does not fit is cut, and is not read.

    Returns
    -------
    full_length : int
        Samples that the whole clip has at `sample_rate`.

    Raises
    ------
    AudioReadError
        If the file is missing, not audio, damaged, cut short, empty, or holds NaN or infinity.
        `out` then holds anything.
    """
    with _open_sound(region.path) as sound:
        native_rate = sound.samplerate
        first, last = _frames_of(region, sound)
        full_length = resampled_length(last - first, native_rate, sample_rate)
        if full_length > len(out):
            wanted = resampled_length(len(out), sample_rate, native_rate)
            if native_rate != sample_rate:
                # What follows reaches back through the filter: the beginning of a clip must not
                # depend on where it is cut.
                wanted += round(_REACH_OF_FILTER * native_rate)
            last = min(last, first + wanted)
        if first:
            sound.seek(first)
        # Where nothing has to be computed, libsndfile decodes to where the samples shall be.
        direct = sound.channels == 1 and native_rate == sample_rate
        target = out[: last - first] if direct else None
        samples = sound.read(last - first, dtype="float32", out=target)
        if len(samples) < last - first:
            raise AudioReadError(
                region.path,
                f"the file is cut short: {last - first} frames were promised, "
                f"{len(samples)} could be read. Copy or download it again",
            )
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if not np.isfinite(samples).all():
        where = int(np.argmin(np.isfinite(samples)))
        raise AudioReadError(
            region.path, f"sample {first + where} is {samples[where]}, not a finite number"
        )
    if native_rate != sample_rate:
        samples = _resample(samples, native_rate, sample_rate)
    n_samples = min(len(samples), len(out))
    if not direct:
        out[:n_samples] = samples[:n_samples]
    out[n_samples:] = np.nan
    return full_length


def _resample(
    samples: NDArray[np.float32], native_rate: int, sample_rate: int
) -> NDArray[np.float32]:
    n_samples = resampled_length(len(samples), native_rate, sample_rate)
    resampled: NDArray[np.float32] = soxr.resample(samples, native_rate, sample_rate, quality="HQ")
    # soxr rounds the length, this package (as librosa does) takes the next whole sample.
    if len(resampled) < n_samples:
        resampled = np.pad(resampled, (0, n_samples - len(resampled)))
    return resampled[:n_samples]


def _frames_of(region: ClipRegion, sound: soundfile.SoundFile) -> tuple[int, int]:
    """Translate seconds to frames of the file: the first, and the one after the last."""
    if sound.frames == 0:
        raise AudioReadError(region.path, "the file holds no samples")
    first = round(region.start * sound.samplerate)
    last = sound.frames
    if math.isfinite(region.stop):
        last = min(last, round(region.stop * sound.samplerate))
    if first >= last:
        raise AudioReadError(
            region.path,
            f"no sample lies between {region.start:g} s and {region.stop:g} s: the file is "
            f"{sound.frames / sound.samplerate:g} s long",
        )
    return first, last


class _SoundFile(soundfile.SoundFile):
    """A sound file that is closed by `_open_sound`, never by its finalizer."""

    # Python swallows a Ctrl-C that it notices in a finalizer, and would run this one after each
    # clip. Something compiled that does nothing leaves it no chance to notice there.
    __del__ = object.__hash__


@contextmanager
def _open_sound(path: str) -> Iterator[soundfile.SoundFile]:
    """Open a sound file; whatever goes wrong inside the block becomes an `AudioReadError`."""
    _refuse_what_is_no_file(path)
    try:
        with ExitStack() as stack:
            source: str | BinaryIO = path
            if len(os.fsencode(path)) >= _LONGEST_PATH_OF_LIBSNDFILE or not _is_text(path):
                # Through Python's own file, which is slower but takes what the system takes.
                source = stack.enter_context(open(path, "rb"))
            sound = stack.enter_context(_SoundFile(source))
            _refuse_cut_data(path, sound)
            yield sound
    except soundfile.SoundFileError as error:
        raise AudioReadError(path, _reason_why_no_audio(path, error)) from error
    except OSError as error:
        raise AudioReadError(path, _reason_of(error)) from error


def _is_text(path: str) -> bool:
    """Tell whether a path is text: one of other bytes holds halves of characters."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)


def _refuse_what_is_no_file(path: str) -> None:
    # Before anything is opened: opening a pipe that nobody writes to would wait for ever.
    try:
        status = os.stat(path)
    except OSError as error:
        raise AudioReadError(path, _reason_of(error)) from error
    except ValueError as error:
        raise AudioReadError(path, f"this is no path: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioReadError(path, "this is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioReadError(path, "this is a pipe or a device, not a regular file")
    if status.st_size == 0:
        raise AudioReadError(path, "the file is empty (0 bytes). Copy or download it again")


def _refuse_cut_data(path: str, sound: soundfile.SoundFile) -> None:
    found = _DATA_SIZE_LOG.search(sound.extra_info)
    if found is None:
        return
    promised, actual = map(int, found.groups())
    if promised > actual + _LARGEST_CHUNK_HEADER and promised not in _SIZES_OF_STREAMS:
        raise AudioReadError(
            path,
            f"the file is cut short: {promised} bytes of sound were promised, {actual} are there. "
            "Copy or download it again",
        )


def _reason_of(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def is_lfs_pointer(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a Git LFS pointer in place of what it is named after.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    pointer : bool
        True for a pointer.
    """
    try:
        if os.path.getsize(path) > _LARGEST_LFS_STUB:
            return False
    except FileNotFoundError:
        return False  # a link to nowhere
    with open(path, "rb") as file:
        return file.read(len(_GIT_LFS_STUB)) == _GIT_LFS_STUB


def _reason_why_no_audio(path: str, error: Exception) -> str:
    """Say more than libsndfile does about the usual cases."""
    try:
        pointer = is_lfs_pointer(path)
    except OSError as denied:
        return _reason_of(denied)
    if pointer:
        return (
            "this is a Git LFS pointer, a small text that stands for the recording. Run "
            "'git lfs pull' in the clone, or download the recordings themselves"
        )
    complaint = getattr(error, "error_string", str(error)).strip().rstrip(".")
    return f"libsndfile cannot decode it ({complaint}). Is it a whole WAV, FLAC, OGG or MP3 file?"
