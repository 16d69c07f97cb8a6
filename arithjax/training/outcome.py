"""A tile from its first weights to its table rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from arithjax.errors import Interrupted
from arithjax.task.transforms import Fitted
from arithjax.training.callbacks import Evaluation, evaluation_of
from arithjax.training.evaluation import History, Judge, rows_of
from arithjax.training.finishing import finish
from arithjax.training.tile import Tile
from arithjax.training.trainer import Trainer


@dataclass
class Trained:
    """A tile after training.

    rows: a table row for each net. params: of every place, at the evaluation that counts. fits: the fitted transforms.
    """

    tile: Tile
    rows: pd.DataFrame
    params: Any
    fits: tuple[Fitted, Fitted]


def train_tile(
    tile: Tile,
    root: int,
    progress: Callable[[int], None] = lambda steps: None,
    stop: threading.Event | None = None,
    tell: Callable[[Evaluation], None] | None = None,
) -> Trained:
    """Train and evaluate one tile; a pure function of the tile and the root seed.

    progress: called with the model-steps just done. stop: set it to give up. tell: called with each evaluation.

    Raises:
        Interrupted: `stop` was set.
    """
    with tile.arithmetic:
        return _train(tile, root, progress, stop, tell)


def _train(
    tile: Tile,
    root: int,
    progress: Callable[[int], None],
    stop: threading.Event | None,
    tell: Callable[[Evaluation], None] | None,
) -> Trained:
    trainer, setup = Trainer(tile, root), tile.setup
    judge = Judge(tile, trainer.fits, trainer.shared, trainer.per_net)
    history = History(tile, judge)
    for step in setup.evaluation_steps:
        if stop is not None and stop.is_set():
            raise Interrupted
        before = trainer.step
        trainer.advance_to(step)
        found = history.evaluate(step, trainer.state.params)
        if tell:
            tell(evaluation_of(tile, step, found))
        progress((step - before) * len(tile.nets))
        if step < setup.last_step and _between(trainer, history, step - before):
            progress((setup.last_step - step) * len(tile.nets))
            break
    if setup.finish and setup.until is None:
        taken = finish(trainer, stop)
        found = history.finished(taken, trainer.state.params)
        if tell:
            tell(evaluation_of(tile, int(history.stopped_at[: len(tile.nets)].max()), found))
    rows = rows_of(tile, judge, history)
    assert history.checkpoint is not None
    return Trained(tile, rows, history.checkpoint.params, trainer.fits)


def _between(trainer: Trainer, history: History, steps: int) -> bool:
    """What follows an evaluation after so many steps: new starts, and nets that stop; whether all of them have."""
    setup = trainer.tile.setup
    if setup.restart is not None and (again := history.restarts(setup.restart, trainer.read_losses(steps))).any():
        trainer.start_again(again)
    if not setup.stop_early:
        return False
    over = history.over(trainer.step)
    trainer.freeze(over)
    return bool(over[: len(trainer.tile.nets)].all())
