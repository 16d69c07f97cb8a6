"""Examples: what nets are trained on, each net on its own, and the fixed points all of them are tested on."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Key

from arithjax.task import draws
from arithjax.task.arguments import Argument
from arithjax.task.distributions import Distribution
from arithjax.task.encodings import Encoder
from arithjax.task.operations import Operation
from arithjax.task.transforms import Fitted, Transform


class Examples(NamedTuple):
    """Training data of a program, transformed: `x [examples, inputs, lanes]`, `t [examples, lanes]`, and the fits.

    Of several results the targets are `[examples, outputs, lanes]`, each with a fit of its own.
    """

    x: Float[Array, "examples inputs lanes"]
    t: Float[Array, "examples *outputs lanes"]
    input_fit: Fitted  # [arity, lanes]
    target_fit: Fitted  # [*outputs, lanes]


class Range(NamedTuple):
    """The interval arguments are drawn from, as scalars; for integers both ends are included."""

    low: Float[Array, ""]
    high: Float[Array, ""]


ROUNDS = 512
"""The most times that arguments are drawn again until an operation's condition holds for them."""


def arguments(
    keys: Key[Array, " lanes"],
    op: Operation | int,
    integers: bool,
    count: int,
    interval: Range,
    distribution: Distribution,
) -> Float[Array, "count arity lanes"]:
    """Each lane's arguments, drawn from its own key, `keys [lanes]`.

    op: the operation, or the number of arguments of one that neither has ranges of its own nor leaves anything out.
    """
    how = integers, interval, distribution
    if isinstance(op, int):
        return _drawn(keys, (count, op), *how)

    def drawn(keys: Key[Array, " lanes"]) -> Float[Array, "count arity lanes"]:
        if not op.arguments:
            return _drawn(keys, (count, op.arity), *how)
        own = [_drawn_own(folded(keys, i), argument, count, *how) for i, argument in enumerate(op.arguments)]
        return jnp.stack(own, 1)

    return _kept(op, lambda number: drawn(folded(keys, number))) if op.conditional else op.usable(drawn(keys))


def folded(keys: Key[Array, " lanes"], number: int | Int[Array, ""]) -> Key[Array, " lanes"]:
    """Other keys of every lane, for a number."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys, number)


def _drawn(
    keys: Key[Array, " lanes"],
    shape: tuple[int, int],
    integers: bool,
    interval: Range,
    distribution: Distribution,
) -> Float[Array, "rows columns lanes"]:
    """Numbers of an interval, `[*shape, lanes]`."""
    words, count = draws.words_of(keys), math.prod(shape)
    if integers:
        low, high = (jnp.asarray(v, int) for v in interval)
        return draws.integers(words, count, low, high + 1).astype(float).reshape(*shape, -1)
    u = draws.uniform(words, count).reshape(*shape, -1)
    if distribution.name == "uniform":
        return jnp.maximum(interval.low, u * (interval.high - interval.low) + interval.low)
    return distribution.place(u, *interval, jnp)


def _drawn_own(
    keys: Key[Array, " lanes"],
    argument: Argument,
    count: int,
    integers: bool,
    interval: Range,
    distribution: Distribution,
) -> Float[Array, "count lanes"]:
    """Numbers `[count, lanes]` of an argument that may have a range of its own."""
    if argument.values:
        ends = (jnp.asarray(end, int) for end in (0, len(argument.values)))
        return jnp.asarray(argument.values, float)[draws.integers(draws.words_of(keys), count, *ends)]
    return _drawn(keys, (count, 1), *_own(argument, integers, interval), distribution)[:, 0]


def _own(argument: Argument, integers: bool, interval: Range) -> tuple[bool, Range]:
    """Whether an argument is a whole number, and its closed interval."""
    span = argument.span(0, 1, integers)  # ends that the setup gives are those of `interval`, traced
    return span.integers, Range(*(jnp.asarray(end, float) for end in span.ends)) if argument.own else interval


def _kept(op: Operation, drawn: Callable[[Int[Array, ""]], Float[Array, "rows arity *lanes"]]) -> Array:
    """Arguments for which an operation's condition holds, each drawn again until it does: `drawn(number)`, from 0 on.

    What is kept never changes again, so that no net's arguments depend on how long others take.
    """

    def again(state: tuple[Int[Array, ""], Array, Array]) -> tuple[Int[Array, ""], Array, Array]:
        number, x, held = state
        new = drawn(number)
        x = jnp.where(jnp.expand_dims(held, 1), x, new)
        return number + 1, x, held | op.met(new)

    def going(state: tuple[Int[Array, ""], Array, Array]) -> Bool[Array, ""]:
        return (state[0] < ROUNDS) & ~state[2].all()

    first = drawn(jnp.int32(0))
    _, x, _ = jax.lax.while_loop(going, again, (jnp.int32(1), first, op.met(first)))
    return op.usable(x)


def draw_batch(
    keys: Key[Array, " lanes"],
    step: Int[Array, ""],
    shape: tuple[int, int],
    integers: bool,
    interval: Range,
    distribution: Distribution,
) -> Float[Array, "batch arity lanes"]:
    """New arguments of every lane at a step, from `keys [lanes]`: `[*shape, lanes]`, with shape `(batch, arity)`."""
    return _placed(uniform(keys, step, shape), integers, interval, distribution)


def draw_own_batch(
    keys: Key[Array, " lanes"],
    step: Int[Array, ""],
    batch: int,
    op: Operation,
    integers: bool,
    interval: Range,
    distribution: Distribution,
) -> Float[Array, "batch arity lanes"]:
    """The same for an operation whose arguments have ranges of their own, or have to meet a condition."""
    arguments = op.arguments or (Argument("any"),) * op.arity

    def placed(u: Float[Array, "batch lanes"], argument: Argument) -> Float[Array, "batch lanes"]:
        if argument.values:
            return jnp.asarray(argument.values, float)[jnp.floor(u * len(argument.values)).astype(int)]
        return _placed(u, *_own(argument, integers, interval), distribution)

    def drawn(number: Int[Array, ""]) -> Float[Array, "batch arity lanes"]:
        u = uniform(folded(keys, 2 + number), step, (batch, op.arity))
        return jnp.stack([placed(u[:, i], argument) for i, argument in enumerate(arguments)], 1)

    return _kept(op, drawn) if op.conditional else op.usable(drawn(jnp.int32(0)))


def _placed(
    u: Float[Array, "*shape"], integers: bool, interval: Range, distribution: Distribution
) -> Float[Array, "*shape"]:
    """Numbers of an interval for uniform ones in [0, 1)."""
    if integers:
        return jnp.floor(interval.low + u * (interval.high - interval.low + 1))
    return distribution.place(u, *interval, jnp)


def uniform(
    keys: Key[Array, " lanes"], step: Int[Array, ""], shape: tuple[int, int]
) -> Float[Array, "rows columns lanes"]:
    """Uniform numbers in [0, 1), `[*shape, lanes]`, from `keys [lanes]` and a step.

    The generator is that of `arithjax.task.draws`, and both of its words are used.
    """
    rows, columns = shape
    half = (-(-rows // 2), columns, len(keys))
    words = draws.words_of(keys)[:, None, None]
    counter = jnp.broadcast_to(jnp.arange(half[0] * columns, dtype=jnp.uint32).reshape(half[0], columns, 1), half)
    bits = jnp.concatenate(draws.threefry(words, (counter, jnp.full(half, step, jnp.uint32))))[:rows]
    mantissa = (bits >> np.uint32(9)) | np.uint32(0x3F800000)
    return (jax.lax.bitcast_convert_type(mantissa, jnp.float32) - 1).astype(float)


def targets_shown(
    encoder: Encoder, t: Float[Array, "examples *results lanes"]
) -> Float[Array, "examples *codes lanes"]:
    """Results as an encoder shows them; codes of one number have no axis for it."""
    codes = encoder.encode(t if t.ndim > 2 else t[:, None])
    return codes[:, 0] if codes.shape[1] == 1 else codes


def results_told(encoder: Encoder, y: Float[Array, "points *codes lanes"]) -> Float[Array, "points *results lanes"]:
    """The results that a net's outputs are nearest to: the inverse of `targets_shown`."""
    results = encoder.decode(y if y.ndim > 2 else y[:, None])
    return results[:, 0] if results.shape[1] == 1 else results


def fitted(
    transforms: tuple[Transform, ...], chosen: Int[Array, ""], data: Float[Array, " examples *columns"]
) -> tuple[Float[Array, " examples *columns"], Fitted]:
    """Data as one of the transforms shows it, the one with the index `chosen`, fitted on each column; and the fit."""

    def branch(transform: Transform, data: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Fitted]:
        warped = jax.lax.optimization_barrier(transform.warp(data))
        fit = transform.fit(warped)
        return (warped - fit.shift[None]) / fit.scale[None], fit

    return jax.lax.switch(chosen, [functools.partial(branch, transform) for transform in transforms], data)


@functools.lru_cache(maxsize=256)
def order(examples: int, epoch: int) -> Int32[np.ndarray, " examples"]:
    """The order `[examples]` in which an epoch visits its examples.

    It is the same for every net: each has its own independent examples, so nets stay independent, and reading whole
    rows of lanes is several times faster than an order for each net.
    """
    return np.random.default_rng([examples, epoch]).permutation(examples).astype(np.int32)
