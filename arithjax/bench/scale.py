"""Studies of 1 to 100,000 nets of the question: seconds a net, and the memory of the process."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from arithjax.bench.fresh import measure
from arithjax.bench.table import QUESTION
from arithjax.environment import devices_and_workers
from arithjax.studies.runner import asked_nets, run
from arithjax.studies.study import Study
from arithjax.training.outcome import train_tile
from arithjax.training.planning import plan

SIZES = (1, 10, 100, 1_000, 10_000, 100_000)


def scale(sizes: Sequence[int] = SIZES, steps: int = 10_000) -> list[dict]:
    """Print and return a row a size: nets, wall seconds, seconds a net, and the largest resident memory in bytes.

    sizes: numbers of nets. steps: optimiser steps of each net.
    """
    console, rows = Console(), []
    table = Table(box=None, pad_edge=False)
    for name in ("nets", "seconds", "ms a net", "model-steps/s", "memory"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory(prefix="arithjax-bench-") as cache, console.status("") as status:
        for size in sizes:
            status.update(f"{size:,} nets of {steps:,} steps")
            rows.append(row := measure(one, Path(cache), size, steps))
            rate, memory = f"{size * steps / row['seconds']:,.0f}", f"{row['memory'] / 2**30:.2f} GiB"
            table.add_row(f"{size:,}", f"{row['seconds']:,.1f}", f"{1e3 * row['seconds_a_net']:,.2f}", rate, memory)
    console.print(table)
    return rows


def one(nets: int, steps: int) -> dict:
    """Measure a whole study, from its question to its table; its program is compiled before the clock starts."""
    study = Study("scale", lambda trial: QUESTION.replace(steps=steps), trials=1, seeds=nets)
    (asked,) = asked_nets(study)
    train_tile(plan(asked, devices_and_workers()[1])[0], study.seed)
    with tempfile.TemporaryDirectory(prefix="arithjax-bench-") as folder:
        started = time.perf_counter()
        assert len(run(study, folder)) == nets
        seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"nets": nets, "steps": steps, "seconds": seconds, "seconds_a_net": seconds / nets, "memory": memory}
