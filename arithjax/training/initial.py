"""The start of a training: initial weights and each net's own examples, drawn from its identity alone."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from arithjax.models.initializers import Scaling, scaled
from arithjax.models.mlp import layer_keys
from arithjax.models.network import Architecture
from arithjax.task import draws, examples
from arithjax.task.examples import Examples, Range, folded
from arithjax.task.operations import Operation
from arithjax.task.points import Task, kinds_of
from arithjax.training.blocks import by_lanes
from arithjax.training.compiled import compiled
from arithjax.training.inference import shown
from arithjax.training.optimizers import slots
from arithjax.training.specs import DataSpec, DrawSpec, EvalSpec, TrainSpec
from arithjax.training.tile import PerNet, Shared, architecture_of

LAYERS, NUMBERS = 5, 1024
"""A program makes the keys of a multiple of so many layers; and so many numbers of a kernel."""


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
    """Initial parameters of every net."""
    number, shapes = jnp.uint32(purpose), spec.network.kernels(spec.inputs)
    if shapes is None:
        return draw(spec, root, per_net.identity, architecture_of(shared, per_net), number)
    layers = -(-len(shapes) // LAYERS) * LAYERS
    keys = np.asarray(by_lanes(kernel_keys, layers, per_net.identity, root, number))
    kernels = [_kernel(spec, key, shape, shared.scaling) for key, shape in zip(keys, shapes, strict=False)]
    return jax.device_put(spec.layout.from_lanes(spec.network.of_kernels(kernels)))


@compiled()
def kernel_keys(
    layers: int, identity: UInt32[Array, "3 nets"], root: UInt32[Array, ""], purpose: UInt32[Array, ""]
) -> UInt32[Array, "layers 2 nets"]:
    """The words of the keys that so many layers of every net draw their kernels with."""
    return jax.vmap(lambda key: layer_keys(key, layers), out_axes=-1)(keys_of(identity, root, purpose))


def _kernel(
    spec: EvalSpec, keys: UInt32[np.ndarray, "2 nets"], shape: tuple[int, int], scaling: Scaling
) -> Float[np.ndarray, "inputs outputs nets"]:
    """A layer's kernel of every net, drawn some numbers at a time."""
    fans = [np.int32(size) for size in shape]
    starts = range(0, math.prod(shape), NUMBERS)
    parts = [by_lanes(weights, spec.precision, keys, np.uint32(start), *fans, scaling) for start in starts]
    drawn = np.concatenate(parts) if len(parts) > 1 else np.asarray(parts[0])
    return drawn[: math.prod(shape)].reshape(*shape, -1)


@compiled()
def weights(
    precision: str,
    keys: UInt32[Array, "2 nets"],
    start: UInt32[Array, ""],
    fan_in: Int[Array, ""],
    fan_out: Int[Array, ""],
    scaling: Scaling,
) -> Float[Array, "numbers nets"]:
    """Some numbers of every net's kernel, from the one that stands at `start`, row by row."""
    return scaled(2 * draws.uniform(keys, NUMBERS, start) - 1, fan_in, fan_out, scaling)


def resting(spec: TrainSpec, params: Any, shared: Shared) -> State:
    """Parameters with the state of an optimiser that has made no step."""
    start, count = spec.optimizer.start, slots(spec.optimizer, shared.numbers, params)
    # numpy's, since jax would compile a program for each shape
    moments = (jax.tree.map(lambda p: jax.device_put(np.full(p.shape, start, p.dtype)), params),) * count
    return State(params, moments, no_losses(spec))


def no_losses(spec: TrainSpec) -> tuple[Array, ...]:
    """The sums of the losses of no batches, in the spec's layout; nothing where batches are not watched."""
    zeros = np.zeros(spec.nets, spec.precision)
    return (jax.device_put(spec.layout.from_lanes(zeros)),) * 2 if spec.watched else ()


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
    if task.tabled:
        x, t = _of_table(task, spec, root, per_net)
    else:
        x = by_lanes(arguments, spec.draws, per_net.identity, root, shared.interval)
        t = by_lanes(results, spec.op, x) if task.traced and not noise else _exact(task, x)
    if noise:
        t = by_lanes(noisy, spec.examples, (per_net.identity, t), root, np.asarray(noise, t.dtype))
    inputs, input_fit = shown(spec.inputs, x, shared.input_transform)
    targets, target_fit = shown(spec.targets, t, shared.target_transform)
    return Examples(inputs, targets, input_fit, target_fit)


def _exact(task: Task, x: Float[Array, "examples arity nets"]) -> Float[np.ndarray, "examples *outputs nets"]:
    """Exact results of every net's arguments, rounded."""
    flat = np.moveaxis(np.asarray(x), -1, 0).reshape(-1, x.shape[1])
    t = task.op.exact(flat, task.integers).t
    return np.moveaxis(t.reshape(x.shape[-1], -1, *t.shape[1:]), 0, -1).astype(x.dtype)


def _of_table(
    task: Task, spec: DataSpec, root: UInt32[Array, ""], per_net: PerNet
) -> tuple[Float[np.ndarray, "examples arity nets"], Float[np.ndarray, "examples *outputs nets"]]:
    """Arguments and targets from the rows of a table that nets train on: each of them, or drawn by every net."""
    assert task.domain is not None
    assert task.domain_truth is not None
    x, t = task.domain[task.trained], task.domain_truth.t[task.trained]
    if task.once:
        rows = np.broadcast_to(np.arange(len(x))[:, None], (len(x), spec.nets))
    else:
        starts, counts, by_kind = kinds_of(t if task.balanced else np.zeros_like(t))
        rows = by_kind[np.asarray(by_lanes(picked, spec.examples, per_net.identity, root, starts, counts))]
    return np.moveaxis(x[rows], -1, 1), np.moveaxis(t[rows], 1, -1).astype(x.dtype)


@compiled()
def picked(
    count: int,
    identity: UInt32[Array, "3 nets"],
    root: UInt32[Array, ""],
    starts: Int[Array, " kinds"],
    counts: Int[Array, " kinds"],
) -> Int[Array, "examples nets"]:
    """Every net's own rows of a table `[count, nets]`, whose kinds stand one after the other, drawn in turns."""
    words, kind = draws.words_of(keys_of(identity, root, 1)), jnp.arange(count)[:, None] % len(starts)
    return starts[kind] + draws.integers(words, count, jnp.zeros_like(counts[kind]), counts[kind])


@compiled()
def noisy(
    count: int,
    identity_t: tuple[UInt32[Array, "3 nets"], Float[Array, "examples *outputs nets"]],
    root: UInt32[Array, ""],
    noise: Float[Array, ""],
) -> Float[Array, "examples *outputs nets"]:
    """`count` targets of every net with Gaussian noise of a standard deviation."""
    identity, t = identity_t
    keys = folded(keys_of(identity, root, 1), 2)
    return t + noise * jax.vmap(lambda key: jax.random.normal(key, t.shape[:-1], t.dtype), out_axes=-1)(keys)


@compiled()
def arguments(
    spec: DrawSpec, identity: UInt32[Array, "3 nets"], root: UInt32[Array, ""], interval: Range
) -> Float[Array, "examples arity nets"]:
    """Every net's own arguments, lanes last."""
    keys = keys_of(identity, root, 1)
    return examples.arguments(keys, spec.drawn, spec.integers, spec.examples, interval, spec.distribution)


@compiled()
def results(op: Operation, x: Float[Array, "examples arity nets"]) -> Float[Array, "examples *outputs nets"]:
    """Targets of every net's own arguments."""
    return op(x)
