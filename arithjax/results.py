"""Tables of results: load them, and summarise them honestly. Nothing here imports jax.

A table has a row a net; its columns are `study trial seed`, every field of the setup under its own name, and what was
measured (`arithjax.metrics` has the definitions).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import Setup, make

SCHEMA_VERSION = 1
SUCCESS = ("learned", "exact")
"""The grades that count as success."""

CURVES = "curves.parquet"
"""The file of what was recorded over training (`arithjax.diagnose`), beside the table."""

_TYPES = {"str": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}

SCHEMA = pa.schema(
    [
        ("study", pa.string()),
        ("trial", pa.int64()),
        ("seed", pa.int64()),
        *((f.name, _TYPES.get(str(f.type).removesuffix(" | None"), pa.string())) for f in fields(Setup)),
        ("parameters", pa.int64()),
        ("program", pa.string()),
        ("mse", pa.float64()),
        ("relative_rmse", pa.float64()),
        ("r2", pa.float64()),
        ("exact", pa.float64()),
        ("max_error", pa.float64()),
        ("extrapolation_relative_rmse", pa.float64()),
        ("extrapolation_solved", pa.bool_()),
        ("dead", pa.bool_()),
        ("diverged", pa.bool_()),
        ("solved_at", pa.float64()),
        ("trained_steps", pa.int64()),
        ("beats", pa.string()),
        ("grade", pa.string()),
        ("choices", pa.string()),  # what Optuna chose, as JSON
    ],
    metadata={"arithjax_schema": str(SCHEMA_VERSION)},
)


def to_arrow(rows: pd.DataFrame) -> pa.Table:
    """Rows in the one schema of all tables, by trial and seed."""
    rows = rows.sort_values(["trial", "seed"], ignore_index=True)
    return pa.Table.from_pandas(rows.reindex(columns=SCHEMA.names), schema=SCHEMA, preserve_index=False)


def read_table(path: Path) -> pd.DataFrame:
    """One parquet file of ours; `ArithjaxError` when it is broken, empty or from a later version."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read as a results table ({reason}); restore it, or delete it and run the study again."
        ) from None
    version = int((table.schema.metadata or {}).get(b"arithjax_schema", 0))
    missing = [name for name in ("trial", "seed", "grade") if name not in table.column_names]
    if version == 0 or missing:
        raise ArithjaxError(f"{path} is not a table of arithjax; give a folder that `arithjax run` wrote.")
    if version > SCHEMA_VERSION:
        raise ArithjaxError(f"{path} has schema {version}, newer than {SCHEMA_VERSION}; install a newer arithjax.")
    return table.to_pandas()


def load(folder: str | Path) -> pd.DataFrame:
    """The table of a study's folder, finished or not: one row a net, by trial and seed."""
    from arithjax.store import Store

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


def description(folder: str | Path) -> dict[str, Any]:
    """What `study.json` says of a folder's study."""
    path = Path(folder) / "study.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ArithjaxError(f"there is no {path}; give a folder that `arithjax run` wrote.") from None
    except (OSError, ValueError) as error:
        raise ArithjaxError(f"{path} cannot be read ({error}); restore it, or delete the folder.") from None


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


def wilson(successes: Any, trials: Any, z: float = 1.959963984540054) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of a success rate (Wilson 1927), 95 % by default: lower and upper ends.

    98 of 100 gives (0.930, 0.994); 0 of 100 gives (0, 0.037).
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def success(nets: pd.DataFrame) -> pd.Series:
    """Whether each net of a table counts as a success."""
    return nets["grade"].isin(SUCCESS)


def summarise(nets: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates, grouped by columns.

    Columns: `nets`, `rate` (share graded learned or exact) with its Wilson 95 % interval `low high`, the shares
    `exact_rate dead_rate diverged_rate`, and the medians of `relative_rmse`, `extrapolation_relative_rmse` and, over
    the nets that got there, `solved_at`.
    """
    by = [by] if isinstance(by, str) else list(by)
    for name in by:
        if name not in nets.columns:
            raise ArithjaxError(f"by: there is no column '{name}'{nearest(name, nets.columns)}")
    frame = nets.assign(
        rate=success(nets),
        exact_rate=nets["grade"] == "exact",
        dead_rate=nets["grade"] == "dead",
        diverged_rate=nets["grade"] == "diverged",
        relative_rmse=nets["relative_rmse"].fillna(np.inf),
        extrapolation_relative_rmse=nets["extrapolation_relative_rmse"].fillna(np.inf),
    )
    groups = frame.groupby(by, dropna=False, sort=True) if by else frame.groupby(lambda _: "all nets")
    with np.errstate(invalid="ignore"):
        medians = groups[["relative_rmse", "extrapolation_relative_rmse", "solved_at"]].median()
    table = groups[["rate", "exact_rate", "dead_rate", "diverged_rate"]].mean()
    table.insert(0, "nets", groups.size())
    low, high = wilson((table["rate"] * table["nets"]).round(), table["nets"])
    table.insert(2, "low", low)
    table.insert(3, "high", high)
    return table.join(medians)


def yardsticks(nets: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The share of nets, by columns, whose error beats answering 0, the mean and the best plane (by one per cent)."""
    order = ["none", "zero", "mean", "plane"]
    level = nets["beats"].map(order.index)
    shares = {f"beats_{name}": (level >= i).groupby([nets[c] for c in by]).mean() for i, name in enumerate(order) if i}
    return pd.DataFrame(shares)


def varied(nets: pd.DataFrame) -> list[str]:
    """The setup's fields that differ between the rows of a table."""
    return [name for name in Setup.field_names() if name in nets and nets[name].nunique(dropna=False) > 1]


def setups_table(nets: pd.DataFrame) -> pd.DataFrame:
    """A row a setup, the most successful first: the fields that vary, and `summarise`'s columns."""
    fields_varied = varied(nets)
    table = summarise(nets, ["trial"])
    table = nets.groupby("trial")[[*fields_varied, "parameters"]].first().join(table)
    return table.sort_values(["rate", "relative_rmse"], ascending=[False, True])
