"""The command `why`: why a net does not learn, and what makes it learn."""

from __future__ import annotations

from typing import Any

import click

from arithjax import disk, protocols
from arithjax.cli.nets import asked_op, given_fields, members_of
from arithjax.cli.output import as_options
from arithjax.diagnosis.why import why as ask
from arithjax.errors import ArithjaxError, counted
from arithjax.setup import Setup
from arithjax.terminal import lines_chart
from arithjax.training.engines import choice

NETS = {"question": protocols.question}
"""Nets that can be asked about by name: functions of an operation and of fields that replace theirs."""


def why(
    op: str | None,
    data: str | None,
    target: str | None,
    net: str | None,
    seconds: float,
    seeds: int,
    seed: int,
    file: str | None,
    out: str | None,
    source: str | None,
    engine: str,
    **options: Any,
) -> None:
    """Say why a setup does not learn an operation, or the rows of a file, and what makes it learn.

    data, target: the file and its column of results, in place of an operation.
    source: a study that brings operations and other members of its own.
    options: the other fields of the setup, as text where the command line has no type for them; None is the default.
    """
    members_of(source)
    choice.use(engine)
    answer = ask(
        _setup(asked_op(op, data, target), net, given_fields(options)),
        seconds,
        seeds,
        seed,
        say=lambda words: click.echo(words, err=True),
    )
    text = answer.lines()
    head = text.index("", 2) if "" in text[2:] else len(text)
    click.echo(as_options("\n".join(text[:head])))  # the rest holds scripts, too
    where = "Where all arguments are equal" if answer.setup.one_range else answer.pictures[0].says
    picture = answer.pictures[0]
    click.echo(f"\n{where}:\n{lines_chart(picture.table, picture.kind == 'lines')}")
    click.echo("\n".join(text[head:]))
    click.echo(f"\n{counted(round(answer.seconds), 'second')}, {counted(len(answer.nets), 'net')}.")
    if file:
        _write(file, answer.to_json())
    if out:
        click.echo(f"Page: {answer.save(out)}")


def _setup(op: str, net: str | None, fields: dict[str, Any]) -> Setup:
    return NETS[net](op, **fields) if net else Setup(op=op, **fields)


def _write(file: str, text: str) -> None:
    try:
        disk.save(file, f"{text}\n".encode())
    except OSError as error:
        raise ArithjaxError(f"cannot write {file} ({error.strerror}); choose another file.") from None
