"""Tables as text, as several commands print them."""

from __future__ import annotations

import pandas as pd

from arithjax.report import words
from arithjax.tables import groups, statistics


def text(table: pd.DataFrame) -> str:
    """A table for people: numbers with four digits."""
    return table.to_string(float_format=lambda v: f"{v:.4g}")


def summary_text(summary: pd.DataFrame) -> str:
    """A summary of rates for people, without columns that say nothing: single ranges, and none that halving stopped."""
    idle = [name for name, usual in (("ranges", 1), ("stopped", 0)) if (summary[name] <= usual).all()]
    return text(summary.drop(columns=idle))


def rate_table(nets: pd.DataFrame, by: list[str]) -> str:
    """Success rates of a results table by columns: a grid over two of them, else a row a group.

    Numbers ascend, in bins where they have many values; names come by falling success rate.
    """
    nets = groups.distinct(nets)
    parts = [groups.labels(nets, name) for name in by]
    keys, orders = [labels for labels, _ in parts], [order for _, order in parts]
    if len(by) != 2 or statistics.holds_several(nets, keys):
        if statistics.holds_several(nets, keys):
            keys.append(nets["op"])
        return summary_text(statistics.in_order(statistics.summarise_by(nets, keys), orders))
    summary = statistics.summarise_by(nets, keys)
    cells = [words.percent(*row).replace(" %", "") for row in summary[["rate", "rate_low", "rate_high"]].to_numpy()]
    grid = pd.Series(cells, summary.index).unstack(fill_value="")
    grid = grid.loc[
        *([name for name in order if name in there] for order, there in zip(orders, grid.axes, strict=True))
    ]
    return f"Success rate in % (95 % interval), {by[0]} by {by[1]}:\n{grid.to_string()}{note(summary)}"


def note(summary: pd.DataFrame) -> str:
    """What stands below a grid of rates: how the intervals are computed, what is pooled, and what halving stopped."""
    lines = []
    if (summary["interval"] == statistics.SETUPS).any():
        few, many = summary["setups"].min(), summary["setups"].max()
        lines.append(f"Intervals are of setups, of which {few:,} to {many:,} were sampled for each rate.")
    if summary["ranges"].max() > 1:
        lines.append("Rates are of these ranges of numbers together.")
    if stopped := summary["stopped"].sum():
        lines.append(words.HALVED.format(stopped))
    return "".join(f"\n{line}" for line in lines)


def choice_table(nets: pd.DataFrame, names: list[str]) -> str | None:
    """What nets with each choice achieve, a row a choice and value; None where there is nothing to compare.

    names: parameters of the study. Rates are not pooled over operations, so that there is no table of several.
    """
    if nets["op"].nunique() > 1:
        return None
    best = statistics.best_of_choices(nets, names)
    best = best[best.groupby("choice")["value"].transform("size") > 1]
    if not 1 < len(best) <= MOST_CHOICES:
        return None
    best["rate"] = best["rate"].map(words.part)
    table = text(best.set_index(["choice", "value"]).rename(columns={"relative_rmse": "best relative RMSE"}))
    return f"\nWith each choice, the success rate and the error of the best setup:\n{table}"


MOST_CHOICES = 60
"""The most rows of that table."""
