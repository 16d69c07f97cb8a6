"""Where a program runs: versions, device, processor, cores, and the settings of jax that numbers depend on."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import jax


def versions() -> dict[str, str]:
    """The versions that results may depend on."""
    return {name: metadata.version(name) for name in ("arithjax", "jax", "flax", "optax", "optuna")}


def device() -> str:
    """The kind of device, as `study.json` records it; the last bits of some programs depend on it."""
    kind = jax.devices()[0].device_kind
    if jax.devices()[0].platform == "cpu":
        kind = _processor() or kind
    return f"{kind}, {cores()} cores, {platform.machine()}"


def _processor() -> str:
    """The processor's name and its widest vectors, where the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    name = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "cpu")
    widest = next((flag for flag in ("avx512f", "avx2") if flag in text), "")
    return f"{name} {widest}".strip()


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """In which versions, and in what kind of device, two descriptions differ; the number of cores decides nothing."""
    there = there if isinstance(there, dict) else {}
    old, new = there.get("versions") or {}, here["versions"]
    words = [f"{name} {old[name]} there, {new[name]} here" for name in new if name in old and old[name] != new[name]]
    kinds = [re.sub(r", \d+ cores", "", str(place.get("device", ""))) for place in (there, here)]
    known = kinds[0] and not kinds[0].startswith("cpu,")  # as older descriptions call every processor
    return words + ([f"{kinds[0]} there, {kinds[1]} here"] if known and kinds[0] != kinds[1] else [])


@functools.cache
def processor() -> str:
    """What the processor can do, as the system says; empty where it does not."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.lower().startswith(("flags", "features"))), "")


def vector_bits() -> int:
    """Bits in the processor's vectors, as far as is known."""
    return 512 if "avx512f" in processor() else 256 if "avx2" in processor() else 128


def cache_home() -> Path:
    """The user's folder for caches; where the user has no home, one that cannot be made."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return Path(os.devnull) / "no home"


def obstacle_to_writing(folder: Path) -> str:
    """Why nothing can be written into a folder, which is made if it is missing; empty where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return str(error.strerror or error)
    return "" if os.access(folder, os.W_OK) else "not writable"


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_made_for: list[str] = []


def backend() -> str:
    """What programs are made for: `cpu`, `gpu` or `tpu`; jax's default device, unless `made_for` says otherwise."""
    return _made_for[-1] if _made_for else jax.default_backend()


@contextlib.contextmanager
def made_for(backend: str) -> Iterator[None]:
    """Make programs for another platform in this context, `gpu` or `tpu`: to be lowered, since they cannot run here."""
    _made_for.append(backend)
    try:
        yield
    finally:
        _made_for.pop()


def has_kernels() -> bool:
    """Whether Pallas compiles kernels for the accelerator: a TPU, or a Hopper or Blackwell GPU of a data centre."""
    capability = getattr(jax.local_devices()[0], "compute_capability", "9.0")  # of AMD's GPUs a name
    return str(capability).partition(".")[0] in ("9", "10")


def devices_and_workers() -> tuple[list[jax.Device], int]:
    """The devices, and how many tiles train at a time: one for each core, or for each accelerator."""
    devices = jax.local_devices()
    return devices, cores() if devices[0].platform == "cpu" else len(devices)


SETTINGS: dict[str, Any] = {
    **{"default_prng_impl": "threefry2x32", "threefry_partitionable": True, "numpy_dtype_promotion": "standard"},
    **{"default_matmul_precision": None, "disable_jit": False, "debug_nans": False, "debug_infs": False},
    "transfer_guard": "allow",
}
"""The settings of jax that change numbers, or that refuse programs which are right, as they are by default."""


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """The context in which arrays are made and programs called, whatever the user's settings of jax; of this thread.

    precision: `float32` or `float64`.
    """
    with ExitStack() as held:
        for name, value in SETTINGS.items():
            held.enter_context(getattr(jax, name)(value))
        held.enter_context(jax.enable_x64(precision == "float64"))
        yield


def is_double() -> bool:
    """Whether numbers are of double precision in the `arithmetic` that is in force."""
    return jax.dtypes.canonicalize_dtype(float).itemsize == 8


def packages(extra: str) -> str:
    """What to give pip for an optional part of arithjax, wherever arithjax itself came from.

    extra: the part's name in `pyproject.toml`, such as `cluster`.
    """
    try:
        required = metadata.requires("arithjax") or []
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        required = []
    of_extra = re.compile(rf"""\s*(;|and)\s*extra == ["']{extra}["']""")
    mine = [of_extra.sub("", line) for line in required if of_extra.search(line)]
    return shlex.join(mine or [f"arithjax[{extra}]"])
