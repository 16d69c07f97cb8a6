"""Encodings in scripts: a call of one of `plain`'s functions for each column."""

from __future__ import annotations

from collections.abc import Callable

from arithjax.export import plain
from arithjax.task.encodings import Column, Encoder, places

SPELT_OUT = 4
"""Columns that are named one by one; more are gone through."""


def function_of(encoder: Encoder) -> Callable:
    """The function of `plain` that encodes a column."""
    return plain.ENCODINGS[encoder.encoding.name.partition(":")[0]]


def call(encoder: Encoder, x: str) -> str:
    """An expression in NumPy that encodes the columns of a variable `x [points, columns]`."""
    columns, name = encoder.columns, function_of(encoder).__name__
    if len(columns) == 1:
        return f"{name}({x}[:, 0]{_given(encoder, columns[0])})"
    if len(columns) <= SPELT_OUT:
        parts = [f"{name}({x}[:, {i}]{_given(encoder, column)})" for i, column in enumerate(columns)]
        return f"np.concatenate([{', '.join(parts)}], 1)"
    if len(set(columns)) == 1:
        each = f"{name}({x}[:, i]{_given(encoder, columns[0])}) for i in range({len(columns)})"
        return f"np.concatenate([{each}], 1)"
    given = ", ".join(f"({_given(encoder, column)[2:]},)" for column in columns)
    return f"np.concatenate([{name}({x}[:, i], *given) for i, given in enumerate([{given}])], 1)"


def words(encoder: Encoder) -> str:
    """Of what numbers it has codes, in words that follow `numbers`; empty where of all."""
    if not encoder.encoding.whole:
        return ""
    ranges = dict.fromkeys(f"from {column.low:.0f} to {column.high:.0f}" for column in encoder.columns)
    return f", whole ones {' and '.join(ranges)}"


def _given(encoder: Encoder, column: Column) -> str:
    """The arguments of the function that follow the column."""
    family, _, parameter = encoder.encoding.name.partition(":")
    numbers, low = encoder.encoding.numbers(column), f"{column.low:.0f}"
    given: tuple[str | int, ...] = (low, numbers)
    if family == "binary":
        given = (numbers,)
    elif family == "digits":
        given = (parameter, places(column, int(parameter)))
    elif family == "fourier":
        given = (repr(column.low), repr(column.length), parameter)
    return "".join(f", {value}" for value in given)
