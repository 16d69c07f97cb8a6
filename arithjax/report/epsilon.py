"""The section about nets with thresholds: how their success hangs on ε and on the steps of training, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt
import numpy as np
import pandas as pd

from arithjax import protocols
from arithjax.fields import names_of
from arithjax.report import charts

ABOUT = (
    "A threshold is the error of a solution whose weights are off by ε, here 1e-5. One kind of chart shows which share "
    "of nets a smaller or larger ε would count as successes; the other the share solved by a step (Kaplan & Meier). "
    "Both are over all nets of an operation in this table."
)
MOST_OPERATIONS = 4
"""Operations beyond these are not drawn."""
STEPS = 10
"""Steps that a chart shows, evenly spaced in the logarithm."""


def figures(nets: pd.DataFrame) -> Iterator[tuple[str, charts.Drawing]]:
    """Names and charts: for every operation success against ε and against steps; nothing without thresholds.

    nets: a results table. Nets that are judged at their last step are left out of the first kind, since their threshold
    is no ε's.
    """
    if nets["threshold"].isna().any():
        return
    nets = nets.assign(unit=_units(nets))
    for op in list(nets.groupby("op").success.mean().sort_values(ascending=False).index)[:MOST_OPERATIONS]:
        some = nets[nets["op"] == op]
        title, name = str(op).split(":")[0], str(op).replace(":", "-")
        judged = some[some["selection"] == "best"]
        if len(judged):
            table = protocols.by_epsilon(judged, ["unit"])
            yield f"epsilon-{name}", _heat_map(table, "epsilon", "rate", f"{title}: ε", ".0e")
        yield f"steps-{name}", _heat_map(_at_steps(some), "step", "solved", f"{title}: step", ",.0f")


def _units(nets: pd.DataFrame) -> pd.Series:
    """What the rows of a chart are called: a net's model, or the activation of a dense net."""
    return nets["model"].where(nets["model"] != "mlp", nets["activation"].map(lambda text: names_of(text)[0] + " net"))


def _at_steps(nets: pd.DataFrame) -> pd.DataFrame:
    """The share of each unit's nets that is solved by a few steps, the last among them."""
    table = protocols.by_steps(nets, ["unit"])
    last = table["step"].max()
    first = max(1.0, min(table["step"][table["step"] > 0].min(), last / 10))
    steps = np.geomspace(first, last, STEPS).round()
    parts = []
    for unit, rows in table.groupby("unit", sort=False):
        rows = rows.drop_duplicates("step", keep="last")
        at = np.searchsorted(rows["step"], steps, side="right") - 1
        parts.append(rows.iloc[at].assign(step=steps, unit=unit))
    return pd.concat(parts, ignore_index=True)


def _heat_map(table: pd.DataFrame, across: str, value: str, title: str, form: str) -> charts.Drawing:
    """A row a unit, that with the largest shares first; `value` is a share, and `across` a column of numbers."""
    order = list(table.groupby("unit")[value].mean().sort_values(ascending=False, kind="stable").index)
    ends = [alt.Tooltip(f"{name}:Q", format=".1%", title=f"{name}, 95 %") for name in ("low", "high")]
    tooltip = ["unit:N", alt.Tooltip(f"{across}:Q", format=form), alt.Tooltip("rate:Q", format=".1%"), *ends, "nets:Q"]
    table = table.rename(columns={value: "rate"}).round(6 if across == "step" else 12)
    columns = sorted(table[across].unique())
    return charts.cells(table, ("unit", order, ""), (across, columns, title), tooltip, form)
