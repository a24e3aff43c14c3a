"""CREMA-D: 91 actors, six emotions, twelve sentences, and what listeners heard in them.

H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova and R. Verma, "CREMA-D: Crowd-sourced
emotional multimodal actors dataset", IEEE Transactions on Affective Computing 5(4), 2014,
pp. 377-390.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import CorpusError
from ._base import load_description
from ._grammar import LOADER_OPTIONS, Corpus, OnIncomplete, finish, scan

_NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)"
    r"_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)",  # one clip ends in _X
    re.IGNORECASE,
)
_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}

# Files of the repository, beside the recordings.
_DEMOGRAPHICS = "VideoDemographics.csv"
_VOTES = "tabulatedVotes.csv"
# Columns of the votes, by the first letter of the emotion.
_LETTERS = {name[0].upper(): name for name in _EMOTIONS.values()}
# A row of the votes is numbered 100000 + clip where people heard the voice alone, 200000 + clip
# where they saw the face, 300000 + clip where both.
_VOICE_ONLY = 1


def _parse(file: Path) -> dict[str, Any] | None:
    clip = file.stem.upper()
    match = _NAME.fullmatch(clip)
    if match is None:
        return None
    return {
        "clip": clip,
        "emotion": _EMOTIONS[match["emotion"]],
        "speaker": match["actor"],
        "sentence": match["sentence"],
        "intensity": _INTENSITIES.get(match["level"], "unspecified"),
    }


CREMAD = Corpus(
    name="cremad",
    title="CREMA-D",
    parse=_parse,
    n_clips=7442,
    example="1001_DFA_ANG_XX.wav",
    licence="ODbL 1.0",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    flawed={
        "1076_MTI_SAD_XX": "silent",
        **dict.fromkeys(
            (
                "1006_TIE_HAP_XX",
                "1006_TIE_NEU_XX",
                "1013_WSI_DIS_XX",
                "1013_WSI_SAD_XX",
                "1017_IWW_ANG_XX",
                "1017_IWW_FEA_XX",
            ),
            "one of a pair of the same recording with two emotions",
        ),
    },
    description=load_description("cremad"),
)


@validate_params(
    {**LOADER_OPTIONS, "labels": [StrOptions({"intended", "perceived"})]},
    prefer_skip_nested_validation=True,
)
def load_cremad(
    root: str | os.PathLike[str],
    *,
    labels: Literal["intended", "perceived"] = "intended",
    emotions: Collection[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_flawed: bool = True,
    on_incomplete: OnIncomplete = "warn",
) -> Bunch:
    """Load CREMA-D, with the emotions that were acted or those that people heard.

    Files are known by their names and found however deep below `root`, with any audio suffix; a
    name that is there twice counts once. Nothing is decoded. The official files
    ``VideoDemographics.csv`` and ``tabulatedVotes.csv`` are used where they lie below `root` or the
    folder above it.

    Parameters
    ----------
    root : path-like
        Folder of the clone, or the folder ``AudioWAV`` in it.

    labels : {"intended", "perceived"}, default="intended"
        The emotion that the actor was asked for, or the one that most listeners of the voice alone
        chose; clips without a single winner are then left out.

    emotions : array-like of str, default=None
        Emotions to keep, by the names they have after `rename`. By default all.

    rename : dict of str to str, default=None
        New names of emotions, such as ``{"calm": "neutral"}``.

    drop_flawed : bool, default=True
        Leave out the clips that ``DESCR`` names as flawed.

    on_incomplete : {"warn", "raise", "ignore"}, default="warn"
        What to do if clips are missing.

    Returns
    -------
    corpus : Bunch
        ``data`` : DataFrame of shape (n_clips, 4)
            Clip table: ``path``, ``corpus``, ``speaker``, ``sentence``.
        ``target`` : ndarray of str of shape (n_clips,)
            Emotions: anger, disgust, fear, happiness, neutral, sadness.
        ``groups`` : ndarray of str of shape (n_clips,)
            Speakers, ``"cremad_1001"`` to ``"cremad_1091"``.
        ``frame`` : DataFrame
            The clip table, ``emotion``, ``intensity`` and, from the official files, ``sex``,
            ``age``, ``race``, ``ethnicity``, ``intended``, ``perceived`` (empty without a single
            winner), ``agreement`` (share of the winner) and ``n_votes``.
        ``target_names`` : list of str
            The emotions that are there, sorted.
        ``vote_shares`` : DataFrame of shape (n_clips, 6) or None
            Soft labels: the share of the listeners of the voice alone that chose each emotion,
            under its canonical name before any `rename`; the rows are those of ``frame``. None
            without ``tabulatedVotes.csv``.
        ``DESCR`` : str
            What the corpus is, and its flaws.

    Raises
    ------
    CorpusError
        If `root` is no folder or holds no clip of the corpus; if clips are missing and
        `on_incomplete` is "raise"; if perceived labels are asked for and the votes are not there.
    ValueError
        If `emotions` or `rename` name an emotion that is not there.

    Warns
    -----
    CorpusWarning
        If clips are missing and `on_incomplete` is "warn".

    See Also
    --------
    load_ravdess : Eight emotions, fewer speakers.

    Examples
    --------
    >>> from sersk.datasets import load_cremad
    >>> corpus = load_cremad("CREMA-D", labels="perceived")  # doctest: +SKIP
    """
    frame = scan(CREMAD, root)
    frame["intended"] = frame["emotion"]
    demographics = _find_beside(root, _DEMOGRAPHICS)
    if demographics is not None:
        frame = frame.merge(_read_demographics(demographics), how="left", on="speaker")
    votes_file = _find_beside(root, _VOTES)
    shares = None
    if votes_file is not None:
        votes = _read_votes(votes_file).reindex(frame["clip"])
        shares = votes[list(_LETTERS.values())].set_axis(frame.index)
        for column in ("perceived", "agreement", "n_votes"):
            frame[column] = votes[column].to_numpy()
    elif labels == "perceived":
        raise CorpusError(
            f"Perceived labels need {_VOTES}, which is not below {os.fspath(root)!r} nor in the "
            "folder above it. It is in the folder processedResults of the CREMA-D repository."
        )
    n_expected = CREMAD.n_clips
    if labels == "perceived":
        heard = frame["perceived"].notna()
        n_expected -= int((~heard).sum())
        frame = frame[heard].assign(emotion=frame["perceived"])
    bunch = finish(
        CREMAD,
        # Under its own index until the end, so that the votes find their clips again.
        frame.assign(row=frame.index),
        n_expected=n_expected,
        emotions=emotions,
        rename=rename,
        drop_flawed=drop_flawed,
        on_incomplete=on_incomplete,
    )
    rows = bunch.frame.pop("row")
    bunch.vote_shares = None if shares is None else shares.loc[rows].reset_index(drop=True)
    return bunch


def _find_beside(root: str | os.PathLike[str], name: str) -> Path | None:
    """Find an official file below the root, or below the folder above it."""
    root = Path(root).expanduser()
    for folder in (root, root.absolute().parent):
        for place in (folder / name, folder / "processedResults" / name, *root.rglob(name)):
            if place.is_file():
                return place
    return None


def _read_demographics(file: Path) -> pd.DataFrame:
    table = _read_official(file, ["ActorID", "Age", "Sex", "Race", "Ethnicity"])
    return pd.DataFrame(
        {
            "speaker": table["ActorID"].astype(str),
            "sex": table["Sex"].str.lower(),
            "age": table["Age"],
            "race": table["Race"],
            "ethnicity": table["Ethnicity"],
        }
    ).drop_duplicates("speaker")


def _read_votes(file: Path) -> pd.DataFrame:
    """Read who heard what in the voice alone, one row a clip."""
    table = _read_official(file, [*_LETTERS, "fileName"], index_col=0)
    table = table[table.index // 100_000 == _VOICE_ONLY].drop_duplicates("fileName")
    counts = table.set_index("fileName")[list(_LETTERS)].rename(columns=_LETTERS)
    n_votes = counts.sum(axis=1)
    counts, n_votes = counts[n_votes > 0], n_votes[n_votes > 0]
    shares = counts.div(n_votes, axis=0)
    agreement = shares.max(axis=1)
    single = shares.eq(agreement, axis=0).sum(axis=1) == 1
    perceived = shares.idxmax(axis=1).where(single)
    return shares.assign(perceived=perceived, agreement=agreement, n_votes=n_votes)


def _read_official(file: Path, columns: list[str], **options: Any) -> pd.DataFrame:
    """Read a table of the repository, or say that it is not what it should be."""
    try:
        table: pd.DataFrame = pd.read_csv(file, **options)
    except (OSError, ValueError) as error:
        raise CorpusError(f"{str(file)!r} cannot be read as CSV: {error}") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise CorpusError(
            f"{str(file)!r} has no column {missing[0]!r}: it is not the file of the CREMA-D "
            "repository, or a Git LFS pointer in its place. Get it again, or take it away."
        )
    return table
