"""The search: which setups a study's question gives, batch by batch, so that an interruption changes nothing.

Trials are asked for in batches whose ends do not depend on how many trials there will be. Each batch has a sampler of
its own, seeded by the study's seed and the batch's first trial, which learns from the earlier trials in their order.
"""

from __future__ import annotations

import itertools
import json
import math
import traceback
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, FrozenTrial

from arithjax.errors import MOST_NETS, ArithjaxError, nearest
from arithjax.registry import METRICS
from arithjax.setup import Setup
from arithjax.studies import samplers
from arithjax.studies.study import Study
from arithjax.tables import conditions
from arithjax.tables.groups import parsed_choices
from arithjax.tables.schema import COLUMNS

optuna.logging.set_verbosity(optuna.logging.ERROR)

HISTORY = 1000
"""The most trials that TPE learns from: the latest three quarters of them, and the best of all others.

Asking takes time in proportion, so a search of 50,000 trials would otherwise spend hours on asking."""


@dataclass
class AskedTrial:
    """A trial of a study after its question was asked.

    setup: what the question returned.
    params, distributions: what the trial suggested, by parameter, and from which distribution.
    trial: Optuna's own trial, where a sampler still has to be told its values.
    """

    setup: Setup
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    trial: optuna.Trial | None = None

    @property
    def choices(self) -> str:
        """The parameters as the cell of a table's column `choices`."""
        return json.dumps(self.params, sort_keys=True)

    def finished(self, values: Iterable[float]) -> FrozenTrial:
        """The trial as Optuna keeps a finished one, with its objectives' values."""
        with _any_choices():
            return optuna.trial.create_trial(params=self.params, distributions=self.distributions, values=list(values))


@contextmanager
def _any_choices() -> Iterator[None]:
    """Choices may be lists or tuples, of which Optuna warns for its storages; `check_choices` checks them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Choices for a categorical distribution", UserWarning)
        yield


class Search:
    """The trials of a study, asked for batch by batch.

    study: the study.
    trials: the number of trials; None with `sampler="grid"` goes through every combination.

    `trials` becomes the number of trials there are. Raises `ArithjaxError` when a grid's question has a continuous
    parameter.
    """

    def __init__(self, study: Study, trials: int | None):
        self.study = study
        self.grid = _grid(study, trials) if study.sampler == "grid" else []
        self.trials = _count(trials, self.grid)
        self.directions = [StudyDirection.MINIMIZE] * len(study.objectives)
        self.live = optuna.create_study(directions=self.directions)
        self.history: list[FrozenTrial] = []
        self.firsts: dict[Setup, int] = {}
        self.values: dict[int, list[float]] = {}

    @property
    def adaptive(self) -> bool:
        """Whether what is asked for depends on results."""
        return self.study.sampler not in samplers.FIXED

    def batches(self) -> Iterator[range]:
        """The numbers of the trials that are asked for together: all, unless the sampler learns from results."""
        first = 0
        while first < self.trials:
            size = self.trials
            if self.study.sampler == "quasi-random" and first == 0:  # it learns the search space from its first trial
                size = 1
            elif self.adaptive:
                size = max(samplers.ADAPTIVE, first // 16)
            yield range(first, min(first + size, self.trials))
            first += size

    def first_of(self, asked: dict[int, AskedTrial], stored: Collection[int]) -> dict[int, int]:
        """Which trials of a batch repeat the setup of an earlier one, with that one's number.

        A setup that is asked for again has the same nets. Batches are given in their order. stored: trials that have
        nets of their own in the table, as in those of earlier versions; they repeat none.
        """
        repeated = {}
        for number, one in asked.items():
            first = self.firsts.setdefault(one.setup, number)
            if first != number and number not in stored:
                repeated[number] = first
        return repeated

    def ask(self, batch: range) -> dict[int, AskedTrial]:
        """A batch's trials by number.

        Raises `ArithjaxError` when the study's question fails, or when the study names columns that there will not be.
        """
        asked = self._ask(batch)
        if batch.start == 0:
            check_columns(self.study, asked, self.trials)
        return asked

    def _ask(self, batch: range) -> dict[int, AskedTrial]:
        if self.grid:
            return {number: fixed(self.study, self.grid[number], number) for number in batch}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self.study.sampler == "tpe":
                self.live = optuna.create_study(directions=self.directions)
                self.live.add_trials(self._remembered())
            self.live.sampler = self._sampler(batch.start)
            return {number: self._ask_one(number) for number in batch}

    def _ask_one(self, number: int) -> AskedTrial:
        trial = self.live.ask()
        setup = ask(self.study, trial if trial.number == number else _Numbered(trial, number))
        check_choices(self.study, trial.distributions)
        return AskedTrial(setup, trial.params, trial.distributions, trial)

    def replay(self, batch: range, choices: Sequence[str]) -> dict[int, AskedTrial] | None:
        """A batch's trials from cells of column `choices`, without asking the sampler; None where it has to be asked.

        Only TPE can do without: all it keeps between batches is the history.
        """
        if self.study.sampler != "tpe":
            return None
        try:
            return {n: fixed(self.study, parsed_choices(c), n) for n, c in zip(batch, choices, strict=True)}
        except (ArithjaxError, ValueError, TypeError):  # another question's, which is refused when it is asked
            return None

    def tell(
        self, asked: dict[int, AskedTrial], values: pd.DataFrame, repeated: Mapping[int, int] = MappingProxyType({})
    ) -> None:
        """Tell the sampler the values of a batch's objectives.

        asked: the batch's trials by number. values: one row per trial, one column per objective.
        repeated: trials without values of their own, and the earlier ones, of this batch or another, that they repeat.
        """
        self.values |= {int(number): row for number, row in zip(values.index, values.to_numpy().tolist(), strict=True)}
        for number, one in asked.items():
            row = self.values[repeated.get(number, number)]
            if self.study.sampler == "tpe":
                self.history.append(one.finished(row))
            elif one.trial is not None:
                self.live.tell(one.trial, row)

    def _sampler(self, first: int) -> optuna.samplers.BaseSampler:
        """The sampler for the batch that begins at trial `first`."""
        if not isinstance(self.study.sampler, str):
            return self.study.sampler
        words = [self.study.seed, first]
        return samplers.SAMPLERS[self.study.sampler](int(np.random.SeedSequence(words).generate_state(1)[0]))

    def _remembered(self) -> list[FrozenTrial]:
        """The history; of one longer than `HISTORY` the latest trials and the best of the others, in order."""
        recent = HISTORY * 3 // 4
        if len(self.history) <= HISTORY:
            return self.history
        older = pd.DataFrame([trial.values for trial in self.history[:-recent]])
        best = older.rank().sum(axis=1).sort_values(kind="stable").index[: HISTORY - recent]
        return [self.history[i] for i in sorted(best)] + self.history[-recent:]


def _grid(study: Study, trials: int | None) -> list[dict[str, Any]]:
    """The first `trials` combinations of a grid, by default all."""
    most = min(trials or MOST_NETS, MOST_NETS)
    grid = list(itertools.islice(combinations(study), most + (trials is None)))
    if len(grid) > most:
        raise ArithjaxError(f"study '{study.name}': its grid has more than {most:,} combinations; give --trials.")
    return grid


def _count(trials: int | None, grid: list[dict[str, Any]]) -> int:
    """The number of trials, given how many are asked for and the combinations of a grid."""
    if grid:
        return min(trials or len(grid), len(grid))
    if trials is None:
        raise ArithjaxError("trials is missing; give the number of setups to ask for.")
    return trials


class _Numbered:
    """Optuna's trial under its number in the study, where Optuna's own study holds only a part of the history."""

    def __init__(self, trial: optuna.Trial, number: int):
        self._trial, self.number = trial, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)


def ask(study: Study, trial: Any) -> Setup:
    """The setup that a study's question gives for a trial; raises `ArithjaxError` for whatever goes wrong in it.

    trial: an `optuna.Trial`, or an object with its methods.
    """
    try:
        with _any_choices():
            setup = study.question(trial)
    except ArithjaxError as error:
        raise ArithjaxError(f"study '{study.name}': {error}") from None
    except (Exception, SystemExit) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise ArithjaxError(
            f"study '{study.name}': its question raised {type(error).__name__}: {' '.join(str(error).split())} "
            f"({Path(where.filename).name}, line {where.lineno})."
        ) from None
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"study '{study.name}': its question returned a {type(setup).__name__}; return a Setup.")
    _check_objectives(study, setup)
    return setup


def _check_objectives(study: Study, setup: Setup) -> None:
    """Every objective that is a metric has to be about the operation of a trial, whose nets would all be the worst."""
    for name in study.objectives:
        op = METRICS[name].op if name in METRICS else None
        if op not in (None, setup.op):
            raise ArithjaxError(
                f"study '{study.name}': objective '{name}' is of nets of {op} alone, and a trial asks for {setup.op}; "
                f"ask for {op} in every trial, or take another objective."
            )


def fixed(study: Study, params: dict[str, Any], number: int) -> AskedTrial:
    """Replays a trial with fixed parameters.

    params: a value for every parameter that the question asks for, as it was chosen or as a table holds it.
    number: the trial's number.
    """
    trial = _Again(params, number=number)
    setup = ask(study, trial)
    check_choices(study, trial.distributions)
    return AskedTrial(setup, trial.params, trial.distributions)


class _Again(FixedTrial):
    """A trial whose values may be what a table made of them."""

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._params:
            self._params = {**self._params, name: as_chosen(distribution, self._params[name])}
        return super()._suggest(name, distribution)


def as_chosen(distribution: BaseDistribution, value: Any) -> Any:
    """The choice that a value in a table stands for, since JSON makes lists of tuples; other values as they are."""
    choices = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
    found = [choice for choice in choices if choice is value or _text(choice) == _text(value)]
    found += [choice for choice in choices if str(choice) == value]  # as earlier releases wrote what JSON does not hold
    return found[0] if found else value


def _text(choice: Any) -> str | None:
    """A choice as a table holds it, equal for equal ones; None for one that it cannot hold."""
    try:
        return json.dumps(choice, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None


def check_choices(study: Study, distributions: dict[str, BaseDistribution]) -> None:
    """Raise `ArithjaxError` for choices that do not come back from a table as they went in."""
    for name, distribution in distributions.items():
        known: dict[str, Any] = {}
        for choice in distribution.choices if isinstance(distribution, CategoricalDistribution) else ():
            if (text := _text(choice)) is None:
                raise ArithjaxError(
                    f"study '{study.name}': a choice of '{name}' is a {type(choice).__name__}, which no table holds; "
                    f"choose between names, numbers or lists of them, and look up by name what they stand for."
                )
            if type(known.setdefault(text, choice)) is not type(choice):
                raise ArithjaxError(
                    f"study '{study.name}': two choices of '{name}' are both {text} in a table; leave one of them out."
                )


def check_columns(study: Study, asked: dict[int, AskedTrial], trials: int) -> None:
    """Raise `ArithjaxError` where `by` or `show` names what is neither a column, nor a metric, nor a trial's parameter.

    A question may ask for a parameter in few trials alone. So where a name is not known from the trials that were
    `asked`, the question is asked `PROBES` times more, at random and apart from the search. trials: how many the
    search has, whose numbers these trials have, too.
    """
    named = [("by", name) for name in study.by]
    named += [(f"show={text[:60]!r}", name) for text in study.show.values() for name in conditions.names(text)]
    chosen = {name for one in asked.values() for name in one.params}
    unknown = [pair for pair in named if pair[1] not in {*COLUMNS, *METRICS, *chosen, "index"}]
    if unknown:
        chosen |= _other_choices(study, trials)
    for what, name in unknown:
        if name not in chosen:
            near = nearest(name, [*sorted(chosen), *COLUMNS, *METRICS])
            raise ArithjaxError(
                f"study '{study.name}': {what}: there is no column '{name}'{near} Name a field of a setup, another "
                f"column of the table, or a choice of the question ({', '.join(sorted(chosen)) or 'it has none'})."
            )


PROBES = 200
"""Random trials that tell what a question may ask for."""


def _other_choices(study: Study, trials: int) -> set[str]:
    """The names of the parameters that a question asks for in `PROBES` random trials."""
    random, names = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), set[str]()
    for i in range(PROBES):
        trial = random.ask()
        with suppress(ArithjaxError):  # told when the search asks for such a trial
            ask(study, _Numbered(trial, i % trials))
        names |= set(trial.params)
    return names


def combinations(study: Study) -> Iterator[dict[str, Any]]:
    """Every combination of a question's parameters, in the order in which the question lists their values.

    The question is asked with each prefix of a combination, so what it asks for may depend on earlier parameters.
    Raises `ArithjaxError` for a continuous parameter.
    """
    prefixes: list[dict[str, Any]] = [{}]
    while prefixes:
        prefix = prefixes.pop()
        try:
            ask(study, _Prefix(prefix))
        except _Open as parameter:
            prefixes.extend({**prefix, parameter.name: value} for value in reversed(parameter.values))
            continue
        yield prefix


class _Open(BaseException):
    """Raised when a question asks for a parameter that is not fixed; a study's `except Exception` does not stop it."""

    def __init__(self, name: str, values: list[Any]):
        self.name, self.values = name, values


class _Prefix(_Again):
    """A trial whose first parameters are fixed; any other raises `_Open`."""

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._params:
            return super()._suggest(name, distribution)
        raise _Open(name, _values(name, distribution))


def _values(name: str, distribution: BaseDistribution) -> list[Any]:
    """All values of a parameter of a grid, in order; raises `ArithjaxError` when it is continuous."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution | FloatDistribution) and not distribution.log:
        low, high, step = distribution.low, distribution.high, distribution.step
        if step is not None:
            count = math.floor((high - low) / step + 1e-9) + 1
            return [min(low + i * step, high) for i in range(count)]  # a sum of steps may round to above `high`
    raise ArithjaxError(f"a grid needs choices or steps, and '{name}' is continuous; choose another sampler.")
