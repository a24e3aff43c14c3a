"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import signal

# One of several processes: threads of numerical libraries would only wait for each other. Said
# before these are loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib
import numpy as np
import pytest
import soundfile
from hypothesis import settings

from sersk._utils._compile import one_process_at_a_time

matplotlib.use("Agg")

# The same examples in every run, and no deadline: machines are noisy, speed is not tested here.
settings.register_profile("sersk", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("sersk")

# Many tests import librosa themselves: workers that do so at once may tear numba's cache, in this
# environment for good.
if "PYTEST_XDIST_WORKER" in os.environ:
    with one_process_at_a_time():
        import librosa.core.audio
        import librosa.core.pitch
        import librosa.util.utils  # noqa: F401


# Shells start what runs in the background deaf to Ctrl-C, and so would be the processes that tests
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Public names that need a package of an optional extra, and that package.
NEEDS = {"OpenSMILE": "opensmile", "VoiceQuality": "parselmouth"}


@pytest.fixture
def need_packages_of():
    """Skip the test where a class, or a method of it, needs a package that is not installed."""

    def skip_or_not(name):
        for part in set(name.split(".")) & NEEDS.keys():
            pytest.importorskip(NEEDS[part], reason=f"{NEEDS[part]}, an optional extra, is missing")

    return skip_or_not


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def write_wav(tmp_path, rng):
    """Write a file of noise (or of given samples); return its path as text."""

    def write(
        name="clip.wav", *, seconds=0.5, sample_rate=16000, channels=1, samples=None, **options
    ):
        if samples is None:
            shape = (round(seconds * sample_rate), channels)[: 1 if channels == 1 else 2]
            samples = rng.uniform(-0.5, 0.5, size=shape)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, sample_rate, **options)
        return str(path)

    return write


@pytest.fixture(scope="session")
def small_corpus():
    """Waveforms of four synthetic speakers: enough for grouped folds, made in no time."""
    from sersk.datasets import make_emotional_speech

    return make_emotional_speech(
        n_speakers=4,
        n_sentences=2,
        repetitions=1,
        emotions=("anger", "neutral", "sadness"),
        random_state=0,
    )


@pytest.fixture(scope="session")
def written_corpus(small_corpus, tmp_path_factory):
    """The same corpus as files with a clip table."""
    from sersk.datasets import write_corpus

    return write_corpus(small_corpus, tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def ravdess_tree(tmp_path):
    """Half-second files named like all of RAVDESS speech by two actors, as they are unpacked."""

    def make(*, actors=("01", "02"), channel="01", suffix=".wav", folder="Audio_Speech_Actors"):
        for actor in actors:
            for emotion in range(1, 9):
                for intensity in (1, 2):
                    if emotion == 1 and intensity == 2:
                        continue
                    for statement in (1, 2):
                        for repetition in (1, 2):
                            name = (
                                f"03-{channel}-{emotion:02d}-{intensity:02d}-{statement:02d}"
                                f"-{repetition:02d}-{actor}{suffix}"
                            )
                            path = tmp_path / folder / f"Actor_{actor}" / name
                            path.parent.mkdir(parents=True, exist_ok=True)
                            soundfile.write(path, np.zeros(80), 16000)
        return tmp_path

    return make


@pytest.fixture
def unprivileged():
    """Run as somebody for whom permissions count: root may read everything."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
