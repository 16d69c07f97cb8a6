"""Why nets learn or do not: what happens to them over training, at steps that are spaced evenly in the logarithm.

A net is recorded by training it once more, a segment at a time. Its numbers depend on its setup and seed alone, so it
is the very net of the table; it is followed to its optimiser's last step, even if the table's was stopped early, and no
further, even if the table's was finished.

A row a net and recorded step: `mse` and `relative_rmse` on the test points; `gradient_norm`, of the loss over all
parameters, in the net's own units; `dead_units`, the share of hidden units that say the same to every test point, as a
ReLU unit does that is 0 for all (unknown unless the model is an MLP); `constant`, whether the whole net does; and the
losses `zero mean plane` of the trivial answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from arithjax import environment
from arithjax.models import MLP
from arithjax.models.mlp import Architecture, activate
from arithjax.setup import Setup
from arithjax.tables import loading
from arithjax.tables.store import Store
from arithjax.task.points import Task
from arithjax.task.transforms import Transform
from arithjax.training import compiled, metrics, programs, stages
from arithjax.training.arrays import choices_arrays, nets_arrays
from arithjax.training.planning import NetId, Tile, named_tile, plan

PER_DECADE = 6

WRITTEN = 5.0
"""Seconds after which what is recorded is written."""

SEEN = 1024
"""Points looked at together; gradients are taken on so many of a net's own examples, units seen on so many points."""


def recorded_steps(steps: int) -> list[int]:
    """The steps at which a training of `steps` is looked at: 0, then evenly in the logarithm, then the last."""
    decades = np.arange(0, np.log10(max(steps, 1)), 1 / PER_DECADE)
    return sorted({0, *(int(step) for step in np.rint(10**decades)), steps})


def record(setups: Sequence[Setup], seeds: int = 8, seed: int = 0) -> pd.DataFrame:
    """Curves of every setup from seeds `0 .. seeds - 1`: a row a net and recorded step.

    `seed` is the root of all randomness; `trial` numbers the setups, as in `train`.
    """
    return record_nets([NetId(i, number, setup) for i, setup in enumerate(setups) for number in range(seeds)], seed)


def record_nets(
    nets: Sequence[NetId], root: int, keep: Callable[[pd.DataFrame], None] = lambda curves: None
) -> pd.DataFrame:
    """Curves of all nets, by trial, seed and step. `keep` is given those of each tile as soon as it is done."""
    workers = environment.devices_and_workers()[1]
    pool, frames = ThreadPoolExecutor(workers), []
    try:
        for done in as_completed([pool.submit(record_tile, tile, root) for tile in plan(nets, workers)]):
            frames.append(done.result())
            keep(frames[-1])
    finally:
        pool.shutdown(cancel_futures=True)
    return _in_order(frames)


def _in_order(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames).sort_values(["trial", "seed", "step"], ignore_index=True)


def record_study(store: Store, nets: pd.DataFrame, seeds: int, root: int) -> None:
    """Record the first `seeds` nets of every trial of a study's table, into `curves.parquet` beside it.

    What is there already is kept, and what is recorded is written every few seconds, so that the same call goes on
    where an earlier one was stopped.
    """
    before = loading.load_curves(store.folder)
    frames = [] if before is None else [before]
    there = set() if before is None else set(zip(before["trial"], before["seed"], strict=True))
    wanted = [row for _, row in nets[nets["seed"] < seeds].iterrows() if (row["trial"], row["seed"]) not in there]
    missing = [NetId(int(row["trial"]), int(row["seed"]), loading.setup_of(row)) for row in wanted]
    written = time.monotonic()

    def keep(curves: pd.DataFrame) -> None:
        nonlocal written
        frames.append(curves)
        if time.monotonic() - written > WRITTEN:
            write()
            written = time.monotonic()

    def write() -> None:
        if frames:
            store.write(loading.CURVES, _in_order(frames).to_parquet(index=False, compression="zstd"))

    if missing:
        try:
            record_nets(missing, root, keep)
        finally:
            write()


def record_tile(tile: Tile, root: int) -> pd.DataFrame:
    """Train a tile, and look at it at every recorded step."""
    with tile.program.arithmetic:
        training, frames = Training(tile, root), []
        for step in recorded_steps(tile.setup.last_step):
            training.to(step)
            frames.append(training.look())
    return pd.concat(frames, ignore_index=True)


def curve_of(net: Any, root: int) -> pd.DataFrame:
    """The curve of a net that `fit` kept, from the root seed that it was trained with."""
    return record_tile(named_tile(net.row["program"], NetId(0, int(net.row["seed"]), net.setup)), root)


class Training:
    """A tile in training, from its first weights on.

    `to` trains on, `look` measures. Nets train here exactly as they do for a table.
    """

    def __init__(self, tile: Tile, root: int):
        self.tile, self.program, self.step = tile, tile.program, 0
        self.task = Task.of(tile.setup)
        self.training, self.judged = programs.training_part(self.program), programs.judged_part(self.program)
        self.longest = int(max(np.diff(recorded_steps(tile.setup.last_step))))
        self.key, self.choices, self.nets = jnp.uint32(root), choices_arrays(tile), nets_arrays(tile)
        self.state = stages.initial(self.program, self.key, self.choices, self.nets)
        self.examples = stages.prepare(self.program, self.key, self.choices, self.nets)

    def to(self, step: int) -> None:
        """Train on until `step` steps are done."""
        if step == self.step:
            return
        rest = self.examples, (self.step, step), self.longest, self.key, self.choices, self.nets
        self.state = stages.advance(self.program, self.state, *rest)
        self.step = step

    def look(self) -> pd.DataFrame:
        """What there is to see of every net now."""
        points, fits = self.task.interpolation_points, (self.examples.input_fit, self.examples.target_fit)
        quick, who = compiled.quick_options(), (self.choices, self.nets)
        blocks = np.resize(points.x, (-(-len(points.x) // SEEN), SEEN, points.x.shape[1]))
        answers = [stages.answer(self.program, self.state, fits, x, *who) for x in blocks]
        few = jax.tree.map(lambda a: a[:SEEN], (self.examples.x, self.examples.t))
        norms = compiled.call(gradient_norms, self.training, quick, self.state, *few, *who)
        dead = compiled.call(dead_units, self.judged, quick, self.state, fits[0], blocks[0], *who)
        rows = pd.DataFrame({"trial": [n.trial for n in self.tile.nets], "seed": [n.seed for n in self.tile.nets]})
        measured = {
            **_errors(np.concatenate(answers)[: len(points.x)], points),
            "gradient_norm": norms,
            "dead_units": dead,
        }
        cells = {name: np.asarray(values)[: len(rows)] for name, values in measured.items()}
        losses = {"zero": points.zero, "mean": points.mean, "plane": points.plane}
        return rows.assign(step=self.step, **cells, **losses)


def _errors(answers: np.ndarray, points: Any) -> dict[str, np.ndarray]:
    """Errors of `answers [points, nets]`, and whether each net says the same to all points."""
    with np.errstate(invalid="ignore", over="ignore"):
        mse = ((answers.astype(float) - points.t[:, None]) ** 2).mean(0)
        spread = np.ptp(answers.astype(float), axis=0) / points.std
    return {"mse": mse, "relative_rmse": np.sqrt(mse) / points.std, "constant": spread <= metrics.CONSTANT}


def gradient_norms(
    program: programs.Program,
    state: programs.State,
    x: jax.Array,
    t: jax.Array,
    choices: programs.Choices,
    nets: programs.Nets,
) -> jax.Array:
    """The norm of every net's gradient on examples `x [examples, inputs, nets]`, `t [examples, nets]`: `[nets]`."""

    def of_nets(state: programs.State, x_t: tuple, nets: programs.Nets) -> jax.Array:
        def loss(params: Any) -> jax.Array:
            y = program.network.predict(params, x_t[0], programs.architecture_of(choices, nets))
            return jax.lax.switch(choices.loss, [loss.fn for loss in program.losses], y, x_t[1]).mean(0).sum()

        gradient = jax.grad(loss)(state.params)
        axes = (lambda g: None) if program.leading else (lambda g: tuple(range(g.ndim - 1)))
        return jnp.sqrt(sum(jnp.sum(g * g, axis=axes(g)) for g in jax.tree.leaves(gradient)))

    return jnp.ravel(programs.over_nets(program, of_nets)(state, (x, t), nets))


def dead_units(
    program: programs.Program,
    state: programs.State,
    input_fit: Any,
    x: jax.Array,
    choices: programs.Choices,
    nets: programs.Nets,
) -> jax.Array:
    """The share of every net's hidden units that say the same to all `x [points, inputs]`: `[nets]`; NaN if it is no
    MLP with hidden units."""
    network = program.network
    if not isinstance(network, MLP) or len(network.features) < 2:
        return jnp.full(program.nets, jnp.nan)

    def of_nets(state: programs.State, input_fit: Any, nets: programs.Nets) -> jax.Array:
        lanes = jnp.broadcast_to(x[:, :, None], (*x.shape, nets.learning_rate.shape[0]))
        fit = jax.tree.map(lambda f: f[None], input_fit)
        shows = [lambda lanes, fit, show=show: Transform.forward(show, lanes, fit) for show in program.transforms]
        shown = jax.lax.switch(choices.input_transform, shows, lanes, fit)
        dead, units = 0, 0
        for i, z in enumerate(_hidden(network, state.params, shown, programs.architecture_of(choices, nets))):
            said = activate(network.activations[i], choices.activation[i], z)
            exists = jnp.arange(z.shape[1])[:, None] < nets.widths[i + 1][None, :]
            dead += ((said.max(0) == said.min(0)) & exists).sum(0)
            units += exists.sum(0)
        return dead / units

    return jnp.ravel(programs.over_nets(program, of_nets)(state, input_fit, nets))


def _hidden(network: MLP, params: Any, shown: jax.Array, architecture: Architecture) -> list[jax.Array]:
    """What the hidden units of an MLP add up to, before their activation: `[points, features, lanes]` a layer."""
    _, kept = network.apply({"params": params}, shown, architecture, capture_intermediates=True)
    layers = [f"Dense_{i}" for i in range(len(network.features) - 1)]
    return [kept["intermediates"][name]["__call__"][0] for name in layers]
