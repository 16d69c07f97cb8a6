"""The commands that read tables and train nothing: `table`, `compare` and `status`. Nothing here imports jax."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from arithjax.cli.output import say
from arithjax.cli.text import summary_text, text
from arithjax.errors import ArithjaxError, counted
from arithjax.tables import loading, statistics
from arithjax.tables.store import Store


def table(folder: str, by: str | None, where: str | None, csv: bool, as_json: bool) -> None:
    """Success rates with 95 % intervals from the table in a folder; as JSON a list with an object for each group."""
    nets = loading.load(folder)
    if where:
        nets = loading.where(nets, where, "--where")
        if nets.empty:
            raise ArithjaxError(f"--where {where!r} holds for none of the nets; loosen it.")
    summary = statistics.summarise(nets, _columns(by) or _default_by(folder, nets)).sort_index(key=_numbers_ascending)
    if as_json:
        say(json.dumps(_records(summary), indent=1))
        return
    say(summary.to_csv().rstrip() if csv else summary_text(summary))


def compare(first: str, second: str, by: str | None, csv: bool, as_json: bool) -> None:
    """Success rates of the studies in two folders side by side, with their difference and a test of it.

    As JSON an object of two lists, `overall` and `groups`, with an object for each row.
    """
    a, b = (loading.load(folder) for folder in (first, second))
    columns = _columns(by)
    overall, groups = statistics.compare(a, b), statistics.compare(a, b, columns or _default_by(first, a))
    groups = groups.sort_index(key=_numbers_ascending)
    if as_json:
        say(json.dumps({"overall": _records(overall), "groups": _records(groups)}, indent=1))
        return
    if csv:
        say((groups if columns else overall).to_csv().rstrip())
        return
    say(f"A = {first}\nB = {second}\n\n{text(overall)}\n")
    say(f"{text(groups)}\n\n'low' to 'high': 95 % interval of the difference (Newcombe). {tests(overall, groups)}")


def _numbers_ascending(level: pd.Index) -> pd.Index:
    """A level of an index, its texts as they sort by the numbers in them: widths `4,4` before `16`."""
    return level.map(lambda of: re.sub(r"\d+", lambda found: found[0].zfill(9), of) if isinstance(of, str) else of)


TESTS = {
    statistics.FISHER: "Fisher's exact test, two-sided, as nets are independent.",
    statistics.EFFECTIVE: "Fisher's exact test, two-sided, on the effective number of nets where setups were sampled, "
    "whose nets succeed and fail together.",
    statistics.PERMUTATION: "mid-p of a permutation test of the setups, as these were sampled; ties count by half.",
}


def tests(*compared: pd.DataFrame) -> str:
    """What the p of each test in some comparisons is."""
    used = {name for table in compared for name in table["test"].dropna()}
    return " ".join(f"p of test '{name}': {words}" for name, words in TESTS.items() if name in used)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, with its index, as plain data; None for what is not a finite number."""
    named = table.reset_index() if any(table.index.names) else table
    return json.loads(named.to_json(orient="records", double_precision=15))


def _columns(by: str | None) -> list[str]:
    return [name.strip() for name in by.split(",")] if by else []


def _default_by(folder: str, nets: pd.DataFrame) -> list[str]:
    """The columns that the folder's study groups by, or else the table's default."""
    try:
        return list(loading.description(folder).get("by") or statistics.default_by(nets))
    except ArithjaxError:
        return statistics.default_by(nets)


def status(folder: str, as_json: bool = False) -> None:
    """What is done of the study in a folder, whether it runs, what is left, and how long that will take.

    As JSON an object; `seconds` is how long, null where nobody knows.
    """
    described, store = loading.description(folder), Store(Path(folder))
    repeats = len(described.get("repeats", {}))
    asked = (described["trials"] - repeats) * described["seeds"]
    rows = store.rows(["trial", "seed"])
    done = int(((rows["trial"] < described["trials"]) & (rows["seed"] < described["seeds"])).sum())
    running, left = store.running(), asked - done
    if as_json:
        counts = {name: described[name] for name in ("name", "trials", "seeds")}
        rate = _rate(store.times()) if left else None
        seconds = 0.0 if not left else left / rate if rate else None
        told = counts | {"nets": asked, "done": done, "left": left, "running": running, "seconds": seconds}
        say(json.dumps(told, indent=1))
        return
    setups, seeds = described["trials"] - repeats, described["seeds"]
    again = f", from {counted(described['trials'], 'trial')}" if repeats else ""
    say(f"{described['name']}: {counted(setups, 'setup')} x {counted(seeds, 'seed')} = {counted(asked, 'net')}{again}")
    say(f"done     {done:,} ({done / asked:.0%})")
    say(f"left     {left:,}")
    say(f"running  {'yes' if running else 'no; the same `arithjax run` goes on' if left else 'no'}")
    if left:
        say(f"time     {_time_left(store.times(), left)}")


def _time_left(sessions: list[dict], left: int) -> str:
    """How long `left` nets will take, by the rate of the latest session."""
    if not (rate := _rate(sessions)):
        return "not known before the first nets are written"
    return f"about {_duration(left / rate)} at {rate:,.1f} nets/s, as of the latest run"


def _rate(sessions: list[dict]) -> float | None:
    """Nets a second of the latest session; None or 0 where it is not known."""
    try:
        last = sessions[-1]
        return last["nets"] / (last["until"] - last["began"])
    except (IndexError, KeyError, TypeError, ZeroDivisionError):
        return None


def _duration(seconds: float) -> str:
    """Seconds as text, in the largest unit of which there are two."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
