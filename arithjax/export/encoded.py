"""Encodings in scripts: a call of one of the functions of `codes` for each column, to show numbers and to read them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from arithjax.export import codes
from arithjax.task.encodings import Column, Encoder, places

SPELT_OUT = 4
"""Columns that are named one by one; more are gone through."""


def showing(*encoders: Encoder | None) -> list[Callable]:
    """The functions of `codes` that encoders show numbers with; None stands for a transform that is no encoding."""
    return [codes.ENCODINGS[_scheme(encoder)] for encoder in encoders if encoder is not None]


def reading(encoder: Encoder | None) -> list[Callable]:
    """The function of `codes` that reads an encoder's numbers off a net's outputs, likewise."""
    return [] if encoder is None else [codes.DECODINGS[_scheme(encoder)]]


def shown(encoder: Encoder, x: str) -> str:
    """An expression in NumPy that shows the columns of a variable `x [points, columns]`, side by side."""
    columns, name = encoder.columns, codes.ENCODINGS[_scheme(encoder)].__name__
    each = [f"{name}({x}[:, {i}]{_given(encoder, column)})" for i, column in enumerate(columns)]
    if len(columns) <= SPELT_OUT:
        return f"np.concatenate([{', '.join(each)}], 1)" if len(columns) > 1 else each[0]
    if len(set(columns)) == 1:
        every = f"{name}({x}[:, i]{_given(encoder, columns[0])}) for i in range({len(columns)})"
        return f"np.concatenate([{every}], 1)"
    given = ", ".join(f"({_given(encoder, column)[2:]},)" for column in columns)
    return f"np.concatenate([{name}({x}[:, i], *given) for i, given in enumerate([{given}])], 1)"


def read(encoder: Encoder, y: str) -> str:
    """An expression in NumPy for the numbers that a variable `y [points, numbers]` is nearest to.

    They are `[points]`, or `[points, columns]` of several columns.
    """
    columns, size = encoder.columns, encoder.sizes[0]
    if len(columns) == 1:
        return _of_column(encoder, columns[0], y)
    if len(columns) > SPELT_OUT and len(set(columns)) == 1:
        part = _of_column(encoder, columns[0], f"{y}[:, i : i + {size}]")
        return f"np.stack([{part} for i in range(0, {encoder.size}, {size})], 1)"
    ends = itertools.pairwise(itertools.accumulate(encoder.sizes, initial=0))
    parts = [f"{y}[:, {start}:{stop}]" for start, stop in ends]
    each = (_of_column(encoder, column, part) for column, part in zip(columns, parts, strict=True))
    return f"np.stack([{', '.join(each)}], 1)"


def words(encoder: Encoder) -> str:
    """Of what numbers it has codes, in words that follow `numbers`; empty where of all."""
    if not encoder.encoding.whole:
        return ""
    ranges = dict.fromkeys(f"from {column.low:.0f} to {column.high:.0f}" for column in encoder.columns)
    return f", whole ones {' and '.join(ranges)}"


def _scheme(encoder: Encoder) -> str:
    return encoder.encoding.name.partition(":")[0]


def _given(encoder: Encoder, column: Column) -> str:
    """The arguments that follow the column where it is shown."""
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


def _of_column(encoder: Encoder, column: Column, y: str) -> str:
    """The call that reads the numbers of a column off its outputs, an expression."""
    family, _, base = encoder.encoding.name.partition(":")
    low, high, signed = f"{column.low:.0f}", f"{column.high:.0f}", str(column.low < 0)
    given = {
        **{"binary": (signed,), "digits": (base, signed), "onehot": (low,), "thermometer": (low, high)},
        "fourier": (repr(column.low), repr(column.high), repr(column.length)),
    }[family]
    call = f"{codes.DECODINGS[family].__name__}({', '.join([y, *given])})"
    return f"np.round({call})" if family == "fourier" and column.whole else call
