"""Evaluation: what the nets of a tile have learnt, at every evaluation and at the end.

`Judge` computes errors of parameters on points, a pure function of both. `History` keeps what the evaluations found and
selects the checkpoint that counts. `rows_of` makes the table rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Float64, Int, Shaped

from arithjax.tables.schema import GRADES, SUCCESS, WRONG, YARDSTICKS
from arithjax.task.points import Points, Task
from arithjax.task.transforms import Fitted
from arithjax.training import grading, inference, metrics
from arithjax.training.engines.tiles import engine_of
from arithjax.training.initial import parameter_shapes
from arithjax.training.tile import NetId, PerNet, Shared, Tile, per_net_arrays, shared_arrays


class Judge:
    """Errors of all nets of a tile on points, a block of points at a time.

    fits: the fitted input and target transforms. Used in the arithmetic of the tile's precision.
    """

    def __init__(self, tile: Tile, fits: tuple[Fitted, Fitted], shared: Shared, per_net: PerNet):
        spec = tile.specs.train
        self.engine = engine_of(tile)
        self.spec, self.data = spec.evaluation, tile.specs.data
        self.task = Task.of(tile.setup)
        self.fits, self.shared, self.per_net = fits, shared, per_net
        self.known: dict[int, tuple[Points, grading.Block, Float[Array, "blocks points inputs nets"]]] = {}

    def errors(self, params: Any, points: Points) -> grading.Errors:
        """Errors of every net on points, arrays `[nets]`."""
        sums = self._sums(params, *self._blocks(points))
        return grading.combine(sums, points)

    def answers(self, params: Any, points: Points) -> Float[np.ndarray, "points *outputs nets"]:
        """Answers of every net to points, in original units."""
        y = self.engine.predict(self.spec, params, self._blocks(points)[1], self.shared, self.per_net)
        rows = np.asarray(y).reshape(-1, *y.shape[2:])[: len(points.x)]
        return np.asarray(inference.original(self.data.targets, rows, self.fits[1], self.shared.target_transform))

    def certify(self, params: Any, candidates: Bool[np.ndarray, " nets"]) -> Bool[np.ndarray, " nets"]:
        """Which of the candidate nets are right on the whole domain; stops once none is left."""
        domain, truth, certified = self.task.domain, self.task.domain_truth, candidates.copy()
        if self.task.uncertain or domain is None or truth is None:
            return np.zeros_like(candidates)
        blocks = grading.blocks(domain, truth, np.ones(truth.t.shape[1:]))
        for i in range(len(blocks.x)):
            if not certified.any():
                break
            block = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], blocks)
            right = np.asarray(self._sums(params, block, self._inputs(block)).whole)[0]
            certified &= right == block.weight.sum()
        return certified

    def rival(self, points: Points | None = None) -> float | None:
        """Of classes, the share of points, by default the test points, that the commonest one gets wrong; else None."""
        return (points or self.task.interpolation_points).rival if self.task.classes else None

    def sparsity_error(self, params: Any) -> Float[np.ndarray, " nets"]:
        """The sparsity error of every net, `[nets]`; NaN where no weight has to be discrete."""
        if jax.eval_shape(self.spec.network.sparsity_error, params) is None:
            return np.full(self.spec.nets, np.nan)
        return np.asarray(inference.sparsity_error(self.spec, params))

    def _blocks(self, points: Points) -> tuple[grading.Block, Float[Array, "blocks points inputs nets"]]:
        """Points in blocks, and as nets are shown them."""
        if id(points) not in self.known:  # evaluated again and again on the same points
            blocks = grading.blocks(points.x, points.truth, grading.unit_of(points), points.more)
            self.known[id(points)] = points, blocks, self._inputs(blocks)
        return self.known[id(points)][1:]

    def _inputs(self, blocks: grading.Block) -> Float[Array, "blocks points inputs nets"]:
        return inference.transformed(self.data.inputs, blocks.x, self.fits[0], self.shared.input_transform)

    def _sums(
        self, params: Any, blocks: grading.Block, inputs: Float[Array, "blocks points inputs nets"]
    ) -> grading.Sums:
        y = self.engine.predict(self.spec, params, inputs, self.shared, self.per_net)
        return inference.errors(self.data.targets, y, self.fits[1], blocks, self.shared.target_transform)


@np.errstate(invalid="ignore", over="ignore")
def mse_of(errors: grading.Errors) -> Float[np.ndarray, " nets"]:
    """Mean squared errors in original units, `[nets]`."""
    return errors.rmse**2


@dataclass
class Checkpoint:
    """For each net the evaluation that counts: its parameters, errors within the range and, if known, beyond it."""

    params: Any
    errors: grading.Errors
    beyond: grading.Errors | None = None


class History:
    """What the evaluations of a tile found, and for each net the one that counts.

    With a threshold that is the one with the smallest interpolation MSE (NaN is the largest), as in Madsen & Johansen
    (2020), unless the setup selects the last; without one it is the last.

    step: the steps done at the latest evaluation, the most of all nets. errors, beyond: what it found, with a threshold
    also beyond the range.
    solved_at, selected_at, stopped_at: steps, `[nets]`; NaN where a net was never solved.
    firsts: by column the steps `[nets]` at which nets first were right, or solved what they train on; NaN likewise.
    """

    def __init__(self, tile: Tile, judge: Judge):
        self.setup, self.layout, self.judge = tile.setup, tile.specs.train.layout, judge
        self.solved_at = np.full(tile.places, np.nan)
        self.selected_at = np.zeros(tile.places, int)
        self.stopped_at = np.full(tile.places, self.setup.last_step)
        self.firsts = {name: np.full(tile.places, np.nan) for name in ("right_at", "train_solved_at", "train_right_at")}
        self.best = np.full(tile.places, np.inf)
        self.mses: list[Float[np.ndarray, " nets"]] = []  # interpolation MSE, an evaluation each
        self.batches: list[Float[np.ndarray, "2 nets"]] = []  # mean and mean square of batch losses before each
        self.since = np.zeros(tile.places, int)  # the first evaluation after a net's latest start
        self.checkpoint: Checkpoint | None = None

    def evaluate(self, step: int | Int[np.ndarray, " nets"], params: Any) -> dict[str, Float64[np.ndarray, " nets"]]:
        """Evaluate all nets after so many steps, of all nets or of each, and select; what was found, by column."""
        points, whole = self.judge.task.interpolation_points, self.judge.task.whole
        errors = self.judge.errors(params, points)
        mse = mse_of(errors)
        self.mses.append(mse)
        found = {"mse": mse, "relative_rmse": errors.relative_rmse, "max_error": errors.max_error}
        found |= {"exact": errors.right} if whole else {}
        found |= {"accuracy": errors.right} if self.judge.task.classes else {}
        if self.setup.threshold is None:
            self.checkpoint, self.selected_at[:] = Checkpoint(params, errors), step
            solved = grading.learned(errors, self.judge.rival(points))
        else:
            found["extrapolation_mse"] = self._select(step, params, errors, mse)
            solved = found["extrapolation_mse"] < self.setup.threshold
        self.solved_at = np.where(np.isnan(self.solved_at) & solved, step, self.solved_at)
        self._note("right_at", whole & (errors.right >= grading.RIGHT), step)
        if (trained := self.judge.task.training_points) is not None:
            own = self.judge.errors(params, trained)
            self._note("train_solved_at", grading.learned(own, self.judge.rival()), step)
            self._note("train_right_at", whole & (own.right >= grading.RIGHT), step)
        return found

    def _note(self, column: str, reached: Bool[np.ndarray, " nets"], step: int | Int[np.ndarray, " nets"]) -> None:
        """Note the step at which nets first reached something."""
        before = self.firsts[column]
        self.firsts[column] = np.where(np.isnan(before) & reached, step, before)

    def finished(self, taken: Int[np.ndarray, " nets"], params: Any) -> dict[str, Float64[np.ndarray, " nets"]]:
        """Evaluate after finishing: the steps that each net took follow those it has trained."""
        self.stopped_at = self.stopped_at + taken
        return self.evaluate(self.stopped_at, params)

    def _select(
        self, step: int | Int[np.ndarray, " nets"], params: Any, errors: grading.Errors, mse: Float[np.ndarray, " nets"]
    ) -> Float[np.ndarray, " nets"]:
        """Keep this evaluation of the nets that were never better; the extrapolation MSE of all."""
        points = self.judge.task.extrapolation_points
        assert points is not None, "a setup with a threshold has something to extrapolate to"
        beyond = self.judge.errors(params, points)
        kept = self.checkpoint or Checkpoint(params, errors, beyond)
        better = (np.nan_to_num(mse, nan=np.inf) < self.best) | (self.setup.selection == "last")
        self.best = np.where(better, mse, self.best)
        self.selected_at = np.where(better, step, self.selected_at)

        def chosen(new: grading.Errors, old: grading.Errors | None) -> grading.Errors:
            return grading.Errors(*(np.where(better, *pair) for pair in zip(new, old or new, strict=True)))

        self.checkpoint = Checkpoint(
            self.layout.select(jnp.asarray(better), params, kept.params),
            chosen(errors, kept.errors),
            chosen(beyond, kept.beyond),
        )
        return mse_of(beyond)

    def over(self, step: int) -> Bool[np.ndarray, " nets"]:
        """Which nets have stopped by now, with those that are solved, dead or diverged at this evaluation."""
        if self.setup.threshold is None and self.checkpoint is not None:
            grade = grading.grade(self.checkpoint.errors, np.zeros(len(self.best), bool), self.judge.rival())
            ended = (grade <= GRADES.index("dead")) | (grade >= GRADES.index("learned"))
        else:
            ended = np.isfinite(self.solved_at) | ~np.isfinite(self.mses[-1])
        self.stopped_at = np.where(ended & (self.stopped_at == self.setup.last_step), step, self.stopped_at)
        return self.stopped_at < self.setup.last_step

    def restarts(self, above: float, batches: Float[np.ndarray, "2 nets"] | None = None) -> Bool[np.ndarray, " nets"]:
        """Which nets start again (Schlör et al. 2020).

        The loss of the later half of the training since the last start is `above` that on average, and not below that
        of the earlier half by more than its standard deviation. The loss is the interpolation MSE, after more than
        five evaluations; or that of the batches, at every tenth evaluation.

        batches: mean and mean square of the losses of all batches since the last evaluation, if these count.
        """
        if batches is not None:
            self.batches.append(batches)
        stuck = _stuck_by_evaluations if batches is None else _stuck_by_batches
        seen = self.mses if batches is None else self.batches
        every = 1 if batches is None else 10
        again = np.zeros(len(self.best), bool)
        if len(seen) % every == 0:
            again[:] = [stuck(np.array([one[..., n] for one in seen[i:]]), above) for n, i in enumerate(self.since)]
        self.since = np.where(again, len(seen), self.since)
        return again


def _stuck_by_evaluations(seen: Float[np.ndarray, " evaluations"], above: float) -> bool:
    """Whether a net's MSEs since its start have not fallen and are large."""
    first, last = np.split(seen, [len(seen) // 2])
    return bool(len(seen) > 5 and first.mean() <= last.mean() + last.std() and last.mean() > above)


def _stuck_by_batches(seen: Float[np.ndarray, "evaluations two"], above: float) -> bool:
    """Whether a net's batch losses since its start, means and mean squares, have not fallen and are large."""
    if len(seen) < 10:
        return False
    (first, _), (last, square) = (half.mean(0) for half in np.split(seen, [len(seen) // 2]))
    return bool(first <= last + np.sqrt(max(square - last**2, 0.0)) and last > above)


def rows_of(tile: Tile, judge: Judge, history: History) -> pd.DataFrame:
    """The table rows of a tile's nets, from the evaluations that count, with the user's metrics as further columns."""
    kept = history.checkpoint
    assert kept is not None, "nothing was evaluated"
    points, mse = judge.task.interpolation_points, mse_of(kept.errors)
    certified = judge.certify(kept.params, kept.errors.right == 1)
    graded = grading.grade(kept.errors, certified, judge.rival(points))
    grades = np.array(GRADES, object)[graded]
    measured = {
        **_measured(judge, kept, mse),
        "dead": grades == "dead",
        "diverged": grades == "diverged",
        "success": np.isin(grades, SUCCESS),
        "solved_at": history.solved_at,
        **history.firsts,
        "selected_at": np.minimum(history.selected_at, history.stopped_at),
        "trained_steps": history.stopped_at,
        "beats": np.array(YARDSTICKS, object)[grading.yardstick(mse, points)],
        "grade": grades,
        "certificate": np.where(certified, judge.task.certificate, judge.task.uncertain or WRONG),
    }
    if tile.setup.threshold is not None:
        measured["success"] = measured["extrapolation_mse"] < tile.setup.threshold
    one_of = {net.setup: net for net in tile.nets}
    about = {setup: {**setup.row(), "parameters": _parameters(tile, net)} for setup, net in one_of.items()}
    identity = [{"trial": net.trial, "seed": net.seed, **about[net.setup]} for net in tile.nets]
    cells = {name: values[: len(tile.nets)] for name, values in measured.items()}
    cells |= metrics.columns(lambda points: judge.answers(kept.params, points), judge.task, len(tile.nets))
    return pd.DataFrame(identity).assign(program=tile.name, **cells)


def _measured(
    judge: Judge, kept: Checkpoint, mse: Float[np.ndarray, " nets"]
) -> dict[str, Shaped[np.ndarray, " nets"]]:
    """Errors of the evaluations that count, by column: arrays `[nets]`."""
    errors, nothing = kept.errors, np.full(len(mse), np.nan)
    return {
        "mse": mse,
        "relative_rmse": errors.relative_rmse,
        "r2": 1 - errors.relative_rmse**2 if judge.task.interpolation_points.varies else nothing,
        "exact": errors.right if judge.task.whole else nothing,
        "accuracy": errors.right if judge.task.classes else nothing,
        "exact_of_each": _of_each(errors.right_of_each if judge.task.whole else errors.right_of_each[:1]),
        "relative_rmse_of_each": _of_each(errors.relative_of_each),
        "max_error": errors.max_error,
        **_extrapolated(judge, kept, nothing),
        **_trained(judge, kept, nothing),
        "sparsity_error": judge.sparsity_error(kept.params),
    }


def _extrapolated(
    judge: Judge, kept: Checkpoint, nothing: Float[np.ndarray, " nets"]
) -> dict[str, Shaped[np.ndarray, " nets"]]:
    """Errors beyond the training range; `nothing` where there is nothing to extrapolate to."""
    points = judge.task.extrapolation_points
    if points is None:
        missing = np.full(len(nothing), None, object)
        return {
            "extrapolation_relative_rmse": nothing,
            "extrapolation_solved": missing,
            "extrapolation_mse": nothing,
        }
    beyond = kept.beyond or judge.errors(kept.params, points)
    solved = grading.learned(beyond, judge.rival(points))
    if judge.task.whole and not np.any(points.scale):  # where all results are 0, no error but 0 is a small one
        solved |= beyond.right == 1
    return {
        "extrapolation_relative_rmse": beyond.relative_rmse,
        "extrapolation_solved": solved,
        "extrapolation_mse": mse_of(beyond),
    }


def _trained(
    judge: Judge, kept: Checkpoint, nothing: Float[np.ndarray, " nets"]
) -> dict[str, Shaped[np.ndarray, " nets"]]:
    """Errors on the rows that nets train on; `nothing` where no others are held out."""
    points = judge.task.training_points
    if points is None:
        return {"train_relative_rmse": nothing, "train_exact": nothing}
    errors = judge.errors(kept.params, points)
    return {
        "train_relative_rmse": errors.relative_rmse,
        "train_exact": errors.right if judge.task.whole else nothing,
    }


def _of_each(values: Float[np.ndarray, "outputs nets"]) -> Shaped[np.ndarray, " nets"]:
    """A number for each of several results as text, for every net; None of one result."""
    texts = [",".join(f"{value:.4g}" for value in net) if len(net) > 1 else None for net in values.T]
    return np.array(texts, object)


def _parameters(tile: Tile, net: NetId) -> int:
    """Trainable numbers of a net."""
    spec = tile.specs.train
    if (known := spec.network.parameters(spec.inputs, net.setup.widths)) is not None:
        return known
    one = replace(tile, nets=(net,))
    return sum(map(math.prod, parameter_shapes(spec.evaluation, shared_arrays(one), per_net_arrays(one))))
