"""The fused engine's kernel: all steps of a segment of training, for dense nets of any shape, in one compiled function.

Layer sizes, activations, bias, loss and optimiser are numbers at run time, so nothing is compiled for an architecture
and nothing is padded. A vector holds as many nets as fit; arrays are `[vectors, ..., lanes]`. A lane's arithmetic
depends on its own numbers and on `BLOCK` alone, whatever the width of a vector, the register tiles and the neighbours.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numba
import numpy as np

from arithjax.training.engines.loops import (
    COLUMNS,
    ROWS,
    activate,
    clip_norm,
    clip_values,
    copy,
    differ,
    move,
    pull,
    tile,
)
from arithjax.training.engines.vectors import BYTES, flush_denormals, prefetch, restore_denormals

BLOCK = 16  # examples whose gradients are summed before the next ones: part of what a net's bits depend on
WEIGHT, BIAS, VALUE, SLOPE, DELTA = range(5)  # rows of a workspace's table, a column a layer
ZERO, TARGETS, GRADIENT = range(3)  # columns of its last row, SHARED
SHARED = 5

Address = int  # in bytes
Matrix = tuple[Address, int, int]  # and the bytes from one row and from one column to the next

jit: Any = numba.njit(nogil=True, error_model="numpy")
inlined: Any = numba.njit(inline="always", error_model="numpy")  # optimised once, not for every caller


def workspace(sizes: tuple[int, ...], bias: bool, one: np.floating) -> tuple[np.ndarray, np.ndarray]:
    """A table `[6, layers + 1 or 3]` for the kernel, and the memory it points into, which has to be kept.

    Rows: offsets of a layer's weights and biases among a net's parameters; addresses of a layer's values, slopes and
    deltas (the loss's slopes by them) for a block of examples; what layers share. All in bytes. Values, `[units,
    examples]`, follow on a row of ones, which stands for the input that biases multiply.
    """
    table = np.zeros((6, max(len(sizes), 3)), np.int64)
    parameters = 0
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        table[BIAS, layer] = parameters
        table[WEIGHT, layer] = parameters + bias * outputs
        parameters += (inputs + bias) * outputs
    blocks = [BLOCK * part for size in sizes for part in (1, size, size, size)]
    places = np.cumsum([0, 1, BLOCK, parameters, *blocks])
    table[SHARED, :3] = places[:3]
    table[VALUE : DELTA + 1, : len(sizes)] = places[3:-1].reshape(-1, 4)[:, 1:].T
    memory = np.zeros((places[-1] + 1) * BYTES, np.uint8)
    start = -memory.ctypes.data % BYTES
    vectors = memory[start : start + places[-1] * BYTES].view(one.dtype).reshape(places[-1], -1)
    for place in table[VALUE, : len(sizes)]:
        vectors[place - BLOCK : place] = one
    table *= BYTES
    table[VALUE:] += memory.ctypes.data + start
    return table, memory


@inlined
def part(left: int, most: int) -> int:
    """How many of the rows or columns that are left a tile takes: as many as fit, and the last two parts alike."""
    if left <= most:
        return left
    return most if left >= 2 * most else (left + 1) >> 1


@jit
def product(rows: int, columns: int, depth: int, a: Matrix, b: Matrix, c: Matrix, start: Matrix, kind: Any) -> None:
    """`c = start + a @ b`, matrices as for `tile`, in register tiles."""
    j = 0
    while j < columns:
        n = part(columns - j, COLUMNS)
        i = 0
        while i < rows:
            m = part(rows - i, ROWS)
            tile(
                m,
                n,
                depth,
                (a[0] + i * a[1], a[1], a[2]),
                (b[0] + j * b[2], b[1], b[2]),
                (c[0] + i * c[1] + j * c[2], c[1], c[2]),
                (start[0] + i * start[1] + j * start[2], start[1], start[2]),
                kind,
            )
            i += m
        j += n


@inlined
def forward(
    sizes: np.ndarray, codes: np.ndarray, bias: bool, net: Address, at: np.ndarray, count: int, kind: Any
) -> None:
    """Values of every layer for `count` examples, from those of layer 0; `net` is the parameters' address."""
    row = count * BYTES
    for layer in range(len(codes)):
        inputs, outputs = sizes[layer], sizes[layer + 1]
        start, step = (net + at[BIAS, layer], BYTES) if bias else (at[SHARED, ZERO], 0)
        x, w = (at[VALUE, layer], BYTES, row), (net + at[WEIGHT, layer], outputs * BYTES, BYTES)
        product(count, outputs, inputs, x, w, (at[VALUE, layer + 1], BYTES, row), (start, 0, step), kind)
        activate(codes[layer], at[VALUE, layer + 1], at[SLOPE, layer + 1], count * outputs, kind)


@inlined
def backward(
    sizes: np.ndarray, codes: np.ndarray, bias: bool, net: Address, at: np.ndarray, count: int, first: bool, kind: Any
) -> None:
    """Add the gradient of `count` examples, from the deltas of the last layer; the first block starts from zero."""
    row = count * BYTES
    for layer in range(len(codes) - 1, -1, -1):
        inputs, outputs = sizes[layer], sizes[layer + 1]
        pull(codes[layer], at[DELTA, layer + 1], at[VALUE, layer + 1], at[SLOPE, layer + 1], count * outputs, kind)
        x, g = at[VALUE, layer], at[SHARED, GRADIENT] + at[WEIGHT, layer]
        if bias:
            x, g = x - row, g - outputs * BYTES  # from the row of ones, and the biases
        start, row_step, step = (at[SHARED, ZERO], 0, 0) if first else (g, outputs * BYTES, BYTES)
        d = (at[DELTA, layer + 1], BYTES, row)
        c = (g, outputs * BYTES, BYTES)
        product(inputs + bias, outputs, count, (x, row, BYTES), d, c, (start, row_step, step), kind)
        if layer:
            d, w = (at[DELTA, layer + 1], BYTES, row), (net + at[WEIGHT, layer], BYTES, outputs * BYTES)
            product(count, inputs, outputs, d, w, (at[DELTA, layer], BYTES, row), (at[SHARED, ZERO], 0, 0), kind)


@inlined
def gather(
    rows: np.ndarray, step: int, first: int, count: int, inputs: int, x: Address, t: Address, at: np.ndarray, kind: Any
) -> None:
    """Copy the inputs and targets of a block's examples to where the first layer and the loss find them."""
    for b in range(count):
        row = rows[step, first + b]
        copy(t + row * BYTES, at[SHARED, TARGETS] + b * BYTES, kind)
        for k in range(inputs):
            copy(x + (row * inputs + k) * BYTES, at[VALUE, 0] + (k * count + b) * BYTES, kind)


@inlined
def prefetch_rows(rows: np.ndarray, step: int, inputs: int, x: Address, t: Address) -> None:
    """Ask for the examples of a batch, which are read in the next step."""
    for b in range(rows.shape[1]):
        row = rows[step, b]
        prefetch(t + row * BYTES)
        for k in range(inputs):
            prefetch(x + (row * inputs + k) * BYTES)


@inlined
def batch_gradient(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    loss: int,
    net: Address,
    x: Address,
    t: Address,
    rows: np.ndarray,
    step: int,
    at: np.ndarray,
    scale: Any,
) -> None:
    """The gradient of the mean loss over a batch; `scale` is 1 / batch."""
    batch, layers = rows.shape[1], len(codes)
    for first in range(0, batch, BLOCK):
        count = min(BLOCK, batch - first)
        gather(rows, step, first, count, sizes[0], x, t, at, scale)
        forward(sizes, codes, bias, net, at, count, scale)
        differ(loss, at[VALUE, layers], at[SHARED, TARGETS], at[DELTA, layers], count, scale)
        backward(sizes, codes, bias, net, at, count, first == 0, scale)


def advance(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    at: np.ndarray,
    loss: int,
    optimizer: int,
    params: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    x: np.ndarray,
    t: np.ndarray,
    rows: np.ndarray,
    rates: np.ndarray,
    corrections: np.ndarray,
    numbers: tuple,
    nets: np.ndarray,
    clips: np.ndarray,
) -> None:
    """Train every net through the steps of `rows`, in place: see `arithjax.training.engines.fused.advance`.

    at: the table of a `workspace`.
    nets: `[vectors, 5, lanes]`, learning rate, weight decay on the gradient and on the direction, clip, clip_value.
    clips: `[vectors, 3]`, whether any net of a vector has a learning rate, a clip and a clip_value.
    """
    before = flush_denormals()
    parameters, steps = params.shape[1], rows.shape[0]
    b1, c1, b2, c2, momentum, epsilon, scale = numbers
    gradient = at[SHARED, GRADIENT]
    for v in range(params.shape[0]):
        place = v * parameters * BYTES
        state = (params.ctypes.data + place, first.ctypes.data + place, second.ctypes.data + place)
        ts = t.ctypes.data + v * t.shape[1] * BYTES
        xs = x.ctypes.data + v * t.shape[1] * sizes[0] * BYTES
        own = nets.ctypes.data + v * 5 * BYTES
        for s in range(steps if clips[v, 0] else 0):  # nets that are stopped, all of them, stay as they are
            if s + 1 < steps:
                prefetch_rows(rows, s + 1, sizes[0], xs, ts)
            batch_gradient(sizes, codes, bias, loss, state[0], xs, ts, rows, s, at, scale)
            if clips[v, 1]:
                clip_norm(gradient, parameters, own + 3 * BYTES, scale)
            if clips[v, 2]:
                clip_values(gradient, parameters, own + 4 * BYTES, scale)
            now = (b1, c1, b2, c2, momentum, epsilon, corrections[s, 0], corrections[s, 1])
            move(optimizer, state, gradient, parameters, own, rates[s], *now)
    restore_denormals(before)


def predict(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    at: np.ndarray,
    params: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    kind: Any,
) -> None:
    """Values of the last layer for every net and point, into `y`: see `arithjax.training.engines.fused.predict`."""
    before = flush_denormals()
    points, last = x.shape[1], len(codes)
    for v in range(params.shape[0]):
        net = params.ctypes.data + v * params.shape[1] * BYTES
        for first in range(0, points, BLOCK):
            count = min(BLOCK, points - first)
            for b in range(count):
                for k in range(sizes[0]):
                    place = (v * points + first + b) * sizes[0] + k
                    copy(x.ctypes.data + place * BYTES, at[VALUE, 0] + (k * count + b) * BYTES, kind)
            forward(sizes, codes, bias, net, at, count, kind)
            for b in range(count):
                for k in range(sizes[last]):
                    place = (v * points + first + b) * sizes[last] + k
                    copy(at[VALUE, last] + (k * count + b) * BYTES, y.ctypes.data + place * BYTES, kind)
    restore_denormals(before)
