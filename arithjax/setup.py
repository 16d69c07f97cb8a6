"""A setup: everything that defines one training except its seed, as plain data.

This module imports no jax by itself, so that the command line can show a setup's fields at once; the registries that
judge the names are imported when a setup is made.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from arithjax.errors import ArithjaxError, nearest


def _field(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Setup:
    """One training, checked when it is made; `ArithjaxError` names what is wrong.

    Integers are drawn from `low <= x < high`, reals from the interval. Losses and learning rates are in the net's own
    units, after the transforms; every reported error is in original units.
    """

    op: str = _field("mul", "what to learn: an operation's name")
    low: float = _field(0.0, "smallest argument")
    high: float = _field(500.0, "arguments are smaller than this")
    integers: bool = _field(True, "whole numbers, else reals")
    extrapolation: tuple[float, ...] | None = _field(
        None, "bounds of the extrapolation interval (or of several); default: the next interval of the same width"
    )
    examples: int = _field(10_000, "training examples; own ones for each seed")
    fresh: bool = _field(False, "draw fresh examples at each step instead of a fixed set")
    tests: int = _field(1024, "test points in each range")
    input_transform: str = _field("standardize", "how arguments are shown to the net")
    target_transform: str = _field("standardize", "how results are shown to the net")
    distribution: str = _field("uniform", "how real arguments are spread")
    model: str | tuple[str, ...] = _field(
        "mlp", "the network family, or an arithmetic unit: one for all layers or each"
    )
    widths: tuple[int, ...] | None = _field(
        None, "hidden widths, one per hidden layer; default: 64,64, or none with an arithmetic unit"
    )
    activation: str | tuple[str, ...] = _field("gelu", "hidden activation: one for all layers or one per layer")
    output_activation: str = _field("linear", "activation of the output")
    bias: bool = _field(True, "layers have a bias")
    initializer: str = _field("glorot_uniform", "how weights start")
    optimizer: str = _field("adam", "the optimiser")
    learning_rate: float = _field(1e-3, "its learning rate")
    beta1: float | None = _field(None, "decay of the first moment; default: the optimiser's")
    beta2: float | None = _field(None, "decay of the second moment; default: the optimiser's")
    momentum: float | None = _field(None, "momentum of sgd; default: 0.9")
    epsilon: float | None = _field(None, "the term in the denominator; default: the optimiser's")
    weight_decay: float | None = _field(None, "weight decay; default: the optimiser's")
    clip: float | None = _field(None, "largest global norm of a gradient; default: not clipped")
    clip_value: float | None = _field(None, "largest entry of a gradient; default: not clipped")
    regularizer: float = _field(0.0, "strength of the arithmetic units' own regulariser")
    regularizer_start: int = _field(0, "step at which it begins to count")
    regularizer_end: int = _field(0, "step from which it counts in full")
    regularizer_ramp: str = _field("linear", "how it grows in between")
    alternate: bool = _field(False, "of every ten steps eight train the weights and two the gates (iNALU)")
    restart: float | None = _field(
        None, "nets whose interpolation MSE stays above this and does not fall start again (iNALU); default: none do"
    )
    schedule: str = _field("constant", "how the learning rate changes over the steps")
    end_factor: float | None = _field(None, "the factor on the learning rate at the end; default: the schedule's")
    warmup: int = _field(0, "steps of linear warm-up")
    loss: str = _field("mse", "the loss, in transformed units")
    batch: int = _field(64, "examples a step")
    steps: int = _field(10_000, "optimiser steps")
    until: int | None = _field(
        None, "train only the first so many of the steps, and do not finish (as halving does); default: all"
    )
    evaluate_every: int | None = _field(None, "steps between evaluations; default: a tenth of the steps")
    stop_early: bool = _field(False, "stop nets that are solved, dead or diverged at an evaluation")
    threshold: float | None = _field(
        None,
        "extrapolation MSE below which a net is a success; it is judged at the evaluation with the smallest "
        "interpolation MSE; default: at the end, by its grade",
    )
    precision: str = _field(
        "float32", "arithmetic of parameters, optimiser, transforms and predictions: float32 or float64"
    )
    finish: int = _field(
        0,
        "steps of second-order finishing on all examples after the last step: Levenberg-Marquardt with geodesic "
        "acceleration (Transtrum & Sethna 2012)",
    )

    def __post_init__(self) -> None:
        for name, value in _normalised(self).items():
            object.__setattr__(self, name, value)
        _check(self)

    @classmethod
    def field_names(cls) -> list[str]:
        """The names of all fields, in order; also columns of every table."""
        return [f.name for f in fields(cls)]

    def replace(self, **changes: Any) -> Setup:
        """A copy with other values."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds and `Setup(**data)` takes."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def row(self) -> dict[str, Any]:
        """The fields as table cells: tuples become text such as `3,5,3`."""
        return {k: cell(v) for k, v in asdict(self).items()}

    def identity(self) -> str:
        """A digest of what departs from the defaults, stable across releases that only add fields; hex.

        Where training is cut short does not count: the same net is trained until there.
        """
        defaults = DEFAULTS | {"widths": DEFAULT_WIDTHS, "until": self.until}
        departs = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != defaults[f.name]}
        return hashlib.sha256(json.dumps(departs, sort_keys=True).encode()).hexdigest()

    @property
    def evaluation_steps(self) -> list[int]:
        """The steps after which the nets are evaluated, up to the last."""
        every = self.evaluate_every or max(1, self.steps // 10)
        return [*range(every, self.last_step, every), self.last_step]

    @property
    def last_step(self) -> int:
        """The step that training ends with."""
        return self.until or self.steps

    @property
    def bounds(self) -> tuple[float, float]:
        """The closed interval of arguments, `[low, high]` or, for integers, `[low, high - 1]`."""
        return closed(self.low, self.high, self.integers)

    @property
    def extrapolation_intervals(self) -> list[tuple[float, float]]:
        """The extrapolation range as intervals `(low, high)`."""
        ends = self.extrapolation or (self.high, 2 * self.high - self.low)
        return list(zip(ends[::2], ends[1::2], strict=True))


def cell(value: Any) -> Any:
    """A field's value as a table cell."""
    return ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value) if isinstance(value, tuple) else value


def closed(low: float, high: float, integers: bool) -> tuple[float, float]:
    """The closed interval that holds what is drawn from `low` up to `high`."""
    return (math.ceil(low), math.ceil(high) - 1) if integers else (low, high)


def make(**values: Any) -> Setup:
    """`Setup(**values)`, naming a misspelt field."""
    for name in values:
        if name not in Setup.field_names():
            raise ArithjaxError(f"unknown field '{name}' of a setup{nearest(name, Setup.field_names())}")
    return Setup(**values)


def _normalised(setup: Setup) -> dict[str, Any]:
    """Every field in its one type, so that equal setups are equal data."""
    out = {}
    for f in fields(setup):
        value, kind = getattr(setup, f.name), str(f.type)
        try:
            out[f.name] = _coerce(value, kind)
        except (TypeError, ValueError, OverflowError):
            shown = " ".join(repr(value).split())
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise ArithjaxError(f"{f.name}={shown} is not allowed; it has to be {_KINDS[kind]}.") from None
    if out["widths"] is None:
        out["widths"] = () if set(_names(out["model"])) & _unit_names() else DEFAULT_WIDTHS
    return out


def _names(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _unit_names() -> set[str]:
    from arithjax.models import UnitModel
    from arithjax.registry import MODELS

    return {name for name, model in MODELS.items() if isinstance(model, UnitModel)}


_KINDS = {
    "str": "a name",
    "bool": "true or false",
    "int": "a whole number below 2**31",
    "float": "a number",
    "float | None": "a number, or nothing for the default",
    "int | None": "a whole number below 2**31, or nothing for the default",
    "tuple[int, ...] | None": "whole numbers such as 64,64, or nothing for the default",
    "tuple[float, ...] | None": "pairs of numbers such as 500,1000, or nothing for the default",
    "str | tuple[str, ...]": "a name, or one for each layer",
}


def _coerce(value: Any, kind: str) -> Any:
    if value is None and kind.endswith("| None"):
        return None
    kind = kind.removesuffix(" | None")
    if kind == "str":
        if not isinstance(value, str):
            raise TypeError
        return value
    if kind == "bool":
        if value not in (True, False):
            raise TypeError
        return bool(value)
    if kind == "int":
        return _whole(value)
    if kind == "float":
        if isinstance(value, str | bool):
            raise TypeError
        return float(value)
    if kind == "tuple[int, ...]":
        return tuple(_whole(v) for v in (value if _is_sequence(value) else [value]))
    if kind == "tuple[float, ...]":
        if not _is_sequence(value) or any(isinstance(v, str | bool) for v in value):
            raise TypeError
        return tuple(float(v) for v in value)
    names = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not names or not all(isinstance(v, str) for v in names):
        raise TypeError
    return names if _is_sequence(value) else names[0]


def _is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | list) or type(value).__name__ == "ndarray"


def _whole(value: Any) -> int:
    if isinstance(value, str | bool) or int(value) != value or abs(int(value)) >= 2**31:
        raise ValueError
    return int(value)


def _check(s: Setup) -> None:
    """Everything that can be known to be wrong before anything compiles."""
    from arithjax.registry import (
        ACTIVATIONS,
        DISTRIBUTIONS,
        INITIALIZERS,
        LOSSES,
        MODELS,
        OPERATIONS,
        OPTIMIZERS,
        RAMPS,
        SCHEDULES,
        TRANSFORMS,
    )

    op = OPERATIONS[s.op]
    for registry, name in [
        (TRANSFORMS, "input_transform"),
        (TRANSFORMS, "target_transform"),
        (MODELS, "model"),
        (ACTIVATIONS, "activation"),
        (ACTIVATIONS, "output_activation"),
        (INITIALIZERS, "initializer"),
        (OPTIMIZERS, "optimizer"),
        (SCHEDULES, "schedule"),
        (LOSSES, "loss"),
        (RAMPS, "regularizer_ramp"),
        (DISTRIBUTIONS, "distribution"),
    ]:
        for member in _names(getattr(s, name)):
            if member not in registry:
                try:
                    registry[member]
                except ArithjaxError as error:
                    raise ArithjaxError(f"{name}: {error}") from None

    _check_interval("low, high", s.low, s.high, s.integers)
    op.check(*s.bounds)
    if s.extrapolation is not None and (not s.extrapolation or len(s.extrapolation) % 2):
        raise ArithjaxError(f"extrapolation={cell(s.extrapolation)} has to be pairs of bounds, such as 500,1000.")
    for low, high in s.extrapolation_intervals:
        _check_interval("extrapolation", low, high, s.integers)
        op.check(*closed(low, high, s.integers), what="extrapolation")
    for low, _ in [s.bounds, *s.extrapolation_intervals]:
        _check_transform("input_transform", TRANSFORMS[s.input_transform], low, "arguments as small as")

    if s.integers and s.distribution != "uniform":
        raise ArithjaxError(f"distribution={s.distribution} needs real arguments; set integers=False.")
    _check_layers(s)
    if not s.widths and s.model == "mlp":
        raise ArithjaxError("widths is empty; give at least one hidden layer, such as 64,64.")
    if any(not 1 <= w <= 2**16 for w in s.widths):
        raise ArithjaxError(f"widths={cell(s.widths)[:60]} is not allowed; every width has to be from 1 to 65536.")
    if not isinstance(s.activation, str) and len(s.activation) != len(s.widths):
        raise ArithjaxError(
            f"activation={cell(s.activation)} names {len(s.activation)} layers and widths={cell(s.widths)} "
            f"{len(s.widths)}; give one name, or one for each hidden layer."
        )

    for name in ("activation", "model"):
        value = getattr(s, name)
        if not isinstance(value, str) and len(set(value)) == 1:
            object.__setattr__(s, name, value[0])  # the same question, said in one word

    for name in ("examples", "tests", "batch", "steps"):
        _check_number(s, name, lambda v: v >= 1, "at least 1")
    for name in ("learning_rate", "epsilon", "clip", "clip_value", "threshold", "restart"):
        _check_number(s, name, lambda v: v > 0, "greater than 0")
    for name in ("beta1", "beta2", "momentum"):
        _check_number(s, name, lambda v: 0 <= v < 1, "at least 0 and below 1")
    for name in ("weight_decay", "regularizer", "regularizer_start", "finish"):
        _check_number(s, name, lambda v: v >= 0, "at least 0")
    _check_number(
        s, "regularizer_end", lambda v: v >= s.regularizer_start, f"at least regularizer_start={s.regularizer_start}"
    )
    if s.schedule == "exponential":
        _check_number(s, "end_factor", lambda v: 0 < v <= 1, "above 0 and at most 1")
    else:
        _check_number(s, "end_factor", lambda v: 0 <= v <= 1, "at least 0 and at most 1")
    _check_number(s, "warmup", lambda v: 0 <= v <= s.steps, f"between 0 and steps={s.steps}")
    _check_number(s, "until", lambda v: 1 <= v <= s.steps, f"between 1 and steps={s.steps}")
    if s.until == s.steps:
        object.__setattr__(s, "until", None)  # the same question again
    _check_number(s, "evaluate_every", lambda v: 1 <= v <= s.steps, f"between 1 and steps={s.steps}")
    _check_finishing(s, op.arity)
    if s.batch > s.examples and not s.fresh:
        raise ArithjaxError(f"batch={s.batch} is larger than the data, examples={s.examples}; take a smaller batch.")

    transform = TRANSFORMS[s.target_transform]
    if transform.above > -math.inf:
        from arithjax.task.points import smallest_target

        _check_transform(
            "target_transform", transform, smallest_target(op, *s.bounds, s.integers), "targets as small as"
        )


def _check_layers(s: Setup) -> None:
    """Several models are the layers of one net, all of them units; training them has options that others lack."""
    names, units = _names(s.model), _unit_names()
    alone = [name for name in names if name not in units]
    if len(names) > 1 and alone:
        raise ArithjaxError(f"model={cell(s.model)}: '{alone[0]}' is no unit to stack; use 'dense' for an MLP layer.")
    if len(names) > 1 and len(names) != len(s.widths) + 1:
        raise ArithjaxError(
            f"model={cell(s.model)} names {len(names)} layers and widths={cell(s.widths)} makes {len(s.widths) + 1}; "
            f"give a width for every layer but the last."
        )
    if alone:
        for name in ("regularizer", "alternate"):
            if getattr(s, name):
                raise ArithjaxError(f"{name}={getattr(s, name)} is for arithmetic units; model={s.model} has none.")


def _check_finishing(s: Setup, inputs: int) -> None:
    """What finishes a net solves for all its parameters at once, and knows squared errors alone."""
    if s.precision not in PRECISIONS:
        raise ArithjaxError(f"precision={s.precision[:20]!r} is not allowed; it has to be {' or '.join(PRECISIONS)}.")
    if s.finish and s.loss != "mse":
        raise ArithjaxError(f"finish={s.finish} makes squared errors small; set loss=mse, not {s.loss}.")
    if s.model == "mlp" or set(_names(s.model)) & _unit_names():  # a user's own module is counted when it is made
        check_finishable(s, sum((a + s.bias) * b for a, b in itertools.pairwise((inputs, *s.widths, 1))))


def check_finishable(setup: Setup, parameters: int) -> None:
    """Raise if a net of so many parameters is to be finished and is too large for it."""
    if setup.finish and parameters > FINISHABLE:
        raise ArithjaxError(
            f"finish={setup.finish} is for nets of up to {FINISHABLE} parameters, and these have {parameters}; take "
            f"smaller widths than {cell(setup.widths)[:60]}, or finish=0."
        )


def _check_interval(what: str, low: float, high: float, integers: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ArithjaxError(f"{what}={low:g}, {high:g}: both ends have to be finite numbers.")
    if low >= high:
        raise ArithjaxError(f"{what}: low={low:g} has to be smaller than high={high:g}.")
    largest = 2**24 if integers else 1e18
    if max(abs(low), abs(high)) > largest:
        raise ArithjaxError(f"{what}: {low:g}, {high:g} has to lie within ±{largest:g}, what float32 can tell apart.")
    if integers and closed(low, high, True)[0] > closed(low, high, True)[1]:
        raise ArithjaxError(f"{what}: no whole number lies in {low:g} <= x < {high:g}; widen it or set integers=False.")


def _check_transform(field_name: str, transform: Any, low: float, what: str) -> None:
    if not transform.accepts(low):
        raise ArithjaxError(
            f"{field_name}={transform.name} needs {transform.domain}, but there are {what} {low:g}; "
            f"choose another transform ('arithjax list transforms') or another range."
        )


def _check_number(setup: Setup, name: str, allowed: Any, words: str) -> None:
    value = getattr(setup, name)
    if value is not None and not (abs(value) < 3e38 and allowed(value)):
        raise ArithjaxError(f"{name}={value:g} is not allowed; it has to be {words}.")


DEFAULT_WIDTHS = (64, 64)
PRECISIONS = ("float32", "float64")
FINISHABLE = 1024
"""Parameters of the largest nets that can be finished."""
DEFAULTS = {f.name: f.default for f in fields(Setup) if f.default is not MISSING}
"""The default of every field."""
