"""The search: which setups a study's question is asked for, so that an interruption changes nothing.

Trials are asked in batches whose ends do not depend on how many there will be. Each batch has a sampler of its own,
seeded by the study's seed and the batch's first trial, and is asked from the history in trial order.
"""

from __future__ import annotations

import json
import math
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial, FrozenTrial

from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.tables import objectives

if TYPE_CHECKING:
    from arithjax.studies import samplers
from arithjax.studies import samplers
from arithjax.studies.study import Study

optuna.logging.set_verbosity(optuna.logging.ERROR)

HISTORY = 1000
"""Trials that TPE learns from: the latest three quarters of them, and the best of all others. Asking takes as long as
the history is, so a search of 50,000 trials would else spend hours on asking."""


@dataclass
class Asked:
    """A trial's choices and the setup they lead to. `trial` is Optuna's own, where a sampler is to be told of it."""

    setup: Setup
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    trial: optuna.Trial | None = None

    @property
    def choices(self) -> str:
        """The choices as a table's cell."""
        return json.dumps(self.params, sort_keys=True, default=str)

    def told(self, values: Iterable[float]) -> FrozenTrial:
        """The finished trial."""
        return optuna.trial.create_trial(params=self.params, distributions=self.distributions, values=list(values))


class Search:
    """What a study asks, batch by batch."""

    def __init__(self, study: Study, trials: int | None):
        self.study = study
        self.grid = list(combinations(study)) if study.sampler == "grid" else []
        self.trials = min(trials or len(self.grid), len(self.grid)) if self.grid else trials
        self.directions = ["minimize"] * len(study.objectives)
        self.live = optuna.create_study(directions=self.directions)
        self.history: list[FrozenTrial] = []

    @property
    def adaptive(self) -> bool:
        """Whether what is asked depends on results."""
        return self.study.sampler not in ("random", "grid", "quasi-random")

    def batches(self) -> Iterator[range]:
        """Trials that are asked for together: all, unless the sampler learns from results."""
        first = 0
        while first < self.trials:
            size = self.trials
            if self.study.sampler == "quasi-random" and first == 0:  # its first trial tells it what there is to choose
                size = 1
            elif self.adaptive:
                size = max(samplers.ADAPTIVE, first // 16)
            yield range(first, min(first + size, self.trials))
            first += size

    def ask(self, batch: range) -> dict[int, Asked]:
        """The batch's trials, by number."""
        if self.grid:
            return {number: fixed(self.study, self.grid[number], number) for number in batch}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self.study.sampler == "tpe":
                self.live = optuna.create_study(directions=self.directions)
                self.live.add_trials(self._remembered())
            self.live.sampler = self._sampler(batch.start)
            return {number: self._ask_one(number) for number in batch}

    def _ask_one(self, number: int) -> Asked:
        trial = self.live.ask()
        setup = ask(self.study, trial if trial.number == number else _Numbered(trial, number))
        return Asked(setup, trial.params, trial.distributions, trial)

    def replay(self, batch: range, choices: list[str]) -> dict[int, Asked] | None:
        """The batch from a table's choices, without asking the sampler; None where it has to be asked.

        TPE keeps nothing between batches but the history, so that it need not be asked for what is known.
        """
        if self.study.sampler != "tpe":
            return None
        try:
            return {n: fixed(self.study, json.loads(c), n) for n, c in zip(batch, choices, strict=True)}
        except (ArithjaxError, ValueError, TypeError):  # choices that JSON does not hold, or another question's
            return None

    def tell(self, asked: dict[int, Asked], values: pd.DataFrame) -> None:
        """Tell what came of a batch, in trial order: a row a trial, a column an objective."""
        for number, one in asked.items():
            told = values.loc[number].tolist()
            if self.study.sampler == "tpe":
                self.history.append(one.told(told))
            elif one.trial is not None:
                self.live.tell(one.trial, told)

    def _sampler(self, first: int) -> optuna.samplers.BaseSampler:
        """The sampler for the batch that begins at a trial."""
        if not isinstance(self.study.sampler, str):
            return self.study.sampler
        words = [self.study.seed, first]
        return samplers.SAMPLERS[self.study.sampler](int(np.random.SeedSequence(words).generate_state(1)[0]))

    def _remembered(self) -> list[FrozenTrial]:
        """The history, or of a long one the latest trials and the best of the others, in order."""
        recent = HISTORY * 3 // 4
        if len(self.history) <= HISTORY:
            return self.history
        older = pd.DataFrame([trial.values for trial in self.history[:-recent]])
        best = older.rank().sum(axis=1).sort_values(kind="stable").index[: HISTORY - recent]
        return [self.history[i] for i in sorted(best)] + self.history[-recent:]


class _Numbered:
    """A trial under its number in the study, where Optuna was shown only a part of the history."""

    def __init__(self, trial: optuna.Trial, number: int):
        self._trial, self.number = trial, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)


def ask(study: Study, trial: Any) -> Setup:
    """The setup a study's question gives for a trial; whatever goes wrong in it is the study's mistake."""
    try:
        setup = study.question(trial)
    except ArithjaxError as error:
        raise ArithjaxError(f"study '{study.name}': {error}") from None
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise ArithjaxError(
            f"study '{study.name}': its question raised {type(error).__name__}: {error} "
            f"({Path(where.filename).name}, line {where.lineno})."
        ) from None
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"study '{study.name}': its question returned a {type(setup).__name__}; return a Setup.")
    return setup


def fixed(study: Study, params: dict[str, Any], number: int) -> Asked:
    """The trial in which these choices are made."""
    trial = FixedTrial(params, number=number)
    setup = ask(study, trial)
    return Asked(setup, trial.params, trial.distributions)


def optuna_trials(rows: pd.DataFrame, study: Study) -> list[FrozenTrial]:
    """The table's trials as finished trials of Optuna, in order."""
    values = objectives.objectives(rows, study.objectives)
    choices = rows.drop_duplicates("trial").set_index("trial")["choices"]
    return [
        fixed(study, json.loads(choices[number]), int(number)).told(told)
        for number, told in zip(values.index, values.to_numpy().tolist(), strict=True)
    ]


def importance(rows: pd.DataFrame, study: Study) -> dict[str, float]:
    """How much each choice matters for being among the best (PED-ANOVA, Watanabe et al. 2023); empty if unknown.

    Choices that exist only in some trials, such as the width of a third layer, are left out. Of several objectives the
    first counts.
    """
    trials = optuna_trials(rows, study)
    if len(trials) < 8:
        return {}
    common = set.intersection(*(set(trial.params) for trial in trials))
    params = [name for name in common if len({repr(trial.params[name]) for trial in trials}) > 1]
    if not params:
        return {}
    search = optuna.create_study(directions=["minimize"] * len(study.objectives))
    search.add_trials(trials)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.importance.get_param_importances(
            search, evaluator=evaluator, params=sorted(params), target=lambda trial: trial.values[0]
        )


def combinations(study: Study) -> Iterator[dict[str, Any]]:
    """Every combination of a question's categorical choices, in the order in which the question lists them.

    The question is asked with each prefix of choices, so choices may depend on earlier ones.
    """
    prefixes: list[dict[str, Any]] = [{}]
    while prefixes:
        prefix = prefixes.pop()
        trial = _Prefix(prefix)
        try:
            ask(study, trial)
        except _Open as open_choice:
            prefixes.extend({**prefix, open_choice.name: value} for value in reversed(open_choice.values))
            continue
        yield prefix


class _Open(BaseException):
    """A choice that a prefix leaves open."""

    def __init__(self, name: str, values: list[Any]):
        self.name, self.values = name, values


class _Prefix(FixedTrial):
    """A trial whose first choices are made."""

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._params:
            return super()._suggest(name, distribution)
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            raise _Open(name, list(distribution.choices))
        if getattr(distribution, "step", None) is not None and not getattr(distribution, "log", False):
            count = math.floor((distribution.high - distribution.low) / distribution.step + 1e-9) + 1
            raise _Open(name, [distribution.low + i * distribution.step for i in range(count)])
        raise ArithjaxError(f"a grid needs choices or steps, and '{name}' is continuous; choose another sampler.")
