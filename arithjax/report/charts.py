"""Charts of a results table, each a function from a table to an Altair chart as wide as its container.

Colours are distinct for colour-blind readers (Okabe & Ito 2008; viridis), and hovering gives the numbers.
Where a function takes `nets`, that is a table with a row a net.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from arithjax.report import words
from arithjax.report.words import nice
from arithjax.tables import groups, statistics

Drawing = alt.Chart | alt.LayerChart | alt.FacetChart
"""What every chart here is."""

GRADE_COLOURS = {
    "exact": "#0072b2",
    "learned": "#56b4e9",
    "rough": "#e69f00",
    "failed": "#d55e00",
    "dead": "#8a8a8a",
    "diverged": "#cc79a7",
}
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a8a8a", "#b8a900"]
GREY = "#8a8a8a"
MOST_GROUPS = 120
"""Names beyond these, the least successful, are left out."""
ACROSS = 60
"""Letters that fit side by side above a heat map; longer rows of names are drawn at an angle."""
LABEL = 230
"""The width of names beside a chart, in pixels; longer ones are cut."""
MOST_POINTS = 1000
"""Dots of a scatter plot."""
SMALLEST, LARGEST = 1e-8, 1e2
"""The range of relative errors in charts; smaller and larger ones are drawn at its ends."""

_RATES = [
    alt.Tooltip("rate:Q", format=".1%", title="success rate"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("nets:Q", title="nets"),
    alt.Tooltip("setups:Q", title="setups"),
    alt.Tooltip("exact_rate:Q", format=".1%", title="exact"),
    alt.Tooltip("dead_rate:Q", format=".1%", title="dead"),
    alt.Tooltip("diverged_rate:Q", format=".1%", title="diverged"),
    alt.Tooltip("relative_rmse:Q", format=".2~g", title="median relative RMSE"),
    alt.Tooltip("extrapolation_relative_rmse:Q", format=".2~g", title="median, extrapolating"),
]


def _legend(names: list[str]) -> alt.Legend:
    """A legend above the chart, narrow enough for a phone."""
    columns = 3 if max(map(len, names)) <= 12 else 1
    return alt.Legend(orient="top", title=None, columns=columns, symbolOpacity=1, labelLimit=300)


def labels(nets: pd.DataFrame, name: str) -> tuple[pd.Series, list[str]]:
    """A column, or a parameter, as labels, and their order: `groups.labels`, without the least successful of many."""
    values, order = groups.labels(nets, name)
    return values, order[:MOST_GROUPS]


def _rates(nets: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, list[list[str]]]:
    """Success rates by columns turned into labels, in columns `group 0` and so on, and the order of each one's labels.

    The names are ours, since a study's own may be those of the summary, or hold what Vega reads as a path.
    """
    parts = [labels(nets, name) for name in columns]
    keys = [values.rename(GROUP.format(i)) for i, (values, _) in enumerate(parts)]
    table = statistics.summarise_by(nets, keys).reset_index().replace([np.inf, -np.inf], np.nan)
    table["interval"] = [
        f"{words.percent(*row).partition(' (')[2][:-1]}, {kind}"
        for *row, kind in table[["rate", "rate_low", "rate_high", "interval"]].itertuples(index=False)
    ]
    for key, (_, order) in zip(keys, parts, strict=True):
        table = table[table[key.name].isin(order)]
    present = [[name for name in order if name in set(key)] for key, (_, order) in zip(keys, parts, strict=True)]
    return table.drop(columns="solved_at").round(6), present


GROUP = "group{}"
"""The column of a chart's table that holds the labels of its first, second, ... grouping."""


def heat_map(nets: pd.DataFrame, down: str, across: str) -> Drawing:
    """Success rates over two columns, with intervals and medians on hover.

    down, across: the columns whose values are the rows and the columns of cells.
    """
    table, (rows, columns) = _rates(nets, [down, across])
    y, x = GROUP.format(0), GROUP.format(1)
    tooltip = [alt.Tooltip(f"{y}:N", title=nice(down)), alt.Tooltip(f"{x}:N", title=nice(across)), *_RATES]
    return cells(table, (y, rows, nice(down)), (x, columns, nice(across)), tooltip)


Side = tuple[str, list[str], str]
"""A side of a grid: its column, the order of that column's values, and its title."""


def cells(table: pd.DataFrame, down: Side, across: Side, tooltip: Sequence[Any], form: str = "") -> Drawing:
    """Shares in column `rate` as cells, from the colour of the page to blue, each with its per cent; 0 is left blank.

    form: how the names across are written, a format of d3's, where they are numbers.
    """
    (y, rows, title), (x, columns, above) = down, across
    table = table.assign(shown=table["rate"].map(words.brief).str.removesuffix(" %").where(table["rate"] > 0, ""))
    brightest = max(0.2, float(table["rate"].max()))
    gaps = alt.Scale(paddingInner=0.03, paddingOuter=0)
    crowded = len(columns) * max(len(str(column)) for column in columns) > ACROSS
    top = alt.Axis(
        orient="top", labelAngle=-45 if crowded else 0, labelAlign="left" if crowded else "center", format=form
    )
    base = alt.Chart(table).encode(
        alt.X(f"{x}:O", sort=columns, title=above or None, scale=gaps, axis=top),
        alt.Y(f"{y}:O", sort=rows, title=title or None, scale=gaps, axis=alt.Axis(labelLimit=LABEL)),
        tooltip=tooltip,
    )
    shade = alt.Opacity("rate:Q", scale=alt.Scale(domain=[0, brightest], range=[0, 1]), legend=None)
    filled = base.mark_rect(cornerRadius=3, color=COLOURS[0]).encode(shade)
    text = base.mark_text(fontSize=11 if len(columns) > 8 else 12).encode(alt.Text("shown:N"))
    dark = f"datum.rate > {brightest / 2}"
    layers = [filled, text.transform_filter(f"!({dark})"), text.transform_filter(dark).encode(color=alt.value("#fff"))]
    return _sized(alt.layer(*layers), (34 if len(rows) <= 20 else 22) * len(rows) + 10)


def grades(nets: pd.DataFrame, column: str | None) -> Drawing:
    """The share of each grade in each group, and the success rate with its interval.

    column: the column to group by; None for one group of all nets.
    """
    group, title = GROUP.format(0), nice(column) if column else None
    nets, column = (nets, column) if column else (nets.assign(**{group: "all nets"}), group)
    table, (order,) = _rates(nets, [column])
    counts = nets.groupby(labels(nets, column)[0])["grade"].value_counts(normalize=True).rename("share")
    shares = counts.rename_axis([group, "grade"]).reset_index().merge(table, on=group)
    shares["rank"] = shares["grade"].map(list(GRADE_COLOURS).index)
    y = alt.Y(f"{group}:N", sort=order, title=title, axis=alt.Axis(labelLimit=LABEL))
    who = alt.Tooltip(f"{group}:N", title=title or "nets")
    tooltip = [who, "grade:N", alt.Tooltip("share:Q", format=".1%"), *_RATES[:4]]
    bars = (
        alt.Chart(shares.round(6))
        .mark_bar(height=18)
        .encode(
            alt.X(
                "share:Q",
                stack="zero",
                axis=alt.Axis(format="%"),
                title="share of nets",
                scale=alt.Scale(domain=[0, 1]),
            ),
            y,
            alt.Color("grade:N", scale=_grade_scale(), legend=_legend(list(GRADE_COLOURS))),
            alt.Order("rank:Q"),
            tooltip=tooltip,
        )
    )
    whiskers = [
        alt.Chart(table)
        .mark_rule(color=colour, strokeWidth=width, strokeCap="round")
        .encode(alt.X("rate_low:Q"), y, alt.X2("rate_high:Q"), tooltip=[who, *_RATES])
        for colour, width in (("white", 5), ("black", 2))
    ]
    return _sized(alt.layer(bars, *whiskers), (34 if len(order) <= 20 else 24) * len(order) + 10)


def _grade_scale() -> alt.Scale:
    return alt.Scale(domain=list(GRADE_COLOURS), range=list(GRADE_COLOURS.values()))


def shown_error(nets: pd.DataFrame) -> pd.Series:
    """Relative RMSE clipped to the range of charts (`SMALLEST` to `LARGEST`); diverged nets are at its upper end."""
    return nets["relative_rmse"].where(np.isfinite(nets["relative_rmse"]), LARGEST).clip(SMALLEST, LARGEST)


def sample(nets: pd.DataFrame, count: int = MOST_POINTS) -> pd.DataFrame:
    """At most `count` nets, drawn at random, so that each grade has its share among them."""
    return nets if len(nets) <= count else nets.sample(count, random_state=0).sort_index()


def parameters(nets: pd.DataFrame, named: list[str]) -> Drawing:
    """Each net's error against its number of parameters, with the smallest error up to each number (`front`).

    named: columns that are shown on hover.
    """
    some = sample(nets)
    gaps = np.diff(np.log(np.unique(nets["parameters"])))
    width = min(0.02, 0.2 * gaps.min(initial=1.0))  # so that neighbours stay apart
    jitter = np.exp(np.random.default_rng(0).normal(0, width, len(some)))
    points = some[["trial", "seed", "grade", "parameters", *named]].assign(
        at=(some["parameters"] * jitter).round(2), error=significant(shown_error(some), 3)
    )
    x = alt.X("at:Q", title="parameters", scale=_SIZES, axis=_SIZES_AXIS)
    y = alt.Y("error:Q", title="relative RMSE on test points", scale=alt.Scale(type="log"), axis=DECADES)
    grade = alt.Color("grade:N", scale=_grade_scale(), legend=_legend(list(GRADE_COLOURS)))
    chosen = alt.selection_point(name="grade", fields=["grade"], bind="legend")
    dots = (
        alt.Chart(points, name="nets")
        .mark_circle(size=36)
        .encode(x, y, grade, opacity=alt.condition(chosen, alt.value(0.65), alt.value(0.04)))
        .encode(tooltip=["grade:N", "trial:Q", "seed:Q", "parameters:Q", *(f"{n}:N" for n in named), "error:Q"])
        .add_params(chosen)
    )
    line = alt.Chart(front(nets)).mark_line(interpolate="step-after", color=GREY, strokeWidth=1.5)
    line = line.encode(alt.X("parameters:Q"), alt.Y("error:Q"))
    return _sized(alt.layer(line, _learned_rule(), dots), 340)


_SIZES = alt.Scale(type="log", nice=False, padding=12)
NUMBER = "abs(datum.value) < 10000 ? format(datum.value, ',.4~r') : format(datum.value, '.3~s')"
"""How numbers are written along axes: 5,000 and 50k."""
_SIZES_AXIS = alt.Axis(grid=False, labelExpr=NUMBER, tickCount=5)
PERCENT = alt.Axis(format="%", tickCount=4)
DECADES = alt.Axis(
    values=[10.0**i for i in range(-8, 13)],
    labelExpr="format(datum.value, abs(log(datum.value)) > 9 ? '.0e' : '~g')",  # 0.0001 to 1000 are written out
)


def _learned_rule() -> alt.Chart:
    """The line of 1 %, below which a net has learned."""
    return alt.Chart(pd.DataFrame({"error": [0.01]})).mark_rule(color=GREY, strokeDash=[4, 4]).encode(alt.Y("error:Q"))


def front(nets: pd.DataFrame) -> pd.DataFrame:
    """The smallest error with at most so many parameters: `parameters` and `error`, a row wherever it falls."""
    best = shown_error(nets).groupby(nets["parameters"]).min().cummin()
    falls = best[best.diff().fillna(-1) < 0]
    ends = pd.concat([falls, best.tail(1)])
    return significant(ends[~ends.index.duplicated()].rename("error").reset_index(), 3)


def fronts(nets: pd.DataFrame, column: str) -> Drawing | None:
    """The front of error against parameters for each value of a column; None where there is nothing to compare."""
    values, order = labels(nets, column)
    order = order[: len(COLOURS)]
    if len(order) < 2 or nets.groupby(values)["parameters"].nunique().max() < 2:
        return None
    lines = pd.concat(front(nets[values == name]).assign(group=name) for name in order)
    base = alt.Chart(lines).encode(
        alt.X("parameters:Q", scale=_SIZES, axis=_SIZES_AXIS),
        alt.Y("error:Q", title="smallest relative RMSE", scale=alt.Scale(type="log"), axis=DECADES),
        _groups("group", order),
        tooltip=[alt.Tooltip("group:N", title=nice(column)), "parameters:Q", "error:Q"],
    )
    line = base.mark_line(interpolate="step-after", point=alt.OverlayMarkDef(size=40))
    return _sized(alt.layer(_learned_rule(), line), 320)


def _groups(column: str, order: list[str]) -> alt.Color:
    colours = alt.Scale(domain=order, range=COLOURS[: len(order)])
    return alt.Color(f"{column}:N", sort=order, scale=colours, legend=_legend(order))


def importances(importance: dict[str, Any]) -> Drawing:
    """Bars of the share of importance of each choice, with their intervals where there are any.

    importance: choice -> share, from 0 to 1, or share, lower and upper end.
    """
    rows = [[nice(name), *(np.atleast_1d(share).tolist() * 3)[:3]] for name, share in importance.items()]
    table = pd.DataFrame(rows, columns=["choice", "share", "low", "high"]).round(4)
    y = alt.Y("choice:N", sort=table["choice"].to_list(), title=None)
    known = table[table["low"] < table["high"]]
    ends = [alt.Tooltip(f"{end}:Q", format=".1%") for end in ("low", "high") if len(known)]
    tooltip = ["choice:N", alt.Tooltip("share:Q", format=".1%"), *ends]
    chart = alt.Chart(table).mark_bar(color=COLOURS[0], height=18, cornerRadiusEnd=3)
    chart = chart.encode(alt.X("share:Q", axis=alt.Axis(format="%"), title="share of importance"), y, tooltip=tooltip)
    if len(known):
        rules = alt.Chart(known).mark_rule(color=COLOURS[1], strokeWidth=3)
        chart = alt.layer(chart, rules.encode(alt.X("low:Q"), y, alt.X2("high:Q"), tooltip=tooltip))
    return _sized(chart, 28 * len(table) + 10)


def best_of_choices(table: pd.DataFrame) -> Drawing:
    """The smallest error of the setups with each choice.

    table: as `statistics.best_of_choices` gives it.
    """
    shown = table.assign(error=shown_error(table), at=table["choice"].map(nice) + ": " + table["value"])
    y = alt.Y("at:N", sort=shown["at"].to_list(), title=None, axis=alt.Axis(labelLimit=LABEL))
    x = alt.X("error:Q", title="relative RMSE of the best setup", scale=alt.Scale(type="log"), axis=DECADES)
    rate = [alt.Tooltip("rate:Q", format=".1%", title="success rate"), "setups:Q"]
    dots = alt.Chart(significant(shown, 3)).mark_point(filled=True, size=60, opacity=1)
    dots = dots.encode(x, y, alt.Color("choice:N", legend=None), tooltip=["at:N", "error:Q", *rate])
    return _sized(dots, 20 * len(shown) + 10)


CURVES: dict[str, tuple[str, Literal["log", "linear"], str]] = {
    "relative_rmse": ("relative RMSE", "log", ".2~g"),
    "gradient_norm": ("gradient norm", "log", ".2~g"),
    "dead_units": ("share of dead hidden units", "linear", ".0%"),
    "constant": ("share of nets with constant output", "linear", ".0%"),
}
"""Recorded measurement -> title, scale and number format."""
FLOORS = {"relative_rmse": SMALLEST, "gradient_norm": 1e-4}
"""The lower ends of logarithmic scales; smaller values are drawn there."""


def curve(curves: pd.DataFrame, column: str, order: list[str]) -> Drawing | None:
    """One measurement over training, by group: the median and the 10 % to 90 % band, or the mean for shares.

    curves: a row a net and recorded step (`arithjax.training.curves`), with its `group`. column: one of `CURVES`.
    order: the groups in the order of colours. None where nothing finite differs.
    """
    title, scale, form = CURVES[column]
    values = curves[column].astype(float)
    values = values.where(np.isfinite(values)).clip(FLOORS[column], None) if scale == "log" else values
    groups = values.groupby([curves["group"], curves["step"]])
    middle = groups.median() if scale == "log" else groups.mean()
    spread = {"low": groups.quantile(0.1), "high": groups.quantile(0.9)}
    table = pd.DataFrame({"value": middle, **spread, "nets": groups.count()})
    table = significant(table.dropna().reset_index(), 3)
    if table["value"].nunique() < 2:
        return None
    x = alt.X("step:Q", title="optimiser steps", scale=alt.Scale(type="symlog"), axis=_steps(table["step"].max()))
    axis = DECADES if scale == "log" else alt.Axis(format="%")
    y = alt.Y("value:Q", title=title, scale=alt.Scale(type=scale), axis=axis)
    tooltip = ["group:N", "step:Q", alt.Tooltip("value:Q", format=form, title=title), "nets:Q"]
    base = alt.Chart(table).encode(x, color=_groups("group", order))
    line = base.mark_line(point=alt.OverlayMarkDef(size=26), strokeWidth=2).encode(y, tooltip=tooltip)
    band = base.mark_area(opacity=0.13).encode(alt.Y("low:Q", axis=axis), alt.Y2("high:Q"))
    layers = [band, line] if scale == "log" else [line]
    if column == "relative_rmse":
        layers = [_baselines(curves), *layers]
    return _sized(alt.layer(*layers), 260)


THOUSANDS = "datum.value < 1000 ? datum.value : format(datum.value / 1000, '~g') + 'k'"


def _steps(last: int) -> alt.Axis:
    decades = range(int(np.log10(max(last, 1))) + 1)
    return alt.Axis(grid=False, values=[0, *(10**i for i in decades)], labelExpr=THOUSANDS)


def _baselines(curves: pd.DataFrame) -> alt.Chart:
    """The errors of answering 0, the mean and the best plane, except those that differ between operations."""
    # the mean's loss is the variance of the results, so relative to it the mean has an error of 1
    errors = {name: np.sqrt(curves[name] / curves["mean"]) for name in ("zero", "mean", "plane")}
    same = {name: float(error.median()) for name, error in errors.items() if np.ptp(error) <= 0.05 * error.median()}
    table = pd.DataFrame({"answer": [f"answering the {n}" for n in same], "value": list(same.values())})
    table = significant(table[table["value"] > SMALLEST], 3)
    rule = alt.Chart(table).mark_rule(strokeDash=[4, 4], color=GREY)
    return rule.encode(alt.Y("value:Q", axis=DECADES), tooltip=["answer:N", "value:Q"])


def significant(table: pd.DataFrame | pd.Series, digits: int) -> pd.DataFrame | pd.Series:
    """Floats rounded to so many significant digits, which keeps the page small."""
    if isinstance(table, pd.Series):
        return table.map(lambda v: float(f"{v:.{digits}g}") if np.isfinite(v) else np.nan)
    floats = table.select_dtypes("float")
    return table.assign(**{name: significant(floats[name], digits) for name in floats})


def _sized(chart: Drawing, height: int) -> Drawing:
    return chart.properties(width="container", height=height)
