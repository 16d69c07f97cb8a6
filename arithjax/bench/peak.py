"""What a device can do at most: multiply-adds from its registers, and matrix products."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp

from arithjax.environment import backend, cores, has_kernels
from arithjax.training.engines import fused


def matmul_peak() -> float:
    """GFLOP/s of a 2048 x 2048 float32 matrix product on the whole device, the best of five."""
    multiply, a = jax.jit(functools.partial(jnp.matmul, precision="highest")), jnp.ones((2048, 2048))
    return 2 * 2048**3 / 1e9 / _least_seconds(lambda: multiply(a, a).block_until_ready())


def fma_peak() -> float | None:
    """GFLOP/s of float32 multiply-adds that read no memory, on the whole device; None where it cannot be measured."""
    if backend() == "cpu":
        return _of_processor() if fused.available() else None
    return _of_gpu() if backend() == "gpu" and has_kernels() else _of_accelerator()


def _of_processor(loops: int = 1 << 21) -> float:
    """The fused engine's vectors, on all cores at once."""
    chains = importlib.import_module("arithjax.bench.chains")  # which needs numba
    chains.run(1, 1.0)
    with ThreadPoolExecutor(cores()) as threads:
        seconds = _least_seconds(lambda: list(threads.map(lambda _: chains.run(loops, 1.0), range(cores()))))
    return 2 * chains.CHAINS * loops * fused.lanes() * cores() / 1e9 / seconds


def _of_accelerator(numbers: int = 1 << 22, steps: int = 1 << 14) -> float:
    """A loop of XLA's, a kernel for every 256 steps: every number is multiplied and added to, `steps` times."""
    more = range(256)
    loop = jax.jit(
        lambda x: jax.lax.fori_loop(0, steps // 256, lambda _, y: functools.reduce(lambda y, _: y * y + y, more, y), x)
    )
    x = jnp.full(numbers, 0.5, jnp.float32)
    return 2 * numbers * steps / 1e9 / _least_seconds(lambda: loop(x).block_until_ready())


THREADS, CHAINS, UNROLLED = 128, 8, 8


def _of_gpu(blocks: int = 1 << 13, loops: int = 1 << 9) -> float:
    """Chains of multiply-adds in the registers of every thread, in one kernel."""
    grown, x = _on_gpu(blocks, loops), jnp.full(THREADS, 0.5, jnp.float32)
    count = blocks * THREADS * loops * CHAINS * UNROLLED
    return 2 * count / 1e9 / _least_seconds(lambda: grown(x).block_until_ready())


def _on_gpu(blocks: int, loops: int) -> Callable[[jax.Array], jax.Array]:
    """A kernel whose every thread goes through `CHAINS` of `loops * UNROLLED` multiply-adds that wait for nothing."""
    from jax.experimental.pallas import mosaic_gpu

    def program(x: Any, y: Any) -> None:
        factor = x[...]

        def grow(_: Any, chains: list) -> list:
            return functools.reduce(lambda chains, _: [c * factor + factor for c in chains], range(UNROLLED), chains)

        chains = jax.lax.fori_loop(0, loops, grow, [factor + i for i in range(CHAINS)])
        y[jax.lax.axis_index("block")] = functools.reduce(jnp.add, chains)

    return jax.jit(
        mosaic_gpu.kernel(
            program,
            out_type=jax.ShapeDtypeStruct((blocks, THREADS), jnp.float32),
            grid=(blocks,),
            grid_names=("block",),
            compiler_params=mosaic_gpu.CompilerParams(lowering_semantics=mosaic_gpu.LoweringSemantics.Lane),
        )
    )


def _least_seconds(run: Callable[[], object], times: int = 5) -> float:
    """The seconds of a run, the least of several: on a busy machine the others are too many."""

    def seconds() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return min(seconds() for _ in range(times))
