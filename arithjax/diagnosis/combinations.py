"""Combinations: what a study has to try of changes of a setup, each alone and some of them in every combination."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from arithjax.diagnosis.changes import Change, changes_of, together
from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import FIELDS, Setup
from arithjax.tables import statistics

Asked = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""A change: what `arithjax why` calls it, or fields with their values; or several changes made together."""

WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOST = len(WORDS) - 1
"""Changes that are tried in every combination, at most: 512 setups."""

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
        if len(missing) < 2:
            return f"all but {missing[0]}" if missing else f"all {WORDS[len(self.fixes)]}"
        return " + ".join(name for name in self.fixes if name in names) or "none"

    def suggest(self, trial: Any, ops: Sequence[str]) -> Setup:
        """The setup of a trial, which chooses an operation, `op`, and what is changed, `change`."""
        op = trial.suggest_categorical("op", list(ops))
        return self.setups[trial.suggest_categorical("change", list(self.setups))].replace(op=op)

    def of(self, nets: pd.DataFrame, op: str) -> dict[str, pd.DataFrame]:
        """The nets of an operation in the study's table, by what was changed; an unknown error is infinite.

        Raises `ArithjaxError` where some combination of fixes has no nets, as in a study of too few trials.
        """
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

    def best(self, of: Of) -> str:
        """The single change with which most nets learn; of several the one with the smallest median error."""
        return max(self.singles(of), key=lambda name: quality(of[name]))

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

    def crowd(self, of: Of) -> pd.DataFrame:
        """The single changes for `aj.scatter`: their median error and the share that learns; the best one is named."""
        best = self.best(of)
        tried = {one: of[one] for one in self.singles(of)}
        rows = [
            [one, nets["relative_rmse"].median(), nets["success"].mean(), one == best] for one, nets in tried.items()
        ]
        return pd.DataFrame(rows, columns=["what", "x", "y", "named"])


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
