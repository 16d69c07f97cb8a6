"""What commands print: text from files that others made does nothing to a terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from arithjax.errors import ArithjaxError
from arithjax.setup import FIELDS

UNASKED = ("op", "content")
"""Fields without an option: the argument of the commands, and what is filled in by itself."""


def say(text: object = "", err: bool = False) -> None:
    """Print a line to standard output, or to standard error, made `visible`."""
    click.echo(visible(str(text)), err=err)


def visible(text: str) -> str:
    """Text in which letters that steer a terminal, or cannot be seen, are written out, as in a Python string."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def as_options(text: str) -> str:
    """Text with fields of a setup as options, as a command line takes them: `--split 0.5` for `split=0.5`."""
    return _FIELD.sub(_as_option, text)


def _as_option(found: re.Match[str]) -> str:
    name, value = found[1].replace("_", "-"), found[2]
    if value in ("True", "False"):
        return f"--{name}" if value == "True" else f"--no-{name}"
    return f"--{name} {value}"


_NAMES = "|".join([*(name for name in FIELDS if name not in UNASKED), "seeds", "seed", "seconds"])
_FIELD = re.compile(rf"(?<![^\s(])({_NAMES})=((?>'[^']*'|[^\s,;.:()'/]+(?:[.,:][^\s,;.:()'/]+)*))(?!/)")
"""A field, or a number that the commands take as well, and its value, as messages and answers write them."""


def in_any_terminal() -> None:
    """Let letters that a terminal's encoding lacks, such as `²` in ASCII, be printed as escapes, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class Log(logging.Handler):
    """What the library notes while it works, a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        say(f"arithjax: {record.getMessage()}", err=True)


class Parts:
    """An answer of several parts, shown when the work is done and kept: one that fails costs no other.

    A part that fails is named in a line on standard error, and the command ends with status 1.
    """

    def __init__(self) -> None:
        self.missing = False

    def attempt(self, what: str, part: Callable[[], Any], otherwise: Any = None) -> Any:
        """What a function gives, or `otherwise` where it fails; `what` names it in the message."""
        try:
            return part()
        except BrokenPipeError:  # nobody reads on
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            kind = "" if isinstance(error, ArithjaxError) else f"{type(error).__name__}: "
            say(f"arithjax: {what} could not be made ({kind}{reason}); the rest is there.", err=True)
            self.missing = True
            return otherwise

    def say(self, what: str, part: Callable[[], str | None]) -> None:
        """Print what a function gives, if anything."""
        if text := self.attempt(what, part):
            say(text)

    def end(self) -> None:
        """End the command: with status 1 if a part is missing."""
        if self.missing:
            raise SystemExit(1)
