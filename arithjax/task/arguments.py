"""Arguments: the name, the type and the range of each number that an operation takes.

An operation whose arguments lie in ranges of their own says so, one `Argument` each:

    measured = (aj.Argument("kg", 40, 120), aj.Argument("m", 1.4, 2.1))
    aj.Operation("bmi", "kg / m²", lambda kg, m: kg / m**2, arguments=measured)

What such an argument leaves open, and all of an operation without them, comes from the setup. `Span` is the outcome.
"""

from __future__ import annotations

import inspect
import math
import numbers
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from arithjax.errors import ArithjaxError, in_full
from arithjax.ranges import closed


@dataclass(frozen=True)
class Span:
    """Where one argument lies.

    low, high: the ends of its range; of whole numbers `high` is left out.
    integers: whether it is drawn from the whole numbers of the range.
    values: the only numbers that it takes, in rising order, where they are listed; then `low` and `high` are the first
        and the last.
    """

    low: float
    high: float
    integers: bool
    values: tuple[float, ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number."""
        return closed(self.low, self.high, self.integers and not self.values)

    @property
    def whole(self) -> bool:
        """Whether it takes only whole numbers."""
        return all(value.is_integer() for value in self.values) if self.values else self.integers

    @property
    def count(self) -> int | None:
        """How many numbers it takes; None of real ones, which are not counted."""
        if self.values:
            return len(self.values)
        low, high = self.ends
        return int(high - low + 1) if self.integers else None

    def numbers(self) -> Float64[np.ndarray, " count"]:
        """All numbers that it takes, of an argument that is not real."""
        low, high = self.ends
        return np.array(self.values) if self.values else np.arange(low, high + 1, dtype=float)

    def grid(self, count: int) -> Float64[np.ndarray, " at_most_count_and_1"]:
        """About so many of its numbers, evenly spaced, with both ends, and 0 if it lies between them."""
        if self.values:
            return np.array(self.values)[np.unique(np.linspace(0, len(self.values) - 1, count).round().astype(int))]
        low, high = self.ends
        evenly = np.linspace(low, high, count)
        return np.unique(np.append(np.rint(evenly) if self.integers else evenly, [0.0] if low <= 0 <= high else []))

    def beside(self, above: bool) -> Span:
        """The next span of the same width, above or below; listed values stay as they are."""
        if self.values:
            return self
        step = (self.high - self.low) if above else (self.low - self.high)
        return replace(self, low=self.low + step, high=self.high + step)


@dataclass(frozen=True)
class Argument:
    """An argument of an operation.

    name: how it is called in messages, tables and formulas.
    low, high: the ends of its range, of which whole numbers leave `high` out; by default the setup's.
    integers: whether it is a whole number; by default real where it has a range of its own, or else as the setup says.
    values: the only numbers that it takes, in place of a range.

    Raises:
        ArithjaxError: the name is no text, or the range or the values are none.
    """

    name: str
    low: float | None = None
    high: float | None = None
    integers: bool | None = None
    values: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ArithjaxError(f"argument name={self.name!r} is not allowed; it has to be a text such as 'kg'.")
        if self.values is not None:
            self._set_values()
        elif (self.low is None) != (self.high is None):
            raise self._wrong("has one end of a range; give low and high, or neither for the setup's")
        elif self.low is not None:
            self._set_range()
        if self.integers not in (None, True, False):
            raise self._wrong(f"integers={self.integers!r} is not allowed; it has to be true or false")

    def _set_values(self) -> None:
        if self.low is not None or self.high is not None or self.integers is not None:
            raise self._wrong("has values and a range; give either values=(0, 1), or low, high and integers")
        try:
            values = tuple(sorted({self._number("values", value) for value in self.values or ()}))
        except TypeError:
            raise self._wrong(f"values={self.values!r} is not allowed; it has to be numbers such as (0, 1)") from None
        if not values:
            raise self._wrong("values is empty; give the numbers that it takes, such as (0, 1)")
        object.__setattr__(self, "values", values)

    def _set_range(self) -> None:
        low, high = self._number("low", self.low), self._number("high", self.high)
        smallest, largest = closed(low, high, bool(self.integers))
        if not low < high or smallest > largest:
            numbers_of, first, last = "whole number" if self.integers else "number", in_full(low), in_full(high)
            raise self._wrong(f"low={first}, high={last}: no {numbers_of} lies in {first} <= x < {last}; widen it")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def _number(self, what: str, value: Any) -> float:
        real = isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
        if not real or not math.isfinite(value) or abs(value) >= 1e18:
            raise self._wrong(f"{what}={value!r} is not allowed; it has to be a number below 1e18")
        return float(value) + 0.0

    def _wrong(self, words: str) -> ArithjaxError:
        return ArithjaxError(f"argument '{self.name}': {words}.")

    @property
    def own(self) -> bool:
        """Whether it has a range or values of its own."""
        return self.values is not None or self.low is not None

    def span(self, low: float, high: float, integers: bool) -> Span:
        """Where it lies, given what the setup says of all arguments."""
        if self.values is not None:
            return Span(self.values[0], self.values[-1], False, self.values)
        if self.low is None or self.high is None:
            return Span(low, high, integers if self.integers is None else self.integers)
        return Span(self.low, self.high, bool(self.integers))


def checked(op: str, arguments: Any, arity: int) -> tuple[Argument, ...]:
    """The arguments of an operation as a tuple; none, or one for each argument of its function.

    Raises:
        ArithjaxError: they are anything else, or two have one name.
    """
    given = tuple(arguments) if isinstance(arguments, Sequence) else (arguments,)
    wrong = [one for one in given if not isinstance(one, Argument)]
    if wrong:
        raise ArithjaxError(
            f"operation '{op}': arguments holds a {type(wrong[0]).__name__}; give an aj.Argument for each."
        )
    if given and len(given) != arity:
        raise ArithjaxError(f"operation '{op}': arguments names {len(given)}, and its function takes {arity}.")
    refuse_twice(f"operation '{op}'", [one.name for one in given])
    return given


def refuse_twice(about: str, names: Sequence[str]) -> None:
    """Raise `ArithjaxError`, which begins with `about`, where two arguments have one name."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ArithjaxError(f"{about}: two arguments are called '{twice}'; give each a name of its own.")


def argument_names(count: int) -> list[str]:
    """Names of so many arguments: `a`, `b` and so on, or `x1`, `x2` and so on where there are more than letters."""
    return list(string.ascii_lowercase[:count]) if count <= 24 else [f"x{i}" for i in range(1, count + 1)]


def arity_of(name: str, fn: Any, arity: Any) -> int:
    """The number of arguments that a function is called with: the given one, or those without a default.

    Raises:
        ArithjaxError: the function of the operation `name` is none, or takes another number of arguments.
    """
    if not callable(fn):
        raise ArithjaxError(
            f"operation '{name}': fn is a {type(fn).__name__}; it has to be a function of its arguments."
        )
    signature, needed = _signature(fn)
    arity = needed if arity is None else arity
    if isinstance(arity, bool) or not isinstance(arity, int) or arity < 1:
        raise ArithjaxError(
            f"operation '{name}': the number of its arguments cannot be told from its function; give arity=2, or how "
            "many there are (at least 1)."
        )
    try:
        if signature is not None:
            signature.bind(*range(arity))
    except TypeError:
        raise ArithjaxError(
            f"operation '{name}': its function takes {needed} arguments, not arity={arity}; leave arity out."
        ) from None
    return arity


def _signature(fn: Any) -> tuple[inspect.Signature | None, int]:
    """A function's signature, if it has one, and how many of its arguments have no default; 0 for any number."""
    if hasattr(fn, "nin"):  # of NumPy and jax.numpy
        return None, fn.nin
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return None, 0
    parameters = signature.parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return signature, 0
    return signature, sum(p.default is p.empty and p.kind in _POSITIONAL for p in parameters)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def combinations(spans: Sequence[Span]) -> int:
    """How many combinations of arguments there are; 0 where some are real and not counted."""
    return math.prod(span.count or 0 for span in spans)
