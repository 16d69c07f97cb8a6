"""Loading: a study folder's table, curves and description; rows back as setups."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from arithjax.errors import ArithjaxError
from arithjax.setup import Setup, cell
from arithjax.tables.store import Store

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
    trials = [_parsed(text) for text in texts]
    names = dict.fromkeys(name for trial in trials for name in trial if name not in nets)
    columns = {name: pd.Series([_scalar(trial.get(name)) for trial in trials]) for name in names}
    return nets.assign(**{name: column.take(codes).set_axis(nets.index) for name, column in columns.items()})


def _parsed(text: str) -> dict[str, Any]:
    """The parameters in a cell of column `choices`."""
    try:
        parsed = json.loads(text)
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
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read ({reason}); delete it, and run its study to record it again."
        ) from None


_CONDITION = (
    *(ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator, ast.Compare),
    *(ast.cmpop, ast.Name, ast.expr_context, ast.Constant, ast.List, ast.Tuple),
)
"""The syntax that a condition may consist of. Calls and attributes are not allowed, since a condition may come with
somebody else's table."""


def where(nets: pd.DataFrame, condition: str, what: str) -> pd.DataFrame:
    """The nets for which a condition on their columns holds.

    condition: an expression that `DataFrame.eval` takes and that only compares columns and values, such as
        `op == 'mul' and not dead`.
    what: the condition's name in messages, such as `--where`.

    Raises `ArithjaxError` when the condition cannot be evaluated, or calls something.
    """
    try:
        tree = ast.parse(re.sub(r"`[\w .:-]+`", "_", condition), mode="eval")
        if strange := [type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _CONDITION)]:
            raise ValueError(f"it may only compare columns and values, and has a {strange[0]}")
        holds = nets.eval(condition, local_dict={}, global_dict={})
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArithjaxError(
            f"{what} {condition!r} cannot be evaluated ({reason}); columns: {', '.join(nets)}."
        ) from None
    if not isinstance(holds, pd.Series) or pd.api.types.infer_dtype(holds, skipna=False) != "boolean":
        raise ArithjaxError(f'{what} {condition!r} is not a condition; give one such as "depth > 1".')
    return nets[holds.astype(bool)]


_REQUIRED: dict[str, type] = {"name": str, "seed": int, "trials": int, "seeds": int}
"""The entries that every `study.json` has, with their types."""

_OPTIONAL: dict[str, type] = {
    **{"told": int, "source": str, "objectives": list, "setup": dict, "space": dict, "versions": dict, "device": str},
    **{"continued": list, "by": list, "about": str, "importance": dict, "answer": str, "show": dict, "hash": str},
    **{"sampler": str, "schema": int},
}
"""The entries that a `study.json` may have, with their types."""


def description(folder: str | Path) -> dict[str, Any]:
    """The content of a folder's `study.json`: the study's name, counts, question and source, as plain data.

    Raises `ArithjaxError` when there is none, or when an entry is missing or of the wrong type.
    """
    path = Path(folder) / "study.json"
    try:
        described = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArithjaxError(f"there is no {path}; give a folder that `arithjax run` wrote.") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ArithjaxError(f"{path} cannot be read ({reason}); restore it, or delete the folder.") from None
    if not isinstance(described, dict):
        raise ArithjaxError(f"{path} is damaged; restore it, or delete the folder.")
    present = {name: kind for name, kind in _OPTIONAL.items() if name in described}
    for name, kind in {**_REQUIRED, **present}.items():
        value = described.get(name)
        if not _is(value, kind):
            raise ArithjaxError(f"{path} is damaged ({name}={str(value)[:60]!r}); restore it, or delete the folder.")
    return described


def _is(value: Any, kind: type) -> bool:
    """Whether a value of JSON is of a type; a whole number also has to be one that a table can hold, from 0."""
    if isinstance(value, bool) or not isinstance(value, kind):
        return False
    return not isinstance(value, int) or 0 <= value < 2**63


def setup_of(row: pd.Series) -> Setup:
    """The setup of a table's row; raises `ArithjaxError` when the row's fields are not allowed."""
    return Setup.from_row(row)
