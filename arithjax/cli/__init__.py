"""The command line: `main` runs it, `commands` declares every command, and the other modules carry them out."""

from __future__ import annotations

import sys
import warnings

import click

from arithjax.cli.commands import arithjax
from arithjax.errors import ArithjaxError
from arithjax.studies import signals

__all__ = ["arithjax", "main"]


def main() -> None:
    """Run the command line; exit status 0 done, 2 a mistake of the user's, 130 interrupted."""
    warnings.showwarning = lambda message, *_: click.echo(f"arithjax: warning: {message}", err=True)
    try:
        with signals.in_order():
            arithjax.main(prog_name="arithjax", standalone_mode=False)
    except click.ClickException as error:
        _fail(2, f"{error.format_message()} ('arithjax --help' shows the commands.)")
    except ArithjaxError as error:
        _fail(2, str(error))
    except (KeyboardInterrupt, click.Abort):
        again = " ".join(["arithjax", *sys.argv[1:]])
        kept = f" What was finished is kept. To go on: {again}" if sys.argv[1:2] == ["run"] else ""
        _fail(130, f"interrupted.{kept}")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that went away
        where = f" {error.filename}" if error.filename else ""
        _fail(2, f"the system refuses{where} ({error.strerror or error}); what was finished is kept.")


def _fail(status: int, words: str) -> None:
    """Write one line to standard error, and exit with this status."""
    click.echo(f"arithjax: {words}", err=True)
    sys.exit(status)
