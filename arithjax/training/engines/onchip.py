"""Narrow dense nets on an accelerator, in one kernel that keeps a block of nets on the chip for many steps (Pallas).

XLA's programs read and write all weights and moments in every step, with a launch for every layer. Here weights and
gradients stay in registers while a batch is read, and weights and moments in the cache from step to step. The kernel is
compiled for each architecture, by Triton on a GPU and by Mosaic on a TPU; on a CPU it is interpreted, for tests.

A net has a lane of its own and shares nothing with others. Batches are gathered before the kernel is called.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu, triton

from arithjax.architecture import dense_layer
from arithjax.environment import backend
from arithjax.models.network import Layout
from arithjax.task.examples import Examples
from arithjax.training.compiled import compiled
from arithjax.training.engines.xla import XLA
from arithjax.training.initial import State
from arithjax.training.optimizers import Numbers
from arithjax.training.specs import TrainSpec
from arithjax.training.step import Segment, clipped, drawn_batches, moved_along
from arithjax.training.tile import PerNet, Shared

LANES = {"gpu": (32,), "tpu": (8, 128), "cpu": (32,)}
"""Nets of a block: a warp, with a net in each thread, which so reads what it wrote itself; or a register of a TPU."""

TOGETHER = 8
"""Parameters that the optimiser moves at a time: enough to hide the latency of memory, few enough for registers."""


OWN = ("learning_rate", "weight_decay", "clip", "clip_value")
"""What differs between the nets of a program."""


class _Alone(Layout):
    """Where every number of a net is an array of its own, with nothing but nets."""

    def per_net(self, values: Any) -> Any:
        return values

    def net_axes(self, leaf: Any) -> tuple[int, ...]:
        return ()


ALONE = _Alone("alone", lanes=True)


class OnChip(XLA):
    """The compiled engine but for its steps."""

    def advance(
        self,
        spec: TrainSpec,
        state: State,
        examples: Examples,
        segment: Segment,
        root: jax.Array,
        shared: Shared,
        per_net: PerNet,
    ) -> State:
        """Launches of a portion of the steps each."""
        start, steps = int(segment.start), int(segment.steps)
        for first in range(0, steps, spec.portion):
            part = slice(first, min(first + spec.portion, steps))
            now = Segment(jnp.int32(start + first), segment.steps, segment.rows[part], segment.rates[part])
            state = train(spec, state, examples, now, root, shared, per_net)
        return state


@compiled()
def train(
    spec: TrainSpec,
    state: State,
    examples: Examples,
    segment: Segment,
    root: jax.Array,
    shared: Shared,
    per_net: PerNet,
) -> State:
    """Every net trained through all rows of a segment: batches gathered, and the kernel launched once."""
    trees = (state.params, *state.moments)
    kept = [*map(_packed, trees)]
    given = (
        jnp.stack([getattr(per_net, name) for name in OWN]),
        *_batches(spec, examples, segment, root, shared, per_net),
    )
    scalars = jnp.stack(shared.numbers), segment.rates, segment.start[None]
    launch = _on_tpu if backend() == "tpu" else _on_gpu
    # besides what is kept, a place for the gradient
    trained = launch(spec, [*map(_in_blocks, (*kept, jnp.zeros_like(kept[0])))], [*map(_in_blocks, given)], scalars)
    rows = [array.reshape(len(array), -1)[:, : spec.nets] for array in trained]
    params, *moments = [_unpacked(array, tree) for array, tree in zip(rows, trees, strict=False)]
    return State(params, tuple(moments))


def _batches(spec: TrainSpec, examples: Examples, segment: Segment, *given: Any) -> tuple[jax.Array, jax.Array]:
    """The batches of all steps, `x [steps, batch, inputs, nets]` and `t [steps, batch, nets]`."""
    if spec.fresh is None:
        return examples.x[segment.rows], examples.t[segment.rows]
    root, shared, per_net = given
    steps = segment.start + jnp.arange(len(segment.rates))
    fits = examples.input_fit, examples.target_fit
    return drawn_batches(spec.fresh, (spec.batch, spec.inputs), steps, root, fits, shared, per_net.identity)


def _packed(tree: Any) -> jax.Array:
    """A tree of arrays `[..., nets]` as one, `[numbers, nets]`, whose last rows are zeros up to a whole `TOGETHER`."""
    rows = jnp.concatenate([leaf.reshape(-1, leaf.shape[-1]) for leaf in jax.tree.leaves(tree)])
    return jnp.pad(rows, [(0, -len(rows) % TOGETHER), (0, 0)])


def _unpacked(rows: jax.Array, tree: Any) -> Any:
    """`[numbers, nets]` as a tree like the given one: the inverse of `_packed`."""
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([leaf[..., 0].size for leaf in leaves])
    parts = jnp.split(rows, ends)
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=False)])


def _in_blocks(array: jax.Array) -> jax.Array:
    """`[..., nets]` as `[..., blocks, *block]`; places without a net are 0."""
    block = LANES[backend()]
    rest = -array.shape[-1] % math.prod(block)
    filled = jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, rest)])
    return filled.reshape(*array.shape[:-1], -1, *block)


# ---- launches: one program a block of nets, which sees arrays `[..., *block]` of `[..., blocks, *block]`
#
# kept: parameters, moments and a place for the gradient, which change in place. given: what `OWN` names, and batches.
# scalars: the optimiser's numbers, the rates of all steps, and the number of the first step.


def _on_gpu(spec: TrainSpec, kept: list[jax.Array], given: list[jax.Array], scalars: tuple) -> Sequence[jax.Array]:
    """A program is a warp, and runs through all steps."""

    def program(*refs: Any) -> None:
        (own, x, t, numbers, rates, start), results = refs[len(kept) :][:6], refs[len(kept) + 6 :]

        def one_step(s: jax.Array, nothing: None) -> None:
            _step(spec, results, own, (x, t), (s,), (numbers, start[0] + s, rates[s]))

        jax.lax.fori_loop(0, x.shape[0], one_step, None)

    def all_of(array: jax.Array) -> pl.BlockSpec:
        return pl.BlockSpec((*array.shape[:-2], None, array.shape[-1]), lambda b: (*(0,) * (array.ndim - 2), b, 0))

    return pl.pallas_call(
        program,
        out_shape=kept,
        grid=kept[0].shape[1:2],
        in_specs=[*map(all_of, (*kept, *given)), *(pl.BlockSpec(array.shape, lambda b: (0,)) for array in scalars)],
        out_specs=[*map(all_of, kept)],
        input_output_aliases={i: i for i in range(len(kept))},
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=jax.default_backend() == backend() == "cpu",
    )(*kept, *given, *scalars)


def _on_tpu(spec: TrainSpec, kept: list[jax.Array], given: list[jax.Array], scalars: tuple) -> Sequence[jax.Array]:
    """A program makes one step; what is kept stays in fast memory, while the next step's batch is fetched."""
    own, *batches = given

    def program(*refs: Any) -> None:
        before, (own, x, t, numbers, rates, start), results = (
            refs[: len(kept)],
            refs[len(kept) :][:6],
            refs[len(kept) + 6 :],
        )
        s = pl.program_id(1)

        @pl.when(s == 0)
        def _() -> None:
            for array, result in zip(before, results, strict=True):
                result[...] = array[...]

        _step(spec, results, own, (x, t), (), (numbers, start[0] + s, rates[s]))

    def all_of(array: jax.Array) -> pl.BlockSpec:
        return pl.BlockSpec((len(array), None, *array.shape[-2:]), lambda b, s: (0, b, 0, 0))

    def of_step(array: jax.Array) -> pl.BlockSpec:
        inside = array.shape[1:-3]
        return pl.BlockSpec((None, *inside, None, *array.shape[-2:]), lambda b, s: (s, *(0,) * len(inside), b, 0, 0))

    scalar = pl.BlockSpec(memory_space=tpu.SMEM)
    return pl.pallas_call(
        program,
        out_shape=kept,
        grid=(kept[0].shape[1], len(batches[0])),
        in_specs=[*map(all_of, (*kept, own)), *map(of_step, batches), *[scalar] * len(scalars)],
        out_specs=[*map(all_of, kept)],
    )(*kept, *given, *scalars)


# ---- one step of a block: every number of a net is an array `[*block]` of its own


def _step(spec: TrainSpec, kept: Sequence[Any], own: Any, batches: tuple[Any, Any], at: tuple, scalars: tuple) -> None:
    """One step of every net.

    at: where in the batches those of the step are. scalars: the optimiser's numbers, the step, the factor on the rate.
    """
    params, *moments, slopes = kept
    spec = replace(spec, layout=ALONE)
    numbers, step, factor = scalars
    per_net = _only(PerNet, **{name: own[i] for i, name in enumerate(OWN)})
    shared = _only(Shared, numbers=Numbers(*_values(numbers, len(Numbers._fields))), branch=jnp.int32(0))
    for row, slope in enumerate(clipped(spec, _gradient(spec, params, *batches, at), per_net)):
        slopes[row] = slope

    def move(part: jax.Array, nothing: None) -> None:
        first = part * TOGETHER
        p, g, *m = (_values(array, TOGETHER, first) for array in (params, slopes, *moments))
        moved = moved_along(replace(spec, clip=False), State(p, tuple(m)), g, step, factor, shared, per_net)
        for array, values in zip((params, *moments), (moved.params, *moved.moments), strict=True):
            for row, value in enumerate(values):
                array[first + row] = value

    jax.lax.fori_loop(0, params.shape[0] // TOGETHER, move, None)


def _only(kind: Any, **fields: Any) -> Any:
    """A tuple of arrays of which no others are needed."""
    return kind(**dict.fromkeys(kind._fields) | fields)


def _values(rows: Any, count: int, first: Any = 0) -> list[jax.Array]:
    """Rows of an array in memory."""
    return [rows[first + i] for i in range(count)]


def _gradient(spec: TrainSpec, params: Any, x: Any, t: Any, at: tuple) -> list[jax.Array]:
    """The gradient of every net's mean loss over a batch, an example at a time."""
    loss, structure = spec.loss, _structure(spec)
    weights = _values(params, structure.num_leaves)

    def add(b: jax.Array, total: list) -> list:
        values = [x[*at, b, i] for i in range(spec.inputs)]
        error, pull = jax.vjp(lambda weights: loss.fn(_predict(spec, weights, values), t[*at, b]), weights)
        (slopes,) = pull(jnp.full_like(error, 1 / spec.batch))
        return [a + slope for a, slope in zip(total, slopes, strict=True)]

    return jax.lax.fori_loop(0, spec.batch, add, [jnp.zeros_like(p) for p in weights])


def _structure(spec: TrainSpec) -> Any:
    """The tree of one net's parameters, with lists in place of arrays: its leaves are in the order of `_packed`."""
    network: Any = spec.network
    sizes = itertools.pairwise((spec.inputs, *network.features))
    layers = [{"kernel": [[0] * b] * a} | ({"bias": [0] * b} if network.use_bias else {}) for a, b in sizes]
    return jax.tree.structure({dense_layer(i): layer for i, layer in enumerate(layers)})


def _predict(spec: TrainSpec, weights: list, values: list) -> jax.Array:
    """The output for one example's inputs."""
    network: Any = spec.network
    tree = jax.tree.unflatten(_structure(spec), weights)
    for i, activation in enumerate(network.activations):
        layer = tree[dense_layer(i)]
        sums = [functools.reduce(jnp.add, map(jnp.multiply, values, ws)) for ws in zip(*layer["kernel"], strict=True)]
        values = [activation.fn(z) for z in map(jnp.add, sums, layer.get("bias", [0.0] * len(sums)))]
    return values[0]
