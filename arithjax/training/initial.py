"""The start of a training: initial weights and each net's own examples, drawn from its identity alone."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from arithjax.models.network import LANES, Architecture
from arithjax.task import examples
from arithjax.task.examples import Examples
from arithjax.task.points import Task, kinds_of
from arithjax.training.compiled import compiled
from arithjax.training.optimizers import slots
from arithjax.training.specs import DataSpec, EvalSpec, TrainSpec
from arithjax.training.tile import PerNet, Shared, architecture_of


class State(NamedTuple):
    """Parameters, and the optimiser's trees of the same shape.

    losses: where batches are watched, the sums of their losses and of the squares since they were last read.
    """

    params: Any
    moments: tuple[Any, ...]
    losses: tuple[Any, ...] = ()


def keys_of(
    identity: UInt32[Array, "3 nets"], root: UInt32[Array, ""], purpose: int | UInt32[Array, ""]
) -> Key[Array, " nets"]:
    """Keys `[nets]` for one purpose, from each net's `identity [3, nets]` alone.

    purpose: 0 for weights, 1 for examples, 1 + s for weights again after step s.
    """

    def of_net(words: UInt32[Array, " 3"]) -> Key[Array, ""]:
        return jax.random.fold_in(functools.reduce(jax.random.fold_in, words, key), purpose)

    # as `jax.random.key(root)` makes it, but for the offset that the user's settings may add to every seed
    key = jax.random.wrap_key_data(jnp.stack([jnp.uint32(0), jnp.uint32(root)]), impl="threefry2x32")
    return jax.vmap(of_net, in_axes=1)(identity)


@compiled()
def draw(
    spec: EvalSpec,
    root: UInt32[Array, ""],
    identity: UInt32[Array, "3 nets"],
    architecture: Architecture,
    purpose: UInt32[Array, ""],
) -> Any:
    """Parameters of every net, in the spec's layout, each drawn from its own key for this purpose."""

    def of_net(key: Key[Array, ""], widths: Int[Array, " sizes"]) -> Any:
        return spec.network.initial(key, spec.inputs, architecture._replace(widths=widths[:, None]))

    keys = keys_of(identity, root, purpose)
    if spec.layout.lanes:
        params = jax.vmap(of_net, in_axes=(0, 1), out_axes=-1)(keys, architecture.widths)
        params = jax.tree.map(lambda p: jnp.squeeze(p, -2), params)  # the one lane each was drawn in
    else:
        params = jax.vmap(of_net, in_axes=(0, 1))(keys, architecture.widths)
    if spec.precision == "float64":  # whatever a user's own module draws
        params = jax.tree.map(lambda p: p.astype(float), params)
    return params


def initial_params(spec: EvalSpec, root: UInt32[Array, ""], shared: Shared, per_net: PerNet, purpose: int = 0) -> Any:
    """Initial parameters of every net.

    They are drawn for the network that the spec's is drawn as, so that few programs draw for all architectures.
    """
    architecture, number = architecture_of(shared, per_net), jnp.uint32(purpose)
    drawn_as = spec.network.drawn_as()
    if drawn_as is spec.network:
        return draw(spec, root, per_net.identity, architecture, number)
    wide = replace(spec, network=drawn_as, layout=LANES)
    drawn = draw(wide, root, per_net.identity, _deepened(architecture, len(drawn_as.features)), number)
    own = spec.network.resize(drawn, spec.inputs, spec.network.features)
    return jax.tree.map(jnp.asarray, spec.layout.from_lanes(own))


def _deepened(architecture: Architecture, depth: int) -> Architecture:
    """The architecture of deeper nets: layers of one unit are added, whose weights are not used."""
    widths = np.asarray(architecture.widths)
    filled = np.ones((depth + 1, widths.shape[1]), widths.dtype)
    filled[: len(widths)] = widths
    return Architecture(jnp.asarray(filled), architecture.branch, architecture.scaling)


def resting(spec: TrainSpec, params: Any, shared: Shared) -> State:
    """Parameters with the state of an optimiser that has made no step."""
    start, count = spec.optimizer.start, slots(spec.optimizer, shared.numbers, params)
    # numpy's, since jax would compile a program for each shape
    moments = (jax.tree.map(lambda p: jnp.asarray(np.full(p.shape, start, p.dtype)), params),) * count
    return State(params, moments, no_losses(spec))


def no_losses(spec: TrainSpec) -> tuple[Array, ...]:
    """The sums of the losses of no batches, in the spec's layout; nothing where batches are not watched."""
    zeros = np.zeros(spec.nets, spec.precision)
    return (jnp.asarray(spec.layout.from_lanes(zeros)),) * 2 if spec.watched else ()


@compiled()
def uniform_params(
    spec: EvalSpec, root: UInt32[Array, ""], identity: UInt32[Array, "3 nets"], like: Any, purpose: UInt32[Array, ""]
) -> Any:
    """Parameters of every net, shaped `like` those, uniform on [-2, 2): new starts of Schlör et al. (2020)."""
    axis = -1 if spec.layout.lanes else 0
    leaves, structure = jax.tree.flatten(like)
    keys = keys_of(identity, root, purpose)

    def of_net(key: Key[Array, ""]) -> list[Array]:
        shapes = [leaf.shape[:-1] if axis else leaf.shape[1:] for leaf in leaves]
        draws = [jax.random.uniform(jax.random.fold_in(key, i), shape) for i, shape in enumerate(shapes)]
        return [4 * draw - 2 for draw in draws]

    return jax.tree.unflatten(structure, jax.vmap(of_net, out_axes=axis)(keys))


def parameter_shapes(spec: EvalSpec, shared: Shared, per_net: PerNet) -> list[tuple[int, ...]]:
    """The shapes of one net's parameters, in the order of their leaves; nothing is drawn."""
    architecture = architecture_of(shared, per_net)
    of_one = architecture._replace(widths=architecture.widths[:, :1])
    params = jax.eval_shape(lambda: spec.network.initial(jax.random.key(0), spec.inputs, of_one))
    return [leaf.shape for leaf in jax.tree.leaves(params)]


def examples_of(
    task: Task, spec: DataSpec, root: UInt32[Array, ""], shared: Shared, per_net: PerNet, noise: float = 0.0
) -> Examples:
    """Every net's own examples, transformed, lanes last; targets that no program computes rightly are rounded ones.

    noise: standard deviation of what is added to targets, in original units.
    """
    if task.traced and not task.tabled and not noise:
        return prepare(spec, root, shared, per_net)
    if task.tabled:
        x, t = _of_table(task, spec, root, per_net)
    else:
        x = arguments(spec, root, shared, per_net)
        flat = np.moveaxis(np.asarray(x), -1, 0).reshape(-1, task.op.arity)
        exact = task.op.exact(flat, task.integers).t
        t = jnp.asarray(np.moveaxis(exact.reshape(spec.nets, -1, *exact.shape[1:]), 0, -1), x.dtype)
    if noise:
        t = noisy(spec, root, per_net.identity, t, jnp.asarray(noise, t.dtype))
    return shown(spec, x, t, shared)


def _of_table(
    task: Task, spec: DataSpec, root: UInt32[Array, ""], per_net: PerNet
) -> tuple[Float[Array, "examples arity nets"], Float[Array, "examples *outputs nets"]]:
    """Arguments and targets from the rows of a table that nets train on: each of them, or drawn by every net."""
    assert task.domain is not None
    assert task.domain_truth is not None
    x, t = task.domain[task.trained], task.domain_truth.t[task.trained]
    if task.once:
        rows = np.broadcast_to(np.arange(len(x))[:, None], (len(x), spec.nets))
    else:
        starts, counts, by_kind = kinds_of(t if task.balanced else np.zeros_like(t))
        rows = by_kind[np.asarray(picked(spec, root, per_net.identity, jnp.asarray(starts), jnp.asarray(counts)))]
    return jnp.asarray(np.moveaxis(x[rows], -1, 1)), jnp.asarray(np.moveaxis(t[rows], 1, -1).astype(x.dtype))


@compiled()
def picked(
    spec: DataSpec,
    root: UInt32[Array, ""],
    identity: UInt32[Array, "3 nets"],
    starts: Int[Array, " kinds"],
    counts: Int[Array, " kinds"],
) -> Int[Array, "examples nets"]:
    """Every net's own rows of a table `[examples, nets]`, whose kinds stand one after the other, drawn in turns."""
    kind = jnp.arange(spec.examples) % len(starts)

    def of_net(key: Key[Array, ""]) -> Int[Array, " examples"]:
        return starts[kind] + jax.random.randint(key, (spec.examples,), 0, counts[kind])

    return jax.vmap(of_net, out_axes=-1)(keys_of(identity, root, 1))


@compiled()
def noisy(
    spec: DataSpec,
    root: UInt32[Array, ""],
    identity: UInt32[Array, "3 nets"],
    t: Float[Array, "examples *outputs nets"],
    noise: Float[Array, ""],
) -> Float[Array, "examples *outputs nets"]:
    """Targets with Gaussian noise of a standard deviation, drawn by every net."""
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys_of(identity, root, 1), 2)
    return t + noise * jax.vmap(lambda key: jax.random.normal(key, t.shape[:-1], t.dtype), out_axes=-1)(keys)


@compiled()
def arguments(
    spec: DataSpec, root: UInt32[Array, ""], shared: Shared, per_net: PerNet
) -> Float[Array, "examples arity nets"]:
    """Every net's own arguments, lanes last."""
    assert spec.op is not None
    keys = keys_of(per_net.identity, root, 1)
    return examples.arguments(keys, spec.op, spec.integers, spec.examples, shared.interval, spec.distribution)


@compiled()
def shown(
    spec: DataSpec, x: Float[Array, "examples arity nets"], t: Float[Array, "examples *outputs nets"], shared: Shared
) -> Examples:
    """Arguments and targets of every net as its transforms show them."""
    chosen = shared.input_transform, shared.target_transform
    return examples.shown(x, t, spec.transforms, chosen, spec.encoder, spec.target_encoder)


@compiled()
def prepare(spec: DataSpec, root: UInt32[Array, ""], shared: Shared, per_net: PerNet) -> Examples:
    """Every net's own examples, transformed, lanes last."""
    return examples.prepare(
        keys_of(per_net.identity, root, 1),
        spec.op,
        spec.integers,
        spec.examples,
        spec.transforms,
        shared.interval,
        spec.distribution,
        (shared.input_transform, shared.target_transform),
        spec.encoder,
        spec.target_encoder,
    )
