"""Statistics of a table: success rates with intervals, and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import Setup


def wilson(successes: Any, trials: Any, z: float = 1.959963984540054) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of a success rate (Wilson 1927), 95 % by default: lower and upper ends.

    98 of 100 gives (0.930, 0.994); 0 of 100 gives (0, 0.037).
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def success(nets: pd.DataFrame) -> pd.Series:
    """Whether each net of a table counts as a success."""
    return nets["success"].astype(bool)


def summarise(nets: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates, grouped by columns.

    Columns: `nets`, `rate` (share of successes: graded learned or exact, or below the setup's threshold) with its
    Wilson 95 % interval `rate_low rate_high`, the shares `exact_rate dead_rate diverged_rate`, and the medians of
    `relative_rmse`, `extrapolation_relative_rmse` and, over the nets that got there, `solved_at`.
    """
    by = [by] if isinstance(by, str) else list(by)
    for name in by:
        if name not in nets.columns:
            raise ArithjaxError(f"by: there is no column '{name}'{nearest(name, nets.columns)}")
    frame = nets.assign(
        rate=success(nets),
        exact_rate=nets["grade"] == "exact",
        dead_rate=nets["grade"] == "dead",
        diverged_rate=nets["grade"] == "diverged",
        relative_rmse=nets["relative_rmse"].fillna(np.inf),
        extrapolation_relative_rmse=nets["extrapolation_relative_rmse"].fillna(np.inf),
    )
    groups = frame.groupby(by, dropna=False, sort=True) if by else frame.groupby(lambda _: "all nets")
    with np.errstate(invalid="ignore"):
        medians = groups[["relative_rmse", "extrapolation_relative_rmse", "solved_at"]].median()
    table = groups[["rate", "exact_rate", "dead_rate", "diverged_rate"]].mean()
    table.insert(0, "nets", groups.size())
    low, high = wilson((table["rate"] * table["nets"]).round(), table["nets"])
    table.insert(2, "rate_low", low)
    table.insert(3, "rate_high", high)
    return table.join(medians)


def yardsticks(nets: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The share of nets, by columns, whose error beats answering 0, the mean and the best plane (by one per cent)."""
    order = ["none", "zero", "mean", "plane"]
    level = nets["beats"].map(order.index)
    shares = {f"beats_{name}": (level >= i).groupby([nets[c] for c in by]).mean() for i, name in enumerate(order) if i}
    return pd.DataFrame(shares)


def varied(nets: pd.DataFrame) -> list[str]:
    """The setup's fields that differ between the rows of a table."""
    return [name for name in Setup.field_names() if name in nets and nets[name].nunique(dropna=False) > 1]


def default_by(nets: pd.DataFrame) -> list[str]:
    """What a table is grouped by where nobody says: the first two fields that vary and are no outcome."""
    return [name for name in varied(nets) if name != "until"][:2]


def setups_table(nets: pd.DataFrame) -> pd.DataFrame:
    """A row a setup, the most successful first: the fields that vary, and `summarise`'s columns."""
    fields_varied = varied(nets)
    table = summarise(nets, ["trial"])
    table = nets.groupby("trial")[[*fields_varied, "parameters"]].first().join(table)
    return table.sort_values(["rate", "relative_rmse"], ascending=[False, True])


def newcombe(k1: Any, n1: Any, k2: Any, n2: Any) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a difference of rates, `k2 / n2 - k1 / n1` (Newcombe 1998, method 10): lower, upper end.

    56 of 70 against 48 of 80 gives 0.0524 to 0.3339 for the difference 0.2.
    """
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    rate1, rate2 = np.asarray(k1) / np.asarray(n1), np.asarray(k2) / np.asarray(n2)
    difference = rate2 - rate1
    below = np.sqrt((rate2 - low2) ** 2 + (high1 - rate1) ** 2)
    above = np.sqrt((high2 - rate2) ** 2 + (rate1 - low1) ** 2)
    return difference - below, difference + above


def compare(a: pd.DataFrame, b: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates of two tables side by side, grouped by columns.

    Columns: `nets_a rate_a nets_b rate_b`, the `difference` b - a with its 95 % interval `low high` (Newcombe), and `p`
    of Fisher's exact test that the rates are equal. A group that only one table has stands alone. With many groups
    some small p are chance.
    """
    from scipy.stats import fisher_exact

    sides = [summarise(nets, by)[["nets", "rate"]] for nets in (a, b)]
    table = sides[0].add_suffix("_a").join(sides[1].add_suffix("_b"), how="outer")
    both = table.dropna()
    nets_a, nets_b = both["nets_a"].astype(int), both["nets_b"].astype(int)
    good_a, good_b = (both["rate_a"] * nets_a).round().astype(int), (both["rate_b"] * nets_b).round().astype(int)
    low, high = newcombe(good_a, nets_a, good_b, nets_b)
    counts = zip(good_a, nets_a - good_a, good_b, nets_b - good_b, strict=True)
    p = [float(fisher_exact([[k1, m1], [k2, m2]]).pvalue) for k1, m1, k2, m2 in counts]
    told = pd.DataFrame({"difference": both["rate_b"] - both["rate_a"], "low": low, "high": high, "p": p}, both.index)
    return table.join(told).astype({"nets_a": "Int64", "nets_b": "Int64"})
