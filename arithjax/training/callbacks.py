"""Callbacks: a user's function that is told how nets do while they train.

`aj.train`, `aj.fit`, `aj.run` and `aj.why` call it after each evaluation, with an `Evaluation`, in the thread that
called them. It may print, or write to any tracker of experiments, as here to TensorBoard:

    writer = tensorboardX.SummaryWriter("runs/tensorboard")

    def callback(evaluation):
        for name, error in evaluation.series("relative_rmse").items():
            writer.add_scalar(name, error, evaluation.step)

    aj.fit(setup, callback=callback)

Nets train in groups, each at its own step. `tests/test_callbacks.py` has the same for Weights & Biases and MLflow.
To end a training before it is done, raise KeyboardInterrupt; what else goes wrong in the function is a warning.

Nothing is computed for it that is not computed without it, and it is given copies: no net depends on it.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import Setup
from arithjax.training.tile import NetId, Tile


@dataclass(frozen=True)
class Evaluation:
    """What is known of nets that train together, after some of their steps.

    step: the optimiser steps that they have done; after second-order finishing with the most steps that one took.
    steps: the steps that they train for in all, finishing included.
    nets: which nets these are: each has its `trial`, the number of its setup, its `seed`, and its `setup`.
    measured: what was found of each net, float64 arrays `[nets]` by column of a results table: `mse`, `relative_rmse`
        and `max_error` on the test points, in original units; `exact` where results are whole numbers, `accuracy` where
        they are classes; `extrapolation_mse` where the setup has a threshold.
    """

    step: int
    steps: int
    nets: tuple[NetId, ...]
    measured: dict[str, Float64[np.ndarray, " nets"]]

    @property
    def setups(self) -> list[Setup]:
        """The different setups of the nets."""
        return list(dict.fromkeys(net.setup for net in self.nets))

    @property
    def rows(self) -> pd.DataFrame:
        """As a table: a row a net, with its `trial` and `seed`, the `step`, and what was measured."""
        identity = {"trial": [net.trial for net in self.nets], "seed": [net.seed for net in self.nets]}
        return pd.DataFrame(identity).assign(step=self.step, **self.measured)

    def series(self, column: str) -> dict[str, float]:
        """A number for each net under a name of its own, such as `{"mse/0.3": 0.25}` of trial 0 and seed 3.

        column: of those in `measured`.
        """
        if column not in self.measured:
            raise ArithjaxError(f"unknown column '{column}'{nearest(column, self.measured)}")
        values = self.measured[column].tolist()
        return {f"{column}/{net.trial}.{net.seed}": value for net, value in zip(self.nets, values, strict=True)}


def evaluation_of(tile: Tile, step: int, found: Mapping[str, Float64[np.ndarray, " places"]]) -> Evaluation:
    """What was found of a tile's nets after so many steps, by column; copied, without the places that hold no net."""
    finishing = tile.setup.finish if tile.setup.until is None else 0
    measured = {name: np.array(values[: len(tile.nets)], float) for name, values in found.items()}
    return Evaluation(step, tile.setup.last_step + finishing, tile.nets, measured)


class Callback:
    """A user's function, called once an evaluation. Where it fails a warning says so, and training goes on without it.

    function: takes an `Evaluation`; None does nothing.

    Raises `ArithjaxError` for what is no function.
    """

    def __init__(self, function: Any):
        if function is not None and not callable(function):
            raise ArithjaxError(
                f"callback is a {type(function).__name__}; it has to be a function of an evaluation, such as "
                "lambda evaluation: print(evaluation.rows)."
            )
        self.function: Callable[[Evaluation], object] | None = function

    def __bool__(self) -> bool:
        return self.function is not None

    def __call__(self, evaluation: Evaluation) -> None:
        """Tell the user's function of an evaluation."""
        try:
            if self.function is not None:
                self.function(evaluation)
        except Exception as error:
            self.function = None
            where = traceback.extract_tb(error.__traceback__)[-1]
            warnings.warn(
                f"the callback raised {type(error).__name__}: {' '.join(str(error).split())} "
                f"({Path(where.filename).name}, line {where.lineno}); training goes on without it.",
                stacklevel=2,
            )


NOTHING = Callback(None)
"""The callback where none is given."""
