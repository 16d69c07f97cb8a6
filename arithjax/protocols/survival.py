"""Success against ε and against the steps of training, for nets with thresholds.

Units come close to a solution and approach it ever more slowly, so a success rate hangs on ε, the error of the weights
that the threshold allows, and on when training ends. Both tables below show how.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from arithjax.errors import ArithjaxError, nearest
from arithjax.tables import statistics

EPSILONS = tuple(10.0 ** (power / 2) for power in range(-14, -3))
"""From 1e-7 to 1e-2, two to a decade."""


def epsilon_of(nets: pd.DataFrame, made_with: float = 1e-5) -> pd.Series:
    """The smallest ε with which each net would be a success: infinite for one whose error is not finite.

    The error of an ε-perfect solution is proportional to ε² for every operation, up to a share ε of itself, so this is
    `made_with` times the root of the net's extrapolation MSE over its threshold.

    nets: rows of a results table, with thresholds. made_with: the ε that these were made with.

    Raises:
        ArithjaxError: a net has no threshold.
    """
    if nets["threshold"].isna().any():
        raise ArithjaxError("there are nets without a threshold; ask for those of a protocol, such as `units` has.")
    error = nets["extrapolation_mse"].astype(float).fillna(np.inf)
    return made_with * np.sqrt(error / nets["threshold"].astype(float))


def by_epsilon(
    nets: pd.DataFrame,
    by: Sequence[str] = ("model", "activation", "op"),
    epsilons: Sequence[float] = EPSILONS,
    made_with: float = 1e-5,
) -> pd.DataFrame:
    """Success rates for other ε than the thresholds': a row for each group and ε.

    nets: rows of a results table, with thresholds. by: the columns to group by. epsilons: the ε to judge by.
    made_with: the ε that the thresholds were made with.

    Columns: those of `by`, `epsilon`, `nets`, the `rate` and its Wilson 95 % interval `low high`.
    """
    groups = _groups(nets, by)
    smallest = epsilon_of(nets, made_with)
    parts = []
    for key, rows in groups.indices.items():
        count = len(rows)
        good = np.array([(smallest.to_numpy()[rows] < epsilon).sum() for epsilon in epsilons])
        low, high = statistics.wilson(good, count)
        numbers = {"epsilon": epsilons, "nets": count, "rate": good / count, "low": low, "high": high}
        parts.append(pd.DataFrame(dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)) | numbers))
    none = pd.DataFrame(columns=[*by, "epsilon", "nets", "rate", "low", "high"])
    return pd.concat(parts, ignore_index=True) if parts else none


def by_steps(nets: pd.DataFrame, by: Sequence[str] = ("model", "activation", "op")) -> pd.DataFrame:
    """The share of nets solved by each step (Kaplan & Meier 1958): a row for each group and step at which it rises.

    A net that was never solved counts as long as it was trained, and not beyond. So the shares of nets that stopped
    early, or were trained for different times, can be compared, which means and medians of the solved ones cannot.

    nets: rows of a results table. by: the columns to group by.

    Columns: those of `by`, `step`, `nets`, the share `solved` by then and its 95 % interval `low high` (of the
    logarithm of minus the logarithm). The first row of each group is step 0; its last, the end of the longest training.
    """
    parts = []
    for key, rows in _groups(nets, by).indices.items():
        table = _kaplan_meier(nets["solved_at"].to_numpy(float)[rows], nets["trained_steps"].to_numpy(float)[rows])
        parts.append(pd.DataFrame(dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)) | table))
    none = pd.DataFrame(columns=[*by, "step", "nets", "solved", "low", "high"])
    return pd.concat(parts, ignore_index=True) if parts else none


def _groups(nets: pd.DataFrame, by: Sequence[str]) -> pd.core.groupby.DataFrameGroupBy:
    for name in by:
        if name not in nets.columns:
            raise ArithjaxError(f"by: there is no column '{name}'{nearest(name, nets.columns)}")
    return nets.groupby(list(by), dropna=False, sort=True)


def _kaplan_meier(solved_at: np.ndarray, trained: np.ndarray) -> dict[str, Any]:
    """The columns of `by_steps` for one group."""
    solved = np.isfinite(solved_at)
    count, last = len(solved), float(np.max(trained))
    if not solved.any():
        none, most = np.zeros(2), np.array([0.0, statistics.wilson(0, count)[1]])
        return {"step": np.array([0.0, last]), "nets": count, "solved": none, "low": none, "high": most}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the interval is not defined where all are solved
        left = stats.ecdf(stats.CensoredData(uncensored=solved_at[solved], right=trained[~solved])).sf
        interval = left.confidence_interval(method="log-log")
    share = 1 - left.probabilities
    bounds = statistics.wilson(np.round(share * count), count)
    exact = 1 - interval.high.probabilities, 1 - interval.low.probabilities
    low, high = [np.where(np.isnan(end), bound, end) for end, bound in zip(exact, bounds, strict=True)]
    rises = np.flatnonzero(np.diff(share, prepend=0.0) > 0)
    rises = np.append(rises, rises[-1])  # once more, at the end
    steps = [0.0, *left.quantiles[rises[:-1]], last]
    columns = {"solved": share, "low": low, "high": high}
    return {"step": np.array(steps), "nets": count} | {k: np.append(0.0, v[rises]) for k, v in columns.items()}
