"""Encodings: numbers shown to a net as several, such as the bits of each.

An encoding turns a number of a known range into a row of numbers, and such a row, noise and all, into the number it is
nearest to. An `Encoder` is an encoding bound to the ranges of some columns, such as the arguments of an operation. To
add one:

    aj.TRANSFORMS["tens"] = aj.Encoding(
        "tens", "tens and units", lambda column: 2,
        lambda x, column: jnp.stack([x // 10, x % 10], 1), lambda y, column: 10 * y[:, 0].round() + y[:, 1].round(),
    )

Those below work on arrays of NumPy as on those of JAX, which this module does not import: a saved net answers without.

Sources: digits as symbols of their own, Nogueira et al. 2021 (arXiv:2102.13019), who find that how a number is written
decides whether addition is learnt; sines and cosines of doubling frequencies, Mildenhall et al. 2020 (arXiv:2003.08934,
equation 4) and Tancik et al. 2020 (arXiv:2006.10739); that pretrained language models show themselves numbers by such
periods, Zhou et al. 2024 (arXiv:2406.03445); a column for every step, Cheng et al. 2008 (arXiv:0704.1028, "a neural
network approach to ordinal regression").
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Num

from arithjax.errors import ArithjaxError
from arithjax.fields import WHOLE

MOST = 4096
"""The most numbers that an encoder may show, of all columns together."""


class Column(NamedTuple):
    """The closed range of a column, `[low, high]`, and whether it holds whole numbers alone."""

    low: float
    high: float
    whole: bool

    @property
    def size(self) -> int:
        """How many whole numbers it holds."""
        return int(self.high - self.low) + 1

    @property
    def length(self) -> float:
        """From its beginning to where the next such range would begin; 1 for a range of one real number."""
        return (self.high - self.low + self.whole) or 1.0


@dataclass(frozen=True)
class Encoding:
    """A way to show a number as several.

    name: its name, `input_transform` or `target_transform` in a setup.
    formula: what the several are, in words or symbols.
    numbers: of a `Column`, how many there are.
    encode: of numbers `x [rows, lanes]` and their `Column`, what they are shown as, `[rows, numbers, lanes]`.
    decode: of `y [rows, numbers, lanes]`, which may be anything a net says, and the `Column`, numbers `[rows, lanes]`;
        what `encode` gives, each changed by less than a half of what tells two apart, goes back to the number.
    whole: whether it is for whole numbers alone, and of no others than those of the range.
    blocks: of a `Column`, how many of the numbers in turn make a group of which one is 1 and all others are 0, of every
        group; None where there are no such groups.
    """

    name: str
    formula: str
    numbers: Callable[[Column], int]
    encode: Callable[[Any, Column], Any]
    decode: Callable[[Any, Column], Any]
    whole: bool = True
    blocks: Callable[[Column], tuple[int, ...]] | None = None
    several: ClassVar[bool] = True
    """Whether it shows a number as several."""

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.formula}; for {'whole' if self.whole else 'any'} numbers"

    def obstacle(self, low: float, high: float, whole: bool, precision: str) -> str:
        """Why it cannot show the numbers of a closed range, in words that follow its name; empty where it can.

        They have `{what}` for what the numbers are, such as `arguments`. whole: whether these are whole numbers.
        """
        if self.whole and not whole:
            return "shows whole numbers alone, and {what} are real; choose another transform, such as fourier:8."
        if self.whole and max(abs(low), abs(high)) > WHOLE[precision]:
            largest = math.log2(WHOLE[precision])
            return f"needs {{what}} up to 2**{largest:.0f}, which {precision} can tell apart; narrow the range."
        return ""

    def bound(self, bounds: tuple[tuple[float, float], ...], whole: bool | tuple[bool, ...]) -> Encoder:
        """The encoder of columns with these closed ranges; whole: whether all of them, or each, hold whole numbers."""
        return Encoder(self, bounds, whole)

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless `decode` undoes `encode`, and both work inside a compiled program."""
        from arithjax.task import trying  # a saved net needs encodings, and not jax

        what, column = f"encoding '{self.name}'", Column(0.0, 11.0, True)
        x = np.arange(12, dtype=np.float32).reshape(-1, 1) + np.zeros((1, 2), np.float32)
        shown = np.asarray(trying.called(f"{what}: encode", lambda x: self.encode(x, column), x))
        wanted = (len(x), self.numbers(column), 2)
        if shown.shape != wanted:
            raise ArithjaxError(f"{what}: encode gives shape {shown.shape} for [12, 2]; it has to give {wanted}.")
        back = np.asarray(trying.called(f"{what}: decode", lambda y: self.decode(y, column), shown))
        if back.shape != x.shape or not np.allclose(back, x, atol=1e-3):
            raise ArithjaxError(f"{what}: decode has to undo encode; of 0 to 11 it gives {back.ravel()[::2].tolist()}.")


@dataclass(frozen=True)
class Encoder:
    """An encoding of columns with known ranges.

    bounds: the closed range `(low, high)` of each column. whole: whether it holds whole numbers alone, of each column,
        or one for all.
    """

    encoding: Encoding
    bounds: tuple[tuple[float, float], ...]
    whole: bool | tuple[bool, ...] = True

    @functools.cached_property
    def columns(self) -> tuple[Column, ...]:
        """The range of each column."""
        whole = (self.whole,) * len(self.bounds) if isinstance(self.whole, bool) else self.whole
        return tuple(Column(float(low), float(high), of) for (low, high), of in zip(self.bounds, whole, strict=True))

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers each column is shown as."""
        return tuple(self.encoding.numbers(column) for column in self.columns)

    @property
    def size(self) -> int:
        """How many numbers a row is shown as."""
        return sum(self.sizes)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sizes of the groups that a row consists of, one number of each being 1; empty where there are no groups."""
        of = self.encoding.blocks
        return () if of is None else tuple(size for column in self.columns for size in of(column))

    @property
    def shows_bits(self) -> bool:
        """Whether all that it shows are zeros and ones, as far as the ends of the ranges and what lies between tell."""
        ends = np.array([np.rint(np.linspace(*bounds, 65)) for bounds in self.bounds]).T[..., None]
        return bool(np.isin(self.encode(ends), (0.0, 1.0)).all())

    def encode(self, x: Num[Any, "rows columns lanes"]) -> Num[Any, "rows {self.size} lanes"]:
        """Rows as a net sees them; NaN where an encoding of whole numbers is given any that its range does not hold."""
        xp = x.__array_namespace__()
        return xp.concatenate([self._column(x[:, i], column, xp) for i, column in enumerate(self.columns)], axis=1)

    def _column(self, x: Num[Any, "rows lanes"], column: Column, xp: Any) -> Num[Any, "rows numbers lanes"]:
        if not self.encoding.whole:
            return self.encoding.encode(x, column)
        known = (x >= column.low) & (x <= column.high) & (x == xp.floor(x))
        shown = self.encoding.encode(xp.where(known, x, xp.full_like(x, column.low)), column)
        return xp.where(known[:, None], shown, xp.full_like(shown, xp.nan))

    def decode(self, y: Num[Any, "rows {self.size} lanes"]) -> Num[Any, "rows columns lanes"]:
        """The numbers that rows are nearest to; NaN where one of a column's is NaN."""
        xp, ends = y.__array_namespace__(), (0, *itertools.accumulate(self.sizes))
        parts = [y[:, start:stop] for start, stop in itertools.pairwise(ends)]
        numbers = [self.encoding.decode(part, column) for part, column in zip(parts, self.columns, strict=True)]
        unknown = [xp.isnan(part).any(1) for part in parts]
        return xp.stack([xp.where(u, xp.full_like(x, xp.nan), x) for u, x in zip(unknown, numbers, strict=True)], 1)

    def check(self, field: str, what: str) -> None:
        """Raise `ArithjaxError` where it would show more than `MOST` numbers.

        field: of the setup that names the encoding. what: the columns in words, such as `arguments`.
        """
        if self.size > MOST:
            low, high = min(low for low, _ in self.bounds), max(high for _, high in self.bounds)
            raise ArithjaxError(
                f"{field}={self.encoding.name} would show {self.size:,} numbers for {what} from {low:g} to {high:g}, "
                f"and up to {MOST:,} are allowed; narrow the range, or take another encoding, such as binary or "
                "digits:10."
            )


# ---- digits, of which bits are those to base 2


def places(column: Column, base: int) -> int:
    """How many digits the numbers of a range have: one at least, and one more for the sign where some are negative."""
    signed = column.low < 0
    largest, count = int(max(column.high, -column.low - 1)), 0 if signed else 1
    while base**count <= largest:
        count += 1
    return count + signed


def digits(x: Num[Any, "rows lanes"], column: Column, base: int) -> Num[Any, "rows places lanes"]:
    """The digits of whole numbers, the highest first; those of x < 0 are of x + base^places, the base's complement.

    So each digit of a number counts as much as in any other, and the highest of negative numbers is base - 1.
    """
    xp, whole = x.__array_namespace__(), x.astype(int)
    found = [whole // base**place % base for place in reversed(range(places(column, base)))]
    return xp.stack(found, axis=1).astype(x.dtype)


def of_digits(digits: Num[Any, "rows places lanes"], column: Column, base: int) -> Num[Any, "rows lanes"]:
    """The whole numbers with these digits; with negative ones in the range, the upper half of the highest is theirs."""
    values = [digits[:, i] * base**place for i, place in enumerate(reversed(range(digits.shape[1])))]
    rest = sum(values[1:], 0.0 * values[0])
    if column.low >= 0:
        return values[0] + rest
    negative = (2 * digits[:, 0] >= base).astype(rest.dtype)
    return (values[0] - negative * base ** digits.shape[1]) + rest


def ones(y: Num[Any, "*shape"]) -> Num[Any, "*shape"]:
    """1 for what is nearer to 1 than to 0, else 0."""
    return (y > 0.5).astype(y.dtype)


def among(x: Num[Any, " *more"], count: int) -> Num[Any, " *numbers"]:
    """Whole numbers `[rows, ..., lanes]` as `count` numbers each, `[rows, ..., count, lanes]`: a 1 in its place."""
    xp = x.__array_namespace__()
    numbers = xp.arange(count).reshape(*(1,) * (x.ndim - 1), count, 1).astype(x.dtype)
    return (x[..., None, :] == numbers).astype(x.dtype)


def largest(y: Num[Any, " *numbers"]) -> Num[Any, " *more"]:
    """The inverse of `among`: the place of the largest number."""
    return y.__array_namespace__().argmax(y, axis=y.ndim - 2).astype(y.dtype)


def _digits_to(base: int) -> Encoding:
    def numbers(column: Column) -> int:
        return places(column, base) * base

    def encode(x: Num[Any, "rows lanes"], column: Column) -> Num[Any, "rows numbers lanes"]:
        return among(digits(x, column, base), base).reshape(len(x), numbers(column), -1)

    def decode(y: Num[Any, "rows numbers lanes"], column: Column) -> Num[Any, "rows lanes"]:
        return of_digits(largest(y.reshape(len(y), places(column, base), base, -1)), column, base)

    formula = f"digits to base {base}, the highest first, each one-hot"
    return Encoding(
        f"digits:{base}", formula, numbers, encode, decode, blocks=lambda column: (base,) * places(column, base)
    )


# ---- a column for every number


def _thermometer(x: Num[Any, "rows lanes"], column: Column) -> Num[Any, "rows numbers lanes"]:
    steps = x.__array_namespace__().arange(1, max(2, column.size)).reshape(1, -1, 1).astype(x.dtype)
    return (x[:, None] >= steps + column.low).astype(x.dtype)


def _of_thermometer(y: Num[Any, "rows numbers lanes"], column: Column) -> Num[Any, "rows lanes"]:
    return y.__array_namespace__().minimum(column.low + ones(y).sum(1), column.high)


# ---- waves


def _fourier(frequencies: int) -> Encoding:
    """Sines and cosines of `frequencies` waves: of the longest half a wave fills the range, each other is half as long.

    Of whole numbers the range ends where the next one would begin, so that n numbers have waves of 2n, n, n / 2, ...
    Beyond the range the waves go on.
    """

    def encode(x: Num[Any, "rows lanes"], column: Column) -> Num[Any, "rows numbers lanes"]:
        xp, wave = x.__array_namespace__(), 2 * column.length
        place, angles = xp.mod(x - column.low, wave), []
        for _ in range(frequencies):  # doubled and taken back without rounding
            angles.append(place * (2 * math.pi / wave))
            place = xp.where(place >= column.length, 2 * place - wave, 2 * place)
        turned = xp.stack(angles, axis=1)
        return xp.concatenate([xp.sin(turned), xp.cos(turned)], axis=1)

    def decode(y: Num[Any, "rows numbers lanes"], column: Column) -> Num[Any, "rows lanes"]:
        xp = y.__array_namespace__()
        turned = xp.arctan2(y[:, :frequencies], y[:, frequencies:]) / math.pi  # in halves of each wave, -1 to 1
        share = xp.where(turned[:, 0] < -0.5, 1.0, xp.maximum(turned[:, 0], 0.0)).astype(y.dtype)
        for i in range(1, frequencies):  # each wave tells more exactly what the longer ones tell
            half = 0.5**i
            share = half * (turned[:, i] + 2 * xp.round((share / half - turned[:, i]) / 2))
        x = column.low + share * column.length
        return xp.clip(xp.round(x) if column.whole else x, column.low, column.high)

    formula = f"sines and cosines of {frequencies} waves over the range, each half as long as the one before"
    return Encoding(f"fourier:{frequencies}", formula, lambda column: 2 * frequencies, encode, decode, whole=False)


ENCODINGS = (
    Encoding(
        "binary",
        "bits, the highest first; negative numbers as two's complement",
        lambda column: places(column, 2),
        lambda x, column: digits(x, column, 2),
        lambda y, column: of_digits(ones(y), column, 2),
    ),
    Encoding(
        "onehot",
        "a 1 in the place of the number",
        lambda column: column.size,
        lambda x, column: among(x - column.low, column.size),
        lambda y, column: largest(y) + column.low,
        blocks=lambda column: (column.size,),
    ),
    Encoding(
        "thermometer",
        "for every other number of the range whether x reaches it",
        lambda column: max(1, column.size - 1),
        _thermometer,
        _of_thermometer,
    ),
)
"""Those without a parameter."""

FAMILIES = {
    "digits:B": "digits to base B, from 2, each one-hot; for whole numbers, such as digits:10",
    "fourier:K": "sines and cosines of K waves over the range, each half as long as the one before; for any numbers",
}
"""Patterns of names with a parameter, each with a line about it."""

_MAKERS: dict[str, tuple[Callable[[int], Encoding], str, int, int]] = {
    "digits": (_digits_to, "the base", 2, MOST),
    "fourier": (_fourier, "the number of waves", 1, 24),
}
"""For each family: what makes a member, what its parameter is, and its smallest and largest."""


def derived(name: str) -> Encoding | None:
    """The encoding that a name such as `digits:10` means; None where it is of no family.

    Raises:
        ArithjaxError: its parameter is not allowed.
    """
    family, _, parameter = name.partition(":")
    return _made(family, parameter) if family in _MAKERS else None


@functools.cache  # one object each, so that equal encodings share a compiled program
def _made(family: str, parameter: str) -> Encoding:
    make, what, low, high = _MAKERS[family]
    number = int(parameter) if parameter.isascii() and parameter.isdecimal() and len(parameter) < 10 else 0
    if not low <= number <= high or str(number) != parameter:
        raise ArithjaxError(
            f"transform '{family}:{parameter}' needs {what} after the colon, from {low} to {high:,}, as in "
            f"'{family}:10'."
        )
    return make(number)


def named(name: str) -> Encoding | None:
    """The encoding of this name that came with arithjax; None where it is none, but a re-scaling."""
    return next((encoding for encoding in ENCODINGS if encoding.name == name), None) or derived(name)
