"""Points: the fixed arguments that every net of a task is tested on, with exact results."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from arithjax import selection
from arithjax.environment import arithmetic
from arithjax.errors import ArithjaxError
from arithjax.fields import ALL
from arithjax.registry import DISTRIBUTIONS, OPERATIONS
from arithjax.selection import CERTIFIABLE
from arithjax.setup import Setup
from arithjax.tables.schema import ALL_ROWS, CERTIFIED
from arithjax.task.arguments import Span, combinations
from arithjax.task.datasets import Dataset
from arithjax.task.distributions import Distribution
from arithjax.task.operations import Operation
from arithjax.task.truth import Results

HELD_OUT = 20_261_126
"""The seed of the choice of rows that are held out."""

FAR_MORE = 10
"""How many times as many arguments there are than a net is shown, at least, where those drawn anew count as fresh."""

FEWEST = 1024
"""Points that yardsticks are measured on, at least, however few nets are tested on."""

MANY = 1 << 16
"""Points that are looked at before results count as all equal."""

SOBOL = 1 << 26
"""Whole numbers in the longest range for which Sobol points of 30 bits do."""


def shown(setup: Setup) -> int:
    """How many examples a net is shown in training, repeats of the same arguments among them."""
    return setup.batch * setup.steps if setup.fresh else setup.example_count


@dataclass(frozen=True)
class Points:
    """Fixed points in original units, and what errors on them are compared with.

    x: arguments `[points, arity]`, in the precision of the nets. truth: their exact results.
    more: further arguments `[more, arity]` from the same range, so that there are `FEWEST` at least; nets are not
        tested on them, but only what gives the same answer to all of them answers the same everywhere.
    scale: the unit of relative errors: the standard deviation of the results; of results that are all equal their
        magnitude; 0 where all of them are 0. Of several results that of each, `[outputs]`.
    varies: whether results differ at all.
    zero, mean, plane: mean squared errors of answering 0, the mean, and the best affine function; over all results.
    """

    x: Float[np.ndarray, "points arity"]
    truth: Results
    more: Float[np.ndarray, "more arity"]
    scale: float | Float[np.ndarray, " outputs"]
    varies: bool
    zero: float
    mean: float
    plane: float

    @property
    def t(self) -> Float[np.ndarray, " points *outputs"]:
        """The exact results `[points, *outputs]` in float64."""
        return self.truth.t

    @functools.cached_property
    def rival(self) -> float:
        """Of classes, the share of points that answering the commonest one gets wrong."""
        counts = np.unique(self.t, axis=0, return_counts=True)[1]
        return 1 - float(counts.max()) / len(self.t)

    def relative(self, rmse: Float[np.ndarray, "*outputs nets"]) -> Float[np.ndarray, "*outputs nets"]:
        """Errors of each result over its scale; where that is 0, no error is 0, and any other infinite."""
        error = np.asarray(rmse, float)
        scale = np.asarray(self.scale, float)[..., None]
        return np.where(scale > 0, error / np.where(scale > 0, scale, 1.0), unscaled(error))


def unscaled(error: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Relative errors where all results are 0: no error is 0, and any other infinite."""
    return np.where(error == 0, error, np.where(error > 0, np.inf, np.nan))


def joint(errors: Float[np.ndarray, "*outputs nets"]) -> Float[np.ndarray, " nets"]:
    """The errors `[nets]` over all results, from those of each, `[outputs, nets]`: their root mean square."""
    return np.sqrt((errors**2).mean(0)) if errors.ndim > 1 else errors


@dataclass(frozen=True)
class Task:
    """An operation on a range: what is tested, shared by every net that learns it.

    spans: where each argument lies. beyond: for each argument the spans that it is extrapolated to; empty where there
    is nothing to extrapolate to.
    tabled: whether examples are rows of the table of all arguments, the domain. once: whether each is one.
    apart: the share of the table that is held out, and judged on. balanced: whether its classes are
    drawn equally often.
    """

    op: Operation
    spans: tuple[Span, ...]
    beyond: tuple[tuple[Span, ...], ...]
    distribution: Distribution
    tests: int
    precision: str = "float32"
    tabled: bool = False
    once: bool = False
    apart: float = 0.0
    balanced: bool = False

    @classmethod
    def of(cls, setup: Setup) -> Task:
        """The task of a setup."""
        op = OPERATIONS[setup.op]
        if op.content != setup.content:
            raise ArithjaxError(f"op={setup.op} is not what it was when the setup was made; make it again.")
        beyond = tuple(tuple(dict.fromkeys(spans)) for spans in zip(*setup.spans_beyond, strict=True))
        spread = DISTRIBUTIONS[setup.distribution], setup.tests, setup.precision
        found = cls(
            op,
            *(setup.spans, beyond, *spread),
            tabled=selection.tabled(setup),
            once=setup.examples == ALL,
            apart=selection.held_out(setup),
            balanced=setup.balanced,
        )
        return _known(found)

    @functools.cached_property
    def interpolation_points(self) -> Points:
        """Test points in the training range: those that are held out, if any are."""
        if self.apart or self.balanced or self.op.data:
            return self._rows(~self.trained if self.apart else self.trained)
        return self.points(tuple((span,) for span in self.spans), self.tests)

    @functools.cached_property
    def training_points(self) -> Points | None:
        """The rows of the table that nets train on, if others are held out."""
        return self._rows(self.trained) if self.apart else None

    @functools.cached_property
    def trained(self) -> Bool[np.ndarray, " rows"]:
        """Which rows of the table nets train on: by chance, but the same ones of every table of as many rows."""
        assert self.domain is not None
        chosen, count = np.ones(len(self.domain), bool), len(self.domain)
        shuffled = np.random.default_rng([count, HELD_OUT]).permutation(count)
        chosen[shuffled[count - selection.held_rows(count, self.apart) :]] = False
        return chosen

    def _rows(self, chosen: Bool[np.ndarray, " rows"]) -> Points:
        """Some rows of the table as points; others are further arguments."""
        assert self.domain is not None
        assert self.domain_truth is not None
        rows, more = np.flatnonzero(chosen), self.domain[~chosen][:FEWEST]
        if self.balanced:
            starts, counts, by_kind = kinds_of(self.domain_truth.t[rows])
            kind, chance = np.arange(self.tests) % len(counts), np.random.default_rng(0).random(self.tests)
            rows = rows[by_kind[starts[kind] + np.floor(chance * counts[kind]).astype(int)]]
        truth = self.domain_truth.part(rows)
        return measured(self.domain[rows], truth, more, self.domain[rows], truth.t)

    @functools.cached_property
    def extrapolation_points(self) -> Points | None:
        """Test points in the extrapolation range, if there is one."""
        return self.points(self.beyond, self.tests) if self.beyond else None

    def points(self, columns: tuple[tuple[Span, ...], ...], count: int) -> Points:
        """So many points, each argument from the union of its spans."""
        return points(self.op, columns, self.distribution, count, self.precision)

    def at(self, x: Float[np.ndarray, "points arity"]) -> Points:
        """Any arguments as points, in or beyond the range; made once for equal arguments.

        Raises:
            ArithjaxError: the operation's condition does not hold for some, or a result is not finite.
        """
        return _at(self, np.ascontiguousarray(x, float).tobytes(), x.shape)

    @property
    def integers(self) -> bool:
        """Whether all arguments are whole numbers."""
        return all(span.whole for span in self.spans)

    @property
    def traced(self) -> bool:
        """Whether compiled programs compute training targets; if not, they are computed exactly, and then rounded."""
        return self.op.trial(self.spans, self.precision).traced

    @property
    def arguments(self) -> int | None:
        """How many different arguments there are; None of real ones, which are not counted."""
        found = combinations(self.spans) or None
        if isinstance(self.op, Dataset):
            return len(self.op.x)
        return len(self.domain) if found and self.op.conditional and self.domain is not None else found

    def unseen(self, setup: Setup) -> bool:
        """Whether a net was trained on hardly any of the arguments from its range that it is asked.

        So it is where these were held out, or where there are `FAR_MORE` times as many as it was shown.
        """
        few = self.arguments is not None and self.arguments < FAR_MORE * shown(setup)
        return self.apart > 0 or not (few or self.balanced)

    @functools.cached_property
    def domain(self) -> Float[np.ndarray, "points arity"] | None:
        """All arguments `[points, arity]`; None where some are real, or they are more than `CERTIFIABLE`."""
        found = self.op.rows(self.spans, CERTIFIABLE)
        return None if found is None else found.astype(self.precision)

    @functools.cached_property
    def domain_truth(self) -> Results | None:
        """The exact results of the domain, if there is one."""
        if isinstance(self.op, Dataset):
            return self.op.results
        return None if self.domain is None else self.op.exact(self.domain, self.integers)

    @property
    def counted(self) -> bool:
        """Whether all arguments are known: whole numbers, listed values, or the rows of a data set."""
        return self.op.data or combinations(self.spans) > 0

    @functools.cached_property
    def whole(self) -> bool:
        """Whether results are whole numbers."""
        return self.counted and (self.domain_truth or self.interpolation_points.truth).whole

    @functools.cached_property
    def classes(self) -> bool:
        """Whether results are classes: true or false, or few whole numbers although arguments are real."""
        found = self.op.trial(self.spans, self.precision)
        return found.boolean or (not self.counted and len(found.values) > 1)

    @property
    def countable(self) -> bool:
        """Whether all results are whole numbers, known exactly, and few enough to compare with every one."""
        return self.domain_truth is not None and self.whole and self.domain_truth.known

    @property
    def certificate(self) -> str:
        """What a net that is right on the whole domain is certified to be, one of `tables.schema.CERTIFICATES`."""
        return ALL_ROWS if self.op.data else CERTIFIED

    @functools.cached_property
    def uncertain(self) -> str:
        """Why no net can be certified on this task, one of `tables.schema.CERTIFICATES`; empty where nets can be."""
        if not self.counted:
            return "real arguments"
        if not self.whole:
            return "results not whole"
        if self.domain_truth is None:
            return "too many arguments"
        if not self.domain_truth.known:
            return "results not exact"
        return "" if self.domain_truth.held(self.precision) else f"beyond {self.precision}"


@functools.lru_cache(maxsize=64)
def _at(task: Task, raw: bytes, shape: tuple[int, ...]) -> Points:
    """The points of `Task.at`, for the bytes of its arguments in float64."""
    op, given = task.op, np.frombuffer(raw).reshape(shape).astype(task.precision)
    if op.conditional and not (held := np.asarray(op.holds(given))).all():
        where = op.at(given[np.argmin(held)])
        raise ArithjaxError(f"the condition of {op.name} does not hold at {where}, which nets are asked; leave it out.")
    truth = op.exact(given, task.integers and bool((given == np.rint(given)).all()))
    lost = np.flatnonzero(~np.isfinite(truth.t.reshape(len(given), -1)).all(1))
    if len(lost):
        where = op.at(given[lost[0]])
        raise ArithjaxError(f"{op.name} has no finite result at {where}, which nets are asked; leave it out.")
    return measured(given, truth, given[:0], given, truth.t)


@functools.lru_cache(maxsize=64)
def _known(task: Task) -> Task:
    """The first of equal tasks, so that its points are made once."""
    return task


def points(
    op: Operation,
    columns: tuple[tuple[Span, ...], ...],
    distribution: Distribution,
    count: int,
    precision: str = "float32",
) -> Points:
    """`count` scrambled Sobol points over the spans: they cover the range evenly, so errors vary little by chance.

    Every argument is drawn from the union of its spans, each in proportion to its length.
    """
    integers = all(span.whole for spans in columns for span in spans)

    def seen(count: int) -> tuple[Float[np.ndarray, "count arity"], Results]:
        x = _arguments(op, columns, distribution, count, precision)
        return x, op.exact(x, integers)

    x, truth = seen(max(count, FEWEST))
    wide, wide_truth = (x, truth) if np.ptp(truth.t, axis=0).all() else seen(max(count, MANY))
    return measured(x[:count], truth.part(slice(count)), x[count:], wide, wide_truth.t)


def kinds_of(
    t: Float[np.ndarray, " rows *outputs"],
) -> tuple[Int[np.ndarray, " kinds"], Int[np.ndarray, " kinds"], Int[np.ndarray, " rows"]]:
    """Rows by their results `t`: where each different result starts in the last, how many have it, the rows."""
    kinds = np.unique(t, axis=0, return_inverse=True)[1].ravel()
    counts = np.bincount(kinds)
    return np.cumsum(counts) - counts, counts, np.argsort(kinds, kind="stable")


def measured(
    x: Float[np.ndarray, "points arity"],
    truth: Results,
    more: Float[np.ndarray, "more arity"],
    wide: Float[np.ndarray, "many arity"],
    t: Float[np.ndarray, " many *outputs"],
) -> Points:
    """Points with what their errors are compared with, measured on many arguments `wide` and their results `t`."""
    differ = np.ptp(t, axis=0) > 0
    varies = bool(differ.any())
    design = np.column_stack([wide.astype(float), np.ones(len(wide))])
    residual = t - design @ np.linalg.lstsq(design, t)[0]
    return Points(
        x,
        truth,
        more,
        np.where(differ, t.std(axis=0), np.abs(t[0]))[()],
        varies,
        float((t**2).mean()),
        float(t.var(axis=0).mean()) * varies,
        float((residual**2).mean()) * varies,
    )


def _arguments(
    op: Operation, columns: tuple[tuple[Span, ...], ...], distribution: Distribution, count: int, precision: str
) -> Float[np.ndarray, "count arity"]:
    """The first `count` arguments of a Sobol sequence over the spans for which the operation's condition holds."""
    from scipy.stats import qmc  # half a second of start-up, for this alone

    most = max(sum(_length(span) for span in spans if span.integers) for spans in columns)
    bits = 53 if most > SOBOL else 30  # of each number: enough to tell whole numbers apart
    drawn, size = 0, max(0, int(np.ceil(np.log2(count))))
    while drawn < count and size < 26:  # the trial call has seen that the condition holds often enough
        sobol = qmc.Sobol(len(columns), rng=np.random.default_rng(0), bits=bits)
        unit = sobol.random_base2(size)
        parts = [_placed(u, spans, distribution) for u, spans in zip(unit.T, columns, strict=True)]
        x = np.stack(parts, -1).astype(precision)
        x, size = x[op.holds(x)] if op.conditional else x, size + 1
        drawn = len(x)
    x = np.resize(x, (count, len(columns))) if len(x) < count else x[:count]
    if op.leaves_out:
        with arithmetic(precision):
            x = np.asarray(op.usable(jnp.asarray(x)))
    return x


def _length(span: Span) -> float:
    """How much of a union of spans one is."""
    low, high = span.ends
    return float(len(span.values) or high - low + span.integers)


def _placed(
    unit: Float[np.ndarray, " count"], spans: tuple[Span, ...], distribution: Distribution
) -> Float[np.ndarray, " count"]:
    """Numbers `[count]` from a union of spans, for uniform ones in [0, 1)."""
    if spans[0].values:
        return spans[0].numbers()[np.floor(unit * len(spans[0].values)).astype(int)]
    starts, lengths = np.array([span.ends[0] for span in spans]), np.array([_length(span) for span in spans])
    offsets = np.concatenate([[0.0], np.cumsum(lengths)])
    position = unit * offsets[-1]
    which = np.clip(np.searchsorted(offsets, position, side="right") - 1, 0, len(lengths) - 1)
    low, inside, length = starts[which], position - offsets[which], lengths[which]
    if spans[0].integers:
        return np.floor(low + inside)
    return (
        low + inside if distribution.name == "uniform" else distribution.place(inside / length, low, low + length, np)
    )


def evaluate(
    op: Operation, x: Num[np.ndarray, "points arity"], integers: bool = False
) -> Float[np.ndarray, " points *outputs"]:
    """Exact results `[points, *outputs]` of arguments `[points, arity]`, rounded to float64."""
    return op.exact(x, integers).t
