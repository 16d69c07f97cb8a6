"""Errors on the grids of the simple arithmetic task, each of a result of its own (Heim et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from arithjax.training.metrics import Metric

MIXED = np.arange(-41, 40, 2) / 10
"""Both arguments of sums, products and quotients: -4.1, -3.9 ... 3.9."""

POSITIVE = np.arange(1, 41) / 10
"""Both arguments of roots: 0.1, 0.2 ... 4."""

RESULTS = {"add": MIXED, "mul": MIXED, "div": MIXED, "sqrt": POSITIVE}
"""The results of operation `four` in their order, and the numbers that each is asked for."""


def grid_errors() -> list[Metric]:
    """Metrics of the simple arithmetic task: `error_add`, `error_mul`, `error_div` and `error_sqrt`.

    Each is the mean absolute error of one result over all pairs of numbers of a grid, in original units; nets train on
    numbers from 0.1 to 2.1. Enter them before training:

        for metric in protocols.grid_errors():
            aj.METRICS[metric.name] = metric
    """
    from arithjax.training.metrics import Metric  # starts jax, which the published numbers do without

    return [
        Metric(
            f"error_{name}",
            f"mean absolute error of result {name} on the grid of Heim et al. (2020)",
            _error_of(place),
            "four",
            np.stack(np.meshgrid(numbers, numbers), -1).reshape(-1, 2),
        )
        for place, (name, numbers) in enumerate(RESULTS.items())
    ]


def _error_of(place: int) -> Callable[[np.ndarray, np.ndarray], float]:
    """The mean absolute error of one of several results."""
    return lambda prediction, target: float(np.abs(prediction[:, place] - target[:, place]).mean())
