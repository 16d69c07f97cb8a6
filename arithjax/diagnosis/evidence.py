"""Evidence: what the nets of a setup do, as recorded while they are trained once more."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float

from arithjax.environment import devices_and_workers
from arithjax.models.mlp import layer_activations
from arithjax.registry import ACTIVATIONS
from arithjax.report.along import line_of
from arithjax.setup import Setup
from arithjax.task.points import Points, Task, evaluate
from arithjax.training import curves, inference
from arithjax.training.compiled import compiled
from arithjax.training.specs import EvalSpec
from arithjax.training.tile import PerNet, Shared, Tile, architecture_of
from arithjax.training.trainer import Trainer


class Effect(NamedTuple):
    """What the best single change of a kind does: its name, and the median relative RMSE without and with it."""

    change: str
    before: float
    after: float


@dataclass
class Evidence:
    """What is known of the nets of one setup; arrays over nets are in the order of `rows`.

    rows: a row a net, as in a table of results. curves: a row a net and recorded step (`arithjax.training.curves`),
    with `size`, the root mean square of the net's answers. points: the test points.
    answers, halves: answers `[points, *outputs, nets]` at the points, and at half of every argument.
    line, along: arguments `[line, arity]` that are all equal, and the answers `[line, *outputs, nets]` there.
    flat: the share of outputs of the first layer at the ends of a bounded activation before the first step, `[nets]`.
    shown: the smallest and the largest result as shown to the net, `[2, nets]`, and results themselves so `[.., nets]`.
    effects: what single changes do, by kind; empty until they are tried.
    """

    setup: Setup
    rows: pd.DataFrame
    curves: pd.DataFrame
    points: Points
    answers: Float[np.ndarray, "points *outputs nets"]
    halves: Float[np.ndarray, "points *outputs nets"]
    line: Float[np.ndarray, "line arity"]
    along: Float[np.ndarray, "line *outputs nets"]
    flat: Float[np.ndarray, " nets"]
    shown: Float[np.ndarray, "examples *outputs nets"]
    effects: dict[str, Effect] = field(default_factory=dict)

    def at(self, step: int | None = None) -> pd.DataFrame:
        """The recorded rows of every net at a step, by default the last."""
        step = self.last if step is None else step
        return self.curves[self.curves["step"] == step].reset_index(drop=True)

    @property
    def last(self) -> int:
        """The last recorded step."""
        return int(self.curves["step"].max())

    @property
    def middle(self) -> int:
        """The last recorded step in the first half of training."""
        steps = self.curves["step"].unique()
        return int(steps[steps <= self.last / 2].max())

    @property
    def failed(self) -> Bool[np.ndarray, " nets"]:
        """Which nets have not learnt it."""
        return ~self.rows["success"].to_numpy(bool)

    @functools.cached_property
    def half_results(self) -> Float[np.ndarray, " points *outputs"]:
        """Exact results at half of every argument of the test points."""
        return evaluate(Task.of(self.setup).op, self.points.x / 2)

    @property
    def scale(self) -> float:
        """The root mean square of the results."""
        return float(np.sqrt(self.points.zero))


def observe(setup: Setup, rows: pd.DataFrame, tiles: Sequence[Tile], root: int) -> Evidence:
    """Train the nets of tiles once more, and record what they do.

    rows: the table rows of nets of the setup; of those that are not in the tiles nothing is recorded.
    tiles: tiles of the setup. root: the seed of all randomness.
    """
    points = Task.of(setup).interpolation_points
    line = line_of(setup)
    with ThreadPoolExecutor(devices_and_workers()[1]) as pool:
        seen = list(pool.map(lambda tile: _watched(tile, root, points, line), tiles))
    curve = pd.concat([one.pop("curves") for one in seen], ignore_index=True)
    arrays: dict[str, Any] = {name: np.concatenate([one[name] for one in seen], axis=-1) for name in seen[0]}
    seeds = curve[curve["step"] == curve["step"].max()]["seed"]
    known = rows.set_index("seed").loc[seeds].reset_index()
    return Evidence(setup, known, curve, points, line=line, **arrays)


def _watched(tile: Tile, root: int, points: Points, line: np.ndarray) -> dict[str, Any]:
    """The curves of a tile's nets, their last answers, and what their first layer makes of the inputs."""
    steps = curves.recorded_steps(tile.setup.last_step)
    trainer, frames, nets = Trainer(tile, root, longest=int(max(np.diff(steps)))), [], len(tile.nets)
    flat = _flat(trainer, points)
    for step in steps:
        trainer.advance_to(step)
        answers = _predicted(trainer, points.x)
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.sqrt((answers.astype(float) ** 2).reshape(-1, answers.shape[-1]).mean(0))
        frames.append(curves.look(trainer).assign(size=size[:nets]))
    arrays = {
        "answers": answers,
        "halves": _predicted(trainer, points.x / 2),
        "along": _predicted(trainer, line),
        "flat": flat,
        "shown": np.asarray(trainer.examples.t)[: curves.SEEN],
    }
    return {"curves": pd.concat(frames), **{name: array[..., :nets].astype(float) for name, array in arrays.items()}}


def _predicted(trainer: Trainer, x: np.ndarray) -> Float[np.ndarray, "points *outputs nets"]:
    """Answers for any number of points, in blocks of one size, so that few shapes are compiled."""
    filled = np.resize(x.astype(trainer.tile.setup.precision), (-(-len(x) // curves.SEEN) * curves.SEEN, x.shape[1]))
    blocks = np.split(filled, len(filled) // curves.SEEN)
    return np.concatenate([trainer.predict(block) for block in blocks])[: len(x)]


def image(activation: str) -> tuple[float, float]:
    """The smallest and the largest value of an activation; infinite where it has no such bound."""
    reach = np.concatenate([-np.logspace(4, -4, 400), np.logspace(-4, 4, 400)]).astype(np.float32)
    z = np.asarray(ACTIVATIONS[activation].fn(jnp.asarray(reach)), float)
    z = z[np.isfinite(z)]
    return (float(z.min()) if z.min() > -100 else -np.inf), (float(z.max()) if z.max() < 100 else np.inf)


def _flat(trainer: Trainer, points: Points) -> Float[np.ndarray, " nets"]:
    """The share of outputs of every net's first layer at the ends of its activation; 0 where it has no two ends."""
    tile, spec = trainer.tile, trainer.tile.specs.train.evaluation
    names = layer_activations(tile.setup)
    low, high = image(names[0]) if len(names) > 1 else (-np.inf, np.inf)
    if not np.isfinite([low, high]).all():
        return np.zeros(spec.nets)
    with tile.arithmetic:
        x = np.resize(points.x, (1, curves.SEEN, points.x.shape[1]))
        inputs = inference.transformed(tile.specs.data.inputs, x, trainer.fits[0], trainer.shared.input_transform)[0]
        ends = jnp.asarray([low, high], float)
        found = flat_outputs(spec, trainer.state.params, inputs, ends, trainer.shared, trainer.per_net)
    return np.zeros(spec.nets) if found is None else np.asarray(found, float)


@compiled()
def flat_outputs(
    spec: EvalSpec,
    params: Any,
    inputs: Float[Array, "points inputs nets"],
    ends: Float[Array, " 2"],
    shared: Shared,
    per_net: PerNet,
) -> Float[Array, " nets"] | None:
    """The share of outputs of every net's first layer within 1 % of one of two ends; None without hidden layers.

    inputs: transformed, `[points, inputs, nets]`.
    """

    def of_nets(
        params: Any, inputs: tuple[Float[Array, "points inputs lanes"]], per_net: PerNet
    ) -> Float[Array, " lanes"] | None:
        hidden = spec.network.hidden(params, *inputs, architecture_of(shared, per_net))
        if not hidden:
            return None
        near = 0.01 * (ends[1] - ends[0])
        flat = (hidden[0] < ends[0] + near) | (hidden[0] > ends[1] - near)
        exists = jnp.arange(flat.shape[1])[:, None] < per_net.widths[1][None, :]
        return (flat & exists[None]).sum((0, 1)) / (exists.sum(0) * flat.shape[0])

    found = spec.layout.map(of_nets)(params, (inputs,), per_net)
    return None if found is None else jnp.ravel(found)
