"""Answers: a finding, what it rests on, and the recipe that follows, as text, JSON, a page and in a notebook."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arithjax import export
from arithjax.diagnosis.changes import Fields, difference
from arithjax.diagnosis.evidence import Evidence
from arithjax.errors import ArithjaxError
from arithjax.fields import cell
from arithjax.registry import CAUSES, OPERATIONS
from arithjax.report.words import percent
from arithjax.setup import DEFAULTS, FIELDS, Setup
from arithjax.tables import statistics

LEARNS = 0.5
"""The share of nets that has to learn for an answer to say that it learns."""
LADDER = 8
"""Single changes in the text of an answer."""


@dataclass(frozen=True)
class Told:
    """A cause in an answer: its name, how many of `nets` it holds for, for how many it is the first, and a sentence."""

    id: str
    count: int
    first: int
    nets: int
    sentence: str

    @property
    def share(self) -> float:
        """The share of nets for which it holds."""
        return self.count / self.nets

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson 95 % interval of the share."""
        low, high = statistics.wilson(self.count, self.nets)
        return float(low), float(high)


@dataclass(frozen=True)
class Tried:
    """A change, or several together, with what came of it.

    change: its name. fields: what it replaces in the setup. nets: their number; learned, exact: how many of them.
    error: their median relative RMSE. judged: whether they are from seeds that took no part in choosing. other: whether
    it is another kind of net rather than this one mended.
    """

    change: str
    fields: Fields
    nets: int
    learned: int
    exact: int
    error: float
    judged: bool
    other: bool = False

    @classmethod
    def of(cls, change: str, fields: Fields, rows: pd.DataFrame, judged: bool, other: bool = False) -> Tried:
        """From the table rows of its nets."""
        learned, exact = int(statistics.success(rows).sum()), int((rows["grade"] == "exact").sum())
        error = float(rows["relative_rmse"].fillna(np.inf).median())
        return cls(change, fields, len(rows), learned, exact, error, judged, other)

    @property
    def rate(self) -> float:
        """The share of nets that learn."""
        return self.learned / self.nets

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson 95 % interval of the rate."""
        low, high = statistics.wilson(self.learned, self.nets)
        return float(low), float(high)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        low, high = self.interval
        return {"change": self.change, "fields": self.fields, "rate": self.rate, "low": low, "high": high}

    def words(self) -> str:
        """The rate with its interval."""
        return percent(self.rate, *self.interval)


@dataclass(frozen=True)
class Answer:
    """Why a net does not learn, and what makes it learn; `print` shows it, and a notebook by itself.

    setup, mended: the net as it is, and with all changes of the path. before, after: what comes of either.
    told: causes, the most frequent first. tried: single changes, the best first. path: the changes that make it learn,
    each with all before it. without: the path with one of its changes left out, named by that.
    unpaid: changes that cost more than was allowed. evidence, seen: what was recorded of nets as they are and mended.
    nets: the table of all nets that were trained. seconds: how long it took. cut: whether time ran out.
    """

    setup: Setup
    mended: Setup
    before: Tried
    told: Sequence[Told]
    tried: Sequence[Tried]
    path: Sequence[Tried]
    without: Sequence[Tried]
    unpaid: Sequence[str]
    evidence: Evidence
    seen: Evidence
    nets: pd.DataFrame
    seconds: float
    cut: bool = False

    @property
    def after(self) -> Tried:
        """What comes of the whole path; of the net as it is where nothing helps."""
        return self.path[-1] if self.path else self.before

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields of the mended setup, as plain data: `aj.Setup(**answer.recipe)`."""
        return self.mended.to_dict()

    @cached_property
    def finding(self) -> str:
        """The answer in one line: what it does instead, and what the path comes to."""
        symbol = OPERATIONS[self.setup.op].symbol
        if self.before.rate >= LEARNS:
            begins = f"This net learns {symbol}: {_good(self.before)}"
        else:
            failures = [one for one in self.told if one.first >= 0.2 * one.nets and one.id not in ("learns", "beyond")]
            what = ", ".join(f"{100 * one.first / one.nets:.0f} % are {CAUSES[one.id].short}" for one in failures[:2])
            begins = f"This net does not learn {symbol}: {what or _good(self.before)}"
        return f"{begins}. {self._ends()}"

    def _ends(self) -> str:
        """What the path comes to."""
        if not self.path:
            return "Nothing that was tried helps." if self.before.rate < LEARNS else "Nothing has to be changed."
        made = self.path[0].change + (f" and {len(self.path) - 1} more changes" if len(self.path) > 2 else "")
        made = _listed([step.change for step in self.path]) if len(self.path) < 3 else made
        if self.after.rate >= LEARNS:
            return f"With {made} {_good(self.after)}."
        errors = f"the error falls from {self.before.error:.2g} to {self.after.error:.2g} of the results' spread"
        return f"Nothing that was tried makes most nets learn it; with {made} {errors}, {_good(self.after)}."

    @cached_property
    def sentences(self) -> list[str]:
        """At most three sentences, with one number each: the causes, and the single change that helps most."""
        said = [one.sentence for one in self.told if one.first][:2]
        mends = [one for one in self.tried if not one.other]
        best = next((one for one in mends if one.judged and one.rate > self.before.interval[1]), None)
        if best is not None:
            said.append(f"Of {len(mends)} single changes, {best.change} helps most: {best.words()} learn it.")
        return said[:3]

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The causes as plain data."""
        ends = ((one, *one.interval) for one in self.told)
        return [
            {"id": one.id, "share": one.share, "low": low, "high": high, "sentence": one.sentence}
            for one, low, high in ends
        ]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The ladder of single changes, the path step by step, and the path without each of its steps."""
        named = {"single changes": self.tried, "step by step": [self.before, *self.path], "without": self.without}
        return {name: _table(rows) for name, rows in named.items() if rows}

    @property
    def figures(self) -> dict[str, Any]:
        """Charts by name (Altair): what the nets do, and the ladder of changes."""
        from arithjax.diagnosis import pictures  # Altair takes half a second that text does not need

        return pictures.of(self)

    @property
    def command(self) -> str:
        """The command that trains the mended net."""
        words = ["arithjax", "fit", self.mended.op]
        for name, value in _stated(self.mended).items():
            dashed = name.replace("_", "-")
            words += (
                [f"--{'' if value else 'no-'}{dashed}"] if isinstance(value, bool) else [f"--{dashed}", _text(value)]
            )
        return shlex.join(words)

    @property
    def code(self) -> str:
        """Python that trains the mended net."""
        fields = {"op": self.mended.op, **_stated(self.mended)}
        setup = "".join(f"    {name}={value!r},\n" for name, value in fields.items())
        return f"import arithjax as aj\n\nsetup = aj.Setup(\n{setup})\nnet = aj.fit(setup)\nprint(net.row['grade'])\n"

    @cached_property
    def keras(self) -> str | None:
        """A script of its own that trains the mended net in Keras; None where Keras lacks what the net is made of."""
        with suppress(ArithjaxError):
            return export.untrained(self.mended, "keras")
        return None

    def recipes(self) -> dict[str, str]:
        """The mended net in every form in which it can be trained: a command, and code."""
        return {"As a command": self.command, "In Python": self.code} | ({"In Keras": self.keras} if self.keras else {})

    def to_dict(self) -> dict[str, Any]:
        """As plain data, which JSON holds."""
        return {
            "finding": self.finding,
            "causes": self.causes,
            "changes": [one.data() for one in self.tried],
            "path": [one.data() for one in self.path],
            "recipe": self.recipe,
            "rate": {"before": self.before.rate, "after": self.after.rate},
            "seconds": round(self.seconds, 1),
        }

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, default=_plain)

    def save(self, folder: str | Path) -> Path:
        """Write the answer as a page, `report.html`, with its figures and its table of nets; the path of the page."""
        from arithjax.diagnosis import page  # as in `figures`

        return page.write(self, Path(folder))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The answer as lines of text."""
        lines = [self.finding, "", *self.sentences]
        mends, others = ([one for one in self.tried if one.other is other] for other in (False, True))
        if ladder := [one for one in mends if one.judged][:LADDER]:
            lines += ["", f"Single changes, the best of {len(mends)}:", *_columns([self.before, *ladder])]
        if others := [one for one in others if one.rate >= LEARNS]:
            lines += ["", "Nets of another kind that learn it:", *_columns(others[:3])]
        if len(self.path) > 1:
            lines += ["", "Step by step:", *_columns([self.before, *self.path])]
        if len(self.without) > 1:
            lines += ["", "All of it but one:", *_columns(self.without)]
        if self.path and self.after.rate >= LEARNS:
            lines += ["", "The recipe:", *(f"  {line}" for line in self.diff()), "", self.command]
            if self.keras:
                lines += ["", "The same in Keras:", "", *self.keras.rstrip().splitlines()]
        if self.cut:
            lines += ["", "Time ran out before all that was planned was tried; give it more with --seconds."]
        elif self.unpaid:
            some = _listed(self.unpaid[:4]) + (f" and {len(self.unpaid) - 4} more" if len(self.unpaid) > 4 else "")
            lines += ["", f"Not tried, since --seconds pays for no more: {some}."]
        return lines

    def diff(self) -> list[str]:
        """The fields that the recipe changes, a line each: name, value as it is, and value in the recipe."""
        old = self.setup.to_dict()
        fields = difference(self.setup, self.mended)
        width = max(map(len, fields), default=0)
        return [f"{name:<{width}}  {_text(old[name])} -> {_text(value)}" for name, value in fields.items()]

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        tables = "".join(f"<h4>{name.capitalize()}</h4>{table.to_html()}" for name, table in self.tables.items())
        recipe = html.escape("\n".join([*self.diff(), "", self.command]))
        return f"<h3>{html.escape(self.finding)}</h3>{said}<pre>{recipe}</pre><details>{tables}</details>"


def _good(one: Tried) -> str:
    """How many nets learn it, or are exact, in short."""
    exact = one.exact >= LEARNS * one.nets
    return f"{100 * one.exact / one.nets:.0f} % are exact" if exact else f"{100 * one.rate:.0f} % learn it"


def _listed(names: Sequence[str]) -> str:
    """Names in a row: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _columns(rows: Sequence[Tried]) -> list[str]:
    """Rows of text: a change, the rate with its interval, the share that is exact, and the median error."""
    width = max(len(one.change) for one in rows)
    shares = [f"{100 * one.exact / one.nets:.0f} % exact" for one in rows]
    return [
        f"  {one.change:<{width}}  {one.words():>18}  {exact:>11}   error {one.error:.2g}"
        for one, exact in zip(rows, shares, strict=True)
    ]


def _table(rows: Sequence[Tried]) -> pd.DataFrame:
    columns = {
        "nets": [one.nets for one in rows],
        "learned": [one.words() for one in rows],
        "exact": [f"{one.exact / one.nets:.0%}" for one in rows],
        "median error": [f"{one.error:.2g}" for one in rows],
    }
    return pd.DataFrame(columns, index=pd.Index([one.change for one in rows], name="change"))


def _stated(setup: Setup) -> Fields:
    """The fields of a setup, but the operation, that are not as they are by default."""
    usual = Setup(op=setup.op, **{name: getattr(setup, name) for name in ("low", "high", "integers", "extrapolation")})
    ends = ("low", "high", "integers", "extrapolation")
    return {
        name: getattr(setup, name)
        for name in FIELDS
        if name != "op" and getattr(setup, name) != (DEFAULTS[name] if name in ends else getattr(usual, name))
    }


def _text(value: Any) -> str:
    """A field's value as the command line takes it."""
    shown = cell(tuple(value) if isinstance(value, list) else value)
    return f"{shown:g}" if isinstance(shown, float) and float(f"{shown:g}") == shown else str(shown)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
