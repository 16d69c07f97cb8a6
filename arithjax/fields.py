"""Fields of a setup: what is known of each stands once, in the field, and everything else follows from it.

`arithjax.setup` declares every field with a `Field`. Coercion, checks and their messages, options of the command line,
columns of tables and arrays of programs are derived from these. To add a number of an optimiser's rule, add one field
with `of_optimizer`, and use it in the rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from arithjax.errors import ArithjaxError, in_full
from arithjax.registry import Registry

Kind = Literal["name", "names", "bool", "whole", "count", "number", "wholes", "numbers"]
"""The type of a field's value; `names` is one name, or a tuple with a name for each layer; `count` a whole number or
`all`, for which a table's cell is empty."""

ALL = "all"
"""The count that stands for all there are."""

Scope = Literal["net", "tile", "static"]
"""What has to agree between nets that one run of a compiled program trains together, in one tile:

net: nothing; every net of a tile may have its own number, in an array over nets.
tile: the value; it is a traced scalar or index, or belongs to the task or the evaluations, and changing it compiles
    nothing.
static: the value; changing it compiles another program.

Whether `weight_decay`, `clip`, `clip_value` and `regularizer` are used at all is static, too.
"""

LARGEST = 3e38
"""Numbers below it are not infinite in float32."""

SMALLEST = {"float32": 1.1754944e-38, "float64": 2.2250738585072014e-308}
"""For each precision the smallest number that is not 0 in it."""

WHOLE = {"float32": 2**24, "float64": 2**53}
"""For each precision the size up to which it holds every whole number."""


@dataclass(frozen=True)
class Limits:
    """The numbers that a field allows, from `low` to `high`.

    low, high: the ends, each a number or the name of another field whose value it is.
    above, below: whether `low`, or `high`, is itself left out.
    """

    low: float | str
    high: float | str = math.inf
    above: bool = False
    below: bool = False

    def allow(self, value: float, setup: Any) -> bool:
        """Whether a number lies within the limits, which may depend on the setup; NaN and infinity never do."""
        low, high = (getattr(setup, end) if isinstance(end, str) else end for end in (self.low, self.high))
        over = value > low if self.above else value >= low
        under = value < high if self.below else value <= high
        return abs(value) < LARGEST and over and under

    def words(self, setup: Any) -> str:
        """The limits as text, such as `at least 1` or `between 1 and steps=100`."""
        low, high = (
            f"{end}={getattr(setup, end)}" if isinstance(end, str) else _digits(end) for end in (self.low, self.high)
        )
        if self.high == math.inf:
            return f"greater than {low}" if self.above else f"at least {low}"
        if not (self.above or self.below):
            return f"between {low} and {high}"
        return f"{'above' if self.above else 'at least'} {low} and {'below' if self.below else 'at most'} {high}"


def _digits(number: float) -> str:
    """A number with all its digits, if it is a whole one."""
    return f"{number:,.0f}" if number == number // 1 and 1e5 < number < 1e15 else f"{number:g}"


@dataclass(frozen=True)
class OneOf:
    """The only names that a field without a registry allows."""

    names: tuple[str, ...]

    def allow(self, value: str, setup: Any) -> bool:
        """Whether a name is one of them."""
        return value in self.names

    def words(self, setup: Any) -> str:
        """The names as text, such as `float32 or float64`."""
        return " or ".join(self.names)


@dataclass(frozen=True)
class Field:
    """What is known of one field of a setup.

    default: its default; None stands for a default that depends on other fields.
    kind: the type of its value (see `Kind`).
    scope: what has to agree between nets of one tile (see `Scope`).
    help: its meaning, as the command line and `arithjax list columns` print it.
    registry: the registry that names its members, if any.
    allowed: the allowed numbers (of sequences: of every entry) or names, if not all are.
    shapes: whether a user's own module may be built from it; other fields only say how a net is trained.
    usual: of a number of an optimiser's rule, the default of optimisers that name no other; None for other fields.
    """

    default: Any
    kind: Kind
    scope: Scope
    help: str
    registry: Registry | None = None
    allowed: Limits | OneOf | None = None
    shapes: bool = True
    usual: float | None = None

    @property
    def follows(self) -> bool:
        """Whether what it allows depends on another field."""
        return isinstance(self.allowed, Limits) and str in (type(self.allowed.low), type(self.allowed.high))

    @property
    def optional(self) -> bool:
        """Whether None is allowed, for a default that depends on other fields."""
        return self.default is None

    def coerce(self, name: str, value: Any) -> Any:
        """The value in the field's one type, so that equal setups are equal data.

        A function stands for the name under which the registry enters it.

        Raises:
            ArithjaxError: when the value is of another kind; the message calls the field `name`.
        """
        if value is None and self.optional:
            return None
        try:
            if self.registry is not None and callable(value):
                return self.registry.enter(value)
            return _COERCE[self.kind](value)
        except ArithjaxError:
            raise
        except (TypeError, ValueError, OverflowError):
            shown = " ".join(repr(value).split())
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            words = _WORDS[self.kind] + ", or nothing for the default" * self.optional
            raise ArithjaxError(f"{name}={shown} is not allowed; it has to be {words}.") from None

    def parse(self, name: str, text: str) -> Any:
        """The value that the text of a table's cell, or of an option, stands for: `64,64` is a sequence.

        Raises:
            ArithjaxError: when the text is not the numbers that it has to be; the message calls the field `name`.
        """
        if self.kind in ("wholes", "numbers"):
            try:
                return [float(part) for part in text.split(",")] if text else []
            except ValueError:
                raise ArithjaxError(f"{name}={text!r} is not allowed; give numbers separated by commas.") from None
        if self.kind == "count":
            return int(text) if text.isdecimal() else text
        return text.split(",") if self.kind == "names" and "," in text else text

    def of_cell(self, name: str, content: Any) -> Any:
        """The value in a table's cell, which may be text, or be empty (None, NaN or NA); raises as `parse` does."""
        if _missing(content):
            return ALL if self.kind == "count" else None
        return self.parse(name, content) if isinstance(content, str) else content

    def to_cell(self, value: Any) -> Any:
        """The table cell of a value: the inverse of `of_cell`."""
        return None if self.kind == "count" and value == ALL else cell(value)

    def check(self, name: str, value: Any, setup: Any) -> None:
        """Raise `ArithjaxError` unless a coerced value, and each of a sequence, is a member or lies in the limits.

        The message calls the field `name`; limits may depend on the other fields of `setup`.
        """
        values = value if isinstance(value, tuple) else () if value is None or value == ALL else (value,)
        if self.allowed and not all(self.allowed.allow(one, setup) for one in values):
            subject = "every one has" if isinstance(value, tuple) else "it has"
            raise ArithjaxError(f"{name}={_shown(value)} is not allowed; {subject} to be {self.allowed.words(setup)}.")
        if self.kind == "number" and self.allowed and value and abs(value) < SMALLEST[setup.precision]:
            raise ArithjaxError(
                f"{name}={value:g} is not allowed; it is 0 in {setup.precision}, whose smallest number is "
                f"{SMALLEST[setup.precision]:.2g}."
            )

    def check_members(self, name: str, value: Any) -> None:
        """Raise `ArithjaxError` unless the field's registry, if it has one, holds the name or all of several."""
        if self.registry is None:
            return
        try:
            for member in names_of(value):
                self.registry[member]
        except ArithjaxError as error:
            raise ArithjaxError(f"{name}: {error}") from None


def declare(default: Any, kind: Kind, scope: Scope, help: str, **more: Any) -> Any:
    """A dataclass field with a default that carries its `Field`, made of the same arguments, as metadata `field`."""
    return field(default=default, metadata={"field": Field(default, kind, scope, help, **more)})


def of_training(default: Any, kind: Kind, scope: Scope, help: str, **more: Any) -> Any:
    """Likewise a field that only says how a net is trained, so that a user's own module is not built from it."""
    return declare(default, kind, scope, help, shapes=False, **more)


def of_optimizer(help: str, allowed: Limits, usual: float) -> Any:
    """Likewise a number of an optimiser's rule; by default the optimiser's own or else the `usual` one."""
    return of_training(None, "number", "tile", help, allowed=allowed, usual=usual)


def names_of(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names in a value of kind `name` or `names`."""
    return (value,) if isinstance(value, str) else value


def per_layer(value: str | Sequence[str], layers: int) -> tuple[str, ...]:
    """The names of so many layers, of a value that is one for all of them or has one for each."""
    return (value,) * layers if isinstance(value, str) else tuple(value)


def cell(value: Any) -> Any:
    """A field's value as a table cell: sequences become text such as `64,64`."""
    if not isinstance(value, tuple):
        return value
    return ",".join(in_full(v) if isinstance(v, float) else str(v) for v in value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value[:20])
    return cell(value)[:60] if isinstance(value, tuple) else in_full(value)


def _missing(value: Any) -> bool:
    """Whether a table's cell is empty; `NAType` is that of `pandas.NA`, which this module does not import."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _names(value: Any) -> str | tuple[str, ...]:
    if not isinstance(value, tuple | list):
        return _name(value)
    if not value:
        raise TypeError
    return tuple(_name(v) for v in value)


def _bool(value: Any) -> bool:
    if value not in (True, False):
        raise TypeError
    return bool(value)


def _whole(value: Any) -> int:
    if isinstance(value, str | bool) or int(value) != value or abs(int(value)) >= 2**31:
        raise ValueError
    return int(value)


def _count(value: Any) -> int | str:
    return ALL if isinstance(value, str) and value == ALL else _whole(value)


def _number(value: Any) -> float:
    if isinstance(value, str | bool):
        raise TypeError
    return float(value) + 0.0  # -0.0 becomes 0.0: setups that are equal have one identity


def _wholes(value: Any) -> tuple[int, ...]:
    return tuple(_whole(v) for v in (value if _is_sequence(value) else [value]))


def _numbers(value: Any) -> tuple[float, ...]:
    if not _is_sequence(value):
        raise TypeError
    return tuple(_number(v) for v in value)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | list) or type(value).__name__ == "ndarray"


_COERCE: dict[Kind, Callable[[Any], Any]] = {
    "name": _name,
    "names": _names,
    "bool": _bool,
    "whole": _whole,
    "count": _count,
    "number": _number,
    "wholes": _wholes,
    "numbers": _numbers,
}

_WORDS: dict[Kind, str] = {
    "name": "a name",
    "names": "a name, or one for each layer",
    "bool": "true or false",
    "whole": "a whole number below 2**31",
    "count": "a whole number below 2**31, or all",
    "number": "a number",
    "wholes": "whole numbers such as 64,64",
    "numbers": "pairs of numbers such as 500,1000",
}
