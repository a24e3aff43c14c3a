"""Options that several commands have."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ._loading import CORPORA

Command = TypeVar("Command", bound=Callable[..., Any])

# Named here a second time so that the help of the commands needs no heavy import.
PROTOCOLS = ("random", "text", "speaker", "speaker+text", "corpus")
AS_PUBLISHED = "as-published"

# A word that TOML would want in quotes, which the shell has taken away.
_BARE_WORD = re.compile(r"[A-Za-z_][\w.+-]*")


def _refuse_zero(context: click.Context, parameter: click.Parameter, value: int) -> int:
    if value == 0:
        raise click.BadParameter("0 jobs do nothing: 1 or more, or -1 for all cores.")
    return value


def _parse_options(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any]:
    """Read NAME=VALUE pairs, values as TOML spells them."""
    options: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{pair!r}: NAME=VALUE is needed, as in max_epochs=30.")
        if name in options:
            raise click.BadParameter(f"{name!r} is given twice.")
        try:
            options[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            if not _BARE_WORD.fullmatch(value):
                raise click.BadParameter(
                    f'{pair!r}: the value is spelt as in TOML: 30, 0.1, true, [64, 128] or "text".'
                ) from None
            options[name] = value
    return options


corpus_option = click.option(
    "--corpus",
    "corpora",
    required=True,
    multiple=True,
    metavar="NAME|FILE.csv",
    help=f"{', '.join(CORPORA)}, synthetic, or a CSV file with the columns path, emotion, "
    "speaker, sentence. Given several times: all of them together.",
)
root_option = click.option(
    "--root",
    "roots",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of the recordings, one for each --corpus; for a CSV file by default its own.",
)
recipe_option = click.option(
    "--recipe", default="svm_functionals", show_default=True, help="Name of the system."
)


def options_option(more: str = "") -> Callable[[Command], Command]:
    """Make --option; `more` ends its help."""
    return click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parse_options,
        help=f"Parameter of the recipe, its value as in TOML; may be given several times.{more}",
    )


# Ends the help of --n-jobs where nets are trained.
NETS_TAKE_ALL = " Nets use all cores by themselves: their folds run one after the other."


def n_jobs_option(
    what: str = "Folds", default: int = -1, more: str = ""
) -> Callable[[Command], Command]:
    """Make --n-jobs; `what` runs at once, and `more` ends its help."""
    return click.option(
        "--n-jobs",
        type=int,
        callback=_refuse_zero,
        default=default,
        show_default=True,
        help=f"{what} that run at once, each in a process; -1 for all cores.{more}",
    )


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the results as JSON, and nothing else, to stdout.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of all that is random.",
)
n_splits_option = click.option(
    "--n-splits",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Folds; fewer where there are fewer speakers or sentences.",
)
memory_option = click.option(
    "--memory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which the features of each clip are kept for later runs, 10 GiB at most. "
    "Without it they are kept for this run.",
)


def versions() -> dict[str, str]:
    """Tell the versions of all that scores depend on."""
    from ..recipes._provenance import versions as of_packages

    return of_packages()


def refuse_unwritable(out: Path, option: str = "--out") -> None:
    """Find out beforehand, without leaving a trace, whether results can be written."""
    nearest = next(
        folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists()
    )
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise click.BadParameter(f"cannot write below {str(nearest)!r}", param_hint=option)
