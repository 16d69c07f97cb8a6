"""Judging a tile: what each of its nets has learnt, at every evaluation and at the end."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from arithjax.models import MLP
from arithjax.models.mlp import count_parameters
from arithjax.tables.schema import SUCCESS
from arithjax.task.points import Points, Task, evaluate
from arithjax.training import compiled, metrics, programs, stages
from arithjax.training.arrays import choices_arrays, nets_arrays
from arithjax.training.planning import NetId, Tile, judged_width


class Judge:
    """Judges the nets of a tile on points, blocks at a time."""

    def __init__(self, tile: Tile, state: programs.State, fits: tuple, choices: programs.Choices, nets: programs.Nets):
        self.program, self.task = programs.judged_part(tile.program), Task.of(tile.setup)
        self.fits, self.choices, self.nets = fits, choices, nets
        self.widened = tile.program.form == "lanes" and isinstance(self.program.network, MLP)
        if self.widened:  # to a width of its own, so that a net is judged alike wherever it was trained
            features = (*[judged_width(tile.setup)] * len(tile.setup.widths), 1)
            self.program = replace(self.program, network=self.program.network.clone(features=features, padded=True))
        self.known: dict[int, tuple[Points, metrics.Block, jax.Array]] = {}
        self.see(state)

    def see(self, state: programs.State) -> None:
        """Judge this state from now on; only its parameters count."""
        params = state.params
        if self.widened:
            sizes = (self.program.inputs, *self.program.network.features)
            names = [f"Dense_{i}" for i in range(len(sizes) - 1)]
            params = {name: _resized(params[name], *sizes[i : i + 2]) for i, name in enumerate(names)}
        self.state = programs.State(params, ())

    def on(self, points: Points) -> metrics.Errors:
        """Errors on points."""
        if id(points) not in self.known:
            blocks = jax.tree.map(jnp.asarray, metrics.blocks(points.x, points.t, points.std))
            self.known[id(points)] = points, blocks, self._shown(blocks)
        _, blocks, shown = self.known[id(points)]
        return metrics.combine(self._errors(blocks, shown), len(points.x), points.std)

    def certify(self, candidates: np.ndarray) -> np.ndarray:
        """Which of the candidate nets are right on the whole domain; stops once none is left."""
        domain, certified = self.task.domain, candidates.copy()
        if domain is None:
            return np.zeros_like(candidates)
        blocks = metrics.blocks(domain, evaluate(self.task.op, domain, self.task.precision), 1.0)
        for i in range(len(blocks.x)):
            if not certified.any():
                break
            block = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], blocks)
            certified &= np.asarray(self._errors(block, self._shown(block)).right)[0] == block.weight.sum()
        return certified

    def sparsity_error(self) -> np.ndarray:
        """Of nets of units, `[nets]`; NaN of others."""
        if not self.program.units:
            return np.full(self.program.nets, np.nan)
        return np.asarray(compiled.call(programs.sparsity_error, self.program, compiled.quick_options(), self.state))

    def _shown(self, blocks: metrics.Block) -> jax.Array:
        return stages.shown(self.program, blocks.x, self.fits, self.choices)

    def _errors(self, blocks: metrics.Block, shown: jax.Array) -> metrics.Sums:
        return stages.errors(self.program, self.state, self.fits, blocks, shown, self.choices, self.nets)


def _resized(layer: dict, inputs: int, features: int) -> dict:
    """A dense layer's `kernel [in, out, lanes]` and `bias [1, out, lanes]` filled up with zeros, or without what lies
    beyond."""
    sizes, resized = {"kernel": (inputs, features), "bias": (1, features)}, {}
    for name, p in layer.items():
        own = np.asarray(p)[: sizes[name][0], : sizes[name][1]]
        filled = np.zeros((*sizes[name], own.shape[-1]), own.dtype)
        filled[: own.shape[0], : own.shape[1]] = own
        resized[name] = jnp.asarray(filled)
    return resized


class Record:
    """What the evaluations of a tile have shown of each net, and which of them counts.

    With a threshold that is the one with the smallest interpolation MSE (NaN is the largest), as in Madsen & Johansen
    (2020); otherwise the last.
    """

    def __init__(self, tile: Tile, judge: Judge):
        self.tile, self.setup, self.judge = tile, tile.setup, judge
        places = tile.program.nets
        self.solved_at = np.full(places, np.nan)
        self.selected_at = np.zeros(places, int)
        self.stopped_at = np.full(places, self.setup.last_step)
        self.best = np.full(places, np.inf)
        self.state = judge.state
        self.history: list[np.ndarray] = []  # interpolation MSE since a net last started
        self.since = np.zeros(places, int)

    def see(self, step: int | np.ndarray, state: programs.State) -> None:
        """An evaluation, after so many steps of all nets or of each."""
        self.judge.see(state)
        points = self.judge.task.interpolation_points
        errors = self.judge.on(points)
        mse = _mse(errors, points)
        self.history.append(mse)
        if self.setup.threshold is None:
            self.errors, self.state, self.selected_at[:] = errors, state, step
            solved = errors.relative_rmse <= metrics.LEARNED
        else:
            solved = self._select(step, state, errors, mse) < self.setup.threshold
        self.solved_at = np.where(np.isnan(self.solved_at) & solved, step, self.solved_at)

    def finished(self, taken: np.ndarray, state: programs.State) -> None:
        """The evaluation after the steps that each net took to finish; they follow those it has trained."""
        self.stopped_at = self.stopped_at + taken
        self.see(self.stopped_at, state)

    def _select(
        self, step: int | np.ndarray, state: programs.State, errors: metrics.Errors, mse: np.ndarray
    ) -> np.ndarray:
        """Keep this evaluation of the nets that were never better; the extrapolation MSE of all."""
        points, state = self.judge.task.extrapolation_points, programs.State(state.params, ())
        beyond = self.judge.on(points)
        if len(self.history) == 1:
            self.errors, self.beyond, self.state = errors, beyond, state
        better = np.nan_to_num(mse, nan=np.inf) < self.best
        self.best = np.where(better, mse, self.best)
        self.selected_at = np.where(better, step, self.selected_at)
        self.errors, self.beyond = (
            metrics.Errors(*(np.where(better, new, old) for new, old in zip(a, b, strict=True)))
            for a, b in ((errors, self.errors), (beyond, self.beyond))
        )
        self.state = programs.select(self.judge.program, jnp.asarray(better), state, self.state)
        return _mse(beyond, points)

    def over(self, step: int) -> np.ndarray:
        """Which nets have stopped by now, with those that are solved, dead or diverged at this evaluation."""
        if self.setup.threshold is None:
            grade = metrics.grade(self.errors, np.zeros(self.tile.program.nets, bool))
            ended = (grade <= metrics.GRADES.index("dead")) | (grade >= metrics.GRADES.index("learned"))
        else:
            ended = np.isfinite(self.solved_at) | ~np.isfinite(self.history[-1])
        self.stopped_at = np.where(ended & (self.stopped_at == self.setup.last_step), step, self.stopped_at)
        return self.stopped_at < self.setup.last_step

    def restarts(self) -> np.ndarray:
        """Which nets start again: after at least five evaluations, the interpolation MSE of the later half is above
        `restart` on average, and not below that of the earlier half by more than its standard deviation (Schlör et
        al. 2020)."""
        again = np.zeros(self.tile.program.nets, bool)
        for net in range(self.tile.program.nets):
            seen = np.array([mse[net] for mse in self.history[self.since[net] :]])
            first, last = seen[: len(seen) // 2], seen[len(seen) // 2 :]
            stuck = len(seen) > 5 and first.mean() <= last.mean() + last.std()
            again[net] = stuck and last.mean() > self.setup.restart
        self.since = np.where(again, len(self.history), self.since)
        return again

    def rows(self) -> pd.DataFrame:
        """The table rows of the tile's nets."""
        tile, judge, count = self.tile, self.judge, len(self.tile.nets)
        judge.see(self.state)
        task, points, errors = judge.task, judge.task.interpolation_points, self.errors
        beyond = judge.on(task.extrapolation_points) if self.setup.threshold is None else self.beyond
        beyond_mse = _mse(beyond, task.extrapolation_points)
        grade = metrics.grade(errors, judge.certify((errors.right == 1) & task.whole))
        names = np.array(metrics.GRADES, object)[grade]
        mse = _mse(errors, points)
        learned = np.isin(names, SUCCESS)
        results = {
            "program": tile.name,
            "mse": mse,
            "relative_rmse": errors.relative_rmse,
            "r2": 1 - errors.relative_rmse**2,
            "exact": errors.right if task.whole else np.nan,
            "max_error": errors.max_error,
            "extrapolation_relative_rmse": beyond.relative_rmse,
            "extrapolation_solved": beyond.relative_rmse <= metrics.LEARNED,
            "extrapolation_mse": beyond_mse,
            "sparsity_error": judge.sparsity_error(),
            "dead": names == "dead",
            "diverged": names == "diverged",
            "success": learned if self.setup.threshold is None else beyond_mse < self.setup.threshold,
            "solved_at": self.solved_at,
            "selected_at": np.minimum(self.selected_at, self.stopped_at),
            "trained_steps": self.stopped_at,
            "beats": np.array(metrics.YARDSTICKS, object)[metrics.yardstick(mse, points)],
            "grade": names,
        }
        one_of = {net.setup: net for net in tile.nets}
        about = {setup: {**setup.row(), "parameters": _parameters(tile, net)} for setup, net in one_of.items()}
        identity = [{"trial": net.trial, "seed": net.seed, **about[net.setup]} for net in tile.nets]
        cells = {name: v[:count] if isinstance(v, np.ndarray) else v for name, v in results.items()}
        return pd.DataFrame(identity).assign(**cells)


@np.errstate(invalid="ignore", over="ignore")
def _mse(errors: metrics.Errors, points: Points) -> np.ndarray:
    """Mean squared errors in original units."""
    return (errors.relative_rmse * points.std) ** 2


def _parameters(tile: Tile, net: NetId) -> int:
    """Trainable numbers of a net."""
    if isinstance(tile.program.network, MLP):
        return count_parameters((tile.program.inputs, *net.setup.widths, 1), net.setup.bias)
    shapes = programs.shapes(tile.program, choices_arrays(tile), nets_arrays(replace(tile, nets=(net,))))
    return sum(map(math.prod, shapes))
