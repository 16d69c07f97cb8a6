"""Study fingerprint; prevents resuming a folder with another study.

A study's resolved question is plain data: how it is asked, the first trial's setup, and that trial's search space. It
stands in `study.json`, and its hash is what workers of a cluster compare.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.distributions import BaseDistribution, distribution_to_json

from arithjax.environment import differences
from arithjax.errors import ArithjaxError
from arithjax.setup import DEFAULTS, Setup
from arithjax.studies.search import AskedTrial, fixed
from arithjax.studies.study import Study


def resolved(study: Study, steps: int | None, asked: dict[int, AskedTrial]) -> dict[str, Any]:
    """The resolved question as plain data.

    study: the study, with `steps` applied (`with_steps`).
    steps: the number of optimiser steps that was asked for instead of the study's own, or None.
    asked: trials by number; the first one is described.

    `setup` holds only what differs from the defaults, so that a field added later changes no question.
    """
    number, first = next(iter(asked.items()))
    setup, halving = first.setup, {}
    if study.halving:  # the step at which the first setup stops is a result, not part of the question
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


def space_of(asked: dict[int, AskedTrial]) -> dict[str, Any]:
    """The search space of some trials: by parameter the distribution first used for it, as Optuna's plain data."""
    space: dict[str, BaseDistribution] = {}
    for one in asked.values():
        if not one.distributions.keys() <= space.keys():
            space = one.distributions | space
    return {name: json.loads(distribution_to_json(space[name])) for name in sorted(space)}


def departures(setup: Setup) -> dict[str, Any]:
    """The fields of a setup that differ from their defaults, as plain data."""
    return {name: value for name, value in setup.to_dict().items() if value != _plain_default(name)}


def _plain_default(name: str) -> Any:
    default = DEFAULTS[name]
    return list(default) if isinstance(default, tuple) else default


def digest(question: dict[str, Any]) -> str:
    """The SHA-256 hash of a resolved question, in hexadecimal."""
    return hashlib.sha256(json.dumps(question, sort_keys=True, default=str).encode()).hexdigest()


def fingerprint(study: Study, steps: int | None, params: dict[str, Any], number: int) -> str:
    """The hash of a study's question for a trial with the given parameters: the same wherever the study is loaded."""
    return digest(resolved(study, steps, {number: fixed(study, params, number)}))


def refuse_other_rows(folder: Path, asked: dict[int, AskedTrial], stored: pd.DataFrame) -> None:
    """Raise `ArithjaxError` unless the stored rows of trials have the setups that are asked for now.

    folder: for the message. asked: trials by number. stored: rows of a results table, of these trials only.
    """
    known = stored.drop_duplicates("trial")
    rows = {name: known[name].to_list() for name in Setup.field_names()}
    for place, number in enumerate(known["trial"].to_list()):
        cells = asked[number].setup.row()
        differ = [name for name, value in cells.items() if not _same(value, rows[name][place])]
        if differ:
            raise ArithjaxError(
                f"{folder} holds the answers to another question: trial {number} differs in "
                f"{', '.join(differ)}. Choose another --out or another name, or delete the folder."
            )


def _same(value: Any, cell: Any) -> bool:
    """Whether a field's value is what a table's cell holds."""
    missing = cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))
    return missing if value is None else not missing and value == cell


def refuse_other_question(folder: Path, before: dict[str, Any], question: dict[str, Any], sampler: Any) -> None:
    """Raise `ArithjaxError` unless a folder's `study.json` asks the same question; the message names what differs.

    folder: for the message. before: the content of `study.json`. question: the resolved question, with the space of all
    trials asked so far. sampler: the study's; one of the user's own is hinted at, since it may lack a fixed seed.
    """
    question = {"halving": [], **json.loads(json.dumps(question))}
    before = {"objectives": ["error"], "halving": [], **before}
    pairs = [pair for name in question for pair in _compared(name, before, question)]
    differ = [f"{name} ({old!r} there, {new!r} asked)" for name, old, new in pairs if old != new]
    if differ:
        hint = "" if isinstance(sampler, str) else " A sampler of your own needs a fixed seed."
        raise ArithjaxError(
            f"{folder} holds the answers to another question, which differs in {', '.join(differ)}. Choose another "
            f"--out or another name, or delete the folder.{hint}"
        )


def _compared(name: str, before: dict[str, Any], question: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """An entry of a question as triples: name, old value, new value; of a setup or a space one triple per key."""
    if name not in before and name in ("setup", "space"):  # earlier releases did not write them
        return
    old, new = before.get(name), question[name]
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield name, old, new
    elif name == "space":  # trials met since then may have added parameters to either
        yield from ((f"space.{key}", old[key], new[key]) for key in sorted(set(old) & set(new)))
    else:
        yield from ((key, old.get(key), new.get(key)) for key in sorted(set(old) | set(new)))


def essence(source: str) -> str:
    """A study file's code without what cannot change its nets: comments, docstrings, counts, words and grouping."""
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


def _is_text(line: ast.stmt) -> bool:
    """Whether a statement is a bare constant, such as a docstring."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def warn_of_changes(
    folder: Path, source: str, source_now: str, places: list[dict[str, Any]], here: dict[str, Any]
) -> None:
    """Warn when a study is resumed with other code, or with other versions or on another device than before.

    source, source_now: the study file's text then and now. places, here: `versions` and `device` of every earlier place
    that trained nets of the folder, and of this one.
    """
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
