"""Planning: which nets train together, in which programs.

Nets may share a program when all that is static agrees; what differs then is numbers. Within a tile, only the fields of
scope `net` differ and, where layers are padded, widths.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from arithjax.models.mlp import bucket
from arithjax.setup import FIELDS, Setup
from arithjax.training.cost import places, seconds
from arithjax.training.memory import fitting, memory_of_each
from arithjax.training.padding import blank, padded_widths, shares
from arithjax.training.specs import Branches, Specs, specs_of
from arithjax.training.tile import NetId, Tile

AGREED = [name for name, field in FIELDS.items() if field.scope != "net" and name != "widths"]
"""Fields in which the setups of a tile agree, besides their widths where layers are not padded."""


def plan(nets: Sequence[NetId], workers: int) -> list[Tile]:
    """Tiles for all nets, the longest first, so that none is left to train alone at the end."""
    pools: dict[Any, list[NetId]] = defaultdict(list)
    pool_of = _once(lambda setup: pools[_pool(setup)])
    for net in nets:
        pool_of(net.setup).append(net)
    share = memory_of_each(workers, len(nets))
    tiles = [tile for pool in pools.values() for tile in _tiles(pool, workers, share)]
    return sorted(tiles, key=lambda tile: -seconds(tile))


def _once(function: Callable[[Setup], Any]) -> Callable[[Setup], Any]:
    """The function, computed once for each setup object: there are many nets to one."""
    known: dict[int, Any] = {}

    def of(setup: Setup) -> Any:
        if id(setup) not in known:
            known[id(setup)] = function(setup)
        return known[id(setup)]

    return of


def _pool(setup: Setup) -> Hashable:
    """What setups have to agree in before they can share a program."""
    if shares(setup):
        return blank(setup, 1)
    exact = specs_of(setup, Branches.of([setup])._replace(ops=()))
    return exact._replace(data=replace(exact.data, op=None)) if setup.fresh else exact


def _tiles(pool: Sequence[NetId], workers: int, share: float) -> list[Tile]:
    """Tiles for the nets of a pool; each may take `share` bytes."""
    setups = {id(net.setup): net.setup for net in pool}
    sizes = Counter(id(net.setup) for net in pool)
    widths = padded_widths([(setup, sizes[number]) for number, setup in setups.items()])
    branches = _branches(setups, widths)
    groups: dict[tuple[Specs, Branches, Hashable], list[NetId]] = defaultdict(list)
    group_of = _once(lambda setup: groups[_group(setup, branches, widths.get(id(setup)))])
    for net in pool:
        group_of(net.setup).append(net)
    largest: dict[Specs, int] = defaultdict(int)
    for (specs, *_), members in groups.items():
        largest[specs] = max(largest[specs], len(members))
    split = workers if len(groups) < workers else 1  # with at least as many groups as workers, groups are not split
    tiles = []
    for (specs, chosen_from, _), members in groups.items():
        count = fitting(specs, places(specs.train, largest[specs], split), share)
        for start in range(0, len(members), count):
            tiles.append(Tile(specs.with_nets(count), chosen_from, tuple(members[start : start + count])))
    return tiles


def _branches(setups: dict[int, Setup], widths: dict[int, int]) -> dict[int | None, Branches]:
    """Branches by padded width; key None: of all setups that are not padded. Operations are those of the whole pool."""
    sharers: dict[int | None, list[Setup]] = defaultdict(list)
    for number, setup in setups.items():
        sharers[widths.get(number)].append(setup)
    ops = Branches.of(setups.values()).ops
    return {width: Branches.of(members)._replace(ops=ops) for width, members in sharers.items()}


def _group(setup: Setup, branches: dict[int | None, Branches], width: int | None) -> tuple[Specs, Branches, Hashable]:
    """What the setups of a tile agree in: specs, branches, and all fields but those that differ from net to net."""
    chosen_from = branches[width] if width else Branches.of([setup])._replace(ops=branches[None].ops)
    sizes = bucket(max(setup.widths)) if shares(setup) else setup.widths
    fields = sizes, *(getattr(setup, name) for name in AGREED)
    return specs_of(setup, chosen_from, width), chosen_from, fields
