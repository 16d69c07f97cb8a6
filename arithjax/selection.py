"""Selection: of a table of all arguments, or of a data set's rows, which nets train on and which they are judged on.

Examples come from such a table where a setup says so: with `examples="all"` each row is one, the same for every net;
with `split` a share of the table is trained on, and the other is held out; with `balanced` every class of results is
drawn equally often. A data set is a table by itself, of which `holdout` keeps a share apart. Which rows are held out
follows from the number of rows alone, so that all nets are judged on the same ones.

Setups are checked with these functions while they are made; `s` is always the setup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arithjax.errors import ArithjaxError, in_full
from arithjax.fields import ALL
from arithjax.registry import OPERATIONS

CERTIFIABLE = 1 << 20
"""The most rows of a table of arguments."""

MOST_CLASSES = 1024
"""The most different results that examples can be balanced over."""


def tabled(s: Any) -> bool:
    """Whether examples are rows of a table, and not drawn from ranges."""
    return s.examples == ALL or s.split is not None or s.balanced


def held_out(s: Any) -> float:
    """The share of the table that is held out."""
    return s.holdout if OPERATIONS[s.op].data else 0.0 if s.split is None else 1 - s.split


def held_rows(rows: int, share: float) -> int:
    """How many rows of a table are held out."""
    return round(share * rows)


def example_count(s: Any) -> int:
    """How many training examples each net has."""
    if s.examples != ALL:
        return s.examples
    rows = len(op_rows(s))
    return rows - held_rows(rows, held_out(s))


def check_selection(s: Any) -> None:
    """The table that examples are taken from is there, and large enough for what is asked of it."""
    op = OPERATIONS[s.op]
    if op.data:
        _check_data(s)
        return
    if s.holdout:
        raise ArithjaxError(
            f"holdout={s.holdout:g} is for data sets; split={1 - s.holdout:g} trains on that share of all arguments of "
            f"{s.op}."
        )
    if not tabled(s):
        return
    asked = next(words for words in _asked(s))
    rows = op_rows(s)
    if rows is None:
        raise ArithjaxError(
            f"{asked} needs a table of all arguments: whole numbers or listed values, {CERTIFIABLE:,} combinations at "
            "most; set integers=True, or narrow the range."
        )
    if s.fresh:
        raise ArithjaxError(f"fresh=True draws from ranges, and {asked} takes examples from a table; leave one out.")
    _check_shares(s, len(rows), asked)


OF_OPERATIONS = {"fresh": False, "balanced": False, "split": None, "extrapolation": None, "distribution": "uniform"}
"""Fields that say how arguments of an operation are chosen, with their defaults."""


def _check_data(s: Any) -> None:
    """A data set has rows of its own, and nothing is drawn."""
    for name, usual in OF_OPERATIONS.items():
        if getattr(s, name) != usual:
            raise ArithjaxError(
                f"{name}={getattr(s, name)} is for operations; {s.op} is a data set, whose rows are there. "
                "holdout=0.2 keeps a fifth of them apart."
            )
    _check_shares(s, len(op_rows(s)), f"holdout={in_full(s.holdout)}")


def op_rows(s: Any) -> Any:
    """All rows of the table, `[rows, arity]`; None where there is none."""
    return OPERATIONS[s.op].rows(s.spans, CERTIFIABLE)


def _asked(s: Any) -> Iterator[str]:
    """What asks for a table, in the words of its field."""
    if s.split is not None:
        yield f"split={in_full(s.split)}"
    if s.balanced:
        yield "balanced=True"
    yield f"examples={s.examples}"


def _check_shares(s: Any, rows: int, asked: str) -> None:
    if held_out(s) and not 0 < held_rows(rows, held_out(s)) < rows:
        raise ArithjaxError(f"{asked} of {rows} rows leaves nothing to train on or to judge by; choose another share.")
    if not s.balanced:
        return
    if s.examples == ALL:
        raise ArithjaxError(
            "balanced=True draws some rows more often than others, examples=all each once; leave one out."
        )
    classes = OPERATIONS[s.op].trial(s.spans, s.precision).classes
    if not 1 < classes <= min(s.examples, MOST_CLASSES):
        raise ArithjaxError(
            f"balanced=True draws each different result equally often, and {s.op} has {classes:,} of them here; it has "
            f"to have at least 2, and no more than {min(s.examples, MOST_CLASSES):,} for {s.examples:,} examples."
        )
