"""What is to be known of an accelerator, in one command: are its answers right, and how fast does it train?

    python -m arithjax.bench.device  # or arithjax bench --device

Every line passes or fails. They end within `SECONDS`, and what was found is written after each line, so that nothing is
lost when the time runs out. On a CPU it is a dry run: the accelerators' kernel is interpreted there, and little trains.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console

from arithjax import environment, protocols
from arithjax.bench.peak import fma_peak
from arithjax.bench.runner import Runner
from arithjax.bench.table import QUESTION, UNIT, compare, compiling_all, device_name, net_name, write
from arithjax.bench.ways import WAYS, Way, jit_vmap
from arithjax.models.network import FUSED, ONCHIP, Layout
from arithjax.setup import Setup
from arithjax.tables.statistics import wilson
from arithjax.training.engines import choice
from arithjax.training.memory import bytes_of
from arithjax.training.outcome import train_tile
from arithjax.training.planning import plan
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile
from arithjax.training.trainer import Trainer
from arithjax.training.workers import train_nets

SECONDS = 390
"""Of all lines, so that installing and they end within eight minutes."""

CLOSE = 1e-3
"""Largest relative difference of parameters, which are trained in float32 by two devices."""

EASY: dict[str, Any] = {
    "input_transform": "standardize",
    "target_transform": "standardize",
    "learning_rate": 0.003,
    "examples": 2000,
}
ANSWERS = {
    "the question's net, mended": Setup(widths=(3, 5, 3, 5), activation="tanh", batch=10, **EASY),
    "gelu, clipped, AdamW": Setup(widths=(8, 8), activation="gelu", clip=1.0, optimizer="adamw", **EASY),
    "sin, fresh examples": Setup(widths=(6,), activation="sin", fresh=True, **EASY),
    "a wide net": Setup(widths=(64, 64), activation="silu", batch=128, **EASY),
    "an NMU": UNIT.replace(learning_rate=0.01, examples=2000),
}
WIDE = ((8, 10), (16, 128), (64, 128))
SPEED = [QUESTION, UNIT]
SPEED += [Setup(widths=(width,) * 2, activation="relu", batch=batch, epsilon=1e-7) for width, batch in WIDE]
SLOWER = 0.9
"""Least rate beside `jit(vmap)` in float32: wide nets are the same matrix products of XLA's in both."""


def _in_float32(setup: Setup, nets: int) -> Runner:
    """`jit(vmap)` with matrix products of float32 numbers; by default a GPU rounds these to TF32, of 10 bits."""
    runner = jit_vmap(setup, nets)

    def run(calls: int) -> None:
        with jax.default_matmul_precision("highest"):
            runner.run(calls)

    return dataclasses.replace(runner, run=run)


OURS, COMPILED, USUAL, FLOAT32 = "arithjax", "arithjax, compiled engine", "jit(vmap)", "jit(vmap), float32"
BESIDE = [way for way in WAYS if way.name in (OURS, COMPILED, USUAL)] + [Way(FLOAT32, _in_float32, (1024,))]


class Size(NamedTuple):
    """How much trains: nets and steps that are compared, nets that fill a program, seconds of a measurement."""

    nets: int = 128
    steps: int = 200
    filling: int = 1 << 16
    seconds: float = 0.5
    dry: bool = False


DRY = Size(2, 4, 32, 0.01, dry=True)


class Line(NamedTuple):
    """What one line found."""

    passed: bool
    said: str
    numbers: dict[str, Any] = {}  # noqa: RUF012  # never changed


def check_device(file: str | Path | None = None, seconds: float = SECONDS, size: Size | None = None) -> bool:
    """Print a line for everything that is checked, and write what was found; whether all lines passed.

    file: the JSON file; by default `results/bench/<device>.json`. seconds: after so many no line begins, and the one
    that is running is given up. size: how much trains; by default what fits the device.
    """
    console, end, found = Console(), time.monotonic() + seconds, {}
    file = Path(file) if file else Path("results", "bench", f"{_slug(device_name())}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    size = size or (DRY if jax.default_backend() == "cpu" else Size())
    for name, line in lines(size):
        started = time.monotonic()
        passed, said, numbers = _within(end - started, line)
        took = time.monotonic() - started
        console.print(f"{'pass' if passed else 'FAIL'}  {name}: {said} ({took:.0f} s)", markup=False, highlight=False)
        found[name] = {"passed": passed, "said": said, "seconds": took, **numbers}
        write(file, {"dry": size.dry, "lines": found})
    failed = [name for name, line in found.items() if not line["passed"]]
    console.print(f"{len(found) - len(failed)} of {len(found)} lines passed; written to {file}", markup=False)
    return not failed


def lines(size: Size) -> list[tuple[str, Callable[[], Line]]]:
    """All lines, by name, in the order in which they are wanted if time runs out."""
    named: list[tuple[str, Callable[[], Line]]] = [("device", _device), ("memory", lambda: _memory(size))]
    for name, setup in ANSWERS.items():
        named.append((f"answers, {name}", functools.partial(_answers, setup, size)))
    named += [("rates of success", lambda: _rates(size)), ("several devices", _devices)]
    for setup in SPEED[:1] if size.dry else SPEED:
        named.append((f"speed, {net_name(setup)}, batch {setup.batch}", functools.partial(_speed, setup, size)))
    return named


def _within(seconds: float, line: Callable[[], Line]) -> Line:
    """What a line finds, if it ends in time: it runs in a thread of its own, which can be left behind."""
    results: list[Line] = []

    def run() -> None:
        try:
            results.append(line())
        except Exception as error:  # on a device never seen before anything may go wrong; the next line may not
            results.append(Line(False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"))

    thread = threading.Thread(target=run, daemon=True)
    if seconds > 0:
        thread.start()
        thread.join(seconds)
    return results[0] if results else Line(False, "no time was left")


@functools.cache
def _peak() -> float:
    """GFLOP/s in multiply-adds, measured once; infinite where that fails, which the first line says."""
    try:
        return fma_peak() or np.inf
    except Exception:
        return np.inf


def _device() -> Line:
    numbers = {"fma_gflops": fma_peak() or 0.0}
    return Line(True, f"{device_name()}, {numbers['fma_gflops']:,.0f} GFLOP/s in multiply-adds", numbers)


def _memory(size: Size) -> Line:
    """The most memory that a filled program takes, beside what planning expects; the first line, since it is a peak."""
    setup = _cut(QUESTION) if size.dry else QUESTION
    tile = _tile(setup, size.filling, _layout(setup))
    with tile.arithmetic:
        trainer = Trainer(tile, 0)
        trainer.advance_to(size.steps)
        trainer.wait()
    expected = bytes_of(tile.specs.train, tile.places)
    peak = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    said = f"{peak / 1e9:.2f} GB of {expected / 1e9:.2f} expected" if peak else "the device does not tell"
    return Line(peak <= 1.25 * expected, said, {"expected": expected, "peak": peak})


def _answers(setup: Setup, size: Size) -> Line:
    """Parameters after some steps here and, in the compiled engine, on the CPU."""
    setup = _cut(setup) if size.dry else setup
    layout = _layout(setup)
    ours = _trained(_tile(setup, size.nets, layout), size.steps)
    with jax.default_device(jax.devices("cpu")[0]), choice.using("compiled"):
        theirs = _trained(_tile(setup, size.nets, choice.layout_of(setup)), size.steps)
    apart = np.abs(ours - theirs) / (1e-2 + np.abs(theirs))
    worst = apart.max(axis=0)
    close, median = (worst <= CLOSE).mean(), float(np.median(worst))
    said = f"{layout.name}: {close:.1%} of {size.nets} nets agree to {CLOSE:g} after {size.steps} steps"
    numbers = {"close": float(close), "median": median}
    return Line(bool(close >= 0.98), f"{said}; median {median:.1g}", numbers)


def _rates(size: Size) -> Line:
    """Shares of nets that learn to add, here and in the fused engine on the CPU."""
    setup = protocols.question("add").replace(steps=40 * size.steps, tests=256)
    nets = [NetId(0, seed, _cut(setup) if size.dry else setup) for seed in range(2 * size.nets)]
    here = np.concatenate([done.rows.success for done in train_nets(nets, 0)])
    with jax.default_device(jax.devices("cpu")[0]):
        tile = _tile(nets[0].setup, len(nets), FUSED)
        there = train_tile(tile, 0).rows.success
    (low, high), (lower, higher) = (wilson(int(found.sum()), len(found)) for found in (here, there))
    of = {"here": float(np.mean(here)), "cpu": float(np.mean(there))}
    said = f"{of['here']:.1%} ({low:.1%}-{high:.1%}) learn to add, on the CPU {of['cpu']:.1%}"
    return Line(bool(low <= higher and lower <= high), said, of)


def _devices() -> Line:
    """Whether nets are spread over all devices."""
    devices, workers = environment.devices_and_workers()
    nets = [NetId(0, seed, QUESTION) for seed in range(1000 * workers)]
    tiles = plan(nets, workers)
    return Line(
        len(tiles) >= workers,
        f"{len(devices)} of them, {len(tiles)} tiles for {len(nets):,} nets",
        {"devices": len(devices)},
    )


def _speed(setup: Setup, size: Size) -> Line:
    """Model-steps a second beside the usual way, compiled anew."""
    two_engines = _layout(setup) is ONCHIP and not size.dry
    ways = [way for way in BESIDE if way.name != COMPILED or two_engines]
    if size.dry:
        ways = [way._replace(populations=(8,)) for way in ways]
    with compiling_all():
        rows = compare(setup, ways, 1 if size.dry else 3, size.seconds, quick=size.dry)
    of = {row["way"]: row for row in rows}
    ours, ratio = of[OURS], of[FLOAT32]["ratio"]
    said = (
        f"{ours['rate']:,.0f} model-steps/s, {of[USUAL]['ratio']:,.1f} times jit(vmap), {ratio:,.1f} times in float32; "
        f"{ours['gflops'] / _peak():.1%} of the multiply-adds, compiled in {ours['compile_seconds']:.0f} s"
    )
    return Line(size.dry or ratio >= SLOWER, said, {"rows": rows})


def _layout(setup: Setup) -> Layout:
    """The layout of a setup here; on a CPU, that of a GPU."""
    with environment.made_for("gpu" if environment.backend() == "cpu" else environment.backend()):
        return choice.layout_of(setup)


def _tile(setup: Setup, nets: int, layout: Layout) -> Tile:
    return Tile(specs_of(setup, nets, layout), tuple(NetId(0, seed, setup) for seed in range(nets)))


def _trained(tile: Tile, steps: int) -> np.ndarray:
    """Parameters `[numbers, nets]` after some steps."""
    with tile.arithmetic:
        trainer = Trainer(tile, 0)
        trainer.advance_to(steps)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(trainer.state.params)]
    of_net = [leaf if tile.specs.train.layout.lanes else np.moveaxis(leaf, 0, -1) for leaf in leaves]
    return np.concatenate([leaf.reshape(-1, tile.places) for leaf in of_net])


def _cut(setup: Setup) -> Setup:
    """The setup for a dry run: layers of two units, so that little is compiled."""
    return setup.replace(widths=(2,) * bool(setup.widths), activation=_first(setup), examples=64, batch=8, tests=64)


def _first(setup: Setup) -> str:
    return setup.activation if isinstance(setup.activation, str) else setup.activation[0]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    sys.exit(not check_device())
