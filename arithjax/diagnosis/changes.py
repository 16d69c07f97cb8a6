"""Changes: every single thing about a setup that might be done otherwise, one kind after another.

A change is a function from a setup to the fields it replaces, so that several are applied one after another. A kind is
a function that lists its changes for a setup; to add one, write it and enter it in `KINDS`. Changes that a setup
refuses, or that leave it as it is, are left out (`changes_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.fields import ALL, names_of, per_layer
from arithjax.registry import ACTIVATIONS, INITIALIZERS, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS
from arithjax.setup import Setup

Fields = dict[str, Any]

OF_FAMILIES = ("digits:10", "fourier:8")
"""Transforms of families that are tried as well."""

MOST_NUMBERS = 64
"""The most numbers that a net is given, or answers, by an encoding that is tried."""


@dataclass(frozen=True)
class Change:
    """One change of a setup.

    name: in words, such as `layer 2 square`. kind: what it is about; two changes of a kind are not combined.
    of: the fields that it replaces in a setup. helper: whether it is tried beside every good change, since it seldom
    helps alone. other: whether it makes another net rather than mend this one, as a unit in place of dense layers does.
    """

    name: str
    kind: str
    of: Callable[[Setup], Fields]
    helper: bool = False
    other: bool = False

    def apply(self, setup: Setup) -> Setup:
        """The changed setup; raises ArithjaxError where it is not allowed."""
        return setup.replace(**self.of(setup))


Changes = tuple[Change, ...]
"""Changes made together, in the order of `KINDS`."""


def changes_of(setup: Setup) -> list[Change]:
    """Every single change that a setup allows and that makes it another, in the order of `KINDS`."""
    return [change for lister in KINDS for change in lister(setup) if applied(setup, (change,)) not in (None, setup)]


def applied(setup: Setup, changes: Sequence[Change]) -> Setup | None:
    """The setup with all changes made, in their order; None where one is not allowed."""
    try:
        for change in changes:
            setup = change.apply(setup)
    except ArithjaxError:
        return None
    return setup


def together(changes: Changes, more: Changes) -> Changes | None:
    """Both sets of changes in the order of kinds; None where two are of one kind."""
    kinds = [change.kind for change in (*changes, *more)]
    return tuple(sorted((*changes, *more), key=_place)) if len(set(kinds)) == len(kinds) else None


def difference(before: Setup, after: Setup) -> Fields:
    """The fields of `after` that differ from `before`, as plain data."""
    old, new = before.to_dict(), after.to_dict()
    return {name: new[name] for name in new if new[name] != old[name]}


def _place(change: Change) -> tuple[int, str]:
    base = change.kind.partition(" ")[0]
    return (ORDER.index(base) if base in ORDER else len(ORDER)), change.kind


ORDER = ("unit", "depth", "width", "activation", "layer", "output")
"""Kinds whose changes are made first: one layer's activation after all layers', and that after the number of layers."""


def _fixed(kind: str, name: str, helper: bool = False, **fields: Any) -> Change:
    """A change to given values."""
    return Change(name, kind, lambda setup: fields, helper)


def _transforms(setup: Setup) -> Iterator[Change]:
    """Re-scalings of inputs, of targets and of both, and encodings of inputs; encodings of targets come with a loss."""
    loss, words = _loss_of(setup)
    several = {name: TRANSFORMS[name].several for name in (*TRANSFORMS, *OF_FAMILIES)}
    for name in (name for name in several if not several[name]):
        both = f"{_shown(name)} inputs and targets{words}"
        yield _fixed("transforms", both, name == "standardize", **_both(name), **loss)
    for name in several:
        yield Change(f"{_shown(name)} inputs", "inputs", _affordable({"input_transform": name}))
        if not several[name]:
            yield _fixed("targets", f"{_shown(name)} targets{words}", target_transform=name, **loss)
    for name in (name for name in several if several[name]):
        yield from _encoded_targets(setup, name)


def _encoded_targets(setup: Setup, name: str) -> Iterator[Change]:
    """Results shown by an encoding, alone and together with the arguments: with its cross entropy, if it has one.

    A cross entropy comes with the linear output that it needs; otherwise the output stays as it is.
    """
    shown = applied(setup, (_fixed("targets", name, target_transform=name, output_activation="linear", loss="mse"),))
    encoder = None if shown is None else shown.target_encoder
    if encoder is None or not all(column.whole for column in encoder.columns):
        return
    if not setup.results < encoder.size <= MOST_NUMBERS:
        return
    fields, words = _loss_of(setup)
    if encoder.blocks or encoder.shows_bits:
        loss = "cross_entropy" if encoder.blocks else "bit_cross_entropy"
        fields, words = {"output_activation": "linear", "loss": loss}, f" with {loss.replace('_', ' ')}"
    fields = {"target_transform": name, **fields}
    yield _fixed("targets", f"{name} targets{words}", **fields)
    both = {"input_transform": name, **fields}
    yield Change(f"{name} inputs and targets{words}", "transforms", _affordable(both))


def _loss_of(setup: Setup) -> tuple[Fields, str]:
    """The loss that targets of any numbers need, and its words in a name; nothing where a setup's own is for these."""
    own = LOSSES[setup.loss]
    return ({"loss": "mse"}, " with mse") if own.shared or own.link is not None else ({}, "")


def _affordable(fields: Fields) -> Callable[[Setup], Fields]:
    """A change of what a net is given, refused where that is many times the work."""

    def checked(setup: Setup) -> Fields:
        if (changed := setup.replace(**fields)).inputs > max(MOST_NUMBERS, setup.inputs):
            raise ArithjaxError(f"{changed.inputs} inputs take too long to try.")
        return fields

    return checked


def _both(name: str) -> Fields:
    return {"input_transform": name, "target_transform": name}


def _shown(transform: str) -> str:
    """A transform as an adjective."""
    return {"standardize": "standardized", "scale": "scaled"}.get(transform, transform)


def _output(setup: Setup) -> Iterator[Change]:
    for name in ACTIVATIONS if _dense(setup) else ():
        yield _fixed("output", f"{name} output", name == "linear", output_activation=name)


def _dense(setup: Setup) -> bool:
    """Whether a setup has dense layers alone, whose activations count."""
    return MODELS[names_of(setup.model)[0]].dense


def _activations(setup: Setup) -> Iterator[Change]:
    for name in ACTIVATIONS if _dense(setup) else ():
        yield _fixed("activation", f"all layers {name}", name in ("linear", "square"), activation=name)


def _layers(setup: Setup) -> Iterator[Change]:
    if _dense(setup) and len(setup.widths) > 1:
        for layer in range(len(setup.widths)):
            for name in ACTIVATIONS:
                yield Change(f"layer {layer + 1} {name}", f"layer {layer + 1}", _at(layer, name))


def _at(layer: int, name: str) -> Callable[[Setup], Fields]:
    def fields(setup: Setup) -> Fields:
        names = list(_hidden(setup))
        if layer >= len(names):
            raise ArithjaxError(f"layer {layer + 1} is not there.")
        names[layer] = name
        return {"activation": tuple(names)}

    return fields


def _hidden(setup: Setup) -> tuple[str, ...]:
    """The activation of every hidden layer."""
    return per_layer(setup.activation, len(setup.widths))


def _rates(setup: Setup) -> Iterator[Change]:
    for power in (1, -1, 2, -2):
        rate = float(f"{setup.learning_rate * 10.0**power:.3g}")
        if 1e-6 <= rate <= 10:
            yield _fixed("rate", f"rate {rate:g}", learning_rate=rate)
    for power in (1, 0):
        rate = float(f"{setup.learning_rate * 10.0**power:.3g}")
        falling = {"learning_rate": rate, "schedule": "cosine"}
        yield _fixed("rate", f"rate falling from {rate:g}", power == 1, **falling)
    for name in SCHEDULES:
        if name != "cosine":
            yield _fixed("rate", f"{name} schedule", schedule=name)


def _optimizers(setup: Setup) -> Iterator[Change]:
    own: Fields = {"momentum": None, "beta1": None, "beta2": None, "epsilon": None, "weight_decay": None}
    for name in OPTIMIZERS:
        if name != setup.optimizer:
            yield _fixed("optimizer", name, optimizer=name, **own)


def _longer(setup: Setup) -> Iterator[Change]:
    if setup.until is None:
        yield Change("10x the steps", "steps", lambda s: {"steps": 10 * s.steps}, helper=True)


def _sizes(setup: Setup) -> Iterator[Change]:
    for factor in (2, 4, 16):
        yield Change(f"{factor}x wider", "width", _wider(factor), helper=factor == 4)


def _wider(factor: int) -> Callable[[Setup], Fields]:
    return lambda setup: {"widths": tuple(factor * width for width in setup.widths)}


def _depths(setup: Setup) -> Iterator[Change]:
    if _dense(setup) and setup.widths:
        yield Change("one layer more", "depth", lambda s: _resized(s, (*s.widths, s.widths[-1])))
        yield Change("one layer less", "depth", lambda s: _resized(s, s.widths[:-1]))


def _resized(setup: Setup, widths: tuple[int, ...]) -> Fields:
    """Other hidden layers; a new one has the activation of the last."""
    if not widths:
        raise ArithjaxError("a net needs a hidden layer.")
    names = _hidden(setup)
    return {"widths": widths, "activation": (*names, names[-1])[: len(widths)]}


def _data(setup: Setup) -> Iterator[Change]:
    if not setup.fresh and setup.examples != ALL:
        yield _fixed("examples", "10x the examples", examples=10 * setup.example_count)
    yield _fixed("batch", f"batch {10 * setup.batch}", batch=10 * setup.batch)
    if setup.batch >= 10:
        yield _fixed("batch", f"batch {setup.batch // 10}", batch=setup.batch // 10)


def _initializers(setup: Setup) -> Iterator[Change]:
    for name in INITIALIZERS:
        yield _fixed("initializer", name, initializer=name)


def _losses(setup: Setup) -> Iterator[Change]:
    for name in LOSSES:
        logits: Fields = {"target_transform": "raw", "output_activation": "linear"} if LOSSES[name].link else {}
        words = " with raw targets" if logits and setup.target_transform != "raw" else ""
        yield _fixed("loss", f"{name} loss{words}", loss=name, **logits)


def _bias(setup: Setup) -> Iterator[Change]:
    yield _fixed("bias", "no biases" if setup.bias else "biases", bias=not setup.bias)


def _units(setup: Setup) -> Iterator[Change]:
    """A unit instead of the net, on numbers as they are; then the first of them in place of one layer."""
    names = _ranked_units(setup)
    plain = {"activation": "linear", "output_activation": "linear", **_both("raw")}
    for name in names:
        yield _other(f"{name} instead of the net", model=name, widths=(), **plain)
    if _dense(setup):
        layers = (*_hidden(setup), setup.output_activation)
        for layer in range(1, len(layers)) if names and setup.widths else ():
            model = tuple(names[0] if i == layer else "dense" for i in range(len(layers)))
            yield _other(f"{names[0]} in place of layer {layer + 1}", model=model)
    else:
        small = {"model": "mlp", "widths": (4,), "activation": "square", "output_activation": "linear"}
        yield _other("4 squares instead of the net", **small, **_both("standardize"))


def _other(name: str, **fields: Any) -> Change:
    """A change to another kind of net."""
    return Change(name, "unit", lambda setup: fields, other=True)


DENSE = ("dense", "residual")
"""Layers to stack that are no units."""


def _ranked_units(setup: Setup) -> list[str]:
    """The units by how likely they help: those that can represent the operation, the special ones first."""
    op = setup.op.partition(":")[0]
    units = [(name, set(getattr(member, "represents", ()))) for name, member in MODELS.items() if member.stackable]
    return [
        name for name, can in sorted(units, key=lambda unit: (op not in unit[1], len(unit[1]))) if name not in DENSE
    ]


KINDS: list[Callable[[Setup], Iterator[Change]]] = [
    *(_output, _transforms, _activations, _layers, _rates, _optimizers, _longer),
    *(_sizes, _depths, _data, _initializers, _losses, _bias, _units),
]
"""What can be changed, likelier first."""
