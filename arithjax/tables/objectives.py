"""Objectives: what a search over setups minimises, computed from a table.

An objective is a function from a table's rows to one finite number per trial. To add one, add it to `OBJECTIVES`. The
user's own metrics (`aj.METRICS`) are objectives too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.tables import groups
from arithjax.tables.schema import SUCCESS
from arithjax.tables.statistics import varied

WORST, BEST = 2.0, -8.0
"""Bounds of an error as an objective, as decimal logarithms: a diverged setup is a bad one, not a failed trial."""

LARGEST = 1e30
"""What a metric is at most as an objective; it is that for a trial half of whose nets have none."""


def _log_error(rows: pd.DataFrame, name: str) -> pd.Series:
    """The median over a trial's nets of log10 of an error, clipped to `BEST` .. `WORST`."""
    error = rows[name].fillna(np.inf).clip(10.0**BEST, 10.0**WORST)
    return np.log10(error).groupby(rows["trial"]).median()


def _parameters(rows: pd.DataFrame) -> pd.Series:
    """The number of trainable parameters of a trial's nets."""
    return rows["parameters"].astype(float).groupby(rows["trial"]).median()


def _steps(rows: pd.DataFrame) -> pd.Series:
    """The median step at which a trial's nets are solved; an unsolved net counts as twice its steps."""
    return rows["solved_at"].fillna(2.0 * rows["steps"]).groupby(rows["trial"]).median()


OBJECTIVES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "error": lambda rows: _log_error(rows, "relative_rmse"),
    "extrapolation": lambda rows: _log_error(rows, "extrapolation_relative_rmse"),
    "parameters": _parameters,
    "steps": _steps,
}
"""Objectives by name; each maps rows to a series of finite numbers, indexed by trial."""


def check_objectives(names: Sequence[str], metrics: Collection[str] = ()) -> tuple[str, ...]:
    """The names as a tuple; raises `ArithjaxError` unless there is an objective of each, and none is named twice.

    metrics: the user's own, which are objectives as well.
    """
    known = [*OBJECTIVES, *metrics]
    if not isinstance(names, tuple | list) or not names or len(set(map(str, names))) != len(names):
        raise ArithjaxError(f"objectives={names!r} is not allowed; name one or several of {', '.join(known)}.")
    for name in map(str, names):
        if name not in known:
            raise ArithjaxError(
                f"unknown objective '{name}'{nearest(name, known)} There are {', '.join(known)}; a metric of your own "
                "is one too, once it is entered in aj.METRICS."
            )
    return tuple(names)


def objectives(nets: pd.DataFrame, names: Sequence[str] = ("error",)) -> pd.DataFrame:
    """The values that a search minimises: one row per trial, one column per objective.

    nets: rows of a results table.
    names: which of `OBJECTIVES` and of the table's metrics; raises `ArithjaxError` for an unknown one.
    """
    metrics = groups.metrics(nets)
    return pd.DataFrame(
        {
            name: OBJECTIVES[name](nets) if name in OBJECTIVES else _of_metric(metrics[name], nets["trial"])
            for name in check_objectives(names, metrics)
        }
    )


def _of_metric(values: pd.Series, trials: pd.Series) -> pd.Series:
    """The median of a metric over a trial's nets; a net without one, as a diverged net, is the worst."""
    return values.fillna(np.inf).groupby(trials).median().clip(-LARGEST, LARGEST)


def front(nets: pd.DataFrame, names: Sequence[str] = ("error", "parameters")) -> pd.DataFrame:
    """The Pareto front: the trials that no other trial equals or beats in all objectives and beats in one.

    nets: rows of a results table.
    names: which of `OBJECTIVES` and of the table's metrics, of which each is to be small; raises `ArithjaxError` for
        an unknown one.

    One row per trial, sorted by the first objective: the objectives, the success rate as `rate`, and the setup's fields
    that vary between the table's rows; `steps (field)` beside an objective of that name.
    """
    values = objectives(nets, names).sort_values(list(names), kind="stable")
    best = values[_undominated(values.to_numpy())]
    setups = nets[nets["trial"].isin(best.index)]
    rates = setups["grade"].isin(SUCCESS).groupby(setups["trial"]).mean().rename("rate")
    fields = setups.groupby("trial")[varied(nets)].first()
    return best.join(rates).join(fields.rename(columns={name: f"{name} (field)" for name in fields if name in best}))


def _undominated(points: np.ndarray) -> list[bool]:
    """Whether each of `points [trials, objectives]`, which are in lexicographic order, is on the Pareto front."""
    kept: list[np.ndarray] = []
    chosen = []
    for point in points:
        dominated = any((other <= point).all() and (other < point).any() for other in kept)
        chosen.append(not dominated)
        if not dominated:
            kept.append(point)
    return chosen
