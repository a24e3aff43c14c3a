"""Good files of every kind, and every bad one that an AudioReader may meet."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from sersk._utils._decoding import ClipRegion, clip_length, read_clip, resampled_length
from sersk.exceptions import AudioReadError

# librosa resamples through the same library: what is left is float32 rounding.
RESAMPLED = {"rtol": 0, "atol": 1e-6}


def read(path, sample_rate=16000, max_samples=48000, **region):
    """Read into a row that is longer than the clip; return the clip and its full length."""
    out = np.full(max_samples, 7.0, dtype=np.float32)
    full_length = read_clip(ClipRegion(path, **region), sample_rate, out)
    length = min(full_length, max_samples)
    assert np.isnan(out[length:]).all()
    return out[:length], full_length


@pytest.mark.parametrize(
    ("name", "subtype", "precision"),
    [
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_32", 2**-23),
        ("a.wav", "FLOAT", 2**-23),
        ("a.wav", "DOUBLE", 2**-23),
        ("a.flac", "PCM_16", 2**-15),
        ("a.aiff", "PCM_16", 2**-15),
    ],
)
def test_lossless_formats(write_wav, rng, name, subtype, precision):
    samples = rng.uniform(-1, 1, size=1000)
    found, length = read(write_wav(name, samples=samples, subtype=subtype))
    assert found.dtype == np.float32
    assert length == 1000
    assert_allclose(found, samples, rtol=0, atol=precision)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats(write_wav, name):
    time = np.arange(16000) / 16000
    found, length = read(write_wav(name, samples=0.5 * np.sin(2 * np.pi * 440 * time)))
    assert abs(length - 16000) < 1200
    spectrum = np.abs(np.fft.rfft(found[:16000], 16000))
    assert np.argmax(spectrum) == 440


@pytest.mark.parametrize(
    "native_rate", [4000, 8000, 11025, 16000, 22050, 24414, 44100, 48000, 96000, 192000]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_equals_librosa(write_wav, native_rate, channels):
    path = write_wav(seconds=0.31, sample_rate=native_rate, channels=channels, subtype="FLOAT")
    expected, _ = librosa.load(path, sr=16000, res_type="soxr_hq")
    found, _ = read(path)
    assert_allclose(found, expected, **RESAMPLED)
    assert clip_length(ClipRegion(path), 16000) == len(found)


@pytest.mark.parametrize("native_rate", [16000, 48000])
def test_part_of_a_file_equals_librosa(write_wav, native_rate):
    path = write_wav(seconds=1.0, sample_rate=native_rate, subtype="FLOAT")
    expected, _ = librosa.load(path, sr=16000, offset=0.25, duration=0.5, res_type="soxr_hq")
    found, length = read(path, start=0.25, stop=0.75)
    assert_allclose(found, expected, **RESAMPLED)
    assert length == clip_length(ClipRegion(path, 0.25, 0.75), 16000) == 8000
    beginning, full = read(path, start=0.25, stop=0.75, max_samples=4000)
    assert (len(beginning), full) == (4000, 8000)


def test_channels_are_averaged(write_wav, rng):
    samples = rng.uniform(-1, 1, size=(100, 6))
    found, _ = read(write_wav(samples=samples, subtype="FLOAT"))
    assert_allclose(found, samples.mean(axis=1), rtol=0, atol=1e-6)


def test_stop_past_the_end_is_the_end(write_wav):
    found, _ = read(write_wav(seconds=0.5), start=0.4, stop=9.0)
    assert len(found) == 1600


def test_tone_above_the_new_nyquist_is_gone(write_wav):
    time = np.arange(48000) / 48000
    path = write_wav(samples=np.sin(2 * np.pi * 12000 * time), sample_rate=48000)
    found, _ = read(path)
    assert np.abs(found[1000:-1000]).max() < 1e-3


def test_all_zeros_and_one_sample_are_sound(write_wav):
    assert_array_equal(read(write_wav(samples=np.zeros(10)))[0], np.zeros(10))
    assert len(read(write_wav(samples=np.full(1, 0.25)))[0]) == 1
    assert len(read(write_wav(samples=np.full(1, 0.25), sample_rate=48000))[0]) == 1


@pytest.mark.parametrize(
    ("n_frames", "native", "wanted", "expected"),
    [(0, 48000, 16000, 0), (1, 48000, 16000, 1), (3, 48000, 16000, 1), (4, 48000, 16000, 2),
     (100, 8000, 16000, 200), (10**12, 44100, 16000, 362811791384)],
)  # fmt: skip
def test_resampled_length(n_frames, native, wanted, expected):
    assert resampled_length(n_frames, native, wanted) == expected


# --- bad files, each with a reason of its own ---


def truncated(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)
    return path


def text(path, content):
    path.write_bytes(content)
    return str(path)


BAD_FILES = {
    "missing": (lambda tmp, wav: str(tmp / "no.wav"), "no such file"),
    "below a file": (lambda tmp, wav: wav() + "/a.wav", "a part of the path is a file"),
    "zero bytes": (lambda tmp, wav: text(tmp / "a.wav", b""), "empty"),
    "truncated header": (lambda tmp, wav: truncated(wav(), 20), "cannot decode"),
    "header alone": (lambda tmp, wav: truncated(wav(), 44), "holds no samples|cut short"),
    "truncated data": (lambda tmp, wav: truncated(wav(), 9000), "cut short"),
    "truncated FLAC": (lambda tmp, wav: truncated(wav("a.flac"), 5000), "cannot decode|cut short"),
    "truncated AIFF": (lambda tmp, wav: truncated(wav("a.aiff"), 9000), "cut short"),
    "truncated MP3": (lambda tmp, wav: truncated(wav("a.mp3", seconds=3), 9000), "cut short"),
    "text": (lambda tmp, wav: text(tmp / "a.wav", b"not a recording" * 20), "cannot decode"),
    "LFS stub": (
        lambda tmp, wav: text(
            tmp / "a.wav", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
        ),
        "git lfs pull",
    ),
    "no samples": (lambda tmp, wav: wav(samples=np.zeros(0)), "holds no samples"),
    "NaN sample": (
        lambda tmp, wav: wav(samples=np.array([0, np.nan, 0]), subtype="FLOAT"),
        "sample 1 is nan",
    ),
    "infinite sample": (
        lambda tmp, wav: wav(samples=np.array([0, 0, -np.inf]), subtype="FLOAT"),
        "sample 2 is -inf",
    ),
    "folder": (lambda tmp, wav: str(tmp), "a folder"),
    "too long a path": (lambda tmp, wav: str(tmp / ("a" * 5000)), "too long"),
    "null byte": (lambda tmp, wav: "a\0.wav", "no path"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_file_is_named_with_its_reason(kind, tmp_path, write_wav):
    make, reason = BAD_FILES[kind]
    path = make(tmp_path, write_wav)
    with pytest.raises(AudioReadError, match=reason) as caught:
        read(path)
    assert caught.value.path == path
    assert repr(path) in str(caught.value)


def test_no_permission(request):
    # In a folder that everybody may enter: it is the file that is denied.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "secret.wav")
        soundfile.write(path, np.zeros(10), 16000)
        os.chmod(path, 0)
        request.getfixturevalue("unprivileged")
        os.stat(path)
        with pytest.raises(AudioReadError, match="permission"):
            read(path)
        if os.getuid() == 0:
            os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_fifo_does_not_block(tmp_path):
    path = str(tmp_path / "pipe.wav")
    os.mkfifo(path)
    caught = []

    def try_it():
        try:
            read(path)
        except AudioReadError as error:
            caught.append(error)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert "pipe" in caught[0].reason


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_size_unknown_to_a_streaming_writer(write_wav, size):
    path = write_wav(seconds=0.5)
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(size.to_bytes(4, "little"))
    if size == 0:
        # libsndfile itself takes this for an empty file.
        with pytest.raises(AudioReadError, match="no samples"):
            read(path)
    else:
        assert len(read(path)[0]) == 8000


def test_part_beyond_the_end(write_wav):
    with pytest.raises(AudioReadError, match=r"no sample lies between 2 s .* is 0\.5 s long"):
        read(write_wav(seconds=0.5), start=2.0)


@pytest.mark.parametrize("name", ["räv – 声.wav", "a b'c\"d.wav", "n" * 250 + ".wav"])
def test_unusual_names(write_wav, name):
    assert len(read(write_wav(name))[0]) == 8000


def test_very_long_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = "/".join(["d" * 200] * 15)
    os.makedirs(folder)
    path = f"{folder}/a.wav"
    with open(path, "wb") as file:
        soundfile.write(file, np.zeros(100), 16000, format="WAV")
    assert len(read(path)[0]) == 100


def test_a_damaged_file_ends_in_one_error_whatever_is_flipped(write_wav, rng, tmp_path):
    """Fuzzing: bytes of real files changed at random are read, or refused by our own error."""
    names = ("a.wav", "a.flac", "a.ogg", "a.mp3")
    originals = [Path(write_wav(name, seconds=0.05)).read_bytes() for name in names]
    target = tmp_path / "fuzzed"
    for number in range(400):
        content = bytearray(originals[number % 4])
        for place in rng.integers(0, min(len(content), 400), size=4):
            content[place] = rng.integers(256)
        target.write_bytes(content)
        try:
            samples, _ = read(str(target), max_samples=16000)
        except AudioReadError:
            continue
        assert np.isfinite(samples).all()
