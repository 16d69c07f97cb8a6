"""What a run shows in a terminal, and in a log."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from arithjax.studies.study import Progress
from arithjax.training.metrics import LEARNED


class TerminalProgress(Progress):
    """Nets done, model-steps a second, time left and the best error so far: a bar, or lines where there is no terminal.

    `every`: seconds between lines.
    """

    def __init__(self, console: Console, every: float = 10.0):
        self.console, self.every = console, every
        self.bar: Bar | None = None
        self.trained = False

    def begin(self, nets: int, done: int, model_steps: int) -> None:
        self.trained = True
        self.total, self.done, self.left, self.count = nets, done, model_steps, 0
        self.best, self.started = float("inf"), time.monotonic()
        self.said = self.started
        if done:
            self.console.print(f"{done:,} of {nets:,} nets are there already; training the other {nets - done:,}.")
        if self.console.is_terminal:
            self.bar = Bar(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=self.console)
            self.task = self.bar.add_task(self._text(), total=model_steps)
            self.bar.start()

    def steps(self, count: int) -> None:
        self.count += count
        self._show()

    def nets(self, rows: pd.DataFrame) -> None:
        self.done += len(rows)
        self.best = min(self.best, rows["relative_rmse"].min())
        self._show()

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()
        elif self.trained:
            self.console.print(self._text())

    def _text(self) -> str:
        rate = self.count / max(time.monotonic() - self.started, 1e-9)
        left = max(self.left - self.count, 0) / rate if rate else float("inf")
        text = f"{self.done:,} of {self.total:,} nets, {rate:,.0f} model-steps/s"
        if self.best < float("inf"):
            text += f", best relative RMSE {self.best:.2g}"
        return text if self.bar is not None or left in (0, float("inf")) else f"{text}, {left:.0f} s left"

    def _show(self) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=self.count, description=self._text())
        elif time.monotonic() - self.said > self.every:
            self.said = time.monotonic()
            self.console.print(self._text())


def curve_chart(curve: pd.DataFrame, width: int = 72, height: int = 12) -> str:
    """One net's relative RMSE over its steps, both in logarithms, as text; the line across is 1 %, "learned"."""
    import plotext  # a chart is rarely asked for

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
    plotext.yticks(list(powers), [f"1e{power}" for power in powers])
    decades = range(math.ceil(steps.max()) + 1)
    plotext.xticks(list(decades), [f"{10**decade:,}" for decade in decades])
    plotext.title("relative RMSE over optimiser steps")
    return "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())
