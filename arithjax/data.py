"""Examples: what nets are trained on, each net on its own, and the fixed points all of them are tested on."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special
from scipy.stats import qmc

from arithjax.errors import Registry
from arithjax.operations import OPERATIONS, Operation
from arithjax.setup import Setup, closed
from arithjax.transforms import Fitted, Transform

CERTIFIABLE = 1 << 20
"""Whole domains of up to this many points are certified."""


class Examples(NamedTuple):
    """Training data of a program, transformed: `x [examples, inputs, lanes]`, `t [examples, lanes]`, and the fits."""

    x: jax.Array
    t: jax.Array
    input_fit: Fitted  # [inputs, lanes]
    target_fit: Fitted  # [lanes]


class Range(NamedTuple):
    """The interval arguments are drawn from, as scalars; for integers both ends are included."""

    low: jax.Array
    high: jax.Array


@dataclass(frozen=True)
class Distribution:
    """How arguments are spread: `place(u, low, high)` takes uniform `u` in [0, 1) to arguments (the inverse of the
    cumulative distribution), for jax and for numpy arrays `xp`."""

    name: str
    about: str
    place: Callable[..., Any]


def _normal(u: Any, low: Any, high: Any, xp: Any) -> Any:
    """Mean in the middle, three standard deviations to each end, where it is cut off."""
    cut = 0.9973002039367398  # the mass within three standard deviations
    erfinv = jax.lax.erf_inv if xp is jnp else special.erfinv
    return (low + high) / 2 + (high - low) / 6 * math.sqrt(2) * erfinv((2 * u - 1) * cut)


DISTRIBUTIONS = Registry(
    "distribution",
    Distribution,
    [
        Distribution("uniform", "uniform on [low, high)", lambda u, low, high, xp: low + u * (high - low)),
        Distribution("normal", "normal with standard deviation (high - low) / 6, cut off at both ends", _normal),
        Distribution(
            "exponential",
            "low plus an exponential of mean high - low",
            lambda u, low, high, xp: low - (high - low) * xp.log1p(-u),
        ),
    ],
)


def draw(
    key: jax.Array, count: int, op: Operation, integers: bool, interval: Range, distribution: Distribution
) -> jax.Array:
    """`[count, arity]` arguments of one net."""
    shape = (count, op.arity)
    if integers:
        low, high = (jnp.asarray(v, jnp.int32) for v in interval)
        return jax.random.randint(key, shape, low, high + 1).astype(float)
    if distribution.name == "uniform":
        return jax.random.uniform(key, shape, minval=interval.low, maxval=interval.high)
    return distribution.place(jax.random.uniform(key, shape), *interval, jnp)


def draw_batch(
    keys: jax.Array,
    step: jax.Array,
    shape: tuple[int, int],
    integers: bool,
    interval: Range,
    distribution: Distribution,
) -> jax.Array:
    """New arguments of every lane at a step, from `keys [lanes]`: `[*shape, lanes]`, with shape `(batch, arity)`."""
    u = uniform(keys, step, shape)
    if integers:
        return jnp.floor(interval.low + u * (interval.high - interval.low + 1))
    return distribution.place(u, *interval, jnp)


def uniform(keys: jax.Array, step: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Uniform numbers in [0, 1), `[*shape, lanes]`, from `keys [lanes]` and a step.

    It is JAX's own generator, Threefry-2x32 with 20 rounds (Salmon et al. 2011), with the lanes last and the rounds
    written out: four times as fast as `jax.random.uniform` under `vmap`.
    """
    rows, columns = shape
    half = (-(-rows // 2), columns, len(keys))
    words = jax.random.key_data(keys).T[:, None, None]
    counter = jnp.broadcast_to(jnp.arange(half[0] * columns, dtype=jnp.uint32).reshape(half[0], columns, 1), half)
    bits = jnp.concatenate(_threefry(words, (counter, jnp.full(half, step, jnp.uint32))))[:rows]
    mantissa = (bits >> np.uint32(9)) | np.uint32(0x3F800000)
    return (jax.lax.bitcast_convert_type(mantissa, jnp.float32) - 1).astype(float)


def _threefry(key: jax.Array, count: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Two words for each counter of two words, under `key [2, ...]`."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA))
    a, b = count[0] + keys[0], count[1] + keys[1]
    for block in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[block % 2]:
            a = a + b
            b = a ^ ((b << np.uint32(turn)) | (b >> np.uint32(32 - turn)))
        a, b = a + keys[(block + 1) % 3], b + keys[(block + 2) % 3] + np.uint32(block + 1)
    return a, b


def prepare(
    keys: jax.Array,
    op: Operation,
    integers: bool,
    examples: int,
    transforms: tuple[Transform, ...],
    interval: Range,
    distribution: Distribution,
    chosen: tuple[jax.Array, jax.Array],
) -> Examples:
    """Draw each lane's examples from its own key, `keys [lanes]`, and fit and apply its transforms.

    `chosen` holds the indices of the input and the target transform among `transforms`.
    """
    x = jax.vmap(lambda key: draw(key, examples, op, integers, interval, distribution), out_axes=-1)(keys)
    t = op(x)

    def fit_and_show(index: jax.Array, data: jax.Array) -> tuple[jax.Array, Fitted]:
        def branch(transform: Transform, data: jax.Array) -> tuple[jax.Array, Fitted]:
            warped = jax.lax.optimization_barrier(transform.warp(data))
            fitted = transform.fit(warped)
            return (warped - fitted.shift[None]) / fitted.scale[None], fitted

        return jax.lax.switch(index, [functools.partial(branch, transform) for transform in transforms], data)

    (x, input_fit), (t, target_fit) = fit_and_show(chosen[0], x), fit_and_show(chosen[1], t)
    return Examples(x, t, input_fit, target_fit)


@functools.lru_cache(maxsize=256)
def order(examples: int, epoch: int) -> np.ndarray:
    """The order `[examples]` in which an epoch visits its examples.

    It is the same for every net: each has its own independent examples, so nets stay independent, and reading whole
    rows of lanes is several times faster than an order for each net.
    """
    return np.random.default_rng([examples, epoch]).permutation(examples).astype(np.int32)


@dataclass(frozen=True)
class Points:
    """Fixed points in original units: `x [points, arity]`, exact results `t [points]`, and what trivial answers lose.

    zero, mean, plane: mean squared errors of answering 0, the mean, and the best affine function.
    """

    x: np.ndarray
    t: np.ndarray
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
    def domain(self) -> np.ndarray | None:
        """All arguments `[points, arity]` of an operation on integers whose results are whole, if they are few enough
        to be certified, else None."""
        return self._arguments if self.whole else None

    @functools.cached_property
    def _arguments(self) -> np.ndarray | None:
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


def evaluate(op: Operation, x: np.ndarray, precision: str = "float32") -> np.ndarray:
    """Exact results `[points]` of arguments `[points, arity]`, rounded to a precision."""
    with jax.enable_x64(precision == "float64"):
        return np.asarray(op(jnp.asarray(x, float)), precision)


@functools.lru_cache(maxsize=256)
def smallest_target(op: Operation, low: float, high: float, integers: bool) -> float:
    """The smallest result on a grid of the closed interval that includes its ends (and 0 where it is inside)."""
    ends = np.linspace(low, high, 65)
    grid = np.unique(np.append(np.rint(ends) if integers else ends, [0.0] if low <= 0 <= high else []))
    if op.arity > 2:  # too many to try: constant inputs, and inputs at random
        random = np.random.default_rng(0).choice(grid, (4096, op.arity))
        return float(evaluate(op, np.vstack([np.tile(grid[:, None], op.arity), random])).min())
    return float(evaluate(op, np.array(list(itertools.product(grid, repeat=op.arity)))).min())
