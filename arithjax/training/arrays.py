"""Setups as the arrays that a program is given: the choices of its tile, and what differs from net to net."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.registry import INITIALIZERS, OPTIMIZERS, RAMPS, SCHEDULES, TRANSFORMS
from arithjax.setup import Setup
from arithjax.task.examples import Range
from arithjax.task.points import Task
from arithjax.training.optimizers import Numbers
from arithjax.training.programs import Choices, Nets, Pace

if TYPE_CHECKING:
    from arithjax.training.planning import Candidates, Tile


def layer_activations(setup: Setup) -> tuple[str, ...]:
    """The activation of every layer, the output last."""
    hidden = setup.activation
    return (*((hidden,) * len(setup.widths) if isinstance(hidden, str) else hidden), setup.output_activation)


def decay_of(setup: Setup) -> float:
    """The weight decay of a setup: its own, or its optimiser's."""
    return _default(setup.weight_decay, OPTIMIZERS[setup.optimizer].weight_decay)


def choices_of(setup: Setup, candidates: Candidates) -> tuple:
    """What nets of one tile agree in: `Choices` as plain numbers, by name, and all else that decides their course."""
    optimizer, schedule = OPTIMIZERS[setup.optimizer], SCHEDULES[setup.schedule]
    choices = {
        "op": candidates.ops.index(setup.op) if setup.fresh else 0,
        "optimizer": candidates.optimizers.index(setup.optimizer),
        "loss": candidates.losses.index(setup.loss),
        "input_transform": list(TRANSFORMS).index(setup.input_transform),
        "target_transform": list(TRANSFORMS).index(setup.target_transform),
        "interval": setup.bounds,
        "numbers": Numbers(*(_default(getattr(setup, n), getattr(optimizer, n)) for n in Numbers._fields)),
        "pace": (
            list(SCHEDULES).index(setup.schedule),
            _default(setup.end_factor, schedule.end_factor),
            setup.warmup,
            setup.steps,
        ),
        "activation": _activation_indices(setup, candidates),
        "scaling": INITIALIZERS[setup.initializer],
        "regularizer_ramp": list(RAMPS).index(setup.regularizer_ramp),
        "regularizer_start": setup.regularizer_start,
        "regularizer_end": setup.regularizer_end,
    }
    course = tuple(setup.evaluation_steps), setup.stop_early, setup.restart, setup.threshold, setup.finish
    return tuple(choices.items()), Task.of(setup), course


def _activation_indices(setup: Setup, candidates: Candidates) -> tuple[int, ...]:
    return tuple(names.index(name) for names, name in zip(candidates.layers, layer_activations(setup), strict=True))


def _default(value: float | None, default: float) -> float:
    return default if value is None else value


def choices_arrays(tile: Tile) -> Choices:
    """The choices of a tile as arrays: whole numbers int32, others in its precision."""
    choices = dict(choices_of(tile.setup, tile.candidates)[0])

    schedule, end_factor, warmup, steps = choices["pace"]

    def integer(name: str) -> jax.Array:
        return jnp.asarray(choices[name], jnp.int32)

    return Choices(
        interval=Range(*(jnp.asarray(v, float) for v in choices["interval"])),
        numbers=Numbers(*(jnp.asarray(v, float) for v in choices["numbers"])),
        pace=Pace(jnp.int32(schedule), jnp.asarray(end_factor, float), jnp.int32(warmup), jnp.int32(steps)),
        scaling=choices["scaling"].scaling(),
        **{name: integer(name) for name in Choices._fields if name not in _NOT_INTEGER},
    )


_NOT_INTEGER = ("interval", "numbers", "pace", "scaling")


def nets_arrays(tile: Tile) -> Nets:
    """The arrays over a tile's places; places beyond the last net repeat it."""
    filled = [*tile.nets, *[tile.nets[-1]] * (tile.program.nets - len(tile.nets))]
    digests = {setup: setup.identity() for setup in {net.setup for net in tile.nets}}
    words = [(int(digests[i.setup][:8], 16), int(digests[i.setup][8:16], 16), i.seed) for i in filled]
    setups = [net.setup for net in filled]

    def row(values):
        return jnp.asarray(np.array(values), float)

    return Nets(
        identity=jnp.asarray(np.array(words, np.uint32)),
        widths=jnp.asarray(np.array([(tile.program.inputs, *s.widths, 1) for s in setups], np.int32).T),
        learning_rate=row([s.learning_rate for s in setups]),
        weight_decay=row([decay_of(s) for s in setups]),
        clip=row([s.clip or np.inf for s in setups]),
        clip_value=row([s.clip_value or np.inf for s in setups]),
        regularizer=row([s.regularizer for s in setups]),
    )
