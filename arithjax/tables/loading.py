"""Loading: a study folder's table, curves and description; rows back as setups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from arithjax import disk
from arithjax.errors import ArithjaxError
from arithjax.setup import Setup, cell
from arithjax.tables.conditions import where
from arithjax.tables.described import LARGEST, wrong_entry
from arithjax.tables.parquet import MOST_COLUMNS, UNREADABLE, read_bounded
from arithjax.tables.store import Store

__all__ = ["CURVES", "description", "load", "load_curves", "parsed_choices", "setup_of", "where", "with_choices"]

CURVES = "curves.parquet"
"""The file of curves over training (`arithjax.training.curves`), in the study's folder."""


def load(folder: str | Path) -> pd.DataFrame:
    """The table of a study's folder, finished or not: one row per net, sorted by trial and seed.

    folder: a folder that `arithjax run` wrote, such as `runs/question`.

    Columns are those of `arithjax.tables.schema.COLUMNS`, and one for each parameter of the study's trials (what its
    question asks Optuna to suggest) under the parameter's name. Where a parameter has the name of a column, the column
    is kept as it is; the parameter's value is then only in the JSON of column `choices`.

    Raises `ArithjaxError` when the folder holds no results or damaged ones.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArithjaxError(f"there is no folder {folder}; give one that `arithjax run` wrote, such as runs/question.")
    rows = Store(folder).rows()
    if rows.empty:
        raise ArithjaxError(f"{folder} holds no results yet; run its study first.")
    return with_choices(rows)


def with_choices(nets: pd.DataFrame) -> pd.DataFrame:
    """A table with the trials' parameters as columns: those in the JSON of column `choices` that are no column yet.

    Cells are missing in trials without the parameter; lists become text such as `64,64`. Raises `ArithjaxError` when
    `choices` holds anything but JSON objects.
    """
    if "choices" not in nets or nets.empty:
        return nets
    codes, texts = pd.factorize(nets["choices"].fillna("{}"))  # equal for all nets of a trial, so each is parsed once
    trials = [parsed_choices(text) for text in texts]
    names = dict.fromkeys(name for trial in trials for name in trial if name not in nets)
    if len(names) > MOST_COLUMNS:
        raise ArithjaxError(f"choices names {len(names):,} parameters, more than the {MOST_COLUMNS} of a table.")
    columns = {name: pd.Series([_scalar(trial.get(name)) for trial in trials]) for name in names}
    return nets.assign(**{name: column.take(codes).set_axis(nets.index) for name, column in columns.items()})


def parsed_choices(text: Any) -> dict[str, Any]:
    """The parameters in a cell of column `choices`, none where it is empty; else `ArithjaxError` is raised."""
    try:
        parsed = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise ArithjaxError(
            f"choices={str(text)[:60]!r} is no JSON object, so the table is damaged; restore it, or delete it and run "
            f"the study again."
        )
    return parsed


def _scalar(value: Any) -> Any:
    """A parameter's value as a table cell, which tables can be grouped by."""
    if isinstance(value, list):
        return cell(tuple(value))
    return json.dumps(value) if isinstance(value, dict) else value


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
