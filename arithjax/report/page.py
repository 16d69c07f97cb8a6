"""The page: every section's charts and tables, with all code and data inside, so that it opens offline."""

from __future__ import annotations

import base64
import functools
import gzip
import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import numpy as np
import pandas as pd
import vl_convert
from markupsafe import Markup, escape

from arithjax import disk
from arithjax.errors import counted
from arithjax.report import sections, words
from arithjax.report.answer import Answer, default_answer, restored
from arithjax.report.recipes import CHANGES
from arithjax.report.sections import Figure, Section, Selected
from arithjax.tables import groups, loading, statistics
from arithjax.tables.store import Store

MOST_ROWS = 2000
"""Setups in the table of the page."""
FIGURE_WIDTH = 640
"""The width of figures in files, in pixels."""
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def write(folder: str | Path, nets: pd.DataFrame, described: dict[str, Any], portraits: int = 4) -> Path:
    """Write `report.html` and its figures into a study's folder; the path of the page.

    folder: the study's folder. nets: its table, finished or not. described: the content of its `study.json`.
    portraits: how many nets to train again for pictures of their predictions; 0 for none.
    """
    store = Store(folder)
    store.folder.mkdir(parents=True, exist_ok=True)
    missing, nets = words.missing(nets, described), groups.distinct(loading.with_choices(nets))
    if groups.SAMPLED not in nets.attrs:
        groups.marked(nets, loading.sampled(described, nets))
    by = [name for name in described.get("by") or statistics.default_by(nets) if name in nets]
    shown = sections.selected(nets, described.get("show", {}))
    answer = _answer(nets, by, described)
    with alt.data_transformers.disable_max_rows():
        found = _sections(store.folder, nets, by, described, portraits, shown) if len(nets) else []
        table = _table(nets)
        fields = {
            **{"name": described.get("name", ""), "missing": missing, "sections": found},
            **{"rows": len(table["rows"]), "setups": len(np.unique(groups.setups(nets)))},
            **{"command": words.command(described), "versions": described.get("versions", {})},
            **{"device": described.get("device", ""), "source": described.get("source", ""), "facts": _facts(nets)},
        }
        asked = described.get("about") or described.get("name", "A table of nets")
        return _written(store, answer, asked, found, table, fields)


def offline(folder: str | Path, answer: Answer, name: str, facts: str, beside: Sequence[str]) -> Path:
    """Write `report.html` and its figures for an answer that belongs to no study; the path of the page.

    folder: where to write. name: what the page is called. facts: a line about what it rests on. beside: files there.
    """
    with alt.data_transformers.disable_max_rows():
        return _written(Store(folder), answer, "", [], EMPTY, {"name": name, "facts": facts, "beside": beside})


EMPTY: dict[str, Any] = {"columns": [], "rows": []}
"""The table of a page that lists no setups."""


def _answer(nets: pd.DataFrame, by: list[str], described: dict[str, Any]) -> Answer:
    """What `study.json` holds as the answer, or else what the table says by itself."""
    if described.get("answer"):
        return restored(described["answer"])
    return default_answer(nets, by, described.get("objectives", ()))


def _written(
    store: Store, answer: Answer, asked: str, found: list[Section], table: dict[str, Any], fields: dict[str, Any]
) -> Path:
    """Write a page with its figures: the answer first, then the charts of a table's sections; the path of the page.

    asked: the question in words; the headline where the answer has no finding. table: every setup. fields: what else
    the page's template names.
    """
    drawn = [sections.of_picture(picture) for picture in answer.pictures]
    figures = _named_apart(drawn, found)
    specs = [figure.chart.to_dict() for figure in figures]
    _write_vectors(store, {f.name: spec for f, spec in zip(figures, specs, strict=True) if f.file})
    data = {"specs": specs, "themes": {name: _theme(name) for name in ("light", "dark")}, "table": table}
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    code = _code() if table["rows"] else {"vega": _code()["vega"]}
    page = _template().render(
        **_opening(answer, asked, drawn),
        figures=[figure.name for figure in figures if figure.file],
        packed={**code, "data": _packed(packed)},
        style=_resource("page.css"),
        script=_resource("page.js"),
        **fields,
    )
    store.write("report.html", page.encode())
    return store.folder / "report.html"


def _named_apart(drawn: list[Section], found: list[Section]) -> list[Figure]:
    """All figures; one that is found and has the name of one of the answer's is given another."""
    taken = {figure.name for section in drawn for figure in section.figures}
    for figure in (figure for section in found for figure in section.figures if figure.name in taken):
        figure.name += "-all"
    return [figure for section in [*drawn, *found] for figure in section.figures]


def _opening(answer: Answer, asked: str, drawn: list[Section]) -> dict[str, Any]:
    """What the page's template names of an answer; drawn: its picture and charts.

    The first recipe stands beside the sentences where it is a line, and else with the others, in a section below.
    """
    below = {title: text for title, text in answer.recipes.items() if title != CHANGES}
    first = next(iter(below), "")
    short = "" if "\n" in below.get(first, "").strip() else below.pop(first, "")
    return {
        "title": answer.finding or asked,
        "asked": asked if answer.finding else "",
        "said": words.blocks(answer.sentences),
        "changes": [line.split(None, 1) for line in answer.recipes.get(CHANGES, "").splitlines()],
        "short": short,
        "picture": drawn[0] if answer.picture else None,
        "charts": drawn[1:] if answer.picture else drawn,
        "recipes": below,
        "tables": {
            name: whole(Markup(some.to_html(border=0, na_rep="", index=not _counted(some))))
            for name, some in answer.tables.items()
        },
    }


def _counted(table: pd.DataFrame) -> bool:
    """Whether a table's rows are numbered and not named."""
    return isinstance(table.index, pd.RangeIndex)


def _sections(
    folder: Path,
    nets: pd.DataFrame,
    by: list[str],
    described: dict[str, Any],
    portraits: int,
    shown: tuple[Selected, list[str]],
) -> list[Section]:
    """All sections: those of the table, the portraits, and what could not be shown.

    shown: the nets that the study asks to show, and messages about those that it asks for in vain.
    """
    show, failures = shown
    found = list(sections.of_table(folder, nets, by, described, show))
    if portraits:
        # imported here, since it brings jax, which a page without portraits does not need
        from arithjax.report import portraits as trained_again

        drawn, more = trained_again.sections(nets, by, show, described.get("seed", 0), portraits)
        found, failures = [*found, *drawn], [*failures, *more]
    return [*found, Section("Nets that cannot be shown", " ".join(failures), [])] if failures else found


def _write_vectors(store: Store, specs: dict[str, dict]) -> None:
    """Write charts as SVG files by name into a folder of their own, and delete the figures of an earlier report."""
    for old in (store.folder / FIGURES).glob("*.svg"):
        if old.stem not in specs and _is_ours(old):
            store.remove(Path(FIGURES) / old.name)
    for name, spec in specs.items():
        store.write(Path(FIGURES) / f"{name}.svg", f"{_vector(spec)}{MARK}".encode())


FIGURES = "figures"
"""The folder of figures, in the study's."""
MARK = "<!-- drawn by arithjax -->\n"
"""The end of every figure, by which it is known as one that a later report may delete."""


def _is_ours(path: Path) -> bool:
    """Whether a file is a figure of an earlier report."""
    try:
        return disk.read(path).endswith(MARK.encode())
    except OSError:
        return False


WHOLE = re.compile(r"\(?\d[\d.,]*(?:-[\d.]+)? %\)?|\b(?:\w|\d+)(?: [·+=/<>-] (?:\w|\d+)\b)+")
"""Numbers with their unit, intervals, and short formulas such as `a · b`: no line of a page ends inside them."""


def whole(text: str) -> Markup:
    """Text as HTML whose numbers and formulas are not divided between lines; what is HTML already is left so."""
    return Markup(WHOLE.sub(lambda found: f'<span class="whole">{found[0]}</span>', str(escape(text))))


def options(command: str) -> Markup:
    """A command as HTML whose options are not divided between lines, as far as a line holds them."""
    return Markup(" ").join(Markup('<span class="whole">{}</span>').format(part) for part in _OPTION.split(command))


_OPTION = re.compile(r"\s+(?=-)")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"whole": whole, "options": options}
    return environment.from_string(_resource("page.html"))


def _resource(name: str) -> str:
    return resources.files("arithjax.report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _code() -> dict[str, str]:
    """The libraries that draw charts (Vega) and tables (DataTables), packed."""
    tables = resources.files("itables").joinpath("html")
    vega = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]  # a default its stub lacks
    return {
        "vega": _packed(vega),
        "datatables": _packed(tables.joinpath("dt_bundle.js").read_text(encoding="utf-8")),
        "datatables-style": _packed(tables.joinpath("dt_bundle.css").read_text(encoding="utf-8")),
    }


def _packed(text: str) -> str:
    """Text as base64 of gzip, which browsers can unpack; equal text gives equal bytes."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _theme(name: str) -> dict[str, Any]:
    """Vega's settings for a light or a dark page."""
    ink, faint, line = ("#1c2430", "#5a6472", "#e3e7ec") if name == "light" else ("#e6e9ee", "#a3adba", "#333b47")
    text = {"labelColor": faint, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": 500}
    return {
        "background": "transparent",
        "text": {"color": ink},
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


def _facts(nets: pd.DataFrame) -> str:
    """A line about how much a table holds; of one operation with its rates."""
    setups, ops = len(np.unique(groups.setups(nets))), nets["op"].nunique() if len(nets) else 0
    facts = [counted(len(nets), "net"), counted(setups, "setup")]
    facts += [counted(ops, "operation")] * (ops > 1)
    if ops == 1:
        summary = statistics.summarise(nets).iloc[0]
        where = f" on these {summary['ranges']} ranges" if summary["ranges"] > 1 else ""
        facts.append(f"{words.percent(*summary[['rate', 'rate_low', 'rate_high']])} learned it{where}")
        facts += [f"{words.part(summary[f'{kind}_rate'])} {kind}" for kind in ("exact", "dead", "diverged")]
    return f"{'; '.join(facts)}."


def _table(nets: pd.DataFrame) -> dict[str, Any]:
    """A row a setup, the most successful first: `columns`, and `rows` of cells `[text, sort key]`."""
    if nets.empty:
        return EMPTY
    table = statistics.setups_table(nets).head(MOST_ROWS).reset_index().dropna(axis=1, how="all")
    table = table.drop(columns=["setups", "interval", "ranges", "stopped"])  # each row is one setup
    table.insert(1, "success", list(zip(*(table.pop(name) for name in ("rate", "rate_low", "rate_high")), strict=True)))
    columns = [{"title": TITLES.get(name, words.nice(name)), "name": name} for name in table]
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
    """A cell's text and its sort key; infinities are sorted after numbers, and missing numbers last."""
    if isinstance(value, tuple):
        return [words.percent(*value), round(value[0], 6)]
    if name.endswith("_rate") and name != "learning_rate":
        return [words.part(value), round(value, 6)]
    if isinstance(value, bool | np.bool_):
        return [str(bool(value)), str(bool(value))]
    if isinstance(value, int | np.integer):
        return [str(value), int(value)]
    if isinstance(value, float | np.floating):
        shown = f"{value:.3g}"
        return [shown, float(shown) if np.isfinite(value) else 1e300] if not np.isnan(value) else ["", 1e301]
    return ["" if value is None else html.escape(str(value))] * 2
