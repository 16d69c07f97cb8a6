"""Truth: exact results of a function, in integers or float64, whatever the function is written with.

A function may be written with operators, `jax.numpy` or `numpy`, or for one number at a time, with `math.sin(a)` or
`a if a > 5 else b`. Of whole numbers its results are computed twice, in int64 and in float64: the one overflows and the
other rounds, each in its own way, so that results on which both agree are exact. Where they do not, Python's integers,
which are unlimited, decide.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Num, Shaped

from arithjax.environment import arithmetic
from arithjax.fields import WHOLE


class Unfit(Exception):
    """A function that gives no results: the message says how, `row` at which point, if at a certain one."""

    def __init__(self, words: str, row: int | None = None):
        super().__init__(words)
        self.row = row


class Results(NamedTuple):
    """Exact results of points.

    t: `[points]`, rounded to float64. rest: `[points]`, what that leaves out; 0 but for whole numbers beyond 2**53.
    known: whether results that are whole numbers are known to be exact.
    """

    t: Float64[np.ndarray, " points"]
    rest: Float64[np.ndarray, " points"]
    known: bool

    def part(self, points: Any) -> Results:
        """The results of some of the points, a slice or booleans `[points]`."""
        return self._replace(t=self.t[points], rest=self.rest[points])

    @property
    def whole(self) -> bool:
        """Whether every result is a whole number."""
        return bool(np.all(self.t == np.rint(self.t)))

    def held(self, precision: str) -> bool:
        """Whether a precision, `float32` or `float64`, holds every result."""
        return not any(np.any(part) for part in self.split(precision)[1:])

    def split(self, precision: str) -> tuple[Num[np.ndarray, " points"], Num[np.ndarray, " points"]]:
        """The results `[points]` in a precision, and what that leaves out in the same precision.

        A prediction minus the first, minus the second, is its error without any loss near the result.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            near = self.t.astype(precision)
            return near, ((self.t - near.astype(float)) + self.rest).astype(precision)


def results(fn: Callable[..., Any], columns: Sequence[Num[np.ndarray, " points"]]) -> Results:
    """Exact results of a function of several arguments.

    Args:
        fn: a function of as many arguments as there are columns, written in any of the ways above.
        columns: an array `[points]` for each argument, of int64 for whole numbers, or else of float64.

    Raises:
        Unfit: the function fails, or gives anything but one real number for each point.
    """
    count = len(columns[0])
    filled = [np.resize(column, 1 << max(3, (count - 1).bit_length())) for column in columns]  # few shapes are compiled
    with np.errstate(all="ignore"), arithmetic("float64"):
        found = _of_whole(fn, filled) if filled[0].dtype.kind == "i" else _of_real(fn, filled)
    return Results(found.t[:count], found.rest[:count], found.known)


def _of_real(fn: Callable[..., Any], columns: list[np.ndarray]) -> Results:
    found = _together(fn, columns)
    return _as_results(_one_by_one(fn, columns) if found is None else found)


def _of_whole(fn: Callable[..., Any], columns: list[np.ndarray]) -> Results:
    whole, real = _together(fn, columns), _together(fn, [column.astype(float) for column in columns])
    if whole is None or real is None:
        only = real if whole is None else whole
        return _as_results(_one_by_one(fn, columns) if only is None else only)
    if _agree(whole, real):
        return _as_results(whole)
    unlimited = _together(fn, [column.astype(object) for column in columns], [np.copy])
    return _as_results(real)._replace(known=False) if unlimited is None else _as_results(unlimited)


def _agree(whole: np.ndarray, real: np.ndarray) -> bool:
    """Whether results computed in int64 and in float64 are equal, and no larger than both can hold."""
    same = np.array_equal(whole.astype(float), real.astype(float), equal_nan=True)
    return same and not np.any(np.abs(real.astype(float)) > WHOLE["float64"])


def _together(
    fn: Callable[..., Any], columns: list[np.ndarray], ways: Sequence[Callable] = (np.copy, jnp.asarray)
) -> Shaped[np.ndarray, " points"] | None:
    """Results of all points in one call, with arrays of numpy or else of JAX; None if the function takes neither."""
    for way in ways:
        try:
            found = fn(*map(way, columns))
            if not isinstance(found, tuple | list):
                found = np.asarray(found)
                if found.ndim == 0:  # one number for all, as len(str(a)) gives: not meant for arrays, or a constant
                    continue
        except Exception:  # whatever a function says of arrays; then they are not for it
            continue
        return _column(found, len(columns[0]))
    return None


def _column(found: Any, count: int) -> Shaped[np.ndarray, " points"]:
    """What a function gave for arrays of `count` points, as `[points]`."""
    if isinstance(found, tuple | list):
        raise Unfit(f"gives {len(found)} results; it has to give one")
    if found.dtype.kind not in "biufO" or not all(isinstance(value, numbers.Real) for value in _objects(found)):
        raise Unfit(f"gives results of type {found.dtype}; they have to be real numbers")
    if found.shape != (count,):
        raise Unfit(f"gives shape {found.shape} for arguments of shape ({count},); it has to keep their shape")
    return found


def _objects(found: np.ndarray) -> list:
    """The values of an array of Python's objects; none of any other."""
    return found.ravel().tolist() if found.dtype.kind == "O" else []


def _one_by_one(fn: Callable[..., Any], columns: list[np.ndarray]) -> Shaped[np.ndarray, " points"]:
    """Results of one point at a time, of Python's numbers."""
    found = np.empty(len(columns[0]), object)
    known: dict[tuple, Any] = {}
    for row, arguments in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if arguments not in known:
            known[arguments] = _number(fn, arguments, row)
        found[row] = known[arguments]
    return found


def _number(fn: Callable[..., Any], arguments: tuple, row: int) -> Any:
    """One result as a number of Python's."""
    try:
        value = fn(*arguments)
    except Exception as error:
        words = " ".join(str(error).split()) or "no message"
        raise Unfit(f"raises {type(error).__name__} ({words[:120]})", row) from None
    if isinstance(value, tuple | list):
        raise Unfit(f"gives {len(value)} results; it has to give one", row)
    value = value.item() if getattr(value, "shape", None) == () else value
    if not isinstance(value, numbers.Real):
        raise Unfit(f"gives {' '.join(repr(value).split())[:60]}; it has to give a real number", row)
    return value


def _as_results(values: Shaped[np.ndarray, " points"]) -> Results:
    """Values as results; whole numbers are exact, as long as they were not computed in float64 and are beyond 2**53."""
    if values.dtype.kind != "O":
        t = values.astype(float)
        large = np.abs(t) > WHOLE["float64"]
        if values.dtype.kind == "f" or not large.any():
            return Results(t, np.zeros(len(t)), not large.any())
        values = values.astype(object)
    pairs = np.array([_pair(value) for value in values], float)
    exact = all(isinstance(value, numbers.Integral) or abs(value) <= WHOLE["float64"] for value in values)
    return Results(pairs[:, 0], pairs[:, 1], exact)


def _pair(value: Any) -> tuple[float, float]:
    """A number rounded to float64, and what is left of it."""
    try:
        near = float(value)
    except OverflowError:
        return (np.inf if value > 0 else -np.inf), 0.0
    return near, float(int(value) - int(near)) if isinstance(value, numbers.Integral) else 0.0


def alone(
    fn: Callable[..., Any], columns: Sequence[Num[np.ndarray, " points"]], t: Float64[np.ndarray, " points"]
) -> bool:
    """Whether results `t [points]` stay the same when half of the points are given alone, and in another order."""
    again = results(fn, [column[::-1][: -(-len(t) // 2)] for column in columns]).t
    there = t[::-1][: len(again)]
    with np.errstate(invalid="ignore"):
        largest = np.max(np.abs(there), initial=0.0, where=np.isfinite(there))
        return bool(np.all((np.abs(again - there) <= 1e-9 * largest) | ~np.isfinite(there)))
