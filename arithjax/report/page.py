"""The page: every section's charts and tables, with all code and data inside, so that it opens offline."""

from __future__ import annotations

import base64
import functools
import gzip
import html
import itertools
import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import numpy as np
import pandas as pd
import vl_convert

from arithjax.errors import ArithjaxError
from arithjax.report import charts, words
from arithjax.setup import cell
from arithjax.tables import loading, schema, statistics

MOST_ROWS = 2000
FIGURE_WIDTH = 640
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass
class Figure:
    """A chart, its name, and whether it is also written as a vector file (every chart's own menu can, too)."""

    name: str
    chart: Any
    file: bool = True


@dataclass
class Section:
    """A heading, a line or two about it, and its figures: `stacked`, or two or three abreast (`pairs`, `threes`)."""

    title: str
    about: str
    figures: list[Figure]
    layout: str = "stacked"


def write(folder: Path, nets: pd.DataFrame, described: dict[str, Any], portraits: int) -> Path:
    """Write `report.html` and its figures; the path of the page."""
    nets = loading.with_choices(nets).rename(columns=lambda name: re.sub(r"\W", "_", name))  # Vega reads dots as paths
    by = [name for name in described.get("by") or statistics.default_by(nets) if name in nets]
    with alt.data_transformers.disable_max_rows():
        sections = list(_sections(folder, nets, by, described, portraits)) if len(nets) else []
        specs = [figure.chart.to_dict() for section in sections for figure in section.figures]
    figures = [figure for section in sections for figure in section.figures]
    _write_vectors(folder / "figures", {f.name: spec for f, spec in zip(figures, specs, strict=True) if f.file})
    page = folder / "report.html"
    page.write_text(_render(nets, by, described, sections, specs))
    return page


def _write_vectors(folder: Path, specs: dict[str, dict]) -> None:
    """The charts as SVG, by name, in a folder of their own; figures of an earlier report go."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, spec in specs.items():
        (folder / f"{name}.svg").write_text(_vector(spec))


def _sections(folder, nets, by, described, portraits):
    """All sections of which the table has something to show."""
    shown, failures = _shown(nets, described.get("show", {}))
    yield _rates(nets, by)
    yield from _beyond(nets, by)
    yield from _parameters(nets)
    if described.get("importance"):
        figure = Figure("importance", charts.importances(described["importance"]))
        yield Section("What matters", IMPORTANCE, [figure])
    yield from _curves(folder, nets, by, shown)
    if portraits:
        portraits, more = _portraits(nets, by, shown, described.get("seed", 0), portraits)
        failures += more
        yield from portraits
    if failures:
        yield Section("Nets that cannot be shown", " ".join(failures), [])


def _shown(nets: pd.DataFrame, show: dict[str, str]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The nets that a study shows, by their headings, and what is wrong with conditions that are none."""
    shown, failures = {}, []
    for heading, condition in show.items():
        try:
            shown[heading] = loading.where(nets, condition, "show")
        except ArithjaxError as error:
            failures.append(str(error))
    return shown, failures


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


def _rates(nets: pd.DataFrame, by: list[str]) -> Section:
    shown = [name for name in by if nets[name].nunique(dropna=False) > 1]
    figures = [Figure("grades", charts.grades(nets, shown[0] if shown else None))]
    for i, (one, other) in enumerate(itertools.islice(itertools.combinations(shown, 2), 3)):
        down, across = sorted((one, other), key=lambda name: -nets[name].nunique())
        figures.append(Figure("rates" if i == 0 else f"rates-{i + 1}", charts.heat_map(nets, down, across)))
    if len(figures) == 1:
        figures[0].name = "rates"
    about = THRESHOLDS if nets["threshold"].notna().any() else RATES
    return Section("Who learns it", f"{about}Whiskers and intervals are Wilson's, at 95 %.", figures)


def _beyond(nets: pd.DataFrame, by: list[str]):
    beyond = nets.assign(success=statistics.success(nets) & nets["extrapolation_solved"].fillna(False).astype(bool))
    shown = [name for name in by if nets[name].nunique(dropna=False) > 1][:2]
    if len(shown) == 2 and beyond["success"].any() and nets["threshold"].isna().all():
        down, across = sorted(shown, key=lambda name: -nets[name].nunique())
        yield Section("Who goes on beyond the range", BEYOND, [Figure("beyond", charts.heat_map(beyond, down, across))])


def _parameters(nets: pd.DataFrame):
    named = [name for name in statistics.varied(nets) if nets[name].nunique() < len(nets)][:5]
    figures = [Figure("parameters", charts.parameters(nets, named))]
    compared = charts.fronts(nets)
    if compared is not None:
        figures.append(Figure("fronts", compared))
    some = (
        "" if len(nets) <= charts.MOST_POINTS else f" {len(charts.sample(nets)):,} of the {len(nets):,} nets are drawn."
    )
    about = (
        "Each dot is a net; click a grade to see it alone. The grey line is the smallest error so far, the dashed one "
        f"the bound of having learned.{some}"
    )
    if compared is not None:
        about += " Below, the smallest error of each activation."
    yield Section("Error against parameters", about, figures)


def _curves(folder: Path, nets: pd.DataFrame, by: list[str], shown: dict[str, pd.DataFrame]):
    curves = loading.load_curves(folder)
    if curves is None or curves.empty:
        return
    if shown:
        order = list(shown)
        group = pd.Series({net: name for name in order for net in _identities(shown[name])}, dtype=object)
    else:
        labels, order = charts.levels(nets, by[0]) if by else (pd.Series("all nets", nets.index), ["all nets"])
        order = [name for name in order if name in set(labels)]
        order = order if len(order) <= len(charts.COLOURS) else [*order[:4], *order[-4:]]
        group = pd.Series(labels.to_numpy(), _identities(nets), dtype=object)
    curves = curves.assign(group=group.reindex(_identities(curves)).to_numpy())
    curves = curves[curves["group"].isin(order)]
    order = [name for name in order if name in set(curves["group"])]
    drawn = {name: charts.curve(curves, name, order) for name in charts.CURVES} if order else {}
    figures = [Figure(f"curve-{name}", chart) for name, chart in drawn.items() if chart is not None]
    about = (
        "Over training, for some seeds of each setup: medians with the band that holds 80 % of the nets, and means of "
        "shares. A gradient of 0 is drawn at the lower edge. Dashed: what answering zero, the mean, or the best plane "
        "through the results would lose, where all that is shown agrees on it."
    )
    if figures:
        yield Section("While they learn", about, figures, "pairs")


def _identities(nets: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(nets[list(schema.IDENTITY)])


def _portraits(
    nets: pd.DataFrame, by: list[str], shown: dict[str, pd.DataFrame], root: int, count: int
) -> tuple[list[Section], list[str]]:
    from arithjax.report import portraits

    taken, failures = portraits.take(portraits.choose(nets, by, shown, count), root)
    if failures:
        failures.append("Give the study with --study, if it brings operations or models of its own.")
    sections = []
    for i, portrait in enumerate(taken, start=1):
        kinds = {"truth": portraits.against_truth, "diagonal": portraits.diagonal, "surface": portraits.surface}
        drawn = {kind: draw(portrait) for kind, draw in kinds.items()}
        figures = [Figure(f"net-{i}-{kind}", c, kind == "diagonal") for kind, c in drawn.items() if c is not None]
        sections.append(Section(portrait.reason, _about_net(portrait), figures, "threes"))
    return sections, failures


def _about_net(portrait: Any) -> str:
    setup, row = portrait.net.setup, portrait.net.row
    sizes = "-".join(map(str, (portrait.arity, *setup.widths, 1))) if setup.model == "mlp" else ""
    names = (setup.activation,) if isinstance(setup.activation, str) else setup.activation
    activation = ", ".join(names) if setup.widths else ""
    said = [
        f"Trial {portrait.row['trial']}, seed {portrait.row['seed']} learns {setup.op}",
        " ".join(part for part in (cell(setup.model), sizes, activation) if part),
        f"{row['parameters']:,} parameters",
        f"{row['grade']}: relative RMSE {row['relative_rmse']:.2g}, extrapolating "
        f"{row['extrapolation_relative_rmse']:.2g}",
    ]
    if portrait.right:
        pairs = "pairs" if portrait.arity == 2 else "arguments"
        said.append(f"{portrait.right[0]:,} of all {portrait.right[1]:,} {pairs} round to the right number")
    said.append(f"trained again from its row, {'identical to the last bit' if portrait.same else OTHER_BITS}")
    return "; ".join(said) + "."


OTHER_BITS = "with other bits: another machine or other versions"


def _render(nets: pd.DataFrame, by: list[str], described: dict, sections: list[Section], specs: list[dict]) -> str:
    """The page as HTML."""
    data = {"specs": specs, "themes": {name: _theme(name) for name in ("light", "dark")}, "table": _table(nets)}
    code = _code()
    return _template().render(
        title=described.get("about") or described.get("name", "A table of nets"),
        name=described.get("name", ""),
        answer=words.blocks(described.get("answer") or words.default_words(nets, by)),
        missing=words.missing(nets, described),
        facts=_facts(nets),
        sections=sections,
        rows=len(data["table"]["rows"]),
        setups=nets["trial"].nunique() if len(nets) else 0,
        command=words.command(described),
        versions=described.get("versions", {}),
        device=described.get("device", ""),
        source=described.get("source", ""),
        figures=[figure.name for section in sections for figure in section.figures if figure.file],
        packed={**code, "data": _packed(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False))},
        style=_resource("page.css"),
        script=_resource("page.js"),
    )


@functools.cache
def _template() -> jinja2.Template:
    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_resource("page.html"))


def _resource(name: str) -> str:
    return resources.files("arithjax.report").joinpath(name).read_text()


@functools.cache
def _code() -> dict[str, str]:
    """The libraries that draw charts (Vega) and tables (DataTables), packed."""
    tables = resources.files("itables").joinpath("html")
    return {
        "vega": _packed(vl_convert.javascript_bundle(vl_version=VEGA_LITE)),
        "datatables": _packed(tables.joinpath("dt_bundle.js").read_text()),
        "datatables-style": _packed(tables.joinpath("dt_bundle.css").read_text()),
    }


def _packed(text: str) -> str:
    """Text as base64 of gzip, which browsers unpack by themselves; the same text gives the same bytes."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _theme(name: str) -> dict[str, Any]:
    """Vega's settings for a light or a dark page."""
    ink, faint, line = ("#1c2430", "#5a6472", "#e3e7ec") if name == "light" else ("#e6e9ee", "#a3adba", "#333b47")
    text = {"labelColor": faint, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": 500}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**text, "gridColor": line, "domainColor": line, "tickColor": line, "labelLimit": 150},
        "legend": {**text, "gradientThickness": 10},
        "title": {"color": ink, "fontSize": 14, "fontWeight": 600, "anchor": "start", "subtitleColor": faint},
    }


def _vector(spec: dict[str, Any]) -> str:
    """A chart as SVG on white, for papers."""
    theme = {**_theme("light"), "aria": False, "background": "white", "font": "sans-serif"}
    return vl_convert.vegalite_to_svg({**spec, "width": FIGURE_WIDTH}, vl_version=VEGA_LITE, config=theme)


def _facts(nets: pd.DataFrame) -> list[tuple[str, str]]:
    """The few numbers that a reader wants first."""
    if nets.empty:
        return [("0", "nets")]
    rates = statistics.summarise(nets).iloc[0]
    shares = [(f"{rates[f'{kind}_rate']:.0%}", kind) for kind in ("exact", "dead", "diverged")]
    return [
        (f"{len(nets):,}", "net" if len(nets) == 1 else "nets"),
        (f"{nets['trial'].nunique():,}", "setup" if nets["trial"].nunique() == 1 else "setups"),
        (f"{rates['rate']:.0%}", f"learned it ({100 * rates['rate_low']:.0f} to {100 * rates['rate_high']:.0f} %)"),
        *shares,
    ]


def _table(nets: pd.DataFrame) -> dict[str, Any]:
    """A row a setup, the most successful first, as columns and rows of `[shown, sorted by]`."""
    if nets.empty:
        return {"columns": [], "rows": []}
    table = statistics.setups_table(nets).head(MOST_ROWS).reset_index().dropna(axis=1, how="all")
    table.insert(1, "success", list(zip(*(table.pop(name) for name in ("rate", "rate_low", "rate_high")), strict=True)))
    columns = [{"title": TITLES.get(name, charts.nice(name)), "name": name} for name in table]
    return {
        "columns": columns,
        "rows": [[_cell(name, v) for name, v in row.items()] for row in table.to_dict("records")],
    }


TITLES = {
    "success": "success rate (95 %)",
    "relative_rmse": "median relative RMSE",
    "extrapolation_relative_rmse": "median, extrapolating",
    "exact_rate": "exact",
    "dead_rate": "dead",
    "diverged_rate": "diverged",
}


def _cell(name: str, value: Any) -> list[Any]:
    """What a cell shows, and what it is sorted by."""
    if isinstance(value, tuple):
        return [words.percent(*value), round(value[0], 6)]
    if name.endswith("_rate") and name != "learning_rate":
        return [f"{100 * value:.0f} %", round(value, 6)]
    if isinstance(value, bool | np.bool_):
        return [str(bool(value)), str(bool(value))]
    if isinstance(value, int | np.integer):
        return [str(value), int(value)]
    if isinstance(value, float | np.floating):
        shown = f"{value:.3g}"
        return [shown, float(shown) if np.isfinite(value) else 1e300] if not np.isnan(value) else ["", 1e301]
    return ["" if value is None else html.escape(str(value))] * 2
