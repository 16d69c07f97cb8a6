"""Judgement: what a net has learnt, in original units.

Exact results are whole numbers or float64 (`arithjax.task.truth`), whatever the precision of the nets. The relative
RMSE is the root mean squared error over the scale of the results (`arithjax.task.points.Points`): their standard
deviation or, where all of them are equal, their magnitude; of several results the root mean square of each one's over
its own scale. R² = 1 - its square, where results differ. An argument is right where every result of it is.
Of classes (`arithjax.task.points.Task.classes`) the share of wrong answers counts, too.
Grades, worst first: `diverged` (not finite), `dead` (the same output everywhere, though results differ), `failed`,
`rough` (R² >= 0.99), `learned` (relative RMSE <= 1 %), `exact` (all arguments of the whole integer domain were checked,
and round to the right integer).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int

from arithjax.task.points import Points, joint, unscaled
from arithjax.task.truth import Results

LEARNED, ROUGH = 0.01, 0.1
"""Largest relative RMSE of these grades."""
MISTAKES = {"learned": (0.01, 0.1), "rough": (0.05, 0.5)}
"""Largest share of wrong classes of these grades: of all answers, and of what the commonest class gets wrong."""
RIGHT = 0.99
"""The share of right answers that columns `right_at` and `train_right_at` wait for."""
CONSTANT = 1e-6
"""Largest spread of a constant output, over the scale of the results."""
BEATEN = 0.99
"""A baseline is beaten by a loss of at most this share of its own."""
BLOCK = 1024
"""Points judged at once: sums within a block are in float32, sums over blocks in float64."""


class Block(NamedTuple):
    """Some points: `x [points, arity]`, `t` and `rest [points, *outputs]`, `weight [points]`, `unit [*outputs]`.

    t, rest: exact results in the precision of the nets, and what that leaves out. weight: 0 where nets are not tested.
    unit: that of errors, so that their squares neither overflow nor vanish.
    """

    x: Float[Array | np.ndarray, "*blocks points arity"]
    t: Float[Array | np.ndarray, " *shape"]
    rest: Float[Array | np.ndarray, " *shape"]
    weight: Float[Array | np.ndarray, "*blocks points"]
    unit: Float[Array | np.ndarray, " *units"]


class Sums(NamedTuple):
    """What a block tells of each net: arrays `[lanes]`, or `[outputs, lanes]` of each of several results."""

    squares: Float[Array, "*blocks lanes"]  # of errors in the block's unit
    worst: Float[Array, "*blocks lanes"]  # largest error, original units
    right: Float[Array, "*blocks lanes"]  # points whose prediction rounds to the result
    low: Float[Array, "*blocks lanes"]
    high: Float[Array, "*blocks lanes"]
    whole: Float[Array, "*blocks lanes"]  # points all of whose predictions round to the results, `[lanes]`


def sums(predictions: Float[Array, "points *outputs lanes"], block: Block) -> Sums:
    """Sums over a block for `predictions [points, *outputs, lanes]`."""
    inside = block.weight.reshape(-1, *[1] * (predictions.ndim - 1)) > 0
    error = jnp.where(inside, (predictions - block.t[..., None]) - block.rest[..., None], 0.0)
    right = (jnp.abs(error) < 0.5) & inside
    unit = block.unit[None, :, None] if block.unit.ndim else block.unit
    squares = ((error / unit) ** 2).reshape(-1, min(32, len(error)), *error.shape[1:])
    rightly = right.sum(0).astype(jnp.float32)
    return Sums(
        squares.sum(1).sum(0),
        jnp.abs(error).max(0),
        rightly,
        predictions.min(0),
        predictions.max(0),
        rightly if right.ndim == 2 else right.all(1).sum(0).astype(jnp.float32),
    )


def blocks(
    x: Float[np.ndarray, "points arity"],
    truth: Results,
    unit: float | Float[np.ndarray, " *outputs"],
    more: Float[np.ndarray, "more arity"] | None = None,
) -> Block:
    """Points `x [points, arity]` with their exact results in blocks of equal size, `[blocks, BLOCK, ...]`.

    The last block is filled up, with weight 0: with further arguments `more [more, arity]` as far as there are any, and
    then with its first point.
    """
    rows = np.arange(-(-len(x) // BLOCK) * BLOCK).reshape(-1, BLOCK)
    inside = rows < len(x)
    there = len(x) + (0 if more is None else len(more))
    filled = np.where(rows < there, rows, rows[:, :1])
    every = x if more is None else np.concatenate([x, more])
    result = np.where(inside, rows, rows[:, :1])
    t, rest = truth.split(str(x.dtype))
    units = np.full((len(rows), *np.shape(unit)), unit, x.dtype)
    return Block(every[filled], t[result], rest[result], inside.astype(np.float32), units)


class Errors(NamedTuple):
    """Judgement of each net on a set of points: float64 arrays `[nets]`, the last two of each result."""

    rmse: Float64[np.ndarray, " nets"]  # original units
    relative_rmse: Float64[np.ndarray, " nets"]
    max_error: Float64[np.ndarray, " nets"]  # original units
    right: Float64[np.ndarray, " nets"]  # share of points that round to the right integer
    spread: Float64[np.ndarray, " nets"]  # largest minus smallest prediction over the scale; NaN if results are equal
    relative_of_each: Float64[np.ndarray, "outputs nets"]
    right_of_each: Float64[np.ndarray, "outputs nets"]


def combine(parts: Sums, points: Points) -> Errors:
    """The sums `[blocks, ..., lanes]` of all blocks of some points, whose unit is `unit_of(points)`."""
    count, (*several, whole) = len(points.x), (np.asarray(leaf, np.float64) for leaf in parts)
    squares, worst, right, low, high = (leaf.reshape(len(leaf), -1, leaf.shape[-1]) for leaf in several)
    units = np.reshape(unit_of(points), (-1, 1))
    with np.errstate(invalid="ignore", over="ignore"):
        root = np.sqrt(squares.sum(0) / count)
        rmse = root * units
        relative = np.where(np.reshape(points.scale, (-1, 1)), root, unscaled(rmse))
        spread = (high.max(0) - low.min(0)) / units
        return Errors(
            _joint(rmse),
            _joint(relative),
            worst.max((0, 1)),
            whole.sum(0) / count,
            spread.max(0) if points.varies else np.full(rmse.shape[1], np.nan),
            relative,
            right.sum(0) / count,
        )


def _joint(errors: Float64[np.ndarray, "outputs nets"]) -> Float64[np.ndarray, " nets"]:
    """Errors over all results; one is as it is, to the last bit."""
    return joint(errors if len(errors) > 1 else errors[0])


def unit_of(points: Points) -> float | Float[np.ndarray, " outputs"]:
    """The unit in which errors on points are summed up: the scale of their results, or 1 where that is 0."""
    return np.where(points.scale, points.scale, 1.0)[()]


def yardstick(mse: Float[np.ndarray, " nets"], points: Points) -> Int[np.ndarray, " nets"]:
    """The hardest of the trivial answers that is beaten by one per cent: an index into `tables.schema.YARDSTICKS`."""
    beaten = np.zeros(len(mse), int)
    for level, loss in enumerate((points.zero, points.mean, points.plane), start=1):
        beaten = np.where(mse < BEATEN * loss, level, beaten)
    return beaten


def few_mistakes(errors: Errors, grade: str, classes: float | None) -> Bool[np.ndarray, " nets"]:
    """Whether classes are right as often as a grade asks, `[nets]`; of what is none never. classes: as for `grade`."""
    if classes is None:
        return np.zeros(len(errors.right), bool)
    share, of_rival = MISTAKES[grade]
    return 1 - errors.right <= min(share, of_rival * classes)


def learned(errors: Errors, classes: float | None = None) -> Bool[np.ndarray, " nets"]:
    """Whether nets have errors of grade `learned`, `[nets]`; classes: as for `grade`."""
    return (errors.relative_rmse <= LEARNED) | few_mistakes(errors, "learned", classes)


def grade(
    errors: Errors, certified: Bool[np.ndarray, " nets"], classes: float | None = None
) -> Int[np.ndarray, " nets"]:
    """An index into `tables.schema.GRADES` for each net.

    certified: `[nets]`, whether the whole domain was checked and all of it right.
    classes: of classes, the share of points that the commonest one gets wrong (`Points.rival`); None of what is none.
    """
    finite = np.isfinite(errors.rmse)
    dead = finite & (errors.spread <= CONSTANT)
    relative = np.where(finite, errors.relative_rmse, np.inf)
    return np.select(
        [
            ~finite,
            dead,
            certified,
            (relative <= LEARNED) | few_mistakes(errors, "learned", classes),
            (relative <= ROUGH) | few_mistakes(errors, "rough", classes),
        ],
        [0, 1, 5, 4, 3],
        default=2,
    )
