"""Finishing: once its optimiser is done, a net may go on by second-order steps on all its own examples at once.

The method is Levenberg-Marquardt with geodesic acceleration (Transtrum & Sethna 2012, arXiv:1201.5885): least
squares of small smooth nets are long curved canyons, along which first-order and quasi-Newton methods creep. It makes
the mean squared error in the net's own units small; regulariser, weight decay and clipping have no part in it, and the
noise that units draw in training has none either.

The arithmetic is in double precision for every net, and each place a step leads to is rounded to the net's own.
Each net is finished alone, in a program of its own exact shape, so that its bits are its own.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from arithjax.errors import Interrupted
from arithjax.models.mlp import Architecture
from arithjax.setup import check_finishable
from arithjax.task.examples import Examples
from arithjax.training import compiled, programs
from arithjax.training.arrays import choices_arrays, nets_arrays
from arithjax.training.planning import Candidates, NetId, Tile, program_of

START, UP, DOWN = 1e-2, 2.0, 5.0
"""The damping at first, and its factors after a step that is refused and one that is taken."""

LARGEST = 1e8
"""The damping at which there is no way down any more."""

ACCELERATION = 0.75
"""The bound α on 2 |acceleration| / |velocity| of a step (Transtrum & Sethna 2012)."""

SUMMED, FACTORED = 128, 64
"""Examples summed, and columns factored, at once: XLA and LAPACK split larger products and factorisations among
threads, and bits would depend on the number of cores."""

CURVATURE_STEP = 0.1
"""The part of a step over which its second derivative is measured."""


class Search(NamedTuple):
    """Where a net is: its parameters as a vector, the sum of its squared errors, the damping, the steps done."""

    place: jax.Array
    loss: jax.Array
    damping: jax.Array
    steps: jax.Array


def finish_tile(
    tile: Tile, state: programs.State, examples: Examples, stop: threading.Event | None = None
) -> tuple[programs.State, np.ndarray]:
    """The state with every net of the tile finished, and the steps each place took, `[nets]`."""
    params, taken = jax.tree.map(np.array, state.params), np.zeros(tile.program.nets, int)
    leaves, structure = jax.tree.flatten(params)
    for place, net in enumerate(tile.nets):
        if stop is not None and stop.is_set():
            raise Interrupted
        own = np.s_[place] if tile.program.leading else np.s_[..., place : place + 1]
        x, t = (np.asarray(data[..., place : place + 1], float) for data in (examples.x, examples.t))
        with jax.enable_x64(True):
            program, architecture, shapes = _alone(net)
            held = [leaf[own][_corner(shape)] for leaf, shape in zip(leaves, shapes, strict=True)]
            start = structure.unflatten([leaf.astype(float) for leaf in held])
            limit, options = jnp.int32(net.setup.finish), compiled.lanes_options()
            end, taken[place] = compiled.call(finish, program, options, start, x, t, limit, architecture)
        for old, new in zip(held, jax.tree.leaves(end), strict=True):
            old[...] = new  # a view of the tile's parameters
    return programs.State(jax.tree.map(jnp.asarray, params), state.moments), taken


def _alone(net: NetId) -> tuple[programs.Program, Architecture, list[tuple[int, ...]]]:
    """The exact program of one net and of no other, what its network is told, and its parameters' shapes."""
    candidates = Candidates.of([net.setup])
    tile = Tile(program_of(net.setup, candidates), candidates, (net,))
    given = choices_arrays(tile), nets_arrays(tile)
    program = replace(programs.judged_part(tile.program), form="product", transforms=())
    shapes = programs.shapes(tile.program, *given)
    check_finishable(net.setup, sum(map(math.prod, shapes)))
    return program, programs.architecture_of(*given), shapes


def _corner(shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(size) for size in shape)


def finish(
    program: programs.Program, params: Any, x: jax.Array, t: jax.Array, steps: jax.Array, architecture: Architecture
) -> tuple[Any, jax.Array]:
    """One net's parameters after at most `steps` steps on `x [examples, inputs, 1]`, `t [examples, 1]`, and the steps
    done. A step that does not lessen the loss, or leads to no finite one, is refused; a net that no step helps ends."""
    start, restore = ravel_pytree(params)

    def errors(place: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
        return (program.network.predict(restore(place), x, architecture) - t)[:, 0]

    def error(place: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
        return errors(place, x[None], t[None])[0]

    def allowed(place: jax.Array) -> jax.Array:
        place = place.astype(program.precision).astype(place.dtype)
        return ravel_pytree(program.network.constrain(restore(place)))[0] if program.units else place

    def step(search: Search) -> Search:
        place = search.place
        now, slopes = jax.vmap(jax.value_and_grad(error), (None, 0, 0))(place, x, t)
        matrix = _gram(slopes)
        factor = _cholesky(matrix + search.damping * jnp.diag(jnp.diag(matrix) + 1e-30))

        def solve(b: jax.Array) -> jax.Array:
            return jax.scipy.linalg.cho_solve((factor, True), b)

        velocity = -solve(slopes.T @ now)
        ahead = errors(place + CURVATURE_STEP * velocity, x, t)
        curvature = 2 / CURVATURE_STEP * ((ahead - now) / CURVATURE_STEP - slopes @ velocity)
        acceleration = -solve(slopes.T @ curvature)
        straight = 2 * jnp.linalg.norm(acceleration) <= ACCELERATION * jnp.linalg.norm(velocity)
        there = allowed(place + velocity + acceleration / 2)
        loss = (errors(there, x, t) ** 2).sum()
        taken = straight & (loss < search.loss)
        damping = jnp.where(taken, search.damping / DOWN, search.damping * UP)
        return Search(
            jnp.where(taken, there, place),
            jnp.where(taken, loss, search.loss),
            jnp.maximum(damping, jnp.finfo(place.dtype).eps),
            search.steps + 1,
        )

    def going(search: Search) -> jax.Array:
        return (search.steps < steps) & (search.damping < LARGEST)

    begin = Search(start, (errors(start, x, t) ** 2).sum(), jnp.asarray(START, start.dtype), jnp.int32(0))
    end = jax.lax.while_loop(going, step, begin)
    return restore(end.place), end.steps


def _gram(slopes: jax.Array) -> jax.Array:
    """`slopes.T @ slopes` for `slopes [examples, parameters]`, block by block."""
    examples, parameters = slopes.shape
    filled = jnp.pad(slopes, ((0, -examples % SUMMED), (0, 0)))

    def add(total: jax.Array, block: jax.Array) -> tuple[jax.Array, None]:
        return total + block.T @ block, None

    zero = jnp.zeros((parameters, parameters), slopes.dtype)
    return jax.lax.scan(add, zero, filled.reshape(-1, SUMMED, parameters))[0]


def _cholesky(matrix: jax.Array) -> jax.Array:
    """The lower triangular factor of a symmetric `matrix`, block of columns by block of columns."""
    if len(matrix) <= FACTORED:
        return jnp.linalg.cholesky(matrix)
    corner, below, rest = matrix[:FACTORED, :FACTORED], matrix[FACTORED:, :FACTORED], matrix[FACTORED:, FACTORED:]
    corner = jnp.linalg.cholesky(corner)
    below = jax.scipy.linalg.solve_triangular(corner, below.T, lower=True).T
    rest = _cholesky(rest - below @ below.T)
    return jnp.block([[corner, jnp.zeros_like(below.T)], [below, rest]])
