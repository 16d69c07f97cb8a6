"""Portraits of a few nets: trained again from their rows, and asked over and beyond the range they were trained on."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from arithjax.environment import cores
from arithjax.errors import ArithjaxError
from arithjax.nets import Net, net_again
from arithjax.registry import OPERATIONS
from arithjax.report import charts
from arithjax.report.charts import COLOURS, GREY, significant
from arithjax.tables import statistics
from arithjax.task.points import Task, evaluate, points

MOST_WORK = 1e10
"""Multiplications of a training that is worth repeating for a picture: seconds on one core."""
GRID = 33
SAMPLE = 300
CHUNK = 1 << 13
ARGUMENTS = ["a:Q", "b:Q"]


@dataclass
class Portrait:
    """A net that was trained again, with its answers.

    reason: why it was chosen. row: what the table says of it. truth, diagonal, surface: its answers on points of both
    ranges, along a = b, and on a grid over (a, b), as `_answers` gives them. right: how many of its whole domain's
    arguments it gets right when rounded, and how many there are; None where they cannot be counted.
    """

    reason: str
    row: pd.Series
    net: Net
    truth: pd.DataFrame
    diagonal: pd.DataFrame
    surface: pd.DataFrame
    right: tuple[int, int] | None

    @property
    def same(self) -> bool:
        """Whether it came out as the table says, to the last bit."""
        stored, again = self.row["relative_rmse"], self.net.row["relative_rmse"]
        return stored == again or (not np.isfinite(stored) and not np.isfinite(again))

    @property
    def arity(self) -> int:
        """Arguments of its operation."""
        return self.truth.columns.get_loc("exact")


def choose(
    nets: pd.DataFrame, by: list[str], shown: dict[str, pd.DataFrame], count: int
) -> list[tuple[str, pd.Series]]:
    """Up to `count` nets worth a look, with the reason: what the study asks for, the best, and typical ones.

    shown: reasons and nets, of each of which the typical one is chosen: the one with the median error. Only nets that
    train again within seconds are chosen.
    """
    quick = nets[(_work(nets) <= MOST_WORK) & (nets["op"].map(_arguments) <= len(ARGUMENTS))]
    candidates = [(reason, some[some.index.isin(quick.index)]) for reason, some in shown.items()]
    candidates.append(("The best net", quick.sort_values("relative_rmse").head(1)))
    if by:
        labels, _ = charts.levels(quick, by[0])
        rates = statistics.success(quick).groupby(labels).mean().sort_values(ascending=False, kind="stable")
        names = [rates.index[i] for i in dict.fromkeys([0, len(rates) - 1, len(rates) // 2])] if len(rates) else []
        candidates += [(f"A typical net with {charts.nice(by[0])} {name}", quick[labels == name]) for name in names]
    candidates.append(("A typical net", quick))
    chosen: dict[int, tuple[str, pd.Series]] = {}
    for reason, rows in candidates:
        if len(rows) and len(chosen) < count:
            row = rows.sort_values("relative_rmse", na_position="last").iloc[(len(rows) - 1) // 2]
            chosen.setdefault(int(row.name), (reason, row))
    return list(chosen.values())


def _arguments(op: str) -> int:
    """How many arguments an operation takes; none if it is not known here."""
    try:
        return OPERATIONS[op].arity
    except ArithjaxError:
        return 0


def _work(nets: pd.DataFrame) -> pd.Series:
    return 1.0 * nets["steps"] * nets["batch"] * nets["parameters"]


def take(chosen: list[tuple[str, pd.Series]], root: int) -> tuple[list[Portrait], list[str]]:
    """Train the chosen nets again; also what stood in the way of those that cannot be."""

    def one(choice: tuple[str, pd.Series]) -> Portrait | str:
        try:
            return portray(*choice, root)
        except ArithjaxError as error:
            return str(error)

    with ThreadPoolExecutor(cores()) as pool:  # most of the time is the compiler's
        taken = list(pool.map(one, chosen))
    failures = dict.fromkeys(portrait for portrait in taken if isinstance(portrait, str))
    return [portrait for portrait in taken if isinstance(portrait, Portrait)], list(failures)


def portray(reason: str, row: pd.Series, root: int) -> Portrait:
    """Train the net of a row again and ask it everything at once."""
    net = net_again(row, root)
    task = Task.of(net.setup)
    line, ticks = axis(net, 121), axis(net, GRID)
    beyond = points(task.op, task.extrapolation, task.integers, task.distribution, SAMPLE).x
    truth = np.concatenate([task.interpolation_points.x[:SAMPLE], beyond])
    diagonal = np.stack([line] * task.op.arity, -1)
    grid = np.stack(np.meshgrid(*[ticks] * task.op.arity, indexing="ij"), -1).reshape(-1, task.op.arity)
    domain = np.zeros((0, task.op.arity), np.float32) if task.domain is None else task.domain
    parts = [truth, diagonal, grid, domain]
    table, ends = _answers(net, np.concatenate(parts)), np.cumsum([0, *map(len, parts)])
    truth, diagonal, surface, domain = (
        table[start:end].reset_index(drop=True) for start, end in itertools.pairwise(ends)
    )
    right = int(((domain["predicted"] - domain["exact"]).abs() < 0.5).sum()), len(domain)
    return Portrait(reason, row, net, truth, diagonal, surface, right if len(domain) else None)


def _answers(net: Net, x: np.ndarray) -> pd.DataFrame:
    """Arguments `x [points, arity]`, exact results, the net's, its relative error, and whether it is in the range."""
    task = Task.of(net.setup)
    filled = np.resize(x, (-(-len(x) // CHUNK) * CHUNK, x.shape[1]))  # chunks of one size compile once
    predicted = np.concatenate([net.predict(part) for part in np.split(filled, len(filled) // CHUNK)])[: len(x)]
    table = pd.DataFrame(x, columns=list("ab")[: x.shape[1]]).assign(
        exact=evaluate(task.op, x, task.precision), predicted=predicted
    )
    error = (table["predicted"].astype(float) - table["exact"]).abs() / task.interpolation_points.std
    table["error"] = error.clip(1e-6, 1e3)
    table["range"] = np.where(net.inside(x), "inside", "outside")
    return table.replace([np.inf, -np.inf], np.nan)


def hull(net: Net) -> tuple[float, float]:
    """The smallest interval with the training and the extrapolation range."""
    ends = np.array([net.setup.bounds, *net.setup.extrapolation_intervals], float)
    return float(ends.min()), float(ends.max())


def axis(net: Net, count: int) -> np.ndarray:
    """Places across the hull; whole numbers where the net takes whole numbers."""
    values = np.linspace(*hull(net), count)
    return np.unique(np.rint(values) if net.setup.integers else values).astype(np.float32)


def against_truth(portrait: Portrait) -> alt.LayerChart:
    """Predicted against exact results, inside and outside the training range."""
    table = significant(portrait.truth, 4)
    ends = [float(table["exact"].min()), float(table["exact"].max())]
    ideal = alt.Chart(pd.DataFrame({"exact": ends, "predicted": ends})).mark_line(color=GREY, strokeDash=[4, 4])
    dots = (
        alt.Chart(table.dropna())
        .mark_circle(size=22, opacity=0.6)
        .encode(color=_ranges(), tooltip=[*ARGUMENTS[: portrait.arity], "exact:Q", "predicted:Q", "range:N"])
    )
    chart = alt.layer(ideal, dots).encode(
        alt.X("exact:Q", title="exact result", axis=_numbers()),
        alt.Y("predicted:Q", title="predicted", axis=_numbers()),
    )
    return _panel(chart, "Predicted against exact", "dashed: where they are equal")


def _ranges() -> alt.Color:
    scale = alt.Scale(domain=["inside", "outside"], range=COLOURS[:2])
    return alt.Color("range:N", scale=scale, legend=alt.Legend(orient="bottom", title="training range"))


def _numbers() -> alt.Axis:
    return alt.Axis(format="~s", tickCount=5)


def diagonal(portrait: Portrait) -> alt.LayerChart:
    """The net's answers and the exact results along a = b, or along a where there is one argument."""
    table = significant(portrait.diagonal, 4)
    lines = table.melt(["a"], ["exact", "predicted"], "who", "result").replace({"predicted": "the net"}).dropna()
    where = " = ".join("ab"[: portrait.arity])
    who = ["exact", "the net"]
    colours = alt.Color("who:N", scale=alt.Scale(domain=who, range=[GREY, COLOURS[4]]), legend=_BELOW)
    chart = (
        alt.Chart(lines)
        .mark_line(strokeWidth=2.5)
        .encode(
            alt.X("a:Q", title=where, axis=_numbers()),
            alt.Y("result:Q", title="result", axis=_numbers()),
            colours,
            alt.StrokeDash("who:N", scale=alt.Scale(domain=who, range=[[5, 4], [1, 0]]), legend=_BELOW),
            tooltip=[alt.Tooltip("a:Q", title=where), "who:N", "result:Q"],
        )
    )
    low, high = portrait.net.setup.bounds
    band = alt.Chart(pd.DataFrame({"low": [low], "high": [high]})).mark_rect(opacity=0.12, color=COLOURS[0])
    band = band.encode(alt.X("low:Q"), alt.X2("high:Q"))
    return _panel(alt.layer(band, chart), f"Along {where}", "shaded: the training range")


def surface(portrait: Portrait) -> alt.LayerChart | None:
    """The error over (a, b), inside and outside the training range; None unless there are two arguments."""
    if portrait.arity != 2:
        return None
    table = significant(portrait.surface.drop(columns="range"), 3)
    low, high = portrait.net.setup.bounds
    box = pd.DataFrame({"a0": [low], "b0": [low], "a1": [high], "b1": [high]})
    scale = alt.Scale(nice=False, zero=False)
    corners = (
        alt.X("a0:Q", title="a", axis=_numbers(), scale=scale),
        alt.Y("b0:Q", title="b", axis=_numbers(), scale=scale),
        alt.X2("a1:Q"),
        alt.Y2("b1:Q"),
    )
    cells = (
        alt.Chart(_corners(table))
        .mark_rect()
        .encode(
            *corners,
            alt.Color("error:Q", title="error / std of results", scale=_ERRORS, legend=_ERRORS_LEGEND),
            tooltip=["a:Q", "b:Q", "exact:Q", "predicted:Q", alt.Tooltip("error:Q", title="error / std of results")],
        )
    )
    frame = alt.Chart(box).mark_rect(fill=None, stroke="white", strokeWidth=2, strokeDash=[5, 3]).encode(*corners)
    return _panel(alt.layer(cells, frame), "Error over (a, b)", "dashed: the training range")


_BELOW = alt.Legend(orient="bottom", title=None, symbolType="stroke")
_ERRORS = alt.Scale(type="log", scheme="viridis", domain=[1e-4, 10], clamp=True)
_ERRORS_LEGEND = alt.Legend(orient="bottom", format="~g", gradientLength=200, values=[1e-4, 1e-2, 1])


def _corners(table: pd.DataFrame) -> pd.DataFrame:
    """The corners of the cells around the points of a grid; cells overlap a little, so that no seams show."""
    half = 0.53 * float(np.diff(np.unique(table["a"])).max(initial=1.0))
    sides = {f"{name}{i}": table[name] + sign * half for name in "ab" for i, sign in enumerate((-1, 1))}
    return table.assign(**sides)


def _panel(chart: alt.LayerChart, title: str, note: str) -> alt.LayerChart:
    return chart.properties(width="container", height=240, title=alt.TitleParams(title, subtitle=note))
