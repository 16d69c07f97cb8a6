"""The stages of a tile's life, each a compiled program of its own: what does not depend on a network's shape, the
drawing of weights, the transforms and the errors, compiles once for all architectures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.models import MLP
from arithjax.models.mlp import Architecture
from arithjax.registry import ACTIVATIONS, SCHEDULES
from arithjax.task.examples import Examples, order
from arithjax.task.transforms import Fitted
from arithjax.training import compiled, metrics, programs
from arithjax.training.programs import Choices, Nets, Program, Segment, State

WIDTHS, DEPTH = (16, 64, 256), 5
"""The sizes that MLPs are drawn at: every layer of one of these widths, and a multiple of so many layers."""


def initial(program: Program, root: jax.Array, choices: Choices, nets: Nets, purpose: int = 0) -> State:
    """Parameters of every net, each drawn from its own key for this purpose, and an optimiser at rest."""
    params = _drawn(program, root, programs.architecture_of(choices, nets), nets, jnp.uint32(purpose))
    slots = max(programs.slots(optimizer, choices.numbers, params) for optimizer in program.optimizers)
    # numpy's zeros, since jax would compile a program for each shape
    return State(params, (jax.tree.map(lambda p: jnp.asarray(np.zeros(p.shape, p.dtype)), params),) * slots)


def _drawn(program: Program, root: jax.Array, given: Architecture, nets: Nets, purpose: jax.Array) -> Any:
    drawing, quick = programs.drawing_part(program), compiled.quick_options()
    if not isinstance(program.network, MLP):
        return compiled.call(programs.draw, drawing, quick, root, nets.identity, given, purpose)
    drawing = replace(drawing, network=_common(program.network), form="lanes")
    given = _filled(given, len(drawing.network.features))
    return _cut(compiled.call(programs.draw, drawing, quick, root, nets.identity, given, purpose), program)


def _common(network: MLP) -> MLP:
    """A network at least as wide and deep, one for many: the parameters drawn for it hold those of this one."""
    width = next((size for size in WIDTHS if max(network.features) <= size), max(network.features))
    depth = -(-len(network.features) // DEPTH) * DEPTH
    return MLP((width,) * depth, ((ACTIVATIONS["linear"],),) * depth, network.use_bias, alone=True)


def _filled(given: Architecture, depth: int) -> Architecture:
    """What a network of `depth` layers is told of nets that have fewer; what it draws beyond theirs is not used."""
    widths = np.asarray(given.widths)
    filled = np.ones((depth + 1, widths.shape[1]), widths.dtype)
    filled[: len(widths)] = widths
    return Architecture(jnp.asarray(filled), jnp.zeros(depth, jnp.int32), given.scaling)


def _cut(params: dict, program: Program) -> dict:
    """The parameters of a program's own network out of those drawn, `[in, out, nets]`, in its form."""
    sizes, cut = (program.inputs, *program.network.features), {}
    for i in range(len(sizes) - 1):
        layer = {}
        for name, drawn in params[f"Dense_{i}"].items():
            own = np.asarray(drawn)[: sizes[i], : sizes[i + 1]]
            layer[name] = jnp.asarray(np.moveaxis(own, -1, 0)[..., None] if program.leading else own)
        cut[f"Dense_{i}"] = layer
    return cut


def prepare(program: Program, root: jax.Array, choices: Choices, nets: Nets) -> Examples:
    """Every net's own examples, lanes last."""
    return compiled.call(programs.prepare, programs.data_part(program), compiled.quick_options(), root, choices, nets)


def advance(
    program: Program,
    state: State,
    examples: Examples,
    span: tuple[int, int],
    longest: int,
    root: jax.Array,
    choices: Choices,
    nets: Nets,
) -> State:
    """Every net trained through the steps `start <= step < stop` of `span`, a segment of at most `longest` steps."""
    options = compiled.product_options() if program.leading else compiled.lanes_options()
    segment = _segment(program, span, longest, choices)
    return compiled.call(
        programs.advance, programs.training_part(program), options, state, examples, segment, root, choices, nets
    )


def _segment(program: Program, span: tuple[int, int], longest: int, choices: Choices) -> Segment:
    """The steps `start <= step < stop` of `span`, with room for `longest`."""
    start, stop = span
    steps = np.arange(start, start + longest, dtype=np.int32)
    schedules, options = tuple(SCHEDULES.values()), compiled.lanes_options()
    rates = compiled.call(programs.rates, schedules, options, jnp.asarray(steps), choices.pace)
    return Segment(jnp.int32(start), jnp.int32(stop - start), jnp.asarray(_rows(program, steps)), rates)


def _rows(program: Program, steps: np.ndarray) -> np.ndarray:
    """The examples of each step's batch, `[steps, batch]`; of none where they are drawn anew."""
    if program.fresh:
        return np.zeros((len(steps), 0), np.int32)
    used = program.batches * program.batch
    epochs = range(steps[0] // program.batches, steps[-1] // program.batches + 1)
    batches = np.concatenate([order(program.examples, epoch)[:used].reshape(-1, program.batch) for epoch in epochs])
    return batches[steps - epochs[0] * program.batches]


def shown(program: Program, x: Any, fits: tuple[Fitted, Fitted], choices: Choices) -> jax.Array:
    """Arguments `x [blocks, points, arity]` as every net is shown them: `[blocks, points, arity, nets]`."""
    shared, quick = programs.shared_part(program), compiled.quick_options()
    return compiled.call(programs.show, shared, quick, x, fits[0], choices.input_transform)


def answer(program: Program, state: State, fits: tuple[Fitted, Fitted], x: Any, choices: Choices, nets: Nets) -> Any:
    """Predictions of every net for arguments `x [points, arity]`, in original units: `[points, nets]`."""
    y = _predicted(program, state, shown(program, x[None], fits, choices), choices, nets)
    shared, quick = programs.shared_part(program), compiled.quick_options()
    return compiled.call(programs.original, shared, quick, y, fits[1], choices.target_transform)[0]


def errors(
    program: Program,
    state: State,
    fits: tuple[Fitted, Fitted],
    blocks: metrics.Block,
    shown: jax.Array,
    choices: Choices,
    nets: Nets,
) -> metrics.Sums:
    """Errors of every net on blocks of points, whose arguments it is `shown`, in original units: arrays
    `[blocks, nets]`."""
    shared, quick = programs.shared_part(program), compiled.quick_options()
    y = _predicted(program, state, shown, choices, nets)
    return compiled.call(programs.judge, shared, quick, y, fits[1], blocks, choices.target_transform)


def _predicted(program: Program, state: State, shown: jax.Array, choices: Choices, nets: Nets) -> jax.Array:
    """Predictions `[blocks, points, nets]` as the nets are shown results."""
    judged, quick = programs.judged_part(program), compiled.quick_options()
    return compiled.call(programs.predict, judged, quick, State(state.params, ()), shown, choices, nets)
