"""Tables of results: load them, and summarise them honestly. Nothing here imports jax.

A table has a row a net; its columns are `study trial seed`, every field of the setup under its own name, and what was
measured (`arithjax.metrics` has the definitions).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arithjax.errors import ArithjaxError, nearest
from arithjax.setup import DEFAULTS, Setup, cell, make

SCHEMA_VERSION = 2
IDENTITY = ("trial", "seed")
"""The columns that tell nets apart."""
SUCCESS = ("learned", "exact")
"""The grades that count as success."""

CURVES = "curves.parquet"
"""The file of what was recorded over training (`arithjax.diagnose`), beside the table."""

_TYPES = {"str": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}

WORST, BEST = 2.0, -8.0
"""Bounds of an error as an objective, a decimal logarithm: a diverged setup is bad, not failed."""

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
        ("extrapolation_mse", pa.float64()),
        ("sparsity_error", pa.float64()),
        ("dead", pa.bool_()),
        ("diverged", pa.bool_()),
        ("success", pa.bool_()),
        ("solved_at", pa.float64()),
        ("selected_at", pa.int64()),
        ("trained_steps", pa.int64()),
        ("beats", pa.string()),
        ("grade", pa.string()),
        ("choices", pa.string()),  # what Optuna chose, as JSON
    ],
    metadata={"arithjax_schema": str(SCHEMA_VERSION)},
)


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by trial and seed, none twice; sorts only what is not sorted yet."""
    trial, seed = (rows[name].to_numpy() for name in IDENTITY)
    later = (trial[1:] > trial[:-1]) | ((trial[1:] == trial[:-1]) & (seed[1:] > seed[:-1]))
    if later.all():
        return rows.reset_index(drop=True)
    return rows.drop_duplicates(list(IDENTITY)).sort_values(list(IDENTITY), ignore_index=True)


def to_arrow(rows: pd.DataFrame) -> pa.Table:
    """Rows in the one schema of all tables, in order."""
    return pa.Table.from_pandas(in_order(rows).reindex(columns=SCHEMA.names), schema=SCHEMA, preserve_index=False)


def read_table(path: Path, content: bytes | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A parquet file of ours, of any schema version; `ArithjaxError` when it is broken or from a later version.

    content: the file's bytes, if they were read already. columns: only these.
    """
    try:
        with _quick_memory():
            table = pq.read_table(path if content is None else pa.BufferReader(content), columns=columns)
        version = int((table.schema.metadata or {}).get(b"arithjax_schema", 0))
        missing = [
            name
            for name in (*IDENTITY, "grade")
            if name in (columns or SCHEMA.names) and name not in table.column_names
        ]
        if version == 0 or missing:
            raise ArithjaxError(f"{path} is not a table of arithjax; give a folder that `arithjax run` wrote.")
        if version > SCHEMA_VERSION:
            raise ArithjaxError(f"{path} has schema {version}, newer than {SCHEMA_VERSION}; install a newer arithjax.")
        return _current(table, columns).to_pandas()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, ArithjaxError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read as a results table ({reason}); restore it, or delete it and run the study again."
        ) from None


@contextmanager
def _quick_memory() -> Iterator[None]:
    """Arrow's memory from jemalloc where it has it: a large table loads in half the time of its default (measured)."""
    before = pa.default_memory_pool()
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _current(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """The table in today's schema: a column that an older version lacks follows from another, is the default, or
    is missing."""
    schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    arrays = []
    for field in schema:
        if field.name in table.column_names:
            arrays.append(table[field.name].cast(field.type))
        elif field.name in _BEFORE and _BEFORE[field.name][0] in table.column_names:
            source, derive = _BEFORE[field.name]
            arrays.append(derive(table[source]))
        else:
            value = pa.scalar(cell(DEFAULTS.get(field.name)), field.type)
            arrays.append(pa.repeat(value, table.num_rows))
    for name in IDENTITY:
        if table[name].null_count:
            raise ValueError(f"column {name} has gaps")
    return pa.Table.from_arrays(arrays, schema=schema)


_BEFORE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "success": ("grade", lambda grade: pc.is_in(grade, pa.array(SUCCESS))),
    "selected_at": ("trained_steps", lambda steps: steps),
}
"""What a column was before version 2 had it: the column it follows from, and how."""


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
    return nets["success"].astype(bool)


def summarise(nets: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates, grouped by columns.

    Columns: `nets`, `rate` (share of successes: graded learned or exact, or below the setup's threshold) with its
    Wilson 95 % interval `rate_low rate_high`, the shares `exact_rate dead_rate diverged_rate`, and the medians of
    `relative_rmse`, `extrapolation_relative_rmse` and, over the nets that got there, `solved_at`.
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
    table.insert(2, "rate_low", low)
    table.insert(3, "rate_high", high)
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


def default_by(nets: pd.DataFrame) -> list[str]:
    """What a table is grouped by where nobody says: the first two fields that vary and are no outcome."""
    return [name for name in varied(nets) if name != "until"][:2]


def setups_table(nets: pd.DataFrame) -> pd.DataFrame:
    """A row a setup, the most successful first: the fields that vary, and `summarise`'s columns."""
    fields_varied = varied(nets)
    table = summarise(nets, ["trial"])
    table = nets.groupby("trial")[[*fields_varied, "parameters"]].first().join(table)
    return table.sort_values(["rate", "relative_rmse"], ascending=[False, True])


def _log_error(rows: pd.DataFrame, name: str) -> pd.Series:
    """The median over a trial's nets of log10 of an error, within bounds."""
    error = rows[name].fillna(np.inf).clip(10.0**BEST, 10.0**WORST)
    return np.log10(error).groupby(rows["trial"]).median()


def _steps(rows: pd.DataFrame) -> pd.Series:
    """The median step at which a trial's nets are solved; a net that is not counts as twice its steps."""
    return rows["solved_at"].fillna(2.0 * rows["steps"]).groupby(rows["trial"]).median()


OBJECTIVES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "error": lambda rows: _log_error(rows, "relative_rmse"),
    "extrapolation": lambda rows: _log_error(rows, "extrapolation_relative_rmse"),
    "parameters": lambda rows: rows["parameters"].astype(float).groupby(rows["trial"]).median(),
    "steps": _steps,
}
"""What a search may minimise: rows -> a number for each trial, always finite."""


def check_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each an objective and none twice."""
    if not isinstance(names, tuple | list) or not names or len(set(map(str, names))) != len(names):
        raise ArithjaxError(f"objectives={names!r} is not allowed; name one or several of {', '.join(OBJECTIVES)}.")
    for name in map(str, names):
        if name not in OBJECTIVES:
            raise ArithjaxError(
                f"unknown objective '{name}'{nearest(name, OBJECTIVES)} There are {', '.join(OBJECTIVES)}."
            )
    return tuple(names)


def objectives(nets: pd.DataFrame, names: Sequence[str] = ("error",)) -> pd.DataFrame:
    """What a search minimises: a row a trial, a column an objective (see `OBJECTIVES`)."""
    return pd.DataFrame({name: OBJECTIVES[name](nets) for name in check_objectives(names)})


def front(nets: pd.DataFrame, names: Sequence[str] = ("error", "parameters")) -> pd.DataFrame:
    """The Pareto front: the setups that no other setup beats in one objective without losing in another.

    A row a trial, by the first objective: the objectives, the success rate, and the setup's fields that vary.
    """
    values = objectives(nets, names).sort_values(list(names), kind="stable")
    kept: list[np.ndarray] = []
    chosen = []
    for point in values.to_numpy():
        beaten = any((better <= point).all() and (better < point).any() for better in kept)
        chosen.append(not beaten)
        if not beaten:
            kept.append(point)
    best = values[chosen]
    setups = nets[nets["trial"].isin(best.index)]
    rates = setups["grade"].isin(SUCCESS).groupby(setups["trial"]).mean().rename("rate")
    return best.join(rates).join(setups.groupby("trial")[varied(nets)].first())


def newcombe(k1: Any, n1: Any, k2: Any, n2: Any) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a difference of rates, `k2 / n2 - k1 / n1` (Newcombe 1998, method 10): lower, upper end.

    56 of 70 against 48 of 80 gives 0.0524 to 0.3339 for the difference 0.2.
    """
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    rate1, rate2 = np.asarray(k1) / np.asarray(n1), np.asarray(k2) / np.asarray(n2)
    difference = rate2 - rate1
    below = np.sqrt((rate2 - low2) ** 2 + (high1 - rate1) ** 2)
    above = np.sqrt((high2 - rate2) ** 2 + (rate1 - low1) ** 2)
    return difference - below, difference + above


def compare(a: pd.DataFrame, b: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Success rates of two tables side by side, grouped by columns.

    Columns: `nets_a rate_a nets_b rate_b`, the `difference` b - a with its 95 % interval `low high` (Newcombe), and `p`
    of Fisher's exact test that the rates are equal. A group that only one table has stands alone. With many groups
    some small p are chance.
    """
    from scipy.stats import fisher_exact

    sides = [summarise(nets, by)[["nets", "rate"]] for nets in (a, b)]
    table = sides[0].add_suffix("_a").join(sides[1].add_suffix("_b"), how="outer")
    both = table.dropna()
    nets_a, nets_b = both["nets_a"].astype(int), both["nets_b"].astype(int)
    good_a, good_b = (both["rate_a"] * nets_a).round().astype(int), (both["rate_b"] * nets_b).round().astype(int)
    low, high = newcombe(good_a, nets_a, good_b, nets_b)
    counts = zip(good_a, nets_a - good_a, good_b, nets_b - good_b, strict=True)
    p = [float(fisher_exact([[k1, m1], [k2, m2]]).pvalue) for k1, m1, k2, m2 in counts]
    told = pd.DataFrame({"difference": both["rate_b"] - both["rate_a"], "low": low, "high": high, "p": p}, both.index)
    return table.join(told).astype({"nets_a": "Int64", "nets_b": "Int64"})
