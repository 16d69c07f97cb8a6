"""Chains of multiply-adds in the registers of one core, written with the fused engine's vectors."""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from arithjax.training.engines.vectors import I64, Code, emitted, fma

CHAINS = 16
"""Sums that grow side by side: more than a multiply-add's latency times the units of a core."""


@emitted
def chains(code: Code, loops: Any, place: Any, factor: Any) -> None:
    """`loops` times `CHAINS` multiply-adds; their sum is stored, so that the compiler leaves nothing out."""
    build, start = code.builder, code.full(factor)
    before, body, after = build.block, build.append_basic_block("body"), build.append_basic_block("after")
    build.branch(body)
    build.position_at_end(body)
    left, *sums = [build.phi(kind) for kind in (I64, *[code.kind] * CHAINS)]
    grown = [fma(code.vector(total), start, start) for total in sums]
    rest = build.sub(left, I64(1))
    firsts, nexts = [loops, *[start.value] * CHAINS], [rest, *(total.value for total in grown)]
    for node, first, following in zip([left, *sums], firsts, nexts, strict=True):
        node.add_incoming(first, before)
        node.add_incoming(following, body)
    build.cbranch(build.icmp_signed(">", rest, I64(0)), body, after)
    build.position_at_end(after)
    code.store(functools.reduce(lambda a, b: a + b, grown), place)


@numba.njit(nogil=True)
def run(loops: int, factor: float) -> float:
    """`loops` times `CHAINS` multiply-adds of float32 vectors; what comes of it."""
    memory = np.zeros(16, np.float32)
    chains(loops, memory.ctypes.data, np.float32(factor))
    return memory[0]
