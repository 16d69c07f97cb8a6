"""Sharing: which architectures are padded to a common width, so that they train in one compiled program.

A program of a net's own size saves arithmetic and costs compiling; a shared one compiles once and computes with padded
layers. Setups of one width (`models.mlp.BUCKETS`) share a program, but for those that train long enough to be worth one
of their own; what then is still too little for a program joins the next wider one.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

from arithjax.models import model_of
from arithjax.models.mlp import bucket
from arithjax.models.network import FUSED
from arithjax.setup import Setup
from arithjax.training.cost import compile_seconds, places, step_seconds
from arithjax.training.engines.choice import layout_of
from arithjax.training.specs import Branches, Specs, specs_of

SURE = 5
"""How many times the compiling a program of its own has to save: costs are rough, and together setups fill places."""

Members = list[tuple[Setup, int]]
"""Setups with their numbers of nets."""


def padded_widths(pool: Sequence[tuple[Setup, int]]) -> dict[int, int]:
    """Map the `id` of a setup to the width its hidden layers are padded to; absent: a program of its own.

    pool: setups that may share a program, with their numbers of nets.
    """
    some_setup = pool[0][0]
    if not shares(some_setup):
        return {}
    together, alone = _by_bucket(pool)
    for width, specs, members in alone:
        wider = next((other for other in together if other > width), None)
        if wider and _joins(specs, members, blank(some_setup, wider), together[wider]):
            together[wider] += members
    for width, wider in itertools.pairwise(list(together)):
        if _joins(blank(some_setup, width), together[width], blank(some_setup, wider), together[wider]):
            together[wider] += together.pop(width)
    return {id(setup): width for width, members in together.items() for setup, _ in members}


def _by_bucket(pool: Sequence[tuple[Setup, int]]) -> tuple[dict[int, Members], list[tuple[int, Specs, Members]]]:
    """The setups that share a program of each width, and those with programs of their own, both by width."""
    buckets: dict[int, Members] = defaultdict(list)
    for setup, nets in pool:
        buckets[bucket(max(setup.widths))].append((setup, nets))
    together: dict[int, Members] = {}
    alone: list[tuple[int, Specs, Members]] = []
    for width, members in sorted(buckets.items()):
        shared, exact = _parted(blank(members[0][0], width), members)
        alone.extend((width, specs, of_it) for specs, of_it in exact.items())
        if shared:
            together[width] = shared
    return together, alone


def shares(setup: Setup) -> bool:
    """Whether a setup's layers may be padded: dense ones in the compiled engine."""
    return model_of(setup).pads and layout_of(setup) is not FUSED


def blank(setup: Setup, width: int) -> Specs:
    """The specs of a setup padded to `width`, without what its program chooses from."""
    return specs_of(setup, Branches(((),) * (len(setup.widths) + 1), (), ()), width)


def _parted(padded: Specs, members: Members) -> tuple[Members, dict[Specs, Members]]:
    """Of the setups of a bucket those that share its padded program, and the others by their own."""
    exact: dict[Specs, Members] = defaultdict(list)  # by what is compiled
    saved: dict[Specs, float] = defaultdict(float)
    for setup, nets in members:
        specs = specs_of(setup, Branches.of([setup]))
        exact[specs].append((setup, nets))
        saved[specs] += _seconds(padded, setup, nets) - _seconds(specs, setup, nets)
    long = {specs: exact[specs] for specs in exact if saved[specs] >= SURE * ONE_PROGRAM}
    short = [specs for specs in exact if specs not in long]
    shared = [member for specs in short for member in exact[specs]]
    compiling = ONE_PROGRAM * len(short) - _compiling(shared)
    if len(members) == 1 or sum(saved[specs] for specs in short) >= SURE * compiling:
        return [], exact
    return shared, long


def _joins(own: Specs, members: Members, wider: Specs, others: Members) -> bool:
    """Whether it is faster if the setups of a program join the wider one of others."""
    lost = sum(_seconds(wider, setup, nets) - _seconds(own, setup, nets) for setup, nets in members)
    return lost < _compiling(members) + _compiling(others) - _compiling(members + others)


def _compiling(members: Members) -> float:
    """Expected seconds to compile one program for all these setups."""
    return compile_seconds(Branches.of(setup for setup, _ in members))


ONE_PROGRAM = compile_seconds(Branches((("linear",),), (), ()))
"""Expected seconds to compile a program of one setup."""


def _seconds(specs: Specs, setup: Setup, nets: int) -> float:
    """Expected seconds to train so many nets of a setup in a program, on one core."""
    count = places(specs.train, nets, 1)
    return math.ceil(nets / count) * setup.last_step * step_seconds(specs.with_nets(count).train)
