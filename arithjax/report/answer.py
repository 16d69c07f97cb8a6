"""Answers: what was found, as plain data that a terminal, a page, a notebook and `study.json` hold alike.

An answer opens a report: its finding is the headline, at most three sentences carry one number each, one picture shows
it, and at most four charts say one thing each. A study's `answer` may return one:

    aj.Answer("Squares multiply.", ["..."], aj.dots("rates", "Nets that learn it", {"relu": some, "square": others}))
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.report import words
from arithjax.tables import groups, statistics

MOST_ROWS = 14
"""Rows of a picture that are told in a terminal."""
HEADLINE = 160
"""Letters of the longest line of an answer in words that is a headline."""


@dataclass(frozen=True)
class Picture:
    """A chart as data.

    name: the name of its file. says: its heading, one sentence. table: what it draws, in the columns of its kind.
    kind: `dots`, `lines`, `scatter`, `sets` or `grid`; `arithjax.report.pictures` says which columns each draws.
    about: how to read it, a line. x, y: titles of its axes, where its kind has them.
    """

    name: str
    says: str
    table: pd.DataFrame
    kind: str = "dots"
    about: str = ""
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Answer:
    """What was found: `print` shows it, a notebook by itself, and a report opens with it.

    finding: the answer in one line. sentences: at most three, with one number each. picture: what shows it.
    charts: at most four more. tables: by heading, folded away. recipes: by title, text to copy: a command, or code.
    """

    finding: str
    sentences: Sequence[str] = ()
    picture: Picture | None = None
    charts: Sequence[Picture] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """The picture and the charts."""
        return [*filter(None, [self.picture]), *self.charts]

    @property
    def figures(self) -> dict[str, Any]:
        """All charts by name (Altair)."""
        from arithjax.report import pictures  # Altair takes half a second that text does not need

        return {name: chart for one in self.pictures for name, _, chart in pictures.panels(one)}

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The answer as lines of text: the finding, its sentences, the rates of its picture, and the first recipe."""
        recipe = next(iter(self.recipes.values()), "")
        return [*filter(None, [self.finding]), *self.sentences, *_rows(self.picture), *(["", recipe] if recipe else [])]

    def stored(self) -> dict[str, Any]:
        """As plain data, which JSON holds and `restored` reads."""
        return {
            "finding": self.finding,
            "sentences": list(self.sentences),
            "pictures": [
                {**{name: getattr(one, name) for name in _TEXTS}, "table": _plain(one.table)} for one in self.pictures
            ],
            "opens": self.picture is not None,
            "tables": {name: _plain(_flat(table)) for name, table in self.tables.items()},
            "recipes": dict(self.recipes),
        }

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        tables = "".join(f"<h4>{html.escape(name)}</h4>{table.to_html()}" for name, table in self.tables.items())
        recipe = "".join(f"<pre>{html.escape(text)}</pre>" for text in list(self.recipes.values())[:1])
        return f"<h3>{html.escape(self.finding)}</h3>{said}{recipe}<details>{tables}</details>"


_TEXTS = ("name", "says", "kind", "about", "x", "y")


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """A table with what its rows are called as columns, if they are not just numbered."""
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    """A table as plain data; what is no finite number is None."""
    text = table.to_json(orient="split", index=False, double_precision=12)
    return {name: part for name, part in json.loads(text).items() if name in ("columns", "data")}


def restored(data: Any) -> Answer:
    """The answer that `Answer.stored` gave as plain data, or one in words: its first line is the finding if short.

    Raises ArithjaxError where the data are no answer.
    """
    if isinstance(data, str):
        lines = [line.rstrip() for line in data.splitlines() if line.strip()]
        short = bool(lines) and len(lines[0]) <= HEADLINE
        return Answer(lines[0], lines[1:]) if short else Answer("", lines)
    try:
        pictures = [
            Picture(**{name: str(one[name]) for name in _TEXTS}, table=_table(one["table"])) for one in data["pictures"]
        ]
        opens = pictures[0] if data["opens"] else None
        tables = {str(name): _table(table) for name, table in data["tables"].items()}
        recipes = {str(name): str(text) for name, text in data["recipes"].items()}
        sentences = [str(sentence) for sentence in data["sentences"]]
        return Answer(str(data["finding"]), sentences, opens, pictures[1 if opens else 0 :], tables, recipes)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArithjaxError(
            f"the answer in study.json is damaged ({type(error).__name__}); run the study again."
        ) from None


def _table(data: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(data["data"], columns=data["columns"])


def _rows(picture: Picture | None) -> list[str]:
    """The rates of a picture of dots as lines of text, where they are few."""
    if picture is None or picture.kind != "dots" or len(picture.table) > MOST_ROWS:
        return []
    table = picture.table
    names = [
        " ".join(filter(None, row))
        for row in table[[*(c for c in ("panel",) if c in table), "what"]].itertuples(index=False)
    ]
    rates = [words.percent(*row) for row in table[["rate", "low", "high"]].itertuples(index=False)]
    width = max(map(len, names), default=0)
    return ["", *(f"  {name:<{width}}  {rate:>18}" for name, rate in zip(names, rates, strict=True))]


def dots(
    name: str,
    says: str,
    groups_of: Mapping[str, pd.DataFrame],
    holds: str = "success",
    about: str = "",
    best: str = "",
    title: str = "nets that learn it",
) -> Picture:
    """A picture of rates as dots with their 95 % intervals, a row a group and a panel an operation.

    name: the name of its file. says: its heading. groups_of: a label for some rows of a results table, each a group.
    holds: the column that says which nets count. about: how to read it. best: the label of a
    group that stands out. title: that of the axis.
    """
    rows = []
    for label, nets in groups_of.items():
        for op, some in _by_operation(nets):
            rate = statistics.rates(some[holds].astype(bool), some).iloc[0]
            mark = "best" if label == best else "plain"
            rows.append([label, op, *rate[["rate", "rate_low", "rate_high", "nets"]], mark])
    table = pd.DataFrame(rows, columns=["what", "panel", "rate", "low", "high", "nets", "mark"])
    if not table["what"].duplicated().any():  # no group holds several operations
        table = table.drop(columns="panel")
    return Picture(name, says, table, "dots", about, x=title)


def _by_operation(nets: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The nets of each operation, in the order of the table; no rate is over several."""
    nets = groups.distinct(nets)
    return [(str(op), some) for op, some in nets.groupby("op", sort=False)] if len(nets) else []


def grid(
    name: str, says: str, nets: pd.DataFrame, down: str, across: str, holds: str = "success", about: str = ""
) -> Picture:
    """A picture of rates as a grid of cells, blank where no net does it; those that do most come first.

    down, across: columns of the table, or the study's parameters. holds: the column that says which nets count.
    Raises ArithjaxError where a cell would hold several operations.
    """
    nets = groups.distinct(nets)
    keys = [
        groups.column(nets, column).astype(str).rename(side) for column, side in ((down, "down"), (across, "across"))
    ]
    if statistics.holds_several(nets, keys):
        raise ArithjaxError(f"the grid of {down} and {across} would hold several operations in a cell; make it by op.")
    table = statistics.rates(nets[holds].astype(bool), nets, keys).reset_index()
    table = table.rename(columns={"rate_low": "low", "rate_high": "high"})[
        ["down", "across", "rate", "low", "high", "nets"]
    ]
    order = [
        table.groupby(side)["rate"].mean().sort_values(ascending=False, kind="stable").index
        for side in ("down", "across")
    ]
    table = table.sort_values(["down", "across"], key=lambda side: side.map(list(order[side.name == "across"]).index))
    return Picture(name, says, table.reset_index(drop=True), "grid", about)


def lines(name: str, says: str, table: pd.DataFrame, about: str = "", x: str = "", y: str = "") -> Picture:
    """A picture of lines, each named at its end.

    table: columns `x`, `y` and `who`, in the order in which the lines are to be told; `exact` is dashed.
    x, y: titles of the axes.
    """
    return Picture(name, says, table, "lines", about, x, y)


def default_answer(nets: pd.DataFrame, by: Sequence[str]) -> Answer:
    """The answer of a study that gives none: the rates of each operation, and of the groups of the first of `by`."""
    finding, *sentences = words.default_sentences(nets, list(by))
    if nets.empty or not by:
        return Answer(finding, sentences)
    labels, order = groups.labels(nets, by[0])
    parts = {name: nets[labels == name] for name in order[:MOST_ROWS] if (labels == name).any()}
    differ = len(parts) > 1 and statistics.success(nets).any()
    title = words.nice(by[0])
    shown = dots("groups", f"Nets that learn it, by {title}", parts, about=f"With 95 % intervals, by {title}.")
    return Answer(finding, sentences, shown if differ else None)


def scatter(name: str, says: str, table: pd.DataFrame, about: str = "", x: str = "", y: str = "") -> Picture:
    """A picture of the crowd and of who leaves it: dots at `x` (an error, on a logarithmic scale) and `y` (a share).

    table: columns `what`, `x`, `y` and `named`, whether a dot stands out and is called by its name.
    """
    return Picture(name, says, table.replace([np.inf, -np.inf], np.nan), "scatter", about, x, y)


def sets(name: str, says: str, nets: Mapping[tuple[str, ...], pd.DataFrame], about: str = "") -> Picture:
    """A picture of combinations: which of several things are in each, and the share of its nets that learn (UpSet).

    nets: a combination's members, and its nets: rows of a results table of one operation.
    """
    members = list(dict.fromkeys(name for names in nets for name in names))
    rows = []
    for names, some in nets.items():
        rate = statistics.rates(statistics.success(some), some).iloc[0]
        rows.append([*rate[["rate", "rate_low", "rate_high", "nets"]], *(member in names for member in members)])
    return Picture(name, says, pd.DataFrame(rows, columns=["rate", "low", "high", "nets", *members]), "sets", about)


def published(name: str, says: str, compared: pd.DataFrame, about: str = "") -> Picture:
    """A picture of rates beside published ones, which are rings; a row a cell.

    compared: what `protocols.compare` gives.
    """
    columns = {"cell": "what", "published": "other"}
    table = compared[["cell", "rate", "low", "high", "nets", "published", "inside"]].rename(columns=columns)
    table["what"] = table["what"].str.replace("interpolation=", "")
    table["mark"] = table.pop("inside").map({True: "plain", False: "best"})
    about = about or "Dots: rates here, with 95 % intervals; rings: published. Green: the published rate is outside."
    return Picture(name, says, table.reset_index(drop=True), "dots", about, x="nets that succeed")
