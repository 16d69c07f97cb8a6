"""The fused engine's kernel: all steps of a segment of training, for dense nets of any shape, in one compiled function.

Layer sizes, activations, bias, loss and optimiser are numbers at run time, so nothing is compiled for an architecture
and nothing is padded. A vector holds a number of as many nets as fit; where there are few nets, of `FEW` nets and of
several units of a layer side by side (columns), of which the last may be empty. Arrays are `[groups, ..., nets]`, the
nets of a group those of a vector. A net's arithmetic is the same in both forms and depends on its own numbers alone,
whatever the width of a vector, the register tiles, the blocks of examples and the neighbours.
"""

from __future__ import annotations

from typing import Any

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
from arithjax.training.engines.vectors import BYTES, flush_denormals, restore_denormals
from arithjax.training.engines.workspace import (
    BIAS,
    BLOCK,
    DELTA,
    GRADIENT,
    SHARED,
    SLOPE,
    SQUARES,
    TARGETS,
    TURNED,
    VALUE,
    WEIGHT,
    WIDTH,
    ZERO,
    Address,
    Matrix,
    copy_numbers,
    gather,
    inlined,
    jit,
    prefetch_rows,
    strides,
    turn,
)


@inlined
def part(left: int, most: int) -> int:
    """How many of the rows or columns that are left a tile takes: as many as fit, and the last two parts alike."""
    if left <= most:
        return left
    return most if left >= 2 * most else (left + 1) >> 1


@jit
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
    sizes: np.ndarray,
    codes: np.ndarray,
    bias: bool,
    share: int,
    net: Address,
    at: np.ndarray,
    count: int,
    summed: bool,
    kind: Any,
) -> None:
    """Values of every layer for `count` examples, from those of layer 0; `net` is the parameters' address.

    summed: whether the first layer's sums are there already.
    """
    for layer in range(len(codes)):
        row = at[WIDTH, layer + 1]
        columns = row // BYTES
        if summed and not layer:
            activate(codes[0], at[VALUE, 1], at[SLOPE, 1], count * columns, kind)
            continue
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
    summed: bool,
    kind: Any,
) -> None:
    """Add the gradient of `count` examples, from the deltas of the last layer; the first block starts from zero.

    summed: whether that of the first layer's weights is left out, to be summed elsewhere.
    """
    for layer in range(len(codes) - 1, -1, -1):
        inputs, outputs, row = sizes[layer], sizes[layer + 1], at[WIDTH, layer + 1]
        columns = row // BYTES
        example, unit, column = strides(at, layer, count, share)
        of_example, of_unit, of_column = strides(at, layer + 1, count, share)
        pull(codes[layer], at[DELTA, layer + 1], at[VALUE, layer + 1], at[SLOPE, layer + 1], count * columns, kind)
        x, g, d = at[VALUE, layer], at[SHARED, GRADIENT] + at[WEIGHT, layer], at[DELTA, layer + 1]
        zero, slopes = matrix(at[SHARED, ZERO], 0, 0), matrix(d, of_example, of_column)
        apart = summed and not layer
        if bias and share == 1 and not apart:
            x, g, inputs = x - unit, g - row, inputs + 1  # from the ones, and the biases
        elif bias:
            c = matrix(g - row, row, BYTES)
            product(share, np.int64(1), columns, count, matrix(x - BYTES, 0, 0), slopes, c, zero if first else c, kind)
        if apart:
            continue
        c = matrix(g, row, BYTES)
        product(share, inputs, columns, count, matrix(x, unit, example), slopes, c, zero if first else c, kind)
        if layer:
            w = matrix(net + at[WEIGHT, layer], BYTES, row)
            if share > 1:
                w = matrix(at[TURNED, layer], at[WIDTH, layer], BYTES)
            a, c = matrix(d, of_example, of_unit), matrix(at[DELTA, layer], example, column)
            product(share, count, at[WIDTH, layer] // BYTES, outputs, a, w, c, zero, kind)


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


@jit
def sparse_product(
    share: int,
    rows: np.ndarray,
    step: int,
    first: int,
    count: int,
    active: np.ndarray,
    v: int,
    x: Matrix,
    right: tuple[Address, int, int, int],
    c: tuple[Address, int, int, int],
    columns: int,
    kind: Any,
) -> None:
    """Add to `c` the products of inputs and `right`, input by input, of those inputs of each example that are not zero.

    x: address of the inputs, and the bytes from one example and from one input to the next.
    right, c: addresses, and the bytes from one example of the block, one input and one column to the next.
    """
    for b in range(count):
        row = rows[step, first + b]
        for i in range(active.shape[2]):
            k = active[v, row, i]
            if k >= 0:
                one = matrix(x[0] + row * x[1] + k * x[2], 0, 0)
                factors = matrix(right[0] + b * right[1] + k * right[2], 0, right[3])
                sums = matrix(c[0] + b * c[1] + k * c[2], 0, c[3])
                product(share, np.int64(1), columns, np.int64(1), one, factors, sums, sums, kind)


@jit
def copy_biases(bias: bool, share: int, net: Address, at: np.ndarray, count: int, kind: Any) -> None:
    """Let the first layer's sums begin with its biases, for `count` examples."""
    example, _, column = strides(at, 1, count, share)
    for j in range(at[WIDTH, 1] // BYTES):
        start = net + at[BIAS, 0] + j * BYTES if bias else at[SHARED, ZERO]
        for b in range(count):
            copy(start, at[VALUE, 1] + b * example + j * column, kind)


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
    active: np.ndarray,
    v: int,
    at: np.ndarray,
    scale: Any,
) -> None:
    """The gradient of the mean loss over a batch; `scale` is 1 / (batch * outputs), or results that classes share.

    active: as for `advance`. v: the number of the group of nets.
    """
    batch, layers = rows.shape[1], len(codes)
    sparse, cell, width, zero = active.shape[2] > 0, BYTES // share, at[WIDTH, 1], np.int64(0)
    inputs = matrix(x, sizes[0] * cell, cell)
    weights = net + at[WEIGHT, 0], zero, width, np.int64(BYTES)
    gradient = at[SHARED, GRADIENT] + at[WEIGHT, 0], zero, width, np.int64(BYTES)
    if share > 1:
        turn(sizes, share, net, at, scale)
    for first in range(0, batch, BLOCK):
        count = min(BLOCK, batch - first)
        gather(rows, step, first, count, sizes, share, x, t, sparse, at, scale)
        example, _, column = strides(at, 1, count, share)
        if sparse:
            copy_biases(bias, share, net, at, count, scale)
            z = at[VALUE, 1], example, zero, column
            sparse_product(share, rows, step, first, count, active, v, inputs, weights, z, width // BYTES, scale)
        forward(sizes, codes, bias, share, net, at, count, sparse, scale)
        differ_block(loss, blocks, layers, share, at, count, scale)
        backward(sizes, codes, bias, share, net, at, count, first == 0, sparse, scale)
        if sparse:
            if first == 0:
                for k in range(sizes[0] * (width // BYTES)):
                    copy(at[SHARED, ZERO], gradient[0] + k * BYTES, scale)
            slopes = at[DELTA, 1], example, zero, column
            sparse_product(share, rows, step, first, count, active, v, inputs, slopes, gradient, width // BYTES, scale)


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
    active: np.ndarray,
    rows: np.ndarray,
    rates: np.ndarray,
    corrections: np.ndarray,
    numbers: tuple,
    nets: np.ndarray,
    clips: np.ndarray,
) -> None:
    """Train every net through the steps of `rows`, in place: see `arithjax.training.engines.fused.advance`.

    at: the table of a `workspace`. share: units in a vector.
    active: of every example the inputs that are not zero, and then -1; without columns, where these are many.
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
            if s + 1 < steps and not active.shape[2]:
                prefetch_rows(rows, s + 1, sizes, share, xs, ts)
            batch_gradient(sizes, codes, bias, share, loss, blocks, state[0], xs, ts, rows, s, active, v, at, scale)
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
            forward(sizes, codes, bias, share, net, at, count, False, kind)
            for b in range(count):
                for k in range(sizes[last]):
                    target = y.ctypes.data + ((v * points + first + b) * sizes[last] + k) * cell
                    copy_numbers(share, at[VALUE, last] + k * to_unit + b * to_example, target, kind)
    restore_denormals(before)
