"""Truth: exact results of a function, in integers or float64, whatever the function is written with.

A function may be written with operators, `jax.numpy` or `numpy`, or for one number at a time, with `math.sin(a)` or
`a if a > 5 else b`. Of whole numbers its results are computed twice, in int64 and in float64: the one overflows and the
other rounds, each in its own way, so that results on which both agree are exact. Where they do not, Python's integers,
which are unlimited, decide. A function of several results gives a tuple, and each of them is computed so.
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

    t: `[points]`, or `[points, outputs]` of several results, rounded to float64.
    rest: of the same shape, what that leaves out; 0 but for whole numbers beyond 2**53.
    known: whether results that are whole numbers are known to be exact.
    boolean: whether all results are true or false.
    """

    t: Float64[np.ndarray, " points *outputs"]
    rest: Float64[np.ndarray, " points *outputs"]
    known: bool
    boolean: bool = False

    @property
    def outputs(self) -> int:
        """How many results each point has."""
        return self.t.shape[1] if self.t.ndim == 2 else 1

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

    def split(self, precision: str) -> tuple[Num[np.ndarray, " points *outputs"], Num[np.ndarray, " points *outputs"]]:
        """The results `[points, *outputs]` in a precision, and what that leaves out in the same precision.

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
        Unfit: the function fails, or gives anything but real numbers, as many for each point.
    """
    count = len(columns[0])
    filled = [np.resize(column, 1 << max(3, (count - 1).bit_length())) for column in columns]  # few shapes are compiled
    with np.errstate(all="ignore"), arithmetic("float64"):
        found = _of_whole(fn, filled) if filled[0].dtype.kind == "i" else _of_real(fn, filled)
    return _joined(found).part(slice(count))


def _joined(outputs: Sequence[Results]) -> Results:
    """Results of a function of several as one, `[points, outputs]`; those of one stay as they are."""
    if len(outputs) == 1:
        return outputs[0]
    t, rest = (np.stack(parts, 1) for parts in ([one.t for one in outputs], [one.rest for one in outputs]))
    return Results(t, rest, all(one.known for one in outputs), all(one.boolean for one in outputs))


def _of_real(fn: Callable[..., Any], columns: list[np.ndarray]) -> list[Results]:
    found = _together(fn, columns)
    return [*map(_as_results, _one_by_one(fn, columns) if found is None else found)]


def _of_whole(fn: Callable[..., Any], columns: list[np.ndarray]) -> list[Results]:
    whole, real = _together(fn, columns), _together(fn, [column.astype(float) for column in columns])
    if whole is None or real is None:
        only = real if whole is None else whole
        return [*map(_as_results, _one_by_one(fn, columns) if only is None else only)]
    if all(map(_agree, whole, real)):
        return [*map(_as_results, whole)]
    unlimited = _together(fn, [column.astype(object) for column in columns], [np.copy])
    if unlimited is None:
        pairs = zip(whole, real, strict=True)
        return [_as_results(w) if _agree(w, r) else _as_results(r)._replace(known=False) for w, r in pairs]
    return [*map(_as_results, unlimited)]


def _agree(whole: np.ndarray, real: np.ndarray) -> bool:
    """Whether results computed in int64 and in float64 are equal, and no larger than both can hold."""
    same = np.array_equal(whole.astype(float), real.astype(float), equal_nan=True)
    return same and not np.any(np.abs(real.astype(float)) > WHOLE["float64"])


def _together(
    fn: Callable[..., Any], columns: list[np.ndarray], ways: Sequence[Callable] = (np.copy, jnp.asarray)
) -> list[np.ndarray] | None:
    """Each result of all points `[points]`, in one call, with arrays of numpy or else of JAX; None if it takes neither.

    A function that gives one number for all, as `len(str(a))` does, is not meant for arrays, or is a constant.
    """
    for way in ways:
        try:
            outputs = [np.asarray(one) for one in _outputs(fn(*map(way, columns)))]
            if any(one.ndim == 0 for one in outputs):
                continue
        except Unfit:
            raise
        except Exception:  # whatever a function says of arrays; then they are not for it
            continue
        return [_column(one, len(columns[0])) for one in outputs]
    return None


def _outputs(found: Any, row: int | None = None) -> Sequence[Any]:
    """The results that a function gave, one or a tuple of several; `row` is the point, if it is a certain one."""
    if not isinstance(found, tuple | list):
        return [found]
    if not found:
        raise Unfit("gives no result; it has to give one, or a tuple of several", row)
    return found


def _column(found: np.ndarray, count: int) -> Shaped[np.ndarray, " points"]:
    """What a function gave for arrays of `count` points, as `[points]`."""
    if found.dtype.kind not in "biufO" or not all(isinstance(value, numbers.Real) for value in _objects(found)):
        raise Unfit(f"gives results of type {found.dtype}; they have to be real numbers")
    if found.shape != (count,):
        several = ", or be a tuple of arrays where there are several results" * (found.ndim > 1)
        raise Unfit(f"gives shape {found.shape} for arguments of shape ({count},); it has to keep their shape{several}")
    return found


def _objects(found: np.ndarray) -> list:
    """The values of an array of Python's objects; none of any other."""
    return found.ravel().tolist() if found.dtype.kind == "O" else []


def _one_by_one(fn: Callable[..., Any], columns: list[np.ndarray]) -> list[np.ndarray]:
    """Each result `[points]`, of one point at a time, of Python's numbers."""
    found: list[tuple] = []
    known: dict[tuple, tuple] = {}
    for row, arguments in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if arguments not in known:
            known[arguments] = _numbers(fn, arguments, row)
        found.append(known[arguments])
        if len(found[-1]) != len(found[0]):
            raise Unfit(f"gives {len(found[-1])} results, and elsewhere {len(found[0])}; it has to give as many", row)
    outputs = [np.empty(len(found), object) for _ in found[0]]
    for output, values in zip(outputs, zip(*found, strict=True), strict=True):
        output[:] = values
    return outputs


def _numbers(fn: Callable[..., Any], arguments: tuple, row: int) -> tuple:
    """The results of one point as numbers of Python's."""
    try:
        given = fn(*arguments)
    except Exception as error:
        words = " ".join(str(error).split()) or "no message"
        raise Unfit(f"raises {type(error).__name__} ({words[:120]})", row) from None
    values = tuple(value.item() if getattr(value, "shape", None) == () else value for value in _outputs(given, row))
    for value in values:
        if not isinstance(value, numbers.Real):
            raise Unfit(f"gives {' '.join(repr(value).split())[:60]}; it has to give a real number", row)
    return values


def _as_results(values: Shaped[np.ndarray, " points"]) -> Results:
    """Values as results; whole numbers are exact, as long as they were not computed in float64 and are beyond 2**53."""
    if values.dtype.kind == "b" or (values.dtype.kind == "O" and all(isinstance(one, bool) for one in values)):
        return Results(values.astype(float), np.zeros(len(values)), True, True)
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
