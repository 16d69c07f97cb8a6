"""What commands print: text from files that others made does nothing to a terminal."""

from __future__ import annotations

import sys

import click


def say(text: object = "", err: bool = False) -> None:
    """Print a line to standard output, or to standard error, made `visible`."""
    click.echo(visible(str(text)), err=err)


def visible(text: str) -> str:
    """Text in which letters that steer a terminal, or cannot be seen, are written out, as in a Python string."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def in_any_terminal() -> None:
    """Let letters that a terminal's encoding lacks, such as `²` in ASCII, be printed as escapes, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
