"""The speed table: arithjax and other ways of training, side by side in one run.

Rates are model-steps per second; a model-step is one optimiser step of one net. They are medians over repetitions in
which the ways of training a net are measured in turns.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import operator
import platform
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache
from rich.console import Console
from rich.table import Table

from arithjax import __version__, environment, protocols
from arithjax.bench.page import peak_of
from arithjax.bench.peak import fma_peak, matmul_peak
from arithjax.bench.runner import Runner, flops, sizes_of
from arithjax.bench.ways import WAYS, Way
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
    """Measure every way on every net and print the table.

    quick: measure only the net of the question, and no ways that need a package of the `bench` extra.
    repetitions: measurements of each rate, whose median is reported; at most three of a quick table.
    setups, ways: what to measure, instead of all. seconds: about how long one repetition takes.
    Returns the table's `rows`, and the device's `peak_gflops`, in matrix products, and `fma_gflops`, in multiply-adds
    that read no memory (0 where it cannot be measured).
    """
    console = Console()
    setups = setups or ([QUESTION] if quick else [QUESTION, UNIT, *WIDE])
    ways = installed(ways or [way for way in WAYS if not (quick and way.needs)], console)
    peak, multiply_adds, rows = 0.0, 0.0, []
    for setup in setups:
        with console.status(f"measuring {net_name(setup)}, batch {setup.batch}"), compiling_all():
            # measured for every net: on a busy machine one measurement is too low
            peak, multiply_adds = max(peak, matmul_peak()), max(multiply_adds, fma_peak() or 0.0)
            asked = [way for way in ways if setup == QUESTION or not way.slow]
            rows += compare(setup, asked, min(repetitions, 3) if quick else repetitions, seconds, quick)
    _report(rows, peak, multiply_adds, console)
    return {"peak_gflops": peak, "fma_gflops": multiply_adds, "rows": rows}


def _report(rows: list[dict], peak: float, multiply_adds: float, console: Console) -> None:
    """Add each row's shares of the peaks, and print the table with the device and the versions."""
    for row in rows:
        row["peak_share"] = row["gflops"] / peak
        row["fma_share"] = row["gflops"] / multiply_adds if multiply_adds else None
    console.print(rate_table(rows))
    console.print(f"{device_name()}, {cores()} cores, {peak:,.0f} GFLOP/s in matrix products of 2048 x 2048 float32")
    if multiply_adds:
        console.print(f"{multiply_adds:,.0f} GFLOP/s in float32 multiply-adds that read no memory")
    console.print(", ".join(f"{name} {number}" for name, number in versions().items()), highlight=False)


@contextlib.contextmanager
def compiling_all() -> Iterator[None]:
    """A context without stored programs, so that every program is compiled and its compile time measured."""
    compiled.use_cache()
    before = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]  # defined at run time
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def write(file: str | Path, measured: dict) -> None:
    """Write measurements into a JSON file, with the device and the versions.

    Other measurements in the file stay if they come from the same device and versions.

    file: the file. measured: measurements by name. Raises ArithjaxError where the file cannot be written.
    """
    file, about = Path(file), {"device": device_name(), "cores": cores(), "versions": versions()}
    try:
        before = json.loads(file.read_text(encoding="utf-8", errors="replace"))
        same = all(before.get(name) == value for name, value in about.items())
    except (OSError, ValueError, AttributeError):
        same = False
    try:
        file.write_text(json.dumps((before if same else {}) | about | measured, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ArithjaxError(f"cannot write {file} ({error.strerror}); choose another file.") from None


def compare(setup: Setup, ways: Sequence[Way], repetitions: int, seconds: float, quick: bool) -> list[dict]:
    """The rows of one net, whose ways are prepared and then measured in turns.

    setup: the net. ways: what to measure. repetitions, seconds: how often, and about how long each time.
    quick: try one number of nets of each way only.
    """
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
    """The runner of a way, calibrated, with the fastest of its numbers of nets."""

    def measured(nets: int) -> tuple[float, Runner]:
        runner = way.prepare(setup, nets if jax.default_backend() == "cpu" or nets == 1 else 64 * nets)
        runner.calibrate(seconds)
        return runner.rate(), runner

    populations = way.populations[len(way.populations) // 2 :][:1] if quick else way.populations
    return max(map(measured, populations), key=operator.itemgetter(0))[1]


def installed(ways: Sequence[Way], console: Console) -> list[Way]:
    """The ways whose packages are installed; one printed line names the others."""
    absent = [way for way in ways if way.needs and importlib.util.find_spec(way.needs) is None]
    if absent:
        packages = " and ".join(dict.fromkeys(_named(way) for way in absent))
        line = f"{packages} not installed: without {', '.join(way.name for way in absent)}"
        console.print(f"{line}; pip install {environment.packages('bench')} adds them", markup=False, soft_wrap=True)
    return [way for way in ways if way not in absent]


def _named(way: Way) -> str:
    """The package that a way needs, with the oldest Python it supports where this Python is older."""
    old = sys.version_info < way.python
    return f"{way.needs} (from Python {'.'.join(map(str, way.python))} on)" if old else str(way.needs)


def net_name(setup: Setup) -> str:
    """`question`, a unit's name, or layer sizes such as `2-64-64-1`."""
    if setup.model != "mlp":
        return str(setup.model)
    return "question" if setup == QUESTION else "-".join(map(str, sizes_of(setup)))


def device_name() -> str:
    """The accelerators with their number, or the processor."""
    devices, info = jax.local_devices(), Path("/proc/cpuinfo")
    if devices[0].platform != "cpu":
        return f"{len(devices)} x {devices[0].device_kind}"
    text = info.read_text(encoding="utf-8", errors="replace") if info.exists() else ""
    model = re.search(r"model name\s*: (.*)", text)
    return str(model[1]) if model else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of arithjax, Python, and the measured packages that are installed."""
    packages = {p.metadata["Name"]: p.version for p in distributions()}
    names = ["jax", "jaxlib", "flax", "optax", "numpy", "torch", "keras", "scikit-learn", "turbanet"]
    names += ["modelbatch", "chorus-torch"]
    found = {name: packages[name] for name in names if name in packages}
    return {"arithjax": __version__, "python": platform.python_version()} | found


def rate_table(rows: list[dict]) -> Table:
    """The speed table for a terminal of 80 columns: a section for each net, a line for each way."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("way", no_wrap=True)
    peak, named = peak_of(rows)
    for name in ("nets", "model-steps/s", "ratio", f"of {peak} peak", "compile"):
        table.add_column(name, justify="right", no_wrap=True)
    for (net, batch), section in itertools.groupby(rows, lambda row: (row["net"], row["batch"])):
        table.add_row(f"{net}, batch {batch}", style="bold")
        for row in section:
            ratio = f"{row['ratio']:,.1f}x" if row["ratio"] else ""
            share, seconds = f"{row[named]:.1%}", f"{row['compile_seconds']:.1f} s"
            table.add_row(f"  {row['way']}", f"{row['nets']:,}", f"{row['rate']:,.0f}", ratio, share, seconds)
    return table
