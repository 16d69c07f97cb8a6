"""Study: a question about setups, how often it is asked, and how its results are reported."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
import pandas as pd

from arithjax.errors import ArithjaxError, check_count, check_seed, nearest
from arithjax.registry import METRICS
from arithjax.setup import Setup
from arithjax.studies.samplers import SAMPLERS
from arithjax.tables.objectives import check_objectives


@dataclass(frozen=True)
class Study:
    """A question, as a function from an Optuna trial to a setup, and how often to ask it.

    name: the name of the folder that its results go to.
    question: takes an `optuna.Trial`, whose `suggest_...` methods choose the trial's parameters, and returns a `Setup`.
    trials: the number of setups to ask for; None with `sampler="grid"` asks for every combination.
    seeds: the number of nets trained from each setup.
    sampler: a name (`tpe`, `nsga2`, `random`, `quasi-random`, `grid`) or any Optuna sampler.
    seed: the root of all randomness, from 0 to 2**32 - 1.
    objectives: what `tpe` and `nsga2` minimise, one or several of `error`, `extrapolation`, `parameters`, `steps` and
        of the user's own metrics that are in `aj.METRICS` by now; of a metric the median over a trial's nets. With a
        metric about one operation every trial has to be of that.
    halving: shares of the steps, such as (0.1, 0.3), after each of which the worse half of a batch's setups stops
        (`arithjax.studies.halving`).
    by: the columns that the summary and the report group by; default: the first two fields that vary.
    about: the question in words, a line.
    answer: a function from the finished table to an `aj.Answer`, with which the report opens, or to words.
    curves: the number of each trial's nets that are also recorded over training (`arithjax.training.curves`);
        they are trained once more.
    show: the nets that the report draws with their curves: a heading and, for each, a condition on the table's columns.
    source, path: the text and the path of the study's file, if it comes from one; `arithjax.studies.files` sets them.

    Raises `ArithjaxError` when an entry is not allowed.
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
    answer: Callable[[pd.DataFrame], Any] | None = None
    curves: int = 0
    show: dict[str, str] = field(default_factory=dict)
    source: str = field(default="", compare=False, repr=False)
    path: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, checked in _CHECKS.items():
            object.__setattr__(self, name, checked(getattr(self, name)))
        if self.trials is not None or self.sampler != "grid":
            check_count("trials", self.trials)

    @property
    def sampler_name(self) -> str:
        """The sampler's name, as `study.json` records it."""
        return self.sampler if isinstance(self.sampler, str) else type(self.sampler).__name__


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name or set(name) & set("/\\\0") or name[0] == ".":
        raise ArithjaxError(f"name={name!r} is not allowed; a study's name is also the name of its folder.")
    return name


def _question(question: Any) -> Callable[[optuna.Trial], Setup]:
    if not callable(question):
        raise ArithjaxError("question has to be a function from an Optuna trial to a Setup.")
    return question


def _seeds(seeds: Any) -> int:
    check_count("seeds", seeds)
    return seeds


def _seed(seed: Any) -> int:
    check_seed(seed)
    return seed


def _curves(curves: Any) -> int:
    if curves:
        check_count("curves", curves)
    return curves


def _sampler(sampler: Any) -> str | optuna.samplers.BaseSampler:
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise ArithjaxError(
                f"unknown sampler '{sampler}'{nearest(sampler, SAMPLERS)} There are {', '.join(SAMPLERS)}."
            )
    elif not isinstance(sampler, optuna.samplers.BaseSampler):
        raise ArithjaxError(
            f"sampler is a {type(sampler).__name__}; it has to be one of {', '.join(SAMPLERS)}, or an Optuna sampler."
        )
    return sampler


def _objectives(objectives: Any) -> tuple[str, ...]:
    return check_objectives((objectives,) if isinstance(objectives, str) else objectives, METRICS)


def _by(by: Any) -> tuple[str, ...]:
    by = (by,) if isinstance(by, str) else by
    if not isinstance(by, tuple | list) or not all(isinstance(name, str) for name in by):
        raise ArithjaxError(f"by={_shown(by)} is not allowed; it has to be names of columns, such as ('activation',).")
    return tuple(by)


def _about(about: Any) -> str:
    if not isinstance(about, str):
        raise ArithjaxError(f"about is a {type(about).__name__}; it has to be text.")
    return about


def _answer(answer: Any) -> Callable[[pd.DataFrame], Any] | None:
    if answer is not None and not callable(answer):
        raise ArithjaxError(f"answer is a {type(answer).__name__}; it has to be a function from a table to text.")
    return answer


def _show(show: Any) -> dict[str, str]:
    if not isinstance(show, dict):
        raise ArithjaxError(f"show is a {type(show).__name__}; it has to map headings to conditions.")
    for heading, condition in show.items():
        if not isinstance(heading, str) or not isinstance(condition, str):
            raise ArithjaxError(
                f"show={_shown({heading: condition})} is not allowed; it has to map headings to conditions, both text."
            )
    return show


def _shares(shares: Any) -> tuple[float, ...]:
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


def _shown(value: Any) -> str:
    """A value in one short line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "question": _question,
    "seeds": _seeds,
    "seed": _seed,
    "curves": _curves,
    "sampler": _sampler,
    "objectives": _objectives,
    "halving": _shares,
    "by": _by,
    "about": _about,
    "answer": _answer,
    "show": _show,
}
"""For each entry of a study a function that returns the entry in its one type, or raises `ArithjaxError`."""


class Progress:
    """What a run reports while it runs; override what is of interest. This one ignores everything."""

    def begin(self, nets: int, done: int, model_steps: int) -> None:
        """Training begins.

        nets: nets that the study asks for. done: those that the folder has already.
        model_steps: an estimate of the optimiser steps left, summed over nets.
        """

    def steps(self, count: int) -> None:
        """So many optimiser steps, summed over nets, have just been done."""

    def nets(self, rows: pd.DataFrame) -> None:
        """These nets, rows of a results table, are finished and will be written."""

    def stored(self, rows: pd.DataFrame) -> None:
        """These nets, rows of a results table, are those that the folder has already; told before `begin`."""

    def repeated(self, nets: int) -> None:
        """So many nets of those that the study asks for are earlier trials' nets, and are not trained again."""


def with_steps(study: Study, steps: int | None) -> Study:
    """A copy of a study whose setups train for another number of optimiser steps; the study itself for None.

    Fields that count steps within the training, such as `warmup`, are cut to fit.
    """
    if steps is None:
        return study
    return replace(study, question=functools.partial(_with_steps, study.question, steps))


def _with_steps(question: Callable[[optuna.Trial], Setup], steps: int, trial: optuna.Trial) -> Setup:
    setup = question(trial)
    if not isinstance(setup, Setup):  # the caller refuses it
        return setup
    every = setup.evaluate_every
    return setup.replace(
        steps=steps,
        warmup=min(setup.warmup, steps),
        evaluate_every=None if every is None else min(every, steps),
        finish=min(setup.finish, steps),
        until=None if setup.until is None else min(setup.until, steps),
    )
