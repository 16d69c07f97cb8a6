"""A study's resolved question as plain data, so that a folder never holds the answers to two."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from optuna.distributions import BaseDistribution, distribution_to_json

from arithjax.errors import ArithjaxError
from arithjax.setup import DEFAULTS, Setup
from arithjax.studies.search import Asked, fixed

if TYPE_CHECKING:
    from arithjax.studies.study import Study
from arithjax.environment import differences


def shortened(question: Callable[[Any], Setup], steps: int) -> Callable[[Any], Setup]:
    """The question with another number of steps."""
    return functools.partial(_shortened, question, steps)


def _shortened(question: Callable[[Any], Setup], steps: int, trial: Any) -> Setup:
    setup = question(trial)
    if not isinstance(setup, Setup):
        return setup
    every = setup.evaluate_every
    return setup.replace(
        steps=steps,
        warmup=min(setup.warmup, steps),
        evaluate_every=None if every is None else min(every, steps),
        finish=min(setup.finish, steps),
        until=None if setup.until is None else min(setup.until, steps),
    )


def refuse_others(folder: Path, asked: dict[int, Asked], stored: pd.DataFrame) -> None:
    """Refuse to mix the answers to two questions."""
    known = stored.drop_duplicates("trial")
    numbers = known["trial"].to_list()
    rows = {name: known[name].to_list() for name in Setup.field_names()}
    for place, number in enumerate(numbers):
        cells = asked[number].setup.row()
        differ = [name for name, value in cells.items() if not _same(value, rows[name][place])]
        if differ:
            raise ArithjaxError(
                f"{folder} holds the answers to another question: trial {number} differs in "
                f"{', '.join(differ)}. Choose another --out or another name, or delete the folder."
            )


def _same(value: Any, cell: Any) -> bool:
    missing = cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))
    return missing if value is None else not missing and value == cell


def resolved(study: Study, steps: int | None, asked: dict[int, Asked]) -> dict[str, Any]:
    """The resolved question as plain data: how it is asked, the first trial's setup, and what that had to choose from.

    `setup` holds what departs from the defaults, so that a field added later changes no question.
    """
    number, first = next(iter(asked.items()))
    setup, halving = first.setup, {}
    if study.halving:  # which stops a setup, whatever it is
        setup, halving = setup.replace(until=None), {"halving": list(study.halving)}
    return {
        **halving,
        "name": study.name,
        "seed": study.seed,
        "sampler": study.sampler_name,
        "objectives": list(study.objectives),
        "steps": steps,
        "setup": departures(setup),
        "space": space_of({number: first}),
    }


def space_of(asked: dict[int, Asked]) -> dict[str, Any]:
    """Every choice there was, as it was first offered: Optuna's distributions as plain data, by name."""
    space: dict[str, BaseDistribution] = {}
    for one in asked.values():
        if not one.distributions.keys() <= space.keys():
            space = one.distributions | space
    return {name: json.loads(distribution_to_json(space[name])) for name in sorted(space)}


def departures(setup: Setup) -> dict[str, Any]:
    """A setup as plain data, without what is at its default."""
    return {name: value for name, value in setup.to_dict().items() if value != _plain_default(name)}


def _plain_default(name: str) -> Any:
    default = DEFAULTS[name]
    return list(default) if isinstance(default, tuple) else default


def digest(question: dict[str, Any]) -> str:
    """The hash of a resolved question."""
    return hashlib.sha256(json.dumps(question, sort_keys=True, default=str).encode()).hexdigest()


def fingerprint(study: Study, steps: int | None, params: dict[str, Any], number: int) -> str:
    """The hash of the question as it is asked for some choices: the same wherever the study is loaded."""
    return digest(resolved(study, steps, {number: fixed(study, params, number)}))


def refuse_another(folder: Path, before: dict[str, Any], question: dict[str, Any], sampler: Any) -> None:
    """Raise unless a folder's `study.json` asks the same question, naming the fields that differ."""
    question = {"halving": [], **json.loads(json.dumps(question))}
    before = {"objectives": ["error"], "halving": [], **before}
    differ = []
    for name, value in question.items():
        if name not in before and name in ("setup", "space"):  # an older study.json does not say
            continue
        there = before.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            names = set(value) & set(there) if name == "space" else set(value) | set(there)
            prefix = "" if name == "setup" else f"{name}."
            pairs = [(f"{prefix}{key}", there.get(key), value.get(key)) for key in sorted(names)]
        else:
            pairs = [(name, there, value)]
        differ += [f"{key} ({old!r} there, {new!r} asked)" for key, old, new in pairs if old != new]
    if differ:
        hint = "" if isinstance(sampler, str) else " A sampler of your own needs a fixed seed."
        raise ArithjaxError(
            f"{folder} holds the answers to another question, which differs in {', '.join(differ)}. Choose another "
            f"--out or another name, or delete the folder.{hint}"
        )


def essence(source: str) -> str:
    """What a study file's code does, without comments, docstrings, and how many trials and seeds it asks for."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [k for k in node.keywords if k.arg not in ("trials", "seeds", "by", "about", "answer")]
        if isinstance(node, ast.Module | ast.FunctionDef):
            node.body = [line for line in node.body if not _is_text(line)]
    return ast.dump(tree)


def warn_of_changes(folder: Path, source: str, source_now: str, places: list[dict], here: dict) -> None:
    """Warn that a study goes on with other code, or somewhere else."""
    if source and essence(source) != essence(source_now):
        warnings.warn(
            f"the study file's code has changed since {folder} was begun; it goes on, since its trials ask for the "
            f"same setups. If an operation of its own changed, choose another --out.",
            stacklevel=2,
        )
    if all(differences(place, here) for place in places):
        words = ", ".join(differences(places[0], here))
        warnings.warn(
            f"{folder} was begun elsewhere ({words}); nets may differ in their last bits from those that are there.",
            stacklevel=2,
        )


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
