"""Output in a terminal: learning curves as text, and the lines of a run's progress."""

import io

import pandas as pd
from rich.console import Console

import arithjax as aj
from arithjax import terminal

POLYNOMIAL = aj.Setup(op="mul", high=50, widths=(2,), activation="square", steps=1, examples=64, tests=64, batch=16)


def test_a_chart_of_a_training():
    kept = aj.fit(POLYNOMIAL, seeds=1)
    long = aj.fit(POLYNOMIAL.replace(steps=30), seeds=1)
    chart = terminal.curve_chart(long.curve())
    assert "relative RMSE" in chart
    assert max(map(len, chart.splitlines())) <= 72
    assert terminal.curve_chart(kept.curve()) == ""  # one step is no curve


def test_progress_in_a_log_ends_with_what_was_done():
    written = io.StringIO()
    progress = terminal.TerminalProgress(Console(file=written, width=200))
    progress.begin(nets=3, done=1, model_steps=20)
    progress.steps(20)
    progress.nets(pd.DataFrame({"relative_rmse": [0.5, 0.025]}))
    progress.end()
    first, last = written.getvalue().splitlines()
    assert first == "1 of 3 nets are there already; training the other 2."
    assert last.startswith("3 of 3 nets, ") and last.endswith("best relative RMSE 0.025")


def test_progress_of_a_finished_study_is_silent():
    written = io.StringIO()
    terminal.TerminalProgress(Console(file=written)).end()
    assert written.getvalue() == ""
