"""Examples as source: lines of a script that make a setup's training examples, and those that it is judged on.

They are drawn from ranges, or are rows of a table: of all arguments, or of a data set, whose numbers then stand in the
script. Lines leave arguments `x [rows, arity]` and results `t [rows, 1]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arithjax.errors import ArithjaxError
from arithjax.export.portable import array_text
from arithjax.fields import ALL
from arithjax.registry import OPERATIONS
from arithjax.selection import held_out, held_rows, op_rows, tabled
from arithjax.setup import Setup
from arithjax.task.datasets import Dataset
from arithjax.task.points import Task

MOST_NUMBERS = 20_000
"""The most numbers of a data set that a script holds."""

DRAWN = {
    "uniform": "rng.uniform({low}, {high}, {shape})",
    "normal": "np.clip(rng.normal({middle}, {sixth}, {shape}), {low}, {high})",
    "exponential": "{low} + rng.exponential({span}, {shape})",
}
"""How real arguments are drawn from each distribution."""


def refuse(setup: Setup) -> None:
    """Raise `ArithjaxError` where examples are made in a way that no script holds."""
    op = OPERATIONS[setup.op]
    wrong = {
        f"balanced={setup.balanced}": setup.balanced,
        f"noise={setup.noise:g} with fresh=True": bool(setup.noise and setup.fresh),
        f"the condition of {setup.op}": op.conditional,
    }
    for words in (words for words, there in wrong.items() if there):
        raise ArithjaxError(f"{words} cannot be written into a script that trains; net.export writes a trained net.")
    if isinstance(op, Dataset) and op.x.size + op.y.size > MOST_NUMBERS:
        raise ArithjaxError(
            f"data set {setup.op} has {op.x.size + op.y.size:,} numbers, more than the {MOST_NUMBERS:,} that a script "
            "holds; net.export writes a trained net."
        )


def draw(setup: Setup) -> str:
    """A function that draws arguments from the training range; nothing where examples are rows of a table."""
    if tabled(setup):
        return ""
    spans, arity = setup.spans, len(setup.spans)
    if len(set(spans)) == 1:
        drawn = _drawn(spans[0], setup.distribution, f"(count, {arity})")
    else:
        drawn = f"np.column_stack([{', '.join(_drawn(span, setup.distribution, 'count') for span in spans)}])"
    return f'def draw(count):\n    """Arguments [count, {arity}] from the training range."""\n    return {drawn}'


def _drawn(span: Any, distribution: str, shape: str) -> str:
    low, high = span.ends
    if span.values:
        return f"rng.choice({[*map(_short, span.values)]}, {shape}).astype(float)"
    if span.integers:
        return f"rng.integers({int(low)}, {high + 1:.0f}, {shape}).astype(float)"
    width, middle = high - low, (low + high) / 2
    return DRAWN[distribution].format(low=low, high=high, span=width, middle=middle, sixth=width / 6, shape=shape)


def _short(value: float) -> float:
    return int(value) if value.is_integer() else value


def made(setup: Setup, results: str) -> list[str]:
    """Lines that make the training examples; `results` gives those of arguments `x`, `[rows, results]`."""
    if not tabled(setup):
        lines = [f"x = draw({setup.example_count:_})", f"t = {results}"]
    else:
        rows = len(op_rows(setup))
        lines = [*_table(setup, results), *_apart(held_rows(rows, held_out(setup)))]
        if setup.examples != ALL:
            lines += [f"drawn = rng.integers(len(x), size={setup.examples:_})", "x, t = x[drawn], t[drawn]"]
    return lines + ([f"t = t + rng.normal(0, {setup.noise!r}, t.shape)"] if setup.noise else [])


def _table(setup: Setup, results: str) -> list[str]:
    """Lines that make all rows."""
    op = OPERATIONS[setup.op]
    if isinstance(op, Dataset):
        names, inputs = ", ".join([*op.argument_names, op.symbol]), op.arity
        return [
            f"# {names}",
            f"rows = np.array({array_text(np.column_stack([op.x, op.y]), 16)})",
            f"x, t = rows[:, :{inputs}], rows[:, {inputs}:]",
        ]
    numbers = ", ".join(
        f"np.array({[*map(_short, span.values)]})" if span.values else "np.arange({:.0f}, {:.0f})".format(*_ends(span))
        for span in setup.spans
    )
    grid = f"np.meshgrid({numbers}, indexing='ij')"
    return [f"x = np.stack({grid}, -1).reshape(-1, {op.arity}).astype(float)", f"t = {results}"]


def _ends(span: Any) -> tuple[float, float]:
    low, high = span.ends
    return low, high + 1


def _apart(held: int) -> list[str]:
    """Lines that keep so many rows apart, as `x_held` and `t_held`."""
    if not held:
        return []
    return [
        "shuffled = rng.permutation(len(x))",
        f"x_held, t_held = x[shuffled[:{held}]], t[shuffled[:{held}]]",
        f"x, t = x[shuffled[{held}:]], t[shuffled[{held}:]]",
    ]


def judged(setup: Setup, call: str, answers: str) -> str:
    """Lines that print answers and their error: of what was held out, or of arguments drawn anew, or of all rows."""
    first = "[:, 0]" if setup.results == 1 else ""
    told = 'print(f"{arguments} -> {answer:.6g}, off by {answer - right:+.3g}")'
    error = "np.sqrt(np.mean((y - t) ** 2)) / np.std(t)"
    if setup.results > 1:
        told = 'print(f"{arguments} -> {answer}, off by {answer - right}")'
        error = "np.sqrt(np.mean(np.mean((y - t) ** 2, 0) / np.var(t, 0)))"
    if not tabled(setup):
        unseen = Task.of(setup).unseen(setup)
        about = "arguments that it has not seen" if unseen else "arguments from the training range"
        what = f"10,000 {'fresh ' * unseen}arguments"
        lines = f"x = draw(10_000)\nt, y = {call}, {answers}"
    elif held_out(setup):
        about, what = "what was held out", f"{held_rows(len(op_rows(setup)), held_out(setup)):,} held-out rows"
        lines = f"x, t = x_held, t_held{first}\ny = {answers}"
    else:
        about = what = "the rows that it was trained on"
        lines = f"t, y = t{first}, {answers}"
    return (
        f"# judged on {about}\n{lines}\n"
        "for arguments, right, answer in zip(x[:10], t, y):\n"
        f"    {told}\n"
        f'print(f"relative RMSE over {what}: {{{error}:.2g}}")'
    )
