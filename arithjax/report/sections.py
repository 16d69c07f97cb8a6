"""The sections of a report that follow from its table alone: headings, explanations and charts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.report import charts, epsilon
from arithjax.tables import loading, schema, statistics

IMPORTANCE = (
    "How much each choice matters for being among the best tenth of the setups (PED-ANOVA, Watanabe et al. 2023). "
    "Choices that only some setups have are left out."
)
RATES = (
    "A net has learned an operation when its error on fresh arguments is at most 1 % of the spread of the results; it "
    "is exact when every result in the whole range rounds to the right whole number. "
)
THRESHOLDS = (
    "A net has succeeded when its error beyond the training range is below the threshold of its setup, at the "
    "evaluation with the smallest error within the range. "
)
BEYOND = (
    "Nets that have learned the operation and also keep to 1 % beyond the training range, in the extrapolation "
    "range of their setup."
)
PARAMETERS = (
    "Each dot is a net; click a grade to see it alone. The grey line is the smallest error so far, the dashed one "
    "the bound of having learned."
)
CURVES = (
    "Over training, for some seeds of each setup: medians with the band that holds 80 % of the nets, and means of "
    "shares. A gradient of 0 is drawn at the lower edge. Dashed: what answering zero, the mean, or the best plane "
    "through the results would lose, where all that is shown agrees on it."
)


@dataclass
class Figure:
    """A chart by name; `file`: whether it is also written as a vector file (a reader can save every chart as one)."""

    name: str
    chart: charts.Drawing
    file: bool = True


@dataclass
class Section:
    """A heading, a line or two about it, and its figures: `stacked`, or two or three abreast (`pairs`, `threes`)."""

    title: str
    about: str
    figures: list[Figure]
    layout: str = "stacked"


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
    yield _rates(nets, by)
    yield from _beyond(nets, by)
    if found := [Figure(name, chart) for name, chart in epsilon.figures(nets)]:
        yield Section("How success hangs on ε and on the steps", epsilon.ABOUT, found, "pairs")
    yield _parameters(nets)
    if described.get("importance"):
        yield Section("What matters", IMPORTANCE, [Figure("importance", charts.importances(described["importance"]))])
    yield from _curves(folder, nets, by, show)


def _rates(nets: pd.DataFrame, by: list[str]) -> Section:
    varied = _varied(nets, by)
    figures = [Figure("grades", charts.grades(nets, varied[0] if varied else None))]
    for i, columns in enumerate(itertools.islice(itertools.combinations(varied, 2), 3)):
        figures.append(Figure("rates" if i == 0 else f"rates-{i + 1}", _heat_map(nets, *columns)))
    if len(figures) == 1:
        figures[0].name = "rates"
    about = THRESHOLDS if nets["threshold"].notna().any() else RATES
    return Section("Who learns it", f"{about}Whiskers and intervals are Wilson's, at 95 %.", figures)


def _beyond(nets: pd.DataFrame, by: list[str]) -> Iterator[Section]:
    beyond = nets.assign(success=statistics.success(nets) & nets["extrapolation_solved"].fillna(False).astype(bool))
    varied = _varied(nets, by)[:2]
    if len(varied) == 2 and beyond["success"].any() and nets["threshold"].isna().all():
        yield Section("Who goes on beyond the range", BEYOND, [Figure("beyond", _heat_map(beyond, *varied))])


def _varied(nets: pd.DataFrame, columns: list[str]) -> list[str]:
    return [name for name in columns if nets[name].nunique(dropna=False) > 1]


def _heat_map(nets: pd.DataFrame, one: str, other: str) -> charts.Drawing:
    """Success rates over two columns, that with more values downwards."""
    down, across = sorted((one, other), key=lambda name: -nets[name].nunique())
    return charts.heat_map(nets, down, across)


def _parameters(nets: pd.DataFrame) -> Section:
    named = [name for name in statistics.varied(nets) if nets[name].nunique() < len(nets)][:5]
    figures, about = [Figure("parameters", charts.parameters(nets, named))], PARAMETERS
    if len(nets) > charts.MOST_POINTS:
        about += f" {len(charts.sample(nets)):,} of the {len(nets):,} nets are drawn."
    if (compared := charts.fronts(nets)) is not None:
        figures.append(Figure("fronts", compared))
        about += " Below, the smallest error of each activation."
    return Section("Error against parameters", about, figures)


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

    Where a study shows none, they are the values of the first column of `by`: where there are more than colours, the
    best four and the worst four.
    """
    if show:
        members = {net: name for name, some in show.items() for net in _identities(some)}
        return pd.Series(members, dtype=object), list(show)
    labels, order = charts.levels(nets, by[0]) if by else (pd.Series("all nets", nets.index), ["all nets"])
    order = [name for name in order if name in set(labels)]
    order = order if len(order) <= len(charts.COLOURS) else [*order[:4], *order[-4:]]
    return pd.Series(labels.to_numpy(), _identities(nets), dtype=object), order


def _identities(nets: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(nets[list(schema.IDENTITY)])
