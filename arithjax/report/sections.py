"""The sections of a report that follow from its table alone: headings, explanations and charts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.report import charts, epsilon, pictures, words
from arithjax.report.picture import Picture, dots
from arithjax.tables import groups, loading, schema, statistics

IMPORTANCE = (
    "How much each choice matters for being among the best tenth of the setups (PED-ANOVA, Watanabe et al. 2023); "
    "lines are 95 % intervals, from setups drawn again. Choices that only some setups have are left out. "
)
BEST = (
    "The error of the best setup with each choice: what a choice allows, however rarely, where everything else may be "
    "chosen to suit it. "
)
RATES = (
    "A net has learned an operation when its error on its test points is at most 1 % of the spread of the results, or, "
    "of classes, when it gets at most 1 % wrong, and a tenth of what the commonest class gets wrong; it is exact, "
    "which counts as learned, too, when every result in the whole range rounds to the right whole number. "
)
THRESHOLDS = (
    "A net has succeeded when its error beyond the training range is below the threshold of its setup, at the "
    "evaluation with the smallest error within the range. "
)
BEYOND = (
    "Nets that have learned the operation and whose errors keep to the same limit beyond the training range, in the "
    "extrapolation range of their setup."
)
PARAMETERS = (
    "Each dot is a net; click a grade to see it alone. The grey line is the smallest error so far, the dashed one "
    "the bound of having learned. "
)
FRONTS = "The smallest error of any net with at most so many parameters, for each"
"""Of more than there are colours, those that learn most are drawn."""
CURVES = (
    "Over training, for some seeds of each setup: medians with the band that holds 80 % of the nets, and means of "
    "shares. A gradient of 0 is drawn at the lower edge. Dashed: what answering zero, the mean, or the best plane "
    "through the results would lose, where all that is shown agrees on it."
)


@dataclass
class Figure:
    """A chart by name.

    file: whether it is also written as a vector file (a reader can save every chart as one). title: stands above it.
    wide: whether it is scrolled on a narrow page, as a grid of many columns is.
    """

    name: str
    chart: charts.Drawing
    file: bool = True
    title: str = ""
    wide: bool = False


@dataclass
class Section:
    """A heading, a line or two about it, and its figures: `stacked`, or two or three abreast (`pairs`, `threes`)."""

    title: str
    about: str
    figures: list[Figure]
    layout: str = "stacked"


NARROW = 7
"""Columns of a grid that a phone shows side by side."""


def of_picture(picture: Picture) -> Section:
    """The section of an answer's picture: a chart, or a panel each."""
    wide = picture.kind == "grid" and picture.table["across"].nunique() > NARROW
    figures = [Figure(name, chart, title=title, wide=wide) for name, title, chart in pictures.panels(picture)]
    layout = "stacked" if len(figures) == 1 else "pairs" if len(figures) in (2, 4) else "threes"
    return Section(picture.says, picture.about, figures, layout)


Selected = dict[str, pd.DataFrame]
"""The nets that a study asks to show, by heading."""


def selected(nets: pd.DataFrame, show: dict[str, str]) -> tuple[Selected, list[str]]:
    """The nets that a study asks to show, and messages about conditions that cannot be evaluated.

    nets: the table. show: heading -> condition on the table's columns, as a study gives them.
    """
    found, failures = {}, []
    for heading, condition in show.items():
        try:
            found[heading] = loading.where(nets, condition, "show")
        except ArithjaxError as error:
            failures.append(str(error))
    return found, failures


def of_table(
    folder: Path, nets: pd.DataFrame, by: list[str], described: dict[str, Any], show: Selected
) -> Iterator[Section]:
    """The sections for which a table has something to draw, in the order of the page.

    folder: the study's folder, which may hold learning curves. nets: its table, of at least one net.
    by: columns to group by. described: the content of `study.json`. show: groups of nets whose curves are drawn;
    without any, the groups of the first column of `by`.
    """
    found = [_rates(nets, by), *_beyond(nets, by), *_epsilon(nets), *_parameters(nets), *_what_matters(nets, described)]
    yield from (section for section in [*found, *_curves(folder, nets, by, show)] if section.figures)


def _epsilon(nets: pd.DataFrame) -> Iterator[Section]:
    figures = [Figure(name, chart) for name, chart in epsilon.figures(nets)]
    yield Section("How success hangs on ε and on the steps", epsilon.ABOUT, figures, "pairs")


def _rates(nets: pd.DataFrame, by: list[str]) -> Section:
    """Grades and success rates; nets of several operations are in no group together."""
    varied, several = _varied(nets, by), nets["op"].nunique() > 1
    if several and "op" not in varied:
        varied.append("op")
    named = [name for name in varied if name != "op" and _as_fine(nets, name, "op")] if several else varied
    figures = [Figure("grades", charts.grades(nets, next(iter(named), "op" if several else None)))]
    pairs = [pair for pair in itertools.combinations(varied, 2) if "op" in pair or not several]
    pairs = [pair for pair in pairs if not _as_fine(nets, *pair)]  # a diagonal, which says what the grades do
    for i, columns in enumerate(pairs[:3] if statistics.success(nets).nunique() > 1 else []):
        figures.append(_over_two("rates" if i == 0 else f"rates-{i + 1}", nets, *columns))
    if len(figures) == 1:
        figures[0].name = "rates"
    about = THRESHOLDS if nets["threshold"].notna().any() else RATES
    return Section("Who learns it", f"{about}{_how(nets)}", figures)


def _how(nets: pd.DataFrame) -> str:
    """How the intervals of rates are computed, and what the rates are over."""
    lines = ["Whiskers and intervals are at 95 %: Wilson's, as seeds are independent."]
    if groups.is_sampled(nets):
        lines = [
            "Whiskers and intervals are at 95 %. Setups were sampled, and the nets of one succeed and fail together: "
            "they are Wilson's on the number of independent nets that would be as uncertain."
        ]
    if statistics.summarise(nets)["ranges"].max() > 1:
        lines.append("Rates over several ranges of numbers are those of these ranges.")
    if stopped := nets["until"].count():
        lines.append(words.HALVED.format(stopped))
    return " ".join(lines)


def _beyond(nets: pd.DataFrame, by: list[str]) -> Iterator[Section]:
    beyond = nets.assign(success=statistics.success(nets) & nets["extrapolation_solved"].fillna(False).astype(bool))
    varied = _varied(nets, by)[:2]
    if nets["op"].nunique() > 1 and "op" not in varied:
        varied = [*varied[:1], "op"]
    if len(varied) == 2 and beyond["success"].any() and nets["threshold"].isna().all():
        yield Section("Who goes on beyond the range", BEYOND, [_over_two("beyond", beyond, *varied)])


def _what_matters(nets: pd.DataFrame, described: dict[str, Any]) -> Iterator[Section]:
    """The importance of the choices, if it is known, and what the best setup with each achieves."""
    if nets["op"].nunique() > 1:  # what matters for one operation may not matter for another
        return
    importance, figures, about = described.get("importance") or {}, [], ""
    if len(importance) > 1:
        figures, about = [Figure("importance", charts.importances(importance))], IMPORTANCE
    best = statistics.best_of_choices(nets, list(importance or groups.chosen(nets)))
    several = len(best) > best["choice"].nunique() and best["relative_rmse"].nunique() > 1
    if several and len(best) <= charts.MOST_GROUPS:
        figures.append(Figure("best", charts.best_of_choices(best)))
        about += BEST
    yield Section("What matters", about, figures)


def _varied(nets: pd.DataFrame, columns: list[str]) -> list[str]:
    return [name for name in columns if groups.column(nets, name).nunique(dropna=False) > 1]


def _finer(nets: pd.DataFrame, one: str, other: str) -> bool:
    """Whether every group of one column lies in one group of another."""
    labels, others = (charts.labels(nets, name)[0] for name in (one, other))
    return bool(others.groupby(labels).nunique().max() == 1)


def _as_fine(nets: pd.DataFrame, one: str, other: str) -> bool:
    """Whether two columns have the same groups."""
    return _finer(nets, one, other) and _finer(nets, other, one)


def _over_two(name: str, nets: pd.DataFrame, one: str, other: str) -> Figure:
    """Success rates over two columns as cells, that with more values downwards; dots where a row has but one cell."""
    down, across = sorted((one, other), key=lambda column: -groups.column(nets, column).nunique())
    if _finer(nets, down, across):
        labels, order = charts.labels(nets, down)
        parts = {label: nets[labels == label] for label in order if (labels == label).any()}
        (_, _, chart), *_ = pictures.panels(dots(name, "", parts))
        return Figure(name, chart)
    wide = groups.column(nets, across).nunique() > NARROW
    return Figure(name, charts.heat_map(nets, down, across), wide=wide)


def _parameters(nets: pd.DataFrame) -> Iterator[Section]:
    """Error against parameters, where nets differ in both; of several operations the smallest error of each."""
    if nets["parameters"].nunique() < 2 or charts.shown_error(nets).nunique() < 2:
        return
    if nets["op"].nunique() > 1:
        chart = charts.fronts(nets, "op")
        yield Section("Error against parameters", f"{FRONTS} operation.", [Figure("fronts", chart)] if chart else [])
        return
    named = [name for name in statistics.varied(nets) if nets[name].nunique() < len(nets)][:5]
    figures, about = [Figure("parameters", charts.parameters(nets, named))], PARAMETERS
    if len(nets) > charts.MOST_POINTS:
        about += f"{charts.MOST_POINTS:,} of the {len(nets):,} nets are drawn, chosen at random. "
    if (compared := charts.fronts(nets[nets["model"] == "mlp"], "activation")) is not None:
        figures.append(Figure("fronts", compared))
        about += f"Below: {FRONTS[0].lower()}{FRONTS[1:]} activation."
    yield Section("Error against parameters", about, figures)


def _curves(folder: Path, nets: pd.DataFrame, by: list[str], show: Selected) -> Iterator[Section]:
    curves = loading.load_curves(folder)
    if curves is None or curves.empty:
        return
    groups, order = _groups(nets, by, show)
    curves = curves.assign(group=groups.reindex(_identities(curves)).to_numpy())
    curves = curves[curves["group"].isin(order)]
    order = [name for name in order if name in set(curves["group"])]
    drawn = {name: charts.curve(curves, name, order) for name in charts.CURVES} if order else {}
    figures = [Figure(f"curve-{name}", chart) for name, chart in drawn.items() if chart is not None]
    if figures:
        yield Section("While they learn", CURVES, figures, "pairs")


def _groups(nets: pd.DataFrame, by: list[str], show: Selected) -> tuple[pd.Series, list[str]]:
    """The group of every net whose curve is drawn, by the net's identity, and the groups in order.

    Where a study shows none, they are the values of the first column of `by`, for each operation; of more than
    there are colours the best four and the worst four.
    """
    if show:
        members = {net: name for name, some in show.items() for net in _identities(some)}
        return pd.Series(members, dtype=object), list(show)
    labels, order = charts.labels(nets, by[0]) if by else (pd.Series("all nets", nets.index), ["all nets"])
    if nets["op"].nunique() > 1 and by[:1] != ["op"]:
        labels = nets["op"] + ": " + labels
        rates = statistics.success(nets).groupby(labels).mean()
        order = list(rates.sort_values(ascending=False, kind="stable").index)
    order = [name for name in order if name in set(labels)]
    order = order if len(order) <= len(charts.COLOURS) else [*order[:4], *order[-4:]]
    return pd.Series(labels.to_numpy(), _identities(nets), dtype=object), order


def _identities(nets: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(nets[list(schema.IDENTITY)])
