"""Statistics of results tables: success rates with 95 % intervals, and comparisons of two tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.tables import groups, intervals
from arithjax.tables.groups import default_by as default_by
from arithjax.tables.groups import distinct, varied
from arithjax.tables.intervals import newcombe as newcombe
from arithjax.tables.intervals import wilson
from arithjax.tables.schema import YARDSTICKS

NETS, SETUPS = "Wilson", "Wilson by setups"
"""How an interval is computed: of independent nets, or of sampled setups with all their nets."""

FISHER, EFFECTIVE, PERMUTATION = "Fisher", "Fisher, effective", "permutation"
"""The tests of two rates: of independent nets, of these beside sampled setups, and of sampled setups (`compare`)."""


def success(nets: pd.DataFrame) -> pd.Series:
    """Whether each net of a table counts as a success: its column `success`, as booleans."""
    return nets["success"].astype(bool)


def median_net(nets: pd.DataFrame) -> pd.Series:
    """The row of the net with the median error, the lower one of two; of several operations there is none.

    nets: rows of a results table, at least one. Raises ArithjaxError where they are of several operations, or none.
    """
    if nets.empty or nets["op"].nunique() > 1:
        raise ArithjaxError(
            f"these {len(nets)} nets of {nets['op'].nunique()} operations have no median; give those of one."
        )
    ordered = nets.sort_values("relative_rmse", na_position="last", kind="stable")
    return ordered.iloc[(len(nets) - 1) // 2]


def rates(holds: pd.Series, nets: pd.DataFrame, keys: Sequence[pd.Series] = ()) -> pd.DataFrame:
    """The share of nets for which something holds, with its 95 % interval, a row a group.

    holds: a boolean for each net. nets: their rows of a table, each net once (`groups.distinct`).
    keys: what groups them, a series for each level; default: one group of all nets.

    Columns: `nets`, `rate`, `rate_low rate_high`, the number of different `setups`, and `interval`, how it is computed:
    `Wilson` where the nets are independent, of cells that a study names, or where every group is one setup; otherwise
    `Wilson by setups` (`arithjax.tables.intervals.of_setups`). There a group of one setup, beside groups of several,
    says nothing of setups like it, and its interval is 0 to 1.
    """
    of = _by_setup(holds, nets, keys)
    table = of.sum().assign(setups=of.size())
    low, high = wilson(table["good"], table["nets"])
    several = (table["setups"] > 1).to_numpy()
    clustered = np.full(len(table), groups.is_sampled(nets) and several.any())
    if clustered.any():
        low[:], high[:] = 0.0, 1.0
        cells, place = of.obj, of.ngroup().to_numpy()
        some = several[place]
        codes, order = np.unique(place[some], return_inverse=True)
        low[codes], high[codes], _ = intervals.of_setups(cells["good"][some], cells["nets"][some], order)
    return pd.DataFrame(
        {
            "nets": table["nets"],
            "rate": table["good"] / table["nets"],
            "rate_low": low,
            "rate_high": high,
            "setups": table["setups"],
            "interval": np.where(clustered, SETUPS, NETS),
        }
    )


def _by_setup(holds: pd.Series, nets: pd.DataFrame, keys: Sequence[pd.Series]) -> Any:
    """The number of `nets` of every setup, and of those that are `good`, grouped by keys."""
    keys = list(keys) or [pd.Series("all nets", nets.index)]
    frame = pd.DataFrame({"nets": 1, "good": holds.astype(int)}, nets.index)
    cells = frame.groupby([*keys, groups.setups(nets)], dropna=False, sort=True).sum()
    return cells.groupby(level=0 if len(keys) == 1 else list(range(len(keys))), dropna=False, sort=True)


def summarise(nets: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates with 95 % intervals, one row per group of nets.

    nets: rows of a results table. A net that several trials asked for counts once.
    by: the columns to group by, or parameters of the study's question; default: one group of all nets. Where a group
        would hold several operations it is divided by `op` as well. Raises `ArithjaxError` for an unknown name.

    Columns: `nets`, `rate` (share of successes: graded learned or exact, or below the setup's threshold) with its 95 %
    interval `rate_low rate_high`, the number of different `setups`, `interval`, how it is computed (see `rates`), the
    shares `exact_rate dead_rate diverged_rate`, and the medians of `relative_rmse`, `extrapolation_relative_rmse` and,
    over the nets that succeeded, `solved_at`. `ranges` is the number of ranges of numbers that a group holds, since its
    rate is one of these ranges alone, and `stopped` the number of its nets that halving stopped, which count as they
    were there. Each metric of the user's has a column of its medians.
    """
    nets = distinct(nets)
    return summarise_by(nets, keys_of(nets, by))


def per_trial(nets: pd.DataFrame) -> pd.DataFrame:
    """As `summarise`, a row a trial; a trial with the setup of an earlier one is left out."""
    nets = distinct(nets)
    return summarise_by(nets, [nets["trial"]])


def summarise_by(nets: pd.DataFrame, keys: list[pd.Series]) -> pd.DataFrame:
    """As `summarise`, by series. nets: a table that has each net once. keys: a value for each net, a series a level."""
    keys = _told_apart(keys)
    good = success(nets)
    frame = pd.DataFrame(
        {
            "exact_rate": nets["grade"] == "exact",
            "dead_rate": nets["grade"] == "dead",
            "diverged_rate": nets["grade"] == "diverged",
            "relative_rmse": nets["relative_rmse"].fillna(np.inf),
            "extrapolation_relative_rmse": nets["extrapolation_relative_rmse"].fillna(np.inf),
            "nowhere:": nets["extrapolation_relative_rmse"].isna() & (nets["grade"] != "diverged"),
            "solved_at": nets["solved_at"].where(good),
            "ranges": groups.ranges(nets),
            "stopped": nets["until"].notna() if "until" in nets else False,
        }
    )
    own = groups.metrics(nets)
    frame[list(own)] = own
    of = frame.groupby(keys or [pd.Series("all nets", nets.index)], dropna=False, sort=True)
    with np.errstate(invalid="ignore"):
        medians = of[["relative_rmse", "extrapolation_relative_rmse", "solved_at", *own]].median()
    medians.loc[of["nowhere:"].all(), "extrapolation_relative_rmse"] = np.nan  # there is nothing to extrapolate to
    shares = of[["exact_rate", "dead_rate", "diverged_rate"]].mean()
    counts = pd.DataFrame({"ranges": of["ranges"].nunique(), "stopped": of["stopped"].sum()})
    return pd.concat([rates(good, nets, keys), shares, medians, counts], axis=1)


def in_order(summary: pd.DataFrame, orders: Sequence[Sequence[str]]) -> pd.DataFrame:
    """The rows of a summary in the order of its labels, as `groups.labels` has it, in which numbers ascend.

    orders: for each of the first levels of the index all its labels in order; further levels stay as they are.
    """
    places = [{label: place for place, label in enumerate(order)} for order in orders]
    rows = [index if isinstance(index, tuple) else (index,) for index in summary.index]
    found = [[place[label] for place, label in zip(places, row, strict=False)] for row in rows]
    return summary.iloc[sorted(range(len(rows)), key=found.__getitem__)]


COMPUTED = {
    *("nets", "rate", "rate_low", "rate_high", "setups", "interval", "exact_rate", "dead_rate", "diverged_rate"),
    *("relative_rmse", "extrapolation_relative_rmse", "solved_at", "ranges", "stopped"),
    *("nets_a", "rate_a", "nets_b", "rate_b", "difference", "low", "high", "p", "test"),
}
"""The columns of summaries and comparisons; groups by a parameter of such a name are called `... (chosen)`."""


def _told_apart(keys: list[pd.Series]) -> list[pd.Series]:
    """Keys under names that no column of a summary has."""
    return [key.rename(f"{key.name} (chosen)") if key.name in COMPUTED else key for key in keys]


def keys_of(nets: pd.DataFrame, by: str | Sequence[str], divide: bool | None = None) -> list[pd.Series]:
    """What groups the nets of a table by columns or parameters of these names, a series each, and by operation.

    divide: whether the operation is added; default: where some group would hold several.
    """
    names = [by] if isinstance(by, str) else by
    keys = _told_apart([groups.column(nets, name).rename(name) for name in names])
    if divide is None:
        divide = holds_several(nets, keys)
    return [*keys, nets["op"]] if divide else keys


def holds_several(nets: pd.DataFrame, keys: list[pd.Series]) -> bool:
    """Whether some group of nets holds several operations."""
    if "op" not in nets or nets["op"].nunique() < 2:
        return False
    return not keys or bool((nets["op"].groupby(keys, dropna=False).nunique() > 1).any())


def yardsticks(nets: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The shares of nets whose MSE is 1 % below each trivial baseline's, one row per group.

    nets: rows of a results table. by: the columns to group by.

    Columns: `beats_zero`, `beats_mean` and `beats_plane`, for answering 0, the mean, and the best plane.
    """
    nets = distinct(nets)
    level = nets["beats"].map(YARDSTICKS.index)
    keys = keys_of(nets, by, divide=False)
    return pd.DataFrame({f"beats_{name}": (level >= i).groupby(keys).mean() for i, name in enumerate(YARDSTICKS) if i})


def setups_table(nets: pd.DataFrame) -> pd.DataFrame:
    """`per_trial`, the most successful first, with the fields that vary and `parameters` before its columns."""
    nets = distinct(nets)
    table = nets.groupby("trial")[[*varied(nets), "parameters"]].first().join(per_trial(nets))
    return table.sort_values(["rate", "relative_rmse"], ascending=[False, True])


def best_of_choices(nets: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """What the setups with each choice achieve: a row a choice and its value.

    nets: a results table of one operation. names: parameters or columns; numbers with many values are put into bins.

    Columns: `choice value`, the number of `setups` with it, the success `rate` over all their nets, and
    `relative_rmse`, the smallest median error of a setup.
    """
    nets = distinct(nets)
    trials = nets["relative_rmse"].fillna(np.inf).groupby(nets["trial"]).median()
    rows = []
    for name in names:
        text, order = groups.labels(nets, name)
        for value in (value for value in order if value in set(text)):
            some = nets[text == value]
            best = trials.loc[some["trial"].unique()]
            row = {"choice": name, "value": value, "setups": len(best), "rate": success(some).mean()}
            rows.append({**row, "relative_rmse": best.min()})
    return pd.DataFrame(rows, columns=["choice", "value", "setups", "rate", "relative_rmse"])


def compare(a: pd.DataFrame, b: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates of two tables side by side, one row per group.

    a, b: rows of two results tables.
    by: as in `summarise`.

    Columns: `nets_a rate_a nets_b rate_b`, the `difference` b - a with its 95 % interval `low high` (Newcombe's, from
    the intervals of both rates), and the two-sided `p` of the `test` that the rates are equal: `Fisher`'s exact test
    where the nets of both are independent; `permutation` of the setups where those of both are sampled, whose p is the
    mid-p, which counts ties by half; and where one is sampled `Fisher, effective`, the exact test on the effective
    number of its nets (`arithjax.tables.intervals.of_setups`), since those of one setup succeed and fail together. In
    a group that only one table has the others are missing. With many groups some small p are chance.
    """
    a, b = distinct(a), distinct(b)
    divide = any(holds_several(nets, keys_of(nets, by, False)) for nets in (a, b))
    sides = []
    for nets in (a, b):
        holds, keys = success(nets), keys_of(nets, by, divide)
        cells = [cell.to_numpy().T for _, cell in _by_setup(holds, nets, keys)[["good", "nets"]]]
        sides.append(rates(holds, nets, keys).assign(cells=pd.Series(cells, dtype=object).to_numpy()))
    table = sides[0].add_suffix("_a").join(sides[1].add_suffix("_b"), how="outer")
    both = table.dropna()
    first, second = ((both[f"rate_{side}"], both[f"rate_low_{side}"], both[f"rate_high_{side}"]) for side in "ab")
    low, high = intervals.of_difference(first, second)
    tests = [
        _test(*pair)
        for pair in zip(both["cells_a"], both["interval_a"], both["cells_b"], both["interval_b"], strict=True)
    ]
    compared = pd.DataFrame({"difference": second[0] - first[0], "low": low, "high": high}, both.index)
    compared[["p", "test"]] = pd.DataFrame(tests, both.index, ["p", "test"])
    table = table[[f"{name}_{side}" for side in "ab" for name in ("nets", "rate")]].join(compared)
    return table.astype({"nets_a": "Int64", "nets_b": "Int64"})


def _test(a: np.ndarray, interval_a: str, b: np.ndarray, interval_b: str) -> tuple[float, str]:
    """The p of the test that two rates are equal, and the test's name.

    a, b: successes and nets of each setup, `[2, setups]`. interval_a, interval_b: how their intervals are computed.

    With one cell's nets on one side and sampled setups on the other there are no setups to permute; Fisher's test then
    takes the effective number of nets of the sampled ones.
    """
    if interval_a == interval_b == SETUPS:
        return intervals.permutation(a, b), PERMUTATION
    counts = [_independent(cells, interval == SETUPS) for cells, interval in ((a, interval_a), (b, interval_b))]
    return intervals.fisher(*counts[0], *counts[1]), FISHER if interval_a == interval_b else EFFECTIVE


def _independent(cells: np.ndarray, sampled: bool) -> tuple[int, int]:
    """Successes and number of independent nets: all of them, or of sampled setups the effective number, rounded."""
    good, nets = (int(total) for total in cells.sum(axis=1))
    if not sampled:
        return good, nets
    effective = float(intervals.of_setups(cells[0], cells[1], np.zeros(cells.shape[1], int))[2][0])
    return round(good / nets * effective), round(effective)
