"""Activations: elementwise functions between layers.

To add one:

    aj.ACTIVATIONS["cube"] = aj.Activation("cube", "z³", lambda z: z**3)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from arithjax.registry import ACTIVATIONS
from arithjax.task import trying


@dataclass(frozen=True)
class Activation:
    """An elementwise function `fn` and its formula."""

    name: str
    formula: str
    fn: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the function is elementwise and has a gradient."""
        trying.elementwise(f"activation '{self.name}'", self.fn, np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3))


ACTIVATIONS.fill(
    Activation,
    [
        Activation("linear", "z", lambda z: z),
        Activation("relu", "max(z, 0)", jax.nn.relu),
        Activation("leaky_relu", "max(z, 0.01 z)", jax.nn.leaky_relu),
        Activation("relu6", "min(max(z, 0), 6)", jax.nn.relu6),
        Activation("elu", "z if z > 0 else e^z - 1", jax.nn.elu),
        Activation("gelu", "z Φ(z), tanh form", jax.nn.gelu),
        Activation("silu", "z σ(z)", jax.nn.silu),
        Activation("tanh", "tanh z", jnp.tanh),
        Activation("sigmoid", "σ(z)", jax.nn.sigmoid),
        Activation("softplus", "ln(1 + e^z)", jax.nn.softplus),
        Activation("sin", "sin z", jnp.sin),
        Activation("square", "z²", jnp.square),
    ],
)
