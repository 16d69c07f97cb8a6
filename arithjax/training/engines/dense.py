"""The fused engine for tiles: their specs and arrays as the kernel's (`arithjax.training.engines.fused`), and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.task.examples import Examples
from arithjax.training.engines import fused
from arithjax.training.engines.engine import Engine
from arithjax.training.initial import State, initial_params
from arithjax.training.optimizers import NUMBERS
from arithjax.training.specs import EvalSpec, TrainSpec
from arithjax.training.step import Segment, fresh_batches
from arithjax.training.tile import PerNet, Shared

DRAWN = 256
"""Steps whose fresh batches are drawn together."""


class Dense(Engine):
    """Dense nets of one shape, trained by the kernel; a state's moments are the kernel's."""

    def initial(self, spec: TrainSpec, root: jax.Array, shared: Shared, per_net: PerNet) -> State:
        """Initial parameters; the kernel makes moments of zeros."""
        return State(initial_params(spec.evaluation, root, shared, per_net), ())

    def prepared(self, spec: TrainSpec, examples: Examples) -> Any:
        """The examples in vectors of nets; where each step draws its own, the fits with which they are transformed."""
        return examples if spec.fresh else _in_vectors(examples)

    def advance(
        self,
        spec: TrainSpec,
        state: State,
        examples: Any,
        segment: Segment,
        root: jax.Array,
        shared: Shared,
        per_net: PerNet,
    ) -> State:
        """The kernel's steps, on a copy of the state."""
        shape, rule = _shape(spec), _rule(spec, shared)
        params = fused.to_vectors(fused.pack(shape, state.params))
        kept = fused.State.starting(params)
        for moment, before in zip((kept.first, kept.second), state.moments, strict=False):
            moment[...] = before
        differing = per_net.learning_rate, per_net.weight_decay, per_net.clip, per_net.clip_value
        nets = fused.per_net(params.dtype, *map(np.asarray, differing))
        start, steps = int(segment.start), int(segment.steps)
        rows, rates = np.asarray(segment.rows)[:steps], np.asarray(segment.rates)[:steps]
        if not spec.fresh:
            fused.advance(shape, rule, kept, examples, fused.Segment(start, rows, rates), nets)
        for first in range(0, steps if spec.fresh else 0, DRAWN):
            count = min(DRAWN, steps - first)
            drawn = _fresh(spec, examples, start + first, root, shared, per_net)
            rows = np.arange(count * spec.batch, dtype=np.int32).reshape(count, spec.batch)
            fused.advance(shape, rule, kept, drawn, fused.Segment(start + first, rows, rates[first:][:count]), nets)
        unpacked = fused.unpack(shape, fused.from_vectors(kept.params, spec.nets))
        return State(jax.tree.map(jnp.asarray, unpacked), (kept.first, kept.second))

    def evaluation(self, spec: TrainSpec, widths: tuple[int, ...]) -> EvalSpec:
        """The spec itself: what the kernel computes does not depend on sizes."""
        return spec.evaluation

    def predict(self, spec: EvalSpec, params: Any, inputs: jax.Array, shared: Shared, per_net: PerNet) -> jax.Array:
        """The kernel's forward pass."""
        blocks, points, arity, nets = inputs.shape
        shape = _shape(spec)
        x = fused.to_vectors(np.asarray(inputs).reshape(-1, arity, nets))
        y = fused.predict(shape, fused.to_vectors(fused.pack(shape, params)), x)
        return jnp.asarray(fused.from_vectors(y, nets).reshape(blocks, points, nets))


def _shape(spec: EvalSpec) -> fused.Shape:
    network: Any = spec.network
    names = tuple(layer[0].name for layer in network.activations)
    return fused.Shape((spec.inputs, *network.features), names, network.use_bias)


def _rule(spec: TrainSpec, shared: Shared) -> fused.Rule:
    (optimizer,), (loss,) = spec.optimizers, spec.losses
    numbers = {name: float(getattr(shared.numbers, name)) for name in NUMBERS if name in fused.Rule._fields}
    return fused.Rule(optimizer.name, loss.name, optimizer.decoupled, **numbers)


def _in_vectors(examples: Examples) -> fused.Examples:
    return fused.Examples(fused.to_vectors(examples.x), fused.to_vectors(examples.t))


def _fresh(
    spec: TrainSpec, examples: Examples, start: int, root: jax.Array, shared: Shared, per_net: PerNet
) -> fused.Examples:
    """The batches of `DRAWN` steps from `start` on."""
    static = (spec.fresh, (spec.batch, spec.inputs))
    steps = np.arange(start, start + DRAWN, dtype=np.int32)
    x, t = fresh_batches(static, steps, root, examples, shared, per_net)
    return _in_vectors(Examples(x, t, examples.input_fit, examples.target_fit))
