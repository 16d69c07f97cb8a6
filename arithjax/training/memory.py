"""Memory: expected bytes of a tile's programs, and tiles small enough for the machine."""

from __future__ import annotations

import math
import os

import jax

from arithjax import disk
from arithjax.architecture import count_parameters
from arithjax.environment import backend
from arithjax.errors import ArithjaxError
from arithjax.models.network import FUSED, ONCHIP
from arithjax.training.initial import NUMBERS
from arithjax.training.specs import Specs, TrainSpec
from arithjax.training.tile import FEWEST_LANES, VECTOR

DRAWING = 4
"""What is kept of a weight while it is drawn: two words of random bits, a uniform number, and the weight."""


def fitting(specs: Specs, count: int, share: float) -> int:
    """`count` places, or as many fewer as a tile needs to fit in `share` bytes.

    Raises:
        ArithjaxError: the smallest tile does not fit.
    """
    spec = specs.train
    fewest = VECTOR if spec.layout is FUSED else FEWEST_LANES if spec.layout.lanes else 1
    while count > fewest and bytes_of(spec, count) > share:
        count //= 2
    _refuse(spec, count, share)
    return count


def check_memory(specs: Specs) -> None:
    """Raise `ArithjaxError` unless a tile's programs, alone on the machine, fit in memory."""
    _refuse(specs.train, specs.train.nets, memory())


def _refuse(spec: TrainSpec, count: int, share: float) -> None:
    """Raise `ArithjaxError` where so many places need more than `share` bytes."""
    if (needed := bytes_of(spec, count)) > share:
        layers = "-".join(map(str, (spec.inputs, *spec.network.features)))
        raise ArithjaxError(
            f"the smallest program for nets {layers}, {count} at a time, with examples={spec.examples:,} and "
            f"batch={spec.batch:,} needs {needed / 1e9:,.2f} GB, and a run may take {share / 1e9:,.2f} GB; take "
            f"fewer examples (fresh=True draws new ones at each step), a smaller batch, narrower layers or fewer nets."
        )


def bytes_of(spec: TrainSpec, count: int) -> float:
    """Expected bytes of a tile with so many places.

    Examples as they are drawn and as they are transformed, weights with gradients, moments and what an optimiser makes
    of them, before and after, and what a batch leaves in every layer, or, on a chip, batches that are drawn or gathered
    before, also in blocks; or, where that is more, what the drawing of the first weights takes.
    """
    features = spec.network.features
    examples = 2 * spec.examples * (spec.inputs + spec.outputs)
    weights = 8 * count_parameters((spec.inputs, *features)) if features else 0
    batch = 4 * spec.batch * (spec.inputs + sum(features))
    if spec.layout is ONCHIP:
        before = spec.fresh or backend() == "tpu"
        batch = 2 * spec.portion * spec.batch * (spec.inputs + spec.outputs) if before else 0
    size = 8.0 if spec.precision == "float64" else 4.0
    return size * count * max(examples + weights + batch, DRAWING * NUMBERS)


def memory() -> float:
    """Bytes that training may take: most of an accelerator's memory, or of the machine's."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return 0.8 * (device.memory_stats() or {}).get("bytes_limit", math.inf)
    return 0.8 * disk.memory()


def memory_of_each(workers: int, nets: int) -> float:
    """Bytes that each of the tiles may take that train at the same time; every accelerator has memory of its own."""
    together = max(1, min(workers, os.cpu_count() or 1, nets)) if backend() == "cpu" else 1
    return memory() / together
