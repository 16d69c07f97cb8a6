"""Architecture: whether a setup's layers agree with each other, and what is asked of its training with them.

Setups are checked with these functions while they are made; `s` is always the setup.
"""

from __future__ import annotations

import itertools
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.fields import ALL, cell, names_of
from arithjax.registry import MODELS, SCHEDULES

MOST_EVALUATIONS = 100_000
"""The most evaluations of a training."""

FINISHABLE = 1024
"""Parameters of the largest nets that can be finished."""


def count_parameters(sizes: tuple[int, ...], bias: bool = True) -> int:
    """Weights and biases of a dense net with layer sizes `(inputs, ..., outputs)`."""
    return sum((a + bias) * b for a, b in itertools.pairwise(sizes))


def dense_layer(i: int) -> str:
    """Flax's name for the parameters of the i-th layer of a dense net."""
    return f"Dense_{i}"


def check_layers(s: Any) -> None:
    """Models, widths and activations agree in the number of layers; units have options of training that others lack."""
    names = names_of(s.model)
    if len(names) > 1:
        if alone := [name for name in names if not MODELS[name].stackable]:
            raise ArithjaxError(
                f"model={cell(s.model)}: '{alone[0]}' is no unit to stack; use 'dense' for an MLP layer."
            )
        if len(names) != len(s.widths) + 1:
            raise ArithjaxError(
                f"model={cell(s.model)} names {len(names)} layers and widths={cell(s.widths)} makes "
                f"{len(s.widths) + 1}; give a width for every layer but the last."
            )
    if not s.widths and MODELS[names[0]].needs_hidden:
        raise ArithjaxError("widths is empty; give at least one hidden layer, such as 64,64.")
    if not isinstance(s.activation, str) and len(s.activation) != len(s.widths):
        raise ArithjaxError(
            f"activation={cell(s.activation)} names {len(s.activation)} layers and widths={cell(s.widths)} "
            f"{len(s.widths)}; give one name, or one for each hidden layer."
        )


def check_training(s: Any) -> None:
    """Options of training fit the model, the schedule and the number of examples."""
    model = MODELS[names_of(s.model)[0]]
    for name in ("regularizer", "regularizer_apart", "alternate"):
        if getattr(s, name) and not model.regularizable:
            raise ArithjaxError(f"{name}={getattr(s, name)} is for arithmetic units; model={cell(s.model)} has none.")
    if s.end_factor == 0 and SCHEDULES[s.schedule].end_above_zero:
        raise ArithjaxError(f"end_factor=0 is not allowed; with schedule={s.schedule} it has to be above 0.")
    if s.last_step > MOST_EVALUATIONS * (s.evaluate_every or s.steps):
        raise ArithjaxError(
            f"evaluate_every={s.evaluate_every} makes more than {MOST_EVALUATIONS:,} evaluations of {s.last_step:,} "
            f"steps; take a larger one."
        )
    if s.examples != ALL and s.batch > s.example_count and not s.fresh:
        raise ArithjaxError(f"batch={s.batch} is larger than the data, examples={s.examples}; take a smaller batch.")


def check_finishing(s: Any) -> None:
    """Finishing solves for all parameters at once, and knows squared errors alone."""
    if s.finish and s.loss != "mse":
        raise ArithjaxError(f"finish={s.finish} makes squared errors small; set loss=mse, not {s.loss}.")
    if MODELS[names_of(s.model)[0]].countable:  # a user's own module is counted when it is made
        check_finishable(s, count_parameters((s.inputs, *s.widths, s.outputs), s.bias))


def check_finishable(setup: Any, parameters: int) -> None:
    """Raise `ArithjaxError` if a net of so many parameters is to be finished and is too large for it."""
    if setup.finish and parameters > FINISHABLE:
        raise ArithjaxError(
            f"finish={setup.finish} is for nets of up to {FINISHABLE} parameters, and these have {parameters}; take "
            f"smaller widths than {cell(setup.widths)[:60]}, or finish=0."
        )
