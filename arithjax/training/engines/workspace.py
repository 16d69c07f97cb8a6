"""Where a block of examples stands in the kernel's memory, and what is copied there.

Addresses and the bytes from one number to the next are integers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from arithjax.training.engines.loops import copy, copy_part
from arithjax.training.engines.vectors import BYTES, prefetch

BLOCK = 65
"""Examples that pass through the layers together, thirteen register tiles: weights are read once for them (measured).

Gradients are summed example by example whatever it is, so that bits do not depend on it.
"""
WEIGHT, BIAS, WIDTH, VALUE, SLOPE, DELTA, TURNED, SHARED = range(8)  # rows of a workspace's table, a column a layer
ZERO, SQUARES, TARGETS, GRADIENT = range(4)  # columns of its last row

Address = int  # in bytes
Matrix = tuple[Address, int, int]  # and the bytes from one row and from one column to the next

jit: Any = numba.njit(nogil=True, error_model="numpy")
inlined: Any = numba.njit(inline="always", error_model="numpy")  # optimised once, not for every caller


def workspace(sizes: tuple[int, ...], bias: bool, share: int, one: np.floating) -> tuple[np.ndarray, np.ndarray]:
    """A table `[8, layers + 1 or 4]` for the kernel, and the memory it points into, which has to be kept.

    share: units in a vector.

    Rows, all in bytes: offsets of a layer's weights and biases among a net's parameters; vectors of a layer's units;
    addresses of a layer's values, slopes and deltas (the loss's slopes by them) for a block of examples, and of its
    weights with rows and columns exchanged; what layers share. Values follow on ones, which stand for the input that
    biases multiply.
    """
    widths = [-(-size // share) for size in sizes]
    table = np.zeros((8, max(len(sizes), 4)), np.int64)
    table[WIDTH, : len(sizes)] = widths
    parameters = 0
    for layer, inputs in enumerate(sizes[:-1]):
        table[BIAS, layer] = parameters
        table[WEIGHT, layer] = parameters + bias * widths[layer + 1]
        parameters += (inputs + bias) * widths[layer + 1]
    turned = [n * width if share > 1 else 0 for n, width in zip((*sizes[1:], 0), widths, strict=True)]
    parts = zip(turned, widths, strict=True)
    layers = [part for t, width in parts for part in (BLOCK, *(BLOCK * width,) * 3, t)]  # ones, value, slope, delta
    places = np.cumsum([0, 1, 1, BLOCK * widths[-1], parameters, *layers])
    table[SHARED, :4] = places[:4]
    table[VALUE : TURNED + 1, : len(sizes)] = places[4:-1].reshape(-1, 5)[:, 1:].T
    memory = np.zeros((places[-1] + 1) * BYTES, np.uint8)
    start = -memory.ctypes.data % BYTES
    vectors = memory[start : start + places[-1] * BYTES].view(one.dtype).reshape(places[-1], -1)
    for place in table[VALUE, : len(sizes)]:
        vectors[place - BLOCK : place] = one
    table *= BYTES
    table[VALUE:] += memory.ctypes.data + start
    return table, memory


@jit
def strides(at: np.ndarray, layer: int, count: int, share: int) -> tuple[int, int, int]:
    """Bytes from a layer's value to that of the next example, of the next unit and of the next vector of units."""
    if share == 1:
        return BYTES, count * BYTES, count * BYTES
    return at[WIDTH, layer], BYTES // share, BYTES


@jit
def copy_numbers(share: int, source: Address, target: Address, kind: Any) -> None:
    """Copy a number of every net of a group."""
    if share == 1:
        copy(source, target, kind)
    else:
        copy_part(source, target, kind)


@jit
def turn(sizes: np.ndarray, share: int, net: Address, at: np.ndarray, kind: Any) -> None:
    """Copy the weights of all layers but the first with rows and columns exchanged."""
    cell = BYTES // share
    for layer in range(1, len(sizes) - 1):
        for k in range(sizes[layer]):
            for j in range(sizes[layer + 1]):
                source = net + at[WEIGHT, layer] + k * at[WIDTH, layer + 1] + j * cell
                copy_part(source, at[TURNED, layer] + j * at[WIDTH, layer] + k * cell, kind)


@jit
def gather(
    rows: np.ndarray,
    step: int,
    first: int,
    count: int,
    sizes: np.ndarray,
    share: int,
    x: Address,
    t: Address,
    sparse: bool,
    at: np.ndarray,
    kind: Any,
) -> None:
    """Copy the inputs and targets of a block's examples to where the first layer and the loss find them.

    Targets stand as the last layer's values do. sparse: whether inputs are left where they are.
    """
    cell, last = BYTES // share, len(sizes) - 1
    inputs, outputs = sizes[0], sizes[last]
    example, unit, _ = strides(at, 0, count, share)
    to_example, to_unit, _ = strides(at, last, count, share)
    for b in range(count):
        row = rows[step, first + b]
        for k in range(outputs):
            target = at[SHARED, TARGETS] + k * to_unit + b * to_example
            copy_numbers(share, t + (row * outputs + k) * cell, target, kind)
        for k in range(0 if sparse else inputs):
            copy_numbers(share, x + (row * inputs + k) * cell, at[VALUE, 0] + k * unit + b * example, kind)


@jit
def prefetch_rows(rows: np.ndarray, step: int, sizes: np.ndarray, share: int, x: Address, t: Address) -> None:
    """Ask for the examples of a batch, which are read in the next step."""
    cell, inputs, outputs = BYTES // share, sizes[0], sizes[len(sizes) - 1]
    for b in range(rows.shape[1]):
        row = rows[step, b]
        for k in range(outputs if share == 1 else 1):
            prefetch(t + (row * outputs + k) * cell)
        for k in range(inputs if share == 1 else 1):
            prefetch(x + (row * inputs + k) * cell)
