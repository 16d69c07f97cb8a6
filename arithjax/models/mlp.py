"""The MLP family, lanes last: every array carries the net as its last axis.

With several lanes a layer is a multiply-sum, which the compiler turns into wide vector arithmetic over the lanes; with
one lane it is a matrix product, for wide nets under `vmap`. The same module also serves several architectures at
once: layers are padded to common widths and masked after the activation, and the activation is one of several
candidates, chosen by a traced index.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from arithjax.models import initializers
from arithjax.models.activations import Activation


class Architecture(NamedTuple):
    """What a padded network is told about the nets in its lanes.

    widths: `[layers + 1, lanes]` true widths, from the inputs to the output.
    activation: `[layers]` indices into each layer's candidates.
    scaling: the initialiser's numbers.
    """

    widths: jax.Array
    activation: jax.Array
    scaling: initializers.Scaling


def contract(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x [batch, in, lanes]`, `kernel [in, out, lanes]` -> `[batch, out, lanes]`, summed over `in` in each lane."""
    if kernel.shape[-1] == 1:
        return jnp.matmul(x[:, :, 0], kernel[:, :, 0], precision="highest")[:, :, None]
    return (x[:, :, None, :] * kernel[None]).sum(1)


def activate(candidates: tuple[Activation, ...], index: jax.Array, z: jax.Array) -> jax.Array:
    """The candidate at `index`, a scalar, applied to `z [batch, features, lanes]`.

    Value and slope are computed once, behind a branch that the compiler cannot see through. An `optimization_barrier`
    does not do: XLA drops it before it fuses, computes the activation again for every product it enters (2 to 5 times
    slower), and moves factors across sums differently in different programs, so that the same net would round
    differently.
    """
    return _branch(tuple(candidate.fn for candidate in candidates), index, z)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _branch(functions: tuple[Callable, ...], index: jax.Array, z: jax.Array) -> jax.Array:
    return choose(index, functions, z)


def _branch_forward(functions: tuple[Callable, ...], index: jax.Array, z: jax.Array) -> tuple[jax.Array, tuple]:
    def value_and_slope(function: Callable, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pullback = jax.vjp(function, z)
        return value, pullback(jnp.ones_like(value))[0]

    value, slope = choose(index, [functools.partial(value_and_slope, function) for function in functions], z)
    return value, (index, slope)


def _branch_backward(functions: tuple[Callable, ...], residuals: tuple, cotangent: jax.Array) -> tuple:
    index, slope = residuals
    return None, choose(index, [jnp.multiply], cotangent, slope)


_branch.defvjp(_branch_forward, _branch_backward)


def choose(index: jax.Array, functions: Sequence[Callable], *arguments: Any) -> Any:
    """`functions[index](*arguments)` as a true branch, even if there is only one function: nothing is fused across it,
    so that its results round alike however many functions there are to choose from."""
    if len(functions) > 1:
        return jax.lax.switch(index, functions, *arguments)

    def never(*arguments: jax.Array) -> Any:
        return jax.tree.map(jnp.zeros_like, jax.eval_shape(functions[0], *arguments))

    return jax.lax.cond(index >= 0, functions[0], never, *arguments)


class Dense(nn.Module):
    """An affine layer: `x [batch, in, lanes] -> [batch, features, lanes]`."""

    features: int
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, fan_in: jax.Array, fan_out: jax.Array, scaling: initializers.Scaling) -> jax.Array:
        """`fan_in` and `fan_out`, `[lanes]`, are the true widths: what lies beyond is padding."""
        _, inputs, lanes = x.shape

        def draw(key: jax.Array) -> jax.Array:  # nets are initialised one by one, each from its own key, in one lane
            one = initializers.kernel(key, (inputs, self.features), fan_in[0], fan_out[0], scaling)
            return jnp.broadcast_to(one[:, :, None], (inputs, self.features, lanes))

        z = contract(x, self.param("kernel", draw))
        return z + self.param("bias", nn.initializers.zeros, (1, self.features, lanes)) if self.use_bias else z


class MLP(nn.Module):
    """Dense layers of `features` (the last one is the output), each followed by one of its candidate activations.

    padded: to common widths. alone: matrix products of one architecture, with one candidate for everything and no
    branches between them.
    """

    features: tuple[int, ...]
    activations: tuple[tuple[Activation, ...], ...]
    use_bias: bool = True
    padded: bool = False
    alone: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, architecture: Architecture) -> jax.Array:
        """`x [batch, in, lanes]` -> predictions `[batch, lanes]`."""
        widths = architecture.widths
        for i, features in enumerate(self.features):
            z = Dense(features, self.use_bias)(x, widths[i], widths[i + 1], architecture.scaling)
            if self.alone:
                x = self.activations[i][0].fn(z)
            else:
                x = activate(self.activations[i], architecture.activation[i], z)
            if self.padded and i + 1 < len(self.features):  # after the activation, since cos(0) is not 0
                x = x * (jnp.arange(features)[:, None] < widths[i + 1][None, :])[None]
        return x[:, 0]

    def initial(self, key: jax.Array, inputs: int, architecture: Architecture) -> dict:
        """Parameters of one net, in one lane: `[in, out, 1]`, from its own key."""
        return self.init(key, jnp.zeros((1, inputs, 1)), architecture)["params"]

    def predict(self, params: dict, x: jax.Array, architecture: Architecture) -> jax.Array:
        """`x [batch, in, lanes]` -> `[batch, lanes]`."""
        return self.apply({"params": params}, x, architecture)


def count_parameters(sizes: tuple[int, ...], bias: bool = True) -> int:
    """Weights and biases of a dense net with layer sizes `(inputs, ..., 1)`."""
    return sum((a + bias) * b for a, b in itertools.pairwise(sizes))


class MLPModel:
    """The family of dense networks; `arithjax.training.planning` pads and packs them."""

    name = "mlp"
    stackable = False
    about = "dense layers, with widths, activations, bias and initialiser of the setup"
