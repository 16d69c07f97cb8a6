"""Choices made at run time: true branches, so that one program serves several activations, optimisers or operations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arithjax.environment import backend
from arithjax.models.activations import Activation


def choose(index: Int[Array, ""], functions: Sequence[Callable], *arguments: Any) -> Any:
    """`functions[index](*arguments)` as a branch that the compiler keeps, even if there is only one function.

    Nothing is fused across it, so that its results round alike however many functions there are to choose from.
    """
    if len(functions) > 1 or backend() != "cpu":
        return switch(index, functions, *arguments)

    def never(*arguments: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, jax.eval_shape(functions[0], *arguments))

    return jax.lax.cond(index >= 0, functions[0], never, *arguments)


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
    activations: tuple[Activation, ...], index: Int[Array, ""], z: Float[Array, "batch units lanes"]
) -> Float[Array, "batch units lanes"]:
    """The activation at `index`, a scalar, applied to `z [batch, units, lanes]`.

    Value and slope are computed once, behind a branch that the compiler cannot see through. An `optimization_barrier`
    does not do: XLA drops it before it fuses, computes the activation again for every product it enters (2 to 5 times
    slower), and moves factors across sums differently in different programs, so that the same net would round
    differently.
    """
    return _branch(tuple(activation.fn for activation in activations), index, z)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _branch(
    functions: tuple[Callable, ...], index: Int[Array, ""], z: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    return choose(index, functions, z)


def _branch_forward(
    functions: tuple[Callable, ...], index: Int[Array, ""], z: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], tuple]:
    def value_and_slope(
        function: Callable, z: Float[Array, "*shape"]
    ) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        value, pullback = jax.vjp(function, z)
        return value, pullback(jnp.ones_like(value))[0]

    value, slope = choose(index, [functools.partial(value_and_slope, function) for function in functions], z)
    return value, (index, slope)


def _branch_backward(functions: tuple[Callable, ...], residuals: tuple, cotangent: Float[Array, " ..."]) -> tuple:
    index, slope = residuals
    return None, choose(index, [jnp.multiply], cotangent, slope)


_branch.defvjp(_branch_forward, _branch_backward)
