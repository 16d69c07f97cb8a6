"""Output in a terminal: learning curves as text, and the lines of a run's progress."""

import io

import numpy as np
import pandas as pd
import pytest
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


def marks(chart):
    """The numbers up the left and along the bottom of a chart."""
    *lines, last = chart.replace("├", "┤").splitlines()
    return [line[: line.index("┤")].strip() for line in lines if "┤" in line][::-1], last.split()


@pytest.mark.parametrize(
    ("x", "y", "up", "along"),
    [
        ((0, 499), (0, 249_001), ["0", "100,000", "200,000"], ["0", "100", "200", "300", "400", "500"]),
        ((0, 9), (0, 3), ["0", "1", "2", "3"], ["0", "2", "4", "6", "8"]),
        ((-2, 1), (0, 0.3), ["0", "0.1", "0.2", "0.3"], ["-2", "-1", "0", "1"]),
        ((0, 1), (7, 7), ["7"], ["0", "1"]),
    ],
)
def test_ticks_are_round_and_whole_where_numbers_are(x, y, up, along):
    table = pd.DataFrame({"x": np.rint(np.linspace(*x, 40)), "y": np.linspace(*y, 40), "who": "exact"})
    table.loc[3, "y"] = np.nan
    assert marks(terminal.lines_chart(table)) == (up, along)


def test_the_powers_of_a_curve_are_evenly_spaced():
    curve = pd.DataFrame({"step": [1, 10, 1000], "relative_rmse": [1.0, 1e-4, 1e-14]})
    up, along = marks(terminal.curve_chart(curve))
    assert up == [f"1e{power}" for power in range(-14, 1, 2)] and along == ["1", "10", "100", "1,000"]


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
