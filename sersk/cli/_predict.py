"""``sersk predict``: what a model says of recordings."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from .._utils._files import atomic_path
from .._utils._progress import track
from ._options import refuse_unwritable

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["table", "csv", "json"]

_FORMATS: tuple[Format, ...] = ("table", "csv", "json")
_DIGITS = 4
# Names of files that are longer are cut at their beginning, in the table for people.
_WIDEST_NAME = 40
_ALSO_SHOWN = 2

_EXAMPLES = """\b
Examples:
  sersk predict model.skops call.wav --window 3 --hop 1
  sersk predict model.skops recordings --min-confidence 0.5 --out predictions.csv
  sersk predict model.skops recordings --format json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.argument("recordings", nargs=-1, required=True, metavar="FILE|FOLDER...")
@click.option(
    "--window",
    type=click.FloatRange(min=0, min_open=True),
    help="Length of a window, in seconds. Without it a recording is one clip, of which the model "
    "hears as much as its longest training clip had.",
)
@click.option(
    "--hop",
    type=click.FloatRange(min=0, min_open=True),
    help="Distance of the beginnings of two windows, in seconds; by default --window.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Probability below which a prediction is 'unsure'.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="How to print; by default a table, or what the suffix of --out says.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the predictions, in place of stdout.",
)
@click.option("--sha256", help="Checksum that the model file has to have.")
def predict(
    model: Path,
    recordings: tuple[str, ...],
    window: float | None,
    hop: float | None,
    min_confidence: float | None,
    form: Format | None,
    out: Path | None,
    sha256: str | None,
) -> None:
    """Predict the emotions of recordings with a model file.

    Of a folder all audio files are taken, however deep. A file that cannot be read is named on
    stderr, and the rest predicted: the exit status is 1 only if nothing could be predicted. A
    warning on stderr tells of recordings that are unlike those of the training.
    """
    from ..persistence import load, read_card
    from ..persistence._predictions import count_clips, iterate_predictions

    if hop is not None and window is None:
        raise click.UsageError("--hop needs --window, the length of what is predicted each time.")
    if out is not None:
        refuse_unwritable(out.parent)
    loaded = load(model, sha256=sha256)
    card = read_card(model)
    if card.non_commercial:
        named = ", ".join(card.non_commercial)
        click.echo(f"Not for commercial use: the model was trained on {named}.", err=True)
    failed: dict[str, str] = {}
    tables = iterate_predictions(
        loaded, recordings, failed, window=window, hop=hop, min_confidence=min_confidence,
        profile=card.profile,
    )  # fmt: skip
    # What cannot work is told before anything is written.
    first = next(tables, None)
    tables = chain([] if first is None else [first], tables)
    counts = {"predicted": 0, "unsure": 0}
    # A table that is printed as it comes shows itself how far it is.
    show = sys.stderr.isatty() and not (out is None and sys.stdout.isatty())
    tables = track(
        tables,
        total=count_clips(recordings, window, hop) if show else 0,
        description="predictions",
        show=show,
        position=lambda: counts["predicted"] + len(failed),
    )
    with suppress(_NothingPredicted), _output(out) as stream:
        _WRITERS[form or _form_of(out)](stream, _rows_of(tables, counts), failed)
        if not counts["predicted"]:
            raise _NothingPredicted  # no file then, and one that was there stays
    for path, reason in failed.items():
        click.echo(f"Could not read {path!r}: {reason}", err=True)
    unsure = f", {counts['unsure']} of them unsure" if min_confidence is not None else ""
    unread = f"; {len(failed)} could not be read" if failed else ""
    click.echo(f"{counts['predicted']} prediction(s){unsure}{unread}", err=True)
    if not counts["predicted"]:
        raise click.ClickException("nothing could be predicted.")


class _NothingPredicted(Exception):
    """Leaves the file of --out as it was; what went wrong is told after it."""


def _form_of(out: Path | None) -> Format:
    suffix = "" if out is None else out.suffix.lower()
    return "json" if suffix == ".json" else "csv" if suffix == ".csv" else "table"


@contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    with (
        atomic_path(out) as temporary,
        # Names of files are written as they are, also those that are no text.
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield file


def _rows_of(tables: Iterable[pd.DataFrame], counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Give predictions one by one, as plain values, and count them."""
    from ..persistence._predictions import PROBABILITY, UNSURE

    for table in tables:
        labels = [name for name in table.columns if name.startswith(PROBABILITY)]
        counts["predicted"] += len(table)
        counts["unsure"] += int((table["emotion"] == UNSURE).sum())
        for row in table.to_dict("records"):
            confidence = float(row["confidence"])
            yield {
                "file": row["path"],
                "start": round(float(row["start"]), _DIGITS),
                "stop": round(float(row["stop"]), _DIGITS),
                "emotion": str(row["emotion"]),
                "confidence": None if math.isnan(confidence) else round(confidence, _DIGITS),
                **({"unlike": row["unlike"]} if "unlike" in row else {}),
                "probabilities": {
                    name.removeprefix(PROBABILITY): round(float(row[name]), _DIGITS)
                    for name in labels
                },
            }


def _write_json(stream: TextIO, rows: Iterable[dict[str, Any]], failed: dict[str, str]) -> None:
    """Write one document, a line a prediction, as they come."""
    stream.write('{"predictions": [')
    for number, row in enumerate(rows):
        stream.write(("," if number else "") + "\n " + json.dumps(row, allow_nan=False))
    # Complete only now.
    stream.write(f'\n], "failed": {json.dumps(failed)}}}\n')


def _write_csv(stream: TextIO, rows: Iterable[dict[str, Any]], failed: dict[str, str]) -> None:
    """Write what pandas and TimelineDisplay read: a column ``p_<emotion>`` an emotion."""
    from ..persistence._predictions import PROBABILITY

    writer = csv.writer(stream, lineterminator="\n")
    begun = False
    for row in rows:
        probabilities = row.pop("probabilities")
        if not begun:
            writer.writerow([*row, *(f"{PROBABILITY}{label}" for label in probabilities)])
            begun = True
        writer.writerow([*row.values(), *probabilities.values()])


def _write_table(stream: TextIO, rows: Iterable[dict[str, Any]], failed: dict[str, str]) -> None:
    """Write lines for people, as they come."""
    heading = (
        f"{'file':<{_WIDEST_NAME}} {'start':>9} {'stop':>9}  {'emotion':<12} {'sure':>5}  next\n"
    )
    for number, row in enumerate(rows):
        if not number:
            stream.write(heading)
        confidence = row["confidence"]
        sure = "-" if confidence is None else f"{100 * confidence:.0f} %"
        ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])
        # Of an unsure prediction, the most probable ones are what there is to tell.
        others = [pair for pair in ranked if pair[0] != row["emotion"]][:_ALSO_SHOWN]
        also = ", ".join(f"{label} {100 * value:.0f} %" for label, value in others)
        stream.write(
            f"{_short(row['file']):<{_WIDEST_NAME}} {row['start']:>9.2f} {row['stop']:>9.2f}  "
            f"{row['emotion']:<12} {sure:>5}  {also}".rstrip()
            + "\n"
        )


def _short(name: str) -> str:
    return name if len(name) <= _WIDEST_NAME else "..." + name[3 - _WIDEST_NAME :]


_WRITERS = {"table": _write_table, "csv": _write_csv, "json": _write_json}
