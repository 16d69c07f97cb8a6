"""Groups of nets: which setups they are of, how those came about, and how a column divides them.

A net counts once: equal setup and seed is one net, whichever trials ask for it. Names that a study's question chooses
and names of columns do not mix: where `by` names both, it means the question's parameter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from arithjax.errors import ArithjaxError, nearest
from arithjax.fields import cell
from arithjax.setup import Setup
from arithjax.tables.parquet import MOST_COLUMNS
from arithjax.tables.schema import COLUMNS

SAMPLED = "arithjax_sampled"
"""The entry of a table's `attrs` that says whether its setups are a sample; pandas hands it on to parts of it."""

LEVELS = 12
"""Numbers with more different values than this are divided into bins."""

BINS = 6


def marked(nets: pd.DataFrame, sampled: bool) -> pd.DataFrame:
    """The same table, which knows whether its setups are a sample of those that could have been asked for."""
    nets.attrs[SAMPLED] = sampled
    return nets


def is_sampled(nets: pd.DataFrame) -> bool:
    """Whether a table's setups are a sample; those of a study's table of which it is not known count as one."""
    if SAMPLED in nets.attrs:
        return bool(nets.attrs[SAMPLED])
    return "choices" in nets and bool(nets["choices"].notna().any())


def setups(nets: pd.DataFrame) -> np.ndarray:
    """A number for each net's setup, equal for equal setups: by all fields but `until`, which a search sets."""
    return _codes(nets, [name for name in Setup.field_names() if name != "until"])


def ranges(nets: pd.DataFrame) -> np.ndarray:
    """A number for each net's ranges of numbers, equal for equal ones."""
    return _codes(nets, ["low", "high", "extrapolation"])


def _codes(nets: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """A number for each row, equal where the row agrees in those of the columns that there are."""
    there = [name for name in names if name in nets]
    if not there or nets.empty:
        return np.zeros(len(nets), int)
    return pd.factorize(pd.util.hash_pandas_object(nets[there], index=False).to_numpy())[0]


def distinct(nets: pd.DataFrame) -> pd.DataFrame:
    """A table without the nets that another trial before has already; the table itself where there are none.

    They are those of equal setup, seed and error. Studies no longer train them, but older tables hold them. Rows whose
    labels are not unique are numbered anew.
    """
    nets = nets if nets.index.is_unique else nets.reset_index(drop=True)
    if not {"trial", "seed", "mse"} <= set(nets):
        return nets
    setup = pd.Series(setups(nets), nets.index)
    later = nets["trial"] != nets["trial"].groupby(setup).transform("first")
    if not later.any():
        return nets
    key = nets[[name for name in ("study", "seed", "mse") if name in nets]].assign(setup=setup)
    return nets[~(later & key.duplicated())]


def parsed_choices(text: Any, column: str = "choices") -> dict[str, Any]:
    """What a cell of JSON holds, nothing where it is empty: of column `choices` the trial's parameters by name.

    Raises `ArithjaxError` where it is no JSON object.
    """
    try:
        parsed = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise ArithjaxError(
            f"{column}={str(text)[:60]!r} is no JSON object, so the table is damaged; restore it, or delete it and run "
            f"the study again."
        )
    return parsed


def chosen(nets: pd.DataFrame) -> pd.DataFrame:
    """The trials' parameters as columns, whatever their names: those in the JSON of column `choices`.

    Cells are missing in trials without the parameter; lists become text such as `64,64`.
    """
    if "choices" not in nets or nets.empty:
        return pd.DataFrame(index=nets.index)
    codes, texts = pd.factorize(nets["choices"].fillna("{}"))  # equal for all nets of a trial, so each is parsed once
    trials = [parsed_choices(text) for text in texts]
    names = dict.fromkeys(name for trial in trials for name in trial)
    if len(names) > MOST_COLUMNS:
        raise ArithjaxError(f"choices names {len(names):,} parameters, more than the {MOST_COLUMNS} of a table.")
    columns = {name: pd.Series([_scalar(trial.get(name)) for trial in trials]) for name in names}
    return pd.DataFrame({name: column.take(codes).set_axis(nets.index) for name, column in columns.items()}, nets.index)


def metrics(nets: pd.DataFrame) -> pd.DataFrame:
    """The user's own metrics as columns: the numbers in the JSON of column `metrics`; missing where a net has none."""
    if "metrics" not in nets or nets["metrics"].isna().all():
        return pd.DataFrame(index=nets.index)
    cells = [parsed_choices(text, "metrics") for text in nets["metrics"]]
    names = dict.fromkeys(name for cell in cells for name in cell)
    if len(names) > MOST_COLUMNS:
        raise ArithjaxError(f"metrics names {len(names):,} metrics, more than the {MOST_COLUMNS} of a table.")
    try:
        return pd.DataFrame({name: [cell.get(name) for cell in cells] for name in names}, nets.index, dtype=float)
    except (TypeError, ValueError):
        raise ArithjaxError("metrics holds what is no number, so the table is damaged; run the study again.") from None


def _scalar(value: Any) -> Any:
    """A parameter's value as a table cell, which tables can be grouped by."""
    if isinstance(value, list):
        return cell(tuple(value))
    return json.dumps(value) if isinstance(value, dict) else value


def column(nets: pd.DataFrame, name: str) -> pd.Series:
    """What `by` means by a name: a parameter that the trials chose under it, or else the table's column.

    A parameter that says the same as the column, as `activation` usually does, is the column. Raises `ArithjaxError`
    when there is neither.
    """
    if name in COLUMNS and name in nets and name in (own := chosen(nets)):
        value = own[name]
        if (value.notna() & (value.astype(str) != nets[name].astype(str))).any():
            return value
    if name not in nets:
        raise ArithjaxError(f"by: there is no column '{name}'{nearest(name, nets.columns)}")
    return nets[name]


def varied(nets: pd.DataFrame) -> list[str]:
    """The setup's fields that differ between the rows of a table, in order."""
    return [name for name in Setup.field_names() if name in nets and nets[name].nunique(dropna=False) > 1]


def default_by(nets: pd.DataFrame) -> list[str]:
    """The columns to group a table by when none are given: the first two fields that vary, without `until`.

    `until` is left out because successive halving sets it from results.
    """
    return [name for name in varied(nets) if name != "until"][:2]


def labels(nets: pd.DataFrame, name: str) -> tuple[pd.Series, list[str]]:
    """What divides nets by a column, or by a parameter of their study's question, as text; and the order of the texts.

    Numbers ascend, in bins of equally many nets where there are more than `LEVELS` different ones; names come by
    falling success rate.
    """
    values = column(nets, name)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = sorted(values.dropna().unique())
        text = _bins(values) if len(numbers) > LEVELS else values.astype(object).map(_numbers(numbers))
        ordered = text[values.sort_values().index].dropna()
        return text.fillna("none").rename(name), [*dict.fromkeys(ordered), "none"]
    text = values.astype(object).where(values.notna(), "none").map(str).rename(name)
    rates = nets["success"].astype(bool).groupby(text).mean()
    return text, list(rates.sort_values(ascending=False, kind="stable").index)


def _numbers(values: Sequence[float]) -> dict[float, str]:
    """Numbers as text, in as few digits as keep them apart."""
    for digits in range(4, 18):
        names = {value: f"{value:.{digits}g}" for value in values}
        if len(set(names.values())) == len(names):
            break
    return names


def _bins(values: pd.Series) -> pd.Series:
    """Labels of bins of equally many values, from the smallest to the largest, such as `0.0001 to 0.00031`."""
    edges = np.unique(np.nanquantile(values.to_numpy(float), np.linspace(0, 1, BINS + 1)))
    names = {digits: [f"{edge:.{digits}g}" for edge in edges] for digits in (2, 3, 4, 6, 9, 17)}
    text = next((found for found in names.values() if len(set(found)) == len(edges)), names[17])
    place = np.clip(np.searchsorted(edges, values.to_numpy(float), side="left") - 1, 0, len(edges) - 2)
    labels = np.array([f"{text[i]} to {text[i + 1]}" for i in range(len(edges) - 1)], object)[place]
    return pd.Series(labels, values.index, dtype=object).where(values.notna())
