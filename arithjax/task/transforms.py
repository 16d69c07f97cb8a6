"""Transforms: how numbers are shown to a net.

There are two kinds in one registry: re-scalings, here, which show a number as one, and encodings
(`arithjax.task.encodings`), which show it as several.

A re-scaling is a fixed elementwise `warp` followed by a shift and a scale that are fitted on the training set, so
`forward(x) = (warp(x) - shift) / scale` and `inverse(y) = unwarp(y · scale + shift)`. To add one:

    aj.TRANSFORMS["cbrt"] = aj.Transform("cbrt", "∛x", jnp.cbrt, lambda y: y**3)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from arithjax.errors import ArithjaxError
from arithjax.registry import TRANSFORMS
from arithjax.task import encodings, trying
from arithjax.task.encodings import Encoding


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
    several: ClassVar[bool] = False
    """Whether it shows a number as several."""

    def accepts(self, low: float) -> bool:
        """Whether data whose smallest value is `low` can be transformed."""
        return low >= self.above if self.closed else low > self.above

    def obstacle(self, low: float, high: float, whole: bool, precision: str) -> str:
        """Why it cannot transform the numbers of a closed range, in words that follow its name; empty where it can."""
        if not self.accepts(low):
            return (
                f"needs {self.domain}, but there are {{what}} as small as {low:g}; choose another transform "
                f"('arithjax list transforms') or another range."
            )
        if not TRANSFORMS.ours(self.name) and (broken := self.broken(low, high)) is not None:
            return (
                f"is not finite for {broken:g}, and there are {{what}} from {low:g} to {high:g}; choose another range, "
                f"or say where it is defined (Transform's above)."
            )
        return ""

    @property
    def domain(self) -> str:
        """Where the transform is defined, in words."""
        return "any number" if self.above == -math.inf else f"x {'≥' if self.closed else '>'} {self.above:g}"

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.formula}, for {self.domain}"

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless `warp` and `unwarp` are elementwise and undo each other, and `fit` fits."""
        what = f"transform '{self.name}'"
        x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3) + (
            0 if self.above == -math.inf else self.above + 2.5
        )
        trying.elementwise(f"{what}: warp", self.warp, x, slope=False)
        warped = np.asarray(self.warp(jnp.asarray(x)))
        trying.elementwise(f"{what}: unwarp", self.unwarp, warped, slope=False)
        back = np.asarray(self.unwarp(jnp.asarray(warped)))
        lost = np.isfinite(warped) & ~(np.abs(back - x) <= 1e-3 * (1 + np.abs(x)))
        if lost.any():
            raise ArithjaxError(
                f"{what}: unwarp(warp({x[lost][0]:.4g})) is {back[lost][0]:.4g}; unwarp has to be the inverse of warp."
            )
        fitted = trying.called(f"{what}: fit", self.fit, jnp.asarray(warped))
        if not isinstance(fitted, Fitted) or {np.shape(part) for part in fitted} != {x.shape[1:]}:
            raise ArithjaxError(
                f"{what}: fit has to reduce the first axis of [examples, ...] to Fitted(shift, scale), each [...]."
            )

    def broken(self, low: float, high: float) -> float | None:
        """The first number of a grid over `[low, high]` for which `warp` is not finite; None if there is none."""
        x = np.append(np.linspace(low, high, 65), [0.0] if low <= 0 <= high else [])
        found = ~np.isfinite(np.asarray(self.warp(jnp.asarray(x, jnp.float32))))
        return float(x[np.argmax(found)]) if found.any() else None

    def shown(self, low: float, high: float) -> tuple[float, float]:
        """About from where to where the numbers of a closed range are shown to a net: as if they were spread evenly."""
        warped = self.warp(jnp.linspace(low, high, 65))
        ends = (warped - (fitted := self.fit(warped)).shift) / fitted.scale
        return float(ends.min()), float(ends.max())

    def forward(self, x: Float[Array, "*shape"], fitted: Fitted) -> Float[Array, "*shape"]:
        """`x` as the net sees it; `fitted` broadcasts against `x`."""
        return (self.warp(x) - fitted.shift) / fitted.scale

    def inverse(self, y: Float[Array, "*shape"], fitted: Fitted) -> Float[Array, "*shape"]:
        """What the net says, in original units."""
        return self.unwarp(y * fitted.scale + fitted.shift)


TRANSFORMS.fill(
    (Transform, Encoding),
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
        *encodings.ENCODINGS,
    ],
    derive=encodings.derived,
    families=encodings.FAMILIES,
)


def rescalings() -> tuple[Transform, ...]:
    """The members that show a number as one; a compiled program chooses among all of them at run time."""
    return tuple(member for member in TRANSFORMS.values() if isinstance(member, Transform))
