"""Planning: which nets train together, in which tiles.

The nets of a tile differ only in the fields of scope `net`: numbers that stand in arrays over nets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from arithjax.setup import FIELDS, Setup
from arithjax.training.cost import places, seconds
from arithjax.training.memory import fitting, memory_of_each
from arithjax.training.specs import Specs, specs_of
from arithjax.training.tile import NetId, Tile

AGREED = [name for name, field in FIELDS.items() if field.scope != "net"]
"""Fields in which the setups of a tile agree."""


def plan(nets: Sequence[NetId], workers: int) -> list[Tile]:
    """Tiles for all nets, the longest first, so that none is left to train alone at the end."""
    groups: dict[tuple, list[NetId]] = defaultdict(list)
    known: dict[int, list[NetId]] = {}  # by setup object: there are many nets to one
    for net in nets:
        if id(net.setup) not in known:
            known[id(net.setup)] = groups[_group(net.setup)]
        known[id(net.setup)].append(net)
    programs: dict[Specs, list[list[NetId]]] = defaultdict(list)
    for (specs, *_), members in groups.items():
        programs[specs].append(members)
    share = memory_of_each(workers, len(nets))
    tiles = [tile for specs, members in programs.items() for tile in _tiles(specs, members, workers, share)]
    return sorted(tiles, key=lambda tile: -seconds(tile))


def _group(setup: Setup) -> tuple:
    """What the setups of a tile agree in: specs, and all fields but those that differ from net to net."""
    return specs_of(setup), *(getattr(setup, name) for name in AGREED)


def _tiles(specs: Specs, groups: list[list[NetId]], workers: int, share: float) -> list[Tile]:
    """Tiles of one size for groups that share a program; each may take `share` bytes."""
    split = workers if len(groups) < workers else 1  # with at least as many groups as workers, groups are not split
    count = fitting(specs, places(specs.train, max(map(len, groups)), split), share)
    sized = specs.with_nets(count)
    return [
        Tile(sized, tuple(members[start : start + count]))
        for members in groups
        for start in range(0, len(members), count)
    ]
