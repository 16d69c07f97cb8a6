"""The command `list`: every registry's members, the built-in studies, and the columns of a table."""

from __future__ import annotations

from collections.abc import Callable

import click

from arithjax.errors import ArithjaxError, nearest
from arithjax.registry import REGISTRIES
from arithjax.studies.files import about_file, sweeps
from arithjax.tables.schema import COLUMNS


def _studies() -> dict[str, str]:
    return {path.stem: about_file(path) for path in sorted(sweeps().glob("*.py"))}


def _columns() -> dict[str, str]:
    return {name: column.about for name, column in COLUMNS.items()}


LISTS: dict[str, Callable[[], dict[str, str]]] = {
    **{kind: registry.lines for kind, registry in REGISTRIES.items()},
    "studies": _studies,
    "columns": _columns,
}
"""What can be listed: for each kind, a function that gives a line about every name."""


def list_members(kind: str | None) -> None:
    """Print what there is of one kind, or of all."""
    if kind is not None and kind not in LISTS:
        raise ArithjaxError(f"unknown kind '{kind}'{nearest(kind, LISTS)} There are {', '.join(LISTS)}.")
    for name in [kind] if kind else LISTS:
        if not kind:
            click.echo(f"{name}:")
        lines = LISTS[name]()
        width = max([15, *map(len, lines)]) + 1
        for member, about in lines.items():
            click.echo(f"  {member:<{width}}{about}")
