"""Recipes: a setup in every way that it can be written down to train it: a command, Python, and Keras."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Any

from arithjax import export
from arithjax.errors import ArithjaxError
from arithjax.fields import cell
from arithjax.registry import OPERATIONS
from arithjax.setup import DEFAULTS, FIELDS, Setup
from arithjax.task.datasets import Dataset

ENDS = ("low", "high", "integers", "extrapolation")
"""Fields whose defaults an operation may choose otherwise."""
GIVEN = ("op", "content")
"""Fields that no option states: the operation, and the digest of its data."""


CHANGES = "What changes"
"""The title of the fields that a recipe changes."""


def recipes(setup: Setup, before: Setup | None = None) -> dict[str, str]:
    """A setup as text to copy, by title: the command that trains it, Python, and Keras where that has what it needs.

    before: the setup that it mends, if any; then the fields that differ are there as well, under `CHANGES`.
    """
    in_keras = keras(setup)
    found = {"As a command": command(setup), "In Python": code(setup)} | ({"In Keras": in_keras} if in_keras else {})
    return found if before is None else found | {CHANGES: "\n".join(diff(before, setup))}


def diff(before: Setup, after: Setup) -> list[str]:
    """The fields in which two setups differ, a line each: name, value before, and value after."""
    old, new = before.to_dict(), after.to_dict()
    names = [name for name in new if new[name] != old[name]]
    width = max(map(len, names), default=0)
    return [f"{name:<{width}}  {as_text(old[name])} -> {as_text(new[name])}" for name in names]


def command(setup: Setup) -> str:
    """The command that trains a setup."""
    op = OPERATIONS.get(setup.op)
    read = isinstance(op, Dataset) and op.source
    words = ["arithjax", "fit", *(["--data", op.source, "--target", ",".join(op.targets)] if read else [setup.op])]
    for name, value in stated(setup).items():
        dashed = name.replace("_", "-")
        words += [f"--{'' if value else 'no-'}{dashed}"] if isinstance(value, bool) else [f"--{dashed}", as_text(value)]
    return shlex.join(words)


def code(setup: Setup) -> str:
    """Python that trains a setup."""
    fields = {"op": setup.op, **stated(setup)}
    shown = "".join(f"    {name}={value!r},\n" for name, value in fields.items())
    op, read = OPERATIONS.get(setup.op), ""
    if isinstance(op, Dataset) and op.source:
        read = f"aj.OPERATIONS[{op.name!r}] = aj.Dataset.read({op.source!r}, {[*op.targets]!r}, {op.name!r})\n"
    return f"import arithjax as aj\n\n{read}setup = aj.Setup(\n{shown})\nnet = aj.fit(setup)\nprint(net.row['grade'])\n"


def keras(setup: Setup) -> str | None:
    """A script of its own that trains a setup in Keras; None where Keras lacks what the net is made of."""
    with suppress(ArithjaxError):
        return export.untrained(setup, "keras")
    return None


def stated(setup: Setup) -> dict[str, Any]:
    """The fields of a setup, but those `GIVEN` with its operation, that are not as they are by default.

    The range is left out where arguments have their own.
    """
    usual = Setup(op=setup.op, **{name: getattr(setup, name) for name in ENDS})
    given = (*GIVEN, *(ENDS if OPERATIONS[setup.op].apart else ()))
    return {
        name: getattr(setup, name)
        for name in FIELDS
        if name not in given and getattr(setup, name) != (DEFAULTS[name] if name in ENDS else getattr(usual, name))
    }


def as_text(value: Any) -> str:
    """A field's value as the command line takes it."""
    shown = cell(tuple(value) if isinstance(value, list) else value)
    return f"{shown:g}" if isinstance(shown, float) and float(f"{shown:g}") == shown else str(shown)
