"""Pictures of an answer: what the nets do along a = b, and what each change comes to."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from arithjax.diagnosis.causes import detected, first_of_each
from arithjax.diagnosis.evidence import Evidence
from arithjax.diagnosis.findings import Findings, Tried
from arithjax.registry import CAUSES, OPERATIONS
from arithjax.report.charts import COLOURS, GREY, Drawing, significant
from arithjax.setup import Setup
from arithjax.task.points import evaluate

MOST_LINES = 3
"""Nets as they are that are drawn, each of another cause."""
CROWD = 40
"""Changes in the ladder."""


def of(answer: Findings) -> dict[str, Drawing]:
    """The charts of an answer by name."""
    return {"along": along(answer), **changes(answer)}


def lines(answer: Findings) -> pd.DataFrame:
    """Results along equal arguments: columns `a`, `result` and `who`: the exact ones, and typical nets by cause.

    Of several results the first is drawn.
    The typical net of a cause has the median error of those for which it is the first.
    """
    seen = answer.evidence
    op, a = OPERATIONS[answer.setup.op], seen.line[:, 0]
    drawn = {"exact": _first_result(evaluate(op, seen.line))}
    told = sorted(first_of_each(detected(seen)).items(), key=lambda cause: -cause[1].sum())
    for name, holds in told[:MOST_LINES]:
        drawn[CAUSES[name].short] = _first_result(seen.along[..., _typical(seen, holds)])
    if answer.path:
        drawn["mended"] = _first_result(
            answer.seen.along[..., _typical(answer.seen, np.ones(len(answer.seen.rows), bool))]
        )
    table = pd.DataFrame({"a": a, **drawn}).melt("a", var_name="who", value_name="result")
    return table.replace([np.inf, -np.inf], np.nan).dropna()


def _first_result(results: np.ndarray) -> np.ndarray:
    return results[:, 0] if results.ndim > 1 else results


def _typical(seen: Evidence, holds: np.ndarray) -> int:
    """The net with the median error among some."""
    errors = seen.rows["relative_rmse"].fillna(np.inf).to_numpy()
    chosen = np.flatnonzero(holds)
    return int(chosen[np.argsort(errors[chosen], kind="stable")[(len(chosen) - 1) // 2]])


def along(answer: Findings) -> Drawing:
    """What the nets answer where all arguments are equal, with the exact results; each line is named at its end."""
    table = significant(lines(answer), 4)
    names = list(dict.fromkeys(table["who"]))
    colours = {"exact": GREY, "mended": COLOURS[0]}
    others = iter([COLOURS[4], COLOURS[3], COLOURS[2]])
    scale = alt.Scale(domain=names, range=[colours.get(name) or next(others) for name in names])
    arity = answer.evidence.line.shape[1]
    title = " = ".join("ab") if arity == 2 else "a" if arity == 1 else "every argument"
    last = table["who"] == "exact"  # drawn above the others, thin enough to see what it covers
    base = alt.Chart(pd.concat([table[~last], table[last]])).encode(
        alt.X("a:Q", title=title, axis=alt.Axis(format=",.6~r", tickCount=6)),
        alt.Y("result:Q", title=_title(answer.setup), axis=alt.Axis(format=",.6~r", tickCount=5)),
        alt.Color("who:N", scale=scale, legend=alt.Legend(orient="top", title=None, labelLimit=320, columns=1)),
        tooltip=["who:N", alt.Tooltip("a:Q", title=title), "result:Q"],
    )
    dashes = alt.Scale(domain=names, range=[[6, 5] if name == "exact" else [1, 0] for name in names])
    widths = alt.Scale(domain=names, range=[{"exact": 1.5, "mended": 5}.get(name, 3) for name in names])
    line = base.mark_line().encode(
        alt.StrokeDash("who:N", scale=dashes, legend=None), alt.StrokeWidth("who:N", scale=widths, legend=None)
    )
    return line.properties(width="container", height=320)


def _title(setup: Setup) -> str:
    symbol: str = OPERATIONS[setup.op].symbol
    return symbol if setup.results == 1 else f"{symbol}: the first of {setup.results} results"


def changes(answer: Findings) -> dict[str, Drawing]:
    """The share of nets that learn with each change, with 95 % intervals: alone, and one after another."""
    panels = {"alone": [answer.before, *_first(answer.tried)]}
    if len(answer.path) > 1:
        panels["together"] = [answer.before, *answer.path]
    return {name: _ladder([_row(one, _kind(one, name)) for one in rows]) for name, rows in panels.items()}


def _kind(one: Tried, panel: str) -> str:
    if not one.fields:
        return "as it is"
    return "tried" if not one.judged else "judged" if panel == "alone" else "path"


def _ladder(rows: list[dict[str, object]]) -> Drawing:
    table = pd.DataFrame(rows).round(5)
    base = alt.Chart(table).encode(
        alt.Y("change:N", sort=list(table["change"]), title=None, axis=alt.Axis(labelLimit=190)),
        alt.Color("kind:N", scale=alt.Scale(domain=list(KINDS), range=list(KINDS.values())), legend=None),
        tooltip=["change:N", "nets:Q", alt.Tooltip("rate:Q", format=".1%"), "interval:N", "exact:N", "error:Q"],
    )
    axis, scale = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]), alt.Scale(domain=[0, 1])
    x = alt.X("low:Q", title="nets that learn it", axis=axis, scale=scale)
    whisker = base.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"))
    dot = base.mark_circle(size=90, opacity=1).encode(alt.X("rate:Q", scale=scale))
    return alt.layer(whisker, dot).properties(width="container", height=22 * len(table) + 10)


KINDS = {"as it is": GREY, "judged": COLOURS[0], "path": COLOURS[2], "tried": "#c3cad3"}
"""Colours of the ladder: changes judged on fresh seeds, those of the path, and the crowd."""


def _first(tried: Sequence[Tried]) -> list[Tried]:
    return [one for one in tried if one.judged or one.rate > 0][:CROWD] or list(tried[:10])


def _row(one: Tried, kind: str) -> dict[str, object]:
    low, high = one.interval
    return {
        **{"change": one.change, "kind": kind, "rate": one.rate, "low": low, "high": high},
        **{"nets": one.nets, "interval": one.words(), "exact": f"{one.exact / one.nets:.0%}"},
        "error": float(f"{one.error:.2g}") if np.isfinite(one.error) else None,
    }
