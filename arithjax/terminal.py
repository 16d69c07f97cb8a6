"""What a run shows in a terminal, and in a log."""

from __future__ import annotations

import time

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from arithjax.study import Progress


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
