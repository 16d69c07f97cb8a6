"""Distributions: how real arguments are spread over their range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from arithjax.errors import ArithjaxError
from arithjax.registry import DISTRIBUTIONS
from arithjax.task import trying


@dataclass(frozen=True)
class Distribution:
    """How arguments are spread.

    place: `place(u, low, high, xp)` takes uniform `u` in [0, 1) to arguments: the inverse of the cumulative
        distribution. `xp` is the array module, `numpy` or `jax.numpy`.
    """

    name: str
    about: str
    place: Callable[..., Any]

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless `place` gives finite numbers with numpy and inside a compiled program."""
        what, u = f"distribution '{self.name}'", np.linspace(0, 0.99, 12, dtype=np.float32).reshape(4, 3)
        trying.elementwise(what, lambda u: self.place(u, 1.0, 3.0, jnp), u, slope=False)
        try:
            placed = np.asarray(self.place(u.astype(float), 1.0, 3.0, np), float)
        except Exception as error:
            raise ArithjaxError(f"{what}: place fails with xp=numpy ({trying.reason(error)}); use xp.") from None
        if placed.shape != u.shape or not np.isfinite(placed).all():
            raise ArithjaxError(f"{what}: place(u, 1, 3, numpy) is not a finite number for each u in [0, 1).")


def _normal(u: Any, low: Any, high: Any, xp: Any) -> Any:
    """Mean in the middle, three standard deviations to each end, where it is cut off."""
    cut = 0.9973002039367398  # the mass within three standard deviations
    erfinv = jax.lax.erf_inv if xp is jnp else special.erfinv
    return (low + high) / 2 + (high - low) / 6 * math.sqrt(2) * erfinv((2 * u - 1) * cut)


DISTRIBUTIONS.fill(
    Distribution,
    [
        Distribution("uniform", "uniform on [low, high)", lambda u, low, high, xp: low + u * (high - low)),
        Distribution("normal", "normal with standard deviation (high - low) / 6, cut off at both ends", _normal),
        Distribution(
            "exponential",
            "low plus an exponential of mean high - low",
            lambda u, low, high, xp: low - (high - low) * xp.log1p(-u),
        ),
    ],
)
