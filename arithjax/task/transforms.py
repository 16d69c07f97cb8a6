"""Transforms: how numbers are shown to a net.

A transform is a fixed elementwise `warp` followed by a shift and a scale that are fitted on the training set, so
`forward(x) = (warp(x) - shift) / scale` and `inverse(y) = unwarp(y · scale + shift)`. To add one:

    aj.TRANSFORMS["cbrt"] = aj.Transform("cbrt", "∛x", jnp.cbrt, lambda y: y**3)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from arithjax.registry import TRANSFORMS


class Fitted(NamedTuple):
    """The numbers a transform learns from its training set, of any shape that broadcasts against the data."""

    shift: Float[Array, " ..."]
    scale: Float[Array, " ..."]


def identity(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`x` itself."""
    return x


def no_fit(warped: Float[Array, " examples *rest"]) -> Fitted:
    """Shift 0, scale 1."""
    return Fitted(jnp.zeros_like(warped[0]), jnp.ones_like(warped[0]))


def by_magnitude(warped: Float[Array, " examples *rest"]) -> Fitted:
    """Scale by the largest magnitude."""
    return Fitted(jnp.zeros_like(warped[0]), _nonzero(jnp.abs(warped).max(0)))


def by_moments(warped: Float[Array, " examples *rest"]) -> Fitted:
    """Shift by the mean, scale by the standard deviation."""
    mean = warped.mean(0)
    return Fitted(mean, _nonzero(jnp.sqrt(((warped - mean[None]) ** 2).mean(0))))


def by_range(warped: Float[Array, " examples *rest"]) -> Fitted:
    """Map smallest and largest value to 0 and 1."""
    low = warped.min(0)
    return Fitted(low, _nonzero(warped.max(0) - low))


def _nonzero(scale: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return jnp.where(scale > 0, scale, jnp.ones_like(scale))


@dataclass(frozen=True)
class Transform:
    """An invertible re-scaling; `fit(warped)` reduces axis 0 of `[examples, ...]` to a `Fitted` of shape `[...]`.

    `above` bounds the data from below: values must be greater, or equal too when `closed`.
    """

    name: str
    formula: str
    warp: Callable[[Array], Array] = identity
    unwarp: Callable[[Array], Array] = identity
    fit: Callable[[Array], Fitted] = no_fit
    above: float = -math.inf
    closed: bool = False

    def accepts(self, low: float) -> bool:
        """Whether data whose smallest value is `low` can be transformed."""
        return low >= self.above if self.closed else low > self.above

    @property
    def domain(self) -> str:
        """Where the transform is defined, in words."""
        return "any number" if self.above == -math.inf else f"x {'≥' if self.closed else '>'} {self.above:g}"

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.formula}, for {self.domain}"

    def forward(self, x: Float[Array, "*shape"], fitted: Fitted) -> Float[Array, "*shape"]:
        """`x` as the net sees it; `fitted` broadcasts against `x`."""
        return (self.warp(x) - fitted.shift) / fitted.scale

    def inverse(self, y: Float[Array, "*shape"], fitted: Fitted) -> Float[Array, "*shape"]:
        """What the net says, in original units."""
        return self.unwarp(y * fitted.scale + fitted.shift)


TRANSFORMS.fill(
    Transform,
    [
        Transform("raw", "x"),
        Transform("scale", "x / max|x|", fit=by_magnitude),
        Transform("standardize", "(x - mean) / std", fit=by_moments),
        Transform("minmax", "(x - min) / (max - min)", fit=by_range),
        Transform("log1p", "ln(1 + x)", jnp.log1p, jnp.expm1, above=-1.0),
        Transform(
            "symlog",
            "sign(x) ln(1 + |x|)",
            lambda x: jnp.sign(x) * jnp.log1p(jnp.abs(x)),
            lambda y: jnp.sign(y) * jnp.expm1(jnp.abs(y)),
        ),
        Transform("sqrt", "√x", jnp.sqrt, lambda y: jnp.square(jnp.maximum(y, 0)), above=0.0, closed=True),
        Transform("log", "ln x", jnp.log, jnp.exp, above=0.0),
    ],
)
