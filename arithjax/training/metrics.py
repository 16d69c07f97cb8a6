"""Metrics: a user's own measures of what nets have learnt, a column each.

A metric is a function of a net's answers and the exact results on the test points, in original units, that gives one
number. Every metric that is entered is computed for every net that trains from then on, at the evaluation that counts.
To add one, in a script or a study file:

    aj.METRICS["mape"] = lambda prediction, target: np.mean(np.abs(prediction / target - 1))

One that is about points of its own, or about one operation alone, is an `aj.Metric`, which says so.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Shaped

from arithjax.errors import ArithjaxError
from arithjax.registry import METRICS, OPERATIONS
from arithjax.setup import Setup
from arithjax.tables.schema import COLUMNS, OBJECTIVES_ALONE
from arithjax.tables.statistics import COMPUTED
from arithjax.task import trying
from arithjax.task.points import Points, Task


@dataclass(frozen=True)
class Metric:
    """A metric.

    name: in the registry; also the name of its column. about: what it measures, a line.
    fn: of a net's answers and the exact results, each `[points]`, or `[points, results]` of several, in original units
        and float64, the number that the metric gives.
    op: the operation whose nets it measures, others have none; default: those of all.
    x: arguments `[points, arity]` of that operation, in original units, that nets are asked about; default: their test
        points.

    Raises:
        ArithjaxError: `x` is no table of finite numbers, or there is no `op` that they are arguments of: none is named,
            or it is a data set, which has rows and no function.
    """

    name: str
    about: str
    fn: Callable[[np.ndarray, np.ndarray], Any]
    op: str | None = None
    x: Float[np.ndarray, "points arity"] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.op is not None:
            OPERATIONS[self.op]
        if self.x is not None:
            object.__setattr__(self, "x", self._arguments(self.x))

    def _arguments(self, x: Any) -> Float[np.ndarray, "points arity"]:
        """Points of its own, checked."""
        if self.op is None:
            raise ArithjaxError(f"metric '{self.name}' has points x of its own; say with op= whose arguments they are.")
        if OPERATIONS[self.op].data:
            raise ArithjaxError(
                f"metric '{self.name}' has points x of its own, and op={self.op} is a data set, which has rows and no "
                "function that gives the results of others; leave x out."
            )
        arity = OPERATIONS[self.op].arity
        try:
            found = np.array(x, float)
        except (TypeError, ValueError):
            found = np.empty(0)
        if found.ndim != 2 or found.shape[1] != arity or not len(found) or not np.isfinite(found).all():
            raise ArithjaxError(
                f"metric '{self.name}': x has shape {found.shape}; it has to be a table of finite numbers, a row for "
                f"each point and a column for each of the {arity} arguments of {self.op}."
            )
        return found

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the function gives a number, under a name that no other column has."""
        if self.name in {*COLUMNS, *COMPUTED, *OBJECTIVES_ALONE}:
            raise ArithjaxError(
                f"metric '{self.name}' has the name of a column of tables, or of an objective; give it another."
            )
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ArithjaxError(f"metric {self.name!r} has to be called by letters, digits and _, as a column is.")
        if self.op is None:  # if not, it is tried on the results of its operation
            self._tried(np.linspace(1.0, 2.0, 12), np.linspace(1.1, 2.3, 12), "")

    def points(self, task: Task) -> Points | None:
        """The points of a task that it is about; None where it is about other operations."""
        if self.op not in (None, task.op.name):
            return None
        return task.interpolation_points if self.x is None else task.at(self.x)

    def check(self, setup: Setup) -> None:
        """Raise `ArithjaxError` unless it gives a finite number for answers that are near a setup's exact results."""
        points = self.points(Task.of(setup))
        if points is None:
            return
        near = points.t + 0.1 * np.asarray(points.scale) * np.cos(np.arange(points.t.size)).reshape(points.t.shape)
        self._tried(near, points.t.copy(), f" on {setup.op}")

    def _tried(self, prediction: np.ndarray, target: np.ndarray, where: str) -> None:
        what = f"metric '{self.name}'"
        try:
            with np.errstate(all="ignore"):
                value = self.fn(prediction, target)
        except Exception as error:
            raise ArithjaxError(f"{what} fails{where} ({trying.reason(error)}).") from None
        try:
            number = float(value) if np.ndim(value) == 0 else None
        except (TypeError, ValueError):
            number = None
        if number is None:
            gives = f"shape {np.shape(value)}" if np.ndim(value) else f"a {type(value).__name__}"
            raise ArithjaxError(
                f"{what} gives {gives}{where} for arrays of shape {target.shape}; it has to give one number, such as "
                "the mean."
            )
        if not np.isfinite(number):
            raise ArithjaxError(
                f"{what} is {number:g}{where} for answers near the exact results; leave out those for which it is not "
                "defined, such as results of 0 that it divides by."
            )

    def of(self, prediction: Float64[np.ndarray, " points *outputs"], points: Points) -> float | None:
        """Its value for a net's answers; None where it fails or is not finite, as for answers that are not."""
        if not np.isfinite(prediction).all():
            return None
        try:
            with np.errstate(all="ignore"):
                value = float(self.fn(prediction, points.t.copy()))
        except Exception as error:
            warnings.warn(f"metric '{self.name}' fails for a net ({trying.reason(error)}); it has none.", stacklevel=2)
            return None
        return value if np.isfinite(value) else None


def check(setups: Iterable[Setup]) -> None:
    """Raise `ArithjaxError`, before anything trains, where a metric that is entered cannot judge some setup's nets."""
    if METRICS:
        tasks = {Task.of(setup): setup for setup in dict.fromkeys(setups)}
        for setup in tasks.values():
            for metric in METRICS.values():
                metric.check(setup)


def columns(
    answers: Callable[[Points], Float[np.ndarray, "points *outputs places"]], task: Task, nets: int
) -> dict[str, Shaped[np.ndarray, " nets"]]:
    """What the metrics that are entered come to: a column each, and all of them as JSON, in column `metrics`.

    answers: gives the answers of all places to points of the task, in original units.
    nets: how many of the places hold nets.
    """
    if not METRICS:
        return {"metrics": np.full(nets, None, object)}
    given: dict[bytes, list[np.ndarray]] = {}  # what nets are asked by several metrics they answer once

    def values(metric: Metric) -> list[float | None]:
        points = metric.points(task)
        if points is None:
            return [None] * nets
        asked = points.x.tobytes()
        if asked not in given:
            given[asked] = [*np.moveaxis(np.asarray(answers(points)[..., :nets], float), -1, 0)]
        return [metric.of(one, points) for one in given[asked]]

    found = {name: values(metric) for name, metric in METRICS.items()}
    texts = [json.dumps(dict(zip(found, values, strict=True))) for values in zip(*found.values(), strict=True)]
    return {"metrics": np.array(texts, object), **{name: np.array(values, float) for name, values in found.items()}}


METRICS.fill(
    Metric,
    [],
    families={"any name": "one of your own, from answers and exact results: aj.METRICS['mape'] = function"},
    made=Metric,
)
