"""Loops over vectors in memory, as numba functions: products, activations, losses, clipping and the optimiser's step.

Addresses and counts are integers, of bytes and of vectors. Every function takes a number of the element type, whose
value matters where it has a name of its own; elsewhere it is `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba.core import cgutils

from arithjax.training.engines import functions
from arithjax.training.engines.vectors import ARM, BYTES, I64, Code, Vector, emitted, fma, sqrt, where

ROWS, COLUMNS = (
    (5, 5) if ARM or BYTES == 64 else (2, 4)
)  # of a register tile: 25 + 5 + 1 of 32 registers, 8 + 4 + 1 of 16
FEW_COLUMNS = 3
INFINITY = float("inf")


@emitted
def copy(code: Code, source: Any, target: Any, kind: Any) -> None:
    """Copy one vector."""
    code.store(code.load(source), target)


@emitted
def copy_part(code: Code, source: Any, target: Any, kind: Any) -> None:
    """Copy `FEW` numbers."""
    code.part.store(code.part.load(source), target)


@emitted
def activate(code: Code, index: Any, values: Any, slopes: Any, count: Any, kind: Any) -> None:
    """Apply an activation in place, and write its slopes where they cannot be read off the values."""

    def write(name: str) -> None:
        with code.each(count) as k:
            result = functions.ACTIVATIONS[name](code.load(values, k))
            if name not in functions.PULLS:
                result, slope = result
                code.store(slope, slopes, k)
            code.store(result, values, k)

    code.switch(index, write, list(functions.ACTIVATIONS))


@emitted
def pull(code: Code, index: Any, deltas: Any, values: Any, slopes: Any, count: Any, kind: Any) -> None:
    """Turn the loss's slopes by an activation's values into those by its arguments, in place."""

    def write(name: str) -> None:
        with code.each(count) as k:
            delta = code.load(deltas, k)
            if name in functions.PULLS:
                delta = functions.PULLS[name](code.load(values, k), delta)
            else:
                delta = delta * code.load(slopes, k)
            code.store(delta, deltas, k)

    code.switch(index, write, list(functions.ACTIVATIONS))


@emitted
def differ(code: Code, index: Any, y: Any, t: Any, slopes: Any, count: Any, scale: Any) -> None:
    """Write the slopes of a loss by its predictions, times `scale`."""
    factor = code.full(scale)

    def write(function: Callable) -> None:
        with code.each(count) as k:
            code.store(function(code.load(y, k), code.load(t, k)) * factor, slopes, k)

    code.switch(index, write, list(functions.LOSSES.values()))


@emitted
def share_out(code: Code, few: Any, y: Any, t: Any, slopes: Any, classes: Any, step: Any, scale: Any) -> None:
    """Write the slopes of the cross entropy of one result by its logits, softmax(y) - t, times `scale`.

    few: 1 for vectors of `FEW` numbers. y, t, slopes: addresses of the first class; `step` bytes on are the next ones.
    """
    code.switch(few, lambda one: _share_out(one, y, t, slopes, classes, step, scale), [code, code.part])


def _share_out(code: Code, y: Any, t: Any, slopes: Any, classes: Any, step: Any, scale: Any) -> None:
    build = code.builder
    largest = cgutils.alloca_once_value(build, code.load(y).value)
    total = cgutils.alloca_once_value(build, code.full(0.0).value)
    with code.every(classes, step) as k:
        value, before = code.load(y, k), code.vector(build.load(largest))
        build.store(where(value > before, value, before).value, largest)
    with code.every(classes, step) as k:
        part = functions.exp(code.load(y, k) - code.vector(build.load(largest)))
        code.store(part, slopes, k)
        build.store((code.vector(build.load(total)) + part).value, total)
    with code.every(classes, step) as k:
        share = code.load(slopes, k) / code.vector(build.load(total))
        code.store((share - code.load(t, k)) * code.full(scale), slopes, k)


def _add_squares(code: Code, values: Any, count: Any, total: Any) -> None:
    place = cgutils.alloca_once_value(code.builder, code.load(total).value)
    with code.each(count) as k:
        g = code.load(values, k)
        code.builder.store(fma(g, g, code.vector(code.builder.load(place))).value, place)
    code.store(code.vector(code.builder.load(place)), total)


@emitted
def add_squares(code: Code, values: Any, count: Any, total: Any, kind: Any) -> None:
    """Add the squares of consecutive vectors to the vector at `total`, in order."""
    _add_squares(code, values, count, total)


@emitted
def add_squares_part(code: Code, values: Any, count: Any, total: Any, kind: Any) -> None:
    """The same for consecutive vectors of `FEW` numbers."""
    _add_squares(code.part, values, count, total)


@emitted
def clip_norm(code: Code, gradient: Any, count: Any, limits: Any, squares: Any, kind: Any) -> None:
    """Scale every net's gradient down to a norm of at most its limit (Pascanu et al. 2013).

    squares: address of the sum of its squares. A net with an infinite limit keeps its gradient to the bit, whatever the
    limits of the nets beside it.
    """
    limit, norm = code.load(limits), sqrt(code.load(squares))
    factor = limit / where(norm < 1e-30, 1e-30, norm)
    factor = where((factor > 1.0) | (limit >= INFINITY), 1.0, factor)
    with code.each(count) as k:
        code.store(code.load(gradient, k) * factor, gradient, k)


@emitted
def clip_values(code: Code, gradient: Any, count: Any, limits: Any, kind: Any) -> None:
    """Limit every number of a net's gradient to [-limit, limit]."""
    limit = code.load(limits)
    with code.each(count) as k:
        g = code.load(gradient, k)
        code.store(where(g < -limit, -limit, where(g > limit, limit, g)), gradient, k)


@emitted
def move(code: Code, index: Any, state: Any, gradient: Any, count: Any, own: Any, rate: Any, *numbers: Any) -> None:
    """One step of an optimiser, on the addresses of parameters and of both moments.

    own: address of every net's learning rate, and its weight decay on the gradient and on the direction.
    rate: the factor on the learning rate.
    numbers: of the optimiser, as `functions` says.
    """
    params, first, second = cgutils.unpack_tuple(code.builder, state)
    step, on_gradient, on_direction = code.load(own) * rate, code.load(own, BYTES), code.load(own, 2 * BYTES)
    moves = step > 0.0  # a stopped net has rate 0 and stays as it is, even where its direction is not finite
    wide = [code.full(number) for number in numbers]

    def write(function: Callable) -> None:
        with code.each(count) as k:
            p = code.load(params, k)
            g = fma(on_gradient, p, code.load(gradient, k))
            direction, m, v = function(g, code.load(first, k), code.load(second, k), wide)
            code.store(m, first, k)
            code.store(v, second, k)
            direction = fma(on_direction, p, direction)
            code.store(where(moves, fma(-step, direction, p), p), params, k)

    code.switch(index, write, list(functions.OPTIMIZERS.values()))


@emitted
def tile(
    code: Code, few: Any, rows: Any, columns: Any, depth: Any, a: Any, b: Any, c: Any, start: Any, kind: Any
) -> None:
    """`c = start + a @ b` for at most `ROWS` x `COLUMNS` vectors, whose sums stay in registers; in order of `depth`.

    A matrix is a triple of integers: its address and the bytes from one row and from one column to the next.
    few: 1 if a number of `a` is one of `FEW` nets, and multiplies all units in a vector of `b`; otherwise 0.
    """
    build = code.builder
    matrices = [cgutils.unpack_tuple(build, matrix) for matrix in (a, b, c, start)]
    shapes = [(code.load, m, n) for m in range(ROWS) for n in range(COLUMNS)]
    shapes += [(code.load_repeated, m, n) for m in range(ROWS) for n in range(min(FEW_COLUMNS, COLUMNS))]
    row = build.select(build.icmp_signed(">", few, I64(0)), I64(min(FEW_COLUMNS, COLUMNS)), I64(COLUMNS))
    index = build.add(build.mul(build.sub(rows, I64(1)), row), build.sub(columns, I64(1)))
    index = build.add(index, build.mul(few, I64(ROWS * COLUMNS)))
    code.switch(index, lambda shape: _tile(code, shape[0], shape[1] + 1, shape[2] + 1, depth, *matrices), shapes)


def _tile(
    code: Code, load: Callable, rows: int, columns: int, depth: Any, a: list, b: list, c: list, start: list
) -> None:
    """Write the code of a tile of one shape: no loop but that over the depth. `load` reads numbers of `a`."""
    build = code.builder
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    sums = [code.load(*_place(build, start, i, j)) for i, j in cells]
    before, body, after = build.block, build.append_basic_block("sum"), build.append_basic_block("after")
    build.branch(body)
    build.position_at_end(body)
    carried = [build.phi(value.type) for value in (depth, a[0], b[0], *(total.value for total in sums))]
    left, at_a, at_b, *totals = carried
    right = [code.load(at_b, build.mul(I64(j), b[2])) for j in range(columns)]
    results = []
    for i in range(rows):
        x = load(at_a, build.mul(I64(i), a[1]))
        results += [fma(x, y, code.vector(totals[i * columns + j])) for j, y in enumerate(right)]
    nexts = [build.sub(left, I64(1)), build.add(at_a, a[2]), build.add(at_b, b[1])]
    _carry(carried, before, [depth, a[0], b[0]], sums)
    _carry(carried, body, nexts, results)
    build.cbranch(build.icmp_signed(">", nexts[0], I64(0)), body, after)
    build.position_at_end(after)
    for (i, j), result in zip(cells, results, strict=True):
        code.store(result, *_place(build, c, i, j))


def _place(build: Any, matrix: Sequence[Any], i: int, j: int) -> list:
    """The address of a matrix's cell, as a base and two offsets."""
    return [matrix[0], build.mul(I64(i), matrix[1]), build.mul(I64(j), matrix[2])]


def _carry(carried: list, block: Any, integers: list, sums: list[Vector]) -> None:
    """Say what the values carried by a loop are when it is entered from a block."""
    for node, value in zip(carried, [*integers, *(total.value for total in sums)], strict=True):
        node.add_incoming(value, block)
