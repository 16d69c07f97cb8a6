"""Tables of results: load them, and summarise them honestly. Nothing here imports jax.

A table has a row a net; its columns are `study trial seed`, every field of the setup under its own name, and what was
measured (`arithjax.training.metrics` has the definitions).
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from arithjax.errors import ArithjaxError
from arithjax.setup import Setup, make

CURVES = "curves.parquet"
"""The file of what was recorded over training (`arithjax.training.curves`), beside the table."""


def load(folder: str | Path) -> pd.DataFrame:
    """The table of a study's folder, finished or not: one row a net, by trial and seed."""
    from arithjax.tables.store import Store

    folder = Path(folder)
    if not folder.is_dir():
        raise ArithjaxError(f"there is no folder {folder}; give one that `arithjax run` wrote, such as runs/question.")
    rows = Store(folder).rows()
    if rows.empty:
        raise ArithjaxError(f"{folder} holds no results yet; run its study first.")
    return rows


def load_curves(folder: str | Path) -> pd.DataFrame | None:
    """What was recorded over training in a study's folder; None where nothing was."""
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


def with_choices(nets: pd.DataFrame) -> pd.DataFrame:
    """The table with a column for each of Optuna's choices that is not a field of the setup, such as a named change."""
    if "choices" not in nets or nets.empty:
        return nets
    texts = nets["choices"].fillna("{}")
    parsed = {text: json.loads(text) for text in texts.unique()}
    names = dict.fromkeys(name for choices in parsed.values() for name in choices if name not in nets)
    return nets.assign(**{name: [parsed[text].get(name) for text in texts] for name in names})


def where(nets: pd.DataFrame, condition: str, what: str) -> pd.DataFrame:
    """The nets for which a condition on their columns holds, such as `op == 'mul' and not dead`; `what` names the
    condition if it is none. It may come with a table of somebody else's, so it compares columns and calls nothing."""
    try:
        tree = ast.parse(re.sub(r"`[\w .:-]+`", "_", condition), mode="eval")
        if strange := [type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _COMPARING)]:
            raise ValueError(f"it may only compare columns and values, and has a {strange[0]}")
        chosen = nets.query(condition, local_dict={}, global_dict={})
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArithjaxError(
            f"{what} {condition!r} cannot be evaluated ({reason}); columns: {', '.join(nets)}."
        ) from None
    if not hasattr(chosen, "columns"):
        raise ArithjaxError(f'{what} {condition!r} is not a condition; give one such as "depth > 1".')
    return chosen


_COMPARING = (ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator, ast.Compare)

_COMPARING += (ast.cmpop, ast.Name, ast.expr_context, ast.Constant, ast.List, ast.Tuple)


def description(folder: str | Path) -> dict[str, Any]:
    """What `study.json` says of a folder's study."""
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
    for name, kind in {**_DESCRIBED, **{name: kind for name, kind in _MAY_SAY.items() if name in described}}.items():
        value = described.get(name)
        if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and not 0 <= value < 2**63):
            raise ArithjaxError(f"{path} is damaged ({name}={str(value)[:60]!r}); restore it, or delete the folder.")
    return described


_DESCRIBED = {"name": str, "seed": int, "trials": int, "seeds": int}
"""What every `study.json` says, and of which type."""

_MAY_SAY = {"told": int, "source": str, "objectives": list, "setup": dict, "space": dict, "versions": dict}

_MAY_SAY |= {"device": str, "continued": list, "by": list, "about": str, "importance": dict, "answer": str}

_MAY_SAY |= {"show": dict, "hash": str, "sampler": str, "schema": int}


def setup_of(row: pd.Series) -> Setup:
    """The setup of a table's row."""
    values = {}
    for f in fields(Setup):
        value, kind = row[f.name], str(f.type)
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            values[f.name] = None
        elif kind.startswith("tuple"):
            values[f.name] = tuple(float(v) for v in value.split(",") if v)
        elif kind == "str | tuple[str, ...]" and "," in value:
            values[f.name] = tuple(value.split(","))
        else:
            values[f.name] = value.item() if isinstance(value, np.generic) else value
    return make(**values)
