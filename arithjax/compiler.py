"""Compiled programs: compiled once, kept, counted, with the options each form and processor wants."""

from __future__ import annotations

import functools
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax

_compiled: dict[Any, Future] = {}
_lock = threading.Lock()


class Statistics:
    """What compiling has cost this process."""

    programs: int = 0
    seconds: float = 0.0


statistics = Statistics()


@functools.cache
def lanes_options() -> dict[str, str]:
    """XLA options for multiply-sum programs: vectors as wide as the processor's, no library calls for reductions (they
    would materialise the products), and one thread, since another program trains on each other core."""
    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_multi_thread_eigen": "False"}
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return options
    width = "512" if "avx512f" in flags else "256" if "avx2" in flags else None
    return options | ({"xla_cpu_prefer_vector_width": width} if width else {})


def product_options() -> dict[str, str]:
    """XLA options for programs of matrix products: one thread each."""
    return {"xla_cpu_multi_thread_eigen": "False"} if jax.default_backend() == "cpu" else {}


def quick_options() -> dict[str, str]:
    """XLA options for programs that run once or twice: compiling quickly is worth more than running fast."""
    quick = {
        "xla_backend_optimization_level": "1",
        "xla_cpu_experimental_ynn_fusion_type": "",
        "xla_cpu_multi_thread_eigen": "False",
    }
    return quick if jax.default_backend() == "cpu" else {}


def call(function: Callable, program: Any, options: dict[str, str], *arguments: Any) -> Any:
    """`function(program, *arguments)`, compiled for `program` and the shapes of the arguments, at most once."""
    leaves, structure = jax.tree.flatten(arguments)
    key = (function, program, tuple(options), structure, tuple((jax.typeof(leaf), _device(leaf)) for leaf in leaves))
    with _lock:
        future = _compiled.get(key)
        mine = future is None
        if mine:
            future = _compiled[key] = Future()
    if mine:
        try:
            future.set_result(_compile(functools.partial(function, program), options, arguments))
        except BaseException as error:
            del _compiled[key]
            future.set_exception(error)
    return future.result()(*arguments)


def _device(leaf: Any) -> Any:
    return leaf.device if isinstance(leaf, jax.Array) else None


def _compile(function: Callable, options: dict[str, str], arguments: tuple) -> Callable:
    started = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    while True:
        try:
            executable = lowered.compile(compiler_options=options)
            break
        except Exception as error:
            refused = next((name for name in options if name in str(error)), None)
            if refused is None:
                raise
            warnings.warn(f"this jaxlib does not know the option {refused}; going on without it.", stacklevel=2)
            options = {name: value for name, value in options.items() if name != refused}
    with _lock:
        statistics.programs += 1
        statistics.seconds += time.perf_counter() - started
    return executable
