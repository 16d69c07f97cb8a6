"""Points: the fixed arguments that every net of a task is tested on, with exact results."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num
from scipy.stats import qmc

from arithjax.registry import DISTRIBUTIONS, OPERATIONS
from arithjax.setup import Setup, closed
from arithjax.task.distributions import Distribution
from arithjax.task.operations import Operation

CERTIFIABLE = 1 << 20
"""Whole domains of up to this many points are certified."""


@dataclass(frozen=True)
class Points:
    """Fixed points in original units: `x [points, arity]`, exact results `t [points]`, and what trivial answers lose.

    zero, mean, plane: mean squared errors of answering 0, the mean, and the best affine function.
    """

    x: Float[np.ndarray, "points arity"]
    t: Float[np.ndarray, " points"]
    std: float
    zero: float
    mean: float
    plane: float


@dataclass(frozen=True)
class Task:
    """An operation on a range: what is tested, shared by every net that learns it."""

    op: Operation
    integers: bool
    low: float
    high: float
    extrapolation: tuple[tuple[float, float], ...]
    distribution: Distribution
    tests: int
    precision: str = "float32"

    @classmethod
    def of(cls, setup: Setup) -> Task:
        """The task of a setup."""
        intervals = tuple(setup.extrapolation_intervals)
        spread = intervals, DISTRIBUTIONS[setup.distribution], setup.tests, setup.precision
        return _known(cls(OPERATIONS[setup.op], setup.integers, setup.low, setup.high, *spread))

    @functools.cached_property
    def interpolation_points(self) -> Points:
        """Test points in the training range."""
        intervals = ((self.low, self.high),)
        return points(self.op, intervals, self.integers, self.distribution, self.tests, self.precision)

    @functools.cached_property
    def extrapolation_points(self) -> Points:
        """Test points in the extrapolation range."""
        return points(self.op, self.extrapolation, self.integers, self.distribution, self.tests, self.precision)

    @functools.cached_property
    def domain(self) -> Float[np.ndarray, "points arity"] | None:
        """All arguments `[points, arity]` on which nets are certified; None where they are not.

        They are if arguments and results are whole numbers and there are at most `CERTIFIABLE` of them.
        """
        return self._arguments if self.whole else None

    @functools.cached_property
    def _arguments(self) -> Float[np.ndarray, "points arity"] | None:
        if not self.integers:
            return None
        low, high = closed(self.low, self.high, True)
        if (high - low + 1) ** self.op.arity > CERTIFIABLE:
            return None
        values = np.arange(low, high + 1, dtype=self.precision)
        return np.stack(np.meshgrid(*[values] * self.op.arity, indexing="ij"), -1).reshape(-1, self.op.arity)

    @functools.cached_property
    def whole(self) -> bool:
        """Whether results are whole numbers."""
        if not self.integers:
            return False
        known, x = self.interpolation_points.t, self._arguments
        t = known if x is None else evaluate(self.op, x, self.precision)
        return bool(np.all(t == np.rint(t)))


@functools.lru_cache(maxsize=64)
def _known(task: Task) -> Task:
    """The first of equal tasks, so that its points are made once."""
    return task


def points(
    op: Operation,
    intervals: tuple[tuple[float, float], ...],
    integers: bool,
    distribution: Distribution,
    count: int,
    precision: str = "float32",
) -> Points:
    """`count` scrambled Sobol points over the intervals: they cover the range evenly, so errors vary little by chance.

    Every argument is drawn from the union of the intervals, each in proportion to its length.
    """
    sobol = qmc.Sobol(op.arity, rng=np.random.default_rng(0))
    unit = sobol.random_base2(max(0, int(np.ceil(np.log2(count)))))[:count]
    ends = np.array([closed(low, high, integers) for low, high in intervals], float)
    lengths = ends[:, 1] - ends[:, 0] + integers
    offsets = np.concatenate([[0.0], np.cumsum(lengths)])
    position = unit * offsets[-1]
    which = np.clip(np.searchsorted(offsets, position, side="right") - 1, 0, len(lengths) - 1)
    low, inside, length = ends[which, 0], position - offsets[which], lengths[which]
    x = low + inside if distribution.name == "uniform" else distribution.place(inside / length, low, low + length, np)
    x = (np.floor(x) if integers else x).astype(precision)
    if op.leaves_out:
        with jax.enable_x64(precision == "float64"):
            x = np.asarray(op.usable(jnp.asarray(x)))
    t = evaluate(op, x, precision)
    wide = t.astype(float)
    design = np.column_stack([x.astype(float), np.ones(len(x))])
    residual = wide - design @ np.linalg.lstsq(design, wide)[0]
    return Points(
        x,
        t,
        float(wide.std()) or 1.0,
        float((wide**2).mean()),
        float(wide.var()),
        float((residual**2).mean()),
    )


def evaluate(
    op: Operation, x: Num[np.ndarray, "points arity"], precision: str = "float32"
) -> Float[np.ndarray, " points"]:
    """Exact results `[points]` of arguments `[points, arity]`, rounded to a precision."""
    return op.results(x, precision)
