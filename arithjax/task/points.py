"""Points: the fixed arguments that every net of a task is tested on, with exact results."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num
from scipy.stats import qmc

from arithjax.environment import arithmetic
from arithjax.ranges import closed
from arithjax.registry import DISTRIBUTIONS, OPERATIONS
from arithjax.setup import Setup
from arithjax.task.distributions import Distribution
from arithjax.task.operations import Operation
from arithjax.task.truth import Results

CERTIFIABLE = 1 << 20
"""Whole domains of up to this many points are certified."""

FEWEST = 1024
"""Points that yardsticks are measured on, at least, however few nets are tested on."""

MANY = 1 << 16
"""Points that are looked at before results count as all equal."""

SOBOL = 1 << 26
"""Whole numbers in the longest range for which Sobol points of 30 bits do."""


@dataclass(frozen=True)
class Points:
    """Fixed points in original units, and what errors on them are compared with.

    x: arguments `[points, arity]`, in the precision of the nets. truth: their exact results.
    more: further arguments `[more, arity]` from the same range, so that there are `FEWEST` at least; nets are not
        tested on them, but only what gives the same answer to all of them answers the same everywhere.
    scale: the unit of relative errors: the standard deviation of the results; of results that are all equal their
        magnitude; 0 where all of them are 0.
    varies: whether results differ at all.
    zero, mean, plane: mean squared errors of answering 0, the mean, and the best affine function.
    """

    x: Float[np.ndarray, "points arity"]
    truth: Results
    more: Float[np.ndarray, "more arity"]
    scale: float
    varies: bool
    zero: float
    mean: float
    plane: float

    @property
    def t(self) -> Float[np.ndarray, " points"]:
        """The exact results `[points]` in float64."""
        return self.truth.t

    def relative(self, error: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Errors over the scale; where that is 0, no error is 0, and any other infinite."""
        error = np.asarray(error, float)
        return error / self.scale if self.scale else np.where(error == 0, error, np.where(error > 0, np.inf, np.nan))


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

    @property
    def traced(self) -> bool:
        """Whether compiled programs compute training targets; if not, they are computed exactly, and then rounded."""
        return self.op.trial(*closed(self.low, self.high, self.integers), self.integers, self.precision).traced

    @property
    def arguments(self) -> int | None:
        """How many different arguments there are; None of real ones, which are not counted."""
        low, high = closed(self.low, self.high, self.integers)
        return int(high - low + 1) ** self.op.arity if self.integers else None

    @functools.cached_property
    def domain(self) -> Float[np.ndarray, "points arity"] | None:
        """All arguments `[points, arity]`; None where they are not whole numbers, or more than `CERTIFIABLE`."""
        if self.arguments is None or self.arguments > CERTIFIABLE:
            return None
        low, high = closed(self.low, self.high, True)
        values = np.arange(low, high + 1, dtype=self.precision)
        return np.stack(np.meshgrid(*[values] * self.op.arity, indexing="ij"), -1).reshape(-1, self.op.arity)

    @functools.cached_property
    def domain_truth(self) -> Results | None:
        """The exact results of the domain, if there is one."""
        return None if self.domain is None else self.op.exact(self.domain, True)

    @functools.cached_property
    def whole(self) -> bool:
        """Whether results are whole numbers."""
        return self.integers and (self.domain_truth or self.interpolation_points.truth).whole

    @property
    def countable(self) -> bool:
        """Whether all results are whole numbers, known exactly, and few enough to compare with every one."""
        return self.domain_truth is not None and self.whole and self.domain_truth.known

    @functools.cached_property
    def uncertain(self) -> str:
        """Why no net can be certified on this task, one of `tables.schema.CERTIFICATES`; empty where nets can be."""
        if not self.integers:
            return "real arguments"
        if not self.whole:
            return "results not whole"
        if self.domain_truth is None:
            return "too many arguments"
        if not self.domain_truth.known:
            return "results not exact"
        return "" if self.domain_truth.held(self.precision) else f"beyond {self.precision}"


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

    def seen(count: int) -> tuple[Float[np.ndarray, "count arity"], Results]:
        x = _arguments(op, intervals, integers, distribution, count, precision)
        return x, op.exact(x, integers)

    x, truth = seen(max(count, FEWEST))
    wide, wide_truth = (x, truth) if np.ptp(truth.t) else seen(max(count, MANY))
    t = wide_truth.t
    varies = bool(np.ptp(t))
    design = np.column_stack([wide.astype(float), np.ones(len(wide))])
    residual = t - design @ np.linalg.lstsq(design, t)[0]
    return Points(
        x[:count],
        Results(truth.t[:count], truth.rest[:count], truth.known),
        x[count:],
        float(t.std() if varies else abs(t[0])),
        varies,
        float((t**2).mean()),
        float(t.var()) * varies,
        float((residual**2).mean()) * varies,
    )


def _arguments(
    op: Operation,
    intervals: tuple[tuple[float, float], ...],
    integers: bool,
    distribution: Distribution,
    count: int,
    precision: str,
) -> Float[np.ndarray, "count arity"]:
    """The first `count` arguments of a Sobol sequence over the intervals."""
    ends = np.array([closed(low, high, integers) for low, high in intervals], float)
    lengths = ends[:, 1] - ends[:, 0] + integers
    offsets = np.concatenate([[0.0], np.cumsum(lengths)])
    bits = 53 if integers and offsets[-1] > SOBOL else 30  # of each number: enough to tell whole numbers apart
    sobol = qmc.Sobol(op.arity, rng=np.random.default_rng(0), bits=bits)
    unit = sobol.random_base2(max(0, int(np.ceil(np.log2(count)))))[:count]
    position = unit * offsets[-1]
    which = np.clip(np.searchsorted(offsets, position, side="right") - 1, 0, len(lengths) - 1)
    low, inside, length = ends[which, 0], position - offsets[which], lengths[which]
    x = low + inside if distribution.name == "uniform" else distribution.place(inside / length, low, low + length, np)
    x = (np.floor(x) if integers else x).astype(precision)
    if op.leaves_out:
        with arithmetic(precision):
            x = np.asarray(op.usable(jnp.asarray(x)))
    return x


def evaluate(op: Operation, x: Num[np.ndarray, "points arity"], integers: bool = False) -> Float[np.ndarray, " points"]:
    """Exact results `[points]` of arguments `[points, arity]`, rounded to float64."""
    return op.exact(x, integers).t
