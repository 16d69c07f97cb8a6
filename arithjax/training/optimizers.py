"""Optimisers, schedules and losses: how a net is trained.

An optimiser is an optax direction with its default numbers; the learning rate is applied afterwards. All numbers may
be traced arrays, so that changing one compiles nothing. To add one:

    aj.OPTIMIZERS["yogi"] = aj.Optimizer("yogi", "Zaheer et al. 2018", lambda n: optax.scale_by_yogi(n.beta1, n.beta2))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from arithjax.registry import LOSSES, OPTIMIZERS, RAMPS, SCHEDULES


class Numbers(NamedTuple):
    """What an optimiser's rule needs besides the learning rate: scalars."""

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

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.source


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
    """The factor on the learning rate, a function of progress in [0, 1] and of the `end_factor` it ends at.

    end_factor: its default. end_above_zero: whether it may not be 0.
    """

    name: str
    formula: str
    factor: Callable[[jax.Array, jax.Array], jax.Array]
    end_factor: float = 0.0
    end_above_zero: bool = False

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula


SCHEDULES.fill(
    Schedule,
    [
        Schedule("constant", "1", lambda progress, end: jnp.ones_like(progress), end_factor=1.0),
        Schedule(
            "cosine",
            "end + (1 - end) (1 + cos(π progress)) / 2",
            lambda progress, end: end + (1 - end) * 0.5 * (1 + jnp.cos(jnp.pi * progress)),
        ),
        Schedule(
            "exponential", "end^progress", lambda progress, end: end**progress, end_factor=0.01, end_above_zero=True
        ),
    ],
)


@dataclass(frozen=True)
class Ramp:
    """How a regulariser grows: the factor on its strength, a function of progress in [0, 1] between two steps."""

    name: str
    formula: str
    factor: Callable[[jax.Array], jax.Array]

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula


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

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula


LOSSES.fill(
    Loss,
    [
        Loss("mse", "(p - t)²", lambda p, t: (p - t) ** 2),
        Loss("mae", "|p - t|", lambda p, t: jnp.abs(p - t)),
        Loss("huber", "Huber, δ = 1", lambda p, t: optax.losses.huber_loss(p, t)),
        Loss("relative", "((p - t) / (1 + |t|))²", lambda p, t: ((p - t) / (1 + jnp.abs(t))) ** 2),
    ],
)
