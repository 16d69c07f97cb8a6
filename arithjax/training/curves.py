"""Curves: what happens to nets over training, at steps that are spaced evenly in the logarithm.

A net is recorded by training it once more, a segment at a time. Its numbers depend on its setup and seed alone, so it
is the very net of the table; it is followed to its optimiser's last step, even if the table's was stopped early, and no
further, even if the table's was finished.

A row a net and recorded step: `mse` and `relative_rmse` on the test points; `gradient_norm`, of the loss over all
parameters, in the net's own units; `dead_units`, the share of hidden units whose output is the same for every test
point, as a ReLU unit's that is 0 for all (unknown unless the model is an MLP); `constant`, whether the whole net's is;
and the losses `zero mean plane` of the trivial answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Shaped

from arithjax.environment import devices_and_workers
from arithjax.errors import Interrupted
from arithjax.setup import Setup
from arithjax.task.points import Points, Task, joint
from arithjax.training import grading, inference
from arithjax.training.blocks import at_hand
from arithjax.training.compiled import compiled
from arithjax.training.planning import plan
from arithjax.training.specs import EvalSpec, TrainSpec
from arithjax.training.tile import NetId, PerNet, Shared, Tile, architecture_of, named_tile
from arithjax.training.trainer import Trainer

PER_DECADE = 6
SEEN = 1024
"""Points looked at together; gradients are taken on so many of a net's own examples, units on so many test points."""


def recorded_steps(steps: int) -> list[int]:
    """The steps at which a training of `steps` is recorded: 0, then evenly in the logarithm, then the last."""
    decades = np.arange(0, np.log10(max(steps, 1)), 1 / PER_DECADE)
    return sorted({0, *(int(step) for step in np.rint(10**decades)), steps})


def curves(setups: Sequence[Setup], seeds: int = 8, seed: int = 0) -> pd.DataFrame:
    """Curves of every setup from seeds `0 .. seeds - 1`: a row a net and recorded step.

    `seed` is the root of all randomness; `trial` numbers the setups, as in `train`.
    """
    return record([NetId(i, number, setup) for i, setup in enumerate(setups) for number in range(seeds)], seed)


def record(
    nets: Sequence[NetId], root: int, keep: Callable[[pd.DataFrame], None] = lambda recorded: None
) -> pd.DataFrame:
    """Curves of all nets, by trial, seed and step. `keep` is given those of each tile as soon as it is done."""
    workers = devices_and_workers()[1]
    pool, frames, stop = ThreadPoolExecutor(workers), [], threading.Event()
    try:
        for done in as_completed([pool.submit(record_tile, tile, root, stop) for tile in plan(nets, workers)]):
            frames.append(done.result())
            keep(frames[-1])
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    return by_net(frames)


def by_net(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Curves together, by trial, seed and step."""
    return pd.concat(frames).sort_values(["trial", "seed", "step"], ignore_index=True)


def record_tile(tile: Tile, root: int, stop: threading.Event | None = None) -> pd.DataFrame:
    """Curves of a tile's nets; `Interrupted` is raised once `stop` is set."""
    steps = recorded_steps(tile.setup.last_step)
    trainer, frames = Trainer(tile, root, longest=int(max(np.diff(steps)))), []
    for step in steps:
        if stop is not None and stop.is_set():
            raise Interrupted
        trainer.advance_to(step)
        frames.append(look(trainer))
    return pd.concat(frames, ignore_index=True)


def curve_of(setup: Setup, seed: int, program: str, root: int) -> pd.DataFrame:
    """The curve of one net, from the name of its program and the root seed that it was trained with."""
    return record_tile(named_tile(program, NetId(0, seed, setup)), root)


def look(trainer: Trainer) -> pd.DataFrame:
    """What is recorded of a trainer's nets at its step: a row a net."""
    tile, shared, per_net = trainer.tile, trainer.shared, trainer.per_net
    points = Task.of(tile.setup).interpolation_points
    filled = np.resize(points.x, (-(-len(points.x) // SEEN) * SEEN, points.x.shape[1]))
    blocks = np.split(filled, len(filled) // SEEN)
    answers = np.concatenate([trainer.predict(block) for block in blocks])
    with tile.arithmetic:
        few = jax.tree.map(lambda a: at_hand(a)[:SEEN], (trainer.examples.x, trainer.examples.t))
        norms = gradient_norms(tile.specs.train, trainer.state.params, *few, shared, per_net)
        measured = {
            **_errors(answers[: len(points.x)], points),
            "gradient_norm": norms,
            "dead_units": _dead_units(trainer, blocks[0]),
        }
    rows = pd.DataFrame({"trial": [n.trial for n in tile.nets], "seed": [n.seed for n in tile.nets]})
    cells = {name: np.asarray(values)[: len(rows)] for name, values in measured.items()}
    return rows.assign(step=trainer.step, **cells, zero=points.zero, mean=points.mean, plane=points.plane)


def _errors(
    answers: Float[np.ndarray, "points *outputs nets"], points: Points
) -> dict[str, Shaped[np.ndarray, " nets"]]:
    """Errors of `answers [points, *outputs, nets]`, and whether each net's are the same for all points."""
    with np.errstate(invalid="ignore", over="ignore"):
        mse = ((answers.astype(float) - points.t[..., None]) ** 2).mean(0)
        spread = np.ptp(answers.astype(float), axis=0)
        relative = joint(points.relative(np.sqrt(mse)))
    constant = spread <= grading.CONSTANT * np.asarray(points.scale)[..., None]
    several = mse.ndim > 1
    return {
        "mse": mse.mean(0) if several else mse,
        "relative_rmse": relative,
        "constant": (constant.all(0) if several else constant) & points.varies,
    }


@compiled()
def gradient_norms(
    spec: TrainSpec,
    params: Any,
    x: Float[Array, "examples inputs nets"],
    t: Float[Array, "examples *outputs nets"],
    shared: Shared,
    per_net: PerNet,
) -> Float[Array, " nets"]:
    """The norm `[nets]` of every net's gradient on examples `x [examples, inputs, nets]`, `t [examples, ..., nets]`."""

    def of_nets(
        params: Any,
        x_t: tuple[Float[Array, "examples inputs lanes"], Float[Array, "examples *outputs lanes"]],
        per_net: PerNet,
    ) -> Float[Array, "*lanes"]:
        def loss(params: Any) -> Float[Array, ""]:
            y = spec.network.predict(params, x_t[0], architecture_of(shared, per_net))
            return spec.loss.mean(y, x_t[1], spec.blocks).sum()

        gradient = jax.tree.leaves(jax.grad(loss)(params))
        return jnp.sqrt(sum(jnp.sum(g * g, axis=spec.layout.net_axes(g)) for g in gradient))

    return jnp.ravel(spec.layout.map(of_nets)(params, (x, t), per_net))


def _dead_units(trainer: Trainer, x: Float[np.ndarray, "points inputs"]) -> Float[np.ndarray, " nets"]:
    """The share of every net's hidden units that are dead on `x [points, inputs]`: `[nets]`; NaN where unknown."""
    spec = trainer.tile.specs.train.evaluation
    inputs = inference.transformed(
        trainer.tile.specs.data.inputs, x[None], trainer.fits[0], trainer.shared.input_transform
    )
    found = dead_units(spec, trainer.state.params, at_hand(inputs)[0], trainer.shared, trainer.per_net)
    return np.full(spec.nets, np.nan) if found is None else np.asarray(found)


@compiled()
def dead_units(
    spec: EvalSpec, params: Any, inputs: Float[Array, "points inputs nets"], shared: Shared, per_net: PerNet
) -> Float[Array, " nets"] | None:
    """The share of every net's hidden units whose output is the same for all points; None where there are none.

    inputs: transformed, `[points, inputs, nets]`.
    """

    def of_nets(
        params: Any, inputs: tuple[Float[Array, "points inputs lanes"]], per_net: PerNet
    ) -> Float[Array, " lanes"] | None:
        hidden = spec.network.hidden(params, *inputs, architecture_of(shared, per_net))
        dead = units = jnp.zeros((), jnp.int32)
        for i, outputs in enumerate(hidden):
            exists = jnp.arange(outputs.shape[1])[:, None] < per_net.widths[i + 1][None, :]
            dead = dead + ((outputs.max(0) == outputs.min(0)) & exists).sum(0)
            units = units + exists.sum(0)
        return dead / units if hidden else None

    found = spec.layout.map(of_nets)(params, (inputs,), per_net)
    return None if found is None else jnp.ravel(found)
