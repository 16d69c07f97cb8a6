"""Published experiments, as functions that return ready setups.

    aj.train([protocols.single_module("nmu", "mul", (1, 2))], seeds=25)     # a cell of a paper's table

But for `question`, success is an extrapolation error below that of an ε-perfect solution, whose right weights are 1 - ε
and all others ε, at the evaluation with the smallest interpolation error (Madsen & Johansen 2020). Every function takes
any field of a setup as a keyword, which then replaces the protocol's; what a setup refuses raises ArithjaxError.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.registry import ACTIVATIONS, MODELS, OPERATIONS
from arithjax.setup import Setup
from arithjax.tables import statistics

Interval = Sequence[float]
"""The ends `(low, high)` of an interval, or those of several one after another, `(low, high, low, high)`."""

RANGES: dict[tuple[float, ...], tuple[float, ...]] = {
    (-20, -10): (-40, -20),
    (-2, -1): (-6, -2),
    (-1.2, -1.1): (-6.1, -1.2),
    (-0.2, -0.1): (-2, -0.2),
    (-2, 2): (-6, -2, 2, 6),
    (0.1, 0.2): (0.2, 2),
    (1, 2): (2, 6),
    (1.1, 1.2): (1.2, 6),
    (10, 20): (20, 40),
}
"""Interpolation range -> extrapolation range of the single-module task (Mistry et al. 2022)."""

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

PLAIN: dict[str, Any] = {"integers": False, "input_transform": "raw", "target_transform": "raw", "tests": 10_000}
FRESH: dict[str, Any] = {**PLAIN, "fresh": True, "examples": 128, "batch": 128}

EXACT: dict[str, Callable[..., np.ndarray]] = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide},
    **{"square": np.square, "sqrt": np.sqrt},
}
"""The operations of the arithmetic dataset in float64."""

BINARY = ("add", "sub", "mul", "div")
"""The operations of the single-module task."""

PAIRS = {
    **{unit: ("nau", unit) for unit in ("nmu", "snmu", "realnpu", "npu", "nru", "nmru")},
    **{unit: ("nac_add", unit) for unit in ("nac_mul", "nac_mul_sigmoid")},
}
"""The two layers of the arithmetic dataset that one name stands for; any other unit is used twice."""


def question(op: str = "mul", **changes: Any) -> Setup:
    """The net of the question that arithjax began with: 2-3-5-3-5-1 on raw numbers from 0 to 499, Keras's Adam.

    Ten epochs of batches of 10 ("Creating a neural network in keras to multiply two input integers", Stack Overflow).

    op: the operation. changes: fields of the setup that replace the protocol's.
    """
    fields = {
        **{"op": op, "input_transform": "raw", "target_transform": "raw"},
        "widths": (3, 5, 3, 5),
        "activation": ("linear", "relu", "relu", "relu"),
        "output_activation": "relu",
        "epsilon": 1e-7,
        "batch": 10,
    }
    return Setup(**{**fields, **changes})


def single_module(
    unit: str,
    op: str,
    interpolation: Interval,
    extrapolation: Interval | None = None,
    epsilon: float = 1e-5,
    **changes: Any,
) -> Setup:
    """The single-module task: one unit, two inputs, 50,000 Adam steps of fresh batches of 128 (Mistry et al. 2022).

    unit: a unit, or an activation for the control: an MLP with two hidden units.
    op: the operation; without `threshold` among the changes one of add, sub, mul and div.
    interpolation: the training range. extrapolation: one interval or several; by default the benchmark's (`RANGES`).
    epsilon: of the ε-perfect solution that gives the threshold.
    changes: fields of the setup that replace the protocol's.
    """
    ends, beyond = _interval(interpolation), _beyond(interpolation, extrapolation)
    fields = {
        **FRESH,
        **ends,
        **_network(unit),
        **_optimisation(unit, op),
        "op": op,
        "extrapolation": beyond,
        "steps": 50_000,
        "threshold": None,
    }
    return _setup(fields, changes, lambda: threshold(op, beyond, epsilon))


def arithmetic_dataset(
    unit: str | Sequence[str],
    op: str,
    n: int = 100,
    subset: float = 0.25,
    overlap: float = 0.5,
    interpolation: Interval = (1, 2),
    extrapolation: Interval = (2, 6),
    simple: bool = False,
    epsilon: float = 1e-5,
    **changes: Any,
) -> Setup:
    """Two layers, n -> 2 -> 1, that learn `op` of sums over slices of n inputs (Madsen & Johansen 2020).

    The paper moves the slices to a random place for each seed. Inputs are independent and alike and so are the initial
    weights, so the place changes no distribution; here it is the start.

    unit: one name stands for the paper's pair (`PAIRS`), `nmu` for NAU then NMU; or the names of the two layers; or an
    activation for the control. op: an operation of `EXACT`. n: inputs.
    subset: share of the inputs in each slice; overlap: share of a slice that is also in the other; both rounded down.
    interpolation, extrapolation: the training range, and one interval or several beyond it.
    simple: four inputs, `(x₁ + x₂ + x₃ + x₄) op (x₁ + x₂)`, and 200,000 steps instead of five million.
    epsilon: of the ε-perfect solution that gives the threshold.
    changes: fields of the setup that replace the protocol's.
    """
    if op not in EXACT:
        raise ArithjaxError(f"op={op} is not one of the dataset's: {', '.join(EXACT)}.")
    inputs, slices = (4, [(0, 4), (0, 2)]) if simple else (n, _slices(n, subset, overlap))
    slices = slices[: OPERATIONS[op].arity]
    steps = 200_000 if simple else 5_000_000

    def default_threshold() -> float:
        default = (subset, overlap, *map(tuple, (interpolation, extrapolation))) == (0.25, 0.5, (1, 2), (2, 6))
        if default and not simple and epsilon == 1e-5 and (op, n) in ARITHMETIC_THRESHOLDS:
            return ARITHMETIC_THRESHOLDS[op, n]
        longer = slices if simple else [(start, stop + 1) for start, stop in slices]  # as the paper's were
        return simulated_threshold(_name(op, inputs, longer), tuple(extrapolation), epsilon)

    layers = PAIRS.get(unit, (unit, unit)) if isinstance(unit, str) else tuple(unit)
    control = _network(unit) if isinstance(unit, str) and unit in ACTIVATIONS else {}
    fields = {
        **FRESH,
        **_interval(interpolation),
        **{"model": layers, "widths": (2,), "activation": "linear", **control},
        **_dataset_regulariser(layers, steps),
        "op": _name(op, inputs, slices),
        "extrapolation": tuple(extrapolation),
        "steps": steps,
        "threshold": None,
    }
    return _setup(fields, changes, default_threshold)


def minimal_arithmetic(unit: str, op: str, train: tuple, extrapolation: tuple, **changes: Any) -> Setup:
    """The minimal arithmetic task: one unit with two inputs (Schlör et al. 2020); success: MSE below 1e-5.

    64,000 fixed examples, 100 epochs of batches of 64, RMSProp; the error is that on the extrapolation range.

    unit: a unit, or an activation for the control. op: the operation.
    train, extrapolation: a distribution and its ends, such as `("uniform", -5, 5)`, `("normal", -3, 3)` (three standard
    deviations each way, cut off), or `("exponential", 0.2)` with its mean; both of one kind.
    changes: fields of the setup that replace the protocol's.
    """
    kind, *ends = train
    beyond_kind, *beyond = extrapolation
    if kind != beyond_kind and kind != "normal":
        raise ArithjaxError(f"train={train} and extrapolation={extrapolation} have to be of one distribution.")
    low, high = (0.0, ends[0]) if len(ends) == 1 else ends
    fields = {
        **{**PLAIN, **_network(unit), **_iterative(unit), "op": op, "distribution": kind, "low": low, "high": high},
        "extrapolation": (0.0, beyond[0]) if len(beyond) == 1 else tuple(beyond),
        **{"examples": 64_000, "batch": 64, "steps": 100_000, "evaluate_every": 1000},
        **{"optimizer": "rmsprop", "learning_rate": 0.01, "threshold": 1e-5},
    }
    return Setup(**{**fields, **changes})


PUBLISHED: dict[tuple[str, str, tuple[float, ...]], tuple[float, float | None]] = {
    ("nmu", "mul", (1, 2)): (1.0, 2780),
    ("nmu", "mul", (-2, 2)): (1.0, 2300),
    ("nmu", "mul", (1.1, 1.2)): (1.0, 2985),
    ("nmu", "mul", (10, 20)): (1.0, 2550),
    ("nmu", "mul", (0.1, 0.2)): (1.0, 5460),
    ("nmu", "mul", (-2, -1)): (0.8, 2000),
    ("nmu", "mul", (-0.2, -0.1)): (1.0, 21_000),
    **{("nau", "add", interval): (1.0, 5030) for interval in RANGES},
    ("nau", "add", (-2, 2)): (1.0, 4190),
    **{(control, "mul", interval): (0.0, None) for control in ("linear", "relu", "relu6") for interval in RANGES},
}
"""Published success rate and mean step of the single-module task, 25 seeds (Mistry et al. 2022)."""

PUBLISHED_SUMS: dict[tuple[str, str, int], tuple[float, float | None]] = {
    ("nau", "add", 100): (1.0, 18_000),
    ("nac_add", "add", 100): (1.0, 250_000),
    ("nalu", "add", 100): (0.14, None),
    ("nmu", "mul", 100): (0.98, 1_430_000),
    ("nac_mul_sigmoid", "mul", 100): (1.0, 2_550_000),
    ("nac_mul", "mul", 100): (0.31, None),
    **{(unit, "mul", 100): (0.0, None) for unit in ("nalu", "nac_add", "linear", "relu", "relu6")},
}
"""Published success rate and step of the arithmetic dataset by number of inputs, 100 seeds (Madsen & Johansen 2020)."""

CELL = ("model", "activation", "op", "low", "high")
"""The columns whose values distinguish published cells."""


def compare(nets: pd.DataFrame) -> pd.DataFrame:
    """Our cells of the single-module task and of the arithmetic dataset beside the published ones.

    nets: a results table; cells of which it has no nets are left out.
    Returns a row a cell, `unit op range` and its number of `nets`: `rate` with its Wilson 95 % interval `low high`, the
    `published` rate, and whether that lies `inside` the interval; the mean step `solved_at` of the solved nets, the
    `published_at` step and their `ratio`.
    """
    cells = {
        (unit, op, f"U[{ends[0]:g}, {ends[1]:g})"): (single_module(unit, op, ends), known)
        for (unit, op, ends), known in PUBLISHED.items()
    }
    cells |= {
        (u, op, f"n={n}"): (arithmetic_dataset(u, op, n=n), known) for (u, op, n), known in PUBLISHED_SUMS.items()
    }
    rows = []
    for (unit, op, task), (setup, (rate, step)) in cells.items():
        fields = setup.row()
        cell = nets[(nets[list(CELL)] == [fields[name] for name in CELL]).all(axis=1)]
        if cell.empty:
            continue
        low, high = statistics.wilson(cell.success.sum(), len(cell))
        row = {
            **{"unit": unit, "op": op, "range": task, "nets": len(cell)},
            **{"rate": cell.success.mean(), "low": low, "high": high, "published": rate},
            **{"inside": bool(low <= rate <= high + 1e-9), "solved_at": cell.solved_at.mean()},
            **{"published_at": step, "ratio": cell.solved_at.mean() / step if step else math.nan},
        }
        rows.append(row)
    return pd.DataFrame(rows)


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
    slices = [tuple(int(end) for end in part.split("-")) for part in parts]
    generator, ends = np.random.default_rng(0), np.array(extrapolation, float).reshape(-1, 2)
    chunks = []
    for _ in range(20):
        which = generator.integers(0, len(ends), (50_000, int(inputs)))
        x = generator.uniform(ends[which, 0], ends[which, 1])
        right = [x[:, start:stop].sum(1) for start, stop in slices]
        off = [(1 - 2 * epsilon) * inside + epsilon * x.sum(1) for inside in right]
        chunks.append(((EXACT[name](*off) - EXACT[name](*right)) ** 2).mean())
    return float(np.mean(chunks))


def _setup(fields: dict[str, Any], changes: dict[str, Any], default_threshold: Callable[[], float]) -> Setup:
    """The setup of a protocol's fields and a caller's changes, its threshold computed unless the caller gives one."""
    merged = {**fields, **changes}
    merged["evaluate_every"] = changes.get("evaluate_every", min(1000, merged["steps"]))
    setup = Setup(**{**merged, "threshold": None})  # refuses what is wrong before a threshold is computed
    return setup.replace(threshold=default_threshold() if merged["threshold"] is None else merged["threshold"])


def _interval(interpolation: Interval) -> dict[str, float]:
    if len(interpolation) != 2:
        raise ArithjaxError(f"interpolation={tuple(interpolation)} has to be two numbers, such as (1, 2).")
    return {"low": interpolation[0], "high": interpolation[1]}


def _beyond(interpolation: Interval, extrapolation: Interval | None) -> tuple[float, ...]:
    """The ends of the extrapolation range, the benchmark's by default."""
    if extrapolation is not None:
        return tuple(float(end) for end in np.ravel(extrapolation))
    if tuple(interpolation) not in RANGES:
        raise ArithjaxError(
            f"interpolation={tuple(interpolation)} has no extrapolation range in the benchmark; give extrapolation=."
        )
    return RANGES[tuple(interpolation)]


def _network(unit: str) -> dict[str, Any]:
    """The fields for a unit, or for the control with an activation."""
    if unit in ACTIVATIONS:
        return {"model": "mlp", "widths": (2,), "activation": unit}
    units = [name for name, model in MODELS.items() if model.stackable]
    if unit not in units:
        raise ArithjaxError(
            f"unknown unit '{unit}'{nearest(unit, [*units, *ACTIVATIONS])} There are {', '.join(units)}."
        )
    return {"model": unit, "activation": "linear"}


def _optimisation(unit: str, op: str) -> dict[str, Any]:
    """The fields of the optimiser and the regulariser with which the benchmark trains a unit (Mistry et al. 2022)."""
    adam = {"optimizer": "adam", "learning_rate": 1e-3}
    if unit.startswith(("npu", "realnpu")):
        strength = 1e-7 if op == "div" else 1e-5
        ramp = {"regularizer_end": 20_000, "regularizer_ramp": "decades"}
        return adam | {"learning_rate": 5e-3, "regularizer": strength} | ramp
    if unit.startswith("inalu"):
        return adam | _iterative(unit, alternate=False)
    ramp = {"regularizer_start": 20_000, "regularizer_end": 35_000}
    if unit == "nau":
        return adam | {"regularizer": 0.01} | ramp
    if unit in ("nmu", "snmu"):
        return adam | {"regularizer": 10.0} | ramp
    if unit == "nru":  # Mistry et al. 2021
        return adam | {"learning_rate": 1.0, "regularizer": 10.0} | ramp
    if unit == "nmru":
        return adam | {"learning_rate": 1e-2, "regularizer": 10.0, "clip": 1.0} | ramp
    return adam


def _iterative(unit: str, alternate: bool = True) -> dict[str, Any]:
    """The fields of iNALU's training: clipped gradients, a regulariser, restarts (Schlör et al. 2020)."""
    if not unit.startswith("inalu"):
        return {}
    numbers = {"clip_value": 0.1, "regularizer": 0.05, "restart": 1.0, "alternate": alternate}
    return numbers | {"regularizer_start": 10_000, "regularizer_end": 10_000}


def _dataset_regulariser(layers: tuple[str, ...], steps: int) -> dict[str, Any]:
    """The regulariser's fields as in stable-nalu for the full number of steps, in proportion for fewer."""
    if set(layers) & {"nmu", "snmu", "nru", "nmru"}:
        return {"regularizer": 10.0, "regularizer_start": steps // 5, "regularizer_end": 2 * steps // 5}
    if "nau" in layers:
        return {"regularizer": 0.01, "regularizer_start": 5_000, "regularizer_end": 50_000}
    return {}


def _name(op: str, inputs: int, slices: Sequence[tuple[int, int]]) -> str:
    """The name of an operation on sums over slices."""
    return ":".join([op, str(inputs), *(f"{start}-{stop}" for start, stop in slices)])


def _slices(n: int, subset: float, overlap: float) -> list[tuple[int, int]]:
    """The two slices `[start, stop)` of n inputs; ArithjaxError where they do not fit."""
    for name, value in (("subset", subset), ("overlap", overlap)):
        if not 0 <= value <= 1:
            raise ArithjaxError(f"{name}={value:g} is not allowed; it has to be from 0 to 1.")
    length = math.floor(subset * n)
    second = length - math.floor(overlap * length)
    if length < 1 or second + length > n:
        raise ArithjaxError(
            f"subset={subset:g}, overlap={overlap:g}: two slices of {length} do not fit in n={n} inputs; "
            f"make n larger or subset smaller."
        )
    return [(0, length), (second, second + length)]
