"""The fused engine's kernel: all steps of a segment of training, for dense nets of any shape, in one compiled function.

Layer sizes, activations, bias, loss and optimiser are numbers at run time, so nothing is compiled for an architecture
and nothing is padded. A vector holds a number of as many nets as fit; where there are few nets, of `FEW` nets and of
several units of a layer side by side (columns), of which the last may be empty. Arrays are `[groups, ..., nets]`, the
nets of a group those of a vector. A net's arithmetic is the same in both forms and depends on its own numbers and on
`BLOCK` alone, whatever the width of a vector, the register tiles and the neighbours.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from arithjax.training.engines.loops import (
    COLUMNS,
    FEW_COLUMNS,
    ROWS,
    activate,
    add_squares,
    add_squares_part,
    clip_norm,
    clip_values,
    copy,
    copy_part,
    differ,
    move,
    pull,
    share_out,
    tile,
)
from arithjax.training.engines.vectors import BYTES, flush_denormals, prefetch, restore_denormals

BLOCK = 16  # examples whose gradients are summed before the next ones: part of what a net's bits depend on
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


@inlined
def strides(at: np.ndarray, layer: int, count: int, share: int) -> tuple[int, int, int]:
    """Bytes from a layer's value to that of the next example, of the next unit and of the next vector of units."""
    if share == 1:
        return BYTES, count * BYTES, count * BYTES
    return at[WIDTH, layer], BYTES // share, BYTES


@inlined
def part(left: int, most: int) -> int:
    """How many of the rows or columns that are left a tile takes: as many as fit, and the last two parts alike."""
    if left <= most:
        return left
    return most if left >= 2 * most else (left + 1) >> 1


@inlined
def matrix(address: Address, row: int, column: int) -> Matrix:
    """A matrix of integers of one type, known to the compiler or not: other types would compile `product` again."""
    numbers: Any = np.int64(address), np.int64(row), np.int64(column)
    return numbers


@jit
def product(
    share: int, rows: int, columns: int, depth: int, a: Matrix, b: Matrix, c: Matrix, start: Matrix, kind: Any
) -> None:
    """`c = start + a @ b`, matrices as for `tile`, in register tiles."""
    few = int(share > 1)
    j = 0
    while j < columns:
        n = part(columns - j, min(FEW_COLUMNS, COLUMNS) if few else COLUMNS)
        i = 0
        while i < rows:
            m = part(rows - i, ROWS)
            tile(
                few,
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
    sizes: np.ndarray, codes: np.ndarray, bias: bool, share: int, net: Address, at: np.ndarray, count: int, kind: Any
) -> None:
    """Values of every layer for `count` examples, from those of layer 0; `net` is the parameters' address."""
    for layer in range(len(codes)):
        row = at[WIDTH, layer + 1]
        columns = row // BYTES
        example, unit, _ = strides(at, layer, count, share)
        to_example, _, to_column = strides(at, layer + 1, count, share)
        start, step = (net + at[BIAS, layer], BYTES) if bias else (at[SHARED, ZERO], 0)
        x, w = matrix(at[VALUE, layer], example, unit), matrix(net + at[WEIGHT, layer], row, BYTES)
        z = matrix(at[VALUE, layer + 1], to_example, to_column)
        product(share, count, columns, sizes[layer], x, w, z, matrix(start, 0, step), kind)
        activate(codes[layer], at[VALUE, layer + 1], at[SLOPE, layer + 1], count * columns, kind)


@inlined
def backward(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    share: int,
    net: Address,
    at: np.ndarray,
    count: int,
    first: bool,
    kind: Any,
) -> None:
    """Add the gradient of `count` examples, from the deltas of the last layer; the first block starts from zero."""
    for layer in range(len(codes) - 1, -1, -1):
        inputs, outputs, row = sizes[layer], sizes[layer + 1], at[WIDTH, layer + 1]
        columns = row // BYTES
        example, unit, column = strides(at, layer, count, share)
        of_example, of_unit, of_column = strides(at, layer + 1, count, share)
        pull(codes[layer], at[DELTA, layer + 1], at[VALUE, layer + 1], at[SLOPE, layer + 1], count * columns, kind)
        x, g, d = at[VALUE, layer], at[SHARED, GRADIENT] + at[WEIGHT, layer], at[DELTA, layer + 1]
        zero, slopes = matrix(at[SHARED, ZERO], 0, 0), matrix(d, of_example, of_column)
        if bias and share == 1:
            x, g, inputs = x - unit, g - row, inputs + 1  # from the ones, and the biases
        elif bias:
            c = matrix(g - row, row, BYTES)
            product(share, np.int64(1), columns, count, matrix(x - BYTES, 0, 0), slopes, c, zero if first else c, kind)
        c = matrix(g, row, BYTES)
        product(share, inputs, columns, count, matrix(x, unit, example), slopes, c, zero if first else c, kind)
        if layer:
            w = matrix(net + at[WEIGHT, layer], BYTES, row)
            if share > 1:
                w = matrix(at[TURNED, layer], at[WIDTH, layer], BYTES)
            a, c = matrix(d, of_example, of_unit), matrix(at[DELTA, layer], example, column)
            product(share, count, at[WIDTH, layer] // BYTES, outputs, a, w, c, zero, kind)


@inlined
def turn(sizes: np.ndarray, share: int, net: Address, at: np.ndarray, kind: Any) -> None:
    """Copy the weights of all layers but the first with rows and columns exchanged."""
    cell = BYTES // share
    for layer in range(1, len(sizes) - 1):
        for k in range(sizes[layer]):
            for j in range(sizes[layer + 1]):
                source = net + at[WEIGHT, layer] + k * at[WIDTH, layer + 1] + j * cell
                copy_part(source, at[TURNED, layer] + j * at[WIDTH, layer] + k * cell, kind)


@inlined
def copy_numbers(share: int, source: Address, target: Address, kind: Any) -> None:
    """Copy a number of every net of a group."""
    if share == 1:
        copy(source, target, kind)
    else:
        copy_part(source, target, kind)


@inlined
def gather(
    rows: np.ndarray,
    step: int,
    first: int,
    count: int,
    sizes: np.ndarray,
    share: int,
    x: Address,
    t: Address,
    at: np.ndarray,
    kind: Any,
) -> None:
    """Copy the inputs and targets of a block's examples to where the first layer and the loss find them.

    Targets stand as the last layer's values do.
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
        for k in range(inputs):
            copy_numbers(share, x + (row * inputs + k) * cell, at[VALUE, 0] + k * unit + b * example, kind)


@inlined
def prefetch_rows(rows: np.ndarray, step: int, sizes: np.ndarray, share: int, x: Address, t: Address) -> None:
    """Ask for the examples of a batch, which are read in the next step."""
    cell, inputs, outputs = BYTES // share, sizes[0], sizes[len(sizes) - 1]
    for b in range(rows.shape[1]):
        row = rows[step, b]
        for k in range(outputs if share == 1 else 1):
            prefetch(t + (row * outputs + k) * cell)
        for k in range(inputs if share == 1 else 1):
            prefetch(x + (row * inputs + k) * cell)


@inlined
def differ_block(loss: int, blocks: np.ndarray, last: int, share: int, at: np.ndarray, count: int, scale: Any) -> None:
    """Write the slopes of the loss by the last layer's values, for a block of examples.

    blocks: how many classes each result has, for a loss that they share; none for elementwise losses.
    """
    y, t, slopes = at[VALUE, last], at[SHARED, TARGETS], at[DELTA, last]
    if not len(blocks):
        differ(loss, y, t, slopes, count * (at[WIDTH, last] // BYTES), scale)
        return
    example, unit, _ = strides(at, last, count, share)
    for b in range(count):
        place = b * example
        for classes in blocks:
            share_out(int(share > 1), y + place, t + place, slopes + place, classes, unit, scale)
            place += classes * unit


@inlined
def batch_gradient(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    share: int,
    loss: int,
    blocks: np.ndarray,
    net: Address,
    x: Address,
    t: Address,
    rows: np.ndarray,
    step: int,
    at: np.ndarray,
    scale: Any,
) -> None:
    """The gradient of the mean loss over a batch; `scale` is 1 / (batch * outputs), or results that classes share."""
    batch, layers = rows.shape[1], len(codes)
    if share > 1:
        turn(sizes, share, net, at, scale)
    for first in range(0, batch, BLOCK):
        count = min(BLOCK, batch - first)
        gather(rows, step, first, count, sizes, share, x, t, at, scale)
        forward(sizes, codes, bias, share, net, at, count, scale)
        differ_block(loss, blocks, layers, share, at, count, scale)
        backward(sizes, codes, bias, share, net, at, count, first == 0, scale)


@inlined
def sum_squares(sizes: np.ndarray, bias: bool, share: int, parameters: int, at: np.ndarray, kind: Any) -> None:
    """The sum of the squares of every net's gradient, parameter by parameter; units that are none are left out."""
    gradient, total = at[SHARED, GRADIENT], at[SHARED, SQUARES]
    copy(at[SHARED, ZERO], total, kind)
    if share == 1:
        add_squares(gradient, parameters, total, kind)
        return
    for layer in range(len(sizes) - 1):
        row = at[WIDTH, layer + 1]
        for k in range(sizes[layer] + bias):
            add_squares_part(gradient + at[BIAS, layer] + k * row, sizes[layer + 1], total, kind)
    for k in range(1, share):
        copy_part(total, total + k * (BYTES // share), kind)


def advance(
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    at: np.ndarray,
    share: int,
    loss: int,
    optimizer: int,
    blocks: np.ndarray,
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

    at: the table of a `workspace`. share: units in a vector.
    nets: `[groups, 5, lanes]`, learning rate, weight decay on the gradient and on the direction, clip, clip_value.
    clips: `[groups, 3]`, whether any net of a group has a learning rate, a clip and a clip_value.
    """
    before = flush_denormals()
    cell = BYTES // share
    size, examples, steps = params.shape[1] * cell, t.shape[1] * cell, rows.shape[0]
    outputs = sizes[len(sizes) - 1]
    b1, c1, b2, c2, momentum, epsilon, scale = numbers
    gradient, parameters = at[SHARED, GRADIENT], size // BYTES
    for v in range(params.shape[0]):
        state = (params.ctypes.data + v * size, first.ctypes.data + v * size, second.ctypes.data + v * size)
        ts = t.ctypes.data + v * examples * outputs
        xs = x.ctypes.data + v * examples * sizes[0]
        own = nets.ctypes.data + v * 5 * BYTES
        for s in range(steps if clips[v, 0] else 0):  # nets that are stopped, all of them, stay as they are
            if s + 1 < steps:
                prefetch_rows(rows, s + 1, sizes, share, xs, ts)
            batch_gradient(sizes, codes, bias, share, loss, blocks, state[0], xs, ts, rows, s, at, scale)
            if clips[v, 1]:
                sum_squares(sizes, bias, share, parameters, at, scale)
                clip_norm(gradient, parameters, own + 3 * BYTES, at[SHARED, SQUARES], scale)
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
    share: int,
    params: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    kind: Any,
) -> None:
    """Values of the last layer for every net and point, into `y`: see `arithjax.training.engines.fused.predict`."""
    before = flush_denormals()
    cell = BYTES // share
    points, last = x.shape[1], len(codes)
    for v in range(params.shape[0]):
        net = params.ctypes.data + v * params.shape[1] * cell
        for first in range(0, points, BLOCK):
            count = min(BLOCK, points - first)
            from_example, from_unit, _ = strides(at, 0, count, share)
            to_example, to_unit, _ = strides(at, last, count, share)
            for b in range(count):
                for k in range(sizes[0]):
                    source = x.ctypes.data + ((v * points + first + b) * sizes[0] + k) * cell
                    copy_numbers(share, source, at[VALUE, 0] + k * from_unit + b * from_example, kind)
            forward(sizes, codes, bias, share, net, at, count, kind)
            for b in range(count):
                for k in range(sizes[last]):
                    target = y.ctypes.data + ((v * points + first + b) * sizes[last] + k) * cell
                    copy_numbers(share, at[VALUE, last] + k * to_unit + b * to_example, target, kind)
    restore_denormals(before)
