"""Cost: seconds, bytes and places of a tile's programs, as they are expected before anything is trained.

The constants were measured on CPU; only their ratios matter, since they decide what is trained together.
"""

from __future__ import annotations

import math
import os

import jax

from arithjax.errors import ArithjaxError
from arithjax.models.mlp import bucket, count_parameters
from arithjax.models.network import FUSED, LANES, Layout
from arithjax.training.specs import Branches, Specs, TrainSpec
from arithjax.training.tile import FEWEST_LANES, Tile

LANE_BYTES = 512
"""Most bytes of a number of all lanes: 128 lanes, or 64 in double precision, which round differently beyond."""
PRODUCT_NETS = 8
"""Most nets of a program of matrix products."""
STEP_SECONDS = 2e-5
"""Fixed time of a step."""
LANES_FLOPS, PRODUCT_FLOPS, FUSED_FLOPS = 12e9, 25e9, 50e9
"""Floating-point operations a second, of multiply-sums, of matrix products and of the fused kernel."""
UNKNOWN_STEP_SECONDS = 1e-3
"""Time of a step of a network of which nothing is known."""


def compile_seconds(branches: Branches, layout: Layout = LANES) -> float:
    """Expected seconds to compile a program that chooses from these activations; the fused engine compiles none."""
    return 0.0 if layout is FUSED else 2.5 + 0.1 * sum(map(len, branches.layers))


def step_seconds(spec: TrainSpec) -> float:
    """Expected seconds of a step of a program on one core: a fixed time, and its arithmetic."""
    if not spec.network.features:
        return UNKNOWN_STEP_SECONDS
    flops = spec.network.flops * spec.batch * count_parameters((spec.inputs, *spec.network.features))
    if spec.layout is FUSED:
        return max(spec.nets, FEWEST_LANES) * flops / FUSED_FLOPS
    rate, fewest = (LANES_FLOPS, FEWEST_LANES) if spec.layout.lanes else (PRODUCT_FLOPS, PRODUCT_NETS)
    return STEP_SECONDS + max(spec.nets, fewest) * flops / rate


def seconds(tile: Tile) -> float:
    """Expected seconds of a tile on one core: its optimiser's steps, and those that finish it."""
    spec, setup = tile.specs.train, tile.setup
    spent = setup.last_step * step_seconds(spec)
    if not setup.finish or setup.until:
        return spent
    parameters = count_parameters((spec.inputs, *setup.widths, 1))
    return (
        spent + len(tile.nets) * setup.finish * spec.examples * parameters * (2 * parameters + 60) * 2 / PRODUCT_FLOPS
    )


def places(spec: TrainSpec, nets: int, workers: int) -> int:
    """How many nets a tile should hold. Of lanes, results do not depend on it."""
    if not spec.layout.lanes:
        return min(PRODUCT_NETS, power_of_two(nets))
    if jax.default_backend() != "cpu":
        return min(8192, max(32, power_of_two(nets)))
    rows = spec.examples * (spec.inputs + 1) * 4
    fits = power_of_two((1 << 28) // rows + 1) // 2
    if spec.block < spec.batch:  # the sums of a vector stay in registers, and blocks of few lanes in the cache
        fits = min(fits, FEWEST_LANES * 256 // bucket(max(spec.network.features)) ** 2)
    most = LANE_BYTES // (8 if spec.precision == "float64" else 4)
    return min(most, max(FEWEST_LANES, fits), max(FEWEST_LANES, power_of_two(math.ceil(nets / workers))))


def power_of_two(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()


def fitting(specs: Specs, count: int, share: float) -> int:
    """`count` places, or as many fewer as a tile needs to fit in `share` bytes.

    Raises:
        ArithjaxError: the smallest tile does not fit.
    """
    spec = specs.train
    while count > (FEWEST_LANES if spec.layout.lanes else 1) and bytes_of(spec, count) > share:
        count //= 2
    if (needed := bytes_of(spec, count)) > share:
        layers = "-".join(map(str, (spec.inputs, *spec.network.features)))
        raise ArithjaxError(
            f"the smallest program for nets {layers}, {count} at a time, with examples={spec.examples:,} and "
            f"batch={spec.batch:,} needs {needed / 1e9:,.2f} GB, and a run may take {share / 1e9:,.2f} GB; take "
            f"fewer examples (fresh=True draws new ones at each step), a smaller batch, narrower layers or fewer nets."
        )
    return count


def bytes_of(spec: TrainSpec, count: int) -> float:
    """Expected bytes of a tile with so many places.

    Examples as they are drawn and as they are transformed, weights with gradients, moments and what an optimiser makes
    of them, before and after, and what a batch leaves in every layer.
    """
    features = spec.network.features
    examples = 2 * spec.examples * (spec.inputs + 1)
    weights = 8 * count_parameters((spec.inputs, *features)) if features else 0
    batch = 4 * spec.batch * (spec.inputs + sum(features))
    size = 8.0 if spec.precision == "float64" else 4.0
    return size * count * (examples + weights + batch)


def memory() -> float:
    """Bytes that training may take: most of an accelerator's memory, or of the machine's."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return 0.8 * (device.memory_stats() or {}).get("bytes_limit", math.inf)
    return 0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def memory_of_each(workers: int, nets: int) -> float:
    """Bytes that each of the tiles may take that train at the same time; every accelerator has memory of its own."""
    together = max(1, min(workers, os.cpu_count() or 1, nets)) if jax.default_backend() == "cpu" else 1
    return memory() / together
