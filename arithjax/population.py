"""Many setups and seeds at once: plan them, train every tile on a free core or device, and judge what was learnt."""

from __future__ import annotations

import numbers
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from arithjax import compiler, metrics
from arithjax import program as programs
from arithjax.data import Points, Task, evaluate, order
from arithjax.errors import ArithjaxError, Interrupted
from arithjax.models import MLP
from arithjax.models.mlp import count_parameters
from arithjax.plan import NetId, Tile, bucket, choices_arrays, nets_arrays, plan
from arithjax.setup import Setup


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


def check_count(name: str, value: Any) -> None:
    """Raise unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 1 <= value < 2**31:
        raise ArithjaxError(f"{name}={value} is not allowed; it has to be a whole number of at least 1.")


def check_seed(value: Any) -> None:
    """Raise unless `value` can be the root of all randomness."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= value < 2**32:
        raise ArithjaxError(f"seed={value} is not allowed; it has to be a whole number from 0 to 2**32 - 1.")


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by trial and seed, whatever order they were finished in."""
    return rows.sort_values(["trial", "seed"], ignore_index=True)


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
    devices, free = crew()
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


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def crew() -> tuple[list[jax.Device], int]:
    """The devices, and how many tiles train at a time: one for each core, or for each accelerator."""
    devices = jax.local_devices()
    return devices, cores() if devices[0].platform == "cpu" else len(devices)


def run_tile(
    tile: Tile, root: int, progress: Callable[[int], None] = lambda steps: None, stop: threading.Event | None = None
) -> Trained:
    """Train and judge one tile; a pure function of the tile and the root seed."""
    program, setup, count = tile.program, tile.setup, len(tile.nets)
    choices, nets = choices_arrays(tile), nets_arrays(tile)
    key = jnp.uint32(root)
    quick = compiler.quick_options()
    options = compiler.product_options() if program.leading else compiler.lanes_options()
    training = training_part(program)
    state = compiler.call(programs.initial, training, quick, key, choices, nets)
    examples = compiler.call(programs.prepare, _data_only(program), quick, key, choices, nets)
    judging = Judge(tile, state, (examples.input_fit, examples.target_fit), choices, nets)

    solved_at = np.full(program.nets, np.nan)
    stopped_at = np.full(program.nets, setup.steps)
    start = 0
    for step in setup.evaluation_steps:
        if stop is not None and stop.is_set():
            raise Interrupted
        orders, span = _orders(program, setup, start, step), (jnp.int32(start), jnp.int32(step))
        state = compiler.call(programs.advance, training, options, state, examples, orders, span, key, choices, nets)
        judging.see(state)
        errors = judging.on(judging.task.interpolation_points)
        progress((step - start) * count)
        start = step
        solved_at = np.where(np.isnan(solved_at) & (errors.relative_rmse <= metrics.LEARNED), step, solved_at)
        if setup.stop_early and step < setup.steps:
            over = metrics.grade(errors, np.zeros(program.nets, bool))
            over = (over <= metrics.GRADES.index("dead")) | (over >= metrics.GRADES.index("learned"))
            stopped_at = np.where(over & (stopped_at == setup.steps), step, stopped_at)
            # at rate 0 a net stays as it is, whatever its neighbours do
            nets = nets._replace(learning_rate=jnp.where(jnp.asarray(stopped_at < setup.steps), 0, nets.learning_rate))
            if (stopped_at[:count] < setup.steps).all():
                progress((setup.steps - step) * count)
                break
    rows = _rows(tile, judging, errors, solved_at, stopped_at)
    return Trained(tile, rows, state, judging.fits)


class Judge:
    """Judges the nets of a tile on points, blocks at a time."""

    def __init__(self, tile: Tile, state: programs.State, fits: tuple, choices: programs.Choices, nets: programs.Nets):
        self.program, self.task = judged_part(tile.program), Task.of(tile.setup)
        self.fits, self.choices, self.nets = fits, choices, nets
        if tile.program.form == "lanes":  # at the widths of its bucket, so that a net is judged alike wherever trained
            features = (*[bucket(max(tile.setup.widths))] * len(tile.setup.widths), 1)
            self.program = replace(self.program, network=self.program.network.clone(features=features, padded=True))
        self.see(state)

    def see(self, state: programs.State) -> None:
        """Judge this state from now on; only its parameters count."""
        params = state.params
        if self.program.form == "lanes":
            sizes = (self.program.inputs, *self.program.network.features)
            names = [f"Dense_{i}" for i in range(len(sizes) - 1)]
            params = {name: _pad(params[name], *sizes[i : i + 2]) for i, name in enumerate(names)}
        self.state = programs.State(params, ())

    def on(self, points: Points) -> metrics.Errors:
        """Errors on points."""
        parts = [self._block(block) for block in metrics.blocks(points.x, points.t, points.std)]
        return metrics.combine(parts, len(points.x), points.std)

    def certify(self, candidates: np.ndarray) -> np.ndarray:
        """Which of the candidate nets are right on the whole domain; stops once none is left."""
        domain, certified = self.task.domain, candidates.copy()
        if domain is None:
            return np.zeros_like(candidates)
        for block in metrics.blocks(domain, evaluate(self.task.op, domain), 1.0):
            if not certified.any():
                break
            certified &= np.asarray(self._block(block).right) == block.weight.sum()
        return certified

    def _block(self, block: metrics.Block) -> metrics.Sums:
        options, state = compiler.quick_options(), self.state
        return compiler.call(programs.judge, self.program, options, state, self.fits, block, self.choices, self.nets)


def _pad(layer: dict, inputs: int, features: int) -> dict:
    """A dense layer's `kernel [in, out, lanes]` and `bias [1, out, lanes]` filled up with zeros."""
    sizes = {"kernel": (inputs, features), "bias": (1, features)}
    return {
        name: jnp.pad(p, [*((0, size - have) for size, have in zip(sizes[name], p.shape[:2], strict=True)), (0, 0)])
        for name, p in layer.items()
    }


def _data_only(program: programs.Program) -> programs.Program:
    """The program without what its examples do not depend on, so that all architectures share one."""
    return replace(program, network=None, form="lanes", batch=0, optimizers=(), losses=(), **_PLAIN)


def training_part(program: programs.Program) -> programs.Program:
    """The program without the operation, if its examples come from outside: all operations share one."""
    return program if program.fresh else replace(program, op=None, integers=True, transforms=())


def judged_part(program: programs.Program) -> programs.Program:
    """The program without what its predictions do not depend on."""
    return replace(program, op=None, integers=True, examples=0, batch=0, optimizers=(), losses=(), **_PLAIN)


_PLAIN = {"weight_decay": False, "clip": False, "stops": False, "fresh": False}


def _orders(program: programs.Program, setup: Setup, start: int, stop: int) -> jax.Array:
    """The orders of the epochs from that of `start`, as many as any segment of the setup may need."""
    if program.fresh:
        return jnp.zeros((1, 1), jnp.int32)
    longest = max(np.diff([0, *setup.evaluation_steps]))
    epochs = -(-int(longest) // program.batches) + 1
    first = start // program.batches
    return jnp.asarray(np.stack([order(program.examples, first + i) for i in range(epochs)]))


def _rows(
    tile: Tile, judging: Judge, errors: metrics.Errors, solved_at: np.ndarray, stopped_at: np.ndarray
) -> pd.DataFrame:
    """The table rows of a tile's nets."""
    task, points, count = judging.task, judging.task.interpolation_points, len(tile.nets)
    beyond = judging.on(task.extrapolation_points)
    grade = metrics.grade(errors, judging.certify((errors.right == 1) & task.whole))
    with np.errstate(invalid="ignore", over="ignore"):
        mse = (errors.relative_rmse * points.std) ** 2
        results = {
            "parameters": [_parameters(tile, net) for net in tile.nets],
            "program": tile.name,
            "mse": mse,
            "relative_rmse": errors.relative_rmse,
            "r2": 1 - errors.relative_rmse**2,
            "exact": errors.right if task.whole else np.nan,
            "max_error": errors.max_error,
            "extrapolation_relative_rmse": beyond.relative_rmse,
            "extrapolation_solved": beyond.relative_rmse <= metrics.LEARNED,
            "dead": grade == metrics.GRADES.index("dead"),
            "diverged": grade == metrics.GRADES.index("diverged"),
            "solved_at": solved_at,
            "trained_steps": stopped_at,
            "beats": np.array(metrics.YARDSTICKS, object)[metrics.yardstick(mse, points)],
            "grade": np.array(metrics.GRADES, object)[grade],
        }
    identity = [{"trial": net.trial, "seed": net.seed, **net.setup.row()} for net in tile.nets]
    cells = {name: v[:count] if isinstance(v, np.ndarray) else v for name, v in results.items()}
    return pd.DataFrame(identity).assign(**cells)


def _parameters(tile: Tile, net: NetId) -> int:
    """Trainable numbers of a net."""
    if isinstance(tile.program.network, MLP):
        return count_parameters((tile.program.inputs, *net.setup.widths, 1), net.setup.bias)
    network, inputs = tile.program.network, tile.program.inputs
    params = jax.eval_shape(lambda: network.initial(jax.random.key(0), inputs, None))
    return sum(leaf.size for leaf in jax.tree.leaves(params))
