"""Loading: a study folder's table, curves and description; rows back as setups."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from arithjax import disk
from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.tables import groups
from arithjax.tables.conditions import where
from arithjax.tables.described import LARGEST, wrong_entry
from arithjax.tables.groups import parsed_choices
from arithjax.tables.parquet import UNREADABLE, read_bounded
from arithjax.tables.schema import SCHEMA
from arithjax.tables.store import Store

__all__ = ["CURVES", "description", "load", "load_curves", "parsed_choices", "setup_of", "where", "with_choices"]

CURVES = "curves.parquet"
"""The file of curves over training (`arithjax.training.curves`), in the study's folder."""


def load(folder: str | Path) -> pd.DataFrame:
    """The table of a study's folder, finished or not: one row per net, sorted by trial and seed.

    folder: a folder that `arithjax run` wrote, such as `runs/question`.

    Columns are those of `arithjax.tables.schema.COLUMNS`, one for each metric of the user's, and one for each parameter
    of the study's trials (what its question asks Optuna to suggest) under the parameter's name. Where a parameter has
    the name of a column, the column is kept as it is; the parameter's value is then only in the JSON of column
    `choices`.

    Raises `ArithjaxError` when the folder holds no results or damaged ones.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArithjaxError(f"there is no folder {folder}; give one that `arithjax run` wrote, such as runs/question.")
    rows = Store(folder).rows()
    if rows.empty:
        raise ArithjaxError(f"{folder} holds no results yet; run its study first.")
    try:
        described = description(folder)
    except ArithjaxError:
        described = {}
    return with_choices(groups.marked(rows, sampled(described, rows)))


def measured_there(folder: str | Path) -> set[str]:
    """The columns that a study's table was written with: older tables lack some of those that `load` gives."""
    table = Store(folder).table
    return set(pq.read_schema(table).names if table.exists() else SCHEMA.names)


def sampled(described: dict[str, Any], nets: pd.DataFrame) -> bool:
    """Whether the setups of a table are a sample of those that its study could have asked for.

    They are not where the study goes through a grid, or where its search space is finite and all of it was asked for.

    described: the content of the study's `study.json`; where it does not say, they are. nets: the table.
    """
    if described.get("sampler") in WHOLE:
        return False
    asked = set(nets["choices"].dropna()) if "choices" in nets else set()
    asked |= {json.dumps(one["choices"], sort_keys=True) for one in described.get("repeats", {}).values()}
    return len(asked) < _combinations(described.get("space", {}))


WHOLE = ("grid", "GridSampler", "BruteForceSampler")
"""Samplers that go through a whole search space: arithjax's, and Optuna's."""


def _combinations(space: dict[str, Any]) -> float:
    """The number of combinations in a search space, as `study.json` has it; infinite where a number is continuous."""
    try:
        return math.prod(_values(one["attributes"]) for one in space.values()) if space else math.inf
    except (KeyError, TypeError, ZeroDivisionError):
        return math.inf


def _values(attributes: dict[str, Any]) -> float:
    if "choices" in attributes:
        return len(attributes["choices"])
    step = attributes["step"]
    return math.inf if step is None else 1 + (attributes["high"] - attributes["low"]) // step


def with_choices(nets: pd.DataFrame) -> pd.DataFrame:
    """A table with the user's metrics and the trials' parameters as columns, as far as these are no column yet.

    They are in the JSON of columns `metrics` and `choices`. Cells are missing of nets without the metric and in trials
    without the parameter; lists become text such as `64,64`. Raises `ArithjaxError` when these columns hold anything
    but JSON objects.
    """
    for more in (groups.metrics(nets), groups.chosen(nets)):
        nets = nets.assign(**{name: more[name] for name in more if name not in nets})
    return nets


def load_curves(folder: str | Path) -> pd.DataFrame | None:
    """The curves over training in a study's folder, one row per net and recorded step; None if there are none.

    Raises `ArithjaxError` when their file cannot be read.
    """
    path = Path(folder) / CURVES
    if not path.exists():
        return None
    try:
        return read_bounded(disk.read(path)).to_pandas()
    except UNREADABLE as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read ({reason}); delete it, and run its study to record it again."
        ) from None


def description(folder: str | Path) -> dict[str, Any]:
    """The content of a folder's `study.json`: the study's name, counts, question and source, as plain data.

    Raises `ArithjaxError` when there is none, or when an entry is missing or of the wrong type.
    """
    path = Path(folder) / "study.json"
    try:
        described = json.loads(disk.read(path, LARGEST))
    except FileNotFoundError:
        raise ArithjaxError(f"there is no {path}; give a folder that `arithjax run` wrote.") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else (str(error).splitlines() or [""])[0]
        raise ArithjaxError(f"{path} cannot be read ({reason}); restore it, or delete the folder.") from None
    if not isinstance(described, dict):
        raise ArithjaxError(f"{path} is damaged; restore it, or delete the folder.")
    if (name := wrong_entry(described)) is not None:
        shown = str(described.get(name))[:60]
        raise ArithjaxError(f"{path} is damaged ({name}={shown!r}); restore it, or delete the folder.")
    return described


def setup_of(row: pd.Series) -> Setup:
    """The setup of a table's row; raises `ArithjaxError` when the row's fields are not allowed."""
    return Setup.from_row(row)
