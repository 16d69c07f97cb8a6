"""One compiled program: all its nets, from initial weights to predictions.

What is static is in `Program`: changing it compiles again. What is traced is in `Choices` (scalars, the same for all
nets of a program) and `Nets` (arrays over nets): changing those never does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from arithjax.models.initializers import Scaling
from arithjax.models.mlp import Architecture, choose
from arithjax.models.units import Stack
from arithjax.registry import RAMPS
from arithjax.task import distributions
from arithjax.task import examples as data
from arithjax.task.operations import Operation
from arithjax.task.transforms import Fitted, Transform
from arithjax.training import metrics
from arithjax.training.optimizers import Loss, Numbers, Optimizer, Schedule


@dataclass(frozen=True)
class Program:
    """Fixed shapes and fixed code.

    form: `lanes` (net is the last axis), `product` or `lifted` (net is a leading axis, under `vmap`).
    block: examples of a batch whose gradients are summed at a time, so that their activations stay in the cache.
    ops: operations for examples drawn at each step. ops, optimizers, losses, transforms: candidates, chosen by an
    index in `Choices`.
    """

    network: Any
    form: str
    nets: int
    inputs: int
    op: Operation
    ops: tuple[Operation, ...]
    integers: bool
    distribution: distributions.Distribution
    examples: int
    batch: int
    block: int
    fresh: bool
    optimizers: tuple[Optimizer, ...]
    losses: tuple[Loss, ...]
    transforms: tuple[Transform, ...]
    weight_decay: bool
    clip: bool
    clip_value: bool
    penalty: bool
    alternate: bool
    stops: bool
    precision: str

    @property
    def arithmetic(self) -> AbstractContextManager:
        """The context in which this thread makes the program's arrays and calls it: that of its precision."""
        return jax.enable_x64(self.precision == "float64")

    @property
    def leading(self) -> bool:
        """Whether nets are a leading axis."""
        return self.form != "lanes"

    @property
    def alone(self) -> bool:
        """Whether all its nets have one setup and are not lanes: then nothing is chosen behind a branch."""
        return self.form == "lifted" or getattr(self.network, "alone", False)

    @property
    def units(self) -> bool:
        """Whether the network is made of arithmetic units."""
        return isinstance(self.network, Stack)

    @property
    def batches(self) -> int:
        """Batches in an epoch; examples that do not fill one wait for the next epoch's order."""
        return max(1, self.examples // self.batch)


_PLAIN = {
    **{"weight_decay": False, "clip": False, "clip_value": False, "penalty": False, "alternate": False},
    **{"stops": False, "fresh": False, "batch": 0, "block": 0, "ops": (), "optimizers": (), "losses": ()},
}


def data_part(program: Program) -> Program:
    """The program without what its examples do not depend on, so that all architectures share one."""
    return replace(program, network=None, form="lanes", **_PLAIN)


def training_part(program: Program) -> Program:
    """The program without what only its first examples depend on: all operations share one."""
    if program.fresh:
        return replace(program, op=None)
    return replace(program, op=None, integers=True, distribution=None, transforms=())


def judged_part(program: Program) -> Program:
    """The program without what its predictions do not depend on."""
    return replace(program, op=None, integers=True, distribution=None, examples=0, **_PLAIN)


def shared_part(program: Program) -> Program:
    """The program without its network: what transforms and errors depend on."""
    return replace(judged_part(program), network=None, form="lanes")


def drawing_part(program: Program) -> Program:
    """The program without what its first parameters do not depend on."""
    return replace(judged_part(program), distribution=None, transforms=())


class Pace(NamedTuple):
    """How the learning rate changes: a schedule's index and the factor it ends at, steps of warm-up, and of all."""

    schedule: jax.Array
    end_factor: jax.Array
    warmup: jax.Array
    steps: jax.Array


class Choices(NamedTuple):
    """Scalars that all nets of a program share."""

    op: jax.Array
    optimizer: jax.Array
    loss: jax.Array
    input_transform: jax.Array
    target_transform: jax.Array
    interval: data.Range
    numbers: Numbers
    pace: Pace
    activation: jax.Array  # [layers]
    scaling: Scaling
    regularizer_ramp: jax.Array
    regularizer_start: jax.Array
    regularizer_end: jax.Array


class Nets(NamedTuple):
    """What differs from net to net.

    identity: `[nets, 3]` unsigned words, of the setup's digest and the seed: a net's only source of randomness.
    widths: `[layers + 1, nets]`.
    learning_rate, weight_decay, clip, clip_value, regularizer: `[nets]`.
    """

    identity: jax.Array
    widths: jax.Array
    learning_rate: jax.Array
    weight_decay: jax.Array
    clip: jax.Array
    clip_value: jax.Array
    regularizer: jax.Array


class Segment(NamedTuple):
    """Some of a training's steps: the first, how many there are, and for each step of the longest segment the examples
    of its batch, `rows [steps, batch]`, and the factor on the learning rate, `rates [steps]`."""

    start: jax.Array
    count: jax.Array
    rows: jax.Array
    rates: jax.Array


class State(NamedTuple):
    """Parameters, and the optimiser's trees of the same shape."""

    params: Any
    moments: tuple[Any, ...]


def keys_of(identity: jax.Array, root: jax.Array, purpose: int | jax.Array) -> jax.Array:
    """Keys `[nets]` for one purpose, from each net's identity alone: 0 weights, 1 examples, 1 + s weights again after
    step s."""

    def of_net(words: jax.Array) -> jax.Array:
        key = functools.reduce(jax.random.fold_in, words, jax.random.key(root))
        return jax.random.fold_in(key, purpose)

    return jax.vmap(of_net)(identity)


def draw(program: Program, root: jax.Array, identity: jax.Array, given: Architecture, purpose: jax.Array) -> Any:
    """Parameters of every net, each drawn from its own key for this purpose."""

    def of_net(key: jax.Array, widths: jax.Array) -> Any:
        return program.network.initial(key, program.inputs, given._replace(widths=widths[:, None]))

    keys = keys_of(identity, root, purpose)
    if program.leading:
        params = jax.vmap(of_net, in_axes=(0, 1))(keys, given.widths)
    else:
        params = jax.vmap(of_net, in_axes=(0, 1), out_axes=-1)(keys, given.widths)
        params = jax.tree.map(lambda p: jnp.squeeze(p, -2), params)  # the one lane each was drawn in
    if program.precision == "float64":  # whatever a user's own module draws
        params = jax.tree.map(lambda p: p.astype(float), params)
    return params


def shapes(program: Program, choices: Choices, nets: Nets) -> list[tuple[int, ...]]:
    """The shapes of one net's parameters, in the order of their leaves; nothing is drawn."""
    architecture = architecture_of(choices, nets)
    params = jax.eval_shape(lambda: program.network.initial(jax.random.key(0), program.inputs, architecture))
    return [leaf.shape for leaf in jax.tree.leaves(params)]


def prepare(program: Program, root: jax.Array, choices: Choices, nets: Nets) -> data.Examples:
    """Every net's own examples, lanes last."""
    return data.prepare(
        keys_of(nets.identity, root, 1),
        program.op,
        program.integers,
        program.examples,
        program.transforms,
        choices.interval,
        program.distribution,
        (choices.input_transform, choices.target_transform),
    )


def advance(
    program: Program,
    state: State,
    examples: data.Examples,
    segment: Segment,
    root: jax.Array,
    choices: Choices,
    nets: Nets,
) -> State:
    """Train every net through the steps of a segment."""

    def of_nets(state: State, examples: data.Examples, keys: jax.Array, nets: Nets) -> State:
        def one_step(i: jax.Array, state: State) -> State:
            step = segment.start + i
            rows, rate = (jax.lax.dynamic_index_in_dim(of, i, keepdims=False) for of in (segment.rows, segment.rates))
            if program.fresh:
                x, t = _fresh_batch(program, keys, step, examples, choices)
            else:
                x, t = examples.x[rows], examples.t[rows]
            gradient = _gradient(program, state.params, x, t, (step, noise_keys), choices, nets)
            gradient = jax.lax.optimization_barrier(gradient)
            return _update(program, state, gradient, step, rate, choices, nets)

        noise_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, 1)
        return jax.lax.fori_loop(0, segment.count, one_step, state)

    keys = jax.vmap(jax.random.fold_in, (0, None))(keys_of(nets.identity, root, 1), 1)
    return over_nets(program, of_nets)(state, examples, keys, nets)


def show(program: Program, x: jax.Array, fit: Fitted, transform: jax.Array) -> jax.Array:
    """Arguments `x [blocks, points, arity]`, in original units, as every net is shown them:
    `[blocks, points, arity, nets]`."""

    def of_block(x: jax.Array) -> jax.Array:
        lanes = jnp.broadcast_to(x[:, :, None], (*x.shape, program.nets))
        return _switch(program.transforms, transform, Transform.forward, lanes, _row(fit))

    return jax.lax.map(of_block, x)


def predict(program: Program, state: State, shown: jax.Array, choices: Choices, nets: Nets) -> jax.Array:
    """Predictions `[blocks, points, nets]` of every net for what it is shown, `[blocks, points, arity, nets]`."""

    def of_nets(state: State, shown: tuple[jax.Array], nets: Nets) -> jax.Array:
        return program.network.predict(state.params, *shown, architecture_of(choices, nets))

    def of_block(shown: jax.Array) -> jax.Array:
        predictions = over_nets(program, of_nets)(state, (shown,), nets)
        return predictions[:, :, 0].T if program.leading else predictions

    return jax.lax.map(of_block, shown)


def original(program: Program, y: jax.Array, fit: Fitted, transform: jax.Array) -> jax.Array:
    """Predictions `y [blocks, points, nets]` in original units."""
    return jax.lax.map(functools.partial(_inverse, program, fit, transform), y)


def judge(program: Program, y: jax.Array, fit: Fitted, blocks: metrics.Block, transform: jax.Array) -> metrics.Sums:
    """Errors of predictions `y [blocks, points, nets]`, in original units: arrays `[blocks, nets]`."""

    def of_block(block: tuple[jax.Array, metrics.Block]) -> metrics.Sums:
        y, points = block
        return metrics.sums(_inverse(program, fit, transform, y), points)

    return jax.lax.map(of_block, (y, blocks))


def sparsity_error(program: Program, state: State) -> jax.Array:
    """The sparsity error of every net of units, `[nets]`; NaN where no weight has to be discrete."""
    found = program.network.sparsity_error(state.params)
    return jnp.full(program.nets, jnp.nan) if found is None else found


def select(program: Program, chosen: jax.Array, new: Any, old: Any) -> Any:
    """`new` for the chosen nets, `chosen [nets]`, and `old` for the others, in trees of states."""

    def where(new: jax.Array, old: jax.Array) -> jax.Array:
        shape = [1] * new.ndim
        shape[0 if program.leading else -1] = len(chosen)
        return jnp.where(chosen.reshape(shape), new, old)

    return jax.tree.map(where, new, old)


def over_nets(program: Program, function: Callable) -> Callable:
    """`function` of lanes-last arguments for all nets of a program: as it is, or mapped over nets of one lane each.

    State comes with the axis its form gives it; every other argument has the net last, or first for keys.
    """
    if not program.leading:
        return function

    def per_net(argument: Any) -> Any:
        return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0)[..., None], argument)

    def leading(state: State, *others: Any) -> Any:
        mapped = []
        for other in others:
            if isinstance(other, jax.Array):  # keys, or identities: the net comes first
                mapped.append(other[:, None])
            elif isinstance(other, Nets):
                mapped.append(per_net(other._replace(identity=other.identity.T)))
            else:
                mapped.append(per_net(other))
        return jax.vmap(function)(state, *mapped)

    return leading


def _fresh_batch(program: Program, keys: jax.Array, step: jax.Array, examples: data.Examples, choices: Choices):
    """A new batch for every lane, shown as the transforms fitted on the examples say."""
    how = program.integers, choices.interval, program.distribution
    x = data.draw_batch(keys, step, (program.batch, program.inputs), *how)
    t = choose(choices.op, program.ops, x)
    show = functools.partial(_switch, program.transforms)
    return (
        show(choices.input_transform, Transform.forward, x, _row(examples.input_fit)),
        show(choices.target_transform, Transform.forward, t, _row(examples.target_fit)),
    )


def _inverse(program: Program, fit: Fitted, transform: jax.Array, y: jax.Array) -> jax.Array:
    """Predictions `y [points, nets]` in original units."""
    return _switch(program.transforms, transform, Transform.inverse, y, _row(fit))


def _row(fitted: Fitted) -> Fitted:
    """A fit that broadcasts against `[examples, ...]`."""
    return Fitted(fitted.shift[None], fitted.scale[None])


def _switch(members: tuple, index: jax.Array, method: Callable, *arguments: Any) -> Any:
    """`method(members[index], *arguments)`."""
    return jax.lax.switch(index, [functools.partial(method, member) for member in members], *arguments)


def architecture_of(choices: Choices, nets: Nets) -> Architecture:
    """What a network is told of the nets in its lanes."""
    return Architecture(nets.widths, choices.activation, choices.scaling)


def _loss_of_batch(program: Program, params: Any, x: jax.Array, t: jax.Array, random, choices: Choices, nets: Nets):
    """The sum over lanes of each lane's mean loss: lanes share nothing, so each gets its own gradient.

    `random` is the step and the keys of what units draw in training.
    """
    architecture = architecture_of(choices, nets)
    if program.units:
        y = program.network.predict(params, x, architecture, _noise(program, *random))
    else:
        y = program.network.predict(params, x, architecture)
    assert y.shape == t.shape, (y.shape, t.shape)
    losses = jax.lax.switch(choices.loss, [loss.fn for loss in program.losses], y, t).mean(0)
    if program.penalty:
        penalty = nets.regularizer * _ramp(random[0], choices) * program.network.penalty(params)
        losses = losses + jnp.where(losses < program.network.penalised_below, penalty, 0.0)
    return losses.sum()


def _gradient(program: Program, params: Any, x: jax.Array, t: jax.Array, *given: Any) -> Any:
    """The gradient of every lane's mean loss, block by block."""
    gradient = jax.grad(_loss_of_batch, argnums=1)
    if program.block == program.batch:
        return gradient(program, params, x, t, *given)
    blocks = jax.tree.map(lambda rows: rows.reshape(-1, program.block, *rows.shape[1:]), (x, t))

    def add(total: Any, block: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, gradient(program, params, *block, *given)), None

    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), blocks)
    return jax.tree.map(lambda g: g / (program.batch // program.block), total)


def _noise(program: Program, step: jax.Array, keys: jax.Array) -> Callable:
    """Uniform numbers `[*shape, lanes]` for a layer at this step."""
    layers = len(program.network.features)
    return lambda layer, shape: data.uniform(keys, step * layers + layer, shape)


def _ramp(step: jax.Array, choices: Choices) -> jax.Array:
    """How much the regulariser counts at a step, from 0 to 1."""
    start, end = choices.regularizer_start, choices.regularizer_end
    progress = jnp.clip((step - start) / jnp.maximum(end - start, 1), 0, 1)
    return _switch(tuple(RAMPS.values()), choices.regularizer_ramp, lambda ramp, p: ramp.factor(p), progress)


def _update(
    program: Program, state: State, gradient: Any, step: jax.Array, factor: jax.Array, choices: Choices, nets: Nets
) -> State:
    """One step of the chosen optimiser on every net, `factor` of its learning rate wide."""

    def lane(value: jax.Array) -> jax.Array:  # against parameters `[in, out, lanes]`, or any shape of a single net
        return value[0] if program.leading else value[None, None, :]

    decay = lane(nets.weight_decay)
    if program.clip:
        gradient = _clip(gradient, lane(nets.clip), program.leading)
    if program.clip_value:
        gradient = jax.tree.map(lambda g: jnp.clip(g, -lane(nets.clip_value), lane(nets.clip_value)), gradient)

    def follow(optimizer: Optimizer, gradient: Any, params: Any, moments: tuple) -> tuple[Any, tuple]:
        if program.weight_decay and not optimizer.decoupled:
            gradient = jax.tree.map(lambda g, p: g + decay * p, gradient, params)
        direction, moments = _direction(optimizer, choices.numbers, gradient, params, moments, step)
        if program.weight_decay and optimizer.decoupled:
            direction = jax.tree.map(lambda d, p: d + decay * p, direction, params)
        return direction, moments

    branches = [functools.partial(follow, optimizer) for optimizer in program.optimizers]
    # unclipped lanes round alike without a branch (tested), and are faster so
    switch = choose if not program.alone and (program.leading or program.clip) else jax.lax.switch
    direction, moments = switch(choices.optimizer, branches, gradient, state.params, state.moments)
    rate = lane(nets.learning_rate) * factor

    def move(p: jax.Array, d: jax.Array) -> jax.Array:
        # a stopped net has rate 0 and stays as it is, even where its direction is not finite
        return jnp.where(rate > 0, p - rate * d, p) if program.stops else p - rate * d

    moved = State(jax.tree.map(move, state.params, direction), moments)
    if program.units:
        moved = moved._replace(params=program.network.constrain(moved.params))
    return _alternated(state, moved, step) if program.alternate else moved


def _alternated(state: State, moved: State, step: jax.Array) -> State:
    """Of every ten steps eight move the weights and two the gates, parameters named G (Schlör et al. 2020)."""

    def chosen(path: tuple, old: jax.Array, new: jax.Array) -> jax.Array:
        gate = getattr(path[-1], "key", None) == "G"
        return jnp.where((step % 10 >= 8) == gate, new, old)

    return jax.tree_util.tree_map_with_path(chosen, state, moved)


def rates(schedules: tuple[Schedule, ...], steps: jax.Array, pace: Pace) -> jax.Array:
    """The factors on the learning rate at `steps [steps]`: linear warm-up, then the schedule over the rest."""
    warmup, total = pace.warmup.astype(float), pace.steps.astype(float)

    def at(step: jax.Array) -> jax.Array:
        now = step.astype(float)
        progress = jnp.clip((now - warmup) / jnp.maximum(total - warmup, 1), 0, 1)
        branches = [schedule.factor for schedule in schedules]
        factor = jax.lax.switch(pace.schedule, branches, progress, pace.end_factor)
        return factor * jnp.minimum(1.0, (now + 1) / jnp.maximum(warmup, 1))

    return jax.lax.map(at, steps)


def _clip(gradient: Any, limit: jax.Array, leading: bool) -> Any:
    """Each net's gradient scaled down to a global norm of at most `limit` (Pascanu et al. 2013)."""
    axes = None if leading else (0, 1)
    squares = [jnp.sum(g * g, axis=axes, keepdims=not leading) for g in jax.tree.leaves(gradient)]
    norm = jnp.sqrt(functools.reduce(jnp.add, squares))
    factor = jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-30))
    return jax.tree.map(lambda g: g * factor, gradient)


def slots(optimizer: Optimizer, numbers: Numbers, params: Any) -> int:
    """How many trees of the parameters' shape an optimiser keeps."""
    state = jax.eval_shape(optimizer.rule(numbers).init, params)
    kept = sum(not jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in jax.tree.leaves(state))
    return kept // len(jax.tree.leaves(params))


def _direction(optimizer: Optimizer, numbers: Numbers, gradient, params, moments: tuple, step) -> tuple[Any, tuple]:
    """The optimiser's direction, with its state taken from `moments` and its count from the step.

    An optax state is trees of the parameters' shape plus integer counts, so that optimisers can share their memory.
    """
    rule = optimizer.rule(numbers)
    shapes, structure = jax.tree.flatten(jax.eval_shape(rule.init, params))
    counts = [jnp.issubdtype(shape.dtype, jnp.integer) for shape in shapes]
    stored = iter(jax.tree.leaves(moments))
    state = structure.unflatten([jnp.asarray(step, jnp.int32) if count else next(stored) for count in counts])
    direction, state = rule.update(gradient, state, params)
    kept = [leaf for leaf, count in zip(jax.tree.leaves(state), counts, strict=True) if not count]
    return direction, jax.tree.unflatten(jax.tree.structure(moments), [*kept, *stored])
