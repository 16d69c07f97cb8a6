"""The compiled engine: Flax networks and optax under `jit`, for every model, on any device."""

from __future__ import annotations

from typing import Any

import jax

from arithjax.task.examples import Examples
from arithjax.training import inference, step
from arithjax.training.engines.engine import Engine
from arithjax.training.initial import State, initial_params, resting
from arithjax.training.specs import EvalSpec, TrainSpec
from arithjax.training.tile import PerNet, Shared


class XLA(Engine):
    """Programs that XLA compiles for each spec (`arithjax.training.step`, `arithjax.training.inference`)."""

    def initial(self, spec: TrainSpec, root: jax.Array, shared: Shared, per_net: PerNet) -> State:
        """Initial parameters, and an optimiser that has made no step."""
        return resting(spec, initial_params(spec.evaluation, root, shared, per_net), shared)

    def prepared(self, spec: TrainSpec, examples: Examples) -> Examples:
        """The examples as they are."""
        return examples

    def advance(
        self,
        spec: TrainSpec,
        state: State,
        examples: Examples,
        segment: step.Segment,
        root: jax.Array,
        shared: Shared,
        per_net: PerNet,
    ) -> State:
        """One call of a compiled program."""
        return step.advance(spec, state, examples, segment, root, shared, per_net)

    def predict(self, spec: EvalSpec, params: Any, inputs: jax.Array, shared: Shared, per_net: PerNet) -> jax.Array:
        """One call of a compiled program."""
        return inference.predict(spec, params, inputs, shared, per_net)
