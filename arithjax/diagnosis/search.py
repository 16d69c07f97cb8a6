"""The search for what makes a net learn: single changes, changes that only work together, and the cheapest path.

All single changes are raced, with them a bundle of usual mends; a beam of good first changes of different kinds is
carried on, since what helps a little first may lead nowhere. The best set is then reduced to what it needs, and put in
order. Nothing here judges: rates come from fresh seeds afterwards (`arithjax.diagnosis.why`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from arithjax.diagnosis.changes import Change, Changes, applied, changes_of, together
from arithjax.diagnosis.race import CHOOSERS, GROUP, Race
from arithjax.setup import Setup
from arithjax.tables import statistics
from arithjax.task.points import Task

FIRST, LATER, OTHER, LEVELS = 0.3, 0.1, 0.12, 3
"""Shares of the budget: for single changes, for each further level, and for nets of another kind; further levels."""
BEAM, FINAL = 4, 8
"""Sets of changes that are carried on, and that get more seeds."""
ENOUGH = 0.9
"""The share of nets that has to learn, or be exact, for a search to end."""
EQUAL = 0.06
"""Difference of merit that a search ignores: of setups this near to the best, the cheapest is taken."""
DEAR = 0.1
"""Merit that ten times the price has to bring."""
SHORTEST = 20
"""The largest part of the steps that a first look may leave out, as a divisor."""


@dataclass
class Found:
    """What a search has found.

    singles: every single change that was tried, with its setup. path: the changes of the answer, in order; empty where
    none helps. unpaid: changes that were left out, since they cost more than the budget allows.
    """

    singles: dict[Change, Setup]
    path: Changes
    unpaid: list[str] = field(default_factory=list)


class Search:
    """A search from one setup.

    setup: the net as it is. race: what trains. first: the kinds of changes to try first, as the causes propose.
    """

    def __init__(self, setup: Setup, race: Race, first: Sequence[str] = ()):
        self.setup, self.race, self.first = setup, race, first
        singles = sorted(changes_of(setup), key=lambda change: _rank(change, first))
        alone = {change: applied(setup, (change,)) or setup for change in singles}
        self.singles = {change: one for change, one in alone.items() if not change.other}
        self.others = {change: one for change, one in alone.items() if change.other}
        self.listed = [*self.singles, *self.others]
        self.states: dict[Setup, Changes] = {setup: ()}
        self.base_price = race.price_again(setup)
        self.countable = not Task.of(setup).uncertain
        self.unpaid: list[str] = []

    def run(self) -> Found:
        """Search until enough nets learn, or the budget ends."""
        self.race.train([self.setup], CHOOSERS)
        proposed = [(change,) for change in self.singles if _rank(change, self.first) < len(self.first)]
        self._heat([*proposed, *self._bundles(), *((change,) for change in self.singles)], FIRST)
        best = self.best()
        for _ in range(LEVELS):
            if self.enough(best) or self.race.budget.over:
                break
            before = self.race.score(best)
            self._heat(self._extended(), LATER)
            best = self.best()
            if self.race.score(best) < before + EQUAL / 2:
                break
        path = self._ordered(self._reduced(self.states[best]))
        self._heat([(change,) for change in self.others], OTHER)
        if not self.learns(best) and self.learns(self.best()):
            path = self.states[self.best()]
        tried = {c: one for c, one in {**self.singles, **self.others}.items() if len(self.race.nets(one))}
        return Found(tried, path, self.unpaid)

    def best(self) -> Setup:
        """The cheapest of the setups that are as good as the best; only finalists count, unless time ran out."""
        fewest = GROUP if self.race.budget.over else GROUP * len(CHOOSERS)
        finalists = [one for one in self.states if len(self.race.nets(one)) >= fewest] or [self.setup]
        top = max(map(self.value, finalists))
        near = [one for one in finalists if self.value(one) >= top - EQUAL]
        return min(near, key=self._cost)

    def _cost(self, setup: Setup) -> tuple[float, int, int]:
        """What decides between setups that learn equally: price, then fewer changes, then those listed first."""
        changes = self.states[setup]
        price = round(math.log10(self.race.price_again(setup)), 1)
        return price, len(changes), sum(map(self.listed.index, changes))

    def value(self, setup: Setup) -> float:
        """The merit of a setup less what its price has to bring."""
        dearer = math.log10(max(self.race.price_again(setup) / self.base_price, 1))
        return self.race.score(setup) - DEAR * dearer

    def enough(self, setup: Setup) -> bool:
        """Whether a setup needs no further change."""
        nets = self.race.nets(setup)
        good = nets["grade"] == "exact" if self.countable else statistics.success(nets)
        return bool(good.mean() >= ENOUGH)

    def learns(self, setup: Setup) -> bool:
        """Whether most nets of a setup learn."""
        return bool(statistics.success(self.race.nets(setup)).mean() >= 0.5)

    def _bundles(self) -> list[Changes]:
        """The usual mends together, alone, with each activation, and with one in one layer and all others linear."""
        usual: Changes = ()
        for change in self.singles:
            if change.helper and change.kind in ("output", "transforms", "rate"):
                usual = together(usual, (change,)) or usual
        shapes: list[Changes] = [(change,) for change in self.singles if change.kind == "activation"]
        linear = next((shape for shape in shapes if shape[0].name == "all layers linear"), ())
        layers = [change for change in self.singles if change.kind.startswith("layer ")]
        shapes += [both for change in layers if (both := together(linear, (change,)))]
        return [usual, *(both for shape in shapes if (both := together(usual, shape)))] if usual else []

    def _extended(self) -> list[Changes]:
        """Each set of the beam with each partner."""
        partners, beam = self._partners(), self._beam()
        pairs = (together(changes, (partner,)) for changes in beam for partner in partners)
        return [pair for pair in pairs if pair]

    def _beam(self) -> list[Changes]:
        """The best sets of changes, no two of the same kinds."""
        kept: dict[tuple[str, ...], Changes] = {}
        for setup in sorted(self.states, key=self.value, reverse=True):
            changes = self.states[setup]
            if changes and len(self.race.nets(setup)):
                kept.setdefault(tuple(change.kind for change in changes), changes)
        return list(kept.values())[:BEAM]

    def _partners(self) -> list[Change]:
        """Helpers, and the best single changes of each kind."""
        best: dict[str, Change] = {}
        for change in sorted(self.singles, key=lambda change: self.value(self.singles[change]), reverse=True):
            best.setdefault(change.kind, change)
        return list(dict.fromkeys([*(change for change in self.singles if change.helper), *best.values()]))

    def _heat(self, sets: Iterable[Changes], share: float) -> None:
        """Train what a share of the budget pays for, then the best of it from more seeds."""
        setups = self._enter(sets)
        chosen = self._first_look(setups, share / 2)
        paid = self.race.affordable(chosen, share * 0.7)
        self.unpaid += [self.states[one][0].name for one in chosen if one not in paid and len(self.states[one]) == 1]
        self.race.train(paid)
        top = sorted(self.states, key=self.value, reverse=True)[:FINAL]
        self.race.train(self.race.affordable(top, share * 0.15), CHOOSERS)

    def _enter(self, sets: Iterable[Changes]) -> list[Setup]:
        """The new setups that sets of changes lead to; of several sets that lead to one, the shortest counts."""
        new = []
        for changes in sets:
            setup = applied(self.setup, changes)
            if setup is not None and setup not in self.states and math.isfinite(self.race.price(setup)):
                self.states[setup] = changes
                new.append(setup)
        return new

    def _first_look(self, setups: list[Setup], share: float) -> list[Setup]:
        """The setups, the more promising first; where they cost too much, after training them a part of the steps."""
        prices = [self.race.price(one) for one in setups]
        part = sum(prices) / (2 * share * self.race.budget.total)
        if part <= 1 or self.setup.until or all(self.states[one][0].other for one in setups):
            return setups
        divisor = min(SHORTEST, math.ceil(2 * part))
        short = {one: one.replace(until=max(1, one.steps // divisor)) for one in setups}
        self.race.train(self.race.affordable(short.values(), share))
        return sorted(setups, key=lambda one: (-self.race.score(short[one]), self.race.price(one)))

    def _reduced(self, changes: Changes) -> Changes:
        """The changes without those that it does as well without, or well enough."""
        while len(changes) > 1 and not self.race.budget.over:
            whole = self._value_of(changes)
            less = [changes[:i] + changes[i + 1 :] for i in range(len(changes))]
            self._train_all(less)
            best = max(less, key=self._value_of)
            without = applied(self.setup, best)
            enough = without is not None and len(self.race.nets(without)) and self.enough(without)
            if self._value_of(best) < whole - EQUAL and not enough:
                break
            changes = best
        return changes

    def _ordered(self, changes: Changes) -> Changes:
        """The changes in the order in which each next one helps most, of equal ones that which is proposed first."""
        path: Changes = ()
        while len(path) < len(changes) - 1 and not self.race.budget.over:
            left = [change for change in self.listed if change in changes and change not in path]
            steps = {change: tuple(one for one in changes if one in (*path, change)) for change in left}
            self._train_all(list(steps.values()))
            values = {change: self._value_of(made) for change, made in steps.items()}
            path = (*path, next(change for change in left if values[change] >= max(values.values()) - EQUAL))
        return (*path, *(change for change in changes if change not in path))

    def _train_all(self, sets: list[Changes]) -> None:
        self._enter(sets)
        setups = [setup for changes in sets if (setup := applied(self.setup, changes)) is not None]
        self.race.train(setups, CHOOSERS)

    def _value_of(self, changes: Changes) -> float:
        setup = applied(self.setup, changes)
        return -np.inf if setup is None else self.value(setup)


def in_kinds(changes: Sequence[Change]) -> Changes:
    """Changes of a path in the order in which they are made."""
    made: Changes = ()
    for change in changes:
        made = together(made, (change,)) or made
    return made


def _rank(change: Change, first: Sequence[str]) -> int:
    base = change.kind.partition(" ")[0]
    return first.index(base) if base in first else len(first)
