"""Distributions: how real arguments are spread over their range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from scipy import special

from arithjax.registry import DISTRIBUTIONS


@dataclass(frozen=True)
class Distribution:
    """How arguments are spread.

    place: `place(u, low, high, xp)` takes uniform `u` in [0, 1) to arguments: the inverse of the cumulative
        distribution. `xp` is the array module, `numpy` or `jax.numpy`.
    """

    name: str
    about: str
    place: Callable[..., Any]


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
