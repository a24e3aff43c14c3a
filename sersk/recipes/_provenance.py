"""Where a result comes from: versions, machine, command; and which corpus it belongs to."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .. import __version__

_PACKAGES = (
    "numpy", "scipy", "scikit-learn", "imbalanced-learn", "librosa", "soundfile", "soxr", "torch",
    "skorch",
)  # fmt: skip
# Of each file, so many bytes from its middle tell whether it is the same recording.
_BYTES_SEEN = 4096
# What tells a clip from others, and by whom it is: columns of a frame.
_TOLD_APART_BY = ("start", "stop", "emotion", "speaker", "sentence", "corpus")


def versions() -> dict[str, str]:
    """Tell the versions of all that scores depend on.

    Returns
    -------
    versions : dict of str to str
        By package.
    """
    return {"sersk": __version__, **{package: version(package) for package in _PACKAGES}}


def machine() -> dict[str, Any]:
    """Tell what computes, without a name by which the machine is known.

    Returns
    -------
    machine : dict
        ``processor``, ``system`` and ``threads``.
    """
    return {
        "processor": _processor(),
        "system": platform.system(),
        "threads": joblib.cpu_count(),
    }


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        facts = ""
    for line in facts.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def command(arguments: Sequence[str] | None = None) -> str:
    """Spell the command that runs, folders left out.

    Parameters
    ----------
    arguments : sequence of str, default=None
        By default those of the process.

    Returns
    -------
    command : str
        Paths that do not lie below the working directory are reduced to their last part: they are
        nobody else's.
    """
    given = sys.argv if arguments is None else arguments
    parts = []
    for argument in given:
        name, equals, value = argument.partition("=")
        if equals and name.startswith("-"):
            parts.append(f"{name}={_without_folder(value)}")
        else:
            parts.append(_without_folder(argument))
    if parts and (parts[0] == "__main__.py" or parts[0] == "sersk"):
        parts[0] = "sersk"
    return shlex.join(parts)


def _without_folder(argument: str) -> str:
    elsewhere = os.path.isabs(argument) or os.pardir in Path(argument).parts
    return os.path.basename(argument.rstrip(os.sep)) if elsewhere else argument


def relative_names(frame: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Name files the same wherever their corpora lie.

    Parameters
    ----------
    frame : DataFrame with a column ``path``
        Of a corpus. With a column ``corpus``, each of these has a folder of its own.

    Returns
    -------
    names : list of str
        Paths below the folder that the files of a corpus share, with slashes.
    folders : dict of str to str
        These folders, by corpus.
    """
    corpora = (
        frame["corpus"].astype(str) if "corpus" in frame.columns else pd.Series("", frame.index)
    )
    names: dict[Any, str] = {}
    folders = {}
    for corpus, paths in frame["path"].map(os.path.abspath).groupby(corpora.to_numpy()):
        try:
            folder = os.path.commonpath([os.path.dirname(path) for path in paths])
        except ValueError:  # on several drives
            folder = ""
        folders[str(corpus)] = folder
        for row, path in paths.items():
            below = os.path.relpath(path, folder) if folder else path
            names[row] = below.replace(os.sep, "/")
    return [names[row] for row in frame.index], folders


def corpus_fingerprint(corpus: Bunch) -> str:
    """Sum up which clips a corpus holds, what they are called, and by whom they are.

    Of a file counts, besides its name, what is cheap to see: its size and a piece of its middle.
    Recordings that were denoised or repaired are others, under whatever name.

    Parameters
    ----------
    corpus : Bunch
        As the loaders return it.

    Returns
    -------
    fingerprint : str
        Number of clips and hexadecimal digits; the same wherever the files lie.
    """
    frame = corpus.frame.reset_index(drop=True)
    digest = hashlib.blake2b(digest_size=8)
    if "path" in frame.columns:
        digest.update(repr(relative_names(frame)[0]).encode("utf-8", "surrogateescape"))
        for path in frame["path"].unique():
            digest.update(repr(_glimpse(path)).encode())
    else:
        waveforms = np.ascontiguousarray(corpus.data, dtype=np.float32)
        digest.update(repr(waveforms.shape).encode())
        digest.update(np.nan_to_num(waveforms, nan=2.0).tobytes())
    for column in _TOLD_APART_BY:
        if column in frame.columns:
            cells = ["" if missing else str(cell) for cell, missing in zip(
                frame[column], frame[column].isna(), strict=True
            )]  # fmt: skip
            digest.update(repr((column, cells)).encode("utf-8", "surrogateescape"))
    return f"{len(frame)}-{digest.hexdigest()}"


def _glimpse(path: str) -> tuple[int, bytes] | None:
    """Give the size of a file and a piece of its middle; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, (size - _BYTES_SEEN) // 2))
            return size, file.read(_BYTES_SEEN)
    except (OSError, ValueError):  # ValueError: no name that a file can have
        return None


def without_folders(text: str, folders: dict[str, str]) -> str:
    """Take the folders of corpora out of a message.

    Parameters
    ----------
    text : str
        Error, warning or path.
    folders : dict of str to str
        As `relative_names` gives them.

    Returns
    -------
    text : str
        Files in it are named below these folders. Where there are several corpora, each name
        begins with its own: two corpora may have files of the same name.
    """
    names = {os.path.expanduser("~"): ""}
    for corpus, folder in folders.items():
        names[folder] = f"{corpus}/" if len(folders) > 1 else ""
    # A folder within another one first: nothing of it would be left to be found.
    for folder in sorted(names, key=len, reverse=True):
        if len(folder) > 1:
            text = text.replace(folder + os.sep, names[folder])
    return text
