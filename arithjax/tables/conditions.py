"""Conditions on a table's columns, as text: `op == 'mul' and not dead`.

They come from the command line, from studies, and with somebody else's table, so that they may do no more than compare
columns and values, in time and memory that a table bounds.
"""

from __future__ import annotations

import ast
import itertools
import re

import pandas as pd

from arithjax.errors import ArithjaxError

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)

_SYNTAX = (
    *(ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, *_ARITHMETIC, ast.BitAnd, ast.BitOr),
    *(ast.Compare, ast.cmpop, ast.Name, ast.expr_context, ast.Constant, ast.List, ast.Tuple),
)
"""What a condition may consist of. Calls and attributes would run code; powers and shifts make numbers without end."""

_QUOTED = r"`([\w .:-]+)`"
"""A column's name in backticks, which Python's syntax does not know."""

LONGEST = 2000
"""Letters of the longest condition."""


def where(nets: pd.DataFrame, condition: str, what: str) -> pd.DataFrame:
    """The nets for which a condition on their columns holds.

    condition: an expression that `DataFrame.eval` takes and that only compares columns and values, such as
        `op == 'mul' and not dead`.
    what: the condition's name in messages, such as `--where`.

    Raises `ArithjaxError` when the condition cannot be evaluated, or does more than compare.
    """
    try:
        _check(nets, condition)
        holds = nets.eval(condition, local_dict={}, global_dict={})
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArithjaxError(
            f"{what} {condition[:200]!r} cannot be evaluated ({reason}); columns: {', '.join(map(str, nets))}."
        ) from None
    if not isinstance(holds, pd.Series) or pd.api.types.infer_dtype(holds, skipna=False) != "boolean":
        raise ArithjaxError(f'{what} {condition!r} is not a condition; give one such as "depth > 1".')
    return nets[holds.astype(bool)]


def names(condition: str) -> list[str]:
    """The columns that a condition names, in order; none where it is no expression, which `where` says."""
    quoted = re.findall(_QUOTED, condition)
    try:
        tree = ast.parse(re.sub(_QUOTED, "None", condition), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return list(dict.fromkeys([*quoted, *(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))]))


def _check(nets: pd.DataFrame, condition: str) -> None:
    """Raise `ValueError` or `SyntaxError` for a condition that is too long, or that does more than compare."""
    if len(condition) > LONGEST:
        raise ValueError(f"it has {len(condition):,} letters, and may have {LONGEST:,}")
    quoted, numbers = re.findall(_QUOTED, condition), itertools.count()
    tree = ast.parse(re.sub(_QUOTED, lambda found: f"_quoted_{next(numbers)}", condition), mode="eval")
    if strange := [type(node).__name__ for node in ast.walk(tree) if not isinstance(node, _SYNTAX)]:
        raise ValueError(f"it may only compare columns and values, and has a {strange[0]}")
    columns = {f"_quoted_{i}": name for i, name in enumerate(quoted)}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, _ARITHMETIC):
            for part in (node.left, node.right):
                _check_number(part, nets, columns)


def _check_number(part: ast.expr, nets: pd.DataFrame, columns: dict[str, str]) -> None:
    """Raise `ValueError` unless a part of a calculation may be a number: a text times a number is a longer text."""
    if isinstance(part, ast.Name):
        name = columns.get(part.id, part.id)
        right = name not in nets or pd.api.types.is_numeric_dtype(nets[name])  # an unknown name is refused elsewhere
    elif isinstance(part, ast.Constant):
        right = isinstance(part.value, int | float)
    else:
        right = not isinstance(part, ast.List | ast.Tuple)
    if not right:
        raise ValueError("it calculates with what is no number")
