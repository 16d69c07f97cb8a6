"""Studies: a question asked of many setups, trained, recorded, and never trained twice.

Optuna's study lives in memory and is built again from the table. Samplers are seeded for each batch of trials, so that
a search that was interrupted asks what an uninterrupted one would have asked.
"""

from __future__ import annotations

import itertools
import json
import math
import platform
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optuna
import pandas as pd

from arithjax import diagnose, plan, population, results
from arithjax.errors import ArithjaxError, nearest
from arithjax.plan import NetId
from arithjax.population import check_count, check_seed
from arithjax.setup import Setup
from arithjax.store import Store

optuna.logging.set_verbosity(optuna.logging.ERROR)

WORST, BEST = 2.0, -8.0
"""Bounds of the objective, a decimal logarithm of the relative RMSE: a diverged setup is bad, not failed."""

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "quasi-random": lambda seed: optuna.samplers.QMCSampler(
        seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
    ),
    "grid": lambda seed: optuna.samplers.RandomSampler(seed=seed),  # every combination is enqueued instead
}
"""Samplers by name, each made from a seed."""

ADAPTIVE = 32
"""Trials asked at a time when a sampler learns from results."""


@dataclass(frozen=True)
class Study:
    """A question: a function from an Optuna trial to a setup, and how often to ask it.

    name: the folder its results go to.
    trials: setups to ask for; None with `sampler="grid"` asks for every combination.
    seeds: nets trained from each setup.
    sampler: a name (`tpe`, `random`, `quasi-random`, `grid`) or any Optuna sampler.
    by: the columns that the summary and the report group by.
    answer: what the finished table says, in words.
    curves: nets of each trial that are also recorded over training (`arithjax.diagnose`); they are trained once more.
    show: nets that the report shows at work: a heading, and a condition on the table's columns for each.
    """

    name: str
    question: Callable[[optuna.Trial], Setup]
    trials: int | None = None
    seeds: int = 16
    sampler: str | optuna.samplers.BaseSampler = "random"
    seed: int = 0
    by: tuple[str, ...] = ()
    about: str = ""
    answer: Callable[[pd.DataFrame], str] | None = None
    curves: int = 0
    show: dict[str, str] = field(default_factory=dict)
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or set(self.name) & set("/\\\0") or self.name[0] == ".":
            raise ArithjaxError(f"name={self.name!r} is not allowed; a study's name is also the name of its folder.")
        if not callable(self.question):
            raise ArithjaxError("question has to be a function from an Optuna trial to a Setup.")
        if self.trials is not None or self.sampler != "grid":
            check_count("trials", self.trials)
        check_count("seeds", self.seeds)
        check_seed(self.seed)
        if self.curves:
            check_count("curves", self.curves)
        if isinstance(self.sampler, str) and self.sampler not in SAMPLERS:
            raise ArithjaxError(
                f"unknown sampler '{self.sampler}'{nearest(self.sampler, SAMPLERS)} There are {', '.join(SAMPLERS)}."
            )

    @property
    def sampler_name(self) -> str:
        """The sampler as `study.json` records it."""
        return self.sampler if isinstance(self.sampler, str) else type(self.sampler).__name__


class Progress:
    """What a run tells of itself while it runs; this one says nothing."""

    def begin(self, nets: int, done: int, model_steps: int) -> None:
        """`nets` are asked for, `done` of them are there already, and `model_steps` are left to train."""

    def steps(self, count: int) -> None:
        """So many model-steps were done just now."""

    def nets(self, rows: pd.DataFrame) -> None:
        """These nets are finished."""


def run_study(
    study: Study,
    out: str | Path = "runs",
    trials: int | None = None,
    seeds: int | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run a study, or continue it, in the folder `out/<name>`; the finished table, a row a net.

    trials, seeds, steps: instead of the study's own. Nets that are in the folder are not trained again.
    """
    if not isinstance(study, Study):
        raise ArithjaxError(f"study is a {type(study).__name__}; it has to be an arithjax Study.")
    for name, value in (("trials", trials), ("seeds", seeds), ("steps", steps)):
        if value is not None:
            check_count(name, value)
    run = _Run(study, Store(Path(out) / study.name), trials or study.trials, seeds or study.seeds, steps)
    with run.store.lock():
        nets = run.go(progress or Progress())
        if study.curves:
            diagnose.record_study(run.store, nets, study.curves, study.seed)
        return nets


@dataclass
class _Run:
    study: Study
    store: Store
    trials: int | None
    seeds: int
    steps: int | None

    def go(self, progress: Progress) -> pd.DataFrame:
        grid = list(combinations(self.study)) if self.study.sampler == "grid" else []
        self.trials = min(self.trials or len(grid), len(grid)) if grid else self.trials
        self._describe()
        stored = self.store.rows()
        self.done = set(zip(stored["trial"], stored["seed"], strict=True))
        search = optuna.create_study(sampler=SAMPLERS["random"](0))
        began = False
        for batch in self._batches():
            asked = self._ask(search, batch, grid)
            self._check_same(asked, stored)
            nets = [NetId(number, seed, setup) for number, (_, setup) in asked.items() for seed in range(self.seeds)]
            missing = [net for net in nets if (net.trial, net.seed) not in self.done]
            if missing and not began:
                typical = int(np.mean([net.setup.steps for net in nets]))
                total = self.trials * self.seeds
                there = sum(trial < self.trials and seed < self.seeds for trial, seed in self.done)
                progress.begin(total, there, (total - there) * typical)
                began = True
            if missing:
                self._train(nets, asked, progress)
            if batch.stop < self.trials:
                self._tell(search, asked, self.store.rows() if missing else stored)
        return self.store.finish()

    def _batches(self) -> list[range]:
        """Trials that are asked for together: all, unless the sampler learns from results."""
        if self.study.sampler in ("random", "grid"):
            ends = [0, self.trials]
        elif self.study.sampler == "quasi-random":  # its first trial tells it what there is to choose
            ends = [0, 1, self.trials]
        else:
            ends = [*range(0, self.trials, ADAPTIVE), self.trials]
        return [range(first, last) for first, last in itertools.pairwise(ends) if first < last]

    def _ask(self, search: optuna.Study, batch: range, grid: list[dict]) -> dict[int, tuple[optuna.Trial, Setup]]:
        """The batch's trials and their setups, by number."""
        asked = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            search.sampler = self._sampler(batch.start)
            for number in batch:
                if grid:
                    search.enqueue_trial(grid[number])
                trial = search.ask()
                asked[number] = trial, self._setup(trial)
        return asked

    def _sampler(self, first: int) -> optuna.samplers.BaseSampler:
        """The sampler for the batch that begins at a trial."""
        if not isinstance(self.study.sampler, str):
            return self.study.sampler
        words = [self.study.seed, first]
        return SAMPLERS[self.study.sampler](int(np.random.SeedSequence(words).generate_state(1)[0]))

    def _setup(self, trial: optuna.Trial) -> Setup:
        setup = ask(self.study, trial)
        if self.steps is None:
            return setup
        every = setup.evaluate_every
        return setup.replace(
            steps=self.steps,
            warmup=min(setup.warmup, self.steps),
            evaluate_every=None if every is None else min(every, self.steps),
        )

    def _check_same(self, asked: dict, stored: pd.DataFrame) -> None:
        """Refuse to mix the answers to two questions."""
        known = stored.drop_duplicates("trial").set_index("trial")
        for number, (_, setup) in asked.items():
            if number not in known.index:
                continue
            row, cells = known.loc[number], setup.row()
            differ = [name for name, value in cells.items() if not _same(value, row[name])]
            if differ:
                raise ArithjaxError(
                    f"{self.store.folder} holds the answers to another question: trial {number} differs in "
                    f"{', '.join(differ)}. Choose another --out or another name, or delete the folder."
                )

    def _train(self, nets: list[NetId], asked: dict, progress: Progress) -> None:
        """Train what is missing of a batch and write it as it finishes.

        The plan is that of the whole batch, so that an interrupted batch goes on in the same programs.
        """
        devices, workers = population.crew()
        tiles = []
        for tile in plan.plan(nets, workers):
            left = tuple(net for net in tile.nets if (net.trial, net.seed) not in self.done)
            if left:
                tiles.append(plan.Tile(tile.program, tile.candidates, left))
        choices = {number: json.dumps(trial.params, sort_keys=True) for number, (trial, _) in asked.items()}
        waiting: list[pd.DataFrame] = []
        written = time.monotonic()

        def write() -> None:
            if waiting:
                rows = pd.concat(waiting, ignore_index=True)
                self.store.add(rows)
                self.done.update(zip(rows["trial"], rows["seed"], strict=True))
                waiting.clear()

        try:
            for trained in population.run_tiles(
                tiles, self.study.seed, workers, devices, progress.steps, threading.Event()
            ):
                rows = trained.rows.assign(study=self.study.name, choices=trained.rows["trial"].map(choices))
                waiting.append(rows)
                progress.nets(rows)
                if time.monotonic() - written > 2:
                    write()
                    written = time.monotonic()
        finally:
            write()

    def _tell(self, search: optuna.Study, asked: dict, rows: pd.DataFrame) -> None:
        """Tell Optuna what came of a batch, in trial order."""
        values = objective(rows)
        for number, (trial, _) in asked.items():
            search.tell(trial, values[number])

    def _describe(self) -> None:
        """Write `study.json`, or check that the folder's own says the same."""
        question = {
            "name": self.study.name,
            "seed": self.study.seed,
            "sampler": self.study.sampler_name,
            "steps": self.steps,
        }
        path = self.store.folder / "study.json"
        asked = {"trials": self.trials, "seeds": self.seeds}
        if path.exists():
            before = results.description(self.store.folder)
            differ = [f"{k} ({before.get(k)!r} there, {v!r} asked)" for k, v in question.items() if before.get(k) != v]
            if differ:
                raise ArithjaxError(
                    f"{self.store.folder} holds another study: {', '.join(differ)}. Choose another --out, or "
                    f"delete the folder."
                )
            asked = {name: max(value, before.get(name, 0)) for name, value in asked.items()}
            if before.get("trials") == asked["trials"] and before.get("seeds") == asked["seeds"]:
                return
        elif self.store.table.exists():
            raise ArithjaxError(f"{self.store.folder} holds a table but no study.json; choose another --out.")
        content = {
            **question,
            **asked,
            "schema": results.SCHEMA_VERSION,
            "about": self.study.about,
            "by": list(self.study.by),
            "show": self.study.show,
            "source": self.study.source,
            "versions": {name: metadata.version(name) for name in ("arithjax", "jax", "flax", "optax", "optuna")},
            "device": f"{jax.devices()[0].device_kind}, {population.cores()} cores, {platform.machine()}",
        }
        self.store.write("study.json", json.dumps(content, indent=1, ensure_ascii=False).encode())


def _same(value: Any, cell: Any) -> bool:
    missing = cell is None or (isinstance(cell, float) and math.isnan(cell))
    return missing if value is None else not missing and value == cell


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


def objective(rows: pd.DataFrame) -> pd.Series:
    """Each trial's value, to be minimised: the median over its nets of log10 of the relative RMSE, within bounds."""
    error = rows["relative_rmse"].fillna(np.inf).clip(10.0**BEST, 10.0**WORST)
    return np.log10(error).groupby(rows["trial"]).median()


def optuna_study(rows: pd.DataFrame, study: Study) -> optuna.Study:
    """The table's trials as an Optuna study in memory."""
    search = optuna.create_study(study_name=study.name)
    values = objective(rows)
    choices = rows.drop_duplicates("trial").set_index("trial")["choices"]
    for number, value in values.items():
        fixed = optuna.trial.FixedTrial(json.loads(choices[number]), number=int(number))
        ask(study, fixed)
        search.add_trial(
            optuna.trial.create_trial(params=fixed.params, distributions=fixed.distributions, value=float(value))
        )
    return search


def importance(rows: pd.DataFrame, study: Study) -> dict[str, float]:
    """How much each choice matters for being among the best (PED-ANOVA, Watanabe et al. 2023); empty if unknown.

    Choices that exist only in some trials, such as the width of a third layer, are left out.
    """
    search = optuna_study(rows, study)
    if len(search.trials) < 8:
        return {}
    common = set.intersection(*(set(trial.params) for trial in search.trials))
    params = [name for name in common if len({repr(trial.params[name]) for trial in search.trials}) > 1]
    if not params:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.importance.get_param_importances(search, evaluator=evaluator, params=sorted(params))


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


class _Prefix(optuna.trial.FixedTrial):
    """A trial whose first choices are made."""

    def _suggest(self, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
        if name in self._params:
            return super()._suggest(name, distribution)
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            raise _Open(name, list(distribution.choices))
        if getattr(distribution, "step", None) is not None and not getattr(distribution, "log", False):
            count = math.floor((distribution.high - distribution.low) / distribution.step + 1e-9) + 1
            raise _Open(name, [distribution.low + i * distribution.step for i in range(count)])
        raise ArithjaxError(f"a grid needs choices or steps, and '{name}' is continuous; choose another sampler.")
