"""Finishing: after its optimiser's steps, a net may go on by second-order steps on all its own examples at once.

The method is Levenberg-Marquardt with geodesic acceleration (Transtrum & Sethna 2012, arXiv:1201.5885): least
squares of small smooth nets are long curved canyons, along which first-order and quasi-Newton methods creep. It
minimises the mean squared error in the net's own units, without regulariser, weight decay, clipping and training noise.

The arithmetic is in double precision for every net, and each point a step leads to is rounded to the net's own.
Each net is finished alone, in a program of its own exact shape, so that its bits are its own.
"""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Int32

from arithjax.architecture import check_finishable
from arithjax.environment import arithmetic
from arithjax.errors import Interrupted
from arithjax.models.network import PRODUCT, Architecture
from arithjax.training.compiled import compiled, lanes_options
from arithjax.training.initial import parameter_shapes
from arithjax.training.specs import EvalSpec, specs_of
from arithjax.training.tile import NetId, Tile, architecture_of, per_net_arrays, shared_arrays
from arithjax.training.trainer import Trainer

START, UP, DOWN = 1e-2, 2.0, 5.0
"""The damping at first, and its factors after a step that is refused and one that is accepted."""
LARGEST = 1e8
"""The damping at which no step lessens the loss any more."""
ACCELERATION = 0.75
"""The bound α on 2 |acceleration| / |velocity| of a step (Transtrum & Sethna 2012)."""
SUMMED, FACTORED = 128, 64
"""Examples summed, and columns factored, at once: XLA and LAPACK split larger products and factorisations among
threads, and bits would depend on the number of cores."""
CURVATURE_STEP = 0.1
"""The part of a step over which its second derivative is measured."""


class Search(NamedTuple):
    """A net's parameters as a vector, the sum of its squared errors, the damping, the steps done."""

    params: Float[Array, " parameters"]
    loss: Float[Array, ""]
    damping: Float[Array, ""]
    steps: Int32[Array, ""]


def finish(trainer: Trainer, stop: threading.Event | None = None) -> Int[np.ndarray, " nets"]:
    """Finish every net of a trainer's tile; the steps that each place took, `[nets]`.

    Raises:
        Interrupted: `stop` was set.
    """
    spec, setup = trainer.tile.specs.train, trainer.tile.setup
    params, taken = jax.tree.map(np.array, trainer.state.params), np.zeros(spec.nets, int)
    for place, net in enumerate(trainer.tile.nets):
        if stop is not None and stop.is_set():
            raise Interrupted
        x, t = (np.asarray(a[..., place : place + 1], float) for a in (trainer.examples.x, trainer.examples.t))
        held = spec.layout.take(params, place)
        with arithmetic("float64"):
            alone, architecture = _alone(net)
            start = jax.tree.map(lambda leaf: leaf.astype(float), held)
            end, taken[place] = minimise(alone, start, x, t, jnp.int32(setup.finish), architecture)
        _write(held, jax.tree.map(np.asarray, end))
    with trainer.tile.arithmetic:
        trainer.state = trainer.state._replace(params=jax.tree.map(jnp.asarray, params))
    return taken


def _write(views: Any, values: Any) -> None:
    """Write values into views of a tile's parameters."""
    for view, value in zip(jax.tree.leaves(views), jax.tree.leaves(values), strict=True):
        view[...] = value


def _alone(net: NetId) -> tuple[EvalSpec, Architecture]:
    """The exact network of one net and of no other, and its architecture.

    Raises:
        ArithjaxError: it has too many parameters to be finished.
    """
    tile = Tile(specs_of(net.setup, layout=PRODUCT), (net,))
    shared, per_net = shared_arrays(tile), per_net_arrays(tile)
    spec = tile.specs.train.evaluation
    check_finishable(net.setup, sum(map(math.prod, parameter_shapes(spec, shared, per_net))))
    return spec, architecture_of(shared, per_net)


@compiled(lambda spec: lanes_options())
def minimise(
    spec: EvalSpec,
    params: Any,
    x: Float[Array, "examples inputs 1"],
    t: Float[Array, "examples *outputs 1"],
    steps: Int32[Array, ""],
    architecture: Architecture,
) -> tuple[Any, Int32[Array, ""]]:
    """One net's parameters after at most `steps` steps, and the steps done.

    x, t: `[examples, inputs, 1]`, `[examples, *outputs, 1]`; each output of an example is a residual. A step that
    does not lessen the loss, or leads to no finite one, is refused; a net that no step helps ends.
    """
    start, restore = ravel_pytree(params)
    several = t.ndim > 2

    def errors(
        vector: Float[Array, " parameters"],
        x: Float[Array, "examples inputs 1"],
        t: Float[Array, "examples *outputs 1"],
    ) -> Float[Array, " residuals"]:
        return (spec.network.predict(restore(vector), x, architecture) - t).reshape(-1)

    def error(
        vector: Float[Array, " parameters"], x: Float[Array, "inputs 1"], t: Float[Array, "*outputs 1"]
    ) -> Float[Array, " *outputs"]:
        return errors(vector, x[None], t[None]) if several else errors(vector, x[None], t[None])[0]

    def residuals_of(params: Float[Array, " parameters"]) -> tuple[Array, Array]:
        """All residuals, and their slopes `[residuals, parameters]`."""
        if not several:
            return jax.vmap(jax.value_and_grad(error), (None, 0, 0))(params, x, t)
        slopes = jax.vmap(jax.jacrev(error), (None, 0, 0))(params, x, t)
        return errors(params, x, t), slopes.reshape(-1, len(params))

    def rounded(vector: Float[Array, " parameters"]) -> Float[Array, " parameters"]:
        """To the net's own precision, and within the bounds of its weights."""
        vector = vector.astype(spec.precision).astype(vector.dtype)
        free = restore(vector)
        bounded = spec.network.constrain(free)
        return vector if bounded is free else ravel_pytree(bounded)[0]

    def step(search: Search) -> Search:
        params = search.params
        residuals, jacobian = residuals_of(params)
        matrix = _gram(jacobian)
        factor = _cholesky(matrix + search.damping * jnp.diag(jnp.diag(matrix) + 1e-30))

        def solve(b: Float[Array, " parameters"]) -> Float[Array, " parameters"]:
            return jax.scipy.linalg.cho_solve((factor, True), b)

        velocity = -solve(jacobian.T @ residuals)
        probe = errors(params + CURVATURE_STEP * velocity, x, t)
        curvature = 2 / CURVATURE_STEP * ((probe - residuals) / CURVATURE_STEP - jacobian @ velocity)
        acceleration = -solve(jacobian.T @ curvature)
        small = 2 * jnp.linalg.norm(acceleration) <= ACCELERATION * jnp.linalg.norm(velocity)
        candidate = rounded(params + velocity + acceleration / 2)
        loss = (errors(candidate, x, t) ** 2).sum()
        accepted = small & (loss < search.loss)
        damping = jnp.where(accepted, search.damping / DOWN, search.damping * UP)
        return Search(
            jnp.where(accepted, candidate, params),
            jnp.where(accepted, loss, search.loss),
            jnp.maximum(damping, jnp.finfo(params.dtype).eps),
            search.steps + 1,
        )

    def going(search: Search) -> Bool[Array, ""]:
        return (search.steps < steps) & (search.damping < LARGEST)

    begin = Search(start, (errors(start, x, t) ** 2).sum(), jnp.asarray(START, start.dtype), jnp.int32(0))
    end = jax.lax.while_loop(going, step, begin)
    return restore(end.params), end.steps


def _gram(jacobian: Float[Array, "examples parameters"]) -> Float[Array, "parameters parameters"]:
    """`jacobian.T @ jacobian` for `jacobian [examples, parameters]`, block by block."""
    examples, parameters = jacobian.shape
    filled = jnp.pad(jacobian, ((0, -examples % SUMMED), (0, 0)))

    def add(
        total: Float[Array, "parameters parameters"], block: Float[Array, "examples parameters"]
    ) -> tuple[Float[Array, "parameters parameters"], None]:
        return total + block.T @ block, None

    zero = jnp.zeros((parameters, parameters), jacobian.dtype)
    return jax.lax.scan(add, zero, filled.reshape(-1, SUMMED, parameters))[0]


def _cholesky(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The lower triangular factor of a symmetric `matrix`, block of columns by block of columns."""
    if len(matrix) <= FACTORED:
        return jnp.linalg.cholesky(matrix)
    corner, below, rest = matrix[:FACTORED, :FACTORED], matrix[FACTORED:, :FACTORED], matrix[FACTORED:, FACTORED:]
    corner = jnp.linalg.cholesky(corner)
    below = jax.scipy.linalg.solve_triangular(corner, below.T, lower=True).T
    rest = _cholesky(rest - below @ below.T)
    return jnp.block([[corner, jnp.zeros_like(below.T)], [below, rest]])
