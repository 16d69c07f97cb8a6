"""The trial call of an operation: what its function gives on a range, found before anything trains.

`op` is always the operation, `spans` where each of its arguments lies.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float64, Num

from arithjax.environment import arithmetic
from arithjax.errors import ArithjaxError
from arithjax.task.arguments import Span, combinations
from arithjax.task.truth import Results

TRIED = 1 << 16
"""Whole arguments of up to this many combinations are all tried before anything trains."""

COUNTED = 1 << 20
"""Arguments of up to this many combinations are all looked at for the range of the results."""

FEW = 64
"""The most different whole results that count as classes where arguments are real."""

CLOSE = {"float32": 1e-5, "float64": 1e-12}
"""For each precision, the largest error of targets that is its own rounding, over the largest result."""

FEWEST_HELD = 0.01
"""The share of arguments for which an operation's condition has to hold."""


class Trial(NamedTuple):
    """What a trial call of an operation on a range found, before anything trains.

    obstacle: why nets cannot learn it there, in words; empty where they can.
    smallest, largest: the smallest and the largest result that was seen.
    traced: whether a compiled program computes results up to its rounding; where not, they are computed outside.
    classes: how many different results were seen.
    bounds: the smallest and the largest value of each result.
    values: the different results that were seen, where they are `FEW` or fewer and whole; boolean: whether all are true
        or false.
    """

    obstacle: str
    smallest: float = math.nan
    largest: float = math.nan
    traced: bool = False
    classes: int = 0
    bounds: tuple[tuple[float, float], ...] = ((math.nan, math.nan),)
    values: tuple[float, ...] = ()
    boolean: bool = False

    @property
    def outputs(self) -> int:
        """How many results each point has."""
        return len(self.bounds)


@functools.lru_cache(maxsize=16)
def rows(op: Any, spans: tuple[Span, ...]) -> Float64[np.ndarray, "rows arity"]:
    """All arguments for which the operation's condition holds, of spans that can be counted."""
    x = _all(spans)
    return x[op.holds(x)] if op.conditional else x


@functools.lru_cache(maxsize=1024)
def call(op: Any, spans: tuple[Span, ...], precision: str) -> Trial:
    """What results of some arguments show; whatever is wrong with them is the trial's obstacle."""
    x, whole = _sample(spans), all(span.whole for span in spans)
    x = x if whole else x.astype(precision).astype(float)
    try:
        x = _held(op, x)
        found = op.exact(x, whole)
        alone = _alone(op, x, whole, found.t)
    except ArithjaxError as error:
        return Trial(str(error))
    if op.leaves_out and (finite := np.isfinite(found.t).reshape(len(x), -1).all(1)).any():
        x, found = x[finite], found.part(finite)
    if obstacle := _obstacle(op, x, found, precision):
        return Trial(obstacle)
    if not alone:
        words = "gives a point another result beside other points; let it work on each by itself, without chance."
        return Trial(f"{op.name} ({op.symbol}) {words}")
    return seen(found, _traced(op, x, found, precision))


def seen(found: Results, traced: bool) -> Trial:
    """The trial of results in which nothing is wrong; traced: whether a compiled program computes them."""
    classes = len(np.unique(found.t, axis=0))
    bounds = np.stack([found.t.min(0), found.t.max(0)], -1).reshape(-1, 2).tolist()
    values = np.unique(found.t)
    few = tuple(values.tolist()) if len(values) <= FEW and found.whole else ()
    ends = float(found.t.min()), float(found.t.max())
    return Trial("", *ends, traced, classes, tuple(map(tuple, bounds)), few, found.boolean)


@functools.lru_cache(maxsize=256)
def result_bounds(
    op: Any, spans: tuple[Span, ...], precision: str
) -> tuple[tuple[tuple[float, float], ...], tuple[bool, ...]]:
    """The smallest and the largest value of each result, and whether it is always a whole number.

    They are those of all arguments, where these are no more than `COUNTED`, or else of those that are tried.
    """
    x, whole = op.rows(spans, COUNTED), all(span.whole for span in spans)
    if x is None:
        x = _sample(spans)
        x = x[op.holds(x)]
    t = op.exact(x, whole).t.reshape(len(x), -1)
    t = t[np.isfinite(t).all(1)]
    bounds = np.stack([t.min(0), t.max(0)], -1).tolist()
    return tuple(map(tuple, bounds)), tuple((t == np.rint(t)).all(0).tolist())


def _all(spans: tuple[Span, ...]) -> Float64[np.ndarray, "rows arity"]:
    """All combinations of the numbers of spans that can be counted."""
    return np.stack(np.meshgrid(*[span.numbers() for span in spans], indexing="ij"), -1).reshape(-1, len(spans))


def _sample(spans: tuple[Span, ...]) -> Num[np.ndarray, "points arity"]:
    """Arguments `[points, arity]` from their spans: all of them, if whole and few, or else a grid."""
    if 0 < combinations(spans) <= TRIED:
        return _all(spans)
    grids = [span.grid(65) for span in spans]
    if len(spans) <= 2:
        return np.array(list(itertools.product(*grids)))
    generator = np.random.default_rng(0)  # too many to try: the same place in all grids, ends, and at random
    longest = max(map(len, grids))
    ends, places = generator.choice(2, (64, len(spans))), generator.choice(longest, (4096, len(spans)))
    parts = [
        [np.resize(grid, longest), grid[[0, -1]][ends[:, i]], grid[places[:, i] % len(grid)]]
        for i, grid in enumerate(grids)
    ]
    return np.stack([np.concatenate(part) for part in parts], -1)


def _held(op: Any, x: Num[np.ndarray, "points arity"]) -> Num[np.ndarray, "held arity"]:
    """The arguments for which the operation's condition holds; raises `ArithjaxError` where these are few."""
    held = op.holds(x)
    if held.mean() < FEWEST_HELD:
        raise ArithjaxError(
            f"the condition of {op.name} ({op.symbol}) holds for {held.mean():.2g} of all arguments, fewer than "
            f"{FEWEST_HELD:g}; choose another range."
        )
    return x[held]


def _alone(
    op: Any, x: Num[np.ndarray, "points arity"], whole: bool, t: Float64[np.ndarray, " points *outputs"]
) -> bool:
    """Whether results `t` stay the same when half of the points are given alone, and in another order."""
    half = x[::-1][: -(-len(t) // 2)]
    again, there = op.exact(half, whole).t, t[::-1][: len(half)]
    with np.errstate(invalid="ignore"):
        largest = np.max(np.abs(there), axis=0, initial=0.0, where=np.isfinite(there))
        return bool(np.all((np.abs(again - there) <= 1e-9 * largest) | ~np.isfinite(there)))


def _obstacle(op: Any, x: Num[np.ndarray, "points arity"], found: Results, precision: str) -> str:
    """Why a net of a precision cannot learn these results; empty where it can."""
    limits, subject = np.finfo(precision), f"{op.name} ({op.symbol})"
    if op.outputs not in (None, found.outputs):
        return f"{subject} gives {found.outputs} results and has outputs={op.outputs}; leave outputs out."
    size = np.abs(found.t)
    for bad, words in ((~np.isfinite(size), "not finite"), (size > limits.max, f"more than {precision} holds")):
        if bad.any():
            row, value = int(np.nonzero(bad)[0][0]), found.t[bad][0]
            wider = " or precision=float64" * bool(np.isfinite(found.t).all())
            return f"{subject} is {value:g} at {op.at(x[row])}, {words}; choose a range without it{wider}."
    if 0 < size.max() < limits.tiny:
        return f"{subject} is at most {size.max():g}, which is 0 in {precision}; choose a range with larger results."
    return ""


def _traced(op: Any, x: Num[np.ndarray, "points arity"], found: Results, precision: str) -> bool:
    """Whether a compiled program computes these results in a precision, up to its rounding."""
    with arithmetic(precision):
        try:
            shown = jax.eval_shape(op, jax.ShapeDtypeStruct((8, op.arity), precision))
            right = shown.shape == (8, *found.t.shape[1:])
            y = np.asarray(jax.jit(op)(x.astype(precision)), float) if right else np.full(found.t.shape, np.nan)
        except Exception:  # whatever a function that is not JAX's says when it is traced
            return False
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(y - found.t) <= CLOSE[precision] * np.abs(found.t).max(0)))
