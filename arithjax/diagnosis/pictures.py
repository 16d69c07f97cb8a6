"""Pictures of an answer to why: what the nets do where all arguments are equal, and what each change comes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arithjax.diagnosis.causes import detected, first_of_each
from arithjax.diagnosis.evidence import Evidence
from arithjax.diagnosis.findings import Findings, Tried
from arithjax.registry import CAUSES, OPERATIONS
from arithjax.report.along import kind_of
from arithjax.report.picture import Picture
from arithjax.report.words import brief
from arithjax.setup import Setup
from arithjax.task.arguments import argument_names
from arithjax.task.points import evaluate

MOST_LINES = 3
"""Nets as they are that are drawn, each of another cause."""
CROWD = 40
"""Changes in the ladder."""


def along(found: Findings) -> Picture:
    """What typical nets answer where all arguments are equal, by cause, beside the exact results and a mended net.

    Of several results the first is drawn.
    The typical net of a cause has the median error of those for which it is the first.
    """
    seen, op = found.evidence, OPERATIONS[found.setup.op]
    drawn = {"exact": _first_result(evaluate(op, seen.line))}
    told = sorted(first_of_each(detected(seen)).items(), key=lambda cause: -cause[1].sum())
    for name, holds in told[:MOST_LINES]:
        drawn[CAUSES[name].short] = _first_result(seen.along[..., _typical(seen, holds)])
    if found.learns:
        drawn["mended"] = _first_result(
            found.seen.along[..., _typical(found.seen, np.ones(len(found.seen.rows), bool))]
        )
    table = pd.DataFrame({"x": seen.line[:, 0].astype(float), **drawn}).melt("x", var_name="who", value_name="y")
    equal = " = ".join(argument_names(op.arity)) if op.arity < 5 else "every argument"
    says = f"What the nets answer where {equal}" if op.arity > 1 else "What the nets answer"
    if not found.setup.one_range:
        equal, says = (
            op.argument_names[0],
            "What the nets answer while every argument goes from its lowest to its highest",
        )
    about = "Of each cause the net with the median error" + (
        "; of the mended nets the median one." if found.learns else "."
    )
    table = table.replace([np.inf, -np.inf], np.nan).dropna()
    return Picture("along", says, table, kind_of(found.setup), about, x=equal, y=_title(found.setup))


def _first_result(results: np.ndarray) -> np.ndarray:
    return results[:, 0] if results.ndim > 1 else results


def _typical(seen: Evidence, holds: np.ndarray) -> int:
    """The net with the median error among some."""
    errors = seen.rows["relative_rmse"].fillna(np.inf).to_numpy()
    chosen = np.flatnonzero(holds)
    return int(chosen[np.argsort(errors[chosen], kind="stable")[(len(chosen) - 1) // 2]])


def _title(setup: Setup) -> str:
    symbol: str = OPERATIONS[setup.op].symbol
    return symbol if setup.results == 1 else f"{symbol}: the first of {setup.results} results"


def ladders(found: Findings) -> list[Picture]:
    """The share of nets that learn with each change, with 95 % intervals: alone, and one after another."""
    if not found.tried:
        return []
    shown, best = _first(found.tried), found.best
    says = f"Alone, {best.change} helps most: {brief(best.rate)} learn it" if best else "Alone, no change helps"
    about = (
        "With 95 % intervals. In colour: judged on fresh seeds that took no part in choosing. Grey: as tried, from 16 "
        f"seeds or more, where a net learns or none does with any. {found.untried}"
    ).rstrip()
    alone = Picture("alone", says, _table([found.before, *shown], best), "dots", about, x="nets that learn it")
    if len(found.path) < 2:
        return [alone]
    path = _table([found.before, *found.path], found.path[-1])
    says = f"Step by step: {brief(found.after.rate)} learn it in the end"
    about = "Each row has all changes above it as well; judged on fresh seeds."
    return [Picture("together", says, path, "dots", about, x="nets that learn it"), alone]


def _first(tried: Sequence[Tried]) -> list[Tried]:
    return [one for one in tried if one.judged or one.rate > 0][:CROWD] or list(tried[:10])


def _table(rows: Sequence[Tried], best: Tried | None) -> pd.DataFrame:
    return pd.DataFrame([{**_row(one), "mark": _mark(one, best)} for one in rows])


def _mark(one: Tried, best: Tried | None) -> str:
    if not one.fields:
        return "before"
    return "best" if one is best else "plain" if one.judged else "crowd"


def _row(one: Tried) -> dict[str, object]:
    low, high = one.interval
    return {
        **{"what": one.change, "rate": one.rate, "low": low, "high": high, "nets": one.nets},
        **{
            "exact": brief(one.exact / one.nets),
            "error": float(f"{one.error:.2g}") if np.isfinite(one.error) else None,
        },
    }
