"""Data sets: examples of one's own, which stand wherever an operation does.

    aj.OPERATIONS["mine"] = aj.Dataset("mine", x, y)
    aj.OPERATIONS["cars"] = aj.Dataset.read("cars.csv", target="mpg", name="cars")

Every row is an example, once an epoch; a setup's `holdout` keeps a share of them apart, to judge nets by. A data set is
known by its content: where a number changes, setups are others, and nets are trained anew.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Array, Float64, Num

from arithjax import disk
from arithjax.errors import ArithjaxError, counted, nearest
from arithjax.task.arguments import Argument, Span, argument_names, refuse_twice
from arithjax.task.operations import Operation
from arithjax.task.trial import Trial, seen
from arithjax.task.truth import Results

MOST_ROWS = 1 << 20
"""The most rows of a data set: each is in the memory of every net."""


@dataclass(frozen=True, init=False, eq=False)
class Dataset(Operation):
    """Examples of one's own: arguments and results, in place of an operation's function.

    name: its name, `op` in a setup. targets: what the results are called, and `symbol` all of them.
    x: arguments `[rows, arity]`; y: results `[rows]`, or `[rows, outputs]` of several, both in original units.
    source: the file that it was read from; empty where it is of arrays.
    """

    x: Float64[np.ndarray, "rows arity"] = None  # type: ignore[assignment]
    y: Float64[np.ndarray, " rows *outputs"] = None  # type: ignore[assignment]
    targets: tuple[str, ...] = ()
    source: str = ""

    def __init__(self, name: str, x: Any, y: Any, names: Sequence[str] | None = None, target: str | None = None):
        """Take arrays, lists, or pandas' tables and columns of numbers.

        Args:
            name: its name, `op` in a setup.
            x: arguments `[rows, arity]`, or `[rows]` of one.
            y: results `[rows]`, or `[rows, outputs]` of several.
            names: what the arguments are called; by default as the columns of a table are, or `a`, `b` and so on.
            target: what the results are called; by default as the columns are, or `y`.

        Raises:
            ArithjaxError: the numbers are none, or not finite, or not as many results as rows of arguments.
        """
        about = f"data set '{name}'"
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ArithjaxError(f"data set name={name!r} is not allowed; it has to be a text such as 'mine'.")
        names = [str(column) for column in getattr(x, "columns", ())] if names is None else [*names]
        targets = [target] if target else [*map(str, getattr(y, "columns", [getattr(y, "name", None) or "y"]))]
        x, y = _examples(about, x, y)
        names = names or argument_names(x.shape[1])
        if len(names) != x.shape[1]:
            raise ArithjaxError(f"{about}: names has {len(names)} for {x.shape[1]} columns; give one for each.")
        _refuse_infinite(about, np.column_stack([x, y]), [*names, *targets])
        refuse_twice(about, names)
        arguments = tuple(_argument(*column) for column in zip(names, x.T, strict=True))
        known = {
            "name": name,
            "symbol": ", ".join(targets),
            "fn": self._no_function,
            "arity": len(names),
            "arguments": arguments,
        }
        x.flags.writeable = y.flags.writeable = False
        for field, value in {**known, "x": x, "y": y, "targets": tuple(targets)}.items():
            object.__setattr__(self, field, value)

    @classmethod
    def read(cls, path: str | Path, target: str | Sequence[str], name: str | None = None) -> Dataset:
        """The data set in a file of columns with names: CSV, or parquet where the file's name ends so.

        Args:
            path: the file.
            target: the column of results, or several, as a list or with commas between; all others are arguments.
            name: its name, `op` in a setup; by default that of the file, such as `cars.csv`.

        Raises:
            ArithjaxError: the file cannot be read, lacks the column, or holds anything but numbers.
        """
        table = _table(Path(path))
        targets = [*target]
        if isinstance(target, str):
            targets = [target] if target in table.columns else target.split(",")
        columns = [*map(str, table.columns)]
        _refuse_targets(path, targets, columns)
        y = table[targets[0]] if len(targets) == 1 else table[targets]
        found = cls(name or Path(path).name, table.drop(columns=targets), y)
        object.__setattr__(found, "source", str(path))
        return found

    @functools.cached_property
    def content(self) -> str:
        """A digest of its numbers."""
        shape = repr((self.x.shape, self.y.shape)).encode()
        return hashlib.sha256(
            shape + np.ascontiguousarray(self.x).tobytes() + np.ascontiguousarray(self.y).tobytes()
        ).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataset) and (self.name, self.content) == (other.name, other.content)

    def __hash__(self) -> int:
        return hash((self.name, self.content))

    @property
    def data(self) -> bool:
        """Whether it is a data set."""
        return True

    @property
    def about(self) -> str:
        """A line for lists."""
        return f"{self.symbol}: {len(self.x):,} rows of {', '.join(self.argument_names)}"

    @property
    def results(self) -> Results:
        """The results of all rows."""
        return Results(self.y, np.zeros_like(self.y), True)

    def rows(self, spans: tuple[Span, ...], most: int) -> Float64[np.ndarray, "rows arity"]:
        """The arguments of all rows."""
        return self.x

    def trial(self, spans: tuple[Span, ...], precision: str) -> Trial:
        """What is known of its results: the smallest and the largest, and how many there are."""
        largest = float(np.abs(self.y).max())
        if largest > np.finfo(precision).max:
            return Trial(f"{self.name} has results of {largest:g}, more than {precision} holds; use float64.")
        return seen(self.results, traced=False)

    def exact(self, x: Num[np.ndarray, "points arity"], integers: bool) -> Results:
        """The results of arguments `x [points, arity]` that are rows of it, as any precision holds them; else NaN."""
        found = np.array([self._places.get(row.tobytes(), -1) for row in np.ascontiguousarray(x, np.float32)], int)
        t = self.y[found]
        t[found < 0] = np.nan
        return Results(t, np.zeros_like(t), True)

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        """Which row holds arguments; the first of several."""
        rows = np.ascontiguousarray(self.x, np.float32)
        return {rows[place].tobytes(): place for place in reversed(range(len(rows)))}

    def __call__(self, x: Num[Array | np.ndarray, " ..."], axis: int = 1) -> Num[Array, " ..."]:
        """Nothing: compiled programs know no data set."""
        return self._no_function()

    def _no_function(self, *arguments: Any) -> Any:
        raise ArithjaxError(f"data set '{self.name}' has results for its own rows alone, and no function.")


def _examples(about: str, x: Any, y: Any) -> tuple[Float64[np.ndarray, "rows arity"], Float64[np.ndarray, " ..."]]:
    """What was given as arguments and results as arrays `[rows, arity]` and `[rows]`, or `[rows, outputs]`."""
    x, y = _numbers(about, "x", x), _numbers(about, "y", y)
    x, y = x[:, None] if x.ndim == 1 else x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if len(y) != len(x) or 0 in (*x.shape[1:], *y.shape[1:]):
        raise ArithjaxError(
            f"{about}: x has shape {x.shape} and y {y.shape}; they have to be [rows, arguments] and [rows], or "
            "[rows, outputs]."
        )
    if not 2 <= len(x) <= MOST_ROWS:
        raise ArithjaxError(f"{about} has {counted(len(x), 'row')}; it has to have between 2 and {MOST_ROWS:,}.")
    return x, y


def _refuse_targets(path: str | Path, targets: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse targets that are no columns of a file, or named twice, or all that it has."""
    it_has = f"It has {', '.join(columns)[:200]}"
    for missing in (one for one in targets if one not in columns):
        raise ArithjaxError(f"{path}: target={missing!r} is no column of it{nearest(missing, columns)} {it_has}.")
    if len(set(targets)) < len(targets):
        twice = next(one for one in targets if targets.count(one) > 1)
        raise ArithjaxError(f"{path}: target names '{twice}' twice; give each column of results once.")
    if len(targets) == len(columns):
        raise ArithjaxError(f"{path}: target={','.join(targets)} leaves no column of arguments. {it_has}.")


def _numbers(about: str, what: str, given: Any) -> Float64[np.ndarray, " ..."]:
    try:
        found = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise ArithjaxError(f"{about}: {what} is not all numbers; give an array of them.") from None
    if found.ndim not in (1, 2):
        raise ArithjaxError(f"{about}: {what} has shape {found.shape}; it has to have one or two axes.")
    return found + 0.0  # -0.0 and 0.0 are one number, and have to be one content


def _refuse_infinite(about: str, numbers: Float64[np.ndarray, "rows columns"], names: Sequence[str]) -> None:
    bad = np.argwhere(~np.isfinite(numbers) | (np.abs(numbers) >= 1e300))
    if len(bad):
        row, column = bad[0]
        raise ArithjaxError(
            f"{about}: row {row}, column {names[column]!r} holds {numbers[row, column]:g}; every cell has to be a "
            "finite number. Mend it, or leave the row out."
        )


def _argument(name: str, column: Float64[np.ndarray, " rows"]) -> Argument:
    """The argument of a column: whole numbers where all are, and the range that holds them."""
    low, high = float(column.min()), float(column.max())
    if low == high:
        return Argument(name, values=(low,))
    whole = bool(np.all(column == np.rint(column)))
    return Argument(name, low, high + whole, integers=whole)


def _table(path: Path) -> pd.DataFrame:
    """The columns of a file as float64; raises `ArithjaxError` for anything else, with line and column."""
    try:
        content = disk.read(path)
    except FileNotFoundError:
        raise ArithjaxError(f"there is no file {path}; give a CSV or parquet file with a column of results.") from None
    except OSError as error:
        raise ArithjaxError(f"{path} cannot be read ({error.strerror}); give a CSV or parquet file.") from None
    try:
        table = pd.read_parquet(io.BytesIO(content)) if path.suffix == ".parquet" else _of_csv(path, content)
    except ArithjaxError:
        raise
    except Exception as error:  # whatever the parsers say
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArithjaxError(f"{path} cannot be read as a table ({reason}); give a CSV or parquet file.") from None
    if table.empty:
        raise ArithjaxError(f"{path} holds no rows; its first line names the columns, and every other is a row.")
    if table.columns.duplicated().any():
        raise ArithjaxError(f"{path} has two columns '{table.columns[table.columns.duplicated()][0]}'; rename one.")
    return pd.DataFrame({name: _column(path, str(name), table[name]) for name in table.columns})


def _of_csv(path: Path, content: bytes) -> pd.DataFrame:
    """The cells of a CSV file as text; the index holds their lines, from 1."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), skipinitialspace=True, strict=True)
    header, rows, lines = next(reader, []), [], []
    for mark in (mark for mark in ";\t|" if len(header) == 1 and mark in header[0]):
        raise ArithjaxError(f"{path}: its first line has {mark!r} and no comma; separate the columns by commas.")
    for row in reader:
        if len(row) not in (0, len(header)):
            raise ArithjaxError(
                f"{path}, line {reader.line_num} has {len(row)} cells, and its first line names {len(header)} columns; "
                "give a cell for each, separated by commas."
            )
        if row:
            rows.append(row)
            lines.append(reader.line_num)
    return pd.DataFrame(rows, index=lines, columns=header, dtype=object)


def _column(path: Path, name: str, column: pd.Series) -> Float64[np.ndarray, " rows"]:
    """The numbers of a column; those of a CSV are text so far."""
    try:
        found = column.to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError):
        found = np.array([_number(cell) for cell in column], float)
    bad = np.flatnonzero(~np.isfinite(found))
    if not len(bad):
        return found
    place, cell = column.index[bad[0]], column.iloc[int(bad[0])]
    where = f"row {bad[0]}" if path.suffix == ".parquet" else f"line {place}"
    holds = "is empty" if pd.isna(cell) or str(cell).strip() == "" else f"holds {str(cell)[:40]!r}"
    raise ArithjaxError(
        f"{path}, {where}, column '{name}' {holds}; every cell has to be a finite number. Mend it, or leave the row or "
        "the column out."
    )


def _number(cell: Any) -> float:
    """A cell as a number; NaN where it is none."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return np.nan
