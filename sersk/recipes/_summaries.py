"""What a file of results says: runs, those that are not finished, and one table of all."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ..exceptions import CorpusWarning
from ..metrics import speaker_bootstrap
from ..model_selection._evaluation import fold_score, summarize_folds
from ._provenance import corpus_fingerprint
from ._registry import list_recipes, recipe_info
from ._results import ResultsFile, RunKey, n_folds_of, options_json, options_text

# What makes a row of the table: runs that differ by their seed alone.
_ROW = ("recipe", "options", "corpus", "fingerprint", "protocol", "n_splits", "condition")
# The published figure that stands beside ours, the first that there is.
_PUBLISHED = ("balanced_accuracy", "accuracy", "f1_macro")
_SECONDS_A_MINUTE = 60


@validate_params(
    {"path": [str, os.PathLike], "corpora": [Bunch, Mapping, list, tuple, None]},
    prefer_skip_nested_validation=True,
)
def load_runs(
    path: str | os.PathLike[str],
    corpora: Bunch | Mapping[str, Bunch] | Sequence[Bunch] | None = None,
) -> list[Bunch]:
    """Read the finished runs of a file of results.

    Parameters
    ----------
    path : path-like
        What `compute_run` or ``sersk benchmark`` wrote.

    corpora : Bunch, or sequence or mapping of them, default=None
        The corpora of the runs: they tell who speaks. Without them there are no intervals. Each
        run finds its own by what it holds, not by its name.

    Returns
    -------
    runs : list of Bunch
        In the order in which they were begun. Each has what
        :func:`sersk.model_selection.evaluate_protocol` returns, and:

        ``recipe``, ``corpus``, ``condition``, ``fingerprint`` : str
            See `prepare_run`.
        ``seed``, ``n_splits``, ``options``
            As given.
        ``minutes`` : float
            Of all folds together.
        ``published`` : dict of str to float
            What the source of the recipe reports, by metric, in [0, 1]; empty if the corpus is not
            that of the source.
        ``n_leaked`` : int
            Tested rows of which a copy was trained on.
        ``warnings`` : list of str
            What the folds had to say.
        ``versions``, ``machine``
            By what is told; where folds were computed with several, all of them.
        ``command``
            Of the last fold.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line of it is no result.

    Warns
    -----
    CorpusWarning
        If `corpora` are given and a run belongs to none of them: it is left out.

    See Also
    --------
    incomplete_runs : The others.
    benchmark_table : One row for all seeds.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import compute_run, load_runs, prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for protocol in ("random", "speaker"):
    ...         run = prepare_run("svm_functionals", corpus, protocol=protocol, n_splits=2)
    ...         errors = compute_run(run, f"{folder}/results.jsonl")
    ...     runs = load_runs(f"{folder}/results.jsonl", {"synthetic": corpus})
    >>> [(run.recipe, run.corpus, run.protocol) for run in runs]
    [('svm_functionals', 'synthetic', 'random'), ('svm_functionals', 'synthetic', 'speaker')]
    """
    results = _open(path)
    speakers = _speakers_by_fingerprint(corpora)
    runs, strangers = [], set()
    for key, folds in finished(results):
        if speakers is not None and key.fingerprint not in speakers:
            strangers.add(key.corpus)
            continue
        runs.append(summarize_run(key, folds, (speakers or {}).get(key.fingerprint)))
    if strangers:
        warnings.warn(
            f"Runs on {', '.join(sorted(strangers))} are left out: none of the corpora given holds "
            "just the clips that they were computed on.",
            CorpusWarning,
            stacklevel=3,
        )
    return runs


@validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
def incomplete_runs(path: str | os.PathLike[str]) -> pd.DataFrame:
    """List the runs of a file of results that lack folds.

    Parameters
    ----------
    path : path-like
        What `compute_run` or ``sersk benchmark`` wrote.

    Returns
    -------
    runs : DataFrame
        ``recipe``, ``options``, ``corpus``, ``protocol``, ``seed``, ``n_done`` and, where a fold
        failed, its ``error``; else an empty text.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import compute_run, incomplete_runs, prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> run = prepare_run("svm_functionals", corpus, options={"n_mfcc": 300}, n_splits=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     errors = compute_run(run, f"{folder}/results.jsonl")
    ...     runs = incomplete_runs(f"{folder}/results.jsonl")
    >>> runs[["recipe", "options", "n_done"]]
                recipe     options  n_done
    0  svm_functionals  n_mfcc=300       0
    """
    results = _open(path)
    complete = {key for key, _ in finished(results)}
    rows = []
    for key in dict.fromkeys([*results.folds, *results.errors]):
        errors = results.errors.get(key, {})
        folds = results.folds.get(key, {})
        if key not in complete and (errors or folds):
            rows.append(
                {
                    "recipe": key.recipe,
                    "options": options_text(key.options),
                    "corpus": key.corpus,
                    "protocol": key.protocol,
                    "seed": key.seed,
                    "n_done": len(folds),
                    "error": next(iter(errors.values()), ""),
                }
            )
    columns = ["recipe", "options", "corpus", "protocol", "seed", "n_done", "error"]
    return pd.DataFrame(rows, columns=columns)


def _open(path: str | os.PathLike[str]) -> ResultsFile:
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file of results {os.fspath(path)!r}.")
    return ResultsFile(path).refresh()


def finished(results: ResultsFile) -> list[tuple[RunKey, list[Bunch]]]:
    """List the runs of which all folds are there.

    Parameters
    ----------
    results : ResultsFile
        Refreshed.

    Returns
    -------
    runs : list of (RunKey, list of Bunch)
        With their folds, in order.
    """
    return [
        (key, [folds[number] for number in sorted(folds)])
        for key, folds in results.folds.items()
        if set(folds) >= set(range(n_folds_of(folds.values())))
    ]


def _speakers_by_fingerprint(corpora: Any) -> dict[str, NDArray[Any] | None] | None:
    if corpora is None:
        return None
    if isinstance(corpora, Bunch) and "frame" in corpora:
        corpora = [corpora]
    elif isinstance(corpora, Mapping):
        corpora = list(corpora.values())
    return {corpus_fingerprint(corpus): speakers_of(corpus) for corpus in corpora}


def speakers_of(corpus: Bunch) -> NDArray[Any] | None:
    """Tell who speaks in each clip.

    Parameters
    ----------
    corpus : Bunch
        As the loaders return it.

    Returns
    -------
    speakers : ndarray of shape (n_clips,), str, or None
        None where they are not known of every clip.
    """
    frame = corpus.frame
    if "speaker" not in frame.columns or frame["speaker"].isna().any():
        return None
    return np.asarray(frame["speaker"], dtype=str)


def summarize_run(key: RunKey, folds: Sequence[Bunch], speakers: NDArray[Any] | None) -> Bunch:
    """Put the folds of a run together.

    Parameters
    ----------
    key : RunKey
        The run.
    folds : sequence of Bunch
        All of them.
    speakers : ndarray of shape (n_clips,) or None
        Of the corpus.

    Returns
    -------
    run : Bunch
        As `load_runs` describes it.
    """
    outcomes = [
        Bunch(**{**fold, "balanced_accuracy": fold_score(fold.true, fold.predicted)})
        for fold in folds
    ]
    summary = summarize_folds(
        outcomes,
        protocol=key.protocol,
        n_clips=int(folds[0].n_rows),
        speakers=speakers,
        random_state=key.seed,
    )
    return Bunch(**summary, **_facts(key, folds))


def sketch_run(key: RunKey, folds: Sequence[Bunch], speakers: NDArray[Any] | None) -> Bunch:
    """Put together what `benchmark_table` needs, and no more.

    Parameters
    ----------
    key : RunKey
        The run.
    folds : sequence of Bunch
        All of them.
    speakers : ndarray of shape (n_clips,) or None
        Of the corpus.

    Returns
    -------
    run : Bunch
        Part of what `load_runs` describes.
    """
    rows = np.concatenate([fold.test for fold in folds])
    predictions = pd.DataFrame(
        {
            "true": np.concatenate([fold.true for fold in folds]),
            "predicted": np.concatenate([fold.predicted for fold in folds]),
        }
    )
    if speakers is not None:
        predictions["speaker"] = speakers[rows]
    return Bunch(protocol=key.protocol, predictions=predictions, **_facts(key, folds))


def _facts(key: RunKey, folds: Sequence[Bunch]) -> dict[str, Any]:
    last = folds[-1]
    return {
        "recipe": key.recipe,
        "corpus": key.corpus,
        "fingerprint": key.fingerprint,
        "seed": key.seed,
        "n_splits": key.n_splits,
        "n_folds": n_folds_of(folds),
        "options": json.loads(key.options),
        "condition": last.condition,
        "minutes": sum(fold.seconds for fold in folds) / _SECONDS_A_MINUTE,
        "published": _published(key.recipe, last.corpora),
        "n_leaked": sum(fold.n_leaked for fold in folds),
        "warnings": list(dict.fromkeys(text for fold in folds for text in fold.warnings)),
        "versions": _told_by_all(fold.versions for fold in folds),
        "machine": _told_by_all(fold.machine for fold in folds),
        "command": last.command,
    }


def _told_by_all(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put together what folds say; where they differ, all of it stands there, with commas."""
    values: dict[str, list[Any]] = {}
    for fact in facts:
        for name, value in fact.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {
        name: told[0] if len(told) == 1 else ", ".join(map(str, told))
        for name, told in values.items()
    }


def _published(recipe: str, corpora: Sequence[str]) -> dict[str, float]:
    if recipe not in list_recipes():
        return {}  # of another version of this package
    info = recipe_info(recipe)
    return dict(info.published) if set(corpora) == set(info.corpora) else {}


# ---------------------------------------------------------------------------------------- table


@validate_params({"runs": [list, tuple]}, prefer_skip_nested_validation=True)
def benchmark_table(runs: Sequence[Bunch]) -> pd.DataFrame:
    """Put runs into a table, a row for those that differ by their seed alone.

    Parameters
    ----------
    runs : sequence of Bunch
        As `load_runs` returns them.

    Returns
    -------
    table : DataFrame
        ``recipe``, ``options``, ``corpus``, ``protocol``, ``condition`` : str
            Which runs. Options are written as ``name=value``.
        ``n_splits``, ``n_folds``, ``n_seeds`` : int
            Folds that were asked for, those that there were groups for, and seeds.
        ``n_emotions`` : int
            That were told apart. Recipes that take two for one, as their source does, have fewer
            than others on the same corpus; their scores do not compare.
        ``balanced_accuracy``, ``accuracy``, ``f1_macro`` : float
            Means over seeds, in [0, 1].
        ``by_seed`` : tuple of float
            UAR of each seed.
        ``low``, ``high`` : float
            95 % interval of the UAR: predictions of all seeds, speakers resampled. NaN with fewer
            than eight speakers.
        ``published`` : float
            What the source reports, in [0, 1]; NaN where it says nothing of this corpus.
        ``published_metric`` : str
            Which score that is.
        ``minutes`` : float
            Of a seed, on average.

    Raises
    ------
    ValueError
        If there is no run.

    See Also
    --------
    sersk.inspection.BenchmarkDisplay : Draws it.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import benchmark_table, compute_run, load_runs, prepare_run
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for seed in (0, 1):
    ...         run = prepare_run("svm_functionals", corpus, seed=seed, n_splits=2)
    ...         errors = compute_run(run, f"{folder}/results.jsonl")
    ...     table = benchmark_table(load_runs(f"{folder}/results.jsonl", corpus))
    >>> table[["recipe", "protocol", "n_seeds"]]
                recipe protocol  n_seeds
    0  svm_functionals  speaker        2
    """
    if not runs:
        raise ValueError("There is no run to put into a table.")
    return pd.DataFrame([tabulate(group) for group in rows_of(runs).values()])


def rows_of(runs: Iterable[Bunch]) -> dict[tuple[Any, ...], list[Bunch]]:
    """Find the runs that differ by their seed alone.

    Parameters
    ----------
    runs : iterable of Bunch
        As `load_runs` returns them.

    Returns
    -------
    rows : dict of tuple to list of Bunch
        By what they share; each sorted by seed.
    """
    rows: dict[tuple[Any, ...], list[Bunch]] = {}
    for run in runs:
        named = {**run, "options": options_json(run.options)}
        rows.setdefault(tuple(named[name] for name in _ROW), []).append(run)
    return {row: sorted(group, key=lambda run: run.seed) for row, group in rows.items()}


def tabulate(group: Sequence[Bunch]) -> dict[str, Any]:
    """Make a row of the table.

    Parameters
    ----------
    group : sequence of Bunch
        Runs that differ by their seed alone.

    Returns
    -------
    row : dict
        As `benchmark_table` describes it.
    """
    first = group[0]
    scores = [_scores(run.predictions) for run in group]
    low, high = np.nan, np.nan
    if all("speaker" in run.predictions.columns for run in group):
        pooled = pd.concat([run.predictions for run in group], ignore_index=True)
        interval = speaker_bootstrap(
            pooled["true"], pooled["predicted"], pooled["speaker"], random_state=0
        )
        low, high = interval.low, interval.high
    metric = next((name for name in _PUBLISHED if name in first.published), "")
    means = {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
    return {
        "recipe": first.recipe,
        "options": options_text(options_json(first.options)),
        "corpus": first.corpus,
        "protocol": first.protocol,
        "condition": first.condition,
        "n_splits": first.n_splits,
        "n_folds": first.n_folds,
        "n_seeds": len(group),
        "n_emotions": len({emotion for run in group for emotion in run.predictions["true"]}),
        "balanced_accuracy": means["balanced_accuracy"],
        "low": low,
        "high": high,
        "by_seed": tuple(score["balanced_accuracy"] for score in scores),
        "accuracy": means["accuracy"],
        "f1_macro": means["f1_macro"],
        "published": float(first.published.get(metric, np.nan)),
        "published_metric": metric,
        "minutes": float(np.mean([run.minutes for run in group])),
    }


def _scores(predictions: pd.DataFrame) -> dict[str, float]:
    true, predicted = predictions["true"].to_numpy(), predictions["predicted"].to_numpy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return {
            "balanced_accuracy": float(balanced_accuracy_score(true, predicted)),
            "accuracy": float(accuracy_score(true, predicted)),
            "f1_macro": float(f1_score(true, predicted, average="macro", zero_division=0.0)),
        }
