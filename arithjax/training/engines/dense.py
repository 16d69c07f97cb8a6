"""The fused engine for tiles: their specs and arrays as the kernel's (`arithjax.training.engines.fused`), and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from arithjax.task.examples import Examples
from arithjax.training.blocks import by_lanes
from arithjax.training.engines import fused
from arithjax.training.engines.engine import Engine
from arithjax.training.initial import State, initial_params
from arithjax.training.optimizers import NUMBERS
from arithjax.training.specs import EvalSpec, TrainSpec
from arithjax.training.step import Segment, fresh_batches
from arithjax.training.tile import PerNet, Shared

DRAWN = 256
"""Steps whose fresh batches are drawn together."""
PER_NET = ("learning_rate", "weight_decay", "clip", "clip_value")
"""What differs from net to net in a step."""


class Course(NamedTuple):
    """What the kernel keeps of the nets of a tile between segments; the net last.

    params: `[parameters, nets]`, as the kernel left them; first, second: the optimiser's moments.
    seen: `[nets, examples]`, on which examples a net has stood still since it last moved.
    over: `[nets]`, which nets will never move again.
    """

    params: np.ndarray
    first: np.ndarray
    second: np.ndarray
    seen: np.ndarray
    over: np.ndarray

    @classmethod
    def starting(cls, params: np.ndarray, examples: int) -> Course:
        """A course of no steps."""
        nets, zeros = params.shape[1], np.zeros_like(params)
        return cls(params, zeros, zeros, np.zeros((nets, examples), bool), np.zeros(nets, bool))

    def stands_still(self, params: np.ndarray) -> np.ndarray:
        """`[nets]`, which nets are as they were: to the bit, or no number before and after."""
        return ((self.params == params) | (np.isnan(self.params) & np.isnan(params))).all(0)


@dataclass
class Prepared:
    """A tile's examples as NumPy arrays, and those of its groups of nets as the kernel reads them.

    x: `[examples, inputs, nets]`. t: `[examples, *outputs, nets]`.
    """

    x: np.ndarray
    t: np.ndarray
    known: dict[tuple, fused.Examples]

    def of(self, groups: list[tuple[np.ndarray, int]]) -> list[fused.Examples]:
        """The examples of every group, made anew only for groups that were not the last ones."""
        keys = [(nets.tobytes(), share) for nets, share in groups]
        self.known = {
            key: self.known.get(key)
            or fused.Examples(*(fused.to_vectors(a[..., nets], share) for a in (self.x, self.t)))
            for key, (nets, share) in zip(keys, groups, strict=True)
        }
        return list(self.known.values())


@dataclass(frozen=True)
class Dense(Engine):
    """Dense nets of one shape, trained by the kernel.

    nets: places of the tile that hold nets; the others are given what the last one has. Nets that are stopped or over
    take no part. A net is over if it never moves again: over steps on all of its examples no parameter changed, but for
    those that are not a number, and the first moment is zero, so that every gradient was.
    """

    nets: int

    def initial(self, spec: TrainSpec, root: jax.Array, shared: Shared, per_net: PerNet) -> State:
        """Initial parameters; the course, in place of moments, begins with the first segment."""
        return State(initial_params(spec.evaluation, root, shared, per_net), ())

    def prepared(self, spec: TrainSpec, examples: Examples) -> Any:
        """The examples in groups of nets; where each step draws its own, the fits with which they are transformed."""
        return examples if spec.fresh else Prepared(np.asarray(examples.x), np.asarray(examples.t), {})

    def advance(
        self,
        spec: TrainSpec,
        state: State,
        examples: Any,
        segment: Segment,
        root: jax.Array,
        shared: Shared,
        per_net: PerNet,
    ) -> State:
        """The kernel's steps, on a copy of the state."""
        shape, rule = _shape(spec), _rule(spec, shared)
        params = fused.pack(shape, state.params)
        (course,) = state.moments or (Course.starting(params, 0 if spec.fresh else spec.examples),)
        over = course.over & course.stands_still(params)  # a net that has started again is not
        going = np.flatnonzero(((np.asarray(per_net.learning_rate) > 0) & ~over)[: self.nets])
        groups = [(going[part], share) for part, share in fused.grouped(shape, len(going), params.dtype)]
        trained = course._replace(params=params.copy(), first=course.first.copy(), second=course.second.copy())
        steps = int(segment.steps)
        moves = fused.Segment(int(segment.start), np.asarray(segment.rows)[:steps], np.asarray(segment.rates)[:steps])
        given = _given(spec, examples, moves, groups, root, shared, per_net)
        for (nets, share), parts in zip(groups, given, strict=True):
            _train(shape, rule, trained, nets, share, parts, per_net)
        for array in trained[:3]:
            array[:, self.nets :] = array[:, self.nets - 1 : self.nets]
        still = trained.stands_still(params) & ((trained.first == 0) | np.isnan(trained.params)).all(0)
        seen = course.seen & still[:, None]
        if not spec.fresh and not (np.diff(moves.rates) > 0).any():
            seen[np.ix_(still, np.bincount(moves.rows.ravel(), minlength=spec.examples) > 0)] = True
            over |= seen.all(1) & (np.asarray(per_net.weight_decay) == 0)
        tree = jax.device_put(fused.unpack(shape, trained.params))
        return State(tree, (trained._replace(seen=seen, over=over),))

    def predict(self, spec: EvalSpec, params: Any, inputs: jax.Array, shared: Shared, per_net: PerNet) -> jax.Array:
        """The kernel's forward pass."""
        shape, x = _shape(spec), np.asarray(inputs).reshape(-1, *inputs.shape[2:])
        outputs = (spec.outputs,) if spec.outputs > 1 else ()
        flat, y = fused.pack(shape, params), np.empty((len(x), *outputs, spec.nets), x.dtype)
        for part, share in fused.grouped(shape, self.nets, x.dtype):
            own = fused.predict(shape, fused.spread(shape, flat[:, part], share), fused.to_vectors(x[..., part], share))
            y[..., part] = fused.from_vectors(own, y[..., part].shape[-1])
        y[..., self.nets :] = y[..., self.nets - 1 : self.nets]
        return jax.device_put(y.reshape(*inputs.shape[:2], *y.shape[1:]))


def _train(
    shape: fused.Shape, rule: fused.Rule, course: Course, nets: np.ndarray, share: int, parts: Any, per_net: PerNet
) -> None:
    """Train some nets of a course, which changes in place, through the parts of a segment, each with its examples."""
    state = fused.State(*(fused.spread(shape, array[:, nets], share) for array in course[:3]))
    numbers: dict[str, Any] = {name: np.asarray(getattr(per_net, name))[nets] for name in PER_NET}
    own = fused.per_net(state.params.dtype, share=share, **numbers)
    for examples, moves in parts:
        fused.advance(shape, rule, state, examples, moves, own)
    for array, vectors in zip(course[:3], state, strict=True):
        array[:, nets] = fused.collect(shape, vectors, len(nets), share)


def _shape(spec: EvalSpec) -> fused.Shape:
    network: Any = spec.network
    names = tuple(activation.name for activation in network.activations)
    return fused.Shape((spec.inputs, *network.features), names, network.use_bias)


def numbers_moved(spec: EvalSpec, nets: int) -> int:
    """Parameters that a step of so many nets moves, with those of places without a net or a unit."""
    shape = _shape(spec)
    groups = fused.grouped(shape, nets, spec.precision)
    width = fused.lanes(spec.precision)
    return sum(
        -(-len(range(nets)[part]) * share // width) * width // share * shape.parameters(share) for part, share in groups
    )


def _rule(spec: TrainSpec, shared: Shared) -> fused.Rule:
    optimizer, loss = spec.optimizer, spec.loss
    numbers = {name: float(getattr(shared.numbers, name)) for name in NUMBERS if name in fused.Rule._fields}
    return fused.Rule(optimizer.name, loss.name, optimizer.decoupled, **numbers, blocks=spec.blocks)


def _given(
    spec: TrainSpec,
    examples: Any,
    moves: fused.Segment,
    groups: list[tuple[np.ndarray, int]],
    root: jax.Array,
    shared: Shared,
    per_net: PerNet,
) -> list[list[tuple[fused.Examples, fused.Segment]]]:
    """For every group of nets the parts of a segment, with their examples: one part, or several that are drawn anew."""
    if not spec.fresh:
        return [[(own, moves)] for own in examples.of(groups)]
    parts: list[list] = [[] for _ in groups]
    for first in range(0, len(moves.rates), DRAWN):
        rates = moves.rates[first:][:DRAWN]
        steps = np.arange(moves.start + first, moves.start + first + DRAWN, dtype=np.int32)
        nets = per_net.identity, (examples.input_fit, examples.target_fit)
        drawn = by_lanes(fresh_batches, (spec.fresh, (spec.batch, spec.inputs)), nets, steps, root, shared)
        rows = np.arange(len(rates) * spec.batch, dtype=np.int32).reshape(-1, spec.batch)
        own = Prepared(np.asarray(drawn[0]), np.asarray(drawn[1]), {}).of(groups)
        for part, of_group in zip(parts, own, strict=True):
            part.append((of_group, fused.Segment(moves.start + first, rows, rates)))
    return parts
