"""Findings: causes and changes with how many nets each holds for, as they come out of the experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from arithjax.diagnosis.causes import detected, first_of_each
from arithjax.diagnosis.changes import Fields
from arithjax.diagnosis.evidence import Evidence
from arithjax.registry import CAUSES
from arithjax.report.words import listed, percent
from arithjax.setup import Setup
from arithjax.tables import statistics


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


def told(seen: Evidence) -> list[Told]:
    """The causes that hold for any net, the most frequent first."""
    found = detected(seen)
    first, nets = first_of_each(found), len(seen.rows)
    causes = []
    for name, holds in found.items():
        low, high = statistics.wilson(holds.sum(), nets)
        share = percent(float(holds.mean()), float(low), float(high))
        sentence = f"{share} of the nets {CAUSES[name].words(seen, holds)}."
        causes.append(Told(name, int(holds.sum()), int(first.get(name, np.zeros(1)).sum()), nets, sentence))
    return sorted(causes, key=lambda one: (-one.first, -one.count))


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

    @property
    def place(self) -> tuple[bool, float, float, float]:
        """What changes are sorted by, the best first: judged or not, nets that learn, that are exact, and error."""
        return not self.judged, -self.rate, -self.exact / self.nets, self.error

    def data(self) -> dict[str, Any]:
        """As plain data."""
        low, high = self.interval
        return {"change": self.change, "fields": self.fields, "rate": self.rate, "low": low, "high": high}

    def words(self) -> str:
        """The rate with its interval."""
        return percent(self.rate, *self.interval)


LEARNS = 0.5
"""The share of nets that has to learn for an answer to say that it learns."""


@dataclass(frozen=True)
class Findings:
    """What was found out about a net: why it does not learn, and what makes it learn.

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
    def best(self) -> Tried | None:
        """The single change of the net itself that helps most, the path's own if others are as good; None if none."""
        better = [one for one in self.tried if one.judged and not one.other and one.rate > self.before.interval[1]]
        equal = [one for one in better if (one.rate, one.exact) == (better[0].rate, better[0].exact)]
        first = self.path[0].change if self.path else None
        return next((one for one in equal if one.change == first), equal[0] if equal else None)

    @property
    def untried(self) -> str:
        """What there was no time for, a sentence; empty if there was time for all."""
        if self.cut:
            return "Time ran out before all that was planned was tried; give it more seconds."
        some = listed([*self.unpaid[:4], *([f"{len(self.unpaid) - 4} more"] if len(self.unpaid) > 4 else [])])
        return f"Not tried, since the seconds pay for no more: {some}." if self.unpaid else ""

    @property
    def learns(self) -> bool:
        """Whether there are changes with which most nets learn."""
        return bool(self.path) and self.after.rate >= LEARNS

    @property
    def after(self) -> Tried:
        """What comes of the whole path; of the net as it is where nothing helps."""
        return self.path[-1] if self.path else self.before
