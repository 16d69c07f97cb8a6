"""Encodings in scripts: a call of one of the functions of `codes` for each column, to show numbers and to read them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from arithjax.export import codes
from arithjax.task.encodings import Column, Encoder, Encoding, places

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
    """Which numbers it has codes for, in words that follow `numbers`; empty where for all."""
    if not encoder.encoding.whole:
        return ""
    ranges = dict.fromkeys(f"from {column.low:.0f} to {column.high:.0f}" for column in encoder.columns)
    return f", whole ones {' and '.join(ranges)}; NaN for others"


def _scheme(encoder: Encoder) -> str:
    return encoder.encoding.name.partition(":")[0]


def _given(encoder: Encoder, column: Column) -> str:
    """The arguments that follow the column where it is shown."""
    return "".join(f", {value}" for value in CALLS[_scheme(encoder)].shown(encoder.encoding, column))


def _of_column(encoder: Encoder, column: Column, y: str) -> str:
    """The call that reads the numbers of a column off its outputs, an expression."""
    scheme = _scheme(encoder)
    given = CALLS[scheme].read(encoder.encoding, column)
    call = f"{codes.DECODINGS[scheme].__name__}({', '.join([y, *map(str, given)])})"
    return f"np.round({call})" if column.whole and not encoder.encoding.whole else call


class Call(NamedTuple):
    """What follows the array in the calls of an encoding's two functions in `codes`, of an encoding and a column."""

    shown: Callable[[Encoding, Column], tuple[Any, ...]]
    read: Callable[[Encoding, Column], tuple[Any, ...]]


def _ends(column: Column) -> tuple[int, int]:
    return int(column.low), int(column.high)


def _base(encoding: Encoding) -> int:
    """The number in its name: the base of digits, or how many waves."""
    return int(encoding.name.partition(":")[2])


CALLS = {
    "binary": Call(lambda e, column: (*_ends(column), e.numbers(column)), lambda e, column: (column.low < 0,)),
    "digits": Call(
        lambda e, column: (*_ends(column), _base(e), places(column, _base(e))),
        lambda e, column: (_base(e), column.low < 0),
    ),
    "onehot": Call(lambda e, column: _ends(column), lambda e, column: (int(column.low),)),
    "thermometer": Call(lambda e, column: _ends(column), lambda e, column: _ends(column)),
    "fourier": Call(
        lambda e, column: (column.low, column.length, _base(e)),
        lambda e, column: (column.low, column.high, column.length),
    ),
}
"""By the name of the encoding or its family, as `codes.ENCODINGS` and `codes.DECODINGS` are."""
