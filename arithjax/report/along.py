"""What nets of a table answer along equal arguments, beside the exact results: they are trained again for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from arithjax.nets import Net, net_again
from arithjax.registry import OPERATIONS
from arithjax.report.picture import Picture, lines
from arithjax.task.arguments import argument_names
from arithjax.task.points import evaluate

POINTS = 121


def along(name: str, says: str, rows: Mapping[str, pd.Series], root: int = 0, about: str = "") -> Picture:
    """A picture of what nets answer where all arguments are equal, with the exact results.

    name: the name of its file. says: its heading. rows: what each net is called, and its row of a study's table; all
    are of one operation and range. root: the study's root seed. about: how to read it, such as how they were chosen.
    """
    nets = {who: net_again(row, root) for who, row in rows.items()}
    first = next(iter(nets.values()))
    op = OPERATIONS[first.setup.op]
    x = equal_arguments(first)
    drawn = {"exact": evaluate(op, x), **{who: net.predict(x).astype(float) for who, net in nets.items()}}
    table = pd.DataFrame({"x": x[:, 0].astype(float), **drawn}).melt("x", var_name="who", value_name="y")
    table = table.replace([np.inf, -np.inf], np.nan).dropna()
    return lines(name, says, table, about, x=equal(op.arity), y=op.symbol)


def equal(arity: int) -> str:
    """What arguments that are all equal are called: `a = b`."""
    return " = ".join(argument_names(arity)) if arity < 5 else "every argument"


def equal_arguments(net: Net) -> np.ndarray:
    """Arguments `[points, arity]` that are all equal, across a net's training range."""
    values = np.linspace(*net.setup.bounds, POINTS)
    values = np.unique(np.rint(values)) if net.setup.integers else values
    return np.repeat(values[:, None], OPERATIONS[net.setup.op].arity, 1).astype(net.setup.precision)
