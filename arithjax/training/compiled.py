"""Compiled programs: compiled once, kept, counted, with the options each form and processor wants."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from arithjax.environment import processor, vector_bits

CACHE = "JAX_COMPILATION_CACHE_DIR"
"""The environment variable that names another folder for compiled programs."""

_compiled: dict[Any, Future] = {}

_lock = threading.Lock()


class Statistics:
    """What compiling has cost this process."""

    programs: int = 0
    seconds: float = 0.0


statistics = Statistics()


def lanes_options() -> dict[str, str]:
    """XLA options for multiply-sum programs: vectors as wide as the processor's, no library calls for reductions (they
    would materialise the products), and one thread, since another program trains on each other core."""
    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_multi_thread_eigen": "False"}
    return options | ({"xla_cpu_prefer_vector_width": str(vector_bits())} if vector_bits() > 128 else {})


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


def cache_folder() -> Path:
    """Where compiled programs outlive their process, unless jax is told another folder: one for each kind of processor,
    since machines may share a home."""
    kind = hashlib.sha256(f"{platform.machine()} {processor()}".encode()).hexdigest()[:12]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arithjax" / f"programs-{kind}"


@functools.cache
def use_cache() -> None:
    """Keep compiled programs, however small, for the next process; a folder or limits that the user chose stay."""
    if not jax.config.jax_enable_compilation_cache:
        return
    if jax.config.jax_compilation_cache_dir is None:
        try:
            folder = cache_folder()
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(0, "not writable")
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            warnings.warn(f"compiled programs are not kept ({reason}); {CACHE} names another folder.", stacklevel=2)
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        compilation_cache.reset_cache()  # whatever was compiled before without one
    for name, value in (("min_compile_time_secs", 0.0), ("min_entry_size_bytes", -1)):
        if f"JAX_PERSISTENT_CACHE_{name.upper()}" not in os.environ:
            jax.config.update(f"jax_persistent_cache_{name}", value)


def call(function: Callable, program: Any, options: dict[str, str], *arguments: Any) -> Any:
    """`function(program, *arguments)`, compiled for `program` and the shapes of the arguments, at most once."""
    leaves, structure = jax.tree.flatten(arguments)
    key = (function, program, tuple(options), structure, *map(_kind, leaves))
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


def _kind(leaf: Any) -> tuple:
    """What a program is compiled for of an argument, an array."""
    return (leaf.aval, leaf.sharding) if isinstance(leaf, jax.Array) else (leaf.shape, leaf.dtype)


def _compile(function: Callable, options: dict[str, str], arguments: tuple) -> Callable:
    use_cache()
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
