"""Statistics of results tables: success rates with 95 % intervals, and comparisons of two tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import Setup
from arithjax.tables.schema import YARDSTICKS

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson(successes: Any, trials: Any, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of a success rate (Wilson 1927): arrays of its lower and upper ends.

    successes, trials: numbers or arrays that broadcast; every number of trials is at least 1.
    z: the normal quantile of the confidence level; default: 95 %.

    98 of 100 gives (0.930, 0.994); 0 of 100 gives (0, 0.037). It is computed here since `scipy.stats.binomtest` gives
    one interval at a time, at 0.2 ms each, and takes half a second to import.
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def newcombe(k1: Any, n1: Any, k2: Any, n2: Any) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a difference of two success rates, `k2 / n2 - k1 / n1` (Newcombe 1998, method 10).

    k1, n1, k2, n2: successes and trials of the first and the second sample, numbers or arrays that broadcast.

    Arrays of its lower and upper ends. 56 of 70 against 48 of 80 gives 0.0524 to 0.3339 for the difference 0.2.
    """
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    rate1, rate2 = np.asarray(k1) / np.asarray(n1), np.asarray(k2) / np.asarray(n2)
    difference = rate2 - rate1
    below = np.sqrt((rate2 - low2) ** 2 + (high1 - rate1) ** 2)
    above = np.sqrt((high2 - rate2) ** 2 + (rate1 - low1) ** 2)
    return difference - below, difference + above


def success(nets: pd.DataFrame) -> pd.Series:
    """Whether each net of a table counts as a success: its column `success`, as booleans."""
    return nets["success"].astype(bool)


def summarise(nets: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates with 95 % intervals, one row per group of nets.

    nets: rows of a results table.
    by: the columns to group by; default: one group of all nets. Raises `ArithjaxError` for an unknown column.

    Columns: `nets`, `rate` (share of successes: graded learned or exact, or below the setup's threshold) with its
    Wilson 95 % interval `rate_low rate_high`, the shares `exact_rate dead_rate diverged_rate`, and the medians of
    `relative_rmse`, `extrapolation_relative_rmse` and, over the nets that are solved, `solved_at`.
    """
    by = [by] if isinstance(by, str) else list(by)
    for name in by:
        if name not in nets.columns:
            raise ArithjaxError(f"by: there is no column '{name}'{nearest(name, nets.columns)}")
    frame = pd.DataFrame(
        {
            "rate": success(nets),
            "exact_rate": nets["grade"] == "exact",
            "dead_rate": nets["grade"] == "dead",
            "diverged_rate": nets["grade"] == "diverged",
            "relative_rmse": nets["relative_rmse"].fillna(np.inf),
            "extrapolation_relative_rmse": nets["extrapolation_relative_rmse"].fillna(np.inf),
            "solved_at": nets["solved_at"],
        }
    )
    keys = [nets[name].rename(_key(name, frame.columns)) for name in by]
    groups = frame.groupby(keys, dropna=False, sort=True) if by else frame.groupby(lambda _: "all nets")
    with np.errstate(invalid="ignore"):
        medians = groups[["relative_rmse", "extrapolation_relative_rmse", "solved_at"]].median()
    table = groups[["rate", "exact_rate", "dead_rate", "diverged_rate"]].mean()
    table.insert(0, "nets", groups.size())
    low, high = wilson((table["rate"] * table["nets"]).round(), table["nets"])
    table.insert(2, "rate_low", low)
    table.insert(3, "rate_high", high)
    return pd.concat([table, medians], axis=1)


def _key(name: str, columns: Sequence[str]) -> str:
    """The name of a summary's groups: a study's parameter may have the name of a column that is computed."""
    return f"{name} (chosen)" if name in (*columns, "nets", "rate_low", "rate_high") else name


def yardsticks(nets: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The shares of nets whose MSE is 1 % below each trivial baseline's, one row per group.

    nets: rows of a results table. by: the columns to group by.

    Columns: `beats_zero`, `beats_mean` and `beats_plane`, for answering 0, the mean, and the best plane.
    """
    level = nets["beats"].map(YARDSTICKS.index)
    keys = [nets[name] for name in by]
    return pd.DataFrame({f"beats_{name}": (level >= i).groupby(keys).mean() for i, name in enumerate(YARDSTICKS) if i})


def varied(nets: pd.DataFrame) -> list[str]:
    """The setup's fields that differ between the rows of a table, in order."""
    return [name for name in Setup.field_names() if name in nets and nets[name].nunique(dropna=False) > 1]


def default_by(nets: pd.DataFrame) -> list[str]:
    """The columns to group a table by when none are given: the first two fields that vary, without `until`.

    `until` is left out because successive halving sets it from results.
    """
    return [name for name in varied(nets) if name != "until"][:2]


def setups_table(nets: pd.DataFrame) -> pd.DataFrame:
    """One row per trial, the most successful first: the fields that vary, `parameters`, and `summarise`'s columns."""
    table = summarise(nets, ["trial"])
    table = nets.groupby("trial")[[*varied(nets), "parameters"]].first().join(table)
    return table.sort_values(["rate", "relative_rmse"], ascending=[False, True])


def compare(a: pd.DataFrame, b: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates of two tables side by side, one row per group.

    a, b: rows of two results tables.
    by: the columns to group by; default: one group of all nets. Raises `ArithjaxError` for an unknown column.

    Columns: `nets_a rate_a nets_b rate_b`, the `difference` b - a with its 95 % interval `low high` (Newcombe), and `p`
    of Fisher's exact test that the rates are equal. In a group that only one table has, the others are missing. With
    many groups some small p are chance.
    """
    from scipy.stats import fisher_exact  # half a second of start-up, for this alone

    sides = [summarise(nets, by)[["nets", "rate"]] for nets in (a, b)]
    table = sides[0].add_suffix("_a").join(sides[1].add_suffix("_b"), how="outer")
    both = table.dropna()
    nets_a, nets_b = both["nets_a"].astype(int), both["nets_b"].astype(int)
    good_a, good_b = (both["rate_a"] * nets_a).round().astype(int), (both["rate_b"] * nets_b).round().astype(int)
    low, high = newcombe(good_a, nets_a, good_b, nets_b)
    counts = zip(good_a, nets_a - good_a, good_b, nets_b - good_b, strict=True)
    p = [float(fisher_exact([[k1, m1], [k2, m2]]).pvalue) for k1, m1, k2, m2 in counts]
    compared = pd.DataFrame(
        {"difference": both["rate_b"] - both["rate_a"], "low": low, "high": high, "p": p}, both.index
    )
    return table.join(compared).astype({"nets_a": "Int64", "nets_b": "Int64"})
