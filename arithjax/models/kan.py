"""Layers of Kolmogorov-Arnold networks, lanes last: a learnt function of one number on every edge.

    φ(x) = w_b silu(x) + w_s Σᵢ cᵢ Bᵢ(x)

of Liu et al. (2024, arXiv 2404.19756, equations 2.10 to 2.12), with B-splines Bᵢ on an even grid. A layer's outputs are
sums of its edges over the inputs. The paper moves the grid to where a layer's inputs lie; here it stays on `[-reach,
reach]`, which holds the standardised numbers of a uniform range, and beyond it only the silu is left.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from arithjax.errors import ArithjaxError
from arithjax.models.activations import Activation
from arithjax.models.branches import activate, choose
from arithjax.models.mlp import contract
from arithjax.models.stack import Unit, UnitModel
from arithjax.models.units import glorot, normal
from arithjax.registry import ACTIVATIONS


def spline(order: int, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The B-spline of an order on even knots, at distances `v` from its middle, of one knot to the next each.

    A polynomial of degree k between knots: `Σⱼ (-1)ʲ C(k + 1, j) ((k + 1) / 2 - j - |v|)₊ᵏ / k!` (Schoenberg 1946).
    """
    total = jnp.zeros(())
    for j in range(order // 2 + 1):
        factor = (-1) ** j * math.comb(order + 1, j) / math.factorial(order)
        total = total + factor * jnp.maximum((order + 1) / 2 - j - jnp.abs(v), 0) ** order
    return total


@functools.cache
def of_width(order: int, step: float) -> Activation:
    """The B-spline of an order on knots that are `step` apart, at distances from its middle."""
    return Activation(f"spline {order}", "a B-spline", lambda x: spline(order, x * (1 / step)))


class KAN(Unit):
    """KAN layer: the sum over the inputs of learnt splines on a grid, each with a silu beside it."""

    branches: ClassVar[bool] = True
    grid: ClassVar[int] = 5  # intervals between knots
    order: ClassVar[int] = 3  # of the splines
    reach: ClassVar[float] = 2.0  # the grid is [-reach, reach], of the numbers that the layer reads

    @classmethod
    def fixed(cls) -> dict[str, np.ndarray]:
        """The knots: those of the grid, and `order` more at either end."""
        step = 2 * cls.reach / cls.grid
        return {"knots": step * np.arange(-cls.order, cls.grid + cls.order + 1) - cls.reach}

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], branch: Int[Array | np.ndarray, ""] | None = None
    ) -> Float[Array, "batch {self.features} lanes"]:
        inputs, features, lanes = self.shape(x)
        branch = jnp.asarray(0 if branch is None else branch)
        step = 2 * self.reach / self.grid
        middles = step * (np.arange(self.grid + self.order) - (self.order - 1) / 2) - self.reach
        apart = (x[:, :, None] - jnp.asarray(middles, x.dtype)[None, None, :, None]).reshape(len(x), -1, lanes)
        bases = activate(of_width(self.order, step), branch, apart)
        of_base = self.param("W_b", glorot(inputs, features), self.shape(x))
        of_spline = self.param("W_s", nn.initializers.ones, self.shape(x))
        c = self.param("C", normal(0.0, 0.1), (bases.shape[1], features, lanes))
        scales = jnp.repeat(of_spline, len(c) // inputs, 0, total_repeat_length=len(c))
        weighted = choose(branch, jnp.multiply, scales, c)
        base = activate(ACTIVATIONS["silu"], branch, x)
        return contract(base, of_base) + contract(bases, weighted)


KAN_MODEL = UnitModel("kan", "Liu et al. 2024", KAN, ("add", "sub"))
KANS = {"kan:G:k:r": "KAN layers with G intervals, splines of order k and a grid to ±r, such as kan:10 or kan:10:2:3"}
"""What lists say of KAN layers with options; k and r may be left out."""


@functools.cache  # one class each, so that equal models share a compiled program
def derived(name: str) -> UnitModel | None:
    """The KAN layers that a name such as `kan:10:2` means, or None.

    Raises:
        ArithjaxError: the options are none.
    """
    family, *options = name.split(":")
    if family != KAN_MODEL.name:
        return None
    try:
        grid, order, reach = (*options, *("5", "3", "2")[len(options) :])
        chosen = {"grid": int(grid), "order": int(order), "reach": float(reach)}
        fits = 1 <= chosen["grid"] <= 64 and 1 <= chosen["order"] <= 5 and 0 < chosen["reach"] < 1e6
    except ValueError:
        fits = False
    if not fits:
        raise ArithjaxError(
            f"model '{name[:60]}' needs a grid of 1 to 64 intervals, and may have an order from 1 to 5 and a reach "
            "above 0, as in 'kan:5:3:2'."
        )
    kind = type("KAN", (KAN,), {**chosen, "__doc__": KAN.__doc__, "__module__": __name__})
    return UnitModel(name, KAN_MODEL.source, kind, KAN_MODEL.represents)
