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

from arithjax import disk
from arithjax.errors import ArithjaxError
from arithjax.fields import cell
from arithjax.setup import DEFAULTS
from arithjax.tables.schema import IDENTITY, SCHEMA, SCHEMA_VERSION, SUCCESS, to_arrow

REQUIRED = (*IDENTITY, "grade")
"""The columns that a table of any version has."""

EARLIER: dict[str, tuple[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    "success": ("grade", lambda grade: pc.is_in(grade, pa.array(SUCCESS))),
    "selected_at": ("trained_steps", lambda steps: steps),
}
"""Columns that version 1 lacks: for each the column it follows from, and how."""


FEW, TEXT_OF_A_BYTE = 100_000, 200
"""The rows that a file of any size may hold, and the letters of a column of text for each of a file's bytes.

A larger file may hold a row for each byte, where tables of studies have 40 to 60 bytes a row: a file of a few kilobytes
can be written that takes gigabytes once it is read."""

MOST_COLUMNS, CELL = 200, 24
"""The most columns of a file that are read, and the bytes that a cell takes at most while it is."""


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
        table = read_bounded(disk.read(path) if content is None else content, columns or SCHEMA.names)
        _check_version(path, table, SCHEMA.names if columns is None else columns)
        return _upgraded(table, columns).to_pandas()
    except ArithjaxError:
        raise
    except (*UNREADABLE, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArithjaxError(
            f"{path} cannot be read as a results table ({reason}); restore it, or delete it and run the study again."
        ) from None


UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
"""What reading a damaged file raises."""


def read_bounded(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The content of a parquet file, no more of which is read than a file of its size honestly holds.

    columns: those to read, where the file has them; default: all, if they are not too many.

    Raises one of `UNREADABLE`.
    """
    with _fast_allocation():
        file = pq.ParquetFile(pa.BufferReader(content))
        rows = file.metadata.num_rows
        types = {field.name: field.type for field in file.schema_arrow if columns is None or field.name in columns}
        if rows > max(FEW, len(content)) or CELL * rows * len(types) > disk.memory():
            raise ValueError(f"{rows:,} rows in {len(content):,} bytes are more than a study's, or than fit in memory")
        text = [name for name, kind in types.items() if not _is_scalar(kind)]
        if len(types) > MOST_COLUMNS or not all(_is_text(types[name]) for name in text):
            raise ValueError("it has other columns than arithjax writes")
        # each text once, until it is known how much all of it is
        read = pq.read_table(pa.BufferReader(content), columns=list(types), read_dictionary=text)
        most = max(FEW, len(content)) * TEXT_OF_A_BYTE
        plain = [_plain(read[name], most) for name in types]
        return pa.table(plain, names=list(types)).replace_schema_metadata(file.schema_arrow.metadata)


def _is_scalar(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return any(test(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _plain(column: pa.ChunkedArray, most: int) -> pa.ChunkedArray:
    """A column without a dictionary; one of text may have `most` letters in all."""
    if not pa.types.is_dictionary(column.type):
        return column
    letters = sum(
        pc.sum(pc.take(pc.cast(pc.binary_length(chunk.dictionary), pa.int64()), chunk.indices)).as_py() or 0
        for chunk in column.chunks
    )
    if letters > most:
        raise ValueError(f"a column has {letters:,} letters")
    return column.cast(column.type.value_type)


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
