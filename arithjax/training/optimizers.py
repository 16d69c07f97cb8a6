"""Optimisers and losses: how a net is trained.

An optimiser is an optax gradient transformation without its learning rate, which is applied afterwards, and its default
hyperparameters. These may be traced arrays, so that changing one compiles nothing. To add one:

    aj.OPTIMIZERS["yogi"] = aj.Optimizer("yogi", "Zaheer et al. 2018", lambda n: optax.scale_by_yogi(n.beta1, n.beta2))

A loss is a function of predictions and targets, a number for each. To add one, enter it, as a study file does for
tables and clusters to know its name; or give the function to a setup, `aj.Setup(loss=log_cosh)`:

    aj.LOSSES["log_cosh"] = lambda p, t: jnp.logaddexp(p - t, t - p) - jnp.log(2.0)
"""

from __future__ import annotations

import functools
import itertools
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from arithjax.errors import ArithjaxError, nearest
from arithjax.registry import LOSSES, OPTIMIZERS
from arithjax.setup import FIELDS, Setup
from arithjax.task import trying

NUMBERS = [name for name, field in FIELDS.items() if field.usual is not None]
Numbers = namedtuple("Numbers", NUMBERS)  # type: ignore[misc]
"""The hyperparameters of optimisers' rules besides the learning rate, all of them fields of a setup: scalars."""


class Optimizer:
    """An optax gradient transformation without its learning rate, and the defaults of its hyperparameters.

    name: in the registry. source: where it is from, such as `Kingma & Ba 2015`.
    rule: makes the transformation from `Numbers`.
    weight_decay: the default.
    decoupled: weight decay is added to the direction (AdamW, Lion), not to the gradient (L2).
    start: what its state holds before the first step.
    defaults: of hyperparameters whose default is not the usual one, such as `beta2=0.9`.
    """

    def __init__(
        self,
        name: str,
        source: str,
        rule: Callable[[Any], optax.GradientTransformation],
        *,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        start: float = 0.0,
        **defaults: float,
    ):
        if unknown := [field for field in defaults if field not in NUMBERS]:
            raise ArithjaxError(
                f"optimizer '{name}': {unknown[0]} is no hyperparameter{nearest(unknown[0], NUMBERS)} "
                f"There are {', '.join(NUMBERS)}."
            )
        self.name, self.source, self.rule = name, source, rule
        self.weight_decay, self.decoupled, self.start, self.defaults = weight_decay, decoupled, start, defaults

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.source

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the rule is one that nets can share a program with (see `_tried`)."""
        _tried(self)

    def numbers(self, **given: float | None) -> Numbers:
        """All hyperparameters: those that are given and not None, and the defaults of the others."""
        chosen = self.defaults | {name: value for name, value in given.items() if value is not None}
        return Numbers(*(chosen.get(field, FIELDS[field].usual) for field in NUMBERS))


FROM_ONE = Optimizer(
    "rmsprop:1",
    "rmsprop whose mean square starts at 1, as TensorFlow 1 has it",
    lambda n: optax.scale_by_rms(n.beta2, n.epsilon, initial_scale=1.0),
    start=1.0,
    beta2=0.9,
    epsilon=1e-10,
)

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
    derive={FROM_ONE.name: FROM_ONE}.get,
    families={FROM_ONE.name: FROM_ONE.about},
)


@dataclass(frozen=True)
class Loss:
    """A loss of predictions `p` and targets `t` of equal shapes, elementwise, in the net's own (transformed) units.

    link: what turns the outputs of a net that was trained with it into predictions in those units, if they are not.
    shared: whether it is no elementwise one, but of all classes of a result, `[batch, classes, ...] -> [batch, ...]`.
    """

    name: str
    formula: str
    fn: Callable[[Float[Array, "*shape"], Float[Array, "*shape"]], Float[Array, " ..."]]
    link: Callable[[Array], Array] | None = None
    shared: bool = False

    @property
    def about(self) -> str:
        """A line for lists."""
        return self.formula

    def mean(
        self,
        p: Float[Array, "batch *outputs lanes"],
        t: Float[Array, "batch *outputs lanes"],
        blocks: tuple[int, ...] = (),
    ) -> Float[Array, " lanes"]:
        """The mean loss of each lane, `[lanes]`, over a batch and all outputs.

        blocks: how many classes each result has, whose outputs stand one after the other; for shared losses.
        """
        if self.shared:
            ends = (0, *itertools.accumulate(blocks))
            parts = [self.fn(p[:, start:stop], t[:, start:stop]).mean(0) for start, stop in itertools.pairwise(ends)]
            return functools.reduce(jnp.add, parts) / len(blocks)
        losses = self.fn(p, t).mean(0)
        return losses.mean(0) if losses.ndim > 1 else losses

    def obstacle(self, low: float, high: float) -> str:
        """Why nets whose targets lie from `low` to `high`, as they are shown, cannot train with it; else empty.

        It and its gradient have to be finite for targets and predictions throughout, also where these are equal.
        """
        return _obstacle(self, low, high)

    def try_out(self) -> None:
        """Raise `ArithjaxError` unless the function is elementwise, or of all classes, and has a gradient."""
        p, t = (np.linspace(0.1, end, 12, dtype=np.float32).reshape(4, 3) for end in (0.9, 0.6))
        if self.shared:
            found = trying.called(f"loss '{self.name}'", self.fn, p[..., None], t[..., None])
            if found.shape != (4, 1):
                raise ArithjaxError(
                    f"loss '{self.name}' gives shape {found.shape} for [4, 3, 1]; it is to give [4, 1]."
                )
            return
        trying.elementwise(f"loss '{self.name}'", self.fn, p, t)


@functools.lru_cache(maxsize=256)
def _obstacle(loss: Loss, low: float, high: float) -> str:
    p, t = (pairs.ravel() for pairs in np.meshgrid(*[np.linspace(low, high, 9)] * 2))
    given = jnp.asarray(p, float), jnp.asarray(t, float)
    with np.errstate(all="ignore"):
        value, slope = loss.fn(*given), jax.grad(lambda p, t: loss.fn(p, t).sum())(*given)
    for what, found in (("it", np.asarray(value)), ("its gradient", np.asarray(slope))):
        if (bad := ~np.isfinite(found)).any():
            i = int(np.argmax(bad))
            return f"{what} is {found[i]:g} for the prediction {p[i]:.4g} and the target {t[i]:.4g}"
    return ""


LOSSES.fill(
    Loss,
    [
        Loss("mse", "(p - t)²", lambda p, t: (p - t) ** 2),
        Loss("mae", "|p - t|", lambda p, t: jnp.abs(p - t)),
        Loss("huber", "Huber, δ = 1", lambda p, t: optax.losses.huber_loss(p, t)),
        Loss("relative", "((p - t) / (1 + |t|))²", lambda p, t: ((p - t) / (1 + jnp.abs(t))) ** 2),
        Loss(
            "bit_cross_entropy",
            "-t ln σ(p) - (1 - t) ln(1 - σ(p)), for targets 0 and 1",
            lambda p, t: jnp.maximum(p, 0) - p * t + jnp.log1p(jnp.exp(-jnp.abs(p))),
            link=jax.nn.sigmoid,
        ),
        Loss(
            "cross_entropy",
            "-ln softmax(p) of the right class, for one-hot targets",
            lambda p, t: -(t * jax.nn.log_softmax(p, 1)).sum(1),
            shared=True,
        ),
    ],
    made=Loss,
)


def default(value: float | None, otherwise: float) -> float:
    """A field's value, or what stands for None."""
    return otherwise if value is None else value


def numbers_of(setup: Setup) -> Numbers:
    """The hyperparameters of a setup's optimiser: its own, or the optimiser's defaults."""
    return OPTIMIZERS[setup.optimizer].numbers(**{field: getattr(setup, field) for field in NUMBERS})


def decay_of(setup: Setup) -> float:
    """The weight decay of a setup: its own, or its optimiser's."""
    return default(setup.weight_decay, OPTIMIZERS[setup.optimizer].weight_decay)


def slots(optimizer: Optimizer, numbers: Numbers, params: Any) -> int:
    """How many trees of the parameters' shape an optimiser keeps."""
    state = jax.eval_shape(optimizer.rule(numbers).init, params)
    kept = sum(not jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in jax.tree.leaves(state))
    return kept // len(jax.tree.leaves(params))


def direction(
    optimizer: Optimizer, numbers: Numbers, gradient: Any, params: Any, moments: tuple, step: Int[Array, ""]
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


def _tried(optimizer: Optimizer) -> None:
    """Raise unless a rule goes downhill, each number of a parameter by itself, with a state that `direction` knows.

    Three steps of the rule as optax takes them are compared with those of `direction`.
    """
    what = f"optimizer '{optimizer.name}'"
    numbers, params = optimizer.numbers(), {"w": jnp.linspace(0.5, 1.5, 12).reshape(2, 3, 2)}
    gradient = jax.tree.map(lambda p: jnp.cos(3 * p), params)
    try:
        rule = optimizer.rule(numbers)
        state = rule.init(params)
        moments = (jax.tree.map(jnp.zeros_like, params),) * slots(optimizer, numbers, params)
        shapes = [leaf.shape for leaf in jax.tree.leaves(state) if not jnp.issubdtype(leaf.dtype, jnp.integer)]
        if shapes != [leaf.shape for leaf in jax.tree.leaves(moments)]:
            raise ArithjaxError(
                f"{what} keeps numbers of shapes {shapes} for parameters of shape (2, 3, 2); it has to keep some for "
                "each parameter, of its shape, and counts of steps alone."
            )
        first = direction(optimizer, numbers, _changed(gradient), params, moments, jnp.int32(0))[0]["w"]
        for step in range(3):
            native, state = rule.update(gradient, state, params)
            moved, moments = direction(optimizer, numbers, gradient, params, moments, jnp.int32(step))
            if step == 0 and not np.allclose(first[..., 0], moved["w"][..., 0], rtol=1e-4, atol=1e-7):
                raise ArithjaxError(
                    f"{what} mixes the numbers of a parameter, as norms do; nets would not be independent."
                )
            if not np.allclose(native["w"], moved["w"], rtol=1e-4, atol=1e-7):
                raise ArithjaxError(f"{what}: its state has to start with zeros, and to count steps alone.")
    except ArithjaxError:
        raise
    except Exception as error:
        raise ArithjaxError(
            f"{what} fails ({trying.reason(error)}); its rule has to make an optax.GradientTransformation that needs "
            "gradients and parameters alone, such as lambda n: optax.scale_by_adam(n.beta1, n.beta2)."
        ) from None
    if float((moved["w"] * gradient["w"]).sum()) <= 0:
        raise ArithjaxError(
            f"{what} goes uphill, as rules do that include a learning rate (optax.adam); leave that out "
            "(optax.scale_by_adam), since the setup's is applied afterwards."
        )


def _changed(gradient: Any) -> Any:
    """A gradient that is another one in all but the first net."""
    return jax.tree.map(lambda g: g.at[..., 1:].multiply(-30.0), gradient)


def clip_norm(gradient: Any, limit: Float[Array, "*net"], axes: Callable[[Array], tuple[int, ...]]) -> Any:
    """Each net's gradient scaled down to a global norm of at most `limit` (Pascanu et al. 2013).

    axes: those of a leaf that belong to one net.
    """
    squares = [jnp.sum(g * g, axis=axes(g), keepdims=g.ndim > len(axes(g))) for g in jax.tree.leaves(gradient)]
    norm = jnp.sqrt(functools.reduce(jnp.add, squares))
    factor = jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-30))
    return jax.tree.map(lambda g: g * factor, gradient)
