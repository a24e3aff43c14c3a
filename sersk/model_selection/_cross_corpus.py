"""What a system learnt from one corpus is worth on another."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import _num_samples

from .._utils._clip_table import as_clip_table
from .._utils._files import real_paths
from .._utils._parallel import as_completed
from .._utils._progress import track
from .._utils._sample_rates import check_sample_rates
from .._utils._warnings import repeat_warnings, warnings_recorded
from ..exceptions import CorpusWarning, SerskError
from ..metrics import speaker_bootstrap
from ._evaluation import run_fold
from ._protocols import ProtocolSplit

# The row of a system that was trained on all corpora but the one that it is tested on.
ALL_OTHERS = "all others"


class _Pair(NamedTuple):
    """Which corpora are trained on, and which one is tested."""

    trained: tuple[str, ...]
    tested: str

    def __str__(self) -> str:
        return f"trained on {' + '.join(map(repr, self.trained))}, tested on {self.tested!r}"


class _Job(NamedTuple):
    """One fit: the rows are those of all corpora, one after the other."""

    pair: _Pair
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]


@validate_params(
    {
        "pipeline": [HasMethods(["fit", "predict"])],
        "corpora": [Mapping],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def cross_corpus_table(
    pipeline: BaseEstimator,
    corpora: Mapping[str, Bunch],
    *,
    n_splits: int = 5,
    random_state: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Train a pipeline on each corpus and test it on each.

    Parameters
    ----------
    pipeline : estimator
        Unfitted pipeline from what the corpora hold to emotions.

    corpora : mapping of str to Bunch
        At least two, by name, as the loaders return them. All hold clip tables, or all hold arrays
        of one width. No speaker and no file may stand in two of them.

    n_splits : int, default=5
        Number of folds within a corpus, >= 2; fewer where there are fewer speakers.

    random_state : int, default=0
        Seed of the folds and of the bootstrap, >= 0.

    n_jobs : int, default=None
        Number of pairs and folds that run at once, in processes. ``None`` means 1 unless in a
        :func:`joblib.parallel_config` context, ``-1`` means all cores.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Returns
    -------
    result : Bunch
        Tables of shape (n_corpora + 1, n_corpora), whose rows are what was trained on, the last
        one ``"all others"``, and whose columns are what was tested:

        ``table`` : DataFrame
            UAR, in [0, 1], on the emotions that both sides have.
        ``low``, ``high`` : DataFrame
            Its interval, from resampling the speakers of the tested corpus; NaN with fewer than
            eight, or where they are not known.
        ``n_tested`` : DataFrame
            Number of clips tested.
        ``emotions`` : DataFrame
            The emotions in question, as tuples; one by their number is chance.

        And:

        ``predictions`` : DataFrame
            Columns ``trained_on``, ``tested_on``, ``row`` (of the tested corpus), ``fold``,
            ``true``, ``predicted`` and ``speaker``, empty where not known.
        ``unreadable`` : dict of str to str
            Files that could not be read, and why. Where they were tested, the prediction counts
            like any other.

    Raises
    ------
    SerskError
        If a pair fails: it names the pair. The cause is attached.
    ValueError
        If there are fewer than two corpora, one is no corpus or has the name ``"all others"``, two
        share speakers or files or hold different kinds of data or formats of numbers, a pair shares
        fewer than two emotions, or steps of `pipeline` name different sample rates.

    Warns
    -----
    CorpusWarning
        If the speakers of a corpus are not known, or there is only one: it is then not tested
        within itself.
    UnreadableAudioWarning
        If files could not be read.

    See Also
    --------
    ProtocolSplit : ``"corpus"`` gives the last row alone, for one concatenated corpus.
    sersk.inspection.CrossCorpusDisplay : Draws the tables.

    Notes
    -----
    Off the diagonal, both sides are reduced to the emotions that both have: others are neither
    trained nor tested, so that no answer is wrong which could not be right. The diagonal is a
    cross-validation within the corpus, on all its emotions, with no speaker on both sides. Cells
    with different emotions have different chance: see ``emotions`` before two are compared. In the
    last row, training has the emotions of the tested corpus that any of the others has; with two
    corpora it repeats the cells above it.

    Two corpora whose speakers have the same names are refused, because a test on known voices
    would pass for one on strangers. The loaders put the name of the corpus before them. A file is
    the same however its path is spelt, and through links. Integers are not joined with floats, nor
    with other integers: they would not be of one scale.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech, write_corpus
    >>> from sersk.model_selection import cross_corpus_table
    >>> from sersk.recipes import svm_functionals
    >>> corpora = {}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for seed, name in enumerate(["studio", "street"]):
    ...         made = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=seed)
    ...         made.frame["corpus"] = name
    ...         corpora[name] = write_corpus(made, f"{folder}/{name}")
    ...     result = cross_corpus_table(svm_functionals(duration=2.0), corpora)
    >>> result.n_tested
    tested on   studio  street
    trained on
    studio          24      24
    street          24      24
    all others      24      24
    """
    check_sample_rates(pipeline)
    X, clips = _pool(corpora)
    emotions = np.asarray(clips["emotion"], dtype=str)
    cells = _list_cells(list(corpora))
    # With two corpora the last row repeats others: each pair is fitted once.
    shared = {pair: _shared_emotions(pair, clips) for pair in cells.values()}
    splitter = ProtocolSplit("speaker", n_splits=n_splits, random_state=random_state)
    jobs = [job for pair, names in shared.items() for job in _plan(pair, clips, names, splitter)]
    left_out = shared.keys() - {job.pair for job in jobs}
    if left_out:
        named = ", ".join(name for name in corpora if name in {pair.tested for pair in left_out})
        warnings.warn(
            f"Not tested within itself: {named}. At least two speakers are needed, and to know who "
            "speaks each clip.",
            CorpusWarning,
            stacklevel=3,
        )

    calls = (
        delayed(_run)(number, job, pipeline, X, emotions, os.getpid(), _who_speaks(clips, job))
        for number, job in enumerate(jobs)
    )
    found = as_completed(calls, n_jobs)
    done = track(found, total=len(jobs), description="pairs of corpora", show=bool(verbose))
    # Recorded here for fits that run in this process, be it in threads, and there for the others.
    with warnings_recorded() as said:
        outcomes = sorted(done, key=lambda outcome: outcome.fold)
    said += [warning for outcome in outcomes for warning in outcome.warnings]
    unreadable = {path: why for outcome in outcomes for path, why in outcome.unreadable.items()}
    repeat_warnings(said, unreadable, where="the result's 'unreadable'", stacklevel=3)

    parts: dict[_Pair, list[pd.DataFrame]] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        parts.setdefault(job.pair, []).append(_predictions(job, outcome, clips))
    predictions = {pair: pd.concat(some, ignore_index=True) for pair, some in parts.items()}
    scores = {pair: _score(table, random_state) for pair, table in predictions.items()}
    return Bunch(
        table=_matrix(cells, {pair: score.score for pair, score in scores.items()}),
        low=_matrix(cells, {pair: score.low for pair, score in scores.items()}),
        high=_matrix(cells, {pair: score.high for pair, score in scores.items()}),
        n_tested=_matrix(cells, {pair: len(table) for pair, table in predictions.items()}, 0),
        emotions=_matrix(cells, shared),
        predictions=_stack(cells, predictions),
        unreadable=unreadable,
    )


def _pool(corpora: Mapping[str, Bunch]) -> tuple[Any, pd.DataFrame]:
    """Put all clips into one table or array, and what is known of each into another."""
    if len(corpora) < 2:
        raise ValueError(f"corpora holds {len(corpora)} corpus: at least two are needed.")
    known = pd.concat(
        [_describe(name, corpus) for name, corpus in corpora.items()], ignore_index=True
    )
    _refuse_shared(known, "voice", "the speaker")
    data = {name: corpus.data for name, corpus in corpora.items()}
    X: Any
    if all(isinstance(table, pd.DataFrame) for table in data.values()):
        _refuse_formats(data)
        X = pd.concat(data.values(), ignore_index=True)
        clips = as_clip_table(X.get("path"))
    else:
        _refuse_shapes(data)
        data = {name: np.asarray(array) for name, array in data.items()}
        _refuse_formats(data)
        X = np.concatenate(list(data.values()))
        clips = as_clip_table(X)
    if clips is not None:
        _refuse_shared(known.assign(path=real_paths(clips.paths)), "path", "the file")
    return X, known


def _refuse_shapes(data: Mapping[str, Any]) -> None:
    """Refuse arrays of several widths, and tables beside arrays."""
    shapes = {name: np.shape(array)[1:] for name, array in data.items()}
    tables = [name for name, table in data.items() if isinstance(table, pd.DataFrame)]
    if tables or len(set(shapes.values())) > 1:
        kinds = [
            f"{name!r} a table" if name in tables else f"{name!r} {shape}"
            for name, shape in shapes.items()
        ]
        raise ValueError(
            f"All corpora must hold clip tables, or arrays of one shape a clip; got "
            f"{', '.join(kinds)}. sersk.datasets.write_corpus makes files and a clip table of "
            "waveforms."
        )


def _refuse_formats(data: Mapping[str, Any]) -> None:
    """Refuse to join integers with other numbers: full scale of one is nothing to the other."""
    formats: dict[str, np.dtype[Any]] = {}
    for name, numbers in data.items():
        found = set(numbers.dtypes) if isinstance(numbers, pd.DataFrame) else {numbers.dtype}
        kind = found.pop() if len(found) == 1 else None
        # Paths have none, and a table of columns of several kinds holds no waveforms.
        if isinstance(kind, np.dtype) and kind.kind in "iuf":
            formats[name] = kind.newbyteorder("=")
    if len(set(formats.values())) > 1 and {kind.kind for kind in formats.values()} != {"f"}:
        named = ", ".join(f"{name!r} {kind}" for name, kind in formats.items())
        raise ValueError(
            f"All corpora must hold numbers of one format, or all of them floats; got {named}. "
            "Joined, integers would keep their scale, and one corpus be thousands of times as loud "
            "as another. Make floats within [-1, 1] of waveforms first: data / 2.0**15 where they "
            "have 16 bits, data / 2.0**31 where 32; of other integers, data.astype(float)."
        )


def _describe(name: str, corpus: Any) -> pd.DataFrame:
    """Tell of each clip which corpus it is of, its row there, its emotion, and who speaks.

    In the column ``voice`` as far as known, in ``speaker`` only if that is known of all clips.
    """
    if not isinstance(name, str) or name == ALL_OTHERS:
        raise ValueError(f"A corpus cannot be called {name!r}: give it another name.")
    if not hasattr(corpus, "data") or not hasattr(corpus, "target"):
        raise ValueError(
            f"corpora[{name!r}] must be a Bunch with data and target, as the loaders return it; "
            f"got {type(corpus).__name__}."
        )
    emotions = np.asarray(column_or_1d(corpus.target), dtype=str)
    frame = getattr(corpus, "frame", None)
    groups: Any = getattr(corpus, "groups", None)
    if isinstance(frame, pd.DataFrame) and "speaker" in frame.columns:
        groups = frame["speaker"]  # in which an unknown one is empty
    lengths = {"clips": _num_samples(corpus.data), "emotions": len(emotions)}
    if groups is not None:
        lengths["speakers"] = len(groups)
    if len(set(lengths.values())) > 1 or not lengths["clips"]:
        found = ", ".join(f"{length} {what}" for what, length in lengths.items())
        raise ValueError(
            f"corpora[{name!r}] has {found}: as many are needed of each, and one at least."
        )
    voices = _as_names(groups, len(emotions))
    return pd.DataFrame(
        {
            "corpus": name,
            "row": np.arange(len(emotions)),
            "emotion": emotions,
            "speaker": None if pd.isna(voices).any() else voices,
            "voice": voices,
        }
    )


def _as_names(speakers: Any, n_clips: int) -> NDArray[np.object_]:
    """Turn speakers into text, the same whether or not others are missing beside them."""
    if speakers is None:
        return np.full(n_clips, None, dtype=object)
    # An empty cell makes floats of whole numbers, and 3.0 would be no namesake of 3.
    cells = pd.Series(np.asarray(speakers, dtype=object)).convert_dtypes()
    return np.array([None if pd.isna(cell) else str(cell) for cell in cells], dtype=object)


def _refuse_shared(clips: pd.DataFrame, column: str, what: str) -> None:
    """Refuse corpora that are none of each other's strangers."""
    owners = clips.dropna(subset=column).groupby(column)["corpus"].unique()
    shared = owners[owners.map(len) > 1]
    if len(shared):
        raise ValueError(
            f"Corpora {' and '.join(map(repr, shared.iloc[0][:2]))} share {what} "
            f"{shared.index[0]!r}: tested on one, a system trained on the other would be no "
            "stranger to it. Put them into one corpus or, if it is a namesake, rename it."
        )


def _list_cells(names: list[str]) -> dict[tuple[str, str], _Pair]:
    """Name the cells of the tables, row by row."""
    cells = {(train, test): _Pair((train,), test) for train in names for test in names}
    for test in names:
        others = tuple(name for name in names if name != test)
        cells[ALL_OTHERS, test] = _Pair(others, test)
    return cells


def _shared_emotions(pair: _Pair, clips: pd.DataFrame) -> tuple[str, ...]:
    known, asked = (
        set(clips.loc[clips["corpus"].isin(names), "emotion"])
        for names in (pair.trained, (pair.tested,))
    )
    if len(known & asked) < 2:
        raise ValueError(
            f"{pair}: both sides have {', '.join(sorted(known & asked)) or 'no emotion'}, and two "
            f"emotions are needed at least. One has {', '.join(sorted(known))}, the other "
            f"{', '.join(sorted(asked))}. Leave a corpus out, or rename emotions that are the same."
        )
    return tuple(sorted(known & asked))


def _plan(
    pair: _Pair, clips: pd.DataFrame, emotions: tuple[str, ...], splitter: ProtocolSplit
) -> Iterator[_Job]:
    """Give the fits of a pair: one or, within a corpus, one a fold."""
    wanted = clips["emotion"].isin(emotions)
    test = np.flatnonzero(wanted & (clips["corpus"] == pair.tested))
    if pair.trained != (pair.tested,):
        yield _Job(pair, 0, np.flatnonzero(wanted & clips["corpus"].isin(pair.trained)), test)
        return
    part = clips.iloc[test]
    if part["speaker"].nunique() < 2:  # one, or not known
        return
    folds = splitter.split(part, part["emotion"], part)
    for fold, (some, others) in enumerate(folds):
        yield _Job(pair, fold, test[some], test[others])


def _who_speaks(clips: pd.DataFrame, job: _Job) -> pd.DataFrame | None:
    """Give the speakers to an estimator that holds some out, if all in the training are known."""
    speakers = clips[["speaker"]]
    return None if speakers.iloc[job.train].isna().any(axis=None) else speakers


def _run(
    number: int,
    job: _Job,
    pipeline: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    caller: int,
    who: pd.DataFrame | None,
) -> Bunch:
    """Fit and predict once, in this process or another: all it needs comes as arguments."""
    try:
        return run_fold(number, pipeline, X, y, job.train, job.test, caller, who)
    except Exception as error:
        raise SerskError(f"{job.pair}: {type(error).__name__}: {error}") from error


def _predictions(job: _Job, outcome: Bunch, clips: pd.DataFrame) -> pd.DataFrame:
    tested = clips.iloc[job.test].reset_index(drop=True)
    return pd.DataFrame(
        {
            "row": tested["row"],
            "fold": job.fold,
            "true": tested["emotion"],
            "predicted": outcome.predicted,
            "speaker": tested["speaker"],
        }
    )


def _score(predictions: pd.DataFrame, random_state: int) -> Bunch:
    speakers = predictions["speaker"]
    # Without speakers all clips are one's: there is no interval then.
    return speaker_bootstrap(
        predictions["true"],
        predictions["predicted"],
        np.zeros(len(speakers)) if speakers.isna().any() else speakers,
        random_state=random_state,
    )


def _matrix(
    cells: Mapping[tuple[str, str], _Pair], values: Mapping[_Pair, Any], empty: Any = np.nan
) -> pd.DataFrame:
    """Lay out what is known of the pairs: rows are trained on, columns tested on."""
    rows, columns = (list(dict.fromkeys(names)) for names in zip(*cells, strict=True))
    return pd.DataFrame(
        [[values.get(cells[row, column], empty) for column in columns] for row in rows],
        index=pd.Index(rows, name="trained on"),
        columns=pd.Index(columns, name="tested on"),
    )


def _stack(
    cells: Mapping[tuple[str, str], _Pair], predictions: Mapping[_Pair, pd.DataFrame]
) -> pd.DataFrame:
    """Put the predictions of all cells one after the other."""
    tables = []
    for (trained_on, tested_on), pair in cells.items():
        if pair in predictions:
            table = predictions[pair].copy()
            table.insert(0, "trained_on", trained_on)
            table.insert(1, "tested_on", tested_on)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)
