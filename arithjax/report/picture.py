"""Pictures: charts as data, made of results tables; `arithjax.report.pictures` draws them.

To add a kind, add a function here that makes its table, and one there that draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.tables import groups, statistics


@dataclass(frozen=True)
class Picture:
    """A chart as data.

    name: the name of its file. says: its heading, one sentence. table: what it draws, in the columns of its kind.
    kind: `dots`, `lines`, `points`, `scatter`, `sets` or `grid`; `arithjax.report.pictures` says which columns each
        draws.
    about: how to read it, a line. x, y: titles of its axes, where its kind has them.
    """

    name: str
    says: str
    table: pd.DataFrame
    kind: str = "dots"
    about: str = ""
    x: str = ""
    y: str = ""


def ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """At most seven round numbers from `low` to `high`, evenly spaced by 1, 2 or 5 and zeros.

    whole: whether only whole numbers mean something there.
    """
    span = high - low or 1.0
    step = 10.0 ** np.floor(np.log10(span / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= 6)
    step = max(step, 1.0) if whole else step
    return list(np.arange(np.ceil(low / step), np.floor(high / step + 0.01) + 1) * step + 0.0)


def dots(
    name: str,
    says: str,
    groups_of: Mapping[str, pd.DataFrame],
    holds: str = "success",
    about: str = "",
    best: str = "",
    title: str = "nets that learn it",
) -> Picture:
    """A picture of rates as dots with their 95 % intervals, a row a group and a panel an operation.

    name: the name of its file. says: its heading. groups_of: a label for some rows of a results table, each a group.
    holds: the column that says which nets count. about: how to read it. best: the label of a
    group that stands out. title: that of the axis.
    """
    rows = []
    for label, nets in groups_of.items():
        for op, some in _by_operation(nets):
            rate = statistics.rates(some[holds].astype(bool), some).iloc[0]
            mark = "best" if label == best else "plain"
            rows.append([label, op, *rate[["rate", "rate_low", "rate_high", "nets"]], mark])
    table = pd.DataFrame(rows, columns=["what", "panel", "rate", "low", "high", "nets", "mark"])
    if not table["what"].duplicated().any():  # no group holds several operations
        table = table.drop(columns="panel")
    return Picture(name, says, table, "dots", about, x=title)


def _by_operation(nets: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The nets of each operation, in the order of the table; no rate is over several."""
    nets = groups.distinct(nets)
    return [(str(op), some) for op, some in nets.groupby("op", sort=False)] if len(nets) else []


def grid(
    name: str, says: str, nets: pd.DataFrame, down: str, across: str, holds: str = "success", about: str = ""
) -> Picture:
    """A picture of rates as a grid of cells, blank where no net does it; those that do most come first.

    down, across: columns of the table, or the study's parameters. holds: the column that says which nets count.
    Raises ArithjaxError where a cell would hold several operations.
    """
    nets = groups.distinct(nets)
    keys = [
        groups.column(nets, column).astype(str).rename(side) for column, side in ((down, "down"), (across, "across"))
    ]
    if statistics.holds_several(nets, keys):
        raise ArithjaxError(f"the grid of {down} and {across} would hold several operations in a cell; make it by op.")
    table = statistics.rates(nets[holds].astype(bool), nets, keys).reset_index()
    table = table.rename(columns={"rate_low": "low", "rate_high": "high"})[
        ["down", "across", "rate", "low", "high", "nets"]
    ]
    order = [
        table.groupby(side)["rate"].mean().sort_values(ascending=False, kind="stable").index
        for side in ("down", "across")
    ]
    table = table.sort_values(["down", "across"], key=lambda side: side.map(list(order[side.name == "across"]).index))
    return Picture(name, says, table.reset_index(drop=True), "grid", about)


def lines(name: str, says: str, table: pd.DataFrame, about: str = "", x: str = "", y: str = "") -> Picture:
    """A picture of lines, each named at its end.

    table: columns `x`, `y` and `who`, in the order in which the lines are to be told; `exact` is dashed.
    x, y: titles of the axes.
    """
    return Picture(name, says, table, "lines", about, x, y)


def scatter(name: str, says: str, table: pd.DataFrame, about: str = "", x: str = "", y: str = "") -> Picture:
    """A picture of the crowd and of who leaves it: dots at `x` (an error, on a logarithmic scale) and `y` (a share).

    table: columns `what`, `x`, `y` and `named`, whether a dot stands out and is called by its name.
    """
    return Picture(name, says, table.replace([np.inf, -np.inf], np.nan), "scatter", about, x, y)


def sets(name: str, says: str, nets: Mapping[tuple[str, ...], pd.DataFrame], about: str = "") -> Picture:
    """A picture of combinations: which of several things are in each, and the share of its nets that learn (UpSet).

    nets: a combination's members, and its nets: rows of a results table of one operation.
    """
    members = list(dict.fromkeys(name for names in nets for name in names))
    rows = []
    for names, some in nets.items():
        rate = statistics.rates(statistics.success(some), some).iloc[0]
        rows.append([*rate[["rate", "rate_low", "rate_high", "nets"]], *(member in names for member in members)])
    return Picture(name, says, pd.DataFrame(rows, columns=["rate", "low", "high", "nets", *members]), "sets", about)


def published(name: str, says: str, compared: pd.DataFrame, about: str = "") -> Picture:
    """A picture of rates beside published ones, which are rings; a row a cell.

    compared: what `protocols.compare` gives.
    """
    columns = {"cell": "what", "published": "other"}
    table = compared[["cell", "rate", "low", "high", "nets", "published", "inside"]].rename(columns=columns)
    table["what"] = table["what"].str.replace("interpolation=", "")
    table["mark"] = table.pop("inside").map({True: "plain", False: "best"})
    about = about or "Dots: rates here, with 95 % intervals; rings: published. Green: the published rate is outside."
    return Picture(name, says, table.reset_index(drop=True), "dots", about, x="nets that succeed")
