"""What nets of a table answer along equal arguments, beside the exact results: they are trained again for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from arithjax.nets import net_again
from arithjax.registry import OPERATIONS
from arithjax.report.picture import Picture
from arithjax.setup import Setup
from arithjax.task.arguments import argument_names
from arithjax.task.points import Task, evaluate

POINTS = 121
"""Points of the line along which answers are drawn, at most."""


def along(name: str, says: str, rows: Mapping[str, pd.Series], root: int = 0, about: str = "") -> Picture:
    """A picture of what nets answer where all arguments are equal, with the exact results.

    name: the name of its file. says: its heading. rows: what each net is called, and its row of a study's table; all
    are of one operation and range. root: the study's root seed. about: how to read it, such as how they were chosen.
    """
    nets = {who: net_again(row, root) for who, row in rows.items()}
    first = next(iter(nets.values()))
    op = OPERATIONS[first.setup.op]
    x = line_of(first.setup)
    drawn = {"exact": evaluate(op, x), **{who: net.predict(x).astype(float) for who, net in nets.items()}}
    table = pd.DataFrame({"x": x[:, 0].astype(float), **drawn}).melt("x", var_name="who", value_name="y")
    table = table.replace([np.inf, -np.inf], np.nan).dropna()
    return Picture(name, says, table, kind_of(first.setup), about, x=equal(op.arity), y=op.symbol)


def equal(arity: int) -> str:
    """What arguments that are all equal are called: `a = b`."""
    return " = ".join(argument_names(arity)) if arity < 5 else "every argument"


def line_of(setup: Setup) -> Float[np.ndarray, "line arity"]:
    """Arguments `[line, arity]` that are all equal, across the training range; whole numbers where these are meant.

    Where they have ranges of their own, each goes across its own.
    """
    columns = [np.linspace(low, high, POINTS) for low, high in setup.argument_bounds]
    whole = [np.rint(column) if span.whole else column for column, span in zip(columns, setup.spans, strict=True)]
    line = np.stack(whole, 1).astype(setup.precision)
    return np.unique(line, axis=0) if setup.one_range else line


def kind_of(setup: Setup) -> str:
    """The kind of picture of results along a line: `lines`, or `points` where there is nothing between whole numbers.

    So it is where an operation takes whole numbers alone, and of classes.
    """
    of_reals = OPERATIONS[setup.op].spans(setup.low, setup.high, False)
    task = Task.of(setup)
    alone = all(span.whole for span in of_reals) or (task.integers and task.classes)
    return "points" if alone else "lines"
