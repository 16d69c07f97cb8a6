"""Tables as text, as several commands print them."""

from __future__ import annotations

import pandas as pd

from arithjax.tables import statistics


def text(table: pd.DataFrame) -> str:
    """A table for people: numbers with four digits."""
    return table.to_string(float_format=lambda v: f"{v:.4g}")


def rate_table(nets: pd.DataFrame, by: list[str]) -> str:
    """Success rates of a results table by columns: a grid over two of them, else a row a group."""
    summary = statistics.summarise(nets, by)
    if len(by) != 2:
        return text(summary)
    summary["cell"] = [
        f"{100 * rate:.0f} ({100 * low:.0f}-{100 * high:.0f})"
        for rate, low, high in summary[["rate", "rate_low", "rate_high"]].to_numpy()
    ]
    grid = summary["cell"].unstack(fill_value="")
    good = statistics.success(nets)
    down, across = (good.groupby(nets[name]).mean().sort_values(ascending=False).index for name in by)
    return f"Success rate in % (95 % interval), {by[0]} by {by[1]}:\n{grid.loc[down, across].to_string()}"
