"""A user's own single-net Flax module, lifted over a leading axis of nets with `vmap`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from arithjax.errors import ArithjaxError
from arithjax.setup import DEFAULTS


@dataclass(frozen=True)
class FlaxModel:
    """A model by name. `build(setup)` gives a Linen module, `build(setup, rngs)` an NNX one; either maps
    `[batch, inputs]` to `[batch]` or `[batch, 1]` and has no state but its parameters."""

    name: str
    build: Callable[..., Any]
    about: str = "a user's Flax module"
    stackable: ClassVar[bool] = False

    def network(self, setup: Any) -> Linen | NNX:
        """The network of a setup, with the methods of `arithjax.models.MLP`."""
        # how a net is trained does not change what is built: other rates are the same network, and compile nothing
        shape = setup.replace(**{name: DEFAULTS[name] for name in TRAINING})
        if len(inspect.signature(self.build).parameters) == 2:
            return NNX(self.build, shape)
        module = self.build(shape)
        if not isinstance(module, nn.Module):
            raise ArithjaxError(
                f"model '{self.name}' builds a {type(module).__name__}; it has to be a flax.linen.Module from "
                f"build(setup), or a flax.nnx.Module from build(setup, rngs)."
            )
        return Linen(self.build, shape)


TRAINING = (
    *("learning_rate", "beta1", "beta2", "momentum", "epsilon", "weight_decay", "clip", "schedule", "end_factor"),
    *("optimizer", "loss", "warmup", "evaluate_every", "stop_early", "threshold", "clip_value", "restart"),
    *("finish", "until"),
)
"""Fields of a setup that a module is not built from."""


@dataclass(frozen=True)
class Linen:
    """A Linen module as a network of one lane."""

    build: Callable[[Any], nn.Module]
    setup: Any

    def initial(self, key: jax.Array, inputs: int, architecture: Any) -> Any:
        """Parameters of one net."""
        variables = self.build(self.setup).init(key, jnp.zeros((1, inputs)))
        _refuse_state(set(variables) - {"params"})
        return variables["params"]

    def predict(self, params: Any, x: jax.Array, architecture: Any) -> jax.Array:
        """`x [batch, in, 1]` -> `[batch, 1]`."""
        return _column(self.build(self.setup).apply({"params": params}, x[:, :, 0]), x)


@dataclass(frozen=True)
class NNX:
    """An NNX module as a network of one lane."""

    build: Callable[[Any, nnx.Rngs], nnx.Module]
    setup: Any

    def initial(self, key: jax.Array, inputs: int, architecture: Any) -> Any:
        """Parameters of one net."""
        _, params, rest = nnx.split(self.build(self.setup, nnx.Rngs(key)), nnx.Param, ...)
        _refuse_state({str(path) for path, _ in nnx.to_flat_state(rest)})
        return nnx.to_pure_dict(params)

    def predict(self, params: Any, x: jax.Array, architecture: Any) -> jax.Array:
        """`x [batch, in, 1]` -> `[batch, 1]`."""
        module = nnx.eval_shape(lambda: self.build(self.setup, nnx.Rngs(0)))
        graph, state = nnx.split(module)
        nnx.replace_by_pure_dict(state, params)
        return _column(nnx.merge(graph, state)(x[:, :, 0]), x)


def _refuse_state(names: set[str]) -> None:
    if names:
        raise ArithjaxError(f"the Flax module keeps state besides parameters: {', '.join(sorted(names))}; remove it.")


def _column(y: jax.Array, x: jax.Array) -> jax.Array:
    if y.shape not in ((x.shape[0],), (x.shape[0], 1)):
        raise ArithjaxError(f"the Flax module returned shape {y.shape} for a batch of {x.shape[0]}; return [batch].")
    return y.reshape(-1, 1)
