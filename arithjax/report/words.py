"""Results in words: rates with intervals, and sentences about a table."""

from __future__ import annotations

import shlex
from typing import Any

import pandas as pd

from arithjax.tables import statistics


def percent(rate: float, low: float, high: float) -> str:
    """A rate with its interval, such as `31 % (23-41 %)`.

    rate, low, high: shares from 0 to 1.
    """
    return f"{100 * rate:.0f} % ({100 * low:.0f}-{100 * high:.0f} %)"


def share(holds: pd.Series) -> str:
    """The share of nets for which a condition holds, with its Wilson 95 % interval, in words.

    holds: a boolean for each net.
    """
    if holds.empty:
        return "none (there are no such nets)"
    low, high = statistics.wilson(holds.sum(), len(holds))
    return percent(float(holds.mean()), float(low), float(high))


def rate_of(nets: pd.DataFrame) -> str:
    """The success rate of nets with its Wilson 95 % interval, in words.

    nets: a results table, or some of its rows.
    """
    return share(statistics.success(nets))


def _rate(row: pd.Series) -> str:
    """A summary's rate with its interval."""
    return percent(row["rate"], row["rate_low"], row["rate_high"])


def default_words(nets: pd.DataFrame, by: list[str]) -> str:
    """The answer of a study that has none of its own: the overall success rate, and the best and the worst group.

    nets: a results table. by: the columns to group by.
    """
    if nets.empty:
        return "There are no nets yet."
    noun = "net" if len(nets) == 1 else "nets"
    words = f"{rate_of(nets)} of {len(nets):,} {noun} learned it (relative RMSE of at most 1 %)."
    groups = statistics.summarise(nets, by).sort_values("rate", ascending=False, kind="stable")
    if by and len(groups) > 1:
        (best, most), (worst, least) = ((_label(groups.index[i]), _rate(groups.iloc[i])) for i in (0, -1))
        words += f" Best: {best} with {most}; worst: {worst} with {least}."
    if stopped := nets["until"].count():
        words += f" {stopped:,} of them stopped before their last step and count as they were there."
    return words


def _label(index: object) -> str:
    return " with ".join(map(str, index)) if isinstance(index, tuple) else str(index)


def missing(nets: pd.DataFrame, described: dict[str, Any]) -> str:
    """A sentence on how much of a study is missing and how to continue; empty when it is finished.

    nets: its table so far. described: the content of its `study.json`.
    """
    asked = (described.get("trials") or 0) * (described.get("seeds") or 0)
    if len(nets) >= asked and len(nets):
        return ""
    there = f"{len(nets):,} of {asked:,} nets are there" if asked else "it holds no nets"
    return f"The study is not finished: {there}; this is what they show. To go on: {command(described)}"


def command(described: dict[str, Any]) -> str:
    """The command that repeats a study.

    described: the content of its `study.json`.
    """
    words = ["arithjax", "run", described.get("name", "STUDY")]
    for name in ("trials", "seeds", "steps"):
        if described.get(name):
            words += [f"--{name}", str(described[name])]
    return shlex.join(words)


def blocks(text: str) -> list[tuple[str, str]]:
    """Text in parts `(kind, text)`: kind `table` for adjacent lines laid out in columns, `words` for any other line."""
    out: list[tuple[str, str]] = []
    for line in text.splitlines():
        kind = "table" if _tabular(line) else "words"
        if kind == "table" and out and out[-1][0] == "table":
            out[-1] = kind, f"{out[-1][1]}\n{line}"
        elif line.strip():
            out.append((kind, line))
    return out


def _tabular(line: str) -> bool:
    """Whether a line is a row of a table: gaps, an indent, or nothing but numbers after its first word."""
    cells = line.split()
    numbers = all(cell[-1].isdigit() for cell in cells[1:])
    return bool(cells) and (line[0] == " " or "  " in line or numbers)
