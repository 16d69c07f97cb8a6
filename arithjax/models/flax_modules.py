"""A user's own single-net Flax module, mapped over a leading axis of nets with `vmap`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import InvalidRngError
from jaxtyping import Array, Float, Key

from arithjax.environment import arithmetic
from arithjax.errors import ArithjaxError
from arithjax.models.network import LIFTED, Architecture, Layout, Model, Network, Params, without_one
from arithjax.registry import OPERATIONS
from arithjax.setup import DEFAULTS, FIELDS, Setup
from arithjax.task import trying


@dataclass(frozen=True)
class FlaxModel(Model):
    """A user's model by name.

    build: `build(setup)` gives a Linen module, `build(setup, rngs)` an NNX one; either maps `[batch, inputs]` to
        `[batch]`, or `[batch, outputs]` of several outputs, and has no state but its parameters.
    about: a line for lists.
    """

    name: str
    build: Callable[..., Any]
    about: str = "a user's Flax module"
    countable: ClassVar[bool] = False

    def layout(self, setup: Setup) -> Layout:
        """Nothing is known of the module, so that each net is computed by itself."""
        return LIFTED

    def network(self, setup: Setup) -> Linen | NNX:
        """The network of a setup.

        Raises:
            ArithjaxError: `build` gives something that is no Flax module.
        """
        # how a net is trained does not change what is built: other rates are the same network, and compile nothing
        shape = setup.replace(**{name: DEFAULTS[name] for name in TRAINING})
        network = (NNX if _takes_rngs(self.build) else Linen)(self.build, shape)
        try:
            _try_out(network)
        except ArithjaxError as error:
            raise ArithjaxError(f"model '{self.name}': {error}") from None
        return network


def _takes_rngs(build: Callable[..., Any]) -> bool:
    """Whether a function that builds a module needs `rngs` besides the setup, without a default."""
    others = list(inspect.signature(build).parameters.values())[1:]
    return any(other.name == "rngs" or (other.default is other.empty and other.kind in POSITIONAL) for other in others)


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@functools.lru_cache(maxsize=256)
def _try_out(network: Linen | NNX) -> None:
    """Raise unless a network's module maps shapes as it has to, is a function alone, and builds from its setup."""
    setup, architecture = network.setup, Architecture(*[None] * len(Architecture._fields))  # type: ignore[arg-type]
    inputs = OPERATIONS[setup.op].arity
    x = jax.ShapeDtypeStruct((setup.batch, inputs, 1), setup.precision)
    try:
        with arithmetic(setup.precision):
            params = jax.eval_shape(lambda: network.initial(jax.random.key(0), inputs, architecture))
            jax.eval_shape(lambda params, x: network.predict(params, x, architecture), params, x)
    except ArithjaxError:
        raise
    except InvalidRngError:
        raise ArithjaxError(
            "the Flax module draws random numbers when it answers, as Dropout does; it has to be a function of its "
            "parameters and inputs alone, so leave that out."
        ) from None
    except Exception as error:
        raise ArithjaxError(
            f"the Flax module fails for inputs of shape {(setup.batch, inputs)} ({trying.reason(error)}); it has to "
            f"map [batch, inputs] to {_wanted(setup)}."
        ) from None


TRAINING = tuple(name for name, field in FIELDS.items() if not field.shapes)
"""Fields of a setup that a module is not built from."""


@dataclass(frozen=True)
class Linen(Network):
    """A Linen module as a network of one lane."""

    build: Callable[[Any], nn.Module]
    setup: Any
    features: tuple[int, ...] = ()
    branchless: bool = True

    def initial(self, key: Key[Array, ""], inputs: int, architecture: Architecture) -> Params:
        module = self.build(self.setup)
        if not isinstance(module, nn.Module):
            raise ArithjaxError(
                f"build gives a {type(module).__name__}; it has to be a flax.linen.Module from build(setup), or a "
                "flax.nnx.Module from build(setup, rngs)."
            )
        variables = module.init(key, jnp.zeros((1, inputs)))
        _refuse_state(set(variables) - {"params"})
        return _trainable(variables.get("params"))

    def predict(
        self, params: Params, x: Float[Array, "batch inputs 1"], architecture: Architecture, noise: Any = None
    ) -> Float[Array, "batch *outputs 1"]:
        y: Any = self.build(self.setup).apply({"params": params}, x[:, :, 0])
        return _in_lane(y, x, self.setup)

    def linen(self, params: Params, inputs: int, widths: tuple[int, ...]) -> tuple[nn.Module, Params]:
        return Column(self.build(self.setup)), {"net": params}


class Column(nn.Module):
    """A module whose answers `[batch, 1]` become `[batch]`; others stay as they are."""

    net: nn.Module

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, " batch *outputs"]:
        """The module's answers."""
        answers: Any = self.net
        y = answers(x)
        return without_one(y) if y.ndim > 1 else y


@dataclass(frozen=True)
class NNX(Network):
    """An NNX module as a network of one lane.

    build: `build(setup, rngs)` gives the module. NNX is imported when there is one: it takes a sixth of a second.
    """

    build: Callable[..., Any]
    setup: Any
    features: tuple[int, ...] = ()
    branchless: bool = True

    def initial(self, key: Key[Array, ""], inputs: int, architecture: Architecture) -> Params:
        from flax import nnx

        parts: Any = nnx.split(self.build(self.setup, nnx.Rngs(key)), nnx.Param, ...)
        _, params, rest = parts
        _refuse_state({str(path) for path, _ in nnx.to_flat_state(rest)})
        return _trainable(nnx.to_pure_dict(params))

    def predict(
        self, params: Params, x: Float[Array, "batch inputs 1"], architecture: Architecture, noise: Any = None
    ) -> Float[Array, "batch *outputs 1"]:
        from flax import nnx

        module = nnx.eval_shape(lambda: self.build(self.setup, nnx.Rngs(0)))
        graph, state = nnx.split(module)
        nnx.replace_by_pure_dict(state, params)
        return _in_lane(nnx.merge(graph, state)(x[:, :, 0]), x, self.setup)

    def linen(self, params: Params, inputs: int, widths: tuple[int, ...]) -> tuple[nn.Module, Params]:
        raise ArithjaxError(
            "the model is an NNX module, and no Linen one; build it again, and nnx.replace_by_pure_dict gives it "
            "the net's params."
        )


def _trainable(params: Params) -> Params:
    """The parameters of a module, which has to have some."""
    if not jax.tree.leaves(params):
        raise ArithjaxError(
            "the Flax module has no parameters, so that there is nothing to train; give it layers that have some, such "
            "as Dense."
        )
    return params


def _refuse_state(names: set[str]) -> None:
    if names:
        raise ArithjaxError(
            f"the Flax module keeps state besides parameters: {', '.join(sorted(names))}; leave out what "
            "keeps statistics or draws random numbers, such as BatchNorm and Dropout."
        )


def _in_lane(y: Array, x: Float[Array, "batch inputs 1"], setup: Setup) -> Float[Array, "batch *outputs 1"]:
    """A module's answers in one lane: `[batch, 1]`, or `[batch, outputs, 1]`."""
    fitting = [(len(x),), (len(x), 1)] if setup.outputs == 1 else [(len(x), setup.outputs)]
    if y.shape not in fitting:
        raise ArithjaxError(
            f"the Flax module returned shape {y.shape} for a batch of {len(x)}; return {_wanted(setup)}."
        )
    return y.reshape(-1, 1) if setup.outputs == 1 else y[..., None]


def _wanted(setup: Setup) -> str:
    """The shapes that a module may answer with, in words."""
    return "[batch] or [batch, 1]" if setup.outputs == 1 else f"[batch, {setup.outputs}]"
