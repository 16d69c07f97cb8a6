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
from arithjax.diagnosis.findings import Findings, Tried
from arithjax.errors import ArithjaxError
from arithjax.fields import cell
from arithjax.registry import CAUSES, OPERATIONS
from arithjax.setup import DEFAULTS, FIELDS, Setup
from arithjax.tables.parquet import table_bytes

LEARNS = 0.5
"""The share of nets that has to learn for an answer to say that it learns."""
LADDER = 8
"""Single changes in the text of an answer."""


@dataclass(frozen=True)
class Answer(Findings):
    """Findings as an answer: `print` shows it, and a notebook by itself; `save` writes it as a page."""

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
        """Write the answer as a page, `report.html`, with its figures, its data and its table of nets; the page's path.

        Raises ArithjaxError where the folder cannot be written.
        """
        from arithjax.diagnosis import page  # as in `figures`

        files = {"answer.json": self.to_json().encode(), "nets.parquet": table_bytes(self.nets)}
        if self.path and self.keras:
            files["mended_keras.py"] = self.keras.encode()
        rows = [line.split("  ", 1) for line in self.diff()]
        shown = [(name, *(side.strip() for side in sides.split(" -> "))) for name, sides in rows]
        tables = {name: table.to_html(border=0) for name, table in self.tables.items()}
        fields = {"answer": self, "rows": shown, "recipe": self.recipes(), "tables": tables}
        return page.write(Path(folder), files, self.figures, fields)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The answer as lines of text."""
        return [self.finding, "", *self.sentences, *self._ladders(), *self._recipe(), *self._untried()]

    def _ladders(self) -> list[str]:
        """What single changes come to, and the path with and without each of its steps."""
        mends, others = ([one for one in self.tried if one.other is other] for other in (False, True))
        ladders = {
            f"Single changes, the best of {len(mends)}:": [one for one in mends if one.judged][:LADDER],
            "Nets of another kind that learn it:": [one for one in others if one.rate >= LEARNS][:3],
            "Step by step:": self.path if len(self.path) > 1 else [],
            "All of it but one:": self.without if len(self.without) > 1 else [],
        }
        bare = [title for title in ladders if title.startswith(("Nets", "All"))]  # without the net as it is
        return [
            line
            for title, rows in ladders.items()
            if rows
            for line in ("", title, *_columns([*rows] if title in bare else [self.before, *rows]))
        ]

    def _recipe(self) -> list[str]:
        if not self.path or self.after.rate < LEARNS:
            return []
        keras = ["", "The same in Keras:", "", *self.keras.rstrip().splitlines()] if self.keras else []
        return ["", "The recipe:", *(f"  {line}" for line in self.diff()), "", self.command, *keras]

    def _untried(self) -> list[str]:
        if self.cut:
            return ["", "Time ran out before all that was planned was tried; give it more with --seconds."]
        if not self.unpaid:
            return []
        some = _listed(self.unpaid[:4]) + (f" and {len(self.unpaid) - 4} more" if len(self.unpaid) > 4 else "")
        return ["", f"Not tried, since --seconds pays for no more: {some}."]

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
