"""Output in a terminal or a log: the progress of a run, and learning curves as text."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from arithjax.errors import counted
from arithjax.report.picture import ticks
from arithjax.studies.study import Progress
from arithjax.training.grading import LEARNED


class TerminalProgress(Progress):
    """Progress of a run: nets done, model-steps a second, time left and the best error so far.

    It is a bar in a terminal, and elsewhere a line every few seconds.

    console: where it is written. every: seconds between lines.
    """

    def __init__(self, console: Console, every: float = 10.0):
        self.console, self.every = console, every
        self.bar: Bar | None = None
        self.trained = False
        self.total = self.done = self.left = self.count = 0
        self.best, self.started, self.written = float("inf"), 0.0, 0.0

    def begin(self, nets: int, done: int, model_steps: int) -> None:
        """Start the clock.

        nets: all nets of the study. done: those trained before. model_steps: optimiser steps of all others together.
        """
        self.trained = True
        self.total, self.done, self.left = nets, done, model_steps
        self.started = self.written = time.monotonic()
        if done:
            self.console.print(f"{done:,} of {nets:,} nets are there already; training the other {nets - done:,}.")
        if self.console.is_terminal:
            self.bar = Bar(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=self.console)
            self.task = self.bar.add_task(self._text(), total=model_steps)
            self.bar.start()

    def steps(self, count: int) -> None:
        """Count model-steps that were just done."""
        self.count += count
        self._show()

    def stored(self, rows: pd.DataFrame) -> None:
        """Note the best error of nets that were trained before."""
        self.best = min(self.best, rows["relative_rmse"].min()) if len(rows) else self.best

    def repeated(self, nets: int) -> None:
        """Count nets that need no training, as earlier trials have them."""
        self.total -= nets

    def nets(self, rows: pd.DataFrame) -> None:
        """Count nets that were just finished, by their rows of the table."""
        self.done += len(rows)
        self.best = min(self.best, rows["relative_rmse"].min())
        self._show()

    def end(self) -> None:
        """Stop the bar, or write a last line."""
        if self.bar is not None:
            self.bar.stop()
        elif self.trained:
            self.console.print(self._text())

    def _text(self) -> str:
        rate = self.count / max(time.monotonic() - self.started, 1e-9)
        left = max(self.left - self.count, 0) / rate if rate else float("inf")
        text = f"{self.done:,} of {counted(self.total, 'net')}, {rate:,.0f} model-steps/s"
        if self.best < float("inf"):
            text += f", best relative RMSE {self.best:.2g}"
        return text if self.bar is not None or left in (0, float("inf")) else f"{text}, {left:.0f} s left"

    def _show(self) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=self.count, description=self._text())
        elif time.monotonic() - self.written > self.every:
            self.written = time.monotonic()
            self.console.print(self._text())


def curve_chart(curve: pd.DataFrame, width: int = 72, height: int = 12) -> str:
    """The learning curve of one net as text: relative RMSE over optimiser steps, both in logarithms.

    The line across is at 1 %, "learned". A curve of fewer than two points gives an empty text.

    curve: a row a recorded step, with `step` and `relative_rmse`. width, height: the size in characters.
    """
    import plotext  # imported here, since most commands draw no chart

    seen = curve[(curve["step"] > 0) & np.isfinite(curve["relative_rmse"]) & (curve["relative_rmse"] > 0)]
    if len(seen) < 2:
        return ""
    steps, errors = np.log10(seen["step"]), np.log10(seen["relative_rmse"])
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    plotext.plot(list(steps), list(errors), marker="braille")
    plotext.hline(np.log10(LEARNED))
    powers = range(math.floor(min(errors.min(), -2)), math.ceil(max(errors.max(), 0)) + 1)
    plotext.ylim(powers[0], powers[-1])
    marked = powers[:: math.ceil(len(powers) / 8)]
    plotext.yticks(list(marked), [f"1e{power}" for power in marked])
    decades = range(math.ceil(steps.max()) + 1)
    plotext.xticks(list(decades), [f"{10**decade:,}" for decade in decades])
    plotext.title("relative RMSE over optimiser steps")
    return "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())


def lines_chart(table: pd.DataFrame, joined: bool = True, width: int = 72, height: int = 16) -> str:
    """Lines as text, each in a mark of its own that is named above.

    table: a row a point, with `x`, `y` and the name of its line, `who`. joined: whether there is a line between points.
    width, height: the size in characters.
    """
    import plotext  # as in `curve_chart`

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    names = list(dict.fromkeys(table["who"]))
    for name, mark in zip(names, MARKS, strict=False):
        line = table[table["who"] == name]
        draw = plotext.plot if joined else plotext.scatter
        draw(list(line["x"]), list(line["y"]), marker=mark)
    for axis, mark_at in (("x", plotext.xticks), ("y", plotext.yticks)):
        if round_numbers := _round_numbers(table[axis]):
            mark_at(round_numbers, [_said(number) for number in round_numbers])
    legend = "\n".join(f"  {mark}  {name}" for name, mark in zip(names, MARKS, strict=False))
    return legend + "\n" + "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())


def _round_numbers(values: pd.Series) -> list[float]:
    """Where an axis of these values has ticks; whole numbers where all of them are."""
    found = values[np.isfinite(values)].astype(float)
    return ticks(found.min(), found.max(), bool((found == found.round()).all())) if len(found) else []


def _said(number: float) -> str:
    """A tick's number; whole ones below a thousand million with all their digits."""
    return f"{number:,.0f}" if number == round(number) and abs(number) < 1e9 else f"{number:.6g}"


MARKS = (".", "x", "o", "+", "#")
"""Marks of lines in text, one each."""
