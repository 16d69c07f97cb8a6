"""Blocks: programs of one size, called for some lanes and some rows at a time, so that few programs serve all shapes.

Only on a CPU: an accelerator is given all lanes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

from arithjax.environment import backend, is_double
from arithjax.training.tile import VECTOR

WIDE = 512
"""Bytes of a number in all lanes of a wide block (more round differently); where fewer are left, a vector."""


def by_lanes(program: Callable, spec: Hashable, per_lane: Any, *shared: Any) -> Any:
    """`program(spec, per_lane, *shared)`, called for each block of lanes, its results joined.

    program: compiled; the lanes are the last axis of all that it returns.
    per_lane: a tree of arrays whose last axis is the lanes. shared: what is the same in all lanes.
    """
    if backend() != "cpu":
        return program(spec, per_lane, *shared)
    whole, others = jax.tree.map(np.asarray, (per_lane, shared))
    nets, wide = jax.tree.leaves(whole)[0].shape[-1], WIDE // (8 if is_double() else 4)
    start, parts = 0, []
    while start < nets:
        size = wide if nets - start >= wide else nets if nets % VECTOR else VECTOR
        block = jax.tree.map(lambda a, part=slice(start, start + size): a[..., part], whole)
        parts.append(program(spec, block, *others))
        start += size
    return joined(parts, axis=-1)


def at_hand(array: Any) -> Any:
    """On a CPU an array as NumPy's, since jax would compile a program for each shape; elsewhere as it is."""
    return np.asarray(array) if backend() == "cpu" else array


def by_rows(call: Callable, rows: int, array: Any) -> Any:
    """`call(block)` for each block of so many rows of an array, the last one filled up, its results joined.

    The rows are the first axis, here and of all that is returned. On an accelerator all rows are one block.
    """
    count = len(array)
    if backend() != "cpu":
        return call(array)
    filled = np.resize(np.asarray(array), (-(-count // rows) * rows, *array.shape[1:]))
    found = joined([call(filled[i : i + rows]) for i in range(0, len(filled), rows)], axis=0)
    return found if count == len(filled) else jax.device_put(jax.tree.map(lambda a: np.asarray(a)[:count], found))


def joined(parts: list, axis: int) -> Any:
    """Trees of arrays as one, joined along an axis; by NumPy, since jax would compile a program for each shape."""
    if len(parts) == 1:
        return parts[0]
    return jax.device_put(jax.tree.map(lambda *leaves: np.concatenate(leaves, axis), *parts))
