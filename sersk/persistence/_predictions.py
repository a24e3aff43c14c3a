"""What a model says of recordings: files, folders, and long ones window by window."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from .._utils._decoding import ClipRegion, clip_seconds
from .._utils._sample_rates import sample_rates
from .._utils._warnings import Said, repeat_warnings, warnings_recorded
from ..datasets import make_windows
from ..datasets._base import walk_audio_files
from ..exceptions import AudioReadError, UnreadableAudioWarning
from ..feature_extraction import SpeakerNormalizer
from ..model_selection import SpeakerPriorClassifier
from ..model_selection._evaluation import unreadable_files
from ._profile import Comparison, RecordingProfile

UNSURE = "unsure"
PROBABILITY = "p_"
# Clips at once: enough to hide the cost of a call, few enough that an hour needs no more memory
# than a minute.
_CHUNK = 64
# From the generator up to the line that called `predict_recordings`, past what checks parameters.
_OF_THE_USER = 4


@validate_params(
    {
        "model": [HasMethods(["predict"])],
        "paths": "no_validation",
        "window": [Interval(Real, 0, None, closed="neither"), None],
        "hop": [Interval(Real, 0, None, closed="neither"), None],
        "min_confidence": [Interval(Real, 0, 1, closed="both"), None],
        "profile": [RecordingProfile, None],
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def predict_recordings(
    model: Any,
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    window: float | None = None,
    hop: float | None = None,
    min_confidence: float | None = None,
    profile: RecordingProfile | None = None,
    chunk_size: int = _CHUNK,
) -> Bunch:
    """Predict the emotions of recordings: files, folders, long ones window by window.

    A file that cannot be read is named, and the rest predicted.

    Parameters
    ----------
    model : estimator
        Fitted, from a clip table to emotions, as :func:`sersk.load` returns it.

    paths : path-like or iterable of path-like
        Files, and folders, of which all audio files are taken, however deep.

    window : float, default=None
        Length of a window, in seconds, > 0. By default a recording is one clip, of which the model
        hears as much as the longest clip that it was trained on had.

    hop : float, default=None
        Distance of the beginnings of two windows, in seconds, > 0. By default `window`.

    min_confidence : float, default=None
        Probability, in [0, 1], below which the emotion is ``"unsure"``. By default the most
        probable one is told, whatever its probability.

    profile : RecordingProfile, default=None
        How the recordings of the training were made, as ``sersk.read_card(path).profile`` tells: a
        warning says which of these are unlike them, and what to do.

    chunk_size : int, default=64
        Clips (windows) that are predicted at once, >= 1.

    Returns
    -------
    found : Bunch
        ``table`` : DataFrame
            One row a clip: ``path``, ``start`` and ``stop`` in seconds, ``emotion``,
            ``confidence`` (the probability of the most probable emotion, NaN for models without
            ``predict_proba``) and a column ``p_<emotion>`` for each emotion. With `profile` also
            ``unlike``: in which way the clip is unlike those of the training, or nothing.
        ``failed`` : dict of str to str
            Files that could not be read, and why.

    Raises
    ------
    ValueError
        If the model reads no recordings, has to be told who speaks, or gives no probabilities and
        `min_confidence` needs them; if there is `hop` and no `window`.

    Warns
    -----
    OutOfDepthWarning
        If more than one clip in twenty is unlike those of `profile` in the same way.

    See Also
    --------
    sersk.inspection.TimelineDisplay : Draw the probabilities over time.
    sersk.datasets.make_windows : The windows alone.

    Notes
    -----
    Probabilities are as the model gives them. Few models are right as often as they say:
    :class:`~sersk.inspection.ReliabilityDisplay` shows it.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech, write_corpus
    >>> from sersk.persistence import predict_recordings
    >>> from sersk.recipes import gradient_boosting_functionals
    >>> folder = tempfile.mkdtemp()
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> corpus = write_corpus(corpus, folder)
    >>> model = gradient_boosting_functionals(max_iter=2).fit(corpus.data, corpus.target)
    >>> found = predict_recordings(model, folder, window=1.0, hop=0.5)
    >>> found.table.columns[:5].tolist(), found.failed
    (['path', 'start', 'stop', 'emotion', 'confidence'], {})
    """
    failed: dict[str, str] = {}
    tables = list(
        iterate_predictions(
            model, paths, failed, window=window, hop=hop, min_confidence=min_confidence,
            profile=profile, chunk_size=chunk_size,
        )
    )  # fmt: skip
    table = pd.concat(tables, ignore_index=True) if tables else _empty_table(model, profile)
    return Bunch(table=table, failed=failed)


def iterate_predictions(
    model: Any,
    paths: Any,
    failed: dict[str, str],
    *,
    window: float | None,
    hop: float | None,
    min_confidence: float | None,
    profile: RecordingProfile | None = None,
    chunk_size: int = _CHUNK,
) -> Iterator[pd.DataFrame]:
    """Predict chunk by chunk, in flat memory.

    Parameters
    ----------
    model : estimator
        Fitted.
    paths : path-like or iterable of path-like
        Files and folders.
    failed : dict
        Receives the files that could not be read, and why.
    window, hop, min_confidence, profile, chunk_size
        See `predict_recordings`.

    Yields
    ------
    table : DataFrame
        Rows of the table of `predict_recordings`.

    Raises
    ------
    ValueError
        See `predict_recordings`; before anything is read.
    """
    _check_model(model, min_confidence)
    if hop is not None and window is None:
        raise ValueError(f"hop={hop:g} needs a window, the length of what is predicted each time.")
    clips = _clips_of(find_recordings(paths, failed), failed, window, hop)
    said: list[Said] = []
    comparison = None if profile is None else Comparison(profile)
    try:
        while rows := list(islice(clips, chunk_size)):
            table = pd.DataFrame(rows, columns=["path", "start", "stop"])
            with warnings_recorded() as of_chunk:
                table = _predict_chunk(model, table, failed, windows=window is not None)
            said += of_chunk
            if len(table):
                table = _finish(table.reset_index(drop=True), min_confidence)
                if comparison is not None:
                    columns = ["path"] if window is None else ["path", "start", "stop"]
                    table.insert(5, "unlike", comparison.look_at(table[columns]))
                yield table
        if comparison is not None:
            comparison.warn(stacklevel=_OF_THE_USER)
    finally:
        # Files that could not be read are told apart, by name.
        told = [each for each in said if not issubclass(each[0], UnreadableAudioWarning)]
        repeat_warnings(told, {}, where="", stacklevel=_OF_THE_USER)


def _check_model(model: Any, min_confidence: float | None) -> None:
    if not sample_rates(model):
        raise ValueError(
            f"{type(model).__name__} reads no recordings: use a pipeline that begins with "
            "AudioReader, as the recipes do."
        )
    if needs_speakers(model):
        raise ValueError(
            "This model has to be told who speaks, and needs all clips of a speaker at once: call "
            "its predict with a clip table that has the column 'speaker'."
        )
    if min_confidence is not None and not hasattr(model, "predict_proba"):
        raise ValueError(
            "min_confidence needs probabilities, and this model has no predict_proba. Train "
            "another, such as gradient_boosting_functionals, or leave min_confidence out."
        )


def needs_speakers(model: Any) -> bool:
    """Tell whether a model has to be told who speaks.

    Parameters
    ----------
    model : estimator
        Pipeline, ensemble, or any nesting of these.

    Returns
    -------
    needed : bool
        True where it has a :class:`~sersk.feature_extraction.SpeakerNormalizer` or a
        :class:`~sersk.model_selection.SpeakerPriorClassifier`.
    """
    parts = [model, *model.get_params(deep=True).values()]
    return any(isinstance(part, SpeakerNormalizer | SpeakerPriorClassifier) for part in parts)


def find_recordings(paths: Any, failed: dict[str, str]) -> list[str]:
    """List the files that are meant, each once.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.
    failed : dict
        Receives folders without audio files.

    Returns
    -------
    files : list of str
        Those of a folder by name. Whether they can be read is not known yet.
    """
    if isinstance(paths, str | bytes | os.PathLike):
        paths = [paths]
    files: list[str] = []
    for path in map(os.fsdecode, paths):
        if not os.path.isdir(path):
            files.append(path)
            continue
        below = sorted(map(str, walk_audio_files(path)))
        if not below:
            failed[path] = "this folder, with all folders in it, holds no audio file"
        files += below
    return list(dict.fromkeys(files))


def count_clips(paths: Any, window: float | None, hop: float | None) -> int:
    """Count what there is to predict, from the headers of files.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.
    window, hop : float or None
        See `predict_recordings`.

    Returns
    -------
    n_clips : int
        Clips, or windows; files that cannot be read count as one.
    """
    files = find_recordings(paths, {})
    if window is None:
        return len(files)
    n_clips = 0
    for path in files:
        try:
            n_clips += len(make_windows([path], length=window, hop=hop))
        except AudioReadError:
            n_clips += 1
    return n_clips


def _clips_of(
    files: Sequence[str], failed: dict[str, str], window: float | None, hop: float | None
) -> Iterator[tuple[str, float, float]]:
    for path in files:
        try:
            if window is None:
                yield path, 0.0, clip_seconds(ClipRegion(path))
                continue
            windows = make_windows([path], length=window, hop=hop)
        except AudioReadError as error:
            failed[path] = error.reason
            continue
        for start, stop in zip(windows["start"], windows["stop"], strict=True):
            if path in failed:  # of an earlier window
                break
            yield path, float(start), float(stop)


def _predict_chunk(
    model: Any, table: pd.DataFrame, failed: dict[str, str], *, windows: bool
) -> pd.DataFrame:
    """Predict what can be read; files that cannot go to `failed`, whatever the model does then."""
    while len(table):
        clips = table if windows else table[["path"]]
        try:
            if hasattr(model, "predict_proba"):
                columns = [f"{PROBABILITY}{label}" for label in model.classes_]
                values = pd.DataFrame(model.predict_proba(clips), columns=columns)
            else:
                values = pd.DataFrame({"emotion": model.predict(clips)})
        except AudioReadError as error:
            if error.path not in set(table["path"]):
                raise
            failed[error.path] = error.reason
            table = table[table["path"] != error.path].reset_index(drop=True)
            continue
        failed.update(
            {
                path: why
                for path, why in unreadable_files(model).items()
                if path in set(table["path"])
            }
        )
        return pd.concat([table, values], axis=1)[~table["path"].isin(list(failed))]
    return table


def _finish(table: pd.DataFrame, min_confidence: float | None) -> pd.DataFrame:
    """Tell the most probable emotion, or that there is none."""
    columns = [name for name in table.columns if name.startswith(PROBABILITY)]
    if not columns:
        # As text, like the names of the columns of probabilities.
        table["emotion"] = table["emotion"].map(str).astype(object)
        table.insert(4, "confidence", np.nan)
        return table
    probabilities = table[columns].to_numpy(dtype=float)
    labels = np.array([name.removeprefix(PROBABILITY) for name in columns], dtype=object)
    emotions, confidence = labels[probabilities.argmax(axis=1)], probabilities.max(axis=1)
    if min_confidence is not None:
        emotions[confidence < min_confidence] = UNSURE
    table.insert(3, "emotion", emotions)
    table.insert(4, "confidence", confidence)
    return table


def _empty_table(model: Any, profile: RecordingProfile | None) -> pd.DataFrame:
    labels = model.classes_ if hasattr(model, "predict_proba") else []
    columns = ["path", "start", "stop", "emotion", "confidence"]
    columns += [] if profile is None else ["unlike"]
    return pd.DataFrame(columns=[*columns, *(f"{PROBABILITY}{label}" for label in labels)])
