"""The plan: which nets train together, in which program.

Nets may share a program when all that is static agrees; what differs then is numbers. Narrow MLPs are lanes of a
multiply-sum program, and so are arithmetic units; wide MLPs are matrix products over a leading axis, a user's own
modules likewise. A program is either exact (one architecture) or shared (layers padded to a bucket, one of several
activations, optimisers and losses chosen at run time): sharing costs arithmetic and saves compiling.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax

from arithjax.errors import ArithjaxError
from arithjax.models import MLP, FlaxModel, MLPModel, Stack, UnitModel, layers_of
from arithjax.models.mlp import count_parameters
from arithjax.registry import ACTIVATIONS, DISTRIBUTIONS, LOSSES, MODELS, OPERATIONS, OPTIMIZERS, TRANSFORMS
from arithjax.setup import Setup
from arithjax.training.arrays import choices_of, decay_of, layer_activations
from arithjax.training.programs import Program

BUCKETS = (2, 4, 8, 16, 32, 64, 128, 256)
"""Widths that shared programs pad to; beyond, multiples of the last."""

BLOCK = 16
"""Examples that lanes take at a time, at most, where a layer's activations for a whole batch are `LARGE`."""

LARGE = 1024
"""Activations of a layer and a net that lanes better do not hold at once (measured on CPU)."""

SUMMED, SUMMED_NUMBERS = 256, 1 << 15
"""Examples, and numbers of a layer, that a matrix product sums over at once: of more, XLA's CPU backend splits the sum
among threads, and a net's last bits would depend on the number of cores."""

LANES = 16
"""Fewest places of a `lanes` program, a vector of the widest processors, where programs of fewer round differently."""

LANE_BYTES = 512
"""Most bytes of a number of all lanes: 128 lanes, or 64 in double precision, which round differently beyond."""


@dataclass(frozen=True)
class NetId:
    """One net: a setup and a seed, with the trial it belongs to."""

    trial: int
    seed: int
    setup: Setup


class Candidates(NamedTuple):
    """What a program can choose from at run time, by name: activations of every layer, optimisers, losses and, where
    it draws its own examples, operations."""

    layers: tuple[tuple[str, ...], ...]
    optimizers: tuple[str, ...]
    losses: tuple[str, ...]
    ops: tuple[str, ...] = ()

    @classmethod
    def of(cls, setups: Iterable[Setup]) -> Candidates:
        """Just what these setups, all of one depth, ask for."""
        setups = list(setups)
        layers = zip(*(layer_activations(setup) for setup in setups), strict=True)
        return cls(
            tuple(_distinct(names) for names in layers),
            _distinct(setup.optimizer for setup in setups),
            _distinct(setup.loss for setup in setups),
            _distinct(setup.op for setup in setups if setup.fresh),
        )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


@dataclass(frozen=True)
class Tile:
    """Nets that train together in one run of a program; places beyond the last net are filled with copies."""

    program: Program
    candidates: Candidates
    nets: tuple[NetId, ...]

    @property
    def setup(self) -> Setup:
        """A setup of the tile: all agree in what is static and in their choices."""
        return self.nets[0].setup

    @property
    def width(self) -> int | None:
        """What the hidden layers of its program are padded to, if they are."""
        network = self.program.network
        return network.features[0] if isinstance(network, MLP) and network.padded else None

    @property
    def name(self) -> str:
        """The program as a table shows it: all that a net's last bits depend on besides its setup and seed.

        `lanes` or, of matrix products, `product*8` with the places, and then the sizes of a program that several setups
        share, as in `product*8 2-64-64-1`: a padded layer may round differently from one of its true width.
        """
        program = self.program
        name = program.form if program.form == "lanes" else f"{program.form}*{program.nets}"
        shared = isinstance(program.network, MLP) and (program.network.padded if name == "lanes" else not program.alone)
        return f"{name} {'-'.join(map(str, (program.inputs, *program.network.features)))}" if shared else name


def named_tile(name: str, net: NetId) -> Tile:
    """The tile that trains one net again to the same bits, from the program's name in its row."""
    name, _, sizes = name.partition(" ")
    form, _, places = name.partition("*")
    candidates, width = Candidates.of([net.setup]), int(sizes.split("-")[1]) if sizes else None
    program = program_of(net.setup, candidates, width, int(places or LANES))
    return Tile(replace(program, form=form, block=_block(net.setup, form, width)), candidates, (net,))


def plan(nets: Sequence[NetId], workers: int) -> list[Tile]:
    """Tiles for all nets, the longest first, so that none is left to train alone at the end."""
    pools: dict[Any, list[NetId]] = defaultdict(list)
    pool_of = _once(lambda setup: pools[_pool(setup)])
    for net in nets:
        pool_of(net.setup).append(net)
    tiles, share = [], memory() / _at_once(workers, len(nets))
    for pool in pools.values():
        setups = {id(net.setup): net.setup for net in pool}
        sizes = Counter(id(net.setup) for net in pool)
        widths = sharing([(setup, sizes[number]) for number, setup in setups.items()])
        common = _common(setups, widths)
        groups: dict[tuple, list[NetId]] = defaultdict(list)
        group_of = _once(
            lambda setup, common=common, widths=widths, groups=groups: groups[
                _group(setup, common, widths.get(id(setup)))
            ]
        )
        for net in pool:
            group_of(net.setup).append(net)
        largest: dict[Program, int] = defaultdict(int)
        for (program, *_), members in groups.items():
            largest[program] = max(largest[program], len(members))
        sharers = workers if len(groups) < workers else 1  # who has a tile of his own needs no share of another's
        for (program, candidates, *_), members in groups.items():
            count = fitting(program, places(program, largest[program], sharers), share)
            for start in range(0, len(members), count):
                tiles.append(Tile(replace(program, nets=count), candidates, tuple(members[start : start + count])))
    return sorted(tiles, key=lambda tile: -seconds(tile))


def _once(function: Callable[[Setup], Any]) -> Callable[[Setup], Any]:
    """The function, computed once for each setup: there are many nets to one."""
    known: dict[int, Any] = {}

    def of(setup: Setup) -> Any:
        if id(setup) not in known:
            known[id(setup)] = function(setup)
        return known[id(setup)]

    return of


def _common(setups: dict[int, Setup], widths: dict[int, int]) -> dict[int | None, Candidates]:
    """The candidates of the setups padded to each width, and at None those of all that are not padded; operations are
    everywhere those of all."""
    sharers: dict[int | None, list[Setup]] = defaultdict(list)
    for number, setup in setups.items():
        sharers[widths.get(number)].append(setup)
    ops = Candidates.of(setups.values()).ops
    return {width: Candidates.of(members)._replace(ops=ops) for width, members in sharers.items()}


def _group(setup: Setup, common: dict[int | None, Candidates], width: int | None) -> tuple:
    """What setups agree in that may share a tile: program, candidates and choices, and how they are judged."""
    candidates = common[width] if width else Candidates.of([setup])._replace(ops=common[None].ops)
    return program_of(setup, candidates, width), candidates, choices_of(setup, candidates), judged_width(setup)


def _pool(setup: Setup) -> Any:
    """What setups have to agree in before they can share a program."""
    if _family(setup) is FlaxModel:
        return setup
    if _family(setup) is UnitModel:
        exact = program_of(setup, Candidates.of([setup])._replace(ops=()))
        return replace(exact, op=None) if setup.fresh else exact
    return _blank(setup, 1)


def _blank(setup: Setup, width: int) -> Program:
    """The program of a setup padded to `width`, without what it chooses from."""
    return program_of(setup, Candidates(((),) * (len(setup.widths) + 1), (), ()), width)


def _family(setup: Setup) -> type:
    """The kind of model a setup asks for."""
    return type(MODELS[setup.model]) if isinstance(setup.model, str) else UnitModel


def sharing(pool: Sequence[tuple[Setup, int]]) -> dict[int, int]:
    """The width that setups of a pool, given with their numbers of nets, had better be padded to, by the setup's `id`;
    the others have programs of their own.

    A program saves arithmetic and costs compiling. Setups of one bucket share one, but for those that train long; what
    then is still too little for a program of its own joins the next wider one.
    """
    if _family(pool[0][0]) is not MLPModel:
        return {}
    any_setup = pool[0][0]
    buckets: dict[int, list[tuple[Setup, int]]] = defaultdict(list)
    for setup, nets in pool:
        buckets[bucket(max(setup.widths))].append((setup, nets))
    together, alone = {}, []
    for width, members in sorted(buckets.items()):
        shared, exact = _parted(_blank(any_setup, width), members)
        alone.extend((width, program, of_it) for program, of_it in exact.items())
        if shared:
            together[width] = shared
    for width, program, members in alone:
        wider = next((other for other in together if other > width), None)
        if wider and _joins(program, members, _blank(any_setup, wider), together[wider]):
            together[wider] += members
    for width, wider in itertools.pairwise(list(together)):
        if _joins(_blank(any_setup, width), together[width], _blank(any_setup, wider), together[wider]):
            together[wider] += together.pop(width)
    return {id(setup): width for width, members in together.items() for setup, _ in members}


def _parted(padded: Program, members: Sequence[tuple[Setup, int]]) -> tuple[list, dict[Program, list]]:
    """Of the setups of a bucket those that share its padded program, and the others by their own."""
    exact: dict[Program, list[tuple[Setup, int]]] = defaultdict(list)  # by what is compiled
    saved: dict[Program, float] = defaultdict(float)
    for setup, nets in members:
        program = program_of(setup, Candidates.of([setup]))
        exact[program].append((setup, nets))
        saved[program] += _seconds(padded, setup, nets) - _seconds(program, setup, nets)
    long = {program: exact[program] for program in exact if saved[program] >= SURE * compile_seconds(1)}
    short = [program for program in exact if program not in long]
    shared = [member for program in short for member in exact[program]]
    compiling = compile_seconds(1) * len(short) - _compiling(shared)
    if len(members) == 1 or sum(saved[program] for program in short) >= SURE * compiling:
        return [], exact
    return shared, long


def _joins(own: Program, members: list, wider: Program, others: list) -> bool:
    """Whether the setups of a program had better join the wider one of others."""
    lost = sum(_seconds(wider, setup, nets) - _seconds(own, setup, nets) for setup, nets in members)
    return lost < _compiling(members) + _compiling(others) - _compiling(members + others)


def _compiling(members: Sequence[tuple[Setup, int]]) -> float:
    """Expected seconds to compile one program for all these setups."""
    return compile_seconds(sum(map(len, Candidates.of(setup for setup, _ in members).layers)))


SURE = 5
"""How many times the compiling a program of its own has to save: costs are rough, and together setups fill places."""


def _seconds(program: Program, setup: Setup, nets: int) -> float:
    """Expected seconds to train so many nets of a setup in a program, on one core."""
    count = places(program, nets, 1)
    return math.ceil(nets / count) * cost(replace(program, nets=count), setup.last_step)


def compile_seconds(branches: int) -> float:
    """Expected seconds to compile a program with this many activations in all its layers."""
    return 2.5 + 0.1 * branches


STEP_SECONDS = 2e-5

LANES_FLOPS = 12e9

PRODUCT_FLOPS = 25e9

UNIT_FLOPS = 50
"""Floating-point operations for a weight of a unit and an example: powers and logarithms count as many."""


def cost(program: Program, steps: int) -> float:
    """Expected seconds of one run of a program on one core: a fixed time a step, and its arithmetic."""
    if program.form == "lifted":
        return steps * 1e-3
    weights = count_parameters((program.inputs, *_features(program)))
    flops = (UNIT_FLOPS if program.units else 6) * program.batch * weights
    rate = LANES_FLOPS if program.form == "lanes" else PRODUCT_FLOPS
    return steps * (STEP_SECONDS + max(program.nets, LANES if program.form == "lanes" else 8) * flops / rate)


def seconds(tile: Tile) -> float:
    """Expected seconds of a tile on one core: its optimiser's steps, and those that finish it."""
    program, finish = tile.program, tile.setup.finish
    spent = cost(program, tile.setup.last_step)
    if not finish or tile.setup.until:
        return spent
    parameters = count_parameters((program.inputs, *tile.setup.widths, 1))
    return spent + len(tile.nets) * finish * program.examples * parameters * (2 * parameters + 60) / PRODUCT_FLOPS * 2


def places(program: Program, nets: int, workers: int) -> int:
    """How many nets a run of the program holds. In `lanes` form results do not depend on it."""
    if program.leading:
        return min(8, _power(nets))
    if jax.default_backend() != "cpu":
        return min(8192, max(32, _power(nets)))
    rows = program.examples * (program.inputs + 1) * 4
    fits = _power((1 << 28) // rows + 1) // 2
    if program.block < program.batch:  # the sums of a vector stay in registers, and blocks of few lanes in the cache
        fits = min(fits, LANES * 256 // bucket(max(program.network.features)) ** 2)
    most = LANE_BYTES // (8 if program.precision == "float64" else 4)
    return min(most, max(LANES, fits), max(LANES, _power(math.ceil(nets / workers))))


def fitting(program: Program, count: int, share: float) -> int:
    """So many places, or as many fewer as a run needs to fit in `share` bytes."""
    while count > (1 if program.leading else LANES) and bytes_of(program, count) > share:
        count //= 2
    if (needed := bytes_of(program, count)) > share:
        layers = "-".join(map(str, (program.inputs, *_features(program))))
        raise ArithjaxError(
            f"the smallest program for nets {layers}, {count} at a time, with examples={program.examples:,} and "
            f"batch={program.batch:,} needs {needed / 1e9:,.2f} GB, and a run may take {share / 1e9:,.2f} GB; take "
            f"fewer examples (fresh=True draws new ones at each step), a smaller batch, narrower layers or fewer nets."
        )
    return count


def bytes_of(program: Program, count: int) -> float:
    """Expected bytes of a run with so many places: examples as they are drawn and as they are shown, weights with
    gradients, moments and what an optimiser makes of them, before and after, and what a batch leaves in every layer."""
    features = _features(program)
    examples = 2 * program.examples * (program.inputs + 1)
    weights = 8 * count_parameters((program.inputs, *features)) if features else 0
    batch = 4 * program.batch * (program.inputs + sum(features))
    size = 8.0 if program.precision == "float64" else 4.0
    return size * count * (examples + weights + batch)


def memory() -> float:
    """Bytes that training may take: most of an accelerator's memory, or of the machine's."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return 0.8 * (device.memory_stats() or {}).get("bytes_limit", math.inf)
    return 0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf


def _at_once(workers: int, nets: int) -> int:
    """Runs that share a memory: those of a machine's cores, since every accelerator has its own."""
    return max(1, min(workers, os.cpu_count() or 1, nets)) if jax.default_backend() == "cpu" else 1


def _features(program: Program) -> tuple[int, ...]:
    """The padded width of every layer, the output last; nothing of a user's own network is known."""
    return () if program.form == "lifted" else program.network.features


def _narrow(width: int, batch: int) -> bool:
    """Whether nets of this width train faster as lanes of multiply-sums than as matrix products (measured on CPU)."""
    return width <= 16 or (width <= 32 and batch <= 16)


def _block(setup: Setup, form: str, width: int | None) -> int:
    """How many examples of a batch a program takes at a time: a divisor of the batch near the most it should, or the
    whole batch for units, where that is less, on accelerators, and where there is no such divisor."""
    if _family(setup) is UnitModel:
        return setup.batch
    width = bucket(width or max(setup.widths)) if setup.widths and form != "lifted" else 1
    if form == "lanes":
        most = BLOCK if setup.batch * width >= LARGE else setup.batch
    else:
        most = min(SUMMED, SUMMED_NUMBERS // width)
    if jax.default_backend() != "cpu" or setup.batch <= most:
        return setup.batch
    return max((size for size in range(max(1, most // 4), most + 1) if setup.batch % size == 0), default=setup.batch)


def _power(count: int) -> int:
    """The next power of two."""
    return 1 << max(0, count - 1).bit_length()


def bucket(width: int) -> int:
    """The width a layer of a shared program is padded to."""
    return next((b for b in BUCKETS if width <= b), math.ceil(width / BUCKETS[-1]) * BUCKETS[-1])


def judged_width(setup: Setup) -> int | None:
    """The width that the hidden layers of a dense net are padded to when it is judged, wherever it was trained."""
    return bucket(max(setup.widths)) if _family(setup) is MLPModel else None


def program_of(setup: Setup, candidates: Candidates, width: int | None = None, nets: int = 1) -> Program:
    """The program of a setup, with `nets` places, and all hidden layers padded to `width`, if there is one."""
    op, family = OPERATIONS[setup.op], _family(setup)
    activations = tuple(tuple(ACTIVATIONS[name] for name in names) for names in candidates.layers)
    if family is MLPModel:
        widths = (width,) * len(setup.widths) if width else setup.widths
        form = "lanes" if _narrow(bucket(max(setup.widths)), setup.batch) else "product"
        alone = form == "product" and not width
        network: Any = MLP((*widths, 1), activations, setup.bias, bool(width), alone)
    elif family is UnitModel:
        kinds = tuple(unit.kind for unit in layers_of(setup.model, len(setup.widths) + 1))
        network, form = Stack(kinds, (*setup.widths, 1), activations, setup.bias), "lanes"
    else:
        network, form = MODELS[setup.model].network(setup), "lifted"
    return Program(
        network=network,
        form=form,
        nets=nets,
        inputs=op.arity,
        op=op,
        ops=tuple(OPERATIONS[name] for name in candidates.ops),
        integers=setup.integers,
        distribution=DISTRIBUTIONS[setup.distribution],
        examples=setup.examples,
        batch=setup.batch,
        block=_block(setup, form, width),
        fresh=setup.fresh,
        optimizers=tuple(OPTIMIZERS[name] for name in candidates.optimizers),
        losses=tuple(LOSSES[name] for name in candidates.losses),
        transforms=tuple(TRANSFORMS.values()),
        weight_decay=decay_of(setup) > 0,
        clip=setup.clip is not None,
        clip_value=setup.clip_value is not None,
        penalty=setup.regularizer > 0,
        alternate=setup.alternate,
        stops=setup.stop_early,
        precision=setup.precision,
    )
