"""Which engine trains a setup: the fused one where it can, unless another is asked for."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator

from arithjax.architecture import count_parameters
from arithjax.environment import backend, has_kernels
from arithjax.errors import ArithjaxError, nearest
from arithjax.models import model_of
from arithjax.models.mlp import layer_activations
from arithjax.models.network import FUSED, ONCHIP, Layout
from arithjax.registry import ACTIVATIONS, LOSSES, OPTIMIZERS
from arithjax.setup import Setup
from arithjax.training.engines import fused

ENGINES = ("fused", "compiled")

WIDEST = 128
"""The kernel's widest hidden layer; weights between wider ones leave the cache, and matrix products are faster.

Outputs may be as many as they are: with up to 1,023 and hidden layers of 16 and 128 the kernel was faster (measured).
"""

MOST_ON_CHIP = 110
"""The most parameters of a net in the accelerators' kernel: its weights and gradients stay in 255 registers."""

_chosen: list[str] = ["fused"]


def use(engine: str) -> None:
    """Train with this engine from now on: `fused`, which leaves what it has not to the other one, or `compiled`.

    Raises:
        ArithjaxError: there is no such engine.
    """
    if engine not in ENGINES:
        raise ArithjaxError(f"unknown engine '{engine}'{nearest(engine, ENGINES)} There are {', '.join(ENGINES)}.")
    _chosen[0] = engine


@contextlib.contextmanager
def using(engine: str) -> Iterator[None]:
    """Train with this engine in this context; see `use`."""
    before = _chosen[0]
    use(engine)
    try:
        yield
    finally:
        _chosen[0] = before


def layout_of(setup: Setup) -> Layout:
    """The layout, and with it the engine, of a setup's nets."""
    model = model_of(setup)
    if model.dense and _chosen[0] == "fused":
        if backend() == "cpu" and suits(setup):
            return FUSED
        if backend() != "cpu" and suits_chip(setup):
            return ONCHIP
    return model.layout(setup)


def suits(setup: Setup) -> bool:
    """Whether the kernel has all that a setup of dense layers names, is the faster engine for it, and can run here."""
    if _obstacle() or max(setup.widths, default=1) > WIDEST:
        return False
    names = layer_activations(setup)
    shape = fused.Shape((1,) * (len(names) + 1), names, setup.bias)
    return _ours(setup) and fused.covers(shape, fused.Rule(setup.optimizer, setup.loss))


def suits_chip(setup: Setup) -> bool:
    """Whether the accelerators' kernel has all that a setup of dense layers names, and the net is narrow enough."""
    if setup.outputs > 1 or setup.blocks or not has_kernels():
        return False
    sizes = (setup.inputs, *setup.widths, 1)
    return count_parameters(sizes, setup.bias) <= MOST_ON_CHIP and setup.precision == "float32" and _ours(setup)


def _ours(setup: Setup) -> bool:
    """Whether the kernels know all that a setup names: members that came with arithjax, and no restarts by batches."""
    members = all(map(ACTIVATIONS.ours, layer_activations(setup)))
    if setup.restart is not None and setup.restart_by == "batches":
        return False
    return members and OPTIMIZERS.ours(setup.optimizer) and LOSSES.ours(setup.loss)


@functools.cache
def _obstacle() -> str | None:
    """Why the kernel cannot run here, said once in a warning; None where it can."""
    obstacle = fused.obstacle()
    if obstacle:
        warnings.warn(f"dense nets train in the compiled engine: {obstacle}.", stacklevel=2)
    return obstacle
