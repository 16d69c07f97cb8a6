"""Steps: every net of a tile trained through a segment of its steps, as one compiled program."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key, UInt32

from arithjax.environment import backend
from arithjax.models.branches import choose, mapped, switch
from arithjax.models.network import ONCHIP
from arithjax.registry import RAMPS
from arithjax.task.examples import Examples, draw_batch, draw_own_batch, folded, order, targets_shown, uniform
from arithjax.task.transforms import Fitted, Transform
from arithjax.training.compiled import compiled, lanes_options, product_options
from arithjax.training.initial import State, keys_of
from arithjax.training.optimizers import clip_norm, direction
from arithjax.training.schedules import Pace, rates_at
from arithjax.training.specs import FreshSpec, TrainSpec
from arithjax.training.tile import PerNet, Shared, architecture_of


class Segment(NamedTuple):
    """Some of a training's steps.

    start, steps: the first step and how many there are.
    rows, rates: for each step of the longest segment, the examples of its batch, `[steps, batch]`, and the factor on
        the learning rate, `[steps]`.
    """

    start: Int32[Array, ""]
    steps: Int32[Array, ""]
    rows: Int32[Array, "steps batch"]
    rates: Float[Array, " steps"]


def segment_of(spec: TrainSpec, start: int, stop: int, longest: int, pace: Pace) -> Segment:
    """The steps `start <= step < stop`, on a CPU with room for `longest`, so that all segments share a program.

    An accelerator's host would wait for it in every step of a loop whose length is not part of the program.
    """
    longest = longest if backend() == "cpu" and spec.layout is not ONCHIP else stop - start
    steps = np.arange(start, start + longest, dtype=np.int32)
    ends = np.int32(start), np.int32(stop - start)
    return Segment(*jax.device_put((*ends, _rows(spec, steps), rates_at(steps, pace))))


def _rows(spec: TrainSpec, steps: Int32[np.ndarray, " steps"]) -> Int32[np.ndarray, "steps batch"]:
    """The examples of each step's batch, `[steps, batch]`; of none where they are drawn anew."""
    if spec.fresh:
        return np.zeros((len(steps), 0), np.int32)
    used = spec.batches * spec.batch
    epochs = range(steps[0] // spec.batches, steps[-1] // spec.batches + 1)
    batches = np.concatenate([order(spec.examples, epoch)[:used].reshape(-1, spec.batch) for epoch in epochs])
    return batches[steps - epochs[0] * spec.batches]


@compiled(lambda spec: lanes_options() if spec.layout.lanes else product_options())
def advance(
    spec: TrainSpec,
    state: State,
    examples: Examples,
    segment: Segment,
    root: UInt32[Array, ""],
    shared: Shared,
    per_net: PerNet,
) -> State:
    """Train every net through the steps of a segment."""

    def of_nets(state: State, examples: Examples, keys: Key[Array, " lanes"], per_net: PerNet) -> State:
        def one_step(i: Int32[Array, ""], state: State) -> State:
            step = segment.start + i
            rows, rate = (jax.lax.dynamic_index_in_dim(of, i, keepdims=False) for of in (segment.rows, segment.rates))
            if spec.fresh:
                fits = examples.input_fit, examples.target_fit
                x, t = _fresh_batch(spec.fresh, keys, step, (spec.batch, spec.inputs), fits, shared)
            else:
                x, t = examples.x[rows], examples.t[rows]
            given = (step, noise_keys), shared, per_net
            slopes = _gradient(spec, state.params, x, t, *given)
            # without the barrier XLA computes forward layers again in the fusion of every gradient
            moved = _update(spec, state, jax.lax.optimization_barrier(slopes), step, rate, shared, per_net)
            if not (spec.apart or spec.watched):
                return moved
            return _afterwards(spec, moved, batch_losses(spec, state.params, x, t, *given), step, rate, shared, per_net)

        noise_keys = folded(keys, 1)
        steps = segment.steps if backend() == "cpu" else len(segment.rates)
        return jax.lax.fori_loop(0, steps, one_step, state)

    keys = folded(keys_of(per_net.identity, root, 1), 1)
    return spec.layout.map(of_nets)(state, examples, keys, per_net)


@compiled()
def fresh_batches(
    static: tuple[FreshSpec, tuple[int, int]],
    nets: tuple[jax.Array, tuple[Fitted, Fitted]],
    steps: jax.Array,
    root: jax.Array,
    shared: Shared,
) -> tuple[jax.Array, jax.Array]:
    """The batches of many `steps [steps]`, transformed: `x` and `t`, each `[steps * batch, ..., lanes]`.

    static: how they are drawn, and the shape `(batch, inputs)` of each. nets: their identity, `[3, lanes]`, and fits.
    """
    identity, fits = nets
    batches = drawn_batches(*static, steps, root, fits, shared, identity)
    x, t = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), batches)
    return x, t


def drawn_batches(
    spec: FreshSpec,
    shape: tuple[int, int],
    steps: jax.Array,
    root: jax.Array,
    fits: tuple[Fitted, Fitted],
    shared: Shared,
    identity: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """New batches of a shape `(batch, inputs)`, transformed.

    `x [steps, *shape, lanes]` and `t [steps, batch, *outputs, lanes]`.
    """
    keys = folded(keys_of(identity, root, 1), 1)
    return mapped(lambda step: _fresh_batch(spec, keys, step, shape, fits, shared), steps)


def _fresh_batch(
    spec: FreshSpec,
    keys: Key[Array, " lanes"],
    step: Int32[Array, ""],
    shape: tuple[int, int],
    fits: tuple[Fitted, Fitted],
    shared: Shared,
) -> tuple[Float[Array, "batch inputs lanes"], Float[Array, "batch *outputs lanes"]]:
    """A new batch for every lane, transformed as was fitted on the examples."""
    how = spec.integers, shared.interval, spec.distribution
    if spec.op.arguments or spec.op.conditional:
        x = draw_own_batch(keys, step, shape[0], spec.op, *how)
    else:
        x = draw_batch(keys, step, (shape[0], spec.op.arity), *how)
        x = choose(shared.branch, spec.op.usable, x) if spec.op.leaves_out else x
    t = choose(shared.branch, spec.op, x)
    if spec.noise:
        t = t + spec.noise * _normal(keys, step, t.shape)
    forward = functools.partial(_switch, spec.transforms)
    if spec.target_encoder is None:
        t = forward(shared.target_transform, Transform.forward, t, _row(fits[1]))
    else:
        t = targets_shown(spec.target_encoder, t)
    if spec.encoder is not None:
        return spec.encoder.encode(x), t
    return forward(shared.input_transform, Transform.forward, x, _row(fits[0])), t


def _normal(
    keys: Key[Array, " lanes"], step: Int32[Array, ""], shape: tuple[int, ...]
) -> Float[Array, "batch *outputs lanes"]:
    """Normal numbers of every lane at a step, of a shape `[batch, *outputs, lanes]`."""
    own = folded(keys, 0)
    u = uniform(own, step, (shape[0], math.prod(shape[1:-1]))).reshape(shape)
    return math.sqrt(2) * jax.lax.erf_inv(2 * jnp.clip(u, 2**-25, None) - 1)


def _row(fitted: Fitted) -> Fitted:
    """A fit that broadcasts against `[examples, ...]`."""
    return Fitted(fitted.shift[None], fitted.scale[None])


def _switch(members: tuple, index: Int32[Array, ""], method: Callable, *arguments: Any) -> Any:
    """`method(members[index], *arguments)`."""
    return switch(index, [functools.partial(method, member) for member in members], *arguments)


def loss_of_batch(
    spec: TrainSpec,
    params: Any,
    x: Float[Array, "batch inputs lanes"],
    t: Float[Array, "batch *outputs lanes"],
    random: tuple[Int32[Array, ""], Key[Array, " lanes"]],
    shared: Shared,
    per_net: PerNet,
) -> Float[Array, ""]:
    """The sum over lanes of each lane's mean loss: lanes share nothing, so each gets its own gradient.

    random: the step, and keys `[lanes]` for what units draw in training.
    """
    losses = batch_losses(spec, params, x, t, random, shared, per_net)
    if spec.penalty and not spec.apart:
        penalty = per_net.regularizer * ramp(random[0], shared) * spec.network.penalty(params)
        losses = losses + jnp.where(losses < spec.network.penalised_below, penalty, 0.0)
    return losses.sum()


def batch_losses(
    spec: TrainSpec,
    params: Any,
    x: Float[Array, "batch inputs lanes"],
    t: Float[Array, "batch *outputs lanes"],
    random: tuple[Int32[Array, ""], Key[Array, " lanes"]],
    shared: Shared,
    per_net: PerNet,
) -> Float[Array, " lanes"]:
    """Each lane's mean loss without its penalty, `[lanes]`; see `loss_of_batch`."""
    y = spec.network.predict(params, x, architecture_of(shared, per_net), _noise(spec, *random))
    assert y.shape == t.shape, (y.shape, t.shape)
    return spec.loss.mean(y, t, spec.blocks)


def _gradient(
    spec: TrainSpec,
    params: Any,
    x: Float[Array, "batch inputs lanes"],
    t: Float[Array, "batch *outputs lanes"],
    *given: Any,
) -> Any:
    """The gradient of every lane's mean loss, block by block."""
    gradient = jax.grad(loss_of_batch, argnums=1)
    if spec.block == spec.batch:
        return gradient(spec, params, x, t, *given)
    blocks = jax.tree.map(lambda rows: rows.reshape(-1, spec.block, *rows.shape[1:]), (x, t))

    def add(
        total: Any, block: tuple[Float[Array, "block inputs lanes"], Float[Array, "block *outputs lanes"]]
    ) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, gradient(spec, params, *block, *given)), None

    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), blocks)
    return jax.tree.map(lambda g: g / (spec.batch // spec.block), total)


def _noise(spec: TrainSpec, step: Int32[Array, ""], keys: Key[Array, " lanes"]) -> Callable:
    """Uniform numbers `[*shape, lanes]` for a layer at this step."""
    layers = len(spec.network.features)
    return lambda layer, shape: uniform(keys, step * layers + layer, shape)


def ramp(step: Int32[Array, ""], shared: Shared) -> Float[Array, ""]:
    """How much the regulariser counts at a step, from 0 to 1."""
    start, end = shared.regularizer_start, shared.regularizer_end
    progress = jnp.clip((step - start) / jnp.maximum(end - start, 1), 0, 1)
    return _switch(tuple(RAMPS.values()), shared.regularizer_ramp, lambda ramp, p: ramp.factor(p), progress)


def _update(
    spec: TrainSpec,
    state: State,
    gradient: Any,
    step: Int32[Array, ""],
    factor: Float[Array, ""],
    shared: Shared,
    per_net: PerNet,
) -> State:
    """One step of the chosen optimiser on every net, with the learning rate scaled by `factor`."""
    return moved_along(spec, state, clipped(spec, gradient, per_net), step, factor, shared, per_net)


def clipped(spec: TrainSpec, gradient: Any, per_net: PerNet) -> Any:
    """The gradient of every net within its limits, if there are any."""
    per_net_of = spec.layout.per_net
    if spec.clip:
        gradient = clip_norm(gradient, per_net_of(per_net.clip), spec.layout.net_axes)
    if spec.clip_value:
        limit = per_net_of(per_net.clip_value)
        gradient = jax.tree.map(lambda g: jnp.clip(g, -limit, limit), gradient)
    return gradient


def moved_along(
    spec: TrainSpec,
    state: State,
    gradient: Any,
    step: Int32[Array, ""],
    factor: Float[Array, ""],
    shared: Shared,
    per_net: PerNet,
) -> State:
    """The state after a step of the chosen optimiser along a gradient, on every net."""
    per_net_of = spec.layout.per_net
    decay = per_net_of(per_net.weight_decay)

    optimizer = spec.optimizer

    def follow(gradient: Any, params: Any, moments: tuple) -> tuple[Any, tuple]:
        if spec.weight_decay and not optimizer.decoupled:
            gradient = jax.tree.map(lambda g, p: g + decay * p, gradient, params)
        moved, moments = direction(optimizer, shared.numbers, gradient, params, moments, step)
        if spec.weight_decay and optimizer.decoupled:
            moved = jax.tree.map(lambda d, p: d + decay * p, moved, params)
        return moved, moments

    # a branch that is kept, so that nets round alike in every program; unclipped lanes do without it, and are faster so
    kept = not spec.network.branchless and (not spec.layout.lanes or spec.clip)
    given = gradient, state.params, state.moments
    moved, moments = choose(shared.branch, follow, *given) if kept else follow(*given)
    rate = per_net_of(per_net.learning_rate) * factor

    def move(p: Float[Array, "*shape"], d: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        # a stopped net has rate 0 and stays as it is, even where its direction is not finite
        return jnp.where(rate > 0, p - rate * d, p) if spec.stops else p - rate * d

    params = spec.network.constrain(jax.tree.map(move, state.params, moved))
    new = state._replace(params=params, moments=moments)
    return _alternated(state, new, step) if spec.alternate else new


def _afterwards(
    spec: TrainSpec,
    state: State,
    losses: Float[Array, " lanes"],
    step: Int32[Array, ""],
    factor: Float[Array, ""],
    shared: Shared,
    per_net: PerNet,
) -> State:
    """What follows a step in the training of Schlör et al. (2020).

    Where the batch's loss before it, `losses [lanes]`, is small enough, the penalty takes a step of its own, of weights
    and gates alike; and the losses are added up where they are watched.
    """
    if spec.apart:
        strength = per_net.regularizer * ramp(step, shared)
        slopes = jax.grad(lambda params: (strength * spec.network.penalty(params)).sum())(state.params)
        moved = _update(replace(spec, alternate=False), state, slopes, step, factor, shared, per_net)
        due = (losses < spec.network.penalised_below) & (strength > 0)
        counts = spec.layout.per_net(due.astype(losses.dtype)) > 0
        params, moments = jax.tree.map(lambda new, old: jnp.where(counts, new, old), moved[:2], state[:2])
        state = state._replace(params=params, moments=moments)
    if spec.watched:
        state = state._replace(losses=(state.losses[0] + losses, state.losses[1] + losses**2))
    return state


def _alternated(state: State, moved: State, step: Int32[Array, ""]) -> State:
    """Of every ten steps eight move the weights and two the gates, parameters named G (Schlör et al. 2020)."""

    def chosen(path: tuple, old: Float[Array, "*shape"], new: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        gate = getattr(path[-1], "key", None) == "G"
        return jnp.where((step % 10 >= 8) == gate, new, old)  # the sums of losses are the same in both

    return jax.tree_util.tree_map_with_path(chosen, state, moved)
