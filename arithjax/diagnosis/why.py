"""`why`: what a net does instead of learning, and what makes it learn, found by experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from arithjax.diagnosis.answer import Why
from arithjax.diagnosis.causes import detected, first_of_each
from arithjax.diagnosis.changes import Change, Changes, applied, difference
from arithjax.diagnosis.evidence import Effect, Evidence, observe
from arithjax.diagnosis.findings import Findings, Tried, told
from arithjax.diagnosis.race import GROUP, JUDGING, Budget, Race
from arithjax.diagnosis.search import Found, Search, in_kinds
from arithjax.errors import ArithjaxError, check_count, check_seed
from arithjax.registry import CAUSES
from arithjax.report.words import listed
from arithjax.setup import Setup
from arithjax.tables.schema import in_order
from arithjax.training.callbacks import Callback, Evaluation

LOOK, JUDGE = 0.08, 0.25
"""Shares of the budget for recording the net as it is, and for judging what was chosen."""
SEARCHED = 0.75
"""The share of the time after which a search ends, whatever it was planned to try."""
SHOWN = 6
"""Single changes that are judged on fresh seeds."""

Say = Callable[[str], None]


def why(
    setup: Setup,
    seconds: float = 60,
    seeds: int = 96,
    seed: int = 0,
    patience: float = 1.0,
    say: Say = lambda words: None,
    callback: Callable[[Evaluation], object] | None = None,
) -> Why:
    """Why a net does not learn, and what makes it learn.

    Its nets are trained and named by what they do instead; every single change that the registries allow is raced, then
    changes together; what is chosen is trained again from seeds that took no part in choosing, and all rates of
    chosen changes are theirs.

    Args:
        setup: the net as it is.
        seconds: what may be spent, counted as work that two cores do in this time, starting included. Which changes
            are tried follows from this count alone, unless time runs out on a slower machine. The shortest answer, of
            the net as it is and of one change that is judged, takes about 10.
        seeds: nets that judge the net as it is and every chosen change; rounded up to a multiple of 16.
        seed: the root of all randomness.
        patience: how many times longer than `seconds` it may take, where the machine is busy with other work.
        say: is given a line about what is done next.
        callback: called after each evaluation of nets that train, with an `aj.Evaluation`, as in `aj.train`. A net's
            `trial` is the number of its setup, there as in the answer's `nets`.

    Returns:
        The answer, which shows itself in a notebook; `print` writes it as text.

    Raises:
        ArithjaxError: an argument is not allowed.
    """
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"setup is a {type(setup).__name__}; it has to be an arithjax Setup.")
    check_count("seeds", seeds)
    check_seed(seed)
    for name, value in (("seconds", seconds), ("patience", patience)):
        if not (isinstance(value, int | float) and 0 < value < 1e9):
            raise ArithjaxError(f"{name}={value} is not allowed; it has to be a number above 0.")
    race = Race(Budget(seconds, patience), seed, Callback(callback))
    say("Training the net as it is.")
    rows, seen = _look(setup, race, -(-seeds // GROUP))
    say("Trying every change alone, and several together.")
    race.budget.share = min(SEARCHED, _before(setup, race, 3))
    found = Search(setup, race, _remedies(seen)).run()
    cut, race.budget.share = race.budget.over, _before(made(setup, found.path), race, 2)
    seen.effects.update(_effects(setup, race, found))
    say("Judging what was chosen on fresh seeds.")
    findings = _judged(setup, race, found, rows, seen, -(-seeds // GROUP))
    return Why.of(replace(findings, cut=cut or race.budget.over))


def _look(setup: Setup, race: Race, groups: int) -> tuple[pd.DataFrame, Evidence]:
    """The rows of the nets as they are, and what is recorded of as many of them as a share of the budget pays for."""
    paid = max(1, min(groups, int(LOOK * race.budget.total / (2 * race.price_again(setup)))))
    race.train([setup], range(paid), even_late=True)
    rows = race.nets(setup, range(paid))
    return rows, observe(setup, rows, race.tiles([(setup, group) for group in range(paid)]), race.root)


def _before(setup: Setup, race: Race, trainings: int) -> float:
    """The share of the time that is over when so many groups can still be trained, one after another.

    After a search these are one that is under way, and the mended nets, which are trained to be judged and once more to
    be watched. A quarter of the time is for searching in any case.
    """
    return max(0.25, 1 - trainings * race.price_again(setup) / race.budget.seconds)


def _remedies(seen: Evidence) -> list[str]:
    """The kinds of changes that the causes propose, those of the most frequent cause first."""
    told = sorted(first_of_each(detected(seen)).items(), key=lambda cause: -cause[1].sum())
    return list(dict.fromkeys(kind for name, _ in told for kind in CAUSES[name].remedies))


def _effects(setup: Setup, race: Race, found: Found) -> dict[str, Effect]:
    """What the best single change of each kind does to the median error."""
    before, effects = _error(race.nets(setup)), dict[str, Effect]()
    for change, one in found.singles.items():
        error = _error(race.nets(one))
        if change.kind not in effects or error < effects[change.kind].after:
            effects[change.kind] = Effect(change.name, before, error)
    return effects


def _error(rows: pd.DataFrame) -> float:
    return float(rows["relative_rmse"].fillna(np.inf).median())


def _judged(setup: Setup, race: Race, found: Found, rows: pd.DataFrame, seen: Evidence, groups: int) -> Findings:
    """The findings, with rates of what was chosen from seeds that took no part in choosing."""
    path = found.path
    steps = [path[: i + 1] for i in range(len(path))]
    less = [tuple(change for change in path if change is not left) for left in path] if len(path) > 1 else []
    ranked = sorted(found.singles, key=lambda change: (-race.score(found.singles[change]), change.name))
    chosen = [made(setup, changes) for changes in [*reversed(steps), *((one,) for one in ranked[:SHOWN]), *less]]
    judges = _judges(race, chosen, groups)
    race.train(chosen[:1], judges[:1], even_late=True)
    race.train(chosen, judges)

    def tried(name: str, changes: Changes) -> Tried | None:
        """What came of changes, by the nets that judge, or else by those that chose."""
        one = made(setup, changes)
        fresh = race.nets(one, judges)
        nets = fresh if len(fresh) else race.nets(one)
        other = any(change.other for change in changes)
        return Tried.of(name, difference(setup, one), nets, bool(len(fresh)), other) if len(nets) else None

    singles = _kept(tried(change.name, (change,)) for change in ranked)
    mended = made(setup, path)
    return Findings(
        setup=setup,
        mended=mended,
        before=Tried.of("as it is", {}, rows, judged=True),
        told=told(seen),
        tried=sorted(singles, key=lambda one: one.place),
        path=_steps(path, tried),
        without=_kept(tried(f"without {_name(left, path)}", some) for left, some in zip(path, less, strict=False)),
        unpaid=tuple(found.unpaid),
        evidence=seen,
        seen=_mended(mended, race, judges) if path else seen,
        nets=in_order(pd.concat(race.rows.values())),
        seconds=race.budget.elapsed,
    )


def _steps(path: Changes, tried: Callable[[str, Changes], Tried | None]) -> list[Tried]:
    """What came of the changes of a path, one after another; those without nets of their own are told with the next."""
    told, names = [], list[str]()
    for i, change in enumerate(path):
        names.append(_name(change, path))
        if one := tried(listed(names), path[: i + 1]):
            told.append(one)
            names.clear()
    return told


def _name(change: Change, path: Changes) -> str:
    """A change's name in a path, where another change may be of one of all layers."""
    one_layer = any(other.kind.startswith("layer ") for other in path)
    return change.name.replace("all layers", "all other layers") if one_layer else change.name


def _kept(rows: Iterable[Tried | None]) -> list[Tried]:
    return [one for one in rows if one is not None]


def _judges(race: Race, setups: Sequence[Setup], most: int) -> range:
    """The groups that judge: as many as a share of the budget pays for, of at least one."""
    price = sum(map(race.price_again, dict.fromkeys(setups)))
    count = max(1, min(most, int(JUDGE * race.budget.total / price))) if setups else most
    return range(JUDGING, JUDGING + count)


def _mended(setup: Setup, race: Race, judges: range) -> Evidence:
    """What is recorded of a group of the mended nets."""
    return observe(setup, race.nets(setup, judges), race.tiles([(setup, judges[0])]), race.root)


def made(setup: Setup, changes: Changes) -> Setup:
    """The setup with all changes of a path made, in the order of their kinds."""
    return applied(setup, in_kinds(changes)) or setup
