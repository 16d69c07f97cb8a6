"""Trying out: a user's function is called once, outside every compiled program, when it is entered in its registry.

What it does not do right is said in one line, which names the member and what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.errors import ArithjaxError

WRITE = "write it with jax.numpy, as in jnp.sin(x) for math.sin(x) and jnp.where(x > 0, x, 0) for `x if x > 0 else 0`"


def called(what: str, fn: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives inside a compiled program; `ArithjaxError`, which begins with `what`, if it cannot."""
    try:
        return jax.jit(fn)(*arguments)
    except Exception as error:
        raise ArithjaxError(f"{what} fails inside a compiled program ({reason(error)}); {WRITE}.") from None


def reason(error: Exception) -> str:
    """An exception in a few words."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
    return f"{type(error).__name__}: {lines[0][:120].rstrip('.')}"


def elementwise(what: str, fn: Callable[..., Any], *arguments: np.ndarray, slope: bool = True) -> None:
    """Raise unless a function of arrays of one shape gives an array of that shape, each number of it by itself.

    what: how the message begins, such as `activation 'mine'`. arguments: two-dimensional arrays to call it with.
    slope: whether it has to have a gradient.

    Raises:
        ArithjaxError: the function fails, or does anything else.
    """
    shape = arguments[0].shape
    found = called(what, fn, *map(jnp.asarray, arguments))
    if getattr(found, "shape", None) != shape or not jnp.issubdtype(found.dtype, jnp.floating):
        gives = f"shape {found.shape} of {found.dtype}" if hasattr(found, "shape") else f"a {type(found).__name__}"
        raise ArithjaxError(
            f"{what} gives {gives} for arrays of shape {shape}; it has to give a real number for each, without a mean "
            "or sum."
        )
    last = called(what, fn, *(jnp.asarray(np.ascontiguousarray(argument[::-1, 1:])) for argument in arguments))
    if not np.allclose(last, np.asarray(found)[::-1, 1:], rtol=1e-4, atol=1e-6, equal_nan=True):
        raise ArithjaxError(
            f"{what} gives a number another result beside other numbers, so that nets would depend on each other; it "
            "has to treat each by itself, without softmax, norms or means."
        )
    if slope:
        called(f"the gradient of {what}", jax.grad(lambda *given: fn(*given).sum()), *map(jnp.asarray, arguments))
