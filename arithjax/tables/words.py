"""Errors in words: relative to the spread of the results, or in original units where all results are 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def error(row: Mapping[str, Any]) -> str:
    """The error of a net, from its row: `relative RMSE 0.012`, or `RMSE 0.012 (all results are 0 ...)`."""
    return _error(row["relative_rmse"], row["mse"], "relative RMSE ", " (results that are all 0 have no spread)")


def extrapolating(row: Mapping[str, Any], form: str) -> str:
    """The error of a row beyond the training range, in the place of `{}` in a form; nothing if there is none."""
    relative = row["extrapolation_relative_rmse"]
    if relative is None or math.isnan(relative):
        return ""
    return form.format(_error(relative, row["extrapolation_mse"], "", ""))


def _error(relative: float, mse: float, name: str, unscaled: str) -> str:
    if math.isfinite(relative):
        return f"{name}{relative:.2g}"
    return f"RMSE {math.sqrt(mse):.2g}{unscaled}" if math.isfinite(mse) else "no finite error"


def size(error: float) -> str:
    """An error, or a median of some, as text: two digits; `infinite` where nets diverged, or all results are 0."""
    return f"{error:.2g}" if math.isfinite(error) else "infinite"
