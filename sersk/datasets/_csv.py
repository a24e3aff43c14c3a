"""Corpora that a CSV file describes, and the way to write one."""

from __future__ import annotations

import csv as csv_module
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from .._utils._files import atomic_path
from .._utils._lengths import valid_lengths
from ..exceptions import CorpusError, CorpusWarning
from ._base import make_corpus_bunch, prefix
from ._labels import canonical_emotion

CSV_NAME = "corpus.csv"
_SEPARATORS = (",", ";", "\t")
# Characters that some system does not take in the name of a file.
_NOT_IN_A_NAME = re.compile(r'[\\/:*?"<>|\s]')
# Missing files that a message names.
_NAMES_SHOWN = 3


@validate_params(
    {
        "csv": [str, os.PathLike],
        "path_column": [str],
        "label_column": [str],
        "speaker_column": [str, None],
        "sentence_column": [str, None],
        "root": [str, os.PathLike, "array-like", None],
        "name": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_csv(
    csv: str | os.PathLike[str],
    *,
    path_column: str = "path",
    label_column: str = "emotion",
    speaker_column: str | None = None,
    sentence_column: str | None = None,
    root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    name: str | None = None,
) -> Bunch:
    """Load a corpus that a CSV file describes, one row a clip.

    Parameters
    ----------
    csv : path-like
        The file, with a header. A column ``corpus`` names the corpus of each clip (by default the
        CSV file's name without suffix); ``start`` and ``stop``, in seconds, make clips of parts of
        files; further columns are kept in ``frame``.

    path_column : str, default="path"
        Column of the audio files.

    label_column : str, default="emotion"
        Column of the emotions. Usual names are made canonical (``"Happy"`` becomes
        ``"happiness"``), others stay.

    speaker_column : str, default=None
        Column of the speakers. By default ``"speaker"`` if there is one.

    sentence_column : str, default=None
        Column of what is said. By default ``"sentence"`` if there is one.

    root : path-like or sequence of path-like, default=None
        Folder, or several, in which relative paths are looked up, the first that has the file wins.
        By default the folder of the CSV file.

    name : str, default=None
        Name of the corpus, where the file has no column ``corpus``; where it has one, that counts.
        By default the name of the file.

    Returns
    -------
    corpus : Bunch
        ``data`` : DataFrame
            Clip table: ``path`` and, where there are such, ``start``, ``stop``, ``speaker``,
            ``sentence``, ``corpus``.
        ``target`` : ndarray of str of shape (n_clips,)
            Emotions.
        ``groups`` : ndarray of str of shape (n_clips,) or None
            Speakers, prefixed by corpus; None if the file does not tell.
        ``frame`` : DataFrame
            All columns.
        ``target_names`` : list of str
            The emotions, sorted.
        ``DESCR`` : str
            Where it came from.

    Raises
    ------
    CorpusError
        If the file cannot be read as CSV, a named column or a cell of one is missing, or none of
        the audio files is found.

    Warns
    -----
    CorpusWarning
        If some audio files are not found; their rows stay, and who reads them is told again. If
        `name` is given and the file names its corpora otherwise.

    See Also
    --------
    write_corpus : Write waveforms as files with such a CSV.

    Examples
    --------
    >>> from sersk.datasets import load_csv
    >>> corpus = load_csv("my_corpus.csv", label_column="label")  # doctest: +SKIP
    """
    csv = Path(csv).expanduser()
    frame = _read_table(csv)
    roles = {"path": path_column, "emotion": label_column}
    for standard, given in (("speaker", speaker_column), ("sentence", sentence_column)):
        if given is not None or standard in frame.columns:
            roles[standard] = given or standard
    _check_columns(csv, frame, roles)
    # A column of a standard name that is not asked for makes room for the one that is.
    others = [role for role in roles if role in frame.columns and role not in roles.values()]
    frame = frame.drop(columns=others).rename(columns={old: new for new, old in roles.items()})
    if "corpus" not in frame.columns:
        frame["corpus"] = name or csv.stem
    elif name is not None and set(frame["corpus"]) != {name}:
        warnings.warn(
            f"{str(csv)!r} has a column 'corpus', which counts: name={name!r} is not used. Remove "
            "the column, or leave name out.",
            CorpusWarning,
            stacklevel=3,
        )
    _refuse_empty_cells(csv, frame, [*roles, "corpus"])
    frame["emotion"] = frame["emotion"].map(canonical_emotion)
    for column in {"speaker", "sentence"} & set(frame.columns):
        frame[column] = _prefix_by_corpus(frame, column)
    frame["path"] = _locate(csv, frame["path"], root)
    return make_corpus_bunch(frame, descr=f"Corpus of {len(frame)} clips described by {csv.name}.")


@validate_params(
    {"corpus": [Bunch], "folder": [str, os.PathLike]}, prefer_skip_nested_validation=True
)
def write_corpus(corpus: Bunch, folder: str | os.PathLike[str]) -> Bunch:
    """Write a corpus of waveforms as 16-bit WAV files with a CSV file that describes them.

    Samples beyond full scale, -1 and 1, are cut there.

    Parameters
    ----------
    corpus : Bunch
        With waveforms in ``data``, as `make_emotional_speech` returns it, and ``sample_rate``.

    folder : path-like
        Where to; made if it is not there. Files of the same names are replaced. The CSV file,
        ``corpus.csv``, is written last: where it is, all clips are.

    Returns
    -------
    corpus : Bunch
        The same corpus with a clip table in ``data``, as `load_csv` gives it.

    Raises
    ------
    ValueError
        If ``data`` holds no waveforms, or a clip is empty.

    See Also
    --------
    load_csv : Load it again.
    make_emotional_speech : Makes waveforms.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech, write_corpus
    >>> corpus = make_emotional_speech(n_speakers=1, n_sentences=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_corpus(corpus, folder)
    >>> written.data.columns.to_list()
    ['path', 'speaker', 'sentence', 'corpus']
    """
    waveforms = corpus.data
    if not isinstance(waveforms, np.ndarray) or waveforms.ndim != 2 or "sample_rate" not in corpus:
        raise ValueError(
            "write_corpus needs waveforms of shape (n_clips, n_samples) in corpus.data, and "
            "corpus.sample_rate; this corpus has files already or is none."
        )
    lengths = valid_lengths(waveforms)
    if not lengths.all():
        raise ValueError(f"Clip {int(np.argmin(lengths))} holds no sample.")
    folder = Path(folder).expanduser()
    # Whoever finds the table finds all clips: it goes first and comes last.
    (folder / CSV_NAME).unlink(missing_ok=True)
    columns = [name for name in ("speaker", "emotion") if name in corpus.frame.columns]
    paths = [
        "_".join([f"{row:05d}", *(_NOT_IN_A_NAME.sub("-", str(cell)) for cell in cells)]) + ".wav"
        for row, cells in enumerate(corpus.frame[columns].itertuples(index=False))
    ]
    for path, samples, length in zip(paths, waveforms, lengths, strict=True):
        with atomic_path(folder / path) as temporary:
            soundfile.write(temporary, samples[:length], corpus.sample_rate, subtype="PCM_16")
    frame = corpus.frame.drop(columns="path", errors="ignore")
    frame.insert(0, "path", paths)
    with atomic_path(folder / CSV_NAME) as temporary:
        frame.to_csv(temporary, index=False)
    written = load_csv(folder / CSV_NAME)
    written.update(DESCR=corpus.DESCR, sample_rate=corpus.sample_rate)
    return written


def _read_table(csv: Path) -> pd.DataFrame:
    """Read a table as text, numbers where a whole column is numbers, without stray blanks."""
    try:
        with csv.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        separator = max(_SEPARATORS, key=header.count)
        # Text as it stands: speaker "01" is not speaker 1, and speaker "NA" has a name.
        table = pd.read_csv(
            csv, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except FileNotFoundError:
        raise CorpusError(f"There is no file {str(csv)!r}.") from None
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{str(csv)!r} is not encoded as UTF-8 ({error.reason} at byte {error.start}). Save it "
            "as 'CSV UTF-8'."
        ) from error
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorpusError(f"{str(csv)!r} cannot be read as CSV: {error}") from error
    names = [name.strip() for name in next(csv_module.reader([header], delimiter=separator))]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise CorpusError(f"{str(csv)!r} has more than one column {twice[0]!r}.")
    if table.empty:
        raise CorpusError(f"{str(csv)!r} describes no clip.")
    table = table.rename(columns=str.strip)
    # Blanks at the end of a cell would make two people of one.
    for column in table.columns:
        cells = table[column].str.strip()
        table[column] = cells.mask(cells == "")
    for column in table.columns.difference(["path", "emotion", "speaker", "sentence", "corpus"]):
        numbers = pd.to_numeric(table[column], errors="coerce")
        # A number that begins with 0 is a name.
        named = table[column].str.match("0[0-9]").fillna(False).astype(bool).any()
        if numbers.notna().equals(table[column].notna()) and not named:
            table[column] = numbers
    return table


def _check_columns(csv: Path, frame: pd.DataFrame, roles: dict[str, str]) -> None:
    there = ", ".join(map(repr, frame.columns))
    missing = [column for column in roles.values() if column not in frame.columns]
    if missing:
        raise CorpusError(
            f"{str(csv)!r} has no column {missing[0]!r}; it has {there}. Name the columns with "
            "path_column=, label_column=, speaker_column= and sentence_column=."
        )
    if len(set(roles.values())) < len(roles):
        raise CorpusError(f"One column has two roles: {roles}. It has {there}.")


def _refuse_empty_cells(csv: Path, frame: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        empty = np.flatnonzero(frame[column].isna())
        if empty.size:
            raise CorpusError(
                f"{str(csv)!r} has no {column} in {empty.size} row(s), the first being row "
                f"{int(empty[0]) + 1} below the header, blank lines not counted. Fill in the cells "
                "or remove the rows."
            )


def _prefix_by_corpus(frame: pd.DataFrame, column: str) -> pd.Series:
    prefixed = frame[column].copy()
    for corpus, rows in frame.groupby("corpus").groups.items():
        prefixed[rows] = prefix(str(corpus), frame.loc[rows, column])
    return prefixed


def _locate(
    csv: Path,
    paths: pd.Series,
    root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
) -> list[str]:
    """Find each file below the first root that has it."""
    if root is None:
        root = csv.parent
    roots = [root] if isinstance(root, str | os.PathLike) else list(root)
    folders = [Path(folder).expanduser() for folder in roots]
    if not folders:
        raise CorpusError("root is empty: name at least one folder, or leave it out.")
    located, absent = [], []
    for path in paths:
        places = [folder / path for folder in folders]
        place = next((place for place in places if place.exists()), None)
        if place is None:
            absent.append(path)
        located.append(str((place or places[0]).absolute()))
    if absent:
        message = (
            f"{len(absent)} of {len(located)} files named in {str(csv)!r} are not below "
            f"{', '.join(map(repr, map(str, folders)))}: {', '.join(absent[:_NAMES_SHOWN])}"
            f"{', ...' if len(absent) > _NAMES_SHOWN else ''}. Give their folder with root=."
        )
        if len(absent) == len(located):
            raise CorpusError(message)
        warnings.warn(message, CorpusWarning, stacklevel=4)
    return located
