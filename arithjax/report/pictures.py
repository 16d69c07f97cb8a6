"""The charts of pictures (`arithjax.report.picture`), drawn from their tables: names stand on the marks.

To add a kind, add a function from a picture and a part of its table to a chart, and its line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.report.charts import COLOURS, DECADES, GREY, LABEL, PERCENT, Drawing, cells, significant
from arithjax.report.picture import Picture, ticks
from arithjax.report.words import brief, percent

BLUE = "#1a80c4"
"""A blue that reads well on light and on dark pages."""
MARKS = {"plain": BLUE, "best": COLOURS[2], "before": GREY, "crowd": "#9aa4b2"}
"""Colours of dots: as most are, those that stand out, the net as it is, and changes that were only tried."""
LINES = [COLOURS[4], COLOURS[3], COLOURS[2], COLOURS[1], COLOURS[5], "#b8a900"]
MENDED = "mended"
END = 0.6
"""The space for names at the ends of lines, as a share of the range along x."""


def panels(picture: Picture) -> list[tuple[str, str, Drawing]]:
    """The charts of a picture, a panel each: the name of its file, its title (empty for a single one), the chart."""
    if picture.kind not in KINDS:
        raise ArithjaxError(f"unknown kind of picture '{picture.kind}'; there are {', '.join(KINDS)}.")
    draw, table = KINDS[picture.kind], picture.table
    if "panel" not in table or table.empty:
        return [(picture.name, "", draw(picture, table))]
    parts = table.groupby("panel", sort=False)
    return [(f"{picture.name}-{_file(panel)}", str(panel), draw(picture, some)) for panel, some in parts]


def _file(panel: object) -> str:
    """A panel's name as a part of a file's."""
    return "".join(letter if letter.isalnum() else "-" for letter in str(panel))


def dots(picture: Picture, table: pd.DataFrame) -> Drawing:
    """A row each of columns `what`: a dot at `rate` with a whisker from `low` to `high`, and the rate as text.

    Where there are columns `mark` (`MARKS`) and `other`, they give the colour, and another share, drawn as a ring.
    """
    table = table.assign(shown=table["rate"].map(brief), interval=_intervals(table))
    table = table.assign(colour=_colours(table)).round(5)
    table["what"] = table["what"].astype(str).map(lambda name: broken(name, 26))
    order = list(dict.fromkeys(table["what"]))
    scale = alt.Scale(domain=[-0.06, 1.5], nice=False)  # so that "100 %" fits on a phone
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], grid=True, labelOverlap=True, labelSeparation=5)
    extra = [name for name in ("nets", "exact", "error", "other") if name in table]
    base = alt.Chart(table).encode(
        alt.Y("what:N", sort=order, title=None, axis=NAMES),
        tooltip=["what:N", "interval:N", *extra],
    )
    colour = alt.Color("colour:N", scale=None)
    whisker = base.mark_rule(strokeWidth=2).encode(
        alt.X("low:Q", title=picture.x, axis=axis, scale=scale), alt.X2("high:Q"), colour
    )
    dot = base.mark_circle(size=90, opacity=1).encode(alt.X("rate:Q", scale=scale), colour)
    text = base.mark_text(align="left", dx=8, fontSize=12).encode(alt.X("high:Q", scale=scale), alt.Text("shown:N"))
    layers = [whisker, dot, text]
    if "other" in table:
        ring = base.mark_point(size=150, strokeWidth=2, filled=False, opacity=1)
        layers.append(ring.encode(alt.X("other:Q", scale=scale), color=alt.value(COLOURS[4])))
    lines = 1 + max((name.count("\n") for name in order), default=0)
    return _sized(alt.layer(*layers), (12 + 14 * lines if len(order) <= 12 else 6 + 14 * lines) * len(order) + 10)


NAMES = alt.Axis(labelLimit=LABEL, ticks=False, domain=False, labelExpr="split(datum.label, '\\n')", labelLineHeight=13)
"""An axis of names, long ones in several lines."""


def _colours(table: pd.DataFrame) -> pd.Series:
    return pd.Series(table.get("mark", "plain"), table.index).map(MARKS).fillna(MARKS["plain"])


def _intervals(table: pd.DataFrame) -> list[str]:
    """Rates in words, with their intervals where there are any."""
    if "low" not in table:
        return [brief(rate) for rate in table["rate"]]
    return [percent(*row) for row in table[["rate", "low", "high"]].itertuples(index=False)]


def lines(picture: Picture, table: pd.DataFrame) -> Drawing:
    """Lines over columns `x`, `y` and `who`, each named at its end; `exact` is dashed, and above the others.

    Of `points`, which nothing joins, the exact ones are rings.
    """
    table = significant(table.dropna(subset=["y"]), 4)
    names = list(dict.fromkeys(table["who"]))
    others = iter(LINES * len(names))
    colours = {name: {"exact": GREY, MENDED: BLUE}.get(name) or next(others) for name in names}
    table = table.assign(colour=table["who"].map(colours))
    colour = alt.Color("colour:N", scale=None)
    shares = bool(table["y"].between(0, 1).all()) and "exact" not in names  # results of an operation are no shares
    x = _across(picture.x, table["x"])
    y = alt.Y("y:Q", title=picture.y, axis=alt.Axis(format="%" if shares else ",.6~r", tickCount=5))
    number = alt.Tooltip("y:Q", format=".1%") if shares else "y:Q"
    base = alt.Chart(table).encode(x, y, colour, tooltip=["who:N", "x:Q", number])
    mark = base.mark_point if picture.kind == "points" else base.mark_line
    drawn = [
        mark(**how).transform_filter(alt.FieldOneOfPredicate("who", some))
        for some, how in _strokes(picture, names)
        if set(some) & set(names)
    ]
    ends = _ends(table, names)
    text = alt.Chart(ends).mark_text(align="left", dx=7, fontSize=12, fontWeight=600, lineBreak="\n")
    return _sized(alt.layer(*drawn, text.encode(alt.X("x:Q"), alt.Y("place:Q"), alt.Text("label:N"), colour)), 340)


def _across(title: str, numbers: pd.Series) -> alt.X:
    """An axis of these numbers, with room for names at its end; of factors where they go by factors."""
    low, high = float(numbers.min()), float(numbers.max())
    if low > 0 and (high / low > 900 or _by_factors(numbers)):
        domain = [low, high * (high / low) ** END]
        return alt.X("x:Q", title=title, scale=alt.Scale(type="log", domain=domain, nice=False), axis=DECADES)
    domain = [low, high + END * (high - low)]
    return alt.X("x:Q", title=title, scale=alt.Scale(domain=domain, nice=False), axis=_axis(low, high))


def _strokes(picture: Picture, names: list[str]) -> list[tuple[list[str], dict[str, Any]]]:
    """How the lines or points of some names are drawn, the uppermost last."""
    others = [name for name in names if name not in ("exact", MENDED)]
    kinds: list[tuple[list[str], dict[str, Any]]] = [
        (others, {"strokeWidth": 3}),
        ([MENDED], {"strokeWidth": 5}),
        (["exact"], {"strokeWidth": 1.5, "strokeDash": [6, 5]}),
    ]
    if picture.kind == "points":
        return [(some, {"opacity": 1, **how}) for (some, _), how in zip(kinds, POINTS, strict=True)]
    return kinds


POINTS: tuple[dict[str, Any], ...] = (
    *({"size": 30, "filled": True}, {"size": 50, "filled": True}),
    {"size": 110, "strokeWidth": 1.5},
)
"""How points are drawn: of nets as they are, of a mended one, and exact results."""


def _by_factors(x: pd.Series) -> bool:
    """Whether positive numbers over more than a decade lie closer together the smaller they are."""
    return bool(x.max() > 20 * x.min() and np.median(x.unique()) < (x.min() + x.max()) / 8)


def _axis(low: float, high: float) -> alt.Axis:
    """Round numbers up to the end of the lines, beyond which only names stand."""
    return alt.Axis(values=ticks(low, high), format=",.6~r", grid=False)


def _ends(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Where each line's name stands: at its end, moved up or down so that no two meet."""
    ends = table.groupby("who", sort=False).tail(1).drop_duplicates("who").set_index("who").loc[names].reset_index()
    ends["label"] = ends["who"].map(broken)
    ends = ends.sort_values("y", kind="stable")
    span = float(table["y"].max() - table["y"].min()) or 1.0
    heights = [0.055 * span * (1 + label.count("\n")) for label in ends["label"]]
    place, top = ends["y"].to_list(), float(table["y"].max())
    for i in range(len(place)):  # up from the axis, and down again from the top of the chart
        below = place[i - 1] if i else top - 1.055 * span
        place[i] = max(place[i], below + heights[i])
    for i in reversed(range(len(place))):
        place[i] = min(place[i], top if i == len(place) - 1 else place[i + 1] - heights[i + 1])
    return ends.assign(place=place)


def broken(name: str, width: int = 12) -> str:
    """A name in lines of about so many letters."""
    lines = [""]
    for word in name.split():
        joined = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], joined] if len(joined) <= width else [*lines, word]
    return "\n".join(lines)


def scatter(picture: Picture, table: pd.DataFrame) -> Drawing:
    """Dots at `x`, on a logarithmic scale, and `y`, a share; those that are `named` stand out, with their `what`."""
    table = significant(table.dropna(subset=["x", "y"]), 3)
    x = alt.X("x:Q", title=picture.x, scale=alt.Scale(type="log", padding=20), axis=DECADES)
    y = alt.Y(
        "y:Q", title=picture.y, axis=PERCENT, scale=alt.Scale(domain=[0, max(0.2, 1.15 * float(table["y"].max()))])
    )
    base = alt.Chart(table).encode(x, y, tooltip=["what:N", alt.Tooltip("y:Q", format=".1%"), "x:Q"])
    crowd = base.transform_filter("!datum.named").mark_circle(size=70, opacity=0.55, color=MARKS["crowd"])
    some = base.transform_filter("datum.named")
    stands_out = some.mark_circle(size=190, opacity=1, color=BLUE)
    text = some.mark_text(align="left", dx=12, fontSize=13, fontWeight=600, color=BLUE).encode(alt.Text("what:N"))
    return _sized(alt.layer(crowd, stands_out, text), 260)


def sets(picture: Picture, table: pd.DataFrame) -> Drawing:
    """A row a combination: which members it has (every column that is none of a rate's), and its rate with whisker."""
    members = [name for name in table if name not in ("rate", "low", "high", "nets")]
    table = table.assign(row=range(len(table)), shown=table["rate"].map(brief), interval=_intervals(table))
    width = 1.3 / max(len(members), 1)
    at = {member: -1.4 + width * i for i, member in enumerate(members)}
    parts = [
        {"row": row, "at": at[member], "has": bool(has), "what": member, "colour": BLUE if has else "#c3cad366"}
        for member in members
        for row, has in zip(table["row"], table[member], strict=True)
    ]
    inside = pd.DataFrame(parts)
    joined = inside[inside["has"]].groupby("row")["at"].agg(["min", "max"]).reset_index()
    heads = pd.DataFrame({"at": list(at.values()), "what": members, "row": -0.7})
    scale = alt.Scale(domain=[-1.5, 1.22], nice=False)
    axis = alt.Axis(values=[0, 0.5, 1], format="%", title=None)
    y = alt.Y("row:Q", scale=alt.Scale(domain=[-4.6, len(table) - 0.4], reverse=True, nice=False), axis=None)
    place = alt.X("at:Q", scale=scale, axis=axis)
    ring = (
        alt.Chart(inside)
        .mark_circle(size=90, opacity=1)
        .encode(
            place,
            y,
            alt.Color("colour:N", scale=None),
            tooltip=["what:N", "has:N"],
        )
    )
    link = (
        alt.Chart(joined).mark_rule(strokeWidth=3, color=BLUE).encode(alt.X("min:Q", scale=scale), y, alt.X2("max:Q"))
    )
    head = alt.Chart(heads).mark_text(align="left", angle=315, fontSize=11.5).encode(place, y, alt.Text("what:N"))
    rates = alt.Chart(table.drop(columns=members).round(5)).encode(y, tooltip=["interval:N", "nets:Q"])
    whisker = rates.mark_rule(strokeWidth=2, color=COLOURS[2]).encode(alt.X("low:Q", scale=scale), alt.X2("high:Q"))
    dot = rates.mark_circle(size=80, opacity=1, color=COLOURS[2]).encode(alt.X("rate:Q", scale=scale))
    text = rates.mark_text(align="left", dx=7, fontSize=12).encode(alt.X("high:Q", scale=scale), alt.Text("shown:N"))
    return _sized(alt.layer(link, ring, head, whisker, dot, text), 21 * len(table) + 95)


def grid(picture: Picture, table: pd.DataFrame) -> Drawing:
    """Cells of rates by `down` and `across`, in the order of the table."""
    table = table.assign(interval=_intervals(table)).round(5)
    tooltip = ["down:N", "across:N", alt.Tooltip("interval:N", title="rate"), *(["nets:Q"] if "nets" in table else [])]
    rows, columns = (list(dict.fromkeys(table[side])) for side in ("down", "across"))
    return cells(table, ("down", rows, picture.y), ("across", columns, picture.x), tooltip)


KINDS: dict[str, Callable[[Picture, pd.DataFrame], Drawing]] = {
    "dots": dots,
    "lines": lines,
    "points": lines,
    "scatter": scatter,
    "sets": sets,
    "grid": grid,
}


def _sized(chart: Drawing, height: int) -> Drawing:
    return chart.properties(width="container", height=height)
