"""``sersk corpora``: what is known of the corpora, and what a folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._loading import load_corpora

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

_COUNTED = ("channel", "emotion", "speaker", "sex", "sentence", "intensity")
# Longer tables of counts are summed up in a line.
_ROWS_SHOWN = 12


@click.command()
@click.argument("name", required=False, metavar="[NAME|FILE.csv]")
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the recordings, to look into."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout.")
def corpora(name: str | None, root: Path | None, as_json: bool) -> None:
    """List the corpora that sersk knows, or tell what a folder of one holds.

    Without NAME: name, size, licence and source of each. With NAME: its description. With --root
    (or a CSV file) also what is there: clips by emotion, speaker, sex and sentence, recordings that
    are the same bytes, those of them with different emotions, and clips known as flawed.
    """
    from ..datasets._registry import CORPORA

    if name is None and root is not None:
        raise click.UsageError("--root needs NAME: whose recordings are they?")
    if name is None:
        facts = [
            {
                "name": corpus.name,
                "title": corpus.title,
                "n_clips": corpus.n_clips,
                "licence": corpus.licence,
                "url": corpus.url,
            }
            for corpus in CORPORA.values()
        ]
        _show(facts, as_json, _print_facts)
    elif root is None and name in CORPORA:
        _show({"description": CORPORA[name].description}, as_json, _print_description)
    else:
        options: dict[str, Any] = {"channel": "all"} if name == "ravdess" else {}
        bunch, _ = load_corpora(
            [name], [root] if root else [], seed=0, asked_by="NAME", drop_flawed=False, **options
        )
        there = {Path(path).stem for path in bunch.frame.get("path", [])}
        known = CORPORA[name].flawed if name in CORPORA else {}
        flawed = {clip: reason for clip, reason in known.items() if clip in there}
        _show({**_describe(bunch), "flawed": flawed}, as_json, _print_contents)


def _describe(corpus: Bunch) -> dict[str, Any]:
    from ..datasets import find_copies

    frame = corpus.frame
    # A corpus that is made has no files to compare.
    copies = find_copies(corpus).groupby("copy") if "path" in frame.columns else []
    return {
        "n_clips": len(frame),
        "counts": {column: _count(frame[column]) for column in _COUNTED if column in frame.columns},
        "copies": [
            {
                "files": group["path"].tolist(),
                "emotions": group["emotion"].tolist(),
                "conflict": bool(group["conflict"].any()),
            }
            for _, group in copies
        ],
    }


def _count(column: pd.Series) -> dict[str, int]:
    """Count what a column holds; what is missing counts as unknown."""
    # Beside missing ones whole numbers are floats, unless they are converted.
    values = column.convert_dtypes().astype("string").fillna("unknown")
    return {str(value): int(count) for value, count in values.value_counts().sort_index().items()}


def _show(content: Any, as_json: bool, print_it: Any) -> None:
    if as_json:
        click.echo(json.dumps(content, indent=2))
    else:
        print_it(content)


def _print_facts(facts: list[dict[str, Any]]) -> None:
    for corpus in facts:
        click.echo(f"{corpus['name']:8} {corpus['title']}: {corpus['n_clips']} clips")
        click.echo(f"         {corpus['licence']}; {corpus['url']}")
    click.echo("\n'sersk corpora NAME' describes one, with --root DIR what a folder holds of it.")


def _print_description(content: dict[str, Any]) -> None:
    click.echo(content["description"])


def _print_contents(content: dict[str, Any]) -> None:
    click.echo(f"{content['n_clips']} clips")
    for column, counts in content["counts"].items():
        if len(counts) > _ROWS_SHOWN:
            few, many = min(counts.values()), max(counts.values())
            click.echo(f"{column}: {len(counts)} different, {few} to {many} clips each")
        else:
            listed = ", ".join(f"{value} {count}" for value, count in counts.items())
            click.echo(f"{column}: {listed}")
    for clip, reason in content["flawed"].items():
        click.echo(f"known as flawed, left out when loaded: {clip} ({reason})")
    for group in content["copies"]:
        names = ", ".join(Path(path).name for path in group["files"])
        verdict = "labels in conflict" if group["conflict"] else "same label"
        click.echo(f"same bytes, {verdict}: {names} ({', '.join(group['emotions'])})")
    if not content["copies"]:
        click.echo("no two files are the same bytes")
