"""Study: a question, how often it is asked, and what a run tells of itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import optuna
import pandas as pd

from arithjax.errors import ArithjaxError, check_count, check_seed, nearest
from arithjax.setup import Setup
from arithjax.studies.samplers import SAMPLERS
from arithjax.tables.objectives import check_objectives


@dataclass(frozen=True)
class Study:
    """A question: a function from an Optuna trial to a setup, and how often to ask it.

    name: the folder its results go to.
    trials: setups to ask for; None with `sampler="grid"` asks for every combination.
    seeds: nets trained from each setup.
    sampler: a name (`tpe`, `nsga2`, `random`, `quasi-random`, `grid`) or any Optuna sampler.
    objectives: what `tpe` and `nsga2` minimise, one or several of `error`, `extrapolation`, `parameters`, `steps`.
    halving: shares of its steps, such as (0.1, 0.3), after each of which the worse half of a batch's setups stops
        (`arithjax.studies.halving`).
    by: the columns that the summary and the report group by.
    answer: what the finished table says, in words.
    curves: nets of each trial that are also recorded over training (`arithjax.training.curves`);
        they are trained once more.
    show: nets that the report shows at work, and whose curves it draws: a heading, and a condition on the table's
        columns for each.
    """

    name: str
    question: Callable[[optuna.Trial], Setup]
    trials: int | None = None
    seeds: int = 16
    sampler: str | optuna.samplers.BaseSampler = "random"
    seed: int = 0
    objectives: tuple[str, ...] = ("error",)
    halving: tuple[float, ...] = ()
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
        if isinstance(self.by, str):
            object.__setattr__(self, "by", (self.by,))
        if not isinstance(self.show, dict):
            raise ArithjaxError(f"show is a {type(self.show).__name__}; it has to map headings to conditions.")
        if isinstance(self.objectives, str):
            object.__setattr__(self, "objectives", (self.objectives,))
        object.__setattr__(self, "objectives", check_objectives(self.objectives))
        object.__setattr__(self, "halving", check_shares(self.halving))

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


def check_shares(shares: Any) -> tuple[float, ...]:
    """Raise unless these are growing shares of the steps."""
    try:
        shares = tuple(float(share) for share in ((shares,) if isinstance(shares, float) else shares))
        right = all(a < b for a, b in itertools.pairwise((0.0, *shares, 1.0)))
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ArithjaxError(
            f"halving={shares!r} is not allowed; it has to be growing shares of the steps, such as (0.1, 0.3)."
        )
    return shares
