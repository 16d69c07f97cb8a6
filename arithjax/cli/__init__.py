"""The command line: `main` runs it, `commands` declares every command, and the other modules carry them out."""

from __future__ import annotations

import gc
import logging
import shlex
import sys
import warnings

import click

from arithjax.cli.commands import arithjax
from arithjax.cli.output import Log, in_any_terminal, say
from arithjax.errors import ArithjaxError
from arithjax.studies import signals

__all__ = ["arithjax", "main"]


def main() -> None:
    """Run the command line; exit status 0 done, 1 a part of the answer is missing, 2 a mistake, 130 interrupted."""
    gc.set_threshold(100_000)  # what is imported and compiled stays; looking through it again and again takes a tenth
    warnings.showwarning = lambda message, *_: say(f"arithjax: warning: {message}", err=True)
    in_any_terminal()
    logging.getLogger("arithjax").addHandler(Log())
    logging.getLogger("arithjax").setLevel(logging.INFO)
    with signals.in_order():
        try:
            status, words = _carried_out()
            if words:
                say(f"arithjax: {words}", err=True)
        except KeyboardInterrupt:
            again = shlex.join(["arithjax", *sys.argv[1:]])
            kept = f" What was finished is kept. To go on: {again}" if sys.argv[1:2] == ["run"] else ""
            say(f"arithjax: interrupted.{kept}", err=True)
            signals.end(signals.INTERRUPTED)
    if status:
        sys.exit(status)


def _carried_out() -> tuple[int, str]:
    """Carry out the command; its exit status, and a line about what went wrong."""
    try:
        arithjax.main(prog_name="arithjax", standalone_mode=False)
    except click.ClickException as error:
        return 2, f"{error.format_message()} ('arithjax --help' shows the commands.)"
    except ArithjaxError as error:
        return 2, str(error)
    except click.Abort:  # as click calls a KeyboardInterrupt
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:  # a full disk, a folder that went away
        where = f" {error.filename}" if error.filename else ""
        return 2, f"the system refuses{where} ({error.strerror or error}); what was finished is kept."
    return 0, ""
