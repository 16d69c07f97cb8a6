"""Portraits of a few nets: trained again from their rows, with their predictions in and beyond the training range."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from arithjax.environment import cores
from arithjax.errors import ArithjaxError, counted
from arithjax.fields import cell
from arithjax.nets import Net, net_again
from arithjax.registry import OPERATIONS
from arithjax.report import charts
from arithjax.report.charts import COLOURS, GREY, NUMBER, Drawing, significant
from arithjax.report.sections import Figure, Section, Selected
from arithjax.report.words import nice
from arithjax.tables import statistics, words
from arithjax.tables.loading import setup_of
from arithjax.task.arguments import argument_names
from arithjax.task.points import Task, evaluate, joint
from arithjax.training import cost
from arithjax.training.tile import NetId, named_tile

MOST_WORK = 1e10
"""Multiplications of the longest training that is repeated for a picture: seconds on one core."""
MOST_SECONDS = 600
"""The longest training that is repeated by the setup itself, as a damaged table may say otherwise."""
GRID = 33
"""Points along each side of the error surface."""
SAMPLE = 300
"""Points of each range that are drawn against their exact results."""
CHUNK = 1 << 13
"""Points predicted in one call, so that one shape is compiled."""
MOST_ARGUMENTS = 6


@dataclass
class Portrait:
    """A net that was trained again, with its predictions.

    reason: why it was chosen. row: its row of the table. net: the net trained again. truth, diagonal, surface: tables
    of its predictions (`_predictions`) on points of both ranges, along a = b, and on a grid over (a, b). right: how
    many arguments of its whole domain it gets right when rounded, and how many there are; None where they cannot be
    counted.
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
        """Whether its error is that of the table, to the last bit."""
        stored, again = self.row["relative_rmse"], self.net.row["relative_rmse"]
        return stored == again or (not np.isfinite(stored) and not np.isfinite(again))

    @property
    def arity(self) -> int:
        """The number of arguments of its operation."""
        return self.truth.columns.get_loc("exact")


OTHER_BITS = "with other bits: another machine or other versions"


def sections(
    nets: pd.DataFrame, by: list[str], show: Selected, root: int, count: int
) -> tuple[list[Section], list[str]]:
    """A section for each of a few nets, and messages about nets that could not be trained again.

    nets: the table. by: columns to group by. show: groups of nets of which the typical one is drawn.
    root: the study's root seed. count: the most nets to draw.
    """
    taken, failures = take(choose(nets, by, show, count), root)
    if failures:
        failures.append("Give the study with --study, if it brings operations or models of its own.")
    return [_section(i, portrait) for i, portrait in enumerate(taken, start=1)], failures


def _section(number: int, portrait: Portrait) -> Section:
    drawn = {"truth": against_truth(portrait), "diagonal": diagonal(portrait), "surface": surface(portrait)}
    kept = {kind: chart for kind, chart in drawn.items() if chart is not None}
    figures = [Figure(f"net-{number}-{kind}", chart, kind == "diagonal") for kind, chart in kept.items()]
    return Section(portrait.reason, _about(portrait), figures, "threes")


def _about(portrait: Portrait) -> str:
    """A sentence on a portrait: the net, its architecture, its errors, and whether its bits are those of the table."""
    setup, row = portrait.net.setup, portrait.net.row
    sizes = "-".join(map(str, (portrait.arity, *(setup.widths or ()), setup.outputs))) if setup.model == "mlp" else ""
    names = (setup.activation,) if isinstance(setup.activation, str) else setup.activation
    activation = ", ".join(names) if setup.widths else ""
    parts = [
        f"Trial {portrait.row['trial']}, seed {portrait.row['seed']} learns {setup.op}",
        " ".join(part for part in (cell(setup.model), sizes, activation) if part),
        counted(row["parameters"], "parameter"),
        f"{row['grade']}: {words.error(row)}{words.extrapolating(row, ', beyond the range {}')}",
    ]
    if portrait.right:
        pairs = "pairs" if portrait.arity == 2 else "arguments"
        parts.append(f"{portrait.right[0]:,} of all {portrait.right[1]:,} {pairs} round to the right number")
    parts.append(f"trained again from its row, {'identical to the last bit' if portrait.same else OTHER_BITS}")
    return "; ".join(parts) + "."


def choose(nets: pd.DataFrame, by: list[str], show: Selected, count: int) -> list[tuple[str, pd.Series]]:
    """Up to `count` nets with the reason for each: those that the study shows, the best, and those in the middle.

    In the middle of a group is the net with the median error. Of several operations each has a net in the middle, and
    none is the best of all. Only nets that train again within seconds are chosen.

    nets: the table. by: columns; of the first the group that learns most and the one that learns least give a net each.
    show: headings and groups of nets.
    """
    quick = nets[(_work(nets) <= MOST_WORK) & (nets["op"].map(_arguments) <= MOST_ARGUMENTS)]
    groups = [(f"{reason}: {_middle(some)}", some[some.index.isin(quick.index)]) for reason, some in show.items()]
    if quick["op"].nunique() > 1:
        groups += [(f"{op}: {_middle(some)}", some) for op, some in quick.groupby("op", sort=False)]
    else:
        groups.append(("The net with the smallest error", quick.sort_values("relative_rmse").head(1)))
        groups += _of_groups(quick, by[0]) if by else []
        groups.append((f"All: {_middle(quick)}", quick))
    chosen: dict[int, tuple[str, pd.Series]] = {}
    for reason, rows in groups:
        if len(rows) and len(chosen) < count:
            row = rows.sort_values("relative_rmse", na_position="last").iloc[(len(rows) - 1) // 2]
            chosen.setdefault(int(row.name), (reason, row))
    return list(chosen.values())


def _middle(nets: pd.DataFrame) -> str:
    """How the net that stands for some nets is chosen, for a heading."""
    return f"the net with the median error, of {len(nets):,}"


def _of_groups(nets: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    """The groups of a column that learn most and least, each with a heading for its net with the median error."""
    labels, _ = charts.labels(nets, column)
    rates = statistics.success(nets).groupby(labels).mean().sort_values(ascending=False, kind="stable")
    names = dict.fromkeys([*rates.index[:1], *rates.index[-1:]])
    found = [(name, nets[labels == name]) for name in names]
    return [(f"{nice(column)} {name}: {_middle(some)}", some) for name, some in found]


def _arguments(op: str) -> int:
    """The number of arguments of an operation; 0 if it is not registered."""
    try:
        return OPERATIONS[op].arity
    except ArithjaxError:
        return 0


def _work(nets: pd.DataFrame) -> pd.Series:
    """Multiplications of each net's training, roughly."""
    return 1.0 * nets["steps"] * nets["batch"] * nets["parameters"]


def take(chosen: list[tuple[str, pd.Series]], root: int) -> tuple[list[Portrait], list[str]]:
    """Portraits of the chosen nets, and messages about those that cannot be trained again.

    chosen: reasons and rows, as `choose` gives them. root: the study's root seed.
    """

    def portrait_or_message(reason_and_row: tuple[str, pd.Series]) -> Portrait | str:
        try:
            return portray(*reason_and_row, root)
        except ArithjaxError as error:
            return str(error)

    pool = ThreadPoolExecutor(cores())  # most of the time is spent compiling
    try:
        taken = list(pool.map(portrait_or_message, chosen))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    failures = dict.fromkeys(portrait for portrait in taken if isinstance(portrait, str))
    return [portrait for portrait in taken if isinstance(portrait, Portrait)], list(failures)


def portray(reason: str, row: pd.Series, root: int) -> Portrait:
    """Train the net of a row again, and predict all that is drawn in one pass."""
    setup, program = setup_of(row), row["program"]
    if (seconds := cost.seconds(named_tile(program, NetId(0, 0, setup)))) > MOST_SECONDS:
        raise ArithjaxError(f"Trial {row['trial']} is not drawn, since it would train again for {seconds:,.0f} s.")
    net = net_again(row, root)
    task = Task.of(net.setup)
    arity, everywhere = task.op.arity, not (task.op.arguments or task.op.conditional or task.op.data)
    line, ticks, nothing = axis(net, 121), axis(net, GRID), np.zeros((0, arity))
    beyond = [task.points(task.beyond, SAMPLE).x] if task.beyond else []
    parts = {
        "truth": np.concatenate([task.interpolation_points.x[:SAMPLE], *beyond]),
        "diagonal": np.stack([line] * arity, -1) if everywhere else nothing,
        "surface": _grid(ticks) if arity == 2 and everywhere else nothing,
        "domain": nothing if task.domain is None or not task.countable else task.domain,
    }
    table = _predictions(net, np.concatenate(list(parts.values())))
    spans = itertools.pairwise(np.cumsum([0, *map(len, parts.values())]))
    of = {name: table[start:end].reset_index(drop=True) for name, (start, end) in zip(parts, spans, strict=True)}
    domain = of.pop("domain")
    right = int(domain["right"].sum()), len(domain)
    return Portrait(reason, row, net, right=right if len(domain) else None, **of)


def _grid(ticks: np.ndarray) -> np.ndarray:
    """All pairs `[points, 2]` of some values."""
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2)


def _predictions(net: Net, x: np.ndarray) -> pd.DataFrame:
    """A row a point: its arguments, `exact` and `predicted` results, the `error`, whether it is `right`, its `range`.

    x: arguments `[points, arity]`. Of several results the first is shown, and error and `right` are of all. The error
    is over the scale of the results; right is what rounds to the exact result; `range` is inside or outside.
    """
    task = Task.of(net.setup)
    filled = np.resize(x, (-(-len(x) // CHUNK) * CHUNK, x.shape[1]))  # chunks of one size compile once
    predicted = np.concatenate([net.predict(part) for part in np.split(filled, len(filled) // CHUNK)])[: len(x)]
    exact = evaluate(task.op, x, task.integers)
    shown = {"exact": exact, "predicted": predicted}
    table = pd.DataFrame(x, columns=argument_names(x.shape[1])).assign(
        **{name: values.reshape(len(x), -1)[:, 0] for name, values in shown.items()}
    )
    errors = np.abs(predicted.astype(float) - exact)
    table["error"] = np.clip(joint(task.interpolation_points.relative(errors.T)), 1e-6, 1e3)
    table["right"] = (errors.reshape(len(x), -1) < 0.5).all(1)
    table["range"] = np.where(net.inside(x), "inside", "outside")
    return table.replace([np.inf, -np.inf], np.nan)


def hull(net: Net) -> tuple[float, float]:
    """The smallest interval that holds the training and the extrapolation range."""
    ends = np.array([net.setup.bounds, *net.setup.extrapolation_intervals], float)
    return float(ends.min()), float(ends.max())


def axis(net: Net, count: int) -> np.ndarray:
    """Evenly spaced values across the hull; whole numbers where the net takes whole numbers."""
    values = np.linspace(*hull(net), count)
    return np.unique(np.rint(values) if net.setup.integers else values).astype(np.float32)


def against_truth(portrait: Portrait) -> Drawing:
    """Predicted against exact results, inside and outside the training range."""
    table = significant(portrait.truth, 4)
    ends = [float(table["exact"].min()), float(table["exact"].max())]
    ideal = alt.Chart(pd.DataFrame({"exact": ends, "predicted": ends})).mark_line(color=GREY, strokeDash=[4, 4])
    dots = (
        alt.Chart(table.dropna())
        .mark_circle(size=22, opacity=0.6)
        .encode(
            color=_ranges(),
            tooltip=[*(f"{name}:Q" for name in argument_names(portrait.arity)), "exact:Q", "predicted:Q", "range:N"],
        )
    )
    chart = alt.layer(ideal, dots).encode(
        alt.X("exact:Q", title=f"exact result{_which(portrait)}", axis=_numbers()),
        alt.Y("predicted:Q", title="predicted", axis=_numbers()),
    )
    return _panel(chart, "Predicted against exact", "dashed: where they are equal")


def _which(portrait: Portrait) -> str:
    """Which of several results a picture shows, in words."""
    count = portrait.net.setup.results
    return "" if count == 1 else f", the first of {count}"


def _ranges() -> alt.Color:
    scale = alt.Scale(domain=["inside", "outside"], range=COLOURS[:2])
    return alt.Color("range:N", scale=scale, legend=alt.Legend(orient="top", title="training range"))


def _numbers() -> alt.Axis:
    return alt.Axis(labelExpr=NUMBER, tickCount=5)


def diagonal(portrait: Portrait) -> Drawing | None:
    """Predictions and exact results along a = b, or along a where there is one argument; None where that is nowhere."""
    if portrait.diagonal.empty:
        return None
    table = significant(portrait.diagonal, 4)
    lines = table.melt(["a"], ["exact", "predicted"], "who", "result").replace({"predicted": "the net"}).dropna()
    where = " = ".join(argument_names(portrait.arity))
    who = ["exact", "the net"]
    colours = alt.Color("who:N", scale=alt.Scale(domain=who, range=[GREY, COLOURS[4]]), legend=_ABOVE)
    chart = (
        alt.Chart(lines)
        .mark_line(strokeWidth=2.5)
        .encode(
            alt.X("a:Q", title=where, axis=_numbers()),
            alt.Y("result:Q", title=f"result{_which(portrait)}", axis=_numbers()),
            colours,
            alt.StrokeDash("who:N", scale=alt.Scale(domain=who, range=[[5, 4], [1, 0]]), legend=_ABOVE),
            tooltip=[alt.Tooltip("a:Q", title=where), "who:N", "result:Q"],
        )
    )
    low, high = portrait.net.setup.bounds
    band = alt.Chart(pd.DataFrame({"low": [low], "high": [high]})).mark_rect(opacity=0.12, color=COLOURS[0])
    band = band.encode(alt.X("low:Q"), alt.X2("high:Q"))
    return _panel(alt.layer(band, chart), f"Along {where}", "shaded: the training range")


def surface(portrait: Portrait) -> Drawing | None:
    """The error over (a, b), inside and outside the training range; None unless there are two arguments alike."""
    if portrait.surface.empty:
        return None
    table = significant(portrait.surface.drop(columns=["range", "right"]), 3)
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


_ABOVE = alt.Legend(orient="top", title=None, symbolType="stroke")
_ERRORS = alt.Scale(type="log", scheme="viridis", domain=[1e-4, 10], clamp=True)
_ERRORS_LEGEND = alt.Legend(orient="top", format="~g", gradientLength=200, values=[1e-4, 1e-2, 1])


def _corners(table: pd.DataFrame) -> pd.DataFrame:
    """The corners of the cells around the points of a grid; cells overlap a little, so that no gaps are drawn."""
    half = 0.53 * float(np.diff(np.unique(table["a"])).max(initial=1.0))
    sides = {f"{name}{i}": table[name] + sign * half for name in "ab" for i, sign in enumerate((-1, 1))}
    return table.assign(**sides)


def _panel(chart: Drawing, title: str, note: str) -> Drawing:
    return chart.properties(width="container", height=240, title=alt.TitleParams(title, subtitle=note))
