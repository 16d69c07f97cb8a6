"""The MLP family, lanes last: every array carries the net as its last axis.

With several lanes a layer is a multiply-sum, which the compiler turns into wide vector arithmetic over the lanes; with
one lane it is a matrix product, for wide nets under `vmap`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from arithjax.architecture import count_parameters, dense_layer
from arithjax.environment import backend
from arithjax.fields import per_layer
from arithjax.models import initializers
from arithjax.models.activations import Activation
from arithjax.models.branches import activate
from arithjax.models.network import (
    LANES,
    PRODUCT,
    Architecture,
    Layout,
    Model,
    Network,
    Params,
    PlainLayer,
    without_one,
)
from arithjax.registry import ACTIVATIONS
from arithjax.setup import Setup


def contract(
    x: Float[Array, "batch inputs lanes"], kernel: Float[Array, "inputs outputs lanes"]
) -> Float[Array, "batch outputs lanes"]:
    """The product of `x` and `kernel` in each lane, `[batch, outputs, lanes]`: summed over the inputs.

    x: `[batch, inputs, lanes]`. kernel: `[inputs, outputs, lanes]`.
    """
    if kernel.shape[-1] == 1:
        return jnp.matmul(x[:, :, 0], kernel[:, :, 0], precision="highest")[:, :, None]
    return (x[:, :, None, :] * kernel[None]).sum(1)


class Dense(nn.Module):
    """An affine layer: `x [batch, inputs, lanes] -> [batch, features, lanes]`."""

    features: int
    use_bias: bool = True

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch inputs lanes"],
        fan_in: Int[Array, " lanes"],
        fan_out: Int[Array, " lanes"],
        scaling: initializers.Scaling,
    ) -> Float[Array, "batch {self.features} lanes"]:
        """Apply the layer. `fan_in` and `fan_out`, `[lanes]`, are the widths that weights are drawn for."""
        _, inputs, lanes = x.shape

        # nets are initialised one by one, each from its own key, in one lane
        def draw(key: Key[Array, ""]) -> Float[Array, "inputs outputs lanes"]:
            one = initializers.kernel(key, (inputs, self.features), fan_in[0], fan_out[0], scaling)
            return jnp.broadcast_to(one[:, :, None], (inputs, self.features, lanes))

        z = contract(x, self.param("kernel", draw))
        return z + self.param("bias", nn.initializers.zeros, (1, self.features, lanes)) if self.use_bias else z


class MLP(nn.Module, Network):
    """Dense layers, each followed by its activation.

    features: units of each layer; the last one is the output.
    branchless: matrix products, whose activations need no branch.
    """

    features: tuple[int, ...]
    activations: tuple[Activation, ...]
    use_bias: bool = True
    branchless: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], architecture: Architecture
    ) -> Float[Array, "batch *outputs lanes"]:
        """`x [batch, inputs, lanes]` -> predictions `[batch, *outputs, lanes]`."""
        widths = architecture.widths
        for i, features in enumerate(self.features):
            z = Dense(features, self.use_bias)(x, widths[i], widths[i + 1], architecture.scaling)
            x = self.activations[i].fn(z) if self.branchless else activate(self.activations[i], architecture.branch, z)
        return without_one(x)

    def initial(self, key: Key[Array, ""], inputs: int, architecture: Architecture) -> Params:
        return self.init(key, jnp.zeros((1, inputs, 1)), architecture)["params"]

    def predict(
        self, params: Params, x: Float[Array, "batch inputs lanes"], architecture: Architecture, noise: Any = None
    ) -> Float[Array, "batch *outputs lanes"]:
        y: Any = self.apply({"params": params}, x, architecture)
        return y

    def kernels(self, inputs: int) -> list[tuple[int, int]]:
        return list(itertools.pairwise((inputs, *self.features)))

    def of_kernels(self, kernels: list[np.ndarray]) -> Params:
        params = {}
        for i, kernel in enumerate(kernels):
            bias = {"bias": np.zeros((1, *kernel.shape[1:]), kernel.dtype)} if self.use_bias else {}
            params[dense_layer(i)] = {"kernel": kernel} | bias
        return params

    def resize(self, params: Params, inputs: int, features: tuple[int, ...]) -> Params:
        sizes = (inputs, *features)
        return {dense_layer(i): _resized(params[dense_layer(i)], *sizes[i : i + 2]) for i in range(len(features))}

    def parameters(self, inputs: int, widths: tuple[int, ...]) -> int:
        return count_parameters((inputs, *widths, self.features[-1]), self.use_bias)

    def hidden(
        self, params: Params, x: Float[Array, "points inputs lanes"], architecture: Architecture
    ) -> list[Float[Array, "points units lanes"]]:
        _, kept = self.apply({"params": params}, x, architecture, capture_intermediates=True)
        return [
            activate(self.activations[i], architecture.branch, kept["intermediates"][dense_layer(i)]["__call__"][0])
            for i in range(len(self.features) - 1)
        ]

    def plain(self, params: Params, inputs: int, widths: tuple[int, ...]) -> list[PlainLayer]:
        sizes, layers = (inputs, *widths, self.features[-1]), []
        for i, (a, b) in enumerate(itertools.pairwise(sizes)):
            layer = {name: np.asarray(p) for name, p in params[dense_layer(i)].items()}
            arrays = {"kernel": layer["kernel"].reshape(layer["kernel"].shape[:2])[:a, :b]}
            if self.use_bias:
                arrays["bias"] = layer["bias"].ravel()[:b]
            layers.append(PlainLayer("Dense", arrays, self.activations[i].name))
        return layers

    def linen(self, params: Params, inputs: int, widths: tuple[int, ...]) -> tuple[nn.Module, Params]:
        activations = tuple(activation.fn for activation in self.activations)
        layers = enumerate(self.plain(params, inputs, widths))
        net = DenseNet((*widths, self.features[-1]), activations, self.use_bias, parent=None)
        return net, {dense_layer(i): layer.arrays for i, layer in layers}


class _Key(nn.Module):
    """The words of the key that a dense layer of the same name draws its kernel with."""

    @nn.compact
    def __call__(self) -> UInt32[Array, " 2"]:
        words: UInt32[Array, " 2"] = self.param("kernel", jax.random.key_data)
        return words


class _Keys(nn.Module):
    """Those of all layers."""

    layers: int

    @nn.compact
    def __call__(self) -> UInt32[Array, "{self.layers} 2"]:
        return jnp.stack([_Key(name=dense_layer(i))() for i in range(self.layers)])


def layer_keys(key: Key[Array, ""], layers: int) -> UInt32[Array, "layers 2"]:
    """The words of the keys that the first layers of an MLP draw their kernels with, given the net's own key."""
    words: UInt32[Array, "layers 2"] = _Keys(layers).init_with_output(key)[0]
    return words


class DenseNet(nn.Module):
    """Dense layers as Flax has them, of one net: `[batch, inputs] -> [batch]`, or `[batch, outputs]` of several.

    features: units of each layer; the last one is the output. activations: of each layer.
    """

    features: tuple[int, ...]
    activations: tuple[Callable, ...]
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, " batch *outputs"]:
        """Outputs of the last layer."""
        for features, activation in zip(self.features, self.activations, strict=True):
            x = activation(nn.Dense(features, self.use_bias)(x))
        return without_one(x)


def _resized(layer: dict, inputs: int, features: int) -> dict:
    """A layer's `kernel [inputs, outputs, lanes]` and `bias [1, outputs, lanes]`, cut or filled up with zeros."""
    sizes, resized = {"kernel": (inputs, features), "bias": (1, features)}, {}
    for name, p in layer.items():
        own = np.asarray(p)[: sizes[name][0], : sizes[name][1]]
        if own.shape[:2] != sizes[name]:
            filled = np.zeros((*sizes[name], own.shape[-1]), own.dtype)
            filled[: own.shape[0], : own.shape[1]] = own
            own = filled
        resized[name] = own
    return resized


class MLPModel(Model):
    """The model `mlp`: dense layers with the widths, activations, bias and initialiser of a setup."""

    name = "mlp"
    about = "dense layers, with widths, activations, bias and initialiser of the setup"
    dense = True
    needs_hidden = True

    def layout(self, setup: Setup) -> Layout:
        """Narrow nets train faster as lanes of multiply-sums, wide ones as matrix products.

        Where the border is was measured on a CPU. On an H200 lanes of 2-8-8-1 were twice as fast as products, and those
        of 2-16-16-1 with batches of 128 four times slower.
        """
        width = max(setup.widths)
        if (encoder := setup.input_encoder) is not None:
            width = max(width, encoder.size)
        if backend() != "cpu":
            return LANES if width <= 8 and setup.batch <= 16 else PRODUCT
        return LANES if width <= 16 or (width <= 32 and setup.batch <= 16) else PRODUCT

    def network(self, setup: Setup) -> MLP:
        """The network of a setup."""
        activations = tuple(ACTIVATIONS[name] for name in layer_activations(setup))
        return MLP((*setup.widths, setup.outputs), activations, setup.bias, branchless=not self.layout(setup).lanes)


def layer_activations(setup: Setup) -> tuple[str, ...]:
    """The activation of every layer, the output last."""
    return (*per_layer(setup.activation, len(setup.widths)), setup.output_activation)
