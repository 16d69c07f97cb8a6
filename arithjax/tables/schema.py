"""The schema: what a table's columns are, and parquet files in it, of this version and of older ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arithjax.errors import ArithjaxError
from arithjax.setup import DEFAULTS, Setup, cell

SCHEMA_VERSION = 2

IDENTITY = ("trial", "seed")
"""The columns that tell nets apart."""

SUCCESS = ("learned", "exact")
"""The grades that count as success."""

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
