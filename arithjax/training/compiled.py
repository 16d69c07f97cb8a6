"""Compiled programs: compiled once for a spec, kept for the next process, and counted.

`@compiled(options)` turns `function(spec, *arrays)` into one that compiles for the spec and the shapes of the arrays,
once while it is among those that the process holds.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import threading
import time
import warnings
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from arithjax import disk
from arithjax.environment import backend, cache_home, obstacle_to_writing, processor, vector_bits

CACHE = "JAX_COMPILATION_CACHE_DIR"
"""The environment variable that names another folder for compiled programs."""

try:  # no public names: whether jax raises what goes wrong with its folder, in this thread; how it packs programs
    from jax._src.compilation_cache import decompress_executable as unpack
    from jax._src.config import raise_persistent_cache_errors as strict_about_cache
except ImportError:
    strict_about_cache = unpack = None  # type: ignore[assignment]

KEPT = 256
"""Programs that a process holds at once; those used longest ago are read from the folder again, or compiled again.

Each takes 5 MB and 64 of the 65,530 mappings of memory that Linux grants a process; beyond these it is killed.
"""

_programs: dict[Hashable, Future] = {}
"""Those that are held, or being compiled, the latest used last."""
_lock = threading.Lock()


class Statistics:
    """What compiling has cost this process: programs, and seconds over all threads."""

    programs: int = 0
    seconds: float = 0.0


statistics = Statistics()


def lanes_options() -> dict[str, str]:
    """XLA options for multiply-sum programs.

    Vectors as wide as the processor's, no library calls for reductions (they would materialise the products), and one
    thread, since another program trains on each other core.
    """
    if backend() != "cpu":
        return {}
    options = {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_multi_thread_eigen": "False"}
    return options | ({"xla_cpu_prefer_vector_width": str(vector_bits())} if vector_bits() > 128 else {})


def product_options() -> dict[str, str]:
    """XLA options for programs of matrix products: one thread each."""
    return {"xla_cpu_multi_thread_eigen": "False"} if backend() == "cpu" else {}


def quick_options() -> dict[str, str]:
    """XLA options for programs that run once or twice: compiling quickly is worth more than running fast.

    How far XLA optimises, `XLA_FLAGS` may say otherwise.
    """
    quick = {
        "xla_backend_optimization_level": "1",
        "xla_cpu_experimental_ynn_fusion_type": "",
        "xla_cpu_multi_thread_eigen": "False",
    }
    if "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", ""):
        del quick["xla_backend_optimization_level"]
    return quick if backend() == "cpu" else {}


def compiled(options: Callable[[Any], dict[str, str]] = lambda spec: quick_options()) -> Callable[[Callable], Callable]:
    """A decorator for `function(spec, *arrays)`, where `spec` is hashable.

    options: the XLA options for a spec; by default those for quick compiling.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(spec: Hashable, *arrays: Any) -> Any:
            return _program(function, spec, options(spec), arrays)(*arrays)

        return call

    return decorate


def cache_folder() -> Path:
    """Where compiled programs outlive their process, unless jax is given another folder.

    There is one for each kind of processor, since machines may share a home.
    """
    kind = hashlib.sha256(f"{platform.machine()} {processor()}".encode()).hexdigest()[:12]
    return cache_home() / "arithjax" / f"programs-{kind}"


@functools.cache
def use_cache() -> None:
    """Keep compiled programs, however small, for the next process; a folder or limits that the user chose stay."""
    if not jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        return
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        folder = cache_folder()
        if reason := obstacle_to_writing(folder):
            warnings.warn(f"compiled programs are not kept ({reason}); {CACHE} names another folder.", stacklevel=2)
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        compilation_cache.reset_cache()  # whatever was compiled before without one
    for name, value in (("min_compile_time_secs", 0.0), ("min_entry_size_bytes", -1)):
        if f"JAX_PERSISTENT_CACHE_{name.upper()}" not in os.environ:
            jax.config.update(f"jax_persistent_cache_{name}", value)


def _program(function: Callable, spec: Hashable, options: dict[str, str], arrays: tuple) -> Callable:
    """The program for a spec and these shapes; who comes first compiles, and the others wait for it."""
    leaves, structure = jax.tree.flatten(arrays)
    key = (function, spec, tuple(options), structure, *map(_kind, leaves))
    mine = Future[Callable]()
    try:
        with _lock:
            future = _programs[key] = _programs.pop(key, mine)
            if len(_programs) > KEPT:
                del _programs[next(iter(_programs))]
        if future is mine:
            mine.set_result(_compile(functools.partial(function, spec), options, arrays))
    except BaseException as error:  # a signal's, too: whoever waits for the program is told
        with _lock:
            if _programs.get(key) is mine:
                del _programs[key]
        if not mine.done():
            mine.set_exception(error)
        raise
    return future.result()


def _kind(leaf: Any) -> tuple:
    """What a program is compiled for of an array."""
    return (leaf.aval, leaf.sharding) if isinstance(leaf, jax.Array) else (leaf.shape, leaf.dtype)


def _compile(function: Callable, options: dict[str, Any], arrays: tuple) -> Callable:
    use_cache()
    started = time.perf_counter()
    lowered = jax.jit(function).lower(*arrays)
    while True:
        try:
            executable = _kept_or_compiled(lowered, options, getattr(function, "func", function).__name__)
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


def _kept_or_compiled(lowered: Any, options: dict[str, Any], name: str) -> Any:
    """An executable from the folder of programs, or compiled for it.

    jax ignores a program there that it cannot read, and never replaces it. Here it is deleted, so that it is kept anew.
    """
    if strict_about_cache is None:
        return lowered.compile(compiler_options=options)
    try:
        with strict_about_cache(True):
            return lowered.compile(compiler_options=options)
    except Exception as error:
        if any(option in str(error) for option in options):
            raise
        if damaged := _damaged(name):
            warnings.warn(
                f"a compiled program that was kept is damaged ({type(error).__name__}); it is compiled anew.",
                stacklevel=2,
            )
        for file in damaged:
            file.unlink(missing_ok=True)
        with strict_about_cache(False):
            return lowered.compile(compiler_options=options)


def _damaged(name: str) -> list[Path]:
    """The kept programs of a function's name that cannot be unpacked; in our own folder all of them, if all can be."""
    folder = str(jax.config.jax_compilation_cache_dir or "")  # type: ignore[attr-defined]
    files = list(Path(folder).glob(f"jit_{name}-*-cache")) if folder and "://" not in folder else []
    return [file for file in files if not _unpacks(file)] or (files if Path(folder) == cache_folder() else [])


def _unpacks(file: Path) -> bool:
    try:
        unpack(disk.read(file))
        return True
    except Exception:
        return False
