"""The speed table: arithjax and its peers, side by side in one run.

Rates are model-steps per second: one optimiser step of one net. They are medians over repetitions in which the ways of
a net take turns.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import json
import platform
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache import compilation_cache
from rich.console import Console
from rich.table import Table

from arithjax import __version__, protocols
from arithjax.bench.ways import WAYS, Runner, Way, flops
from arithjax.environment import cores
from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.training import compiled

QUESTION = protocols.question()
UNIT = Setup(
    model="nmu",
    low=1,
    high=2,
    integers=False,
    input_transform="raw",
    target_transform="raw",
    batch=128,
    epsilon=1e-7,
)
SIZES = itertools.product((8, 16, 32, 64, 128, 256), (10, 128))
WIDE = [Setup(widths=(width, width), activation="relu", batch=batch, epsilon=1e-7) for width, batch in SIZES]


def bench(
    quick: bool = False,
    repetitions: int = 5,
    setups: Sequence[Setup] | None = None,
    ways: Sequence[Way] | None = None,
    seconds: float = 0.4,
) -> dict:
    """Measure every way on every net and print the table: its `rows`, and the device's `peak_gflops`.

    Rates are medians over the repetitions, of about `seconds` each, in which the ways of a net take turns.
    quick: only the question's net, and no ways that need a package of the `bench` extra.
    """
    console = Console()
    setups = setups or ([QUESTION] if quick else [QUESTION, UNIT, *WIDE])
    ways = installed(ways or [way for way in WAYS if not (quick and way.needs)], console)
    peak, rows = 0.0, []
    for setup in setups:
        with console.status(f"measuring {net_name(setup)}, batch {setup.batch}"), compiling_all():
            peak = max(peak, matmul_peak())  # again and again: on a busy machine a single look is too low
            asked = [way for way in ways if setup == QUESTION or not way.slow]
            rows += compare(setup, asked, min(repetitions, 3) if quick else repetitions, seconds, quick)
    for row in rows:
        row["peak_share"] = row["gflops"] / peak
    console.print(rate_table(rows))
    console.print(f"{device_name()}, {cores()} cores, {peak:,.0f} GFLOP/s in matrix products of 2048 x 2048 float32")
    console.print(", ".join(f"{name} {number}" for name, number in versions().items()), highlight=False)
    return {"peak_gflops": peak, "rows": rows}


@contextlib.contextmanager
def compiling_all() -> Iterator[None]:
    """Without programs from before, so that compile times are those of compiling."""
    compiled.use_cache()
    before = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def write(file: str | Path, measured: dict) -> None:
    """Write what was measured beside the device and the versions; other parts that the file holds of them stay."""
    file, about = Path(file), {"device": device_name(), "cores": cores(), "versions": versions()}
    try:
        before = json.loads(file.read_text())
        same = all(before.get(name) == value for name, value in about.items())
    except (OSError, ValueError, AttributeError):
        same = False
    try:
        file.write_text(json.dumps((before if same else {}) | about | measured, indent=1) + "\n")
    except OSError as error:
        raise ArithjaxError(f"cannot write {file} ({error.strerror}); choose another file.") from None


def compare(setup: Setup, ways: Sequence[Way], repetitions: int, seconds: float, quick: bool) -> list[dict]:
    """The rows of one net: every way made ready, then measured in turns."""
    runners = [_ready(way, setup, seconds, quick) for way in ways]
    turns = [[runner.rate() for runner in runners] for _ in range(repetitions)]
    rates = {
        way.name: statistics.median(measured) for way, measured in zip(ways, zip(*turns, strict=True), strict=True)
    }
    return [
        {
            "net": net_name(setup),
            "batch": setup.batch,
            "way": name,
            "nets": runner.nets,
            "rate": rate,
            "ratio": rates["arithjax"] / rate if "arithjax" in rates else None,
            "gflops": flops(setup) * rate / 1e9,
            "compile_seconds": runner.compile_seconds,
        }
        for runner, (name, rate) in zip(runners, rates.items(), strict=True)
    ]


def _ready(way: Way, setup: Setup, seconds: float, quick: bool) -> Runner:
    """The way with the fastest of its populations, calibrated."""
    populations = way.populations[len(way.populations) // 2 :][:1] if quick else way.populations
    best, best_rate = None, 0.0
    for nets in populations:
        runner = way.prepare(setup, nets if jax.default_backend() == "cpu" or nets == 1 else 16 * nets)
        runner.calibrate(seconds)
        if (rate := runner.rate()) > best_rate:
            best, best_rate = runner, rate
    return best


def installed(ways: Sequence[Way], console: Console) -> list[Way]:
    """The ways whose packages are there; one line names the others."""
    absent = [way for way in ways if way.needs and importlib.util.find_spec(way.needs) is None]
    if absent:
        packages = " and ".join(dict.fromkeys(_named(way) for way in absent))
        line = f"{packages} not installed: without {', '.join(way.name for way in absent)}"
        console.print(f"{line}; pip install 'arithjax[bench]' adds them", markup=False, soft_wrap=True)
    return [way for way in ways if way not in absent]


def _named(way: Way) -> str:
    """The package a way needs, and the Python where this one is too old."""
    old = sys.version_info < way.python
    return f"{way.needs} (from Python {'.'.join(map(str, way.python))} on)" if old else way.needs


def net_name(setup: Setup) -> str:
    """`question`, a unit's name, or layer sizes such as `2-64-64-1`."""
    if setup.model != "mlp":
        return str(setup.model)
    return "question" if setup == QUESTION else "-".join(map(str, (2, *setup.widths, 1)))


def matmul_peak() -> float:
    """GFLOP/s of a 2048 x 2048 float32 matrix product on the whole device, the best of five."""
    multiply, a = jax.jit(functools.partial(jnp.matmul, precision="highest")), jnp.ones((2048, 2048))
    runner = Runner(lambda units: multiply(a, a).block_until_ready())
    return 2 * 2048**3 / 1e9 / min(runner.seconds() for _ in range(5))


def device_name() -> str:
    """The accelerators, or the processor."""
    devices, info = jax.local_devices(), Path("/proc/cpuinfo")
    if devices[0].platform != "cpu":
        return f"{len(devices)} x {devices[0].device_kind}"
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions of all that is measured and installed."""
    packages = {p.metadata["Name"]: p.version for p in distributions()}
    names = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "keras", "scikit-learn", "turbanet")
    found = {name: packages[name] for name in names if name in packages}
    return {"arithjax": __version__, "python": platform.python_version()} | found


def rate_table(rows: list[dict]) -> Table:
    """A section for each net, a line for each way."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("way", no_wrap=True)
    for name in ("nets", "model-steps/s", "arithjax", "GFLOP/s", "of peak", "compile s"):
        table.add_column(name, justify="right", no_wrap=True)
    for (net, batch), section in itertools.groupby(rows, lambda row: (row["net"], row["batch"])):
        table.add_row(f"{net}, batch {batch}", style="bold")
        for row in section:
            ratio = f"x {row['ratio']:,.1f}" if row["ratio"] else ""
            share, seconds = f"{row['peak_share']:.1%}", f"{row['compile_seconds']:.1f}"
            rate, gflops = f"{row['rate']:,.0f}", f"{row['gflops']:.2f}"
            table.add_row(f"  {row['way']}", f"{row['nets']:,}", rate, ratio, gflops, share, seconds)
    return table
