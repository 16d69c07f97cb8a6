"""Parquet files of results tables: written in this version's schema, read in any version's."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from arithjax.errors import ArithjaxError
from arithjax.setup import DEFAULTS, cell
from arithjax.tables.schema import IDENTITY, SCHEMA, SCHEMA_VERSION, SUCCESS, to_arrow

REQUIRED = (*IDENTITY, "grade")
"""The columns that a table of any version has."""

EARLIER: dict[str, tuple[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    "success": ("grade", lambda grade: pc.is_in(grade, pa.array(SUCCESS))),
    "selected_at": ("trained_steps", lambda steps: steps),
}
"""Columns that version 1 lacks: for each the column it follows from, and how."""


def table_bytes(rows: pd.DataFrame) -> bytes:
    """Rows as the content of a parquet file; equal rows give equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(to_arrow(rows), buffer, compression="zstd")
    return buffer.getvalue()


def read_table(path: Path, content: bytes | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows of a parquet file that arithjax wrote, in this version's schema.

    path: the file, also for messages.
    content: the file's bytes, if they have been read already.
    columns: names of the columns to read; default: all.

    Raises `ArithjaxError` when the file is broken, is no table of arithjax, or is of a later version.
    """
    try:
        with _fast_allocation():
            table = pq.read_table(path if content is None else pa.BufferReader(content), columns=columns)
        _check_version(path, table, SCHEMA.names if columns is None else columns)
        return _upgraded(table, columns).to_pandas()
    except ArithjaxError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read as a results table ({reason}); restore it, or delete it and run the study again."
        ) from None


def _check_version(path: Path, table: pa.Table, wanted: Sequence[str]) -> None:
    """Raise unless a file is a results table of this version or an earlier one, with the columns it must have."""
    version = int((table.schema.metadata or {}).get(b"arithjax_schema", 0))
    if version == 0 or any(name in wanted and name not in table.column_names for name in REQUIRED):
        raise ArithjaxError(f"{path} is not a table of arithjax; give a folder that `arithjax run` wrote.")
    if version > SCHEMA_VERSION:
        raise ArithjaxError(f"{path} has schema {version}, newer than {SCHEMA_VERSION}; install a newer arithjax.")


@contextmanager
def _fast_allocation() -> Iterator[None]:
    """Let Arrow allocate with jemalloc where it can: large tables load in half the time (measured)."""
    before = pa.default_memory_pool()
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _upgraded(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """A table of any version in this version's schema, or its part with the given columns."""
    schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    for name in IDENTITY:
        if table[name].null_count:
            raise ValueError(f"column {name} has gaps")
    return pa.Table.from_arrays([_column(table, field) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    """A column of a table; where an older version lacks it, what it follows from, or its default, or nulls."""
    if field.name in table.column_names:
        return table[field.name].cast(field.type)
    source, derive = EARLIER.get(field.name, ("", None))
    if derive is not None and source in table.column_names:
        return derive(table[source])
    return pa.repeat(pa.scalar(cell(DEFAULTS.get(field.name)), field.type), table.num_rows)
