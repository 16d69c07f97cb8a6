"""The columns of a results table, their types and their meaning.

A table has one row per net: `study trial seed`, every field of its setup under the field's own name, and what was
measured. All errors are in original units, outside every transform. To add a column, add it to `MEASURED`, raise
`SCHEMA_VERSION`, and say in `arithjax.tables.parquet` what older tables have in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from arithjax.fields import Kind
from arithjax.setup import FIELDS

SCHEMA_VERSION = 5

IDENTITY = ("trial", "seed")
"""The columns that together identify a net within a study."""

GRADES = ("diverged", "dead", "failed", "rough", "learned", "exact")
"""The values of column `grade`, worst first."""

SUCCESS = ("learned", "exact")
"""The grades that count as success."""

CERTIFIED, ALL_ROWS, WRONG = "certified", "all rows", "a wrong answer"

CERTIFICATES = {
    CERTIFIED: "all arguments of the range were checked, and every answer rounds to the right integer",
    ALL_ROWS: "all rows of the data set were checked, held out or not, and every answer rounds to the right integer; "
    "nothing is known of other arguments",
    WRONG: "some answer does not round to the right integer",
    "real arguments": "arguments are real numbers, which cannot all be checked",
    "results not whole": "results are not whole numbers, so that none is right to the last digit",
    "too many arguments": "there are more than 1,048,576 arguments, too many to check them all",
    "results not exact": "the operation's results overflow or are rounded; they are not known exactly",
    "beyond float32": "some results are whole numbers that float32 does not have, so that no net can give them; "
    "precision=float64 has all up to 2**53",
    "beyond float64": "some results are whole numbers that float64 does not have, so that no net can give them",
}
"""The values of column `certificate`, and what each means."""

YARDSTICKS = ("none", "zero", "mean", "plane")
"""The values of column `beats`, easiest baseline first: no baseline, answering 0, the mean, the best plane."""

TYPES: dict[Kind, pa.DataType] = {"bool": pa.bool_(), "whole": pa.int64(), "count": pa.int64(), "number": pa.float64()}
"""The column type of a setup's field by its kind; all others, such as sequences, are written as text."""


class Column(NamedTuple):
    """A column of a results table: its `name`, its Arrow `type`, and in one line what it is `about`, with units."""

    name: str
    type: pa.DataType
    about: str


NUMBERED = (
    Column("study", pa.string(), "name of the study"),
    Column("trial", pa.int64(), "number of the trial in its study, from 0; all nets of a trial share one setup"),
    Column("seed", pa.int64(), "number of the net among its trial's, from 0; with the study's seed it fixes the net"),
)

MEASURED = (
    Column("parameters", pa.int64(), "trainable parameters of the net"),
    Column("program", pa.string(), "compiled program that trained the net, as the net's last bits may depend on it"),
    Column("mse", pa.float64(), "mean squared error on the interpolation test points, over all results"),
    Column(
        "relative_rmse",
        pa.float64(),
        "root of `mse` over the standard deviation of the exact results, or their size if equal (if 0 it is infinite, "
        "unless `mse` is 0); of several results the root mean square of each one's",
    ),
    Column(
        "r2", pa.float64(), "R² on the interpolation test points, 1 - `relative_rmse`²; missing if results are equal"
    ),
    Column("exact", pa.float64(), "share of these points with the right integers; missing where results are none"),
    Column(
        "accuracy", pa.float64(), "share of these points with the right class; missing where results are no classes"
    ),
    Column("exact_of_each", pa.string(), "as `exact`, of each of several results; missing of one"),
    Column("relative_rmse_of_each", pa.string(), "as `relative_rmse`, of each of several results; missing of one"),
    Column("max_error", pa.float64(), "largest absolute error on the interpolation test points"),
    Column("extrapolation_relative_rmse", pa.float64(), "as `relative_rmse`, on the extrapolation test points"),
    Column(
        "extrapolation_solved",
        pa.bool_(),
        "whether they are learned on the extrapolation test points: `extrapolation_relative_rmse` is at most 0.01, or "
        "of classes as few are wrong as *learned* asks",
    ),
    Column("extrapolation_mse", pa.float64(), "mean squared error on the extrapolation test points"),
    Column(
        "train_relative_rmse", pa.float64(), "as `relative_rmse`, on the rows trained on, where others are held out"
    ),
    Column("train_exact", pa.float64(), "as `exact`, on the rows trained on, where others are held out"),
    Column("sparsity_error", pa.float64(), "arithmetic units: largest distance of a weight from -1, 0 or 1"),
    Column("dead", pa.bool_(), "whether the net answers (almost) the same to every point, though results differ"),
    Column("diverged", pa.bool_(), "whether the net's answers are not finite"),
    Column("success", pa.bool_(), "below `threshold` in `extrapolation_mse`; without one, learned or exact"),
    Column(
        "solved_at",
        pa.float64(),
        "step of the first evaluation below `threshold`, or else with a `relative_rmse` of at most 0.01 (of classes "
        "with as few wrong as *learned* asks); missing if there was none, also where a net is exact without it",
    ),
    Column("train_solved_at", pa.float64(), "as `solved_at`, on the rows trained on; missing where none are held out"),
    Column("right_at", pa.float64(), "step of the first evaluation with 99 % of the answers right; or missing"),
    Column("train_right_at", pa.float64(), "as `right_at`, on the rows trained on; missing where none are held out"),
    Column("selected_at", pa.int64(), "step at which the net was judged"),
    Column("trained_steps", pa.int64(), "optimiser steps that the net was trained for"),
    Column("beats", pa.string(), f"hardest baseline whose MSE the net beats by 1 %: {', '.join(YARDSTICKS)}"),
    Column("grade", pa.string(), f"what the net has learnt, worst first: {', '.join(GRADES)}"),
    Column("certificate", pa.string(), f"`{CERTIFIED}` if exact, or why not: {', '.join(list(CERTIFICATES)[1:])}"),
    Column(
        "metrics",
        pa.string(),
        "the user's own metrics (`aj.METRICS`), a JSON object; a loaded table has a column for each",
    ),
    Column("choices", pa.string(), "the trial's parameters as Optuna chose them, a JSON object"),
)

FROM_SETUP = tuple(Column(name, TYPES.get(field.kind, pa.string()), field.help) for name, field in FIELDS.items())

COLUMNS = {column.name: column for column in (*NUMBERED, *FROM_SETUP, *MEASURED)}
"""All columns by name, in the order in which tables have them."""

OBJECTIVES_ALONE = ("error", "extrapolation")
"""The objectives of a search (`tables.objectives`) that are no columns."""

SCHEMA = pa.schema(
    [(column.name, column.type) for column in COLUMNS.values()], metadata={"arithjax_schema": str(SCHEMA_VERSION)}
)
"""The Arrow schema of every results table."""


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by trial and seed, without duplicates, with a fresh index; the first of several duplicates counts."""
    trial, seed = (rows[name].to_numpy() for name in IDENTITY)
    later = (trial[1:] > trial[:-1]) | ((trial[1:] == trial[:-1]) & (seed[1:] > seed[:-1]))
    if later.all():  # the usual case: sorting a large table takes longer than checking that it is sorted
        return rows.reset_index(drop=True)
    return rows.drop_duplicates(list(IDENTITY)).sort_values(list(IDENTITY), ignore_index=True)


def no_rows(metrics: Iterable[str] = ()) -> pd.DataFrame:
    """The table of no nets: the columns of trained nets, also of these metrics of the user's, and no rows."""
    empty = SCHEMA.empty_table().to_pandas().drop(columns=["study", "choices"])
    return empty.assign(**{name: np.zeros(0) for name in metrics})


def to_arrow(rows: pd.DataFrame) -> pa.Table:
    """Rows as an Arrow table in `SCHEMA`, in order; columns that are not in `SCHEMA` are dropped, absent ones null."""
    return pa.Table.from_pandas(in_order(rows).reindex(columns=SCHEMA.names), schema=SCHEMA, preserve_index=False)
