"""The commands that read tables and train nothing: `table`, `compare` and `status`. Nothing here imports jax."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from arithjax.cli.output import say
from arithjax.cli.text import summary_text, text
from arithjax.errors import ArithjaxError
from arithjax.tables import loading, statistics
from arithjax.tables.store import Store


def table(folder: str, by: str | None, where: str | None, csv: bool) -> None:
    """Success rates with 95 % intervals from the table in a folder."""
    nets = loading.load(folder)
    if where:
        nets = loading.where(nets, where, "--where")
        if nets.empty:
            raise ArithjaxError(f"--where {where!r} holds for none of the nets; loosen it.")
    summary = statistics.summarise(nets, _columns(by) or _default_by(folder, nets))
    say(summary.to_csv().rstrip() if csv else summary_text(summary))


def compare(first: str, second: str, by: str | None, csv: bool) -> None:
    """Success rates of the studies in two folders side by side, with their difference and a test of it."""
    a, b = (loading.load(folder) for folder in (first, second))
    columns = _columns(by)
    overall, groups = statistics.compare(a, b), statistics.compare(a, b, columns or _default_by(first, a))
    if csv:
        say((groups if columns else overall).to_csv().rstrip())
        return
    say(f"A = {first}\nB = {second}\n\n{text(overall)}\n")
    say(f"{text(groups)}\n\n'low' to 'high': 95 % interval of the difference (Newcombe). {_tests(groups)}")


TESTS = {
    "Fisher": "p: Fisher's exact test, as nets are independent.",
    "permutation": "p: a permutation test of the setups, as these were sampled.",
}


def _tests(compared: pd.DataFrame) -> str:
    """What the tests of a comparison are."""
    return " ".join(words for name, words in TESTS.items() if (compared["test"] == name).any())


def _columns(by: str | None) -> list[str]:
    return [name.strip() for name in by.split(",")] if by else []


def _default_by(folder: str, nets: pd.DataFrame) -> list[str]:
    """The columns that the folder's study groups by, or else the table's default."""
    try:
        return list(loading.description(folder).get("by") or statistics.default_by(nets))
    except ArithjaxError:
        return statistics.default_by(nets)


def status(folder: str) -> None:
    """What is done of the study in a folder, whether it runs, what is left, and how long that will take."""
    described, store = loading.description(folder), Store(Path(folder))
    repeats = len(described.get("repeats", {}))
    asked = (described["trials"] - repeats) * described["seeds"]
    rows = store.rows(["trial", "seed"])
    done = int(((rows["trial"] < described["trials"]) & (rows["seed"] < described["seeds"])).sum())
    running, left = store.running(), asked - done
    setups, seeds = described["trials"] - repeats, described["seeds"]
    again = f", from {described['trials']:,} trials" if repeats else ""
    say(f"{described['name']}: {setups:,} setups x {seeds:,} seeds = {asked:,} nets{again}")
    say(f"done     {done:,} ({done / asked:.0%})")
    say(f"left     {left:,}")
    say(f"running  {'yes' if running else 'no; the same `arithjax run` goes on' if left else 'no'}")
    if left:
        say(f"time     {_time_left(store.times(), left)}")


def _time_left(sessions: list[dict], left: int) -> str:
    """How long `left` nets will take, by the rate of the latest session."""
    try:
        last = sessions[-1]
        rate = last["nets"] / (last["until"] - last["began"])
        return f"about {_duration(left / rate)} at {rate:,.1f} nets/s, as of the latest run"
    except (IndexError, KeyError, TypeError, ZeroDivisionError):
        return "not known before the first nets are written"


def _duration(seconds: float) -> str:
    """Seconds as text, in the largest unit of which there are two."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
