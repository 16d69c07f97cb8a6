"""Results in words: rates with intervals, and sentences about a table."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from arithjax.errors import counted
from arithjax.tables import groups, statistics
from arithjax.tables.objectives import LARGEST, objectives
from arithjax.tables.schema import ALL_ROWS, CERTIFIED, WRONG
from arithjax.tables.words import size

NOBODY = "none (there are no such nets)"
"""The share of no nets."""


def percent(rate: float, low: float, high: float) -> str:
    """A rate with its interval, such as `31 % (23-41 %)`, in as many digits as the interval is narrow.

    rate, low, high: shares from 0 to 1.
    """
    digits = 0 if high - low >= 0.02 else 1 if high - low >= 0.002 else 2
    shown = _number(rate, max(digits, _digits(rate)))
    return f"{shown} % ({_number(low, digits)}-{_number(high, digits)} %)"


def part(rate: float) -> str:
    """A share without an interval, such as `31 %`; it is called 0 or 100 % only where it is."""
    return f"{_number(rate, _digits(rate))} %"


def brief(rate: float) -> str:
    """A share for a mark of a chart: `31 %`, below a tenth with one decimal, as `4.2 %`; 0 and 100 % only where it is.

    rate: a share from 0 to 1; NaN, that of no nets, is `none (there are no such nets)`, as in `share`.
    """
    if math.isnan(rate):
        return NOBODY
    digits = max(_digits(rate), 1 if 0 < rate < 0.0995 else 0)
    return f"{_number(rate, digits)} %"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in a row: `a, b and c`; `none` where there are none, and a count of those beyond the `most`."""
    names = list(names)
    names = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "none"


def nice(name: str) -> str:
    """A column's name as a title: spaces for underscores."""
    return name.replace("_", " ")


def _digits(rate: float) -> int:
    """The fewest decimals of a percentage that tell a share from none and from all."""
    return next((digits for digits in range(6) if min(rate, 1 - rate) >= 0.5 * 10.0 ** -(digits + 2)), 0)


def _number(share: float, digits: int) -> str:
    return f"{100 * share:.{0 if share in (0, 1) else digits}f}"


def share(holds: pd.Series, nets: pd.DataFrame | None = None) -> str:
    """The share of nets for which a condition holds, with its 95 % interval, in words.

    holds: a boolean for each net. nets: their rows of a results table; without them the nets count as independent,
    which those of setups that a study sampled are not (`arithjax.tables.intervals`).
    """
    if holds.empty:
        return NOBODY
    if nets is None:
        low, high = statistics.wilson(holds.sum(), len(holds))
        return percent(float(holds.mean()), float(low), float(high))
    nets = groups.distinct(nets.assign(**{HOLDS: holds}))
    return _rate(statistics.rates(nets[HOLDS].astype(bool), nets).iloc[0])


HOLDS = "holds:"
"""A column that no parameter is called."""


def rate_of(nets: pd.DataFrame) -> str:
    """The success rate of nets with its 95 % interval, in words; of several operations, that of each.

    nets: a results table, or some of its rows.
    """
    if "op" in nets and nets["op"].nunique() > 1:
        return ", ".join(f"{op} {rate_of(some)}" for op, some in nets.groupby("op"))
    return share(statistics.success(nets), nets)


def _rate(row: pd.Series) -> str:
    """A summary's rate with its interval."""
    return percent(row["rate"], row["rate_low"], row["rate_high"])


def default_words(nets: pd.DataFrame, by: list[str], objectives: Sequence[str] = ()) -> str:
    """The answer of a study that has none of its own: the success rate of each operation, and what does best and worst.

    nets: a results table. by: the columns to group by. objectives: what the study searched for; where there are
    metrics among them, the best setups by these come first, since rates do not tell of them.
    """
    return " ".join(default_sentences(nets, by, objectives))


def default_sentences(nets: pd.DataFrame, by: list[str], objectives: Sequence[str] = ()) -> list[str]:
    """As `default_words`, in parts: the finding, and what is to be said of it."""
    if nets.empty:
        return ["There are no nets yet."]
    found = [_searched(nets, objectives), _overall(nets), _extremes(nets, by), _stopped(nets)]
    return list(filter(None, found))


MOST_CHOICES = 4
"""Parameters of a trial that a headline names."""


def _searched(nets: pd.DataFrame, names: Sequence[str]) -> str:
    """The smallest value of each metric searched for, and the trial that has it; of each operation, if several."""
    measures = [name for name in names if name in groups.metrics(nets)]
    if not measures:
        return ""
    parts = [(f" of {op}", some) for op, some in nets.groupby("op", sort=False)]
    parts = parts if len(parts) > 1 else [("", nets)]
    said = [f"smallest {name}{of}: {_smallest(some, name, measures)}" for name in measures for of, some in parts]
    return f"S{'; '.join(said)[1:]}."


def _smallest(nets: pd.DataFrame, name: str, names: Sequence[str]) -> str:
    """The smallest value of a metric, with the parameters of the trial that has it and does best in the others."""
    order = list(dict.fromkeys([name, *names]))
    values = objectives(nets, order).sort_values(order, kind="stable")[name]
    trial, value = values.index[0], float(values.iloc[0])
    if value >= LARGEST:
        return "none, as half of the nets of every setup have none"
    chosen = groups.chosen(nets[nets["trial"] == trial][:1]).astype(object).iloc[0].dropna().items()
    choices = [f"{choice} {value:.3g}" if isinstance(value, float) else f"{choice} {value}" for choice, value in chosen]
    return f"{value:.3g}, with {listed(choices, MOST_CHOICES)}" if choices else f"{value:.3g}"


def _overall(nets: pd.DataFrame) -> str:
    """How many nets learned it, and what they are a sample of."""
    summary = statistics.summarise(nets)
    if len(summary) > 1:
        rates = ", ".join(f"{op} in {_rate(row)} of {counted(row['nets'], 'net')}" for op, row in summary.iterrows())
        return f"Learned ({_meaning(nets)}): {rates}.{_of_what(summary)}"
    row = summary.iloc[0]
    if row["nets"] == 1:
        return f"The net {'learned' if row['rate'] else 'has not learned'} it ({_meaning(nets)}); one net is no rate."
    return f"{_rate(row)} of {row['nets']:,} nets learned it ({_meaning(nets)}).{_of_what(summary)}"


def _meaning(nets: pd.DataFrame) -> str:
    """What counts as success of these nets; `arithjax.training.grading` has the limits."""
    if "threshold" in nets and nets["threshold"].notna().any():
        return "an error beyond the range below the threshold"
    ways = ["relative RMSE of at most 1 %"]
    if "certificate" in nets and nets["certificate"].isin([CERTIFIED, ALL_ROWS, WRONG]).any():
        ways.append("every result rounds right")
    if "accuracy" in nets and nets["accuracy"].notna().any():
        ways.append("at most 1 % wrong classes, and a tenth of what the commonest class gets wrong")
    return ", or ".join(ways)


def _of_what(summary: pd.DataFrame) -> str:
    """What rates are over, where it is more than the seeds of one setup on one range."""
    setups, ranges = int(summary["setups"].max()), int(summary["ranges"].max())
    words = []
    if (summary["interval"] == statistics.SETUPS).any():
        words.append(f"The interval is one of setups, of which {setups:,} were sampled.")
    if ranges > 1:
        words.append(f"It is a rate of these {ranges} ranges of numbers, and of no others.")
    return "".join(f" {sentence}" for sentence in words)


def _extremes(nets: pd.DataFrame, by: list[str]) -> str:
    """The groups that learn most and those that learn least; where all learn as much, the errors of both ends."""
    nets = groups.distinct(nets)
    parts = [groups.labels(nets, name) for name in by]
    keys = [labels for labels, _ in parts]
    if statistics.holds_several(nets, keys):
        keys.append(nets["op"])
    table = statistics.in_order(statistics.summarise_by(nets, keys), [order for _, order in parts])
    if len(table) < 2 or by == ["op"]:
        return ""
    names = [*by, "op"]
    rate, error = table["rate"], table["relative_rmse"]
    if rate.max() > rate.min():
        best, worst = (_at(table, rate == end, names) for end in (rate.max(), rate.min()))
        return f"Best: {best[0]} with {best[1]}; worst: {worst[0]} with {worst[1]}."
    same = f"None differs in that: {100 * rate.iloc[0]:.3g} % in each of the {len(table)} groups."
    if error.max() == error.min():
        return same
    least, most = (_at(table, error == end, names)[0] for end in (error.min(), error.max()))
    errors = f"smallest with {least} ({size(error.min())}) and largest with {most} ({size(error.max())})"
    return f"{same} Their median relative RMSE is {errors}."


MOST_TIED = 3
"""Groups that do equally well and are named; of more their number is said."""


def _at(table: pd.DataFrame, chosen: pd.Series, names: list[str]) -> tuple[str, str]:
    """Groups of a summary that have one rate: who they are, and the rate, with the interval where all have the same.

    chosen: a boolean for each group. names: what the levels of the index are called.
    """
    some = table[chosen]
    if len(some) > MOST_TIED:
        who = f"{len(some)} of {len(table)} groups"
    else:
        who = listed(_label(index, names) for index in some.index)
    same = len(some[["rate_low", "rate_high"]].drop_duplicates()) == 1
    rate = _rate(some.iloc[0]) if same else part(some["rate"].iloc[0])
    return who, rate if len(some) == 1 else f"{rate} each"


HALVED = "Nets that halving stopped ({:,}) count as they were there."
"""What stands beside rates of a study with halving, given the number of nets that it stopped."""


def _stopped(nets: pd.DataFrame) -> str:
    """What halving does to the rates of a study."""
    if "until" not in nets or not (stopped := nets["until"].count()):
        return ""
    return (
        f"Nets that were stopped before their last step, as other setups did better ({stopped:,} of {len(nets):,}), "
        f"count as they were there: trained to the end, more might have learned it."
    )


def _label(index: object, names: list[str]) -> str:
    """A group of a summary in words: its labels, those that are numbers with their column's name."""
    parts = index if isinstance(index, tuple) else (index,)
    named = [
        f"{name} {label}" if re.match(r"-?\d", str(label)) else str(label)
        for label, name in zip(parts, names, strict=False)
    ]
    return " with ".join(named)


def missing(nets: pd.DataFrame, described: dict[str, Any]) -> str:
    """A sentence on how much of a study is missing and how to continue; empty when it is finished.

    nets: its table so far. described: the content of its `study.json`.
    """
    trials, repeats = described.get("trials") or 0, described.get("repeats") or {}
    asked = (trials - sum(int(number) < trials for number in repeats)) * (described.get("seeds") or 0)
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


def blocks(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Lines in parts `(kind, text)`: kind `table` for adjacent ones laid out in columns, `words` for any other."""
    out: list[tuple[str, str]] = []
    for line in lines:
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
