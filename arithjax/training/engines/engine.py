"""The contract of engines."""

from __future__ import annotations

from typing import Any

import jax

from arithjax.task.examples import Examples
from arithjax.training.initial import State
from arithjax.training.specs import EvalSpec, TrainSpec
from arithjax.training.step import Segment
from arithjax.training.tile import PerNet, Shared


class Engine:
    """Trains and evaluates the nets of a tile. Arrays are those of `Trainer`; parameters have the spec's layout."""

    def initial(self, spec: TrainSpec, root: jax.Array, shared: Shared, per_net: PerNet) -> State:
        """Initial parameters, and an optimiser that has made no step."""
        raise NotImplementedError

    def prepared(self, spec: TrainSpec, examples: Examples) -> Any:
        """The examples as `advance` reads them, made once for a training."""
        raise NotImplementedError

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
        """Every net trained through the steps of a segment; `examples` as `prepared` gives them."""
        raise NotImplementedError

    def predict(self, spec: EvalSpec, params: Any, inputs: jax.Array, shared: Shared, per_net: PerNet) -> Any:
        """Outputs `[blocks, points, ..., nets]` of every net for shown `inputs [blocks, points, inputs, nets]`."""
        raise NotImplementedError
