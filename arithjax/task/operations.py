"""Operations: what is to be learnt.

An operation is an exact function of one or two arguments and the place where it is defined. To add one:

    aj.OPERATIONS["cube"] = aj.Operation("cube", "a³", lambda a: a**3, arity=1)

Its arguments may be sums over slices of a longer input, as in the arithmetic dataset of Madsen & Johansen (2020): the
name `mul:4:0-4:0-2` is (x₁ + x₂ + x₃ + x₄) · (x₁ + x₂).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from arithjax.environment import arithmetic
from arithjax.errors import ArithjaxError
from arithjax.registry import OPERATIONS


def everywhere(low: float, high: float) -> bool:
    """True on every interval."""
    return True


def without_zero(low: float, high: float) -> bool:
    """True when 0 is not in `[low, high]`."""
    return low > 0 or high < 0


def not_negative(low: float, high: float) -> bool:
    """True when `[low, high]` holds no negative number."""
    return low >= 0


@dataclass(frozen=True)
class Operation:
    """An exact operation on arguments of equal shape, elementwise, written with `jax.numpy`.

    name: its name, `op` in a setup.
    symbol: how it is written, for messages and lists, such as `a · b`.
    fn: the function of `arity` arrays.
    arity: the number of arguments.
    defined: of the ends `(low, high)` of a closed interval, whether `fn` is defined when every argument may take any
        value of it.
    where: the same in words, such as `b ≠ 0`.
    leaves_out: whether arguments without a finite result are left out of examples and test points, instead of making
        an interval that holds such a wrong one.
    """

    name: str
    symbol: str
    fn: Callable[..., Array]
    arity: int = 2
    defined: Callable[[float, float], bool] = everywhere
    where: str = "everywhere"
    leaves_out: bool = False

    def __call__(self, x: Num[Array | np.ndarray, " ..."], axis: int = 1) -> Num[Array, " ..."]:
        """Targets for arguments stacked on `axis`: `[examples, arity, ...] -> [examples, ...]`."""
        return self.fn(*(jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(self.arity)))

    def usable(self, x: Num[Array, "examples arity *rest"]) -> Num[Array, "examples arity *rest"]:
        """The arguments, with another example in the place of each that is left out: the last usable one before it."""
        if not self.leaves_out:
            return x
        finite = jnp.isfinite(self(x))
        number = jnp.arange(len(x)).reshape(-1, *[1] * (finite.ndim - 1))
        latest = jax.lax.cummax(jnp.where(finite, number, -1))
        return jnp.take_along_axis(x, jnp.where(latest < 0, jnp.argmax(finite, 0), latest)[:, None], 0)

    def check(self, low: float, high: float, what: str = "low, high") -> None:
        """Raise `ArithjaxError` unless the operation is defined on `[low, high]`; the message calls that `what`."""
        if not self.defined(low, high):
            raise ArithjaxError(
                f"{what}: {self.name} ({self.symbol}) is not defined on [{low:g}, {high:g}]; it is defined where "
                f"{self.where}. Choose another interval."
            )

    def results(self, x: Num[np.ndarray, "points arity"], precision: str = "float32") -> Float[np.ndarray, " points"]:
        """Exact results `[points]` of arguments `x [points, arity]`, rounded to a precision, `float32` or `float64`."""
        with arithmetic(precision):
            return np.asarray(self(jnp.asarray(x, float)), precision)

    def smallest(self, low: float, high: float, integers: bool) -> float:
        """The smallest result on a grid of the closed interval `[low, high]` with its ends, and 0 if it is inside."""
        return _smallest(self, low, high, integers)

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.symbol}, defined {self.where}"


@functools.lru_cache(maxsize=256)
def _smallest(op: Operation, low: float, high: float, integers: bool) -> float:
    ends = np.linspace(low, high, 65)
    grid = np.unique(np.append(np.rint(ends) if integers else ends, [0.0] if low <= 0 <= high else []))
    if op.arity > 2:  # too many to try: constant inputs, and inputs at random
        random = np.random.default_rng(0).choice(grid, (4096, op.arity))
        return float(op.results(np.vstack([np.tile(grid[:, None], op.arity), random])).min())
    return float(op.results(np.array(list(itertools.product(grid, repeat=op.arity)))).min())


@dataclass(frozen=True)
class OfSums(Operation):
    """An operation whose arguments are sums over `slices` `(start, stop)` of the inputs; `arity` counts the inputs."""

    slices: tuple[tuple[int, int], ...] = ()

    def __call__(self, x: Num[Array | np.ndarray, " ..."], axis: int = 1) -> Num[Array, " ..."]:
        """Targets `[examples, ...]` of inputs `[examples, arity, ...]`."""
        return self.fn(*(jax.lax.slice_in_dim(x, *ends, axis=axis).sum(axis) for ends in self.slices))

    def check(self, low: float, high: float, what: str = "low, high") -> None:
        """Raise `ArithjaxError` unless the operation is defined on the sums of inputs in `[low, high]`."""
        lengths = [stop - start for start, stop in self.slices]
        super().check(min(n * low for n in lengths), max(n * high for n in lengths), what)


def _short(c: float) -> str:
    """`7`, not `7.0`, and every digit where they matter."""
    return f"{c:g}" if float(f"{c:g}") == c else repr(c)


CONSTANTS: dict[str, Callable[[float], Operation]] = {
    "times": lambda c: Operation(f"times:{_short(c)}", f"{_short(c)}·a", lambda a: c * a, arity=1),
    "plus": lambda c: Operation(f"plus:{_short(c)}", f"a + {_short(c)}", lambda a: a + c, arity=1),
}
"""Operations with a constant, `times:7` or `plus:-2.5`: name -> (constant -> operation)."""


QUOTIENT = Operation("quotient", "a / b", lambda a, b: a / b, where="b ≠ 0; b = 0 is left out", leaves_out=True)
"""Division on ranges that hold 0, as some published experiments have it."""


def _derived(name: str) -> Operation | None:
    """The operation with a constant, or of sums, that a name such as `times:7` or `mul:4:0-4:0-2` means, or None."""
    family, _, rest = name.partition(":")
    if name == QUOTIENT.name:
        return QUOTIENT
    if family in CONSTANTS:
        return _with_constant(family, rest)
    return _of_sums(OPERATIONS[family], rest) if family in OPERATIONS and rest else None


@functools.cache  # one object each, so that equal operations share a compiled program
def _with_constant(family: str, constant: str) -> Operation:
    try:
        value = float(constant)
    except ValueError:
        value = math.nan
    if not abs(value) < 3e38:
        raise ArithjaxError(f"operation '{family}:{constant}' needs a number after the colon, as in '{family}:7'.")
    return CONSTANTS[family](value)


@functools.cache
def _of_sums(op: Operation, rest: str) -> OfSums:
    try:
        inputs, *slices = rest.split(":")
        ends = tuple((int(start), int(stop)) for start, stop in (part.split("-") for part in slices))
        arity = int(inputs)
        fits = len(ends) == op.arity and all(0 <= start < stop <= arity for start, stop in ends)
    except ValueError:
        fits = False
    if not fits:
        raise ArithjaxError(
            f"operation '{op.name}:{rest}' needs the number of inputs and {op.arity} slices within them, as in "
            f"'{op.name}:4{':0-2' * op.arity}'."
        )
    symbol = " ".join([op.symbol, "of the sums", *(f"x[{start}:{stop}]" for start, stop in ends)])
    return OfSums(f"{op.name}:{rest}", symbol, op.fn, arity, op.defined, op.where, op.leaves_out, ends)


OPERATIONS.fill(
    Operation,
    [
        Operation("add", "a + b", lambda a, b: a + b),
        Operation("sub", "a - b", lambda a, b: a - b),
        Operation("mul", "a · b", lambda a, b: a * b),
        Operation("div", "a / b", lambda a, b: a / b, defined=without_zero, where="b ≠ 0"),
        Operation("square", "a²", lambda a: a * a, arity=1),
        Operation("sqrt", "√a", jnp.sqrt, arity=1, defined=not_negative, where="a ≥ 0"),
        Operation("reciprocal", "1 / a", lambda a: 1 / a, arity=1, defined=without_zero, where="a ≠ 0"),
        Operation("max", "max(a, b)", jnp.maximum),
        Operation("min", "min(a, b)", jnp.minimum),
        Operation("mod", "a mod b", jnp.mod, defined=without_zero, where="b ≠ 0"),
        Operation("hypot", "√(a² + b²)", jnp.hypot),
    ],
    derive=_derived,
    families={
        "times:c": "c·a, for any constant c, such as times:7",
        "plus:c": "a + c, for any constant c",
        QUOTIENT.name: "a / b on ranges that hold 0, with b = 0 left out",
    },
)
