"""Narrow dense nets on an accelerator, in one kernel that keeps a block of nets on the chip for many steps (Pallas).

XLA's programs read and write all weights and moments in every step, with a launch for every layer. Here weights and
gradients stay in registers, and moments on the chip, through many steps. The kernel is compiled for each architecture,
by Mosaic for a GPU (from Hopper on) or for a TPU; on a CPU it is interpreted, for tests.

A net has a lane of its own and shares nothing with others.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu, tpu

from arithjax.architecture import dense_layer
from arithjax.environment import backend
from arithjax.models.network import Layout
from arithjax.task.examples import Examples
from arithjax.training.compiled import compiled
from arithjax.training.engines.primitives import plain
from arithjax.training.engines.xla import XLA
from arithjax.training.initial import State
from arithjax.training.optimizers import Numbers
from arithjax.training.specs import TrainSpec
from arithjax.training.step import Segment, clipped, drawn_batches, moved_along
from arithjax.training.tile import PerNet, Shared

LANES = {"gpu": (128,), "tpu": (8, 128), "cpu": (128,)}
"""Nets of a block: four warps, with a net in each thread, which so reads what it wrote itself; or a TPU's register."""

TOGETHER = 8
"""Parameters that the optimiser moves at a time: enough to hide the latency of memory, few enough for registers."""

OWN = ("learning_rate", "weight_decay", "clip", "clip_value")
"""What differs between the nets of a program."""


INTERPRETED: Any = getattr(mosaic_gpu, "InterpretGPUParams", None)
"""How a GPU's kernel runs on a CPU; before jax 0.11 a TPU's runs there instead."""


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
        """One call of a compiled program, in which the kernel is launched for a portion of the steps at a time."""
        return train(spec, state, examples, segment, root, shared, per_net)


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
    """Every net trained through all steps of a segment, a portion of them in each launch of the kernel."""
    trees, steps = (state.params, *state.moments), len(segment.rates)
    own, numbers = _in_blocks(jnp.stack([getattr(per_net, name) for name in OWN])), jnp.stack(shared.numbers)
    launch = _on_gpu if backend() == "gpu" or (INTERPRETED and backend() == "cpu") else _on_tpu
    fixed = None if spec.fresh else [_in_blocks(examples.x), _in_blocks(examples.t)]

    def trained(kept: list, part: tuple) -> tuple[list, None]:
        start, rows, rates = part
        given = fixed
        if given is None:
            given, rows = _drawn(spec, examples, start + jnp.arange(len(rates)), root, shared, per_net)
        return list(launch(spec, kept, [own, *given], (rows, numbers, rates, start[None]))), None

    size = -(-steps // -(-steps // spec.portion))  # nearly equal portions, and so at most two kernels
    launches, many = steps // size, steps // size * size
    starts = segment.start + jnp.arange(0, many, size, dtype=jnp.int32)
    parts = starts, *(a[:many].reshape(launches, size, *a.shape[1:]) for a in (segment.rows, segment.rates))
    kept, _ = jax.lax.scan(trained, [_in_blocks(_packed(tree)) for tree in trees], parts)
    if many < steps:
        kept, _ = trained(kept, (segment.start + many, segment.rows[many:], segment.rates[many:]))
    rows = [array.reshape(len(array), -1)[:, : spec.nets] for array in kept]
    params, *moments = [_unpacked(array, tree) for array, tree in zip(rows, trees, strict=True)]
    return State(params, tuple(moments))


def _drawn(spec: TrainSpec, examples: Examples, steps: jax.Array, *given: Any) -> tuple[list[jax.Array], jax.Array]:
    """The batches of some steps one after the other, `x` and `t` in blocks, and the rows of each step."""
    assert spec.fresh
    root, shared, per_net = given
    fits = examples.input_fit, examples.target_fit
    batches = drawn_batches(spec.fresh, (spec.batch, spec.inputs), steps, root, fits, shared, per_net.identity)
    rows = jnp.arange(len(steps) * spec.batch, dtype=jnp.int32).reshape(len(steps), spec.batch)
    return [_in_blocks(a.reshape(-1, *a.shape[2:])) for a in batches], rows


def _packed(tree: Any) -> jax.Array:
    """A tree of arrays `[..., nets]` as one, `[numbers, nets]`."""
    return jnp.concatenate([leaf.reshape(-1, leaf.shape[-1]) for leaf in jax.tree.leaves(tree)])


def _unpacked(rows: jax.Array, tree: Any) -> Any:
    """`[numbers, nets]` as a tree like the given one: the inverse of `_packed`."""
    leaves, structure = jax.tree.flatten(tree)
    ends = np.cumsum([leaf[..., 0].size for leaf in leaves])
    parts = jnp.split(rows, ends[:-1])
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


def _in_blocks(array: jax.Array) -> jax.Array:
    """`[..., nets]` as `[..., blocks, *block]`; places without a net are 0."""
    block = LANES[backend()]
    rest = -array.shape[-1] % math.prod(block)
    filled = jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, rest)])
    return filled.reshape(*array.shape[:-1], -1, *block)


# ---- launches: one program a block of nets, which sees arrays `[..., *block]` of `[..., blocks, *block]`
#
# kept: parameters and moments; what they are after the last step is returned. given: what `OWN` names, and examples.
# scalars: the examples of each step, the optimiser's numbers, the rates of all steps, and the number of the first step.


def _on_gpu(spec: TrainSpec, kept: list[jax.Array], given: list[jax.Array], scalars: tuple) -> Sequence[jax.Array]:
    """A program runs through all steps; weights stay in registers, and moments in memory of the program's own."""
    count, (rows, blocks, lanes) = len(kept), kept[0].shape

    def program(*refs: Any) -> None:
        before, (own, x, t, chosen, numbers, rates, start), after, moments = _cut(refs, count, 7, count)
        block = jax.lax.axis_index("block")
        params, *others = (ref.at[:, block] for ref in before)
        for moment, other in zip(moments, others, strict=True):
            _store(moment, _values(other, rows))
        own, x, t = own.at[:, block], x.at[:, :, block], t.at[:, block]

        def one_step(s: jax.Array, weights: list) -> list:
            def example(b: Any) -> tuple[list, jax.Array]:
                row = chosen[s, b]
                return [x[row, i] for i in range(spec.inputs)], t[row]

            return _step(spec, weights, moments, own, example, (numbers, start[0] + s, rates[s]))

        weights = jax.lax.fori_loop(0, len(rates), one_step, _values(params, rows))
        for ref, values in zip(after, (weights, *(_values(moment, rows) for moment in moments)), strict=True):
            _store(ref.at[:, block], values)

    return mosaic_gpu.kernel(
        program,
        out_type=kept,
        scratch_types=[mosaic_gpu.SMEM((rows, lanes), kept[0].dtype)] * (count - 1),
        grid=(blocks,),
        grid_names=("block",),
        compiler_params=mosaic_gpu.CompilerParams(
            unsafe_no_auto_barriers=True,  # threads share nothing
            lowering_semantics=mosaic_gpu.LoweringSemantics.Lane,
        ),
        interpret=INTERPRETED() if INTERPRETED and backend() == "cpu" else None,
    )(*kept, *given, *scalars)


def _on_tpu(spec: TrainSpec, kept: list[jax.Array], given: list[jax.Array], scalars: tuple) -> Sequence[jax.Array]:
    """A program makes one step; what is kept stays in fast memory, while the next step's batch is fetched."""
    (own, *examples), (rows, *others), block = given, scalars, LANES[backend()]
    batches = [array[rows] for array in examples]

    def program(*refs: Any) -> None:
        before, (own, x, t, numbers, rates, start), results = _cut(refs, len(kept), 6)
        s = pl.program_id(1)

        @pl.when(s == 0)
        def _() -> None:
            for array, result in zip(before, results, strict=True):
                result[...] = array[...]

        params, *moments = results

        def example(b: Any) -> tuple[list, jax.Array]:
            return [x[b, i] for i in range(spec.inputs)], t[b]

        weights = _values(params, len(params))
        _store(params, _step(spec, weights, moments, own, example, (numbers, start[0] + s, rates[s])))

    def all_of(array: jax.Array) -> pl.BlockSpec:
        return pl.BlockSpec((len(array), None, *block), lambda b, s: (0, b, *(0,) * len(block)))

    def of_step(array: jax.Array) -> pl.BlockSpec:
        inside = array.shape[1 : -1 - len(block)]
        return pl.BlockSpec((None, *inside, None, *block), lambda b, s: (s, *(0,) * len(inside), b, *(0,) * len(block)))

    scalar = pl.BlockSpec(memory_space=tpu.SMEM)
    return pl.pallas_call(
        program,
        out_shape=kept,
        grid=(kept[0].shape[1], len(batches[0])),
        in_specs=[*map(all_of, (*kept, own)), *map(of_step, batches), *[scalar] * len(others)],
        out_specs=[*map(all_of, kept)],
        interpret=backend() == "cpu",
    )(*kept, own, *batches, *others)


def _cut(values: Sequence[Any], *counts: int) -> list[list]:
    """So many of the first values, so many of the next, and the rest."""
    ends = [0, *itertools.accumulate(counts), len(values)]
    return [list(values[start:end]) for start, end in itertools.pairwise(ends)]


# ---- one step of a block: every number of a net is an array `[*block]` of its own


def _step(spec: TrainSpec, weights: list, moments: list, own: Any, example: Callable, scalars: tuple) -> list:
    """The weights of every net after one step; moments change in place.

    example: reads one of the batch, its inputs and its target. scalars: the optimiser's numbers, the step, the factor
    on the rate.
    """
    spec = replace(spec, layout=ALONE)
    numbers, step, factor = scalars
    per_net = _only(PerNet, **{name: own[i] for i, name in enumerate(OWN)})
    shared = _only(Shared, numbers=Numbers(*_values(numbers, len(Numbers._fields))), branch=jnp.int32(0))
    slopes = plain(lambda slopes: clipped(spec, slopes, per_net), _gradient(spec, weights, example))
    spec, new = replace(spec, clip=False), []

    def move(state: State, slopes: list, step: Any, factor: Any) -> State:
        return moved_along(spec, state, slopes, step, factor, shared, per_net)

    for first in range(0, len(weights), TOGETHER):
        part = slice(first, first + TOGETHER)
        state = State(weights[part], tuple(_values(rows, len(weights[part]), first) for rows in moments))
        moved = plain(move, state, slopes[part], step, factor)
        new += moved.params
        for rows, values in zip(moments, moved.moments, strict=True):
            _store(rows, values, first)
    return new


def _only(kind: Any, **fields: Any) -> Any:
    """A tuple of arrays of which no others are needed."""
    return kind(**dict.fromkeys(kind._fields) | fields)


def _values(rows: Any, count: int, first: int = 0) -> list[jax.Array]:
    """Rows of an array in memory."""
    return [rows[first + i] for i in range(count)]


def _store(rows: Any, values: list, first: int = 0) -> None:
    """Write rows of an array in memory."""
    for i, value in enumerate(values):
        rows[first + i] = value


def _gradient(spec: TrainSpec, weights: list, example: Callable) -> list[jax.Array]:
    """The gradient of every net's mean loss over a batch, an example at a time; the next one is read ahead."""
    loss = spec.loss

    def slopes_of(weights: list, values: list, target: jax.Array) -> list:
        error, pull = jax.vjp(lambda weights: loss.fn(_predict(spec, weights, values), target), weights)
        return pull(jnp.full_like(error, 1 / spec.batch))[0]

    def add(b: jax.Array, carried: tuple) -> tuple:
        total, (values, target) = carried
        ahead = example(jnp.minimum(b + 1, spec.batch - 1))
        slopes = plain(slopes_of, weights, values, target)
        return [a + slope for a, slope in zip(total, slopes, strict=True)], ahead

    zeros = [w - w for w in weights]  # a sum cannot begin as a constant, which Mosaic would keep as one
    total, _ = jax.lax.fori_loop(0, spec.batch, add, (zeros, example(0)))
    return total


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
