"""What a device can do at most: multiply-adds from its registers, and matrix products."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp

from arithjax.environment import backend, cores
from arithjax.training.engines import fused


def matmul_peak() -> float:
    """GFLOP/s of a 2048 x 2048 float32 matrix product on the whole device, the best of five."""
    multiply, a = jax.jit(functools.partial(jnp.matmul, precision="highest")), jnp.ones((2048, 2048))
    return 2 * 2048**3 / 1e9 / _least_seconds(lambda: multiply(a, a).block_until_ready())


def fma_peak() -> float | None:
    """GFLOP/s of float32 multiply-adds that read no memory, on the whole device; None where it cannot be measured."""
    if backend() != "cpu":
        return _of_accelerator()
    return _of_processor() if fused.available() else None


def _of_processor(loops: int = 1 << 21) -> float:
    """The fused engine's vectors, on all cores at once."""
    chains = importlib.import_module("arithjax.bench.chains")  # which needs numba
    chains.run(1, 1.0)
    with ThreadPoolExecutor(cores()) as threads:
        seconds = _least_seconds(lambda: list(threads.map(lambda _: chains.run(loops, 1.0), range(cores()))))
    return 2 * chains.CHAINS * loops * fused.lanes() * cores() / 1e9 / seconds


def _of_accelerator(numbers: int = 1 << 20, steps: int = 4096) -> float:
    """A loop within one kernel: every number is multiplied and added to, `steps` times."""

    @jax.jit
    def grown(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(
            0, steps // 256, lambda _, x: functools.reduce(lambda y, _: y * x + x, range(256), x), x
        )

    x = jnp.full(numbers, 0.5, jnp.float32)
    return 2 * numbers * steps / 1e9 / _least_seconds(lambda: grown(x).block_until_ready())


def _least_seconds(run: Callable[[], object], times: int = 5) -> float:
    """The seconds of a run, the least of several: on a busy machine the others are too many."""

    def seconds() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return min(seconds() for _ in range(times))
