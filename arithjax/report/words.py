"""What a table says, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from arithjax.tables import statistics


def percent(rate: float, low: float, high: float) -> str:
    """`31 % (23-41 %)`."""
    return f"{100 * rate:.0f} % ({100 * low:.0f}-{100 * high:.0f} %)"


def share(holds: pd.Series) -> str:
    """The share of nets for which something holds, with its interval, in words."""
    if holds.empty:
        return "none (there are no such nets)"
    low, high = statistics.wilson(holds.sum(), len(holds))
    return percent(float(holds.mean()), float(low), float(high))


def rate_of(nets: pd.DataFrame) -> str:
    """The success rate of some nets with its interval, in words."""
    return share(statistics.success(nets))


def _rate(row: pd.Series) -> str:
    """A summary's rate with its interval."""
    return percent(row["rate"], row["rate_low"], row["rate_high"])


def default_words(nets: pd.DataFrame, by: list[str]) -> str:
    """A sentence on any table: the overall rate, and the best and worst group."""
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
    """What a study still lacks and how to go on, in a sentence; empty when it is finished."""
    asked = (described.get("trials") or 0) * (described.get("seeds") or 0)
    if len(nets) >= asked and len(nets):
        return ""
    there = f"{len(nets):,} of {asked:,} nets are there" if asked else "it holds no nets"
    return f"The study is not finished: {there}; this is what they show. To go on: {command(described)}"


def command(described: dict[str, Any]) -> str:
    """The command that runs a study as this one was run."""
    words = ["arithjax", "run", described.get("name", "STUDY")]
    for name in ("trials", "seeds", "steps"):
        if described.get(name):
            words += [f"--{name}", str(described[name])]
    return " ".join(words)


def blocks(text: str) -> list[tuple[str, str]]:
    """Text as `(kind, text)`: `table` for lines laid out in columns, `words` for the rest, a line each."""
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
