"""Stacks of arithmetic units: what a unit is, the network of several, and the model that enters one by name.

A unit is a Flax module that maps `x [batch, inputs, lanes]` to `[batch, features, lanes]`; its parameters, `[inputs,
features, lanes]` unless a shape is given, are drawn for one lane at a time. Beside `__call__` it may say, of its
parameters,

- `weights`: the arrays that a solution has at -1, 0 or 1 (their distance from that is the sparsity error);
- `constrain`: what is done to them after every optimiser step;
- `penalty`: its regulariser, `[lanes]`, to which the setup gives a strength;
- `fixed`: arrays that belong to it and are not trained.

The units that come with arithjax are in `arithjax.models.units` and `arithjax.models.kan`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from arithjax.fields import per_layer
from arithjax.models.activations import Activation
from arithjax.models.branches import activate
from arithjax.models.mlp import Dense, layer_activations
from arithjax.models.network import LANES, Architecture, Layout, Model, Network, Params, PlainLayer, without_one
from arithjax.registry import ACTIVATIONS, INITIALIZERS, MODELS
from arithjax.setup import Setup


class Unit(nn.Module):
    """A layer of `features` outputs.

    trains_apart: whether `__call__` takes `noise`, uniform numbers `[batch, inputs, lanes]` in training, else None.
    branches: whether `__call__` takes `branch`, behind which it computes what is then summed (`models.branches`).
    penalised_below: the penalty counts while a net's loss is below this.
    """

    features: int
    trains_apart: ClassVar[bool] = False
    branches: ClassVar[bool] = False
    penalised_below: ClassVar[float] = math.inf

    def shape(self, x: Float[Array, "batch inputs lanes"]) -> tuple[int, int, int]:
        """The shape of a weight: `[inputs, features, lanes]`."""
        return x.shape[1], self.features, x.shape[2]

    @classmethod
    def fixed(cls) -> dict[str, np.ndarray]:
        """Arrays of the layer that are not trained, by name, for whoever writes it down elsewhere."""
        return {}

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        """Effective weights, discrete in a solution."""
        return []

    @classmethod
    def constrain(cls, params: dict) -> dict:
        """Parameters after a step."""
        return params

    @classmethod
    def penalty(cls, params: dict) -> Float[Array, "*lanes"]:
        """The regulariser of each lane: by default the mean distance of the weights from -1, 0 and 1.

        That is the one of Madsen & Johansen (2020); a scalar 0 where there are no weights.
        """
        return total(from_discrete(w).mean((0, 1)) for w in cls.weights(params))


def total(parts: Iterable[Float[Array, "*lanes"]]) -> Float[Array, "*lanes"]:
    """The sum of arrays `[lanes]`; 0 of none."""
    return sum(parts, start=jnp.zeros(()))


def from_discrete(w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """min(|w|, |1 - |w||)."""
    return jnp.minimum(jnp.abs(w), jnp.abs(1 - jnp.abs(w)))


class DenseUnit(Unit):
    """A dense layer of the MLP family, to mix with units."""

    skips: ClassVar[bool] = False
    """Whether what it reads is added to its outputs; through a matrix, where there are more of them, or fewer."""


class Residual(DenseUnit):
    """Residual layer: what it reads, and a dense layer of the setup's activation added to it: `x + σ(W x + b)`."""

    skips: ClassVar[bool] = True


class Stack(nn.Module, Network):
    """Layers one upon another, the last of them with a feature for each output.

    kinds: the unit of each layer. features: units of each layer.
    activations: of each layer; only dense layers use theirs.
    """

    kinds: tuple[type[Unit], ...]
    features: tuple[int, ...]
    activations: tuple[Activation, ...]
    use_bias: bool = True
    flops: ClassVar[int] = 50  # powers and logarithms count as many (measured)

    @property
    def penalised_below(self) -> float:
        """The loss below which the penalty counts."""
        return min(kind.penalised_below for kind in self.kinds)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], architecture: Architecture, noise: Callable | None = None
    ) -> Float[Array, "batch *outputs lanes"]:
        """`x [batch, inputs, lanes]` -> predictions `[batch, *outputs, lanes]`."""
        for i, (kind, features) in enumerate(zip(self.kinds, self.features, strict=True)):
            name = f"{kind.__name__}_{i}"
            if issubclass(kind, DenseUnit):
                x = self.dense(i, x, architecture, name)
            elif kind.branches:
                x = kind(features, name=name)(x, architecture.branch)
            elif kind.trains_apart and noise is not None:
                x = kind(features, name=name)(x, noise(i, x.shape[:2]))
            else:
                x = kind(features, name=name)(x)
        return without_one(x)

    def dense(
        self, i: int, x: Float[Array, "batch inputs lanes"], architecture: Architecture, name: str
    ) -> Float[Array, "batch {self.features[i]} lanes"]:
        """The i-th layer, a dense one, called within `__call__`."""
        given, features = (*architecture.widths[i : i + 2], architecture.scaling), self.features[i]
        dense: Any = Dense(features, self.use_bias, name=name)
        y = activate(self.activations[i], architecture.branch, dense(x, *given))
        if not self.kinds[i].skips:  # type: ignore[attr-defined]
            return y
        skip: Any = Dense(features, False, name=f"skip_{i}")
        return y + (x if x.shape[1] == features else skip(x, *given))

    def initial(self, key: Key[Array, ""], inputs: int, architecture: Architecture) -> Params:
        return self.init(key, jnp.ones((1, inputs, 1)), architecture)["params"]

    def predict(
        self,
        params: Params,
        x: Float[Array, "batch inputs lanes"],
        architecture: Architecture,
        noise: Callable | None = None,
    ) -> Float[Array, "batch *outputs lanes"]:
        y: Any = self.apply({"params": params}, x, architecture, noise)
        return y

    def layers(self, params: dict) -> Iterable[tuple[type[Unit], str, dict]]:
        """Each layer's kind, name and parameters."""
        names = (f"{kind.__name__}_{i}" for i, kind in enumerate(self.kinds))
        return [(kind, name, params[name]) for kind, name in zip(self.kinds, names, strict=True)]

    def plain(self, params: Params, inputs: int, widths: tuple[int, ...]) -> list[PlainLayer]:
        layers = []
        for i, (kind, _, layer) in enumerate(self.layers(params)):
            arrays = {name: np.asarray(p) for name, p in layer.items()}
            if issubclass(kind, DenseUnit):
                dense = {"kernel": arrays["kernel"]} | ({"bias": arrays["bias"][0]} if self.use_bias else {})
                skip = {"skip": np.asarray(params[f"skip_{i}"]["kernel"])} if f"skip_{i}" in params else {}
                layers.append(PlainLayer("Residual" if kind.skips else "Dense", dense | skip, self.activations[i].name))
            else:
                layers.append(PlainLayer(kind.__name__, arrays | kind.fixed()))
        return layers

    def linen(self, params: Params, inputs: int, widths: tuple[int, ...]) -> tuple[nn.Module, Params]:
        module = OneLane(self, (inputs, *widths, self.features[-1]), parent=None)
        return module, {"stack": jax.tree.map(lambda p: jnp.asarray(p)[..., None], params)}

    def constrain(self, params: Params) -> Params:
        return {**params, **{name: kind.constrain(layer) for kind, name, layer in self.layers(params)}}

    def penalty(self, params: Params) -> Float[Array, "*lanes"]:
        return total(kind.penalty(layer) for kind, _, layer in self.layers(params))

    def sparsity_error(self, params: Params) -> Float[Array, " lanes"] | None:
        found = [from_discrete(w).max((0, 1)) for kind, _, layer in self.layers(params) for w in kind.weights(layer)]
        return functools.reduce(jnp.maximum, found) if found else None


class OneLane(nn.Module):
    """A stack as a module of one net, `[batch, inputs] -> [batch, *outputs]`; its parameters keep their axis of lanes.

    sizes: of the layers, from the inputs to the output.
    """

    stack: Stack
    sizes: tuple[int, ...]

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, " batch *outputs"]:
        """What the net answers once it is trained."""
        widths = jnp.array(self.sizes)[:, None]
        architecture = Architecture(widths, jnp.zeros((), int), INITIALIZERS["glorot_uniform"].scaling())
        return self.stack(x[:, :, None], architecture)[..., 0]


@dataclass(frozen=True)
class UnitModel(Model):
    """A unit by name, with the operations it can represent."""

    name: str
    source: str
    kind: type[Unit]
    represents: tuple[str, ...] = ()
    stackable: ClassVar[bool] = True
    regularizable: ClassVar[bool] = True
    default_widths: ClassVar[tuple[int, ...]] = ()

    @property
    def about(self) -> str:
        """A line for lists."""
        text = re.sub(r" \(\[[^)]*\)", "", " ".join((self.kind.__doc__ or "").split())).split(": ", 1)[-1]
        return f"{text.rstrip('.')}. {self.source}. Represents {', '.join(self.represents) or 'what is stacked on it'}."

    def layout(self, setup: Setup) -> Layout:
        """Units are lanes, whatever their width."""
        return LANES

    def network(self, setup: Setup) -> Stack:
        """The stack of a setup's layers, each of one unit."""
        activations = tuple(ACTIVATIONS[name] for name in layer_activations(setup))
        return Stack(kinds_of(setup), (*setup.widths, setup.outputs), activations, setup.bias)


def kinds_of(setup: Setup) -> tuple[type[Unit], ...]:
    """The unit of each layer: the one that a setup names, or one for each."""
    return tuple(MODELS[name].kind for name in per_layer(setup.model, len(setup.widths) + 1))
