"""Many setups and seeds at once: plan them, train every tile on a free core or device, and judge what was learnt."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from arithjax.environment import devices_and_workers
from arithjax.errors import ArithjaxError, Interrupted, check_count, check_seed
from arithjax.setup import Setup
from arithjax.tables.schema import in_order
from arithjax.training import programs, stages
from arithjax.training.arrays import choices_arrays, nets_arrays
from arithjax.training.finishing import finish_tile
from arithjax.training.judge import Judge, Record
from arithjax.training.planning import NetId, Tile, plan


@dataclass
class Trained:
    """A tile after training: its table rows, and the state to keep a net from."""

    tile: Tile
    rows: pd.DataFrame
    state: programs.State
    fits: tuple


def train_setups(setups: Sequence[Setup], seeds: int = 1, seed: int = 0) -> pd.DataFrame:
    """Train every setup from seeds `0 .. seeds - 1`; one row a net, in the order of setups and seeds.

    `seed` is the root of all randomness. Columns are those of `nets.parquet`; `trial` numbers the setups.
    """
    if isinstance(setups, Setup):
        raise ArithjaxError("setups is a single Setup; put it in a list: [setup].")
    check_seed(seed)
    setups = list(setups)
    for setup in setups:
        if not isinstance(setup, Setup):
            raise ArithjaxError(f"setups holds a {type(setup).__name__}; every entry has to be an arithjax Setup.")
    check_count("seeds", seeds)
    nets = [NetId(trial, number, setup) for trial, setup in enumerate(setups) for number in range(seeds)]
    frames = [trained.rows for trained in train_nets(nets, seed)]
    return in_order(pd.concat(frames)) if frames else pd.DataFrame()


def train_nets(
    nets: Sequence[NetId],
    root: int,
    workers: int | None = None,
    progress: Callable[[int], None] = lambda steps: None,
    stop: threading.Event | None = None,
) -> Iterator[Trained]:
    """Train all nets and yield each tile when it is done, in no particular order.

    workers: tiles trained at a time; by default one for each core, or for each accelerator.
    progress: called with the model-steps just done. stop: set it to give up unfinished tiles.
    """
    devices, free = devices_and_workers()
    workers = workers or free
    yield from run_tiles(plan(nets, workers), root, workers, devices, progress, stop or threading.Event())


def run_tiles(
    tiles: Iterable[Tile],
    root: int,
    workers: int,
    devices: Sequence[jax.Device],
    progress: Callable[[int], None],
    stop: threading.Event,
) -> Iterator[Trained]:
    """Each worker takes the next tile; while one compiles, the others train."""
    waiting, finished = _Waiting(tiles), queue.SimpleQueue()
    left = len(waiting.tiles)

    def work(device: jax.Device) -> None:
        while not stop.is_set() and (tile := waiting.take()) is not None:
            try:
                with jax.default_device(device):
                    finished.put(run_tile(tile, root, progress, stop))
            except BaseException as error:
                finished.put(error)
                return
            waiting.compiled(tile)

    threads = [threading.Thread(target=work, args=(devices[i % len(devices)],), daemon=True) for i in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(left):
            result = finished.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class _Waiting:
    """Tiles not yet begun. A worker is given one whose program no other worker is compiling, if there is one."""

    def __init__(self, tiles: Iterable[Tile]):
        self.tiles = list(tiles)
        self.compiling: set[programs.Program] = set()
        self.known: set[programs.Program] = set()
        self.lock = threading.Lock()

    def take(self) -> Tile | None:
        with self.lock:
            if not self.tiles:
                return None
            free = (i for i, tile in enumerate(self.tiles) if tile.program not in self.compiling)
            tile = self.tiles.pop(next(free, 0))
            if tile.program not in self.known:
                self.compiling.add(tile.program)
            return tile

    def compiled(self, tile: Tile) -> None:
        with self.lock:
            self.known.add(tile.program)
            self.compiling.discard(tile.program)


def run_tile(
    tile: Tile, root: int, progress: Callable[[int], None] = lambda steps: None, stop: threading.Event | None = None
) -> Trained:
    """Train and judge one tile; a pure function of the tile and the root seed."""
    with tile.program.arithmetic:
        return _run(tile, root, progress, stop)


def _run(tile: Tile, root: int, progress: Callable[[int], None], stop: threading.Event | None) -> Trained:
    program, setup = tile.program, tile.setup
    choices, nets = choices_arrays(tile), nets_arrays(tile)
    key = jnp.uint32(root)
    state = stages.initial(program, key, choices, nets)
    examples = stages.prepare(program, key, choices, nets)
    fits = examples.input_fit, examples.target_fit
    record = Record(tile, Judge(tile, state, fits, choices, nets))

    start, longest = 0, int(max(np.diff([0, *setup.evaluation_steps])))
    for step in setup.evaluation_steps:
        if stop is not None and stop.is_set():
            raise Interrupted
        state = stages.advance(program, state, examples, (start, step), longest, key, choices, nets)
        record.see(step, state)
        progress((step - start) * len(tile.nets))
        start = step
        if setup.restart is not None and step < setup.last_step and (again := record.restarts()).any():
            fresh = stages.initial(program, key, choices, nets, 1 + step)
            state = state._replace(params=programs.select(program, jnp.asarray(again), fresh.params, state.params))
        if setup.stop_early and step < setup.last_step:
            over = record.over(step)
            # at rate 0 a net stays as it is, whatever its neighbours do
            nets = nets._replace(learning_rate=jnp.where(jnp.asarray(over), 0, nets.learning_rate))
            if over[: len(tile.nets)].all():
                progress((setup.last_step - step) * len(tile.nets))
                break
    if setup.finish and setup.until is None:
        state, taken = finish_tile(tile, state, examples, stop)
        record.finished(taken, state)
    return Trained(tile, record.rows(), record.state, fits)
