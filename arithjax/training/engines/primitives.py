"""Functions computed by those primitives of jax that Pallas compiles for a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Var


def plain(function: Callable, *args: Any) -> Any:
    """What a function returns, without rules for derivatives, and with `INSTEAD` for what Mosaic has not on a GPU."""
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    results = _evaluated(closed.jaxpr, closed.consts, jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(shapes), results)


def _evaluated(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list:
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(atom: Any) -> Any:
        return values[atom] if isinstance(atom, Var) else atom.val

    for one in jaxpr.eqns:
        given = [*map(read, one.invars)]
        # that of a function with derivatives of its own, or of one under `jit`
        if inside := one.params.get("call_jaxpr") or one.params.get("jaxpr"):
            results = _evaluated(inside.jaxpr, inside.consts, given)
        else:
            results = INSTEAD.get(one.primitive.name, one.primitive.bind)(*given, **one.params)
            results = results if one.primitive.multiple_results else [results]
        values.update(zip(one.outvars, results, strict=True))
    return [*map(read, jaxpr.outvars)]


def _sqrt(x: jax.Array, **how: Any) -> jax.Array:
    return jnp.where((x == 0) | (x == jnp.inf), x, x * jax.lax.rsqrt(x))


def _div(x: Any, y: Any) -> jax.Array:
    """A real number for all nets, such as Adam's correction of its moments, is inverted once."""
    inverted = jnp.ndim(x) > jnp.ndim(y) == 0 and jnp.issubdtype(jnp.result_type(x), jnp.floating)
    return x * (1 / y) if inverted else jax.lax.div(x, y)


def _log1p(x: jax.Array, **how: Any) -> jax.Array:
    """log(1 + x) (Goldberg 1991)."""
    u = 1 + x
    return jnp.where(jnp.abs(x) > 0.5, jnp.log(u), jnp.where(u == 1, x, jnp.log(u) * x / (u - 1)))


def _expm1(x: jax.Array, **how: Any) -> jax.Array:
    """exp(x) - 1 (Kahan, in Higham 2002)."""
    u = jnp.exp(x)
    return jnp.where(jnp.abs(x) > 0.5, u - 1, jnp.where(u == 1, x, (u - 1) * x / jnp.log(u)))


INSTEAD: dict[str, Callable] = {
    "add_any": jax.lax.add,
    "div": _div,
    "integer_pow": lambda x, y: x if y == 1 else jax.lax.integer_pow(x, y),
    "reduce_sum": lambda x, axes, **how: jnp.sum(x, axes) if axes else x,
    "sqrt": _sqrt,
    "logistic": lambda x, **how: 1 / (1 + jnp.exp(-x)),
    "pow": lambda x, y: jnp.exp(jnp.log(x) * y),
    "log1p": _log1p,
    "expm1": _expm1,
}
"""Primitives, by name, that Mosaic has not on a GPU, and what to compute instead."""
