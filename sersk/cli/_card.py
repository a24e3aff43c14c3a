"""``sersk card``: what a model file says of its model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of Markdown.")
def card(model: Path, as_json: bool) -> None:
    """Print the card of a model file as Markdown: training corpora, licences, scores, versions.

    The model itself is not loaded.
    """
    from ..persistence import read_card

    found = read_card(model)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else found.to_markdown().rstrip())
