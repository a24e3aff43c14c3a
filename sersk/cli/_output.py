"""What the commands show and write: tables for people, JSON and CSV for programs, pictures."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._utils._files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.utils import Bunch


def describe_corpus(corpus: Bunch, name: str) -> dict[str, Any]:
    frame = corpus.frame
    return {
        "name": name,
        "synthetic": bool((frame["corpus"] == "synthetic").any()),
        "n_clips": len(frame),
        "n_speakers": frame["speaker"].nunique() if "speaker" in frame.columns else None,
        "n_sentences": frame["sentence"].nunique() if "sentence" in frame.columns else None,
        "clips_by_emotion": frame["emotion"].value_counts().sort_index().to_dict(),
    }


def to_json(result: Bunch) -> dict[str, Any]:
    """Turn a result into what JSON can hold; what is not there becomes null."""
    tables = {
        "scores": result.scores.to_json(orient="index"),
        "per_class": result.per_class.to_json(orient="index"),
        "confusion": result.confusion.to_json(orient="index"),
        "confused_pairs": result.confused_pairs.to_json(orient="records"),
        "folds": result.folds.to_json(orient="records"),
    }
    if result.per_speaker is not None:
        tables["per_speaker"] = result.per_speaker.to_json(orient="index")
    document = {name: json.loads(table) for name, table in tables.items()}
    return {**document, "unreadable": result.unreadable}


def write_results(out: Path, document: dict[str, Any], results: list[Bunch], corpus: Bunch) -> None:
    """Write the three files, each whole or not at all."""
    import pandas as pd

    title = f"{document['recipe']} on {document['corpus']['name']}"
    predictions = pd.concat(
        [result.predictions.assign(protocol=result.protocol) for result in results]
    )
    if "path" in corpus.frame.columns:
        names = corpus.frame["path"]
        with suppress(ValueError):  # on several drives
            common = os.path.commonpath([os.path.dirname(path) for path in names])
            names = names.map(lambda path: os.path.relpath(path, common))
        predictions["file"] = names.to_numpy()[predictions["row"]]
    with atomic_path(out / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)
    with atomic_path(out / "confusion_matrices.png") as temporary:
        _draw_confusion_matrices(results, title).savefig(temporary, dpi=120)
    with atomic_path(out / "results.json") as temporary:
        temporary.write_text(to_text(document), encoding="utf-8")


def to_text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def print_results(document: dict[str, Any], results: list[Bunch]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..recipes._prepare import SINGLE_CLIP

    corpus = document["corpus"]
    # Labels and names are data: brackets in them are not markup.
    console = Console(highlight=False, markup=False)
    title = Text(f"{document['recipe']} on {corpus['name']}: {corpus['n_clips']} clips")
    if corpus["n_speakers"]:
        title.append(f", {corpus['n_speakers']} speaker(s)")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("split", no_wrap=True)
    for heading in ("folds", "tested", "dropped", "UAR", "interval", "accuracy", "macro F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        scores = 100 * result.scores
        uar = scores.loc["balanced_accuracy"]
        table.add_row(
            result.protocol,
            str(len(result.folds)),
            str(len(result.predictions)),
            f"{result.folds['n_dropped'].mean():.0f}",
            f"{uar['score']:.1f}",
            "-" if math.isnan(uar["low"]) else f"{uar['low']:.1f} to {uar['high']:.1f}",
            f"{scores.loc['accuracy', 'score']:.1f}",
            f"{scores.loc['f1_macro', 'score']:.1f}",
        )
    console.print(table)
    if document["condition"] != SINGLE_CLIP:
        console.print(
            f"With {document['condition']}: not to be compared with scores of single clips.\n",
            style="bold",
        )
    console.print(
        "In percent. UAR: mean recall of the emotions, and its 95 % interval (speakers\n"
        "resampled). Dropped: clips a fold that may stand in neither part.\n",
        style="dim",
    )
    for result in results:
        _print_details(console, result)
    _print_means(console, results)
    gap = _gap(results)
    if gap is not None:
        console.print(
            f"\nOn voices never heard, UAR is {abs(gap):.1f} points "
            f"{'below' if gap >= 0 else 'above'} that of the random split.",
            style="bold",
        )
    if corpus["synthetic"]:
        console.print("The corpus is synthetic: these figures say nothing of real speech.")
    console.print(f"{document['seconds']:.0f} s", style="dim")


def _print_details(console: Any, result: Bunch) -> None:
    if result.scores["low"].isna().all() and result.per_speaker is not None:
        scores = ", ".join(
            f"{speaker} {100 * score:.1f}"
            for speaker, score in result.per_speaker["balanced_accuracy"].items()
        )
        console.print(
            f"{result.protocol}: too few speakers for an interval. UAR by speaker: {scores}"
        )
    worst = result.confused_pairs.head(3)
    if len(worst):
        pairs = ", ".join(
            f"{pair.true} as {pair.predicted} {100 * pair.share:.0f} %"
            for pair in worst.itertuples()
        )
        console.print(f"{result.protocol}: most confused are {pairs}")
    if result.unreadable:
        console.print(f"{result.protocol}: {len(result.unreadable)} file(s) could not be read")


def _print_means(console: Any, results: list[Bunch]) -> None:
    """Say what several seeds come to."""
    by_split: dict[str, list[float]] = {}
    for result in results:
        split = result.protocol.partition(",")[0]
        by_split.setdefault(split, []).append(
            float(100 * result.scores.loc["balanced_accuracy", "score"])
        )
    for split, scores in by_split.items():
        if len(scores) > 1:
            console.print(
                f"{split}: UAR {sum(scores) / len(scores):.1f} on average over {len(scores)} "
                f"seeds, {min(scores):.1f} to {max(scores):.1f}"
            )


def _gap(results: list[Bunch]) -> float | None:
    uar = {result.protocol: result.scores.loc["balanced_accuracy", "score"] for result in results}
    if not {"random", "speaker"} <= uar.keys():
        return None
    return float(100 * (uar["random"] - uar["speaker"]))


def _draw_confusion_matrices(results: list[Bunch], title: str) -> Figure:
    from matplotlib.figure import Figure

    from ..inspection._report_figures import confusion_size, plot_confusion

    size = max(confusion_size(result.confusion) for result in results)
    figure = Figure(figsize=(size * len(results) + 0.4, size + 0.7), layout="constrained")
    for axes, result in zip(
        figure.subplots(1, len(results), squeeze=False)[0], results, strict=True
    ):
        plot_confusion(axes, result.confusion)
        uar = 100 * result.scores.loc["balanced_accuracy", "score"]
        axes.set_title(f"{result.protocol} split: UAR {uar:.1f} %")
    figure.suptitle(title)
    return figure


def say(message: str, as_json: bool) -> None:
    if not as_json:
        click.echo(message, err=True)
