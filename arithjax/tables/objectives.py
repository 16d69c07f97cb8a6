"""Objectives: what a search over setups may minimise, computed from a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.tables.schema import SUCCESS
from arithjax.tables.statistics import varied

WORST, BEST = 2.0, -8.0
"""Bounds of an error as an objective, a decimal logarithm: a diverged setup is bad, not failed."""


def _log_error(rows: pd.DataFrame, name: str) -> pd.Series:
    """The median over a trial's nets of log10 of an error, within bounds."""
    error = rows[name].fillna(np.inf).clip(10.0**BEST, 10.0**WORST)
    return np.log10(error).groupby(rows["trial"]).median()


def _steps(rows: pd.DataFrame) -> pd.Series:
    """The median step at which a trial's nets are solved; a net that is not counts as twice its steps."""
    return rows["solved_at"].fillna(2.0 * rows["steps"]).groupby(rows["trial"]).median()


OBJECTIVES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "error": lambda rows: _log_error(rows, "relative_rmse"),
    "extrapolation": lambda rows: _log_error(rows, "extrapolation_relative_rmse"),
    "parameters": lambda rows: rows["parameters"].astype(float).groupby(rows["trial"]).median(),
    "steps": _steps,
}
"""What a search may minimise: rows -> a number for each trial, always finite."""


def check_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each an objective and none twice."""
    if not isinstance(names, tuple | list) or not names or len(set(map(str, names))) != len(names):
        raise ArithjaxError(f"objectives={names!r} is not allowed; name one or several of {', '.join(OBJECTIVES)}.")
    for name in map(str, names):
        if name not in OBJECTIVES:
            raise ArithjaxError(
                f"unknown objective '{name}'{nearest(name, OBJECTIVES)} There are {', '.join(OBJECTIVES)}."
            )
    return tuple(names)


def objectives(nets: pd.DataFrame, names: Sequence[str] = ("error",)) -> pd.DataFrame:
    """What a search minimises: a row a trial, a column an objective (see `OBJECTIVES`)."""
    return pd.DataFrame({name: OBJECTIVES[name](nets) for name in check_objectives(names)})


def front(nets: pd.DataFrame, names: Sequence[str] = ("error", "parameters")) -> pd.DataFrame:
    """The Pareto front: the setups that no other setup beats in one objective without losing in another.

    A row a trial, by the first objective: the objectives, the success rate, and the setup's fields that vary.
    """
    values = objectives(nets, names).sort_values(list(names), kind="stable")
    kept: list[np.ndarray] = []
    chosen = []
    for point in values.to_numpy():
        beaten = any((better <= point).all() and (better < point).any() for better in kept)
        chosen.append(not beaten)
        if not beaten:
            kept.append(point)
    best = values[chosen]
    setups = nets[nets["trial"].isin(best.index)]
    rates = setups["grade"].isin(SUCCESS).groupby(setups["trial"]).mean().rename("rate")
    return best.join(rates).join(setups.groupby("trial")[varied(nets)].first())
