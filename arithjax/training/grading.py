"""Judgement: what a net has learnt, in original units.

relative RMSE is the root mean squared error over the standard deviation of the exact results, and R² = 1 - its square.
Grades, worst first: `diverged` (not finite), `dead` (constant output), `failed`, `rough` (R² >= 0.99), `learned`
(relative RMSE <= 1 %), `exact` (every pair of the whole integer domain rounds to the right integer).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int

from arithjax.task.points import Points

LEARNED, ROUGH = 0.01, 0.1
"""Largest relative RMSE of these grades."""
CONSTANT = 1e-6
"""Largest spread of a constant output, over the standard deviation of the results."""
BEATEN = 0.99
"""A baseline is beaten by a loss of at most this share of its own."""
BLOCK = 1024
"""Points judged at once: sums within a block are in float32, sums over blocks in float64."""


class Block(NamedTuple):
    """Some points: `x [points, arity]`, `t [points]`, `weight [points]` (0 where the block is filled up), `std []`."""

    x: Float[Array | np.ndarray, "*blocks points arity"]
    t: Float[Array | np.ndarray, "*blocks points"]
    weight: Float[Array | np.ndarray, "*blocks points"]
    std: Float[Array | np.ndarray, "*blocks"]


class Sums(NamedTuple):
    """What a block tells of each net: arrays `[lanes]`."""

    squares: Float[Array, "*blocks lanes"]  # of errors relative to the standard deviation of the results
    worst: Float[Array, "*blocks lanes"]  # largest error, original units
    right: Float[Array, "*blocks lanes"]  # points whose prediction rounds to the result
    low: Float[Array, "*blocks lanes"]
    high: Float[Array, "*blocks lanes"]


def sums(predictions: Float[Array, "points lanes"], block: Block) -> Sums:
    """Sums over a block for `predictions [points, lanes]`."""
    inside = block.weight[:, None] > 0
    error = jnp.where(inside, predictions - block.t[:, None], 0.0)
    right = (jnp.abs(error) < 0.5) & inside
    squares = ((error / block.std) ** 2).reshape(-1, min(32, len(error)), error.shape[1])
    return Sums(
        squares.sum(1).sum(0),
        jnp.abs(error).max(0),
        right.sum(0).astype(jnp.float32),
        predictions.min(0),
        predictions.max(0),
    )


def blocks(x: Float[np.ndarray, "points arity"], t: Float[np.ndarray, " points"], std: float) -> Block:
    """Points `x [points, arity]`, `t [points]` in blocks of equal size, `[blocks, BLOCK, ...]`.

    The last block is filled up with its first point, which then has weight 0.
    """
    rows = np.arange(-(-len(x) // BLOCK) * BLOCK).reshape(-1, BLOCK)
    inside = rows < len(x)
    rows = np.where(inside, rows, rows[:, :1])
    return Block(x[rows], t[rows], inside.astype(np.float32), np.full(len(rows), std, np.float32))


class Errors(NamedTuple):
    """Judgement of each net on a set of points: float64 arrays `[nets]`."""

    relative_rmse: Float64[np.ndarray, " nets"]
    max_error: Float64[np.ndarray, " nets"]
    right: Float64[np.ndarray, " nets"]  # share of points that round to the right integer
    spread: Float64[np.ndarray, " nets"]  # largest minus smallest prediction over the standard deviation of the results


def combine(parts: Sums, points: int, std: float) -> Errors:
    """The sums `[blocks, lanes]` of all blocks of `points` points."""
    squares, worst, right, low, high = (np.asarray(leaf, np.float64) for leaf in parts)
    with np.errstate(invalid="ignore", over="ignore"):
        return Errors(
            np.sqrt(squares.sum(0) / points),
            worst.max(0),
            right.sum(0) / points,
            (high.max(0) - low.min(0)) / std,
        )


def yardstick(mse: Float[np.ndarray, " nets"], points: Points) -> Int[np.ndarray, " nets"]:
    """The hardest of the trivial answers that is beaten by one per cent: an index into `tables.schema.YARDSTICKS`."""
    beaten = np.zeros(len(mse), int)
    for level, loss in enumerate((points.zero, points.mean, points.plane), start=1):
        beaten = np.where(mse < BEATEN * loss, level, beaten)
    return beaten


def grade(errors: Errors, certified: Bool[np.ndarray, " nets"]) -> Int[np.ndarray, " nets"]:
    """An index into `tables.schema.GRADES` for each net.

    certified: `[nets]`, whether the whole domain was checked and all of it right.
    """
    finite = np.isfinite(errors.relative_rmse)
    dead = finite & (errors.spread <= CONSTANT)
    relative = np.where(finite, errors.relative_rmse, np.inf)
    return np.select(
        [~finite, dead, certified, relative <= LEARNED, relative <= ROUGH],
        [0, 1, 5, 4, 3],
        default=2,
    )
