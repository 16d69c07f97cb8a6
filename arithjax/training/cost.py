"""Cost: expected seconds of a tile's programs, and how many nets they should hold.

The constants were measured on CPU; only their ratios matter, since they decide what is trained together.
"""

from __future__ import annotations

import math

from arithjax.architecture import count_parameters
from arithjax.environment import backend
from arithjax.models.network import FUSED
from arithjax.training.engines import dense
from arithjax.training.specs import TrainSpec
from arithjax.training.tile import FEWEST_LANES, VECTOR, Tile

LANE_BYTES = 512
"""Most bytes of a number of all lanes: 128 lanes, or 64 in double precision, which round differently beyond."""
PRODUCT_NETS = 8
"""Most nets of a program of matrix products."""
ACCELERATED = 1 << 16
"""Most nets of an accelerator's program, as far as memory allows."""
STEP_SECONDS = 2e-5
"""Fixed time of a step."""
LANES_FLOPS, PRODUCT_FLOPS, FUSED_FLOPS = 12e9, 25e9, 50e9
"""Floating-point operations a second, of multiply-sums, of matrix products and of the fused kernel."""
UNKNOWN_STEP_SECONDS = 1e-3
"""Time of a step of a network of which nothing is known."""


def compile_seconds(spec: TrainSpec) -> float:
    """Expected seconds to compile a program; the fused engine compiles none."""
    return 0.0 if spec.layout is FUSED else 2.5 + 0.1 * len(spec.network.features)


def numbers_moved(tile: Tile) -> tuple[int, int]:
    """Parameters that a step moves: those of all places, and those of nets. One a net of which nothing is known."""
    spec, nets = tile.specs.train, len(tile.nets)
    own = count_parameters((spec.inputs, *spec.network.features)) if spec.network.features else 1
    return dense.numbers_moved(spec, nets) if spec.layout is FUSED else spec.nets * own, nets * own


def step_seconds(spec: TrainSpec) -> float:
    """Expected seconds of a step of a program on one core: a fixed time, and its arithmetic."""
    if not spec.network.features:
        return UNKNOWN_STEP_SECONDS
    flops = spec.network.flops * spec.batch * count_parameters((spec.inputs, *spec.network.features))
    if spec.layout is FUSED:
        return spec.nets * flops / FUSED_FLOPS
    rate, fewest = (LANES_FLOPS, FEWEST_LANES) if spec.layout.lanes else (PRODUCT_FLOPS, PRODUCT_NETS)
    return STEP_SECONDS + max(spec.nets, fewest) * flops / rate


def seconds(tile: Tile) -> float:
    """Expected seconds of a tile on one core: its optimiser's steps, and those that finish it."""
    spec, setup = tile.specs.train, tile.setup
    spent = setup.last_step * step_seconds(spec)
    if not setup.finish or setup.until:
        return spent
    parameters = count_parameters((spec.inputs, *setup.widths, spec.outputs))
    return (
        spent + len(tile.nets) * setup.finish * spec.examples * parameters * (2 * parameters + 60) * 2 / PRODUCT_FLOPS
    )


def places(spec: TrainSpec, nets: int, workers: int) -> int:
    """How many nets a tile should hold. Of lanes, results do not depend on it."""
    if backend() != "cpu":
        return min(ACCELERATED, max(FEWEST_LANES, power_of_two(math.ceil(nets / workers))))
    if not spec.layout.lanes:
        return min(PRODUCT_NETS, power_of_two(nets))
    rows = spec.examples * (spec.inputs + spec.outputs) * 4
    fits = power_of_two((1 << 28) // rows + 1) // 2
    if spec.block < spec.batch:  # the sums of a vector stay in registers, and blocks of few lanes in the cache
        fits = min(fits, VECTOR * 256 // max(spec.network.features) ** 2)
    most = LANE_BYTES // (8 if spec.precision == "float64" else 4)
    fewest = VECTOR if spec.layout is FUSED else FEWEST_LANES
    return min(most, max(fewest, fits), max(fewest, power_of_two(math.ceil(nets / workers))))


def power_of_two(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()
