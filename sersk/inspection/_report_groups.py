"""The numbers of a report: runs that differ in their seed alone, put together."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._utils._json import to_plain
from ..metrics import (
    calibration_error,
    classification_summary,
    reliability_curve,
    speaker_bootstrap,
)

_NEEDED = ("protocol", "predictions", "scores", "per_class", "confusion", "confused_pairs")
_SUMMARY = ("scores", "per_class", "per_speaker", "confusion", "confused_pairs")
# Runs of which these are the same differ in their seed alone. The number of folds and the state of
# the corpus count as well: a file of results may hold the same system with others.
_TOLD_APART_BY = (
    "condition", "recipe", "corpus", "protocol", "options", "n_splits", "fingerprint",
)  # fmt: skip

# What a corpus may tell of its speakers, and how it is headed.
_TRAITS = {"sex": "sex", "age": "age group", "ethnicity": "ethnicity", "race": "race"}
_UNKNOWN = "unknown"
_AGE_GROUPS = {"under 30": 30, "30 to 44": 45, "45 to 59": 60, "60 and over": math.inf}


def gather_groups(runs: Sequence[Mapping[str, Any]], corpora: Mapping[str, Any]) -> list[Bunch]:
    """Put together the runs that differ in their seed alone.

    Parameters
    ----------
    runs : sequence of Bunch
        As `write_report` takes them.
    corpora : mapping of str to Bunch
        What is known of the speakers.

    Returns
    -------
    groups : list of Bunch
        One for each condition, recipe, corpus and its state, protocol, options and number of folds,
        in the order in which they first come; conditions one after the other.

    Raises
    ------
    TypeError
        If a run is none.
    ValueError
        If a run lacks something, or the same run is there twice.
    """
    by_key: dict[tuple[str, ...], list[tuple[int, Mapping[str, Any]]]] = {}
    for number, run in enumerate(runs):
        check_run(number, run)
        key = tuple(json.dumps(to_plain(run.get(name)), sort_keys=True) for name in _TOLD_APART_BY)
        by_key.setdefault(key, []).append((number, run))
    for members in by_key.values():
        _refuse_twins(members)
    conditions = list(dict.fromkeys(key[0] for key in by_key))
    return [
        _make_group([run for _, run in by_key[key]], corpora)
        for condition in conditions
        for key in by_key
        if key[0] == condition
    ]


def check_run(number: int, run: Any) -> None:
    """Refuse what no evaluation returns.

    Parameters
    ----------
    number : int
        Of the run, for the message.
    run : object
        Shall be a Bunch.

    Raises
    ------
    TypeError
        If it is none.
    ValueError
        If it lacks something, or a published figure is no share.
    """
    if not isinstance(run, Mapping):
        raise TypeError(
            f"Run {number} is a {type(run).__name__}: a report is made of what evaluate_protocol "
            "of sersk.model_selection returns."
        )
    missing = [name for name in _NEEDED if run.get(name) is None]
    if missing:
        raise ValueError(
            f"Run {number} has no {', '.join(map(repr, missing))}: a report is made of what "
            "evaluate_protocol of sersk.model_selection returns."
        )
    for metric, value in (run.get("published") or {}).items():
        if not 0 <= value <= 1:
            raise ValueError(
                f"Run {number} has the published {metric!r} {value}: a share in [0, 1] is needed, "
                f"such as {value / 100:.4g}."
            )


def _refuse_twins(members: list[tuple[int, Mapping[str, Any]]]) -> None:
    seen: dict[Any, int] = {}
    for number, run in members:
        seed = run.get("seed")
        if seed is not None and seen.setdefault(seed, number) != number:
            raise ValueError(
                f"Runs {seen[seed]} and {number} are the same recipe, corpus, protocol and seed "
                f"({seed}): they would count twice. Leave one out."
            )


def _make_group(runs: list[Mapping[str, Any]], corpora: Mapping[str, Any]) -> Bunch:
    first = runs[0]
    predictions = pd.concat([run["predictions"] for run in runs], ignore_index=True)
    if "speaker" in predictions and predictions["speaker"].isna().any():
        predictions = predictions.drop(columns="speaker")  # not known of every run
    # As they are where there is one run: its intervals belong to its own seed.
    summary = (
        {name: first.get(name) for name in _SUMMARY}
        if len(runs) == 1
        else classification_summary(
            predictions["true"], predictions["predicted"], predictions.get("speaker")
        )
    )
    minutes = [run["minutes"] for run in runs if run.get("minutes") is not None]
    corpus = corpora.get(first.get("corpus") or "", {})
    return Bunch(
        condition=first.get("condition"),
        recipe=first.get("recipe"),
        corpus=first.get("corpus"),
        protocol=str(first["protocol"]),
        options=dict(first.get("options") or {}),
        seeds=[run.get("seed") for run in runs],
        by_seed=[float(run["scores"].loc["balanced_accuracy", "score"]) for run in runs],
        published={k: v for run in runs for k, v in (run.get("published") or {}).items()},
        minutes=float(np.mean(minutes)) if minutes else None,
        n_folds=[len(run["folds"]) for run in runs if run.get("folds") is not None],
        n_clips=[_count_clips(run["predictions"]) for run in runs],
        n_speakers=predictions["speaker"].nunique() if "speaker" in predictions else None,
        chance=1 / predictions["true"].nunique(),
        predictions=predictions,
        histories=[history for run in runs for history in run.get("histories") or []],
        unreadable={k: v for run in runs for k, v in (run.get("unreadable") or {}).items()},
        calibration=_calibrate(runs, predictions["true"]),
        subgroups=score_subgroups(predictions, corpus.get("frame")),
        **summary,
    )


def _count_clips(predictions: pd.DataFrame) -> int:
    return predictions["row"].nunique() if "row" in predictions else len(predictions)


def _calibrate(runs: list[Mapping[str, Any]], true: pd.Series) -> Bunch | None:
    """Compare the probabilities of all seeds with what was true, where all have some."""
    parts = [run["probabilities"] for run in runs if run.get("probabilities") is not None]
    if len(parts) < len(runs):
        return None
    emotions = sorted({*true, *(name for part in parts for name in part)}, key=str)
    # Not known to a run: never predicted by it. What is NaN otherwise stays so.
    whole: pd.DataFrame = pd.concat(
        [part.reindex(columns=emotions, fill_value=0.0) for part in parts], ignore_index=True
    )
    known = whole.notna().all(axis=1).to_numpy()
    n_without = int((~known).sum())
    try:
        labels, probabilities = true[known], whole[known]
        return Bunch(
            error=calibration_error(labels, probabilities),
            curve=reliability_curve(labels, probabilities),
            confidences=probabilities.max(axis=1).to_numpy(),
            n_without=n_without,
            problem=None,
        )
    except ValueError as problem:  # scores of another kind must not cost the rest of the report
        return Bunch(
            error=math.nan, curve=None, confidences=None, n_without=n_without, problem=str(problem)
        )


def score_subgroups(predictions: pd.DataFrame, frame: pd.DataFrame | None) -> dict[str, Any]:
    """Score the speakers by sex, age group and ethnicity, where the corpus tells them.

    Parameters
    ----------
    predictions : DataFrame with columns ``true``, ``predicted`` and ``speaker``
        Of one or several seeds.
    frame : DataFrame or None
        Of the corpus. A trait counts where a speaker has one value of it.

    Returns
    -------
    tables : dict of str to DataFrame
        By what the speakers are told apart: ``n_clips``, ``n_speakers``, ``n_emotions``,
        ``score``, ``low`` and ``high``, a row a group; the interval NaN with fewer than eight
        speakers.
    """
    tables: dict[str, Any] = {}
    if frame is None or "speaker" not in frame or "speaker" not in predictions:
        return tables
    for column, heading in _TRAITS.items():
        if column not in frame:
            continue
        traits = _name_age_groups(frame[column]) if column == "age" else frame[column]
        of_speaker = traits.groupby(frame["speaker"].astype(str)).agg(
            lambda values: values.iloc[0] if values.nunique(dropna=False) == 1 else np.nan
        )
        trait = predictions["speaker"].map(of_speaker)
        if not trait.notna().any():
            continue
        names = list(_AGE_GROUPS) if column == "age" else sorted(trait.dropna().unique(), key=str)
        # At the end, with those whom the corpus itself calls so.
        names = [name for name in names if name != _UNKNOWN] + [_UNKNOWN]
        trait = trait.astype(object).where(trait.notna(), _UNKNOWN)
        rows = {
            str(name): _score_part(predictions[(trait == name).to_numpy()])
            for name in names
            if (trait == name).any()
        }
        tables[heading] = pd.DataFrame(rows).T.astype(
            {"n_clips": int, "n_speakers": int, "n_emotions": int}
        )
    return tables


def _score_part(part: pd.DataFrame) -> dict[str, float]:
    result = speaker_bootstrap(part["true"], part["predicted"], part["speaker"])
    return {
        "n_clips": _count_clips(part),
        "n_speakers": part["speaker"].nunique(),
        "n_emotions": part["true"].nunique(),
        "score": result.score,
        "low": result.low,
        "high": result.high,
    }


def _name_age_groups(ages: pd.Series) -> pd.Series:
    years = pd.to_numeric(ages, errors="coerce")
    bounds = [-math.inf, *_AGE_GROUPS.values()]
    return pd.cut(years, bounds, right=False, labels=list(_AGE_GROUPS)).astype(object)


def to_document(group: Bunch) -> dict[str, Any]:
    """Give the numbers of a group, without what they were computed from.

    Parameters
    ----------
    group : Bunch
        As `gather_groups` returns it.

    Returns
    -------
    document : dict
        What JSON can hold.
    """
    left_out = ("predictions", "histories", "calibration", "figures", "notes", "anchor", "heading")
    document = {name: value for name, value in group.items() if name not in left_out}
    calibration = group["calibration"]
    document["calibration"] = calibration and {
        name: value for name, value in calibration.items() if name != "confidences"
    }
    plain: dict[str, Any] = to_plain(document)
    return plain
