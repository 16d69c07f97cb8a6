"""Combinations: what a study has to try of changes of a setup, each alone and some of them in every combination."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from arithjax.diagnosis.answer import Why
from arithjax.diagnosis.changes import Change, changes_of, difference, together
from arithjax.diagnosis.evidence import Evidence, observe
from arithjax.diagnosis.findings import Findings, Tried, told
from arithjax.errors import ArithjaxError, nearest
from arithjax.registry import OPERATIONS
from arithjax.report import picture
from arithjax.report.answer import Answer
from arithjax.report.words import brief, listed
from arithjax.setup import DEFAULTS, FIELDS, Setup
from arithjax.tables import groups, statistics
from arithjax.tables.loading import setup_of
from arithjax.training.planning import plan
from arithjax.training.tile import NetId

Asked = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""A change: what `arithjax why` calls it, or fields with their values; or several changes made together."""

WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOST = len(WORDS) - 1
"""Changes that are tried in every combination, at most: 512 setups."""
SHOWN = 16
"""Combinations that are drawn."""

Of = Mapping[str, pd.DataFrame]
"""The nets of one operation, by what was changed."""


class Combinations:
    """Changes of a setup for a study to try: some in every combination, others beside them.

    A change is what `arithjax why` calls it, such as `layer 2 square`, or fields with their values; several that are
    made together stand in a tuple.

    setup: what is changed.
    fixes: changes that are tried in every combination, by what the study calls them.
    others: changes that are tried beside these, likewise.

    setups: what there is to try, by what it is called: `none`, the combinations of fixes as `a + b`, `all but a` and
    `all six`, and the others. single: what of it is one change alone.

    Raises `ArithjaxError` for a change that there is not, or that the setup does not allow.
    """

    def __init__(self, setup: Setup, fixes: Mapping[str, Asked], others: Mapping[str, Asked] = MappingProxyType({})):
        if len(fixes) > MOST:
            raise ArithjaxError(f"fixes has {len(fixes)} changes, too many for every combination; give {MOST} at most.")
        self.fixes = tuple(fixes)
        self.sets = [names for count in range(len(fixes) + 1) for names in itertools.combinations(fixes, count)]
        known = {change.name: change for change in changes_of(setup)}
        made = {name: _parts(name, asked, known) for name, asked in {**fixes, **others}.items()}
        alone = {name: _changed(setup, name, parts) for name, parts in made.items()}
        sets = {self.called(names): [part for name in names for part in made[name]] for names in self.sets}
        self.setups = {name: _changed(setup, name, parts) for name, parts in sets.items()}
        self.setups |= {name: alone[name] for name in others}
        self.single = [name for name in made if len(made[name]) == 1]

    def called(self, names: Sequence[str]) -> str:
        """What a combination of fixes is called, in whatever order they are given."""
        missing = [name for name in self.fixes if name not in names]
        if len(missing) < 2 and len(names) > 1:
            return f"all but {missing[0]}" if missing else f"all {WORDS[len(self.fixes)]}"
        return " + ".join(name for name in self.fixes if name in names) or "none"

    def suggest(self, trial: Any, ops: Sequence[str]) -> Setup:
        """The setup of a trial, which chooses an operation, `op`, and what is changed, `change`."""
        op = trial.suggest_categorical("op", list(ops))
        return self.setups[trial.suggest_categorical("change", list(self.setups))].replace(op=op)

    def of(self, nets: pd.DataFrame, op: str) -> dict[str, pd.DataFrame]:
        """The nets of an operation in the study's table, by what was changed; an unknown error is infinite.

        Raises `ArithjaxError` where some combination of fixes has no nets, as in a study of too few trials, or where
        there are none of the operation.
        """
        if op not in (ops := set(nets["op"])):
            raise ArithjaxError(f"the table has no nets of {op}; it has some of {listed(sorted(ops))}.")
        nets = nets.assign(relative_rmse=nets["relative_rmse"].fillna(np.inf))
        of = dict(list(nets[nets["op"] == op].groupby("change", sort=False)))
        called = [self.called(names) for names in self.sets]
        if missing := [name for name in called if name not in of]:
            raise ArithjaxError(
                f"the table has no nets of {op} for {len(missing)} of {len(called)} combinations, such as "
                f"'{missing[0]}'; run the study without --trials, which trains all."
            )
        return of

    def singles(self, of: Of) -> list[str]:
        """The single changes that were tried; of several that come to the same setup the last."""
        return list({self.setups[name]: name for name in self.single if name in of}.values())

    def ranked(self, of: Of) -> list[tuple[str, ...]]:
        """The combinations of fixes, the best first."""
        return sorted(self.sets, key=lambda names: quality(of[self.called(names)]), reverse=True)

    def path(self, of: Of) -> list[tuple[str, ...]]:
        """The fixes one after another, from none to all, in the order whose combinations on the way learn most."""
        ways: dict[frozenset[str], tuple[tuple[float, float], list[tuple[str, ...]]]] = {}
        for names in self.sets:  # those of fewer fixes come first
            here = quality(of[self.called(names)])
            before = [(*ways[frozenset(names) - {last}], last) for last in names]
            total, way, last = max(before, key=lambda found: found[0], default=((0, 0.0), [], ""))
            step = (*way[-1], last) if way else ()
            ways[frozenset(names)] = (total[0] + here[0], total[1] + here[1]), [*way, step]
        return ways[frozenset(self.fixes)][1]

    def answer(self, nets: pd.DataFrame, op: str, seed: int = 0, note: str = "") -> Answer:
        """What `arithjax why` answers, from the study's table: why its nets do not learn, and what makes them learn.

        The nets of the setup as it is, and of the mended one, are trained once more, and what they do is recorded. The
        mended setup is the best on the way from none to all fixes. Rates are of all nets of the table, the same that
        chose the best: it is for studies of many seeds.

        Args:
            nets: the study's table.
            op: the operation that is asked about; the ladder has a panel of each other one.
            seed: the root of all randomness, as the study has it.
            note: a sentence of the study's own, which follows the last one.

        Raises:
            ArithjaxError: some combination of fixes has no nets, as in a study of too few trials, or the operation has
                none.
        """
        nets = groups.distinct(nets)
        of = self.of(nets, op)
        found = self.findings(of, seed)
        why = Why.of(found)
        *first, last = [*why.sentences] or [""]
        return Answer(
            why.finding,
            [*first, f"{last} {note}".strip()],
            why.picture,
            [self._ladder(nets, of, found), *self._charts(of, found)],
            {**why.tables, "Every change": _of_every_change(nets)},
            why.recipes,
        )

    def findings(self, of: Of, seed: int = 0) -> Findings:
        """What was found out about the setup, whose nets of one operation are given by what was changed."""
        setups = {called: setup_of(some.iloc[0]) for called, some in of.items()}  # as they were trained

        def tried(name: str, called: str) -> Tried:
            return Tried.of(name, difference(setups["none"], setups[called]), of[called], judged=True)

        way = self._way(of)
        names = way[-1]
        singles = [tried(name, name) for name in self.singles(of)]
        evidence, seen = (_seen(of[called], setups[called], seed) for called in ("none", self.called(names)))
        less = {name: self.called([other for other in names if other != name]) for name in names}
        start, end = (setups[called].replace(tests=DEFAULTS["tests"]) for called in ("none", self.called(names)))
        return Findings(
            setup=start,
            mended=end,
            before=tried("as it is", "none"),
            told=told(evidence),
            tried=sorted(singles, key=lambda one: one.place),
            path=[tried(step[-1], self.called(step)) for step in way[1:]],
            without=[tried(f"without {name}", called) for name, called in less.items()],
            unpaid=(),
            evidence=evidence,
            seen=seen,
            nets=pd.concat(of.values()),
            seconds=0.0,
        )

    def _way(self, of: Of) -> list[tuple[str, ...]]:
        """The path as far as its best combination."""
        path = self.path(of)
        best = max(range(len(path)), key=lambda i: quality(of[self.called(path[i])]))
        return path[: best + 1]

    def _ladder(self, nets: pd.DataFrame, of: Of, found: Findings) -> picture.Picture:
        """The fixes one after another, a panel an operation."""
        ladder = {"as it is": "none"} | {names[-1]: self.called(names) for names in self.path(of)[1:]}
        orders, symbol = math.factorial(len(self.fixes)), OPERATIONS[found.setup.op].symbol
        return picture.dots(
            *("ladder", f"Step by step: {brief(found.after.rate)} learn {symbol} at best"),
            {label: nets[nets["change"] == change] for label, change in ladder.items()},
            about=f"Each row has all changes above it as well, in that of all {orders:,} orders whose nets learn "
            f"{symbol} most often. Whiskers: 95 % intervals.",
        )

    def _charts(self, of: Of, found: Findings) -> list[picture.Picture]:
        """The single changes in their crowd, and the best combinations."""
        symbol = OPERATIONS[found.setup.op].symbol
        shown = {names: of[self.called(names)] for names in self.ranked(of)[:SHOWN]}
        return [
            self._crowd(found, symbol),
            picture.sets(
                *("together", self._needed(of, found) or "Combinations", shown),
                f"The best {len(shown)} of all {len(self.sets)} combinations, for {symbol}.",
            ),
        ]

    def _crowd(self, found: Findings, symbol: str) -> picture.Picture:
        """Every single change, a dot each."""
        best = found.best
        rows = [[one.change, one.error, one.rate, one is best] for one in found.tried]
        crowd = pd.DataFrame(rows, columns=["what", "x", "y", "named"])
        alone = best and all(one is best or one.rate < best.interval[0] for one in found.tried)
        says = f"{best.change} {'stands out' if alone else 'helps most'}" if best else "none helps"
        return picture.scatter(
            *("alone", f"Of {len(rows)} single changes, {says}", crowd),
            *(f"Each dot is one change made alone, for {symbol}.", "median error, relative", "nets that learn it"),
        )

    def _needed(self, of: Of, found: Findings) -> str:
        """That the best single change is in every combination with which some net learns; empty where it is not so."""
        learning = [names for names in self.sets if statistics.success(of[self.called(names)]).any()]
        if found.best is None or not learning or not all(found.best.change in names for names in learning):
            return ""
        return f"Every combination that learns has {found.best.change}"


def _seen(rows: pd.DataFrame, setup: Setup, seed: int) -> Evidence:
    """What nets of a setup do, recorded while they are trained once more."""
    return observe(setup, rows, plan([NetId(0, int(one), setup) for one in rows["seed"]], 1), seed)


def _of_every_change(nets: pd.DataFrame) -> pd.DataFrame:
    """What nets come to, by what was changed and the operation."""
    columns = ["nets", "rate", "rate_low", "rate_high", "relative_rmse"]
    return statistics.summarise(nets, ["change", "op"])[columns]


def quality(nets: pd.DataFrame) -> tuple[int, float]:
    """How good some nets are; what is better is larger: how many learn it, and by how little the median one misses."""
    return int(statistics.success(nets).sum()), -float(nets["relative_rmse"].median())


def _parts(name: str, asked: Asked, known: Mapping[str, Change]) -> list[Change]:
    """The changes that are asked for under a name."""
    parts = []
    for one in [asked] if isinstance(asked, str | Mapping) else asked:
        if isinstance(one, Mapping):
            parts.append(_of_fields(name, dict(one)))
        elif one in known:
            parts.append(known[one])
        else:
            raise ArithjaxError(f"{name}: there is no change '{one}'{nearest(one, known)}")
    return parts


def _of_fields(name: str, fields: dict[str, Any]) -> Change:
    """A change that replaces fields."""
    if unknown := [field for field in fields if field not in FIELDS]:
        raise ArithjaxError(f"{name}: unknown field '{unknown[0]}' of a setup{nearest(unknown[0], FIELDS)}")
    return Change(name, f"fields of {name}", lambda setup: fields)


def _changed(setup: Setup, name: str, parts: Sequence[Change]) -> Setup:
    """A setup with changes made in the order of their kinds; raises `ArithjaxError` where that is not allowed."""
    ordered = together(tuple(parts), ())
    if ordered is None:
        raise ArithjaxError(f"{name}: two of its changes are of one kind, of which each undoes the other.")
    try:
        for change in ordered:
            setup = change.apply(setup)
    except ArithjaxError as error:
        raise ArithjaxError(f"{name}: {error}") from None
    return setup
