"""Workers: all tiles of a plan, trained side by side on a machine's cores or devices."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import pandas as pd

from arithjax.environment import devices_and_workers
from arithjax.errors import ArithjaxError, Interrupted, check_count, check_nets, check_seed
from arithjax.registry import METRICS
from arithjax.setup import Setup
from arithjax.tables.schema import in_order, no_rows
from arithjax.training import metrics
from arithjax.training.callbacks import NOTHING, Callback, Evaluation
from arithjax.training.outcome import Trained, train_tile
from arithjax.training.planning import plan
from arithjax.training.specs import Specs
from arithjax.training.tile import NetId, Tile

POLL = 0.2
"""Seconds after which who waits for workers looks whether it was asked to stop."""


def train(
    setups: Sequence[Setup],
    seeds: int = 1,
    seed: int = 0,
    callback: Callable[[Evaluation], object] | None = None,
) -> pd.DataFrame:
    """Train every setup from seeds `0 .. seeds - 1`.

    Args:
        setups: what to train; `trial` numbers them in the table.
        seeds: nets of each setup.
        seed: the root of all randomness.
        callback: called in this thread after each evaluation of nets that train together, with an `aj.Evaluation`: the
            steps done, the nets, and their errors so far. Where it fails a warning says so, and training goes on.

    Returns:
        A table with the columns of `nets.parquet`, and one for each of `aj.METRICS`: one row a net, in the order of
        setups and seeds; of no setups the columns alone.

    Raises:
        ArithjaxError: an argument is not what it has to be.
    """
    if isinstance(setups, Setup):
        raise ArithjaxError("setups is a single Setup; put it in a list: [setup].")
    check_seed(seed)
    setups = list(setups)
    for setup in setups:
        if not isinstance(setup, Setup):
            raise ArithjaxError(f"setups holds a {type(setup).__name__}; every entry has to be an arithjax Setup.")
    check_count("seeds", seeds)
    check_nets(len(setups), seeds)
    nets = [NetId(trial, number, setup) for trial, setup in enumerate(setups) for number in range(seeds)]
    frames = [trained.rows for trained in train_nets(nets, seed, callback=Callback(callback))]
    return in_order(pd.concat(frames)) if frames else no_rows(METRICS)


def train_nets(
    nets: Sequence[NetId],
    root: int,
    workers: int | None = None,
    progress: Callable[[int], None] = lambda steps: None,
    stop: threading.Event | None = None,
    callback: Callback = NOTHING,
) -> Iterator[Trained]:
    """Train all nets and yield each tile when it is done, in no particular order.

    workers: tiles trained at a time; by default one for each core, or for each accelerator.
    progress: called with the model-steps just done. stop: set it to give up unfinished tiles.
    callback: called with each evaluation, in the thread that takes what is yielded.
    """
    devices, free = devices_and_workers()
    workers = workers or free
    yield from train_tiles(plan(nets, workers), root, workers, devices, progress, stop or threading.Event(), callback)


def train_tiles(
    tiles: Iterable[Tile],
    root: int,
    workers: int,
    devices: Sequence[jax.Device],
    progress: Callable[[int], None],
    stop: threading.Event,
    callback: Callback = NOTHING,
) -> Iterator[Trained]:
    """Train tiles, a thread a worker: while one compiles, the others train. Arguments as for `train_nets`.

    Every worker answers whatever happens to it, and who waits for it does so in short spells: an exception, or a signal
    whose exception was dropped (`arithjax.studies.signals`), never makes a run wait for ever.
    """
    waiting, finished = _Waiting(tiles), queue.SimpleQueue[Trained | Evaluation | BaseException]()
    left = len(waiting.tiles)
    metrics.check(net.setup for tile in waiting.tiles for net in tile.nets)

    def work(device: jax.Device) -> None:
        try:
            while (tile := waiting.take()) is not None:
                if stop.is_set():
                    raise Interrupted
                with jax.default_device(device):
                    finished.put(train_tile(tile, root, progress, stop, finished.put if callback else None))
                waiting.compiled(tile)
        except BaseException as error:
            finished.put(error)

    threads = [threading.Thread(target=work, args=(devices[i % len(devices)],), daemon=True) for i in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(left):
            result = _next(finished, threads, callback)
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
        for thread in threads:
            while thread.is_alive():
                thread.join(POLL)


def _next(
    finished: queue.SimpleQueue, threads: Sequence[threading.Thread], callback: Callback
) -> Trained | BaseException:
    """The next answer of a worker, after evaluations were told; `Interrupted` if all have ended without one."""
    while True:
        at_work = any(thread.is_alive() for thread in threads)  # asked first: who ends has answered before
        try:
            found = finished.get(timeout=POLL)
        except queue.Empty:
            if not at_work:
                return Interrupted()
            continue
        if not isinstance(found, Evaluation):
            return found
        callback(found)


class _Waiting:
    """Tiles not yet begun. A worker is given one whose program no other worker is compiling, if there is one."""

    def __init__(self, tiles: Iterable[Tile]):
        self.tiles = list(tiles)
        self.compiling: set[Specs] = set()
        self.known: set[Specs] = set()
        self.lock = threading.Lock()

    def take(self) -> Tile | None:
        """The next tile for a worker; None when all are begun."""
        with self.lock:
            if not self.tiles:
                return None
            free = (i for i, tile in enumerate(self.tiles) if tile.specs not in self.compiling)
            tile = self.tiles.pop(next(free, 0))
            if tile.specs not in self.known:
                self.compiling.add(tile.specs)
            return tile

    def compiled(self, tile: Tile) -> None:
        """Note that a tile's programs are compiled."""
        with self.lock:
            self.known.add(tile.specs)
            self.compiling.discard(tile.specs)
