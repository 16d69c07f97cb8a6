"""The plan: which nets train together, in which program.

Nets may share a program when all that is static agrees; what differs then is numbers. Narrow MLPs are lanes of a
multiply-sum program, wide ones matrix products over a leading axis, a user's own modules likewise. A program is
either exact (one architecture) or shared (layers padded to a bucket, one of several activations, optimisers and losses
chosen at run time): sharing costs arithmetic and saves compiling.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.data import Range, Task
from arithjax.models import MLP, MODELS, MLPModel
from arithjax.models.activations import ACTIVATIONS
from arithjax.models.initializers import INITIALIZERS
from arithjax.models.mlp import count_parameters
from arithjax.operations import OPERATIONS
from arithjax.optimization import LOSSES, OPTIMIZERS, SCHEDULES, Numbers
from arithjax.setup import Setup
from arithjax.train import Choices, Nets, Program
from arithjax.transforms import TRANSFORMS

NARROW = 16
"""Nets whose widest layer has at most this many units are lanes; wider ones are matrix products."""
BUCKETS = (2, 4, 8, 16, 32, 64, 128, 256)
"""Widths that shared programs pad to; beyond, multiples of the last."""


@dataclass(frozen=True)
class NetId:
    """One net: a setup and a seed, with the trial it belongs to."""

    trial: int
    seed: int
    setup: Setup


@dataclass(frozen=True)
class Tile:
    """Nets that train together in one run of a program; places beyond the last net are filled with copies."""

    program: Program
    shared: bool
    nets: tuple[NetId, ...]

    @property
    def setup(self) -> Setup:
        """A setup of the tile: all agree in what is static and in their choices."""
        return self.nets[0].setup

    @property
    def name(self) -> str:
        """The program as a table shows it, such as `lanes 2-4-4-1 shared`; enough to build it again."""
        return describe(self.program, self.shared)

    @property
    def model_steps(self) -> int:
        """Optimiser steps times nets."""
        return len(self.nets) * self.setup.steps


def describe(program: Program, shared: bool) -> str:
    """`lanes SIZES` or `product*NETS SIZES`, with `shared` or `exact`."""
    sizes = (program.inputs, *program.network.features) if isinstance(program.network, MLP) else ("own",)
    count = "" if program.form == "lanes" else f"*{program.nets}"
    return f"{program.form}{count} {'-'.join(map(str, sizes))} {'shared' if shared else 'exact'}"


def plan(nets: Sequence[NetId], workers: int) -> list[Tile]:
    """Tiles for all nets, largest programs first, so that none is left to train alone at the end."""
    pools: dict[Program, list[NetId]] = defaultdict(list)
    for net in nets:
        pools[program_of(net.setup, shared=True)].append(net)
    tiles = []
    for pool in pools.values():
        shared = worth_sharing(pool)
        groups: dict[tuple, list[NetId]] = defaultdict(list)
        for net in pool:
            groups[program_of(net.setup, shared), choices_of(net.setup, shared)].append(net)
        sizes: dict[Program, int] = defaultdict(int)
        for (program, _), members in groups.items():
            sizes[program] = max(sizes[program], len(members))
        for (program, _), members in groups.items():
            count = places(program, sizes[program], workers)
            for start in range(0, len(members), count):
                tiles.append(Tile(replace(program, nets=count), shared, tuple(members[start : start + count])))
    return sorted(tiles, key=lambda tile: -cost(tile.program, tile.setup.steps))


def worth_sharing(pool: Sequence[NetId]) -> bool:
    """Whether one shared program for these nets is expected to end sooner than an exact one for each architecture."""
    exact: dict[Program, set] = defaultdict(set)
    for net in pool:
        exact[program_of(net.setup, shared=False)].add((choices_of(net.setup, False), net.setup.steps))
    shared_program = program_of(pool[0].setup, shared=True)
    choices = {choices_of(net.setup, True) for net in pool}
    seconds_exact = sum(
        COMPILE_SECONDS + sum(cost(program, steps) for _, steps in members) for program, members in exact.items()
    )
    seconds_shared = 2 * COMPILE_SECONDS + len(choices) * 1.3 * cost(shared_program, pool[0].setup.steps)
    return seconds_shared < seconds_exact


COMPILE_SECONDS = 2.5
STEP_SECONDS = 2e-5
LANE_FLOPS = 10e9
PRODUCT_FLOPS = 20e9


def cost(program: Program, steps: int) -> float:
    """Expected seconds of one run of a program, on one core: a fixed time a step, and its arithmetic."""
    if not isinstance(program.network, MLP):
        return steps * 1e-3
    flops = 6 * program.batch * count_parameters((program.inputs, *program.network.features))
    rate = LANE_FLOPS if program.form == "lanes" else PRODUCT_FLOPS
    return steps * (STEP_SECONDS + max(program.nets, 8) * flops / rate)


def places(program: Program, nets: int, workers: int) -> int:
    """How many nets a run of the program holds. In `lanes` form results do not depend on it."""
    if program.leading:
        return min(8, _power(nets))
    if jax.default_backend() != "cpu":
        return min(8192, max(32, _power(nets)))
    rows = program.examples * (program.inputs + 1) * 4
    fits = 1 << max(3, int(math.log2(max(1, (1 << 28) // rows))))
    return min(128, fits, max(8, _power(math.ceil(nets / workers))))


def _power(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()


def bucket(width: int) -> int:
    """The width a layer of a shared program is padded to."""
    return next((b for b in BUCKETS if width <= b), math.ceil(width / BUCKETS[-1]) * BUCKETS[-1])


def program_of(setup: Setup, shared: bool, nets: int = 1) -> Program:
    """The program of a setup, with `nets` places."""
    model, op = MODELS[setup.model], OPERATIONS[setup.op]
    own = not isinstance(model, MLPModel)
    if own:
        network, form, shared = model.network(setup), "lifted", False
    else:
        features, candidates = _layers(setup, shared)
        network = MLP(features, candidates, setup.bias, shared)
        form = "lanes" if max(features) <= NARROW else "product"
    return Program(
        network=network,
        form=form,
        nets=nets,
        inputs=op.arity,
        op=op,
        integers=setup.integers,
        examples=setup.examples,
        batch=setup.batch,
        fresh=setup.fresh,
        optimizers=tuple(OPTIMIZERS.values()) if shared else (OPTIMIZERS[setup.optimizer],),
        losses=tuple(LOSSES.values()) if shared else (LOSSES[setup.loss],),
        transforms=tuple(TRANSFORMS.values()),
        weight_decay=decay_of(setup) > 0,
        clip=setup.clip is not None,
    )


def _layers(setup: Setup, shared: bool) -> tuple[tuple[int, ...], tuple]:
    """Features and candidate activations of every layer, the output last."""
    names = [*hidden_activations(setup), setup.output_activation]
    if not shared:
        return (*setup.widths, 1), tuple((ACTIVATIONS[name],) for name in names)
    width = bucket(max(setup.widths))
    everything = tuple(ACTIVATIONS.values())
    return (*[width] * len(setup.widths), 1), (everything,) * len(names)


def hidden_activations(setup: Setup) -> tuple[str, ...]:
    """The activation of every hidden layer."""
    return (setup.activation,) * len(setup.widths) if isinstance(setup.activation, str) else setup.activation


def decay_of(setup: Setup) -> float:
    """The weight decay of a setup: its own, or its optimiser's."""
    return OPTIMIZERS[setup.optimizer].weight_decay if setup.weight_decay is None else setup.weight_decay


def choices_of(setup: Setup, shared: bool) -> tuple:
    """What nets of one tile agree in, as plain numbers in the order of `Choices`, and the task they learn."""
    optimizer, schedule = OPTIMIZERS[setup.optimizer], SCHEDULES[setup.schedule]
    numbers = Numbers(*(_default(getattr(setup, n), getattr(optimizer, n)) for n in Numbers._fields))
    activation = [*hidden_activations(setup), setup.output_activation]
    numbers_of = (
        _index(OPTIMIZERS, setup.optimizer) if shared else 0,
        _index(LOSSES, setup.loss) if shared else 0,
        _index(TRANSFORMS, setup.input_transform),
        _index(TRANSFORMS, setup.target_transform),
        setup.bounds,
        numbers,
        _index(SCHEDULES, setup.schedule),
        _default(setup.end_factor, schedule.end_factor),
        setup.warmup,
        setup.steps,
        tuple(_index(ACTIVATIONS, name) if shared else 0 for name in activation),
        INITIALIZERS[setup.initializer],
    )
    return numbers_of, Task.of(setup), tuple(setup.evaluation_steps), setup.stop_early


def _default(value: float | None, default: float) -> float:
    return default if value is None else value


def _index(registry: dict, name: str) -> int:
    return list(registry).index(name)


def choices_arrays(setup: Setup, shared: bool) -> Choices:
    """`choices_of` as arrays."""
    values = choices_of(setup, shared)[0]

    def integer(i):
        return jnp.asarray(values[i], jnp.int32)

    return Choices(
        optimizer=integer(0),
        loss=integer(1),
        input_transform=integer(2),
        target_transform=integer(3),
        interval=Range(*(jnp.float32(v) for v in values[4])),
        numbers=Numbers(*(jnp.float32(v) for v in values[5])),
        schedule=integer(6),
        end_factor=jnp.float32(values[7]),
        warmup=integer(8),
        steps=integer(9),
        activation=integer(10),
        scaling=values[11].scaling(),
    )


def nets_arrays(tile: Tile) -> Nets:
    """The arrays over a tile's places; places beyond the last net repeat it."""
    filled = [*tile.nets, *[tile.nets[-1]] * (tile.program.nets - len(tile.nets))]
    words = [(int(i.setup.identity()[:8], 16), int(i.setup.identity()[8:16], 16), i.seed) for i in filled]
    setups = [net.setup for net in filled]

    def row(values):
        return jnp.asarray(np.array(values, np.float32))

    return Nets(
        identity=jnp.asarray(np.array(words, np.uint32)),
        widths=jnp.asarray(np.array([(tile.program.inputs, *s.widths, 1) for s in setups], np.int32).T),
        learning_rate=row([s.learning_rate for s in setups]),
        weight_decay=row([decay_of(s) for s in setups]),
        clip=row([s.clip or np.inf for s in setups]),
    )
