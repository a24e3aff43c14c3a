"""What the two sides of a split share that they should not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_consistent_length, column_or_1d
from sklearn.utils._param_validation import validate_params

from .._utils._clip_table import as_clip_table
from .._utils._files import real_paths
from ..datasets import find_copies

# What is said of each kind of problem, in the order of the report.
_KINDS = {
    "speaker": "Speakers on both sides",
    "sentence": "Sentences on both sides",
    "file": "Files on both sides",
    "window": "Files with windows that overlap between the sides",
    "audio": "Recordings of which both sides hold copies, the same bytes under several names",
    "label": "Sounds with several emotions",
}
_COLUMNS = ["kind", "value", "n_train", "n_test"]
# Longer lists are cut in the report; the table has all.
_VALUES_SHOWN = 5


@validate_params(
    {
        "frame": [pd.DataFrame],
        "train": ["array-like"],
        "test": ["array-like"],
        "y": ["array-like", None],
        "audio": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def check_split(
    frame: pd.DataFrame,
    train: ArrayLike,
    test: ArrayLike,
    *,
    y: ArrayLike | None = None,
    audio: bool = False,
) -> Bunch:
    """Look for what training and test share.

    For splits that were made elsewhere: a list of test files, someone's published folds. What is
    shared need not be wrong. A test that keeps sentences apart shares speakers, and says so here.

    Parameters
    ----------
    frame : DataFrame of shape (n_clips, n_columns)
        A corpus's frame or a clip table. Of the columns ``speaker``, ``sentence``, ``path``,
        ``start``, ``stop`` and ``emotion`` those that are there are looked at. An empty cell is
        shared with nothing.

    train : array-like
        Rows of the training part, counted from 0, or a mask of shape (n_clips,). A row may be
        there several times.

    test : array-like
        Rows of the test part, likewise.

    y : array-like of shape (n_clips,), default=None
        The emotions; by default the column ``emotion``.

    audio : bool, default=False
        Whether to compare the files' bytes, too, which finds recordings that stand there under
        several names. Files of equal size alone are read.

    Returns
    -------
    check : Bunch
        ``ok`` : bool
            Whether nothing was found.
        ``problems`` : DataFrame with columns ``kind``, ``value``, ``n_train``, ``n_test``
            What is shared, and how many rows of each side that concerns. Kinds: ``"speaker"``,
            ``"sentence"``; ``"file"``, a path on both sides; ``"window"``, a path of which both
            sides hold overlapping parts, where there are ``start`` or ``stop``; ``"audio"``, files
            of the same bytes; ``"label"``, a sound (path, ``start`` and ``stop``, with `audio` the
            bytes of the file) that has several emotions, on whichever side.
        ``looked_at`` : list of str
            Kinds that could be looked at.
        ``report`` : str
            All of it in words.

    Raises
    ------
    ValueError
        If a side is empty, a row is out of range or on both sides, lengths differ, or `audio` is
        asked for without a column ``path``.
    OSError
        With `audio`, if a file cannot be read.

    See Also
    --------
    ProtocolSplit : Splits in which nothing is shared that should not.
    sersk.datasets.find_copies : All files of a corpus that are the same bytes.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.model_selection import check_split
    >>> frame = pd.DataFrame({"path": ["a.wav", "b.wav", "c.wav"], "speaker": ["1", "1", "2"]})
    >>> check = check_split(frame, train=[0, 2], test=[1])
    >>> check.ok
    False
    >>> print(check.report)
    2 training and 1 test clips.
    Speakers on both sides (1): 1 (1 training, 1 test).
    Nothing found among: files.
    Not looked at: sentences, windows, audio, labels.
    """
    n_clips = len(frame)
    train = _check_rows(train, "train", n_clips)
    test = _check_rows(test, "test", n_clips)
    twice = np.intersect1d(train, test)
    if len(twice):
        raise ValueError(
            f"{len(twice)} row(s) are in train and in test, such as row {twice[0]}: the two must "
            "have no row in common."
        )
    emotions = _emotions(frame, y)
    if audio and "path" not in frame.columns:
        raise ValueError(
            "audio=True compares files, but the frame has no column 'path', only "
            f"{', '.join(map(repr, frame.columns))}."
        )

    found: dict[str, list[tuple[str, int, int]]] = {
        kind: _shared(frame[kind], train, test)
        for kind in ("speaker", "sentence")
        if kind in frame.columns
    }
    if "path" in frame.columns:
        clips = _sounds(frame, emotions, np.union1d(train, test), audio)
        found["file"] = _shared(clips["file"], train, test)
        if {"start", "stop"} & set(frame.columns):
            found["window"] = _shared_windows(clips, train, test)
        if audio:
            found["audio"] = _shared_copies(clips, train, test)
        if emotions is not None:
            found["label"] = _conflicts(clips, emotions, train, test)
    problems = pd.DataFrame(
        [(kind, *problem) for kind in _KINDS for problem in found.get(kind, [])], columns=_COLUMNS
    )
    looked_at = [kind for kind in _KINDS if kind in found]
    return Bunch(
        ok=problems.empty,
        problems=problems,
        looked_at=looked_at,
        report=_report(problems, looked_at, len(train), len(test)),
    )


def _check_rows(rows: ArrayLike, name: str, n_clips: int) -> NDArray[np.intp]:
    rows = np.asarray(column_or_1d(rows))
    if rows.dtype == bool:
        if len(rows) != n_clips:
            raise ValueError(f"The mask {name} has {len(rows)} entries for {n_clips} clips.")
        rows = np.flatnonzero(rows)
    if not len(rows):
        raise ValueError(f"{name} is empty: there is no split to look at.")
    if rows.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold rows, whole numbers, or be a mask; got {rows.dtype}.")
    wrong = rows[(rows < 0) | (rows >= n_clips)]
    if len(wrong):
        raise ValueError(
            f"{name} holds row {wrong[0]}, which is out of range: the frame has rows 0 to "
            f"{n_clips - 1}, whatever its index says."
        )
    return np.unique(rows).astype(np.intp)


def _emotions(frame: pd.DataFrame, y: ArrayLike | None) -> NDArray[Any] | None:
    if y is not None:
        check_consistent_length(frame, y)
        return np.asarray(column_or_1d(y), dtype=object)
    return frame["emotion"].to_numpy(dtype=object) if "emotion" in frame.columns else None


def _shared(
    values: pd.Series, train: NDArray[np.intp], test: NDArray[np.intp]
) -> list[tuple[str, int, int]]:
    """List what occurs on both sides, and how often."""
    # Names as text: there is no order between 1 and "one".
    here, there = (values.iloc[rows].dropna().astype(str).value_counts() for rows in (train, test))
    both = sorted(here.index.intersection(there.index))
    return [(value, int(here[value]), int(there[value])) for value in both]


def _sounds(
    frame: pd.DataFrame, emotions: NDArray[Any] | None, used: NDArray[np.intp], audio: bool
) -> pd.DataFrame:
    """Tell of each row the file, the window of it in seconds, and a number of its bytes."""
    table = as_clip_table(frame)
    assert table is not None
    # A file is called as the frame calls it first, however else it may be spelt.
    files = pd.Series(table.paths).groupby(real_paths(table.paths)).transform("first")
    clips = pd.DataFrame(
        {
            "file": files,
            "start": np.where(np.isnan(table.starts), 0.0, table.starts),
            "stop": np.where(np.isnan(table.stops), np.inf, table.stops),
            "bytes": files,
        }
    )
    if audio:
        chosen = pd.DataFrame({"path": files.iloc[used], "emotion": ""})
        copies = find_copies(Bunch(frame=chosen))
        # The first of equal files stands for all of them.
        first = copies.groupby("copy")["path"].transform("first")
        same = dict(zip(copies["path"], first, strict=True))
        clips["bytes"] = files.map(lambda file: same.get(file, file))
    return clips


def _shared_windows(
    clips: pd.DataFrame, train: NDArray[np.intp], test: NDArray[np.intp]
) -> list[tuple[str, int, int]]:
    sides = [
        {str(file): windows.to_numpy() for file, windows in groups[["start", "stop"]]}
        for groups in (clips.iloc[rows].groupby("file") for rows in (train, test))
    ]
    found = []
    for file in sorted(sides[0].keys() & sides[1].keys()):
        here, there = sides[0][file], sides[1][file]
        if all((side == (0.0, np.inf)).all() for side in (here, there)):
            continue  # whole files: told as such
        meets = (here[:, None, 0] < there[None, :, 1]) & (there[None, :, 0] < here[:, None, 1])
        if meets.any():
            found.append((file, int(meets.any(axis=1).sum()), int(meets.any(axis=0).sum())))
    return found


def _shared_copies(
    clips: pd.DataFrame, train: NDArray[np.intp], test: NDArray[np.intp]
) -> list[tuple[str, int, int]]:
    used = clips.iloc[np.union1d(train, test)]
    files = used.groupby("bytes")["file"].unique()
    return [
        (", ".join(sorted(files[name])), n_train, n_test)
        for name, n_train, n_test in _shared(clips["bytes"], train, test)
        if len(files[name]) > 1  # one file on both sides is told as such
    ]


def _conflicts(
    clips: pd.DataFrame,
    emotions: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> list[tuple[str, int, int]]:
    rows = np.arange(len(clips))
    sides = clips.assign(
        emotion=emotions, train=np.isin(rows, train), test=np.isin(rows, test)
    ).iloc[np.union1d(train, test)]
    same_sound = ["bytes", "start", "stop"]
    several = sides.groupby(same_sound)["emotion"].transform("nunique") > 1
    found = []
    for _, sound in sides[several].groupby(same_sound):
        name, start, stop = sound.iloc[0][same_sound]
        part = "" if start == 0 and np.isinf(stop) else f" {start:g} to {stop:g} s"
        names = ", ".join(sorted(sound["emotion"].dropna().astype(str).unique()))
        counts = int(sound["train"].sum()), int(sound["test"].sum())
        found.append((f"{name}{part}: {names}", *counts))
    return found


def _report(problems: pd.DataFrame, looked_at: list[str], n_train: int, n_test: int) -> str:
    lines = [f"{n_train} training and {n_test} test clips."]
    for kind, rows in problems.groupby("kind", sort=False):
        values = [
            f"{row.value} ({row.n_train} training, {row.n_test} test)"
            for row in rows.head(_VALUES_SHOWN).itertuples()
        ]
        more = len(rows) - len(values)
        listed = ", ".join(values) + (f", and {more} more" if more else "")
        lines.append(f"{_KINDS[str(kind)]} ({len(rows)}): {listed}.")
    kinds = {kind: kind if kind == "audio" else f"{kind}s" for kind in _KINDS}
    clean = [kinds[kind] for kind in looked_at if kind not in set(problems["kind"])]
    if clean:
        lines.append(f"Nothing found among: {', '.join(clean)}.")
    others = [kinds[kind] for kind in _KINDS if kind not in looked_at]
    if others:
        lines.append(f"Not looked at: {', '.join(others)}.")
    return "\n".join(lines)
