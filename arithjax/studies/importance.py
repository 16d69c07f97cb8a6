"""Importance of a study's parameters for being among its best setups."""

from __future__ import annotations

import json
import warnings

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from arithjax.studies.search import fixed
from arithjax.studies.study import Study
from arithjax.tables import groups, objectives


def optuna_trials(rows: pd.DataFrame, study: Study) -> list[FrozenTrial]:
    """The trials of a results table as Optuna keeps finished ones, in order.

    rows: rows of the study's table. study: asked again for each trial's distributions.
    """
    values = objectives.objectives(rows, study.objectives)
    choices = rows.drop_duplicates("trial").set_index("trial")["choices"]
    return [
        fixed(study, groups.parsed_choices(choices[number]), int(number)).finished(row)
        for number, row in zip(values.index, values.to_numpy().tolist(), strict=True)
    ]


FEWEST = 50
"""The fewest setups whose importances are computed: a tenth of them, the best, are what it looks at."""


def importance(rows: pd.DataFrame, study: Study) -> dict[str, tuple[float, float, float]]:
    """How much each parameter matters for being among the best tenth of the setups (PED-ANOVA, Watanabe et al. 2023).

    rows: rows of the study's table. study: asked again for each trial's distributions.

    Shares that sum to 1, by parameter, each with a 95 % interval, from setups drawn again with replacement (a
    percentile bootstrap). Of several objectives the first counts. Parameters that only some trials have, such as the
    width of a third layer, are left out, and those that decide on the range of numbers.

    Empty where a share would say little: with fewer than `FEWEST` setups, where no parameter varies, with several
    operations, with halving, and with a sampler that does not choose at random, since then the setups are where the
    search went, or the cells of a grid.
    """
    rows = groups.distinct(rows)
    if study.sampler not in ("random", "quasi-random") or study.halving or rows["trial"].nunique() < FEWEST:
        return {}
    trials = optuna_trials(rows, study)
    params = sorted(_comparable(rows, trials))
    if not params:
        return {}
    shares = _shares(trials, params)
    generator, count = np.random.default_rng(0), int(np.clip(50_000 // len(trials), 20, 100))
    again = [
        _shares([trials[i] for i in generator.integers(0, len(trials), len(trials))], params) for _ in range(count)
    ]
    ends = np.quantile([[drawn[name] for name in params] for drawn in again], [0.025, 0.975], axis=0).T
    of = {name: (shares[name], float(low), float(high)) for name, (low, high) in zip(params, ends, strict=True)}
    return dict(sorted(of.items(), key=lambda item: -item[1][0]))


def _comparable(rows: pd.DataFrame, trials: list[FrozenTrial]) -> list[str]:
    """The parameters that all trials have and that vary, but for those of the task; none with several operations."""
    if "op" in rows and rows["op"].nunique() > 1:
        return []
    firsts = rows.drop_duplicates("trial").sort_values("trial")
    ranges = pd.Series(groups.ranges(firsts))
    names = []
    for name in set.intersection(*(set(trial.params) for trial in trials)):
        values = pd.Series([json.dumps(trial.params[name], sort_keys=True) for trial in trials])
        decides = 1 < values.nunique() <= ranges.nunique() and (ranges.groupby(values).nunique() == 1).all()
        if values.nunique() > 1 and not decides:
            names.append(name)
    return names


def _shares(trials: list[FrozenTrial], params: list[str]) -> dict[str, float]:
    """The share of importance of each parameter for the first objective."""
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = optuna.create_study(directions=["minimize"] * len(trials[0].values))
        search.add_trials(trials)
        return optuna.importance.get_param_importances(
            search, evaluator=evaluator, params=params, target=lambda trial: trial.values[0]
        )
