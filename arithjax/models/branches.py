"""Branches: what rounds alike in every program, and choices made at run time among schedules and transforms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arithjax.environment import backend
from arithjax.models.activations import Activation


def choose(branch: Int[Array, ""], function: Callable, *arguments: Any) -> Any:
    """`function(*arguments)` behind a branch that the compiler keeps; `branch` is 0, which only run time knows.

    Nothing is fused across it, so that its results round alike in every program. Accelerators have no such branch.
    """
    if backend() != "cpu":
        return function(*arguments)

    def never(*arguments: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, jax.eval_shape(function, *arguments))

    return jax.lax.cond(branch >= 0, function, never, *arguments)


def switch(index: Int[Array, ""], functions: Sequence[Callable], *arguments: Any) -> Any:
    """`functions[index](*arguments)`, as a branch.

    On an accelerator all of them are computed, and one result is taken: its host would wait for it at every branch.
    """
    if len(functions) == 1 or backend() == "cpu":
        return jax.lax.switch(index, functions, *arguments)
    results = [function(*arguments) for function in functions]
    return jax.tree.map(lambda *leaves: jax.lax.select_n(index, *leaves), *results)


def mapped(function: Callable, values: Array) -> Any:
    """`function` of each of the `values`, one after the other, or on an accelerator all at once."""
    return jax.lax.map(function, values) if backend() == "cpu" else jax.vmap(function)(values)


def activate(
    activation: Activation, branch: Int[Array, ""], z: Float[Array, "batch units lanes"]
) -> Float[Array, "batch units lanes"]:
    """The activation of `z [batch, units, lanes]`; `branch` as in `choose`.

    Value and slope are computed once, behind a branch that the compiler cannot see through. An `optimization_barrier`
    does not do: XLA drops it before it fuses, computes the activation again for every product it enters (2 to 5 times
    slower), and moves factors across sums differently in different programs, so that the same net would round
    differently.
    """
    return _branch(activation.fn, branch, z)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _branch(function: Callable, branch: Int[Array, ""], z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return choose(branch, function, z)


def _branch_forward(
    function: Callable, branch: Int[Array, ""], z: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], tuple]:
    def value_and_slope(z: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        value, pullback = jax.vjp(function, z)
        return value, pullback(jnp.ones_like(value))[0]

    value, slope = choose(branch, value_and_slope, z)
    return value, (branch, slope)


def _branch_backward(function: Callable, residuals: tuple, cotangent: Float[Array, " ..."]) -> tuple:
    branch, slope = residuals
    return None, choose(branch, jnp.multiply, cotangent, slope)


_branch.defvjp(_branch_forward, _branch_backward)
