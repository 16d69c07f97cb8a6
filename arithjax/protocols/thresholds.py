"""Thresholds of success: the extrapolation error of an ε-perfect solution.

Its right weights are 1 - ε and all others ε (Madsen & Johansen 2020): in closed form for a single module, simulated for
operations on sums.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from arithjax.errors import ArithjaxError

Interval = Sequence[float]
"""The ends `(low, high)` of an interval, or those of several one after another, `(low, high, low, high)`."""

ARITHMETIC_THRESHOLDS = {
    ("mul", 100): 0.16001,
    ("add", 100): 1.4786e-5,
    ("sub", 100): 1.3844e-8,
    ("div", 100): 4.938e-12,
    ("square", 100): 0.15947,
    ("sqrt", 100): 8.955e-9,
    ("mul", 4): 7.10447e-8,
    ("mul", 10): 1.50963e-5,
}
"""Published thresholds of the arithmetic dataset, by operation and number of inputs (Madsen & Johansen 2020).

They were simulated on slices one element too long, and are used as published; others are simulated in the same way."""

EXACT: dict[str, Callable[..., np.ndarray]] = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide},
    **{"square": np.square, "sqrt": np.sqrt},
}
"""The operations of the arithmetic dataset in float64."""

BINARY = ("add", "sub", "mul", "div")
"""The operations of the single-module task."""


def threshold(op: str, extrapolation: Interval, epsilon: float = 1e-5) -> float:
    """The extrapolation MSE of an ε-perfect solution of a single module, in closed form (Mistry et al. 2022).

    mul `(1 - (1 - ε)²)² E[x²]²`; add and sub `ε² E[(|x₁| + |x₂|)²]`; div `(1 - (1 - ε) / (1 + ε))² E[x²] E[1/x²]`.

    op: add, sub, mul or div; any other raises ArithjaxError. extrapolation: where both arguments are uniform.
    epsilon: the error ε of every weight.
    """
    if op not in BINARY:
        raise ArithjaxError(f"op={op} has no threshold in closed form; give threshold=, or use add, sub, mul or div.")
    first, second, inverse = (_moment(extrapolation, power) for power in (1, 2, -2))
    if op == "mul":
        return (1 - (1 - epsilon) ** 2) ** 2 * second**2
    if op == "div":
        return (1 - (1 - epsilon) / (1 + epsilon)) ** 2 * second * inverse
    return epsilon**2 * (2 * second + 2 * first**2)


def _moment(intervals: Interval, power: int) -> float:
    """E[|x|^power] of x uniform on the union of intervals."""
    total = length = 0.0
    for low, high in zip(intervals[::2], intervals[1::2], strict=True):
        a, b = sorted((abs(low), abs(high)))
        total += (b ** (power + 1) - a ** (power + 1)) / (power + 1)
        length += b - a
    return total / length


@functools.lru_cache(maxsize=64)
def simulated_threshold(op: str, extrapolation: tuple[float, ...], epsilon: float = 1e-5) -> float:
    """The extrapolation MSE of an exact operation on ε-perfect sums, for a million inputs (Madsen & Johansen 2020).

    op: operation, inputs and slices, such as `mul:4:0-4:0-2`. extrapolation: where the inputs are uniform.
    epsilon: weights inside a slice are 1 - ε, those outside ε.
    """
    name, inputs, *parts = op.split(":")
    chunks = []
    for total, *right in _sums(int(inputs), tuple(parts), tuple(extrapolation)):
        off = [(1 - 2 * epsilon) * inside + epsilon * total for inside in right]
        chunks.append(((EXACT[name](*off) - EXACT[name](*right)) ** 2).mean())
    return float(np.mean(chunks))


@functools.lru_cache(maxsize=1)  # 24 MB: operations on the same sums mostly come one after another
def _sums(inputs: int, parts: tuple[str, ...], extrapolation: tuple[float, ...]) -> list[list[np.ndarray]]:
    """Of twenty times 50,000 random inputs: the sum of all, and of those in each slice, such as `0-4`."""
    slices = [tuple(int(end) for end in part.split("-")) for part in parts]
    generator, ends = np.random.default_rng(0), np.array(extrapolation, float).reshape(-1, 2)
    chunks = []
    for _ in range(20):
        which = generator.integers(0, len(ends), (50_000, inputs))
        x = generator.uniform(ends[which, 0], ends[which, 1])
        chunks.append([x.sum(1), *(x[:, start:stop].sum(1) for start, stop in slices)])
    return chunks
