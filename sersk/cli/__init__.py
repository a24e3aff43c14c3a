"""The ``sersk`` command: parse, call public functions, show and write what they return.

Heavy imports stand inside the functions, so that ``sersk --help`` answers at once.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .. import __version__
from ..exceptions import SerskError, SerskWarning
from ._audit import audit
from ._benchmark import benchmark
from ._card import card
from ._corpora import corpora
from ._evaluate import demo, evaluate
from ._predict import predict
from ._train import train
from ._tune import tune

_EXIT_FAILURE = 1
_EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sersk")
@click.option("--traceback", is_flag=True, help="Show where in the code an error arose.")
@click.pass_context
def cli(context: click.Context, traceback: bool) -> None:
    """Speech emotion recognition, evaluated honestly.

    Exit status: 0 all went well, 1 it failed, 2 the command line is wrong, 130 interrupted.
    """
    context.ensure_object(dict)["traceback"] = traceback


cli.add_command(audit)
cli.add_command(benchmark)
cli.add_command(card)
cli.add_command(corpora)
cli.add_command(demo)
cli.add_command(evaluate)
cli.add_command(predict)
cli.add_command(train)
cli.add_command(tune)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit status.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments; by default those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # What sersk warns of is news for the user; the rest is between libraries.
    warnings.simplefilter("ignore")
    warnings.simplefilter("default", SerskWarning)
    warnings.showwarning = _show_warning
    # An emotion that the terminal cannot spell is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    state: dict[str, Any] = {}
    try:
        cli.main(arguments, prog_name="sersk", standalone_mode=False, obj=state)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. Results that were written are whole.", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    except (SerskError, ValueError, OSError) as error:
        if state.get("traceback"):
            raise
        click.echo(f"Error: {_without_number(error)}", err=True)
        sys.exit(_EXIT_FAILURE)
    sys.exit(0)


def _without_number(error: Exception) -> str:
    """Say what the operating system says, without the number that it gives it."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: {error.filename!r}"
    return str(error)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {message}", err=True)
