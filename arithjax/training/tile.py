"""Tiles: nets that train together, and the arrays that their programs are given.

`Shared` holds traced scalars that all nets of a tile have in common, `PerNet` arrays over nets: changing either never
compiles anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int32, UInt32

from arithjax.environment import arithmetic
from arithjax.errors import ArithjaxError
from arithjax.models.initializers import Scaling
from arithjax.models.network import FUSED, LAYOUTS, Architecture
from arithjax.registry import INITIALIZERS, RAMPS, SCHEDULES
from arithjax.setup import Setup
from arithjax.task.examples import Range
from arithjax.task.transforms import rescalings
from arithjax.training.optimizers import Numbers, decay_of, default, numbers_of
from arithjax.training.schedules import Pace
from arithjax.training.specs import Specs, specs_of

FEWEST_LANES = 32
"""Fewest nets of a program of lanes: with fewer, powers round differently (a NALU trained by RMSProp at 16)."""
VECTOR = 16
"""Fewest nets of a tile of the fused engine, a vector of the widest processors: draws of fewer round differently."""


@dataclass(frozen=True)
class NetId:
    """One net: a setup and a seed, with the trial it belongs to."""

    trial: int
    seed: int
    setup: Setup


@dataclass(frozen=True)
class Tile:
    """Nets that train together in one run of a program; places beyond the last net are filled with copies of it."""

    specs: Specs
    nets: tuple[NetId, ...]

    @property
    def setup(self) -> Setup:
        """A setup of the tile: all agree in everything but the fields that may differ from net to net."""
        return self.nets[0].setup

    @property
    def places(self) -> int:
        """Nets that its programs hold."""
        return self.specs.train.nets

    @property
    def arithmetic(self) -> AbstractContextManager:
        """The context in which its arrays are made and its programs called: that of its precision, in this thread."""
        return arithmetic(self.specs.train.precision)

    @property
    def name(self) -> str:
        """The program as a table shows it: all that a net's last bits depend on besides its setup and seed.

        `fused`, `lanes` or, of matrix products, `product*8` with the places.
        """
        layout = self.specs.train.layout
        return layout.name if layout.lanes else f"{layout.name}*{self.places}"


def named_tile(name: str, net: NetId) -> Tile:
    """The tile that trains one net again to the same bits, from the program's name in its row.

    Rows of arithjax 0.1 may name sizes that layers were padded to, as in `product*8 2-64-64-1`. Their nets are trained
    in their own sizes, and may come out with other last bits.

    Raises:
        ArithjaxError: no program has such a name.
    """
    found = _NAME.fullmatch(name)
    if found is None or found["layout"] not in LAYOUTS:
        raise ArithjaxError(f"program={name[:60]!r} is no program of arithjax, so the table is damaged.")
    layout = LAYOUTS[found["layout"]]
    fewest = VECTOR if layout is FUSED else FEWEST_LANES
    return Tile(specs_of(net.setup, int(found["places"] or fewest), layout), (net,))


_NAME = re.compile(r"(?P<layout>[a-z]+)(\*(?P<places>[1-9]\d{0,5}))?( \d+(-\d{1,6})+)?")
"""The name of a program, as in `product*8 2-64-64-1`."""


class Shared(NamedTuple):
    """Scalars that all nets of a tile have in common; `branch` is that of `Architecture`."""

    branch: Int32[Array, ""]
    input_transform: Int32[Array, ""]
    target_transform: Int32[Array, ""]
    interval: Range
    numbers: Numbers
    pace: Pace
    scaling: Scaling
    regularizer_ramp: Int32[Array, ""]
    regularizer_start: Int32[Array, ""]
    regularizer_end: Int32[Array, ""]


class PerNet(NamedTuple):
    """What differs from net to net.

    identity: `[3, nets]` unsigned words, of the setup's digest and the seed: a net's only source of randomness.
    widths: `[layers + 1, nets]`.
    learning_rate, weight_decay, clip, clip_value, regularizer: `[nets]`.
    """

    identity: UInt32[Array, "3 nets"]
    widths: Int32[Array, "sizes nets"]
    learning_rate: Float[Array, " nets"]
    weight_decay: Float[Array, " nets"]
    clip: Float[Array, " nets"]
    clip_value: Float[Array, " nets"]
    regularizer: Float[Array, " nets"]


def architecture_of(shared: Shared, per_net: PerNet) -> Architecture:
    """True widths, activations and initialiser of the nets."""
    return Architecture(per_net.widths, shared.branch, shared.scaling)


def shared_arrays(tile: Tile) -> Shared:
    """What the nets of a tile have in common as arrays: whole numbers int32, others in its precision."""
    setup = tile.setup
    schedule = SCHEDULES[setup.schedule]
    return Shared(
        branch=_int(0),
        input_transform=_int(_index(setup.input_transform)),
        target_transform=_int(_index(setup.target_transform)),
        interval=Range(*map(_float, setup.bounds)),
        numbers=Numbers(*map(_float, numbers_of(setup))),
        pace=Pace(
            _int(list(SCHEDULES).index(setup.schedule)),
            _float(default(setup.end_factor, schedule.end_factor)),
            _int(setup.warmup),
            _int(setup.steps),
        ),
        scaling=INITIALIZERS[setup.initializer].scaling(),
        regularizer_ramp=_int(list(RAMPS).index(setup.regularizer_ramp)),
        regularizer_start=_int(setup.regularizer_start),
        regularizer_end=_int(setup.regularizer_end),
    )


def _index(name: str) -> int:
    """The place of a transform among the re-scalings; 0 of an encoding, which is part of the specs instead."""
    names = [transform.name for transform in rescalings()]
    return names.index(name) if name in names else 0


def _int(value: Any) -> Int32[Array, " ..."]:
    return jax.device_put(np.asarray(value, np.int32))


def _float(value: Any) -> Float[Array, " ..."]:
    return jax.device_put(np.asarray(value, float))


def per_net_arrays(tile: Tile) -> PerNet:
    """What differs between the places of a tile; those beyond the last net repeat it."""
    places = [*tile.nets, *[tile.nets[-1]] * (tile.places - len(tile.nets))]
    digests = {setup: setup.identity() for setup in {net.setup for net in tile.nets}}
    words = [(int(digests[net.setup][:8], 16), int(digests[net.setup][8:16], 16), net.seed) for net in places]
    widths = [(tile.specs.train.inputs, *net.setup.widths, tile.specs.train.outputs) for net in places]

    def row(value: Callable[[Setup], float | None]) -> Float[Array, " nets"]:
        return _float(np.array([value(net.setup) for net in places], float))

    return PerNet(
        identity=jax.device_put(np.array(words, np.uint32).T),
        widths=_int(np.array(widths).T),
        learning_rate=row(lambda setup: setup.learning_rate),
        weight_decay=row(decay_of),
        clip=row(lambda setup: setup.clip or np.inf),
        clip_value=row(lambda setup: setup.clip_value or np.inf),
        regularizer=row(lambda setup: setup.regularizer),
    )
