"""Schedules of the learning rate, ramps of the regulariser, and the factors they give at each step.

To add one:

    aj.SCHEDULES["half"] = aj.Schedule("half", "1/2", lambda progress, end: 0.5 * jnp.ones_like(progress))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32

from arithjax.errors import ArithjaxError
from arithjax.models.branches import mapped, switch
from arithjax.registry import RAMPS, SCHEDULES
from arithjax.task import trying
from arithjax.training.compiled import compiled, lanes_options

STEPS = 512
"""Steps whose factors a program makes."""


@dataclass(frozen=True)
class Schedule:
    """The factor on the learning rate, a function of progress in [0, 1] and of the `end_factor` it ends at.

    end_factor: its default. end_above_zero: whether it may not be 0.
    """

    name: str
    formula: str
    factor: Callable[[Float[Array, ""], Float[Array, ""]], Float[Array, ""]]
    end_factor: float = 0.0
    end_above_zero: bool = False

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the factor is one number, of the type of the progress."""
        _one_number(f"schedule '{self.name}'", self.factor, 0.5, 0.1)


def _one_number(what: str, factor: Callable, *given: float) -> None:
    arguments = [jnp.asarray(value, float) for value in given]
    found = trying.called(what, lambda *arguments: jnp.asarray(factor(*arguments)), *arguments)
    if found.shape != () or found.dtype != arguments[0].dtype:
        raise ArithjaxError(f"{what} gives shape {found.shape} of {found.dtype}; it has to give one real number.")


SCHEDULES.fill(
    Schedule,
    [
        Schedule("constant", "1", lambda progress, end: jnp.ones_like(progress), end_factor=1.0),
        Schedule(
            "cosine",
            "end + (1 - end) (1 + cos(π progress)) / 2",
            lambda progress, end: end + (1 - end) * 0.5 * (1 + jnp.cos(jnp.pi * progress)),
        ),
        Schedule(
            "exponential", "end^progress", lambda progress, end: end**progress, end_factor=0.01, end_above_zero=True
        ),
    ],
)


@dataclass(frozen=True)
class Ramp:
    """How a regulariser grows: the factor on its strength, a function of progress in [0, 1] between two steps."""

    name: str
    formula: str
    factor: Callable[[Float[Array, ""]], Float[Array, ""]]

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the factor is one number, of the type of the progress."""
        _one_number(f"ramp '{self.name}'", self.factor, 0.5)


RAMPS.fill(
    Ramp,
    [
        Ramp("linear", "progress", lambda progress: progress),
        Ramp("decades", "10^(floor(2 progress) - 2)", lambda progress: 10.0 ** (jnp.floor(2 * progress) - 2)),
    ],
)


class Pace(NamedTuple):
    """How the learning rate changes: index of the schedule, the factor it ends at, steps of warm-up, and of all."""

    schedule: Int32[Array, ""]
    end_factor: Float[Array, ""]
    warmup: Int32[Array, ""]
    steps: Int32[Array, ""]


def rates_at(steps: Int32[np.ndarray, " steps"], pace: Pace) -> Float[np.ndarray, " steps"]:
    """The factors on the learning rate at `steps [steps]`, some steps at a time, so that one program makes them all."""
    filled, schedules = np.resize(steps, -(-len(steps) // STEPS) * STEPS), tuple(SCHEDULES.values())
    parts = [rates(schedules, filled[i : i + STEPS], pace) for i in range(0, len(filled), STEPS)]
    return np.concatenate(parts)[: len(steps)]


@compiled(lambda schedules: lanes_options())
def rates(schedules: tuple[Schedule, ...], steps: Int32[Array, " steps"], pace: Pace) -> Float[Array, " steps"]:
    """The factors on the learning rate at `steps [steps]`: linear warm-up, then the schedule over the rest."""
    warmup, total = pace.warmup.astype(float), pace.steps.astype(float)

    def at(step: Int32[Array, ""]) -> Float[Array, ""]:
        now = step.astype(float)
        progress = jnp.clip((now - warmup) / jnp.maximum(total - warmup, 1), 0, 1)
        branches = [lambda *given, of=schedule.factor: jnp.asarray(of(*given), float) for schedule in schedules]
        factor = switch(pace.schedule, branches, progress, pace.end_factor)
        return factor * jnp.minimum(1.0, (now + 1) / jnp.maximum(warmup, 1))

    return mapped(at, steps)
