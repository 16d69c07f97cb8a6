"""The answer to why a net does not learn: a finding, what it rests on, and the recipe that follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arithjax.diagnosis import page, pictures
from arithjax.diagnosis.findings import LEARNS, Findings, Tried
from arithjax.errors import ArithjaxError
from arithjax.fields import ALL
from arithjax.registry import CAUSES, OPERATIONS
from arithjax.report import recipes
from arithjax.report.answer import Answer
from arithjax.report.words import listed
from arithjax.setup import Setup
from arithjax.tables.parquet import table_bytes
from arithjax.tables.words import size
from arithjax.task.points import Task, shown

LADDER = 8
"""Single changes in the text of an answer."""


@dataclass(frozen=True)
class Why(Answer):
    """Why a net does not learn, and what makes it learn: an answer, and the findings behind it.

    What the findings hold (`arithjax.diagnosis.findings`) are attributes of the answer too: `answer.path`. `save`
    writes it as a page.
    """

    findings: Findings = field(kw_only=True)

    @classmethod
    def of(cls, found: Findings) -> Why:
        """The answer that findings amount to."""
        return cls(
            finding(found),
            sentences(found),
            pictures.along(found),
            pictures.ladders(found),
            {**_causes(found), **_ladders(found)},
            recipes.recipes(found.mended, found.setup) if found.learns else {},
            findings=found,
        )

    def __getattr__(self, name: str) -> Any:
        if name == "findings" or name.startswith("__"):  # a copy asks before there are any
            raise AttributeError(name)
        return getattr(self.findings, name)

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields of the mended setup, as plain data: `aj.Setup(**answer.recipe)`."""
        return self.findings.mended.to_dict()

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The causes as plain data."""
        ends = ((one, *one.interval) for one in self.findings.told)
        return [
            {"id": one.id, "share": one.share, "low": low, "high": high, "sentence": one.sentence}
            for one, low, high in ends
        ]

    @property
    def command(self) -> str:
        """The command that trains the mended net."""
        return recipes.command(self.findings.mended)

    @property
    def code(self) -> str:
        """Python that trains the mended net."""
        return recipes.code(self.findings.mended)

    @property
    def keras(self) -> str | None:
        """A script of its own that trains the mended net in Keras; None where Keras lacks what the net is made of."""
        return recipes.keras(self.findings.mended)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, which JSON holds."""
        return {
            "finding": self.finding,
            "causes": self.causes,
            "changes": [one.data() for one in self.findings.tried],
            "path": [one.data() for one in self.findings.path],
            "recipe": self.recipe,
            "rate": {"before": self.findings.before.rate, "after": self.findings.after.rate},
            "seconds": round(self.findings.seconds, 1),
        }

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, default=_plain)

    def save(self, folder: str | Path) -> Path:
        """Write the answer as a page, `report.html`, with its figures, its data and its table of nets; the page's path.

        Raises ArithjaxError where the folder cannot be written.
        """
        files = {"answer.json": self.to_json().encode(), "nets.parquet": table_bytes(self.findings.nets)}
        if "In Keras" in self.recipes:
            files["mended_keras.py"] = self.recipes["In Keras"].encode()
        return page.write(Path(folder), self, files, len(self.findings.nets), self.findings.seconds)

    def lines(self) -> list[str]:
        """The answer as lines of text."""
        return [self.finding, "", *self.sentences, *self._steps(), *self._recipe(), *self._untried()]

    def _steps(self) -> list[str]:
        """What single changes come to, and the path with and without each of its steps."""
        mends, others = ([one for one in self.findings.tried if one.other is other] for other in (False, True))
        ladders = {
            f"Single changes, the best of {len(mends)}:": [one for one in mends if one.judged][:LADDER],
            "Nets of another kind that learn it:": [one for one in others if one.rate >= LEARNS][:3],
            "Step by step:": self.findings.path if len(self.findings.path) > 1 else [],
            "All of it but one:": self.findings.without if len(self.findings.without) > 1 else [],
        }
        bare = [title for title in ladders if title.startswith(("Nets", "All"))]  # without the net as it is
        return [
            line
            for title, rows in ladders.items()
            if rows
            for line in ("", title, *_columns([*rows] if title in bare else [self.findings.before, *rows]))
        ]

    def _recipe(self) -> list[str]:
        if not self.findings.learns:
            return []
        keras = ["", "The same in Keras:", "", *self.keras.rstrip().splitlines()] if self.keras else []
        return [
            "",
            "The recipe:",
            *(f"  {line}" for line in recipes.diff(self.findings.setup, self.findings.mended)),
            "",
            self.command,
            *keras,
        ]

    def _untried(self) -> list[str]:
        said = self.findings.untried
        return ["", said] if said else []


def finding(found: Findings) -> str:
    """The answer in one line: what it does instead, and what the path comes to."""
    symbol = OPERATIONS[found.setup.op].symbol
    if found.before.rate >= LEARNS:
        begins = f"This net learns {symbol}: {_good(found.before)}"
    else:
        failures = [one for one in found.told if one.first >= 0.2 * one.nets and one.id not in ("learns", "beyond")]
        what = ", ".join(f"{100 * one.first / one.nets:.0f} % are {CAUSES[one.id].short}" for one in failures[:2])
        begins = f"This net does not learn {symbol}: {what or _good(found.before)}"
    return f"{begins}. {_ends(found)}"


def _ends(found: Findings) -> str:
    """What the path comes to."""
    if not found.path and found.before.rate >= LEARNS:
        return "Nothing has to be changed."
    if found.best and not found.learns and found.best.rate >= LEARNS:
        return f"With {found.best.change} {_good(found.best)}."
    if not found.path:
        return "Nothing that was tried helps." if found.tried else "There was no time to try a change."
    made = _made(found.path)
    if found.learns:
        return f"With {made} {_good(found.after)}."
    if found.after.error >= found.before.error:
        return "Nothing that was tried makes most nets learn it."
    errors = f"the error falls from {size(found.before.error)} to {size(found.after.error)} of the results' spread"
    return f"Nothing that was tried makes most nets learn it; with {made} {errors}, {_good(found.after)}."


def _made(path: Sequence[Tried]) -> str:
    """The changes of a path: both of two, or the first of more and their number."""
    if len(path) < 3:
        return listed([step.change for step in path])
    return f"{path[0].change} and {len(path) - 1} more changes"


def sentences(found: Findings) -> list[str]:
    """At most three sentences: the causes, the single change that helps most, and whether nets may know it by heart."""
    heart = _by_heart(found)
    said = [one.sentence for one in found.told if one.first][: 2 - len(heart)]
    mends = [one for one in found.tried if not one.other]
    if found.best:
        said.append(f"Of {len(mends)} single changes, {found.best.change} helps most: {found.best.words()} learn it.")
    return [*said, *heart]


def _by_heart(found: Findings) -> list[str]:
    """A sentence where nets that learn are given codes of numbers, or data, and are judged on what they were shown."""
    setup = found.mended
    task = Task.of(setup)
    if found.after.rate < LEARNS or task.apart:
        return []
    if task.op.data and setup.input_encoder is None:
        return [
            "Nets are judged on rows that they were trained on; with holdout=0.2 on others that they are not shown."
        ]
    if setup.input_encoder is None or not task.arguments or shown(setup) < task.arguments:
        return []
    said = f"Nets are shown most of the {task.arguments:,} arguments in training, and may know their results by heart"
    if not (advice := _halved(setup)):
        return [f"{said}."]
    fields = listed(f"{name}={value}" for name, value in advice.items())
    return [f"{said}; with {fields} they are judged on a half that they are not shown."]


def _halved(setup: Setup) -> dict[str, Any]:
    """The fields that hold half of all arguments out of training; none where these are too many for a table."""
    fields: dict[str, Any] = {"holdout": 0.5} if OPERATIONS[setup.op].data else {"split": 0.5}
    if setup.fresh:
        fields |= {"examples": ALL, "fresh": False}
    try:
        setup.replace(**fields)
    except ArithjaxError:
        return {}
    return fields


def _ladders(found: Findings) -> dict[str, pd.DataFrame]:
    """The ladder of single changes, the path step by step, and the path without each of its steps."""
    named = {
        "Each change alone": found.tried,
        "Step by step": [found.before, *found.path],
        "All but one": found.without,
    }
    return {name: _table(rows) for name, rows in named.items() if rows}


def _causes(found: Findings) -> dict[str, pd.DataFrame]:
    """What the nets do instead, all of it."""
    told = pd.DataFrame({"nets": [one.count for one in found.told]}, [one.sentence for one in found.told])
    return {"What the nets do": told.rename_axis("cause")} if found.told else {}


def _good(one: Tried) -> str:
    """How many nets learn it, or are exact, in short."""
    exact = one.exact >= LEARNS * one.nets
    return f"{100 * one.exact / one.nets:.0f} % are exact" if exact else f"{100 * one.rate:.0f} % learn it"


def _columns(rows: Sequence[Tried]) -> list[str]:
    """Rows of text: a change, the rate with its interval, the share that is exact, and the median error."""
    width = max(len(one.change) for one in rows)
    shares = [f"{100 * one.exact / one.nets:.0f} % exact" for one in rows]
    return [
        f"  {one.change:<{width}}  {one.words():>18}  {exact:>11}   error {size(one.error)}"
        for one, exact in zip(rows, shares, strict=True)
    ]


def _table(rows: Sequence[Tried]) -> pd.DataFrame:
    columns = {
        "nets": [one.nets for one in rows],
        "learned": [one.words() for one in rows],
        "exact": [f"{one.exact / one.nets:.0%}" for one in rows],
        "median error": [size(one.error) for one in rows],
    }
    return pd.DataFrame(columns, index=pd.Index([one.change for one in rows], name="change"))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
