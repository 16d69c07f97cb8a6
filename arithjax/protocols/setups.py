"""The protocols: each a function that returns a ready setup."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec

import numpy as np

from arithjax.errors import ArithjaxError, nearest
from arithjax.fields import Field
from arithjax.protocols.thresholds import ARITHMETIC_THRESHOLDS, EXACT, Interval, simulated_threshold, threshold
from arithjax.registry import ACTIVATIONS, MODELS, OPERATIONS
from arithjax.setup import FIELDS, Setup

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

PLAIN: dict[str, Any] = {"integers": False, "input_transform": "raw", "target_transform": "raw", "tests": 10_000}
FRESH: dict[str, Any] = {**PLAIN, "fresh": True, "examples": 128, "batch": 128}

PAIRS = {
    **{unit: ("nau", unit) for unit in ("nmu", "snmu", "nac_mul_nmu", "realnpu", "npu", "nru", "nmru")},
    **{unit: ("nac_add", unit) for unit in ("nac_mul", "nac_mul_sigmoid")},
}
"""The two layers of the arithmetic dataset that one name stands for; any other unit is used twice."""


SCHLOER = {"nalu": "nalu_wide", "inalu": "inalu_wide"}
"""Units as the experiments of Schlör et al. (2020) start them."""

HEIM = {"nmu": "nmu:clipped", "nalu": "nalu:glorot", "inalu": "inalu:glorot"}
"""Units as Heim et al. (2020) have them."""


KINDS: dict[str, Field] = {
    "str": Field("", "name", "static", ""),
    "str | Sequence[str]": Field("", "names", "static", ""),
    "int": Field(0, "whole", "static", ""),
    "float": Field(0.0, "number", "static", ""),
    "bool": Field(False, "bool", "static", ""),
    "Interval": Field((), "numbers", "static", ""),
    "Interval | None": Field(None, "numbers", "static", ""),
}
"""The kinds of the protocols' own arguments, by their types as they are written."""

P = ParamSpec("P")


def _called_rightly(protocol: Callable[P, Setup]) -> Callable[P, Setup]:
    """A protocol that says in one line what is wrong with the names, and the kinds, of what it is given."""
    signature = inspect.signature(protocol)
    own = {name: KINDS.get(one.annotation) for name, one in signature.parameters.items() if name != "changes"}

    @functools.wraps(protocol)
    def called(*args: P.args, **changes: P.kwargs) -> Setup:
        try:
            given = signature.bind(*args, **changes).arguments
            for name, value in {**given.pop("changes", {}), **given}.items():
                _check(name, value, own[name] if name in own else _field(name, own))
        except TypeError as error:  # as Python says that one is missing, or given twice
            words = f"{error}; it takes {', '.join(own)}, and fields of a setup by their names"
            raise ArithjaxError(f"{protocol.__name__}: {words}.") from None
        except ArithjaxError as error:
            raise ArithjaxError(f"{protocol.__name__}: {error}") from None
        return protocol(*args, **changes)

    return called


def _field(name: str, own: Iterable[str]) -> Field:
    """The field of a setup that a change is to replace."""
    if name not in FIELDS:
        raise ArithjaxError(f"unknown field '{name}' of a setup{nearest(name, [*own, *FIELDS])}")
    return FIELDS[name]


def _check(name: str, value: Any, kind: Field | None) -> None:
    """A value is of its kind; where that is numbers, several intervals are so, too. Distributions have none."""
    if kind is None:
        several = isinstance(value, tuple | list) and len(value) > 1 and isinstance(value[0], str)
        if not several:
            raise ArithjaxError(
                f"{name}={value!r} is not allowed; give a distribution and its ends: ('uniform', -5, 5)."
            )
        name, value, kind = f"{name}[1:]", value[1:], KINDS["Interval"]
    if kind.kind == "numbers" and not isinstance(value, str) and np.iterable(value):
        try:
            value = tuple(np.ravel(list(value)).tolist())
        except ValueError:  # pairs and single numbers beside each other
            raise ArithjaxError(f"{name}={value!r} is not allowed; give (low, high), or several of these.") from None
    kind.coerce(name, value)


@_called_rightly
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


@_called_rightly
def single_module(
    unit: str,
    op: str,
    interpolation: Interval,
    extrapolation: Interval | None = None,
    epsilon: float = 1e-5,
    **changes: Any,
) -> Setup:
    """The single-module task: one unit, two inputs, 50,000 Adam steps of fresh batches of 128 (Mistry et al. 2022).

    Division has eight ranges: U[-2, 2) holds 0.

    unit: a unit, or an activation for the control: an MLP with two hidden units. `realnpu` and `npu` are as in the
    benchmark; `realnpu_through` and `npu_through` have the straight-through gate of Heim et al.'s own library.
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


@_called_rightly
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
    simple: four inputs, `(x₁ + x₂ + x₃ + x₄) op (x₁ + x₂)`, and 200,000 steps instead of five million, which is before
    the regulariser of the multiplying units starts, as in the published runs.
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
        **_dataset_regulariser(layers),
        "op": _name(op, inputs, slices),
        "extrapolation": tuple(extrapolation),
        "steps": steps,
        "threshold": None,
    }
    return _setup(fields, changes, default_threshold)


@_called_rightly
def minimal_arithmetic(unit: str, op: str, train: tuple, extrapolation: tuple, **changes: Any) -> Setup:
    """The minimal arithmetic task: one unit with two inputs (Schlör et al. 2020).

    64,000 fixed examples, 100 epochs of batches of 64, RMSProp. A success has an extrapolation MSE below 1e-5 after the
    last step. All units are trained as in the authors' script: gradients are clipped, of every ten steps eight train
    the weights and two the gates, nets that are stuck start again, and from epoch 11 on the regulariser takes a step of
    its own after each of the loss's. Two things differ: examples come in another order in each epoch, and a new start
    is possible at every tenth evaluation only.

    unit: `nalu`, `inalu` or `inalu_shared`, which start as in the experiments of the paper (`nalu_wide`, `inalu_wide`);
    another unit, which keeps its start and goes without the regulariser; or an activation for the control.
    op: the operation. Where the range holds 0, examples that would divide by 0 are left out.
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
        **{**PLAIN, **_network(SCHLOER.get(unit, unit)), "distribution": kind, "low": low, "high": high},
        "op": "quotient" if op == "div" and low <= 0 <= high else op,
        "extrapolation": (0.0, beyond[0]) if len(beyond) == 1 else tuple(beyond),
        **{"examples": 64_000, "batch": 64, "steps": 100_000, "evaluate_every": min(1000, changes.get("steps", 1000))},
        **{"optimizer": "rmsprop:1", "learning_rate": 0.01, "threshold": 1e-5, "selection": "last"},
        **{"clip_value": 0.1, "restart": 1.0, "restart_by": "batches", "alternate": unit not in ACTIVATIONS},
    }
    if unit.startswith(("nalu", "inalu")):
        start = {"regularizer_start": 11_000, "regularizer_end": 11_000}
        fields |= {"regularizer": 0.05, "regularizer_apart": True, **start}
    return Setup(**{**fields, **changes})


@_called_rightly
def simple_arithmetic(unit: str, **changes: Any) -> Setup:
    """The simple arithmetic task: a + b, a · b, a / b and √a at once (Heim et al. 2020).

    Nets have two inputs, four results and two layers with six numbers between them (2-6-4); of the control see below.

    20,000 steps of fresh batches of 100 from U[0.1, 2.1), as the authors' script has it. The paper says U(0.1, 2) and a
    rate of 0.001 for all; the script has 0.005, and 0.001 for iNALU, and trains NALU and iNALU by RMSProp. Nets are
    judged after the last step, on grids beyond what they train on: `protocols.grid_errors`.

    unit: `npu`, `realnpu` or `nmu`, under a linear layer without bias, which the paper calls NAU but never clamps; or
    `nalu` or `inalu`, twice; another unit stands under the linear layer, too. NMU, NALU and iNALU are those of the
    authors (`nmu:clipped`, `nalu:glorot`, `inalu:glorot`). The gates of NPU and RealNPU are theirs, too: they start at
    1/2 and have no gradient beyond their clip. Or an activation for the control, two hidden layers of ten as in the
    paper's table of models: the script's last version has 50 each, with which errors of sums are 1.81 (ten: 2.10;
    published: 2.10) and of quotients 16.2 (14.3; 14.2). iNALU goes without a regulariser, as it did where the published
    files were written: the script's last version, which has one, reads its parameter from a setting that is never
    given.
    changes: fields of the setup that replace the protocol's.
    """
    twice = unit.startswith(("nalu", "inalu"))
    if unit in ACTIVATIONS:
        network: dict[str, Any] = {"widths": (10, 10), "activation": unit}
    else:
        layer = HEIM.get(unit) or _network(unit)["model"]
        network = {"model": (layer, layer if twice else "dense"), "widths": (6,), "activation": "linear", "bias": twice}
    fields = {
        **{**PLAIN, "tests": 1024, "fresh": True, "examples": 100, "batch": 100, "steps": 20_000},
        **{"op": "four", "low": 0.1, "high": 2.1, "learning_rate": 0.001 if unit.startswith("inalu") else 0.005},
        **({"optimizer": "rmsprop", "epsilon": 1e-16} if twice else {}),  # Flux adds the root of that to the root
        **network,
    }
    return Setup(**{**fields, **changes})


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
        start = {"regularizer_start": 10_000, "regularizer_end": 10_000}
        return adam | {"clip_value": 0.1, "regularizer": 0.05, "restart": 1.0} | start
    ramp = {"regularizer_start": 20_000, "regularizer_end": 35_000}
    if unit == "nau":
        return adam | {"regularizer": 0.01} | ramp
    if unit in ("nmu", "snmu", "mcfc", "mulmcfc"):
        return adam | {"regularizer": 10.0} | ramp
    if unit == "nru":  # Mistry et al. 2021
        return adam | {"learning_rate": 1.0, "regularizer": 10.0} | ramp
    if unit == "nmru":
        return adam | {"learning_rate": 1e-2, "regularizer": 10.0, "clip": 1.0} | ramp
    return adam


def _dataset_regulariser(layers: tuple[str, ...]) -> dict[str, Any]:
    """The regulariser's fields, the same for any number of steps (Madsen & Johansen 2020)."""
    if set(layers) & {"nmu", "snmu", "nac_mul_nmu", "nru", "nmru"}:
        return {"regularizer": 10.0, "regularizer_start": 1_000_000, "regularizer_end": 2_000_000}
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
