"""Optimisers, schedules, ramps and losses: how a net is trained.

An optimiser is an optax gradient transformation without its learning rate, which is applied afterwards, and its default
hyperparameters. These may be traced arrays, so that changing one compiles nothing. To add one:

    aj.OPTIMIZERS["yogi"] = aj.Optimizer("yogi", "Zaheer et al. 2018", lambda n: optax.scale_by_yogi(n.beta1, n.beta2))
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from arithjax.registry import LOSSES, OPTIMIZERS, RAMPS, SCHEDULES
from arithjax.setup import Setup


class Numbers(NamedTuple):
    """The hyperparameters of an optimiser's rule besides its learning rate: scalars, fields of a setup."""

    beta1: jax.Array
    beta2: jax.Array
    momentum: jax.Array
    epsilon: jax.Array


@dataclass(frozen=True)
class Optimizer:
    """An optax gradient transformation without its learning rate, and the defaults of its numbers.

    `decoupled` weight decay is added to the direction (AdamW, Lion); otherwise it is added to the gradient (L2).
    """

    name: str
    source: str
    rule: Callable[[Numbers], optax.GradientTransformation]
    beta1: float = 0.9
    beta2: float = 0.999
    momentum: float = 0.9
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False


OPTIMIZERS.fill(
    Optimizer,
    [
        Optimizer("adam", "Kingma & Ba 2015", lambda n: optax.scale_by_adam(n.beta1, n.beta2, n.epsilon)),
        Optimizer(
            "adamw",
            "Loshchilov & Hutter 2019",
            lambda n: optax.scale_by_adam(n.beta1, n.beta2, n.epsilon),
            weight_decay=1e-4,
            decoupled=True,
        ),
        Optimizer("sgd", "with momentum, Sutskever et al. 2013", lambda n: optax.trace(n.momentum)),
        Optimizer(
            "rmsprop",
            "Tieleman & Hinton 2012",
            lambda n: optax.scale_by_rms(n.beta2, n.epsilon),
            beta2=0.9,
        ),
        Optimizer(
            "lion",
            "Chen et al. 2023",
            lambda n: optax.scale_by_lion(n.beta1, n.beta2),
            beta2=0.99,
            weight_decay=1e-3,
            decoupled=True,
        ),
    ],
)


@dataclass(frozen=True)
class Schedule:
    """The factor on the learning rate, a function of progress in [0, 1] and of the `end_factor` it ends at."""

    name: str
    formula: str
    factor: Callable[[jax.Array, jax.Array], jax.Array]
    end_factor: float = 0.0


SCHEDULES.fill(
    Schedule,
    [
        Schedule("constant", "1", lambda progress, end: jnp.ones_like(progress), end_factor=1.0),
        Schedule(
            "cosine",
            "end + (1 - end) (1 + cos(π progress)) / 2",
            lambda progress, end: end + (1 - end) * 0.5 * (1 + jnp.cos(jnp.pi * progress)),
        ),
        Schedule("exponential", "end^progress", lambda progress, end: end**progress, end_factor=0.01),
    ],
)


@dataclass(frozen=True)
class Ramp:
    """How a regulariser grows: the factor on its strength, a function of progress in [0, 1] between two steps."""

    name: str
    formula: str
    factor: Callable[[jax.Array], jax.Array]


RAMPS.fill(
    Ramp,
    [
        Ramp("linear", "progress", lambda progress: progress),
        Ramp("decades", "10^(floor(2 progress) - 2)", lambda progress: 10.0 ** (jnp.floor(2 * progress) - 2)),
    ],
)


@dataclass(frozen=True)
class Loss:
    """A loss of predictions `p` and targets `t` of equal shapes, elementwise, in the net's own (transformed) units."""

    name: str
    formula: str
    fn: Callable[[jax.Array, jax.Array], jax.Array]


LOSSES.fill(
    Loss,
    [
        Loss("mse", "(p - t)²", lambda p, t: (p - t) ** 2),
        Loss("mae", "|p - t|", lambda p, t: jnp.abs(p - t)),
        Loss("huber", "Huber, δ = 1", lambda p, t: optax.losses.huber_loss(p, t)),
        Loss("relative", "((p - t) / (1 + |t|))²", lambda p, t: ((p - t) / (1 + jnp.abs(t))) ** 2),
    ],
)


def default(value: float | None, otherwise: float) -> float:
    """A field's value, or what stands for None."""
    return otherwise if value is None else value


def decay_of(setup: Setup) -> float:
    """The weight decay of a setup: its own, or its optimiser's."""
    return default(setup.weight_decay, OPTIMIZERS[setup.optimizer].weight_decay)


def slots(optimizer: Optimizer, numbers: Numbers, params: Any) -> int:
    """How many trees of the parameters' shape an optimiser keeps."""
    state = jax.eval_shape(optimizer.rule(numbers).init, params)
    kept = sum(not jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in jax.tree.leaves(state))
    return kept // len(jax.tree.leaves(params))


def direction(
    optimizer: Optimizer, numbers: Numbers, gradient: Any, params: Any, moments: tuple, step: jax.Array
) -> tuple[Any, tuple]:
    """The optimiser's direction and its new moments.

    An optax state is trees of the parameters' shape plus integer counts. The trees are taken from `moments`, so that
    optimisers can share their memory, and the counts are the step.
    """
    rule = optimizer.rule(numbers)
    shapes, structure = jax.tree.flatten(jax.eval_shape(rule.init, params))
    counts = [jnp.issubdtype(shape.dtype, jnp.integer) for shape in shapes]
    stored = iter(jax.tree.leaves(moments))
    leaves = [jnp.asarray(step, jnp.int32) if count else next(stored) for count in counts]
    moved, state = rule.update(gradient, jax.tree.unflatten(structure, leaves), params)
    kept = [leaf for leaf, count in zip(jax.tree.leaves(state), counts, strict=True) if not count]
    return moved, jax.tree.unflatten(jax.tree.structure(moments), [*kept, *stored])


def clip_norm(gradient: Any, limit: jax.Array, axes: Callable[[jax.Array], tuple[int, ...]]) -> Any:
    """Each net's gradient scaled down to a global norm of at most `limit` (Pascanu et al. 2013).

    axes: those of a leaf that belong to one net.
    """
    squares = [jnp.sum(g * g, axis=axes(g), keepdims=g.ndim > len(axes(g))) for g in jax.tree.leaves(gradient)]
    norm = jnp.sqrt(functools.reduce(jnp.add, squares))
    factor = jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-30))
    return jax.tree.map(lambda g: g * factor, gradient)
