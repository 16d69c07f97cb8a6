"""A setup: everything that defines one training except its seed, as plain data.

This module imports no jax, so that the command line and tables start at once: the registries' members, and with them
jax, are loaded when the first setup is made. What is known of every field stands in the field (`arithjax.fields`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from arithjax.architecture import check_finishing, check_layers, check_training
from arithjax.canonical import completed, identity, shortened
from arithjax.errors import ArithjaxError, nearest
from arithjax.fields import Field, Limits, OneOf, declare, of_optimizer, of_training
from arithjax.ranges import beyond, check_ranges, check_threshold, closed
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
from arithjax.representation import check_inputs, check_loss, check_targets, input_encoder, target_encoder
from arithjax.selection import check_selection, example_count

RESTARTS = ("evaluations", "batches")
"""What restarts are judged by: interpolation MSEs after the fifth evaluation, or batch losses at every tenth one."""

SELECTIONS = ("best", "last")
"""The evaluation that a net with a threshold is judged at: that of the smallest interpolation MSE, or the last."""

PRECISIONS = ("float32", "float64")
"""The arithmetics that a net may be trained in."""

POSITIVE, NOT_NEGATIVE, DECAY = Limits(0, above=True), Limits(0), Limits(0, 1, below=True)


@dataclass(frozen=True)
class Setup:
    """One training, checked when it is made; `ArithjaxError` names what is wrong.

    Integers are drawn from `low <= x < high`, reals from the interval. Losses and learning rates are in the net's own
    units, after the transforms; every reported error is in original units. `FIELDS` describes every field. In place of
    the name of a loss, `loss` takes a function of predictions and targets, which is entered in `LOSSES` under its name.
    """

    op: str = declare("mul", "name", "static", "what to learn: an operation's name", registry=OPERATIONS)
    low: float = declare(0.0, "number", "tile", "smallest argument; unused where all have ranges of their own")
    high: float = declare(500.0, "number", "tile", "arguments are smaller than this; unused likewise")
    integers: bool = declare(True, "bool", "static", "whole numbers, else reals; unused likewise")
    extrapolation: tuple[float, ...] | None = declare(
        None,
        "numbers",
        "tile",
        "bounds of the extrapolation interval (or of several); default: the next interval of the same width",
    )
    examples: int | str = declare(
        10_000,
        "count",
        "static",
        "training examples; own ones for each seed; or all: every argument of the range once, the same for all nets",
        allowed=Limits(1),
    )
    fresh: bool = declare(False, "bool", "static", "draw fresh examples at each step instead of a fixed set")
    split: float | None = declare(
        None,
        "number",
        "tile",
        "share of all arguments that nets train on, by chance and the same for all nets; they are judged on the other "
        "arguments; default: on any",
        allowed=Limits(0, 1, above=True, below=True),
    )
    holdout: float = declare(
        0.0,
        "number",
        "tile",
        "share of a data set's rows that is held out, by chance and the same for all nets, and judged on; with 0 nets "
        "are judged on the rows that they train on",
        allowed=Limits(0, 1, below=True),
    )
    balanced: bool = declare(
        False,
        "bool",
        "tile",
        "draw each different result equally often, as the two of a == b, for examples and test points",
    )
    noise: float = declare(
        0.0,
        "number",
        "tile",
        "standard deviation of Gaussian noise on training targets, in original units; nets are judged without it",
        allowed=Limits(0),
    )
    content: str | None = declare(
        None, "name", "static", "digest of the data set, or of the operation's own ranges; filled in by itself"
    )
    tests: int = declare(1024, "whole", "tile", "test points in each range", allowed=Limits(1, 2**20))
    input_transform: str = declare(
        "standardize", "name", "tile", "how arguments are shown to the net", registry=TRANSFORMS
    )
    target_transform: str = declare(
        "standardize", "name", "tile", "how results are shown to the net", registry=TRANSFORMS
    )
    distribution: str = declare("uniform", "name", "static", "how real arguments are spread", registry=DISTRIBUTIONS)
    model: str | tuple[str, ...] = declare(
        "mlp",
        "names",
        "static",
        "the network family, or an arithmetic unit: one for all layers or each",
        registry=MODELS,
    )
    widths: tuple[int, ...] = declare(
        None,
        "wholes",
        "static",
        "hidden widths, one per hidden layer; default: 64,64, or none with an arithmetic unit",
        allowed=Limits(1, 2**16),
    )
    activation: str | tuple[str, ...] = declare(
        "gelu", "names", "static", "hidden activation: one for all layers or one per layer", registry=ACTIVATIONS
    )
    output_activation: str = declare("linear", "name", "static", "activation of the output", registry=ACTIVATIONS)
    bias: bool = declare(True, "bool", "static", "layers have a bias")
    initializer: str = declare("glorot_uniform", "name", "tile", "how weights start", registry=INITIALIZERS)
    optimizer: str = of_training("adam", "name", "static", "the optimiser", registry=OPTIMIZERS)
    learning_rate: float = of_training(1e-3, "number", "net", "the optimiser's learning rate", allowed=POSITIVE)
    beta1: float | None = of_optimizer("decay of the first moment; default: the optimiser's", DECAY, 0.9)
    beta2: float | None = of_optimizer("decay of the second moment; default: the optimiser's", DECAY, 0.999)
    momentum: float | None = of_optimizer("momentum of sgd; default: 0.9", DECAY, 0.9)
    epsilon: float | None = of_optimizer("the term in the denominator; default: the optimiser's", POSITIVE, 1e-8)
    weight_decay: float | None = of_training(
        None, "number", "net", "weight decay; default: the optimiser's", allowed=NOT_NEGATIVE
    )
    clip: float | None = of_training(
        None, "number", "net", "largest global norm of a gradient; default: not clipped", allowed=POSITIVE
    )
    clip_value: float | None = of_training(
        None, "number", "net", "largest entry of a gradient; default: not clipped", allowed=POSITIVE
    )
    regularizer: float = declare(
        0.0, "number", "net", "strength of the arithmetic units' own regulariser", allowed=NOT_NEGATIVE
    )
    regularizer_start: int = declare(
        0, "whole", "tile", "step at which the regulariser begins to count", allowed=NOT_NEGATIVE
    )
    regularizer_end: int = declare(
        0, "whole", "tile", "step from which the regulariser counts in full", allowed=Limits("regularizer_start")
    )
    regularizer_ramp: str = declare("linear", "name", "tile", "how the regulariser grows in between", registry=RAMPS)
    regularizer_apart: bool = declare(
        False, "bool", "static", "the regulariser takes a step of its own after that of the loss (iNALU)"
    )
    alternate: bool = declare(
        False, "bool", "static", "of every ten steps eight train the weights and two the gates (iNALU)"
    )
    restart: float | None = of_training(
        None, "number", "tile", "nets whose loss stays above this start again (iNALU); default: none", allowed=POSITIVE
    )
    restart_by: str = of_training(
        "evaluations", "name", "tile", "restart judges by evaluations, or batches (iNALU)", allowed=OneOf(RESTARTS)
    )
    schedule: str = of_training(
        "constant", "name", "tile", "how the learning rate changes over the steps", registry=SCHEDULES
    )
    end_factor: float | None = of_training(
        None, "number", "tile", "factor on the learning rate at the end; default: the schedule's", allowed=Limits(0, 1)
    )
    warmup: int = of_training(0, "whole", "tile", "steps of linear warm-up", allowed=Limits(0, "steps"))
    loss: str = of_training("mse", "name", "static", "the loss, in transformed units", registry=LOSSES)
    batch: int = declare(64, "whole", "static", "examples a step", allowed=Limits(1))
    steps: int = declare(10_000, "whole", "tile", "optimiser steps", allowed=Limits(1, 10**8))
    until: int | None = of_training(
        None,
        "whole",
        "tile",
        "train only the first so many of the steps, and do not finish (as halving does); default: all",
        allowed=Limits(1, "steps"),
    )
    evaluate_every: int | None = of_training(
        None, "whole", "tile", "steps between evaluations; default: a tenth of the steps", allowed=Limits(1, "steps")
    )
    stop_early: bool = of_training(
        False, "bool", "static", "stop nets that are solved, dead or diverged at an evaluation"
    )
    threshold: float | None = of_training(
        None,
        "number",
        "tile",
        "extrapolation MSE below which a net is a success; it is judged at the evaluation that selection names; "
        "default: at the end, by its grade",
        allowed=POSITIVE,
    )
    selection: str = of_training(
        "best", "name", "tile", "with a threshold, the evaluation that counts: best or last", allowed=OneOf(SELECTIONS)
    )
    precision: str = declare(
        "float32",
        "name",
        "static",
        "arithmetic of parameters, optimiser, transforms and predictions: float32 or float64",
        allowed=OneOf(PRECISIONS),
    )
    finish: int = of_training(
        0,
        "whole",
        "tile",
        "steps of second-order finishing on all examples after the last step: Levenberg-Marquardt with geodesic "
        "acceleration (Transtrum & Sethna 2012)",
        allowed=NOT_NEGATIVE,
    )

    def __post_init__(self) -> None:
        for name, field in FIELDS.items():
            object.__setattr__(self, name, field.coerce(name, getattr(self, name)))
        _check_members(self)
        _set(self, completed(self))
        _check(self)
        _set(self, shortened(self))

    @classmethod
    def field_names(cls) -> list[str]:
        """The names of all fields, in order; also columns of every table."""
        return list(FIELDS)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Setup:
        """The setup of a table's row, a mapping such as a pandas Series: the inverse of `row`.

        Raises:
            ArithjaxError: when a cell is no value of its field. A field without a cell is a `KeyError`.
        """
        return cls(**{name: field.of_cell(name, row[name]) for name, field in FIELDS.items()})

    def replace(self, **changes: Any) -> Setup:
        """A copy with other values."""
        return replace(self, **({"content": None, **changes} if "op" in changes else changes))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds and `Setup(**data)` takes."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def row(self) -> dict[str, Any]:
        """The fields as table cells: tuples become text such as `3,5,3`."""
        return {k: FIELDS[k].to_cell(v) for k, v in asdict(self).items()}

    def identity(self) -> str:
        """A digest of what departs from the defaults, stable across releases that only add fields; hex.

        Where training is cut short does not count: the same net is trained until there.
        """
        return identity(self)

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
    def trial(self) -> Any:
        """What a trial call of the operation on the range finds (`arithjax.task.trial.Trial`)."""
        return OPERATIONS[self.op].trial(self.spans, self.precision)

    @property
    def results(self) -> int:
        """How many results the operation has."""
        outputs: int = self.trial.outputs
        return outputs

    @property
    def outputs(self) -> int:
        """How many numbers the net answers."""
        encoder = self.target_encoder
        return self.results if encoder is None else encoder.size

    @property
    def target_encoder(self) -> Any:
        """The `Encoder` of the results, which holds the closed interval of each; None where each is one number."""
        return target_encoder(self)

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many classes each result, or each digit of one, is shown as; empty where targets are no classes."""
        encoder = self.target_encoder
        return () if encoder is None else encoder.blocks

    @property
    def argument_bounds(self) -> tuple[tuple[float, float], ...]:
        """The closed interval of each argument, in their order."""
        return tuple(span.ends for span in self.spans)

    @property
    def example_count(self) -> int:
        """How many training examples each net has."""
        return example_count(self)

    @property
    def spans(self) -> tuple[Any, ...]:
        """Where each argument lies: a `Span` (`arithjax.task.arguments`) of its own, or of the setup's range."""
        return OPERATIONS[self.op].spans(self.low, self.high, self.integers)

    @property
    def one_range(self) -> bool:
        """Whether all arguments lie in one range."""
        return len(set(self.spans)) == 1

    @property
    def spans_beyond(self) -> tuple[tuple[Any, ...], ...]:
        """The same of each extrapolation interval; empty where there is nothing to extrapolate to."""
        return beyond(self)

    @property
    def input_encoder(self) -> Any:
        """The `Encoder` of the arguments; None where each is shown as one number."""
        return input_encoder(self)

    @property
    def inputs(self) -> int:
        """How many numbers a net is given."""
        encoder = self.input_encoder
        return OPERATIONS[self.op].arity if encoder is None else encoder.size

    @property
    def extrapolation_intervals(self) -> list[tuple[float, float]]:
        """The extrapolation range as intervals `(low, high)`, the smallest that hold every argument's.

        By default the next interval of the same width above, or below where the operation is not defined above.
        """
        return [(min(span.low for span in spans), max(span.high for span in spans)) for spans in self.spans_beyond]


FIELDS: dict[str, Field] = {f.name: f.metadata["field"] for f in fields(Setup)}
"""What is known of every field, by name, in order."""

DEFAULTS: dict[str, Any] = {name: field.default for name, field in FIELDS.items()}
"""The default of every field."""


@functools.wraps(Setup.__init__)
def _checked_init(self: Setup, *values: Any, _init: Any = Setup.__init__, **named: Any) -> None:
    if unknown := [name for name in named if name not in FIELDS]:
        raise ArithjaxError(f"unknown field '{unknown[0]}' of a setup{nearest(unknown[0], FIELDS)}")
    _init(self, *values, **named)


Setup.__init__ = _checked_init  # type: ignore[method-assign]


def _set(s: Setup, values: Iterable[tuple[str, Any]]) -> None:
    """Fields of a setup that is being made; all values are found before any is set."""
    for name, value in [*values]:
        object.__setattr__(s, name, value)


def _check_members(s: Setup) -> None:
    """Every name is that of a member; an operation's name explains itself, others are preceded by their field's."""
    if s.content is not None and s.op not in OPERATIONS and ":" not in s.op:
        raise ArithjaxError(
            f"op={s.op} is not there, the data set or operation with own ranges that was trained on; add it as "
            f"aj.OPERATIONS[{s.op!r}], or name the study file that does with --study FILE."
        )
    OPERATIONS[s.op]
    for name, field in FIELDS.items():
        field.check_members(name, getattr(s, name))


def _check(s: Setup) -> None:
    """Everything that can be known to be wrong before anything compiles."""
    FIELDS["precision"].check("precision", s.precision, s)
    check_ranges(s)
    check_selection(s)
    check_layers(s)
    # limits that follow other fields come after those of the others
    for name in sorted(FIELDS, key=lambda name: FIELDS[name].follows):
        FIELDS[name].check(name, getattr(s, name), s)
    check_training(s)
    check_threshold(s)
    check_inputs(s)
    check_targets(s)
    check_loss(s)
    check_finishing(s)
