"""Operations: what is to be learnt.

An operation is an exact function of some arguments and the place where it is defined. To add one:

    aj.OPERATIONS["cube"] = aj.Operation("cube", "a³", lambda a: a**3)

Those that come with arithjax are in `arithjax.task.arithmetic`.

Its arguments may be sums over slices of a longer input, as in the arithmetic dataset of Madsen & Johansen (2020): the
name `mul:4:0-4:0-2` is (x₁ + x₂ + x₃ + x₄) · (x₁ + x₂).

It is computed in two ways. `exact` gives what nets are judged against, in integers or float64. Inside compiled
programs, `__call__` gives the targets that nets train on, in their own precision, as long as that is right (`Trial`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64, Num

from arithjax.errors import ArithjaxError
from arithjax.task import trial, truth, trying
from arithjax.task.arguments import Argument, Span, argument_names, arity_of, checked, combinations
from arithjax.task.trial import Trial
from arithjax.task.truth import Results, Unfit


def everywhere(low: float, high: float) -> bool:
    """True on every interval."""
    return True


def without_zero(low: float, high: float) -> bool:
    """True when 0 is not in `[low, high]`."""
    return low > 0 or high < 0


def positive(low: float, high: float) -> bool:
    """True when `[low, high]` holds positive numbers alone."""
    return low > 0


def not_negative(low: float, high: float) -> bool:
    """True when `[low, high]` holds no negative number."""
    return low >= 0


@dataclass(frozen=True)
class Operation:
    """An exact operation on arguments of equal shape, elementwise.

    name: its name, `op` in a setup.
    symbol: how it is written, for messages and lists, such as `a · b`.
    fn: the function of `arity` arguments: of arrays, written with operators, `jax.numpy` or `numpy`, or of one Python
        number each, such as `lambda a: math.sin(a)`. Of several results it gives a tuple. Results that are true or
        false count as 1 and 0.
    arity: the number of arguments; by default those that `fn` needs.
    defined: of the ends `(low, high)` of a closed interval, whether `fn` is defined when every argument may take any
        value of it.
    where: the same in words, such as `b ≠ 0`; or a condition, a function of the arguments as arrays, such as
        `lambda b, c: b**2 >= 4 * c`: examples and test points are only those for which it holds.
    leaves_out: whether arguments without a finite result are left out of examples and test points, instead of making
        an interval that holds such a wrong one.
    arguments: an `Argument` for each, with its name and, where it has them, a range or values of its own; none where
        all arguments take the setup's range.
    outputs: the number of results; by default as many as `fn` gives.

    Raises:
        ArithjaxError: `fn` is no function, or takes another number of arguments.
    """

    name: str
    symbol: str
    fn: Callable[..., Any]
    arity: int = None  # type: ignore[assignment]
    defined: Callable[[float, float], bool] = everywhere
    where: str | Callable[..., Any] = "everywhere"
    leaves_out: bool = False
    arguments: tuple[Argument, ...] = ()
    outputs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "arity", arity_of(self.name, self.fn, self.arity))
        object.__setattr__(self, "arguments", checked(self.name, self.arguments, self.arity))

    @property
    def argument_names(self) -> list[str]:
        """The names of the arguments, in their order."""
        return [one.name for one in self.arguments] or argument_names(self.arity)

    @property
    def own(self) -> tuple[bool, ...]:
        """Of each argument, whether it has a range or values of its own."""
        return tuple(one.own for one in self.arguments) or (False,) * self.arity

    @property
    def apart(self) -> bool:
        """Whether all arguments have ranges of their own, so that the setup's is not used."""
        return all(self.own)

    @property
    def data(self) -> bool:
        """Whether it is a data set: examples, and no function."""
        return False

    @property
    def content(self) -> str | None:
        """A digest of the ranges that its arguments have of their own; None where they have none."""
        ranges = [(one.low, one.high, one.integers, one.values) for one in self.arguments]
        return digest(ranges) if any(value is not None for values in ranges for value in values) else None

    def spans(self, low: float, high: float, integers: bool) -> tuple[Span, ...]:
        """Where each argument lies: in its own range, or else in the one that the setup gives for all of them."""
        if not self.arguments:
            return (Span(low, high, integers),) * self.arity
        return tuple(one.span(low, high, integers) for one in self.arguments)

    def __call__(self, x: Num[Array | np.ndarray, " ..."], axis: int = 1) -> Num[Array, " ..."]:
        """Targets for arguments stacked on `axis`: `[examples, arity, ...] -> [examples, ...]`, in their type.

        Several results are stacked on the same axis.
        """
        columns = self._columns(x, axis)

        def target(found: Any) -> Array:
            found = jnp.asarray(found)
            if found.ndim == 0:
                found = jnp.broadcast_to(found, columns[0].shape)
            return found.astype(columns[0].dtype)

        given = self.fn(*columns)
        several = isinstance(given, tuple | list)
        targets = [*map(target, given if several else [given])]
        return targets[0] if len(targets) == 1 else jnp.stack(targets, axis)

    def _columns(self, x: Any, axis: int = 1) -> Sequence[Any]:
        """The function's arguments, from an array with the operation's on `axis`."""
        before = (slice(None),) * axis
        return [x[(*before, i)] for i in range(self.arity)]

    def exact(self, x: Num[np.ndarray, "points arity"], integers: bool) -> Results:
        """Exact results of arguments `x [points, arity]`, which are whole numbers where `integers` is true.

        Raises:
            ArithjaxError: the function fails, or gives anything but real numbers, as many for each point.
        """
        try:
            return truth.results(self.fn, self._columns(x.astype(np.int64 if integers else float)))
        except Unfit as unfit:
            where = "" if unfit.row is None else f" at {self.at(x[unfit.row % len(x)])}"
            raise ArithjaxError(
                f"{self.name} ({self.symbol}) {unfit}{where}; choose another range, or mend the operation's function."
            ) from None

    def at(self, arguments: Num[np.ndarray, " arity"]) -> str:
        """Arguments as words, such as `a = 3, b = 0`; the first few of many."""
        pairs = [f"{name} = {value:.9g}" for name, value in zip(self.argument_names, arguments, strict=True)]
        return ", ".join(pairs[:6]) + (", ..." if len(pairs) > 6 else "")

    @property
    def conditional(self) -> bool:
        """Whether it has a condition that arguments have to meet."""
        return callable(self.where)

    def holds(self, x: Num[Array | np.ndarray, " ..."], axis: int = 1) -> Bool[Array | np.ndarray, " ..."]:
        """Whether the condition, if there is one, holds for arguments stacked on `axis`.

        Raises:
            ArithjaxError: the condition fails, or gives anything but true or false for each.
        """
        columns = self._columns(x, axis)
        if not callable(self.where):
            return np.ones(np.shape(columns[0]), bool)
        subject = f"{self.name} ({self.symbol}): where"
        try:
            found = self.where(*columns)
        except Exception as error:
            raise ArithjaxError(
                f"{subject} fails for arrays ({trying.reason(error)}); write it with operators, & for and, | for or."
            ) from None
        if np.shape(found) != np.shape(columns[0]) or np.result_type(found).kind != "b":
            raise ArithjaxError(f"{subject} has to give true or false for each, as `lambda a, b: a > b` does.")
        return found

    def usable(self, x: Num[Array, "examples arity *rest"]) -> Num[Array, "examples arity *rest"]:
        """The arguments, with another example in the place of each that is left out: the last usable one before it."""
        if not (self.leaves_out or self.conditional):
            return x
        kept = self.met(x)
        number = jnp.arange(len(x)).reshape(-1, *[1] * (kept.ndim - 1))
        latest = jax.lax.cummax(jnp.where(kept, number, -1))
        return jnp.take_along_axis(x, jnp.where(latest < 0, jnp.argmax(kept, 0), latest)[:, None], 0)

    def met(self, x: Num[Array, "examples arity *rest"]) -> Bool[Array, " examples *rest"]:
        """Which examples are usable: the condition holds, and, where others are left out, all results are finite."""
        held = jnp.asarray(self.holds(x))
        if not self.leaves_out:
            return held
        finite = jnp.isfinite(self(x))
        return held & (finite.all(1) if finite.ndim == x.ndim else finite)

    def check(self, low: float, high: float, what: str = "low, high") -> None:
        """Raise `ArithjaxError` unless the operation is defined on `[low, high]`; the message calls that `what`."""
        if not self.defined(low, high):
            raise ArithjaxError(
                f"{what}: {self.name} ({self.symbol}) is not defined on [{low:g}, {high:g}]; it is defined where "
                f"{self._where}. Choose another interval."
            )

    @property
    def _where(self) -> str:
        return self.where if isinstance(self.where, str) else "its condition holds"

    def trial(self, spans: tuple[Span, ...], precision: str) -> Trial:
        """What a call on some arguments, each from its span, finds, made once for each range."""
        return trial.call(self, spans, precision)

    def smallest(self, low: float, high: float, integers: bool) -> float:
        """The smallest result that a trial call on the closed interval `[low, high]` finds."""
        return self.trial((Span(low, high + integers, integers),) * self.arity, "float64").smallest

    def rows(self, spans: tuple[Span, ...], most: int) -> Float64[np.ndarray, "rows arity"] | None:
        """All arguments for which its condition holds; None where they are not counted, or more than `most`."""
        return trial.rows(self, spans) if 0 < combinations(spans) <= most else None

    def result_bounds(
        self, spans: tuple[Span, ...], precision: str
    ) -> tuple[tuple[tuple[float, float], ...], tuple[bool, ...]]:
        """The smallest and the largest value of each result, and whether it is always a whole number.

        They are those of all arguments, where these are no more than `trial.COUNTED`, or else of those that are tried.
        """
        return trial.result_bounds(self, spans, precision)

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.symbol}, defined {'where ' * self.conditional}{self._where}"


def digest(content: Any) -> str:
    """A digest of plain data."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class OfSums(Operation):
    """An operation whose arguments are sums over `slices` `(start, stop)` of the inputs; `arity` counts the inputs."""

    slices: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Nothing to find out: the function takes as many arguments as there are slices."""

    def _columns(self, x: Any, axis: int = 1) -> Sequence[Any]:
        before = (slice(None),) * axis
        return [x[(*before, slice(*ends))].sum(axis) for ends in self.slices]

    def check(self, low: float, high: float, what: str = "low, high") -> None:
        """Raise `ArithjaxError` unless the operation is defined on the sums of inputs in `[low, high]`."""
        lengths = [stop - start for start, stop in self.slices]
        super().check(min(n * low for n in lengths), max(n * high for n in lengths), what)
