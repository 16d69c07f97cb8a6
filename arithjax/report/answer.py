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

import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.report import words
from arithjax.report.picture import Picture, dots
from arithjax.tables import groups, statistics

MOST_ROWS = 14
"""Rows of a picture that are told in a terminal."""
HEADLINE = 160
"""Letters of the longest line of an answer in words that is a headline."""


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
        """The picture and the charts, but for those that have nothing to draw."""
        return [one for one in (self.picture, *self.charts) if one is not None and len(one.table)]

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
            "opens": self.picture is not None and len(self.picture.table) > 0,
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
    """A table as plain data, its columns called by text; what is no finite number is None."""
    text = table.rename(columns=str).to_json(orient="split", index=False, double_precision=12)
    return {name: part for name, part in json.loads(text).items() if name in ("columns", "data")}


def restored(data: Any) -> Answer:
    """The answer that `Answer.stored` gave as plain data, or one in words: its first line is the finding if short.

    Raises ArithjaxError where the data are no answer.
    """
    if isinstance(data, str):
        return _in_words(data)
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


def _in_words(text: str) -> Answer:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    short = bool(lines) and len(lines[0]) <= HEADLINE
    return Answer(lines[0], lines[1:]) if short else Answer("", lines)


def _table(data: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(data["data"], columns=data["columns"])


def _rows(picture: Picture | None) -> list[str]:
    """The rates of a picture of dots as lines of text, where they are few."""
    if picture is None or picture.kind != "dots" or not 0 < len(picture.table) <= MOST_ROWS:
        return []
    table = picture.table
    names = [
        " ".join(filter(None, row))
        for row in table[[*(c for c in ("panel",) if c in table), "what"]].itertuples(index=False)
    ]
    rates = [words.percent(*row) for row in table[["rate", "low", "high"]].itertuples(index=False)]
    width = max(map(len, names), default=0)
    return ["", *(f"  {name:<{width}}  {rate:>18}" for name, rate in zip(names, rates, strict=True))]


def default_answer(nets: pd.DataFrame, by: Sequence[str], objectives: Sequence[str] = ()) -> Answer:
    """The answer of a study that gives none: the rates of each operation, and of the groups of the first of `by`.

    objectives: what it searched for; the best setups by that come first.
    """
    finding, *sentences = words.default_sentences(nets, list(by), objectives)
    if nets.empty or not by:
        return Answer(finding, sentences)
    labels, order = groups.labels(nets, by[0])
    parts = {name: nets[labels == name] for name in order[:MOST_ROWS] if (labels == name).any()}
    differ = len(parts) > 1 and statistics.success(nets).any()
    title = words.nice(by[0])
    shown = dots("groups", f"Nets that learn it, by {title}", parts, about=f"With 95 % intervals, by {title}.")
    return Answer(finding, sentences, shown if differ else None)
