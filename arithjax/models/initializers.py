"""Initialisers: variance scaling, as in `jax.nn.initializers`, for kernels that may be padded.

A kernel of a padded layer holds the same numbers as the kernel of the asked-for layer, element for element: the draws
of a net come from a counter-based generator whose n-th number does not depend on how many are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from arithjax.registry import INITIALIZERS


class Scaling(NamedTuple):
    """Variance `gain / (weight_in · fan_in + weight_out · fan_out)` as scalars; `normal` is 0 or 1."""

    gain: Float[Array, ""]
    weight_in: Float[Array, ""]
    weight_out: Float[Array, ""]
    normal: Float[Array, ""]


@dataclass(frozen=True)
class Initializer:
    """A variance-scaling initialiser; `normal` ones are truncated at two standard deviations."""

    name: str
    source: str
    gain: float
    weight_in: float
    weight_out: float
    normal: bool

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.source

    def scaling(self) -> Scaling:
        """The numbers a program needs."""
        return Scaling(*(jnp.asarray(v, float) for v in (self.gain, self.weight_in, self.weight_out, self.normal)))


INITIALIZERS.fill(
    Initializer,
    [
        Initializer("glorot_uniform", "Glorot & Bengio 2010", 1.0, 0.5, 0.5, False),
        Initializer("glorot_normal", "Glorot & Bengio 2010", 1.0, 0.5, 0.5, True),
        Initializer("he_uniform", "He et al. 2015", 2.0, 1.0, 0.0, False),
        Initializer("he_normal", "He et al. 2015", 2.0, 1.0, 0.0, True),
        Initializer("lecun_uniform", "LeCun et al. 1998", 1.0, 1.0, 0.0, False),
        Initializer("lecun_normal", "LeCun et al. 1998", 1.0, 1.0, 0.0, True),
    ],
)

_ERF_SQRT2 = 0.9544997361036416  # erf(2 / √2): the mass within two standard deviations
_TRUNCATED_STD = 0.87962566103423978  # standard deviation of a normal truncated there


def kernel(
    key: Key[Array, ""], shape: tuple[int, int], fan_in: Int[Array, ""], fan_out: Int[Array, ""], scaling: Scaling
) -> Float[Array, "inputs outputs"]:
    """Weights `[inputs, outputs]`, of which the first `[fan_in, fan_out]` are drawn and the rest are zero.

    Equal to `jax.nn.initializers.variance_scaling` at shape `[fan_in, fan_out]`, up to rounding.
    """
    rows, columns = shape
    draws = jax.random.uniform(key, (rows * columns,), minval=-1.0, maxval=1.0)
    row, column = jnp.arange(rows)[:, None], jnp.arange(columns)[None, :]
    inside = (row < fan_in) & (column < fan_out)
    unit = draws[jnp.where(inside, row * fan_out + column, 0)]
    return jnp.where(inside, scaled(unit, fan_in, fan_out, scaling), 0.0)


def scaled(
    unit: Float[Array, "*shape"], fan_in: Int[Array, ""], fan_out: Int[Array, ""], scaling: Scaling
) -> Float[Array, "*shape"]:
    """Weights from uniform numbers in [-1, 1)."""
    uniform = unit * jnp.sqrt(3.0)
    normal = jax.lax.erf_inv(unit * _ERF_SQRT2) * (jnp.sqrt(2.0) / _TRUNCATED_STD)
    variance = scaling.gain / (scaling.weight_in * fan_in + scaling.weight_out * fan_out)
    return jnp.where(scaling.normal > 0, normal, uniform) * jnp.sqrt(variance)
